"""Other losses: whether the edge at lambda = 1/2 stays, and the delay before it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.descent.table import lack
from fastgrok.linear.losses import LOSSES
from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Finding, Outcome, Verdict, judge_shares, spread
from fastgrok.papers._times import rise_after
from fastgrok.papers.open._draws import Edge
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

LEARNING_RATE = 0.005
RATIOS = (0.2, 0.3, 0.35, 0.4, 0.44, 0.47, 0.5, 0.53, 0.56, 0.6, 0.7, 0.8)
REFERENCE = "logistic"
# Leaping runs go so far that accuracies, which move like 1/log t, have come to rest.
_FAR = 1e60
# An edge is at 1/2 to within this lambda; edges and accuracies are the same to within that.
_NEAR, _SAME = 0.1, 0.02
# Accuracy that may still be moving over the last factor of 10 of the steps.
_MOVING = 0.01
# A delay: what is gained after the training set is fitted, and the factor of steps to half of it.
_GAIN, _LATE = 0.1, 2.0


def losses(
    trainer: Trainer | None = None,
    *,
    n: int = 400,
    seeds: Sequence[int] = range(5),
    ratios: Sequence[float] = RATIOS,
    names: Sequence[str] | None = None,
    steps: float = 1e5,
) -> Grid:
    """
    Train Beck's model of constant label over a range of lambda with every loss.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n : int
        Points.
    seeds, ratios : sequence
        Draws of the data, and values of lambda.
    names : sequence of str, optional
        Losses, default all that there are.
    steps : float
        Of runs with a loss that cannot be leaped; others go to step 1e60.
    """
    cases = {}
    for name in names or LOSSES:
        exact = lack("leap", {"loss": name}) is not None
        for ratio in ratios:
            cases[name, ratio] = [
                Case(
                    Edge(n, ratio, seed), LEARNING_RATE, steps if exact else _FAR, loss=name,
                    exact=exact, per_decade=10,
                )
                for seed in seeds
            ]  # fmt: skip
    return train_grid(trainer, cases)


def edge(ratios: Sequence[float], accuracies: Sequence[float]) -> float:
    """
    Lambda at which accuracies of increasing lambda first fall below the level, interpolated.

    NaN if one is not known, the first or the last lambda if all are below or above.
    """
    values = np.asarray(accuracies, dtype=np.float64)
    if np.isnan(values).any():
        return float("nan")
    below = np.flatnonzero(values < LEVEL)
    if not below.size:
        return float(ratios[-1])
    first = int(below[0])
    if first == 0:
        return float(ratios[0])
    share = (values[first - 1] - LEVEL) / (values[first - 1] - values[first])
    return float(ratios[first - 1] + share * (ratios[first] - ratios[first - 1]))


def ended(run: Run) -> float:
    """Return the last accuracy on the population; NaN if it still moves."""
    values = run.accuracy()
    before = values[int(np.searchsorted(run.steps, run.steps[-1] / 10.0))]
    return run.last() if abs(values[-1] - before) <= _MOVING else float("nan")


def judge_losses(grid: Grid) -> list[Verdict]:
    """
    Judge where the edge is, how sharp it is, and whether there is a delay before it.

    Parameters
    ----------
    grid : Grid
        What `losses` returns.
    """
    at, moved, same, late = [], [], [], []
    reference = grid.row(REFERENCE)
    for name in grid.settings:
        row = grid.row(name)
        ends = np.array([[ended(run) for run in runs] for runs in row.values()])
        edges = [edge(list(row), column) for column in ends.T]
        last = max(row)
        words = (
            "edge at lambda" if max(edges) < last else f"edge at lambda ({last:g} if there is none)"
        )
        at.append(judge_values(name, edges, lambda x: abs(x - 0.5) <= _NEAR, f"{words} ="))
        if name != REFERENCE and reference:
            others = np.array([[ended(run) for run in reference[ratio]] for ratio in row])
            shifts = [
                mine - edge(list(row), column) for mine, column in zip(edges, others.T, strict=True)
            ]
            moved.append(
                judge_values(name, shifts, lambda x: abs(x) <= _SAME, "edge moved by lambda =")
            )
            same.append(
                judge_values(
                    name,
                    np.abs(ends - others).max(axis=0).tolist(),
                    lambda apart: apart <= _SAME,
                    "largest difference over lambda",
                )
            )
        late += [
            _judge_delay(f"{name}, {ratio:g}", row[ratio])
            for ratio in [ratio for ratio in row if ratio < 0.5][-2:]
        ]
    return [
        verdict(
            f"The edge is within {_NEAR:g} of lambda = 1/2 whatever the loss",
            at,
            f"The lambda at which the last accuracy on the population falls below {LEVEL:g}, "
            f"interpolated, is so near to 1/2. Undecided where an accuracy moves by more "
            f"than {_MOVING:g} over the last factor of 10 of the steps.",
        ),
        verdict(
            "The edge of a draw is that of the logistic loss",
            moved,
            f"Both edges of the same draw are the same lambda to within {_SAME:g}.",
        ),
        verdict(
            "Accuracies are those of the logistic loss at every lambda",
            same,
            f"Last accuracies of the same draw differ by at most {_SAME:g}.",
        ),
        verdict(
            "Generalisation just below 1/2 is delayed",
            late,
            f"At the two largest lambda below 1/2: the accuracy on the population gains at least "
            f"{_GAIN:g} after the training set is fitted, half of it only after {_LATE:g} times as "
            "many steps.",
        ),
    ]


def _judge_delay(reading: str, runs: Sequence[Run]) -> Finding:
    gains = [
        rise_after(run.steps, run.accuracy(), int(np.searchsorted(run.steps, run.fitted(FITTED))))
        for run in runs
    ]
    numbers = (
        f"gained {spread([gain for gain, _ in gains])}, half of it by "
        f"{spread([delay for _, delay in gains])} times as many steps"
    )
    if any(run.stopped for run in runs):
        return Finding(reading, Outcome.SHORT, numbers, "runs ended early")
    return Finding(reading, judge_shares([g >= _GAIN and d >= _LATE for g, d in gains]), numbers)


def draw_losses(grid: Grid) -> "Figure":
    """
    Draw the last accuracy against lambda, and accuracy against steps at one lambda.

    Parameters
    ----------
    grid : Grid
        What `losses` returns.
    """
    with _draw.styled():
        figure, axes = _draw.panels(1, 2, height=3.0, sharex=False)
        left, right = axes[0]
        ratios = list(grid.row(grid.settings[0]))
        shown = max((ratio for ratio in ratios if ratio < 0.5), default=ratios[0])
        for color, name in zip(_draw.PALETTE, grid.settings, strict=False):
            row = grid.row(name)
            rows = [[run.last() for run in runs] for runs in row.values()]
            # Another may lie on the reference, which is therefore wider.
            width = 3.0 if name == REFERENCE else 1.2
            spread_line(left, list(row), rows, color=color, label=name, marker="o", width=width)
            runs = [run for run in row[shown] if not run.stopped]
            if runs:
                curves = [run.accuracy() for run in runs]
                _draw.draws(right, runs[0].steps, curves, color=color, label=name)
        left.axvline(0.5, color="0.6", lw=0.6)
        left.set(xlabel=r"$\lambda$", ylabel="population accuracy", title="at the last step")
        right.set(xlabel="steps", title=rf"at $\lambda$ = {shown:g}")
        _draw.log_steps(right, 1.0, 1e12)
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, ())
        data = grid.all[0].data
        figure.suptitle(
            rf"N = {data.n}, $\sigma$ = {data.sigma:g}, $\eta$ = {LEARNING_RATE:g}, constant "
            f"label, {grid.draws} draws of the data, {MEDIANS}",
            size=8,
        )
    return figure


def write_losses(grid: Grid, folder: Path) -> Output:
    """Write the picture, all records, the times and the report."""
    data = grid.all[0].data
    ends = ", ".join(
        f"{name} to step {next(iter(grid.row(name).values()))[0].case.steps:g}"
        for name in grid.settings
    )
    return write_grid(
        "losses", folder, grid,
        value="lambda",
        title="other losses",
        made_of=f"Beck et al.'s model (N = {data.n}, sigma = {data.sigma:g}, all labels -1), "
        f"learning rate {LEARNING_RATE:g}, means of the losses: {ends}; {grid.draws} draws for "
        "each lambda.",
        picture=draw_losses(grid),
        verdicts=judge_losses(grid),
        choices={
            "Losses": "all that fastgrok has: "
            + "; ".join(f"{name}: {LOSSES[name].formula}" for name in grid.settings) + ".",
            "Learning rate": "half of Beck et al.'s, at which descent on the squared hinge is "
            "stable at every lambda.",
            "Horizon": "the logistic, the exponential and the squared loss are leaped, and the "
            "first two go on for ever; losses that cannot be leaped take every step, and come to "
            "rest.",
        },
        sections={
            "Numbers": cells_table(
                grid,
                {
                    "Fitted": lambda run: run.fitted(FITTED),
                    "Grokking time": lambda run: run.time(LEVEL),
                    "Last accuracy": lambda run: run.last(),
                    "Last ||w||": lambda run: float(run.trajectory.norm_w[-1]),
                    "Last b": lambda run: float(run.trajectory.b[-1]),
                },
                "lambda",
            )
        },
    )  # fmt: skip
