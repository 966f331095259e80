"""late_time and stationary_point far from 1, against closed forms and mpmath."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy.optimize import linprog, nnls

import fastgrok as fg
from fastgrok.theory.bias import late_time
from fastgrok.theory.edge import stationary_point
from geometry_cases import extended, hard_margin

# Three support vectors; and five, of which the bias and two weights need three.
THREE = (np.array([[-0.1, -0.3], [1.4, 0.9], [0.1, 0.7], [1.4, 0.4]]), np.array([-1.0, 1, 1, 1]))
FIVE = (
    np.array([[2, 5], [2, -2], [0, 4], [0, -1], [0, 3], [5, 3], [-4, -1]], dtype=float),
    np.array([1.0, 1, -1, -1, -1, 1, -1]),
)


def assert_expansion(X, y, lr, found):
    """What defines it: c exp(-z_i . theta_tilde) are dual coefficients of theta_hat."""
    exact = hard_margin(X, y, "penalized")
    with mpmath.workdps(60):

        def real(value):
            return mpmath.mpf(value.numerator) / value.denominator

        theta = [real(v) for v in exact]
        rows = [[real(v) for v in row] for row in extended(X, y, True)]
        rows = [rows[i] for i in found.support]
        tilde = [mpmath.mpf(float(v)) for v in [*found.w_tilde, found.b_tilde]]
        rate = mpmath.mpf(lr) / len(y)
        alpha = [rate * mpmath.exp(-mpmath.fdot(row, tilde)) for row in rows]
        for got, value in zip(found.w_hat, theta[:-1], strict=True):
            assert abs(got - value) <= 1e-12 * max(map(abs, theta[:-1]))
        assert abs(found.b_hat - theta[-1]) <= 1e-12 * abs(theta[-1])
        for j, value in enumerate(theta):
            parts = [a * row[j] for a, row in zip(alpha, rows, strict=True)]
            assert abs(mpmath.fsum(parts) - value) <= 1e-10 * mpmath.fsum(map(abs, parts))
        for got, value in zip(found.dual[found.support], alpha, strict=True):
            assert abs(got / value - 1) <= 1e-10
        # Eigenvalues of sum alpha z z^T, which has full rank here.
        matrix = mpmath.matrix(len(theta))
        for i in range(len(theta)):
            for j in range(len(theta)):
                matrix[i, j] = mpmath.fsum(
                    a * row[i] * row[j] for a, row in zip(alpha, rows, strict=True)
                )
        rates = sorted(mpmath.eigsy(matrix, eigvals_only=True))
        assert len(found.rates) == len(rates)
        for got, value in zip(found.rates, rates, strict=True):
            assert abs(got / value - 1) <= 1e-9


@pytest.mark.parametrize("power", [0, -10, -27, -47, -53])
@pytest.mark.parametrize("data", [THREE, FIVE], ids=["three", "five"])
def test_late_time_at_small_scales(data, power):
    X, y = np.ldexp(data[0], power), data[1]
    assert_expansion(X, y, 0.1, late_time(X, y, 0.1))


@pytest.mark.parametrize("power", [20, 100, 400])
def test_late_time_of_one_support_vector_at_large_scales(power):
    """theta_hat = z / |z|^2, theta_tilde = log(c |z|^2) z / |z|^2."""
    X = np.ldexp([[3.0, 4.0], [30.0, 50.0]], power)
    found = late_time(X, [1, 1], 2.0)
    norm = 5.0 * 2.0**power
    np.testing.assert_allclose(found.w_hat, np.array([0.6, 0.8]) / norm, rtol=1e-11)
    shift = math.log(norm) * 2.0
    np.testing.assert_allclose(found.w_tilde, np.array([0.6, 0.8]) * shift / norm, rtol=1e-11)
    assert found.dual[0] == pytest.approx(norm**-2.0, rel=1e-11)
    assert found.rate == 1.0


@pytest.mark.parametrize("scale", [1e150, 1e155, 1e200, 1e300])
def test_late_time_refuses_rows_whose_dual_underflows(scale):
    X = np.array([[1.0, 0.0], [-1.0, 0.1]]) * scale
    with pytest.raises(ValueError, match="X is too large for dual coefficients in float64"):
        late_time(X, [1, -1], 0.1)


def test_late_time_refuses_what_rounding_hides():
    """A bias that is nothing beside the rows decides between the duals of five support vectors."""
    X = np.array([[1, 3], [1, -4], [-1, 2], [-1, -3], [-1, 1]]) * 2.0**33
    with pytest.raises(fg.FastgrokError, match="dual coefficients of the 5 support vectors"):
        late_time(X, [1, 1, -1, -1, -1], 0.1)


def small_integers(seed):
    """Separable rows of small integers, often with support vectors whose dual must vanish."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 9))
    across = rng.integers(-2, 3, size=(n, int(rng.integers(1, 6))))
    y = rng.choice([-1.0, 1.0], n)
    return np.column_stack([y, across]), y


