r"""
Gaussian points of constant label: Beck, Levi, Bar-Sinai (2025), arXiv 2410.04489.

Points x ~ N(0, sigma^2 I_d), all labelled -1, n of them, lambda = d / n; logit w . x + b, mean
loss, descent from 0. Predictions for the population, for whether a draw is separable from the
origin and for the margin and the weights that descent tends to.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, owens_t

from fastgrok import _checks
from fastgrok._checks.docstrings import described
from fastgrok._checks.populations import Population, flip_probability
from fastgrok.theory._arguments import F64, arguments, scalar
from fastgrok.theory._large_n import large_n_margin, large_n_stationary
from fastgrok.theory._population_loss import FORMULAS, gaussian_loss, population_loss
from fastgrok.theory._stationary import StationaryPoint, stationary_point
from fastgrok.theory._wendel import separable_probability

__all__ = [
    "GaussianNoise",
    "StationaryPoint",
    "conformal_time",
    "label_fraction_accuracy",
    "large_n_margin",
    "large_n_stationary",
    "limit_accuracy",
    "population_accuracy",
    "population_loss",
    "separable_probability",
    "stationary_point",
]

_TIES = {"wrong": 0.0, "negative": 1.0, "half": 0.5}
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


def limit_accuracy(margin: ArrayLike, sigma: ArrayLike) -> F64:
    r"""
    Accuracy on the population that descent tends to, Phi(1 / (sigma M)).

    Parameters
    ----------
    margin : array_like
        M, the training data's margin from the origin: the largest min_i u . x_i over unit vectors
        u, in the units of the data, sigma included; 0 if they are not separable from the origin.
    sigma : array_like
        Standard deviation of each coordinate, greater than 0.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that the arguments broadcast to; 1 where `margin` is 0.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    Beck et al. (2025), Proposition 3.2 and Figure 1: 1/2 [1 + erf(1/(sigma M sqrt 2))],
    since ``|b| / ||w||`` tends to 1/M. The approach is slow, like 1/log t. A draw that is not
    separable but has the origin on the boundary of its hull, which their Proposition 3.2 leaves
    out, also tends to 1.

    Examples
    --------
    >>> limit_accuracy([0.0, 0.2], 5.0)
    array([1.        , 0.84134475])
    """
    distance, width = arguments(margin=(margin, "[0, inf)"), sigma=(sigma, "(0, inf)"))
    with np.errstate(divide="ignore", over="ignore"):
        return scalar(ndtr(1.0 / (width * distance)))


def population_accuracy(
    norm_w: ArrayLike, b: ArrayLike, sigma: ArrayLike, *, tie: str = "wrong"
) -> F64:
    r"""
    Accuracy of a hyperplane on x ~ N(0, sigma^2 I), every label -1: Phi(-b / (sigma ||w||)).

    Parameters
    ----------
    norm_w : array_like
        ||w||, at least 0.
    b : array_like
        Bias.
    sigma : array_like
        Standard deviation of each coordinate, greater than 0.
    tie : {"wrong", "negative", "half"}, default "wrong"
        What w = 0 with b = 0 counts as: 0, 1 (class -1), or 1/2, the value by continuity.

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
    Beck et al. (2025), their generalisation accuracy 1/2 [1 - erf(b/(sigma ||w|| sqrt 2))].

    Examples
    --------
    >>> round(float(population_accuracy(2.0, -10.0, 5.0)), 6)
    0.841345
    """
    _checks.choice("tie", tie, _TIES)
    size, bias, width = arguments(
        norm_w=(norm_w, "[0, inf)"), b=(b, "(-inf, inf)"), sigma=(sigma, "(0, inf)")
    )
    return scalar(_accuracy(size, bias, width, tie))


def _accuracy(norm_w: F64, b: F64, sigma: F64, tie: str) -> F64:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        right = ndtr(-b / norm_w / sigma)
    return np.where((norm_w == 0.0) & (b == 0.0), _TIES[tie], right)


def label_fraction_accuracy(
    w: ArrayLike, b: ArrayLike, sigma: ArrayLike, r: ArrayLike, *, tie: str = "wrong"
) -> F64:
    r"""
    Accuracy on x ~ N(0, sigma^2 I) with label -1 where x_1 <= sigma Phi^{-1}(r), else +1.

    With h = -b / (sigma ||w||), k = Phi^{-1}(r) and rho = w_1 / ||w||,

        A = 1 - Phi(h) - r + 2 Phi_2(h, k; rho),

    Phi_2 being the bivariate normal distribution function of correlation rho.

    Parameters
    ----------
    w : array_like of shape (..., d)
        Weights.
    b : array_like
        Bias.
    sigma : array_like
        Standard deviation of each coordinate, greater than 0.
    r : array_like
        Fraction of the points that are labelled -1, in (0, 1]; 1 is the constant label.
    tie : {"wrong", "negative", "half"}, default "wrong"
        Whether w = 0 with b = 0 counts as 0, as r (class -1), or as 1/2.

    Returns
    -------
    ndarray of float64, or scalar
        Of the shape that ``w[..., 0]`` and the other arguments broadcast to. Absolute error about
        1e-15.

    Raises
    ------
    ValueError, TypeError
        If an argument lies outside its domain or is not a number.

    Notes
    -----
    The data of Figure 16 of Beck et al. (2025), which :func:`fastgrok.datasets.gaussian_noise`
    draws with ``label_fraction``: our reading of Appendix I, where labels depend on the first
    coordinate and are not flipped at random. The formula is not in the paper.

    Examples
    --------
    >>> float(label_fraction_accuracy([1.0, 0.0], 0.0, 5.0, 0.5))
    1.0
    """
    _checks.choice("tie", tie, _TIES)
    weights = _checks.numbers("w", w)
    if weights.ndim == 0 or weights.shape[-1] == 0:
        raise ValueError(f"w must have shape (..., d) with d at least 1, got {weights.shape}")
    _checks.finite("w", weights)
    weights = _checks.as_float("w", weights)
    # Scaled by a power of two, so that no square overflows or underflows.
    exponent = np.frexp(np.abs(weights).max(axis=-1, initial=0.0))[1]
    weights = np.ldexp(weights, -exponent[..., None])
    first, bias, width, fraction = arguments(
        w=(weights[..., 0], "(-inf, inf)"),
        b=(b, "(-inf, inf)"),
        sigma=(sigma, "(0, inf)"),
        r=(r, "(0, 1]"),
    )
    rest = np.broadcast_to(np.linalg.norm(weights[..., 1:], axis=-1), first.shape)
    size = np.hypot(first, rest)
    with np.errstate(all="ignore"):
        h = 0.0 - np.ldexp(bias, -exponent) / size / width  # not -0.0
        together = _both_below(h, ndtri(fraction), first / size, rest / size)
        out = 1.0 - ndtr(h) - fraction + 2.0 * together
    undecided = np.where(tie == "negative", fraction, _TIES[tie])
    constant = np.where(bias == 0.0, undecided, np.where(bias < 0.0, fraction, 1.0 - fraction))
    return scalar(np.where(size == 0.0, constant, out))


def _both_below(h: F64, k: F64, rho: F64, complement: F64) -> F64:
    """P(X <= h, Y <= k) for standard normals of correlation rho; `complement` is sqrt(1-rho^2)."""
    # Owen (1956), eq. 2.1.
    apart = np.where((h * k < 0.0) | ((h * k == 0.0) & (h + k < 0.0)), 0.5, 0.0)
    out = 0.5 * (ndtr(h) + ndtr(k)) - apart
    for one, other in ((h, k), (k, h)):
        out -= owens_t(one, (other - rho * one) / (one * complement))
    centre = 0.25 + np.arctan2(rho, complement) / (2.0 * np.pi)
    out = np.where((h == 0.0) & (k == 0.0), centre, out)
    same = ndtr(np.minimum(h, k))
    opposite = np.maximum(ndtr(h) - ndtr(-k), 0.0)
    out = np.where(complement == 0.0, np.where(rho > 0.0, same, opposite), out)
    return np.where(np.isinf(h) | np.isinf(k), same, out)


class _Recorded(Protocol):
    @property
    def steps(self) -> NDArray[np.integer] | F64: ...
    @property
    def b(self) -> F64: ...


def conformal_time(trajectory: _Recorded) -> F64:
    r"""
    Conformal time tau(t), the integral of e^{b(t')} from 0 to t in steps, at every record of a run.

    Under the flow of the exponential loss of points labelled -1 the weights at time t are those of
    the flow without bias at time tau(t), exactly.

    Parameters
    ----------
    trajectory : Trajectory
        A run recorded from step 0 on (anything with ``steps`` and ``b`` will do).

    Returns
    -------
    ndarray of float64, shape (R,)
        tau in steps, increasing from 0. Between records b is interpolated by a cubic spline in
        log(1 + t), which is good to about 1e-6 for smooth runs with the default records.

    Raises
    ------
    ValueError
        If the run was not recorded at step 0.

    Notes
    -----
    Beck et al. (2025), Figure 2. The paper states the identity for descent; it is exact for the
    flow of the exponential loss. Of descent, only this is exact: w follows the descent without
    bias whose step sizes are lr e^{b_k}, of which tau is the sum up to the difference between a
    sum and an integral, (e^{b_0} - e^{b_t}) / 2 to first order. For the logistic loss the identity
    holds at late times, up to O(e^b) = O(1/t).

    Examples
    --------
    >>> import fastgrok as fg
    >>> data = fg.datasets.gaussian_noise(100, 40, seed=0)
    >>> run = fg.train(data.X, data.y, steps=1000, lr=0.01, loss="exponential")
    >>> tau = conformal_time(run)
    >>> bool(tau[-1] < run.steps[-1])
    True
    """
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 (slow to import)

    times, b = np.asarray(trajectory.steps, dtype=np.float64), np.asarray(trajectory.b)
    if times.size == 0 or times[0] != 0.0:
        first = times[0] if times.size else "none"
        raise ValueError(f"trajectory must be recorded from step 0 on, its first record is {first}")
    if times.size == 1:
        return np.zeros(1)
    at = np.log1p(times)
    bias = CubicSpline(at, b)
    half = 0.5 * np.diff(at)
    inner = (at[:-1] + half)[:, None] + half[:, None] * _NODES
    pieces: F64 = half * (np.exp(bias(inner) + inner) @ _WEIGHTS)
    return np.concatenate(([0.0], np.cumsum(pieces)))


class GaussianNoise(Population):
    r"""
    The population x ~ N(0, sigma^2 I), every label -1, as an evaluation set of `fastgrok.train`.

    ``train(..., evals={"population": GaussianNoise(5.0)})`` records Phi(-b / (sigma ||w||)) as
    accuracy and the expected loss of a point, from the norm of the weights and the bias.

    Parameters
    ----------
    sigma : float
        Standard deviation of each coordinate, greater than 0.
    flip : float, default 0.0
        Probability of a flipped label, in [0, 1], as :func:`fastgrok.datasets.flip_labels` has it.

    Raises
    ------
    ValueError, TypeError
        If `sigma` is not a positive number, or `flip` no probability.

    See Also
    --------
    population_accuracy, population_loss : The formulas.

    Examples
    --------
    >>> import fastgrok as fg
    >>> data = fg.datasets.gaussian_noise(100, 40, sigma=5.0, seed=0)
    >>> tests = {"population": GaussianNoise(5.0)}
    >>> run = fg.train(data.X, data.y, steps=1000, lr=0.01, evals=tests)
    >>> bool(0.5 < run.accuracy["population"][-1] < 1.0)
    True
    """

    losses: ClassVar[tuple[str, ...]] = tuple(FORMULAS)
    needs_weights: ClassVar[bool] = False

    def __init__(self, sigma: float, *, flip: float = 0.0) -> None:
        self.sigma = _checks.real("sigma", sigma, positive=True)
        self.flip = flip_probability(flip)

    def __repr__(self) -> str:
        """Say which population."""
        return f"GaussianNoise(sigma={self.sigma!r}, flip={self.flip!r})"

    @described(Population.check_columns)
    def check_columns(self, prefix: str, columns: int) -> None:
        """
        Any number of columns will do.

        Parameters
        ----------
        prefix, columns
            See `check_columns`.
        """

    @described(Population.curves)
    def curves(
        self, norm_w: F64, b: F64, weights: F64 | None, loss: str, tie: str
    ) -> tuple[F64, F64]:
        """
        Accuracy and loss at every record.

        Parameters
        ----------
        norm_w, b, weights, loss, tie
            See `curves`.
        """
        accuracy = _accuracy(norm_w, b, np.asarray(self.sigma), tie)
        losses = gaussian_loss(b, self.sigma * norm_w, loss)
        if self.flip > 0.0:
            undecided = (norm_w == 0.0) & (b == 0.0) & (tie == "wrong")
            accuracy = np.where(undecided, 0.0, accuracy + self.flip * (1.0 - 2.0 * accuracy))
            flipped = gaussian_loss(-b, self.sigma * norm_w, loss)
            losses = (1.0 - self.flip) * losses + self.flip * flipped
        return accuracy, losses
