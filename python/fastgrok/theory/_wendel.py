"""How likely Gaussian points are separable from the origin: Wendel's law, with its logarithm."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaln

from fastgrok import _checks
from fastgrok.theory._arguments import F64, arguments, scalar

_SMALLEST = 1e-250  # below it, betainc may have lost digits to underflow
_MAX_TERMS = 10**6


def separable_probability(n: ArrayLike, dim: ArrayLike, log: bool = False) -> F64:
    r"""
    Probability that all of n random points lie strictly on one side of a hyperplane through 0.

    For points in R^dim whose law is symmetric about 0 and in general position,

        P(dim, n) = 2^{1-n} sum_{k<dim} C(n-1, k) = I_{1/2}(n - dim, dim),

    the probability that n - 1 fair coins show at most dim - 1 heads; 1 for n <= dim.

    Parameters
    ----------
    n : array_like of int
        Number of points, from 1 to 1e15.
    dim : array_like of int
        Number of coordinates, at least 0. For points with fair random labels and a hyperplane with
        a bias, count one more (Cover 1965).
    log : bool, default False
        Return log P, which stays finite where P underflows. The logarithm of 1 - P is that of the
        complement: ``separable_probability(n, n - dim, log=True)`` for dim <= n.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Wendel (1962), *A problem in geometric probability*, quoted in Section 4 of Beck et al. (2025),
    arXiv 2410.04489. There the words "separable" and "inseparable" are exchanged once: points are
    likely separable for lambda = dim/n > 1/2. At dim = n/2 the probability is exactly 1/2, and the
    transition has a width of about 1/(2 sqrt(n)) in lambda.

    Examples
    --------
    >>> float(separable_probability(40_000, 20_000))
    0.5
    >>> round(float(separable_probability(40_000, 19_200, log=True)), 6)  # lambda = 0.48
    -35.022783
    """
    log = _checks.flag("log", log)
    points, columns = arguments(n=(n, "integers in [1, 1e15]"), dim=(dim, "integers in [0, inf)"))
    if not log:
        return scalar(_probability(points, columns))
    out = np.zeros(points.shape)
    out[columns == 0.0] = -math.inf
    open_ = (columns > 0.0) & (columns < points)
    out[open_] = _log_probability(points[open_], columns[open_])
    return scalar(out + 0.0)  # no -0.0


def _probability(n: F64, dim: F64) -> F64:
    dim = np.minimum(dim, n)
    some, free = np.maximum(dim, 1.0), np.maximum(n - dim, 1.0)
    inside = betainc(free, some, 0.5)
    inside = np.where(2.0 * dim == n, 0.5, inside)
    return np.where(dim == 0.0, 0.0, np.where(dim >= n, 1.0, inside))


def _log_probability(n: F64, dim: F64) -> F64:
    probability = _probability(n, dim)
    with np.errstate(divide="ignore"):
        out = np.log(probability)
    likely = probability > 0.5
    out[likely] = np.log1p(-_probability(n, n - dim)[likely])
    tiny = probability < _SMALLEST
    out[tiny] = _log_tail(n[tiny] - dim[tiny], dim[tiny])
    return out


def _log_tail(a: F64, b: F64) -> F64:
    """Log of I_{1/2}(a, b) for a > b, by the continued fraction of the incomplete beta function."""
    if a.size == 0:
        return a
    c, d = np.ones_like(a), 1.0 / (1.0 - 0.5 * (a + b) / (a + 1.0))
    fraction = d.copy()
    for m in range(1, _MAX_TERMS):
        even = 0.5 * m * (b - m) / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -0.5 * (a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1.0))
        change = np.ones_like(a)
        for term in (even, odd):
            d = 1.0 / (1.0 + term * d)
            c = 1.0 + term / c
            change = change * c * d
        fraction *= change
        if np.all(np.abs(change - 1.0) < 1e-16):
            break
    return np.log(fraction) - (a + b) * math.log(2.0) - np.log(a) - betaln(a, b)