def assert_selected(X, y, found, rtol):
    """The dual gives theta_hat; returns Z and theta_hat."""
    theta = hard_margin(X, y, "penalized")
    Z = extended(X, y, True)
    assert np.all(found.dual >= 0.0)
    got = np.array([sum(Fraction(a) * row[j] for a, row in zip(found.dual, Z, strict=True))
                    for j in range(len(theta))])  # fmt: skip
    w_error = np.linalg.norm((got - theta)[:-1].astype(float))
    assert w_error <= rtol * np.linalg.norm(np.array(theta[:-1], dtype=float))
    assert abs(got[-1] - theta[-1]) <= rtol * found.dual.sum()
    return np.array(Z, dtype=float), np.array(theta, dtype=float)


def test_duals_of_support_vectors_that_pull_in_vain():
    """Their shares of a mean of exponentials go to zero, where Newton's method need not end."""
    vanishing = 0
    for seed in range(150):
        X, y = small_integers(seed)
        found = late_time(X, y, 0.1)
        Z, theta = assert_selected(X, y, found, 1e-9)
        if found.finite:
            assert np.all(found.dual[found.support] > 0.0)
            continue
        vanishing += 1
        S = Z[found.support]
        for i in np.flatnonzero(found.dual[found.support] == 0.0):
            most = linprog(-np.eye(len(S))[i], A_eq=S.T, b_eq=theta)
            assert most.status == 0
            assert -most.fun < 1e-7
        pulling = found.dual > 0.0
        if np.linalg.matrix_rank(Z[pulling]) == pulling.sum():
            np.testing.assert_allclose(found.dual[pulling], nnls(Z[pulling].T, theta)[0], rtol=1e-9)
    assert vanishing >= 10


def test_a_dual_with_three_of_six():
    X = [[1, -2, 1, -2, 2], [2, 0, -2, -1, -2], [2, 2, -1, 2, 1], [-1, 1, -2, 2, 1],
         [2, 0, 1, 2, 1], [-2, -1, 1, -1, -2]]  # fmt: skip
    found = late_time(X, [1, 1, -1, -1, 1, 1], 0.1)
    assert not found.finite
    np.testing.assert_allclose(found.dual, [0, 1 / 6, 9 / 28, 0, 31 / 84, 0], rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_one_class_around_the_origin(scale):
    """theta_hat is the bias alone, from rows whose mean of the dual is zero."""
    X = scale * np.array([[1, 0], [-1, 1], [0, -2], [2, 2]])
    found = late_time(X, [-1, -1, -1, -1], 0.1)
    assert found.finite
    np.testing.assert_array_equal([*found.w_hat, found.b_hat], [0, 0, -1])
    np.testing.assert_allclose(found.dual @ X / scale, 0.0, atol=1e-14)
    assert found.dual.sum() == pytest.approx(1.0, rel=1e-14)
    slopes = np.log(found.dual) - np.log(found.rate) - found.b_tilde
    np.testing.assert_allclose(slopes, X @ found.w_tilde, atol=1e-11)


@pytest.mark.parametrize("scale", [1e3, 3e7, 1e9])
def test_duals_at_large_scales_are_right_or_refused(scale):
    """The bias decides between duals, and what it decides is small beside them."""
    right = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 9))
        X = rng.integers(-2, 3, size=(n, int(rng.integers(1, 6)))) * scale
        y = rng.choice([-1.0, 1.0], n)
        try:
            found = late_time(X, y, 0.1)
        except fg.FastgrokError:  # also those that are not separable
            continue
        if found.overlap.size > 0:  # only some rows can be separated
            with pytest.raises(fg.NotSeparableError):
                fg.max_margin(X, y)
            continue
        assert_selected(X, y, found, 1e-6)
        right += 1
    assert right >= 15


