"""Grokking times exact to the step, against runs that recorded every step."""

import math
from fractions import Fraction

import numpy as np
import pytest

from fastgrok import DivergenceError, Trajectory, train
from fastgrok.descent.again import exact_steps
from fastgrok.questions import _rerun

STEPWISE = ("steps", "b", "norm_w", "sharpness", "sharpness_mean", "regime", "weights")


def make_data(seed=0, rows=40, dim=2, dtype=np.float64):
    """Two overlapping classes and a small test set: accuracies that go up and down."""
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(rows) % 3 == 0, 1.0, -1.0)
    X = rng.normal(size=(rows, dim)) + 0.4 * y[:, None] + 0.5
    near = rng.choice([-1.0, 1.0], size=25)
    X_near = 0.3 * rng.normal(size=(25, dim)) + 0.15 * near[:, None]
    return X.astype(dtype), y, {"near": (X_near.astype(dtype), near), "unused": (X, y)}


def slow_times(run, every, name, eps, include_start=False):
    """First hit and sustained time, from the counts after every step of the bracketing stretch.

    The bracket and the maximum are those of the sparse record, as `refine` promises.
    """
    start = 0 if include_start or run.steps[0] > 0 else 1
    counts = run.counts[name].tolist()
    best = max(counts[start:])
    if best == 0:
        return None, None
    holds = [Fraction(k) >= (1 - Fraction(str(eps))) * best for k in counts]
    exact = [Fraction(k) >= (1 - Fraction(str(eps))) * best for k in every.counts[name].tolist()]
    steps = run.steps.tolist()

    j = next(j for j in range(start, len(steps)) if holds[j])
    stretch = range(steps[j - 1] + 1, steps[j] + 1) if j > 0 else [steps[j]]
    first = next(t for t in stretch if exact[t])
    if not holds[-1]:
        return first, None
    j = next(j for j in range(start, len(steps)) if all(holds[j:]))
    stretch = range(steps[j - 1] + 1, steps[j] + 1) if j > 0 else [steps[j]]
    return first, next(t for t in stretch if all(exact[t : steps[j] + 1]))


def both_runs(X, y, evals, record, **settings):
    settings = {"steps": 400, "lr": 0.3, "evals": evals, "watch_sharpness": False} | settings
    settings["engine"] = "exact"
    sparse = train(X, y, record=record, keep_weights=True, **settings)
    return sparse, train(X, y, record=1, **settings)


def check_against_every_step(sparse, every, X, y, evals, eps, include_start=False):
    times = sparse.refine("near", X, y, evals, eps, include_start=include_start, level=0)
    assert (times.train, times.sustained_train) == slow_times(
        sparse, every, "train", eps, include_start
    )
    assert (times.test, times.sustained_test) == slow_times(
        sparse, every, "near", eps, include_start
    )
    coarse = sparse.grokking("near", eps, include_start=include_start, level=0)
    assert (times.max_train, times.max_test) == (coarse.max_train, coarse.max_test)
    assert times.horizon == coarse.horizon
    for time, bracket in ((times.train, times.train_bracket), (times.test, times.test_bracket)):
        assert bracket == (max(time - 1, 0), time)
    assert times.difference == times.test - times.train
    assert times.delay == (times.test / times.train if times.train else times.delay)
    return times


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("eps", [0.0, 0.05, 0.2])
def test_times_are_those_of_every_step(seed, eps):
    X, y, evals = make_data(seed)
    sparse, every = both_runs(X, y, evals, 37)
    check_against_every_step(sparse, every, X, y, evals, eps)


@pytest.mark.parametrize("slice_length", [1, 2, 7, 36, 37, 38])
def test_slices_join_without_a_seam(monkeypatch, slice_length):
    X, y, evals = make_data(3)
    sparse, every = both_runs(X, y, evals, 37)
    expected = sparse.refine("near", X, y, evals, 0.05, level=0)
    monkeypatch.setattr(_rerun, "SLICE", slice_length)
    assert check_against_every_step(sparse, every, X, y, evals, 0.05) == expected


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "exponential", "lr": 0.05},
        {"reduction": "sum", "lr": 0.01},
        {"reduction": "sum", "lr": 1.0},  # far beyond stability: oscillating counts
        {"bias": False, "b0": -0.2},
        {"tie": "negative"},
        {"w0": [3.0, -4.0], "b0": 2.0},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("record", [None, 50, [0, 399]])
def test_settings_of_the_run_are_used(settings, record):
    X, y, evals = make_data(1)
    sparse, every = both_runs(X, y, evals, record, **settings)
    for include_start in (False, True):
        check_against_every_step(sparse, every, X, y, evals, 0.1, include_start)


@pytest.mark.parametrize("dim", [1, 17])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_dimensions_and_single_precision(dim, dtype):
    X, y, evals = make_data(2, dim=dim, dtype=dtype)
    evals["unused"] = (X, y)
    sparse, every = both_runs(X, y, evals, 60)
    check_against_every_step(sparse, every, X, y, evals, 0.02)


def test_only_the_brackets_are_run_again(monkeypatch):
    X, y, evals = make_data(0)
    run = train(X, y, steps=100_000, lr=0.1, engine="exact", evals=evals, keep_weights=True)
    coarse = run.grokking("near", 0.1, level=0)
    asked = []

    def counting(arguments, kind):
        asked.append(arguments["steps"])
        return exact_steps(arguments, kind)

    monkeypatch.setattr(_rerun, "exact_steps", counting)
    times = run.refine("near", X, y, evals, 0.1, level=0)
    index = {int(t): j for j, t in enumerate(run.steps)}
    ends = {coarse.train, coarse.test, coarse.sustained_train, coarse.sustained_test} - {None}
    checks = 3  # single steps from the first two records and the last
    assert asked
    assert sum(asked) <= checks + sum(t - int(run.steps[index[t] - 1]) for t in ends)
    assert coarse.train_bracket[0] < times.train <= coarse.train_bracket[1]
    assert coarse.test_bracket[0] < times.test <= coarse.test_bracket[1]


