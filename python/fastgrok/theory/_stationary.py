"""Where descent on points of constant label comes to rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.errors import FastgrokError
from fastgrok.geometry import Separability, decide, exact_rank
from fastgrok.theory._exponential_mean import least_exponential_mean


class StationaryPoint(NamedTuple):
    """
    The weights' limit on points of constant label, and how it is approached.

    Attributes
    ----------
    S : ndarray of shape (d,)
        argmin of mean_i exp(S . x_i), in the span of the points.
    level : float
        The least value, ell: b(t) = -log(lr ell t) + o(1) for the mean loss.
    exponent : float
        mu / ell, where mu is the smallest nonzero eigenvalue of mean_i exp(S . x_i) x_i x_i^T:
        ||w(t) - S|| falls like t^-exponent for the exponential loss and like t^-min(exponent, 1)
        for the logistic loss.
    """

    S: F64
    level: float
    exponent: float


def stationary_point(
    X: ArrayLike, *, separability: Separability | None = None, threads: int | None = None
) -> StationaryPoint:
    r"""
    Limit of the weights on points of label -1 that surround the origin.

    With all labels -1 and a bias that falls without end, the weights follow the exponential loss
    of the points alone and tend to

        S = argmin mean_i exp(S . x_i),

    which exists just where the origin lies in the relative interior of the points' convex hull
    (`fastgrok.separability` says "interior"); this is verified first. With
    ell = mean_i exp(S . x_i), as t grows,

        b(t) = -log(lr ell t) + o(1),    lr t L(t) -> 1,    ||w(t) - S|| ~ C t^-exponent.

    Components of the initial weights orthogonal to all points never change and add to S. For
    labels +1 the limit is that of the points -x_i.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Points.
    separability : Separability, optional
        What `fastgrok.separability` says of these points, where it has been asked already.
    threads : int, optional
        For the test of separability. Default, and in a child of fork, as `fastgrok.train` says.

    Returns
    -------
    StationaryPoint
        A named tuple (S, level, exponent).

    Raises
    ------
    ValueError
        If the origin is not in the relative interior of the hull, so that the weights diverge;
        for wrong shapes and values.
    FastgrokError
        If that could not be decided, or the point not be found to about six digits.
    TypeError
        For values that are not real numbers, or if `separability` is something else.

    Notes
    -----
    Beck et al. (2025), arXiv 2410.04489, Proposition 3.2, the case that is not separable. On the
    boundary of the hull, which they leave out, w diverges like log log t. The paper's formula for
    two points, 1/(1+c) log(1/c), lacks a factor of 1/sigma.
    """
    rows = _checks.matrix("X", X)
    count = _checks.threads(threads)
    found = separability
    if found is None:
        found = decide(rows, np.ones(len(rows)), False, count)
    else:
        _check_known(found, len(rows))
    if found.verdict in ("separable", "boundary"):
        where = {"separable": "outside", "boundary": "on the boundary of"}[found.verdict]
        raise ValueError(
            f"X has no stationary point: the origin is {where} the convex hull of its "
            f"{_checks.plural(len(rows), 'point')}, and the weights diverge"
        )
    if found.verdict != "interior":
        raise FastgrokError(
            "X may have no stationary point: whether the origin is in the relative interior of the "
            f"convex hull of its {_checks.plural(len(rows), 'point')} could not be decided"
        )
    if not rows.any():
        return StationaryPoint(np.zeros(rows.shape[1]), 1.0, float("inf"))
    vectors = rows.astype(np.float64, copy=False)
    balanced = np.flatnonzero(np.asarray(found.weights))  # they span all others
    least = least_exponential_mean(vectors, exact_rank(vectors[balanced]))
    if not (least.converged and np.isfinite(least.point).all()):
        raise FastgrokError(
            f"the stationary point of the {_checks.plural(len(rows), 'point')} of X "
            "was not found: the origin is too "
            "close to the boundary of their convex hull, or X too small or its columns of too "
            "different units for weights in float64"
        )
    # The eigenvalue is that of the mean over the level, which is what the weights are.
    return StationaryPoint(least.point, float(np.exp(least.log_mean)), least.curvature)


def _check_known(found: Separability, points: int) -> None:
    """Refuse what is not the separability of so many points from the origin."""
    if not isinstance(found, Separability):
        raise TypeError(
            f"separability must be what fastgrok.separability returned, got {_checks.show(found)}"
        )
    if found.bias or (found.weights is not None and found.weights.size != points):
        raise ValueError(
            f"separability must be that of the {_checks.plural(points, 'point')} of X from the "
            f"origin, without labels, got {found}"
        )
