"""Maximum margins against exact KKT solutions, closed forms and other solvers."""

import contextlib
import math
import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

import fastgrok as fg
from cases import layouts
from fastgrok.geometry._dual_bound import dual_bound
from geometry_cases import assert_certificate, hard_margin, small_sets

BIASES = ("none", "penalized", "free")
WHERE = {"interior": "in the interior", "boundary": "on the boundary"}


def assert_optimal(X, y, bias, found, tol=1e-10):
    """Feasible, with a dual that proves the margin; everything recomputed from the arrays."""
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    margins = y * (X @ found.w + found.b)
    theta = np.append(found.w, found.b) if bias == "penalized" else found.w
    Z = np.column_stack([X, np.ones(len(y))]) if bias == "penalized" else X
    size = max(1.0, np.linalg.norm(theta) * np.linalg.norm(Z, axis=1).max())
    rounding = 1e-14 * size
    assert margins.min() >= 1 - tol - rounding
    assert found.dual.shape == (len(y),)
    assert np.all(found.dual >= 0)
    np.testing.assert_allclose(
        (found.dual * y) @ Z, theta, atol=1e-8 * np.linalg.norm(theta) + 1e-300
    )
    if bias == "free":
        assert abs(found.dual @ y) <= 1e-9 * found.dual.sum()
    assert found.dual.sum() == pytest.approx(theta @ theta, rel=1e-8)
    assert found.gap <= tol
    assert found.margin == pytest.approx(1 / np.linalg.norm(found.w), rel=1e-9)
    on_margin = margins <= 1 + 1e-12 + rounding
    assert set(np.flatnonzero(found.dual)) <= set(found.support)
    assert set(np.flatnonzero(on_margin)) <= set(found.support)
    assert np.all(margins[found.support] <= 1 + 4 * tol + 100 * rounding)
    if bias == "none":
        assert found.b == 0.0


@pytest.mark.parametrize("bias", BIASES)
@given(data=small_sets(7, (1, 3, 7)))
def test_small_sets_against_exact_kkt_solutions(bias, data):
    X, y = data
    if bias == "free":
        assume(len(set(y)) == 2)
    expected = hard_margin(X, y, bias)
    if expected is None:
        with pytest.raises(fg.NotSeparableError, match="not separable") as error:
            fg.max_margin(X, y, bias=bias)
        assert_certificate(X, y, bias != "none", error.value.certificate)
        return
    theta = np.array([float(v) for v in expected])
    assume(np.linalg.norm(theta) * np.abs(X).max() < 1e12)  # not separable but for rounded thirds
    found = fg.max_margin(X, y, bias=bias)
    got = found.w if bias == "none" else np.append(found.w, found.b)
    assert np.linalg.norm(got - theta) <= 1e-11 * np.linalg.norm(theta)
    if np.linalg.norm(theta[: X.shape[1]]) > 0:
        assert_optimal(X, y, bias, found)


