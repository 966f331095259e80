"""Label noise: whether generalisation is still delayed, and whether it lasts."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Finding, Outcome, Verdict, judge_shares, spread
from fastgrok.papers._times import rise_after
from fastgrok.papers.open._draws import Cube, Draw, Edge
from fastgrok.papers.open._pictures import MEDIANS, titled
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

LEARNING_RATE = 0.01
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1)
RATIOS = (0.3, 0.45)
# A delay: what is gained after the training set is fitted, and the factor of steps to half of it.
_GAIN, _LATE = 0.1, 2.0
# What an accuracy may fall below its best and still have lasted.
_LOST = 0.01


def noise(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    classes: int = 1000,
    seeds: Sequence[int] = range(5),
    shares: Sequence[float] = SHARES,
    steps: float = 1e12,
) -> Grid:
    """
    Train on labels a share of which is flipped; test on right ones.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n, classes : int
        Points of Beck's model, and of each class of Das's.
    seeds, shares : sequence
        Draws of the data, and probabilities of a flip, the first 0.
    steps : float
        Of each run.
    """
    few = (classes // 100,) * 2
    draws: dict[str, Callable[[int, float], Draw]] = {
        f"edge, {ratio:g}": partial(Edge, n, ratio) for ratio in RATIOS
    }
    draws["square, S(1 %, 1 %)"] = lambda seed, share: Cube(classes, few, seed, share)
    cases = {
        (name, share): [Case(draw(seed, share), LEARNING_RATE, steps) for seed in seeds]
        for name, draw in draws.items()
        for share in shares
    }
    return train_grid(trainer, cases)


def rise(run: Run) -> tuple[float, float]:
    """Return how far the test accuracy rises after the training set is fitted, and when."""
    first = int(np.searchsorted(run.steps, run.fitted(FITTED)))
    return rise_after(run.steps, run.accuracy(), first)


def lost(run: Run) -> float:
    """How far the last test accuracy is below the best one."""
    return float(run.accuracy()[1:].max()) - run.last()


def judge_noise(grid: Grid) -> list[Verdict]:
    """
    Judge whether generalisation comes, comes late and lasts, with noise and without.

    Parameters
    ----------
    grid : Grid
        What `noise` returns.
    """
    comes, late, lasts = [], [], []
    for (setting, share), runs in grid.runs.items():
        reading = f"{setting}, {100 * share:g} %"
        ends = [run.last() for run in runs]
        comes.append(judge_values(reading, ends, lambda end: end >= LEVEL, "last accuracy"))
        late.append(_judge_delay(reading, runs))
        lasts.append(
            judge_values(
                reading,
                [lost(run) for run in runs],
                lambda fall: fall <= _LOST,
                f"best accuracy {spread([float(run.accuracy()[1:].max()) for run in runs])}; lost",
            )
        )
    return [
        verdict(
            "A model trained on flipped labels generalises",
            comes,
            f"The accuracy on the test set, whose labels are right, is {LEVEL:g} or more at the "
            "end. Readings are settings and shares of flipped labels.",
        ),
        verdict(
            "The accuracy on the test set rises late",
            late,
            f"It gains at least {_GAIN:g} after the training set is fitted, half of that only "
            f"after {_LATE:g} times as many steps.",
        ),
        verdict(
            "What is gained is not lost again",
            lasts,
            f"The accuracy on the test set ends at most {_LOST:g} below its best.",
        ),
    ]


def _judge_delay(reading: str, runs: Sequence[Run]) -> Finding:
    gains = [rise(run) for run in runs]
    numbers = (
        f"gained {spread([gain for gain, _ in gains])}, half of it by "
        f"{spread([delay for _, delay in gains])} times as many steps"
    )
    holds = [gain >= _GAIN and delay >= _LATE for gain, delay in gains]
    # What a run has gained late it has, wherever it ended.
    if any(run.stopped and not held for run, held in zip(runs, holds, strict=True)):
        return Finding(reading, Outcome.SHORT, numbers, "runs ended early")
    return Finding(reading, judge_shares(holds), numbers)


def draw_noise(grid: Grid) -> "Figure":
    """
    Draw training and test accuracy against steps, a column for each setting.

    Parameters
    ----------
    grid : Grid
        What `noise` returns.
    """
    shares = list(dict.fromkeys(share for _, share in grid.runs))
    with _draw.styled():
        figure, axes = _draw.panels(2, len(grid.settings), height=4.2)
        for column, setting in zip(axes.T, grid.settings, strict=True):
            for color, share in zip(_draw.PALETTE, shares, strict=False):
                runs = [run for run in grid.row(setting)[share] if not run.stopped]
                for ax, name in zip(column, ("train", "test"), strict=True):
                    if runs:
                        curves = [run.accuracy(name) for run in runs]
                        label = f"{100 * share:g} % flipped"
                        _draw.draws(ax, runs[0].steps, curves, color=color, label=label)
            column[0].set(title=titled(setting), ylim=(0.4, 1.02))
            column[1].set(xlabel="steps")
            for ax in column:
                _draw.log_steps(ax, 1.0, grid.all[0].case.steps)
        axes[0, 0].set(ylabel="training accuracy")
        axes[1, 0].set(ylabel="test accuracy (right labels)")
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, ())
        figure.suptitle(
            rf"$\eta$ = {LEARNING_RATE:g}, logistic loss, {grid.draws} draws of the data, "
            f"{MEDIANS}",
            size=8,
        )
    return figure


def write_noise(grid: Grid, folder: Path) -> Output:
    """Write the picture, all records, the times and the report."""
    edge, cube = grid.first(Edge), grid.first(Cube)
    return write_grid(
        "noise", folder, grid,
        value="flipped",
        title="label noise",
        made_of=f"Beck et al.'s model (N = {edge.n}, sigma = {edge.sigma:g}) at lambda = "
        f"{' and '.join(f'{ratio:g}' for ratio in RATIOS)}, and Das et al.'s square with "
        f"{cube.classes} points a class, 1 % of them planted on the margin; learning rate "
        f"{LEARNING_RATE:g}, mean logistic loss, to step {grid.all[0].case.steps:g}; "
        f"{grid.draws} draws of each.",
        picture=draw_noise(grid),
        verdicts=judge_noise(grid),
        choices={
            "Noise": "every training label is flipped with the same probability, and those of a "
            "smaller share are among those of a larger one. Labels of the test sets are right.",
        },
        sections={
            "Numbers": cells_table(
                grid,
                {
                    "Fitted": lambda run: run.fitted(FITTED),
                    "Grokking time": lambda run: run.time(LEVEL),
                    "Last training accuracy": lambda run: run.last("train"),
                    "Best test accuracy": lambda run: float(run.accuracy()[1:].max()),
                    "Last test accuracy": lambda run: run.last(),
                },
                "flipped",
            )
        },
    )  # fmt: skip
