"""What descent on separable data tends to, to the second order in log t."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.geometry._max_margin import max_margin
from fastgrok.theory._arguments import arguments
from fastgrok.theory._exponential_mean import least_exponential_mean

_REDUCTIONS = ("mean", "sum")
_VANISHING = 1e-12
"""Shares of the dual below this are forced to be zero."""


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
    method. It holds for the logistic and the exponential loss.

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
    ValueError, TypeError
        For bad arguments.

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
    best = max_margin(rows, signs, bias="penalized", threads=threads)
    theta_hat = np.append(best.w, best.b)
    return _expansion(rows, signs, rate, theta_hat, best.support)


def _expansion(
    X: NDArray[Any], y: F64, rate: float, theta_hat: F64, support: NDArray[np.intp]
) -> LateTime:
    own = y[support]
    Z = own[:, None] * np.column_stack([X[support].astype(np.float64), np.ones(len(support))])
    squared = float(theta_hat @ theta_hat)
    # Without rounding these are orthogonal to theta_hat.
    across = theta_hat / squared - Z
    across -= np.multiply.outer(across @ theta_hat / squared, theta_hat)
    if np.abs(across).max() <= 1e-12 * np.abs(Z).max():  # all support vectors are the same
        shares, rho = np.full(len(Z), 1.0 / len(Z)), np.zeros(len(theta_hat))
    else:
        least = least_exponential_mean(across)
        shares, rho = least.weights, least.point
    if shares.min() > _VANISHING * shares.max():
        # c sum exp(-z_i . rho - s) = ||theta_hat||^2 along s theta_hat.
        exponents = -(Z @ rho)
        most = float(exponents.max())
        shift = np.log(rate / squared) + most + np.log(np.exp(exponents - most).sum())
        theta_tilde = rho + shift * theta_hat
    else:
        shares = np.where(shares > _VANISHING * shares.max(), shares, 0.0)
        theta_tilde = np.full(len(theta_hat), np.nan)
    alpha = squared * shares
    rates = np.linalg.eigvalsh((Z * alpha[:, None]).T @ Z)
    with np.errstate(over="ignore"):
        parts = np.exp(-own * (X[support].astype(np.float64) @ theta_tilde[:-1]))
    a_plus, a_minus = float(parts[own > 0.0].sum()), float(parts[own < 0.0].sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = float(np.sqrt(np.divide(a_minus, a_plus)))
        b_inf = float(-np.log(delta))
    dual = np.zeros(len(y))
    dual[support] = alpha
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
        rates=rates[rates > 1e-10 * rates[-1]],
        excess=float(others.min() - 1.0) if others.size else float("inf"),
    )
