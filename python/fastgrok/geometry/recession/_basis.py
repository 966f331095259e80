"""Independent rows and columns of a matrix of integers, and what its other columns are of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._lifting import MOST_EQUATIONS, Integers, Lifting, independent
from fastgrok.geometry._rows import Index
from fastgrok.geometry.products import pivoted_rows, reciprocal_condition
from fastgrok.geometry.recession._whole import Whole, product, whole_vector

_MOST_WORK = 2e10
"""Bound on the nanoseconds, as a rule of thumb, of one exact solution."""
_INVERSE = 20.0
"""Times k^3: nanoseconds for the inverse of a block."""
_FAR_FROM_DOUBTFUL = 1e-10


@dataclass(frozen=True)
class Basis:
    """
    A block of a matrix that has an inverse and the rank of the whole.

    Attributes
    ----------
    rows : ndarray of int
        Independent rows that span all.
    pivots : ndarray of int
        The first columns that are independent: every other is a combination of pivots before it.
    rest : ndarray of int
        The other columns.
    above, below : ndarray of shape (len(pivots), len(rest)), int
        Column rest[k] is the sum of the pivots times above[:, k] / below.
    lifting : Lifting
        Solves equations with the block.
    """

    rows: Index
    pivots: Index
    rest: Index
    above: Whole
    below: int
    lifting: Lifting

    @classmethod
    def find(cls, matrix: Whole, some: Index) -> Basis | None:
        """Find it among some of the rows, which must span all; None if it takes too long."""
        chosen, columns = independent(matrix[some])
        pairs = sorted(zip(columns, chosen, strict=True))
        rows = some[[row for _, row in pairs]]
        pivots = np.array([column for column, _ in pairs], dtype=np.intp)
        rest = np.setdiff1d(np.arange(matrix.shape[1]), pivots)
        block = matrix[np.ix_(rows, pivots)].astype(object)
        if len(rows) > MOST_EQUATIONS or _INVERSE * len(rows) ** 3 > _MOST_WORK:
            return None
        above, below = np.zeros((len(rows), len(rest)), dtype=object), 1
        try:
            lifting = Lifting(block)
            if rest.size and rows.size:
                right = matrix[np.ix_(rows, rest)].astype(object)
                above, below = lifting.solve(right, _MOST_WORK)
        except ArithmeticError:
            return None
        if rest.size:
            left = product(matrix[:, pivots], above)
            if np.any(left != below * matrix[:, rest].astype(object)):
                return None
        return cls(rows, pivots, rest, above, below, lifting)

    def orthogonal(self, free: Integers) -> Integers:
        """Vector with products 0 with all rows, a positive multiple of `free` in the other columns.

        All such vectors are of this kind.
        """
        out: Integers = np.zeros(len(self.pivots) + len(self.rest), dtype=object)
        out[self.rest] = self.below * free
        out[self.pivots] = -product(self.above, free)
        return out

    def quotient(self, vectors: Whole) -> Integers:
        """Vectors modulo the span of the rows, in the other columns as coordinates, times below."""
        out: Integers = self.below * vectors[:, self.rest].astype(object)
        out -= product(vectors[:, self.pivots], self.above)
        return out

    def fixed(self, column: int) -> bool:
        """Whether the unit vector of a column lies in the span of the rows."""
        at = np.flatnonzero(self.pivots == column)
        return bool(at.size) and not np.any(self.above[at[0]])

    def combination(self, vector: Sequence[Fraction] | Integers) -> list[Fraction]:
        """
        Coefficients of a vector that lies in the span of the rows.

        Raises ArithmeticError where that takes too long.
        """
        whole, scale = whole_vector(map(Fraction, vector))
        if not self.rows.size:
            return []
        found, below = self.lifting.transposed().solve(whole[self.pivots], _MOST_WORK)
        return [Fraction(int(value), below * scale) for value in found]


def no_rows(columns: int) -> Basis:
    """Of no rows."""
    none, above = np.arange(0), np.zeros((0, columns), dtype=object)
    return Basis(none, none, np.arange(columns), above, 1, Lifting(above[:, :0]))


def independent_columns(matrix: Whole, vectors: F64) -> tuple[Basis | None, bool]:
    """
    Find columns that are independent: None where all are. The second is whether that is proved.

    Parameters
    ----------
    matrix : ndarray of shape (n, D), int
        Multiples of the rows.
    vectors : ndarray of shape (n, D), float64
        The rows.
    """
    columns = np.abs(vectors).max(axis=0)
    units = np.ldexp(vectors, -np.frexp(columns)[1])
    lines = np.abs(units).max(axis=1)
    units = np.ldexp(units, -np.frexp(lines)[1][:, None])
    if len(units) >= units.shape[1] and reciprocal_condition(units) > _FAR_FROM_DOUBTFUL:
        return None, True
    first = pivoted_rows(units)[1][: units.shape[1]]
    found = Basis.find(matrix, first)
    if found is None and len(first) < len(matrix):
        found = Basis.find(matrix, np.arange(len(matrix)))
    return None if found is None or not found.rest.size else found, found is not None
