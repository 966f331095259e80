"""Maximum margins in l_inf and l_1 of columns in very different units, proved by fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import fastgrok as fg
from fastgrok.geometry._polyhedral_solver import PolyhedralSolver
from geometry_cases import extended, margin_bounds

each_problem = pytest.mark.parametrize(
    ("norm", "bias"), [(n, b) for n in ("linf", "l1") for b in ("none", "penalized", "free")]
)


def in_units(seed, powers, least=0, most=9):
    """Digits with zeros among them in columns of units 10^-powers to 10^powers, separable."""
    rng = np.random.default_rng(seed)
    n, dim = int(rng.integers(2, 30)), int(rng.integers(1, 9))
    digits = rng.integers(least, most + 1, size=(n, dim)) * (rng.random((n, dim)) < 0.7)
    side = digits @ rng.normal(size=dim)
    digits, side = digits[side != 0.0], side[side != 0.0]
    X = digits * 10.0 ** rng.integers(-powers, powers + 1, size=dim)
    return X, np.sign(side)


def assert_proved(X, y, found):
    """Fractions prove the gap that a margin is said to have, from what is returned."""
    low, high = margin_bounds(X, y, found)
    assert 0 < low <= high
    assert 1 - (low / high) ** 2 <= Fraction(found.gap)
    # Coefficients have the size that is documented.
    if np.isfinite(found.margin):
        beside = found.b if found.bias == "penalized" else 0.0
        theta = np.append(found.w, beside)
        size = np.abs(theta).max() if found.norm == "linf" else np.abs(theta).sum()
        total = found.dual.sum() + found.dual_rest.sum()
        assert total == pytest.approx(size**2, rel=1e-9)


def assert_largest(X, y, found):
    assert_proved(X, y, found)
    assert found.gap < 1e-10


@pytest.mark.parametrize(
    ("X", "y", "norm", "margin"),
    [
        # Of (-1, t) the least margins are 2e-3 - 5e5 t and 1e-3 + 3e5 t: they meet at 1.25e-9.
        (
            [[-1e-3, 6e5], [2e-3, 5e5], [2e-3, 0.0], [1e-3, -3e5]],
            [1, -1, -1, -1],
            "linf",
            Fraction(11, 8000),
        ),
        # Nothing but the second column tells the second row from the origin.
        ([[-5e-3, 4e-6, 7e4], [0.0, 4e-6, 0.0]], [1, 1], "linf", Fraction(4, 10**6)),
        ([[-5e-3, 4e-6, 7e4], [0.0, 4e-6, 0.0]], [1, 1], "l1", Fraction(4, 10**6)),
    ],
)
def test_margins_that_are_worked_out_by_hand(X, y, norm, margin):
    found = fg.max_margin(X, y, bias="none", norm=norm)
    assert found.margin == pytest.approx(float(margin), rel=1e-12)
    assert_largest(X, y, found)


def test_a_long_row_that_needs_next_to_no_weight():
    """(a, 1 - a) has 1e-4 (1 - a) and 7e6 a - 3e-4 (1 - a), which are equal at a = 6e-11."""
    X = np.array([[0, 200, 4e-4, 0.02], [0, 0, 1e-4, 0], [7e6, 200, -3e-4, 0]])[[0, 1, 2, 2, 1, 0]]
    found = fg.max_margin(X, np.ones(6), bias="none", norm="l1")
    assert found.gap < 1e-13
    assert found.w[0] / found.w[2] == pytest.approx(4e-4 / 7e6, rel=1e-6)
    assert_largest(X, np.ones(6), found)


def test_rows_that_only_a_short_column_separates():
    X = np.array([
        [-4e-3, -6e-6, -2e4], [0.0, 4e-6, 0.0], [0.0, 9e-6, -1e4], [3e-3, -1e-6, 1e4],
        [-2e-3, -1e-6, -3e4], [-2e-3, -4e-6, 7e4], [-1e-3, 4e-6, -1e4], [5e-3, -4e-6, 0.0],
        [1e-3, 4e-6, 0.0], [3e-3, 1e-6, 2e4],
    ])  # fmt: skip
    y = np.array([1, -1, -1, -1, 1, -1, -1, -1, -1, -1])
    for norm in ("linf", "l1"):
        assert_largest(X, y, fg.max_margin(X, y, bias="none", norm=norm))


@each_problem
@given(seed=st.integers(0, 10**6), least=st.sampled_from([-9, 0]))
def test_digits_in_columns_up_to_1e8_apart(norm, bias, seed, least):
    X, y = in_units(seed, 4, least)
    if len(X) < 2 or (bias == "free" and np.ptp(y) == 0.0):
        return
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    if np.isfinite(found.margin):
        assert_largest(X, y, found)


@each_problem
@pytest.mark.filterwarnings("ignore:the relative duality gap")
@pytest.mark.parametrize("most", [1, 9])
def test_digits_in_columns_up_to_1e12_apart(norm, bias, most):
    """Zeros and ones have many solutions of one margin, some of which have products that cancel."""
    missed = 0
    for seed in range(25):
        X, y = in_units(seed, 6, 0, most)
        if len(X) > 1 and np.ptp(y) > 0.0:
            found = fg.max_margin(X, y, norm=norm, bias=bias)
            missed += found.gap > 1e-10
            assert_proved(X, y, found)
    assert missed <= 1


def weighted(X, y, norm, bias):
    """The largest margin by another program, of columns and margins near 1, with prices."""
    Z = np.array([[float(v) for v in row] for row in extended(X, y, bias != "none")])
    Z = Z[:, Z.any(axis=0)]
    n, dim = Z.shape
    units = np.abs(Z).max(axis=0)
    margin = 1.0 / np.abs(fg.max_margin(X, y, norm=norm, bias=bias).w).max()
    limits = units / margin
    A = np.hstack([-Z / units, Z / units, np.ones((n, 1))])
    right, bounds = np.zeros(n), np.tile([0.0, np.inf], (2 * dim + 1, 1))
    counted = slice(0, dim - (bias == "free"))
    if norm == "linf":
        bounds[:dim][counted, 1] = bounds[dim:-1][counted, 1] = limits[counted]
    else:
        prices = np.zeros(dim)
        prices[counted] = 1.0 / limits[counted]
        A = np.vstack([A, np.concatenate([prices, prices, [0.0]])])
        right = np.append(right, 1.0)
    answer = linprog(
        np.append(np.zeros(2 * dim), -1.0), A_ub=A, b_ub=right, bounds=bounds, method="highs-ipm"
    )
    assert answer.status == 0
    return -answer.fun * margin


@each_problem
def test_margins_of_a_program_of_scaled_columns(norm, bias):
    for seed in range(20):
        X, y = in_units(seed, 3, -9)
        if len(X) < 2 or np.ptp(y) == 0.0:
            continue
        found = fg.max_margin(X, y, norm=norm, bias=bias)
        theta = np.append(found.w, found.b) if bias == "penalized" else found.w
        size = np.linalg.norm(theta, np.inf if norm == "linf" else 1)
        assert 1.0 / size == pytest.approx(weighted(X, y, norm, bias), rel=1e-5)


def test_a_gap_is_put_down_to_what_leaves_it(monkeypatch):
    # Only weights of opposite signs separate these, with products of 1e9 where margins are 1.
    X, y = np.array([[1e9, 1e9 - 2.0], [-1e9, 4.0 - 1e9]]), [1, 1]
    with pytest.warns(UserWarning, match=r"rounding \(w, b\) to float64 leaves that much"):
        found = fg.max_margin(X, y, bias="none", norm="linf")
    assert found.gap > 1e-10
    assert_proved(X, y, found)
    # What rounding cannot have left is not put down to it.
    X, y = np.array([[1e-3, 6e5], [-2e-3, 0.0]]), [1, -1]
    usual = fg.max_margin(X, y, bias="none", norm="l1")
    worse = replace(usual, gap=1e-8)
    monkeypatch.setattr(PolyhedralSolver, "solve", lambda *_: worse)
    with pytest.warns(UserWarning, match="HiGHS did not solve the linear program better"):
        fg.max_margin(X, y, bias="none", norm="l1")


@pytest.mark.parametrize("norm", ["linf", "l1"])
@pytest.mark.parametrize("label", [-1, 1])
def test_the_gap_of_one_class_is_proved_as_well(norm, label):
    for seed in range(40):
        X, y = in_units(seed, 4, -9)
        if len(X) > 1:
            X = y[:, None] * X * label  # on one side of the origin
            found = fg.max_margin(X, np.full(len(X), label), norm=norm)
            assert_largest(X, np.full(len(X), label), found)
    # The square of such a margin leaves float64.
    found = fg.max_margin([[1e160 * label, 2e160], [3e160 * label, 0.0]], [label] * 2, norm=norm)
    assert found.margin == pytest.approx({"linf": 3e160, "l1": 1.5e160}[norm], rel=1e-12)
