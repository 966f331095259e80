r"""
The one-dimensional two-point model of Beck, Levi, Bar-Sinai (2025), arXiv 2410.04489, solved.

Two points, -sigma and sigma (1 - 2 lam), both labelled -1 (:func:`fastgrok.datasets.two_points`),
one weight S and a bias b, mean exponential loss, gradient flow from 0. Times are in steps of
descent with learning rate `lr`; descent itself follows the flow up to O(lr sigma^2). For lam < 1/2
the points are not separable from the origin and S saturates, at 1/2 it grows like log log t, beyond
like log t.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from fastgrok import _checks
from fastgrok.theory._arguments import F64, arguments, scalar
from fastgrok.theory._two_point_flow import CLOSE, Flow, Position, bisect_log

__all__ = ["accuracy_time", "limit_log_ratio", "loss_times", "state", "stationary_point"]

_SIGMA = "[1e-50, 1e50]"  # its square times any bias that occurs is in float64's range
_STRAIGHT = -400.0  # log(lr t) up to which the flow is a straight line, whatever sigma


def stationary_point(lam: ArrayLike, sigma: ArrayLike) -> F64:
    r"""
    Weight that the flow tends to, S_inf = log(1/(1 - 2 lam)) / (2 sigma (1 - lam)).

    Parameters
    ----------
    lam : array_like
        lambda in (0, 1].
    sigma : array_like
        Scale, between 1e-50 and 1e50.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to; infinite for lam >= 1/2.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), the limit S_inf. The paper's formula lacks the factor 1/sigma and holds for
    sigma = 1 only. For Gaussian data the divergence at 1/2 is a power law, not this logarithm
    (:func:`fastgrok.theory.edge.large_n_stationary`).

    Examples
    --------
    >>> round(float(stationary_point(0.25, 1.0)), 6)
    0.462098
    """
    ratio, width = arguments(lam=(lam, "(0, 1]"), sigma=(sigma, _SIGMA))
    flow = Flow(ratio.ravel(), width.ravel())
    return scalar((flow.limit / flow.sigma).reshape(ratio.shape))


def state(
    t: ArrayLike, lam: ArrayLike, sigma: ArrayLike, lr: ArrayLike, *, log: bool = False
) -> tuple[F64, F64]:
    r"""
    Weight and bias of the flow at time t.

    Parameters
    ----------
    t : array_like
        Time in steps, at least 0; or its natural logarithm, with ``log=True``.
    lam : array_like
        lambda in (0, 1].
    sigma : array_like
        Scale, between 1e-50 and 1e50.
    lr : array_like
        Learning rate eta, greater than 0.
    log : bool, default False
        Take `t` as log t, up to 1e6: times far beyond 1e308.

    Returns
    -------
    S, b : ndarray of float64, or scalar
        Of the shape that the arguments broadcast to.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), Table 1, for its late times. In full, with q = sigma S, c = 1 - 2 lam,

        -b = (1/sigma^2) [q - (1/c) log((1 - c e^{(1+c) q}) / (1 - c))]
        t = (2/(lr sigma^2)) int_0^q e^{-b(q')} e^{q'} / (1 - c e^{(1+c) q'}) dq',

    by quadrature and inverted by Newton's method, to about 1e-12 of log t (1e-8 for lam just above
    1/2 with sigma of 1e4 and more). At late times
    b = -log(lr l t) with l = (1+c) e^{c sigma S_inf} / 2 for lam < 1/2, b = -log t and
    S = log(sigma^2 log t) / sigma at 1/2, and beyond b = -log(t) / (1 + M^2),
    S = M log(t) / (1 + M^2) with the margin M = sigma min(1, 2 lam - 1). Table 1 of the paper has
    the last two for sigma = 1 only, and b of the paper's Proposition 3.2 the wrong sign.

    Examples
    --------
    >>> S, b = state([0.0, 1e3, 1e12], 0.25, 1.0, 0.1)
    >>> S.round(6)
    array([0.      , 0.418711, 0.462097])
    """
    domain = "[-inf, 1e6]" if _checks.flag("log", log) else "[0, inf)"
    time, ratio, width, rate = arguments(
        t=(t, domain), lam=(lam, "(0, 1]"), sigma=(sigma, _SIGMA), lr=(lr, "(0, inf)")
    )
    with np.errstate(divide="ignore"):
        target = ((time if log else np.log(time)) + np.log(rate)).ravel()
    with np.errstate(under="ignore"):
        start = np.minimum(target, _STRAIGHT)
        S, b = np.exp(start + (np.log(width) + np.log(ratio)).ravel()), -np.exp(start)
    later = target > _STRAIGHT
    flow = Flow(ratio.ravel()[later], width.ravel()[later])
    beta, position = _invert_time(flow, target[later])
    S[later], b[later] = position.q / flow.sigma, -beta
    return scalar(S.reshape(time.shape)), scalar(b.reshape(time.shape))


def loss_times(eps: ArrayLike, lam: ArrayLike, sigma: ArrayLike, lr: ArrayLike) -> tuple[F64, F64]:
    r"""
    Logarithms of the last times at which the exponential losses equal eps.

    The training loss is e^b (e^{-q} + e^{c q}) / 2, that of the population x ~ N(0, sigma^2)
    e^{b + q^2/2}, with q = sigma S and c = 1 - 2 lam.

    Parameters
    ----------
    eps : array_like
        Level of the loss, in (0, 1).
    lam : array_like
        lambda in (0, 1/2]. Beyond 1/2 the population loss grows without bound.
    sigma : array_like
        Scale, between 1e-50 and 1e50.
    lr : array_like
        Learning rate eta, greater than 0.

    Returns
    -------
    log_train, log_general : ndarray of float64, or scalar
        Natural logarithms of the two times in steps, of the shape that the arguments broadcast to.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), Figure 9, whose square root of the log-ratio follows
    ``|log(1 - 2 lam)| / sqrt 2`` only once S has saturated at both times, that is for
    c sigma^2 log(1/eps) much larger than 1; :func:`limit_log_ratio` is the limit of eps -> 0.

    Examples
    --------
    >>> train, general = loss_times(1e-16, 0.4995, 1.0, 0.1)
    >>> round(float(general - train), 1)
    7.5
    """
    level, ratio, width, rate = arguments(
        eps=(eps, "(0, 1)"),
        lam=(lam, "(0, 0.5]"),
        sigma=(sigma, _SIGMA),
        lr=(lr, "(0, inf)"),
    )
    flow = Flow(ratio.ravel(), width.ravel())
    goal, shift = np.log(level).ravel(), np.log(rate).ravel()

    def train_excess(beta: F64) -> F64:
        return -beta - flow.log_speed(flow.position(beta)) - goal

    train = bisect_log(train_excess, goal.size)
    general = _last_general(flow, goal)
    return (
        scalar((flow.log_time(train) - shift).reshape(level.shape)),
        scalar((flow.log_time(general) - shift).reshape(level.shape)),
    )


def limit_log_ratio(lam: ArrayLike) -> F64:
    r"""
    Limit of log(t_general / t_train) as the level eps of both exponential losses goes to 0.

    With c = 1 - 2 lam and q = log(1/c) / (1+c), it is log(2/(1+c)) + q^2/2 - c q.

    Parameters
    ----------
    lam : array_like
        lambda in (0, 1/2).

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape of `lam`. Absolute error about 1e-16 for small `lam`, where it is lam^2.

    Raises
    ------
    ValueError, TypeError
        If `lam` lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), equations 40 and 41, have its leading part (1/2) log^2 c for c -> 0, without
    the log 2 that follows; and in their conformal time tau = int e^b dt, rather than log t, the
    difference of the times would be 2/lr times this, divided by (1+c) e^{c q}.

    Examples
    --------
    >>> round(float(limit_log_ratio(0.4995)), 1)
    24.5
    """
    (ratio,) = arguments(lam=(lam, "(0, 0.5)"))
    c = 1.0 - 2.0 * ratio
    q = -np.log1p(-2.0 * ratio) / (1.0 + c)
    # log(2/(1+c)) = -log(1 - lam)
    return scalar(-np.log1p(-ratio) + 0.5 * q * q - c * q)


def accuracy_time(
    accuracy: ArrayLike,
    lam: ArrayLike,
    sigma: ArrayLike,
    lr: ArrayLike,
    *,
    log: bool = False,
) -> F64:
    r"""
    Time at which the population accuracy Phi(-b / q), q = sigma S, reaches `accuracy`.

    It increases all the time, from Phi(1 / (sigma^2 lam)) at the first moment.

    Parameters
    ----------
    accuracy : array_like
        In (0, 1).
    lam : array_like
        lambda in (0, 1].
    sigma : array_like
        Scale, between 1e-50 and 1e50.
    lr : array_like
        Learning rate eta, greater than 0.
    log : bool, default False
        Return log t, which may lie beyond float64's range of t.

    Returns
    -------
    ndarray of float64, or scalar
        In steps, of the shape that the arguments broadcast to: 0 where the accuracy is there from
        the start, infinite where it is never reached.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), Figure 3, right. Never, for lam > 1/2, if 1/(sigma^2 (2 lam - 1)) is at most
    Phi^{-1}(accuracy). The time diverges only where lam -> 1/2 and sigma -> infinity together: for
    sigma -> infinity at fixed c it is 2 e^{(zeta - c) q_inf} / (lr (1+c)), zeta being
    Phi^{-1}(accuracy), and for c -> 0 at fixed sigma it stays finite.

    Examples
    --------
    >>> float(accuracy_time(0.95, 0.4, 0.5, 0.1)), float(accuracy_time(0.95, 0.9, 5.0, 0.1))
    (0.0, inf)
    """
    log = _checks.flag("log", log)
    wanted, ratio, width, rate = arguments(
        accuracy=(accuracy, "(0, 1)"),
        lam=(lam, "(0, 1]"),
        sigma=(sigma, _SIGMA),
        lr=(lr, "(0, inf)"),
    )
    zeta = ndtri(wanted).ravel()
    out = np.full(zeta.size, -np.inf)
    lams, sigmas = ratio.ravel(), width.ravel()
    with np.errstate(divide="ignore", over="ignore"):
        at_once = 1.0 / (sigmas * sigmas * lams) >= zeta
        never = (lams > 0.5) & (1.0 / (sigmas * sigmas * (2.0 * lams - 1.0)) <= zeta)
    out[never & ~at_once] = np.inf
    open_ = ~at_once & ~never
    if open_.any():
        flow, ratio_wanted = Flow(lams[open_], sigmas[open_]), zeta[open_]
        beta = bisect_log(
            lambda beta: ratio_wanted * flow.position(beta).q - beta, zeta[open_].size
        )
        out[open_] = flow.log_time(beta) - np.log(rate).ravel()[open_]
    with np.errstate(over="ignore"):
        return scalar((out if log else np.exp(out)).reshape(wanted.shape))


def _last_general(flow: Flow, goal: F64) -> F64:
    """Find -b at the last time at which -beta + q^2/2, the log of the population loss, is `goal`.

    It falls, may rise once and falls again, because d(beta)/dq is convex in q.
    """

    def logarithm(beta: F64) -> F64:
        return 0.5 * flow.position(beta).q ** 2 - beta

    def rises(beta: F64) -> F64:
        q = flow.position(beta).q
        return (
            q - np.exp(np.logaddexp(0.0, (1.0 + flow.c) * q) - flow.log_gap(beta, q)) / flow.square
        )

    def slowing(beta: F64) -> F64:
        q = flow.position(beta).q
        bend = np.exp((1.0 + flow.c) * q - 2.0 * flow.log_gap(beta, q)) / flow.square
        return 1.0 - (1.0 + flow.c) ** 2 * bend

    with np.errstate(over="ignore"):
        steepest = bisect_log(slowing, goal.size)
        peak = bisect_log(lambda beta: np.where(beta < steepest, 1.0, rises(beta)), goal.size)
        second_fall = (rises(steepest) > 0.0) & (logarithm(peak) >= goal)

    def excess(beta: F64) -> F64:
        return np.where(second_fall & (beta < peak), 1.0, logarithm(beta) - goal)

    return bisect_log(excess, goal.size)


def _invert_time(flow: Flow, target: F64) -> tuple[F64, Position]:
    """Solve log(lr t) = target for -b = log(1 + e^u): in u the function has a slope of order 1."""
    # d(lr t)/d(-b) is at least e^{-(1+M^2) b}, M = sigma max(-c, 0), at most 2 e^{-(1+sigma^2) b}.
    high = _growing(target, 1.0 + flow.square * np.minimum(flow.c, 0.0) ** 2)
    low = _growing(target - np.log(2.0), 1.0 + flow.square)
    u = high.copy()
    for _ in range(200):
        beta = np.logaddexp(0.0, u)
        position = flow.position(beta)
        value = flow.log_time(beta, position)
        above = value > target
        low, high = np.where(above, low, u), np.where(above, u, high)
        with np.errstate(all="ignore"):
            slope = np.exp(beta + flow.log_speed(position) - value) * -np.expm1(-beta)
            step = (value - target) / slope
        proposed = u - step
        inside = (proposed >= low) & (proposed <= high)
        u = np.where(inside, proposed, 0.5 * (low + high))
        if np.all(np.abs(step) <= CLOSE * np.maximum(np.abs(u), 1.0)):
            break
    beta = np.logaddexp(0.0, u)
    return beta, flow.position(beta)


def _growing(log_t: F64, rate: F64) -> F64:
    """Return u at the time t of beta = log(1 + e^u) with dt/d(beta) = e^{rate beta}."""
    beta = np.exp(np.log(np.logaddexp(0.0, log_t + np.log(rate))) - np.log(rate))
    out: F64 = beta + np.log(-np.expm1(-beta))
    return out
