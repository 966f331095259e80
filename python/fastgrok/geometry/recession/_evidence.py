"""What is proved of distinct vectors, said of the rows and columns that people have."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from fastgrok.geometry._lifting import Integers
from fastgrok.geometry._rows import Index
from fastgrok.geometry.recession._basis import Basis
from fastgrok.geometry.recession._partition import Partition
from fastgrok.geometry.recession._reduction import Lifted
from fastgrok.geometry.recession._signs import Balance, Signs

Vector = tuple[Fraction, ...]


@dataclass(frozen=True, eq=False)
class Proof:
    """
    What proves the verdict on one coefficient, without rounding.

    Aliased columns don't count: d is 0 there. For one of them both are empty, and `columns` proves
    that it is one.

    Attributes
    ----------
    verdict : str
        The verdict.
    directions : tuple of tuples of Fraction
        Directions d with z_i . d >= 0 for all i: one with d_j > 0 for "+inf", with d_j < 0 for
        "-inf", and both, in this order, for "either".
    combinations : tuple of dict of int to Fraction
        By row, c_i > 0 with sum_i c_i z_i = e_j, which leaves d_j < 0 to no direction, for "+inf";
        with -e_j for "-inf"; and both, in this order, for "finite". In a Poisson model rows with
        y > 0 have z_i = x_i and c_i of any sign. Left out where they take too long, as in hundreds
        of columns of long numbers: then what was proved is that they exist.
    columns : dict of int to Fraction
        Of an aliased column: by column before it (the intercept, the last place, counts as the
        first), what these are multiplied with to give it, in every row of the data that counts.
    """

    verdict: str
    directions: tuple[Vector, ...]
    combinations: tuple[Balance, ...]
    columns: Balance = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Evidence:
    """
    The distinct vectors and what is known of them.

    Attributes
    ----------
    owner : ndarray of int
        Row of the data that each vector, before equal ones were put together, belongs to.
    sides : ndarray
        1, or -1 where it is the second vector, -x, of a row that holds every direction.
    inverse : ndarray of int
        Which of the distinct vectors, or of those that are not zero (-1 for zeros), it is.
    order : list of int
        Place of every column of the data, and of the intercept, in the vectors.
    columns : Basis or None
        Of the vectors, where their columns are dependent.
    cone, signs : Partition, Signs or Lifted
        Of the vectors with independent columns only.
    """

    owner: Index
    sides: Index
    inverse: Index
    order: list[int]
    columns: Basis | None
    cone: Partition
    signs: Signs | Lifted

    def outside(self) -> Index:
        """Rows of the data that are pushed off, sorted."""
        off = np.zeros(len(self.cone.vectors) + 1, dtype=bool)  # the last for zeros
        off[self.cone.outside] = True
        return np.unique(self.owner[off[self.inverse]])

    def verdicts(self) -> list[str]:
        """By column of the data; the aliased ones stay at 0."""
        kept = [self._kept(at) for at in self.order]
        return ["finite" if k is None else self.signs.verdicts[k] for k in kept]

    def determined(self) -> list[bool]:
        """Whether the rows alone determine a coefficient, by column of the data."""
        return [self.columns is None or self.columns.fixed(at) for at in self.order]

    def aliased(self) -> list[int]:
        """Columns of the data that are combinations of those before them, the intercept first."""
        return [j for j, at in enumerate(self.order) if self._kept(at) is None]

    def direction(self) -> Vector | None:
        """Direction that pushes off all rows that can be, by column of the data."""
        if self.cone.direction is None:
            return None
        return self._vector(self._lifted(self.cone.direction))

    def weights(self, count: int) -> tuple[list[Fraction] | None, list[float]]:
        """Positive weights of the rows that balance, exact if they are known, and rounded."""
        copies = np.bincount(self.inverse + 1, minlength=len(self.cone.vectors) + 1)
        rounded = [0.0] * count
        exact: list[Fraction] | None = None if self.cone.weights is None else [Fraction(0)] * count
        most = Fraction(1)
        if self.cone.weights:
            most = max(self.cone.weights.values())
        for row, side, i in zip(
            self.owner.tolist(), self.sides.tolist(), self.inverse.tolist(), strict=True
        ):
            share = side / int(copies[i + 1])
            rounded[row] += share * (self.cone.near.get(i, 0.0) if i >= 0 else 1.0)
            if exact is not None and self.cone.weights is not None:
                value = self.cone.weights.get(i, Fraction(0)) / most if i >= 0 else Fraction(1)
                exact[row] += side * value / int(copies[i + 1])
        if exact is not None:
            rounded = [_rounded(value) for value in exact]
        return exact, rounded

    def proof(self, j: int, verdict: str) -> Proof:
        """Prove the verdict on a column of the data."""
        k = self._kept(self.order[j])
        if k is None:
            return Proof(verdict, (), (), self._of_columns(self.order[j]))
        directions = [
            self._vector(self._lifted(found))
            for sign in (1, -1)
            if verdict != "undecided" and (found := self.signs.direction(k, sign)) is not None
        ]
        wanted = {"+inf": (1,), "-inf": (-1,), "finite": (1, -1)}.get(verdict, ())
        combinations = [self._combination(k, sign) for sign in wanted]
        return Proof(verdict, tuple(directions), tuple(c for c in combinations if c is not None))

    def _kept(self, at: int) -> int | None:
        """Place among the columns that are kept."""
        if self.columns is None:
            return at
        found = np.flatnonzero(self.columns.pivots == at)
        return int(found[0]) if found.size else None

    def _of_columns(self, at: int) -> Balance:
        """Shares of the columns that are kept in an aliased one, by place in the data."""
        assert self.columns is not None
        shares = self.columns.above[:, np.flatnonzero(self.columns.rest == at)[0]].tolist()
        places = {place: j for j, place in enumerate(self.order)}
        found = {
            places[int(pivot)]: Fraction(int(share), self.columns.below)
            for pivot, share in zip(self.columns.pivots, shares, strict=True)
            if share
        }
        return dict(sorted(found.items()))

    def _lifted(self, direction: Integers) -> Integers:
        """Zeros in the place of columns that were left out."""
        if self.columns is None:
            return direction
        out: Integers = np.zeros(len(self.order), dtype=object)
        out[self.columns.pivots] = direction
        return out

    def _vector(self, direction: Integers) -> Vector:
        """By column of the data, with 1 as the largest magnitude."""
        largest = max(abs(value) for value in direction)
        return tuple(Fraction(int(direction[at]), int(largest)) for at in self.order)

    def _combination(self, k: int, sign: int) -> Balance | None:
        """Nonnegative coefficients, by row of the data, whose sum is e_k or its negative."""
        cone, basis = self.cone, self.cone.basis
        outside = self.signs.balance(k)
        left = np.zeros(cone.vectors.shape[1], dtype=object)
        left[k] = Fraction(sign)
        for i, value in outside.items():
            left = left - cone.whole[i].astype(object) * (value / cone.factors[i])
        out = dict(outside)
        if np.any(left != 0):
            if basis is None or cone.weights is None:
                return None
            base = cone.inside[basis.rows].tolist()
            try:
                own = dict(zip(base, basis.combination(left), strict=True))
            except ArithmeticError:  # too many digits
                return None
            own = {i: value * cone.factors[i] for i, value in own.items()}
            times = max([Fraction(0), *(-value / cone.weights[i] for i, value in own.items())])
            for i, weight in cone.weights.items():
                value = own.get(i, Fraction(0)) + times * weight
                if value:
                    out[i] = value
        return self._of_rows(out)

    def _of_rows(self, values: Balance) -> Balance:
        """Coefficients of vectors as those of the first rows that have them."""
        first: dict[int, int] = {}
        for place, i in enumerate(self.inverse.tolist()):
            first.setdefault(i, place)
        out: Balance = {}
        for i, value in values.items():
            row, side = int(self.owner[first[i]]), int(self.sides[first[i]])
            out[row] = out.get(row, Fraction(0)) + side * value
        return {row: value for row, value in sorted(out.items()) if value}


def _rounded(value: Fraction) -> float:
    """Nearest float, and no zero for what is none."""
    near = float(value)
    if value and not near:
        return float(np.copysign(np.nextafter(0.0, 1.0), 1 if value > 0 else -1))
    return near
