"""What descent on separable data tends to, to the second order in log t."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr, svdvals
from scipy.linalg.lapack import dgejsv

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.errors import FastgrokError
from fastgrok.geometry._hard_margin import least_with_margins
from fastgrok.geometry._max_margin import max_margin
from fastgrok.theory._arguments import arguments
from fastgrok.theory._exponential_mean import least_exponential_mean

_REDUCTIONS = ("mean", "sum")
_VANISHING = 1e-12
"""Shares of the dual below this are forced to be zero."""
_EPS = float(np.finfo(np.float64).eps)
_ACCURACY = 1e-6
"""Of dual coefficients, beside their mean."""
_LARGEST = 450
"""Exponent of 2 of X up to which squares stay in float64, and shares of them."""
_DEPENDENT = 1e-10
"""A support vector with a smaller share outside the span of others lies in it but for rounding."""


@dataclass(frozen=True, eq=False)
class LateTime:
    r"""
    The expansion theta(t) = theta_hat log t + theta_tilde + o(1) of a run on separable data.

    theta = (w, b) and z_i = y_i (x_i, 1); c = lr for the sum of the losses and lr / n for the mean.

    Attributes
    ----------
    w_hat, b_hat : ndarray of shape (d,), float
        The maximum-margin solution with penalised bias, theta_hat.
    w_tilde, b_tilde : ndarray of shape (d,), float
        The constant part in the span of the support vectors, theta_tilde; NaN where it is infinite
        (see `finite`). Orthogonal to this span the constant depends on the whole history.
    dual : ndarray of shape (n,)
        alpha_i = c exp(-z_i . theta_tilde) for support vectors, else 0: the dual coefficients
        of theta_hat that descent selects.
    support : ndarray of int
        The support vectors, with z_i . theta_hat = 1.
    a_plus, a_minus : float
        A_+ = sum exp(-w_tilde . x_i) over the support vectors of class +1, A_- = sum
        exp(w_tilde . x_i) over those of class -1.
    delta : float
        sqrt(A_- / A_+).
    b_inf : float
        -log(delta), the limit of the bias where b_hat = 0: there it equals b_tilde.
    rates : ndarray of shape (rank,)
        Increasing eigenvalues mu of sum alpha_i z_i z_i^T on the span: what deviates from the
        expansion falls like t^-mu. One of them is 1, a shift of time.
    excess : float
        Smallest margin z_i . theta_hat of the other rows, less 1: they contribute O(t^-excess).
        Infinite if all rows are support vectors.
    rate : float
        c.
    """

    w_hat: F64 = field(repr=False)
    b_hat: float
    w_tilde: F64 = field(repr=False)
    b_tilde: float
    dual: F64 = field(repr=False)
    support: NDArray[np.intp] = field(repr=False)
    a_plus: float
    a_minus: float
    delta: float
    b_inf: float
    rates: F64 = field(repr=False)
    excess: float
    rate: float

    @property
    def finite(self) -> bool:
        """Whether theta_tilde is finite: no dual coefficient of a support vector must be zero."""
        return bool(np.isfinite(self.b_tilde))

    def at(self, t: ArrayLike) -> tuple[F64, F64]:
        """
        Weights and bias that the expansion gives at a number of steps.

        Parameters
        ----------
        t : array_like
            Steps, greater than 0 and finite.

        Returns
        -------
        tuple of ndarray
            w of shape t.shape + (d,), and b of the shape of t.
        """
        (times,) = arguments(t=(t, "(0, inf)"))
        growth = np.log(times)
        return (
            np.multiply.outer(growth, self.w_hat) + self.w_tilde,
            growth * self.b_hat + self.b_tilde,
        )


def late_time(
    X: ArrayLike,
    y: ArrayLike,
    lr: float,
    reduction: str = "mean",
    *,
    threads: int | None = None,
) -> LateTime:
    r"""
    Late-time expansion of descent on (w, b) for separable data.

    With the penalised maximum-margin solution theta_hat, the residual rho = theta - theta_hat log t
    obeys, up to what the other rows contribute,

        t d rho/dt = -grad Psi(rho),    Psi(rho) = c sum_SV exp(-z_i . rho) + theta_hat . rho,

    on the span of the support vectors, so that it tends to theta_tilde = argmin Psi, and
    alpha_i = c exp(-z_i . theta_tilde) are dual coefficients of theta_hat. Along theta_hat the
    minimum is known, since sum alpha_i = ||theta_hat||^2; orthogonal to it Psi is a mean of
    exponentials of the vectors theta_hat / ||theta_hat||^2 - z_i, which is minimised by Newton's
    method. The alpha_i are known then, and theta_tilde is the least vector with
    z_i . theta_tilde = log(c / alpha_i). It holds for the logistic and the exponential loss.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows.
    y : array_like of shape (n,)
        Labels -1 and +1.
    lr : float
        Learning rate, greater than 0.
    reduction : {"mean", "sum"}, default "mean"
        What the loss is.
    threads : int, optional
        Default: the cores this process may use, at most OMP_NUM_THREADS.

    Returns
    -------
    LateTime
        The expansion. Its theta_tilde is NaN where it is infinite, because every dual solution is
        zero for some support vector; theta then drifts like log log t.

    Raises
    ------
    NotSeparableError
        If no (w, b) separates the rows.
    FastgrokError
        If rounding hides the maximum margin, or which dual coefficients belong to it.
    ValueError, TypeError
        For bad arguments; also if X is so large or small that the dual, of the size of 1 / |X|^2,
        leaves float64.

    Notes
    -----
    Soudry et al. (2018), JMLR 19, Theorem 9; Das et al. (2026), arXiv 2602.08302, equation 8, which
    leaves out the label, the bias and, for the mean, the division by n. Rows are taken for support
    vectors where their margin is 1 up to rounding, so support vectors on the margin of the data
    must be so to about ten digits.
    """
    rows, signs = _checks.data(X, y)
    rate = _checks.real("lr", lr, positive=True)
    if _checks.choice("reduction", reduction, _REDUCTIONS) == "mean":
        rate /= len(rows)
    exponent = int(np.frexp(np.abs(rows).max())[1])
    if abs(exponent) > _LARGEST:
        size = "large" if exponent > 0 else "small"
        raise ValueError(
            f"X is too {size} for dual coefficients in float64, which are of the size of "
            "1 / |X|^2: multiply it by some number"
        )
    best = max_margin(rows, signs, bias="penalized", threads=threads)
    theta_hat = np.append(best.w, best.b)
    return _expansion(rows, signs, rate, theta_hat, best.support)


def _expansion(
    X: NDArray[Any], y: F64, rate: float, theta_hat: F64, support: NDArray[np.intp]
) -> LateTime:
    own = y[support]
    points = X[support].astype(np.float64)
    # In units in which points and weights are about 1. The bias has units of its own, and counts
    # 2^exponent times as much in norms.
    exponent = int(np.frexp(np.abs(points).max())[1])
    Z = own[:, None] * np.column_stack([np.ldexp(points, -exponent), np.ones(len(own))])
    theta = np.append(np.ldexp(theta_hat[:-1], exponent), theta_hat[-1])
    metric = np.ones(len(theta))
    metric[-1] = 2.0**exponent
    squared = float(np.sum((metric * theta) ** 2))
    # What the rounding of a margin does to the dual.
    moved = _EPS * float(np.linalg.norm(theta[:-1])) / float(_squares(Z / metric)[0])
    if moved * len(Z) > _ACCURACY * squared:
        raise FastgrokError(
            f"the dual coefficients of the {len(Z)} support vectors cannot be told in float64: but "
            "for rounding some depend on others, perhaps because X is so large that a bias is "
            "nothing beside it, or far from the origin"
        )
    # Without rounding these are orthogonal to theta.
    across = metric * theta * (metric / squared) - Z
    across -= np.multiply.outer(across @ theta / float(theta @ theta), theta)
    shares = np.full(len(Z), 1.0 / len(Z))
    if np.abs(across).max() > 1e-12:  # else all support vectors are the same
        shares = least_exponential_mean(across).weights
    kept = shares > _VANISHING * shares.max()
    shares = np.where(kept, shares, 0.0)
    alpha = squared * shares
    dual = np.zeros(len(y))
    dual[support] = np.ldexp(alpha, -2 * exponent)
    theta_tilde = np.full(len(theta), np.nan)
    if kept.all():
        # z_i . theta_tilde = log(c / alpha_i)
        logs = np.log(rate) - np.log(alpha) + 2.0 * np.log(2.0) * exponent
        theta_tilde = least_with_margins(Z, metric[-1] ** 2, logs, _DEPENDENT)
        theta_tilde[:-1] = np.ldexp(theta_tilde[:-1], -exponent)
    with np.errstate(over="ignore"):
        parts = np.exp(-own * (points @ theta_tilde[:-1]))
    a_plus, a_minus = float(parts[own > 0.0].sum()), float(parts[own < 0.0].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = float(np.sqrt(np.divide(a_minus, a_plus)))
        b_inf = float(-np.log(delta))
    others = np.delete(y * (X @ theta_hat[:-1] + theta_hat[-1]), support)
    return LateTime(
        w_hat=theta_hat[:-1],
        b_hat=float(theta_hat[-1]),
        w_tilde=theta_tilde[:-1],
        b_tilde=float(theta_tilde[-1]),
        dual=dual,
        support=support,
        a_plus=a_plus,
        a_minus=a_minus,
        delta=delta,
        b_inf=b_inf,
        rates=_squares(np.sqrt(alpha[kept])[:, None] * (Z[kept] / metric)),
        excess=float(others.min() - 1.0) if others.size else float("inf"),
        rate=rate,
    )


def _squares(rows: F64) -> F64:
    """
    Squares of the nonzero singular values, increasing, each to its own relative accuracy.

    Where columns are of very different sizes that takes Jacobi's method.
    """
    if len(rows) < rows.shape[1]:
        rows = np.concatenate([rows, np.zeros((rows.shape[1] - len(rows), rows.shape[1]))])
    sizes = np.linalg.norm(rows, axis=0)
    scaled = rows / np.where(sizes > 0.0, sizes, 1.0)
    pivots = np.abs(np.diag(qr(scaled, mode="r", pivoting=True, check_finite=False)[0]))
    rank = int(np.count_nonzero(pivots > _DEPENDENT * pivots[0]))
    if sizes.max() < 1e5 * sizes[sizes > 0.0].min():
        values = svdvals(rows, check_finite=False)
    else:
        values, _, _, work, _, _ = dgejsv(rows, joba=0, jobu=3, jobv=3)
        values = values * (work[0] / work[1])
    out: F64 = np.sort(values)[len(values) - rank :] ** 2
    return out
