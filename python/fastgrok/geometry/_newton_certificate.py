r"""
How far a point u is from the minimum of a sum of losses with weight decay: a proved bound.

Where |l'''| <= l'', the Hessian changes by no more than a factor e^S where no margin changes by
more than S (Bach 2010). With the norms ||d||_H = sqrt(d . H d) at u and R = max_i ||z_i||_{1/H},
the minimum u* hence lies within -log(1 - R g) / R of u in the first, g = ||gradient||_{1/H}, if
R g < 1. This is used from u + s on, s being Newton's step: the gradient there is what s leaves over
of the linear system, the remainder of Taylor's formula, S e^S / 2 ||s||_H at most, and the rounding
of the gradient at u. Margins and sums over rows are computed with compensation (see `_verified`),
so that the latter is nearly that of the slopes alone, z_i delta_i, and these are below
||delta_i / sqrt(l'')|| in ||.||_{1/H}: no condition number enters. From there to Euclidean norms
one needs H >= mu_w ||d_w||^2 and H >= mu_b d_b^2.
"""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError

from fastgrok._checks import F64
from fastgrok.geometry._decayed_sum import KINK, DecayedSum, length
from fastgrok.geometry._duality_certificate import duality_bound
from fastgrok.geometry.products import cholesky, gram, solve_cholesky

_EPS = 2.0**-53
_UP = 1.0 + 2.0**-20
"""More than the rounding of a bound's own computation, in any sum of up to 2^30 terms."""
_TINY = 2.0**-1000
_SLOPE = 16.0 * _EPS
"""Relative error of slopes and curvatures with their weights: exp is off by 4 units at most."""


def _gamma(terms: int) -> float:
    return terms * _EPS / (1.0 - terms * _EPS) * _UP


def distance_bound(f: DecayedSum, u: F64) -> float:
    """
    Upper bound of the Euclidean distance of (w, b) from the minimum, (2^shift w, b) = u.

    Infinite where nothing is proved.
    """
    at = _Newton(f, u)
    if not f.kinked:
        unsure = float(at.moved.max())
        if not (unsure < 0.01 and float(at.falls.max()) < 0.1):
            return np.inf
        return at.bound(at.curvature, at.curvature, np.zeros(len(f.Z)), 1.1 * unsure)[0]
    of_sums = _gamma(len(f.Z) + 2) ** 2
    found = min(at.bound_beside_kinks(), duality_bound(f, u, at.m, at.moved, of_sums))
    # Of a point whose margins may be any the distance says nothing.
    longest = float(np.ldexp(f.norms.max(), f.shift)) + float(f.bias)
    size = np.hypot(np.ldexp(length(u[: f.dim]), -f.shift), length(u[f.dim :]))
    return np.inf if found * longest > 1.0 and found > 0.1 * size else found


class _Newton:
    """
    Newton's step s at u, and what rounding may hide of it.

    Attributes
    ----------
    m, slope, curvature : ndarray of shape (n,)
        Margins, -l' and l''.
    moved, falls : ndarray of shape (n,)
        Bounds of the errors of the margins, and of what s changes of them.
    """

    def __init__(self, f: DecayedSum, u: F64) -> None:
        self.f, self.u = f, u
        self.m = f.margins(u)
        self.slope, self.curvature = f.slopes(self.m)
        self.gradient = f.gradient(u, self.slope)
        self.step = np.add(*f.step(self.curvature, self.gradient))
        self.turned, pushed = f.hessian_product(self.curvature, self.step)
        self.residual = self.gradient + pushed
        self.lengths = f.norms + float(f.bias)
        self.of_products = _gamma(f.Z.shape[1] + 2) ** 2
        sizes = self.of_products * self.lengths
        self.moved = 2.0 * _EPS * np.abs(self.m) + sizes * length(u) + _TINY
        self.falls = (np.abs(self.turned) + sizes * length(self.step)) * _UP + _TINY

    def bound_beside_kinks(self) -> float:
        """
        Distance from the minimum of a loss with a kink.

        Rows that may be on either side of it count as beyond it in the Hessian, and with all that
        the step may change of their slopes in the gradient.
        """
        room = np.abs(KINK - self.m) - self.moved - self.falls
        sure = room > 0.0
        most = np.where(sure & (self.m > KINK), 0.0, 2.0)
        for _ in range(5):
            least = np.where(sure, self.curvature, 0.0)
            jumps = np.where(sure, 0.0, 2.0 * self.f.weight * self.falls)
            distance, reach = self.bound(least, most, jumps, 0.0)
            crossing = (least > 0.0) & ~(reach < room)
            if not crossing.any():
                return distance if distance < np.inf else np.inf
            sure &= ~crossing
        return np.inf

    def bound(self, curvature: F64, most: F64, jumps: F64, unsure: float) -> tuple[float, F64]:
        """
        Distance from the minimum, and by how much margins may differ from those at u + s.

        Parameters
        ----------
        curvature, most : ndarray of shape (n,)
            l'' from below, near the minimum as well, and from above, within the errors of margins,
            but for `unsure` and what a change of margins adds where there is no kink.
        jumps : ndarray of shape (n,)
            Further changes of the weighted slopes from u to u + s.
        unsure : float
            Relative error of l''.
        """
        f, step, gradient = self.f, self.step, self.gradient
        dim, c = f.dim, f.weight
        change = 0.0 if f.kinked else float(self.falls.max())
        below = _Below(f, curvature, unsure + 2.0 * _SLOPE)
        dual, single, per_w, per_b = below.dual, below.single, below.per_w, below.per_b
        roots = np.sqrt(c * curvature)

        # What is unsure of the slopes.
        off = c * (1.1 * most * self.moved + _SLOPE * self.slope + _TINY * _EPS)
        steady = curvature > 1e-3 * self.slope
        together = length(off[steady] / roots[steady]) + float(off[~steady] @ single[~steady])
        rounding = min(1.02 * together, float(off @ single)) * _UP
        # What is unsure of the sums.
        of_sums, pulls = _gamma(len(f.Z) + 2) ** 2, c * self.slope
        rounding += 2.0 * _EPS * (dual(gradient) + dual(f.penalty * self.u))
        rounding += of_sums * float(pulls @ single) + _TINY * (per_w + per_b)
        # What the step leaves over.
        size = 1.02 * f.hessian_norm(curvature, self.turned, step)
        left = dual(self.residual) + 4.0 * _EPS * (dual(gradient) + dual(f.penalty * step))
        left += of_sums * float((c * self.curvature * np.abs(self.turned)) @ single)
        left += self.of_products * length(step) * length(roots * self.lengths)
        left += (unsure + 4.0 * _SLOPE + 0.5 * change * np.exp(change)) * size
        left += float(jumps @ single)

        factor = float(np.exp(0.5 * change))
        beyond = factor * (rounding + left) * _UP
        radius = factor * beyond
        reach = 0.0
        if not f.kinked:
            with np.errstate(divide="ignore"):
                reach = factor * float(np.minimum(single, 1.1 / roots).max()) * _UP
            if not reach * beyond < 0.5:
                return np.inf, np.full(len(f.Z), np.inf)
            # -log(1 - q) <= q (1 + q) for q <= 1/2.
            radius *= 1.0 + reach * beyond
        off_b = length(step[dim:]) + radius * per_b
        # Of rows that hardly reach the margins the weights are surer than in that norm: they are
        # the sum of the slopes over the decay.
        everywhere = size + radius
        growth = 1.02 * np.exp(reach * everywhere)
        stiff = 2.0 if f.kinked else most
        moves = c * stiff * np.minimum(single * everywhere, single * radius + self.falls)
        apart = length(gradient[:dim]) + (growth * moves + off) @ f.norms
        apart += of_sums * float(pulls @ f.norms) + _TINY * max(1.0, c)
        apart += 2.0 * _EPS * (length(gradient[:dim]) + f.decay * length(self.u[:dim]))
        off_w = min(length(step[:dim]) + radius * per_w, apart / f.decay)
        distance = np.hypot(np.ldexp(off_w, -f.shift), off_b) * _UP
        return float(distance), single * radius * _UP


