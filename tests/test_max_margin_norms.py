"""Maximum margins in l_inf and l_1 against exact cases, another linear program, and fractions."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import fastgrok as fg
from geometry_cases import assert_certificate, margin_bounds

NORMS, BIASES = ("linf", "l1"), ("none", "penalized", "free")
ORDER = {"l2": 2, "linf": np.inf, "l1": 1}
each_problem = pytest.mark.parametrize(
    ("norm", "bias"), [(norm, bias) for norm in NORMS for bias in BIASES]
)


def drawn(seed, n=None, dim=None):
    """Separable rows, with and without a bias, of both classes."""
    rng = np.random.default_rng(seed)
    n, dim = n or int(rng.integers(2, 40)), dim or int(rng.integers(1, 12))
    X, u = rng.normal(size=(n, dim)), rng.normal(size=dim)
    X[0], X[1] = np.sign(X[0] @ u) * X[0], -np.sign(X[1] @ u) * X[1]
    y = np.where(X @ u > 0.0, 1.0, -1.0)
    return X + np.multiply.outer(y, u) * rng.uniform(0.0, 1.0), y


def size_of(found, norm):
    """Return ||w||, or ||(w, b)|| with a penalized bias: the inverse of the margin."""
    theta = np.append(found.w, found.b) if found.bias == "penalized" else found.w
    return np.linalg.norm(theta, ORDER[norm])


def least_norm(X, y, norm, bias):
    """Least norm with margins of 1, by an interior-point method with the norm as the objective."""
    Z = y[:, None] * (X if bias == "none" else np.column_stack([X, np.ones(len(X))]))
    n, dim = Z.shape
    counted = np.eye(dim)[: dim - (bias == "free")]
    if norm == "linf":  # (w, r): |w_j| <= r
        one = np.ones((len(counted), 1))
        table = np.block([[-Z, np.zeros((n, 1))], [counted, -one], [-counted, -one]])
        cost = np.append(np.zeros(dim), 1.0)
    else:  # (w, a): |w_j| <= a_j
        width = len(counted)
        table = np.block([
            [-Z, np.zeros((n, width))],
            [counted, -np.eye(width)],
            [-counted, -np.eye(width)],
        ])  # fmt: skip
        cost = np.append(np.zeros(dim), np.ones(width))
    right = np.append(-np.ones(n), np.zeros(len(table) - n))
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    answer = linprog(
        cost, A_ub=table, b_ub=right, bounds=(None, None), method="highs-ipm", options=tight
    )
    assert answer.status == 0
    return answer.fun


@each_problem
def test_margins_of_another_program(norm, bias):
    for seed in range(50):
        X, y = drawn(seed)
        found = fg.max_margin(X, y, norm=norm, bias=bias)
        expected = least_norm(X, y, norm, bias)
        assert size_of(found, norm) == pytest.approx(expected, rel=1e-9)
        assert (found.norm, found.bias) == (norm, bias)
        # What is said of it is what it is.
        values = y * (X @ found.w + found.b)
        assert values.min() == pytest.approx(1.0, rel=1e-12)
        assert found.margin == pytest.approx(1.0 / np.linalg.norm(found.w, ORDER[norm]), rel=1e-12)
        np.testing.assert_allclose(values[found.support], 1.0, rtol=1e-9)
        assert set(np.flatnonzero(found.dual)) <= set(found.support)


@each_problem
@given(seed=st.integers(0, 10**6))
def test_the_gap_is_proved_by_fractions(norm, bias, seed):
    X, y = drawn(seed)
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    low, high = margin_bounds(X, y, found)
    assert 0 < low <= high
    true = 1 - (low / high) ** 2
    # Never less than without rounding, and not much more.
    assert true <= Fraction(found.gap) <= true + Fraction(1e-13)
    assert found.gap <= 1e-12
    # Coefficients have the size that is documented.
    assert found.dual.sum() == pytest.approx(size_of(found, norm) ** 2, rel=1e-12)


@each_problem
@given(seed=st.integers(0, 10**6))
def test_no_other_weights_have_a_larger_margin(norm, bias, seed):
    X, y = drawn(seed)
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    best = 1.0 / size_of(found, norm)
    rng = np.random.default_rng(seed)
    theta = np.append(found.w, found.b)
    for scale in 10.0 ** -np.arange(0.0, 9.0, 0.5):
        other = theta + scale * np.abs(theta).max() * rng.normal(size=(20, len(theta)))
        if bias == "none":
            other[:, -1] = 0.0
        counted = other if bias == "penalized" else other[:, :-1]
        margins = (y * (other[:, :-1] @ X.T + other[:, -1:])).min(axis=1)
        assert np.all(margins / np.linalg.norm(counted, ORDER[norm], axis=1) <= best * (1 + 1e-12))


@each_problem
@given(seed=st.integers(0, 10**6), power=st.integers(-300, 300))
def test_order_and_signs_of_columns_rows_and_units(norm, bias, seed, power):
    X, y = drawn(seed)
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    rng = np.random.default_rng(seed)
    signs, columns = rng.choice([-1.0, 1.0], X.shape[1]), rng.permutation(X.shape[1])
    rows = rng.permutation(len(X))
    other = fg.max_margin((X * signs)[rows][:, columns], y[rows], norm=norm, bias=bias)
    assert size_of(other, norm) == pytest.approx(size_of(found, norm), rel=1e-11)
    if found.unique and other.unique:
        size = np.abs(found.w).max()
        np.testing.assert_allclose(other.w, (found.w * signs)[columns], atol=1e-9 * size)
    if bias != "penalized":
        scaled = fg.max_margin(np.ldexp(X, power), y, norm=norm, bias=bias)
        assert scaled.margin == pytest.approx(np.ldexp(found.margin, power), rel=1e-11)
        assert scaled.gap <= 1e-12


@pytest.mark.parametrize(
    ("X", "y", "norm", "bias", "w", "b", "margin", "unique"),
    [
        # One row: its l_1 length, and its largest entry.
        ([[3.0, 4.0]], [-1], "linf", "none", [-1 / 7, -1 / 7], 0.0, 7.0, True),
        ([[3.0, 4.0]], [-1], "l1", "none", [0.0, -1 / 4], 0.0, 4.0, True),
        # The bias takes nothing from the weights in l_inf, all of them or nothing in l_1.
        ([[3.0, 4.0]], [1], "linf", "penalized", [1 / 8, 1 / 8], 1 / 8, 8.0, True),
        ([[3.0, 4.0]], [1], "l1", "penalized", [0.0, 1 / 4], 0.0, 4.0, True),
        ([[0.25, 0.5]], [-1], "l1", "penalized", [0.0, 0.0], -1.0, np.inf, True),
        ([[0.0, 1.0]], [1], "l1", "penalized", None, None, None, None),
        # Rows that surround the origin leave the bias alone.
        ([[2.0], [-1.0]], [1, 1], "linf", "penalized", [0.0], 1.0, np.inf, None),
        ([[2.0], [-1.0]], [-1, -1], "l1", "penalized", [0.0], -1.0, np.inf, True),
        # Two points: half the distance in the dual norm.
        ([[1.0, 5.0], [0.0, 2.0]], [1, -1], "linf", "free", [0.5, 0.5], -2.0, 2.0, True),
        ([[1.0, 5.0], [0.0, 2.0]], [1, -1], "l1", "free", [0.0, 2 / 3], -7 / 3, 1.5, True),
        # A column of zeros may have any weight in l_inf, and has none.
        ([[2.0, 0.0]], [1], "linf", "none", [0.5, 0.0], 0.0, 2.0, False),
        ([[2.0, 0.0]], [1], "l1", "none", [0.5, 0.0], 0.0, 2.0, True),
        # Columns that are the same share a weight in every proportion in l_1.
        ([[2.0, 2.0], [-3.0, -3.0]], [1, -1], "l1", "none", None, 0.0, 2.0, False),
        ([[2.0, 2.0], [-3.0, -3.0]], [1, -1], "linf", "none", [0.25, 0.25], 0.0, 4.0, True),
    ],
)  # fmt: skip
def test_exact_cases(X, y, norm, bias, w, b, margin, unique):
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    if w is not None:
        np.testing.assert_allclose(found.w, w, rtol=1e-14, atol=1e-15)
    if b is not None:
        assert found.b == pytest.approx(b, rel=1e-14)
        assert found.margin == pytest.approx(margin, rel=1e-14)
    assert found.unique is unique
    assert 0.0 <= found.gap < 1e-13
    if np.isfinite(found.margin):
        low, high = margin_bounds(X, y, found)
        assert 0 < low <= high <= low * (1 + Fraction(1e-13))


def test_weights_that_are_worked_out_by_hand():
    X, y = [[1.0, 2.0, -1.0], [2.0, 0.0, 1.0], [-4.0, -1.0, 0.0]], [1, 1, -1]
    # (1, 1, t) has margins 3 - t, 2 + t and 5, and the mean of the first two rows is (3/2, 1, 0).
    found = fg.max_margin(X, y, norm="linf", bias="none")
    np.testing.assert_allclose(found.w, [0.4, 0.4, 0.2], rtol=1e-14)
    np.testing.assert_allclose(found.dual / found.dual.sum(), [0.5, 0.5, 0.0], atol=1e-15)
    assert found.margin == pytest.approx(5 / 2, rel=1e-14)
    # (s, 1 - s, 0) has 2 - s and 2 s, and 2/3 and 1/3 of those rows are (4/3, 4/3, -1/3).
    found = fg.max_margin(X, y, norm="l1", bias="none")
    np.testing.assert_allclose(found.w, [1 / 2, 1 / 4, 0.0], rtol=1e-14)
    np.testing.assert_allclose(found.dual / found.dual.sum(), [2 / 3, 1 / 3, 0.0], atol=1e-15)
    assert found.margin == pytest.approx(4 / 3, rel=1e-14)


@pytest.mark.parametrize(
    ("X", "y", "bias", "verdict"),
    [
        ([[0.0, 0.0], [1.0, 1.0]], [1, 1], "none", "boundary"),
        ([[1.0, 2.0], [-1.0, -2.0]], [1, 1], "none", "interior"),
        ([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]], [1, -1, 1], "free", "boundary"),
        ([[1.0, 2.0], [1.0, 2.0]], [1, -1], "penalized", "interior"),
        ([[0.0], [1.0], [2.0]], [1, -1, 1], "penalized", "interior"),
    ],
)
@pytest.mark.parametrize("norm", NORMS)
def test_rows_without_a_margin(X, y, bias, verdict, norm):
    with pytest.raises(fg.NotSeparableError, match="of the convex hull of") as caught:
        fg.max_margin(X, y, bias=bias, norm=norm)
    assert caught.value.certificate.verdict == verdict
    assert_certificate(X, y, bias != "none", caught.value.certificate)


@each_problem
def test_columns_in_units_of_their_own(norm, bias):
    """As many powers of ten between them as cost float64 all digits of naive sums."""
    close = 0
    for seed in range(40):
        X, y = drawn(seed, n=30, dim=5)
        rng = np.random.default_rng(seed)
        X = X * 10.0 ** rng.integers(-6, 7, size=5)
        found = fg.max_margin(X, y, norm=norm, bias=bias)
        low, high = margin_bounds(X, y, found)
        assert 0 < low <= high
        assert 1 - (low / high) ** 2 <= Fraction(found.gap) + Fraction(1e-16)
        close += found.gap < 1e-10
    assert close == 40


@each_problem
def test_rows_of_every_length(norm, bias):
    X, y = drawn(3, n=25, dim=4)
    X *= 10.0 ** np.random.default_rng(0).uniform(0.0, 12.0, size=(25, 1))
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    low, high = margin_bounds(X, y, found)
    assert 0 < low <= high <= low * (1 + Fraction(1e-9))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("scale", "words"), [(1e-200, "X is too small"), (1e-310, "too small")])
def test_rows_too_small_are_refused(norm, scale, words):
    X = scale * np.array([[1.0, 0.2], [-2.0, 0.3], [1.5, -1.0]])
    for bias in BIASES:
        with pytest.raises(ValueError, match=words):
            fg.max_margin(X, [1, -1, 1], bias=bias, norm=norm)


@pytest.mark.parametrize("norm", NORMS)
def test_very_large_rows(norm):
    X, y = drawn(5, n=20, dim=3)
    usual = fg.max_margin(X, y, bias="free", norm=norm)
    found = fg.max_margin(np.ldexp(X, 900), y, bias="free", norm=norm)
    assert found.margin == pytest.approx(np.ldexp(usual.margin, 900), rel=1e-12)
    assert not found.dual.any()  # below what float64 holds
    with pytest.raises(fg.FastgrokError, match="no margin was found"):
        fg.max_margin([[1e300], [1e-10]], [1, 1], bias="none", norm=norm)


@each_problem
def test_many_rows_a_few_at_a_time(norm, bias):
    rng = np.random.default_rng(7)
    X, u = rng.normal(size=(6000, 3)), np.array([1.0, -2.0, 0.5])
    y = np.where(X @ u > 0.0, 1.0, -1.0)
    X += np.multiply.outer(0.1 * y, u)
    found = fg.max_margin(X, y, norm=norm, bias=bias)
    assert found.gap < 1e-12
    assert (y * (X @ found.w + found.b)).min() == pytest.approx(1.0, abs=1e-12)
    assert size_of(found, norm) == pytest.approx(least_norm(X, y, norm, bias), rel=1e-9)
    begun = fg.max_margin(X, y, norm=norm, bias=bias, start=(u, 0.0), threads=2)
    assert size_of(begun, norm) == pytest.approx(size_of(found, norm), rel=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_more_columns_than_rows(norm):
    X, y = drawn(11, n=30, dim=400)
    found = fg.max_margin(X, y, norm=norm)
    assert found.gap < 1e-12
    assert found.unique
    bound = np.count_nonzero(found.w) if norm == "l1" else np.sum(
        np.abs(found.w) < np.abs(found.w).max() * (1 - 1e-9)
    )  # fmt: skip
    assert 0 < bound <= 30  # a vertex


def test_one_of_several_solutions_is_said_to_be_one():
    """In l_inf a coordinate without use for the nearest rows may have many weights."""
    for X, several in [
        ([[2.0, 1.0, 1.0], [2.0, 1.0, -1.0], [3.0, 3.0, 0.0]], False),  # it would cost a row
        ([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0], [3.0, 3.0, 0.0]], True),
        ([[1.0, 9.0, 0.0], [1.0, -9.0, 0.0], [1.0, 0.0, 9.0], [1.0, 0.0, -9.0]], False),
        ([[1.0, 0.0], [3.0, 1.0]], True),
    ]:
        y = np.array([-1.0, *np.ones(len(X) - 1)])
        rows = y[:, None] * np.array(X)
        assert fg.max_margin(rows, y, bias="none", norm="linf").unique is not several
        assert fg.max_margin(rows, y, bias="none").unique is True


def test_what_is_printed():
    X, y = [[2.0, 0.0], [-2.0, 0.0]], [1, -1]
    shown = repr(fg.max_margin(X, y, bias="none", norm="linf"))
    assert "from the origin, norm='linf'" in shown
    assert "not unique" in shown
    assert "norm" not in repr(fg.max_margin(X, y))
    copy = pickle.loads(pickle.dumps(fg.max_margin(X, y, norm="l1")))
    assert copy.norm == "l1"


@pytest.mark.parametrize(
    ("norm", "error"), [("max", ValueError), (1, TypeError), (np.inf, TypeError)]
)
def test_other_norms_are_refused(norm, error):
    with pytest.raises(error, match="norm must be one of 'l2', 'linf', 'l1'"):
        fg.max_margin([[1.0, 2.0]], [1], norm=norm)


def test_a_gap_that_is_too_large_is_told():
    X, y = drawn(2, n=20, dim=3)
    with pytest.warns(UserWarning, match="the relative duality gap is"):
        fg.max_margin(X, y, norm="linf", tol=1e-17)
