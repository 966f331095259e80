"""The link to double descent: loss and accuracy at fixed horizons against lambda."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Outcome, Verdict, number
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._pictures import band, headline, upper_median
from fastgrok.papers.beck2025._reporting import ended_before, write_runs
from fastgrok.papers.beck2025._sweep import at_horizon, by_ratio, horizon_files, sweep, table
from fastgrok.papers.beck2025._training import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HORIZONS = (1e2, 1e4, 1e6, 1e10)
_COLORS = (_draw.GREEN, _draw.BLUE, _draw.ORANGE, _draw.VERMILION)
# A peak counts if the loss falls by this factor on either side of it.
_PEAK = 1.05


def judge_double_descent(runs: Sequence[Run]) -> list[Verdict]:
    """
    Judge whether the population's loss peaks near lambda = 1/2, as in double descent.

    Parameters
    ----------
    runs : sequence of Run
        What `sweep` returns.
    """
    groups = by_ratio(runs)
    findings = []
    for horizon in HORIZONS:
        ratios, values = table(groups, lambda run, h=horizon: run.at(h, "test_loss"))
        middle = upper_median(values)
        top = int(np.argmax(middle))
        inner = 0 < top < middle.size - 1
        peak = inner and middle[top] >= _PEAK * max(middle[0], middle[-1])
        near = peak and abs(float(ratios[top]) - 0.5) <= 0.1
        findings.append(
            ended_before(f"step {horizon:g}", runs, horizon)
            or Finding(
                f"step {horizon:g}",
                Outcome.AGREES if near else Outcome.DIFFERS,
                f"the median is largest at lambda = {ratios[top]:g}: {number(float(middle[top]))}; "
                f"{number(float(middle[0]))} at {ratios[0]:g}, {number(float(middle[-1]))} at "
                f"{ratios[-1]:g}",
            )
        )
    return [
        Verdict.of_all(
            "At every fixed horizon, the loss on the population peaks near lambda = 1/2",
            findings,
            "The paper links its transition to double descent, without saying what is to be seen; "
            "a peak of the loss at the edge of separability is how that shows elsewhere. "
            f"Peak: a largest median within 0.1 of 1/2, at least {_PEAK:g} times that at either "
            "end of the range.",
        )
    ]


def draw_double_descent(runs: Sequence[Run]) -> "Figure":
    """
    Draw accuracy and loss on the population against lambda, a curve for each horizon.

    Parameters
    ----------
    runs : sequence of Run
        What `sweep` returns.
    """
    groups = by_ratio(runs)
    labels = [_draw.step_name(horizon) for horizon in HORIZONS]
    with _draw.styled():
        figure, axes = _draw.panels(1, 2, height=3.0, sharey=False)
        for ax, name in zip(axes[0], ("test_accuracy", "test_loss"), strict=True):
            for horizon, color, label in zip(HORIZONS, _COLORS, labels, strict=True):
                ratios, values = table(groups, lambda run, h=horizon, m=name: run.at(h, m))
                band(ax, ratios, values, color=color, label=label)
            ax.axvline(0.5, color="0.6", lw=0.6)
            ax.set(xlabel=r"$\lambda = d/N$")
        axes[0, 0].set(ylabel="population accuracy")
        axes[0, 1].set(ylabel="population loss (mean)", yscale="log", ylim=(1e-6, None))
        axes[0, 1].minorticks_off()
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, labels)
        figure.suptitle(headline(runs[0], len(next(iter(groups.values())))), size=8)
    return figure


def rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Make one row for each run and horizon."""
    return [
        {"lambda": run.data.ratio} | at_horizon(run, horizon)
        for run in runs
        for horizon in HORIZONS
    ]


def make_double_descent(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> tuple[Run, ...]:
        return sweep(plan.trainer, **plan.sweep())

    return make_item("double-descent", settings, folder, train, write_double_descent)


def write_double_descent(runs: Sequence[Run], folder: Path) -> Output:
    """Write the picture (png), the curves (CSV, npz) and the report (Markdown)."""
    data = runs[0].data
    return write_runs(
        "double-descent", folder, runs,
        title="fixed horizons against lambda",
        made_of=f"The sweep of Figure 1: N = {data.n}, sigma = {data.sigma:g}, learning rate "
        f"{runs[0].case.lr:g}.",
        pictures={"": draw_double_descent(runs)},
        **horizon_files(rows(runs), HORIZONS),
        verdicts=judge_double_descent(runs),
    )  # fmt: skip
