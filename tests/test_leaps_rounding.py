"""Leaps where rounding errors become motion, where the motion turns suddenly, at all scales."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

import fastgrok as fg
from fastgrok.geometry._null_space import exact_null_space
from leaps import difference

HALVES = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2.0
RTOL = 1e-8


def indicator_beside_noise(seed, rows, columns, flagged):
    """Noise that cannot be separated, and an indicator that only rows of class +1 have."""
    rng = np.random.default_rng(seed)
    noise = np.round(rng.normal(size=(rows, columns)) * 2**20) / 2**20
    y = rng.choice([-1.0, 1.0], size=rows)
    indicator = np.zeros(rows)
    indicator[np.flatnonzero(y > 0)[:flagged]] = 1.0
    return noise, indicator, y


@pytest.mark.parametrize("steps", [1e12, 1e14, 1e20, 1e30, 1e60])
@pytest.mark.parametrize(("rows", "columns", "flagged"), [(100, 3, 1), (1000, 2, 5), (300, 20, 2)])
def test_an_indicator_coded_by_signs_beside_an_intercept(steps, rows, columns, flagged):
    """Both codings span the same: along columns of 0 and sqrt(2) the slow direction is an axis."""
    noise, indicator, y = indicator_beside_noise(rows, rows, columns, flagged)
    root = np.sqrt(2.0)
    axes = np.column_stack([noise, root * indicator, root * (1 - indicator)])
    options = {"steps": steps, "lr": 0.5, "record": [steps], "exact_limit": 2e4}
    right = fg.train(axes, y, bias=False, rtol=1e-10, **options).w
    run = fg.train(np.column_stack([noise, 2 * indicator - 1]), y, **options)
    a, b = right[-2:] / root
    expected = np.append(right[:-2], [a - b, a + b])
    assert difference(np.append(run.w, run.bias_final), expected) <= RTOL
    (leap,) = [leap for leap in run.engine.leaps if leap.last == steps]
    assert leap.rounding <= leap.error <= RTOL


@pytest.mark.parametrize("steps", [1e10, 1e16, 1e24, 1e30])
def test_a_slow_direction_that_is_no_axis_in_closed_form(steps):
    """
    Pairs of opposite rows hold three directions at 0; one row moves along the fourth, and turns.

    Its margin x -> x + c / (1 + e^x) makes x + e^x grow by c a step, but for terms that are no more
    than about log(steps) c / steps of it.
    """
    rng = np.random.default_rng(3)
    pairs = np.round(rng.normal(size=(40, 3)) * 2**12) / 2**12
    rows = np.zeros((81, 4))
    rows[:40, :3], rows[40:80, :3], rows[80, 3] = pairs, -pairs, 1.0
    run = fg.train(
        rows @ HALVES, np.ones(81), steps=steps, lr=2.0**-6, reduction="sum", bias=False,
        record=[steps], engine="leap",
    )  # fmt: skip
    w = HALVES @ run.w
    with mpmath.workdps(60):
        total = 1 + mpmath.mpf(2) ** -6 * mpmath.mpf(steps)
        x = mpmath.findroot(lambda x: x + mpmath.exp(x) - total, mpmath.log(total))
    assert w[3] == pytest.approx(float(x), rel=2e-8 if steps > 1e10 else 1e-7)
    assert np.abs(w[:3]).max() <= RTOL * w[3]


@pytest.mark.parametrize("short", [2.0**-8, 2.0**-20])
@pytest.mark.parametrize("both", [True, False])
def test_separated_directions_much_shorter_than_the_rows(short, both):
    """Late the margins along them grow by 1 for each factor e of the step number, up to 1/k."""
    rng = np.random.default_rng(7)
    rows = np.zeros((20, 4))
    rows[:, :2] = np.round(rng.normal(size=(20, 2)) * 2**14) / 2**14
    y = np.where(rng.random(20) < 0.5, -1.0, 1.0)
    y[:4] = 1.0
    rows[:2, 3], rows[2:4, 2] = short, both
    record = np.array([1e26, 1e28, 1e30])
    run = fg.train(
        rows @ HALVES, y, steps=1e30, lr=0.5, bias=False, record=record, keep_weights=True,
        engine="leap",
    )  # fmt: skip
    along = run.weights[:, :4] @ HALVES
    assert np.diff(along[:, 3]) * short == pytest.approx(np.log(100), rel=1e-6)
    assert np.diff(along[:, 2]) == pytest.approx(both * np.log(100), rel=1e-6, abs=1e-5)
    # Nothing else moves any more.
    assert np.abs(np.diff(along[:, :2], axis=0)).max() <= RTOL * np.linalg.norm(along[0])


def test_a_column_that_is_the_sum_of_another_and_a_flag():
    rng = np.random.default_rng(1)
    columns = np.round(300 * rng.normal(size=(100, 2)), 2)
    y = np.where(rng.random(100) < 0.5, -1.0, 1.0)
    y[:2] = 1.0
    flag = np.zeros(100)
    flag[:2] = 1.0
    X = np.column_stack([columns, columns[:, 0] + flag])
    record = np.array([1e14, 1e18, 1e22])
    run = fg.train(
        X, y, steps=1e22, lr=fg.stable_lr(X, y) / 2, record=record, keep_weights=True,
        engine="leap",
    )  # fmt: skip
    # What the total's weight gains its part's loses, and the flagged rows' margins grow by it.
    assert np.diff(run.weights[:, 2]) == pytest.approx(np.log(1e4), rel=1e-5)
    assert np.diff(run.weights[:, 0]) == pytest.approx(-np.log(1e4), rel=1e-5)


def test_directions_orthogonal_to_all_rows_are_exact():
    rng = np.random.default_rng(0)
    rows = rng.integers(-9, 10, size=(40, 3)).astype(float) * 2.0 ** rng.integers(-40, 40, (40, 1))
    turned = rows @ np.array([[1, 2, 0, -1, 3], [0, 1, 1, 1, -2], [2, 0, -1, 4, 1]], dtype=float)
    null = exact_null_space(turned).basis
    assert null.shape == (2, 5)
    assert np.allclose(null @ null.T, np.eye(2), rtol=0, atol=1e-14)
    for row in turned[:5]:
        for direction in null:
            size = sum(abs(Fraction(a) * Fraction(b)) for a, b in zip(row, direction, strict=True))
            product = sum(Fraction(a) * Fraction(b) for a, b in zip(row, direction, strict=True))
            assert abs(product) <= Fraction(1e-15) * size
    off = np.vstack([turned, turned[0] * (1 + 2.0**-52 * np.arange(5))])
    assert exact_null_space(off).basis.shape[0] < 2  # one last bit
    assert exact_null_space(np.eye(5)).basis.shape == (0, 5)
    assert np.array_equal(exact_null_space(np.zeros((3, 5))).basis, np.eye(5))


def long_loop(X, y, rate, w, b, bias, steps):
    """Every step in long double; the parameters at `steps`."""
    rows = y[:, None] * np.column_stack([X, np.full(len(y), float(bias))]).astype(np.longdouble)
    at = y[:, None] * np.column_stack([X, np.ones(len(y))]).astype(np.longdouble)
    u = np.append(w, b).astype(np.longdouble)
    out, k = [], 0
    for step in steps:
        while k < step:
            u = u + rate * ((0.5 - 0.5 * np.tanh(0.5 * (at @ u))) @ rows)
            k += 1
        out.append(u)
    return np.array(out, dtype=float)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_become_active_between_records(seed):
    """From afar a row pulls evenly, and then within some steps no more: here by the bias alone."""
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 8)), int(rng.integers(1, 4))
    X, y = rng.normal(size=(rows, columns)), rng.choice([-1.0, 1.0], size=rows)
    rate = float(10.0 ** rng.uniform(-1.5, 0.0)) / np.sum(X**2)
    b = float(rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(1.0, 2.3))
    record = np.unique(np.geomspace(259, 12_000, 300).astype(int))
    run = fg.train(
        X, y, steps=12_000, lr=rate, reduction="sum", bias=False, b0=b, record=record,
        keep_weights=True,
    )  # fmt: skip
    right = long_loop(X, y, np.longdouble(rate), np.zeros(columns), b, False, run.steps)
    errors = difference(run.weights, right)
    assert errors.max() <= RTOL
    claimed = max(
        (max(leap.error, leap.overlap_difference) for leap in run.engine.leaps), default=1
    )
    assert errors.max() <= max(2 * claimed, 1e-12)
    assert np.array_equal(run.b, np.full(run.steps.size, b))


@pytest.mark.parametrize("scale", [1e-170, 1e-158, 1e-120, 1.0, 1e120, 1e150])
def test_weights_whose_squares_leave_float64(scale):
    """Rows times a number, and rates that make the margins the same: weights divided by it."""
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(20, 3)), rng.choice([-1.0, 1.0], size=20)
    rate = Fraction(1, 64) / Fraction(scale) ** 2
    if not 1e-300 < rate < 1e300:
        rate = Fraction(1e300) if rate > 1 else Fraction(1e-300)
    lr = float(rate)
    run = fg.train(X * scale, y, steps=20_000, lr=lr, bias=False, keep_weights=True)
    exact = fg.train(
        X * scale, y, steps=20_000, lr=lr, bias=False, keep_weights=True, engine="exact"
    )
    size = np.abs(exact.weights).max(axis=1, keepdims=True)
    size[size == 0] = 1.0
    ours, right = run.weights / size, exact.weights / size
    far = np.linalg.norm(ours - right, axis=1) / np.maximum(np.linalg.norm(right, axis=1), 1e-300)
    assert far[1:].max() <= RTOL
    assert run.engine.leaps
    assert np.array_equal(run.regime, exact.regime)


def test_rest_is_no_oscillation():
    """Where rounding errors alone move the weights to and fro the run is at rest."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.choice([-1.0, 1.0], size=40)
    lr = fg.stable_lr(X, y) / 2
    exact = fg.train(X, y, steps=20_000, lr=lr, engine="exact")
    assert (exact.regime == "smooth").all()
    far = fg.train(X, y, steps=1e30, lr=lr, exact_limit=2e4)
    assert far.engine.leaps[-1].converged
    assert np.allclose(far.w, exact.w, rtol=1e-9, atol=0)


