"""The data sets of the paper, each by what it is drawn from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgrok import datasets
from fastgrok._checks import EvaluationSet
from fastgrok.datasets import Dataset
from fastgrok.theory.edge import GaussianNoise

F64 = NDArray[np.float64]

#: Entries of X from which on a data set is drawn and trained on by all cores, with none beside it.
LARGE = 10**8

#: Test sets of laws without a closed form have this seed plus that of the training set.
_TEST_SEED = 1_000_000


def threads_for(entries: int) -> int | None:
    """Return 1, beside other draws, or None, which is all cores, for so many entries."""
    return None if entries >= LARGE else 1


class Draw(Protocol):
    """A training set that can be drawn again, with the population that it comes from."""

    @property
    def seed(self) -> int:
        """Which draw it is."""

    def points(self) -> tuple[NDArray[Any], F64]:
        """Draw X and y."""

    def population(self) -> EvaluationSet:
        """Return the population, in closed form or as an independent sample."""


@dataclass(frozen=True)
class Noise:
    """
    Points of N(0, sigma^2 I), labelled -1, or by a threshold for a fraction of them.

    Attributes
    ----------
    n, dim : int
        Points and coordinates.
    sigma : float
        Standard deviation of a coordinate.
    seed : int
        Of the draw.
    label_fraction : float
        Share of the population that is labelled -1; 1 for all.
    dtype : str
        Of the points, "float64" or "float32".
    """

    n: int
    dim: int
    sigma: float
    seed: int
    label_fraction: float = 1.0
    dtype: str = "float64"

    @property
    def ratio(self) -> float:
        """Lambda, coordinates for each point."""
        return self.dim / self.n

    def points(self) -> tuple[NDArray[Any], F64]:
        """Draw X and y."""
        data = self._sample()
        return data.X, data.y

    def population(self) -> EvaluationSet:
        """Return the closed form of constant labels, otherwise a sample of the same size."""
        if self.label_fraction == 1.0:
            return GaussianNoise(self.sigma)
        return replace(self, seed=_TEST_SEED + self.seed)._sample()

    def _sample(self) -> Dataset:
        return datasets.gaussian_noise(
            self.n, self.dim, sigma=self.sigma, label_fraction=self.label_fraction,
            seed=self.seed, dtype=self.dtype, threads=threads_for(self.n * self.dim),
        )  # fmt: skip


@dataclass(frozen=True)
class Gaussians:
    """
    The two Gaussian classes that the paper starts from.

    Attributes
    ----------
    n, dim : int
        Points and coordinates.
    mu : float
        Distance of each class's mean from the origin, along the first coordinate.
    sigma_a, sigma_b : float
        Standard deviations of the first coordinate and of the others.
    seed : int
        Of the draw.
    dtype : str
        Of the points, "float64" or "float32".
    """

    n: int
    dim: int
    mu: float
    sigma_a: float
    sigma_b: float
    seed: int
    dtype: str = "float64"

    def points(self) -> tuple[NDArray[Any], F64]:
        """Draw X and y."""
        data = self._sample()
        return data.X, data.y

    def population(self) -> EvaluationSet:
        """Draw an independent sample of the same size."""
        return replace(self, seed=_TEST_SEED + self.seed)._sample()

    def _sample(self) -> Dataset:
        return datasets.two_gaussians(
            self.n, self.dim, mu=self.mu, sigma_a=self.sigma_a, sigma_b=self.sigma_b,
            seed=self.seed, dtype=self.dtype, threads=threads_for(self.n * self.dim),
        )  # fmt: skip


@dataclass(frozen=True)
class TwoPoints:
    """
    The two points of the one-dimensional model: -sigma and sigma c, c = 1 - 2 lambda.

    Attributes
    ----------
    c : float
        1 - 2 lambda.
    sigma : float
        Scale of both points.
    seed : int
        Of no effect: the points are not drawn.
    """

    c: float
    sigma: float
    seed: int = 0

    def points(self) -> tuple[NDArray[Any], F64]:
        """Return X and y; c is kept as it is, which 1 - 2 lambda would round."""
        return np.array([[-self.sigma], [self.sigma * self.c]]), np.full(2, -1.0)

    def population(self) -> EvaluationSet:
        """Return the normal law that the paper measures generalisation by."""
        return GaussianNoise(self.sigma)


#: Laws of a coordinate, of mean 0 and variance 1.
LAWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], F64]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.uniform(-(3.0**0.5), 3.0**0.5, shape),
    "signs": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "Laplace": lambda rng, shape: rng.laplace(0.0, 0.5**0.5, shape),
    "exponential": lambda rng, shape: rng.exponential(1.0, shape) - 1.0,
    "Student t, 5": lambda rng, shape: rng.standard_t(5, shape) * 0.6**0.5,
}


@dataclass(frozen=True)
class Coordinates:
    """
    Points labelled -1 whose coordinates are independent, of one of `LAWS` times sigma.

    Attributes
    ----------
    law : str
        Name of the law of a coordinate, of those in `LAWS`.
    n, dim : int
        Points and coordinates.
    sigma : float
        Standard deviation of a coordinate.
    seed : int
        Of the draw.
    """

    law: str
    n: int
    dim: int
    sigma: float
    seed: int

    @property
    def ratio(self) -> float:
        """Lambda, coordinates for each point."""
        return self.dim / self.n

    def points(self) -> tuple[NDArray[Any], F64]:
        """Draw X and y."""
        rng = np.random.default_rng([self.seed, len(self.law)])
        return self.sigma * LAWS[self.law](rng, (self.n, self.dim)), np.full(self.n, -1.0)

    def population(self) -> EvaluationSet:
        """Draw an independent sample of the same size."""
        return replace(self, seed=_TEST_SEED + self.seed).points()
