"""Runs of the hinge, max(0, 1 - m): rows below margin 1 push alike, others not at all."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

import fastgrok as fg
from cases import problem, separable
from fastgrok import _core
from runs import assert_same_bits, train_quietly

HINGE = "hinge"


@pytest.mark.parametrize("d", [3, 16, 17, 40])
def test_sums_of_whole_numbers_are_exact(d):
    """Of integer rows and a rate of a power of 2 every step is a sum without rounding."""
    rng = np.random.default_rng(d)
    X, y = rng.integers(-8, 9, size=(60, d)).astype(float), rng.choice([-1.0, 1.0], 60)
    run = fg.train(
        X, y, steps=40, lr=2.0**-10, loss=HINGE, reduction="sum", record=1, keep_weights=True
    )
    u = [Fraction(0)] * (d + 1)
    rows = [[Fraction(int(v)) for v in (*row, 1)] for row in X]
    for now in run.weights:
        assert now.tolist() == [float(value) for value in u]
        step = [Fraction(0)] * (d + 1)
        for row, sign in zip(rows, y, strict=True):
            if int(sign) * sum(a * b for a, b in zip(row, u, strict=True)) < 1:
                step = [s + int(sign) * a for s, a in zip(step, row, strict=True)]
        u = [a + s / 1024 for a, s in zip(u, step, strict=True)]


def test_at_margin_1_there_is_no_slope():
    row = _core.Problem(np.ones((1, 1)), np.ones(1), False)
    slopes = {
        m: row.gradient(np.array([m]), 0.0, HINGE, 1)[0][0]
        for m in (-1e300, np.nextafter(1.0, 0.0), 1.0, np.nextafter(1.0, 2.0), 1e300)
    }
    assert list(slopes.values()) == [-1.0, -1.0, 0.0, 0.0, 0.0]
    # Steps of 1/4 from 0 end on margin 1, not behind it.
    run = fg.train([[1.0]], [1], steps=9, lr=0.25, loss=HINGE, bias=False, record=1,
                   keep_weights=True)  # fmt: skip
    assert run.weights[:, 0].tolist() == [0.0, 0.25, 0.5, 0.75] + [1.0] * 6


def test_what_is_no_number_is_not_taken_for_a_large_margin():
    for d in (2, 20):
        row = _core.Problem(np.ones((1, d)), np.ones(1), False)
        w = np.ones(d)
        w[1] = np.nan
        assert np.isnan(row.gradient(w, 0.0, HINGE, 1)[0]).all()
        assert np.isnan(row.evaluate(w, 0.0, HINGE, False, 1)[0])


@pytest.mark.parametrize("bias", [True, False])
def test_a_falling_rate_leads_to_the_minimum_where_rows_are_not_separable(bias):
    X, y = problem(80, 3)
    y[::4] *= -1.0
    run = train_quietly(
        X, y, steps=100_000, lr=1.0, loss=HINGE, bias=bias, schedule=fg.schedules.power(0.7, 10.0)
    )
    # The least sum of s with s >= 0 and s_i >= 1 - m_i, by linear programming.
    Z = np.column_stack([X, np.full(80, float(bias))])
    best = linprog(
        np.r_[np.zeros(4), np.full(80, 1 / 80)],
        A_ub=np.hstack([-y[:, None] * Z, -np.eye(80)]),
        b_ub=-np.ones(80),
        bounds=[(None, None)] * 4 + [(0, None)] * 80,
    )
    assert best.fun * (1.0 - 1e-12) <= run.loss[-1] <= best.fun + 1e-3
    assert best.fun > 0.1


def test_weights_of_rows_below_margin_1_are_alike():
    X, y = np.array([[1.0], [-2.0], [-3.0]]), np.array([1.0, -1.0, -1.0])
    run = train_quietly(
        X, y, steps=10, lr=0.125, loss=HINGE, reduction="sum", record=1, bias=False,
        keep_weights=True,
    )  # fmt: skip
    # From 0: lr (1 + 2 + 3) = 3/4, where the first row alone is below 1; then 7/8 and 1.
    assert run.weights[:, 0].tolist() == [0.0, 0.75, 0.875] + [1.0] * 8
    assert run.loss.tolist() == [3.0, 0.25, 0.125] + [0.0] * 8
    assert run.phases([0]).t1 == 1
    assert run.phases([1, 2]).t1 is None


def test_what_needs_a_slope_that_is_continuous_or_a_tail_is_refused():
    X, y = separable(50, 2)
    options = {"lr": 1e-3, "loss": HINGE}
    lacks = "leaps need a continuous second derivative, which loss='hinge' has not"
    with pytest.raises(ValueError, match=lacks):
        fg.train(X, y, steps=10**5, engine="leap", **options)
    run = fg.train(X, y, steps=10**5, record=[10**5], **options)
    assert run.engine.name == "exact"
    assert run.engine.reason == lacks
    with pytest.raises(
        ValueError, match=r"steps must be at most 9007199254740992 .*\(loss='hinge'\)"
    ):
        fg.train(X, y, steps=1e60, **options)
    bounded = "'hinge' has not a curvature .* the smaller lr is, the nearer descent comes"
    with pytest.raises(ValueError, match=bounded):
        fg.stable_lr(X, y, loss=HINGE)
    with pytest.raises(ValueError, match=f"lr='auto' .*{bounded}|{bounded}"):
        fg.train(X, y, steps=10, lr="auto", loss=HINGE)
    with pytest.raises(ValueError, match="limits of directions need slopes that fall off like"):
        fg.train(X, y, steps=10, **options).plot(limit="auto")
    # No rate is too large by its sharpness, of which there is none.
    fg.train(X, y, steps=3, lr=1e3, loss=HINGE)


def test_checkpoints_many_runs_and_refined_times(tmp_path):
    X, y = separable(200, 3)
    evals = {"test": problem(100, 3)}
    options = {"loss": HINGE, "steps": 3000, "lr": 2e-3, "evals": evals, "keep_weights": True}
    run = fg.train(X, y, **options)
    more = options | {"steps": 10**5}
    whole = fg.train(X, y, **more)
    assert_same_bits(fg.train(X, y, checkpoint=tmp_path / "run", **more), whole)
    assert_same_bits(fg.train(X, y, checkpoint=tmp_path / "run", **more), whole)
    for again in fg.train_many([{"X": X, "y": y, **options}] * 2):
        assert_same_bits(again, run)
    level = float(run.accuracy["test"].max())
    hit = run.refine_hit("test", level)
    every = fg.train(X, y, **options | {"record": 1})
    assert hit.step == every.steps[np.argmax(every.accuracy["test"] >= level)]
