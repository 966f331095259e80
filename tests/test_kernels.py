"""The core's functions and its passes over the data, against mpmath and NumPy."""

import functools
import io
import math
import sys

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from cases import LENGTHS, MOST_CHUNKS, SEVERAL_CHUNKS, point, problem, python
from fastgrok import _core

EPS = float(np.finfo(np.float64).eps)
FUNCTIONS = ("exp", "softplus", "sigmoid")
ULPS = 2.0


def exact_value(name, x):
    """f(x) to about 40 digits, however small."""
    with mpmath.workdps(40):
        x = mpmath.mpf(x)
        if name == "exp":
            return mpmath.exp(x)
        if name == "softplus":
            return mpmath.log1p(mpmath.exp(x)) if x < 1000 else x
        return 1 / (1 + mpmath.exp(-x))


def error_in_ulps(got, exact):
    """|got - exact| in units in the last place of exact; 2**1024 stands for infinity."""
    with mpmath.workdps(60):
        infinity = mpmath.mpf(2) ** 1024
        exact = min(exact, infinity)
        exponent = mpmath.frexp(exact)[1] - 1 if exact else -1074
        ulp = mpmath.mpf(2) ** max(min(exponent, 1023) - 52, -1074)
        return float(abs((infinity if math.isinf(got) else mpmath.mpf(got)) - exact) / ulp)


@functools.cache
def grid():
    """Arguments over the whole range and crowded where something changes."""
    rng = np.random.default_rng(7)
    edges = [math.log(sys.float_info.max), math.log(sys.float_info.min), -745.1332191019411]
    edges += [math.log(math.sqrt(2.0) - 1.0), -36.7368005696771, -37.42994775023705, 746.0]
    edges += [(k + 0.5) * math.log(2.0) for k in (-1075, -1000, -37, -1, 0, 1, 52, 53, 1000)]
    near = np.array(edges) * (1 + EPS * np.arange(-4.0, 5.0)[:, None])
    parts = [
        near.ravel(),
        -near.ravel(),
        rng.uniform(-760.0, 760.0, 600),
        rng.uniform(-745.2, -708.0, 200),
        rng.uniform(-40.0, 40.0, 600),
        rng.uniform(-1.0, 1.0, 400),
        rng.choice([-1.0, 1.0], 300) * 10.0 ** rng.uniform(-322.0, 3.0, 300),
        [0.0, -0.0, 5e-324, -5e-324, sys.float_info.min, sys.float_info.max, -sys.float_info.max],
        [math.inf, -math.inf, math.nan],
    ]
    return np.concatenate(parts)


@functools.cache
def exact_grid(name):
    return [exact_value(name, x) for x in grid() if math.isfinite(x)]


