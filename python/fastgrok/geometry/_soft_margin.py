r"""
Soft margins: the way to a guess of the support, or to a certificate that there is no margin.

For multipliers lambda and a price c of violations,

    phi(theta) = 1/2 theta . P theta + 1/(2c) sum_i max(lambda_i + c (1 - z_i . theta), 0)^2

is piecewise quadratic; P is the identity, but for the entry of a bias. Newton's
method with exact line searches ends in its minimum after finitely many steps. There

    P theta = sum_i alpha_i z_i    with    alpha_i = max(lambda_i + c (1 - z_i . theta), 0),

which bounds the margin, in the norm sqrt(theta . P theta), from above by
sqrt(theta . P theta) / sum alpha (weak duality). Taking alpha for the
next lambda and raising c is the method of multipliers. Where a margin exists, theta tends to the
hard-margin solution and alpha to its dual; where none exists, the bound falls like 1/c and the
part of alpha that grows tends to weights with sum_i alpha_i z_i = 0.
"""

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.geometry.products import add_gram, cholesky, gram, solve_cholesky, times

_Mask = NDArray[np.bool_]
_MOST_STEPS = 200


def _solve(matrix: F64, shift: F64 | float, right: F64) -> F64:
    """Solve with a positive definite matrix, whose lower triangle counts, plus a diagonal one."""
    np.einsum("ii->i", matrix)[...] += shift
    return solve_cholesky(cholesky(matrix), right)


class _ByColumns:
    """(P + c Z_J^T Z_J) theta = Z_J^T r for changing sets J of rows: fewer columns than rows."""

    def __init__(self, Z: F64, penalty: F64) -> None:
        self.Z, self.penalty = Z, penalty
        self.members = np.zeros(len(Z), dtype=bool)
        self.products = np.zeros((Z.shape[1], Z.shape[1]))

    def solve(self, members: _Mask, c: float, right: F64) -> F64:
        """Return theta; products of rows that stay in J are kept from the last call.

        `right` is zero outside J.
        """
        changed = np.flatnonzero(members != self.members)
        if 2 * len(changed) > len(members):
            self.products[...] = 0.0
            self.members = np.zeros_like(members)
            changed = np.flatnonzero(members)
        for sign, rows in ((1.0, changed[members[changed]]), (-1.0, changed[~members[changed]])):
            if rows.size:
                self.products = add_gram(self.products, self.Z[rows].T, sign)
        self.members = members
        return _solve(c * self.products, self.penalty, times(self.Z.T, right))


class _ByRows:
    """The same from (Z_J Z_J^T + 1/c) beta = r/c, theta = Z_J^T beta: at most as many rows."""

    def __init__(self, Z: F64, penalty: float | None) -> None:
        self.Z, self.penalty = Z, penalty
        self.products = gram(Z if penalty is None else Z[:, :-1])

    def solve(self, members: _Mask, c: float, right: F64) -> F64:
        """Return theta."""
        rows = np.flatnonzero(members)
        matrix = self.products[np.ix_(rows, rows)]
        beta = np.zeros(len(members))
        if self.penalty is None:
            beta[rows] = _solve(matrix, 1.0 / c, right[rows] / c)
            return times(self.Z.T, beta)
        # The bias is the multiplier of sum_i y_i beta_i = penalty * b.
        if not rows.size:
            if not self.penalty:
                raise LinAlgError("nothing determines the bias")
            return np.zeros(self.Z.shape[1])
        y = self.Z[rows, -1]
        both = _solve(matrix, 1.0 / c, np.array([right[rows] / c, y]).T)
        b = (y @ both[:, 0]) / (self.penalty + y @ both[:, 1])
        beta[rows] = both[:, 0] - b * both[:, 1]
        theta = times(self.Z.T, beta)
        theta[-1] = b
        return theta


