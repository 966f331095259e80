"""The data of Figure 3, drawn from the laws of the paper at d = 2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok.datasets import Dataset
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import draw_sets
from fastgrok.papers.das2026._setting import Variant

#: Nothing planted; balanced and unbalanced support vectors.
SUPPORTS = ((0, 0), (350, 350), (350, 35))


@dataclass(frozen=True)
class DataDraw:
    """
    The training set and the concentrated test set of a run.

    Attributes
    ----------
    variant : Variant
        What was planted. How losses are reduced makes no difference to the data.
    seed : int
        Which draw, as in the runs of the other figures.
    training, concentrated : Dataset
        The data.
    """

    variant: Variant
    seed: int
    training: Dataset
    concentrated: Dataset


@dataclass(frozen=True)
class DataDraws:
    """Several draws of the data for each choice of support vectors, and the laws they follow."""

    draws: tuple[DataDraw, ...]
    gamma: float
    alpha: float
    planting: str

    @property
    def variants(self) -> tuple[Variant, ...]:
        """What was planted, in order."""
        return tuple(dict.fromkeys(draw.variant for draw in self.draws))

    def of(self, variant: Variant) -> list[DataDraw]:
        """Return the draws for one choice of support vectors."""
        return [draw for draw in self.draws if draw.variant == variant]


def figure3(
    *,
    seeds: Sequence[int] = range(5),
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    n: tuple[int, int] = setting.CLASSES,
    gamma: float = setting.GAMMA,
    alpha: float = setting.ALPHA,
    planting: str = "antipodal",
) -> DataDraws:
    """
    Draw the data of Figure 3 of Das et al. (2026): those that the runs are trained on.

    Parameters
    ----------
    seeds : sequence of int, default range(5)
        Draws of the data.
    supports : sequence of (int, int)
        Planted support vectors S(s+, s-), included in `n`; (0, 0) plants none.
    n : (int, int), default (1000, 1000)
        Points of each class.
    gamma, alpha : float, default 1e-3 and 10
        Margin of the data; outer edge of the concentrated set in units of the margin.
    planting : {"antipodal", "iid"}
        How support vectors are drawn.

    Returns
    -------
    DataDraws

    Raises
    ------
    ValueError
        If `supports` or `seeds` is empty, and as in `fastgrok.datasets.margin_cube`.
    """
    if not supports or not seeds:
        raise ValueError("supports and seeds must each hold at least one value")
    draws = []
    for support in supports:
        variant = Variant("mean", support, classes=n)
        for seed in seeds:
            training, tests = draw_sets(
                variant,
                _checks.whole("seeds", seed, minimum=0),
                gamma=gamma,
                alpha=alpha,
                planting=planting,
            )
            draws.append(DataDraw(variant, seed, training, tests["concentrated"]))
    return DataDraws(tuple(draws), gamma, alpha, planting)


def coordinates(data: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return u, the distance from the hyperplane that labels the data, and v, the place along it.

    Parameters
    ----------
    data : Dataset
        n rows in the plane.

    Returns
    -------
    u, v : ndarray of shape (n,)
        u = (x_1 + x_2) / sqrt(2), v = (x_2 - x_1) / sqrt(2), in the units of the data.
    """
    root = np.sqrt(2.0)
    return (data.X[:, 0] + data.X[:, 1]) / root, (data.X[:, 1] - data.X[:, 0]) / root
