"""Directions exactly orthogonal to given rows, for coordinates in which leaps lose nothing."""

from math import lcm

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from fastgrok._checks import F64
from fastgrok.geometry._exact import Integers, Span


def _multiples(rows: F64) -> Integers:
    """Integer multiples of every row, all at once."""
    mantissas, exponents = np.frexp(rows)
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    exponents = np.where(rows == 0.0, 1100, exponents)
    shifts = np.where(rows == 0.0, 0, exponents - exponents.min(axis=1, keepdims=True))
    out: Integers = np.left_shift(whole, shifts.astype(object))
    return out


def exact_null_space(rows: F64, count: int) -> F64:
    """
    Find the directions that are orthogonal to all rows, without rounding.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
    count : int
        How many there are to be.

    Returns
    -------
    ndarray of shape (count, m), or (0, m) if there are not exactly so many
        Orthonormal, rounded.
    """
    none = np.empty((0, rows.shape[1]))
    rank = rows.shape[1] - count
    rows = np.unique(rows[rows.any(axis=1)], axis=0)
    if not 0 < rank <= len(rows):
        return none
    units = rows / np.abs(rows).max(axis=1, keepdims=True)
    chosen: NDArray[np.intp] = qr(units.T, mode="r", pivoting=True)[1][:rank]
    span = Span.create(_multiples(rows[chosen]))
    if span is None:
        return none
    null = []
    for free in span.others:
        direction = [0] * rows.shape[1]
        direction[free] = 1
        values = span.orthogonal(direction)
        scale = max(abs(value) for value in values)
        null.append([value / scale for value in values])
    # Most rows that are not orthogonal to them show it without integers.
    rounded = np.array(null, dtype=np.float64)
    if np.abs(units @ rounded.T).max() > 1e-12 * rows.shape[1]:
        return none
    denominators = [lcm(*(value.denominator for value in values)) for values in null]
    whole = np.array(
        [[int(value * d) for value in values] for values, d in zip(null, denominators, strict=True)],
        dtype=object,
    )
    if np.any(_multiples(rows) @ whole.T):
        return none
    basis: F64 = qr(rounded.T, mode="economic")[0].T
    return basis
