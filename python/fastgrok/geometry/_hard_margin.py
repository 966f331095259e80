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

A bias b adds 1/2 kappa b^2 to what is minimised, with kappa = 0 if it is free. It is taken out by
the first row r of W: y_r (x_r . w + b) = 1 gives b and leaves A_i . w = h_i with
A_i = y_i (x_i - x_r) and h_i = 1 - y_i y_r for the other rows of W. So nothing is lost where the
rows are far from the origin, or so small that the bias outweighs them, other than in the quicker
way of `FixedSupport`, which is tried first and fails on such rows. With w_0 the shortest such w,
b_0 its bias and n the part of x_r orthogonal to all A_i, the solution is

    w = w_0 + s n,    b = b_0 / (1 + kappa ||n||^2),    s = kappa b = sum_i alpha_i y_i.

The alpha_i are the coefficients of w - s x_r in the A_i, and alpha_r = y_r (s - sum_i alpha_i y_i).

Where b shows rounding, or columns differ much, `fastgrok.geometry._polish` does the rest.
"""

from math import hypot, isnan, sqrt

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok._core import accurate_product
from fastgrok.geometry._dual_bound import dual_bound, length
from fastgrok.geometry._fixed_support import FixedSupport
from fastgrok.geometry._polish import polish
from fastgrok.geometry._rows import Support
from fastgrok.geometry._working_set import WorkingSet

_EPS = float(np.finfo(np.float64).eps)
_NO_SHARE = 1e-9
"""Coefficients above minus this share of the largest may be zero."""
_NEAR_SPAN = 1e-6
"""Of a row's square, the share outside the span of others, for which digits of theta are lost."""
_ROUNDS = 3
"""A solution and two corrections, after which little more than its own rounding is left of it."""


class NotSeparatedError(Exception):
    """The rows are not separable, as far as rounding lets one see."""


