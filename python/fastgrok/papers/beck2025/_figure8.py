"""Figure 8 of Beck et al. (2025): the two-point model against lambda, beside the full model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Outcome, Verdict, number, spread
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._draws import TwoPoints
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._pictures import band, upper_median
from fastgrok.papers.beck2025._reporting import ended_before, write_runs
from fastgrok.papers.beck2025._sweep import at_horizon, by_ratio, horizon_files, sweep, table
from fastgrok.papers.beck2025._training import Case, Run, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HORIZONS = (1e4, 1e6, 1e10)
# Grid of the two-point model: as many ratios between 0.02 and 0.98.
_POINTS = 49
_DEEPEST = 0.05


@dataclass(frozen=True)
class Figure8:
    """
    The runs behind the figure, both over a range of lambda.

    Attributes
    ----------
    full : tuple of Run
        Gaussian points of constant label.
    two : tuple of Run
        The two-point model.
    """

    full: tuple[Run, ...]
    two: tuple[Run, ...]


def ratio_of(run: Run) -> float:
    """Lambda of a run of the two-point model."""
    return float(0.5 * (1.0 - run.data.c))


def figure8(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    seeds: Sequence[int] = range(10),
    ratios: Sequence[float] = setting.RATIOS,
    steps: float = setting.SWEEP_STEPS,
    points: int = _POINTS,
) -> Figure8:
    """
    Train both models over a range of lambda.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n, seeds, ratios, steps
        Of the sweep of the full model, which Figure 1 shares.
    points : int
        Values of lambda for the two-point model.
    """
    train = trainer or Trainer()
    cases = [
        Case(TwoPoints(1.0 - 2.0 * lam, setting.SIGMA), setting.LEARNING_RATE, 1e12)
        for lam in np.linspace(0.02, 0.98, points).tolist()
    ]
    return Figure8(sweep(train, n=n, seeds=seeds, ratios=ratios, steps=steps), tuple(train(cases)))


def judge_figure8(data: Figure8) -> list[Verdict]:
    """
    Judge whether both models behave alike, at every horizon.

    Parameters
    ----------
    data : Figure8
        What `figure8` returns.
    """
    findings = []
    ratios = np.array([ratio_of(run) for run in data.two])
    for horizon in HORIZONS:
        two = np.array([run.at(horizon, "test_accuracy") for run in data.two])
        at, values = table(by_ratio(data.full), lambda run, h=horizon: run.at(h, "test_accuracy"))
        full = upper_median(values)
        apart = np.abs(np.interp(at, ratios, two) - full)
        findings.append(
            ended_before(f"step {horizon:g}", (*data.full, *data.two), horizon)
            or Finding(
                f"step {horizon:g}",
                Outcome.AGREES if float(apart.max()) <= 0.1 else Outcome.DIFFERS,
                f"accuracy differs by at most {number(float(apart.max()))} (at lambda = "
                f"{at[int(np.argmax(apart))]:g}), {number(float(np.median(apart)))} in the median",
            )
        )
    edges = []
    # Of the last horizon.
    for name, runs, x, y in (
        ("two-point model", data.two, ratios, two),
        ("full model", data.full, at, full),
    ):
        perfect = x[y >= 0.99]
        edge = float(perfect.max(initial=0.0))
        upto = f"up to lambda = {number(edge)}" if perfect.size else "at no lambda"
        edges.append(
            ended_before(name, runs, HORIZONS[-1])
            or Finding(
                name,
                Outcome.AGREES if abs(edge - 0.5) <= _DEEPEST else Outcome.DIFFERS,
                f"accuracy of at least 0.99 at step {number(HORIZONS[-1])} {upto}",
            )
        )
    return [
        Verdict.of_all(
            "The two-point model has the accuracies of the full model, as a function of lambda",
            findings,
            "Alike: within 0.1 of the median of the full model at every lambda.",
        ),
        Verdict.of_all(
            "Both models change over at lambda = 1/2",
            edges,
            f"Within {_DEEPEST:g}.",
            stated="lambda = 1/2",
        ),
    ]


def draw_figure8(data: Figure8) -> "Figure":
    """
    Draw accuracy and population loss against lambda, a column for each horizon.

    Parameters
    ----------
    data : Figure8
        What `figure8` returns.
    """
    groups = by_ratio(data.full)
    ratios = [ratio_of(run) for run in data.two]
    with _draw.styled():
        figure, axes = _draw.panels(2, len(HORIZONS), height=4.2, sharey="row")
        for horizon, column in zip(HORIZONS, axes.T, strict=True):
            for ax, name in zip(column, ("test_loss", "test_accuracy"), strict=True):
                at, values = table(groups, lambda run, h=horizon, m=name: run.at(h, m))
                band(ax, at, values, color=_draw.BLUE, label="full model")
                two = [run.at(horizon, name) for run in data.two]
                ax.plot(ratios, two, color=_draw.ORANGE, lw=1.2, label="two-point model")
                ax.axvline(0.5, color="0.6", lw=0.6)
            column[0].set(yscale="log", title=_draw.step_name(horizon))
            column[0].minorticks_off()
            column[1].set(xlabel=r"$\lambda$")
        axes[0, 0].set(ylabel="population loss (mean)", ylim=(1e-9, None))
        axes[1, 0].set(ylabel="population accuracy")
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, ("full model", "two-point model"))
        first = data.full[0]
        figure.suptitle(
            rf"full model: N = {first.data.n}, median and range of "
            rf"{len(next(iter(groups.values())))} draws; $\sigma$ = {first.data.sigma:g}, "
            rf"$\eta$ = {first.case.lr:g}, logistic loss",
            size=8,
        )
    return figure


def rows(data: Figure8) -> list[dict[str, Any]]:
    """Make one row for each run and horizon."""
    labels = [({"model": "full", "lambda": run.data.ratio}, run) for run in data.full]
    labels += [({"model": "two points", "lambda": ratio_of(run)}, run) for run in data.two]
    return [label | at_horizon(run, horizon) for label, run in labels for horizon in HORIZONS]


def make_figure8(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Figure8:
        return figure8(plan.trainer, **plan.sweep())

    return make_item("figure8", settings, folder, train, write_figure8)


def write_figure8(data: Figure8, folder: Path) -> Output:
    """Write the picture (png), the curves (CSV, npz) and the report (Markdown)."""
    draws = spread([float(len(runs)) for runs in by_ratio(data.full).values()])
    return write_runs(
        "figure8", folder, (*data.full, *data.two),
        title="Figure 8: the two-point model against lambda",
        made_of=f"The sweep of Figure 1 (N = {data.full[0].data.n}, {draws} draws for each lambda) "
        f"and {len(data.two)} runs of the two-point model, of the same sigma and learning rate, "
        "logistic loss.",
        pictures={"": draw_figure8(data)},
        **horizon_files(rows(data), HORIZONS),
        verdicts=judge_figure8(data),
    )  # fmt: skip
