r"""
The largest margin in a polyhedral norm, by a linear program (HiGHS) and a correction of its vertex.

With convex weights p of the rows z_i the two programs

    maximise t  subject to  z_i . theta >= t,  ||theta|| <= 1,   and   minimise ||sum_i p_i z_i||_*

have the same value; ||.||_* is the dual norm, l_1 for l_inf and l_inf for l_1. Columns are in units
of their own here, which the caller chooses together with that of t, so that all numbers are near 1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgrok._checks import F64
from fastgrok._checks.aside import decomposed
from fastgrok._checks.programs import linear_program
from fastgrok._core import accurate_product
from fastgrok.geometry._rows import Index

_TOLERANCE = 1e-10
"""The least that HiGHS takes."""
_MOST = 1e10
"""Among prices much higher HiGHS finds nothing feasible; a weight so expensive is left at 0."""
_INFINITE = 1e19
_CEILING = 16.0
"""Margins are about 1, or less."""
_ROUNDING = 2.0**-52
_NO_WEIGHT = 1e-11
_AT_BOUND = 1e-9
_HELD = 1e-6
"""A row or a coordinate is held where complementary slackness leaves it less than this."""
_APART = 1e-4
"""Vectors of norm 1 that differ by less are taken for one."""


@dataclass(frozen=True)
class Vertex:
    """
    A pair of solutions.

    Attributes
    ----------
    u : ndarray of shape (D,)
        theta in the units of the columns.
    p : ndarray of shape (n,)
        Weights of the rows, >= 0, with sum 1 but for what rounding made negative.
    rest : ndarray of shape (n,)
        What float64 leaves of them.
    """

    u: F64
    p: F64
    rest: F64


class LinearProgram:
    """
    The program for some rows.

    Parameters
    ----------
    A : ndarray of shape (n, D)
        Vectors, in units of the columns that make entries, and the largest of the shortest row,
        about 1.
    limits : ndarray of shape (D,)
        ||theta|| is that of u / limits; infinite for a free bias, 0 for a column of zeros.
    norm : {"linf", "l1"}
        Of theta.
    most : float, default infinity
        HiGHS looks among u whose coordinates, but a free bias, are at most this.
    """

    def __init__(self, A: F64, limits: F64, norm: str, most: float = np.inf) -> None:
        self.A, self.limits, self.norm = A, limits, norm
        self._bounds = np.where(limits < _INFINITE, limits, np.inf)
        self._bounds = np.minimum(self._bounds, np.where(np.isfinite(limits), most, np.inf))
        self._lengths = _units(np.maximum(np.abs(A).max(axis=1), 1.0))
        with np.errstate(divide="ignore"):
            self._prices = 1.0 / limits
        self._dear = self._prices > (_MOST if norm == "l1" else np.inf)
        self._dear |= limits == 0.0
        self._bounds[self._dear] = 0.0

    def solve(self) -> Vertex | None:
        """Return what HiGHS finds; None if it fails, or finds no weights."""
        cost = np.zeros(self.A.shape[1])
        answer = self._best(cost, 1.0, np.array([-np.inf, _CEILING]))
        if answer is None:
            return None
        p = np.maximum(-answer.ineqlin.marginals[: len(self.A)], 0.0) * self._lengths
        total = float(p.sum())
        if not total > 0.0:
            return None
        return Vertex(self._point(answer), p / total, np.zeros(len(p)))

    def farthest(self, direction: F64, least: float) -> F64 | None:
        """U with margins of at least `least` whose product with a direction is the largest."""
        answer = self._best(direction, 0.0, np.array([least, least]))
        return None if answer is None else self._point(answer)

    def corrected(self, found: Vertex, nearest: bool = False) -> Vertex:
        """
        Solve the equations that make the vertex again, with residuals of twice the digits.

        They are of rows with weights, or of all `nearest` ones: a long row may need next to none.
        """
        weights = found.p / self._lengths
        on_margin = weights > _NO_WEIGHT * weights.max()
        if nearest:
            margins = self.A @ found.u
            on_margin |= (margins - margins[on_margin].min()) * self._lengths < _AT_BOUND
        rows = np.flatnonzero(on_margin)
        free = self._free(found.u)
        M = self._equations(rows, free, found.u)
        fixed = np.where(free, 0.0, found.u)
        right = np.zeros(len(M))
        # Rounding of u may take as much from a margin, and a long row is soon inside for it.
        right[: len(rows)] = _ROUNDING * (np.abs(self.A[rows]) @ np.abs(found.u))
        if self.norm == "l1":
            right[-1] = 1.0
        else:
            # The weights at their bounds stay there.
            fixed[~free] = np.sign(fixed[~free]) * self.limits[~free]
            right -= accurate_product(np.ascontiguousarray(self.A[rows]), fixed)
        x, _ = _solved(M, right, np.append(found.u[free], float((self.A[rows] @ found.u).min())))
        u = fixed
        u[free] = x[:-1]
        below = np.zeros(M.shape[1])
        below[-1] = -1.0
        guess = found.p[rows]
        if self.norm == "l1":
            bounded = self.limits < _INFINITE
            slopes = np.abs(found.p @ self.A)[bounded] * self.limits[bounded]
            guess = np.append(guess, -slopes.max(initial=0.0))
        head, more = _solved(np.ascontiguousarray(M.T), below, guess)
        p, rest = np.zeros(len(found.p)), np.zeros(len(found.p))
        positive = head[: len(rows)] > 0.0
        p[rows[positive]] = head[: len(rows)][positive]
        rest[rows[positive]] = more[: len(rows)][positive]
        if positive.any():
            return Vertex(u, p, rest)
        return Vertex(u, found.p, found.rest)

    def is_unique(self, found: Vertex, gap: float) -> bool:
        """
        Whether all theta whose margin is as large, up to the gap, are next to this one.

        A row may be off the margin by the gap over its weight, and a coordinate off its bound by
        the gap over its slope. Rows and coordinates that are held so leave equations for the other
        coordinates, whose solution moves by what these miss over their least singular value.
        """
        bounded = self.limits < _INFINITE
        sizes = np.where(bounded, self.limits, 1.0)
        gradient = np.where(bounded, found.p @ self.A, 0.0)
        slopes = np.abs(gradient) * sizes
        if self.norm == "l1":
            slopes = np.where(bounded, slopes.max() - slopes, 0.0)
        weights = found.p / self._lengths
        rows, held = weights * _HELD > gap, slopes * _HELD > gap
        B = self.A[rows] * self._lengths[rows, None] * sizes
        off = np.divide(gap, slopes, where=held, out=np.zeros_like(slopes))
        missed = gap / weights[rows] + np.abs(B) @ off
        M = B[:, ~held]
        if self.norm == "l1":
            M = np.vstack([M, np.sign(gradient)[~held]])
            missed = np.append(missed, off.sum() + gap * len(off))
        if M.shape[1] == 0:
            return True
        if M.shape[0] < M.shape[1]:
            return False
        least = float(decomposed(np.linalg.svd, M, compute_uv=False)[-1])
        return float(np.linalg.norm(missed)) < _APART * least

    def _free(self, u: F64) -> Any:
        """Coordinates that no bound holds."""
        if self.norm == "linf":
            return np.abs(u) < self.limits * (1.0 - _AT_BOUND)
        return (u != 0.0) | ~np.isfinite(self.limits)

    def _equations(self, rows: Index, free: Any, u: F64) -> F64:
        """Rows on the margin, and for l_1 the norm: in the free coordinates and t."""
        M = np.column_stack([self.A[np.ix_(rows, free)], -np.ones(len(rows))])
        if self.norm == "l1":
            q = np.sign(u)[free] * self._prices[free]
            M = np.vstack([M, np.append(q, 0.0)])
        return np.ascontiguousarray(M)

    def _best(self, gain: F64, of_margin: float, margins: F64) -> Any:
        """Largest gain . u + of_margin t within the norm, for t within limits; None if it fails."""
        n, dim = self.A.shape
        last, A = -self._lengths[:, None], self.A * self._lengths[:, None]
        if self.norm == "linf":
            matrix, right = np.hstack([A, last]), np.zeros(n)
            bounds = np.column_stack([-self._bounds, self._bounds])
        else:
            # Positive parts of the weights, and negative ones; the norm is their sum.
            prices = np.where(self._dear, 0.0, self._prices)
            matrix = np.hstack([A, -A, last])
            matrix = np.vstack([matrix, -np.concatenate([prices, prices, [0.0]])])
            right = np.append(np.zeros(n), -1.0)
            bounds = np.column_stack([np.zeros(2 * dim), np.tile(self._bounds, 2)])
            gain = np.concatenate([gain, -gain])
        answer = linear_program(
            -np.append(gain, of_margin),
            equal=False,
            matrix=-matrix,
            right=-right,
            bounds=np.vstack([bounds, margins]),
            tolerance=_TOLERANCE,
        )
        return answer if answer.status == 0 else None

    def _point(self, answer: Any) -> F64:
        dim = self.A.shape[1]
        parts: F64 = answer.x[:-1]
        return parts.copy() if self.norm == "linf" else parts[:dim] - parts[dim:]


def _solved(M: F64, right: F64, guess: F64) -> tuple[F64, F64]:
    """M x = right in the sense of least squares, next to a guess: x, and what float64 leaves."""
    x, rest = guess, np.zeros_like(guess)
    table = np.ascontiguousarray(np.column_stack([M, M, -right]))
    rows = _units(np.abs(M).max(axis=1, initial=0.0))
    columns = _units(np.abs(M * rows[:, None]).max(axis=0, initial=0.0))
    inverse = decomposed(np.linalg.pinv, M * rows[:, None] * columns, rcond=1e-13)
    for _ in range(3):
        left = accurate_product(table, np.concatenate([x, rest, [1.0]]))
        step = rest - columns * (inverse @ (rows * left))
        x, before = x + step, x
        rest = step - (x - before)
    return x, rest


def _units(sizes: F64) -> F64:
    """Powers of two that bring numbers near 1."""
    out: F64 = np.ldexp(1.0, -np.frexp(np.where(sizes > 0.0, sizes, 1.0))[1])
    return out