@functools.cache
def computed_on(simd):
    """Run the three functions on the grid in a process with that instruction set."""
    code = (
        "import sys, numpy as np; from fastgrok import _core; from test_kernels import grid\n"
        "values = {name: getattr(_core, name)(grid()) for name in ('exp', 'softplus', 'sigmoid')}\n"
        "np.savez(sys.stdout.buffer, simd=_core.simd(), **values)"
    )
    child = python(code, FASTGROK_SIMD=simd, text=False)
    assert child.returncode == 0, child.stderr
    return dict(np.load(io.BytesIO(child.stdout)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("simd", _core.simd_available())
def test_functions_on_every_instruction_set(simd, name):
    results = computed_on(simd)
    assert str(results["simd"]) == simd
    finite = np.isfinite(grid())
    errors = [
        error_in_ulps(got, exact)
        for got, exact in zip(results[name][finite], exact_grid(name), strict=True)
    ]
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULPS, (grid()[finite][worst], errors[worst])
    at = {
        "exp": (math.inf, 0.0),
        "softplus": (math.inf, 0.0),
        "sigmoid": (1.0, 0.0),
    }[name]
    assert results[name][grid() == math.inf] == at[0]
    assert results[name][grid() == -math.inf] == at[1]
    assert np.all(np.isnan(results[name]) == np.isnan(grid()))
    assert not np.signbit(results[name][~np.isnan(grid())]).any()


@given(x=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40))
def test_functions_anywhere(x):
    for name in FUNCTIONS:
        for got, value in zip(getattr(_core, name)(np.array(x)), x, strict=True):
            assert error_in_ulps(got, exact_value(name, value)) <= ULPS, (name, value)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("length", [0, *LENGTHS])
def test_functions_do_not_depend_on_the_place_in_the_array(name, length):
    function = getattr(_core, name)
    x = np.random.default_rng(length).normal(scale=5.0, size=length)
    one_by_one = [function(x[i : i + 1])[0] for i in range(length)]
    np.testing.assert_array_equal(function(x), np.array(one_by_one, dtype=float), strict=True)


@pytest.mark.parametrize(
    "wrong", [np.arange(3), np.ones(3, np.float32), [1.0, 2.0], 1.0, np.ones(3, complex), None]
)
def test_functions_convert_nothing_silently(wrong):
    with pytest.raises(TypeError):
        _core.exp(wrong)


# --- passes over the data ---------------------------------------------------------------------


def check_passes(X, y, w, b, *, bias=True, align=True, tolerance=64 * EPS):
    """Margins, losses, counts, gradient and curvature of one problem against NumPy."""
    core = _core.Problem(X, y, bias, align)
    assert (core.rows, core.cols, core.bias) == (*X.shape, bias)
    X64 = X.astype(np.float64)
    size = np.abs(X64) @ np.abs(w) + abs(b)
    m = reference.margins(X, y, w, b)
    rounding = EPS * (X.shape[1] + 2) * size
    assert np.all(np.abs(core.margins(w, b, 1) - m) <= 2 * rounding)
    for loss in reference.LOSSES:
        # A margin's rounding moves the exponential by as much, relatively.
        relative = tolerance + 2 * float(rounding.max())
        values = reference.loss_value(m, loss)
        for tie in ("wrong", "negative"):
            total, right = core.evaluate(w, b, loss, tie == "negative", 1)
            assert total == pytest.approx(values.sum(), rel=relative)
            assert right == reference.correct(X, y, w, b, tie)
        g, g_b = core.gradient(w, b, loss, 1)
        expected, expected_b = reference.gradient(X, y, w, b, loss, bias)
        terms = reference.gradient_scale(X, y, w, b, loss)
        assert g.shape == w.shape
        assert np.abs(g - expected).max() <= relative * terms
        assert abs(g_b - expected_b) <= relative * terms
        assert bias or g_b == 0.0
        rough = 1e-9 if X.shape[1] <= 16 else 1e-3
        assert core.curvature(w, b, loss, 1) == pytest.approx(
            reference.curvature(X, y, w, b, loss, bias), rel=rough
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", LENGTHS)
def test_passes_around_lane_widths(d, dtype):
    for n in LENGTHS:
        X, y = problem(n, d)
        check_passes(X.astype(dtype), y, *point(d), bias=n % 2 == 1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [*SEVERAL_CHUNKS[:-1], MOST_CHUNKS])
def test_passes_over_several_chunks(n, d, dtype):
    X, y = problem(n, d)
    check_passes(X.astype(dtype), y, *point(d), tolerance=1e-13)


def test_pass_over_few_long_rows():
    X, y = problem(5, 30_000)
    w, b = point(30_000)
    core = _core.Problem(X, y, True)
    g, g_b = core.gradient(w, b, "logistic", 2)
    expected, expected_b = reference.gradient(X, y, w, b, "logistic")
    np.testing.assert_allclose(g, expected, rtol=1e-12, atol=1e-14)
    assert g_b == pytest.approx(expected_b, rel=1e-12)


@given(
    n=st.integers(1, 70),
    d=st.one_of(st.integers(1, 40), st.sampled_from([160, 161, 163, 511, 515])),
    seed=st.integers(0, 2**32),
    spread=st.sampled_from([1e-300, 1e-3, 1.0, 30.0]),
    bias=st.booleans(),
    align=st.booleans(),
)
def test_passes_on_any_problem(n, d, seed, spread, bias, align):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    y = rng.choice([-1.0, 1.0], size=n)
    w = rng.normal(size=d) * spread / np.sqrt(d)
    check_passes(X, y, w, float(rng.normal()) * spread, bias=bias, align=align)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [17, 24, 31, 32, 33, 100, 128, 161, 500, 512, 515])
def test_rows_copied_to_begin_at_cache_lines_give_the_same_bits(d, dtype):
    X, y = problem(150, d)
    X = X.astype(dtype)
    w, b = point(d)
    copied, given = (_core.Problem(X, y, True, align) for align in (True, False))
    np.testing.assert_array_equal(copied.margins(w, b, 1), given.margins(w, b, 1))
    for loss in reference.LOSSES:
        for one, other in zip(
            copied.gradient(w, b, loss, 1), given.gradient(w, b, loss, 1), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        assert copied.curvature(w, b, loss, 1) == given.curvature(w, b, loss, 1)


@pytest.mark.parametrize(
    ("n", "d", "dtype"),
    [(2_100, 1_003, np.float64), (41_000, 52, np.float64), (4_203, 1_001, np.float32)],
)
def test_passes_over_more_rows_than_caches_hold(n, d, dtype):
    X, y = problem(n, d)
    X = X.astype(dtype)
    w, b = point(d)
    core = _core.Problem(X, y, True)
    np.testing.assert_allclose(
        core.margins(w, b, 1), reference.margins(X, y, w, b), rtol=0, atol=1e-12
    )
    for loss in reference.LOSSES:
        g, g_b = core.gradient(w, b, loss, 1)
        expected, expected_b = reference.gradient(X, y, w, b, loss)
        allowed = 1e-12 * reference.gradient_scale(X, y, w, b, loss)
        assert np.abs(g - expected).max() <= allowed
        assert abs(g_b - expected_b) <= allowed


def rows_with_margins(m):
    """One column, weight 1, no bias: row i has margin m[i]."""
    return np.array(m)[:, None], np.ones(len(m)), np.ones(1), 0.0


@pytest.mark.parametrize("repeat", [1, 17])
def test_extreme_margins(repeat):
    values = [
        1e4,
        -1e4,
        745.0,
        740.0,
        710.0,
        709.0,
        708.0,
        707.5,
        37.0,
        1e-300,
        -1e-300,
        5e-324,
        0.0,
        -0.0,
        -700.0,
    ]
    for m in values:
        X, y, w, b = rows_with_margins([m] * repeat)
        for columns in (1, 17):  # both ways of sweeping the rows
            wide = np.pad(X, ((0, 0), (0, columns - 1)))
            core = _core.Problem(wide, y, True)
            weights = np.pad(w, (0, columns - 1))
            total, right = core.evaluate(weights, b, "logistic", False, 1)
            assert right == (repeat if m > 0 else 0)
            exact = repeat * exact_value("softplus", -m)
            # Each term is off by 2 ulps at most, which among denormals is an absolute error.
            assert abs(total - float(exact)) <= 8 * EPS * float(exact) + 2 * repeat * 5e-324
            slope = repeat * exact_value("sigmoid", -m)
            g, g_b = core.gradient(weights, b, "logistic", 1)
            # A weight off by its last place moves the slope by m times as much. The slope may be 0
            # where it would be denormal.
            relative = (8 + 2 * abs(m)) * EPS
            lost = 2 * repeat * sys.float_info.min if m > 708 else 0.0
            assert abs(-g_b - float(slope)) <= relative * float(slope) + lost
            product = float(slope * mpmath.mpf(m))
            lost = lost * abs(m) + repeat * 5e-324
            assert abs(-g[0] - product) <= relative * abs(product) + lost


def test_the_exponential_loss_overflows_to_infinity():
    X, y, w, b = rows_with_margins([-1e4, 1.0])
    assert _core.Problem(X, y, True).evaluate(w, b, "exponential", False, 1) == (math.inf, 1)


@pytest.mark.parametrize("d", [3, 20])
def test_not_a_number_survives(d):
    X, y = problem(40, d)
    w, b = point(d)
    w[0] = math.nan
    core = _core.Problem(X, y, True)
    assert np.isnan(core.margins(w, b, 1)).all()
    total, right = core.evaluate(w, b, "logistic", True, 1)
    assert math.isnan(total)
    assert right == 0
    assert np.isnan(core.gradient(w, b, "logistic", 1)[0]).all()


class TestCoreRefuses:
    """Whatever would read or write the wrong memory."""

    X, y = problem(6, 3)
    w = np.zeros(3)

    @pytest.mark.parametrize(
        ("X", "y"),
        [
            (X[:, 0], y),
            (X, y[:-1]),
            (X, y[:, None]),
            (X.astype(int), y),
            (X.T, y),
            (X[::2], y[:3]),
            (np.empty((0, 3)), np.empty(0)),
            (np.empty((6, 0)), y),
            (X, y.astype(int)),
            (X.astype(X.dtype.newbyteorder()), y),
            (X.tolist(), y),
            (None, y),
        ],
    )
    def test_data(self, X, y):
        with pytest.raises((TypeError, ValueError)):
            _core.Problem(X, y, True)

    @pytest.mark.parametrize("w", [np.zeros(2), np.zeros(4), np.zeros((3, 1)), [0.0, 0.0, 0.0]])
    def test_weights(self, w):
        core = _core.Problem(self.X, self.y, True)
        with pytest.raises((TypeError, ValueError)):
            core.margins(w, 0.0, 1)
        with pytest.raises((TypeError, ValueError)):
            core.gradient(w, 0.0, "logistic", 1)

    def test_names(self):
        core = _core.Problem(self.X, self.y, True)
        with pytest.raises(ValueError, match="perceptron"):
            core.gradient(self.w, 0.0, "perceptron", 1)

    @pytest.mark.parametrize("records", [np.array([[0.0, 1.0]]), "steps", None])
    def test_records(self, records):
        core = _core.Problem(self.X, self.y, True)
        with pytest.raises((TypeError, ValueError)):
            _core.Descent(
                core,
                [],
                records,
                loss="logistic",
                scale=1.0,
                lr=0.1,
                w=self.w,
                b=0.0,
                tie_negative=False,
                keep_weights=False,
                watch_sharpness=False,
                threads=1,
            )


def test_the_data_live_as_long_as_the_problem():
    core = _core.Problem(*problem(50, 40), True)
    np.full((50, 40), np.nan)  # would reuse the memory if it were free
    X, y = problem(50, 40)
    w, b = point(40)
    np.testing.assert_array_equal(core.margins(w, b, 1), _core.Problem(X, y, True).margins(w, b, 1))