def test_after_save_and_load(tmp_path):
    X, y, evals = make_data(4)
    run = train(X, y, steps=300, lr=0.2, evals=evals, keep_weights=True)
    run.save(tmp_path / "run.npz")
    again = Trajectory.load(tmp_path / "run.npz")
    assert again.refine("near", X, y, evals, 0.03) == run.refine("near", X, y, evals, 0.03)


def test_training_set_alone_needs_no_evals():
    X, y, _ = make_data(0)
    run = train(X, y, steps=300, lr=0.2, record=50, keep_weights=True)
    every = train(X, y, steps=300, lr=0.2, record=1)
    times = run.refine("train", X, y, None, 0.05)
    assert times.train == times.test == slow_times(run, every, "train", 0.05)[0]


def test_runs_that_ended_in_divergence_can_be_refined():
    X = np.array([[1e154, 1.0], [-3.0, -1e154], [0.5, -0.5]])
    y = np.array([1.0, 1.0, -1.0])
    with pytest.raises(DivergenceError) as caught:
        train(X, y, steps=50, lr=1e155, record=1, keep_weights=True, watch_sharpness=False)
    run = caught.value.trajectory
    assert run.refine("train", X, y, None) == run.grokking("train")


def test_nothing_recorded_after_the_start_means_never():
    X, y, evals = make_data(0)
    start = train(X, y, steps=1, lr=0.1, record=[0], evals=evals, keep_weights=True)
    fields = {name: getattr(start, name)[:1] for name in STEPWISE}
    only = Trajectory(
        **fields,
        losses={name: loss[:1] for name, loss in start.losses.items()},
        counts={name: count[:1] for name, count in start.counts.items()},
        sizes=start.sizes,
        w=start.w,
        bias_final=start.bias_final,
        engine=start.engine,
        params=start.params,
    )
    times = only.refine("near", X, y, evals)
    assert times.train is times.test is times.delay is None


def test_infinite_delay_when_only_the_training_set_is_right_at_the_start():
    X, y, _ = make_data(0)
    settings = {"steps": 300, "lr": 0.2, "tie": "negative"}
    settings["evals"] = evals = {"near": (X[y > 0], y[y > 0])}  # all wrong at w = 0
    run = train(X, y, record=50, keep_weights=True, **settings)
    every = train(X, y, record=1, **settings)
    times = run.refine("near", X, y, evals, 0.4, include_start=True)
    assert times.train == slow_times(run, every, "train", 0.4, include_start=True)[0] == 0
    assert times.test == slow_times(run, every, "near", 0.4, include_start=True)[0] > 0
    assert times.delay == math.inf


# ------------------------------------------------------------------------------------ refusals


@pytest.fixture(scope="module")
def refused():
    X, y, evals = make_data(0)
    return train(X, y, steps=200, lr=0.2, evals=evals, keep_weights=True), X, y, evals


def test_needs_weights():
    X, y, evals = make_data(0)
    run = train(X, y, steps=20, lr=0.1, evals=evals)
    with pytest.raises(ValueError, match="keep_weights=True"):
        run.refine("near", X, y, evals)


def test_needs_the_data_of_the_run(refused):
    run, X, y, evals = refused
    with pytest.raises(ValueError, match=r"X and y have shapes \(39, 2\).*\(40, 2\)"):
        run.refine("near", X[1:], y[1:], evals)
    one_row = X.copy()
    one_row[7, 1] = np.nextafter(one_row[7, 1], 10)
    one_row[3] *= 1.001
    with pytest.raises(ValueError, match="X, y are not what the run recorded as 'train'"):
        run.refine("near", one_row, y, evals)
    one_label = y.copy()
    one_label[0] = -one_label[0]
    with pytest.raises(ValueError, match="X, y are not"):
        run.refine("near", X, one_label, evals)
    with pytest.raises(ValueError, match=r"evals\['near'\] is not what the run recorded"):
        run.refine("near", X, y, {"near": (X, y)})
    with pytest.raises(ValueError, match=r"evals\['near'\] is not"):
        run.refine("near", X, y, {"near": (evals["near"][0] * 1.01, evals["near"][1])})


def test_needs_the_test_set(refused):
    run, X, y, _ = refused
    with pytest.raises(ValueError, match=r"evals must hold 'near'.*'other'"):
        run.refine("near", X, y, {"other": (X, y)})
    with pytest.raises(ValueError, match="it holds nothing"):
        run.refine("near", X, y, {})
    with pytest.raises(TypeError, match=r"evals must be a mapping.*list"):
        run.refine("near", X, y, [(X, y)])


def test_names_and_tolerances_are_checked(refused):
    run, X, y, evals = refused
    with pytest.raises(ValueError, match="test is 'nope'"):
        run.refine("nope", X, y, evals)
    with pytest.raises(ValueError, match="eps must lie"):
        run.refine("near", X, y, evals, 1.0)


def test_a_crossing_before_the_first_record_is_refused():
    X, y, evals = make_data(0)
    run = train(X, y, steps=200, lr=0.2, evals=evals, record=[100, 200], keep_weights=True)
    with pytest.raises(ValueError, match=r"before the first record \(step 100\).*record step 0"):
        run.refine("near", X, y, evals, 0.5)
