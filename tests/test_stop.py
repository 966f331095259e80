"""Runs that end where a condition holds: the very step that a run recorded at every step shows."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
from fastgrok.theory.edge import GaussianNoise
from runs import StopAt, assert_same_bits, polling_always

pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
STEPS = 6000


def planted(seed, n=60, d=3, noise=0.0):
    """Rows about a plane, and a set of others."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=d)
    X, T = rng.normal(size=(n, d)), rng.normal(size=(80, d))
    y = np.where(X @ normal + 0.2 + noise * rng.normal(size=n) > 0, 1, -1)
    return X, y, {"test": (T, np.where(T @ normal + 0.2 > 0, 1, -1))}


def recorded(X, y, steps=STEPS, **options):
    """Every step of a run, taken one by one."""
    return fg.train(
        X, y, steps=steps, **options, engine="exact", record=1, keep_weights=True,
        watch_sharpness=False,
    )  # fmt: skip


def first_of(holds):
    """The first step, of those from 0 on."""
    return int(np.argmax(holds)) if holds.any() else None


def seen_at(holds, record):
    """The first step where it holds behind the last record before the first that shows it."""
    shown = record[np.argmax(holds[record])] if holds[record].any() else None
    if shown is None:
        return None
    before = record[record < shown]
    first = before[-1] + 1 if before.size else 0
    return int(first + np.argmax(holds[first : shown + 1]))


def check(run, whole, step):
    """Whether a run ends at a step of another that has them all, or at its end."""
    assert run.params["steps"] == whole.params["steps"]
    if step is None:
        assert "stopped" not in run.params
        assert run.steps[-1] == whole.steps[-1]
        return
    assert run.steps[-1] == step
    assert run.params["stopped"].endswith(f", at step {step}")
    before = fg.log_spaced(whole.params["steps"])
    assert run.steps[:-1].tolist() == before[before < step].tolist()
    assert np.allclose(run.norm_w, whole.norm_w[run.steps], rtol=2e-8, atol=0)
    assert np.allclose(run.loss, whole.loss[run.steps], rtol=1e-6)


OPTIMIZERS = ("gd", "momentum", "nesterov", "adam", "adamw", "sign", "normalized")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("engine", ["exact", "auto"])
def test_the_first_step_of_every_condition(optimizer, engine):
    X, y, evals = planted(0)
    options = {"lr": 0.02, "optimizer": optimizer, "evals": evals}
    whole = recorded(X, y, **options)
    accuracy, loss = whole.accuracy["test"], whole.losses["test"]
    solution = fg.max_margin(X, y)
    cosine = np.asarray(whole.alignment(solution))
    level, below = accuracy[3000], loss[2500]
    # Between two steps, where a leap's error cannot matter.
    above, aligned = float(whole.norm_w[3500:3502].mean()), float(np.nanquantile(cosine, 0.7))
    for condition, holds in (
        (fg.stop.accuracy("test", level), accuracy >= level),
        (fg.stop.accuracy("train", 0.9), whole.accuracy["train"] >= 0.9),
        (fg.stop.loss("test", below), loss < below),
        (fg.stop.norm_w(above), whole.norm_w > above),
        (fg.stop.alignment(aligned, solution), cosine > aligned),
        (lambda step, w, b: bool(w[0] > b + 1.0), whole.weights[:, 0] > whole.b + 1.0),
        (lambda step, w, b: step >= 1234, whole.steps >= 1234),
    ):  # fmt: skip
        run = fg.train(X, y, steps=STEPS, engine=engine, stop=condition, **options)
        check(run, whole, seen_at(holds, fg.log_spaced(STEPS)))


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    optimizer=st.sampled_from(["gd", "adam"]),
    engine=st.sampled_from(["exact", "auto"]),
    at=st.integers(0, STEPS - 1),
    stride=st.sampled_from([None, 1, 7, 1000]),
    noise=st.sampled_from([0.0, 0.5]),
)
def test_any_level_at_any_step(seed, optimizer, engine, at, stride, noise):
    X, y, evals = planted(seed, noise=noise)
    options = {"lr": 0.03, "optimizer": optimizer, "evals": evals}
    whole = recorded(X, y, **options)
    record = fg.log_spaced(STEPS) if stride is None else np.arange(0, STEPS + 1, stride)
    record = np.union1d(record, [STEPS])
    middle = (whole.norm_w[at] + whole.norm_w[at + 1]) / 2
    level = whole.accuracy["test"][at]
    for condition, holds in (
        (fg.stop.norm_w(middle), whole.norm_w > middle),
        *(((fg.stop.accuracy("test", level), whole.accuracy["test"] >= level),) if level else ()),
    ):
        run = fg.train(X, y, steps=STEPS, engine=engine, record=record, stop=condition, **options)
        step = seen_at(holds, record)
        assert run.steps[-1] == (STEPS if step is None else step)
        assert ("stopped" in run.params) == (step is not None)


