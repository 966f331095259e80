"""A Gaussian kernel: grokking where no hyperplane of the plane parts the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.geometry import max_margin
from fastgrok.linear import accuracy
from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Verdict
from fastgrok.papers.open._draws import Circle
from fastgrok.papers.open._pictures import MEDIANS, spread_line
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

LEARNING_RATE = 1.0
GAPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
SETTING = "disc and ring"
# Grokking is a delay of this factor, and the time of a set that is not delayed within this one.
_DELAY, _TOGETHER = 100.0, 2.0
# Gaps up to here count as small; the slope of log time against log gap is -1 to within that.
_SMALL, _SLOPE = 0.01, 0.3
_RIGHT = 0.99


def kernel(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    seeds: Sequence[int] = range(5),
    gaps: Sequence[float] = GAPS,
    steps: float = 1e8,
) -> Grid:
    """
    Train in the space of a Gaussian kernel on a disc, a ring and pairs close to the circle.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n : int
        Points of disc and ring.
    seeds, gaps : sequence
        Draws of the data, and distances of the pairs from the circle.
    steps : float
        Of each run.
    """
    cases = {
        (SETTING, gap): [Case(Circle(gap, seed, n), LEARNING_RATE, steps) for seed in seeds]
        for gap in gaps
    }
    return train_grid(trainer, cases)


def delay(run: Run, name: str = "test") -> float:
    """When a test set reaches the level for good, in multiples of when the training set did."""
    return run.time(LEVEL, name) / max(run.time(LEVEL, "train"), 1.0)


def limit_accuracy(run: Run) -> float:
    """Accuracy near the circle of the kernel's maximum margin, which descent tends to."""
    X, y, tests = run.data.sample()
    found = max_margin(X, y, bias="penalized", threads=1)
    rows, labels = _arrays(tests["test"])
    return float(accuracy(rows, labels, found.w, found.b, threads=1))


def _arrays(test: Any) -> tuple[Any, Any]:
    rows, labels = test
    return np.asarray(rows), labels


def judge_kernel(grid: Grid, limits: dict[tuple[float, int], float]) -> list[Verdict]:
    """
    Judge the delay, its dependence on the gap, and the limit; `limits` by gap and seed.

    Parameters
    ----------
    grid : Grid
        What `kernel` returns.
    limits : dict
        Accuracies of the limit near the circle, by gap and seed.
    """
    row = grid.row(SETTING)
    late, together, ends = [], [], []
    for gap, runs in row.items():
        reading = f"gap {gap:g}"
        late.append(
            judge_values(
                reading,
                [delay(run) for run in runs],
                lambda x: x >= _DELAY,
                "later by a factor of",
            )
        )
        together.append(
            judge_values(
                reading,
                [delay(run, "far") for run in runs],
                lambda x: 1.0 / _TOGETHER <= x <= _TOGETHER,
                "later by a factor of",
            )
        )
        ends.append(
            judge_values(
                reading,
                [limits[gap, run.data.seed] for run in runs],
                lambda x: x >= _RIGHT,
                "accuracy of the limit",
            )
        )
    small = [gap for gap in row if gap <= _SMALL]
    slopes = []
    if len(small) >= 3:
        times = np.array([[run.time(LEVEL) for run in row[gap]] for gap in small])
        slopes = [
            float(np.polyfit(np.log(small), np.log(column), 1)[0])
            if np.isfinite(column).all()
            else float("nan")
            for column in times.T
        ]
    return [
        verdict(
            "Test points near the circle are learnt much later than the training set",
            late,
            f"Accuracy {LEVEL:g} for good, {_DELAY:g} times as late or later.",
        ),
        verdict(
            "Test points far from it are not",
            together,
            f"Accuracy {LEVEL:g} for good at the same time, to within a factor of {_TOGETHER:g}.",
        ),
        verdict(
            "The grokking time is inversely proportional to the gap where that is small",
            [
                judge_values(
                    f"gaps up to {_SMALL:g}", slopes, lambda x: abs(x + 1.0) <= _SLOPE, "slopes"
                )
            ],
            f"The least-squares slope of log time against log gap, of at least three gaps up to "
            f"{_SMALL:g}, is -1 to within {_SLOPE:g}.",
        ),
        verdict(
            "The maximum margin in the kernel's space classifies the points near the circle right",
            ends,
            f"At least {_RIGHT:g} of them.",
        ),
    ]


