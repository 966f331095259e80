"""Maximum margins: from a guess of the support to the solution, a working set at a time."""

from __future__ import annotations

import contextlib
from math import sqrt
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from fastgrok._checks import F64, sparse
from fastgrok.errors import FastgrokError
from fastgrok.geometry._errors import NotSeparableError, none_found, refuse_if_not_separable
from fastgrok.geometry._hard_margin import HardMargin, NotSeparatedError
from fastgrok.geometry._probe import first_rows, working_size
from fastgrok.geometry._rows import Index, Rows
from fastgrok.geometry._soft_margin import SoftMargin
from fastgrok.geometry._solution import MaxMargin
from fastgrok.geometry.products import cholesky, gram

_UNITS, _MOST_GRADED = 13, 1000
"""Powers of two by which columns may differ before products of rows lose them, and the most columns
for which that is mended."""
_FIRST_PRICE, _HIGHEST_PRICE = 1e3, 1e18
_FEW_ROWS_PRICE = 1e9
"""For less than half as many rows as columns, of which often most are in the support: what is
active at a high price is nearly it."""
_LONG = 8
"""So many times as many columns as rows repay a factorisation that shortens the rows."""
_SLIGHT = 1e-3
"""Weights that add less than this share of the bias to any logit are lost in its rounding."""
_SMALL = -10
"""Exponent of 2 of rows of one class for which it is so in any case."""
_CHEAP = 2.0**12
"""Feature beside rows of about 1 of a bias whose price is next to nothing, for a guess."""
_FREE = 2.0**100
"""The same of a free one where columns may have any units."""
_FEW, _MOST_COLUMNS = 16, 128
"""Columns up to which a free bias is looked for in that way, and the most for which it is quick."""
_MOST_POWER = 250
"""A bias whose feature is 2^250 times as large as the rows, or as small, is taken for one of that
size: it might as well be free or dear without end, and squares stay in range."""


