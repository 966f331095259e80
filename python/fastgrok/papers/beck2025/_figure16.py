"""Figure 16 of Beck et al. (2025): a fraction of the labels differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Verdict, judge_shares, number, spread
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._groups import Groups, draw_groups, train_groups, write_groups
from fastgrok.papers.beck2025._reporting import ended_before, make
from fastgrok.papers.beck2025._setting import Size
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRACTIONS = (1.0, 0.99, 0.95)

#: A delay: what is gained after the training set is fitted, and the factor of steps to half of it.
GAIN, LATE = 0.1, 2.0


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


def rise(run: Run) -> tuple[float, float]:
    """
    Return how far the population's accuracy rises after the training set is fitted, and when.

    From the first record with training accuracy 1: the later maximum less the value there, and the
    step at which half of that is done.
    """
    fitted = np.flatnonzero((run.accuracy >= 1.0) & (run.steps > 0.0))
    if not fitted.size:
        return 0.0, float("inf")
    later = run.test_accuracy[fitted[0] :]
    gained = float(later.max() - later[0])
    half = int(np.argmax(later >= later[0] + 0.5 * gained))
    return gained, float(run.steps[fitted[0] + half] / run.steps[fitted[0]])


def judge_figure16(data: Groups) -> list[Verdict]:
    """Judge whether generalisation is delayed for every fraction."""
    findings = []
    for name, runs in data.runs.items():
        gains = [rise(run) for run in runs]
        findings.append(
            ended_before(name, runs)
            or Finding(
                name,
                judge_shares([gain >= GAIN and delay >= LATE for gain, delay in gains]),
                f"accuracy gained after the training set is fitted {spread([g for g, _ in gains])}"
                f", half of it by {spread([d for _, d in gains])} times as many steps; last "
                f"accuracy {spread([float(run.test_accuracy[-1]) for run in runs])}",
            )
        )
    return [
        Verdict.of_all(
            "Generalisation is delayed when a few labels are of the other class, too",
            findings,
            "Delayed: the accuracy on the population gains at least 0.1 after training accuracy 1 "
            "is reached, half of it only after twice as many "
            "steps.",
        )
    ]


def draw_figure16(data: Groups) -> "Figure":
    """Draw loss and accuracy, a column for each fraction."""
    draw = data.first.data
    return draw_groups(
        data,
        rf"N = {draw.n}, $\lambda$ = {draw.ratio:g}, $\sigma$ = {draw.sigma:g}, "
        rf"$\eta$ = {data.first.case.lr:g}",
    )


def make_figure16(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def at(trainer: Trainer, size: Size, seeds: Sequence[int] | None) -> Groups:
        return figure16(
            trainer, n=size.curve_points, seeds=seeds or range(size.curve_seeds), dtype=size.dtype
        )

    return make("figure16", settings, folder, at, write_figure16)


def write_figure16(data: Groups, folder: Path) -> Output:
    """Write the picture (png), all records (CSV, npz) and the report (Markdown)."""
    draw, case = data.first.data, data.first.case
    shares = {
        name: spread([float(np.mean(run.data.points()[1] < 0.0)) for run in runs])
        for name, runs in data.runs.items()
        if runs[0].data.n <= 4000
    }
    return write_groups(
        "figure16", data, folder,
        pictures={"": draw_figure16(data)},
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
