"""Linear algebra and linear programming on Python's integers: no rounding, small problems."""

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, isqrt
from typing import Any

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._lifting import Integers, adjugate_modulo, independent
from fastgrok.geometry.products import reciprocal_condition

_PRIME = 2**31 - 1


def integers(vector: Sequence[float] | F64) -> tuple[list[int], Fraction]:
    """Smallest integer multiple of a vector of floats, and the positive factor."""
    ratios = [float(value).as_integer_ratio() for value in vector]
    denominator = max(below for _, below in ratios)
    out = [above * (denominator // below) for above, below in ratios]
    common = gcd(*out) or 1
    return [value // common for value in out], Fraction(denominator, common)


def integer_rows(rows: F64) -> Integers:
    """Positive integer multiples of every row."""
    out = np.empty(rows.shape, dtype=object)
    for i, row in enumerate(rows):
        out[i] = integers(row)[0]
    return out


def exact_rank(rows: F64) -> int:
    """
    Rank of rows of floats without rounding.

    A QR factorisation settles full rank where that is far from doubtful; else it is the rank modulo
    a prime, which is too small for one prime in billions.

    Parameters
    ----------
    rows : ndarray of shape (n, d), float64
        Finite rows.
    """
    if len(rows) >= rows.shape[1]:
        sizes = np.abs(rows).max(axis=0)
        scaled = np.ldexp(rows, -np.frexp(sizes)[1])
        if reciprocal_condition(scaled) > 1e-10:
            return int(rows.shape[1])
    table = (integer_rows(rows) % _PRIME).astype(np.int64)
    rank = 0
    for j in range(table.shape[1]):
        found = np.flatnonzero(table[rank:, j])
        if not found.size:
            continue
        table[[rank, rank + found[0]]] = table[[rank + found[0], rank]]
        table[rank] = table[rank] * pow(int(table[rank, j]), -1, _PRIME) % _PRIME
        below = table[rank + 1 :]
        below -= np.multiply.outer(below[:, j], table[rank]) % _PRIME
        below %= _PRIME
        rank += 1
        if rank == len(table):
            break
    return rank


def _adjugate(matrix: Integers) -> tuple[Integers, int]:
    """Adjugate and determinant, from as many residues as Hadamard's bound asks for."""
    bound = 2
    for row in matrix:
        bound *= isqrt(sum(value * value for value in row)) + 1
    adjugate, determinant = np.zeros(matrix.shape, dtype=object), 0
    done, modulus = 1, _PRIME
    while done <= bound:
        if gcd(done, modulus) == 1:
            found = adjugate_modulo(matrix, modulus)
            if found is not None:
                back = pow(done, -1, modulus)
                adjugate += (found[0] - adjugate) % modulus * back % modulus * done
                determinant += (found[1] - determinant) % modulus * back % modulus * done
                done *= modulus
        modulus -= 2
    adjugate -= (2 * adjugate > done).astype(object) * done
    return adjugate, determinant - (2 * determinant > done) * done


class Span:
    """
    The span of independent integer rows; `create` is the constructor.

    Parameters
    ----------
    rows : ndarray of shape (k, D), object
        Independent rows.
    columns : list of int
        Columns in which they are independent already.
    """

    def __init__(self, rows: Integers, columns: list[int]) -> None:
        self.rows, self.columns = rows, columns
        self.others = [j for j in range(rows.shape[1]) if j not in set(columns)]
        self._adjugate, self._scale = _adjugate(rows[:, columns])

    @classmethod
    def create(cls, rows: Integers) -> "Span | None":
        """Return the span of rows if they are independent, else None."""
        columns = independent(rows, _PRIME)[1]  # independent rows: but for one prime in billions
        return cls(rows, columns) if len(columns) == len(rows) else None

    def coefficients(self, vector: Any) -> list[Fraction] | None:
        """Coefficients of a vector (integers or fractions) in the rows; None outside the span."""
        vector = np.asarray(vector, dtype=object)
        scaled = self._scaled_coefficients(vector)
        return None if scaled is None else [Fraction(value) / self._scale for value in scaled]

    def __contains__(self, vector: list[int]) -> bool:
        return self._scaled_coefficients(np.array(vector, dtype=object)) is not None

    def _scaled_coefficients(self, vector: Integers) -> Integers | None:
        scaled: Integers = vector[self.columns] @ self._adjugate
        inside = scaled @ self.rows[:, self.others] == self._scale * vector[self.others]
        return scaled if np.all(inside) else None

    def orthogonal(self, vector: Sequence[Fraction]) -> list[Fraction]:
        """Change the entries in `columns` so that the vector is orthogonal to all rows."""
        values = np.array(vector, dtype=object)
        products = self.rows[:, self.others] @ values[self.others]
        values[self.columns] = [-value / self._scale for value in self._adjugate @ products]
        return [Fraction(value) for value in values]

    def quotient(self, vectors: Integers) -> Integers:
        """Vectors modulo the span, in the other columns as coordinates, times some number > 0."""
        along = vectors[:, self.columns] @ self._adjugate
        out: Integers = self._scale * vectors[:, self.others] - along @ self.rows[:, self.others]
        return out if self._scale > 0 else -out


def separate(rows: Integers, order: Sequence[int]) -> tuple[list[int] | None, dict[int, Fraction]]:
    """
    Find a vector with a positive product with every row, or weights that balance the rows.

    The fundamental theorem of linear inequalities (Schrijver 1986, theorem 7.1) for the vectors
    (z_i, 1) and the last unit vector e: a basis of them is exchanged, vector by vector, until e is
    a combination of it without negative coefficients or a hyperplane separates it from them all.
    The inverse of the basis is kept in integers with a common denominator (Edmonds).

    Parameters
    ----------
    rows : ndarray of shape (n, D), object
        Integers.
    order : sequence of int
        All rows; the first of them are tried first as a basis.

    Returns
    -------
    tuple of (list of int or None, dict)
        The vector; or None and the positive weights by row.
    """
    n, dim = rows.shape
    size = dim + 1
    vectors = np.concatenate([rows, _ones(n, 1)], axis=1)
    inverse, scale = np.diag(_ones(size, 1)[:, 0]), 1
    basis: dict[int, int] = {}  # coordinate: row

    def exchange(at: int, row: int, column: Integers) -> None:
        """Row `row`, with these coordinates, takes the place of what is at coordinate `at`."""
        nonlocal inverse, scale
        value, kept = column[at], inverse[at].copy()
        inverse = (value * inverse - np.multiply.outer(column, kept)) // scale
        inverse[at], scale = kept, value
        if scale < 0:
            inverse, scale = -inverse, -scale
        basis[at] = row

    for row in order:
        column = inverse @ vectors[row]
        free = [h for h in range(size) if h not in basis and column[h] != 0]
        if free:
            exchange(free[0], row, column)
        if len(basis) == size:
            break
    for h in range(size):
        # A functional that vanishes on all (z_i, 1), and so separates where it does not on e.
        if h not in basis and inverse[h, -1] != 0:
            sign = -1 if inverse[h, -1] > 0 else 1
            return [sign * value for value in inverse[h, :-1]], {}
    step = 0
    while True:
        negative = [(row, h) for h, row in basis.items() if inverse[h, -1] < 0]
        if not negative:
            found = {row: Fraction(inverse[h, -1], scale) for h, row in basis.items()}
            return None, {row: value for row, value in found.items() if value > 0}
        # The largest violations end soon, as a rule; the first in order (Bland) end in any case.
        step += 1
        if step < 20 * size:
            at = min(negative, key=lambda pair: inverse[pair[1], -1])[1]
        else:
            at = min(negative)[1]
        products = vectors @ inverse[at]
        entering = np.flatnonzero(products < 0)
        if not entering.size:
            return list(inverse[at, :-1]), {}
        row = int(entering[0])
        if step < 20 * size:
            row = int(entering[np.argmin(products[entering])])
        exchange(at, row, inverse @ vectors[row])


def _ones(rows: int, columns: int) -> Integers:
    ones: Integers = np.ones((rows, columns), dtype=int).astype(object)
    return ones


def partition(
    rows: Integers, order: Sequence[int]
) -> tuple[list[Fraction] | None, dict[int, Fraction]]:
    """
    Split rows into those that balance each other and those strictly on one side.

    Returns
    -------
    tuple of (list of Fraction or None, dict)
        A vector u with u . z_i > 0 for some rows and 0 for all others, None if there is none;
        and positive weights of rows (none, if all products with u are positive) that balance
        each other and span the same space as all rows with u . z_i = 0.
    """
    live = [i for i in order if any(rows[i])]
    if not live:
        return None, {}
    vector, weights = separate(rows[live], range(len(live)))
    if vector is not None:
        return [Fraction(value) for value in vector], {}
    balance = {live[k]: value for k, value in weights.items()}
    base = list(balance)[1:]
    span = Span.create(rows[base])
    if span is None:
        raise ArithmeticError("independent rows that are dependent modulo a prime")
    rest, more = partition(span.quotient(rows[live]), range(len(live)))
    more = {live[k]: value for k, value in more.items()}
    if more:
        # What the others leave over lies in the span: the first weights, scaled up, take it.
        over = sum((value * rows[i] for i, value in more.items()), np.zeros(rows.shape[1], int))
        taken = span.coefficients(over)
        if taken is None:
            raise ArithmeticError("weights that don't balance modulo the span")
        least = dict(zip(base, taken, strict=True))
        factor = 1 + max([Fraction(0), *(least[i] / balance[i] for i in base)])
        balance = {i: factor * v - least.get(i, Fraction(0)) for i, v in balance.items()} | more
    if rest is None:
        return None, balance
    lifted = [Fraction(0)] * rows.shape[1]
    for j, value in zip(span.others, rest, strict=True):
        lifted[j] = value
    return span.orthogonal(lifted), balance
