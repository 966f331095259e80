"""Figure 16 of Beck et al. (2025): a fraction of the labels differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Verdict, number, spread
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._delay import RULE, judge_delay
from fastgrok.papers.beck2025._groups import Groups, draw_groups, group_files, train_groups
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._reporting import write_runs
from fastgrok.papers.beck2025._training import Case, Trainer, noise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRACTIONS = (1.0, 0.99, 0.95)


def figure16(
    trainer: Trainer | None = None,
    *,
    n: int = 4000,
    seeds: Sequence[int] = range(3),
    fractions: Sequence[float] = FRACTIONS,
    ratio: float = setting.BELOW,
    steps: float = setting.CURVE_STEPS,
    dtype: str = "float64",
) -> Groups:
    """
    Train on labels of which a fraction r is -1.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n : int
        Points.
    seeds, fractions : sequence
        Draws of the data, and values of r.
    ratio : float
        lambda = d / N.
    steps : float
        Of each run.
    dtype : str
        Of the points.
    """
    cases = {
        f"r = {fraction:g}": [
            Case(
                noise(
                    ratio, n, seed, sigma=setting.SIGMA, label_fraction=fraction, dtype=dtype
                ),
                setting.LEARNING_RATE, steps,
            )
            for seed in seeds
        ]
        for fraction in fractions
    }  # fmt: skip
    return train_groups(trainer, cases)


def judge_figure16(data: Groups) -> list[Verdict]:
    """
    Judge whether generalisation is delayed for every fraction.

    Parameters
    ----------
    data : Groups
        What `figure16` returns.
    """
    findings = []
    for name, runs in data.runs.items():
        last = spread([float(run.test_accuracy[-1]) for run in runs])
        findings.append(judge_delay(name, runs, f"last accuracy {last}"))
    return [
        Verdict.of_all(
            "Generalisation is delayed when a few labels are of the other class, too",
            findings,
            RULE,
        )
    ]


def draw_figure16(data: Groups) -> "Figure":
    """
    Draw loss and accuracy, a column for each fraction.

    Parameters
    ----------
    data : Groups
        What `figure16` returns.
    """
    draw = data.first.data
    return draw_groups(
        data,
        rf"N = {draw.n}, $\lambda$ = {draw.ratio:g}, $\sigma$ = {draw.sigma:g}, "
        rf"$\eta$ = {data.first.case.lr:g}",
    )


def make_figure16(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Groups:
        return figure16(plan.trainer, **plan.curves())

    return make_item("figure16", settings, folder, train, write_figure16)


def write_figure16(data: Groups, folder: Path) -> Output:
    """Write the picture (png), all records (CSV, npz) and the report (Markdown)."""
    draw, case = data.first.data, data.first.case
    shares = {
        name: spread([float(np.mean(run.data.points()[1] < 0.0)) for run in runs])
        for name, runs in data.runs.items()
        if runs[0].data.n <= 4000
    }
    return write_runs(
        "figure16", folder, data.all,
        pictures={"": draw_figure16(data)},
        **group_files(data),
        verdicts=judge_figure16(data),
        title="Figure 16: label fractions",
        made_of=f"{draw.n} points of N(0, {draw.sigma:g}^2 I), lambda = {number(draw.ratio)}, "
        f"learning rate {case.lr:g}, to step {case.steps:g}; {data.draws} draws for each r. "
        "Labels drawn: "
        + "; ".join(f"{name}: {share} of them -1" for name, share in shares.items()) + ".",
        choices={
            "Labels": "y = +1 where x_1 > sigma Phi^-1(r), else -1: constant labels made "
            "discriminative, not flipped at random. With a bias such data are always separable "
            "for a suitable threshold, and the bias no longer goes on for ever alone.",
            "Population": "for r < 1 an independent sample of the same size.",
        },
    )  # fmt: skip
