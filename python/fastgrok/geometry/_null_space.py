"""Directions exactly orthogonal to given rows, for coordinates in which leaps lose nothing."""

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.geometry._exact import Span
from fastgrok.geometry._lifting import Integers
from fastgrok.geometry.products import pivoted_rows

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


@dataclass(frozen=True)
class NullSpace:
    """
    Directions that are orthogonal to some rows without rounding.

    Attributes
    ----------
    basis, rest : ndarray of shape (p, m)
        Their sum holds the directions to twice the digits, orthonormal up to rounding.
    whole : ndarray of shape (p, m), object
        Integers that span the same.
    """

    basis: F64
    rest: F64
    whole: Integers

    def orthogonal(self, rows: F64) -> NDArray[np.intp]:
        """Find the indices of all rows that are orthogonal to it without rounding."""
        sizes = np.abs(rows).max(axis=1, keepdims=True)
        units = rows / np.where(sizes > 0.0, sizes, 1.0)
        # Most rows that are not show it without integers.
        near = np.abs(units @ self.basis.T).max(axis=1, initial=0.0)
        found = np.flatnonzero(near <= _NEGLIGIBLE * rows.shape[1])
        kept = []
        for start in range(0, len(found), _AT_ONCE):
            some = found[start : start + _AT_ONCE]
            products = _multiples(rows[some]) @ self.whole.T
            kept.append(some[~(products != 0).any(axis=1)])
        return np.concatenate(kept) if kept else found


def exact_null_space(rows: F64) -> NullSpace:
    """
    Find all directions that are orthogonal to all rows, without rounding.

    Parameters
    ----------
    rows : ndarray of shape (n, m)
        Finite rows.

    Returns
    -------
    NullSpace
        Without directions also where the rank is in doubt.
    """
    width = rows.shape[1]
    none = NullSpace(np.empty((0, width)), np.empty((0, width)), np.empty((0, width), dtype=object))
    rows = np.unique(rows[rows.any(axis=1)], axis=0)
    if not len(rows):
        return _spanned([[Fraction(int(i == j)) for j in range(width)] for i in range(width)])
    units = rows / np.abs(rows).max(axis=1, keepdims=True)
    pivots, order = pivoted_rows(units)
    chosen: NDArray[np.intp] = order[: np.count_nonzero(pivots > _NEGLIGIBLE * pivots[0])]
    if len(chosen) == width:
        return none
    span = Span.create(_multiples(rows[chosen]))
    if span is None:
        return none
    null = []
    for free in span.others:
        direction = [Fraction(0)] * width
        direction[free] = Fraction(1)
        values = span.orthogonal(direction)
        scale = max(abs(value) for value in values)
        null.append([value / scale for value in values])
    found = _spanned(null)
    return found if len(found.orthogonal(rows)) == len(rows) else none


def _spanned(vectors: list[list[Fraction]]) -> NullSpace:
    """Orthonormal combinations of vectors, and integers that span the same."""
    from scipy.linalg import qr  # noqa: PLC0415

    factors = np.linalg.inv(qr(np.array(vectors, dtype=np.float64).T, mode="economic")[1]).T
    exact = [[Fraction(value) for value in row] for row in factors.tolist()]
    combined = [
        [sum((f * v for f, v in zip(row, column, strict=True) if f and v), Fraction(0))
         for column in zip(*vectors, strict=True)]
        for row in exact
    ]  # fmt: skip
    basis = np.array([[float(value) for value in row] for row in combined])
    rest = np.array(
        [
            [float(value - Fraction(near)) for value, near in zip(row, nears, strict=True)]
            for row, nears in zip(combined, basis.tolist(), strict=True)
        ]
    )
    whole = []
    for values in vectors:
        denominator = lcm(*(value.denominator for value in values))
        whole.append([int(value * denominator) for value in values])
    return NullSpace(basis, rest, np.array(whole, dtype=object))
