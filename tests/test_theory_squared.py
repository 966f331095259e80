"""Descent on the squared loss in closed form, against every step and against powers by mpmath."""

import mpmath
import numpy as np
import pytest

import fastgrok as fg
from cases import problem
from fastgrok.theory import squared


def by_powers(t, X, y, lr, *, reduction, bias, weight_decay, decay_bias, w0, b0):
    """u_t with 60 digits: the affine map of a step, to the power of t by repeated squaring."""
    n, d = X.shape
    size = d + 1
    with mpmath.workdps(60):
        Z = mpmath.matrix(np.column_stack([X, np.ones(n)]).tolist())
        c = mpmath.mpf(2) / (n if reduction == "mean" else 1)
        step = mpmath.eye(size + 1)
        for i in range(size if bias else d):
            for j in range(size):
                step[i, j] -= lr * c * mpmath.fdot((Z[k, i], Z[k, j]) for k in range(n))
            if i < d or decay_bias:
                step[i, i] -= mpmath.mpf(lr) * weight_decay
            step[i, size] = lr * c * mpmath.fdot((Z[k, i], y[k]) for k in range(n))
        power, left = mpmath.eye(size + 1), t
        while left:
            if left % 2:
                power = power * step
            step, left = step * step, left // 2
        u = power * mpmath.matrix([*w0, b0, 1])
        return np.array([float(x) for x in u[:size]])


@pytest.mark.parametrize("decay", [(0.0, False), (1e-3, False), (1e-3, True)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (30, 3), (4, 7)])
def test_any_number_of_steps(n, d, reduction, bias, decay):
    X, y = problem(n, d)
    rng = np.random.default_rng(n)
    options = {"reduction": reduction, "bias": bias, "w0": rng.normal(size=d), "b0": 0.75}
    options |= {"weight_decay": decay[0], "decay_bias": decay[1]}
    # With the largest rate of these some directions swing to and fro.
    for share in (0.01, 0.5, 0.95):
        lr = share * fg.stable_lr(X, y, loss="squared", reduction=reduction, bias=bias)
        steps = [0, 1, 2, 7, 1000, 12345, 10**7, 10**12]
        w, b = squared.state(steps, X, y, lr, **options)
        for k, *u in zip(steps, *w.T, b, strict=True):
            exact = by_powers(k, X, y, lr, **options)
            assert np.linalg.norm(u - exact) <= 1e-12 * np.linalg.norm(exact)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("decay", [0.0, 1e-2])
@pytest.mark.parametrize(("n", "d"), [(200, 2), (30, 90), (150, 40)])
def test_every_step_of_a_run(n, d, decay, dtype):
    X, y = problem(n, d)
    X = X.astype(dtype)
    lr = 0.9 * fg.stable_lr(X, y, loss="squared")
    options = {"weight_decay": decay, "b0": -0.5}
    run = fg.train(X, y, steps=2000, lr=lr, loss="squared", record=1, keep_weights=True, **options)
    expected = np.column_stack(squared.state(run.steps, X, y, lr, **options))
    error = np.linalg.norm(run.weights - expected, axis=1)
    assert np.all(error <= 1e-12 * np.linalg.norm(expected, axis=1))


def test_directions_without_rows_stay():
    X, y = np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]]), np.array([1.0, -1.0])
    w, b = squared.state([0, 1e12, 1e300], X, y, 0.1, w0=[3.0, -1.0, 5.0])
    np.testing.assert_allclose(w[:, 0] - w[:, 1], 4.0, rtol=1e-14)
    np.testing.assert_array_equal(w[:, 2], 5.0)
    # The rows of the limit are fitted: 2 w = -2 and b = 3.
    np.testing.assert_allclose(w[1:, 0] + w[1:, 1], -2.0, rtol=1e-13)
    np.testing.assert_allclose(b[1:], 3.0, rtol=1e-13)


