"""The two-point model: its closed forms against mpmath, an ODE solver and runs."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import hyp2f1, ndtri, wrightomega

import fastgrok as fg
from fastgrok.theory import two_point

mp.mp.dps = 30
FEW = settings(max_examples=8, deadline=None)


def exact_bias(lam, sigma, q):
    """-b at q = sigma S, the first integral."""
    c = 1 - 2 * mp.mpf(lam)
    if c == 0:
        return (q + mp.expm1(q)) / mp.mpf(sigma) ** 2
    return (q - mp.log((1 - c * mp.exp((1 + c) * q)) / (1 - c)) / c) / mp.mpf(sigma) ** 2


def exact_log_time(lam, sigma, q):
    """log(lr t) at q by adaptive quadrature, in panels that halve towards the upper end."""
    c = 1 - 2 * mp.mpf(lam)

    def log_rate(p):
        return exact_bias(lam, sigma, p) + p - mp.log(1 - c * mp.exp((1 + c) * p))

    top = log_rate(q)
    edges = [mp.mpf(0), *(q - q * mp.mpf(4) ** -j for j in range(1, 15)), q]
    area = mp.quad(lambda p: mp.exp(log_rate(p) - top), edges)
    return mp.log(2 * area) + top - 2 * mp.log(sigma)


@FEW
@given(
    lam=st.one_of(st.floats(1e-3, 0.4999), st.floats(0.5, 1.0)),
    log_sigma=st.floats(-1.0, 1.7),
    depth=st.floats(0.01, 8.0),
)
@example(lam=0.25, log_sigma=0.0, depth=5.0)
@example(lam=0.5, log_sigma=0.0, depth=3.0)
@example(lam=0.5 - 1e-9, log_sigma=0.0, depth=1.0)
@example(lam=0.5 + 1e-9, log_sigma=0.0, depth=1.0)
@example(lam=0.4995, log_sigma=0.0, depth=4.0)
@example(lam=1.0, log_sigma=0.7, depth=8.0)
def test_state_and_time_are_inverse(lam, log_sigma, depth):
    sigma = 10.0**log_sigma
    c = 1 - 2 * mp.mpf(lam)
    # For c > 0 within e^-depth of saturation.
    limit = mp.log(1 / c) / (1 + c) if c > 0 else mp.inf
    q = limit * (1 - mp.exp(-mp.mpf(depth))) if c > 0 else mp.mpf(depth)
    log_time = exact_log_time(lam, sigma, q)
    S, b = two_point.state(float(log_time) - math.log(0.1), lam, sigma, 0.1, log=True)
    beta = exact_bias(lam, sigma, q)
    # An error of a rounding in log t is one of as much in b, which grows more slowly.
    slack = 4e-13 * max(1.0, abs(float(log_time)))
    assert abs(b + beta) < slack
    speed = mp.mpf(sigma) ** 2 * (1 - c * mp.exp((1 + c) * q)) / (1 + mp.exp((1 + c) * q))
    assert abs(S * sigma - q) < slack * max(1, speed) + 1e-14 * q


@FEW
@given(
    lam=st.floats(0.5001, 1.0),
    log_sigma=st.floats(-8.0, 50.0),
    log_time=st.one_of(st.floats(1.0, 700.0), st.floats(700.0, 1e6)),
)
@example(lam=0.75, log_sigma=10.0, log_time=1e3)
@example(lam=1.0, log_sigma=50.0, log_time=1e6)
def test_state_of_separable_points_of_any_scale(lam, log_sigma, log_time):
    # lr t is between (e^{(1+M^2) beta} - 1) / (1+M^2), M = sigma |c|, and, as every point pulls at
    # most as hard as the first, twice that; and q is between |c| and 1 times sigma^2 beta.
    sigma, c = 10.0**log_sigma, 2.0 * lam - 1.0
    S, b = two_point.state(log_time, lam, sigma, 1.0, log=True)
    assert b < 0.0
    growth = 1.0 + (sigma * c) ** 2
    highest = np.logaddexp(0.0, log_time + math.log(growth)) / growth
    assert -b <= highest * (1.0 + 1e-7)
    assert c * (1.0 - 1e-9) <= S / sigma / -b <= lam * (1.0 + 1e-9)
    # The time that the first integral and the speed give, on a grid that resolves the start.
    beta = -b * np.concatenate([[0.0], np.geomspace(1e-14, 1.0, 2001)])
    q = np.array([_first_integral(c, sigma, x) for x in beta])
    log_speed = beta + math.log(2.0) - np.logaddexp(-q, -c * q)
    rise = np.maximum(np.abs(np.diff(log_speed)), 1e-9)  # in each piece log-linear
    pieces = np.maximum(log_speed[1:], log_speed[:-1]) + np.log(-np.expm1(-rise) / rise)
    pieces += np.log(np.diff(beta))
    got = np.logaddexp.reduce(pieces)
    assert got == pytest.approx(log_time, rel=1e-3, abs=1e-2)


def _first_integral(c, sigma, beta):
    """Return q for c < 0, here given as its size, by bisection on the first integral."""
    low, high = c * sigma**2 * beta, sigma**2 * beta
    for _ in range(100):
        q = 0.5 * (low + high)
        logarithm = np.logaddexp(0.0, math.log(c) + (1.0 - c) * q) - math.log1p(c)
        low, high = (q, high) if q + logarithm / c < sigma**2 * beta else (low, q)
    return q


@pytest.mark.parametrize("log", [-np.inf, -1e6, -700.0, -401.0, -399.0])
@pytest.mark.parametrize("sigma", [1e-50, 1e-10, 1.0, 1e50])
def test_state_begins_as_a_straight_line(log, sigma):
    lam = np.array([1e-300, 0.25, 0.5, 0.5 + 1e-15, 1.0])
    S, b = two_point.state(log, lam, sigma, 1.0, log=True)
    np.testing.assert_allclose(b, -math.exp(log), rtol=1e-12)
    np.testing.assert_allclose(S, sigma * lam * math.exp(log), rtol=1e-12, atol=1e-307)


@FEW
@given(lam=st.one_of(st.floats(1e-15, 0.5, exclude_max=True), st.floats(0.4999, 0.5 - 1e-16)))
def test_limits_in_mpmath(lam):
    c = 1 - 2 * mp.mpf(lam)
    q = -mp.log(c) / (1 + c)
    expected = mp.log(2 / (1 + c)) + q**2 / 2 - c * q
    assert abs(two_point.limit_log_ratio(lam) - expected) < 1e-15 * (lam + expected)
    assert abs(two_point.stationary_point(lam, 3.0) * 3 / q - 1) < 1e-15


@FEW
@given(lam=st.floats(0.05, 0.49), sigma=st.floats(0.5, 30.0), depth=st.floats(50.0, 1e5))
def test_state_deep_in_saturation(lam, sigma, depth):
    # q_inf - q = e^-depth is far below rounding, and the late-time law holds.
    c = 1.0 - 2.0 * lam
    q = -math.log1p(-2.0 * lam) / (1.0 + c)
    log_level = math.log(0.5 * (1.0 + c)) + c * q
    log_time = min(depth / min(1.0, c * sigma**2), 1e6)  # the latest that it takes
    S, b = two_point.state(log_time, lam, sigma, 0.1, log=True)
    assert b == pytest.approx(-(log_time + math.log(0.1) + log_level), rel=1e-12)
    np.testing.assert_allclose(S, q / sigma, rtol=1e-14)
    np.testing.assert_allclose(two_point.stationary_point(lam, sigma), q / sigma, rtol=1e-14)


def test_times_beyond_float64_and_the_start():
    S, b = two_point.state([0.0, 1e-300, 1e300], 0.25, 2.0, 0.1)
    np.testing.assert_allclose(b[:2], [0.0, -1e-301], rtol=1e-13)
    np.testing.assert_allclose(S[:2], [0.0, 1e-301 * 2.0 * 0.25], rtol=1e-13)
    later, much_later = two_point.state([300 * math.log(10), 1e6], 0.25, 2.0, 0.1, log=True)[1]
    assert b[2] == pytest.approx(later, rel=1e-14)
    assert much_later < -999_990
    # lam beyond 1/2: b = -log t / (1 + M^2), S = M log t / (1 + M^2), up to O(1).
    margin = 3.0 * 0.6
    S, b = two_point.state(1e6, 0.8, 3.0, 0.1, log=True)
    assert b == pytest.approx(-1e6 / (1 + margin**2), rel=1e-4)
    np.testing.assert_allclose(S, 1e6 * margin / (1 + margin**2), rtol=1e-4)


def test_the_boundary_in_lambert_functions():
    # sigma = 1, lam = 1/2: q = log(1 + W(lr t / 2)), b = -q - W(lr t / 2).
    t = np.logspace(-3, 15, 40)
    w = wrightomega(np.log(0.05 * t))
    S, b = two_point.state(t, 0.5, 1.0, 0.1)
    np.testing.assert_allclose(S, np.log1p(w), rtol=1e-11)
    np.testing.assert_allclose(b, -np.log1p(w) - w, rtol=1e-11)
    assert two_point.stationary_point(0.5, 1.0) == np.inf


@pytest.mark.parametrize(("lam", "sigma"), [(0.2, 1.0), (0.3, 2.0), (0.75, 1.0)])
def test_the_time_as_a_hypergeometric_function(lam, sigma):
    c, lr = 1.0 - 2.0 * lam, 0.1
    t = np.logspace(-1, 3, 9)
    q = sigma * two_point.state(t, lam, sigma, lr)[0]
    A, B = 1.0 + sigma**-2, 1.0 + 1.0 / (c * sigma**2)

    def antiderivative(q):
        order = A / (1.0 + c)
        return np.exp(A * q) / A * hyp2f1(B, order, 1.0 + order, c * np.exp((1.0 + c) * q))

    scale = 2.0 / (lr * sigma**2) * (1.0 - c) ** (1.0 / (c * sigma**2))
    np.testing.assert_allclose(scale * (antiderivative(q) - antiderivative(0.0)), t, rtol=1e-10)


def flow(lam, sigma, lr, log_times):
    """The same flow by an implicit method in log t."""
    c = 1.0 - 2.0 * lam

    def right(log_t, z):
        down, up = np.exp([-sigma * z[0] + z[1] + log_t, c * sigma * z[0] + z[1] + log_t])
        return [0.5 * lr * sigma * (down - c * up), -0.5 * lr * (down + up)]

    first = -14.0 - 2.0 * math.log(1.0 + sigma)
    start = [lr * math.exp(first) * sigma * lam, -lr * math.exp(first)]
    out = solve_ivp(
        right, [first, log_times[-1]], start, "Radau", log_times, rtol=1e-10, atol=1e-13
    )
    return out.y


@pytest.mark.parametrize(
    ("lam", "sigma", "lr"), [(0.25, 1.0, 0.1), (0.48, 5.0, 0.01), (0.6, 2.0, 0.1), (0.9, 0.3, 1.0)]
)
def test_state_against_an_ode_solver(lam, sigma, lr):
    log_times = np.linspace(0.0, 60.0, 13)
    S, b = two_point.state(log_times, lam, sigma, lr, log=True)
    expected = flow(lam, sigma, lr, log_times)
    np.testing.assert_allclose([S, b], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("lam", [0.25, 0.5, 0.8])
def test_descent_follows_the_state(lam):
    sigma, lr = 2.0, 1e-3
    data = fg.datasets.two_points(lam, sigma=sigma)
    run = fg.train(data.X, data.y, steps=10**5, lr=lr, loss="exponential", keep_weights=True)
    S, b = two_point.state(run.steps, lam, sigma, lr)
    np.testing.assert_allclose(run.weights[:, 0], S, atol=2e-3)
    np.testing.assert_allclose(run.b, b, atol=2e-3)


def test_loss_times_on_the_curves():
    # Read off the last crossing of curves computed by the ODE solver.
    log_times = np.linspace(-2.0, 40.0, 401)
    for eps, lam, sigma in (
        (1e-3, 0.49, 30.0),
        (0.9, 0.495, 3.0),
        (0.5, 0.2, 1.0),
        (0.3, 0.5, 2.0),
    ):
        S, b = flow(lam, sigma, 0.1, log_times)
        q, c = sigma * S, 1.0 - 2.0 * lam
        curves = (b + np.logaddexp(-q, c * q) - math.log(2.0), b + 0.5 * q * q)
        for curve, got in zip(curves, two_point.loss_times(eps, lam, sigma, 0.1), strict=True):
            last = np.flatnonzero(curve >= math.log(eps))[-1]
            assert log_times[last] <= got <= log_times[last + 1]


@FEW
@given(log_eps=st.floats(-690.0, -1e-6), lam=st.floats(1e-3, 0.5), log_sigma=st.floats(-1.0, 2.0))
def test_losses_at_the_loss_times(log_eps, lam, log_sigma):
    sigma, eps, c = 10.0**log_sigma, math.exp(log_eps), 1.0 - 2.0 * lam
    train, general = two_point.loss_times(eps, lam, sigma, 0.1)
    S, b = two_point.state([train, general], lam, sigma, 0.1, log=True)
    q = sigma * S
    log_train = b[0] + np.logaddexp(-q[0], c * q[0]) - math.log(2.0)
    log_general = b[1] + 0.5 * q[1] ** 2
    np.testing.assert_allclose([log_train, log_general], math.log(eps), rtol=1e-9, atol=1e-9)
    assert general >= train or q[1] ** 2 < 4.0


@pytest.mark.parametrize("sigma", [1e-50, 1e-10, 1e10, 1e50])
def test_losses_at_the_loss_times_of_any_scale(sigma):
    eps, lam = np.array([1e-320, 1e-16, 0.5]), np.array([[1e-12], [0.25], [0.5 - 1e-16], [0.5]])
    train, general = two_point.loss_times(eps, lam, sigma, 0.1)
    c = 1.0 - 2.0 * lam
    for time, of_population in ((train, False), (general, True)):
        S, b = two_point.state(time, lam, sigma, 0.1, log=True)
        q = sigma * S
        gain = 0.5 * q**2 if of_population else np.logaddexp(-q, c * q) - math.log(2.0)
        expected = np.broadcast_to(np.log(eps), q.shape)
        np.testing.assert_allclose(b + gain, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("lam", [0.05, 0.25, 0.45, 0.4995])
def test_limit_of_the_loss_times(lam):
    # c sigma^2 log(1/eps) is 4e4 or more: S has saturated.
    train, general = two_point.loss_times(1e-300, lam, 250.0, 0.1)
    assert general - train == pytest.approx(two_point.limit_log_ratio(lam), rel=1e-9)
    assert train + math.log(0.1 * 1e-300) == pytest.approx(0.0, abs=1e-9)


def test_the_papers_reading_needs_saturation():
    train, general = two_point.loss_times(1e-16, 0.4995, 1.0, 0.1)
    assert general - train == pytest.approx(7.5, abs=0.05)
    assert two_point.limit_log_ratio(0.4995) == pytest.approx(24.5, abs=0.05)
    c = 1e-6
    leading = 0.5 * math.log(c) ** 2 + math.log(2.0)
    assert two_point.limit_log_ratio(0.5 * (1.0 - c)) == pytest.approx(leading, rel=1e-5)


@FEW
@given(
    accuracy=st.floats(0.51, 1.0 - 1e-9), lam=st.floats(1e-3, 1.0), log_sigma=st.floats(-0.5, 2.0)
)
def test_accuracy_time(accuracy, lam, log_sigma):
    sigma, zeta = 10.0**log_sigma, float(ndtri(accuracy))
    log_time = two_point.accuracy_time(accuracy, lam, sigma, 0.1, log=True)
    start = 1.0 / (sigma**2 * lam)
    end = 1.0 / (sigma**2 * (2 * lam - 1)) if lam > 0.5 else math.inf
    if start >= zeta:
        assert log_time == -np.inf
    elif end <= zeta:
        assert log_time == np.inf
    elif log_time <= 1e6:
        S, b = two_point.state(log_time, lam, sigma, 0.1, log=True)
        assert -b / (sigma * S) == pytest.approx(zeta, rel=1e-8)


def test_accuracy_time_diverges_only_where_both_limits_meet():
    lams = 0.5 - 0.5 * np.logspace(-2, -12, 6)
    at_fixed_sigma = two_point.accuracy_time(0.95, lams, 3.0, 0.1)
    assert at_fixed_sigma[-1] == pytest.approx(at_fixed_sigma[-2], rel=1e-3)
    # sigma -> infinity at fixed c
    zeta, c = float(ndtri(0.95)), 1.0 - 2.0 * lams
    q = two_point.stationary_point(lams, 1.0)
    expected = 2.0 * np.exp((zeta - c) * q) / (0.1 * (1.0 + c))
    got = two_point.accuracy_time(0.95, lams, 1e9, 0.1)
    np.testing.assert_allclose(got, expected, rtol=1e-3)
    # The time of a run that reaches it.
    data = fg.datasets.two_points(0.4, sigma=3.0)
    run = fg.train(data.X, data.y, steps=10**5, lr=1e-3, loss="exponential", keep_weights=True)
    reached = run.steps[np.argmax(-run.b > zeta * 3.0 * run.weights[:, 0])]
    assert two_point.accuracy_time(0.95, 0.4, 3.0, 1e-3) == pytest.approx(reached, rel=0.06)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_point.stationary_point(0.0, 1.0), r"lam must lie in \(0, 1\], got 0.0"),
        (lambda: two_point.state(-1.0, 0.2, 1.0, 0.1), r"t must lie in \[0, inf\), got -1.0"),
        (lambda: two_point.state(1.0, 0.2, [1.0, 0.0], 0.1), r"sigma\[1\] = 0.0"),
        (lambda: two_point.state(1.0, 0.2, 1e51, 0.1), r"sigma must lie in \[1e-50, 1e50\]"),
        (lambda: two_point.state(np.nan, 0.2, 1.0, 0.1), r"t must lie in \[0, inf\), got nan"),
        (lambda: two_point.state(1.1e6, 0.2, 1.0, 0.1, log=True), r"t must lie in \[-inf, 1e6\]"),
        (lambda: two_point.state(1.0, 0.2, 1.0, np.inf), r"lr must lie in \(0, inf\), got inf"),
        (lambda: two_point.state([1.0] * 2, [0.2] * 3, 1.0, 0.1), r"t \(2,\), lam \(3,\)"),
        (lambda: two_point.loss_times(1.0, 0.2, 1.0, 0.1), r"eps must lie in \(0, 1\), got 1.0"),
        (lambda: two_point.loss_times(0.1, 0.7, 1.0, 0.1), r"lam must lie in \(0, 0.5\], got 0.7"),
        (lambda: two_point.limit_log_ratio(0.5), r"lam must lie in \(0, 0.5\), got 0.5"),
        (lambda: two_point.accuracy_time(1.0, 0.2, 1.0, 0.1), r"accuracy must lie in \(0, 1\)"),
        (lambda: two_point.accuracy_time(0.9, 0.2, 1.0, 0.0), r"lr must lie in \(0, inf\)"),
    ],
)
def test_arguments_outside_the_domain(call, words):
    with pytest.raises(ValueError, match=words):
        call()
