r"""
The minimum of a mean of exponentials, mean_i exp(v_i . s).

Where the origin is close to the boundary of the v_i's hull, some of the shares
p_i = exp(v_i . s) / sum_j exp(v_j . s) are tiny at the minimum, and the value alone does not show
where it is: log mean exp differs from its minimum by no more than those. So Newton's method ends
where no exponent v_i . s changes any more, which is the same for every scale and linear map of the
v_i. Its matrix sum_i p_i v_i v_i^T comes as the triangular factor of the rows sqrt(p_i) v_i, the
longest first, which keeps what the short ones add; the slope sum_i p_i v_i is computed with twice
the digits, and lengths along a step by bisection of the slope.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, qr

from fastgrok._checks import F64
from fastgrok._checks.aside import decomposed
from fastgrok._core import accurate_product
from fastgrok.geometry.products import pivoted_rows, row_triangle, solve_triangular, times

_EPS = float(np.finfo(np.float64).eps)
_RANK_RTOL = 1e-11
_MOST_STEPS = 300
_FARTHEST = 50.0
"""Largest change of an exponent in a step that is longer than Newton's."""
_LEAST_SHARE = 1e-20
"""Smaller ones may come from rounding alone, if the vectors were rounded."""
_ACCURACY = 1e-6
"""Of exponents, beside the largest: a point whose rounding may be worse is not found."""


@dataclass(frozen=True)
class ExponentialMean:
    """
    Where log mean_i exp(v_i . s) is least.

    Attributes
    ----------
    point : ndarray of shape (d,)
        s, in the span of the v_i.
    weights : ndarray of shape (n,)
        p_i = exp(v_i . s) / sum_j exp(v_j . s), with sum_i p_i v_i = 0 up to rounding.
    log_mean : float
        The value.
    curvature : float
        Smallest eigenvalue of sum_i p_i v_i v_i^T on the span; NaN if it has not converged.
    converged : bool
        Whether the steps ended by themselves, and rounding moves no exponent by more than 1e-6,
        or 1e-6 of the largest.
    """

    point: F64
    weights: F64
    log_mean: float
    curvature: float
    converged: bool


def least_exponential_mean(vectors: F64, rank: int | None = None) -> ExponentialMean:
    """
    Minimise log mean_i exp(v_i . s) by Newton's method with a line search.

    Where the minimum is not attained (the origin is not in the relative interior of the convex
    hull of the v_i), some of the weights are next to nothing, and the point is far out.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        The v_i, not all zero.
    rank : int, optional
        Their rank, if they are known without rounding. Default: that up to 1e-11.
    """
    # Numbers below 1, lest squares overflow or all of them underflow.
    largest = np.frexp(np.abs(vectors).max(axis=0))[1]
    scale = int(largest[np.any(vectors, axis=0)].max())
    # What is rounded may be zero in truth: its columns stay as they are beside each other.
    exponents = np.full(len(largest), scale)
    if rank is not None:
        exponents[np.any(vectors, axis=0)] = largest[np.any(vectors, axis=0)]
    V = np.ldexp(vectors, -exponents)
    columns = _independent_columns(V, rank)
    A = np.ascontiguousarray(V[:, columns])
    newton = _Newton(A, _LEAST_SHARE if rank is None else 0.0)
    with np.errstate(all="ignore"):  # what overflows has not converged
        converged = newton.run()
    down = exponents[columns]
    lowest = int(down.min())
    with np.errstate(all="ignore"):
        point = np.zeros(V.shape[1])
        point[columns] = np.ldexp(newton.point, scale - down)
        inverse = np.full((len(columns), 1), np.nan)
        if converged:
            inverse = np.ldexp(newton.inverse_root(), (lowest - down)[:, None])
        if len(columns) < V.shape[1]:
            V = np.ldexp(vectors, -scale)
            span = _span(V, len(columns))
            inverse = span[columns].T @ inverse
            point = span @ (span.T @ point)
            moved = np.abs(accurate_product(V, point) - newton.exponents).max()
            converged = converged and bool(moved <= newton.allowed)
        curvature = np.nan
        if np.isfinite(inverse).all():
            curvature = np.ldexp(np.linalg.norm(inverse, 2) ** -2.0, 2 * lowest)
        point = np.ldexp(point, -scale)
    return ExponentialMean(point, newton.shares, newton.value, float(curvature), converged)