@pytest.mark.parametrize("decay", [1e-10, 1e-6, 1e-2])
@pytest.mark.parametrize(("bias", "decay_bias"), [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("kind", ["repeated", "wide", "in a plane"])
def test_decay_where_rows_leave_directions_to_it(kind, bias, decay_bias, decay):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(9, 4))
    if kind == "repeated":
        X[:] = X[0]
    elif kind == "wide":
        X = rng.normal(size=(4, 9))
    else:
        X = np.column_stack([X, X[:, :2]])
    y = np.where(np.arange(len(X)) % 3 > 0, 1.0, -1.0)
    lr = 0.4 * fg.stable_lr(X, y, loss="squared", bias=bias, weight_decay=decay)
    options = {"reduction": "mean", "bias": bias, "weight_decay": decay, "decay_bias": decay_bias}
    options |= {"w0": rng.normal(size=X.shape[1]), "b0": -0.5}
    steps = [1, 10, 1000, 10**7, 10**12, 10**16]
    w, b = squared.state(steps, X, y, lr, **options)
    for k, *u in zip(steps, *w.T, b, strict=True):
        exact = by_powers(k, X, y, lr, **options)
        assert np.linalg.norm(u - exact) <= 1e-11 * np.linalg.norm(exact)


@pytest.mark.parametrize(("x", "lr"), [(1e-200, 0.1), (1e-170, 1e300), (1e150, 1e-302)])
def test_rows_whose_squares_leave_float64(x, lr):
    """One weight: w_t = (1 - (1 - 2 lr x^2)^t) / x."""
    steps = [1.0, 7.0, 1e12, 1e40, 1e300]
    w, _ = squared.state(steps, [[x]], [1.0], lr, bias=False)
    with mpmath.workdps(700):
        for t, found in zip(steps, w[:, 0], strict=True):
            exact = -mpmath.expm1(t * mpmath.log1p(-2 * mpmath.mpf(lr) * mpmath.mpf(x) ** 2)) / x
            assert found == pytest.approx(float(exact), rel=1e-12)


def test_shapes():
    X, y = problem(10, 3)
    w, b = squared.state(5, X, y, 0.1)
    assert w.shape == (3,)
    assert np.ndim(b) == 0
    w, b = squared.state(np.zeros((4, 2)), X, y, 0.1, b0=1.0)
    assert w.shape == (4, 2, 3)
    assert b.tolist() == [[1.0] * 2] * 4


def test_beyond_the_stable_rate_it_grows():
    lr = 1.5  # lr 2 x^2 = 3: w - 1 is multiplied by -2 at every step
    w, _ = squared.state([0, 1, 2, 3, 40], [[1.0]], [1], lr, bias=False)
    np.testing.assert_allclose(w[:, 0] - 1.0, [-1.0, 2.0, -4.0, 8.0, -(2.0**40)], rtol=1e-13)
    assert not np.isfinite(squared.state(1e300, [[1.0]], [1], lr, bias=False)[0]).any()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"t": -1}, ValueError, r"t must be integers in \[0, inf\), got -1"),
        ({"t": [1.5]}, ValueError, r"t must be integers in \[0, inf\), but t\[0\] = 1.5"),
        ({"lr": 0.0}, ValueError, "lr must be"),
        ({"lr": "auto"}, TypeError, "lr must be a real number"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must not be negative, got -1.0"),
        ({"reduction": "none"}, ValueError, "reduction must be one of 'mean', 'sum'"),
        ({"w0": [1.0]}, ValueError, "w0 must have length 2, got length 1"),
        ({"y": [1, 2]}, ValueError, "y"),
        ({"bias": 1}, TypeError, "bias must be"),
    ],
    ids=str,
)
def test_bad_arguments(changes, error, message):
    options = {"t": 3, "X": [[1.0, 2.0], [0.0, 1.0]], "y": [1, -1], "lr": 0.1, **changes}
    with pytest.raises(error, match=message):
        squared.state(**options)
