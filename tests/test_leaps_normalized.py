"""Normalized descent: leaps of it, and steps where the gradient is beyond float64."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference_optimizers
from leaps import cube, difference
from runs import train_quietly

RTOL = 1e-8


def separable(rows: int, cols: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, cols))
    return X, np.where(X @ rng.normal(size=cols) > 0, 1.0, -1.0)


DATA = {"cube": cube(), "packed": separable(30, 5, 0), "wide": separable(60, 40, 1)}
KNOBS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "large steps": {"lr": 0.05},
    "fixed bias": {"bias": False, "b0": -0.5},
    "exponential": {"loss": "exponential"},
    "power": {"schedule": fg.schedules.power(0.3, 100.0)},
    "a start": {"w0": 3.0, "b0": 1.0},
}


def both(X: Any, y: Any, steps: int, **how: Any) -> tuple[Any, Any]:
    record = sorted({*np.geomspace(100, steps, 12).astype(int).tolist(), steps})
    asked = {"steps": steps, "lr": 0.01, "record": record, "optimizer": "normalized", **how}
    asked |= {"keep_weights": True, "watch_sharpness": False}
    if "w0" in asked:
        asked["w0"] = np.full(X.shape[1], asked["w0"])
    return fg.train(X, y, engine="leap", **asked), fg.train(X, y, engine="exact", **asked)


def evidence(run: Any) -> float:
    return max(max(leap.error, leap.overlap_difference) for leap in run.engine.leaps)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", KNOBS)
def test_a_hundred_thousand_steps(data, name):
    how = dict(KNOBS[name])
    if data == "cube":  # whose margin is small beside its rows
        how["lr"] = 0.01 * how.get("lr", 0.01)
    leaped, exact = both(*DATA[data], 100_000, **how)
    error = difference(leaped.weights, exact.weights).max()
    assert error <= RTOL
    assert error <= max(evidence(leaped), 1e-12)
    assert evidence(leaped) <= RTOL
    assert leaped.engine.exact_steps < 20_000


@pytest.mark.parametrize("lr", [0.003, 0.1])
def test_a_million_steps(lr):
    leaped, exact = both(*separable(12, 3, 2), 1_000_000, lr=lr)
    error = difference(leaped.weights, exact.weights).max()
    assert error <= min(RTOL, max(evidence(leaped), 1e-12))
    assert leaped.engine.exact_steps < 20_000


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(5, 60), st.integers(1, 24)),
    size=st.floats(1e-3, 1.0),
    decay=st.sampled_from([0.0, 0.0, 1e-4]),
    bias=st.booleans(),
    noise=st.booleans(),
)
def test_random_problems(seed, shape, size, decay, bias, noise):
    X, y = separable(*shape, seed)
    if noise:
        y = np.random.default_rng(seed).choice([-1.0, 1.0], size=shape[0])
    how = {"lr": size / np.linalg.norm(X, axis=1).max(), "bias": bias, "weight_decay": decay}
    try:
        leaped, exact = both(X, y, 40_000, **how)
    except fg.LeapError:
        return
    if leaped.engine.closed:  # its bits recur
        return
    error = difference(leaped.weights, exact.weights).max()
    assert error <= min(RTOL, max(evidence(leaped), 1e-12))


def test_far_away():
    """Two rows at right angles: once their pulls are in balance, all steps are the same."""
    X, y = np.array([[2.0, 0.0], [0.0, 1.0]]), np.ones(2)
    record = [10**6, 2 * 10**6, 10**8, 10**9]
    run = fg.train(
        X, y, steps=10**9, lr=0.01, optimizer="normalized", bias=False, engine="leap",
        record=record, keep_weights=True,
    )  # fmt: skip
    assert run.weights is not None
    each = np.array([1.0, 2.0]) / np.sqrt(5.0)
    for k, w in zip(record[1:], run.weights[1:, :2], strict=True):
        expected = run.weights[0, :2] + 0.01 * (k - record[0]) * each
        assert np.linalg.norm(w - expected) <= 2.0 * RTOL * np.linalg.norm(expected)


def test_times_are_refined_inside_a_leap():
    X, y = cube((0, 0), 1)
    test = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=51)
    asked: dict[str, Any] = {
        "steps": 300_000, "lr": 1e-4, "optimizer": "normalized", "watch_sharpness": False,
        "evals": {"test": test}, "keep_weights": True,
    }  # fmt: skip
    leaped, exact = (fg.train(X, y, engine=engine, **asked) for engine in ("leap", "exact"))
    got, expected = leaped.refine("test", eps=0.0), exact.refine("test", eps=0.0)
    assert leaped.engine.leap_at(float(got.test)) is not None
    assert (got.train, got.test) == (expected.train, expected.test)


def test_what_does_not_come_to_rest_is_not_leaped():
    """About an optimum all steps are as long as ever."""
    X, y = separable(40, 3, 4)
    y[:13] = -y[:13]
    how = {"steps": 20_000, "lr": 1e-2, "optimizer": "normalized", "record": [20_000]}
    auto, exact = (train_quietly(X, y, engine=engine, **how) for engine in ("auto", "exact"))
    assert not auto.engine.leaps
    since, length = auto.engine.closed  # the bits recur at some time
    assert length < since < auto.engine.exact_steps < 20_000
    np.testing.assert_array_equal(auto.w, exact.w)


def test_a_smooth_way_to_an_optimum_ends_there():
    X, y = separable(40, 3, 4)
    how = {
        "steps": 30_000, "lr": 1e-3, "weight_decay": 1e-3, "optimizer": "normalized",
        "record": [20_000, 30_000], "keep_weights": True,
    }  # fmt: skip
    auto, exact = (train_quietly(X, y, engine=engine, **how) for engine in ("auto", "exact"))
    assert difference(auto.weights, exact.weights).max() <= RTOL
    assert auto.regime[-1] != "smooth"


# --- beyond the smallest numbers --------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["normalized", "sign"])
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("cols", [2, 20])
def test_steps_go_on_where_the_gradient_underflows(optimizer, loss, cols):
    # All rows push every entry the same way.
    X, y = 1.0 + 0.1 * separable(9, cols, 6)[0], np.ones(9)
    how = {"optimizer": optimizer, "loss": loss}
    exact = reference_optimizers.descend(X, y, 2000, 0.25, **how)[-1].astype(float)
    m = y * (X @ exact[:-1] + exact[-1])
    assert 745.0 < m.min() < 11_000.0  # where exp(-m) is nothing in float64
    for options in ({}, {"threads": 3}, {"skip_rows": False}):
        run = fg.train(X, y, steps=2000, lr=0.25, engine="exact", **how, **options)
        np.testing.assert_allclose(np.append(run.w, run.bias_final), exact, rtol=1e-11)


def test_a_single_row_is_followed_for_ever():
    run = fg.train(
        [[3.0, 4.0]], [1.0], steps=50_000, lr=0.5, optimizer="normalized", bias=False,
        engine="exact",
    )  # fmt: skip
    np.testing.assert_allclose(run.w, 25_000 * np.array([0.6, 0.8]), rtol=1e-11)


def test_cancelling_rows_stay_at_rest():
    X = np.array([[1.0, 0.0], [-1.0, 0.0]])
    run = fg.train(
        X, [1.0, 1.0], steps=5, lr=0.1, optimizer="normalized", bias=False, b0=2000.0,
        engine="exact",
    )  # fmt: skip
    assert not run.w.any()