class _Below:
    """
    What is proved of H from below, H >= diag(1 / spread^2) and H >= diag(.., 1 / per_b^2).

    The decay is a bound, and for a bias without decay the Schur complement of the mean row. A
    Cholesky factorisation of H less a diagonal matrix, which comes to an end in floating point,
    proves a better one, but for its errors (Rump 2006).

    Attributes
    ----------
    per_w, per_b : float
        With ||d_w|| <= per_w ||d||_H and |d_b| <= per_b ||d||_H; the latter is 0 without bias.
    single : ndarray of shape (n,)
        Bounds of ||z_i||_{1/H}.
    """

    def __init__(self, f: DecayedSum, curvature: F64, unsure: float) -> None:
        self._dim = f.dim
        mu_b = np.inf
        if f.bias:
            whole = float(curvature.sum())
            mean = float(curvature @ f.norms) / whole if whole > 0.0 else 1.0
            total = f.weight * whole * (1.0 - 2.0 * unsure)
            mu_b = f.bias_decay + total / (1.0 + total / f.decay * (mean * _UP) ** 2) / _UP
        self.per_w = self._decay_w = float(_UP / np.sqrt(f.decay))
        self.per_b = self._decay_b = float(_UP / np.sqrt(mu_b))
        self.single = f.norms * self.per_w + self.per_b
        self._spread: F64 | None = None
        if f.dim > len(f.Z):
            return
        A = f.Z * np.sqrt(f.weight * curvature)[:, None]
        H = gram(A.T)
        at = np.diag_indices_from(H)
        H[at] += f.penalty
        # Every column in the unit that makes its entry about 1.
        scale = np.ldexp(1.0, -(np.frexp(H[at])[1] // 2))
        H *= scale[:, None] * scale
        least = _least_eigenvalue(H, _gamma(len(A) + 3 * len(H) + 40)) * (1.0 - 2.0 * unsure)
        if least > 0.0:
            spread = scale * float(_UP / np.sqrt(least))
            self._spread = spread
            self.per_w = min(self.per_w, float(spread[: f.dim].max()))
            self.per_b = min(self.per_b, float(spread[f.dim :].max(initial=0.0)))
            squares = np.einsum("ij,j,ij->i", f.Z, spread**2, f.Z) * _UP
            self.single = np.minimum(self.single, np.sqrt(squares) * _UP + _TINY)

    def dual(self, vector: F64) -> float:
        """Bound of ||.||_{1/H}."""
        w, b = vector[: self._dim], vector[self._dim :]
        bound = length(w) * self._decay_w + length(b) * self._decay_b
        if self._spread is not None:
            bound = min(bound, length(vector * self._spread))
        return bound * _UP


def _least_eigenvalue(H: F64, gamma: float) -> float:
    """Proved bound from below, 0 if there is none, of a matrix off by gamma trace(H) at most."""
    error = 2.0 * gamma * float(np.trace(H))
    identity = np.eye(len(H))
    try:
        factor = cholesky(H.copy())
        v = np.ones(len(H))
        for _ in range(8):
            v = solve_cholesky(factor, v / length(v))
        guess = 0.7 / length(v)
    except LinAlgError:
        return 0.0
    while guess > error:
        try:
            cholesky(H - (guess + error) * identity)
        except LinAlgError:
            guess *= 0.25
        else:
            return guess / _UP
    return 0.0
