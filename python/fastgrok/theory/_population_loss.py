r"""Expected losses at a Gaussian logit, from closed forms that do not overflow or cancel.

For X ~ N(c, s^2) and T_k(c) = 2 E[exp(-k X); X > 0],

    E log(1 + e^X) = E max(X, 0) + (1/2) sum_k (-1)^{k+1}/k (T_k(c) + T_k(-c)),

because log(1 + e^X) = max(X, 0) + log(1 + e^{-|X|}). The terms are the moments of a measure on
[0, 1], so that the alternating sum converges like 5.83^{-n} with the weights of Cohen, Rodriguez
Villegas and Zagier (2000), Algorithm 1. Its antiderivative in c, which averages over an interval of
c, is the same sum with 1/k^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfc, erfcx, expit, ndtr

from fastgrok import _checks
from fastgrok.linear.losses import formula
from fastgrok.theory._arguments import F64, arguments, scalar

_TERMS = 24
_DEPTH = 100
_SQRT2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def population_loss(
    norm_w: ArrayLike, b: ArrayLike, sigma: ArrayLike, loss: str = "logistic"
) -> F64:
    r"""
    Compute the expected loss of a hyperplane on x ~ N(0, sigma^2 I), every label -1.

    The logit is N(b, s^2) with s = sigma ||w||. The exponential loss is exp(b + s^2/2); the
    logistic one, E log(1 + exp(b + s Z)), is a rapidly converging series of scaled error functions.
    The squared loss is (1 + b)^2 + s^2; the hinge and its square are the first and second moment of
    max(1 + b + s Z, 0).

    Parameters
    ----------
    norm_w : array_like
        ||w||, at least 0.
    b : array_like
        Bias.
    sigma : array_like
        Standard deviation of each coordinate, greater than 0.
    loss : {"logistic", "exponential", "squared_hinge", "hinge", "squared"}, default "logistic"
        Loss of a point.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to. Relative error about 1e-12; infinite where
        the exponential loss is beyond float64.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), arXiv 2410.04489, plot this loss without giving a formula for it.

    Of two Gaussians (:func:`fastgrok.datasets.two_gaussians`) with weights w = (w_1, w_perp) and
    no bias, every margin is N(mu w_1, s^2) with s^2 = sigma_a^2 w_1^2 + sigma_b^2 ||w_perp||^2:
    their loss is ``population_loss(s, -mu * w_1, 1.0)``.

    Examples
    --------
    >>> float(population_loss(0.0, 0.0, 5.0))
    0.6931471805599453
    """
    _checks.choice("loss", loss, FORMULAS)
    size, bias, width = arguments(
        norm_w=(norm_w, "[0, inf)"), b=(b, "(-inf, inf)"), sigma=(sigma, "(0, inf)")
    )
    with np.errstate(over="ignore"):
        spread = width * size
    if np.isinf(spread).any():
        raise ValueError("sigma times norm_w must be in float64's range, got infinity")
    return scalar(gaussian_loss(bias, spread, loss))


def gaussian_loss(c: F64, s: F64, loss: str) -> F64:
    """Mean of the loss over margins -(c + s Z)."""
    with np.errstate(all="ignore"):
        return formula(FORMULAS, loss, "the mean over a Gaussian")(c, s)


def _logistic(c: F64, s: F64) -> F64:
    series = positive_part(c, s) + 0.5 * _alternating(c, s, power=1)
    return np.where(s > 0.0, series, np.logaddexp(0.0, c))


def _exponential(c: F64, s: F64) -> F64:
    out: F64 = np.exp(c + 0.5 * s * s)
    return out


def gaussian_sigmoid(c: F64, s: F64) -> F64:
    """E 1 / (1 + exp(-(c + s Z))): the derivative of the logistic mean, the same sum with k^0."""
    near = -np.abs(c)  # the other side is what is left of 1
    with np.errstate(all="ignore"):
        share = ndtr(near / s) + 0.5 * _alternating(near, s, power=0)
        share = np.where(s > 0.0, share, expit(near))
    return np.where(c > 0.0, 1.0 - share, share)


def _squared(c: F64, s: F64) -> F64:
    out: F64 = (1.0 + c) ** 2 + s * s
    return out


def _squared_hinge(c: F64, s: F64) -> F64:
    return positive_part(1.0 + c, s, power=2)


def _hinge(c: F64, s: F64) -> F64:
    return positive_part(1.0 + c, s)


def interval_loss(low: F64, high: F64, s: F64, loss: str) -> F64:
    """Mean of the loss over margins -(c + s Z), c uniform between `low` and `high`."""
    with np.errstate(all="ignore"):
        return formula(_INTERVALS, loss, "the mean over an interval")(low, high, s)


def _logistic_interval(low: F64, high: F64, s: F64) -> F64:
    length = high - low
    exact = (_integrated(high, s) - _integrated(low, s)) / length
    # Too short for a difference: the integrand is then a polynomial, to rounding.
    near = np.abs(length) < 1.0
    if not near.any():
        return exact
    pieces = _logistic(
        (low + 0.5 * length)[near, None] + 0.5 * length[near, None] * _NODES,
        np.broadcast_to(s, length.shape)[near, None],
    )
    exact[near] = 0.5 * (pieces * _WEIGHTS).sum(axis=-1)
    return exact


def _exponential_interval(low: F64, high: F64, s: F64) -> F64:
    share = np.abs(high - low)
    average = np.where(share > 0.0, -np.expm1(-share) / share, 1.0)
    return np.exp(np.maximum(low, high) + 0.5 * s * s) * average


def _hinge_interval(low: F64, high: F64, s: F64, power: int = 1) -> F64:
    least, most = 1.0 + np.minimum(low, high), 1.0 + np.maximum(low, high)
    exponent = np.frexp(np.maximum(np.maximum(np.abs(least), np.abs(most)), s))[1]  # against inf
    least, most, s = (np.ldexp(x, -exponent) for x in (least, most, s))
    lower, upper = (positive_part(x, s, power + 1) / (power + 1.0) for x in (least, most))
    # Integrals of which one is less than half of the other differ by a sure number; between others
    # the mean bends so little that the rule is exact to rounding.
    inner = 0.5 * (least + most)[..., None] + 0.5 * (most - least)[..., None] * _NODES
    mean = 0.5 * positive_part(inner, s[..., None], power) @ _WEIGHTS
    mean = np.where(lower < 0.5 * upper, (upper - lower) / (most - least), mean)
    out: F64 = np.ldexp(mean, power * exponent)
    return out


def _squared_interval(low: F64, high: F64, s: F64) -> F64:
    return _squared(0.5 * (low + high), s) + (high - low) ** 2 / 12.0


def positive_part(c: F64, s: F64, power: int = 1) -> F64:
    """E max(c + s Z, 0)^power, for powers 1, 2 and 3."""
    share = below_zero(np.abs(c) / s, power)
    beyond = np.where(share > 0.0, s**power * share, 0.0)
    # E X^p is what lies above 0 and, for odd powers, less what lies below.
    above: F64 = np.maximum(c, 0.0)
    moments = {1: above, 2: above * above + s * s, 3: above * (above * above + 3.0 * s * s)}
    signed = -beyond if power % 2 == 0 else beyond
    return np.where(c > 0.0, moments[power] + signed, beyond)


def below_zero(x: F64, power: int = 1) -> F64:
    """
    E max(Z - x, 0)^power for x >= 0 and powers up to 3; 0 at infinity.

    With mu_n the integral of t^n exp(-x t - t^2 / 2) over t > 0 that is phi(x) mu_power, and mu_0
    the Mills ratio. mu_{n+1} = n mu_{n-1} - x mu_n cancels for large x; from 2 on the ratios
    mu_n / mu_{n-1} = n / (x + mu_{n+1} / mu_n) are followed down, from their limit for large n.
    """
    mills = math.sqrt(0.5 * math.pi) * erfcx(x / _SQRT2)
    near = [mills, 1.0 - x * mills]
    for n in range(1, power):
        near.append(n * near[n - 1] - x * near[n])
    ratio = 2.0 * _DEPTH / (np.sqrt(x * x + 4.0 * _DEPTH) + x)
    far = mills
    for n in range(_DEPTH, 0, -1):
        ratio = n / (x + ratio)
        if n <= power:
            far = far * ratio
    out = _density(x) * np.where(x < 2.0, near[power], far)
    return np.where(np.isnan(x), 0.0, out)


def _integrated(c: F64, s: F64) -> F64:
    """Antiderivative of E log(1 + exp(x + s Z)) over x from -infinity to c."""
    a = np.where(s > 0.0, c / s, np.copysign(np.inf, c))
    half = np.where((s == 0.0) & (c == 0.0), 0.5, ndtr(a))
    squares = 0.5 * positive_part(c, s, power=2)
    return squares + math.pi**2 / 6.0 * half + 0.5 * _alternating(c, s, power=2)


def _alternating(c: F64, s: F64, power: int) -> F64:
    """Sum of (-1)^{k+1}/k^power times T_k(-c) + T_k(c), or T_k(-c) - T_k(c) for even powers."""
    sign = 1.0 if power == 1 else -1.0
    total = np.zeros(np.broadcast_shapes(np.shape(c), np.shape(s)))
    for k, weight in enumerate(_ACCELERATION, start=1):
        total += weight / k**power * (_tail(k, -c, s) + sign * _tail(k, c, s))
    return total


def _tail(k: int, c: F64, s: F64) -> F64:
    """T_k(c) = 2 E[exp(-k X); X > 0] for X ~ N(c, s^2)."""
    a = np.where(s > 0.0, c / s, np.copysign(np.inf, c))
    x = (k * s - a) / _SQRT2
    scaled = np.exp(-0.5 * a * a) * erfcx(np.maximum(x, 0.0))
    # Where x < 0 the exponent is below -k c / 2.
    direct = np.exp(k * (0.5 * k * s * s - c)) * erfc(np.minimum(x, 0.0))
    return np.where((s == 0.0) & (c == 0.0), 1.0, np.where(x < 0.0, direct, scaled))


def _density(x: F64) -> F64:
    out: F64 = np.exp(-0.5 * x * x) / _SQRT_2PI
    return out


def _acceleration(terms: int) -> list[float]:
    """Signed weights of the terms of an alternating sum."""
    d = (3.0 + 2.0 * _SQRT2) ** terms
    d = 0.5 * (d + 1.0 / d)
    b, c = -1.0, -d
    weights = []
    for k in range(terms):
        c = b - c
        weights.append(c / d)
        b *= (k + terms) * (k - terms) / ((k + 0.5) * (k + 1.0))
    return weights


_ACCELERATION = _acceleration(_TERMS)

FORMULAS: Mapping[str, Callable[[F64, F64], F64]] = {
    "logistic": _logistic,
    "exponential": _exponential,
    "squared_hinge": _squared_hinge,
    "hinge": _hinge,
    "squared": _squared,
}
"""Means over margins -(c + s Z), by loss."""
_INTERVALS: Mapping[str, Callable[[F64, F64, F64], F64]] = {
    "logistic": _logistic_interval,
    "exponential": _exponential_interval,
    "squared_hinge": partial(_hinge_interval, power=2),
    "hinge": _hinge_interval,
    "squared": _squared_interval,
}
