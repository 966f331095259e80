"""The bound on margins that dual coefficients prove, none of whose rounding makes it too small."""

from math import fsum, hypot, sqrt
from typing import Any

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import accurate_product
from fastgrok.geometry.products import times

_EPS = float(np.finfo(np.float64).eps)


def dual_norm(vectors: F64, norm: str) -> Any:
    """Dual of a norm, of every row; rounded."""
    return np.linalg.norm(vectors, {"l2": 2, "linf": 1, "l1": np.inf}[norm], axis=-1)


def dual_bound(
    Z: F64,
    sizes: F64,
    alpha: F64,
    penalty: float | None,
    rest: F64 | None = None,
    norm: str = "l2",
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
        ||x_i||, in the dual norm.
    alpha : ndarray of shape (n,)
        Not negative, and not all zero.
    penalty : float or None
        Of the squared bias, 0 if it is free; None without a bias.
    rest : ndarray of shape (n,), optional
        What rounding has left of alpha, which counts as the sum of both.
    norm : {"l2", "linf", "l1"}
        Of w; the sums above are then in its dual. Others than l_2 know no penalty but 0.
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
        bound = (_size(total, norm) + missed) / fsum(alpha.tolist())
        return bound * (1.0 + 8.0 * _EPS)
    y, total = Z[:, -1], total[:-1]
    balance = fsum((alpha * y).tolist())
    bounds = []
    if penalty:
        size_of_w = _size(total, norm) + missed
        bounds.append(hypot(size_of_w, balance / sqrt(penalty)) / fsum(alpha.tolist()))
    negative = y < 0.0
    other = np.where(negative, alpha, 0.0)
    sums = fsum(alpha[~negative].tolist()), fsum(alpha[negative].tolist())
    if min(sums) > 0.0:
        # Weights of equal sums: those of class -1 are scaled by 1 + excess. Where rounding alone
        # makes the sums differ, so little is added that its own rounding is nothing.
        excess = balance / sums[1]
        total = total + excess * times(Z.T, other)[:-1]
        size_of_w = _size(total, norm) + missed
        size_of_w += 2.0 * (count + 4.0) * _EPS * abs(excess) * size
        bounds.append(0.5 * size_of_w / sums[0])
    return min(bounds) * (1.0 + 8.0 * _EPS)


def length(values: F64) -> float:
    """l_2 norm as if rounded twice: not a sum of squares, whose rounding adds up."""
    square = float(accurate_product(values[None, :], values)[0])
    return sqrt(square) if 1e-200 < square < 1e200 else hypot(*values.tolist())


def _size(total: F64, norm: str) -> float:
    """Dual norm of a vector, rounded once or twice."""
    if norm == "l2":
        return length(total)
    values = np.abs(total).tolist()
    return fsum(values) if norm == "linf" else max(values)
