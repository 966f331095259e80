"""Gradient masking: adversarial accuracy against ||w||, as it is and as attacks report it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok.datasets import margin_cube
from fastgrok.linear import adversarial_accuracy
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import write_item
from fastgrok.papers._making import make
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._masking_report import (
    METHODS,
    Masking,
    MaskingPoint,
    draw_masking,
    judge_masking,
    report_masking,
)

DIMS = (2, 1024)
#: Half a decade apart twice over, and so through 1, 10, 100, 1000 and 10^4.
NORMS = np.logspace(0.0, 4.0, 17)

_SEEDS = {"quick": 3, "default": 5, "full": 20}


def masking(
    *,
    dims: Sequence[int] = DIMS,
    norms: ArrayLike = NORMS,
    seeds: Sequence[int] = range(5),
    n: tuple[int, int] = setting.CLASSES,
    gamma: float = setting.GAMMA,
    half_width: float = 5.0,
    eps: float = 1.0,
    step_size: float = 0.25,
    steps: int = 20,
    threads: int | None = None,
) -> Masking:
    """
    Attack the true classifier of the data of Das et al. (2026) at several sizes of its weights.

    The hyperplane is the one that labels the data, and so classifies every row correctly; only
    ``||w||``, the confidence, is varied. It changes no decision anywhere, and so can't change what
    an adversary can do. What differs between the methods is the attack alone.

    Parameters
    ----------
    dims : sequence of int, default (2, 1024)
        Dimensions of the data.
    norms : array_like of shape (k,), default 17 from 1 to 10^4
        Euclidean norms of w, greater than 0.
    seeds : sequence of int, default range(5)
        Draws of the data.
    n : (int, int), default (1000, 1000)
        Rows of each class.
    gamma, half_width : float, default 1e-3 and 5
        Margin and half width of the cube, which also bounds the attacked rows.
    eps, step_size, steps
        Of the l_inf attack, default 1, 1/4 and 20 as in the paper.
    threads : int, optional
        As in `fastgrok.adversarial_accuracy`.

    Returns
    -------
    Masking
        One point for each dimension, draw, size and method.

    Raises
    ------
    ValueError
        For wrong values and empty sequences.
    TypeError
        For arguments of the wrong type.
    """
    sizes = _checks.vector("norms", norms)
    if sizes.min() <= 0.0:
        raise ValueError(f"norms must be greater than 0, got {sizes.min()}")
    if not dims or not seeds:
        raise ValueError("dims and seeds must each hold at least one value")
    points = []
    for dim in dims:
        for seed in seeds:
            data = margin_cube(n, dim=dim, gamma=gamma, half_width=half_width, seed=seed)
            normal = np.full(dim, 1.0 / np.sqrt(dim))
            for norm_w in sizes.tolist():
                for method in METHODS:
                    accuracy = adversarial_accuracy(
                        data.X, data.y, norm_w * normal, method=method, eps=eps,
                        step_size=step_size, steps=steps, bounds=(-half_width, half_width),
                        threads=threads,
                    )  # fmt: skip
                    points.append(MaskingPoint(dim, seed, norm_w, method, float(accuracy)))
    return Masking(
        tuple(points),
        {
            "dims": tuple(dims),
            "norms": tuple(sizes.tolist()),
            "seeds": tuple(seeds),
            "n": n,
            "gamma": gamma,
            "half_width": half_width,
            "eps": eps,
            "step_size": step_size,
            "steps": steps,
        },
    )


def make_masking(settings: Settings, folder: Path) -> Output:
    """Attack, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(settings: Settings) -> Masking:
        seeds = range(settings.seeds or _SEEDS[settings.scale])
        return masking(seeds=seeds, threads=settings.threads)

    return make("masking", settings, folder, train, write_masking)


def write_masking(data: Masking, folder: Path) -> Output:
    """
    Write the picture (masking.png), every point (CSV) and the report (Markdown).

    Parameters
    ----------
    data : Masking
        What `masking` returns.
    folder : Path
        Where the files go; must exist.
    """
    verdicts = judge_masking(data)
    return write_item(
        "masking",
        folder,
        pictures={"": draw_masking(data)},
        tables={"": [asdict(point) for point in data.points]},
        verdicts=verdicts,
        report=report_masking(data, verdicts),
    )