class Solver:
    """The problem in units in which the longest row has a norm of 1/2 to 1."""

    def __init__(self, X: NDArray[Any], y: F64, kind: str, tol: float, threads: int) -> None:
        self.X, self.y, self.kind, self.tol, self.threads = X, y, kind, tol, threads
        self.rows = Rows(X, y, kind != "none", threads)
        # A bias is left out of the units: its feature stays 1, and its square counts as `penalty`.
        self.sizes, self.exponent, largest = self.rows.sizes()
        self._power = min(max(self.exponent, -_MOST_POWER), _MOST_POWER)
        penalties = {"none": None, "penalized": 4.0**self._power, "free": 0.0}
        self.penalty: float | None = penalties[kind]
        self._separable: bool | None = None  # not asked yet
        self._one_class = kind == "penalized" and bool((y == y[0]).all())
        few = self.rows.dim <= _MOST_GRADED
        # Beside columns so large a penalized bias is one in very small units.
        self._appended = kind == "penalized" and not self._one_class and few
        self._appended &= 2.0**_UNITS < largest.max() < 2.0**_MOST_POWER
        if self._appended:
            whole = sparse.dense("X", X)
            together = np.column_stack([whole, np.ones(len(whole))]).astype(np.float64)
            self.rows, self.penalty = Rows(together, y, False, threads), None
            self.sizes, self.exponent, largest = self.rows.sizes()
        self._columns = np.ldexp(largest, -self.exponent)
        units = np.frexp(self._columns[self._columns > 0.0])[1]
        self._graded = few and bool(units.size and units.max() - units.min() > _UNITS)

    def solve(self, start: F64 | None) -> MaxMargin:
        """Solve it on a working set that grows until no other row is inside the margin."""
        if self._one_class and self.exponent < _SMALL:
            return self._of_one_class()
        guess: F64 | None = None
        chosen, found = self._quickly(start)
        if found is None:
            chosen = first_rows(self.rows, start)
        while True:
            if found is None:
                found = self._solve_for(self.rows.take(chosen, -self.exponent), guess)
            theta = self._in_units_of_X(found.theta)
            margins = self.rows.margins(theta)
            slack = found.slack(self.sizes)
            below = (margins < 1.0 - slack).nonzero()[0]
            if below.size:
                below = below[~np.isin(below, chosen)]
            if not below.size:
                return self._result(chosen[found.working], found, theta, margins, slack)
            worst = below[np.argsort(margins[below], kind="stable")]
            before, alpha = chosen, np.zeros(self.rows.count)
            alpha[before[found.working]] = found.alpha
            chosen = np.union1d(chosen, worst[: working_size(self.rows.dim)])
            guess, found = alpha[chosen], None

    def _quickly(self, start: F64 | None) -> tuple[Index, HardMargin | None]:
        """Solve it for a guess of the support; None if that leads nowhere."""
        nothing = np.zeros(0, dtype=np.intp)
        root = sqrt(self.penalty or 0.0)
        free = self.penalty == 0.0
        graded = self._graded or (free and self.rows.dim <= _FEW)
        if graded and self.rows.dim > _MOST_COLUMNS:
            return nothing, None
        cheap = _FREE if graded else 1.0 if free else _CHEAP
        exact = self.penalty is None or free or root * cheap >= 1.0
        support = self.rows.support(
            self.exponent, 1.0 / root if root * cheap >= 1.0 else cheap, self.tol / 8.0, start,
            refine=exact and not self._graded, free=free,
            columns=np.frexp(self._columns)[1].tolist() if graded else None,
        )  # fmt: skip
        if support is None:
            return nothing, None
        found = HardMargin(
            support.vectors, self.penalty, support.alpha, self.tol / 8.0, columns=self._columns,
            graded=self._graded, sizes=self.sizes[support.rows],
        )  # fmt: skip
        if found.accept(support):
            return support.rows, found
        try:
            found.solve()
        except (NotSeparatedError, LinAlgError):
            return nothing, None
        return support.rows, found

    def _in_units_of_X(self, theta: F64) -> F64:
        dim = self.rows.X.shape[1]
        out = np.append(np.ldexp(theta[:dim], -self.exponent), theta[dim:])
        # A bias that no row needs falls with its feature, which is taken to be too large here.
        if self.penalty and self.exponent > self._power and abs(out[-1]) < 2.0**-_MOST_POWER:
            out[-1] = np.ldexp(out[-1], 2 * (self._power - self.exponent))
        return out

    def _solve_for(self, Z: F64, guess: F64 | None) -> HardMargin:
        """Solve it for these rows, starting from a guess of the dual."""
        if self._graded:
            soft, alpha = self._graded_guess(Z, guess)
        else:
            soft = SoftMargin(_short(Z, self.rows.bias), self.penalty, multipliers=guess)
            alpha = self._soft(soft, guess)
        found = None if alpha is None else self._hard(soft, Z, alpha)
        if found is None:
            self._refuse_if_not_separable()
            alpha = np.ones(len(Z))
            found = self._hard(soft, Z, alpha) or self._hard(soft, Z, alpha, 0.0)
        if found is None:
            raise self._none_found()
        return found

    def _graded_guess(self, Z: F64, guess: F64 | None) -> tuple[SoftMargin, F64 | None]:
        """Guess the dual where columns are brought to one unit and the metric holds the others."""
        dim = self.rows.X.shape[1]
        units = np.frexp(self._columns)[1]
        units[self._columns == 0.0] = units.max()
        metric = np.ones(self.rows.dim)
        metric[:dim] = np.ldexp(1.0, -2 * units)
        if self.penalty is not None:
            metric[-1] = self.penalty
        scaled = Z.copy()
        scaled[:, :dim] = np.ldexp(Z[:, :dim], -units)
        soft = SoftMargin(scaled, None, guess, metric)
        return soft, self._soft(soft, guess)

    def _hard(
        self, soft: SoftMargin, Z: F64, alpha: F64, dependent: float | None = None
    ) -> HardMargin | None:
        found = HardMargin(
            Z, self.penalty, alpha, self.tol / 8.0, dependent, soft.products, self._columns,
            self._graded,
        )  # fmt: skip
        try:
            found.solve()
        except (NotSeparatedError, LinAlgError):  # the latter for rows beyond float64 side by side
            return None
        return found

    def _refuse_if_not_separable(self) -> None:
        """No margin was found: either there is none, or it is too small for soft margins."""
        rows = sparse.dense("X", self.X)
        self._separable = refuse_if_not_separable(rows, self.y, self.kind, self.threads)

    def _none_found(self) -> Exception:
        return none_found(self.X, self.kind, self._separable)

    def _soft(self, soft: SoftMargin, guess: F64 | None) -> F64 | None:
        """Guess the dual; None if no margin was found."""
        price = _FEW_ROWS_PRICE if 2 * len(soft.Z) < self.rows.dim else _FIRST_PRICE
        if guess is not None:
            price = 1e4 * float(guess.max())
        best: F64 | None = None
        least_gap = 1.0
        dearest = max(1.0, float(soft.penalty.max()))
        while price < _HIGHEST_PRICE * dearest:
            try:
                steps = soft.raise_price(price)
            except LinAlgError:
                break
            gap = abs(soft.gap)
            if gap < least_gap:
                best, least_gap = soft.alpha, gap
            elif best is not None:
                break
            if gap < (1e-4 if steps == 1 else 1e-7):
                break
            if soft.upper_bound < 1e-13 / np.sqrt(dearest):
                break
            price *= 1000.0 if steps == 1 else 10.0
        return best

    def _result(
        self, working: Index, found: HardMargin, theta: F64, margins: F64, slack: F64
    ) -> MaxMargin:
        w, b = (theta[:-1], float(theta[-1])) if self._appended else self.rows.split(theta)
        if self._one_class and np.abs(w).sum() * self.rows.largest().max() < _SLIGHT * abs(b):
            with contextlib.suppress(FastgrokError):
                return self._of_one_class()
        dual, rest = np.zeros(self.rows.count), np.zeros(self.rows.count)
        dual[working] = np.ldexp(found.alpha, -2 * self.exponent)
        rest[working] = np.ldexp(found.rest, -2 * self.exponent)
        if not (np.isfinite(w).all() and np.isfinite(dual).all()):
            raise self._none_found()
        if self.penalty and self.exponent > self._power and abs(b) >= 2.0**-_MOST_POWER:
            raise self._none_found()  # the bias matters, and its price is beyond what was taken
        least = float(margins.min())
        if not least > 0.0:
            raise self._none_found()
        vector = found.theta[: len(w)]
        margin = float(np.ldexp(np.divide(least, sqrt(vector.dot(vector))), self.exponent))
        return MaxMargin(
            w=w,
            b=b,
            margin=margin,
            dual=dual,
            dual_rest=rest,
            support=(margins <= 1.0 + 8.0 * slack).nonzero()[0],
            gap=found.gap(least),
            bias=self.kind,
        )

    def _of_one_class(self) -> MaxMargin:
        """
        Solve it for one class by way of no bias, whatever the size of the weights.

        With M the margin from the origin and u the unit vector that has it, w = u M / (1 + M^2) and
        b = y / (1 + M^2); where there is no such u, w = 0.
        """
        X = np.ldexp(sparse.dense("X", self.X).astype(np.float64), -self.exponent)
        y = float(self.y[0])
        try:
            found = Solver(X, self.y, "none", self.tol, self.threads).solve(None)
        except NotSeparableError as error:
            everything = np.arange(self.rows.count)
            dual = np.asarray(error.certificate.weights, dtype=np.float64)
            zeros = np.zeros_like(dual)
            return MaxMargin(
                np.zeros(X.shape[1]), y, np.inf, dual, zeros, everything, 0.0, self.kind
            )
        squared = float(np.ldexp(found.margin, self.exponent)) ** 2
        share = found.margin**2 / (1.0 + squared)
        w, b = np.ldexp(found.w * share, self.exponent), y / (1.0 + squared)
        norm = float(np.linalg.norm(np.ldexp(w, -self.exponent)))
        return MaxMargin(
            w=w,
            b=b,
            margin=float(np.ldexp(np.divide(1.0, norm), -self.exponent)),
            dual=found.dual * share,
            dual_rest=found.dual_rest * share,
            support=found.support,
            gap=found.gap * squared / (1.0 + squared),
            bias=self.kind,
        )


def _short(Z: F64, bias: bool) -> F64:
    """Vectors with the same products; of very long ones, if possible, as short as there are many.

    That is worth a factorisation only where they are long beside their number.
    """
    if _LONG * len(Z) >= Z.shape[1]:
        return Z
    try:
        factor = np.tril(cholesky(gram(Z[:, :-1] if bias else Z)))
    except LinAlgError:
        return Z
    return np.ascontiguousarray(np.column_stack([factor, Z[:, -1]]) if bias else factor)
