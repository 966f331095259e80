"""What descent on separable data tends to, to the second order in log t."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr
from scipy.linalg.lapack import dgejsv

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._checks.aside import decomposed
from fastgrok._checks.programs import linear_program
from fastgrok._core import accurate_product
from fastgrok.errors import FastgrokError
from fastgrok.geometry import (
    NotSeparableError,
    Separation,
    least_with_margins,
    max_margin,
    separation,
)
from fastgrok.geometry.blas import singular_values
from fastgrok.theory._arguments import arguments
from fastgrok.theory._exponential_mean import least_exponential_mean
from fastgrok.theory._quasi_late_time import QuasiLimit

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
    Where only some rows can be separated (quasi-complete separation, see `fastgrok.separation`),
    those of `overlap` hold theta in their span S, where theta_tilde is the optimum of their loss;
    theta_hat is the maximum-margin solution of the others' parts p_i orthogonal to S, and p_i takes
    the place of z_i in z_i . theta_hat and z_i z_i^T.

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
    overlap : ndarray of int
        Rows that no direction separates; none on separable data.
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
    overlap: NDArray[np.intp] = field(default_factory=lambda: np.arange(0), repr=False)

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
    loss: str = "logistic",
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> LateTime:
    r"""
    Late-time expansion of descent on (w, b) for data that are separable, if only in part.

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
        Labels of two classes, as `fastgrok.train` has them.
    lr : float
        Learning rate, greater than 0.
    reduction : {"mean", "sum"}, default "mean"
        What the loss is made of.
    loss : {"logistic", "exponential"}, default "logistic"
        Matters to the rows that are not separated, if there are any.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        Default, and in a child of fork, as `fastgrok.train` says.

    Returns
    -------
    LateTime
        The expansion. Its theta_tilde is NaN where it is infinite, because every dual solution is
        zero for some support vector; theta then drifts like log log t.

    Raises
    ------
    NotSeparableError
        If no (w, b) separates any row from the others: then theta tends to the optimum.
    FastgrokError
        If rounding hides the maximum margin, or which dual coefficients belong to it, or if those
        in float64 would not give its weights to about six digits.
    ValueError, TypeError
        For bad arguments; also if X is so large or small that the dual, of the size of 1 / |X|^2,
        leaves float64.

    Notes
    -----
    Soudry et al. (2018), JMLR 19, Theorem 9; Das et al. (2026), arXiv 2602.08302, equation 8, which
    leaves out the label, the bias and, for the mean, the division by n. Rows are taken for support
    vectors where their margin is 1 up to rounding, so support vectors on the margin of the data
    must be so to about ten digits. Ji and Telgarsky (2018), arXiv 1803.07300, prove the limits of
    data that are separable in part; theta is there up to O(1 / t) in S.
    """
    rows, signs = _checks.data(X, y, classes=classes)
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
    loss = _checks.choice("loss", loss, ("logistic", "exponential"))
    try:
        best = max_margin(rows, signs, bias="penalized", threads=threads)
    except NotSeparableError as no:
        found = separation(rows, signs, threads=threads) if no.certificate.w is not None else None
        if found is None or found.kind != "quasi-complete":
            raise
        return _of_some(rows, signs, rate, found, loss, threads)
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
        raise _hidden(len(Z))
    # Without rounding these are orthogonal to theta.
    across = metric * theta * (metric / squared) - Z
    across -= np.multiply.outer(across @ theta / float(theta @ theta), theta)
    shares = _shares(across)
    if shares is None or not np.all(shares > 0.0):
        shares = _shares_of_some(across, shares)
        if shares is None:
            raise _hidden(len(Z))
    kept = shares > 0.0
    alpha = squared * shares
    # Large coefficients may cancel in what they give.
    off = np.abs(alpha @ Z - theta * metric**2)
    total = float(alpha.sum())
    size = float(np.linalg.norm(theta[:-1])) or total  # weights are zero without rounding
    if not np.all(off <= _ACCURACY * np.append(np.full(len(theta) - 1, size), total)):
        raise _hidden(len(Z))
    dual = np.zeros(len(y))
    dual[support] = np.ldexp(alpha, -2 * exponent)
    theta_tilde = np.full(len(theta), np.nan)
    if kept.all():
        # z_i . theta_tilde = log(c / alpha_i)
        logs = np.log(rate) - np.log(alpha) + 2.0 * np.log(2.0) * exponent
        theta_tilde = least_with_margins(Z, metric[-1] ** 2, logs, _DEPENDENT)
        missed = float(np.abs(accurate_product(Z, theta_tilde) - logs).max())
        if not missed <= _ACCURACY * (1.0 + float(np.abs(logs).max())):
            raise _hidden(len(Z))
        theta_tilde[:-1] = np.ldexp(theta_tilde[:-1], -exponent)
    with np.errstate(over="ignore"):
        parts = np.exp(-own * (points @ theta_tilde[:-1]))
    a_plus, a_minus = float(parts[own > 0.0].sum()), float(parts[own < 0.0].sum())
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
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


def _of_some(
    X: NDArray[Any], y: F64, rate: float, found: Separation, loss: str, threads: int | None
) -> LateTime:
    """Put together the expansion where some rows are separated."""
    limit = QuasiLimit(X, y, rate, found, loss, threads)
    dual = np.zeros(len(y))
    dual[limit.support] = limit.alpha
    w_tilde, own = limit.theta_tilde[:-1], y[limit.support]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        parts = np.exp(-own * (X[limit.support] @ w_tilde))
        a_plus, a_minus = float(parts[own > 0.0].sum()), float(parts[own < 0.0].sum())
        delta = float(np.sqrt(np.divide(a_minus, a_plus)))
        b_inf = float(-np.log(delta))
    rates = np.full(0, np.nan)
    if np.isfinite(limit.alpha).all():
        rates = _squares(np.sqrt(limit.alpha)[:, None] * limit.parts)
    return LateTime(
        limit.theta_hat[:-1], float(limit.theta_hat[-1]), w_tilde, float(limit.theta_tilde[-1]),
        dual, limit.support, a_plus, a_minus, delta, b_inf, rates, limit.excess, rate,
        found.overlap,
    )  # fmt: skip


def _hidden(count: int) -> FastgrokError:
    return FastgrokError(
        f"the dual coefficients of the {_checks.plural(count, 'support vector')} cannot be told in "
        "float64: but for rounding some depend on others, perhaps because X is so large that a "
        "bias is nothing beside it, or far from the origin"
    )


def _shares(across: F64) -> F64 | None:
    """Shares of the dual, those that vanish as zeros; None if they were not found."""
    if np.abs(across).max() <= 1e-12:  # all support vectors are the same
        return np.full(len(across), 1.0 / len(across))
    least = least_exponential_mean(across)
    if not least.converged:
        return None
    return np.where(least.weights > _VANISHING * least.weights.max(), least.weights, 0.0)


def _shares_of_some(across: F64, first: F64 | None) -> F64 | None:
    """
    Shares where some vanish, found without these, which cost the others digits; None if not found.

    Those of `first` that are positive may be too few: where many vanish, what rounding leaves of
    the others' balance can let some of them vanish, too.
    """
    for kept in (_pulling(across), np.zeros(len(across), bool) if first is None else first > 0.0):
        found = _shares(across[kept]) if kept.any() else None
        if found is not None:
            shares = np.zeros(len(across))
            shares[kept] = found
            return shares
    return None


def _pulling(across: F64) -> NDArray[np.bool_]:
    """
    Rows that are part of some combination with coefficients beta >= 0 that is zero.

    As beta may be scaled, max sum_i min(beta_i, 1) counts them. On the others, along some
    direction, the exponentials fall without end while those of these rows stay as they are.
    """
    count = len(across)
    sizes = np.abs(across).max(axis=0)
    used = sizes > 1e-12 * sizes.max()  # others may be rounding alone
    columns = across[:, used] / sizes[used]
    # beta is the sum of a part up to 1, which counts, and of another.
    found = linear_program(
        np.repeat([-1.0, 0.0], count),
        equal=True,
        matrix=np.tile(columns.T, 2),
        right=np.zeros(columns.shape[1]),
        bounds=np.repeat([[0.0, 1.0], [0.0, np.inf]], count, axis=0),
    )
    if found.x is None:
        return np.zeros(count, dtype=bool)
    pulling: NDArray[np.bool_] = found.x[:count] > 0.5
    return pulling


def _squares(rows: F64) -> F64:
    """
    Squares of the nonzero singular values, increasing, each to its own relative accuracy.

    Where columns are of very different sizes that takes Jacobi's method.
    """
    sizes = np.linalg.norm(rows, axis=0)
    scaled = rows / np.where(sizes > 0.0, sizes, 1.0)
    R = decomposed(qr, scaled, mode="r", pivoting=True, check_finite=False)[0]
    pivots = np.abs(np.diag(R))
    rank = int(np.count_nonzero(pivots > _DEPENDENT * pivots[0]))
    if sizes.max() < 1e5 * sizes[sizes > 0.0].min():
        values = singular_values(rows)
    else:
        missing = max(rows.shape[1] - len(rows), 0)  # it wants no more columns than rows
        rows = np.concatenate([rows, np.zeros((missing, rows.shape[1]))])
        values, _, _, work, _, _ = dgejsv(rows, joba=0, jobu=3, jobv=3)
        values = values * (work[0] / work[1])
    out: F64 = np.sort(values)[len(values) - rank :] ** 2
    return out