def test_an_error_just_above_rtol_costs_a_finer_leap_and_not_a_million_steps():
    data = fg.datasets.gaussian_noise(200, 117, sigma=20, seed=3)
    run = fg.train(data.X, data.y, steps=1e8, lr=0.01, exact_limit=1e5, watch_sharpness=False)
    assert run.engine.exact_steps < 20_000
    assert run.engine.leaps[-1].last == 1e8
    assert run.engine.leaps[-1].error <= RTOL


def test_a_slow_separated_direction_below_the_rounding_of_the_gradient():
    """
    One row is 2^-7 off the plane of all others, at a margin at which its slope is 1e-16.

    Sums and differences of the columns are exact, and twice as long: the same descent at half the
    rate, where the direction is an axis along which nothing else has a gradient.
    """
    plane = np.array([
        [8326, 2417], [5024, -3501], [-6113, 8840], [-362, -10395], [-3566, -1941], [-9559, -3608],
        [3779, -7131], [7879, 240], [-4391, 3780], [-2283, -639], [9459, 2563],
    ])  # fmt: skip
    plane[0] = 16652, -4833  # so that it is far
    along = np.zeros_like(plane)
    along[0] = 128, -128
    X = np.column_stack([plane + along, plane - along]) / 2.0**15
    y = np.array([1.0, 1, -1, 1, 1, 1, 1, 1, -1, -1, -1])
    settings = {"bias": False, "steps": 134872179304803, "record": [134872179304803]}
    run = fg.train(X, y, lr=2.17, rtol=1e-7, **settings)
    sums = np.column_stack([X[:, :2] + X[:, 2:], X[:, :2] - X[:, 2:]])
    axes = fg.train(sums, y, lr=1.085, rtol=1e-10, **settings).w
    right = np.concatenate([axes[:2] + axes[2:], axes[:2] - axes[2:]])
    assert np.abs(axes[2:]).max() > 1e-3
    assert np.linalg.norm(run.w - right) <= 1e-7 * np.linalg.norm(right)
