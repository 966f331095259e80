"""The core's way to the rows on a maximum margin, against fractions, SciPy and itself."""

from fractions import Fraction

import daqp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import nnls

import fastgrok as fg
from fastgrok._core import Problem
from geometry_cases import dot, extended, hard_margin, small_sets, squared_bounds


def separable(n, dim, seed, gap=0.05, offset=0.2):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(n, dim)), rng.normal(size=dim) / np.sqrt(dim)
    y = np.where(X @ w + offset > 0, 1.0, -1.0)
    return X + gap * y[:, None] * w, y


def support(X, y, *, exponent=3, feature=0.125, bias=True, refine=True, start=None, threads=1):
    problem = Problem(np.ascontiguousarray(X), y, bias)
    return problem.support(exponent, feature, 1e-11, refine, False, [], start, threads)


@given(data=small_sets(8), power=st.integers(-300, 300))
def test_small_sets_against_every_support(data, power):
    """Rows repeat, depend on each other, and are zero; a feature of 1 scales with them."""
    X, y = data
    exact = hard_margin(X, y, "penalized")
    found = support(np.ldexp(X, power), y, exponent=power + 3, feature=0.125)
    if exact is None:
        assert found is None
        return
    assume(found is not None)  # what nearly depends on other rows may be left to others
    rows, vectors, theta, alpha, rest, off = found
    expected = np.array([float(v) for v in exact])
    got = np.append(theta[:-1] / 8.0, theta[-1])
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())
    assert np.all(np.diff(rows) > 0)
    np.testing.assert_array_equal(vectors[:, :-1], y[rows, None] * X[rows] / 8.0)
    np.testing.assert_array_equal(vectors[:, -1], y[rows])
    if off is None:
        return
    assert np.all(alpha > 0.0)
    # As sums of two numbers the coefficients give theta, in fractions.
    whole = [Fraction(a) + Fraction(r) for a, r in zip(alpha, rest, strict=True)]
    for j in range(X.shape[1]):
        total = sum(
            (a * Fraction(v) for a, v in zip(whole, vectors[:, j], strict=True)), Fraction()
        )
        assert abs(total - Fraction(theta[j])) <= Fraction(1e-12) * max(map(abs, exact)) * 8