class _Newton:
    """Newton's method on vectors that are linearly independent by columns."""

    def __init__(self, A: F64, least_share: float) -> None:
        self.A, self._transposed = A, np.ascontiguousarray(A.T)
        self._least_share = least_share
        self._move_to(np.zeros(A.shape[1]))

    def _move_to(self, point: F64) -> None:
        self.point = point
        self.exponents = accurate_product(self.A, point)
        most = float(self.exponents.max())
        values = np.exp(self.exponents - most)
        total = float(values.sum())
        self.value, self.shares = most + float(np.log(total / len(values))), values / total

    @property
    def allowed(self) -> float:
        """Error of exponents that is taken for rounding."""
        return _ACCURACY * (1.0 + float(np.abs(self.exponents).max()))

    def run(self) -> bool:
        """Find the minimum; return whether it was found."""
        last = np.inf
        for _ in range(_MOST_STEPS):
            try:
                self._factorise()
            except LinAlgError:
                return False
            step = -self._solve(accurate_product(self._transposed, self.shares))
            change = times(self.A, step)
            moved = float(np.abs(change[self.shares > self._least_share]).max(initial=0.0))
            if not np.isfinite(moved):
                return False
            if moved < 1e-3:  # then the next one is about the square of it
                self._move_to(self.point + step)
                if moved < 1e-13 or moved > 0.5 * last:
                    return bool(moved + self._rounding() <= self.allowed)
            else:
                self._move_to(self.point + _length(self.exponents, change) * step)
            last = moved
        return False

    def _factorise(self) -> None:
        """P L with P L L^T P^T = sum_i p_i a_i a_i^T; raises LinAlgError."""
        rows = np.sqrt(self.shares)[:, None] * self.A
        rows = rows[np.argsort(-np.linalg.norm(rows, axis=1), kind="stable")]
        columns = np.ascontiguousarray(rows.T)
        self._order = np.arange(len(columns))
        if self.shares.min() < 1e-8 * self.shares.max():
            self._order = pivoted_rows(columns)[1]
            columns = columns[self._order]
        self._L = row_triangle(columns)
        if not np.all(np.diag(self._L)):
            raise LinAlgError("the vectors are dependent within rounding")

    def _solve(self, right: F64) -> F64:
        half = solve_triangular(self._L, right[self._order])
        out = np.empty_like(right)
        out[self._order] = solve_triangular(self._L, half, transposed=True)
        return out

    def inverse_root(self) -> F64:
        """G with G G^T the inverse of the last matrix."""
        out = np.empty(self._L.shape)
        out[self._order] = solve_triangular(self._L, np.eye(len(out)), transposed=True)
        return out

    def _rounding(self) -> float:
        """Bound on what the rounding of the shares and the point may do to an exponent."""
        off = _EPS * (4.0 + np.abs(self.exponents)) * self.shares
        point = np.abs(self._solve(self._transposed)) @ off + _EPS * np.abs(self.point)
        return float((np.abs(self.A) @ point).max())


def _length(exponents: F64, change: F64) -> float:
    """Where sum_i exp(e_i + t c_i) c_i = 0, t > 0: 1 if that is nearly so, or as far as allowed."""

    def slope(t: float) -> float:
        at = exponents + t * change
        shares: F64 = np.exp(at - at.max())
        return float(shares @ change / shares.sum())

    if abs(slope(1.0)) <= 0.1 * abs(slope(0.0)):
        return 1.0
    most = max(1.0, _FARTHEST / float(np.abs(change).max()))
    if slope(most) <= 0.0:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if slope(middle) < 0.0 else (low, middle)
    return high


def _pivoted(V: F64) -> tuple[F64, NDArray[np.intp]]:
    """Triangle of the columns in an order of falling size, and that order."""
    R = decomposed(qr, V, mode="r", check_finite=False)[0][: V.shape[1]]
    R, pivots = decomposed(qr, R, mode="r", pivoting=True, check_finite=False)
    return R, pivots


def _independent_columns(V: F64, rank: int | None) -> NDArray[np.intp]:
    """Columns that span the others, as many as the rank."""
    if rank == V.shape[1]:
        return np.arange(V.shape[1])
    R, pivots = _pivoted(V)
    if rank is None:
        sizes = np.abs(np.diag(R))
        rank = int(np.count_nonzero(sizes > _RANK_RTOL * sizes[0]))
    return np.sort(pivots[:rank])


def _span(V: F64, rank: int) -> F64:
    """Orthonormal columns that span the rows."""
    R, pivots = _pivoted(V)
    rows = np.zeros((rank, V.shape[1]))
    rows[:, pivots] = R[:rank]
    return np.asarray(
        decomposed(qr, rows.T, mode="economic", check_finite=False)[0], dtype=np.float64
    )
