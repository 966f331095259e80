r"""The gradient flow of the two-point model, in terms that stay exact up to saturation.

With c = 1 - 2 lam, q = sigma S, beta = -b and y = e^{(1+c) q}, the flow has the first integral

    sigma^2 beta = q - (1/c) log((1 - c y) / (1 - c)),

and time is t = 2 / (lr sigma^2) times the integral of e^{beta + q'} / (1 - c e^{(1+c) q'}) over q'
from 0 to q. For c > 0, q approaches q_inf = log(1/c) / (1+c) so closely that q_inf - q = e^r
underflows: from a gap of about 1 on, r takes the place of q. Arrays here are of one dimension.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from fastgrok.theory._arguments import F64

_PANEL_NODES = 12
_LEVELS = (44, 28)  # halvings towards the upper and the lower end of an integral
CLOSE = 1e-10  # Newton's method has converged to rounding after a relative step of this size
_ROWS = 32  # positions integrated at a time: what fits the cache


@dataclass(frozen=True)
class Position:
    """Where the flow is: q, and r = log(q_inf - q) where the flow is near saturation, else NaN."""

    q: F64
    r: F64


class Flow:
    """
    The flow for every pair of `lam` in (0, 1] and `sigma`, arrays of shape (n,).

    Attributes
    ----------
    c : ndarray of shape (n,)
        1 - 2 lam.
    square : ndarray of shape (n,)
        sigma^2.
    limit : ndarray of shape (n,)
        q_inf, infinite where c <= 0.
    """

    def __init__(self, lam: F64, sigma: F64) -> None:
        self.lam, self.sigma = lam, sigma
        self.c = 1.0 - 2.0 * lam
        self.square = sigma * sigma
        with np.errstate(divide="ignore", invalid="ignore"):
            bounded = -np.log1p(-2.0 * lam) / (1.0 + self.c)
        self.limit = np.where(self.c > 0.0, bounded, np.inf)
        # Where r takes over from q.
        self._gap = np.where(self.c > 0.0, np.minimum(1.0, 0.5 * self.limit), np.nan)
        with np.errstate(invalid="ignore"):
            self._early_q = np.where(self.c > 0.0, self.limit - self._gap, np.inf)
            self._early_bias = np.where(self.c > 0.0, self._bias_at(self._early_q), np.inf)

    def at(self, index: NDArray[np.bool_] | slice) -> "Flow":
        """Return the flow of some of the pairs."""
        return Flow(self.lam[index], self.sigma[index])

    def bias(self, position: Position) -> F64:
        """Return beta at a position."""
        near = ~np.isnan(position.r)
        return np.where(near, self._bias_near(position.r), self._bias_at(position.q))

    def position(self, beta: F64) -> Position:
        """Invert `bias`, by Newton's method from the right on convex functions."""
        with np.errstate(all="ignore"):
            q = self._first_guess(np.minimum(beta, self._early_bias))
            for _ in range(200):
                y = np.exp((1.0 + self.c) * q)
                # sigma^2 dbeta/dq, through the first integral where y overflows.
                slope = np.where(np.isinf(y), -1.0 / self.c, (1.0 + y) / (1.0 - self.c * y))
                step = self.square * (self._bias_at(q) - np.minimum(beta, self._early_bias)) / slope
                step = np.where(np.isfinite(step), step, 0.0)
                q = np.maximum(q - step, 0.0)
                if np.all(np.abs(step) <= CLOSE * q):
                    break
            r = np.where(beta > self._early_bias, np.log(self._gap), np.nan)
            for _ in range(200):
                w = np.exp(r)
                scaled = (1.0 + self.c) * w
                # sigma^2 dbeta/dr
                slope = -w - np.where(w < 1e-12, 1.0, scaled / np.expm1(scaled)) / self.c
                step = self.square * (self._bias_near(r) - beta) / slope
                r = r - step
                if not np.any(np.abs(step) > CLOSE * np.maximum(np.abs(r), 1.0)):
                    break
            return Position(np.where(np.isnan(r), q, self.limit - np.exp(r)), r)

    def log_time(self, beta: F64, position: Position | None = None) -> F64:
        """Return log(lr t) at the time when -b is `beta`."""
        where = self.position(beta) if position is None else position
        out = np.empty_like(beta)
        for start in range(0, beta.size, _ROWS):
            part = slice(start, start + _ROWS)
            out[part] = self.at(part)._log_time(Position(where.q[part], where.r[part]))
        return out

    def _log_time(self, position: Position) -> F64:
        with np.errstate(all="ignore"):
            top = np.minimum(position.q, self._early_q)[:, None]
            q = top - top * _NODES
            inner = self._columns()
            beta = inner._bias_at(q)
            rate = q - inner.log_gap(beta, q)
            # For c < 0 both may be far larger than their difference.
            rate = np.where(inner.c < 0.0, -np.logaddexp(-q, np.log(-inner.c) + inner.c * q), rate)
            logs = [np.log(top) + beta + rate]
            if np.isnan(position.r).all():
                return np.log(2.0 / self.square) + logsumexp(logs[0], axis=1, b=_WEIGHTS)
            span = np.where(np.isnan(position.r), 0.0, np.log(self._gap) - position.r)[:, None]
            r = np.where(np.isnan(position.r), 0.0, position.r)[:, None] + span * _NODES
            w = np.exp(r)
            late = inner._bias_near(r) + inner.limit - w - _log_slope(r, inner.c)
            logs.append(np.where(span > 0.0, np.log(span) + late, -np.inf))
            total = logsumexp(np.hstack(logs), axis=1, b=np.hstack([_WEIGHTS, _WEIGHTS]))
            out: F64 = np.log(2.0 / self.square) + total
            return out

    def log_speed(self, position: Position) -> F64:
        """Return the log of d(lr t)/d(beta), less beta: -log of e^{-q} + e^{cq}, over 2."""
        out: F64 = np.log(2.0) - np.logaddexp(-position.q, self.c * position.q)
        return out

    def log_gap(self, beta: F64, q: F64) -> F64:
        """Return log(1 - c y) where -b is `beta` and sigma S is `q`, from the first integral."""
        out: F64 = np.log(2.0 * self.lam) + self.c * (q - self.square * beta)
        return out

    def _columns(self) -> "Flow":
        """Return the same flow with arrays of shape (n, 1)."""
        return Flow(self.lam[:, None], self.sigma[:, None])

    def _bias_at(self, q: F64) -> F64:
        c = self.c
        with np.errstate(all="ignore"):
            growth = np.expm1((1.0 + c) * q) / (2.0 * self.lam)
            logarithm = np.where(c == 0.0, -growth, np.log1p(-c * growth) / np.where(c, c, 1.0))
            # For c < 0 the growth may overflow, its logarithm does not.
            large = ((1.0 + c) * q > 600.0) & (c < 0.0)
            beyond = (np.log(-c) + (1.0 + c) * q - np.log(2.0 * self.lam)) / c
            out: F64 = (q - np.where(large, beyond, logarithm)) / self.square
            return out

    def _bias_near(self, r: F64) -> F64:
        logarithm = r + _log_slope(r, self.c) - np.log(2.0 * self.lam)
        return (self.limit - np.exp(r) - logarithm / self.c) / self.square

    def _first_guess(self, beta: F64) -> F64:
        """Return an upper bound of q: beta is convex in q, and at least its growth for c >= 0."""
        tangent = self.square * beta * self.lam
        growth = np.log1p(2.0 * self.lam * self.square * beta) / (1.0 + self.c)
        return np.where(self.c >= 0.0, np.minimum(np.minimum(tangent, growth), self._early_q),
                        tangent)  # fmt: skip


