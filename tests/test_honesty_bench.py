"""The references of bench/honesty.py against mpmath and plain loops, and what it makes of them."""

import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

BENCH = str(Path(__file__).parents[1] / "bench")
sys.path.append(BENCH)
import _honesty_kinds as kinds  # noqa: E402
import _honesty_reference as far  # noqa: E402
import honesty  # noqa: E402

sys.path.remove(BENCH)
import reference_optimizers  # noqa: E402

Long = np.longdouble


def loop(rows, offset, u, rate, steps, loss):
    for _ in range(steps):
        m = rows @ u + offset
        u = u + rate * ((np.exp(-m) if loss == "exponential" else 1 / (1 + np.exp(m))) @ rows)
    return u


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_every_step(loss):
    rng = np.random.default_rng(0)
    rows, offset = rng.normal(size=(7, 3)).astype(Long), rng.normal(size=7).astype(Long)
    where = far.Coordinates(rows, offset, np.ones(3), np.eye(3), np.zeros(3))
    found = far.every_step(where, Long(0.01), loss, [0, 1, 500])
    for steps, u in zip((0, 1, 500), found, strict=True):
        right = loop(rows, offset, np.ones(3, dtype=Long), Long(0.01), steps, loss)
        assert np.abs(u - right).max() <= 1e-16


@pytest.mark.parametrize(
    "kind", ["weight decay", "momentum", "Nesterov's momentum", "rates that fall"]
)
def test_every_other_step(kind):
    for seed in range(3):
        problem, _, _ = kinds.draw(kind, seed)
        how = {**problem.settings, "loss": problem.loss, "reduction": problem.reduction}
        how["options"] = how.pop("optimizer_options", None)
        right = reference_optimizers.descend(problem.X, problem.y, 500, problem.lr, **how)
        (found,) = far.reference(
            problem.where, problem.rate, problem.loss, [500], steps=problem.other_steps
        )
        assert np.abs(found - right[-1]).max() <= 1e-15 * np.abs(right).max()


def steps_to(x, c):
    """Of x -> x + c e^-x to x but for a constant, with an error of the size of (c e^-x)^3."""
    f = c * mpmath.exp(-x)
    return 1 / f - x / 2 + f / 6 + f**2 / 16


def test_one_row_to_any_horizon():
    record = [20_000.0, 1e5, 1e12, 1e30]
    c, zero = 0.3, np.zeros(1)
    where = far.Coordinates(np.array([[2.0]]), zero, zero, np.eye(1), zero)
    found = far.reference(where, Long(c), "exponential", record)[:, 0]
    (begin,) = far.every_step(where, Long(c), "exponential", [20_000])[0]
    with mpmath.workdps(50):
        # The margin m = 2 u moves by 4 c e^-m.
        rate, start = 4 * mpmath.mpf(c), 2 * mpmath.mpf(str(begin))
        for k, u in zip(record, found, strict=True):
            right = steps_to(start, rate) + (mpmath.mpf(k) - 20_000)
            m = mpmath.findroot(
                lambda m, r=right: mpmath.log(steps_to(m, rate) / r), 2 * mpmath.mpf(str(u))
            )
            assert abs(2 * mpmath.mpf(str(u)) / m - 1) <= 1e-15


def test_a_slow_axis_beside_a_fast_one():
    """The rows overlap on the first axis, and separate on the second; no term connects them."""
    rows = np.array([[1.0, 0.0], [-0.5, 0.0], [0.0, 1.0]])
    where = far.Coordinates(rows, np.zeros(3), np.zeros(2), np.eye(2), np.zeros(2))
    found = far.reference(where, Long(0.5), "logistic", [1e9, 1e25])
    rest = mpmath.findroot(lambda x: 1 / (1 + mpmath.exp(x)) - 0.5 / (1 + mpmath.exp(-x / 2)), 0.5)
    assert np.abs(found[:, 0] - Long(mpmath.nstr(rest, 25))).max() <= 1e-13
    # m + e^m = k / 2 + a constant of the size of log(k)
    assert abs(float(found[1, 1]) - np.log(0.5e25)) <= 1e-20 + 1e-13


def test_what_cancels_is_refused():
    """Turned by 45 degrees, and the sums of long double end in noise."""
    turn = np.array([[1, -1], [1, 1]], dtype=Long) / np.sqrt(Long(2))
    rows = np.array([[1.0, 0.0], [-0.7, 0.0], [0.3, 0.0], [0.0, 1.0]]) @ turn.T
    problem = kinds.Problem(
        rows[:, :1], np.ones(4), far.Coordinates(rows, np.zeros(4), np.zeros(2), turn, np.zeros(2)),
        1.0, 1e28, 1e28, reduction="sum",
    )  # fmt: skip
    try:
        _, apart = honesty.references(problem, [1e28])
    except far.NoReferenceError:
        return
    assert apart.max() > 1e-10


@pytest.mark.parametrize("kind", list(kinds.KINDS))
def test_coordinates_are_those_of_the_data(kind):
    for seed in range(3):
        problem, record, _ = kinds.draw(kind, seed)
        X, y, where = problem.X, problem.y, problem.where
        bias, w0 = problem.settings.get("bias", True), problem.settings.get("w0")
        right = kinds.plain(X, y, bias, w0, problem.settings.get("b0", 0.0))
        size = np.abs(right.rows).max()
        turn = right.turn.T.astype(Long) @ where.turn
        assert np.abs(right.rows @ turn - where.rows).max() <= 1e-18 * size
        assert np.abs(right.offset - where.offset).max() == 0
        start = where.turn @ where.start + where.shift
        assert np.array_equal(start, right.turn @ right.start + right.shift)
        assert np.abs(where.turn.T @ where.turn - np.eye(len(where.start))).max() <= 1e-18
        assert record[-1] == problem.steps


def test_a_problem_is_judged():
    row = honesty.judge("few rows", 0)
    assert row["leaps"] == 1
    assert 0 < row["error"] <= row["rtol"]
    assert row["apart"] <= 1e-13
    assert honesty.bad(row) == ""
    wrong = row | {"error": 3 * row["rtol"], "reported": row["rtol"]}
    assert "3 rtol" in honesty.bad(wrong)
    assert "was reported" in honesty.bad(wrong)
    table = honesty.markdown([row, wrong])
    assert table.count("\n") == 3
    assert table.splitlines()[-1].split(" | ")[-3:-1] == ["3", "3"]
