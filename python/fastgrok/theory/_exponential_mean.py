"""The minimum of a mean of exponentials, mean_i exp(v_i . s)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, qr

from fastgrok._checks import F64

_RANK_RTOL = 1e-11
_MOST_STEPS = 300


@dataclass(frozen=True)
class ExponentialMean:
    """
    Where log mean_i exp(v_i . s) is least.

    Attributes
    ----------
    point : ndarray of shape (d,)
        s, in the span of the v_i.
    weights : ndarray of shape (n,)
        p_i = exp(v_i . s) / sum_j exp(v_j . s), with sum_i p_i v_i = 0 up to rounding.
    log_mean : float
        The value.
    curvatures : ndarray of shape (rank,)
        Eigenvalues of sum_i p_i v_i v_i^T on the span, increasing.
    converged : bool
        Whether the steps ended by themselves.
    """

    point: F64
    weights: F64
    log_mean: float
    curvatures: F64
    converged: bool


def _span(vectors: F64) -> F64 | None:
    """Orthonormal columns that span the rows; None if that is the whole space."""
    dim = vectors.shape[1]
    R = qr(vectors, mode="r", check_finite=False)[0][:dim]
    R, pivots = qr(R, mode="r", pivoting=True, check_finite=False)
    sizes = np.abs(np.diag(R))
    rank = int(np.count_nonzero(sizes > _RANK_RTOL * sizes[0]))
    if rank == dim:
        return None
    rows = np.zeros((rank, dim))
    rows[:, pivots] = R[:rank]
    return np.asarray(qr(rows.T, mode="economic", check_finite=False)[0], dtype=np.float64)


def _mean(exponents: F64) -> tuple[float, NDArray[np.float64]]:
    """Log of the mean of exponentials, and their shares."""
    most = float(exponents.max())
    values = np.exp(exponents - most)
    total = float(values.sum())
    return most + float(np.log(total / len(values))), values / total


def least_exponential_mean(vectors: F64) -> ExponentialMean:
    """
    Minimise log mean_i exp(v_i . s) by Newton's method with a line search.

    Where the minimum is not attained (the origin is not in the relative interior of the convex
    hull of the v_i), the point is just where the value stops falling, far out, and some of the
    weights are next to nothing.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        The v_i, not all zero.
    """
    # Numbers below 1, lest squares overflow or all of them underflow.
    scale = int(np.frexp(np.abs(vectors).max())[1])
    vectors = np.ldexp(vectors, -scale)
    basis = _span(vectors)
    V = vectors if basis is None else vectors @ basis
    s = np.zeros(V.shape[1])
    value, p = _mean(V @ s)
    last, converged = np.inf, False
    for _ in range(_MOST_STEPS):
        slope = p @ V
        curvature = (V * p[:, None]).T @ V - np.multiply.outer(slope, slope)
        # Far out, where nothing curves any more, rounding may spoil definiteness.
        curvature[np.diag_indices_from(curvature)] += 1e-15 * np.trace(curvature)
        step = -cho_solve(cho_factor(curvature, check_finite=False), slope, check_finite=False)
        fall = -float(slope @ step)
        length, rounding = 1.0, 1e-15 * (1.0 + abs(value))
        trial, shares = _mean(V @ (s + step))
        while trial > value - 1e-4 * length * fall + rounding and length > 1e-12:
            length /= 2.0
            trial, shares = _mean(V @ (s + length * step))
        s, value, p = s + length * step, trial, shares
        if fall < 1e-28 or (fall < 1e-16 and fall > 0.5 * last):
            converged = True
            break
        last = fall
    spread = (V * p[:, None]).T @ V
    curvatures = np.asarray(np.linalg.eigvalsh(spread), dtype=np.float64)
    point = s if basis is None else basis @ s
    with np.errstate(over="ignore", under="ignore"):
        point, curvatures = np.ldexp(point, -scale), np.ldexp(curvatures, 2 * scale)
    return ExponentialMean(point, p, value, curvatures, converged)