def test_few_sets_are_left_to_others():
    """Of small sets that are separable nearly all are found, so that the test above says much."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        X = rng.integers(-6, 7, size=(6, 2)).astype(float)
        y = np.where(X @ [1.0, -2.0] + 0.5 > 0, 1.0, -1.0)
        found += support(X, y) is not None
    assert found == 200


@pytest.mark.parametrize(("n", "dim"), [(40, 120), (150, 80), (900, 5), (5000, 3), (1500, 40)])
def test_the_dual_is_that_of_least_squares(n, dim):
    """Its solution is the shortest vector of a cone's kind: SciPy's NNLS on rows (z, 1)."""
    X, y = separable(n, dim, seed=n)
    rows, vectors, theta, alpha, _, off = support(X, y, exponent=0, feature=1.0)
    Z = y[:, None] * np.column_stack([X, np.ones(n)])
    assert off is not None
    margins = Z @ theta
    assert margins.min() > 1.0 - 1e-9
    np.testing.assert_allclose(margins[rows], 1.0, atol=1e-9)
    np.testing.assert_allclose(vectors.T @ alpha, theta, rtol=1e-9, atol=1e-10)
    if n <= 200:
        # The least |Z^T p|^2 + (1 - sum p)^2 over p >= 0 has p along alpha.
        p, _ = nnls(np.vstack([Z.T, np.ones((1, n))]), np.append(np.zeros(dim + 1), 1.0))
        expected = p * (theta @ theta) / p.sum()
        got = np.zeros(n)
        got[rows] = alpha
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * expected.max())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "dim"), [(30_000, 3), (4000, 40)])
def test_threads_and_widths_change_no_bit(n, dim, dtype):
    X, y = separable(n, dim, seed=1)
    X = X.astype(dtype)
    one = support(X, y)
    for threads in (2, 3):
        for a, b in zip(one, support(X, y, threads=threads), strict=True):
            np.testing.assert_array_equal(a, b)
    other = support(X.astype(np.float64), y)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_start_changes_nothing_but_the_order_of_work():
    X, y = separable(5000, 6, seed=2)
    one = support(X, y)
    for start in (np.zeros(6), np.ones(6), one[2][:-1]):
        other = support(X, y, start=(np.ascontiguousarray(start), 0.3))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_allclose(one[2], other[2], rtol=1e-12)


def test_rows_without_a_margin_and_rows_beyond_float64():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    assert support(X, np.where(rng.random(500) < 0.5, 1.0, -1.0)) is None
    both, label = np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([1.0, -1.0])
    assert support(both, label) is None
    assert support(np.zeros((3, 2)), np.array([1.0, -1.0, 1.0])) is None
    assert support(np.sign(X) * 1e308, np.sign(X[:, 0]), exponent=1027) is None


@pytest.mark.parametrize("bias", ["none", "penalized", "free"])
@pytest.mark.parametrize("copies", [1, 7])
def test_rows_that_repeat_and_rows_that_all_lie_on_the_margin(bias, copies):
    """385 rows on two parallel lines, and each of them several times."""
    data = fg.datasets.margin_cube((400, 300), dim=2, gamma=1e-3, support=(350, 35), seed=0)
    X, y = np.tile(data.X, (copies, 1)), np.tile(data.y, copies)
    found = fg.max_margin(X, y, bias=bias)
    expected = 2 / data.gamma * data.w_true
    assert np.linalg.norm(found.w - expected) <= 1e-9 * np.linalg.norm(expected)
    assert len(found.support) == 385 * copies
    low, high = squared_bounds(X, y, found)
    assert 1 - low / high <= Fraction(found.gap) + Fraction(1e-15) <= Fraction(1e-10)


@pytest.mark.parametrize("power", [-480, -60, -7, 0, 9, 60, 480])
@pytest.mark.parametrize("bias", ["none", "free"])
def test_scaled_rows_take_the_same_way(power, bias):
    X, y = separable(3000, 7, seed=3, offset=0.0)
    found = fg.max_margin(X, y, bias=bias)
    scaled = fg.max_margin(np.ldexp(X, power), y, bias=bias)
    np.testing.assert_array_equal(scaled.w, np.ldexp(found.w, -power))
    np.testing.assert_array_equal(scaled.dual, np.ldexp(found.dual, -2 * power))
    assert scaled.gap == found.gap


@given(seed=st.integers(0, 10**6), dim=st.integers(1, 12), n=st.integers(2, 400))
def test_against_daqp(seed, dim, n):
    X, y = separable(n, dim, seed, gap=0.3)
    Z = y[:, None] * np.column_stack([X, np.ones(n)])
    theta, _, flag, _ = daqp.solve(
        np.eye(dim + 1), np.zeros(dim + 1), Z, np.full(n, 1e30), np.ones(n),
        np.zeros(n, dtype=np.int32),
    )  # fmt: skip
    assume(flag > 0)
    found = fg.max_margin(X, y)
    size = np.linalg.norm(theta)
    np.testing.assert_allclose(np.append(found.w, found.b), theta, atol=1e-7 * size)
    # Nothing that DAQP finds has a larger margin than is proved to be the largest.
    rows = extended(X, y, True)
    least = min(dot(row, [Fraction(v) for v in theta.tolist()]) for row in rows)
    ours = min(dot(row, [Fraction(float(v)) for v in [*found.w, found.b]]) for row in rows)
    own = sum(Fraction(float(v)) ** 2 for v in [*found.w, found.b])
    theirs = sum(Fraction(v) ** 2 for v in theta.tolist())
    assert least**2 / theirs <= ours**2 / own * (1 + 2 * Fraction(found.gap) + Fraction(1e-15))
