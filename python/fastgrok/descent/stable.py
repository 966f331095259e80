"""Learning rates at which descent is stable wherever it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, blocks, sparse
from fastgrok._checks.calls import helpful
from fastgrok.descent import optimizers, schedules, table
from fastgrok.descent._eigenvalues import above_eigenvalues, add_products
from fastgrok.descent._sparse_eigenvalues import above_sparse
from fastgrok.descent.optimizers import Optimizer
from fastgrok.linear.losses import LOSSES

REDUCTIONS = ("mean", "sum")
_BITS = 24
_EPS = float(np.finfo(np.float64).eps)
_LARGEST = float(np.finfo(np.float64).max)
"""The limit of what hardly moves."""
_LEAST = 2.0**-900
"""Of squares of about 1 times shares of weights: below it they lose digits."""
_BLOCK = 1 << 22  # numbers converted to float64 at a time


@helpful
def stable_lr(
    X: ArrayLike,
    y: ArrayLike,
    *,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    weight_decay: float = 0.0,
    optimizer: str = "gd",
    optimizer_options: Mapping[str, float] | None = None,
    sample_weight: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
) -> float:
    r"""
    Learning rate up to which descent is surely stable, wherever the weights are.

    It is 2 / L, where L bounds the largest eigenvalue of the Hessian c sum_i l''(m_i) z_i z_i^T
    from above, for all weights: L = c max l'' lambda_max(sum_i z_i z_i^T) + `weight_decay`, with
    l'' <= 1/4 of the logistic loss and l'' <= 2 of the squared hinge and the squared loss. Below it
    what is minimised falls at every step (for L is a Lipschitz constant of its gradient), and the
    recorded ``Trajectory.sharpness`` stays below 2. Up to half of it, 1 / L, which ``lr="auto"``
    takes, no update points against the one before it either: ``Trajectory.regime`` is "smooth".

    With momentum beta it is 2 (1 + beta) / L, with Nesterov's (2 + 2 beta) / (1 + 2 beta) / L:
    below it the linearised steps die away wherever the weights are. That is stability beside any
    one optimum; steps with momentum may go uphill, and swing, far below it.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, d)
        Finite rows, sparse as in :func:`fastgrok.train`.
    y : array_like of shape (n,)
        Labels of two classes. The bound is the same for all.
    loss : {"logistic", "squared_hinge", "squared"}, default "logistic"
        The exponential loss has no such bound: its curvature exp(-m) grows without end where
        margins are negative. Nor has the hinge, whose slope jumps.
    reduction : {"mean", "sum"}, default "mean"
        c = 1/n or 1, as in :func:`fastgrok.train`.
    bias : bool, default True
        Whether the bias is trained: z = (x, 1), else z = x.
    weight_decay : float, default 0.0
        As in :func:`fastgrok.train`. The bound is the same whether the bias decays or not.
    optimizer : {"gd", "momentum", "nesterov"}, default "gd"
        The others have no such limit: the size of their steps does not fall with the gradient.
    optimizer_options : dict, optional
        "momentum" (default 0.9), for those that have it.
    sample_weight : array_like of shape (n,), optional
        As in :func:`fastgrok.train`.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.

    Returns
    -------
    float
        Rounded down to 24 bits, so that it does not depend on how many threads sum. Infinite if all
        z are 0 and nothing decays.

    Raises
    ------
    ValueError
        For wrong shapes and values, for a loss or an optimizer without a bound, and if X is so
        large that no float64 is stable.
    TypeError
        For arguments that are not real numbers.

    Notes
    -----
    The eigenvalue is that of the smaller Gram matrix, with a bound of its rounding errors added:
    some n d min(n, d) operations, and min(n, d)^2 numbers in memory. Beyond 512 rows it is found by
    iterations (ARPACK), which come from below, and a Cholesky factorization proves that a number
    some 1e-9 of it larger lies above all others. Ctrl-C ends all of that at once. Of sparse rows,
    where both n and d are beyond 2048, no Gram matrix is made: the eigenvalue is that of the
    magnitudes \|z_ij\| by power iterations, as proved by quotients (Collatz and Wielandt). It is
    the same where no entry is negative, else larger, so that the rate is lower than it need be.

    Examples
    --------
    >>> X, y = [[3.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> stable_lr(X, y, bias=False)  # 2 / (9 / 4 / 2) = 16/9 in 24 bits, rounded down
    1.7777776718139648
    """
    rows, _ = _checks.data(X, y, classes=classes, sparse_too=True)
    weights = None
    if sample_weight is not None:
        weights = _checks.row_weights("sample_weight", sample_weight, rows.shape[0], X)
    _checks.choice("loss", loss, LOSSES)
    _checks.choice("reduction", reduction, REDUCTIONS)
    asked = {
        "optimizer": optimizer,
        "optimizer_options": optimizer_options,
        "weight_decay": weight_decay,
        "decay_bias": False,
        "schedule": None,
    }
    how = optimizers.check(asked, 1.0, 0, str)
    if missing := table.lack("stable_lr", how.parts):
        raise ValueError(f"{missing.whose} has no learning rate that is stable: {missing}")
    return bound(rows, loss, reduction, _checks.flag("bias", bias), how, weights=weights)


def bound(
    rows: NDArray[Any],
    loss: str,
    reduction: str,
    bias: bool,
    optimizer: Optimizer,
    name: str = "loss",
    weights: F64 | None = None,
) -> float:
    """Return `stable_lr` of checked arguments; `name` is what a message is to call the loss."""
    if missing := table.lack("stable_lr", {"loss": loss}):
        how = "choose lr by Trajectory.sharpness"
        if "differentiable" not in LOSSES[loss].has:  # its sharpness is 0 everywhere
            how = "the smaller lr is, the nearer descent comes to the least loss"
        raise ValueError(
            f"{name}={loss!r} has not {table.TRAITS[missing.trait]}, so that no learning rate is "
            f"stable for all weights; {how}"
        )
    rate = _bound_of_loss(rows, loss, reduction, bias, weights)
    if optimizer.weight_decay == 0.0 and (optimizer.name == "gd" or rate == math.inf):
        return rate
    # As harmonic sums, which stay in range: this is half the curvature.
    half = 1.0 / rate + 0.5 * optimizer.weight_decay
    slowest = 1.0 / half if half > 0.0 else math.inf
    most = limit(optimizer.params())
    return _rounded_down(min(slowest * most / 2.0, _LARGEST) * (1.0 - 2.0**-40))


def limit(params: Mapping[str, Any]) -> float:
    """Return what lr times the largest curvature must stay below, by a record's settings."""
    beta: float = params.get("momentum", 0.0)
    return 2.0 * (1.0 + beta) / (1.0 + 2.0 * beta if params.get("optimizer") == "nesterov" else 1.0)


def most_sharpness(params: Mapping[str, Any], steps: F64) -> F64:
    """
    Return what `Trajectory.sharpness`, which knows of no decay, must stay below for stability.

    Parameters
    ----------
    params : mapping
        Settings of the record.
    steps : ndarray
        Of the values; NaN comes where a schedule that is not known multiplies the decay.
    """
    decay = params["lr"] * params.get("weight_decay", 0.0)
    if decay == 0.0:
        return np.full(steps.shape, limit(params))
    schedule = schedules.of_record(params)
    factors = [math.nan if schedule is None else schedule(k) for k in steps.tolist()]
    most: F64 = limit(params) - decay * np.array(factors)
    return most


def _rounded_down(rate: float) -> float:
    if rate in (0.0, math.inf):
        return rate
    mantissa, power = math.frexp(rate)
    return math.ldexp(math.floor(math.ldexp(mantissa, _BITS)), power - _BITS)


def _bound_of_loss(rows: Any, loss: str, reduction: str, bias: bool, weights: F64 | None) -> float:
    """Of plain descent, without decay."""
    n, d = rows.shape
    largest = max(sparse.largest(rows), 1.0 if bias else 0.0)
    if largest == 0.0:
        return math.inf
    exponent = int(np.frexp(largest)[1])  # keeps every product in range

    scale = 1.0 / n if reduction == "mean" else 1.0
    roots, most = np.ones(n), 1.0
    if weights is not None:  # as factors of the rows, rounded up
        most = float(weights.max())
        scale = most / float(weights.sum()) if reduction == "mean" else most
        scale *= 1.0 + (2 * n + 8) * _EPS
        roots = np.sqrt(weights / most)
    one = math.ldexp(1.0, -exponent) * roots if bias else None
    if isinstance(rows, np.ndarray):
        above = above_eigenvalues(_gram(rows, exponent, roots, one), n + d)
    else:
        above = above_sparse(rows, exponent, roots, one)
    if above < _LEAST:
        raise ValueError(
            "sample_weight must not differ so much: the rows that have all the curvature weigh "
            f"nothing beside others, whose largest weight is {most:.3g}"
        )
    rate = 2.0 / (scale * LOSSES[loss].largest_curvature * above)
    mantissa, power = math.frexp(rate)
    mantissa = math.floor(math.ldexp(mantissa, _BITS))
    try:
        out = math.ldexp(mantissa, power - _BITS - 2 * exponent)
    except OverflowError:
        return _LARGEST
    if out * scale < 256.0 * float(np.finfo(np.float64).tiny):  # sums of curvatures overflow
        raise ValueError(
            f"X must be smaller, or no lr in float64 is stable: its largest value is {largest:.3g}"
        )
    return out


def _gram(rows: NDArray[Any], exponent: int, roots: F64, one: F64 | None) -> F64:
    """Products of the columns of (x_i / 2^exponent) root_i and `one`, or of the rows if fewer."""
    n, d = rows.shape
    columns = d if one is None else d + 1

    def scaled(part: NDArray[Any], of: slice) -> F64:
        z: F64 = np.ldexp(part.astype(np.float64), -exponent) * roots[of, None]
        return z

    gram = np.zeros((min(columns, n),) * 2)
    if columns <= n:
        for first, block in blocks(rows, _BLOCK):
            here = slice(first, first + len(block))
            z = scaled(block, here)
            add_products(gram, (z if one is None else np.column_stack([z, one[here]])).T)
    else:
        width = max(1, _BLOCK // n)
        for at in range(0, d, width):
            add_products(gram, scaled(rows[:, at : at + width], slice(n)))
        gram += 0.0 if one is None else np.multiply.outer(one, one)
    return gram
