r"""Accuracy and loss of a hyperplane on the slab low <= y u <= high of the cube, u = w_true . x.

The classes are equally frequent. A point of class y has the margin w_par u' + z + y b, u' = y u in
[low, high], w_par the component of w along w_true and z, of a symmetric law, what is orthogonal to
it. In the plane the slab is a trapezoid and the law is exact; elsewhere u' is taken as uniform and
z as normal.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtr

from fastgrok.linear.losses import LOSSES as ALL
from fastgrok.linear.losses import formula
from fastgrok.theory._arguments import F64
from fastgrok.theory._population_loss import below_zero, interval_loss

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
# Ends of the panels of an integral over the logit, above and below where the loss bends.
_PANELS = np.array([-60.0, -30.0, -18.0, -10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0, 18.0, 40.0])
_RECORDS = 512  # at a time
_BENDS: Mapping[str, Callable[[F64, F64], F64]] = {
    "logistic": lambda least, most: np.clip(0.0, least, most),
    "exponential": lambda least, most: most,
    "squared_hinge": lambda least, most: np.clip(-1.0, least, most),
    "hinge": lambda least, most: np.clip(-1.0, least, most),
    "squared": lambda least, most: most,
}
"""Where the panels are to lie about, between the least and the largest logit."""
LOSSES = tuple(_BENDS)


def thin_accuracy(first: F64, last: F64, spread: F64) -> F64:
    """P(margin > 0) for margins uniform between `first` and `last` plus `spread` times a normal."""
    with np.errstate(all="ignore"):
        length = last - first
        ends = np.maximum(last, 0.0) - np.maximum(first, 0.0)
        ends += spread * (_tail(last, spread) - _tail(first, spread))
        inner = first[:, None] + 0.5 * length[:, None] * (1.0 + _NODES)
        mean = 0.5 * ndtr(inner / spread[:, None]) @ _WEIGHTS
        near = np.abs(length) <= 1e-2 * spread
        single = np.where(spread > 0.0, ndtr(first / spread), np.where(first > 0.0, 1.0, 0.0))
        return np.select([length == 0.0, near], [single, mean], ends / length)


def _tail(m: F64, spread: F64) -> F64:
    return np.where(spread > 0.0, below_zero(np.abs(m) / spread), 0.0)


def thin_loss(first: F64, last: F64, spread: F64, loss: str) -> F64:
    """Mean loss of the same margins."""
    return interval_loss(-last, -first, spread, loss)


def plane_accuracy(corners: F64, sizes: F64) -> F64:
    """P(margin > 0) on triangles with margins (R, k, 3) at the corners, weighted by size (k,)."""
    low, middle, high = np.moveaxis(np.sort(corners, axis=-1), -1, 0)
    with np.errstate(all="ignore"):
        small = low / (middle - low) * (low / (high - low))
        large = 1.0 - high / (high - middle) * (high / (high - low))
    wrong = np.select([high <= 0.0, low >= 0.0, middle >= 0.0], [1.0, 0.0, small], large)
    right: F64 = (1.0 - wrong) @ sizes
    return right


def plane_loss(corners: F64, sizes: F64, loss: str) -> F64:
    """Mean loss on the same triangles."""
    out = np.empty(corners.shape[0])
    for start in range(0, corners.shape[0], _RECORDS):
        part = slice(start, start + _RECORDS)
        out[part] = _triangle_loss(-corners[part], loss) @ sizes
    return out


def _triangle_loss(corners: F64, loss: str) -> F64:
    """Mean of the loss over triangles whose logit -m is linear: a tent over its values."""
    low, middle, high = np.moveaxis(np.sort(corners, axis=-1), -1, 0)
    with np.errstate(all="ignore"):
        rise = (middle - low) / (high - low)
    tent = rise * _piece_loss(low, middle, loss) + (1.0 - rise) * _piece_loss(high, middle, loss)
    return np.where(high > low, tent, _loss(high, loss))


def _piece_loss(foot: F64, top: F64, loss: str) -> F64:
    """Mean of the loss with a density that rises linearly from 0 at `foot` to `top`."""
    length = top - foot
    least, most = np.minimum(foot, top), np.maximum(foot, top)
    # The loss falls off like e^x below 0 or, the exponential one, below its largest value.
    bend = formula(_BENDS, loss, "the slab's law")(least, most)
    shape = (*foot.shape, 1)
    ends = np.concatenate(
        [least.reshape(shape), bend[..., None] + _PANELS, most.reshape(shape)], axis=-1
    )
    with np.errstate(all="ignore"):
        at = (np.clip(ends, least[..., None], most[..., None]) - foot[..., None]) / length[
            ..., None
        ]
        at = np.nan_to_num(at)
        half = 0.5 * np.abs(np.diff(at, axis=-1))[..., None]
        tau = np.minimum(at[..., :-1], at[..., 1:])[..., None] + half * (1.0 + _NODES)
        values = _loss(foot[..., None, None] + length[..., None, None] * tau, loss)
        mean: F64 = (2.0 * half * tau * values * _WEIGHTS).sum(axis=(-2, -1))
        return mean


def _loss(x: F64, loss: str) -> F64:
    with np.errstate(over="ignore", under="ignore"):
        return ALL[loss].value(-x)


def trapezoid(
    along: F64, across: F64, b: F64, low: float, high: float, corner: float
) -> tuple[F64, F64]:
    """
    Margins at the corners of the slab in the plane, cut into two triangles.

    Returns
    -------
    corners : ndarray of shape (R, 4, 3)
        Of the triangles of class +1 and of class -1.
    sizes : ndarray of shape (4,)
        Their probabilities.
    """
    inner, outer = corner - low, corner - high
    vertices = np.array(
        [
            [(low, inner), (low, -inner), (high, outer)],
            [(high, outer), (high, -outer), (low, -inner)],
        ]
    )
    margins = along[:, None, None] * vertices[..., 0] + across[:, None, None] * vertices[..., 1]
    corners = np.concatenate([margins + b[:, None, None], margins - b[:, None, None]], axis=1)
    share = inner / (inner + outer)
    return corners, 0.5 * np.array([share, 1.0 - share, share, 1.0 - share])


def decompose(weights: F64) -> tuple[F64, F64]:
    """Component of each row of weights along the diagonal (1, ..., 1), and norm of the rest."""
    columns = weights.shape[1]
    exponents = np.frexp(np.abs(weights).max(axis=1))[1]  # squares might overflow
    weights = np.ldexp(weights, -exponents[:, None])
    mean = weights.mean(axis=1)
    along, across = math.sqrt(columns) * mean, np.linalg.norm(weights - mean[:, None], axis=1)
    return np.ldexp(along, exponents), np.ldexp(across, exponents)
