"""The bound on margins that dual coefficients prove, none of whose rounding makes it too small."""

from math import fsum, hypot, sqrt

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import accurate_product
from fastgrok.geometry._products import times

_EPS = float(np.finfo(np.float64).eps)


def dual_bound(
    Z: F64, sizes: F64, alpha: F64, penalty: float | None, rest: F64 | None = None
) -> float:
    """
    Bound 1 / sqrt(||w||^2 + penalty b^2) from above, for all (w, b) with margins of at least 1.

    By weak duality it is at most ||sum_i alpha_i z_i|| / sum alpha, in which the bias has the norm
    (sum_i alpha_i y_i)^2 / penalty, and at most half the distance between the points of the two
    classes' hulls whose weights are the alpha_i over their class's sum, with any penalty. The
    second holds where rounding of alpha leaves more of the bias than the penalty forgives.

    Parameters
    ----------
    Z : ndarray of shape (n, D)
        Rows, with a bias y_i (x_i, 1).
    sizes : ndarray of shape (n,)
        ||x_i||.
    alpha : ndarray of shape (n,)
        Not negative, and not all zero.
    penalty : float or None
        Of the squared bias, 0 if it is free; None without a bias.
    rest : ndarray of shape (n,), optional
        What rounding has left of alpha, which counts as the sum of both.
    """
    if rest is not None and rest.any():
        Z, sizes = np.concatenate([Z, Z]), np.concatenate([sizes, sizes])
        alpha = np.concatenate([alpha, rest])
    Z = np.ascontiguousarray(Z)
    count = int(np.count_nonzero(alpha))
    size = float(np.abs(alpha) @ sizes)
    missed = (count * _EPS) ** 2 * size
    total = accurate_product(Z.T, alpha)
    if penalty is None:
        bound = (hypot(*total.tolist()) + missed) / fsum(alpha)
        return bound * (1.0 + 8.0 * _EPS)
    y, total = Z[:, -1], total[:-1]
    bounds = []
    if penalty:
        norm = hypot(*total.tolist()) + missed
        bounds.append(hypot(norm, fsum(alpha * y) / sqrt(penalty)) / fsum(alpha))
    other = np.where(y < 0.0, alpha, 0.0)
    sums = fsum(alpha - other), fsum(other)
    if min(sums) > 0.0:
        # Weights of equal sums: those of class -1 are scaled by 1 + excess. Where rounding alone
        # makes the sums differ, so little is added that its own rounding is nothing.
        excess = fsum(alpha * y) / sums[1]
        total = total + excess * times(Z.T, other)[:-1]
        norm = hypot(*total.tolist()) + missed  # not a sum of squares, whose rounding adds up
        norm += 2.0 * (count + 4.0) * _EPS * abs(excess) * size
        bounds.append(0.5 * norm / sums[0])
    return min(bounds) * (1.0 + 8.0 * _EPS)