def test_a_leap_finds_the_crossing_far_away():
    """Beyond what steps one by one could tell: ||w|| grows like the logarithm of the step."""
    X, y = np.array([[1.0], [-1.0]]), np.array([1, -1])
    run = fg.train(X, y, steps=1e12, lr=1.0, bias=False, stop=fg.stop.norm_w(20.0))
    step = int(run.steps[-1])
    assert run.engine.name == "leap"
    assert run.norm_w[-1] > 20.0 >= run.at(step - 1)[0][0]
    # w' = 1 / (1 + e^w) has e^w + w = t + 1, up to the Euler-Maclaurin terms.
    assert abs(step - (np.exp(20.0) + 20.0)) < 1e-6 * step
    again = fg.train(X, y, steps=1e12, lr=1.0, bias=False, record=[step - 1, step])
    assert again.norm_w[0] <= 20.0 < again.norm_w[1]


def test_beyond_the_integers_of_float64():
    X, y = np.array([[1.0], [-1.0]]), np.array([1, -1])
    run = fg.train(X, y, steps=1e40, lr=1.0, bias=False, stop=fg.stop.norm_w(60.0))
    assert abs(run.steps[-1] / np.exp(60.0) - 1) < 1e-6
    assert run.norm_w[-1] > 60.0
    assert "at step 1.14200738981" in run.params["stopped"]


