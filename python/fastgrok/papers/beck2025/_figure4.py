"""Figure 4 of Beck et al. (2025): two Gaussian classes whose signal is noisy."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastgrok import datasets
from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Verdict, spread
from fastgrok.papers.beck2025._delay import RULE, judge_delay
from fastgrok.papers.beck2025._draws import Gaussians
from fastgrok.papers.beck2025._groups import Groups, draw_groups, group_files, train_groups
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._reporting import write_runs
from fastgrok.papers.beck2025._training import Case, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPREADS = (0.01, 0.05, 0.1)
RATIO, MU, SIGMA_B, RATE = 0.4, 0.2, 1.0, 0.1
_STEPS = 1e10
_POINTS_SHOWN = 400


def figure4(
    trainer: Trainer | None = None,
    *,
    n: int = 4000,
    seeds: Sequence[int] = range(3),
    spreads: Sequence[float] = SPREADS,
    steps: float = _STEPS,
    dtype: str = "float64",
) -> Groups:
    """
    Train on two Gaussian classes without a bias.

    Parameters
    ----------
    trainer : Trainer, optional
        How the runs are trained.
    n : int
        Points.
    seeds, spreads : sequence
        Draws of the data, and values of sigma_A.
    steps : float
        Of each run.
    dtype : str
        Of the points.
    """
    cases = {
        rf"$\sigma_A$ = {spread_:g}": [
            Case(
                Gaussians(n, round(RATIO * n), MU, spread_, SIGMA_B, seed, dtype),
                RATE, steps, bias=False,
            )
            for seed in seeds
        ]
        for spread_ in spreads
    }  # fmt: skip
    return train_groups(trainer, cases)


def judge_figure4(data: Groups) -> list[Verdict]:
    """
    Judge the delay for every spread of the signal.

    Parameters
    ----------
    data : Groups
        What `figure4` returns.
    """
    findings = []
    for runs in data.runs.values():
        draw = runs[0].data
        train = spread([float(run.accuracy[-1]) for run in runs])
        population = spread([float(run.test_accuracy[-1]) for run in runs])
        findings.append(
            judge_delay(
                f"sigma_A = {draw.sigma_a:g}",
                runs,
                f"training accuracy at the end {train}, population {population}, where the best "
                f"classifier has {_best(draw):.4g}",
            )
        )
    return [
        Verdict.of_all(
            "Two Gaussian classes show the same delay, as long as sigma_A is small",
            findings,
            RULE,
        )
    ]


def _best(draw: Gaussians) -> float:
    from scipy.special import ndtr  # noqa: PLC0415 (slow to import)

    return float(ndtr(draw.mu / draw.sigma_a)) if draw.sigma_a > 0.0 else 1.0


def draw_figure4(data: Groups) -> "Figure":
    """
    Draw loss and accuracy, a column for each spread of the signal.

    Parameters
    ----------
    data : Groups
        What `figure4` returns.
    """
    draw = data.first.data
    return draw_groups(
        data,
        rf"N = {draw.n}, $\lambda$ = {draw.dim / draw.n:g}, $\mu$ = {draw.mu:g}, "
        rf"$\sigma_B$ = {draw.sigma_b:g}, $\eta$ = {data.first.case.lr:g}, no bias",
    )


def draw_data(data: Groups) -> "Figure":
    """Draw the signal and one of the noise coordinates of the data, for each spread."""
    with _draw.styled():
        figure, axes = _draw.panels(1, len(data.runs), height=2.4)
        for ax, (name, runs) in zip(axes[0], data.runs.items(), strict=True):
            draw = runs[0].data
            shown = datasets.two_gaussians(
                _POINTS_SHOWN, 1, mu=draw.mu, sigma_a=draw.sigma_a, sigma_b=draw.sigma_b
            )
            for label, color in ((1.0, _draw.BLUE), (-1.0, _draw.ORANGE)):
                points = shown.X[shown.y == label]
                ax.plot(points[:, 0], points[:, 1], ".", color=color, ms=2)
            ax.set(title=name, xlabel=r"$x_1$, the signal")
        axes[0, 0].set(ylabel=r"$x_2$, noise")
        _draw.label_panels(axes.ravel())
    return figure


def make_figure4(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Groups:
        return figure4(plan.trainer, **plan.smaller_curves())

    return make_item("figure4", settings, folder, train, write_figure4)


def write_figure4(data: Groups, folder: Path) -> Output:
    """Write the pictures (png), all records (CSV, npz) and the report (Markdown)."""
    draw, case = data.first.data, data.first.case
    return write_runs(
        "figure4", folder, data.all,
        pictures={"": draw_figure4(data), "data": draw_data(data)},
        **group_files(data),
        verdicts=judge_figure4(data),
        title="Figure 4: two Gaussian classes",
        made_of=f"x = (y mu + sigma_A xi, sigma_B z), N = {draw.n}, {draw.dim} noise coordinates, "
        f"mu = {draw.mu:g}, sigma_B = {draw.sigma_b:g}, logit w . x without bias, mean logistic "
        f"loss, learning rate {case.lr:g}, to step {case.steps:g}; {data.draws} draws each.",
        choices={
            "Population": "an independent sample of the same size.",
            "lambda": f"{draw.dim / draw.n:g} is the number of noise coordinates over N.",
        },
        sections={
            "Relation to the main model": "With sigma_A = 0 this is the constant-label model with "
            f"bias, sigma = {draw.sigma_b / draw.mu:g} and learning rate "
            f"{case.lr * draw.mu**2:g}, step by step."
        },
    )  # fmt: skip
