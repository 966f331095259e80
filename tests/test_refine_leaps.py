"""Grokking times inside leaps, against runs that took and looked at every step."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import fastgrok as fg
from fastgrok.descent import allowed
from fastgrok.descent.again import FollowedLeaps
from fastgrok.questions import _crossings, _rerun
from fastgrok.questions.grokking import POPULATION_SIZE
from fastgrok.theory.bias import Slab
from leaps import cube
from runs import train_quietly

SETTINGS = {"lr": 1e-2, "reduction": "sum", "watch_sharpness": False}


# Oscillations are meant.
pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")


def sets(seed, support=(0, 0)):
    test = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=seed + 50)
    return *cube(support, seed), {"concentrated": test}


def is_leaped(run, step):
    return run.engine.leap_at(step) is not None


@pytest.mark.parametrize("seed", range(5))
def test_first_hits_and_last_misses_on_the_cube(seed):
    """Against exact steps, whose own brackets are walked step by step."""
    X, y, evals = sets(seed)
    steps = 600_000
    runs = [
        fg.train(X, y, steps=steps, engine=engine, evals=evals, keep_weights=True, **SETTINGS)
        for engine in ("auto", "exact")
    ]
    inside = 0
    for eps in (0.0, 0.01, 0.05, 0.2):
        coarse = runs[1].grokking("concentrated", eps)
        got, expected = (run.refine("concentrated", X, y, evals, eps) for run in runs)
        inside += is_leaped(runs[0], coarse.test)
        for what in ("test", "train", "sustained_test", "sustained_train"):
            assert getattr(got, what) == getattr(expected, what), (what, eps)
        low, high = got.test_bracket
        assert low < got.test <= high
        assert high - low <= 1 + 1e-4 * high
    assert inside >= (seed != 2)


@pytest.mark.parametrize("rtol", [1e-2, 1e-4])
def test_what_a_loose_rtol_allows_does_not_widen_the_bracket(rtol):
    """What it allows is hundreds of steps wide here, what the leap's own evidence says is not."""
    X, y, evals = sets(0)
    steps = 600_000
    loose = fg.train(X, y, steps=steps, rtol=rtol, evals=evals, keep_weights=True, **SETTINGS)
    exact = fg.train(X, y, steps=steps, engine="exact", evals=evals, keep_weights=True, **SETTINGS)
    times = [run.refine("concentrated", X, y, evals, 0.01) for run in (loose, exact)]
    low, high = times[0].test_bracket
    assert low < times[1].test <= high
    assert high - low <= 10
    assert times[1].test_bracket == (times[1].test - 1, times[1].test)
    (leap,) = loose.engine.leaps
    difference = np.abs(loose.weights - exact.weights)
    of_w = np.linalg.norm(difference[:, :-1], axis=1) / np.maximum(exact.norm_w, 1e-300)
    of_b = difference[:, -1] / np.maximum(np.abs(exact.b), 1.0)
    estimate = max(leap.error, leap.overlap_difference)
    assert np.maximum(of_w, of_b).max() <= _crossings.ESTIMATES * estimate


def test_far_out_a_time_is_known_to_an_interval():
    """b falls like log t ever after: accuracy under the slab's law gains for ever."""
    X, y, evals = sets(3)
    run = fg.train(X, y, steps=1e30, evals=evals, keep_weights=True, **SETTINGS)
    times = run.refine("concentrated", X, y, evals)
    coarse = run.grokking("concentrated")
    assert coarse.test_bracket[0] < times.test <= coarse.test_bracket[1]
    low, high = times.test_bracket
    assert low < times.test <= high


def dense_counts(X, y, steps, around, evals, name):
    """Counts of exact steps at every step of a stretch."""
    low, high = around
    run = train_quietly(
        X, y, steps=steps, engine="exact", evals=evals, record=np.arange(low, high + 1),
        **SETTINGS,
    )  # fmt: skip
    if name in run.probabilities:
        counts = np.rint(run.probabilities[name] * POPULATION_SIZE)
    else:
        counts = run.counts[name]
    return run.steps, counts


