"""The core's way to the rows on a maximum margin, against fractions, SciPy and itself."""

from fractions import Fraction

import daqp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import nnls

import fastgrok as fg
from cases import python
from fastgrok._core import Problem
from geometry_cases import dot, extended, hard_margin, margin_on, small_sets, squared_bounds


def separable(n, dim, seed, gap=0.05, offset=0.2):
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(n, dim)), rng.normal(size=dim) / np.sqrt(dim)
    y = np.where(X @ w + offset > 0, 1.0, -1.0)
    return X + gap * y[:, None] * w, y


def support(
    X,
    y,
    *,
    exponent=3,
    feature=0.125,
    bias=True,
    free=False,
    columns=(),
    start=None,
    threads=1,
    most=10**9,
):
    problem = Problem(np.ascontiguousarray(X), y, bias)
    found = problem.support(
        exponent, feature, 1e-11, not columns or free, free, list(columns), start, most, threads
    )
    if found is None or isinstance(found, int):
        return found
    rows, vectors, theta, alpha, rest, off = found
    order = np.argsort(rows)
    return rows[order], vectors[order], theta, alpha[order], rest[order], off


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


@pytest.mark.parametrize("offset", [0.2, 1.0])
@pytest.mark.parametrize(("n", "dim"), [(40, 120), (150, 80), (900, 5), (1500, 40)])
def test_a_bias_that_costs_nothing(n, dim, offset):
    """Weak duality proves it: the coefficients balance, and give weights of margin 1."""
    X, y = separable(n, dim, seed=n, offset=offset)
    assert abs(y.sum()) < n
    rows, _, theta, alpha, rest, off = support(X, y, exponent=0, feature=1.0, free=True)
    assert off is not None
    assert not rest.any()
    w, b = theta[:-1], theta[-1]
    assert np.all(alpha > 0.0)
    assert abs(alpha @ y[rows]) < 1e-10 * alpha.sum()
    np.testing.assert_allclose((alpha * y[rows]) @ X[rows], w, atol=1e-10 * np.linalg.norm(w))
    assert np.min(y * (X @ w + b)) > 1.0 - 1e-9
    assert alpha.sum() == pytest.approx(w @ w, rel=1e-9)


def random_labels(n, dim, seed):
    """Rows that are separable at the edge, most of them as many as they can be in the support."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)), np.where(rng.random(n) < 0.5, 1.0, -1.0)


@pytest.mark.parametrize("bias", ["none", "penalized", "free"])
@pytest.mark.parametrize(
    ("n", "dim", "seed"),
    [(200, 110, 2), (330, 180, 0), (170, 120, 5)],  # long rows, whose coefficients are guessed
)
def test_long_rows_against_daqp(bias, n, dim, seed):
    X, y = random_labels(n, dim, seed)
    Z = y[:, None] * (X if bias == "none" else np.column_stack([X, np.ones(n)]))
    price = np.ones(Z.shape[1])
    if bias == "free":
        price[-1] = 1e-9  # DAQP wants all directions to cost something
    theta, _, flag, _ = daqp.solve(
        np.diag(price), np.zeros(Z.shape[1]), Z, np.full(n, 1e30), np.ones(n),
        np.zeros(n, dtype=np.int32),
    )  # fmt: skip
    assert flag > 0
    found = fg.max_margin(X, y, bias=bias)
    w = theta[:dim]
    np.testing.assert_allclose(found.w, w, rtol=0, atol=1e-6 * np.linalg.norm(w))
    on_margin = np.flatnonzero(Z @ theta < 1.0 + 1e-6)
    np.testing.assert_array_equal(found.support, on_margin)
    assert found.gap < 1e-10


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("kind", ["dense", "repeated", "rare"])
def test_long_rows_of_other_kinds(dtype, free, kind):
    """Float32 and sparse rows, rows that repeat, one row of a class: weak duality proves it."""
    X, y = random_labels(200, 110, 2)
    if kind == "repeated":
        X, y = np.tile(X, (3, 1)), np.tile(y, 3)
    if kind == "rare":
        X, y = np.abs(X), np.ones(200)
        X[77], y[77] = -X[77], -1.0
    X = X.astype(dtype)
    bias = "free" if free else "penalized"
    found = fg.max_margin(X, y, bias=bias)
    sparse = fg.max_margin(scipy.sparse.csr_array(X), y, bias=bias)
    np.testing.assert_array_equal(found.support, sparse.support)
    np.testing.assert_allclose(found.w, sparse.w, rtol=1e-9, atol=1e-9 * np.abs(found.w).max())
    X = X.astype(np.float64)
    w, b, alpha = found.w, found.b, found.dual
    size = w @ w + (0.0 if free else b * b)
    np.testing.assert_allclose((alpha * y) @ X, w, atol=1e-9 * np.linalg.norm(w))
    assert alpha @ y == pytest.approx(0.0 if free else b, abs=1e-9 * alpha.sum())
    assert np.min(y * (X @ w + b)) > 1.0 - 1e-9
    assert alpha.sum() == pytest.approx(size, rel=1e-9)


STOPPED = """
import signal, sys
import numpy as np
import fastgrok as fg
from test_support import random_labels

