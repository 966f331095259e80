"""The weights at any step: those of a run that recorded it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
from test_stop import planted, recorded

pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
STEPS = 5000
START = {"w0": [0.3, -0.2, 0.1], "b0": 0.7}
WAYS = {
    "gd": {},
    "decay": {"weight_decay": 1e-3, "decay_bias": True},
    "sum": {"reduction": "sum", "lr": 1e-3, "loss": "exponential"},
    "no bias": {"bias": False},
    "momentum": {"optimizer": "momentum", "optimizer_options": {"momentum": 0.7}},
    "nesterov": {"optimizer": "nesterov"},
    "adam": {"optimizer": "adam", "optimizer_options": {"beta1": 0.5, "eps": 1e-6}},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.01},
    "normalized": {"optimizer": "normalized"},
    "power": {"schedule": fg.schedules.power(0.4, 30.0)},
    "warmup": {"schedule": fg.schedules.warmup(200)},
    "cosine": {"schedule": fg.schedules.cosine(3000, 0.1)},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("engine", ["exact", "auto"])
@pytest.mark.parametrize("keep_weights", [False, True])
def test_every_step_of_every_kind_of_run(way, engine, keep_weights):
    X, y, _ = planted(0)
    options = {"lr": 0.02, **START, **WAYS[way]}
    whole = recorded(X, y, steps=STEPS, **options)
    run = fg.train(X, y, steps=STEPS, engine=engine, keep_weights=keep_weights, **options)
    steps = np.array([4999, 0, 5000, 1, 17, 100, 250, 1234, 3162, 3163, 77, 77])
    w, b = run.at(steps)
    assert w.shape == (12, 3)
    assert b.shape == (12,)
    found, expected = np.column_stack([w, b]), whole.weights[steps]
    if run.engine.leaps:
        assert np.allclose(found, expected, rtol=0, atol=2e-8 * np.abs(expected).max())
    else:
        assert np.array_equal(found, expected)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000),
    steps=st.lists(st.integers(0, 3000), min_size=1, max_size=6),
    record=st.lists(st.integers(0, 3000), max_size=4, unique=True),
    keep_weights=st.booleans(),
    engine=st.sampled_from(["exact", "auto"]),
)
def test_any_steps_with_any_records(seed, steps, record, keep_weights, engine):
    X, y, _ = planted(seed, n=20)
    whole = recorded(X, y, steps=3000, lr=0.05, **START)
    run = fg.train(
        X, y, steps=3000, lr=0.05, engine=engine, record=np.array(sorted({*record, 3000})),
        keep_weights=keep_weights, **START,
    )  # fmt: skip
    w, b = run.at(steps)
    assert np.allclose(np.column_stack([w, b]), whole.weights[steps], rtol=0, atol=1e-7)
    first, bias = run.at(steps[0])
    assert first.shape == (3,)
    assert isinstance(bias, float)
    assert np.allclose([*first, bias], whole.weights[steps[0]], rtol=0, atol=1e-7)


def test_records_are_what_the_run_holds():
    X, y, _ = planted(0)
    run = fg.train(X, y, steps=1e9, lr=0.05, keep_weights=True)
    without = dataclasses.replace(run, data=None)
    w, b = without.at(run.steps[::-1])
    assert np.array_equal(w, run.weights[::-1, :-1])
    assert np.array_equal(b, run.b[::-1])
    w[:] = 0.0  # a copy, and theirs
    assert run.weights[-1].any()


def test_far_inside_a_leap():
    """The one-dimensional law e^w + w = t + 1 holds up to a few parts in t."""
    X, y = np.array([[1.0], [-1.0]]), np.array([1, -1])
    run = fg.train(X, y, steps=1e30, lr=1.0, bias=False)
    steps = np.array([1e8 + 1, 3e12, 1e17, 1.5e24])
    w, b = run.at(steps)
    assert np.allclose(w[:, 0] + np.log1p(w[:, 0] / np.exp(w[:, 0])), np.log(steps), atol=3e-7)
    assert not b.any()


def test_a_stopped_and_an_interrupted_run():
    X, y, _ = planted(0)
    whole = recorded(X, y, steps=STEPS, lr=0.05)
    run = fg.train(X, y, steps=STEPS, lr=0.05, stop=fg.stop.norm_w(whole.norm_w[3000]))
    end = int(run.steps[-1])
    w, _ = run.at(end - 1)
    assert np.allclose(w, whole.weights[end - 1, :-1], atol=1e-7)
    with pytest.raises(
        ValueError, match=f"step must be a whole number in 0..{end}, .* got {end + 1}"
    ):
        run.at(end + 1)


@pytest.mark.parametrize(
    ("step", "kind", "message"),
    [
        (-1, ValueError, "whole number in 0..50, where the run's records end, got -1"),
        (51, ValueError, "got 51"),
        (3.5, ValueError, "got 3.5"),
        (np.nan, ValueError, "got nan"),
        ([1, 2, 60], ValueError, "got 60"),
        (True, TypeError, "got True"),
        ([[1, 2]], TypeError, "1-dimensional array"),
        ("1", TypeError, "step"),
        (None, TypeError, "step"),
    ],
)
def test_what_is_no_step(step, kind, message):
    X, y, _ = planted(0)
    with pytest.raises(kind, match=message):
        fg.train(X, y, steps=50, lr=0.1, record=50).at(step)


def test_a_loaded_run_wants_its_data(tmp_path):
    X, y, _ = planted(0)
    for options in ({}, {"optimizer": "adam"}, {"engine": "exact", "keep_weights": True}):
        run = fg.train(X, y, steps=STEPS, lr=0.05, **START, **options)
        run.save(tmp_path / "run.npz")
        loaded = fg.Trajectory.load(tmp_path / "run.npz")
        assert np.array_equal(loaded.at(STEPS)[0], run.w)
        with pytest.raises(ValueError, match=r"does not hold its training data .*: give X and y"):
            loaded.at(4001)
        assert np.array_equal(loaded.at(4001, X, y)[0], run.at(4001)[0])
        with pytest.raises(ValueError, match="X, y are not what the run was trained on"):
            loaded.at(4001, X + 0.1, y)
        with pytest.raises(ValueError, match="X and y have shapes"):
            loaded.at(4001, X[:, :2], y)


def test_a_changed_array_is_noticed():
    X, y, _ = planted(0)
    run = fg.train(X, y, steps=STEPS, lr=0.05)
    X[3] += 1.0
    with pytest.raises(ValueError, match=r"the run's own data are not .* have changed since"):
        run.at(4001)


def test_a_function_as_schedule_is_not_known_again():
    X, y, _ = planted(0)
    run = fg.train(X, y, steps=50, lr=0.1, schedule=lambda k: 1.0 / (k + 1), record=[10, 50])
    assert np.array_equal(run.at(50)[0], run.w)
    with pytest.raises(ValueError, match="a function as schedule cannot be followed again"):
        run.at(20)


def test_progress_is_told():
    X, y, _ = planted(0)
    run = fg.train(X, y, steps=10**5, lr=0.05, engine="exact")

    def enough(step):
        raise ArithmeticError(f"at {step}")

    with pytest.raises(TypeError, match="progress"):
        run.at(7, progress="yes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastgrok.descent.running.POLL_SECONDS", 0.0)
        with pytest.raises(ArithmeticError):
            run.at(99_999, progress=enough)
