"""
Rows that balance in part: a linear program tells which, and integers prove it.

Among the weights p >= 0 with sum_i p_i z_i = 0 and the vectors u with z_i . u >= 0 there are some
for which every row has either p_i > 0 or z_i . u > 0 (Goldman and Tucker). A program finds both:

    minimise sum_i s_i    subject to    sum_i (1 + e_i - s_i) z_i = 0,  e_i >= 0,  0 <= s_i <= 1

ends with s_i = 0 for rows that balance, whose weights 1 + e_i are far from 0, and s_i = 1 for the
others, which have a product of at least 1 with the multipliers of its equations. So far from 0 both
stand rounding, and an exact solution of the equations beside them is one with the same signs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok._checks.programs import linear_program
from fastgrok.geometry._exact import integers
from fastgrok.geometry._lifting import MOST_EQUATIONS, Integers, Lifting, independent
from fastgrok.geometry._rows import Index, Rows

_MOST_WORK = 1e8
"""Bound on D times how many entries are not zero: seconds, for the program and for integers."""
_MOST_ENTRIES = 2e7
_SPARSE = 0.2
"""Share of entries that are not zero below which the program gets a sparse matrix."""
_FINE = 30
"""Digits behind the point that are kept of weights, of the size of 1 or larger."""
_COARSE = 20
"""Digits of a separator that are enough as a rule, and make a short one."""
_NO_WEIGHT = 1e-6


@dataclass(frozen=True)
class Face:
    """
    A proved answer.

    Attributes
    ----------
    weights : dict of int to Fraction
        Positive weights, by row, that balance; none if all rows are separated.
    separator : list of Fraction or None
        Products with the rows of the face are 0 and with all others positive. None if there are no
        others: then the rows with weights span all rows.
    """

    weights: dict[int, Fraction]
    separator: list[Fraction] | None


def find_face(rows: Rows, live: Index) -> Face | None:
    """
    Split rows into those that balance and those on one side of them; None if that is not proved.

    Parameters
    ----------
    rows : Rows
        The vectors.
    live : ndarray of int
        Those that are not zero.
    """
    if len(live) * rows.dim > _MOST_ENTRIES:
        return None
    vectors, first = np.unique(rows.take(live), axis=0, return_index=True)
    if np.count_nonzero(vectors) * rows.dim > _MOST_WORK or min(vectors.shape) > MOST_EQUATIONS:
        return None
    face = _Problem(vectors).face()
    if face is None:
        return None
    weights = {int(live[first[i]]): value for i, value in face.weights.items()}
    return Face(weights, face.separator)


def least(cost: F64, matrix: F64, right: F64, bounds: F64) -> Any:
    """Least cost . x with matrix x = right within bounds, as HiGHS sees it; None if it fails."""
    from scipy.sparse import csc_array  # noqa: PLC0415 (slow to import, rarely needed)

    dense = np.count_nonzero(matrix) > _SPARSE * matrix.size
    entries: Any = matrix if dense else csc_array(matrix)
    answer = linear_program(cost, equal=True, matrix=entries, right=right, bounds=bounds)
    return answer if answer.status == 0 else None


def _program(Z: F64) -> tuple[NDArray[np.bool_], F64] | None:
    """Rows that balance, and a vector that separates the others."""
    n = len(Z)
    answer = least(
        np.repeat([0.0, 1.0], n),
        np.concatenate([Z.T, -Z.T], axis=1),
        -Z.sum(axis=0),
        np.repeat([[0.0, np.inf], [0.0, 1.0]], n, axis=0),
    )
    return None if answer is None else (answer.x[n:] < 0.5, -answer.eqlin.marginals)


class _Problem:
    """Rows in floats, and in integers."""

    def __init__(self, vectors: F64) -> None:
        columns = -np.frexp(np.abs(vectors).max(axis=0))[1]
        scaled = np.ldexp(vectors, columns)
        lines = -np.frexp(np.abs(scaled).max(axis=1))[1]
        self.scaled: F64 = np.ldexp(scaled, lines[:, None])
        self.columns: list[int] = columns.tolist()
        self.whole: Integers = np.empty(vectors.shape, dtype=object)
        self.factors: list[Fraction] = []  # whole over vectors
        self.units: list[Fraction] = []  # scaled over whole, but for the columns' scales
        for i, row in enumerate(vectors):
            self.whole[i], factor = integers(row)
            self.factors.append(factor)
            self.units.append(Fraction(2) ** int(lines[i]) / factor)

    def face(self) -> Face | None:
        """Split the rows; the weights are by their numbers here."""
        found = _program(self.scaled)
        if found is None:
            return None
        held, u = found
        pairs = self.opposites()
        held[[*pairs, *pairs.values()]] = True
        inside, outside = np.flatnonzero(held), np.flatnonzero(~held)
        base, pivots = self.basis(inside, pairs)
        weights = self.weights(inside, base, pivots, pairs) if inside.size else {}
        if weights is None:
            return None
        if outside.size:
            separator = self.separator(inside, outside, base, pivots, u)
            return None if separator is None else Face(weights, separator)
        return Face(weights, None) if self.spanned(base, pivots) else None

    def opposites(self) -> dict[int, int]:
        """Rows, one of two each, and the others, which are negative multiples of them."""
        seen: dict[tuple[int, ...], int] = {}
        out = {}
        for i, row in enumerate(self.whole):
            other = seen.get(tuple(-row))
            if other is not None:
                out[other] = i
            seen[tuple(row)] = i
        return out

    def basis(self, inside: Index, pairs: Iterable[int]) -> tuple[Index, Index]:
        """Independent ones of these rows, of pairs if possible, and as many columns for them."""
        order = np.array([*pairs, *np.setdiff1d(inside, list(pairs))], dtype=np.intp)
        chosen, pivots = independent(self.whole[order])
        return order[chosen], np.array(pivots, dtype=np.intp)

    def weights(
        self, inside: Index, base: Index, pivots: Index, pairs: dict[int, int]
    ) -> dict[int, Fraction] | None:
        """
        Exact positive weights of the base and of at most as many others.

        Rows with an opposite may have any coefficient, for the opposite takes up a negative one.
        """
        free = np.isin(base, list(pairs))
        others = np.setdiff1d(inside, [*base, *pairs.values()])
        bounds = np.repeat([[0.0, np.inf]], len(base) + len(others), axis=0)
        bounds[: len(base)][free] = -np.inf, np.inf
        answer = least(
            np.repeat([0.0, 1.0], [len(base), len(others)]),
            self.scaled[np.append(base, others)].T,
            -self.scaled[base[~free]].sum(axis=0),
            bounds,
        )
        if answer is None:
            return None
        more = answer.x[len(base) :]
        taken = np.flatnonzero(more > _NO_WEIGHT)
        exact = [
            Fraction(round(float(value) * 2**_FINE), 2**_FINE) * self.units[i]
            for value, i in zip(more[taken], others[taken], strict=True)
        ]
        one, short = _integers(exact)
        total = short @ self.whole[others[taken]]
        solved, below = Lifting(self.whole[np.ix_(base, pivots)].T).solve(-total[pivots])
        if np.any(solved @ self.whole[base] + below * total) or min(solved[~free], default=1) <= 0:
            return None
        out = {int(others[k]): value for k, value in zip(taken, exact, strict=True)}
        for i, numerator in zip(base.tolist(), solved, strict=True):
            value = Fraction(int(numerator), below * one)
            if i in pairs:
                out[pairs[i]] = max(-value, Fraction(0)) + 1
                value = max(value, Fraction(0)) + 1
            out[i] = value
        return {i: value * self.factors[i] for i, value in out.items()}

    def separator(
        self, inside: Index, outside: Index, base: Index, pivots: Index, u: F64
    ) -> list[Fraction] | None:
        """Exact vector near u that has products 0 with the rows inside and positive ones outside.

        Short numbers are tried first.
        """
        rest = np.setdiff1d(np.arange(len(u)), pivots)
        lifting = Lifting(self.whole[np.ix_(base, pivots)])
        for digits in (_COARSE, 53 - int(np.frexp(np.abs(u).max())[1])):
            exact = [
                Fraction(round(Fraction(float(value)) * Fraction(2) ** digits)) * Fraction(2) ** e
                for value, e in zip(u, self.columns, strict=True)
            ]
            _, vector = _integers(exact)
            right = -self.whole[np.ix_(base, rest)] @ vector[rest]
            solved, below = lifting.solve(right)
            vector = vector * below
            vector[pivots] = solved
            if np.any(self.whole[inside] @ vector):
                return None  # the base does not span them: a rare coincidence
            if min(self.whole[outside] @ vector) > 0:
                return [Fraction(int(value)) for value in vector]
        return None

    def spanned(self, base: Index, pivots: Index) -> bool:
        """Whether the base spans all rows: the other columns are combinations of the pivots'."""
        rest = np.setdiff1d(np.arange(self.whole.shape[1]), pivots)
        if not rest.size:
            return True
        lifting = Lifting(self.whole[np.ix_(base, pivots)])
        solved, below = lifting.solve(self.whole[np.ix_(base, rest)])
        return bool(np.all(self.whole[:, pivots] @ solved == below * self.whole[:, rest]))


def _integers(values: list[Fraction]) -> tuple[int, Integers]:
    """Return a common denominator and the values times it."""
    below = lcm(*(value.denominator for value in values))
    return below, np.array([int(value * below) for value in values], dtype=object)
