"""The bound on margins that dual coefficients prove, none of whose rounding makes it too small."""

from fractions import Fraction
from math import fsum

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._rows import accurate_product

_EPS = float(np.finfo(np.float64).eps)
_SLIGHT = 1e-13
"""Of a bound, what rounding may add to it."""
_MOST_EXACT = 20_000
"""So many products of fractions take a tenth of a second."""


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
    total = fsum(alpha)
    if penalty is None:
        return _norm_above(Z, alpha) / total * (1.0 + 8.0 * _EPS)
    X, y = Z[:, :-1], Z[:, -1]
    bounds = []
    if penalty:
        bias = fsum(alpha * y) / np.sqrt(penalty)
        bounds.append(float(np.hypot(_norm_above(X, alpha), bias)) / total)
    if np.any(y != y[0]):
        shares = np.zeros(len(alpha))
        for sign in (1.0, -1.0):
            own = y == sign
            shares[own] = alpha[own] / fsum(alpha[own])
        # About one of the points, so that the rounding of the shares moves nothing far away.
        about = X - np.multiply.outer(y * y[0], X[0])
        off = 2.0 * _EPS * float(shares @ np.linalg.norm(about, axis=1))
        norm = _norm_above(about, shares)
        if off > _SLIGHT * norm and X.size <= _MOST_EXACT:
            norm, off = _exact_distance(X, alpha, y), 0.0
        bounds.append(0.5 * (norm + off))
    return min(bounds) * (1.0 + 8.0 * _EPS)


def _exact_distance(X: F64, alpha: F64, y: F64) -> float:
    """Find the distance between the classes' means with weights alpha without rounding."""
    weights = [Fraction(value) for value in alpha.tolist()]
    sums = {s: sum(a for a, t in zip(weights, y, strict=True) if t == s) for s in (1.0, -1.0)}
    weights = [a / sums[t] for a, t in zip(weights, y.tolist(), strict=True)]
    out = [
        float(sum(a * Fraction(x) for a, x in zip(weights, column, strict=True)))
        for column in X.T.tolist()
    ]
    return float(np.linalg.norm(out))


def _norm_above(rows: F64, weights: F64) -> float:
    """||sum_i weights_i rows_i||, and what the products with twice the digits may miss."""
    missed = (len(rows) * _EPS) ** 2 * float(weights @ np.linalg.norm(rows, axis=1))
    return float(np.linalg.norm(accurate_product(rows.T, weights))) + missed
