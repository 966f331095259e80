"""Grokking time with momentum: whether it is that of plain descent times 1 - beta."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Verdict
from fastgrok.papers.open._draws import Cube, Draw, Edge
from fastgrok.papers.open._pictures import MEDIANS, TRAINED, grokking_times, titled
from fastgrok.papers.open._reporting import (
    FITTED,
    LEVEL,
    cells_table,
    judge_values,
    verdict,
    write_grid,
)
from fastgrok.papers.open._training import Case, Grid, Run, Trainer, train_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BETAS = (0.0, 0.5, 0.9, 0.99)
OPTIMIZERS = ("momentum", "nesterov")
#: The papers' rate, and one at which descent at lr / (1 - beta) is still at most theirs.
RATES = (0.01, 0.0001)
RATIO = 0.45
_STEPS = 1e12
# Times agree that differ by less than these factors: interpolated ones, and those of records.
_SAME, _NEAR = 1.1, 1.3


def momentum(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    classes: int = 1000,
    seeds: Sequence[int] = range(5),
    betas: Sequence[float] = BETAS,
    rates: Sequence[float] = RATES,
    steps: float = _STEPS,
) -> Grid:
    """
    Train with heavy ball and Nesterov's momentum on Beck's model and on Das's square.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n, classes : int
        Points of Beck's model, and of each class of Das's.
    seeds, betas, rates : sequence
        Draws of the data, values of the momentum, the first 0, and learning rates.
    steps : float
        Of each run.
    """
    few = (classes // 100,) * 2
    draws: dict[str, list[Draw]] = {
        f"edge, {RATIO:g}": [Edge(n, RATIO, seed) for seed in seeds],
        "square, S(1 %, 1 %)": [Cube(classes, few, seed) for seed in seeds],
    }
    cases = {
        (f"{name}, lr {rate:g}, {optimizer}", beta): [
            Case(draw, rate, steps, optimizer=optimizer, options=(("momentum", beta),))
            if beta
            else Case(draw, rate, steps)
            for draw in those
        ]
        for name, those in draws.items()
        for rate in rates
        for optimizer in OPTIMIZERS
        for beta in betas
    }
    return train_grid(trainer, cases)


def scaled(run: Run, time: float) -> float:
    """Return a time over 1 - beta: what it comes to if momentum only speeds time up."""
    return time / (1.0 - dict(run.case.options).get("momentum", 0.0))


def judge_momentum(grid: Grid) -> list[Verdict]:
    """
    Judge whether times with momentum are those without, times 1 - beta.

    Parameters
    ----------
    grid : Grid
        What `momentum` returns.
    """
    pairs: dict[str, list[tuple[Run, Run]]] = {}
    for (setting, beta), runs in grid.runs.items():
        for free, run in zip(grid.runs[setting, 0.0], runs, strict=True):
            if beta and free.time(LEVEL) < np.inf:
                reading = f"{setting.rsplit(', ', 1)[0]}, beta {beta:g}"
                pairs.setdefault(reading, []).append((free, run))
    words = "time / (1 - beta) over that of plain descent"
    times, fits, ends = [], [], []
    for reading, those in pairs.items():
        ratios = [scaled(run, run.time(LEVEL)) / free.time(LEVEL) for free, run in those]
        times.append(judge_values(reading, ratios, lambda x: 1.0 / _SAME <= x <= _SAME, words))
        ratios = [
            scaled(run, run.fitted(FITTED)) / free.fitted(FITTED)
            for free, run in those
            if free.fitted(FITTED) > 1.0
        ]
        fits.append(judge_values(reading, ratios, lambda x: 1.0 / _NEAR <= x <= _NEAR, words))
        last = [run.last() for _, run in those]
        ends.append(judge_values(reading, last, lambda end: end >= LEVEL, "last accuracy"))
    rule = "Time over 1 - beta is that of plain descent of the same draw to a factor of"
    return [
        verdict(
            "Momentum makes the grokking time shorter by 1 - beta", times, f"{rule} {_SAME:g}."
        ),
        verdict(
            "Momentum makes the time to fit the training set shorter by 1 - beta",
            fits,
            f"{rule} {_NEAR:g} (records stand a factor of 1.12 apart); of draws that plain descent "
            "does not fit by its first step.",
        ),
        verdict(
            "What generalises without momentum does so with it",
            ends,
            f"The accuracy on the test set is {LEVEL:g} or more at the end.",
        ),
    ]


def draw_momentum(grid: Grid) -> "Figure":
    """
    Draw times against 1/(1 - beta), beside what scaling alone would give.

    Parameters
    ----------
    grid : Grid
        What `momentum` returns.
    """
    with _draw.styled():
        figure, axes = _draw.panels(2, -(-len(grid.settings) // 2), height=4.6, sharey="col")
        for number, (ax, setting) in enumerate(zip(axes.T.ravel(), grid.settings, strict=False)):
            row = grid.row(setting)
            x = 1.0 / (1.0 - np.array(list(row)))
            grokking_times(ax, x, list(row.values()))
            for run in row[0.0]:
                if np.isfinite(run.time(LEVEL)):
                    ax.plot(x, run.time(LEVEL) / x, "--", color="0.6", lw=0.7,
                            label=r"$(1-\beta)$ times that of plain descent")  # fmt: skip
            name = setting.rsplit(", ", 1)[0].replace(", lr ", "\n$\\eta$ = ")
            ax.set(xscale="log", yscale="log", title="" if number % 2 else titled(name))
        for ax, word in zip(axes[:, 0], OPTIMIZERS, strict=True):
            ax.set(ylabel=f"steps, {word}")
        for ax in axes[-1]:
            ax.set(xlabel=r"$1/(1-\beta)$")
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, (TRAINED,))
        figure.suptitle(f"mean logistic loss, {grid.draws} draws of the data, {MEDIANS}", size=8)
    return figure


def write_momentum(grid: Grid, folder: Path) -> Output:
    """Write the picture, all records, the times and the report."""
    edge, cube = grid.first(Edge), grid.first(Cube)
    return write_grid(
        "momentum", folder, grid,
        value="beta",
        title="momentum",
        made_of=f"Beck et al.'s model (N = {edge.n}, sigma = {edge.sigma:g}, lambda = {RATIO:g}) "
        f"and Das et al.'s square with {cube.classes} points a class, 1 % of them planted on the "
        f"margin, tested on the concentrated set; mean logistic loss; {grid.draws} draws of each; "
        f"to step {grid.all[0].case.steps:g}. beta = 0 is plain descent.",
        picture=draw_momentum(grid),
        verdicts=judge_momentum(grid),
        choices={
            "Convention": "PyTorch's without dampening, v <- beta v + g, so that a slow motion is "
            "that of plain descent with lr / (1 - beta).",
            "Optimizers": "heavy ball and Nesterov's are judged together.",
            "Learning rates": "0.01 is the papers'. With beta = 0.99 it comes to a rate of 1, at "
            "which plain descent on Beck's model would not be stable; at 0.0001 it comes to "
            "theirs.",
        },
        sections={
            "Times": cells_table(
                grid,
                {
                    "Fitted": lambda run: run.fitted(FITTED),
                    "Grokking time": lambda run: run.time(LEVEL),
                    "The same over 1 - beta": lambda run: scaled(run, run.time(LEVEL)),
                    "Last test accuracy": lambda run: run.last(),
                },
                "beta",
            )
        },
    )  # fmt: skip
