r"""
Hard margins by a dual active-set method, exact up to the rounding of its last solve.

The problem is min 1/2 ||theta||^2 with z_i . theta >= 1 (the bias as a last entry, or none), whose
dual is max sum alpha - 1/2 ||sum_i alpha_i z_i||^2 over alpha >= 0. A working set W of linearly
independent rows has alpha > 0, all others alpha = 0. The dual solution for W alone, which gives
every row of W the margin 1, is the target. Where it has negative entries, alpha moves towards it
until one entry vanishes, and that row leaves (the inner loop of Lawson and Hanson's NNLS). Then
rows with a margin below 1 enter. One that depends on W takes the place of another (Goldfarb and
Idnani's partial step); if none can leave, some non-negative combination of the rows is zero and
they are not separable. The dual objective rises with every change of W, so there is an end.

A bias b that is not penalised is taken out by the first row r of W: y_r (x_r . w + b) = 1 gives b
and leaves A_i . w = h_i with A_i = y_i (x_i - x_r) and h_i = 1 - y_i y_r for the other rows of W.
Their duals are those of W, and alpha_r = -y_r sum_i alpha_i y_i.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from fastgrok._checks import F64
from fastgrok.geometry._active_rows import FixedRows, IndependentRows
from fastgrok.geometry._rows import accurate_product

_EPS = float(np.finfo(np.float64).eps)


class NotSeparatedError(Exception):
    """The rows are not separable, as far as rounding lets one see."""


class HardMargin:
    """
    The state of the method on the rows of Z.

    Parameters
    ----------
    Z : ndarray of shape (n, D), float64, C-contiguous
        Vectors of norm at most about 1.
    free : bool
        Whether the last column is that of a bias which is not penalised.
    guess : ndarray of shape (n,)
        Guess of the dual, not negative and not all zero; with a free bias positive in both classes.
    tol : float
        Margins above 1 - tol are as good as 1.
    dependent : float, optional
        Share of a row's norm outside the span of others below which it depends on them. Default:
        what rounding may be expected to leave.

    Attributes
    ----------
    theta : ndarray of shape (D,)
        The solution.
    working : list of int
        Rows that determine it.
    alpha : ndarray of shape (len(working),)
        Their dual coefficients.
    """

    def __init__(
        self, Z: F64, free: bool, guess: F64, tol: float, dependent: float | None = None
    ) -> None:
        self.Z, self.free, self.tol = Z, free, tol
        self._dependent = 8.0 * _EPS * Z.shape[1] if dependent is None else dependent
        self.theta = np.zeros(Z.shape[1])
        order = np.argsort(-guess, kind="stable")[: np.count_nonzero(guess)]
        if free:  # both classes among the first, which are independent in any case
            other = np.flatnonzero(Z[order, -1] != Z[order[0], -1])[0]
            order = np.concatenate([order[[0, other]], np.delete(order, [0, other])])
        self._guess = guess
        self.working = [int(i) for i in order]
        self.alpha = guess[order]

    def solve(self) -> None:
        """Find the solution; raises NotSeparatedError."""
        if self._solved_at_once():
            return
        self._factorise(self.working)
        self.alpha = self._guess[self.working]
        if self.free:  # the part of the guess that was independent need not be balanced
            same = self._signs(self.working) > 0.0
            self.alpha[~same] *= self.alpha[same].sum() / self.alpha[~same].sum()
        for _ in range(50 * (sum(self.Z.shape) + 10)):
            self._settle()
            margins = self._find_point(self._factor)
            margins[self.working] = 1.0
            below = np.flatnonzero(margins < 1.0 - self.slack())
            if not below.size:
                return
            below = below[np.argsort(margins[below], kind="stable")]
            self._enter([int(i) for i in below[: 1 + len(self.working) // 8]])
        raise NotSeparatedError("the working set does not settle")

    def _solved_at_once(self) -> bool:
        """Whether the guess has just the support of the solution, which is then found."""
        if len(self.working) > self.Z.shape[1]:
            return False
        try:
            fixed = FixedRows(self._local(self.working[self.free :]))
        except LinAlgError:
            return False
        alpha = self._target(fixed)
        if not np.all(alpha > 0.0):
            return False
        margins = self._find_point(fixed)
        missed = np.abs(margins[self.working] - 1.0).max()
        if missed > self.slack() or margins.min() < 1.0 - self.slack():
            return False
        self.alpha = alpha
        return True

    def slack(self) -> float:
        """Return what margins may miss of 1: the tolerance and the rounding of theta."""
        return min(self.tol + 4.0 * _EPS * float(np.linalg.norm(self.theta)), 0.1)

    def _factorise(self, rows: list[int]) -> None:
        """Make those of these rows the working set that don't depend on earlier ones."""
        self.working = rows[:1] if self.free else []
        rest = rows[len(self.working) :]
        self._factor = IndependentRows(self._local(rest), self._dependent)
        self.working += [i for i, kept in zip(rest, self._factor.kept, strict=True) if kept]

    def _signs(self, rows: list[int]) -> F64:
        """y_i y_r."""
        signs: F64 = self.Z[rows, -1] * self.Z[self.working[0], -1]
        return signs

    def _local(self, rows: list[int]) -> F64:
        """Return what is factorised for these rows: A_i."""
        if not self.free:
            return self.Z[rows]
        reference = self.Z[self.working[0], :-1]
        return self.Z[rows, :-1] - np.multiply.outer(self._signs(rows), reference)

    def _expand(self, alpha: F64, total: float = 0.0) -> F64:
        """Put the reference's coefficient first, with which y_r sum_i y_i alpha_i is `total`."""
        if not self.free:
            return alpha
        return np.append(total - self._signs(self.working[1:]) @ alpha, alpha)

    def _target(self, factor: FixedRows | IndependentRows) -> F64:
        """Solve the dual for the working set alone."""
        rows = self.working[1:] if self.free else self.working
        wanted = 1.0 - self._signs(rows) if self.free else np.ones(len(rows))
        return self._expand(factor.coefficients(factor.solve(wanted)))

    def _settle(self) -> None:
        """Move alpha to the working set's own solution; rows whose alpha vanishes leave."""
        while True:
            target = self._target(self._factor)
            if np.all(target > 0.0):
                self.alpha = target
                return
            self._move(target - self.alpha)

    def _move(self, direction: F64) -> float:
        """Move alpha until an entry vanishes, and drop it; returns the length of the step."""
        falling = np.flatnonzero(direction < 0.0)
        if not falling.size:
            raise NotSeparatedError("the dual has no bound")
        steps = self.alpha[falling] / -direction[falling]
        length = float(steps.min())
        self.alpha = self.alpha + length * direction
        self._leave(falling[steps <= length])
        return length

    def _leave(self, positions: NDArray[np.intp]) -> None:
        """Drop the rows at these positions of the working set."""
        gone = set(positions.tolist())
        rows = [i for k, i in enumerate(self.working) if k not in gone]
        self.alpha = np.delete(self.alpha, positions)
        if (self.free and 0 in positions) or len(positions) > 10:
            alpha = dict(zip(rows, self.alpha, strict=True))
            self._factorise(rows)  # which may find some dependent now
            self.alpha = np.array([alpha[i] for i in self.working])
            return
        for position in positions[::-1]:
            self._factor.remove(int(position) - self.free)
        self.working = rows

    def _enter(self, rows: list[int]) -> None:
        """Take in rows with too small a margin, the smallest first: those independent of W."""
        before = len(self.working)
        for i in rows:
            if self._factor.append(self._local([i])[0]):
                self.working.append(i)
        self.alpha = np.append(self.alpha, np.zeros(len(self.working) - before))
        if len(self.working) == before:
            self._exchange(rows[0])

    def _exchange(self, row: int) -> None:
        """Take in a row that depends on the working set, in the place of another."""
        local = self._local([row])[0]
        sign = float(self._signs([row])[0]) if self.free else 0.0
        length = self._move(self._expand(-self._factor.coefficients(local), -sign))
        if not self._factor.append(self._local([row])[0]):
            raise NotSeparatedError("a row depends on the others within rounding")
        self.working.append(row)
        self.alpha = np.append(self.alpha, length)

    def _find_point(self, factor: FixedRows | IndependentRows) -> F64:
        """Find the point with margin 1 on the working set; returns the margins of all rows.

        What rounding leaves of the margins is corrected with margins of twice the digits.
        """
        self.theta = np.zeros(self.Z.shape[1])
        margins = np.zeros(len(self.Z))
        for _ in range(3):
            short = 1.0 - margins[self.working]
            if self.free:
                y, reference = self.Z[self.working[0], -1], self.Z[self.working[0], :-1]
                change = factor.solve(short[1:] - self._signs(self.working[1:]) * short[0])
                change = np.append(change, y * (short[0] - reference @ change))
            else:
                change = factor.solve(short)
            self.theta = self.theta + change
            margins = accurate_product(self.Z, self.theta)
        return margins
