"""Grokking time against weight decay."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Finding, Verdict
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

LEARNING_RATE = 0.01
DECAYS = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
# A run by itself, and times of 1 / (lr weight_decay) that one with decay goes on for.
_FREE_STEPS, _SPANS = 1e12, 1e3
# Decay has a time of its own: 1 / (lr weight_decay) to within this factor.
_ORDER = 10.0
# The least-squares slope of log time against log decay is -1 to within this.
_SLOPE = 0.15
# A time that is unchanged is so to within this factor.
_SAME = 1.1


def decay(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    classes: int = 1000,
    seeds: Sequence[int] = range(5),
    decays: Sequence[float] = DECAYS,
) -> Grid:
    """
    Train with weight decay on both sides of Beck's edge and on Das's square.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n, classes : int
        Points of Beck's model, and of each class of Das's.
    seeds, decays : sequence
        Draws of the data, and values of weight_decay, the first 0.
    """
    cases = {
        (f"{name}{', bias too' if bias else ''}", value): [
            Case(draw, LEARNING_RATE, _steps(value), weight_decay=value, decay_bias=bias)
            for draw in draws
        ]
        for name, draws in _draws(n, classes, seeds).items()
        for bias in (False, True)
        for value in decays
    }
    return train_grid(trainer, cases)


def _draws(n: int, classes: int, seeds: Sequence[int]) -> dict[str, list[Draw]]:
    few = (classes // 100,) * 2
    planted = classes * 35 // 100, classes * 35 // 1000
    return {
        "edge, 0.48": [Edge(n, 0.48, seed) for seed in seeds],
        "edge, 0.52": [Edge(n, 0.52, seed) for seed in seeds],
        "square, S(1 %, 1 %)": [Cube(classes, few, seed) for seed in seeds],
        "square, S(35 %, 3.5 %)": [Cube(classes, planted, seed) for seed in seeds],
    }


def _steps(value: float) -> float:
    return float(f"{_SPANS / (LEARNING_RATE * value):.6g}") if value else _FREE_STEPS


def span(run: Run) -> float:
    """Return 1 / (lr weight_decay)."""
    decay = run.case.lr * run.case.weight_decay
    return 1.0 / decay if decay else float("inf")


def _pairs(grid: Grid, setting: str) -> list[tuple[float, Run]]:
    """Return every run with decay, and the time of the same draw without."""
    row = grid.row(setting)
    alone = [run.time(LEVEL) for run in row[0.0]]
    return [
        (free, run)
        for value, runs in row.items()
        if value
        for free, run in zip(alone, runs, strict=True)
    ]


def judge_decay(grid: Grid) -> list[Verdict]:
    """
    Judge when decay decides the time, and whether it makes or spoils generalisation.

    Parameters
    ----------
    grid : Grid
        What `decay` returns.
    """
    order, slopes, same, spoils, makes = [], [], [], [], []
    for setting in grid.settings:
        pairs = _pairs(grid, setting)
        late = [run for free, run in pairs if free > _ORDER * span(run)]
        early = [(free, run) for free, run in pairs if _ORDER * free < span(run)]
        order.append(
            judge_values(
                setting,
                [run.time(LEVEL) / span(run) for run in late],
                lambda unit: 1.0 / _ORDER <= unit <= _ORDER,
                f"{len(late)} runs; time times lr weight_decay",
            )
        )
        slopes.append(
            judge_values(setting, _slopes(late), lambda slope: abs(slope + 1.0) <= _SLOPE, "slopes")
        )
        same.append(
            judge_values(
                setting,
                [run.time(LEVEL) / free for free, run in early],
                lambda ratio: 1.0 / _SAME <= ratio <= _SAME,
                f"{len(early)} runs; time with decay over that without",
            )
        )
        spoils.append(_judge_ends(setting, [run for free, run in pairs if np.isfinite(free)]))
        makes.append(_judge_ends(setting, [run for free, run in pairs if free == np.inf]))
    late_words = f"Runs whose time without decay is beyond {_ORDER:g}/(lr weight_decay), or never"
    end_words = f"The accuracy on the test set is {LEVEL:g} or more at the end, of draws "
    return [
        verdict(
            "Where a run does not generalise before, decay makes it at a time of the order of "
            "1/(lr weight_decay)",
            order,
            f"{late_words}: their time is that to within a factor of {_ORDER:g}.",
        ),
        verdict(
            "That time is inversely proportional to the decay",
            slopes,
            f"{late_words}: the least-squares slope of log time against log weight_decay is -1 to "
            f"within {_SLOPE:g}, for every draw with three such runs that generalise.",
        ),
        verdict(
            "Decay does not change a grokking time that is far below 1/(lr weight_decay)",
            same,
            f"Runs whose time without decay is below a {_ORDER:g}th of that: the time is the same "
            f"to within a factor of {_SAME:g}.",
        ),
        verdict(
            "No decay spoils a generalisation that comes without it",
            spoils,
            f"{end_words}that generalise without decay.",
        ),
        verdict(
            "Every decay makes draws generalise that do not without it",
            makes,
            f"{end_words}that do not without decay.",
        ),
    ]


def _slopes(runs: Sequence[Run]) -> list[float]:
    """Slopes of log time against log decay, for draws with three times."""
    slopes = []
    for seed in dict.fromkeys(run.data.seed for run in runs):
        mine = [run for run in runs if run.data.seed == seed and np.isfinite(run.time(LEVEL))]
        if len(mine) >= 3:
            x = np.log([run.case.weight_decay for run in mine])
            slopes.append(float(np.polyfit(x, np.log([run.time(LEVEL) for run in mine]), 1)[0]))
    return slopes


def _judge_ends(setting: str, runs: Sequence[Run]) -> Finding | None:
    failed = [run.case.weight_decay for run in runs if run.last() < LEVEL]
    words = f" (below from weight_decay = {min(failed):g} on)" if failed else ""
    return judge_values(
        setting,
        [run.last() for run in runs],
        lambda end: end >= LEVEL,
        f"{len(failed)} of {len(runs)} runs with decay end below {LEVEL:g}{words}; last accuracy",
    )


def draw_decay(grid: Grid) -> "Figure":
    """
    Draw grokking times against decay, beside 1/(lr weight_decay), a panel for each setting.

    Parameters
    ----------
    grid : Grid
        What `decay` returns.
    """
    with _draw.styled():
        figure, axes = _draw.panels(2, -(-len(grid.settings) // 2), height=4.6)
        for number, (ax, setting) in enumerate(zip(axes.T.ravel(), grid.settings, strict=False)):
            row = grid.row(setting)
            values = np.array([value for value in row if value])
            grokking_times(ax, values, [row[value] for value in values], alone=row.get(0.0))
            ax.plot(
                values, 1.0 / (LEARNING_RATE * values), "--", color="0.4", lw=0.9,
                label=r"$1/(\eta\,\mathrm{weight\ decay})$",
            )  # fmt: skip
            ax.set(xscale="log", yscale="log", title="" if number % 2 else titled(setting))
        for ax, word in zip(axes[:, 0], ("steps", "steps, bias decays too"), strict=True):
            ax.set(ylabel=word)
        for ax in axes[-1]:
            ax.set(xlabel="weight decay")
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, (TRAINED, f"{TRAINED}, without"), columns=3)
        figure.suptitle(
            rf"$\eta$ = {LEARNING_RATE:g}, {grid.draws} draws of the data, "
            f"{MEDIANS}; upper row: without decay of the bias; dotted: without any decay",
            size=8,
        )
    return figure


def write_decay(grid: Grid, folder: Path) -> Output:
    """Write the picture, all records, the times and the report."""
    edge, cube = grid.first(Edge), grid.first(Cube)
    return write_grid(
        "decay", folder, grid,
        value="weight_decay",
        title="weight decay",
        made_of=f"Beck et al.'s model (N = {edge.n}, sigma = {edge.sigma:g}, all labels -1) at "
        f"lambda = 0.48 and 0.52, and Das et al.'s square with {cube.classes} points a class, of "
        "which shares S are planted on the margin and which are tested on the concentrated set; "
        f"learning rate {LEARNING_RATE:g}, mean logistic loss; {grid.draws} draws of each; without "
        f"decay to step {_FREE_STEPS:g}, with it to {_SPANS:g}/(lr weight_decay).",
        picture=draw_decay(grid),
        verdicts=judge_decay(grid),
        choices={
            "Bias": "decays in one half of the runs, and not in the other (PyTorch's optimizers "
            "decay all parameters, many codes leave the bias out).",
        },
        sections={
            "Times": cells_table(
                grid,
                {
                    "Fitted": lambda run: run.fitted(FITTED),
                    "Grokking time": lambda run: run.time(LEVEL),
                    "Last test accuracy": lambda run: run.last(),
                },
                "weight_decay",
            )
        },
    )  # fmt: skip