def draw_kernel(grid: Grid) -> "Figure":
    """
    Draw the accuracies against steps for some gaps, and the times against the gap.

    Parameters
    ----------
    grid : Grid
        What `kernel` returns.
    """
    row = grid.row(SETTING)
    gaps = list(row)
    kinds = (("train", _draw.BLUE, "o"), ("far", _draw.GREEN, "s"), ("test", _draw.VERMILION, "D"))
    words = {"train": "training set", "far": "far from the circle", "test": "near the circle"}
    with _draw.styled():
        figure, axes = _draw.panels(1, 3, height=2.8, sharex=False, sharey=False)
        for ax, gap in zip(axes[0], (gaps[0], gaps[-1]), strict=False):
            runs = [run for run in row[gap] if not run.stopped]
            for name, color, _ in kinds:
                if runs:
                    curves = [run.accuracy(name) for run in runs]
                    _draw.draws(ax, runs[0].steps, curves, color=color, label=words[name])
            ax.set(title=f"gap {gap:g}", xlabel="steps", ylim=(0.45, 1.02))
            _draw.log_steps(ax, 1.0, grid.all[0].case.steps)
        axes[0, 0].set(ylabel="accuracy")
        right = axes[0, 2]
        for name, color, marker in kinds:
            rows = [[run.time(LEVEL, name) for run in runs] for runs in row.values()]
            spread_line(right, gaps, rows, color=color, label=words[name], marker=marker)
        right.set(
            xscale="log", yscale="log", xlabel="gap", ylabel=f"steps to {LEVEL:g} for good",
            title="times",
        )  # fmt: skip
        right.minorticks_off()
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, tuple(words.values()))
        data = grid.all[0].data
        figure.suptitle(
            rf"kernel $\exp(-{data.gamma:g}\,|a-b|^2)$, {data.n} points and {data.pairs} pairs, "
            rf"$\eta$ = {LEARNING_RATE:g}, logistic loss, {grid.draws} draws, {MEDIANS}",
            size=8,
        )
    return figure


def write_kernel(grid: Grid, folder: Path) -> Output:
    """Write the picture, all records, the times and the report."""
    data = grid.all[0].data
    limits = {(run.data.gap, run.data.seed): limit_accuracy(run) for run in grid.all}
    return write_grid(
        "kernel", folder, grid,
        value="gap",
        title="a Gaussian kernel",
        made_of=f"{data.n} points of a disc and a ring around it, and {data.pairs} pairs of points "
        f"on either side of the unit circle at a distance gap of it; kernel exp(-{data.gamma:g} "
        f"|a - b|^2), learning rate {LEARNING_RATE:g}, mean logistic loss, to step "
        f"{grid.all[0].case.steps:g}; {grid.draws} draws. Descent on the rows of "
        "`fastgrok.kernel_rows`, which is that in the kernel's space.",
        picture=draw_kernel(grid),
        verdicts=judge_kernel(grid, limits),
        choices={
            "Data": "Das et al.'s, bent: pairs that stand close to the boundary and a test set "
            "near it, between gap and twice that away; and one as far as disc and ring are.",
        },
        sections={
            "Times": cells_table(
                grid,
                {
                    "Training set": lambda run: run.time(LEVEL, "train"),
                    "Fitted": lambda run: run.fitted(FITTED),
                    "Far from the circle": lambda run: run.time(LEVEL, "far"),
                    "Near it": lambda run: run.time(LEVEL),
                    "Accuracy of the limit": lambda run: limits[run.data.gap, run.data.seed],
                },
                "gap",
            )
        },
    )  # fmt: skip
