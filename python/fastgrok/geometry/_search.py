"""The search for a verdict on separability, each step of which is proved before it counts."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._balance import Balance
from fastgrok.geometry._exact import Span, integer_rows, integers, partition
from fastgrok.geometry._faces import find_face
from fastgrok.geometry._probe import Candidate, hard_separator, probe, working_size
from fastgrok.geometry._rows import Index, Rows
from fastgrok.geometry._verified import all_positive
from fastgrok.geometry._weights import without

_MOST_EXACT_WORK = 2e7
"""Bound on (n + D) (D + 1)^2 for the whole problem in integers, times the square of the length of
determinants in units of 256 bits."""
_MOST_SPAN_WORK = 2e10
"""Bound on what is spent on spans and on looking again, in nanoseconds as a rule of thumb."""
_FEW_LEVELS = 4
"""Of sets that balance each other, before a linear program is asked: one is the rule."""
_SUSPECT = 1e-9
"""A row of norm 1 that is as close to a span may lie in it."""


class Search:
    """
    What is known about the vectors z_i, and the steps to find out more.

    Where some rows balance each other, every row in their span is a part of such a balance too, and
    no vector has a positive product with one of them and negative ones with none. What is left is
    looked at modulo this span.

    Attributes
    ----------
    verdict : str
        "separable", "boundary", "interior" or "undecided".
    theta : ndarray of shape (D,) or None
        Separates all rows (separable), or has non-negative products only (boundary, rounded).
    separator : list of Fraction or None
        The same without rounding, where `theta` itself is not it.
    weights : dict of int to float
        Positive, by row, not normalised.
    exact : dict of int to Fraction
        The same without rounding, in order: with weights that the first independent rows have in
        their place, which are close to theirs, the sum of all is zero.
    proof : str
        In words, how the verdict was proved.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.verdict, self.proof = "undecided", "no proof was found"
        self.theta: F64 | None = None
        self.separator: list[Fraction] | None = None
        self.weights: dict[int, float] = {}
        self.exact: dict[int, Fraction] = {}
        self._all: Index = np.arange(rows.count)
        self._live: Index = np.flatnonzero(rows.largest() > 0.0)
        self._zeros = self._live.size < rows.count
        self._balance = Balance.empty(rows)
        self._span: Span | None = None
        self._left = _MOST_SPAN_WORK

    def run(self) -> None:
        """Find the verdict."""
        if self._zeros:
            zero = int(np.setdiff1d(self._all, self._live)[0])
            self.weights, self.exact = {zero: 1.0}, {zero: Fraction(1)}
            self.proof = "a row of zeros"
        with np.errstate(all="ignore"):  # what overflows proves nothing
            self._look()

    def _look(self) -> None:
        work = 0
        while self.verdict == "undecided" and self._live.size:
            if not self._afford(work):
                return
            candidate = probe(self.rows, self._live, self._balance.orthonormal())
            levels = candidate.levels(_FEW_LEVELS if self._span is None else None)
            if candidate.theta is not None:
                proved = self._separates(candidate.theta)
            else:
                proved = self._encloses(levels)
            if not proved:
                proved = self._splits(candidate)
            if not proved:
                levels = candidate.levels()
                proved = self._balances(levels)
            at_once = min(self._live.size, working_size(self.rows.dim))
            work = (1 + len(levels)) * at_once * self.rows.dim**2
            if not proved:
                self._in_integers([int(i) for i in candidate.order])
                return
        if self.verdict == "undecided":
            self.verdict = "interior"

    def _separates(self, theta: F64) -> bool:
        """Prove that this vector, made orthogonal to the span, separates what is left."""
        theta = np.ldexp(theta, -int(np.frexp(np.abs(theta).max())[1]))
        shift: dict[int, Fraction] = {}
        if self._span is not None:
            exact = [Fraction(value) for value in theta.tolist()]
            moved = self._span.orthogonal(exact)
            shift = {j: moved[j] - exact[j] for j in self._span.columns}
        if not all_positive(self.rows, self._live, theta, shift):
            return False
        sides = "error-free arithmetic shows on which side every row is"
        self.proof = f"{self.proof}; {sides}" if self.weights else sides
        if self._span is not None:
            self._concluded(moved)
        else:
            self.theta, self.verdict = theta, "boundary" if self.weights else "separable"
        return True

    def _all_levels(self, levels: list[tuple[Index, int]]) -> Balance | None:
        whole: Balance | None = self._balance
        for base, extra in levels:
            whole = None if whole is None else whole.extended(base.tolist(), extra)
        return whole if levels else None

    def _encloses(self, levels: list[tuple[Index, int]]) -> bool:
        """Prove by bounds that rows balance whose span is everything."""
        whole = self._all_levels(levels)
        if whole is None or not whole.enclosed():
            return False
        self.weights, self.exact = whole.row_weights(), whole.exact_weights()
        self.proof = "positive weights exist: enclosed with bounds on all rounding errors"
        self._live = self._live[:0]
        return True

    def _splits(self, candidate: Candidate) -> bool:
        """Prove the whole verdict: by a linear program, or by a separator with a hard margin."""
        if self._span is not None:
            return False  # it was tried on all rows
        face = find_face(self.rows, self._live)
        if face is None:
            theta = hard_separator(self.rows, candidate)
            return theta is not None and self._separates(theta)
        if face.weights:
            self.weights, self.exact = _rounded(face.weights), face.weights
        self.proof = "a linear program, solved in rational arithmetic"
        self._live = self._live[:0]
        if face.separator is not None:
            self._concluded(face.separator)
        return True

    def _concluded(self, vector: Sequence[Fraction]) -> None:
        """End with a vector whose products are proved: 0 with rows that balance, else positive."""
        largest = max(abs(value) for value in vector)
        self.separator = [value / largest for value in vector]
        self.theta = np.array([float(value) for value in self.separator])
        self.verdict = "boundary" if self.weights else "separable"
        if not self.weights and all_positive(self.rows, self._all, self.theta):
            self.separator = None

    def _balances(self, levels: list[tuple[Index, int]]) -> bool:
        """Prove that rows balance modulo the span, and take them into it: all levels, or one.

        A proof that costs too much is none.
        """
        whole = self._all_levels(levels)
        for some in (whole if len(levels) > 1 else None, self._first_level(levels)):
            if some is None:
                continue
            if not self._afford(some.solving_work()):
                return False  # one level after the other would take longer
            solved = some.solved()
            if solved is None:
                continue
            outside = self._outside(*solved)
            if outside is None:
                continue
            (self._balance, self._span), self._live = solved, outside
            self.weights, self.exact = (
                self._balance.row_weights(),
                self._balance.exact_weights(),
            )
            self.proof = "positive weights, computed in rational arithmetic"
            return True
        return False

    def _first_level(self, levels: list[tuple[Index, int]]) -> Balance | None:
        return self._balance.extended(levels[0][0].tolist(), levels[0][1]) if levels else None

    def _afford(self, work: float) -> bool:
        """Whether so much exact work may be done, which is then counted."""
        if work > self._left:
            return False
        self._left -= work
        return True

    def _outside(self, balance: Balance, span: Span) -> Index | None:
        """Live rows that don't lie in the span; None if that takes too long to find out."""
        orthonormal, each = balance.orthonormal(), balance.membership_work()
        keep = np.ones(len(self._live), dtype=bool)
        block = max(1, 2**22 // self.rows.dim)
        for first in range(0, len(self._live), block):
            part = self._live[first : first + block]
            Z = self.rows.scaled(part)[0]
            close = np.linalg.norm(without(Z, orthonormal), axis=1) < _SUSPECT
            if not self._afford(np.count_nonzero(close) * each):
                return None
            for k in np.flatnonzero(close):
                vector = integers(self.rows.take([int(part[k])])[0])[0]
                keep[first + k] = vector not in span
        return self._live[keep]

    def _in_integers(self, first: list[int]) -> None:
        """Solve the whole problem in integers if it is small, these rows first."""
        rows = self.rows
        work = (rows.count + rows.dim) * (rows.dim + 1) ** 2
        if work > _MOST_EXACT_WORK:
            return
        whole = integer_rows(rows.take(self._all))
        bits = rows.dim * (int(np.abs(whole).max()) * rows.dim).bit_length()
        if work * (1.0 + (bits / 256.0) ** 2) > _MOST_EXACT_WORK:
            return
        order = first + sorted(set(range(rows.count)) - set(first))
        vector, weights = partition(whole, order)
        self.proof = "linear programming in integers"
        if weights:
            factors = {i: integers(rows.take([i])[0])[1] for i in weights}
            self.exact = {i: weight * factors[i] for i, weight in weights.items()}
            self.weights = _rounded(self.exact)
        elif not self._zeros:
            self.weights = {}
        if vector is None:
            self.verdict = "interior"
        else:
            self._concluded(vector)


def _rounded(weights: dict[int, Fraction]) -> dict[int, float]:
    most = max(weights.values())
    return {i: float(weight / most) for i, weight in weights.items()}
