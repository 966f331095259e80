"""late_time and stationary_point against runs, mpmath and closed forms."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize

import fastgrok as fg
from fastgrok.theory import _exponential_mean
from fastgrok.theory._late_time import late_time
from fastgrok.theory._stationary import stationary_point

# Support vectors on two lines, far apart along them, and other rows well outside the margin:
# everything that decays, decays at least like 1/t.
X_FAST = np.array([[1, 3], [1, -4], [-1, 2], [-1, -3], [-1, 1], [4, 1], [-5, -3]], dtype=float)
Y_FAST = np.array([1.0, 1, -1, -1, -1, 1, -1])


def theta_of(run, t):
    (k,) = np.flatnonzero(run.steps == t)
    return run.weights[k]


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_runs_end_on_the_expansion(loss, reduction):
    found = late_time(X_FAST, Y_FAST, 0.05, reduction)
    np.testing.assert_allclose(found.w_hat, [1.0, 0.0], atol=1e-12)
    assert abs(found.b_hat) < 1e-12
    assert found.finite
    np.testing.assert_array_equal(found.support, range(5))
    assert found.rates[0] > 0.99
    assert found.excess == pytest.approx(3.0)
    run = fg.train(
        X_FAST, Y_FAST, steps=10**7, lr=0.05, reduction=reduction, loss=loss, engine="exact",
        record=[10**5, 10**6, 10**7], keep_weights=True,
    )  # fmt: skip
    errors = []
    for t in (10**5, 10**6, 10**7):
        w, b = found.at(t)
        errors.append(np.linalg.norm(theta_of(run, t) - np.append(w, b)))
    # Both losses approach like 1/t, the logistic with a power of log t.
    assert errors[0] < 3e-3
    assert errors[1] < 0.16 * errors[0]
    assert errors[2] < 0.16 * errors[1]
    theta = theta_of(run, 10**7)
    predicted = np.append(*found.at(10**7))
    assert np.linalg.norm(theta) == pytest.approx(np.linalg.norm(predicted), abs=1e-4)
    assert run.b[-1] == pytest.approx(found.b_inf, abs=1e-4)
    assert run.loss[-1] * 0.05 * 1e7 == pytest.approx(found.w_hat @ found.w_hat, rel=1e-4)


def test_the_slowest_rate_is_that_of_the_run():
    """Support vectors about another centre: what is left falls like t^-0.15."""
    X = X_FAST + np.array([0.0, 7.0])
    found = late_time(X, Y_FAST, 0.05)
    times = [10**5, 10**6]
    run = fg.train(
        X, Y_FAST, steps=10**6, lr=0.05, loss="exponential", record=times, engine="exact"
    )
    left = np.abs(run.b[-2:] - found.at(times)[1])
    assert found.rates[0] < 0.2
    assert math.log10(left[0] / left[1]) == pytest.approx(found.rates[0], rel=0.02)


def test_the_bias_of_planted_support_vectors():
    """Das et al.: antipodal support vectors give b_inf = log(n_+ / n_-) / 2."""
    data = fg.datasets.margin_cube((60, 40), dim=2, gamma=1.0, support=(20, 6), seed=3)
    found = late_time(data.X, data.y, 0.01)
    assert set(data.support) == set(found.support)
    assert found.b_inf == pytest.approx(0.5 * math.log(20 / 6), rel=1e-9)
    assert found.b_tilde == pytest.approx(found.b_inf, rel=1e-9)
    assert found.delta == pytest.approx(math.sqrt(6 / 20), rel=1e-9)
    # 2 c sqrt(A_+ A_-) = ||theta_hat||^2 = 4 / gamma^2, whatever the counts and the reduction.
    for rate, reduction in ((0.01 / 100, "mean"), (0.01, "sum")):
        found = late_time(data.X, data.y, 0.01, reduction)
        driving = 2 * rate * math.sqrt(found.a_plus * found.a_minus)
        assert driving == pytest.approx(4 / data.gamma**2, rel=1e-9)
        np.testing.assert_allclose(found.w_hat, 2 / data.gamma * data.w_true, rtol=1e-10)


@st.composite
def planted(draw):
    """Rows on the lines x_0 = 1 and x_0 = -1 whose hulls' projections overlap."""
    d = draw(st.integers(2, 3))
    n = draw(st.integers(d, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    sides = []
    for side in (1.0, -1.0):
        across = rng.integers(-8, 9, size=(n, d - 1)) / 2
        sides.append(np.column_stack([np.full(n, side), across]))
    return np.concatenate(sides), np.repeat([1.0, -1.0], n)


@given(data=planted(), lr=st.sampled_from([0.01, 1.0, 30.0]))
def test_it_is_the_minimum_of_psi(data, lr):
    X, y = data
    found = late_time(X, y, lr, "sum")
    theta_hat = np.append(found.w_hat, found.b_hat)
    Z = y[:, None] * np.column_stack([X, np.ones(len(y))])
    S = Z[found.support]
    np.testing.assert_allclose(S @ theta_hat, 1.0, rtol=1e-9)
    np.testing.assert_allclose(found.dual @ Z, theta_hat, atol=1e-8)
    assume(found.finite)
    theta = np.append(found.w_tilde, found.b_tilde)
    alpha = lr * np.exp(-S @ theta)
    np.testing.assert_allclose(alpha, found.dual[found.support], rtol=1e-6)
    # In the span of the support vectors.
    np.testing.assert_allclose(np.linalg.lstsq(S.T, theta, rcond=None)[0] @ S, theta, atol=1e-8)

    def psi(rho):
        return lr * np.exp(-S @ rho).sum() + theta_hat @ rho

    rng = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):
        assert psi(theta + size * rng.normal(size=len(theta))) >= psi(theta) * (1 - 1e-12) - 1e-9
    np.testing.assert_allclose(
        np.sort(np.linalg.eigvalsh((S.T * alpha) @ S))[-len(found.rates) :], found.rates, rtol=1e-6
    )
    assert np.min(np.abs(found.rates - 1.0)) < 1e-6
    assume(found.a_plus > 0.0 and found.a_minus > 0.0)  # else it underflows, or one class has none
    b_inf = 0.5 * math.log(found.a_plus / found.a_minus)
    assert found.b_inf == pytest.approx(b_inf, abs=1e-12)
    if abs(found.b_hat) < 1e-12:
        assert found.b_inf == pytest.approx(found.b_tilde, abs=1e-6)


def test_independent_support_vectors_follow_from_the_gram_matrix():
    X = np.array([[2.0, 1.0], [1.0, 3.0], [-1.5, -2.0], [-2.0, -0.5], [4.0, 4.0], [-5.0, -3.0]])
    y = np.array([1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    found = late_time(X, y, 0.1)
    S = (y[:, None] * np.column_stack([X, np.ones(6)]))[found.support]
    alpha = np.linalg.solve(S @ S.T, np.ones(3))
    np.testing.assert_allclose(found.dual[found.support], alpha, rtol=1e-9)
    theta = np.linalg.solve(S, -np.log(alpha * 6 / 0.1))
    np.testing.assert_allclose(np.append(found.w_tilde, found.b_tilde), theta, rtol=1e-8)
    assert found.excess == pytest.approx(np.sort(y * (X @ found.w_hat + found.b_hat))[3] - 1)


def test_a_support_vector_whose_dual_must_vanish():
    """(1, 1) is on the margin but pulls in vain: theta_tilde is infinite."""
    found = late_time([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], [1, 1, -1], 0.1)
    assert len(found.support) == 3
    assert not found.finite
    assert math.isnan(found.b_inf)
    assert np.isnan(found.w_tilde).all()
    np.testing.assert_allclose(found.dual, [0.5, 0.0, 0.5], atol=1e-6)


def test_one_point_and_copies_of_it():
    found = late_time([[3.0, 4.0]], [1], 2.0)
    np.testing.assert_allclose([*found.w_hat, found.b_hat], np.array([3.0, 4.0, 1.0]) / 26)
    # 2 exp(-26 s) = 1 / 26 with theta_tilde = s (3, 4, 1)
    s = math.log(52) / 26
    np.testing.assert_allclose([*found.w_tilde, found.b_tilde], np.array([3.0, 4.0, 1.0]) * s)
    assert found.excess == math.inf
    np.testing.assert_allclose(found.rates, [1.0])
    twice = late_time([[3.0, 4.0]] * 2, [1, 1], 2.0)
    np.testing.assert_allclose(twice.w_tilde, found.w_tilde)
    w, b = found.at([1.0, math.e])
    assert w.shape == (2, 2)
    np.testing.assert_allclose(b, [found.b_tilde, found.b_hat + found.b_tilde])
    with pytest.raises(ValueError, match=r"t must lie in \(0, inf\), got 0"):
        found.at(0)


def test_late_time_refuses_what_is_not_separable():
    with pytest.raises(fg.NotSeparableError, match="not separable"):
        late_time([[0.0], [1.0], [2.0]], [1, -1, 1], 0.1)
    with pytest.raises(ValueError, match="lr must be greater than 0"):
        late_time([[0.0]], [1], 0.0)
    with pytest.raises(ValueError, match="reduction must be one of 'mean', 'sum'"):
        late_time([[0.0]], [1], 1.0, "max")


def test_stationary_points_of_the_one_dimensional_model():
    """Two points, -sigma and sigma c: S = log(1/c) / (sigma (1+c))."""
    for sigma, c in ((1.0, 0.5), (3.0, 0.9), (0.2, 1e-3)):
        found = stationary_point([[-sigma], [sigma * c]])
        q = math.log(1 / c) / (1 + c)
        assert found.S[0] == pytest.approx(q / sigma, rel=1e-12)
        assert found.level == pytest.approx((1 + c) * math.exp(c * q) / 2, rel=1e-12)
        assert found.exponent == pytest.approx(c * sigma**2, rel=1e-10)


@given(n=st.integers(3, 40), d=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_stationary_points_against_a_general_minimiser(n, d, seed):
    X = np.random.default_rng(seed).normal(size=(n, d))
    assume(fg.separability(X).verdict == "interior")
    found = stationary_point(X)
    weights = np.exp(X @ found.S)
    assert np.linalg.norm(weights @ X) <= 1e-10 * np.linalg.norm(weights[:, None] * X)
    assert found.level == pytest.approx(weights.mean(), rel=1e-12)
    other = minimize(lambda s: np.log(np.mean(np.exp(X @ s))), np.zeros(d), method="BFGS")
    assert math.log(found.level) <= other.fun + 1e-9
    mu = np.linalg.eigvalsh((X.T * weights) @ X / n)[0]
    assert found.exponent == pytest.approx(mu / found.level, rel=1e-8)


def test_stationary_point_against_mpmath():
    X = [[1.0, 0.25], [-0.5, 2.0], [-1.0, -1.0], [0.25, -0.75]]
    found = stationary_point(X)
    with mpmath.workdps(40):
        rows = [[mpmath.mpf(v) for v in x] for x in X]

        def slope(a, b):
            weights = [mpmath.exp(a * u + b * v) for u, v in rows]
            return [
                mpmath.fsum(w * x[j] for w, x in zip(weights, rows, strict=True)) for j in (0, 1)
            ]

        point = mpmath.findroot(slope, (float(found.S[0]), float(found.S[1])))
        level = mpmath.fsum(mpmath.exp(point[0] * u + point[1] * v) for u, v in rows) / 4
    np.testing.assert_allclose(found.S, [float(v) for v in point], rtol=1e-13)
    assert found.level == pytest.approx(float(level), rel=1e-14)


def test_points_in_a_subspace():
    X = np.random.default_rng(0).integers(-5, 6, size=(30, 3)).astype(float)
    expected = stationary_point(X)
    wide = np.column_stack([X, X[:, 0], np.zeros(30), X[:, 1] - X[:, 2]])
    found = stationary_point(wide)
    np.testing.assert_allclose(wide @ found.S, X @ expected.S, atol=1e-10)
    assert found.level == pytest.approx(expected.level, rel=1e-12)
    # The shortest such S, and a repeated direction relaxes faster.
    assert found.S[0] == pytest.approx(found.S[3], rel=1e-9)
    assert found.S[4] == 0.0
    assert found.exponent > expected.exponent
    zero = stationary_point(np.zeros((2, 3)))
    np.testing.assert_array_equal(zero.S, np.zeros(3))
    assert zero.level == 1.0
    assert zero.exponent == math.inf


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_a_run_comes_to_rest_there_at_the_predicted_rate(loss):
    """Constant label -1: w(t) -> S, b = -log(lr ell t), and the exponent mu / ell fitted."""
    X = np.random.default_rng(3).normal(size=(30, 8))
    found = stationary_point(X)
    assert found.exponent < 0.5
    times = [10**4, 10**5, 10**6]
    run = fg.train(
        X, -np.ones(30), steps=times[-1], lr=0.5, loss=loss, record=times, keep_weights=True
    )
    left = [np.linalg.norm(theta_of(run, t)[:-1] - found.S) for t in times]
    fitted = math.log10(left[1] / left[2])
    assert fitted == pytest.approx(found.exponent, rel=0.04)
    assert run.b[-1] == pytest.approx(-math.log(0.5 * found.level * 1e6), abs=1e-3)
    assert run.loss[-1] * 0.5 * 1e6 == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_both_expansions_agree_around_the_origin(reduction):
    """theta_hat is the bias alone there, and theta_tilde the stationary point."""
    X = np.random.default_rng(3).normal(size=(30, 8))
    still, late = stationary_point(X), late_time(X, -np.ones(30), 0.5, reduction)
    assert not late.w_hat.any()
    assert late.b_hat == -1.0
    np.testing.assert_allclose(late.w_tilde, still.S, rtol=1e-9)
    rate = 0.5 if reduction == "mean" else 15.0
    assert late.b_tilde == pytest.approx(-math.log(rate * still.level), rel=1e-10)
    assert late.rates[0] == pytest.approx(still.exponent, rel=1e-8)


def test_the_logistic_loss_caps_the_rate_at_one():
    X = np.array([[4.0, 0.0], [-5.0, 1.0], [0.0, 4.0], [2.0, -5.0]])
    found = stationary_point(X)
    assert found.exponent > 3.0
    times = [10**4, 10**5, 10**6]
    run = fg.train(X, -np.ones(4), steps=times[-1], lr=0.1, record=times, keep_weights=True)
    left = [np.linalg.norm(theta_of(run, t)[:-1] - found.S) for t in times]
    for before, after in pairwise(left):
        assert math.log10(before / after) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([[1.0, 0.0], [1.0, 1.0]], "the origin is outside the convex hull of its 2 points"),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], "the origin is on the boundary of the convex hull"),
        ([[math.inf, 0.0]], "X must be finite"),
    ],
)
def test_no_stationary_point(X, words):
    with pytest.raises(ValueError, match=words):
        stationary_point(X)


