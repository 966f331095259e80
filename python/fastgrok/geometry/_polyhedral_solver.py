"""Maximum margins in l_inf and l_1: linear programs on a working set, and what they prove."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import fsum, isfinite, isnan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.geometry._column_units import FAR, Exponents, column_units
from fastgrok.geometry._dual_bound import dual_bound, dual_norm
from fastgrok.geometry._errors import NotSeparableError, none_found, refuse_if_not_separable
from fastgrok.geometry._linear_program import LinearProgram, Vertex
from fastgrok.geometry._probe import first_rows, working_size
from fastgrok.geometry._rows import Index, Rows
from fastgrok.geometry._solution import MaxMargin
from fastgrok.geometry._verified import error_of_product

_EPS = 2.0**-53
_ROUNDS = 12
"""Of programs in units of the bound that the last one proved."""
_STEP = 3
"""Powers of two by which units become smaller if a program failed."""
_NO_GAP = 1e-12
"""Gaps that are left to rounding."""
_NEAR, _APART = 1e-8, 1e-3
"""Solutions whose margins differ by less, of themselves, and their directions by more, are two."""
_ALIKE = 1e6
"""Columns whose units differ by less show in the same direction."""


@dataclass(frozen=True)
class _Found:
    """
    A vertex of the program for some rows, and what it proves.

    Exponents of 2 are the units of columns, theta = u / 2^units, and of margins.
    """

    vertex: Vertex
    units: Exponents
    exponent: int
    bound: float
    share: float

    @property
    def gap(self) -> float:
        return (1.0 - self.share) * (1.0 + self.share)

    @property
    def theta(self) -> F64:
        out: F64 = np.ldexp(self.vertex.u, -self.units)
        return out


class PolyhedralSolver:
    """
    The problem in a norm of l_inf or l_1.

    Columns have units that make their entries about 1 (see `column_units`), and margins one that
    makes the largest about 1, which is found as programs go on. All are powers of two, and what is
    proved is proved of weights and rows as they are.
    """

    def __init__(
        self, X: NDArray[Any], y: F64, kind: str, norm: str, tol: float, threads: int
    ) -> None:
        self.X, self.y, self.kind, self.norm = X, y, kind, norm
        self.tol, self.threads = tol, threads
        self.rows = Rows(X, y, kind != "none", threads)
        _, _, sizes = self.rows.sizes()
        if kind != "none":
            sizes = np.append(sizes, 1.0)
        self._sizes, self._zero = sizes, sizes == 0.0
        self._separable: bool | None = None  # not asked yet

    def solve(self, start: F64 | None) -> MaxMargin:
        """Solve it on a working set that grows until no other row is inside the margin."""
        if self.kind == "penalized" and np.all(self.y == self.y[0]):
            return self._of_one_class()
        chosen = first_rows(self.rows, start)
        while True:
            found = self._solve_for(chosen)
            margins = self.rows.margins(found.theta)
            least = float(margins[chosen].min())
            outside = np.ones(self.rows.count, dtype=bool)
            outside[chosen] = False
            below = np.flatnonzero(outside & (margins < least * (1.0 - 0.125 * self.tol)))
            if not below.size:
                return self._result(chosen, found, margins)
            worst = below[np.argsort(margins[below], kind="stable")]
            chosen = np.union1d(chosen, worst[: working_size(self.rows.dim)])

    def _solve_for(self, chosen: Index) -> _Found:
        """Solve it for these rows; raises if they have no margin."""
        Z = self.rows.take(chosen)
        exponent = self._first_exponent(chosen)
        best: _Found | None = None
        for units, most in column_units(Z):
            found = self._in_units(chosen, Z, units, exponent, most)
            if found is None:
                continue
            if best is None or self._missed(found) < self._missed(best):
                best = found
            if self._missed(best) < max(self.tol, _NO_GAP):
                break
        if best is None or not best.share > 0.0:
            raise self._none_found()
        return best

    def _missed(self, found: _Found) -> float:
        """Bound the gap once weights that make margins of 1 have been rounded."""
        if not found.share > 0.0:
            return np.inf
        theta = found.theta
        least = found.share * found.bound * self._norm(theta, found.exponent)
        return found.gap + 4.0 * _EPS * float(np.abs(theta) @ self._sizes) / least

    def _in_units(
        self, chosen: Index, Z: F64, units: Exponents, exponent: int, most: float
    ) -> _Found | None:
        """Solve it in these units of columns, and ones of margins that are found as it goes."""
        best: _Found | None = None
        for _ in range(_ROUNDS):
            program = self._program(Z, units, exponent, most)
            vertex = program.solve()
            if vertex is None:
                exponent -= _STEP
                continue
            found = self._proved(chosen, vertex, units, exponent)
            for nearest in (False, False, True, True):
                if nearest and found.share > 0.0 and found.gap < self.tol:
                    break
                vertex = program.corrected(found.vertex, nearest)
                again = self._proved(chosen, vertex, units, exponent)
                found = self._better(chosen, found, again)
            if best is None or found.share > best.share:
                best = found
            if best.share > 0.0 and best.gap < self.tol:
                break
            if best.share <= 0.0 and self._separable is None:
                self._refuse_if_not_separable()
            lower = exponent + int(np.frexp(found.bound)[1])
            if not 0.0 < found.bound < 1.0 or lower == exponent:
                break
            exponent = lower
        return best

    def _refuse_if_not_separable(self) -> None:
        self._separable = refuse_if_not_separable(self.X, self.y, self.kind, self.threads)

    def _none_found(self) -> Exception:
        if self._separable is None:
            self._refuse_if_not_separable()
        return none_found(self.X, self.kind, self._separable)

    def _program(
        self, Z: F64, units: Exponents, exponent: int, most: float = np.inf
    ) -> LinearProgram:
        limits = np.ldexp(1.0, np.clip(units - exponent, -FAR, FAR))
        limits[~Z.any(axis=0)] = 0.0
        if self.kind == "free":
            limits[-1] = np.inf
        return LinearProgram(np.ldexp(Z, -units), limits, self.norm, most)

    def _first_exponent(self, chosen: Index) -> int:
        """Exponent of 2 of a bound on the margin: of all rows, or of the shortest of each class."""
        longest = int(np.frexp(self._sizes.max())[1]) + int(np.frexp(self.rows.dim)[1])
        sizes = dual_norm(np.ldexp(self.rows.take(chosen), -longest), self.norm)
        shortest = np.zeros(len(chosen))
        for label in np.unique(self.y[chosen]):
            shortest[np.where(self.y[chosen] == label, sizes, np.inf).argmin()] = 1.0
        bounds = [self._bound(chosen, p, longest) for p in (np.ones(len(chosen)), shortest)]
        if self.kind != "free":
            bounds.append(float(sizes.min()))
        bound = min(bounds)
        return longest + int(np.frexp(bound)[1]) if bound > 0.0 else longest

    def _bound(self, chosen: Index, p: F64, exponent: int, rest: F64 | None = None) -> float:
        """Bound the margin over 2^exponent from above, by weights of the rows."""
        some = np.flatnonzero(p)
        Z, p = self.rows.take(chosen[some]), p[some]
        more = None if rest is None else rest[some]
        dim = self.X.shape[1]
        scaled = np.ldexp(Z, -exponent)
        bounds = []
        if self.kind != "free":
            sizes = dual_norm(scaled, self.norm)
            bounds.append(dual_bound(scaled, sizes, p, None, more, norm=self.norm))
        if self.kind != "none" and np.ptp(Z[:, -1]) > 0.0:
            scaled[:, -1] = Z[:, -1]
            sizes = dual_norm(scaled[:, :dim], self.norm)
            bounds.append(dual_bound(scaled, sizes, p, 0.0, more, norm=self.norm))
        return min(bounds, default=np.inf)

    def _proved(self, chosen: Index, vertex: Vertex, units: Exponents, exponent: int) -> _Found:
        """Bound the margin from both sides."""
        bound = self._bound(chosen, vertex.p, exponent, vertex.rest)
        theta = np.ldexp(vertex.u, -units)
        least = self._sure(float(self.rows.margins(theta)[chosen].min()), theta)
        product = self._norm(theta, exponent) * bound
        share = least / product if product > 0.0 else -1.0
        return _Found(vertex, units, exponent, bound, -1.0 if isnan(share) else min(share, 1.0))

    def _better(self, chosen: Index, one: _Found, other: _Found) -> _Found:
        """Take the larger margin of two, and the smaller bound."""
        theirs = [one.share * one.bound, other.share * other.bound]
        u = (one if theirs[0] >= theirs[1] else other).vertex.u
        dual = (one if one.bound <= other.bound else other).vertex
        vertex = Vertex(u, dual.p, dual.rest)
        return self._proved(chosen, vertex, one.units, one.exponent)

    def _sure(self, least: float, theta: F64) -> float:
        """Take from the least margin what rounding of it may be."""
        missed = error_of_product(self.rows.dim) * float(np.abs(theta) @ self._sizes)
        return least - missed - 4.0 * _EPS * abs(least)

    def _norm(self, theta: F64, exponent: int) -> float:
        """Return the norm in the units of the margins, not rounded down."""
        counted = np.ldexp(theta[:-1] if self.kind == "free" else theta, exponent)
        values = np.abs(counted).tolist()
        size = max(values) if self.norm == "linf" else fsum(values)
        return size * (1.0 + 4.0 * _EPS)

    def _result(self, chosen: Index, found: _Found, margins: F64) -> MaxMargin:
        with np.errstate(all="ignore"):
            theta = found.theta / margins.min() + 0.0  # no negative zeros
            # Their sum is not 1 where some that came out negative have been left out.
            factor = np.square(self._norm(theta, found.exponent)) / found.vertex.p.sum()
            dual = _scaled(found.vertex.p, found.vertex.rest, factor)
            dual = np.ldexp(dual, -2 * found.exponent)
        if not (np.isfinite(theta).all() and np.isfinite(dual).all()):
            raise self._none_found()
        # The weights have been rounded once more.
        margins = self.rows.margins(theta)
        least, size = float(margins.min()), self._norm(theta, found.exponent)
        share = min(self._sure(least, theta) / (size * found.bound), 1.0)
        if not share > 0.0:
            raise self._none_found()
        w, b = self.rows.split(theta)
        weights = np.abs(np.ldexp(w, found.exponent))
        length = float(weights.max()) if self.norm == "linf" else fsum(weights.tolist())
        with np.errstate(divide="ignore", over="ignore"):
            margin = float(np.ldexp(np.divide(least, length), found.exponent))
        reach = np.minimum(
            float(np.abs(theta) @ self._sizes), self.rows.largest() * float(np.abs(theta).sum())
        )
        slack = np.minimum(self.tol + 64.0 * _EPS * reach, 0.1)
        heads, rests = np.zeros(self.rows.count), np.zeros(self.rows.count)
        heads[chosen], rests[chosen] = dual
        return MaxMargin(
            w=w,
            b=b,
            margin=margin,
            dual=heads,
            dual_rest=rests,
            support=np.flatnonzero(margins <= 1.0 + slack),
            gap=(1.0 - share) * (1.0 + share),
            bias=self.kind,
            norm=self.norm,
            unique=self._is_unique(chosen, found, least, size),
        )

    def _is_unique(self, chosen: Index, found: _Found, least: float, size: float) -> bool | None:
        """Whether no other theta has this margin: see `MaxMargin.unique`."""
        program = self._program(self.rows.take(chosen), found.units, found.exponent)
        gap = max(found.bound - least / size, 4.0 * _EPS * found.bound)
        if program.is_unique(found.vertex, gap):
            return True
        if self.norm == "linf" and self._zero.any():
            return False  # nothing depends on its weight
        # Vertices of the same margin that lie as far as possible in a direction and against it.
        scale = np.where(np.isfinite(program.limits), program.limits, 1.0)
        alike = bool(np.all((scale > 1.0 / _ALIKE) & (scale < _ALIKE)))
        gain = np.random.default_rng(0).normal(size=len(scale)) / np.clip(
            scale, 1.0 / _ALIKE, _ALIKE
        )
        own = self._direction(found.vertex.u, program.limits)
        next_to = 0
        for sign in (1.0, -1.0):
            u = program.farthest(sign * gain, least / size * (1.0 - 0.1 * _NEAR))
            if u is None:
                continue
            theta = np.ldexp(u, -found.units)
            margin = float(self.rows.margins(theta).min())
            size_of_u = self._norm(theta, found.exponent)
            apart = float(np.abs(self._direction(u, program.limits) - own).max())
            as_large = margin >= size_of_u * least / size * (1.0 - _NEAR)
            if size_of_u > 0.0 and as_large and apart > _APART:
                return False
            next_to += apart < 1e-2 * _APART
        return True if alike and next_to == 2 else None

    def _direction(self, u: F64, limits: F64) -> F64:
        """Weights over their norm, and a free bias over that of its feature."""
        with np.errstate(invalid="ignore"):
            out: F64 = np.where(np.isfinite(limits), u / limits, u)
        out[limits == 0.0] = 0.0
        return out

    def _of_one_class(self) -> MaxMargin:
        """
        Solve it for one class by way of no bias, whose largest margin is M.

        In l_inf the bias takes nothing from the weights, and the margin is M + 1. In l_1 they share
        a norm of 1, and whichever gains more has it all: w where M > 1, else the bias.
        """
        exponent = int(np.frexp(self._sizes[:-1].max())[1])
        X = np.ldexp(self.X.astype(np.float64), -exponent)
        y, none = float(self.y[0]), np.zeros(self.X.shape[1])
        everything = np.arange(self.rows.count)
        try:
            found = PolyhedralSolver(X, self.y, "none", self.norm, self.tol, self.threads).solve(
                None
            )
        except NotSeparableError as error:
            p = np.asarray(error.certificate.weights, dtype=np.float64)
            inside = error.certificate.verdict == "interior" and not self._zero.any()
            unique = True if self.norm == "l1" else None if inside else False
            dual = np.stack([p, np.zeros_like(p)])
            return self._made(none, y, np.inf, dual, everything, 0.0, unique)
        M = float(np.ldexp(found.margin, exponent))
        if not (isfinite(M) and found.gap < 1.0):
            raise self._none_found()
        most = M / sqrt(1.0 - found.gap) * (1.0 + 8.0 * _EPS)
        total = float(found.dual.sum())
        if self.norm == "l1" and M <= 1.0:
            dual = _scaled(found.dual, found.dual_rest, 1.0 / total)
            gap = 1.0 - 1.0 / max(most, 1.0) ** 2
            return self._made(none, y, np.inf, dual, everything, gap, True if most < 1.0 else None)
        if self.norm == "l1":
            with np.errstate(all="ignore"):
                w = np.ldexp(found.w, -exponent)
                dual = np.ldexp([found.dual, found.dual_rest], -2 * exponent)
            unique = found.unique if M > 1.0 + _NEAR else None
            return self._made(w, 0.0, M, dual, found.support, found.gap, unique)
        w = found.w * found.margin / (1.0 + M)
        theta = np.append(w, y / (1.0 + M))
        # The weights have been rounded once more.
        least = self._sure(float(self.rows.margins(theta).min()), theta)
        share = min(least / (self._norm(theta, 0) * (1.0 + most)), 1.0)
        gap = (1.0 - share) * (1.0 + share)
        size = float(np.abs(w).max())
        margin = 1.0 / size if size else np.inf
        dual = _scaled(found.dual, found.dual_rest, 1.0 / total / (1.0 + M) / (1.0 + M))
        return self._made(w, float(theta[-1]), margin, dual, found.support, gap, found.unique)

    def _made(
        self,
        w: F64,
        b: float,
        margin: float,
        dual: F64,
        support: Index,
        gap: float,
        unique: bool | None,
    ) -> MaxMargin:
        """Return the result, if float64 can hold it."""
        if not (np.isfinite(w).all() and np.isfinite(dual).all()):
            raise self._none_found()
        head, rest = dual
        return MaxMargin(w, b, margin, head, rest, support, gap, self.kind, self.norm, unique)


def _scaled(head: F64, rest: F64, factor: float) -> F64:
    """Multiply sums of two numbers each by a factor, to sums of two: head and rest."""
    out = np.zeros((2, len(head)))
    if not isfinite(factor):
        return np.full_like(out, np.inf)
    for i in np.flatnonzero(head):
        exact = (Fraction(head[i]) + Fraction(rest[i])) * Fraction(factor)
        out[0, i] = float(exact)
        out[1, i] = float(exact - Fraction(out[0, i]))
    return out
