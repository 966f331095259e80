"""The two-variable model of Das et al.'s setting: ||w|| and b, the population as a density."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from fastgrok import _checks
from fastgrok.datasets.recipe import class_counts, support_counts
from fastgrok.errors import FastgrokError
from fastgrok.theory._arguments import F64, arguments, scalar
from fastgrok.theory._cube_law import density, within_margin

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_FIXED_PANELS = 8
_LATEST = 1e300
# Ends of panels around the place where a logit is 0, in units of the logit.
_BENDS = np.array([-40.0, -16.0, -8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0, 16.0, 40.0])
_LINEAR = 1e-7  # change of the logits up to which the start is a straight line


def reduced_model(
    t: ArrayLike,
    n: tuple[int, int],
    gamma: float,
    *,
    support: tuple[int, int] = (0, 0),
    dim: int = 2,
    lr: float = 1e-2,
    reduction: str = "mean",
    half_width: float = 5.0,
) -> tuple[F64, F64]:
    r"""
    Norm of the weights and bias in the cube with a margin, by a model of two variables.

    The weights are taken to lie along w_true, the support vectors on the margin, and the other
    points of each class as a continuous density p_1 of u = ``|w_true . x|`` over u >= gamma/2, that
    of the uniform law on the cube. With sigmoid sig, s = lr t (sum of the losses) or lr t / n
    (mean) and N_c = n_c - s_c other points in class c::

        d||w||/ds = sum_c N_c int u p_1(u) sig(-(||w|| u + c b)) du
                    + (gamma/2) [s_+ sig(-m-b) + s_- sig(-m+b)],    m = ||w|| gamma/2,
        db/ds = sum_c c N_c int p_1(u) sig(-(||w|| u + c b)) du + s_+ sig(-m-b) - s_- sig(-m+b).

    Parameters
    ----------
    t : array_like
        Times in steps, at least 0, in any order.
    n : pair of int
        Points of class +1 and of class -1, support vectors included.
    gamma : float
        Margin, greater than 0; at least 1e-9 of the cube must lie beyond it.
    support : pair of int, default (0, 0)
        Support vectors of class +1 and of class -1, at u = gamma/2.
    dim : int, default 2
        Number of coordinates.
    lr : float, default 1e-2
        Learning rate, greater than 0.
    reduction : {"mean", "sum"}, default "mean"
        How the losses are added up.
    half_width : float, default 5.0
        Half the side of the cube, greater than 0.

    Returns
    -------
    norm_w, b : ndarray of float64, or scalar
        Of the shape of `t`. They solve the equations to a relative 1e-7.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    What sets the time scales in the setting of Das et al. (2026), arXiv 2602.08302,
    logistic loss. Their Theorem 4.5 lets the support vectors alone drive w and b; at small gamma
    the bias then sits at its balance all the time, and it is the slow growth of ||w||, driven by
    all points, that takes long. Where the weights grow by the population, ||w|| is about ((pi^2/2)
    n p(0) s)^{1/3}, p(0) being the density of u at 0. A run differs from the model by the draw of
    the points near the hyperplane: by a per cent where classes and support vectors are balanced or
    late, by up to 20 % in between.

    Examples
    --------
    >>> norm_w, b = reduced_model([0, 1e4, 1e6], (1000, 1000), 1e-3, support=(350, 35))
    >>> bool(norm_w[0] == 0.0 < b[1] < b[2])
    True
    """
    counts = class_counts(n)
    planted = support_counts(support, counts)
    (times,) = arguments(t=(t, "[0, inf)"))
    margin = _checks.real("gamma", gamma, positive=True)
    columns = _checks.whole("dim", dim)
    width = _checks.real("half_width", half_width, positive=True)
    _checks.choice("reduction", reduction, ("mean", "sum"))
    scale = _checks.real("lr", lr, positive=True) / (sum(counts) if reduction == "mean" else 1.0)
    with np.errstate(over="ignore"):
        flow_times = scale * times
    if (flow_times > _LATEST).any():
        raise ValueError(f"lr times t must be at most {_LATEST:g} a point, got lr={lr!r}")
    return _solve(_Forces(counts, planted, margin, columns, width), flow_times)


class _Forces:
    """The right side of the two equations."""

    def __init__(
        self,
        counts: tuple[int, int],
        support: tuple[int, int],
        gamma: float,
        dim: int,
        half_width: float,
    ) -> None:
        self.support = support
        self.others = [n - s for n, s in zip(counts, support, strict=True)]
        self.dim, self.half_width, self.low = dim, half_width, gamma / 2.0
        # Beyond 12 standard deviations of u there is nothing.
        self.high = half_width * min(math.sqrt(dim), 12.0 / math.sqrt(3.0))
        self.high = max(self.high, 2.0 * self.low)
        inner = within_margin(*(np.array([float(v)]) for v in (gamma, dim, half_width)))
        self._normalisation = 2.0 / float(1.0 - inner[0])
        self._fixed = np.linspace(self.low, self.high, _FIXED_PANELS + 1)

    def __call__(self, norm_w: float, b: float) -> tuple[float, float]:
        """Return d||w||/ds and db/ds."""
        growth = drift = 0.0
        for sign, others, planted in zip((1.0, -1.0), self.others, self.support, strict=True):
            u, weight = self._rule(norm_w, sign * b)
            pull = weight * expit(-(norm_w * u + sign * b))
            growth += others * float(u @ pull)
            drift += sign * others * float(pull.sum())
            force = planted * float(expit(-(norm_w * self.low + sign * b)))
            growth += self.low * force
            drift += sign * force
        return growth, drift

    def _rule(self, norm_w: float, b: float) -> tuple[F64, F64]:
        """Nodes u and weights of a mean over the other points, fine where their logits bend."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            bends = max(self.low, -b / norm_w if norm_w > 0.0 else 0.0) + _BENDS / norm_w
        bends = np.clip(np.nan_to_num(bends, nan=self.high), self.low, self.high)
        edges = np.sort(np.concatenate([self._fixed, bends]))
        half = 0.5 * np.diff(edges)[:, None]
        u = (edges[:-1, None] + half * (1.0 + _NODES)).ravel()
        weight = (half * _WEIGHTS).ravel() * density(u / self.half_width, self.dim)
        return u, weight * (self._normalisation / self.half_width)


def _solve(forces: _Forces, s: F64) -> tuple[F64, F64]:
    """Follow the flow in log s, from where it is a straight line."""
    from scipy.integrate import solve_ivp  # noqa: PLC0415 (slow to import)

    wanted = np.unique(s)
    growth, drift = forces(0.0, 0.0)
    rate = abs(growth) * forces.high + abs(drift)
    start = _LINEAR / rate if rate > 0.0 else math.inf
    path = np.outer([growth, drift], wanted)
    later = wanted > start
    if later.any():
        logs = np.log(wanted[later])

        def right(log_s: float, state: F64) -> F64:
            return math.exp(log_s) * np.array(forces(float(state[0]), float(state[1])))

        solution = solve_ivp(
            right,
            (math.log(start), logs[-1]),
            np.array([growth, drift]) * start,
            method="LSODA",
            t_eval=logs,
            rtol=1e-9,
            atol=1e-12,
        )
        if not solution.success:
            raise FastgrokError(f"the flow cannot be followed: {solution.message}")
        path[:, later] = solution.y
    where = np.searchsorted(wanted, s)
    return scalar(path[0][where]), scalar(path[1][where])
