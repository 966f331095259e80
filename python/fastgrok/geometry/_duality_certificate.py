"""
How far a point u is from the minimum of a sum of squared hinges with weight decay, by duality.

For alpha >= 0 and slacks k_i = alpha_i / (2 c) every term c max(0, 1 - m)^2 is at least
alpha_i (1 - m) - alpha_i^2 / (4 c), by c (1 - m - k_i)^2 where m <= 1. What is left of f is a
quadratic with its minimum known, so that f(u) exceeds f(u*) by no more than

    G = sum_i c (1 - m_i - k_i)^2 + 1/2 ||q||^2 / decay,    q = decay u - sum_i alpha_i z_i,

and ||u - u*||^2 <= 2 G / decay. All terms are squares of rounding errors where u is the minimum but
for these, however many rows are on the kink and however little the decay. A bias b that does not
decay adds |q_b| |b - b*|. What proves that to be small is a row of large alpha_i: its term is at
most G at the minimum, too, and so its margin there is 1 - k_i up to sqrt(G / c) + G / alpha_i.
"""

from __future__ import annotations

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import accurate_product
from fastgrok.geometry._decayed_sum import DecayedSum, length

_EPS = 2.0**-53
_UP = 1.0 + 2.0**-20
_REFINEMENTS = 6


def duality_bound(f: DecayedSum, u: F64, m: F64, moved: F64, of_sums: float) -> float:
    """
    Upper bound of the Euclidean distance of (w, b) from the minimum, (2^shift w, b) = u.

    Parameters
    ----------
    f : DecayedSum
        Of squared hinges.
    u : ndarray of shape (D,)
        The point.
    m, moved : ndarray of shape (n,)
        Margins, and bounds of their errors.
    of_sums : float
        Error of a sum over rows, over the sum of the magnitudes.
    """
    own = f.penalty * u
    alpha = 2.0 * f.weight * np.maximum(1.0 - m, 0.0)
    active = m < 1.0 + 2.0 * moved
    best = np.inf
    # Slopes may be less than the rounding of margins: those that balance the decay are found.
    for _ in range(_REFINEMENTS):
        q = own - accurate_product(f.Z.T, alpha)
        found = _bound(f, u, m, moved, of_sums, alpha, q)
        best = min(best, found)
        step = f.step(np.where(active, 2.0, 0.0), q)[0]
        alpha = np.where(active, alpha - 2.0 * f.weight * accurate_product(f.Z, step), alpha)
        active &= alpha > 0.0
        alpha = np.maximum(alpha, 0.0)
    return best


def _bound(f: DecayedSum, u: F64, m: F64, moved: F64, of_sums: float, alpha: F64, q: F64) -> float:
    dim, c, own = f.dim, f.weight, f.penalty * u
    slack = alpha / (2.0 * c)
    off = np.where(slack > 0.0, np.abs((1.0 - m) - slack), np.maximum(1.0 - m, 0.0))
    off += moved + 4.0 * _EPS * (np.abs(1.0 - m) + slack)
    off[(slack == 0.0) & (m > 1.0 + moved)] = 0.0
    of_w = length(q[:dim]) + 2.0 * _EPS * (length(q[:dim]) + length(own[:dim]))
    of_w += of_sums * float(alpha @ f.norms)
    of_b = length(q[dim:]) + 2.0 * _EPS * (length(q[dim:]) + length(own[dim:]))
    of_b += of_sums * float(alpha.sum())

    # Norms rather than their squares, which might overflow.
    rows = np.sqrt(c) * length(off)
    known = np.hypot(rows, np.sqrt(0.5 / f.decay) * of_w) * _UP
    if not f.bias:
        return float(np.ldexp(np.sqrt(2.0 / f.decay) * known, -f.shift) * _UP)
    if f.bias_decay > 0.0:
        root = np.hypot(known, np.sqrt(0.5 / f.bias_decay) * of_b) * _UP
        off_w = np.sqrt(2.0 / f.decay) * root
        return float(np.hypot(np.ldexp(off_w, -f.shift), np.sqrt(2.0 / f.bias_decay) * root) * _UP)

    # No slack at the minimum is beyond what f(u) allows, and there are rows of both classes.
    value = length(
        np.append(
            np.sqrt(c) * np.maximum(1.0 - m + moved, 0.0), np.sqrt(0.5) * np.sqrt(f.penalty) * u
        )
    )
    value *= _UP
    off_b = (
        abs(float(u[-1]))
        + 1.0
        + value / np.sqrt(c)
        + float(f.norms.max()) * value * np.sqrt(2.0 / f.decay)
    )
    row = int(np.argmax(alpha))
    for _ in range(3):
        root = np.hypot(known, np.sqrt(of_b * off_b)) * _UP
        off_w = np.sqrt(2.0 / f.decay) * root
        margin = root / np.sqrt(c) + (root / alpha[row]) * root + off[row] + moved[row]
        off_b = min(off_b, (margin + float(f.norms[row]) * off_w) * _UP)
    return float(np.hypot(np.ldexp(off_w, -f.shift), off_b) * _UP)