class SoftMargin:
    """
    The state of the method of multipliers on the rows of Z.

    Parameters
    ----------
    Z : ndarray of shape (n, D), float64, C-contiguous
        Vectors of norm at most about 1.
    penalty : float or None
        Entry of P for the last column, that of a bias, 0 if it is free; None without a bias.
    multipliers : ndarray of shape (n,), optional
        Not negative; a guess of the dual. Default: zeros.
    metric : ndarray of shape (D,), optional
        All of P, where it is not the identity: columns of different units, brought to one.

    Attributes
    ----------
    theta : ndarray of shape (D,)
        The point.
    margins : ndarray of shape (n,)
        z_i . theta.
    alpha : ndarray of shape (n,)
        Dual coefficients of the last minimum, not negative.
    products : ndarray of shape (n, n) or None
        What `gram` returns for the rows without a bias, where it is used.
    """

    def __init__(
        self,
        Z: F64,
        penalty: float | None,
        multipliers: F64 | None = None,
        metric: F64 | None = None,
    ) -> None:
        n, dim = Z.shape
        self.Z = Z
        self.penalty = np.ones(dim) if metric is None else metric
        if metric is None and penalty is not None:
            self.penalty[-1] = penalty
        self.theta = np.zeros(dim)
        self.margins = np.zeros(n)
        self.alpha = np.zeros(n) if multipliers is None else multipliers
        self.products: F64 | None = None
        self._system: _ByRows | _ByColumns
        if n <= dim and metric is None:
            self._system = rows = _ByRows(Z, penalty)
            self.products = rows.products
        else:
            self._system = _ByColumns(Z, self.penalty)

    @property
    def separated(self) -> bool:
        """Whether every margin is positive beyond rounding."""
        size = float(np.linalg.norm(self.theta))
        return bool(self.margins.min() > 1e-14 * len(self.theta) * size)

    @property
    def _norm(self) -> float:
        """Square root of theta . P theta."""
        return float(np.sqrt(self.theta @ (self.penalty * self.theta)))

    @property
    def upper_bound(self) -> float:
        """Bound on the margin from above."""
        total = float(self.alpha.sum())
        return self._norm / total if total > 0.0 else np.inf

    @property
    def gap(self) -> float:
        """Relative difference of the squared bounds on the margin; 1 where nothing is separated."""
        if not self.separated:
            return 1.0
        reached = float(self.margins.min()) / self._norm
        return float(1.0 - (reached / self.upper_bound) ** 2)

    def raise_price(self, c: float, *, until_separated: bool = False) -> int:
        """
        Minimise phi for the price c with the last alpha as multipliers.

        Returns the number of Newton steps. May raise LinAlgError where c is beyond what float64
        resolves. With `until_separated` it returns as soon as `separated` holds, alpha unchanged.
        """
        multipliers = self.alpha
        for step in range(1, _MOST_STEPS + 1):
            pull = multipliers + c * (1.0 - self.margins)
            active = pull > 0.0
            target = self._system.solve(active, c, np.where(active, multipliers + c, 0.0))
            if not np.isfinite(target).all():
                raise LinAlgError("a step that is not finite")
            direction = target - self.theta
            change = times(self.Z, direction)
            whole = bool(np.array_equal(pull - c * change > 0.0, active))
            length = 1.0 if whole else self._line_search(direction, pull, c * change, c)
            self.theta = self.theta + length * direction
            self.margins = times(self.Z, self.theta)
            if until_separated and self.separated:
                return step
            if whole or length * np.linalg.norm(direction) <= 1e-15 * np.linalg.norm(self.theta):
                break
        self.alpha = np.maximum(multipliers + c * (1.0 - self.margins), 0.0)
        return step

    def _line_search(self, direction: F64, pull: F64, fall: F64, c: float) -> float:
        """Zero of the slope of phi along `direction`, which is increasing and piecewise linear."""
        on = pull > 0.0
        value = direction @ (self.penalty * self.theta) - (pull[on] @ fall[on]) / c
        growth = direction @ (self.penalty * direction) + (fall[on] @ fall[on]) / c
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = pull / fall
        ahead = np.flatnonzero((crossing > 0.0) & np.isfinite(crossing))
        ahead = ahead[np.argsort(crossing[ahead])]
        # Beyond its crossing a row with falling pull is off, one with rising pull on.
        sign = np.where(fall[ahead] > 0.0, -1.0, 1.0) / c
        values = value - np.append(0.0, np.cumsum(sign * pull[ahead] * fall[ahead]))
        growths = growth + np.append(0.0, np.cumsum(sign * fall[ahead] ** 2))
        rising = np.flatnonzero(values[:-1] + growths[:-1] * crossing[ahead] >= 0.0)
        piece = rising[0] if rising.size else len(ahead)
        return float(-values[piece] / growths[piece]) if growths[piece] > 0.0 else 1.0
