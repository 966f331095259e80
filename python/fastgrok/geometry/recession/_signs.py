"""
Which signs each coordinate takes in a cone, with proof.

The cone C of all d with z_i . d = 0 for the rows inside and z_i . d >= 0 for those outside has an
interior within the space L of the equations: the separating direction. So d_j = 0 in all of C just
where e_j lies in the span of the rows inside, and d_j >= 0 in all of C just where

    e_j = sum_i c_i z_i    with c_i >= 0 for the rows outside

(Farkas). Candidates come from floating point, in coordinates of L: the least step from the
separating direction that gives d_j the other sign, or where this fails a linear program

    maximise s    subject to    z_i . d >= s,  d_j = -1,  s <= 1

The multipliers of the rows are the c_i where there is no such d. Integers prove both.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction

import numpy as np
from numpy.linalg import LinAlgError

from fastgrok._checks import F64
from fastgrok.geometry._exact import separate
from fastgrok.geometry._faces import least
from fastgrok.geometry._lifting import Integers, Lifting, independent
from fastgrok.geometry._rows import Index
from fastgrok.geometry.products import cholesky, gram, product, solve_triangular
from fastgrok.geometry.recession._basis import no_rows
from fastgrok.geometry.recession._partition import Partition
from fastgrok.geometry.recession._units import encloses, in_units, is_multiple, normalized, quotient
from fastgrok.geometry.recession._whole import Whole, primitive
from fastgrok.geometry.recession._whole import product as whole_product

_DIGITS = (8, 20, 40)
"""Of a direction: few are enough as a rule, and make a short one."""
_NOTHING = 1e-13
"""Share of its terms below which a coordinate is rounding."""
_NO_WEIGHT = 1e-9
_ROUNDS = 50
_MOST_LIFTING = 5e9
"""Nanoseconds, as a rule of thumb, of one exact combination."""
_AT_ONCE = 30
_NOTHING_LEFT = 1e-9
_MOST_EXACT = 2e6
"""Bound on (m + k) (k + 1)^2 for a program in integers, times the square of their length."""

Balance = dict[int, Fraction]


class Signs:
    """
    The signs of every coordinate of the cone.

    Parameters
    ----------
    cone : Partition
        The cone.
    functionals : ndarray of shape (k, D), int, optional
        Of these, which count as further coordinates, it is asked whether they are ever positive:
        then the verdict is "either", else "-inf" or "finite".

    Attributes
    ----------
    verdicts : list of str
        "finite" (0 in all of C), "+inf" (no negative ones), "-inf", "either" or "undecided", by
        column.
    directions : list of ndarray of shape (D,), object
        In C, integers; the first one has positive products with all rows outside.
    found : dict of (int, int) to int
        By column and sign, which of them has a coordinate of that sign.
    supports : dict of int to (int, ndarray of int)
        By column, of those that are "+inf" or "-inf": the sign that the coordinate never has, and
        rows outside (by place among these) with the coefficients of `balance`.
    """

    def __init__(self, cone: Partition, functionals: Whole | None = None) -> None:
        count = cone.vectors.shape[1]
        self.cone = cone
        none = np.zeros((0, count), dtype=object)
        self._extra: Whole = none if functionals is None else functionals
        self._count = count
        self.verdicts = ["finite"] * (count + len(self._extra))
        self.directions: list[Integers] = []
        self.found: dict[tuple[int, int], int] = {}
        self.supports: dict[int, tuple[int, Index]] = {}
        self._balances: dict[int, Balance] = {}
        if cone.direction is None:
            return
        self._basis = cone.basis or no_rows(count)
        self._outside: Whole = cone.whole[cone.outside]
        self._take(cone.direction)
        moving = [j for j in range(count) if not self._basis.fixed(j)]
        lines = self._basis.quotient(self._extra)
        moving += [count + k for k, line in enumerate(lines) if np.any(line)]
        with np.errstate(all="ignore"):  # what overflows proves nothing
            self._coordinates(moving)
            self._metric()
            for k, j in enumerate(moving):
                self.verdicts[j] = self._decide(j, k)

    def _take(self, direction: Integers) -> None:
        self.directions.append(direction)
        values = direction.tolist()
        if len(self._extra):
            values += whole_product(self._extra, direction).tolist()
        for j, value in enumerate(values):
            if value:
                self.found.setdefault((j, 1 if value > 0 else -1), len(self.directions) - 1)

    def _open(self, j: int) -> int:
        """Sign that has not been seen of this coordinate; 0 if both have."""
        asked = (-1, 1) if j < self._count else (1,)
        return next((sign for sign in asked if (j, sign) not in self.found), 0)

    def direction(self, j: int, sign: int) -> Integers | None:
        """Direction in which coordinate j has this sign, if one was found."""
        place = self.found.get((j, sign))
        return None if place is None else self.directions[place]

    def _coordinates(self, moving: list[int]) -> None:
        """Rows outside and functionals in coordinates of L, scaled, in floating point."""
        vectors, basis = self.cone.vectors, self._basis
        self._columns = np.frexp(np.abs(vectors).max(axis=0))[1]
        scaled = np.ldexp(vectors[self.cone.outside], -self._columns)
        pivots, rest = basis.pivots, basis.rest
        # Column r of the scaled rows is this combination of the pivots'.
        of_pivots = np.array(
            [
                [quotient(int(value), basis.below, int(self._columns[p] - self._columns[r]))
                 for value, r in zip(line, rest, strict=True)]
                for line, p in zip(basis.above, pivots, strict=True)
            ]
        ).reshape(len(pivots), len(rest))  # fmt: skip
        Q = scaled[:, rest]
        if len(pivots):
            left = np.ascontiguousarray(scaled[:, pivots])
            sizes = np.abs(Q) + product(np.abs(left), np.abs(of_pivots))
            Q = Q - product(left, of_pivots)
            Q[np.abs(Q) < _NOTHING * sizes] = 0.0
        places = {int(column): k for k, column in enumerate(rest)}
        rows = {int(column): k for k, column in enumerate(pivots)}
        G = np.zeros((len(moving), len(rest)))
        for k, j in enumerate(moving):
            if j >= self._count:
                line = self._scaled_functional(j)
                G[k] = line[rest] - line[pivots] @ of_pivots
            elif j in places:
                G[k, places[j]] = 1.0
            else:
                G[k] = -of_pivots[rows[j]]
        self._units = np.frexp(np.abs(Q).max(axis=0, initial=0.0))[1]
        Q = np.ldexp(Q, -self._units)
        G = np.ldexp(G, -self._units)
        self._rest_units = self._columns[rest] + self._units
        largest = np.abs(G).max(axis=1, initial=0.0)
        for k in np.flatnonzero(~((largest > 0.0) & (largest < np.inf))).tolist():  # far from all
            line = self._functional(moving[k]).tolist()
            G[k] = in_units(line, (-self._rest_units).tolist())
        self.Q: F64 = normalized(Q)
        self.G: F64 = normalized(G)
        self._sound = bool(np.isfinite(self.Q).all() and np.isfinite(self.G).all())
        first = self.directions[0]
        largest = max(abs(value) for value in first)
        point = [
            quotient(value, largest, int(unit))
            for value, unit in zip(first[rest].tolist(), self._rest_units, strict=True)
        ]
        self.point: F64 = np.array(point) / max(np.abs(point).max(initial=0.0), 1e-300)
        self.order: Index = np.argsort(self.Q @ self.point, kind="stable")

    def _scaled_functional(self, j: int) -> F64:
        """Return it in the units of the scaled columns, rounded; one of these is about 1."""
        line = self._extra[j - self._count].tolist()
        return np.array(in_units(line, (-self._columns).tolist()))

    def _metric(self) -> None:
        """Rows and functionals in coordinates in which what the rows leave free is about a ball."""
        slack = self.Q @ self.point
        self._rows: F64 | None = None
        if not slack.size or not slack.min() > 0.0:
            return
        Z = self.Q / slack[:, None]
        with contextlib.suppress(LinAlgError):
            self._factor = cholesky(gram(np.ascontiguousarray(Z.T)))
            rows = np.ascontiguousarray(solve_triangular(self._factor, Z.T).T)
            self._functionals = solve_triangular(self._factor, self.G.T).T
            self._rows = rows if np.isfinite(rows).all() else None

    def _by_distance(self, j: int, k: int, sign: int) -> bool:
        """
        Do the same as `_by_program` by the least step from the separating direction, row by row.

        A step x from there keeps a tenth of all products if rows @ x >= -0.9. The least with the
        rows that matter, or multipliers if there is none, are a problem of least squares (Lawson,
        Hanson 1974, chapter 23.4).
        """
        if self._rows is None:
            return False
        from scipy.optimize import nnls  # noqa: PLC0415

        wanted = sign * self._functionals[k]
        length = float(np.linalg.norm(wanted))
        if not 0.0 < length < np.inf:
            return False
        value = sign * float(self.G[k] @ self.point) / length
        chosen = np.arange(0)
        for _ in range(_ROUNDS):
            E = np.vstack([wanted / length, self._rows[chosen]])
            least = np.append(0.1 * abs(value) + 0.05 - value, np.full(len(chosen), -0.9))
            table = np.vstack([E.T, least])
            right = np.append(np.zeros(len(wanted)), 1.0)
            try:
                weights, left = nnls(table, right)
            except RuntimeError:  # too many rounds
                return False
            if left < _NOTHING_LEFT:
                return self._prove_balance(j, sign, chosen[weights[1:] > 0.0])
            rest = table @ weights - right
            step = -rest[:-1] / rest[-1]
            products = self._rows @ step
            below = np.setdiff1d(np.flatnonzero(products < -0.95), chosen)
            if not below.size:
                move = solve_triangular(self._factor, step, transposed=True)
                return self._prove_direction(j, sign, self.point + move)
            worst = below[np.argsort(products[below], kind="stable")[:_AT_ONCE]]
            chosen = np.append(chosen, worst)
        return False

    def _prove_direction(self, j: int, sign: int, point: F64) -> bool:
        """Take a direction close to this one, in coordinates of L, if coordinate j has the sign."""
        size = float(np.abs(point).max(initial=0.0))
        if not 0.0 < size < np.inf:
            return False
        for digits in _DIGITS:
            rounded = np.rint(np.ldexp(point / size, digits)).astype(np.int64)
            shifts = -self._rest_units - (-self._rest_units).min(initial=0)
            free = np.array(
                [int(value) << int(shift) for value, shift in zip(rounded, shifts, strict=True)],
                dtype=object,
            )
            direction = self._basis.orthogonal(free)
            value = direction[j] if j < self._count else self._extra[j - self._count] @ direction
            if sign * value <= 0:
                continue
            if whole_product(self._outside, direction).min() >= 0:
                self._take(primitive(direction))
                return True
        return False

    def _decide(self, j: int, k: int) -> str:
        """Find the verdict on a coordinate that is not 0 in all of C."""
        while sign := self._open(j):
            ways = (
                self._sound and (self._by_distance(j, k, sign) or self._by_program(j, k, sign))
            ) or self._in_integers(j, sign)
            if not ways:
                return "undecided"
            if j in self.supports:
                return "+inf" if sign < 0 else "-inf"
        return "either"

    def _by_program(self, j: int, k: int, sign: int) -> bool:
        """Find a direction in which coordinate j has this sign, or a proof that there is none."""
        g = -sign * self.G[k]  # g . v = -1 for what is looked for
        alone = self._alone(g)
        if alone is not None and self._prove_balance(j, sign, np.array([alone])):
            return True
        n, dim = self.Q.shape
        size = min(n, 4 * dim + 100)
        chosen = self.order[:size]
        for _ in range(_ROUNDS):
            matrix = np.zeros((dim + 1, len(chosen) + 2))
            matrix[:dim, : len(chosen)] = self.Q[chosen].T
            matrix[:dim, -1] = -g
            matrix[dim, :-1] = 1.0
            bounds = np.repeat([[0.0, np.inf]], len(chosen) + 2, axis=0)
            bounds[-1, 0] = -np.inf
            answer = least(
                np.append(np.zeros(len(chosen)), [1.0, -1.0]),
                matrix,
                np.append(np.zeros(dim), 1.0),
                bounds,
            )
            if answer is None:
                return False
            weights, multiplier = answer.x[:-2], float(answer.x[-1])
            if multiplier > 0.0 and weights.max() > 0.0:
                order = np.argsort(-weights, kind="stable")
                kept = chosen[order[: np.count_nonzero(weights > _NO_WEIGHT * weights.max())]]
                if self._prove_balance(j, sign, kept):
                    return True
            v = -answer.eqlin.marginals[:dim]
            products = self.Q @ v
            below = np.flatnonzero(products < min(answer.fun, 0.0) - 1e-9)
            fresh = np.setdiff1d(below, chosen)
            if not fresh.size:
                break
            worst = fresh[np.argsort(products[fresh], kind="stable")[: 2 * dim + 50]]
            chosen = np.append(chosen, worst)
        # Inside the cone, for what is at its boundary may be rounded out of it.
        value = abs(float(g @ self.point))
        for share in (0.0, 1e-6, 1e-3, 0.5):
            more = share / value if value > 0.0 else share
            if self._prove_direction(j, sign, v + more * self.point):
                return True
        return False

    def _alone(self, g: F64) -> int | None:
        """Row outside that is a positive multiple of the functional, if there is one."""
        near = self.Q @ g / np.linalg.norm(g)
        best = int(np.argmax(near))
        return best if near[best] > 1.0 - 1e-9 else None

    def _functional(self, j: int) -> Whole:
        """Quotient of e_j, in the units of `Basis.quotient`."""
        k = j - self._count
        line: Whole = np.eye(1, self._count, j, dtype=np.int64) if k < 0 else self._extra[k : k + 1]
        out: Whole = self._basis.quotient(line)[0]
        return out

    def balance(self, j: int) -> Balance:
        """
        Return c_i > 0 of rows outside for a coordinate of one sign.

        Their sum is e_j, or -e_j, modulo the span of the rows inside. None for any other
        coordinate, and where they take too long.
        """
        if j in self.supports and j not in self._balances:
            self._solve_balance(j, *self.supports[j])
        return self._balances.get(j, {})

    def _prove_balance(self, j: int, sign: int, some: Index) -> bool:
        """Prove that -sign e_j is a nonnegative combination of these rows, modulo those inside."""
        if not (self._encloses(j, sign, some) or self._solve_balance(j, sign, some)):
            return False
        self.supports[j] = sign, some
        return True

    def _encloses(self, j: int, sign: int, some: Index) -> bool:
        """Prove it by bounds on all rounding errors, for a basis of the whole space."""
        dim = self._count
        if len(self._basis.rows) or len(some) != dim:
            return False
        unit = np.zeros((1, dim))
        if j < self._count:
            unit[0, j] = float(sign)
        else:
            given = self._scaled_functional(j)
            unit[0] = sign * given
            if not is_multiple(given.tolist(), self._columns.tolist(), self._extra[j - dim]):
                return False
        return encloses(self.cone.vectors[self.cone.outside[some]], self._columns, unit)

    def _solve_balance(self, j: int, sign: int, some: Index) -> bool:
        """Prove it in integers."""
        right = -sign * self._functional(j)
        rows = self._basis.quotient(self._outside[some])
        chosen, columns = independent(rows)
        if not chosen:
            return False
        try:
            lifting = Lifting(rows[np.ix_(chosen, columns)].T)
            solved, below = lifting.solve(right[columns], _MOST_LIFTING)
        except ArithmeticError:
            return False
        if min(solved) < 0 or np.any(solved @ rows[chosen] != below * right):
            return False
        places = self.cone.outside[some[chosen]]
        self._keep(j, places, [Fraction(int(value), below) for value in solved])
        return True

    def _keep(self, j: int, places: Index, values: list[Fraction]) -> None:
        """Keep coefficients of `whole` as those of the vectors."""
        self._balances[j] = {
            int(i): value * self.cone.factors[i]
            for i, value in zip(places, values, strict=True)
            if value > 0
        }

    def _in_integers(self, j: int, sign: int) -> bool:
        """Solve the program for a coordinate in integers, if it is small."""
        n, dim = self.Q.shape
        work = (n + dim) * (dim + 1) ** 2
        if work > _MOST_EXACT:
            return False
        rows = self._basis.quotient(self._outside)
        rows = np.vstack([rows, sign * self._functional(j)])
        rows = np.array([primitive(row) for row in rows], dtype=object).reshape(n + 1, dim)
        bits = dim * (int(np.abs(rows).max()) * dim).bit_length()
        if work * (1.0 + (bits / 256.0) ** 2) > _MOST_EXACT:
            return False
        vector, weights = separate(rows, [n, *range(n)])
        if vector is not None:
            self._take(primitive(self._basis.orthogonal(np.array(vector, dtype=object))))
            return True
        return self._prove_balance(j, sign, np.array(sorted({*weights} - {n}), dtype=np.intp))
