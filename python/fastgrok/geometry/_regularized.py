"""The minimum of the loss with weight decay, with a bound on how far from it the answer is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._checks.calls import helpful
from fastgrok.errors import FastgrokError
from fastgrok.geometry._decayed_sum import SLOPES, DecayedSum, length
from fastgrok.geometry._newton_certificate import distance_bound
from fastgrok.linear.losses import LOSSES, formula


@dataclass(frozen=True, eq=False)
class Limit:
    """
    Where descent with weight decay ends.

    Attributes
    ----------
    w : ndarray of shape (d,)
        Weights.
    b : float
        Bias; 0 without one.
    distance : float
        Proved upper bound of the Euclidean distance of (w, b) from the exact minimum.
    """

    w: F64 = field(repr=False)
    b: float
    distance: float

    def __repr__(self) -> str:
        """Leave the weights out."""
        return f"Limit(||w||={length(self.w)!r}, b={self.b!r}, distance={self.distance!r})"


@helpful
def regularized_limit(
    X: ArrayLike,
    y: ArrayLike,
    weight_decay: float,
    *,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    decay_bias: bool = False,
    classes: Sequence[Any] | None = None,
) -> Limit:
    r"""
    Minimum of the loss with weight decay, where descent with that weight decay ends.

    It minimises c sum_i l(y_i (w . x_i + b)) + weight_decay / 2 \|\|w\|\|^2, and
    weight_decay / 2 b^2 more with `decay_bias`: the fixed point of `fastgrok.train` with the same
    arguments, if lr is small enough to be stable there, for "gd", "momentum" and "nesterov". As
    `weight_decay` tends to 0, the direction of separable rows tends to that of
    `fastgrok.max_margin`.

    Newton's method with a line search, in the span of the rows where there are fewer of them than
    columns. Margins and gradients are computed as if with twice the digits.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows; float32 is read as it is, all else as float64.
    y : array_like of shape (n,)
        Labels of two classes, as `fastgrok.train` has them; both must occur beside a bias without
        decay.
    weight_decay : float
        Greater than 0.
    loss : {"logistic", "exponential", "squared_hinge"}, default "logistic"
        l(m) = log(1 + exp(-m)), exp(-m) or max(0, 1 - m)^2. (That of the squared loss is in closed
        form, ``theory.squared.state(1e300, ...)``.)
    reduction : {"mean", "sum"}, default "mean"
        c = 1/n or 1.
    bias : bool, default True
        False: b = 0.
    decay_bias : bool, default False
        Whether the bias decays as well.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.

    Returns
    -------
    Limit
        ``w``, ``b``, and ``distance``, a proved upper bound of the distance of (w, b) from the
        exact minimum: mostly some 1e-15 \|\|(w, b)\|\|, more where the Hessian is close to
        singular.

    Raises
    ------
    ValueError
        For wrong shapes and values; for one class beside a bias without decay, where the loss falls
        for ever as \|b\| grows, or is 0 for every large one; and where weight_decay /
        \|x_i\|^2 is below some 1e-259.
    TypeError
        For arguments that are not of the right kind.
    FastgrokError
        If no bound can be proved, as for rows that contradict each other exactly while others
        could be separated, where weight_decay / \|\|x_i\|\|^2 is below some 1e-18.

    Notes
    -----
    Weight decay alone proves a distance of \|\|gradient\|\| / weight_decay, if the bias decays too.
    Where \|l'''\| <= l'', as for logistic and exponential, the Hessian at (w, b) proves more, with
    or without decay of the bias: it changes by a factor e^S at most where no margin changes by more
    than S.
    That exp is within 4 units in the last place is taken for granted.

    References
    ----------
    Bach (2010), "Self-concordant analysis for logistic regression", Electronic Journal of
    Statistics 4; Rump (2006), "Verification of positive definiteness", BIT 46.

    Examples
    --------
    >>> import fastgrok as fg
    >>> X, y = [[1.0, 0.5], [0.5, 2.0], [-1.0, 0.5], [2.0, 1.0]], [1, 1, -1, -1]
    >>> limit = fg.regularized_limit(X, y, 1e-3)
    >>> run = fg.train(X, y, steps=1e8, lr=0.1, weight_decay=1e-3, engine="leap")
    >>> bool(abs(run.w - limit.w).max() < 1e-7), limit.distance < 1e-13
    (True, True)
    """
    rows, signs = _checks.data(X, y, classes=classes)
    if _checks.real("weight_decay", weight_decay) == 0.0:
        raise ValueError(
            f"weight_decay must be greater than 0, got {_checks.show(weight_decay)}: without decay "
            "max_margin has the limit of rows that can be separated (separability says whether), "
            "and of others a run of train comes to rest at the minimum"
        )
    decay = _checks.real("weight_decay", weight_decay, positive=True)
    formula(SLOPES, _checks.choice("loss", loss, tuple(LOSSES)), "regularized_limit")
    mean = _checks.choice("reduction", reduction, ("mean", "sum")) == "mean"
    extended = _checks.flag("bias", bias)
    decays = _checks.flag("decay_bias", decay_bias)
    if extended and not decays and np.all(signs == signs[0]):
        why = "falls for ever as the bias grows, and has no minimum"
        if "exponential_tail" not in LOSSES[loss].has:
            why = f"is 0 for w = 0 and every bias from {signs[0]:+.0f} on, not at a single minimum"
        raise ValueError(
            f"decay_bias=False needs labels of both classes, but all {len(signs)} are "
            f"{signs[0]:+.0f}: the loss {why} (use decay_bias=True or bias=False)"
        )
    weight = 1.0 / len(rows) if mean else 1.0
    # What overflows proves nothing, which is said.
    with np.errstate(all="ignore"):
        f = DecayedSum(rows, signs, extended, loss, weight, (decay, decay if decays else 0.0))
        u = f.minimise()
        distance = distance_bound(f, u)
        w = np.ldexp(u[: f.dim], -f.shift)
    if not np.isfinite(distance):
        raise FastgrokError(
            f"the minimum with weight_decay={decay!r} was not found with a proof of how near it "
            "is: the rows are too nearly dependent, or of too different sizes, for so little decay"
        )
    return Limit(w, float(u[-1]) if extended else 0.0, distance)