@pytest.mark.parametrize("c", [0.5, 1e-10, 1e-20, 1e-30, 1e-100, 1e-300])
def test_two_points_of_very_different_distance(c):
    """S = log c / (1 + c); at 1e-30 it was 3 off."""
    found = stationary_point([[1.0], [-c]])
    assert found.S[0] == pytest.approx(math.log(c) / (1 + c), rel=1e-14)
    assert found.exponent == pytest.approx(c, rel=1e-12)


@pytest.mark.parametrize("c", [1e-3, 1e-10, 1e-16, 1e-40, 1e-200])
@pytest.mark.parametrize("units", [(1.0, 1.0), (1e-10, 1e10), (1e100, 1.0)])
def test_triangles_that_hardly_hold_the_origin(c, units):
    found = stationary_point(np.array([[1, c], [-1, c], [0, -1]]) * units)
    point = found.S * units
    assert abs(point[0]) < 1e-12
    assert point[1] == pytest.approx(-math.log(2 * c) / (1 + c), rel=1e-13)
    assert found.level == pytest.approx(math.exp(c * point[1]) * (1 + c) * 2 / 3, rel=1e-13)
    rates = np.array([1 / (1 + c), c]) * np.square(units)
    assert found.exponent == pytest.approx(rates.min(), rel=1e-12)


def newton_step(X, S):
    """What Newton's method in 80 digits adds to S."""
    with mpmath.workdps(80):
        rows = [[mpmath.mpf(float(v)) for v in row] for row in X]
        at = [mpmath.mpf(float(v)) for v in S]
        shares = [mpmath.exp(mpmath.fdot(row, at)) for row in rows]
        dim = len(at)
        slope, matrix = mpmath.matrix(dim, 1), mpmath.matrix(dim)
        for p, row in zip(shares, rows, strict=True):
            for i in range(dim):
                slope[i] += p * row[i]
                for j in range(dim):
                    matrix[i, j] += p * row[i] * row[j]
        return [float(v) for v in mpmath.lu_solve(matrix, -slope)]


@pytest.mark.parametrize("kind", ["rows", "columns", "nearly on a line"])
def test_stationary_points_of_mixed_scales(kind):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 3)) + 0.3
    if kind == "rows":
        X *= 10.0 ** rng.integers(-8, 9, size=(40, 1))
    elif kind == "columns":
        X *= [1e10, 1.0, 1e-10]
    else:
        q = 2.0**-20
        X = np.array([[1, 1], [-1, -1], [1, 1 + q], [-1, -1 - 2 * q]])
    found = stationary_point(X)
    assert np.all(np.abs(newton_step(X, found.S)) <= 1e-12 * np.abs(found.S))


def test_points_too_close_to_a_line_are_refused():
    """Rounding S moves the exponents: it was taken for the point of a line."""
    q = 2.0**-45
    X = [[1, 1], [-1, -1], [1, 1 + q], [-1, -1 - 2 * q]]
    assert fg.separability(X).verdict == "interior"
    with pytest.raises(fg.FastgrokError, match="was not found"):
        stationary_point(X)
