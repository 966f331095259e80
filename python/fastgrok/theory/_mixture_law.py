r"""Accuracy and loss of a hyperplane on Gaussian points whose labels depend on one direction.

Let u and v be the standardised projections on the direction that labels depend on and on the
hyperplane's normal: the logit is b + s v with s v = along u + across z, z ~ N(0, 1) independent of
u, s^2 = along^2 + across^2. A point has label +1 with probability pi(u), pi(-u) = 1 - pi(u): a
step (a teacher; `gain` is infinite), or 1/(1 + e^{-gain u}). Because of that symmetry

    E f(margin) = sum over y = -1, 1 of  int phi(q) W(q) f(y b + s q) dq,    W(v) = E[pi(u) | v],

where W(v) is Phi(along v / across) for a step, and else the mean of a logistic function over a
Gaussian. These integrals are taken by Gauss's rule on panels that shrink towards every place where
the integrand bends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from scipy.special import erfcx, expit, log_expit, log_ndtr, ndtr, owens_t

from fastgrok.linear.losses import LOSSES as ALL
from fastgrok.linear.losses import formula
from fastgrok.theory._arguments import F64
from fastgrok.theory._population_loss import gaussian_sigmoid

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_REACH = 9.5  # beyond it phi is below 1e-16 of what it is at 1, times anything that a loss can add
_THINNEST = 1e-40
_FARTHEST = 1e4  # where e^{x^2/2} is beyond float64, whatever it is multiplied by
_SQRT2 = math.sqrt(2.0)
_LOG_2PI = math.log(2.0 * math.pi)


def right_share(along: float, across: float, b: float, gain: float) -> float:
    """
    P(margin > 0) to about 1e-15, for along and across that are not both 0.

    Owen's T for a teacher, 1/2 + 2 T(b/s, along/across); else an integral over u.
    """
    s = math.hypot(along, across)
    rho, rest, h = along / s, max(across / s, _THINNEST), b / s
    with np.errstate(all="ignore"):
        if math.isinf(gain):
            return 0.5 + 2.0 * float(owens_t(h, rho / rest))
        bends = [(0.0, 1.0 / (1.0 + gain))]
        bends += [(y * h / rho, rest / abs(rho)) for y in (1.0, -1.0) if rho != 0.0]
        u, weight = _panels(bends)
        sides = sum(ndtr((rho * u + y * h) / rest) for y in (1.0, -1.0))
        return float(weight @ (_density(u) * expit(gain * u) * sides))


def mean_loss(along: float, across: float, b: float, gain: float, flip: float, loss: str) -> float:
    """Mean loss of a point whose label was flipped with probability `flip`."""
    with np.errstate(all="ignore"):
        if not math.isfinite(math.hypot(along, across)):
            return math.inf
        return formula(_MEANS, loss, "a mixture's law")(along, across, b, gain, flip)


def _integral(
    along: float, across: float, b: float, gain: float, flip: float, *, loss: str, bend: float
) -> float:
    """Of a loss that bends at a margin, or jumps in its slope or curvature there."""
    s = math.hypot(along, across)
    value = ALL[loss].value
    if s == 0.0:
        return 0.5 * float(value(np.array([b, -b])).sum())
    bends = [(0.0, _bend_of_labels(along, across, s, gain))]
    bends += [((at + y * b) / s, 1.0 / s) for at in {bend, -bend} for y in (1.0, -1.0)]
    q, weight = _panels(bends)
    weight = weight * _density(q) * _share_of_plus(q, along, across, s, gain)
    margins = s * q + np.array([[b], [-b]])
    losses = (1.0 - flip) * value(margins)
    if flip > 0.0:
        losses += flip * value(-margins)
    return float((losses @ weight).sum())


def _bend_of_labels(along: float, across: float, s: float, gain: float) -> float:
    """Length on which W(q) changes at 0."""
    if along == 0.0:
        return 1.0
    if math.isinf(gain):
        return across / abs(along)
    return float(max(1.0 / gain, across / s) * (s / abs(along))) if gain > 0.0 else 1.0


def _share_of_plus(q: F64, along: float, across: float, s: float, gain: float) -> F64:
    """W(q)."""
    if math.isinf(gain):
        if across == 0.0:
            return np.where((q > 0.0) == (along > 0.0), 1.0, 0.0)
        return np.asarray(ndtr(q * (along / across)))
    return gaussian_sigmoid(gain * (along / s) * q, np.full_like(q, gain * (across / s)))


def _exponential(along: float, across: float, b: float, gain: float, flip: float) -> float:
    # Both labels have a factor e^{-y b}, and the means of e^{-s q} over them are the same.
    terms = [math.log1p(-flip) + _log_mean(along, across, gain)] if flip < 1.0 else []
    if flip > 0.0:
        terms.append(math.log(flip) + _log_mean(-along, across, gain))
    return float(np.exp(np.logaddexp(b, -b) + np.logaddexp.reduce(terms)))


def _log_mean(along: float, across: float, gain: float) -> float:
    """Logarithm of the integral of phi(q) W(q) exp(-s q), which is one over u times e^{a^2/2}."""
    side = 0.5 * across * across
    if math.isinf(gain):
        if along > 0.0:
            return side + math.log(0.5 * float(erfcx(along / _SQRT2)))
        return side + 0.5 * along * along + float(log_ndtr(-along))
    # Where the integrand is largest, or both of its sides fall off from 0.
    centre = max(-along, 0.0) + min(gain - along, 0.0)
    if abs(centre) > _FARTHEST:
        return math.inf
    u, weight = _panels([(0.0, 1.0 / (1.0 + gain + abs(along)))], centre)
    logs = log_expit(gain * u) - u * (0.5 * u + along) - 0.5 * _LOG_2PI
    top = float(logs.max())
    return side + top + math.log(float(weight @ np.exp(logs - top)))


_MEANS: Mapping[str, Callable[[float, float, float, float, float], float]] = {
    "logistic": partial(_integral, loss="logistic", bend=0.0),
    "exponential": _exponential,
    "squared_hinge": partial(_integral, loss="squared_hinge", bend=1.0),
    "hinge": partial(_integral, loss="hinge", bend=1.0),
    "squared": partial(_integral, loss="squared", bend=1.0),
}
LOSSES = tuple(_MEANS)


def _panels(bends: list[tuple[float, float]], centre: float = 0.0) -> tuple[F64, F64]:
    """
    Nodes and weights on the interval of `_REACH` to both sides of `centre`.

    Panels have at most length 1, and double away from every bend, given as place and length.
    """
    low, high = centre - _REACH, centre + _REACH
    edges = [np.linspace(low, high, 2 * math.ceil(_REACH) + 1)]
    for place, length in bends:
        if low - 1.0 < place < high + 1.0:
            first = math.floor(math.log2(min(max(length, _THINNEST), 1.0)))
            steps = np.ldexp(1.0, np.arange(first, 1))
            edges.append(place + np.concatenate([-steps, [0.0], steps]))
    ends = np.unique(np.clip(np.concatenate(edges), low, high))
    half = 0.5 * np.diff(ends)[:, None]
    return (ends[:-1, None] + half * (1.0 + _NODES)).ravel(), (half * _WEIGHTS).ravel()


def _density(x: F64) -> F64:
    out: F64 = np.exp(-0.5 * (x * x + _LOG_2PI))
    return out
