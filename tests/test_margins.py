"""margins, accuracy and hyperplane_distance against NumPy, mpmath and exact cases."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
import reference
from cases import LENGTHS, layouts, point, problem
from fastgrok import _core

EPS = float(np.finfo(np.float64).eps)


def margin_error(X, w, b):
    """Bound on the rounding of x . w + b in any order of summation."""
    return 2 * EPS * (X.shape[1] + 2) * (np.abs(X) @ np.abs(w) + abs(b))


@pytest.mark.parametrize("d", LENGTHS)
@pytest.mark.parametrize("n", LENGTHS)
def test_margins_and_accuracy_around_lane_widths(n, d):
    X, y = problem(n, d)
    w, b = point(d)
    expected = reference.margins(X, y, w, b)
    bound = margin_error(X, w, b)
    raw = fg.margins(X, y, w, b, normalized=False)
    assert raw.shape == (n,)
    assert raw.dtype == np.float64
    assert np.all(np.abs(raw - expected) <= bound)
    norm = np.linalg.norm(w)
    assert np.all(np.abs(fg.margins(X, y, w, b) - expected / norm) <= 2 * bound / norm)
    assert fg.accuracy(X, y, w, b) == reference.correct(X, y, w, b) / n


@given(
    n=st.integers(1, 40),
    d=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from([np.float64, np.float32, np.float16, np.int8, np.int64, np.uint16, bool]),
    exponent=st.integers(-4, 4),
)
def test_every_dtype_and_layout_gives_the_bits_of_its_values(n, d, seed, dtype, exponent):
    rng = np.random.default_rng(seed)
    X = np.abs(rng.normal(size=(n, d)) * 10) if dtype == np.uint16 else rng.normal(size=(n, d)) * 10
    X = X.astype(dtype)
    y = rng.choice([-1, 1], size=n)
    w = rng.normal(size=d) * 10.0**exponent
    b = float(rng.normal())
    plain = X.astype(np.float32 if dtype == np.float32 else np.float64)
    expected = fg.margins(plain, y.astype(float), w, b, threads=1)
    signed = reference.margins(plain, y.astype(float), w, b) / np.linalg.norm(w)
    bound = 2 * margin_error(plain.astype(float), w, b) / np.linalg.norm(w)
    assert np.all(np.abs(expected - signed) <= bound)
    labels, weights = layouts(y), layouts(w)
    for name, variant in layouts(X).items():
        before = variant.copy()
        got = fg.margins(variant, labels[name], weights[name], b)
        np.testing.assert_array_equal(got, expected, err_msg=name, strict=True)
        np.testing.assert_array_equal(variant, before, err_msg=name)


def test_float32_rows_are_read_exactly():
    X, y = problem(50, 20)
    X32 = X.astype(np.float32)
    w, b = point(20)
    np.testing.assert_array_equal(
        fg.margins(X32, y, w, b), fg.margins(X32.astype(np.float64), y, w, b)
    )


def test_lists_and_data_frames_are_accepted():
    pandas = pytest.importorskip("pandas")
    X, y = problem(5, 3)
    w, b = point(3)
    expected = fg.margins(X, y, w, b)
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    series = pandas.Series(y.astype(int), index=list("vwxyz"))
    frame.index = series.index
    np.testing.assert_array_equal(fg.margins(frame, series, pandas.Series(w), b), expected)
    np.testing.assert_array_equal(fg.margins(X.tolist(), y.tolist(), tuple(w), b), expected)


@given(
    power=st.integers(-1074, 1023),
    d=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
def test_geometric_margins_and_distance_do_not_depend_on_the_scale_of_w(power, d, seed):
    rng = np.random.default_rng(seed)
    X, y = problem(7, d, seed % 1000)
    w = rng.integers(1, 2**20, size=d).astype(float) * rng.choice([-1.0, 1.0], size=d)
    scale = min(power, 1000) if power > 0 else power
    w_scaled = np.ldexp(w, scale)  # exact: integers of 20 bits
    assert np.all(np.isfinite(w_scaled))
    np.testing.assert_array_equal(fg.margins(X, y, w_scaled), fg.margins(X, y, w))
    assert fg.accuracy(X, y, w_scaled) == fg.accuracy(X, y, w)
    distance = fg.hyperplane_distance(w, 1.0)
    assert distance == pytest.approx(1 / np.linalg.norm(w), rel=4 * EPS)
    if -1000 < scale < 1000:
        assert fg.hyperplane_distance(w_scaled, math.ldexp(1.0, scale)) == distance


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-300, 1e-160, 1.0, 1e160, 1e200, 1e300])
def test_extreme_weights_against_mpmath(size):
    X = np.array([[1.0, -2.0], [3.0, 0.25], [-0.5, 1e-3]])
    y = np.array([1.0, -1.0, 1.0])
    w = np.array([size, 0.75 * size])
    b = 0.5 * size
    with mpmath.workdps(50):
        u = [mpmath.mpf(float(v)) for v in w]
        norm = mpmath.sqrt(u[0] ** 2 + u[1] ** 2)
        exact = [
            float(int(s) * (mpmath.fdot([mpmath.mpf(float(v)) for v in x], u) + b) / norm)
            for x, s in zip(X, y, strict=True)
        ]
        distance = float(abs(mpmath.mpf(b)) / norm)
    ones = np.array([1.0, 0.75])
    error = np.abs(fg.margins(X, y, w, b) - exact)
    assert np.all(error <= 2 * margin_error(X, ones, 0.5))
    assert fg.hyperplane_distance(w, b) == pytest.approx(distance, rel=4 * EPS)
    assert fg.accuracy(X, y, w, b) == np.mean(np.array(exact) > 0)


def test_raw_margins_are_not_rescaled():
    X = np.array([[1e4, 0.0], [1e-300, 5e-324], [-1e4, 1.0]])
    y = np.ones(3)
    got = fg.margins(X, y, [1.0, 1.0], normalized=False)
    np.testing.assert_array_equal(got, [1e4, 1e-300, -9999.0])


@pytest.mark.parametrize("n", LENGTHS)
def test_ties(n):
    X = np.zeros((n, 2))
    y = np.where(np.arange(n) % 3 == 0, 1.0, -1.0)
    w = np.array([1.0, 2.0])
    assert fg.accuracy(X, y, w) == 0.0
    assert fg.accuracy(X, y, w, tie="negative") == np.mean(y < 0)
    assert fg.accuracy(X, y, w, -0.0, tie="negative") == np.mean(y < 0)
    assert fg.accuracy(X, y, w, 1e-300, tie="negative") == np.mean(y > 0)
    assert fg.accuracy(X, y, np.zeros(2), 0.0) == 0.0


def test_accuracy_sees_products_that_would_underflow_or_overflow():
    X = np.array([[1e-200], [-1e-200]])
    assert fg.accuracy(X, [1, -1], [1e-200]) == 1.0
    X = np.array([[1e300, -1e300], [2e300, 1e300]])
    assert fg.accuracy(X, [-1, 1], [1e10, 2e10]) == 1.0


def test_hyperplane_distance():
    assert fg.hyperplane_distance([3.0, 4.0], -10.0) == 2.0
    assert fg.hyperplane_distance([0.0], 0.5) == math.inf
    assert math.isnan(fg.hyperplane_distance([0.0, -0.0], 0.0))
    assert fg.hyperplane_distance([1e-300], 1e300) == math.inf
    assert fg.hyperplane_distance([1e300], 1e-300) == 0.0


def test_no_geometric_margins_without_weights():
    with pytest.raises(ValueError, match=r"w = 0 .*normalized=False"):
        fg.margins(np.ones((2, 2)), [1, -1], [0.0, 0.0], 1.0)
    got = fg.margins(np.ones((2, 2)), [1, -1], [0.0, 0.0], 1.0, normalized=False)
    np.testing.assert_array_equal(got, [1.0, -1.0])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"w": [1.0]}, ValueError, "w must have length 2, got length 1"),
        ({"w": [[1.0, 2.0]]}, ValueError, r"w must have 1 dimension, got shape \(1, 2\)"),
        ({"w": [1.0, math.nan]}, ValueError, r"w\[1\] = nan"),
        ({"w": ["a", "b"]}, TypeError, "w must hold real numbers, got dtype <U1"),
        ({"b": math.inf}, ValueError, "b must be finite, got inf"),
        ({"b": 1j}, TypeError, "b must be a real number, got 1j"),
        ({"b": True}, TypeError, "b must be a real number, got True"),
        ({"b": [1.0]}, TypeError, "b must be a real number"),
        ({"y": [1, 2]}, ValueError, r"y\[1\] = 2"),
        ({"X": [[1.0, 2.0], [3.0]]}, ValueError, "X is not a rectangular array"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
    ],
)
def test_bad_arguments(change, error, words):
    good = {"X": [[1.0, 2.0], [3.0, 4.0]], "y": [1, -1], "w": [1.0, 1.0], "b": 0.0}
    with pytest.raises(error, match=words):
        fg.margins(**{**good, **change})
    with pytest.raises(error, match=words):
        fg.accuracy(**{**good, **change})


def test_bad_options():
    with pytest.raises(TypeError, match="normalized must be True or False, got 1"):
        fg.margins([[1.0]], [1], [1.0], normalized=1)
    with pytest.raises(ValueError, match="tie must be one of 'wrong', 'negative', got 'right'"):
        fg.accuracy([[1.0]], [1], [1.0], tie="right")
    with pytest.raises(ValueError, match="w must not be empty"):
        fg.hyperplane_distance([], 1.0)


def test_magnitudes_that_no_common_scale_fits() -> None:
    """Weights 300 decades apart: what is small for one column decides in another."""
    assert fg.accuracy([[0.0]], [1], [1e10], 5e-324) == 1.0
    assert fg.accuracy([[0.0, 1e300]], [1], [1e200, 1e-300]) == 1.0
    np.testing.assert_allclose(
        fg.margins([[0.0, 1e200]], [1], [1e300, 1.2345e-20]), [1.2345e-120], rtol=1e-14
    )
    np.testing.assert_allclose(fg.margins([[1e300, 1e300]], [1], [1e300, 1e300]), [2**0.5 * 1e300])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (17, 3), (33, 16), (9, 17), (40, 100)])
def test_accurate_margins_have_twice_the_digits(n, d, dtype):
    """Sums that cancel to nearly nothing, against fractions and the bound that is promised."""
    rng = np.random.default_rng([n, d])
    X = rng.normal(size=(n, d)).astype(dtype)
    y = rng.choice([-1.0, 1.0], size=n)
    w = rng.normal(size=d)
    w[-1] = -(X[0, :-1].astype(float) @ w[:-1]) / X[0, -1]
    b = float(rng.normal() * 1e-12)
    got = _core.Problem(X, y, True).accurate_margins(w, b, 1)
    gamma = (d + 2) * 2.0**-53 / (1 - (d + 2) * 2.0**-53)
    for i in range(n):
        terms = [Fraction(float(u)) * Fraction(float(v)) for u, v in zip(X[i], w, strict=True)]
        exact = int(y[i]) * (sum(terms, Fraction(b)))
        size = sum(map(abs, terms), abs(Fraction(b)))
        assert abs(Fraction(got[i]) - exact) <= 2.0**-53 * abs(exact) + gamma**2 * float(size)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 17), (8, 8), (13, 5), (40, 33)])
def test_accurate_products_of_either_order(n, d, order):
    """Against fractions, with sums that cancel to nearly nothing."""
    rng = np.random.default_rng([n, d])
    A = np.asarray(rng.normal(size=(n, d)), order=order)
    v = rng.normal(size=d)
    v[-1] = -(A[0, :-1] @ v[:-1]) / A[0, -1]
    gamma = (d + 2) * 2.0**-53 / (1 - (d + 2) * 2.0**-53)
    for row, got in zip(A, _core.accurate_product(A, v), strict=True):
        terms = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(row, v, strict=True)]
        exact = sum(terms, Fraction(0))
        error = 2.0**-53 * abs(exact) + gamma**2 * float(sum(map(abs, terms)))
        assert abs(Fraction(float(got)) - exact) <= error


def test_accurate_products_of_other_arrays_are_refused():
    with pytest.raises(ValueError, match="contiguous"):
        _core.accurate_product(np.ones((4, 6))[:, ::2], np.ones(3))
    with pytest.raises(ValueError, match="one entry a column"):
        _core.accurate_product(np.ones((4, 6)), np.ones(3))


def test_accurate_margins_do_not_depend_on_threads():
    X, y = problem(20_000, 17)
    w, b = point(17)
    data = _core.Problem(X, y, True)
    expected = data.accurate_margins(w, b, 1)
    np.testing.assert_allclose(expected, reference.margins(X, y, w, b), atol=1e-13)
    np.testing.assert_array_equal(data.accurate_margins(w, b, 3), expected)
