r"""The law of u = (x_1 + ... + x_d) / sqrt(d) for x uniform on the cube [-a, a]^d, for any d.

u has the density of a cardinal B-spline. Up to d = 20 that is evaluated as one; beyond, where its
pieces are many and its tails too small to matter, as the Fourier series of the density repeated
with a period that holds 12 standard deviations on either side.
"""

import functools
import math
from typing import Any

import numpy as np

from fastgrok.theory._arguments import F64

_MOST_PIECES = 20
_HARMONICS = 64
_MOST_FACTORS = 256  # beyond, the power of a rounded factor would be that many times as wrong
_LEAST_OUTSIDE = 1e-9  # share of the cube that rounding cannot take for none
_FIRST_PIECE = 0.5  # no knot lies nearer to the middle, save in it
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def mass(h: F64, dim: F64, half_width: F64) -> F64:
    """P(|u| <= h) for h >= 0, of arrays of one shape; error about 1e-15, of small ones relative."""
    out = np.empty(h.shape)
    scaled = h / half_width
    for d in np.unique(dim):
        some = dim == d
        out[some] = _mass(np.minimum(scaled[some], math.sqrt(d)), int(d))
    out[np.isnan(h)] = np.nan
    return out


def within_margin(gamma: F64, dim: F64, half_width: F64) -> F64:
    """P(|u| <= gamma/2), refused where it is 1, be it to rounding."""
    with np.errstate(over="ignore"):
        outside = gamma >= 2.0 * half_width * np.sqrt(dim)
    inner = mass(0.5 * gamma, dim, half_width)
    outside |= inner > 1.0 - _LEAST_OUTSIDE
    if outside.any():
        raise ValueError(
            "gamma must be less than 2 half_width sqrt(dim), and leave at least 1e-9 of the cube "
            f"beyond the margin, got {float(gamma[outside][0])!r}"
        )
    return inner


def _mass(h: F64, d: int) -> F64:
    """P(|u| <= h) for the cube of half width 1 and h at most its corner's distance, sqrt(d)."""
    if d == 1:
        return h
    if d == 2:
        share = h / math.sqrt(2.0)
        return share * (2.0 - share)
    if d <= _MOST_PIECES:
        from scipy.interpolate import BSpline  # noqa: PLC0415 (slow to import)

        spline = BSpline.basis_element(np.arange(d + 1) - 0.5 * d).antiderivative()
        t = 0.5 * math.sqrt(d) * h
        out: F64 = np.minimum(2.0 * (spline(t) - spline(0.0)), 1.0)
        near = t <= _FIRST_PIECE  # a polynomial, integrated exactly: the difference would cancel
        inner = 0.5 * np.multiply.outer(h[near], 1.0 + _NODES)
        out[near] = h[near] * (density(inner.ravel(), d).reshape(inner.shape) @ _WEIGHTS)
        return out
    period, frequencies, factors = _series(d)
    angles = np.multiply.outer(np.minimum(h, period), frequencies)
    return np.minimum(h, period) / period + (np.sin(angles) / frequencies) @ factors * 2.0 / period


def density(u: F64, d: int) -> F64:
    """Density of u at points of shape (n,), for the cube of half width 1."""
    if d == 1:
        return np.where(np.abs(u) <= 1.0, 0.5, 0.0)
    if d <= _MOST_PIECES:
        values: F64 = np.nan_to_num(_spline(d)(0.5 * math.sqrt(d) * u))
        return 0.5 * math.sqrt(d) * values
    period, frequencies, factors = _series(d)
    out: F64 = (0.5 + np.cos(np.multiply.outer(u, frequencies)) @ factors) / period
    return out


@functools.cache
def _spline(d: int) -> Any:
    """Return the cardinal B-spline of d pieces, NaN outside: making it takes longer than asking."""
    from scipy.interpolate import BSpline  # noqa: PLC0415 (slow to import)

    return BSpline.basis_element(np.arange(d + 1) - 0.5 * d, extrapolate=False)


def _series(d: int) -> tuple[float, F64, F64]:
    """Half a period, the frequencies and the characteristic function of u there."""
    period = min(math.sqrt(d), 12.0 / math.sqrt(3.0))
    frequencies: F64 = np.arange(1.0, _HARMONICS + 1.0) * (math.pi / period)
    with np.errstate(under="ignore"):
        if d <= _MOST_FACTORS:
            return period, frequencies, np.sinc(frequencies / (math.pi * math.sqrt(d))) ** d
        angles = frequencies / math.sqrt(d)
        less: F64 = np.zeros(_HARMONICS)  # sin(x) / x - 1, by its power series, as x < 2
        for k in range(20, 0, -2):
            less = -angles * angles / (k * (k + 1)) * (1.0 + less)
        return period, frequencies, np.exp(float(d) * np.log1p(less))


def transverse_variance(d: int, half_width: float) -> float:
    """Variance of e . x for a unit vector e orthogonal to the diagonal, given u = 0; d >= 2."""
    # All directions have the same: d/(d-1) times that of x_1, whose density given that the sum
    # is 0 is the density of the sum of the d - 1 others.
    x = 0.5 * (1.0 + _NODES)
    others = density(x / math.sqrt(d - 1), d - 1) * _WEIGHTS
    return half_width**2 * d / (d - 1) * float((others * x * x).sum() / others.sum())
