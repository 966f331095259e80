"""Solutions to twice the digits of float64: corrections from products that are as exact."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import accurate_product

_ROUNDS = 12
_ENOUGH = 1e-24
_LEAST = 1e-6
"""The last correction must be smaller, for the others to have been of any use."""

Correct = Callable[[F64, F64], tuple[F64, F64]]


@dataclass
class Pair:
    """A vector as the sum of two, the second of which is what rounding leaves of the first."""

    head: F64
    rest: F64

    def add(self, other: F64) -> "Pair":
        """Add a small vector."""
        total = self.head + other  # Knuth's sum without error
        part = total - self.head
        rest = self.rest + ((self.head - (total - part)) + (other - part))
        head = total + rest
        return Pair(head, rest - (head - total))


@dataclass
class Polished:
    """
    What was reached.

    Attributes
    ----------
    theta, alpha : Pair
        The vector and the dual coefficients.
    last : ndarray of shape (D,)
        The last correction of `theta`.
    """

    theta: Pair
    alpha: Pair
    last: F64


def polish(rows: F64, diagonal: F64, theta: F64, alpha: F64, correct: Correct) -> Polished | None:
    """
    Solve rows theta = 1 and diagonal * theta = rows^T alpha to twice the digits.

    Parameters
    ----------
    rows : ndarray of shape (k, D)
        Linearly independent in the columns with a diagonal.
    diagonal : ndarray of shape (D,)
        Of the squares of theta, all but a bias's 1.
    theta : ndarray of shape (D,)
        The solution, to a few digits at least.
    alpha : ndarray of shape (k,)
        Its coefficients.
    correct : callable
        With (p, q), the change (v, a) for which rows v = p and diagonal * v - rows^T a = q, to a
        few digits at least.

    Returns
    -------
    Polished or None
        None if the corrections do not become smaller.
    """
    k, dim = rows.shape
    point, dual = Pair(theta, np.zeros(dim)), Pair(alpha, np.zeros(k))
    columns = np.abs(rows).max(axis=0)
    by_rows = np.column_stack([rows, rows, np.full(k, -1.0)])
    by_columns = np.column_stack([rows.T, rows.T, np.zeros((dim, 2))])
    last, before = np.full(dim, np.inf), np.inf
    for _ in range(_ROUNDS):
        missing = -accurate_product(by_rows, np.concatenate([point.head, point.rest, [1.0]]))
        by_columns[:, -2], by_columns[:, -1] = -diagonal * point.head, -diagonal * point.rest
        total = np.concatenate([dual.head, dual.rest, [1.0, 1.0]])
        change, more = correct(missing, accurate_product(by_columns, total))
        share = np.abs(change) @ columns / (np.abs(point.head) @ columns)
        size = float(max(share, np.abs(more).max() / dual.head.max()))
        if not size < 0.5 * before:
            break
        # Whether nothing would be left by one more of the same kind.
        small = size * size < _ENOUGH * min(before, 1.0)
        point, dual, last, before = point.add(change), dual.add(more), change, size
        if small:
            break
    return Polished(point, dual, last) if before < _LEAST else None
