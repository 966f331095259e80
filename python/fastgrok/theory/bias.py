r"""
The bias and the concentrated test set: Das, Vedantam, Lakshminarayanan (2026), arXiv 2602.08302.

Points of the cube [-a, a]^d with labels y = sign(u), u = w_true . x, w_true = (1, ..., 1)/sqrt(d),
and y u >= gamma/2, some of them support vectors on the margin itself. Predictions for the bias
b(t), for the accuracy on test sets near the hyperplane, and for the time at which it is perfect.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from fastgrok.theory._arguments import F64, arguments, scalar
from fastgrok.theory._cube_law import mass, within_margin
from fastgrok.theory._grokking_time import grokking_time, paper_grokking_time
from fastgrok.theory._late_time import LateTime, late_time
from fastgrok.theory._reduced import reduced_model
from fastgrok.theory._slab import Slab

__all__ = [
    "LateTime",
    "Slab",
    "bias_curve",
    "concentrated_accuracy",
    "grokking_time",
    "late_time",
    "paper_grokking_time",
    "reduced_model",
    "standard_accuracy",
]

_POSITIVE = "(0, inf)"


def bias_curve(
    t: ArrayLike,
    a_plus: ArrayLike,
    a_minus: ArrayLike,
    lr: ArrayLike,
    b0: ArrayLike = 0.0,
    t0: ArrayLike = 1.0,
) -> F64:
    r"""
    Bias driven by the support vectors alone, by Theorem 4.5 of Das et al. (2026).

    The solution of db/dt = (lr/t) (A_+ e^{-b} - A_- e^{b}) with b(t0) = b0:

        b(t) = b_inf - 2 artanh(tanh((b_inf - b0)/2) e^{-g}),    b_inf = (1/2) log(A_+/A_-),
        g = 2 lr sqrt(A_+ A_-) log(t/t0).

    Parameters
    ----------
    t : array_like
        Time in steps, at least `t0`.
    a_plus, a_minus : array_like
        A_+ and A_-, the sums of exp(-w~ . x_i) and of exp(w~ . x_i) over the support vectors of
        class +1 and -1, w~ being the constant part of the weights' expansion in log t; greater
        than 0.
    lr : array_like
        Learning rate for the sum of the losses, or the learning rate over n for their mean; greater
        than 0.
    b0 : array_like, default 0.0
        Bias at `t0`.
    t0 : array_like, default 1.0
        Time from which on the support vectors dominate, greater than 0.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Das et al. (2026), equations 10, 11 and 17, with the learning rate that is missing
    there: without it the relaxation is off by orders of magnitude in t. This form is equal to
    equation 11 for either sign of b_inf - b0, and never overflows. With w~ and b~ of the same
    expansion, 2 lr sqrt(A_+ A_-) is 4/gamma^2 whatever the numbers of support vectors, so that b
    relaxes within a fraction of a step of log t and then follows the slow growth of the weights.

    The theorem treats w and b as decoupled, which is exact for antipodal support vectors up to a
    radial drift, and not in general: the true rate can be smaller by orders of magnitude.

    Examples
    --------
    >>> bias_curve([1.0, 1e3], 2.0, 1.0, 0.1).round(4)
    array([0.    , 0.2979])
    """
    time, plus, minus, rate, start, since = arguments(
        t=(t, _POSITIVE),
        a_plus=(a_plus, _POSITIVE),
        a_minus=(a_minus, _POSITIVE),
        lr=(lr, _POSITIVE),
        b0=(b0, "(-inf, inf)"),
        t0=(t0, _POSITIVE),
    )
    early = time < since
    if early.any():
        first = float(time[early][0])
        raise ValueError(f"t must not be less than t0 = {float(since[early][0])!r}, got {first!r}")
    limit = 0.5 * (np.log(plus) - np.log(minus))
    offset = start - limit
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        # Neither does log(t/t0) cancel near t0, nor t/t0 overflow.
        near = np.log1p((time - since) / since)
        log_time = np.where(time < 2.0 * since, near, np.log(time) - np.log(since))
        g = 2.0 * rate * np.sqrt(plus) * np.sqrt(minus) * log_time
        g = np.where(log_time > 0.0, g, 0.0)  # not infinity times 0
        size = np.abs(offset)
        k = np.tanh(0.5 * size) * np.exp(-g)
        # 1 - k = (1 - e^{-g}) + e^{-g} (1 - tanh), both by their logarithms.
        log_rest = np.logaddexp(
            np.log(-np.expm1(-g)), math.log(2.0) - g - size - np.log1p(np.exp(-size))
        )
        left = np.where(k < 0.5, 2.0 * np.arctanh(np.minimum(k, 0.5)), np.log1p(k) - log_rest)
    return scalar(limit + np.copysign(left, offset))


def concentrated_accuracy(
    distance: ArrayLike,
    gamma: ArrayLike,
    alpha: ArrayLike = 10.0,
    *,
    share: ArrayLike = 0.5,
    dim: ArrayLike | None = None,
    half_width: ArrayLike = 5.0,
) -> F64:
    r"""
    Accuracy on gamma/2 <= y u <= alpha gamma of a hyperplane orthogonal to w_true.

    With h its distance ``|b| / ||w||`` from the origin, only the class of sign -sign(b) is wrong,
    where ``|u|`` < h:

        1 - share * clip((h - gamma/2) / ((alpha - 1/2) gamma), 0, 1).

    Parameters
    ----------
    distance : array_like
        h, at least 0; NaN, the distance at w = 0 and b = 0, gives NaN.
    gamma : array_like
        Margin, greater than 0; with `dim`, at least 1e-9 of the cube must lie beyond it, where
        y u >= gamma/2.
    alpha : array_like, default 10.0
        Outer end of the test set in units of gamma, greater than 1/2.
    share : array_like, default 0.5
        Frequency of the class of sign -sign(b), in [0, 1].
    dim : array_like of int, optional
        Number of coordinates: takes the density of u as it is on the cube, not as a constant, which
        changes the error by about a thousandth of itself at d = 2.
    half_width : array_like, default 5.0
        Half the side of the cube, greater than 0; only with `dim`.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    See Also
    --------
    Slab : The same for any weights, as an evaluation set.

    Notes
    -----
    Das et al. (2026), their Q(t), for classes of equal frequency and without the clip to
    [1/2, 1].

    Examples
    --------
    >>> concentrated_accuracy([0.0005, 0.005, 1.0], 1e-3).round(4)
    array([1.    , 0.7632, 0.5   ])
    """
    settings = {
        "distance": (distance, "[0, inf] or nan"),
        "gamma": (gamma, _POSITIVE),
        "alpha": (alpha, "(0.5, inf)"),
        "share": (share, "[0, 1]"),
    }
    if dim is None:
        h, margin, reach, weight = arguments(**settings)
        return scalar(1.0 - weight * _thin(h, margin, reach))
    h, margin, reach, weight, columns, width = arguments(
        **settings,
        dim=(dim, "integers in [1, inf)"),
        half_width=(half_width, _POSITIVE),
    )
    inner = within_margin(margin, columns, width)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        whole = mass(reach * margin, columns, width) - inner
        wrong = np.clip((mass(h, columns, width) - inner) / whole, 0.0, 1.0)
    # A slab thinner than rounding has one density.
    return scalar(1.0 - weight * np.where(whole > 0.0, wrong, _thin(h, margin, reach)))


def standard_accuracy(
    distance: ArrayLike,
    gamma: ArrayLike,
    dim: ArrayLike,
    *,
    share: ArrayLike = 0.5,
    half_width: ArrayLike = 5.0,
) -> F64:
    r"""
    Accuracy on the cube beyond the margin, y u >= gamma/2, of a hyperplane orthogonal to w_true.

    With F(h) the probability that ``|u|`` <= h for points uniform on the cube,

        1 - share * max(F(h) - F(gamma/2), 0) / (1 - F(gamma/2)).

    Parameters
    ----------
    distance : array_like
        Distance h = ``|b| / ||w||`` of the hyperplane from the origin, at least 0; NaN, its value
        at w = 0 and b = 0, gives NaN.
    gamma : array_like
        Margin, at least 0; at least 1e-9 of the cube must lie beyond it.
    dim : array_like of int
        Number of coordinates d.
    share : array_like, default 0.5
        Frequency of the class of sign -sign(b), in [0, 1].
    half_width : array_like, default 5.0
        Half the side a of the cube, greater than 0.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    The standard test set of Das et al. (2026), who give no formula. F(h) = (2 U h -
    h^2)/U^2 at d = 2 with U = a sqrt(2), and tends to erf(h sqrt(3/2) / a) for large d.

    Examples
    --------
    >>> float(standard_accuracy(5.0, 0.0, 1))
    0.5
    """
    h, margin, columns, weight, width = arguments(
        distance=(distance, "[0, inf] or nan"),
        gamma=(gamma, "[0, inf)"),
        dim=(dim, "integers in [1, inf)"),
        share=(share, "[0, 1]"),
        half_width=(half_width, _POSITIVE),
    )
    inner = within_margin(margin, columns, width)
    wrong = np.maximum(mass(h, columns, width) - inner, 0.0) / (1.0 - inner)
    return scalar(1.0 - weight * wrong)


def _thin(h: F64, gamma: F64, alpha: F64) -> F64:
    """Share of gamma/2 <= u <= alpha gamma with u < h, for a constant density of u."""
    with np.errstate(over="ignore"):
        return np.clip((h / gamma - 0.5) / (alpha - 0.5), 0.0, 1.0)