@pytest.mark.parametrize("name", ["attacked", "plane", "columns", "diamond", "slab"])
def test_other_sets_than_points(name):
    X, y, evals = sets(0)
    test = evals["concentrated"]
    evals = {
        "attacked": fg.Pgd(test.X, test.y, norm=2, eps=5e-4),
        "plane": fg.Pgd(test.X, test.y, eps=5e-4, bounds="data"),
        "columns": fg.Pgd(test.X, test.y, eps=[[2e-4, 8e-4]], bounds="data"),
        "diamond": fg.Pgd(test.X, test.y, norm=1, eps=5e-4, bounds="data"),
        "slab": Slab(1e-3, 10.0),
    }
    steps, eps = 400_000, 0.01
    run = fg.train(X, y, steps=steps, evals=evals, keep_weights=True, **SETTINGS)
    coarse = run.grokking(name, eps)
    times = run.refine(name, X, y, evals, eps)
    assert coarse.test_bracket[0] < times.test <= coarse.test_bracket[1]
    assert is_leaped(run, coarse.test)
    at, counts = dense_counts(X, y, steps, coarse.test_bracket, evals, name)
    need = np.ceil((1 - eps) * coarse.max_test)
    first = at[np.argmax(counts >= need)] if (counts >= need).any() else steps
    low, high = times.test_bracket
    assert low < first <= high
    assert abs(first - times.test) <= 1
    assert high - low <= 1 + 1e-4 * high


def test_orbits_of_period_two_keep_even_and_odd_steps_apart():
    X, y, evals = sets(0, (350, 350))
    record = [0, 40_000, 60_001]
    runs = [
        fg.train(
            X, y, steps=60_001, record=record, engine=engine, evals=evals,
            keep_weights=True, **SETTINGS,
        )
        for engine in ("auto", "exact")
    ]  # fmt: skip
    assert runs[0].engine.leaps[-1].pairs
    again = fg.train(
        X, y, steps=60_001, record=np.arange(50_000, 50_020), evals=evals,
        keep_weights=True, **SETTINGS,
    )  # fmt: skip
    exact = fg.train(
        X, y, steps=60_001, record=np.arange(50_000, 50_020), evals=evals,
        keep_weights=True, engine="exact", **SETTINGS,
    )  # fmt: skip
    np.testing.assert_allclose(again.weights, exact.weights, rtol=1e-7)
    for run in runs:
        times = run.refine("concentrated", X, y, evals, level=0)
        assert times.test <= 60_001


def test_records_one_step_apart_are_in_doubt_too():
    X, y, evals = sets(0)
    loose = fg.train(X, y, steps=400_000, rtol=1e-4, evals=evals, keep_weights=True, **SETTINGS)
    hit = loose.refine("concentrated", X, y, evals, 0.01).test
    record = [0, hit - 1, hit, 400_000]
    run = fg.train(
        X, y, steps=400_000, record=record, rtol=1e-4, evals=evals, keep_weights=True, **SETTINGS
    )
    times = run.refine("concentrated", X, y, evals, 0.01)
    low, high = times.test_bracket
    assert low < hit <= high
    assert abs(times.test - hit) <= 1


def test_where_a_finer_leap_fails_the_error_of_the_run_is_gone_back_to(monkeypatch):
    """As if finer leaps were lost beyond an offset of 1e5, which only shifts scales."""
    monkeypatch.setattr(allowed, "EXACT_STEPS", 20_000.0)
    rng = np.random.default_rng(0)
    cloud, y = rng.normal(size=(30, 2)), np.where(rng.random(30) < 0.5, -1.0, 1.0)
    tried, spent = [], []

    def spied(record, arguments, *rest):
        try:
            followed = FollowedLeaps(record, arguments, *rest)
        except fg.LeapError as error:
            tried.append((arguments["rtol"], "lost"))
            spent.append(error.trajectory.engine.exact_steps)
            raise
        if arguments["rtol"] < 1e-9 and arguments["X"][0, 0] > 1e4:
            tried.append((arguments["rtol"], "lost"))
            spent.append(followed.run.engine.exact_steps)
            raise fg.LeapError("lost", followed.run, followed.run.engine.exact_steps)
        tried.append((arguments["rtol"], followed.run.engine.name))
        return followed

    monkeypatch.setattr(_rerun, "FollowedLeaps", spied)
    times = []
    for offset in (1e3, 1e5):
        X = cloud + np.array([offset, 0.0])
        run = fg.train(X, y, steps=1e25, lr=1 / (1 + offset**2), rtol=1e-4, keep_weights=True)
        tried.clear()
        times.append(run.refine("train", X, y, None))
        low, high = run.grokking("train").train_bracket
        assert low < times[-1].train <= high
        low, high = times[-1].train_bracket
        assert low < times[-1].train <= high
        finest = (1e-10, "leap" if offset == 1e3 else "lost")
        assert tried[0] == finest
        assert set(tried) <= {finest, (1e-4, "leap")}
    assert (1e-4, "leap") in tried
    assert max(spent) <= 20_000
    # Across the offset the minimum is reached in a number of steps that grows as its 4th power.
    assert times[1].train == pytest.approx(1e8 * times[0].train, rel=0.01)