def separable(n, d, bias, seed):
    """Gaussian rows with a gap around a random hyperplane."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    w = rng.normal(size=d) / np.sqrt(d)
    offset = 0.0 if bias == "none" else 0.3
    y = np.where(X @ w + offset > 0, 1.0, -1.0)
    return X + 0.05 * y[:, None] * w, y


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize(
    ("n", "d"), [(30, 1), (40, 2), (100, 3), (50, 20), (20, 50), (200, 99), (17, 17), (3000, 8)]
)
def test_gaussian_sets_are_optimal(bias, n, d):
    X, y = separable(n, d, bias, seed=n)
    assert_optimal(X, y, bias, fg.max_margin(X, y, bias=bias))


@pytest.mark.parametrize("bias", BIASES)
def test_against_a_general_solver(bias):
    X, y = separable(25, 4, bias, seed=3)
    Z = y[:, None] * (X if bias == "none" else np.column_stack([X, np.ones(25)]))
    penalty = np.ones(Z.shape[1])
    if bias == "free":
        penalty[-1] = 0.0
    found = fg.max_margin(X, y, bias=bias)
    theta = found.w if bias == "none" else np.append(found.w, found.b)
    other = minimize(
        lambda v: 0.5 * v @ (penalty * v),
        theta + 0.1,
        jac=lambda v: penalty * v,
        constraints=LinearConstraint(Z, lb=1.0),
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert other.fun == pytest.approx(0.5 * theta @ (penalty * theta), rel=1e-6)
    np.testing.assert_allclose(theta, other.x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("dim", [2, 32])
def test_planted_cubes(bias, dim):
    """gamma = 1e-3: the solution is (2 / gamma) w_true with bias 0, exactly."""
    data = fg.datasets.margin_cube((500, 500), dim=dim, gamma=1e-3, support=(100, 10), seed=4)
    found = fg.max_margin(data.X, data.y, bias=bias)
    expected = 2 / data.gamma * data.w_true
    assert np.linalg.norm(found.w - expected) <= 1e-8 * np.linalg.norm(expected)
    assert abs(found.b) <= 1e-8
    assert found.margin == pytest.approx(data.gamma / 2, rel=1e-8)
    assert found.gap <= 1e-10
    assert set(data.support) <= set(found.support)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("dim", [2, 32])
def test_cubes_without_planting(bias, dim):
    data = fg.datasets.margin_cube((500, 500), dim=dim, gamma=1e-3, seed=4)
    assert_optimal(data.X, data.y, bias, fg.max_margin(data.X, data.y, bias=bias))


@pytest.mark.parametrize("bias", BIASES)
def test_many_rows_are_worked_on_a_part_at_a_time(bias):
    X, y = separable(40_000, 3, bias, seed=0)
    found = fg.max_margin(X, y, bias=bias)
    assert_optimal(X, y, bias, found)
    theta = (found.w, found.b)
    again = fg.max_margin(X, y, bias=bias, start=theta)
    np.testing.assert_allclose(again.w, found.w, rtol=1e-9)
    # From a bad start, too, which sees other rows first.
    again = fg.max_margin(X, y, bias=bias, start=(-found.w, 5.0))
    np.testing.assert_allclose(again.w, found.w, rtol=1e-9)


@pytest.mark.parametrize("bias", ["none", "penalized"])
def test_near_the_edge_of_separability(bias):
    """As many support vectors as there are dimensions, nearly, and a small margin."""
    hits = 0
    for seed in range(3, 9):
        X = np.random.default_rng(seed).normal(size=(200, 100))
        y = np.where(np.arange(200) % 2 == 0, 1.0, -1.0)
        if fg.separability(X, y, bias=bias == "penalized").separable:
            assert_optimal(X, y, bias, fg.max_margin(X, y, bias=bias))
            hits += 1
            continue
        with pytest.raises(fg.NotSeparableError, match="in the interior"):
            fg.max_margin(X, y, bias=bias)
    assert 0 < hits < 6


def test_descent_ends_in_the_penalized_solution():
    """theta(t) / log t tends to it, and the angle falls like 1 / log t (Soudry et al. 2018)."""
    rng = np.random.default_rng(8)
    X = np.concatenate([rng.normal(size=(15, 2)) + 2.5, rng.normal(size=(10, 2)) - 2.5])
    y = np.repeat([1.0, -1.0], [15, 10])
    found = fg.max_margin(X, y, bias="penalized")
    direction = np.append(found.w, found.b) / np.hypot(np.linalg.norm(found.w), found.b)
    angles = []
    for steps in (10**3, 10**6):
        run = fg.train(X, y, steps=steps, lr=0.1)
        theta = np.append(run.w, run.bias_final)
        angles.append(math.acos(theta @ direction / np.linalg.norm(theta)))
    assert angles[1] < 0.65 * angles[0]


@pytest.mark.parametrize("bias", BIASES)
def test_layouts_and_dtypes_give_the_same_solution(bias):
    X, y = separable(30, 5, bias, seed=2)
    X = X.astype(np.float32)
    expected = fg.max_margin(X.astype(np.float64), y, bias=bias)
    for name, other in layouts(X).items():
        np.testing.assert_array_equal(
            fg.max_margin(other, y.astype(int), bias=bias).w, expected.w, err_msg=name
        )
    np.testing.assert_array_equal(fg.max_margin(X, y, bias=bias, threads=3).w, expected.w)


@pytest.mark.parametrize("bias", ["none", "free"])
@given(power=st.integers(-450, 900))
def test_powers_of_two_scale_through(bias, power):
    X, y = separable(20, 3, bias, seed=1)
    found = fg.max_margin(X, y, bias=bias)
    scaled = fg.max_margin(np.ldexp(X, power), y, bias=bias)
    np.testing.assert_array_equal(scaled.w, np.ldexp(found.w, -power))
    assert scaled.margin == math.ldexp(found.margin, power)
    assert scaled.b == found.b


@given(seed=st.integers(0, 1000))
def test_symmetries(seed):
    X, y = separable(30, 4, "free", seed)
    assume(len(np.unique(y)) == 2)
    rng = np.random.default_rng(seed)
    for bias in ("penalized", "free"):
        found = fg.max_margin(X, y, bias=bias)
        order = rng.permutation(30)
        mirrored = fg.max_margin(-X[order], y[order], bias=bias)
        np.testing.assert_allclose(-mirrored.w, found.w, rtol=1e-9, atol=1e-12)
        assert mirrored.b == pytest.approx(found.b, rel=1e-9, abs=1e-12)
        swapped = fg.max_margin(X, -y, bias=bias)
        np.testing.assert_allclose(-swapped.w, found.w, rtol=1e-9, atol=1e-12)
        doubled = fg.max_margin(np.vstack([X, X]), np.tile(y, 2), bias=bias)
        np.testing.assert_allclose(doubled.w, found.w, rtol=1e-9, atol=1e-12)
        assert len(doubled.support) == 2 * len(found.support)
        Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        np.testing.assert_allclose(fg.max_margin(X @ Q, y, bias=bias).w, found.w @ Q, atol=1e-9)


def test_a_free_bias_does_not_feel_where_the_origin_is():
    X, y = separable(40, 3, "free", seed=6)
    found = fg.max_margin(X, y, bias="free")
    by = np.array([100.0, -50.0, 30.0])
    moved = fg.max_margin(X + by, y, bias="free")
    np.testing.assert_allclose(moved.w, found.w, rtol=1e-9)
    assert moved.b == pytest.approx(found.b - found.w @ by, rel=1e-9)


def test_rows_far_longer_than_the_margin():
    """Margins that float64 holds only because the rows lie along an axis."""
    big = 2.0**60
    for bias in BIASES:
        found = fg.max_margin([[big, 1.0], [-big, 1.0], [big, -1.0]], [1, 1, -1], bias=bias)
        np.testing.assert_allclose(found.w, [0.0, 1.0], atol=1e-30)
        assert found.b == pytest.approx(0.0, abs=1e-15)
        assert found.margin == pytest.approx(1.0, rel=1e-14)
    tiny = 2.0**-40
    found = fg.max_margin([[1.0, tiny], [-1.0, tiny]], [1, 1], bias="none")
    assert found.margin == pytest.approx(tiny, rel=1e-12)


def test_single_points():
    found = fg.max_margin([[3.0, 4.0]], [-1], bias="none")
    np.testing.assert_allclose(found.w, [-0.12, -0.16])
    assert found.margin == pytest.approx(5.0)
    assert found.dual[0] == pytest.approx(1 / 25)
    found = fg.max_margin([[3.0, 4.0]], [1], bias="penalized")
    np.testing.assert_allclose([*found.w, found.b], np.array([3.0, 4.0, 1.0]) / 26)
    # Nothing but the bias: no distance from a hyperplane that is not there.
    found = fg.max_margin([[0.0, 0.0]], [-1], bias="penalized")
    assert found.b == -1.0
    assert found.margin == math.inf


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize(
    "X",
    [
        [[1.0, 2.0], [-1.0, -2.0]],
        [[0.0, 0.0], [1.0, 1.0]],
        [[4.0, 0.0], [-5.0, 1.0], [0.0, 4.0], [2.0, -5.0]],
        np.random.default_rng(0).normal(size=(60, 7)) * 1e3,
    ],
)
def test_one_class_around_the_origin_needs_no_weights(X, sign):
    """Beck et al.: where no half-space holds the points, the bias alone separates."""
    found = fg.max_margin(X, np.full(len(X), sign), bias="penalized")
    assert not found.w.any()
    assert found.b == sign
    assert found.margin == math.inf
    assert found.gap <= 1e-10
    # As little as a margin of 2^-30 from the origin is not nothing.
    away = np.column_stack([X, np.full(len(X), 2.0**-30)])
    found = fg.max_margin(away, np.full(len(X), sign), bias="penalized")
    assert sign * found.w[-1] == pytest.approx(2.0**-30, rel=1e-6)
    assert found.margin == pytest.approx(2.0**30, rel=1e-6)


@pytest.mark.parametrize(
    ("X", "y", "bias", "verdict"),
    [
        ([[0.0, 0.0], [1.0, 1.0]], [1, 1], "none", "boundary"),
        ([[0.0, 0.0], [0.0, 0.0]], [1, -1], "none", "interior"),
        ([[1.0, 2.0], [-1.0, -2.0]], [1, 1], "none", "interior"),
        ([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]], [1, -1, 1], "free", "boundary"),
        ([[1.0, 2.0], [1.0, 2.0]], [1, -1], "penalized", "interior"),
        ([[0.0], [1.0], [2.0]], [1, -1, 1], "free", "interior"),
    ],
)
def test_no_margin(X, y, bias, verdict):
    with pytest.raises(
        fg.NotSeparableError, match=f"{WHERE[verdict]} of the convex hull"
    ) as caught:
        fg.max_margin(X, y, bias=bias)
    certificate = caught.value.certificate
    assert certificate.verdict == verdict
    assert_certificate(X, y, bias != "none", certificate)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.certificate.verdict == verdict
    assert isinstance(caught.value, fg.FastgrokError)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": [[1.0, np.nan]]}, ValueError, r"X must be finite.*X\[0, 1\] = nan"),
        ({"X": [1.0, 2.0]}, ValueError, r"X must have 2 dimensions"),
        ({"y": [1, 1]}, ValueError, r"one label a row: 1 row, 2 labels"),
        ({"y": [2]}, ValueError, r"labels -1 and \+1 only"),
        ({"bias": "fixed"}, ValueError, "bias must be one of 'none', 'penalized', 'free'"),
        ({"bias": 1}, TypeError, "bias must be one of"),
        ({"bias": "free"}, ValueError, r"needs labels of both classes, but all 1 are \+1"),
        ({"tol": 0.0}, ValueError, "tol must be greater than 0"),
        ({"start": [1.0, 2.0]}, TypeError, r"start must be a tuple \(w, b\)"),
        ({"start": ([1.0], 0.0)}, ValueError, r"start\[0\] must have length 2, got length 1"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"X": [[1e-310, 0.0]], "bias": "none"}, ValueError, "X is too small"),
    ],
)
def test_bad_arguments(change, error, words):
    good = {"X": [[1.0, 2.0]], "y": [1]}
    with pytest.raises(error, match=words):
        fg.max_margin(**{**good, **change})


@pytest.mark.parametrize("bias", fg.geometry._max_margin.BIASES)
@pytest.mark.parametrize("scale", [1e-160, 1e-200, 1e-300])
def test_rows_too_small_are_refused_in_the_same_words(bias, scale):
    X = scale * np.array([[1.0, 0.2], [-2.0, 0.3], [1.5, -1.0]])
    with pytest.raises(ValueError, match="X is too small"):
        fg.max_margin(X, [1, -1, 1], bias=bias)


@pytest.mark.parametrize("bias", ["none", "penalized"])
def test_rows_too_different_are_refused_without_warnings(bias):
    with pytest.raises(fg.FastgrokError, match="no margin was found"):
        fg.max_margin([[1e300], [1e-10]], [1, 1], bias=bias)


def test_columns_of_very_different_units_with_a_free_bias():
    """At the first price no row may pull, and rows may turn out dependent when others leave."""
    X = np.array([[-1, -0.2, 0.5], [0.1, -1.8, 1.1], [1.8, 0.2, -0.9], [-1.1, -1, 0.8]])
    X, y = X * [1e8, 1e-2, 1e8], np.array([-1.0, -1.0, 1.0, -1.0])
    found = fg.max_margin(X, y, bias="free")
    assert found.gap < 1e-9
    assert (y * (X @ found.w + found.b)).min() == pytest.approx(1.0, abs=1e-9)

    rng = np.random.default_rng(0)
    solved = 0
    for _ in range(120):
        X, u = rng.normal(size=(40, 5)), rng.normal(size=5)
        y = np.where(X @ u + 0.3 > 0, 1.0, -1.0)
        X = X * 10.0 ** rng.integers(-8, 9, size=5)
        # Beyond what float64 tells apart.
        with contextlib.suppress(fg.FastgrokError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = fg.max_margin(X, y, bias="free")
            solved += (y * (X @ found.w + found.b)).min() > 0.99
    assert solved > 110


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("seed", range(6))
def test_equal_rows_of_both_classes_are_not_separable(bias, seed):
    """Rounding of their products may show a margin at first."""
    X = np.tile(np.random.default_rng(seed).normal(size=60), (2, 1))
    with pytest.raises(fg.NotSeparableError) as caught:
        fg.max_margin(X, [1, -1], bias=bias)
    assert caught.value.certificate.separable is False


def test_the_bound_on_margins_of_very_wide_rows():
    """The squares of many equal entries all round the same way."""
    wide, one = 100_000, np.ones(1)
    for c in np.linspace(0.1, 1.0, 10):
        X = np.full((1, wide), c / np.sqrt(wide))
        bound = dual_bound(X, one, one, None)
        squared = Fraction(float(X[0, 0])) ** 2 * wide
        assert 0 <= Fraction(bound) ** 2 / squared - 1 < 1e-14
