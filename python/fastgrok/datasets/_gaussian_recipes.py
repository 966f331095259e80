"""Beck et al. (2025): Gaussian points of constant label, and the models around them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastgrok import _checks
from fastgrok._checks.calls import helpful
from fastgrok._checks.docstrings import described
from fastgrok.datasets._blocks import Part
from fastgrok.datasets._cube_recipes import margin_cube
from fastgrok.datasets._dataset import Dataset
from fastgrok.datasets.recipe import Settings, empty_rows, labels, scale

_CHUNK_ELEMENTS = 1 << 15
_MAX_SHIFT = 1e30


@described(margin_cube)
@helpful
def gaussian_noise(
    n: int,
    dim: int,
    *,
    sigma: float = 1.0,
    label_fraction: float = 1.0,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    progress: bool = False,
) -> Dataset:
    r"""
    Draw Gaussian points, all labelled -1, or labelled by a threshold on the first coordinate.

    The main model of Beck et al. (2025): x ~ N(0, sigma^2 I_d), y = -1, lambda = dim / n.

    Parameters
    ----------
    n : int
        Number of points.
    dim : int
        Number of coordinates d.
    sigma : float, default 1.0
        Standard deviation of each coordinate, from 1e-30 to 1e30.
    label_fraction : float, default 1.0
        r in (0, 1]: y = +1 where x_1 > sigma Phi^{-1}(r), else -1, so that a fraction near r of
        the points is labelled -1, and all of them at r = 1 (our reading of the paper's
        Appendix I; labels are not flipped at random).
    seed
        See `margin_cube`. The points don't depend on `label_fraction`.
    dtype
        See `margin_cube`. float32 gives the rounded numbers of float64;
        labels are those of the rounded ones.
    threads, progress
        See `margin_cube`.

    Returns
    -------
    Dataset
        ``w_true`` and ``gamma`` are None: no hyperplane through the origin defines the labels.
        ``params["threshold"]`` is sigma Phi^{-1}(r), None at r = 1.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.

    Examples
    --------
    >>> import fastgrok as fg
    >>> ds = fg.datasets.gaussian_noise(1000, 480, sigma=5.0)
    >>> ds.X.shape, float(ds.y.max())
    ((1000, 480), -1.0)
    """
    rows, columns = _checks.whole("n", n), _checks.whole("dim", dim)
    width = scale("sigma", sigma)
    fraction = _fraction("label_fraction", label_fraction)
    settings = Settings.checked(seed, dtype, threads, progress)
    X = empty_rows(rows, columns, settings.dtype)
    settings.draw([Part(X, functools.partial(_fill_normal, sigma=width))])
    threshold = None if fraction == 1.0 else width * _normal_quantile(fraction)
    if threshold is None:
        y = labels(0, rows)
    else:
        y = np.where(X[:, 0].astype(np.float64) > threshold, 1.0, -1.0)
    params = settings.params(
        "gaussian_noise",
        n=rows,
        dim=columns,
        sigma=width,
        label_fraction=fraction,
        threshold=threshold,
    )
    return Dataset(X, y, params=params)


@described(margin_cube)
@helpful
def two_gaussians(
    n: int,
    dim: int,
    *,
    mu: float = 0.2,
    sigma_a: float = 0.0,
    sigma_b: float = 1.0,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    progress: bool = False,
) -> Dataset:
    """
    Draw two Gaussian classes that differ in the first coordinate and share `dim` noise ones.

    The model that Beck et al. (2025) start from: x = (y mu + sigma_a xi, sigma_b z), xi ~ N(0, 1),
    z ~ N(0, I_dim), for descent without bias. For sigma_a = 0 it is the constant-label model with
    bias, sigma = sigma_b / mu and learning rate mu^2 lr, step by step.

    Parameters
    ----------
    n : int
        Number of points: n - n // 2 of class +1, then n // 2 of class -1.
    dim : int
        Number of noise coordinates; X has dim + 1 columns.
    mu : float, default 0.2
        Means of the first coordinate are mu and -mu; at most 1e30 in absolute value.
    sigma_a : float, default 0.0
        Standard deviation of the first coordinate: 0, or from 1e-30 to 1e30.
    sigma_b : float, default 1.0
        Standard deviation of the noise coordinates, from 1e-30 to 1e30.
    seed
        See `margin_cube`.
    dtype
        See `margin_cube`. float32 gives the rounded numbers of float64.
    threads, progress
        See `margin_cube`.

    Returns
    -------
    Dataset
        ``w_true`` and ``gamma`` are None.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.

    Examples
    --------
    >>> import fastgrok as fg
    >>> fg.datasets.two_gaussians(4, 2).X[:, 0]
    array([ 0.2,  0.2, -0.2, -0.2])
    """
    rows, columns = _checks.whole("n", n), _checks.whole("dim", dim)
    mean = _checks.real("mu", mu)
    if abs(mean) > _MAX_SHIFT:
        raise ValueError(f"mu must be at most {_MAX_SHIFT:g} in absolute value, got {mean!r}")
    spread = _checks.real("sigma_a", sigma_a)
    if spread != 0.0:
        spread = scale("sigma_a", sigma_a)
    noise = scale("sigma_b", sigma_b)
    settings = Settings.checked(seed, dtype, threads, progress)
    X = empty_rows(rows, columns + 1, settings.dtype)
    positive = rows - rows // 2
    settings.draw(
        [
            Part(part, functools.partial(_fill_class, mean=m, sigma_a=spread, sigma_b=noise))
            for part, m in ((X[:positive], mean), (X[positive:], -mean))
        ]
    )
    params = settings.params(
        "two_gaussians", n=rows, dim=columns, mu=mean, sigma_a=spread, sigma_b=noise
    )
    return Dataset(X, labels(positive, rows - positive), params=params)


@helpful
def two_points(lam: float, *, sigma: float = 1.0) -> Dataset:
    """
    Return the two points of the one-dimensional model: -sigma and sigma (1 - 2 lam), labelled -1.

    Beck et al. (2025), the model they solve: not separable from the origin for lam < 1/2.

    Parameters
    ----------
    lam : float
        lambda, in (0, 1].
    sigma : float, default 1.0
        Scale, from 1e-30 to 1e30.

    Returns
    -------
    Dataset
        X of shape (2, 1), float64; ``w_true`` and ``gamma`` are None.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.

    Examples
    --------
    >>> import fastgrok as fg
    >>> fg.datasets.two_points(0.25, sigma=2.0).X.ravel()
    array([-2.,  1.])
    """
    fraction = _fraction("lam", lam)
    width = scale("sigma", sigma)
    X = np.array([[-width], [width * (1.0 - 2.0 * fraction)]])
    params = {"recipe": "two_points", "lam": fraction, "sigma": width}
    return Dataset(X, labels(0, 2), params=params)


def _fraction(name: str, value: float) -> float:
    out = _checks.real(name, value)
    if not 0.0 < out <= 1.0:
        raise ValueError(f"{name} must lie in (0, 1], got {_checks.show(value)}")
    return out


def _fill_normal(rng: np.random.Generator, out: NDArray[Any], sigma: float) -> None:
    """Draw normal numbers in float64, and round them where `out` is float32."""
    chunk = max(1, _CHUNK_ELEMENTS // out.shape[1])
    buffer = np.empty((min(chunk, len(out)), out.shape[1]))
    for start in range(0, len(out), chunk):
        block = out[start : start + chunk]
        drawn = rng.standard_normal(out=buffer[: len(block)])
        np.multiply(drawn, sigma, out=block, casting="same_kind")


def _fill_class(
    rng: np.random.Generator, out: NDArray[Any], mean: float, sigma_a: float, sigma_b: float
) -> None:
    """Draw one class of the two Gaussians."""
    _fill_normal(rng, out, sigma_b)
    out[:, 0] = mean + sigma_a * rng.standard_normal(len(out))


def _normal_quantile(p: float) -> float:
    """Phi^{-1}(p), p in (0, 1)."""
    from scipy.special import ndtri  # noqa: PLC0415 (rarely needed)

    return float(ndtri(p))
