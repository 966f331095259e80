"""Systems of linear equations in integers, solved digit by digit (Dixon 1982)."""

from math import gcd, inf, isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.object_]
Residues = NDArray[np.int64]

_BITS = 26
PRIME = 2**_BITS - 5
"""A prime so small that 2048 products of two residues are added in int64."""
MOST_EQUATIONS = 2048


def independent(rows: Integers, modulus: int = PRIME) -> tuple[list[int], list[int]]:
    """
    Find rows, the first that will do, and as many columns that are independent modulo a prime.

    They are so in truth, too; but for a prime in millions no larger set of rows is.
    """
    table = (rows % modulus).astype(np.int64)
    chosen, columns = [], []
    for i in range(len(table)):
        found = np.flatnonzero(table[i])
        if not found.size:
            continue
        pivot = int(found[0])
        chosen.append(i)
        columns.append(pivot)
        table[i] = table[i] * pow(int(table[i, pivot]), -1, modulus) % modulus
        below = i + 1 + np.flatnonzero(table[i + 1 :, pivot])
        if below.size:
            taken = np.multiply.outer(table[below, pivot], table[i, found]) % modulus
            table[np.ix_(below, found)] = (table[np.ix_(below, found)] - taken) % modulus
    return chosen, columns


def adjugate_modulo(matrix: Integers, modulus: int) -> tuple[Residues, int] | None:
    """Adjugate and determinant modulo a number below 2^31; None where a pivot has no inverse."""
    table = (matrix % modulus).astype(np.int64)
    order = np.arange(len(table))
    determinant = 1
    for p in range(len(table)):  # Gauss and Jordan, the inverse in the place of the matrix
        found = np.flatnonzero(table[p:, p])
        if not found.size or gcd(int(table[p + found[0], p]), modulus) != 1:
            return None
        row = p + int(found[0])
        if row != p:
            table[[p, row]], order[[p, row]] = table[[row, p]], order[[row, p]]
            determinant = -determinant
        pivot = int(table[p, p])
        determinant = determinant * pivot % modulus
        table[p, p] = 1
        table[p] = table[p] * pow(pivot, -1, modulus) % modulus
        column = table[:, p].copy()
        column[p] = 0
        table[:, p][column != 0] = 0
        table = (table - np.multiply.outer(column, table[p]) % modulus) % modulus
    inverse = np.empty_like(table)
    inverse[:, order] = table
    return inverse * determinant % modulus, determinant


class Lifting:
    """
    Solves M x = r without rounding for matrices M of integers that have an inverse modulo PRIME.

    Parameters
    ----------
    matrix : ndarray of shape (k, k), object
        M, invertible modulo PRIME; k at most 2048.
    """

    def __init__(self, matrix: Integers) -> None:
        if len(matrix) > MOST_EQUATIONS:
            raise ArithmeticError(f"a system of {len(matrix)} equations, too large for int64")
        found = adjugate_modulo(matrix, PRIME)
        if found is None:
            raise ArithmeticError("a matrix that is singular modulo the prime")
        self.matrix = matrix
        self._inverse = found[0] * pow(found[1], -1, PRIME) % PRIME
        sizes, signs = np.abs(matrix), np.sign(matrix).astype(np.int64)
        self._digits: list[Residues] = []
        while np.any(sizes):
            self._digits.append((sizes & (2**_BITS - 1)).astype(np.int64) * signs)
            sizes = sizes >> _BITS
        # With few digits what is left stays in int64 once the right side is used up.
        largest = int(np.abs(matrix).max(initial=0))
        self._short = len(matrix) * largest < 2 ** (62 - _BITS)

    def transposed(self) -> "Lifting":
        """Solve with the transpose of M, whose inverse is known."""
        out: Lifting = object.__new__(Lifting)
        out.matrix, out._inverse, out._short = self.matrix.T, self._inverse.T, self._short
        out._digits = [part.T for part in self._digits]
        return out

    def solve(self, right: Integers, most: float = inf) -> tuple[Integers, int]:
        """
        Solve for one right side of shape (k,), or for the columns of (k, m).

        Returns integer numerators of the same shape and their denominator, greater than 0. Raises
        ArithmeticError where that takes more than `most` nanoseconds, as a rule of thumb.
        """
        count = right.size // max(1, len(right))
        each = count * len(right) * (2.0 * len(right) * (1 + len(self._digits)) + 1000.0)
        rest, short = right, False
        x, modulus = np.zeros(right.shape, dtype=object), 1
        step, trial = 0, 4
        while True:
            digit = self._inverse @ (rest % PRIME).astype(np.int64) % PRIME
            rest = (rest - self._times(digit, short)) // PRIME
            if self._short and not short and int(np.abs(rest).max(initial=0)) < 2**60:
                rest, short = rest.astype(np.int64), True
            x = x + digit.astype(object) * modulus
            modulus *= PRIME
            step += 1
            if step * each > most:
                raise ArithmeticError("a solution with too many digits")
            if step < trial:
                continue
            found = _fractions(x, modulus)
            if found is not None and np.all(self.matrix @ found[0] == found[1] * right):
                return found
            trial = step + max(4, step // 2)

    def _times(self, digit: Residues, short: bool) -> NDArray[Any]:
        """M times a digit of the solution."""
        if short:
            return self.matrix.astype(np.int64) @ digit
        out = np.zeros(digit.shape, dtype=object)
        for k, part in enumerate(self._digits):
            out = out + ((part @ digit).astype(object) << (_BITS * k))
        return out


def _fractions(x: Integers, modulus: int) -> tuple[Integers, int] | None:
    """Numerators and a common denominator, both below the root of the modulus, if there are any."""
    largest = isqrt(modulus // 2)
    below = 1
    for value in x.ravel().tolist():
        rest = value * below % modulus
        if rest <= largest or modulus - rest <= largest:
            continue
        # Euclid's algorithm up to the first remainder that is small enough (Wang 1981).
        r, s, before, old = rest, 1, modulus, 0
        while r > largest:
            quotient = before // r
            before, r = r, before - quotient * r
            old, s = s, old - quotient * s
        below *= abs(s)
        if below > largest:
            return None
    out = x * below % modulus
    return out - (2 * out > modulus).astype(object) * modulus, below
