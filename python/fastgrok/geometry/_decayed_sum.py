"""
The sum of losses with weight decay, f = c sum_i l(z_i . u) + 1/2 sum_j penalty_j u_j^2.

Rows beyond 1 are shrunk by a power of two, 2^shift, which makes u = (2^shift w, b), and f is
multiplied by another one, 2^lift, where the decay of what is shrunk would be too small a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from fastgrok._checks import F64, HEARD, blocks
from fastgrok._checks.aside import if_long
from fastgrok._core import accurate_product
from fastgrok.geometry._rows import scaled_norms
from fastgrok.geometry.products import cholesky, gram, orthonormal_rows, solve_cholesky, times

_MOST_STEPS = 2000
_LARGEST_LIFT = 430
_MODERATE = 0.5
"""Steps that change no margin by more are taken as they are."""


def _logistic(m: F64) -> tuple[F64, F64]:
    small = np.exp(-np.abs(m))
    rare = small / (1.0 + small)
    return np.where(m > 0.0, rare, 1.0 / (1.0 + small)), rare / (1.0 + small)


def _exponential(m: F64) -> tuple[F64, F64]:
    slope = np.exp(-m)
    return slope, slope


def _squared_hinge(m: F64) -> tuple[F64, F64]:
    return 2.0 * np.maximum(1.0 - m, 0.0), np.where(m < KINK, 2.0, 0.0)


KINK = 1.0
"""Where the curvature of the squared hinge jumps."""
SLOPES: dict[str, Callable[[F64], tuple[F64, F64]]] = {
    "logistic": _logistic,
    "exponential": _exponential,
    "squared_hinge": _squared_hinge,
}
"""(-l', l'') of margins, to a few units in the last place; |l'''| <= l'' but for the kink."""


def length(v: F64) -> float:
    """Euclidean norm, without squares that overflow or underflow."""
    largest = float(np.abs(v).max(initial=0.0))
    if not 0.0 < largest < np.inf:
        return largest
    exponent = int(np.frexp(largest)[1])
    return float(np.ldexp(np.linalg.norm(np.ldexp(v, -exponent)), exponent))


class DecayedSum:
    """
    The objective, and Newton's steps on it.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64 or float32
        Finite rows.
    y : ndarray of shape (n,), float64
        Labels -1 and +1.
    bias : bool
        Whether u ends with a bias.
    loss : str
        One of `SLOPES`.
    weight : float
        c.
    decay : tuple of two floats
        Weight decay of w and of b.

    Raises
    ------
    ValueError
        If the decay is so little that margins may have to be where slopes leave float64.
    """

    def __init__(
        self,
        X: NDArray[Any],
        y: F64,
        bias: bool,
        loss: str,
        weight: float,
        decay: tuple[float, float],
    ) -> None:
        self.slopes = SLOPES[loss]
        self.kinked = loss == "squared_hinge"
        norms, exponent = scaled_norms(X)
        self.shift = max(exponent, 0)
        # Above the norms of the shrunk rows, whatever the rounding.
        self.norms = np.ldexp(norms * (1.0 + 2.0**-20), exponent - self.shift)
        small = int(np.frexp(decay[0])[1]) - 2 * self.shift
        if small < -_LARGEST_LIFT * 2:
            least = float(np.ldexp(1.0, 2 * self.shift - 2 * _LARGEST_LIFT))
            raise ValueError(
                f"weight_decay must be at least {least:.1e} beside rows as long as "
                f"{float(np.ldexp(norms.max(), exponent)):.1e}, or margins might have to be beyond "
                f"590, got {decay[0]!r}"
            )
        # By the root of what is lacking, so that no square of any gradient overflows.
        self.lift = max(-small // 2, 0)
        self.weight = float(np.ldexp(weight, self.lift))
        self.decay = float(np.ldexp(decay[0], self.lift - 2 * self.shift))
        self.bias_decay = float(np.ldexp(decay[1], self.lift))
        dim = X.shape[1]
        self.bias, self.dim = bias, dim
        self.Z = np.empty((len(X), dim + bias))
        for start, block in blocks(X, HEARD):
            here = slice(start, start + len(block))
            scaled = np.ldexp(block.astype(np.float64, copy=False), -self.shift)
            self.Z[here, :dim] = scaled * y[here, None]
        self.penalty = np.full(dim + bias, self.decay)
        if bias:
            self.Z[:, -1] = y
            self.penalty[-1] = self.bias_decay
        # In more dimensions than rows, H is a multiple of the identity beside their span.
        self._basis: F64 | None = None
        self._rows = self.Z
        if dim > len(X):
            L, self._basis = orthonormal_rows(np.ascontiguousarray(self.Z[:, :dim]))
            self._rows = np.column_stack([L, y]) if bias else L

    def margins(self, u: F64) -> F64:
        """z_i . u as if computed with twice the digits."""
        return if_long(self.Z.size, accurate_product, self.Z, u)

    def gradient(self, u: F64, slope: F64) -> F64:
        """Gradient at u, the sum over rows as if computed with twice the digits."""
        return self.penalty * u - self._pulled(self.weight * slope)

    def _pulled(self, weights: F64) -> F64:
        return if_long(self.Z.size, accurate_product, self.Z.T, weights)

    def hessian_product(self, curvature: F64, v: F64) -> tuple[F64, F64]:
        """Return z_i . v and H v for these l''."""
        turned = self.margins(v)
        pulled = self._pulled(self.weight * curvature * turned)
        return turned, pulled + self.penalty * v

    def hessian_norm(self, curvature: F64, turned: F64, v: F64) -> float:
        """sqrt(v . H v), where `turned` is z_i . v."""
        parts = np.sqrt(self.weight * curvature) * turned, np.sqrt(self.penalty) * v
        return length(np.concatenate(parts))

    def step(self, curvature: F64, gradient: F64) -> tuple[F64, F64]:
        """
        Newton's step, up to rounding; a descent direction where that is too much.

        In two parts: in the span of the rows, and beside it, where there is only rounding, which
        little decay makes large.
        """
        basis, dim = self._basis, self.dim
        inside = gradient
        if basis is not None:
            inside = np.append(times(basis, gradient[:dim]), gradient[dim:])
        roots = np.sqrt(self.weight * curvature)[:, None]
        rows: F64 = if_long(self._rows.size, np.multiply, self._rows, roots)
        H = gram(rows.T)
        penalty = np.full(len(H), self.decay)
        if self.bias:
            penalty[-1] = self.bias_decay
        H[np.diag_indices_from(H)] += penalty
        step, beside = -_solve(H, inside), np.zeros(len(gradient))
        if basis is None:
            return step, beside
        rank = len(basis)
        beside[:dim] = (times(basis.T, inside[:rank]) - gradient[:dim]) / self.decay
        return np.append(times(basis.T, step[:rank]), step[rank:]), beside

    def minimise(self) -> F64:
        """Minimiser, as near as rounding lets Newton's method come."""
        u = np.zeros(self.dim + self.bias)
        last = np.inf
        for _ in range(_MOST_STEPS):
            m = self.margins(u)
            slope, curvature = self.slopes(m)
            gradient = self.gradient(u, slope)
            step, beside = self.step(curvature, gradient)
            fall = times(self.Z, step)
            size = self.hessian_norm(curvature, fall, step + beside)
            if self._far(m, fall):
                u = u + self._length(u, step, m, fall) * step
                last = np.inf
                # Rows on a kink may change sides for ever.
                if self.kinked and size <= 2.0**-50 * self.hessian_norm(curvature, m, u):
                    break
            elif size > 0.5 * last or not size > 0.0:
                break
            else:
                u, last = u + (step + beside), size
        return u

    def _far(self, m: F64, fall: F64) -> bool:
        """Whether the Hessian at the end of a step is another than where it begins."""
        if self.kinked:
            return bool(((m < KINK) != (m + fall < KINK)).any())
        return bool(np.abs(fall).max() > _MODERATE)

    def _length(self, u: F64, step: F64, m: F64, fall: F64) -> float:
        """Where along `step` the slope of f is a tenth of what it was or less."""
        pull, stiff = float((self.penalty * u) @ step), float((self.penalty * step) @ step)

        def slope(t: float) -> float:
            return pull + t * stiff - self.weight * float(self.slopes(m + t * fall)[0] @ fall)

        enough = 0.1 * abs(slope(0.0))
        low, high, t = 0.0, np.inf, 1.0
        for _ in range(100):
            value = slope(t)
            if abs(value) <= enough:
                break
            if value < 0.0:
                low = t
            else:
                high = t
            t = 2.0 * low if high == np.inf else 0.5 * (low + high)
        return low if low > 0.0 and not abs(value) <= enough else t


def _solve(H: F64, right: F64) -> F64:
    ridge = 0.0
    while True:
        try:
            return solve_cholesky(cholesky(H + ridge * np.eye(len(H))), right)
        except LinAlgError:
            if not np.isfinite(ridge):
                raise
            ridge = max(4.0 * ridge, 2.0**-52 * float(np.trace(H)))
