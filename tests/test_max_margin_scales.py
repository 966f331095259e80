"""Maximum margins far from 1: tiny and huge rows, mixed units, a far origin, held in fractions."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import fastgrok as fg
from geometry_cases import assert_certificate, hard_margin, squared_bounds

BIASES = ("none", "penalized", "free")
# At 1e-14 of these the gap was 0.15, without a word.
X = np.array([[-0.1, -0.3], [1.4, 0.9], [0.1, 0.7], [1.4, 0.4]])
Y = np.array([-1.0, 1.0, 1.0, 1.0])
ONE_CLASS = np.array([[2.0, 0.5], [3.0, -1.0], [1.5, 4.0], [1.0, -0.75]])


def exact_gap(X, y, found):
    low, high = squared_bounds(X, y, found)
    return float(1 - low / high)


def assert_close(found, exact, rtol):
    for got, value in zip([*found.w, found.b], exact, strict=True):
        assert abs(Fraction(float(got)) - value) <= Fraction(rtol) * abs(value)


@pytest.mark.parametrize("scale", [1e-6, 1e-11, 1e-14, 1e-16, 1e-60, 1e-140, 1e8, 1e75, 1e120])
def test_a_penalized_bias_beside_rows_of_any_size(scale):
    found = fg.max_margin(X * scale, Y, bias="penalized")
    assert_close(found, hard_margin(X * scale, Y, "penalized"), 1e-12)
    assert exact_gap(X * scale, Y, found) <= found.gap <= 1e-10
    if scale <= 1e-14:  # the bias costs nothing beside the weights
        free = fg.max_margin(X * scale, Y, bias="free")
        np.testing.assert_allclose(found.w, free.w, rtol=1e-12)
        assert found.b == pytest.approx(free.b, rel=1e-12)


def test_rows_as_small_as_those_that_were_refused():
    """Separable, but an error said that no margin was found."""
    rng = np.random.default_rng(14)
    rows = np.round(rng.normal(size=(3, 2)), 1) * 1e-16
    y = np.where(rows[:, 0] > 0, 1.0, -1.0)
    found = fg.max_margin(rows, y, bias="penalized")
    assert_close(found, hard_margin(rows, y, "penalized"), 1e-12)


@pytest.mark.parametrize("scale", [1e-2, 1e-4, 1e-8, 1e-12, 1e-16, 1e-100, 1e-300, 1.0, 1e100])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_one_class_of_any_size(scale, sign):
    """|w| = M / (1 + M^2), however small beside b = 1 / (1 + M^2)."""
    y = np.full(len(ONE_CLASS), sign)
    found = fg.max_margin(ONE_CLASS * scale, y, bias="penalized")
    exact = hard_margin(ONE_CLASS * scale, y, "penalized")
    assert_close(found, exact, 1e-12)
    size = np.linalg.norm([float(v / exact[0]) for v in exact[:-1]])
    assert found.margin == pytest.approx(float(1 / abs(exact[0])) / size, rel=1e-12)
    assert exact_gap(ONE_CLASS * scale, y, found) <= found.gap <= 1e-10


@st.composite
def scaled_sets(draw):
    n, d = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    rows = np.array([[draw(st.integers(-9, 9)) for _ in range(d)] for _ in range(n)], dtype=float)
    y = np.array([draw(st.sampled_from([-1.0, 1.0])) for _ in range(n)])
    powers = st.integers(-8, 8)
    kind = draw(st.sampled_from(["columns", "rows", "all", "origin"]))
    if kind == "columns":
        rows *= 10.0 ** np.array([draw(powers) for _ in range(d)])
    elif kind == "rows":
        rows *= 10.0 ** np.array([[draw(powers)] for _ in range(n)])
    elif kind == "all":
        rows *= 10.0 ** draw(st.integers(-30, 30))
    else:
        rows += 10.0 ** draw(st.integers(0, 7))
    return rows, y


@pytest.mark.parametrize("bias", BIASES)
@given(data=scaled_sets())
def test_the_gap_is_an_upper_bound(bias, data):
    """And where it is not below tol, that is said."""
    rows, y = data
    assume(bias != "free" or len(set(y)) == 2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = fg.max_margin(rows, y, bias=bias)
        except fg.NotSeparableError:
            assert hard_margin(rows, y, bias) is None
            return
        except fg.FastgrokError:
            return
    assert bool(said) == (found.gap > 1e-10)
    if found.w.any():  # else it is proved without rounding, and the dual is of that proof
        assert exact_gap(rows, y, found) <= found.gap * (1 + 1e-9) + 1e-16


@pytest.mark.parametrize(
    ("powers", "rows", "y"),
    [
        ([5, 148], [[-3, -3, 0, -1, 1], [2, -2, 0, 2, -3]], [-1, -1]),
        ([24, 37, 149], [[2, -3, 0], [-1, -1, 1], [-1, -3, -3]], [1, 1, 1]),
        (
            [-108, 108, 140, 95, 135, -33, 29, 2, 102],
            [
                [3, -3, 3, 0, -3], [1, 1, 0, 1, 3], [0, -1, 3, 3, -2], [-1, -2, 1, -1, -2],
                [3, 3, 1, -1, -2], [-3, -2, 3, 1, 1], [1, -2, 3, 0, 1], [3, 1, 2, 1, 0],
                [-1, 3, 3, 0, -1],
            ],
            [-1, 1, 1, 1, -1, 1, 1, -1, 1],
        ),
        (
            [5, 31, -147, 50, -125, 23, 89, 33, 149, -51],
            [
                [-3, -3, 0, -1, 1], [3, 1, -1, 1, 1], [0, -1, 0, -3, 3], [2, -3, -1, -2, -2],
                [-3, 2, 0, 2, -2], [-3, -1, -2, 3, 1], [2, -1, -3, -1, 3], [-3, -1, 0, 0, 1],
                [2, -2, 0, 2, -3], [-2, -2, -1, -2, 2],
            ],
            [-1, -1, 1, 1, -1, -1, -1, 1, -1, 1],
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bias", BIASES)
def test_rows_of_all_lengths_at_once(powers, rows, y, bias):
    """A solution with a gap that holds, or a verdict with proof and no other error."""
    rows, y = np.array(rows) * 10.0 ** np.array(powers)[:, None], np.array(y, dtype=float)
    verdict = fg.separability(rows, y, bias=bias != "none")
    assert_certificate(rows, y, bias != "none", verdict)
    if not verdict.separable:
        with pytest.raises(fg.NotSeparableError):
            fg.max_margin(rows, y, bias=bias)
    elif bias != "free" or len(set(y)) == 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a gap above tol
            try:
                found = fg.max_margin(rows, y, bias=bias)
            except fg.FastgrokError:
                return
        assert exact_gap(rows, y, found) <= found.gap * (1 + 1e-9) + 1e-16


def test_a_gap_above_tol_is_said():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(30, 2))
    y = np.where(rows[:, 0] + 0.1 > 0, 1.0, -1.0)
    for bias in ("penalized", "free"):
        with pytest.warns(UserWarning, match=r"duality gap is .*, not below tol=1e-10"):
            found = fg.max_margin(rows + 1e7, y, bias=bias)
        assert exact_gap(rows + 1e7, y, found) <= found.gap
        near = fg.max_margin(rows + 1e4, y, bias=bias)
        assert exact_gap(rows + 1e4, y, near) <= near.gap <= 1e-10


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (np.zeros(3), r"got ndarray of shape \(3,\)"),
        ([[1.0, 2.0], 0.0], "got list"),
        ((np.zeros(2),), "got a tuple of length 1"),
    ],
)
def test_how_a_start_is_given(start, words):
    with pytest.raises(TypeError, match=r"a tuple \(w, b\) of 2 weights and a number, " + words):
        fg.max_margin(X, Y, start=start)
