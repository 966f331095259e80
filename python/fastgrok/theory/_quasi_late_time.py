"""What descent tends to where some rows can be pushed off and the others have a finite optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fastgrok._checks import F64
from fastgrok._checks.aside import decomposed
from fastgrok.errors import FastgrokError
from fastgrok.geometry import Separation, max_margin

_MOST_STEPS = 200
_ACCURACY = 1e-10
"""Of a Newton step beside the point, where it ends."""
_ROUNDING = 1e-13
"""A value that is higher by less is as low, for all that float64 shows."""


class QuasiLimit:
    """
    The parts of the expansion theta(t) = theta_hat log t + theta_tilde.

    S is the span of the rows z_i of the overlap. Their loss has its minimum v in S; in the
    complement of S, which leaves their margins as they are, the other rows p_i = z_i - (part in S)
    are separable, and what grows is their maximum margin (Ji and Telgarsky 2018, arXiv 1803.07300).
    At v the other rows have weights exp(-z_i . v) in the complement.

    Attributes
    ----------
    theta_hat : ndarray of shape (D,)
        The maximum-margin solution of the p_i.
    theta_tilde : ndarray of shape (D,)
        v and the constant in the complement; NaN where that is infinite.
    support : ndarray of int
        Rows with p_i . theta_hat = 1.
    alpha : ndarray of shape (len(support),)
        rate exp(-z_i . theta_tilde); NaN where that is infinite.
    parts : ndarray of shape (len(support), k)
        p_i of the support in orthonormal coordinates of the complement.
    excess : float
        Smallest p_i . theta_hat of the others, less 1.
    """

    def __init__(
        self,
        X: NDArray[Any],
        y: F64,
        rate: float,
        found: Separation,
        loss: str,
        threads: int | None,
    ) -> None:
        Z = y[:, None] * np.column_stack([X.astype(np.float64), np.ones(len(y))])
        inside, outside = Z[found.overlap], Z[found.rows]
        rank = _rank(found)
        held, free = _split(inside, outside, rank)
        v = held @ _least(inside @ held, loss)
        P = outside @ free
        best = max_margin(P, np.ones(len(P)), bias="none", threads=threads)
        self.theta_hat: F64 = free @ best.w
        chosen = best.support
        self.support: NDArray[np.intp] = found.rows[chosen]
        self.parts: F64 = P[chosen]
        others = np.delete(P @ best.w, chosen)
        self.excess = float(others.min() - 1.0) if others.size else float("inf")
        logs = np.log(rate) - outside[chosen] @ v
        constant = _balanced(self.parts, best.w, logs)
        self.alpha: F64 = np.exp(logs - self.parts @ constant)
        self.theta_tilde: F64 = v + free @ constant


def _rank(found: Separation) -> int:
    """Rank of the overlap, exactly: of all columns but those that the direction leaves free."""
    assert found.evidence is not None
    basis = found.evidence.cone.basis
    return 0 if basis is None else len(basis.pivots)


def _split(inside: F64, outside: F64, rank: int) -> tuple[F64, F64]:
    """Orthonormal columns that span the rows inside, and what the other rows add to that."""
    # Of many rows the triangle first: all left vectors would take the square of their number.
    few = inside if len(inside) <= inside.shape[1] else decomposed(np.linalg.qr, inside, mode="r")
    _, _, rows = decomposed(np.linalg.svd, few, full_matrices=True)
    held, rest = rows[:rank].T, rows[rank:].T
    # Directions that no row has are left out.
    sizes, more = decomposed(np.linalg.svd, outside @ rest, full_matrices=False)[1:]
    kept = sizes > 1e-10 * sizes.max()
    return held, rest @ more[kept].T


def _least(A: F64, loss: str) -> F64:
    """Minimum of sum_i l(a_i . s), which exists, by Newton's method with halved steps."""
    point = np.zeros(A.shape[1])
    if not A.size:
        return point
    value = _value(A @ point, loss)
    for _ in range(_MOST_STEPS):
        margins = A @ point
        # Slope over root of curvature, of either loss, without a quotient of what may be 0.
        halves = np.exp(-margins / 2.0)
        roots = halves if loss == "exponential" else halves * expit(margins)
        step: F64 = decomposed(np.linalg.lstsq, roots[:, None] * A, halves, rcond=None)[0]
        size = 1.0
        most = value + _ROUNDING * abs(value)
        while size > 1e-12 and not (new := _value(A @ (point + size * step), loss)) <= most:
            size /= 2.0
        if np.linalg.norm(A @ step) <= _ACCURACY * (1.0 + np.linalg.norm(margins)):
            return point + step
        if size <= 1e-12:
            break
        point, value = point + size * step, new
    raise FastgrokError("the optimum of the rows that are not separated was not found in float64")


def _value(margins: F64, loss: str) -> float:
    with np.errstate(over="ignore"):
        each = np.exp(-margins) if loss == "exponential" else np.logaddexp(0.0, -margins)
    return float(each.sum())


def _balanced(P: F64, w: F64, logs: F64) -> F64:
    """Least s in the span of the p_i with sum_i exp(logs_i - p_i . s) p_i = w; NaN if infinite."""
    _, sizes, axes = decomposed(np.linalg.svd, P, full_matrices=False)
    span = axes[sizes > 1e-10 * sizes.max()].T
    A, target = P @ span, w @ span
    # Start where the exponents are about 0.
    point = decomposed(
        np.linalg.lstsq, A, logs - np.log(max(float(w @ w), 1e-300) / len(P)), rcond=None
    )[0]

    def value(s: F64) -> float:
        with np.errstate(over="ignore"):
            return float(np.exp(logs - A @ s).sum() + target @ s)

    now = value(point)
    for _ in range(_MOST_STEPS):
        alpha = np.exp(logs - A @ point)
        gradient = target - alpha @ A
        matrix = A.T @ (alpha[:, None] * A)
        step = -decomposed(np.linalg.lstsq, matrix, gradient, rcond=None)[0]
        if np.abs(A @ step).max() <= _ACCURACY:
            out: F64 = span @ (point + step)
            return out
        size = 1.0
        most = now + _ROUNDING * abs(now)
        while size > 1e-12 and not (new := value(point + size * step)) <= most:
            size /= 2.0
        if size <= 1e-12:
            break
        point, now = point + size * step, new
    return np.full(P.shape[1], np.nan)