def test_what_is_kept():
    """A level that is lost again does not count, nor does one that is not kept."""
    X, y, evals = planted(3, noise=1.0)
    whole = recorded(X, y, lr=30.0, optimizer="adam", evals=evals, steps=400)
    level = float(np.median(whole.accuracy["test"]))
    holds = whole.accuracy["test"] >= level
    edges = np.flatnonzero(np.diff(np.r_[0, holds, 0]))
    spells = edges.reshape(-1, 2)
    assert len(spells) > 1  # it comes and goes
    longest = int(np.max(spells[:, 1] - spells[:, 0]))
    for kept in (0, 1, 2, longest // 2, longest - 1, longest, longest + 1):
        expected = next((int(a) + kept for a, b in spells if b - a > kept), None)
        run = fg.train(
            X, y, lr=30.0, optimizer="adam", evals=evals, steps=400, record=1,
            stop=fg.stop.accuracy("test", level, kept),
        )  # fmt: skip
        assert run.steps[-1] == (400 if expected is None else expected), kept
        assert ("stopped" in run.params) == (expected is not None)


@pytest.mark.parametrize("kept", [1, 100, 777, 2000])
@pytest.mark.parametrize("engine", ["exact", "auto"])
def test_kept_counts_from_the_step_and_not_from_its_record(kept, engine):
    X, y, _ = planted(1)
    whole = recorded(X, y, lr=0.05)
    above = whole.norm_w[1717]
    last = first_of(whole.norm_w > above) + kept
    condition = fg.stop.norm_w(above * (1 + 1e-7), kept=kept)
    for steps in (last, last + 1, last + 500):  # the end may come before a record shows it
        record = np.array([0, 1000, 1600, 1800, steps]) if kept > 100 else None
        run = fg.train(X, y, lr=0.05, steps=steps, engine=engine, record=record, stop=condition)
        assert run.steps[-1] == last
        assert "stopped" in run.params


def test_the_first_of_several():
    X, y, evals = planted(0)
    whole = recorded(X, y, lr=0.05, evals=evals)
    ways = [
        (fg.stop.norm_w(whole.norm_w[2001]), 2002),
        (fg.stop.norm_w(whole.norm_w[1990], kept=5), 1996),
        (fg.stop.loss("train", float(whole.loss[2000])), 2001),
    ]
    for some in itertools.permutations(ways, 2):
        run = fg.train(X, y, lr=0.05, steps=STEPS, stop=[condition for condition, _ in some])
        assert run.steps[-1] == min(step for _, step in some)
    assert fg.train(X, y, lr=0.05, steps=STEPS, stop=[]).steps[-1] == STEPS


def test_populations_and_attacked_sets():
    X, y, _ = planted(5)
    y = -np.ones_like(y)
    noise = GaussianNoise(1.0)
    attacked = fg.Pgd(X, y, norm=2, eps=0.1, method="exact")
    options = {"lr": 0.05, "evals": {"noise": noise, "attacked": attacked}}
    whole = recorded(X, y, steps=2000, **options)
    record = fg.log_spaced(2000)
    for name in options["evals"]:
        for level in (0.6, 0.9):
            run = fg.train(X, y, steps=2000, stop=fg.stop.accuracy(name, level), **options)
            step = seen_at(whole.accuracy[name] >= level, record)
            assert run.steps[-1] == (2000 if step is None else step)
        losses = whole.losses[name]
        below = float(losses[0] + losses.min()) / 2
        run = fg.train(X, y, steps=2000, stop=fg.stop.loss(name, below), **options)
        assert 0 < run.steps[-1] == seen_at(losses < below, record) < 2000


def test_the_start_may_be_the_end():
    X, y, _ = planted(0)
    for engine in ("exact", "auto"):
        run = fg.train(X, y, lr=0.1, steps=10**5, engine=engine, stop=lambda step, w, b: True)
        assert run.steps.tolist() == [0]
        late = fg.train(
            X, y, lr=0.1, steps=10**5, engine=engine, record=[500, 1000], stop=fg.stop.norm_w(0.0)
        )
        assert late.steps.tolist() == [1]


def test_a_stopped_run_is_the_run_to_the_records_that_it_has():
    X, y, evals = planted(2)
    options = {"lr": 0.05, "evals": evals, "keep_weights": True, "engine": "exact"}
    run = fg.train(X, y, steps=10**6, stop=fg.stop.norm_w(9.0), **options)
    same = fg.train(X, y, steps=int(run.steps[-1]), record=run.steps, **options)
    assert np.array_equal(run.weights, same.weights)
    assert np.array_equal(run.sharpness, same.sharpness)
    assert np.array_equal(run.regime, same.regime)
    assert run.engine.exact_steps == run.steps[-1]
    assert f"({run.params['stopped']})" in str(run).replace("stopped: ", "")


def test_neither_polls_nor_threads_nor_what_lies_behind_matter():
    X, y, evals = planted(4, n=3000, d=20)
    for engine, steps in (("exact", 4000), ("auto", 10**7)):
        options = {"lr": 0.5, "evals": evals, "engine": engine, "stop": fg.stop.norm_w(6.0)}
        expected = fg.train(X, y, steps=steps, threads=1, **options)
        assert "stopped" in expected.params
        with polling_always():
            assert_same_bits(fg.train(X, y, steps=steps, threads=2, **options), expected)


def test_a_divergence_behind_the_end_is_none():
    X, y, _ = planted(0)
    options = {"lr": 3.0, "loss": "squared", "record": 1, "engine": "exact"}
    with pytest.raises(fg.DivergenceError):
        fg.train(X, y, steps=5000, **options)
    run = fg.train(X, y, steps=5000, stop=fg.stop.norm_w(1e50), **options)
    assert run.norm_w[-1] > 1e50 >= run.norm_w[-2]


# ----------------------------------------------------------------------------------- train_many


def test_runs_of_one_call_end_where_they_would_alone():
    X, y, evals = planted(0)
    one = {"X": X, "y": y, "lr": 0.05, "steps": STEPS, "evals": evals}
    problems = [
        one,
        {**one, "stop": fg.stop.norm_w(5.0)},
        {**one, "optimizer": "adam", "stop": fg.stop.loss("test", 0.1)},
        {**one, "engine": "exact", "stop": fg.stop.norm_w(1e9)},
    ]
    told = []
    with polling_always():
        runs = fg.train_many(problems, progress=told.append)
    for run, problem in zip(runs, problems, strict=True):
        assert_same_bits(run, fg.train(**problem))
    assert told == sorted(told)
    assert told[-1] <= 4 * STEPS


def test_all_runs_of_one_call_end_when_one_is_interrupted():
    X, y, _ = planted(0)
    one = {"X": X, "y": y, "lr": 0.05, "steps": 50_000, "engine": "exact"}
    problems = [one, {**one, "stop": fg.stop.norm_w(1e9)}, {**one, "stop": fg.stop.norm_w(1e9)}]

    class Late(StopAt):
        def __call__(self, step):
            if step > 50_000:
                super().__call__(step)

    with polling_always(), pytest.raises(fg.Interrupted) as error:
        fg.train_many(problems, progress=Late(3))
    ends = [run.params.get("interrupted") for run in error.value.trajectories]
    assert ends[0] is None
    assert 0 < ends[1] < 50_000
    assert ends[2] == 0


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("stop", "kind", "message"),
    [
        ("done", TypeError, "stop must be one of fastgrok.stop, .* got 'done'"),
        (3, TypeError, "stop must be one of fastgrok.stop"),
        ([fg.stop.norm_w(1.0), 0.5], TypeError, "got 0.5"),
        (fg.stop.loss, TypeError, "fastgrok.stop.loss returns, got the function itself"),
        (fg.stop.accuracy("tset", 0.9), ValueError, "'tset', which is no data set: .* 'train'"),
        (lambda step, w, b: 1, TypeError, "stop must return True or False, got 1"),
        (fg.stop.alignment(0.9, fg.max_margin([[1.0], [-1.0]], [1, -1])), ValueError, "3 weights"),
    ],
)
def test_what_is_no_condition(stop, kind, message):
    X, y, _ = planted(0)
    with pytest.raises(kind, match=message):
        fg.train(X, y, lr=0.1, steps=10, stop=stop)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: fg.stop.accuracy("train", 0.0), ValueError, "level must be above 0"),
        (lambda: fg.stop.accuracy("train", 1.5), ValueError, r"level must lie in \(0, 1\]"),
        (lambda: fg.stop.accuracy("train", "1"), TypeError, "level must be a real number"),
        (lambda: fg.stop.accuracy(0.9, 1.0), TypeError, "name must be that of a data set"),
        (lambda: fg.stop.accuracy("train", 1.0, kept=-1), ValueError, "kept must be at least 0"),
        (lambda: fg.stop.accuracy("train", 1.0, keep=3), TypeError, "keep"),
        (lambda: fg.stop.loss("train", 0.0), ValueError, "below must be greater than 0"),
        (lambda: fg.stop.loss("train", float("nan")), ValueError, "below"),
        (lambda: fg.stop.norm_w(-1.0), ValueError, "above must not be negative"),
        (lambda: fg.stop.alignment(1.0), ValueError, r"above must lie in \[-1, 1\)"),
        (lambda: fg.stop.alignment(0.9, "l3"), ValueError, "solution"),
        (lambda: fg.stop.alignment(0.9, 3), TypeError, "solution must be what max_margin"),
    ],
)
def test_conditions_that_make_no_sense(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
