"""Gaussian data of constant label as N and d grow with lambda = d / N fixed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, expit, ndtr, wrightomega

from fastgrok.theory._arguments import F64, arguments, scalar

_SQRT_2PI = math.sqrt(2.0 * math.pi)
_CRITICAL = math.sqrt(math.pi**2 / 16.0 + 0.5 * math.log(2.0) ** 2)
_WIDE = 2.0  # s from which on W is more than a ripple on the scale of Z
_LEAST = 1e-17  # up to it s = sqrt(lam) and the level 1, to rounding


def large_n_margin(lam: ArrayLike, sigma: ArrayLike = 1.0) -> F64:
    r"""
    Margin from the origin of N points of N(0, sigma^2 I_d) as N grows with d / N = lam.

    M = sigma kappa, kappa being the root of

        (1 + kappa^2) Phi(kappa) + kappa phi(kappa) = lam,

    and 0 for lam <= 1/2, where the points are not separable from the origin.

    Parameters
    ----------
    lam : array_like
        lambda = d / N, greater than 0 and at most 1e300.
    sigma : array_like, default 1.0
        Standard deviation of each coordinate, greater than 0.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to. A draw at finite N scatters around it by
        O(N^{-1/2}).

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Gardner (1988), *The space of interactions in neural network models*; not in Beck et al. (2025),
    arXiv 2410.04489, who give the limit of the accuracy in terms of the margin M
    (:func:`limit_accuracy`). M is that of the data as they are, sigma included, and the full
    distance from the origin, without a factor of 2.

    Examples
    --------
    >>> round(float(large_n_margin(0.8)), 5)
    0.31058
    """
    ratio, width = arguments(lam=(lam, "(0, 1e300]"), sigma=(sigma, "(0, inf)"))
    excess = np.maximum(ratio - 0.5, 0.0)
    # From the right of the root, Newton's method descends on a convex function.
    kappa = np.minimum(excess * (_SQRT_2PI / 2.0), np.sqrt(excess) * math.sqrt(2.0))
    for _ in range(100):
        cdf = ndtr(kappa)
        density = np.exp(-0.5 * kappa * kappa) / _SQRT_2PI
        value = kappa * kappa * cdf + kappa * density + 0.5 * erf(kappa / math.sqrt(2.0)) - excess
        step = value / (2.0 * (kappa * cdf + density))
        kappa = kappa - step
        if np.all(np.abs(step) <= 1e-15 * np.abs(kappa)):
            break
    return scalar(width * np.maximum(kappa, 0.0))


def large_n_stationary(lam: ArrayLike) -> tuple[F64, F64]:
    r"""
    Where the weights settle for inseparable Gaussian data, as N grows with d / N = lam < 1/2.

    s = sigma ||S_inf|| and the level l of the loss mean_i exp(S_inf . x_i) solve, with Z ~ N(0, 1)
    and w(Z) = W(gamma exp(s Z)), W the Lambert function,

        E[w / (1 + w)] = lam,    E[w^2] = lam s^2,    l = E[exp(s Z - w)] = E[w] / gamma.

    Parameters
    ----------
    lam : array_like
        lambda = d / N, in (0, 1/2).

    Returns
    -------
    s : ndarray of float64, or scalar
        sigma ||S_inf||; about 0.926 (1/2 - lam)^{-1/2} near 1/2.
    level : ndarray of float64, or scalar
        l, from which b(t) = -log(lr l t) at late times t.
        Relative errors of both are about 1e-12, up to 1e-7 in the last floats before 1/2.

    Raises
    ------
    ValueError, TypeError
        If `lam` lies outside its domain or is not a number.

    Notes
    -----
    From the proximal operator of the exponential; not in Beck et al. (2025), arXiv 2410.04489. Near
    lam = 1/2 the power law, with the constant sqrt(pi^2/16 + (log 2)^2/2), takes the place of the
    logarithm that the one-dimensional model suggests for the full one. At finite
    N the law of s has heavy tails there: compare medians, or the mean of 1/s^2.

    Examples
    --------
    >>> s, level = large_n_stationary(0.3)
    >>> round(float(s), 4), round(float(level), 4)
    (1.1096, 0.7945)
    """
    (ratio,) = arguments(lam=(lam, "(0, 0.5)"))
    solved = [_stationary(float(value)) for value in ratio.ravel()]
    s, level = np.array(solved).reshape(-1, 2).T
    return scalar(s.reshape(ratio.shape)), scalar(level.reshape(ratio.shape))


def _stationary(lam: float) -> tuple[float, float]:
    """Bisection on log gamma inside bisection on log s: both sides are monotone."""
    if lam <= _LEAST:
        return math.sqrt(lam), 1.0
    near = _CRITICAL / math.sqrt(0.5 - lam)
    centre = math.log(max(math.sqrt(lam), near * (2.0 * lam) ** 1.5))

    def excess(log_s: float) -> float:
        s = math.exp(log_s)
        slope, gap, _ = _averages(s, _log_gamma(s))
        return slope - lam if s < _WIDE else (0.5 - lam) - gap

    log_s = _root(excess, centre - 0.5, centre + 0.5)
    s = math.exp(log_s)
    x, weight = _nodes(s, log_gamma := _log_gamma(s))
    with np.errstate(under="ignore"):
        return s, float(weight @ np.exp(x - wrightomega(x + log_gamma)))


def _log_gamma(s: float) -> float:
    """Solve E[w^2] = s^2 E[w / (1 + w)]."""

    def excess(log_gamma: float) -> float:
        slope, _, apart = _averages(s, log_gamma)
        return math.log1p(apart / slope)

    guess = 2.0 * math.log(s) if s < 1.0 else 0.0
    return _root(excess, guess - 1.0, guess + 1.0)


def _averages(s: float, log_gamma: float) -> tuple[float, float, float]:
    """E[w/(1+w)], 1/2 less that, and E[w^2]/s^2 less that."""
    x, weight = _nodes(s, log_gamma)
    w = wrightomega(x + log_gamma)
    slope = w / (1.0 + w)
    if s < _WIDE:
        mean = float(weight @ slope)
        return mean, 0.5 - mean, float(weight @ (w * w)) / (s * s) - mean
    # Near lam = 1/2 all are 1/2 up to O(1/s), and the differences are what counts. With a sigmoid
    # of x, E[sig] = 1/2 and E[x^2 sig] = s^2/2; and w - x = log gamma - log w. It is so wide that
    # its poles are no nearer than those of W.
    width = 1.0 + abs(1.0 + log_gamma)
    up, down = expit(x / width), expit(-x / width)
    gap = np.where(x > 0.0, 1.0 / (1.0 + w) - down, up - slope)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (log_gamma - np.log(w)) * (w + x) + x * x * down
    square = np.where(x > 0.0, beyond, w * w - x * x * up)
    left = float(weight @ gap)
    return float(weight @ slope), left, float(weight @ square) / (s * s) + left


def _nodes(s: float, log_gamma: float) -> tuple[F64, F64]:
    """Points x = s Z and weights of a normal mean over functions of W(gamma e^x)."""
    if s < _WIDE:
        step = 0.2
        z: F64 = step * np.arange(-60.0, 61.0)
        return s * z, step / _SQRT_2PI * np.exp(-0.5 * z * z)
    # W is singular at x = -1 - log gamma +- i pi: the map keeps that at a distance of pi/2.
    step = 0.1
    last = math.asinh((12.0 * s + abs(log_gamma) + 1.0) / math.pi)
    u = np.arange(-last, last + step, step)
    x = math.pi * np.sinh(u) - 1.0 - log_gamma
    z = x / s
    with np.errstate(under="ignore"):
        weight: F64 = step * math.pi * np.cosh(u) / (s * _SQRT_2PI) * np.exp(-0.5 * z * z)
    return x, weight


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Root of an increasing function, near the interval given."""
    from scipy.optimize import brentq  # noqa: PLC0415 (slow to import)

    while rising(low) > 0.0:
        low, high = low - 2.0 * (high - low), low
    while rising(high) < 0.0:
        low, high = high, high + 2.0 * (high - low)
    return float(brentq(rising, low, high, xtol=1e-14, rtol=1e-14))
