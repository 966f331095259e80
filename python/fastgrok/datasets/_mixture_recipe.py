"""Gaussian points of two classes, or labelled by a teacher or by a logistic model."""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._checks.calls import helpful
from fastgrok.datasets._blocks import Part
from fastgrok.datasets._dataset import Dataset
from fastgrok.datasets.mixtures import MixtureLaw
from fastgrok.datasets.recipe import MOST_ENTRIES, Settings, empty_rows
from fastgrok.datasets.recipe import labels as of_classes

_CHUNK_ELEMENTS = 1 << 15


@helpful
def gaussian_mixture(
    n: int,
    dim: int,
    *,
    mu: ArrayLike,
    spectrum: Any = "isotropic",
    labels: Literal["classes", "teacher", "logistic"] = "classes",
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    progress: bool = False,
) -> Dataset:
    r"""
    Draw Gaussian points: two classes, or one cloud labelled by a teacher or by chance.

    With m the vector `mu`, Sigma = diag(`spectrum`) and z ~ N(0, I_d), points and labels are

    - "classes": x = y m + Sigma^{1/2} z, n - n // 2 of class +1 and then n // 2 of class -1;
    - "teacher": x = Sigma^{1/2} z, y = sign(m . x): only the direction of m matters, and the set
      is separable without a bias (the teacher-student perceptron);
    - "logistic": x = Sigma^{1/2} z, y = +1 with probability 1 / (1 + exp(-m . x)): m holds the
      true coefficients of a logistic regression.

    Parameters
    ----------
    n : int
        Number of points.
    dim : int
        Number of coordinates d.
    mu : float or (dim,) array_like
        The vector m; a number stands for (mu, 0, ..., 0). At most 1e30 in absolute value. A teacher
        has a coordinate where neither it nor the spectrum is 0.
    spectrum : "isotropic", ("power", a), ("spiked", k, s) or (dim,) array_like
        Variances of the coordinates, the eigenvalues of Sigma: all 1; j^-a for j = 1 ... d times
        the number that makes their mean 1, a at least 0; s for the first k coordinates and 1 for
        the others; or the variances themselves, each 0 or from 1e-60 to 1e60.
    labels : {"classes", "teacher", "logistic"}, default "classes"
        Where labels come from, as above.
    seed : int, default 0
        At least 0. The points of "teacher" and "logistic" are the same, and depend neither on `mu`
        nor on `n`: a smaller set has the first rows of a larger one.
    dtype : float64 or float32, default float64
        Of X. float32 gives the rounded numbers of float64; labels are those of the rounded ones.
    threads : int, optional
        By default the cores that this process may use.
    progress : bool, default False
        Show a bar.

    Returns
    -------
    Dataset
        ``w_true`` is m / ||m|| for "teacher", else None; ``gamma`` is None.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.

    See Also
    --------
    fastgrok.theory.mixture.GaussianMixture : The same law as an evaluation set, in closed form.
    flip_labels : Label noise.

    Examples
    --------
    >>> import fastgrok as fg
    >>> ds = fg.datasets.gaussian_mixture(100, 20, mu=1.0, spectrum=("power", 0.5))
    >>> ds
    Dataset(gaussian_mixture, (100, 20) float64, 50 of +1 and 50 of -1)
    """
    rows, columns = _checks.whole("n", n), _checks.whole("dim", dim, maximum=MOST_ENTRIES)
    law = MixtureLaw.checked(mu, spectrum, labels)
    if (problem := law.problem(columns)) is not None:
        raise ValueError(problem)
    settings = Settings.checked(seed, dtype, threads, progress)
    mean = law.mean(columns)
    fill = functools.partial(_fill, spread=np.sqrt(law.variances(columns)))
    X = empty_rows(rows, columns, settings.dtype)
    normal = None
    if law.labels == "classes":
        positive = rows - rows // 2
        settings.draw(
            [
                Part(X[:positive], functools.partial(fill, mean=mean)),
                Part(X[positive:], functools.partial(fill, mean=-mean)),
            ]
        )
        y = of_classes(positive, rows - positive)
    elif law.labels == "teacher":
        settings.draw([Part(X, fill)])
        y = np.where(_products(X, mean) > 0.0, 1.0, -1.0)
        scaled = mean / np.abs(mean).max()
        normal = scaled / np.linalg.norm(scaled)
    else:
        chance = np.empty((rows, 1))
        settings.draw([Part(X, fill), Part(chance, _fill_uniform)])
        with np.errstate(over="ignore"):
            y = np.where(chance[:, 0] < 1.0 / (1.0 + np.exp(-_products(X, mean))), 1.0, -1.0)
    params = settings.params("gaussian_mixture", n=rows, dim=columns, **law.params())
    return Dataset(X, y, w_true=normal, params=params)


def _fill(
    rng: np.random.Generator, out: NDArray[Any], spread: F64, mean: F64 | None = None
) -> None:
    """Draw in float64, and round where `out` is float32."""
    chunk = max(1, _CHUNK_ELEMENTS // out.shape[1])
    buffer = np.empty((min(chunk, len(out)), out.shape[1]))
    for start in range(0, len(out), chunk):
        block = out[start : start + chunk]
        drawn = rng.standard_normal(out=buffer[: len(block)])
        drawn *= spread
        if mean is not None:
            drawn += mean
        block[...] = drawn


def _fill_uniform(rng: np.random.Generator, out: NDArray[Any]) -> None:
    out[:, 0] = rng.random(len(out))


def _products(X: NDArray[Any], m: F64) -> F64:
    """X m in float64, summed in an order that depends on nothing but m."""
    kept = np.flatnonzero(m)
    out = np.zeros(len(X))
    if not kept.size:
        return out
    width = 1 << (kept.size - 1).bit_length()
    chunk = max(1, _CHUNK_ELEMENTS // width)
    for start in range(0, len(X), chunk):
        rows = X[start : start + chunk]
        sums = np.zeros((len(rows), width))
        sums[:, : kept.size] = rows[:, kept]
        sums[:, : kept.size] *= m[kept]
        while sums.shape[1] > 1:  # halves are added: no BLAS, whose order is its own
            half = sums.shape[1] // 2
            sums = sums[:, :half] + sums[:, half:]
        out[start : start + len(rows)] = sums[:, 0]
    return out
