"""Maximum margins of columns in any units, beside any offset: proved in fractions, or by DAQP."""

import warnings
from fractions import Fraction

import daqp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import fastgrok as fg
from fastgrok.geometry._graded_rows import GradedRows
from fastgrok.geometry._polish import Pair
from geometry_cases import dot, margin_on, solve, squared_bounds

BIASES = ("none", "penalized", "free")


def solved(X, y, bias):
    """Without the warning about its gap."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return fg.max_margin(X, y, bias=bias)


def errors(X, y, bias):
    """
    Relative errors, in units in which every column is 1 at most, of w and of b; and what was found.

    The support is taken from the solution, but that it is one is proved.
    """
    found = solved(X, y, bias)
    exact = margin_on(X, y, bias, np.flatnonzero(found.dual))
    assert exact is not None
    dim = X.shape[1]
    sizes = [float(size) for size in np.abs(X).max(axis=0)]
    reach = sum(abs(float(u)) * size for u, size in zip(exact[:dim], sizes, strict=True))
    off = [abs(float(Fraction(float(v)) - u)) for v, u in zip(found.w, exact[:dim], strict=True)]
    of_w = max(o * size for o, size in zip(off, sizes, strict=True)) / max(reach, 1.0)
    of_b = 0.0
    if bias != "none":
        of_b = abs(float(Fraction(found.b) - exact[dim])) / max(abs(float(exact[dim])), 1.0)
    return of_w, of_b, found


def in_units(units, n, seed, tail=1.0, offset=0.1):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, len(units)))
    rows[rng.random(rows.shape) < 0.02] *= tail
    y = np.where(rows @ rng.normal(size=len(units)) + offset > 0, 1.0, -1.0)
    return rows * 10.0 ** np.array(units), y


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("tail", [1.0, 1e3])
@pytest.mark.parametrize("units", [(8, 0, -3, 4, 0, -8), (6, -6), (-8, -8, 8, 8), (12, -4, 3)])
def test_the_smallest_units_count_as_well(bias, units, tail):
    """Hertz beside seconds: rows of 1e8 whose margin hangs on entries of 1e-8."""
    for seed in range(3):
        X, y = in_units(units, 60, seed, tail, 0.0 if bias == "none" else 0.1)
        of_w, of_b, found = errors(X, y, bias)
        assert of_w < 1e-13
        assert of_b <= max(found.gap, 1e-11)
        low, high = squared_bounds(X, y, found)
        assert 1 - low / high <= Fraction(found.gap) * Fraction(1 + 1e-9) + Fraction(1e-16)
        # Rounding w makes margins wrong by its last digits times the entries.
        assert found.gap < 1e-10 + 1e-14 * (np.abs(X) @ np.abs(found.w) + abs(found.b)).max()


@st.composite
def sets_in_units(draw):
    n, dim = draw(st.integers(2, 25)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 10**6))
    units = [draw(st.integers(-8, 8)) for _ in range(dim)]
    rows, y = in_units(units, n, seed, draw(st.sampled_from([1.0, 100.0])))
    offsets = [draw(st.sampled_from([0.0, 0.0, 1.0, 1e4])) for _ in range(dim)]
    return rows + np.array(offsets) * 10.0 ** np.array(units), y


@pytest.mark.parametrize("bias", BIASES)
@given(data=sets_in_units())
def test_any_units(bias, data):
    rows, y = data
    assume(bias != "free" or len(set(y)) == 2)
    try:
        of_w, of_b, found = errors(rows, y, bias)
    except fg.NotSeparableError:
        return
    assert of_w <= max(1e-11, found.gap)
    assert of_b <= max(found.gap, 1e-11)


@pytest.mark.parametrize("offset", [1e3, 1e5, 1e6, 1e6 + 1, 3e7])
@pytest.mark.parametrize("more", [0, 3])
def test_a_constant_column_beside_a_free_bias(offset, more):
    """It is of no use, as the bias costs nothing; to use it by 1e-11 moves b by 1e-5."""
    rows = np.column_stack([[1.0, 2.0], *[[offset, offset]] * (1 + more)])
    found = fg.max_margin(rows, [-1, 1], bias="free")
    assert found.w[0] == pytest.approx(2.0, rel=1e-15)
    assert np.all(np.abs(found.w[1:]) * offset < 1e-9)
    assert found.b == pytest.approx(-3.0, abs=1e-9)
    assert abs(found.b + 3.0) / 3.0 <= found.gap <= 1e-10


@pytest.mark.parametrize("bias", ["penalized", "free"])
@pytest.mark.parametrize("by", [1e2, 1e4, 1e6, 1e8])
def test_the_gap_is_one_of_b_as_well(bias, by):
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(25, 3))
    y = np.where(rows[:, 0] + 0.1 > 0, 1.0, -1.0)
    of_w, of_b, found = errors(rows + by, y, bias)
    assert of_w < 1e-10
    assert of_b <= max(found.gap, 1e-11)


@pytest.mark.parametrize("scale", [1e3, 1e5, 1e6, 1e7])
def test_weights_beside_a_bias_that_costs_more_than_they(scale):
    """The norm hardly feels w, and w may be what rounding of the coefficients has left."""
    X = [[1, 2, 0, 1], [2, -1, -2, -1], [-1, 2, 2, -2], [0, 2, -2, 1], [-2, 0, 2, -1]]
    X = scale * np.array([*X, [-1, -1, 1, -1], [2, 0, 0, 0], [0, 0, 0, 2]], dtype=float)
    y = np.array([1.0, 1, 1, 1, -1, 1, -1, -1])
    of_w, of_b, found = errors(X, y, "penalized")
    assert of_w < 1e-14
    assert of_b < 1e-14
    assert found.gap < 1e-10


def test_the_coefficients_and_their_rest():
    """They sum to w where every single one is 1e16 times as large as what is left of the sum."""
    X, y = in_units((8, 0, -3, 4, 0, -8), 80, 1)
    found = fg.max_margin(X, y, bias="free")
    assert found.dual_rest.any()
    assert np.all(np.abs(found.dual_rest) <= 2.0**-52 * found.dual)
    alpha = [Fraction(a) + Fraction(r) for a, r in zip(found.dual, found.dual_rest, strict=True)]
    assert abs(sum(a * int(s) for a, s in zip(alpha, y, strict=True))) <= Fraction(1e-28) * sum(
        alpha
    )
    for column, w in zip(X.T, found.w, strict=True):
        terms = [a * Fraction(x) * int(s) for a, x, s in zip(alpha, column, y, strict=True)]
        assert abs(sum(terms) - Fraction(w)) <= Fraction(1e-27) * sum(map(abs, terms)) + Fraction(
            1e-15
        ) * abs(Fraction(w))


@pytest.mark.parametrize("bias", ["none", "penalized"])
@pytest.mark.parametrize(("n", "d"), [(30, 3), (60, 10), (20, 40), (150, 60)])
def test_another_solver_finds_the_same(bias, n, d):
    """DAQP is exact where the set is small and its columns are of one size."""
    rng = np.random.default_rng(n)
    X, u = rng.normal(size=(n, d)), rng.normal(size=d) / np.sqrt(d)
    y = np.where(X @ u > 0, 1.0, -1.0)
    X += 0.1 * y[:, None] * u
    found = fg.max_margin(X, y, bias=bias)
    Z = y[:, None] * (X if bias == "none" else np.column_stack([X, np.ones(n)]))
    dim = Z.shape[1]
    theta, _, flag, _ = daqp.solve(
        np.eye(dim), np.zeros(dim), Z, np.full(n, np.inf), np.ones(n), np.zeros(n, dtype=np.int32)
    )
    assert flag == 1
    got = found.w if bias == "none" else np.append(found.w, found.b)
    assert np.linalg.norm(got - theta) <= 1e-9 * np.linalg.norm(theta)


@pytest.mark.parametrize(("k", "dim"), [(1, 4), (3, 5), (5, 6), (5, 5), (2, 9), (4, 1)])
def test_rows_of_graded_columns(k, dim):
    """Solutions, coefficients and rests, entry by entry, against fractions."""
    rng = np.random.default_rng(k)
    A = rng.normal(size=(k, dim)) * 10.0 ** np.resize([8, -8, 0, -3, 4], dim)
    graded = GradedRows(A, 1e-13, np.zeros(dim))
    assert graded.kept.sum() == min(k, dim)
    A, k = A[graded.kept], min(k, dim)
    rows = [[Fraction(x) for x in row] for row in A]
    products = [[dot(a, b) for b in rows] for a in rows]
    right, vector = rng.normal(size=k), rng.normal(size=dim)
    exact = [Fraction(v) for v in vector]

    a = solve(products, [Fraction(h) for h in right])[0]
    shortest = [dot(column, a) for column in zip(*rows, strict=True)]
    np.testing.assert_allclose(graded.solve(right), [float(v) for v in shortest], rtol=1e-12)
    got = graded.coefficients(np.array([float(v) for v in shortest]))
    np.testing.assert_allclose(got, [float(v) for v in a], rtol=1e-12)

    a = solve(products, [dot(row, exact) for row in rows])[0]
    rest = [v - dot(c, a) for v, c in zip(exact, zip(*rows, strict=True), strict=True)]
    np.testing.assert_allclose(graded.outside(vector), [float(v) for v in rest], rtol=1e-12)


def test_which_graded_rows_are_independent():
    """By the smallest column alone, and not by what rounding leaves of the largest."""
    a, b = np.array([1e8, 3.0, 1e-8]), np.array([1e8, 3.0, 2e-8])
    rows = GradedRows(np.array([a, b, 0.3 * a + 0.7 * b]), 1e-13, np.zeros(3))
    np.testing.assert_array_equal(rows.kept, [True, True, False])
    rows.remove(0)
    assert len(rows) == 1
    assert rows.append(a)
    assert not rows.append(a - b + 2e-24 * a)


def test_pairs_keep_what_float64_does_not():
    pair = Pair(np.array([1.0]), np.array([0.0]))
    for power in (-60, -70, -53):
        pair = pair.add(np.array([2.0**power]))
    total = Fraction(pair.head[0]) + Fraction(pair.rest[0])
    assert total == 1 + Fraction(2) ** -60 + Fraction(2) ** -70 + Fraction(2) ** -53