def test_a_finer_leap_costs_no_time_to_speak_of(monkeypatch):
    """Raw units, where float64 hardly knows the gradient to 1e-10: a run of 258 exact steps."""
    X, y = load_breast_cancer(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(y))[:379]
    X, y = X[chosen], 2 * y[chosen] - 1
    run = fg.train(X, y, steps=1e15, lr="auto", keep_weights=True)
    spent: dict[float, list[int]] = {}

    def spied(record, arguments, *rest):
        steps = spent.setdefault(arguments["rtol"], [])
        try:
            followed = FollowedLeaps(record, arguments, *rest)
        except fg.LeapError as error:
            steps.append(error.trajectory.engine.exact_steps)
            raise
        steps.append(followed.run.engine.exact_steps)
        return followed

    monkeypatch.setattr(_rerun, "FollowedLeaps", spied)
    recorded, refined = run.first_hit("train", 0.999), run.refine_hit("train", 0.999)
    assert recorded.bracket[0] < refined.step <= recorded.step
    assert min(spent) == 1e-10
    assert max(max(steps) for steps in spent.values()) <= 1e6  # lost or not


def test_after_save_and_load_and_with_few_steps_at_a_time(tmp_path, monkeypatch):
    X, y, evals = sets(2)
    run = fg.train(X, y, steps=100_000, evals=evals, keep_weights=True, **SETTINGS)
    expected = run.refine("concentrated", X, y, evals, 0.02)
    run.save(tmp_path / "run.npz")
    again = fg.Trajectory.load(tmp_path / "run.npz")
    assert again.engine == run.engine
    monkeypatch.setattr(_crossings, "POINTS", 7)
    assert again.refine("concentrated", X, y, evals, 0.02) == expected


def test_the_start_must_be_recorded_and_the_data_the_same():
    X, y, evals = sets(2)
    options = {"steps": 100_000, "evals": evals, "keep_weights": True, **SETTINGS}
    late = fg.train(X, y, record=[20_000, 40_000, 100_000], **options)
    with pytest.raises(ValueError, match=r"before the first record \(step 20000\).*record step 0"):
        late.refine("concentrated")
    late = fg.train(X, y, record=[1, 100_000], **options)
    with pytest.raises(ValueError, match=r"record step 0 too \(the first record is step 1\)"):
        late.refine("concentrated")
    run = fg.train(X, y, **options)
    with pytest.raises(ValueError, match="X, y are not what the run recorded"):
        run.refine("concentrated", X * (1 + 1e-12), y, evals)


def test_a_run_that_was_stopped_is_not_followed_to_its_horizon():
    X, y, evals = sets(2)
    options = {"evals": evals, "keep_weights": True, **SETTINGS}
    whole = fg.train(X, y, steps=100_000, **options)
    seen = []

    def stop(step):
        seen.append(step)
        if step > 100_000:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastgrok.descent.running.POLL_SECONDS", 0.0)
        with pytest.raises(fg.Interrupted) as caught:
            fg.train(X, y, steps=1e40, progress=stop, **options)
    kept = caught.value.trajectory
    assert kept.steps[-1] < 1e7
    times = kept.refine("concentrated", X, y, evals, 0.05)
    assert abs(times.test - whole.refine("concentrated", X, y, evals, 0.05).test) <= 1
