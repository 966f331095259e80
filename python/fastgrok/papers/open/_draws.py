"""The data sets of these figures, each by what it is drawn from."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgrok import datasets
from fastgrok._checks import EvaluationSet
from fastgrok.geometry import kernel_rows
from fastgrok.theory.edge import GaussianNoise

F64 = NDArray[np.float64]

#: Test sets have this seed plus that of the training set.
_TEST_SEED = 1_000_000

#: What is tested on, by name; "test" is the set whose accuracy rises late.
Tests = dict[str, EvaluationSet]


class Draw(Protocol):
    """A training set that can be drawn again, with what it is tested on."""

    @property
    def seed(self) -> int:
        """Which draw it is."""

    def sample(self) -> tuple[NDArray[Any], F64, Tests]:
        """Draw X, y and the sets to test on."""


@dataclass(frozen=True)
class Edge:
    """
    Points of N(0, sigma^2 I), labelled -1, as Beck et al. have them.

    Tested on the whole population, which has only the label -1.

    Attributes
    ----------
    n : int
        Points.
    ratio : float
        lambda = d / n.
    seed : int
        Of the draw.
    noise : float
        Share of the training labels that is flipped.
    sigma : float
        Standard deviation of a coordinate.
    """

    n: int
    ratio: float
    seed: int
    noise: float = 0.0
    sigma: float = 5.0

    @property
    def dim(self) -> int:
        """Coordinates, lambda n."""
        return max(1, round(self.ratio * self.n))

    def sample(self) -> tuple[NDArray[Any], F64, Tests]:
        """Draw X, y and the sets to test on."""
        data = datasets.gaussian_noise(
            self.n, self.dim, sigma=self.sigma, seed=self.seed, threads=1
        )
        data = datasets.flip_labels(data, self.noise, seed=self.seed)
        return data.X, data.y, {"test": GaussianNoise(self.sigma)}


@dataclass(frozen=True)
class Cube:
    """
    Das et al.'s square with a margin of 1e-3, tested on points close to the hyperplane.

    Attributes
    ----------
    classes : int
        Points of each class.
    support : tuple of int
        How many of each class, +1 first, are planted on the margin.
    seed : int
        Of the draw.
    noise : float
        Share of the training labels that is flipped; none of the test set's is.
    """

    classes: int
    support: tuple[int, int]
    seed: int
    noise: float = 0.0

    def sample(self) -> tuple[NDArray[Any], F64, Tests]:
        """Draw X, y and the sets to test on."""
        sizes = (self.classes, self.classes)
        data = datasets.margin_cube(sizes, 2, support=self.support, seed=self.seed, threads=1)
        test = datasets.concentrated(sizes, 2, seed=_TEST_SEED + self.seed, threads=1)
        data = datasets.flip_labels(data, self.noise, seed=self.seed)
        return data.X, data.y, {"test": test}


@dataclass(frozen=True)
class Teacher:
    """
    Points of N(0, I), labelled by the side of a hyperplane through the origin that is drawn, too.

    Attributes
    ----------
    n, dim : int
        Points and coordinates.
    seed : int
        Of the draw.
    tests : int
        Points of the test set.
    """

    n: int
    dim: int
    seed: int
    tests: int = 2000

    def sample(self) -> tuple[NDArray[Any], F64, Tests]:
        """Draw X, y and the sets to test on."""
        rng = np.random.default_rng(self.seed)
        normal = rng.standard_normal(self.dim)
        X = rng.standard_normal((self.n + self.tests, self.dim))
        y = np.where(X @ normal > 0.0, 1.0, -1.0)
        return X[: self.n], y[: self.n], {"test": (X[self.n :], y[self.n :])}


@dataclass(frozen=True)
class Circle:
    """
    A disc and a ring around it with room between them, and pairs of points beside the unit circle.

    Every pair stands `gap` inside and outside of it. As rows whose descent is that in the space of
    the kernel exp(-gamma |a - b|^2). Tested near the circle ("test", between `gap` and twice that
    away from it) and far from it ("far", where disc and ring are).

    Attributes
    ----------
    gap : float
        Distance of the pairs from the unit circle.
    seed : int
        Of the draw.
    n : int
        Points of disc and ring together.
    pairs : int
        Pairs of points beside the circle.
    gamma : float
        Of the kernel exp(-gamma |a - b|^2).
    tests : int
        Points of each test set.
    """

    gap: float
    seed: int
    n: int = 1000
    pairs: int = 8
    gamma: float = 0.25
    tests: int = 2000

    def sample(self) -> tuple[NDArray[Any], F64, Tests]:
        """Draw X, y and the sets to test on."""
        rng = np.random.default_rng(self.seed)
        X, y = _disc_and_ring(self.n, 0.3, 0.8, rng)
        sides = np.tile([1.0, -1.0], self.pairs)
        angles = np.repeat(2.0 * np.pi * np.arange(self.pairs) / self.pairs, 2)
        X = np.concatenate([X, _polar(1.0 - sides * self.gap, angles)])
        y = np.concatenate([y, sides])
        far, far_y = _disc_and_ring(self.tests, 0.3, 0.8, rng)
        near, near_y = _disc_and_ring(self.tests, self.gap, 2.0 * self.gap, rng)
        rows, tests = kernel_rows(self._kernel(X, X), self._kernel(np.concatenate([far, near]), X))
        found = {"test": (tests[self.tests :], near_y), "far": (tests[: self.tests], far_y)}
        return np.asarray(rows), y, dict(found)

    def _kernel(self, A: F64, B: F64) -> F64:
        squares = ((A[:, None] - B[None]) ** 2).sum(axis=2)
        out: F64 = np.exp(-self.gamma * squares)
        return out


def _polar(radius: F64, angle: F64) -> F64:
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _disc_and_ring(
    n: int, nearest: float, furthest: float, rng: np.random.Generator
) -> tuple[F64, F64]:
    """As many points inside of the unit circle (+1) as outside (-1), so far away from it."""
    y = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    radius = 1.0 - y * rng.uniform(nearest, furthest, n)
    return _polar(radius, rng.uniform(0.0, 2.0 * np.pi, n)), y
