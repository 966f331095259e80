r"""
Gradient descent on the squared loss in closed form, for any rows.

The loss of a margin m = y f, f = w . x + b, is (1 - m)^2 = (y - f)^2, without a factor 1/2. Its
gradient is linear in u = (w, b), so that every iterate is known without the ones before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok._checks.aside import decomposed
from fastgrok.theory._arguments import F64, arguments

__all__ = ["state"]

_EPS = float(np.finfo(np.float64).eps)
_SMALL = 1e-100
"""Squares of less leave nothing of 1 - x; nor does 1 - (1 - x)^t of t x, where that is less."""


def state(
    t: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    lr: float,
    *,
    reduction: str = "mean",
    bias: bool = True,
    weight_decay: float = 0.0,
    decay_bias: bool = False,
    w0: ArrayLike | None = None,
    b0: float = 0.0,
    classes: Sequence[Any] | None = None,
) -> tuple[F64, F64 | float]:
    r"""
    Weights and bias after t steps of plain gradient descent on the squared loss.

    With rows z = (x, 1), or z = x without a bias, one step is u <- u - lr (H u - r),

        H = 2 c sum_i z_i z_i^T + weight_decay D,     r = 2 c sum_i y_i z_i,

    D being the unit matrix, without the entry of the bias unless that decays. In the basis of
    eigenvectors v_j of H, H v_j = lambda_j v_j,

        u_t = u_inf + sum_j (1 - lr lambda_j)^t c_j v_j,     c_j = v_j . (u_0 - u_inf).

    Directions in which H is zero keep their parts of u_0. Those with lr lambda_j in (1, 2) swing
    to and fro as they decay; beyond 2 they grow.

    Parameters
    ----------
    t : array_like
        Numbers of steps, whole and not negative: any float64, such as 1e60.
    X : array_like of shape (n, d)
        Finite rows.
    y : array_like of shape (n,)
        Labels of two classes, as `fastgrok.train` has them.
    lr : float
        Learning rate, greater than 0.
    reduction : {"mean", "sum"}, default "mean"
        c = 1/n or 1, as in :func:`fastgrok.train`.
    bias : bool, default True
        False: b stays at `b0`.
    weight_decay, decay_bias : float and bool, default 0.0 and False
        As in :func:`fastgrok.train`.
    w0 : array_like of shape (d,), optional
        Weights to start from, default 0.
    b0 : float, default 0.0
        Bias to start from.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.

    Returns
    -------
    w : ndarray of shape t.shape + (d,)
        Weights. Not finite where they have left the range of float64.
    b : ndarray of the shape of t, or float
        Bias.

    Raises
    ------
    ValueError
        For wrong shapes and values.
    TypeError
        For arguments that are not of their types.

    Notes
    -----
    The eigenvalues are squares of the singular values of the rows, which are known to some 2e-16 of
    the largest, s: those below n + d times that are taken for zero, and one of size e s is known to
    a share of 2e-16 / e, which is what the state is off by while its direction moves. All entries
    of (w, b) are rounded as the largest of them is.

    Examples
    --------
    >>> w, b = state([0, 1, 1e6], [[1.0], [3.0]], [1, 1], 0.1, bias=False)
    >>> w[:, 0]  # least squares: (1 + 3) / (1 + 9)
    array([0. , 0.4, 0.4])
    """
    (steps,) = arguments(t=(t, "integers in [0, inf)"))
    rows, signs = _checks.data(X, y, classes=classes)
    rate = _checks.real("lr", lr, positive=True)
    decay = _checks.real("weight_decay", weight_decay)
    if decay < 0.0:
        raise ValueError(f"weight_decay must not be negative, got {decay}")
    _checks.choice("reduction", reduction, ("mean", "sum"))
    n, d = rows.shape
    moves = _checks.flag("bias", bias)
    decays = np.full(d + 1, decay)
    decays[d] *= _checks.flag("decay_bias", decay_bias)
    start = np.zeros(d + 1)
    if w0 is not None:
        start[:d] = _checks.coefficients("w0", w0, d, X)
    start[d] = _checks.real("b0", b0)
    size = d + moves

    # Rows whose squares are lr H, and their targets.
    scale = np.sqrt(2.0 * rate / (n if reduction == "mean" else 1))
    features = np.column_stack([rows.astype(np.float64), np.ones(n)])[:, :size]
    targets = signs if moves else signs - start[d]
    limit = None
    with np.errstate(over="ignore", invalid="ignore"):
        system = scale * features
        decayed = np.sqrt(rate * decays[:size])
    if not (np.isfinite(system).all() and np.isfinite(decayed).all()):
        raise ValueError(
            f"X and weight_decay times lr must be within the range of float64, got lr={rate!r}: "
            "give smaller numbers of them"
        )
    if decay > 0.0:
        weight = np.sqrt(2.0 / (n if reduction == "mean" else 1))
        limit = _limit(weight * features, weight * targets, decay, moves and decays[d] == 0.0)
        system = np.vstack([system, np.diag(decayed)])
    left, values, right = decomposed(np.linalg.svd, system, full_matrices=False)
    kept = values > sum(system.shape) * _EPS * values[0]
    values, right = values[kept], right[kept]
    # Where rows leave a direction to the decay nothing but rounding errors would pull along it.
    aims = (left.T @ (scale * targets))[kept] if limit is None else values * (right @ limit)

    out = np.tile(start, (*steps.shape, 1))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        away = aims - values * (right @ start[:size])
        out[..., :size] += (_reach(steps[..., None], values) * away) @ right
    b: Any = out[..., d]
    return out[..., :d], b[()]


def _limit(rows: F64, targets: F64, decay: float, free: bool) -> F64:
    """Minimise ||rows u - targets||^2 + decay ||u||^2; `free`: but for the last entry's decay."""
    cut = sum(rows.shape) * _EPS * float(np.linalg.norm(rows, 2))
    if not free:
        return _ridge(rows, targets, decay, cut)
    # The bias takes the mean of what is left, whatever the weights are.
    ones, X = rows[0, -1], rows[:, :-1]
    centre, aim = X.mean(axis=0), targets.mean()
    w = _ridge(X - centre, targets - aim, decay, cut)
    return np.append(w, (aim - centre @ w) / ones)


def _ridge(rows: F64, targets: F64, decay: float, cut: float) -> F64:
    left, values, right = decomposed(np.linalg.svd, rows, full_matrices=False)
    kept = values > cut
    values = values[kept]
    with np.errstate(over="ignore"):  # where the decay leaves nothing
        shares = values + decay / values
    out: F64 = ((left.T @ targets)[kept] / shares) @ right[kept]
    return out


def _reach(steps: F64, values: F64) -> F64:
    """Return (1 - (1 - x)^t) / v with x = v^2: how far t steps go for each unit of the residual."""
    rates = values * values
    with np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore"):
        logs = np.where(rates < 1.0, np.log1p(-np.minimum(rates, 1.0)), np.log(np.abs(rates - 1.0)))
        # Of singular values whose squares underflow.
        small = values < _SMALL
        powers = np.where(
            steps > 0.0, np.where(small, -(steps * values) * values, steps * logs), 0.0
        )
        back = (rates > 1.0) & (np.fmod(steps, 2.0) == 1.0)
        gone = np.where(back, 1.0 + np.exp(powers), -np.expm1(powers))
        out: F64 = np.where(small & (gone < _SMALL), steps * values, gone / values)
    return out