class Alarm(Exception):
    pass

def ring(*_):
    raise Alarm("rang")

signal.signal(signal.SIGALRM, ring)
X, y = random_labels(int(sys.argv[1]), int(sys.argv[2]), 0)
fg.max_margin(*random_labels(20, 20, 0))
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[4]))
try:
    fg.max_margin(X, y, bias=sys.argv[3], threads=1)
except Alarm as error:
    print("stopped:", error)
"""


@pytest.mark.parametrize("bias", ["penalized", "free"])
@pytest.mark.parametrize("after", [0.05, 0.3])
def test_a_signal_stops_the_search(bias, after):
    """Seconds of work: where the coefficients are guessed, and behind that."""
    done = python(STOPPED, "5000", "2500", bias, str(after))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "stopped: rang"


@given(
    seed=st.integers(0, 10**6),
    units=st.lists(st.integers(-30, 30), min_size=1, max_size=9),
    n=st.integers(2, 200),
    free=st.booleans(),
)
def test_columns_in_units_of_their_own(seed, units, n, free):
    """The rows found are the support, proved in fractions."""
    X, y = separable(n, len(units), seed, gap=0.3)
    assume(abs(y.sum()) < n)
    X, top = np.ldexp(X, units), max(units) + 6
    kind, feature = ("free", 2.0**100) if free else ("penalized", 2.0**-top)
    powers = [int(k) for k in np.frexp(np.abs(X).max(axis=0))[1] - top]
    found = support(X, y, exponent=top, feature=feature, columns=powers)
    assume(found is not None)
    assert margin_on(X, y, kind, found[0]) is not None


@pytest.mark.parametrize("free", [False, True])
def test_mixed_units_are_not_left_to_others(free):
    """So that the test above says much."""
    for seed in range(100):
        X, y = separable(300, 8, seed)
        powers = np.arange(-24, 0, 3)
        found = support(
            np.ldexp(X, powers), y, exponent=0, feature=2.0**100 if free else 1.0,
            columns=powers.tolist(),
        )  # fmt: skip
        assert found is not None


@pytest.mark.parametrize(("n", "dim"), [(1, 1), (3, 2), (50, 17), (1000, 9), (301, 64)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sizes_of_rows_and_columns(n, dim, dtype):
    X = np.random.default_rng(n).normal(size=(n, dim)).astype(dtype)
    X[-1] *= 7.0
    for threads in (1, 2):
        squares, columns = Problem(X, np.ones(n), True).sizes(threads)
        np.testing.assert_allclose(squares, (X.astype(np.float64) ** 2).sum(axis=1), rtol=1e-14)
        np.testing.assert_array_equal(columns, np.abs(X).max(axis=0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "dim"), [(30_000, 3), (4000, 40), (600, 150)])
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


@pytest.mark.parametrize("columns", [(), (0,) * 30])
@pytest.mark.parametrize("n", [20, 400])
def test_no_more_rows_than_allowed_are_held(n, columns):
    """With as many as are needed nothing changes; with fewer there is but their number."""
    X, y = separable(n, 30, n)
    free = support(X, y, columns=columns)
    needed = len(free[0])
    outcomes = [support(X, y, columns=columns, most=most) for most in range(1, 33)]
    for most, found in enumerate(outcomes, 1):
        if isinstance(found, int):
            assert found == most < 31
            continue
        assert most >= needed
        np.testing.assert_array_equal(found[0], free[0])
        np.testing.assert_allclose(found[2], free[2], rtol=1e-9, atol=1e-12)
    assert isinstance(outcomes[needed - 2], int)
    assert not isinstance(outcomes[-1], int)
