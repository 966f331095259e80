"""Vectors of least norm with given margins."""

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._hard_margin import HardMargin


def least_with_margins(Z: F64, penalty: float, margins: F64, dependent: float) -> F64:
    """
    Vector (w, b) with the least ||w||^2 + penalty b^2 for which z_i . (w, b) is as given.

    Parameters
    ----------
    Z : ndarray of shape (n, D)
        Vectors y_i (x_i, 1) with ||x_i|| of at most about 1.
    penalty : float
        Greater than 0.
    margins : ndarray of shape (n,)
        Products for which there is a solution up to rounding.
    dependent : float
        Share of a row's norm outside the span of others below which it depends on them.
    """
    state = HardMargin(Z, penalty, np.ones(len(Z)), 0.0, dependent)
    state.factorise(state.working)
    return state.shortest(margins[state.working])[0]