def _log_slope(r: F64, c: F64) -> F64:
    """log((1 - c y) / w) = log((1 - e^{-(1+c) w}) / w) at w = e^r."""
    w = np.exp(r)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(w < 1e-17, np.log1p(c), np.log(-np.expm1(-(1.0 + c) * w) / w))


def bisect_log(falling: Callable[[F64], F64], size: int) -> F64:
    """Find where each of `size` functions of x > 0 turns negative for good, x between e^+-400."""
    low, high = np.full(size, -400.0), np.full(size, 400.0)
    for _ in range(64):
        middle = 0.5 * (low + high)
        above = falling(np.exp(middle)) >= 0.0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found: F64 = np.exp(0.5 * (low + high))
    return found


def _graded_rule() -> tuple[F64, F64]:
    """Nodes and weights on [0, 1], in panels that halve towards both ends."""
    to_top = 0.5 ** np.arange(_LEVELS[0], 0, -1)
    to_bottom = 1.0 - 0.5 ** np.arange(2, _LEVELS[1])
    edges = np.concatenate(([0.0], to_top, to_bottom, [1.0]))
    x, weights = np.polynomial.legendre.leggauss(_PANEL_NODES)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1.0 + x)).ravel(), (half * weights).ravel()


_NODES, _WEIGHTS = _graded_rule()
