"""Directions exactly orthogonal to given rows, for coordinates in which leaps lose nothing."""

from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from fastgrok._checks import F64
from fastgrok.geometry._exact import Span
from fastgrok.geometry._lifting import Integers
from fastgrok.geometry._products import pivoted_rows

_NEGLIGIBLE = 1e-12  # of a row, in floating point
_AT_ONCE = 4096  # rows in Python's integers


def _multiples(rows: F64) -> Integers:
    """Integer multiples of every row, all at once."""
    mantissas, exponents = np.frexp(rows)
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    exponents = np.where(rows == 0.0, 1100, exponents)
    shifts = np.where(rows == 0.0, 0, exponents - exponents.min(axis=1, keepdims=True))
    out: Integers = np.left_shift(whole, shifts.astype(object))
    return out


def exact_null_space(rows: F64) -> F64:
    """
    Find all directions that are orthogonal to all rows, without rounding.

    Parameters
    ----------
    rows : ndarray of shape (n, m)

    Returns
    -------
    ndarray of shape (p, m)
        Orthonormal, rounded. Empty also where the rank is in doubt.
    """
    none = np.empty((0, rows.shape[1]))
    rows = np.unique(rows[rows.any(axis=1)], axis=0)
    if not len(rows):
        return np.eye(rows.shape[1])
    units = rows / np.abs(rows).max(axis=1, keepdims=True)
    pivots, order = pivoted_rows(units)
    chosen: NDArray[np.intp] = order[: np.count_nonzero(pivots > _NEGLIGIBLE * pivots[0])]
    if len(chosen) == rows.shape[1]:
        return none
    span = Span.create(_multiples(rows[chosen]))
    if span is None:
        return none
    null = []
    for free in span.others:
        direction = [Fraction(0)] * rows.shape[1]
        direction[free] = Fraction(1)
        values = span.orthogonal(direction)
        scale = max(abs(value) for value in values)
        null.append([value / scale for value in values])
    # Most rows that are not orthogonal to them show it without integers.
    rounded = np.array(null, dtype=np.float64)
    if np.abs(units @ rounded.T).max() > _NEGLIGIBLE * rows.shape[1]:
        return none
    denominators = [lcm(*(value.denominator for value in values)) for values in null]
    whole = np.array(
        [
            [int(value * d) for value in values]
            for values, d in zip(null, denominators, strict=True)
        ],
        dtype=object,
    )
    for start in range(0, len(rows), _AT_ONCE):
        if np.any(_multiples(rows[start : start + _AT_ONCE]) @ whole.T):
            return none
    basis: F64 = np.ascontiguousarray(qr(rounded.T, mode="economic")[0].T, dtype=np.float64)
    return basis
