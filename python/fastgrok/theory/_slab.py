"""The concentrated test set of Das et al. (2026) as a population."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from fastgrok import _checks
from fastgrok._checks.docstrings import described
from fastgrok._checks.populations import Population, flip_probability
from fastgrok.theory._arguments import F64
from fastgrok.theory._cube_law import transverse_variance
from fastgrok.theory._slab_law import (
    LOSSES,
    decompose,
    plane_accuracy,
    plane_loss,
    thin_accuracy,
    thin_loss,
    trapezoid,
)

_THINNEST = 50.0


class Slab(Population):
    r"""
    The population of the concentrated test set, as an evaluation set of `fastgrok.train`.

    Points uniform on the part gamma/2 <= y u <= alpha gamma of the cube [-half_width,
    half_width]^d, u = (x_1 + ... + x_d) / sqrt(d), both classes equally frequent: the law of
    :func:`fastgrok.datasets.concentrated`.

    Parameters
    ----------
    gamma : float
        Margin, greater than 0.
    alpha : float, default 10.0
        Outer end of the slab, in units of gamma; greater than 1/2.
    half_width : float, default 5.0
        Half the side of the cube, greater than 0.
    flip : float, default 0.0
        Probability of a flipped label, in [0, 1], as :func:`fastgrok.datasets.flip_labels` has it.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong or the slab lies outside the cube; from `train`, for 3 columns or
        more, if alpha gamma is more than half_width/50.

    Notes
    -----
    In one and in two columns accuracy and loss are those of the law, to rounding. For d
    >= 3 the component of x along w_perp, the part of w orthogonal to the diagonal, is taken as
    normal, with the variance that it has on the slice u = 0, and the density of u as constant. The
    accuracy is then off by about 0.15/d at most where w_perp is spread over all coordinates, and by
    up to 0.06 where it lies in one, whatever d; the logistic loss is off by up to 8 %, the hinge by
    9 %, its square by 13 %, the exponential loss by the more the longer w is, and the squared loss
    is not. Where w lies along the diagonal only the density remains, about 1e-5 for the defaults.

    Das et al. (2026), arXiv 2602.08302, Section 5, define the set; the formulas are not theirs.

    Examples
    --------
    >>> import fastgrok as fg
    >>> data = fg.datasets.margin_cube((100, 100), dim=2, seed=0)
    >>> run = fg.train(data.X, data.y, steps=100, lr=0.1, evals={"slab": Slab(1e-3, 10.0)})
    >>> bool(0.0 < run.accuracy["slab"][-1] <= 1.0)
    True
    """

    losses: ClassVar[tuple[str, ...]] = LOSSES
    needs_weights: ClassVar[bool] = True

    def __init__(
        self, gamma: float, alpha: float = 10.0, *, half_width: float = 5.0, flip: float = 0.0
    ) -> None:
        self.gamma = _checks.real("gamma", gamma, positive=True)
        self.alpha = _checks.real("alpha", alpha)
        if self.alpha <= 0.5:
            raise ValueError(f"alpha must be greater than 1/2, got {_checks.show(alpha)}")
        self.half_width = _checks.real("half_width", half_width, positive=True)
        self.flip = flip_probability(flip)

    def __repr__(self) -> str:
        """Say which population."""
        return (
            f"Slab(gamma={self.gamma!r}, alpha={self.alpha!r}, half_width={self.half_width!r}, "
            f"flip={self.flip!r})"
        )

    @described(Population.check_columns)
    def check_columns(self, prefix: str, columns: int) -> None:
        """
        Refuse a slab outside the cube, or too thick for the approximation.

        Parameters
        ----------
        prefix, columns
            See `check_columns`.
        """
        corner = self.half_width * math.sqrt(columns)
        if self.gamma / 2.0 >= corner:
            raise ValueError(
                f"{prefix}has no points in {_checks.plural(columns, 'column')}: "
                f"gamma/2 = {self.gamma / 2.0:g} is "
                f"not less than the distance {corner:g} of the cube's corner"
            )
        if columns > 2 and self.alpha * self.gamma > self.half_width / _THINNEST:
            raise ValueError(
                f"{prefix}is known for thin slabs only in 3 columns or more: alpha gamma = "
                f"{self.alpha * self.gamma:g} must be at most half_width/{_THINNEST:g} = "
                f"{self.half_width / _THINNEST:g}"
            )

    @described(Population.curves)
    def curves(
        self, norm_w: F64, b: F64, weights: F64 | None, loss: str, tie: str
    ) -> tuple[F64, F64]:
        """
        Accuracy and loss at every record.

        Parameters
        ----------
        norm_w, b, weights, loss, tie
            See `curves`.
        """
        assert weights is not None
        columns = weights.shape[1]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            along, across = decompose(weights)
            accuracy, losses = self._law(along, across, b, columns, loss)
            if self.flip > 0.0:  # a flipped point is a right one of the opposite hyperplane
                accuracy = accuracy + self.flip * (1.0 - 2.0 * accuracy)
                flipped = self._law(-along, across, -b, columns, loss)[1]
                losses = (1.0 - self.flip) * losses + self.flip * flipped
        undecided = (along == 0.0) & (across == 0.0) & (b == 0.0)
        return np.where(undecided, 0.5 if tie == "negative" else 0.0, accuracy), losses

    def _law(self, along: F64, across: F64, b: F64, columns: int, loss: str) -> tuple[F64, F64]:
        """Accuracy and loss without flips; the law is the same for -across."""
        corner = self.half_width * math.sqrt(columns)
        low, high = self.gamma / 2.0, min(self.alpha * self.gamma, corner)
        if columns == 2:
            corners, sizes = trapezoid(along, across, b, low, high, corner)
            return plane_accuracy(corners, sizes), plane_loss(corners, sizes, loss)
        spread = np.zeros_like(b)
        if columns > 2:
            spread = math.sqrt(transverse_variance(columns, self.half_width)) * across
        ends = [(along * low + y * b, along * high + y * b) for y in (1.0, -1.0)]
        accuracy: F64 = np.mean([thin_accuracy(*pair, spread) for pair in ends], axis=0)
        losses: F64 = np.mean([thin_loss(*pair, spread, loss) for pair in ends], axis=0)
        return accuracy, losses
