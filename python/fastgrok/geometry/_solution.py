"""What a maximum margin is returned as."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, plural

MODELS = {
    "none": "from the origin",
    "penalized": "with penalized bias",
    "free": "with free bias",
}


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """
    The hyperplane with the largest margin.

    Attributes
    ----------
    w : ndarray of shape (d,)
        Weights, with min_i y_i (w . x_i + b) = 1 up to rounding.
    b : float
        Bias; 0 with ``bias="none"``.
    margin : float
        Smallest distance of a row from the hyperplane, min_i y_i (w . x_i + b) / ||w||, in the
        units of X. Infinite where w = 0. With another `norm` than l_2 this is the distance in the
        dual norm, l_1 for "linf" and l_inf for "l1".
    dual : ndarray of shape (n,)
        Coefficients alpha >= 0 with w = sum_i alpha_i y_i x_i, and b = sum_i alpha_i y_i
        (penalized) or sum_i alpha_i y_i = 0 (free); sum_i alpha_i = ||w||^2 (+ b^2 if penalized).
        Positive for linearly independent rows only: one choice where there are several. It is of
        the size of 1 / |X|^2, and underflows to 0 where X is beyond about 1e154. With another
        `norm` sum_i alpha_i y_i x_i (and sum_i alpha_i y_i, if penalized) has, in the dual norm,
        the size that (w, b) has in this one, and sum_i alpha_i is its square as with l_2.
    dual_rest : ndarray of shape (n,)
        What float64 leaves of the coefficients where that matters, as where columns are of very
        different units, else 0: the coefficients are the sum of `dual` and this.
    support : ndarray of int
        Indices of all rows on the margin, up to rounding and `tol`: those with a dual coefficient
        and any others.
    gap : float
        Relative duality gap, 1 - (D / P) with the primal objective P = ||theta||^2 / (2 m^2),
        where m is the smallest y_i (w . x_i + b), and the dual objective D that the coefficients
        reach when they, or with a bias each class of them, are scaled best. What rounding may hide
        is added, so that the relative error of the margin is at most about half of it. Where
        rounding might move b by more than `tol` max(abs(b), 1), the solution is corrected with
        twice the digits, and this is at least the last correction of b over max(abs(b), 1). 0 with
        w = 0, which is proved without rounding.
    bias : {"none", "penalized", "free"}
        Which of the problems of `max_margin` it solves.
    norm : {"l2", "linf", "l1"}
        Of the weights, in the problem.
    unique : bool or None
        Whether (w, b) is the only solution, which with l_2 it is. Of a linear program whole faces
        may be solutions. True if complementary slackness leaves one alone, or if those that are
        farthest along a random direction and against it are this one; False if another was found,
        as good up to 1e-8; None if nothing of it was shown. It rests on floating point.
    """

    w: F64 = field(repr=False)
    b: float
    margin: float
    dual: F64 = field(repr=False)
    dual_rest: F64 = field(repr=False)
    support: NDArray[np.intp] = field(repr=False)
    gap: float
    bias: str
    norm: str = "l2"
    unique: bool | None = True

    def __repr__(self) -> str:
        """Say which model it is of."""
        model = MODELS[self.bias]
        if self.norm != "l2":
            model += f", norm={self.norm!r}"
        several = {True: "", False: ", not unique", None: ", perhaps not unique"}[self.unique]
        return (
            f"MaxMargin({model}, b={self.b!r}, margin={self.margin!r}, "
            f"gap={self.gap!r}, {plural(len(self.support), 'support vector')}{several})"
        )
