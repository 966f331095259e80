"""Figure 5 of Beck et al. (2025): the same with Adam."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Outcome, Verdict, judge_shares, spread
from fastgrok.papers.beck2025._groups import Groups, draw_groups, group_files, train_groups
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._reporting import write_runs
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BETAS = (0.8, 0.9)
RATIO = 0.495
RATES = (1e-3, 1e-2, 1e-1)
_STEPS = 3000
# Chance, while the training accuracy is perfect already: this far from 1/2 at most.
_CHANCE = 0.1


def figure5(
    trainer: Trainer | None = None,
    *,
    n: int = 4000,
    seeds: Sequence[int] = range(3),
    rates: Sequence[float] = RATES,
    ratio: float = RATIO,
    sigma: float = 1.0,
    betas: tuple[float, float] = BETAS,
    steps: int = _STEPS,
    dtype: str = "float64",
) -> Groups:
    """
    Train with Adam, every step taken, for several learning rates.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n : int
        Points.
    seeds, rates : sequence
        Draws of the data, and learning rates.
    ratio, sigma : float
        lambda = d / N, and the standard deviation of a coordinate.
    betas : (float, float)
        Of Adam.
    steps : int
        Of each run.
    dtype : str
        Of the points.
    """
    cases = {
        rf"$\eta$ = {lr:g}": [
            Case(noise(ratio, n, seed, sigma=sigma, dtype=dtype), lr, steps, betas=betas)
            for seed in seeds
        ]
        for lr in rates
    }
    return train_groups(trainer, cases)


def judge_figure5(data: Groups) -> list[Verdict]:
    """
    Judge whether the accuracy stays at chance first, and whether it rises late.

    Parameters
    ----------
    data : Groups
        What `figure5` returns.
    """
    chance, late = [], []
    for runs in data.runs.values():
        name = f"lr = {runs[0].case.lr:g}"
        early = [_least_after_start(run) for run in runs]
        fitted = [_fitted(run) for run in runs]
        chance.append(
            Finding(
                name,
                judge_shares([abs(a - 0.5) <= _CHANCE for a in early]),
                f"least accuracy on the population after the first step {spread(early)}; at the "
                f"first step {spread([float(run.test_accuracy[1]) for run in runs])}",
            )
        )
        reached = [run.kept_from(0.95) for run in runs]
        late.append(
            Finding(
                name,
                Outcome.SHORT
                if np.inf in fitted
                else judge_shares([a >= 10.0 * b for a, b in zip(reached, fitted, strict=True)]),
                f"training accuracy 0.95 for good from {spread(fitted)}, population "
                f"{spread(reached)} (last accuracy "
                f"{spread([float(run.test_accuracy[-1]) for run in runs])})",
            )
        )
    return [
        Verdict.of_readings(
            "With Adam, the accuracy on the population stays at chance first",
            chance,
            f"Chance: its least value after step 0 is within {_CHANCE:g} of 1/2.",
        ),
        Verdict.of_readings(
            "With Adam, generalisation comes long after the training set is fitted",
            late,
            "Long: 0.95 is reached for good ten times later than on the training set, or not at "
            "all by the last step.",
        ),
    ]


def _least_after_start(run: Run) -> float:
    return float(run.test_accuracy[1:].min())


def _fitted(run: Run) -> float:
    below = np.flatnonzero(run.accuracy < 0.95)
    last = int(below[-1]) if below.size else -1
    return float(run.steps[last + 1]) if last + 1 < run.steps.size else float("inf")


def draw_figure5(data: Groups) -> "Figure":
    """
    Draw loss and accuracy, a column for each learning rate.

    Parameters
    ----------
    data : Groups
        What `figure5` returns.
    """
    draw = data.first.data
    beta1, beta2 = data.first.case.betas or BETAS
    return draw_groups(
        data,
        rf"Adam, $\beta$ = ({beta1:g}, {beta2:g}), N = {draw.n}, $\lambda$ = {draw.ratio:g}, "
        rf"$\sigma$ = {draw.sigma:g}",
    )


def make_figure5(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Groups:
        steps = 1000 if plan.size.curve_points < 4000 else _STEPS
        return figure5(plan.trainer, **plan.smaller_curves(), steps=steps)

    return make_item("figure5", settings, folder, train, write_figure5)


def write_figure5(data: Groups, folder: Path) -> Output:
    """Write the picture (png), all records (CSV, npz) and the report (Markdown)."""
    draw, case = data.first.data, data.first.case
    return write_runs(
        "figure5", folder, data.all,
        pictures={"": draw_figure5(data)},
        **group_files(data),
        verdicts=judge_figure5(data),
        title="Figure 5: Adam",
        made_of=f"Adam with beta1, beta2 = {case.betas} and eps = 1e-8 from 0, every step taken, "
        f"on {draw.n} points of N(0, {draw.sigma:g}^2 I), lambda = {draw.ratio:g}, labels -1, mean "
        f"logistic loss, {case.steps:g} steps; {data.draws} draws for each learning rate.",
        choices={
            "Learning rate": "not stated: "
            + ", ".join(f"{runs[0].case.lr:g}" for runs in data.runs.values()) + ".",
            "eps": "not stated; 1e-8.",
        },
    )  # fmt: skip
