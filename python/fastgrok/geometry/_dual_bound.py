"""The bound on margins that dual coefficients prove, none of whose rounding makes it too small."""

from math import fsum

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import accurate_product
from fastgrok.geometry._products import times

_EPS = float(np.finfo(np.float64).eps)


def dual_bound(Z: F64, alpha: F64, penalty: float | None) -> float:
    """
    Bound 1 / sqrt(||w||^2 + penalty b^2) from above, for all (w, b) with margins of at least 1.

    By weak duality it is at most ||sum_i alpha_i z_i|| / sum alpha, in which the bias has the norm
    (sum_i alpha_i y_i)^2 / penalty, and at most half the distance between the points of the two
    classes' hulls whose weights are the alpha_i over their class's sum, with any penalty. The
    second holds where rounding of alpha leaves more of the bias than the penalty forgives.

    Parameters
    ----------
    Z : ndarray of shape (k, D)
        Rows, with a bias y_i (x_i, 1).
    alpha : ndarray of shape (k,)
        Positive.
    penalty : float or None
        Of the squared bias, 0 if it is free; None without a bias.
    """
    rows, y = (Z, None) if penalty is None else (Z[:, :-1], Z[:, -1])
    total = accurate_product(rows.T, alpha)
    size = float(alpha @ np.sqrt(np.einsum("ij,ij->i", rows, rows)))
    missed = (len(rows) * _EPS) ** 2 * size
    norm = float(np.linalg.norm(total)) + missed
    bounds = []
    if y is None:
        bounds.append(norm / fsum(alpha))
    elif penalty:
        bounds.append(float(np.hypot(norm, fsum(alpha * y) / np.sqrt(penalty))) / fsum(alpha))
    if y is not None and np.any(y != y[0]):
        # Weights of equal sums: those of class -1 are scaled by 1 + excess. Where rounding alone
        # makes the sums differ, so little is added that its own rounding is nothing.
        other = y < 0.0
        sums = fsum(alpha[~other]), fsum(alpha[other])
        excess = fsum(alpha * y) / sums[1]
        total = total + excess * times(rows[other].T, alpha[other])
        norm = float(np.linalg.norm(total)) + missed
        norm += 2.0 * (len(rows) + 4.0) * _EPS * abs(excess) * size
        bounds.append(0.5 * norm / sums[0])
    return min(bounds) * (1.0 + 8.0 * _EPS)