class HardMargin(WorkingSet):
    """
    The state of the method on the rows of Z.

    Parameters
    ----------
    Z : ndarray of shape (n, D), float64, C-contiguous
        Vectors of norm at most about 1.
    penalty : float or None
        kappa, where the last column holds the y_i, the features of a bias; None without one.
    guess : ndarray of shape (n,)
        Guess of the dual, not negative and not all zero; with a free bias positive in both classes.
    tol : float
        Margins above 1 - tol are as good as 1.
    dependent : float, optional
        Share of a row's norm outside the span of others below which it depends on them. Default:
        what rounding may be expected to leave.
    products : ndarray of shape (n, n), optional
        What `gram` returns for the rows without a bias, if it is known.
    columns, graded : ndarray of shape (d,), optional, and bool
        Largest magnitudes of the columns without a bias, of all rows that there are, and whether
        they differ so much that orthogonal rows are of no use; see `GradedRows`.
    sizes : ndarray of shape (n,), optional
        Norms of the rows without a bias, if they are known.

    Attributes
    ----------
    theta : ndarray of shape (D,)
        The solution.
    working : list of int
        Rows that determine it.
    alpha, rest : ndarray of shape (len(working),)
        Their dual coefficients, and what float64 is known to leave of them.
    """

    def __init__(
        self,
        Z: F64,
        penalty: float | None,
        guess: F64,
        tol: float,
        dependent: float | None = None,
        products: F64 | None = None,
        columns: F64 | None = None,
        graded: bool = False,
        sizes: F64 | None = None,
    ) -> None:
        super().__init__(Z, penalty, dependent, columns, graded)
        self.tol, self._products = tol, products
        self.theta = np.zeros(Z.shape[1])
        if sizes is None:
            vectors = Z[:, :-1] if self.bias else Z
            sizes = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        self._sizes = sizes
        self._guess = guess
        self._bound: float | None = None
        self.working = guess.nonzero()[0].tolist()
        self.alpha = guess[self.working]
        self.rest = np.zeros(len(self.working))
        self._off = 0.0  # of b, over 1 or itself
        self._near = False

    def solve(self) -> None:
        """Find the solution; raises NotSeparatedError or LinAlgError."""
        if not self._graded and self._solved_at_once():
            self._off = self._rounding_of_bias()
            if self._off <= self.tol and not self._near:
                return
            rows = self.working
            self.factorise(rows)
            if len(self.working) == len(rows) and self._polish() and not self._below().size:
                return
        self._find_support()

    def accept(self, found: Support) -> bool:
        """Take a solution for all rows, if it is known to its digits."""
        if found.off is None:
            return False
        self.theta, self.alpha = found.theta, found.alpha
        self.rest, self._off = found.rest, found.off
        self._bound = dual_bound(self.Z, self._sizes, self.alpha, self.penalty, self.rest)
        if self.bias and self.rest.any():
            self._centre()
        return self.gap(1.0) <= 8.0 * self.tol

    def _find_support(self) -> None:
        """Change the working set until no margin is below 1."""
        self._bound = None  # that of another dual
        order = np.argsort(-self._guess, kind="stable")[: np.count_nonzero(self._guess)]
        if self.penalty == 0.0:  # both classes among the first, which are independent in any case
            others = np.flatnonzero(self.Z[order, -1] != self.Z[order[0], -1])
            if not others.size:
                raise NotSeparatedError("the guess has one class")
            first = [0, others[0]]
            order = np.concatenate([order[first], np.delete(order, first)])
        self.factorise(order.tolist())
        self.alpha = self._guess[self.working]
        if self.penalty == 0.0:  # the part of the guess that was independent need not be balanced
            same = self._signs(self.working) > 0.0
            self.alpha[~same] *= self.alpha[same].sum() / self.alpha[~same].sum()
        careful = False
        for _ in range(50 * (sum(self.Z.shape) + 10)):
            self._settle()
            below = self._below(self._find_point())
            if careful or not below.size:
                self.rest, self._off = np.zeros(len(self.working)), self._rounding_of_bias()
                if (self._graded or self._near or self._off > self.tol) and self._polish():
                    below, careful = self._below(), True
            if not below.size:
                return
            self._enter([int(i) for i in below[: 1 + len(self.working) // 8]])
        raise NotSeparatedError("the working set does not settle")

    def _below(self, margins: F64 | None = None) -> NDArray[np.intp]:
        """Rows outside the working set with margins below 1, the smallest first."""
        if margins is None:
            margins = accurate_product(self.Z, self.theta)
        margins[self.working] = 1.0
        below = np.flatnonzero(margins < 1.0 - self.slack(self._sizes))
        return below[np.argsort(margins[below], kind="stable")]

    def _solved_at_once(self) -> bool:
        """Whether the guess has just the support of the solution, which is then found."""
        rows = np.flatnonzero(self._guess)
        try:
            support = FixedSupport(self.Z, rows, self.penalty, self._products)
        except LinAlgError:
            self._near = len(rows) <= self.Z.shape[1]
            return False
        self._near = support.least_share < _NEAR_SPAN
        self.theta = np.zeros(self.Z.shape[1])
        alpha, margins = np.zeros(len(self.Z)), np.zeros(len(self.Z))
        for k in range(_ROUNDS):
            theta, more = support.solve(1.0 - margins)
            self.theta, alpha = self.theta + theta, alpha + more
            margins = accurate_product(self.Z, self.theta)
            missed = np.abs(margins[rows] - 1.0) > self._rounding(self._sizes[rows])
            if k > 0 and not np.any(missed):
                break
        self.alpha, self.rest = alpha[rows], np.zeros(len(rows))
        if np.any(missed) or np.any(self.alpha <= 0.0):
            return False
        if np.any(margins < 1.0 - self.slack(self._sizes)):
            return False
        # With nearly dependent rows this alpha is worse than one from QR.
        return self.gap(float(margins.min())) <= 8.0 * self.tol

    def gap(self, least: float) -> float:
        """Bound the relative duality gap, and the error of b, where `least` is the least margin."""
        w, b = (self.theta[:-1], self.theta[-1]) if self.bias else (self.theta, 0.0)
        norm = hypot(length(w), sqrt(self.penalty or 0.0) * b)
        if self._bound is None:
            self._bound = dual_bound(
                self.Z[self.working], self._sizes[self.working], self.alpha, self.penalty, self.rest
            )
        share = least / (norm * self._bound)
        gap = (1.0 - share) * (1.0 + share)
        return 1.0 if isnan(gap) else min(max(gap, 0.0, self._off), 1.0)

    def _rounding_of_bias(self) -> float:
        """How far b may be off, over 1 or itself, by what w misses of being a sum of its rows."""
        if not self.bias:
            return 0.0
        longest = float(self._sizes[self.working].max())
        size = max(abs(float(self.theta[-1])), 1.0)
        feared = _EPS * (float(np.linalg.norm(self.theta[:-1])) * longest) ** 2 / size
        if feared < self.tol:
            return feared
        missed = accurate_product(self.Z[self.working].T, self.alpha)[:-1] - self.theta[:-1]
        return float(np.linalg.norm(missed)) * longest / size

    def _polish(self) -> bool:
        """Correct the solution for the working set with twice the digits, if that is possible."""
        last = 1.0 if self.penalty is None else self.penalty
        diagonal = np.append(np.ones(self.Z.shape[1] - 1), last)
        while True:
            rows = self.Z[self.working]
            found = polish(rows, diagonal, self.theta, self.alpha, self._correction)
            if found is None:
                return False
            alpha = found.alpha.head
            if np.all(alpha > 0.0):
                break
            if not alpha.min() > -_NO_SHARE * alpha.max():
                return False
            self._leave(np.flatnonzero(alpha <= 0.0))  # that were positive by rounding
            self.rest = np.zeros(len(self.working))
        self.theta, self.alpha, self.rest = found.theta.head, found.alpha.head, found.alpha.rest
        self._bound = None
        if self.bias:
            self._off = abs(float(found.last[-1])) / max(abs(float(self.theta[-1])), 1.0)
            self._centre()
        return True

    def _centre(self) -> None:
        """Move b to the middle of the classes, if rounding of w has moved all margins together."""
        if self._rounding(self._sizes.max()) <= self.tol:
            return
        margins, positive = accurate_product(self.Z, self.theta), self.Z[:, -1] > 0.0
        if np.all(positive) or not np.any(positive):
            return
        shift = 0.5 * float(margins[~positive].min() - margins[positive].min())
        before, off, theta = self.gap(float(margins.min())), self._off, self.theta
        self.theta = np.append(theta[:-1], theta[-1] + shift)
        self._off = off + 1.001 * abs(shift) / max(abs(float(self.theta[-1])), 1.0)
        margins = accurate_product(self.Z, self.theta)
        if not self.gap(float(margins.min())) < before:
            self.theta, self._off = theta, off

    def slack(self, sizes: F64) -> F64:
        """Return what margins may miss of 1, for these ||x_i||: the tolerance, and rounding."""
        return np.asarray(np.minimum(self.tol + self._rounding(sizes), 0.1), dtype=np.float64)

    def _rounding(self, sizes: F64 | float) -> F64:
        w, b = (self.theta[:-1], self.theta[-1]) if self.bias else (self.theta, 0.0)
        reach = sqrt(w.dot(w)) * sizes
        if self._columns is not None:
            reach = np.minimum(reach, float(np.abs(w) @ self._columns))
        return np.asarray(4.0 * _EPS * (reach + abs(b)))

    def _settle(self) -> None:
        """Move alpha to the working set's own solution; rows whose alpha vanishes leave."""
        while True:
            target = self._target()
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
        if not rows:
            raise NotSeparatedError("no row is left")
        self.alpha = np.delete(self.alpha, positions)
        if (self.bias and 0 in positions) or len(positions) > 10:
            alpha = dict(zip(rows, self.alpha, strict=True))
            self.factorise(rows)  # which may find some dependent now
            self.alpha = np.array([alpha[i] for i in self.working])
            return
        for position in positions[::-1]:
            self.factor.remove(int(position) - self.bias)
        self.working = rows

    def _enter(self, rows: list[int]) -> None:
        """Take in rows with too small a margin, the smallest first: those independent of W."""
        before = len(self.working)
        for i in rows:
            if self.factor.append(self._local([i])[0]):
                self.working.append(i)
        self.alpha = np.append(self.alpha, np.zeros(len(self.working) - before))
        if len(self.working) == before:
            self._exchange(rows[0])

    def _exchange(self, row: int) -> None:
        """Take in a row that depends on the working set, in the place of another."""
        local = self._local([row])[0]
        sign = float(self._signs([row])[0]) if self.bias else 0.0
        length = self._move(self._expand(-self.factor.coefficients(local), -sign))
        if not self.factor.append(self._local([row])[0]):
            raise NotSeparatedError("a row depends on the others within rounding")
        self.working.append(row)
        self.alpha = np.append(self.alpha, length)

    def _find_point(self) -> F64:
        """Find the point with margin 1 on the working set; returns the margins of all rows.

        What rounding leaves of the margins is corrected with margins of twice the digits.
        """
        self.theta = np.zeros(self.Z.shape[1])
        margins = np.zeros(len(self.Z))
        for _ in range(_ROUNDS):
            self.theta = self.theta + self.shortest(1.0 - margins[self.working])[0]
            margins = accurate_product(self.Z, self.theta)
        return margins
