"""
Rows that are pushed off in any case, and the columns that do it, left out before all else.

Where row r alone has a number v in column j, the direction sign(v) e_j pushes it off and moves no
other row. The other rows say nothing of d_j, and whatever they allow the other coordinates, some
d_j makes the product with row r positive. So without both, all other rows and coefficients are what
they were: the cone of the rest is the projection of the whole one. It is done again while there are
such columns. What is left is the core.

d_j has the other sign too just where f = z_r - v e_j, the rest of that row, takes positive values
in the cone of what was left when they were taken out. Coordinates that were taken out later are
bounded on one side alone: f is positive for large ones, or largest where their own rows have the
product 0, which makes it a functional on the core.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._lifting import Integers, Lifting
from fastgrok.geometry._rows import Index
from fastgrok.geometry.recession._basis import Basis
from fastgrok.geometry.recession._partition import Partition
from fastgrok.geometry.recession._signs import Balance, Signs
from fastgrok.geometry.recession._whole import Whole, primitive, whole_vector

_MOST_WORK = 2e7
"""Bound on the fractions that dependences take."""


@dataclass(frozen=True)
class Reduction:
    """
    What is left out, in this order, and the core.

    Attributes
    ----------
    rows, columns : list of int
        Of each step: the row, and the column in which no other row that is left has a number.
    core_rows, core_columns : ndarray of int
        What is left.
    """

    rows: list[int]
    columns: list[int]
    core_rows: Index
    core_columns: Index

    @classmethod
    def of(cls, matrix: Whole) -> Reduction:
        """Find it."""
        filled = np.asarray(matrix != 0, dtype=bool)
        counts = filled.sum(axis=0)
        alive = np.ones(len(filled), dtype=bool)
        waiting = deque(np.flatnonzero(counts == 1).tolist())
        rows, columns = [], []
        while waiting:
            j = waiting.popleft()
            if counts[j] != 1:
                continue
            r = int(np.argmax(filled[:, j] & alive))
            alive[r] = False
            counts -= filled[r]
            rows.append(r)
            columns.append(j)
            waiting.extend(np.flatnonzero(filled[r] & (counts == 1)).tolist())
        core = np.ones(filled.shape[1], dtype=bool)
        core[columns] = False
        return cls(rows, columns, np.flatnonzero(alive), np.flatnonzero(core))

    def dependence(self, matrix: Whole, core: Basis) -> Basis | None:
        """
        Return what all columns are of the first independent ones; None if it takes too long.

        `core` says that of the columns of the core. The answer has no rows and solves nothing.
        """
        width, free = matrix.shape[1], len(core.rest)
        if width * free * free > _MOST_WORK:
            return None
        null = np.full((width, free), Fraction(0), dtype=object)
        for k in range(free):
            null[self.core_columns[core.rest[k]], k] = Fraction(1)
            for p, share in zip(core.pivots, core.above[:, k], strict=True):
                null[self.core_columns[p], k] = Fraction(-int(share), core.below)
        for r, j in zip(reversed(self.rows), reversed(self.columns), strict=True):
            others = np.setdiff1d(np.flatnonzero(matrix[r] != 0), [j])
            total = sum((int(matrix[r, c]) * null[c] for c in others), np.zeros(free, dtype=object))
            null[j] = total / Fraction(-int(matrix[r, j]))
        rest: list[int] = []
        for at in range(width - 1, -1, -1):  # give each vector a last column that the others lack
            place = len(rest)
            with_it = [k for k in range(place, free) if null[at, k]]
            if not with_it:
                continue
            null[:, [place, with_it[0]]] = null[:, [with_it[0], place]]
            null[:, place] = null[:, place] / null[at, place]
            for other in range(free):
                if other != place and null[at, other]:
                    null[:, other] = null[:, other] - null[:, place] * null[at, other]
            rest.append(at)
        order = np.argsort(rest)
        columns = np.array(rest, dtype=np.intp)[order]
        pivots = np.setdiff1d(np.arange(width), columns)
        shares = -null[pivots][:, order]
        below = lcm(*(value.denominator for value in shares.flat))
        above = np.array([int(value * below) for value in shares.flat], dtype=object)
        none = np.zeros((0, 0), dtype=object)
        return Basis(
            np.arange(0), pivots, columns, above.reshape(shares.shape), below, Lifting(none)
        )


@dataclass(frozen=True)
class _Step:
    """
    What decides whether a coordinate that was left out has the sign that its row does not give.

    Attributes
    ----------
    row, column, value : int
        Of the step.
    others : dict of int to int
        The rest of the row, by column.
    multiples : dict of int to Fraction
        Positive multiples of the rows of later steps that are added to it.
    later : int or None
        Step whose coordinate alone makes the rest positive.
    functional : dict of int to Fraction
        What it is on the core otherwise, by column.
    """

    row: int
    column: int
    value: int
    others: dict[int, int]
    multiples: dict[int, Fraction]
    later: int | None
    functional: dict[int, Fraction]


class Lifted:
    """
    The signs of every coordinate of the whole cone, from those of the core.

    Parameters
    ----------
    matrix : ndarray of shape (m, D), int
        Multiples of all vectors.
    factors : list of Fraction
        These over the vectors.
    reduction : Reduction
        Of the matrix.

    Attributes
    ----------
    functionals : ndarray of shape (k, d), int
        What is to be known on the core, for `join`.
    """

    def __init__(self, matrix: Whole, factors: list[Fraction], reduction: Reduction) -> None:
        self._factors, self._reduction = factors, reduction
        self._width = matrix.shape[1]
        self._stage = {j: t for t, j in enumerate(reduction.columns)}
        self._lines = [
            {int(c): int(matrix[r, c]) for c in np.flatnonzero(matrix[r] != 0)}
            for r in reduction.rows
        ]
        self._steps = [self._step(t) for t in range(len(reduction.rows))]
        self._place = {int(c): k for k, c in enumerate(reduction.core_columns)}
        self._asked: dict[int, tuple[int, Fraction]] = {}
        lines: list[Integers] = []
        for t, step in enumerate(self._steps):
            if step.later is None and step.functional:
                values, below = whole_vector(step.functional.values())
                line = np.zeros(len(self._place), dtype=object)
                line[[self._place[c] for c in step.functional]] = values
                self._asked[t] = len(lines), Fraction(below)
                lines.append(line)
        self.functionals: Whole = np.zeros((len(lines), len(self._place)), dtype=object)
        for k, line in enumerate(lines):
            self.functionals[k] = line

    def _step(self, t: int) -> _Step:
        r, j = self._reduction.rows[t], self._reduction.columns[t]
        others = {c: v for c, v in self._lines[t].items() if c != j}
        rest = {c: Fraction(v) for c, v in others.items()}
        multiples: dict[int, Fraction] = {}
        later: int | None = None
        waiting = [self._stage[c] for c in rest if c in self._stage]
        heapq.heapify(waiting)
        while waiting and later is None:
            u = heapq.heappop(waiting)
            column = self._reduction.columns[u]
            share = rest.get(column, Fraction(0))
            if not share:
                continue
            ratio = -share / self._lines[u][column]
            if ratio < 0:
                later = u
                break
            multiples[u] = ratio
            for c, v in self._lines[u].items():
                if c not in rest and c in self._stage:
                    heapq.heappush(waiting, self._stage[c])
                rest[c] = rest.get(c, Fraction(0)) + ratio * v
        functional = {c: v for c, v in rest.items() if v and c not in self._stage}
        return _Step(r, j, self._lines[t][j], others, multiples, later, functional)

    def join(self, vectors: F64, matrix: Whole, core: Partition, signs: Signs) -> Partition:
        """Take what is known of the core, and put the whole partition together."""
        self._core, self._signs = core, signs
        red = self._reduction
        self.verdicts = ["finite"] * self._width
        for k, c in enumerate(red.core_columns.tolist()):
            self.verdicts[c] = signs.verdicts[k]
        for t, step in enumerate(self._steps):
            self.verdicts[step.column] = "+inf" if step.value > 0 else "-inf"
            if step.later is not None or self._positive(t) == "either":
                self.verdicts[step.column] = "either"
            elif self._positive(t) == "undecided":
                self.verdicts[step.column] = "undecided"
        basis = core.basis
        if basis is not None:
            rest = np.append(red.core_columns[basis.rest], red.columns).astype(np.intp)
            zeros = np.zeros((len(basis.pivots), len(red.columns)), dtype=object)
            basis = Basis(
                basis.rows, red.core_columns[basis.pivots], rest,
                np.hstack([basis.above.astype(object), zeros]), basis.below, basis.lifting,
            )  # fmt: skip
        rows = red.core_rows
        inside = rows[core.inside]
        proof = core.proof if core.vectors.size else "each row alone has a number in some column"
        return Partition(
            vectors, matrix, self._factors, np.setdiff1d(np.arange(len(matrix)), inside), inside,
            self._lift(self._core.direction), basis,
            None if core.weights is None else self._of_core(core.weights),
            {int(rows[i]): value for i, value in core.near.items()}, proof,
        )  # fmt: skip

    def _of_core(self, values: Balance) -> Balance:
        return {int(self._reduction.core_rows[i]): value for i, value in values.items()}

    def _positive(self, t: int) -> str:
        """Whether the functional of a step is positive somewhere: "either" if it is."""
        if t not in self._asked:
            return "finite"
        return self._signs.verdicts[len(self._place) + self._asked[t][0]]

    def direction(self, j: int, sign: int) -> Integers | None:
        """Direction in which coordinate j has this sign, if one was found."""
        if j not in self._stage:
            own = self._signs.direction(self._place[j], sign)
            return None if own is None else self._lift(own)
        t = self._stage[j]
        step = self._steps[t]
        if sign * step.value > 0:
            return self._lift(None, far={t})
        tight = {t, *step.multiples}
        if step.later is not None:
            behind = range(step.later + 1, len(self._steps))  # all 0: they would count as well
            return self._lift(None, tight.union(behind), {step.later})
        if self._positive(t) != "either":
            return None
        place = len(self._place) + self._asked[t][0]
        return self._lift(self._signs.direction(place, 1), tight)

    def _lift(
        self,
        core: Integers | None,
        tight: set[int] | frozenset[int] = frozenset(),
        far: set[int] | frozenset[int] = frozenset(),
    ) -> Integers:
        """
        Add coordinates of the columns that were left out, so that no product is negative.

        Those of steps in `tight` make the product of their row 0, in `far` have the sign of their
        number; all others make it positive.
        """
        out = np.full(self._width, Fraction(0), dtype=object)
        if core is not None:
            out[self._reduction.core_columns] = [Fraction(int(value)) for value in core]
        for t in range(len(self._steps) - 1, -1, -1):
            step = self._steps[t]
            total = sum((v * out[c] for c, v in step.others.items() if out[c]), Fraction(0))
            if t in tight:
                out[step.column] = -total / step.value
            elif t in far:
                out[step.column] = (1 + abs(total)) / step.value
            elif total <= 0:
                out[step.column] = (1 - total) / step.value
        return primitive(whole_vector(out)[0])

    def balance(self, j: int) -> Balance:
        """Return the same as `Signs.balance`."""
        if j not in self._stage:
            return self._of_core(self._signs.balance(self._place[j]))
        if self.verdicts[j] not in ("+inf", "-inf"):
            return {}
        t = self._stage[j]
        step = self._steps[t]
        size = Fraction(abs(step.value))
        out: Balance = {step.row: self._factors[step.row] / size}
        for u, multiple in step.multiples.items():
            row = self._steps[u].row
            out[row] = multiple * self._factors[row] / size
        if t in self._asked:
            k, times = self._asked[t]
            more = self._of_core(self._signs.balance(len(self._place) + k))
            for row, value in more.items():
                out[row] = value / times / size
        return out
