"""Gaussian points of constant label, infinitely many: margins and stationary points."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize
from scipy.special import lambertw
from scipy.stats import norm

import fastgrok as fg
from fastgrok.theory import edge

mp.mp.dps = 22
FEW = settings(max_examples=10, deadline=None)
MANY = settings(max_examples=200, deadline=None)


def quad(f, points):
    """Integrate piece by piece, and skip pieces of no length."""
    points = sorted({mp.mpf(float(p)) for p in points})
    return mp.fsum(mp.quad(f, pair) for pair in itertools.pairwise(points))


@FEW
@given(lam=st.one_of(st.floats(0.5 + 1e-9, 0.6), st.floats(0.6, 1e4)))
def test_large_n_margin_solves_its_equation(lam):
    with mp.workdps(40):
        k = mp.mpf(float(edge.large_n_margin(lam)))
        excess = (1 + k * k) * mp.ncdf(k) + k * mp.npdf(k) - mp.mpf(lam)
        slope = 2 * k * mp.ncdf(k) + 2 * mp.npdf(k)
        assert abs(excess / slope) < 1e-14 * k


def test_large_n_margin_at_both_sides():
    np.testing.assert_allclose(edge.large_n_margin([0.55, 0.8]), [0.06035, 0.31058], atol=5e-6)
    np.testing.assert_array_equal(edge.large_n_margin([0.01, 0.5], [1.0, 5.0]), 0.0)
    assert edge.large_n_margin(0.8, 5.0) == 5.0 * edge.large_n_margin(0.8)


def lambert(u):
    """W(e^u) by the definition."""
    if u < 50.0:
        return float(lambertw(math.exp(u)).real)
    w = u
    for _ in range(30):
        w = u - math.log(w)
    return w


@settings(max_examples=4, deadline=None)
@given(lam=st.floats(0.01, 0.499))
@example(lam=1e-6)
@example(lam=0.5 - 1e-5)
def test_large_n_stationary_solves_its_equations(lam):
    s, level = map(float, edge.large_n_stationary(lam))

    def mean(f, log_gamma):
        bend = -log_gamma / s
        points = sorted({min(max(bend + d / s, -12), 12) for d in (-30, -8, -2, 0, 2, 8, 30)})
        points = [-12, *points, 0, 12]
        return sum(
            integrate.quad(
                lambda z: f(lambert(log_gamma + s * z)) * norm.pdf(z),
                *pair,
                epsabs=0.0,
                epsrel=1e-11,
            )[0]
            for pair in itertools.pairwise(sorted(set(points)))
        )

    # gamma is not returned: the first equation fixes it.
    log_gamma = optimize.brentq(
        lambda g: mean(lambda w: w / (1 + w), g) / lam - 1.0,
        2 * math.log(s) - 2 if s < 1 else -2,
        12 if s > 1 else 0.5,
        xtol=1e-12,
    )
    assert mean(lambda w: w * w, log_gamma) == pytest.approx(lam * s * s, rel=1e-8)
    assert mean(lambda w: w, log_gamma) == pytest.approx(level * math.exp(log_gamma), rel=1e-8)


def omega(u):
    """W(e^u) to the precision at hand."""
    w = mp.exp(u) if u < 0 else mp.mpf(1) + max(u - mp.log(1 + u), 0)
    for _ in range(60):
        step = (w + mp.log(w) - u) * w / (1 + w)
        w = w - step if step < w else w / 2
        if abs(step) < mp.mpf(10) ** (2 - mp.mp.dps) * w:
            break
    return w


@pytest.mark.parametrize(
    ("gap", "rtol"), [(0.01, 1e-13), (1e-6, 1e-12), (1e-12, 1e-8), (2.0**-54, 1e-6)]
)
def test_large_n_stationary_up_to_the_last_float_before_the_edge(gap, rtol):
    """There 1/2 - E[w/(1+w)] is the difference of numbers that agree to 16 digits."""
    lam = 0.5 - gap
    gap = 0.5 - lam
    s, level = map(float, edge.large_n_stationary(lam))

    def averages(log_gamma):
        step, sums = mp.mpf("0.08"), [mp.mpf(0)] * 3
        last = int(mp.asinh((14 * s + abs(log_gamma)) / mp.pi) / step)
        for k in range(-last, last + 1):
            x = mp.pi * mp.sinh(k * step) - 1 - log_gamma
            weight = step * mp.pi * mp.cosh(k * step) / s * mp.npdf(x / s)
            w = omega(x + log_gamma)
            values = (w / (1 + w), w * w / mp.mpf(s) ** 2, mp.exp(x - w))
            sums = [total + weight * value for total, value in zip(sums, values, strict=True)]
        return sums

    with mp.workdps(32):
        # By secants: E[w^2] = s^2 E[w/(1+w)] fixes log gamma.
        one, other = mp.log(s), mp.log(s) + mp.mpf("0.01")
        above, values = [averages(g) for g in (one, other)]
        for _ in range(8):
            miss, before = values[1] - values[0], above[1] - above[0]
            one, other = other, other - miss * (other - one) / (miss - before)
            above, values = values, averages(other)
            if abs(other - one) < mp.mpf(10) ** -20:
                break
        assert abs(values[1] / values[0] - 1) < gap * 1e-9
        assert abs((0.5 - values[0]) / gap - 1) < rtol
        assert abs(values[2] / level - 1) < rtol


def test_large_n_stationary_of_few_coordinates():
    s, level = edge.large_n_stationary([5e-324, 1e-300, 1e-17, 2e-17, 1e-12])
    np.testing.assert_allclose(s, np.sqrt([5e-324, 1e-300, 1e-17, 2e-17, 1e-12]), rtol=1e-11)
    np.testing.assert_allclose(level, 1.0, rtol=1e-12)


def test_large_n_stationary_near_the_edge_is_a_power_law():
    gap = np.logspace(-3, -9, 4)
    s, level = edge.large_n_stationary(0.5 - gap)
    constant = math.sqrt(math.pi**2 / 16 + math.log(2) ** 2 / 2)
    np.testing.assert_allclose(s * np.sqrt(gap), constant, rtol=0.02)
    np.testing.assert_allclose((s * np.sqrt(gap))[-1], constant, rtol=1e-4)
    assert np.all(np.diff(level) < 0)


def test_large_n_stationary_is_where_draws_settle():
    # Newton's method on the mean of exp(S . x), sigma = 1.
    s, level = edge.large_n_stationary(0.1)
    squares, levels = [], []
    for seed in range(12):
        X = fg.datasets.gaussian_noise(600, 60, seed=seed).X
        S = np.zeros(60)
        for _ in range(8):
            weight = np.exp(X @ S) / 600
            S -= np.linalg.solve((X * weight[:, None]).T @ X, X.T @ weight)
        squares.append(S @ S)
        levels.append(np.exp(X @ S).mean())
    for found, expected in ((squares, s**2), (levels, level)):
        assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / math.sqrt(12))