def test_stationary_points_that_are_not_certain_are_refused(monkeypatch):
    X = [[1.0, 0.3], [-1.0, 0.2], [0.1, -1.0]]
    with monkeypatch.context() as patch:
        patch.setattr(_exponential_mean, "_MOST_STEPS", 1)
        with pytest.raises(fg.FastgrokError, match="was not found"):
            stationary_point(X)
    monkeypatch.setattr("fastgrok.geometry._search._MOST_SPAN_WORK", 0.0)
    monkeypatch.setattr("fastgrok.geometry._search._MOST_EXACT_WORK", 0)
    monkeypatch.setattr("fastgrok.geometry._faces._MOST_WORK", 0.0)
    line = [[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 1.0, 1.0], [0.0, -1.0, -1.0]]
    with pytest.raises(fg.FastgrokError, match="could not be decided"):
        stationary_point(line)


@pytest.mark.parametrize("exponent", [-900, -570, 500, 900])
def test_stationary_points_at_every_scale(exponent):
    X = np.array([[1.0, 0.3], [-1.0, 0.2], [0.1, -1.0]])
    plain, found = stationary_point(X), stationary_point(np.ldexp(X, exponent))
    np.testing.assert_allclose(np.ldexp(found.S, exponent), plain.S, rtol=1e-12)
    assert found.level == pytest.approx(plain.level, rel=1e-12)


def test_a_stationary_point_of_points_whose_separability_is_known(monkeypatch):
    X = np.random.default_rng(3).normal(size=(30, 4))
    known, expected = fg.separability(X), stationary_point(X)
    outside = fg.separability(X[:3])
    with pytest.raises(ValueError, match="that of the 30 points of X from the origin"):
        stationary_point(X, separability=fg.separability(X[:29]))
    with pytest.raises(ValueError, match="without labels"):
        stationary_point(X, separability=fg.separability(X, np.sign(X[:, 0])))
    with pytest.raises(TypeError, match=r"what fastgrok\.separability returned, got True"):
        stationary_point(X, separability=True)
    monkeypatch.setattr("fastgrok.theory._stationary.decide", None)  # not asked again
    found = stationary_point(X, separability=known)
    np.testing.assert_array_equal(found.S, expected.S)
    assert found[1:] == expected[1:]
    with pytest.raises(ValueError, match="the origin is outside"):
        stationary_point(X[:3], separability=outside)
