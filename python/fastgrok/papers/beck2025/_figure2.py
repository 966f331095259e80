"""Figure 2 of Beck et al. (2025): the weights follow the path without bias in conformal time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import Finding, Verdict, judge_shares, spread
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._draws import F64
from fastgrok.papers.beck2025._item import Plan, make_item
from fastgrok.papers.beck2025._pictures import headline
from fastgrok.papers.beck2025._reporting import (
    as_arrays,
    ended_before,
    record_rows,
    write_runs,
)
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise
from fastgrok.theory.edge import conformal_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Deviation of ||w||, relative to its largest value, that counts as following the path. Descent
# takes steps of lr e^b along it, which is a flow but for lr times the curvature.
_FOLLOWS = 0.02
_STEPS = 1e8


@dataclass(frozen=True)
class Path3:
    """
    Three runs on one draw: with bias, of either loss, and the exponential one without bias.

    Attributes
    ----------
    exponential, logistic : Run
        With bias.
    free : Run
        Without bias, exponential loss, to the conformal time that the others reach.
    """

    exponential: Run
    logistic: Run
    free: Run

    def deviation(self, run: Run, late: bool) -> float:
        """Return the largest, or last, ||w(t)|| - ||w_free(tau(t))|| over the largest ||w||."""
        tau = conformal_time(run)
        free = self.free
        expected = np.interp(np.log1p(tau), np.log1p(free.steps), free.norm_w)
        apart = np.abs(run.norm_w - expected) / run.norm_w.max()
        return float(apart[-1] if late else apart.max())


@dataclass(frozen=True)
class Figure2:
    """The runs behind the figure, by lambda and seed."""

    paths: tuple[Path3, ...]


def figure2(
    trainer: Trainer | None = None,
    *,
    n: int = 1000,
    seeds: Sequence[int] = range(3),
    ratios: Sequence[float] = (setting.BELOW, setting.ABOVE),
    steps: float = _STEPS,
    dtype: str = "float64",
) -> Figure2:
    """
    Train with bias and, up to the conformal time that is reached, without.

    Parameters
    ----------
    trainer : Trainer, optional
        How they are trained.
    n : int
        Points.
    seeds, ratios : sequence
        Draws of the data, and values of lambda.
    steps : float
        Of the runs with bias.
    dtype : str
        Of the points.
    """
    train = trainer or Trainer()
    draws = [noise(r, n, s, sigma=setting.SIGMA, dtype=dtype) for r in ratios for s in seeds]
    base = [Case(draw, setting.LEARNING_RATE, steps, per_decade=40) for draw in draws]
    logistic = train(base)
    exponential = train([replace(case, loss="exponential") for case in base])
    free = train(
        [
            replace(
                case, loss="exponential", bias=False,
                steps=float(np.ceil(max(conformal_time(a)[-1], conformal_time(b)[-1]))) + 1.0,
            )
            for case, a, b in zip(base, logistic, exponential, strict=True)
        ]
    )  # fmt: skip
    return Figure2(
        tuple(Path3(e, g, f) for e, g, f in zip(exponential, logistic, free, strict=True))
    )


def judge_figure2(data: Figure2) -> list[Verdict]:
    """
    Judge whether S(t) is the bias-free path at tau(t).

    Parameters
    ----------
    data : Figure2
        What `figure2` returns.
    """
    findings = []
    for name, late in (("exponential", False), ("logistic", False), ("logistic", True)):
        runs = [(path, getattr(path, name)) for path in data.paths]
        misses = [path.deviation(run, late) for path, run in runs]
        reading = f"{name} loss{', last record' if late else ''}"
        findings.append(
            ended_before(reading, [r for path, run in runs for r in (run, path.free)])
            or Finding(
                reading,
                judge_shares([miss <= _FOLLOWS for miss in misses]),
                f"largest deviation of ||w|| {spread(misses)} of its largest value",
            )
        )
    return [
        Verdict.of_readings(
            "With the bias, the weights follow the path without it in the time tau",
            findings,
            f"Follows: within {_FOLLOWS:g} of the largest ||w||. The path is that of the "
            "exponential loss. For the flow of that loss the identity is exact; descent differs "
            "by the size of its steps, and the logistic loss only approaches it, once e^b is "
            "small: it is judged over all records and at the last one. The paper does not say of "
            "which loss, and when, it speaks.",
        )
    ]


def draw_figure2(data: Figure2) -> "Figure":
    """
    Draw ||w|| and |b| against t, and against tau, a row for each lambda.

    Parameters
    ----------
    data : Figure2
        What `figure2` returns.
    """
    ratios = sorted({path.free.data.ratio for path in data.paths})
    with _draw.styled():
        figure, axes = _draw.panels(len(ratios), 4, height=4.4, sharex=False, sharey=False)
        for row, ratio in zip(axes, ratios, strict=True):
            for path in (p for p in data.paths if p.free.data.ratio == ratio):
                for run, color, label in (
                    (path.exponential, _draw.BLUE, "exponential loss"),
                    (path.logistic, _draw.ORANGE, "logistic loss"),
                ):
                    style: dict[str, Any] = {"color": color, "lw": 1, "alpha": 0.8, "label": label}
                    row[0].plot(run.steps[1:], run.norm_w[1:], **style)
                    row[1].plot(run.steps[1:], -run.b[1:], **style)
                    tau = conformal_time(run)
                    row[2].plot(tau[1:], run.norm_w[1:], **style)
                    row[3].plot(tau[1:], -run.b[1:], **style)
                free: F64 = path.free.steps
                row[2].plot(
                    free[1:], path.free.norm_w[1:], color=_draw.GREEN, lw=2.2, alpha=0.5,
                    label="exponential loss, no bias", zorder=1,
                )  # fmt: skip
            for ax, what in zip(row, (r"$\|S\|$", r"$-b$") * 2, strict=True):
                ax.set(xscale="log", ylabel=what)
                ax.minorticks_off()
            row[0].set_title(rf"$\lambda$ = {ratio:g}")
            for ax in row[2:]:
                ax.set(xlim=(1.0, None))
        for ax in axes[-1, :2]:
            ax.set_xlabel("t (steps)")
        for ax in axes[-1, 2:]:
            ax.set_xlabel(r"$\tau = \int e^b dt$ (steps)")
        _draw.label_panels(axes.ravel())
        _draw.legend_below(
            figure, ("exponential loss", "logistic loss", "exponential loss, no bias")
        )
        figure.suptitle(f"{headline(data.paths[0].free)}; each draw a line", size=8)
    return figure


def make_figure2(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""

    def train(plan: Plan) -> Figure2:
        size, seeds = plan.size, plan.seeds or range(3)
        return figure2(plan.trainer, n=size.sweep_points, seeds=seeds, dtype=size.dtype)

    return make_item("figure2", settings, folder, train, write_figure2)


def write_figure2(data: Figure2, folder: Path) -> Output:
    """Write the picture (png), all records (CSV, npz) and the report (Markdown)."""
    with_bias = [run for path in data.paths for run in (path.exponential, path.logistic)]
    free = [path.free for path in data.paths]
    first = free[0]
    return write_runs(
        "figure2", folder, [*with_bias, *free],
        title="Figure 2: conformal time",
        made_of=f"x ~ N(0, sigma^2 I), labels -1, N = {first.data.n}, "
        f"sigma = {first.data.sigma:g}, learning rate {first.case.lr:g}; runs with bias to step "
        f"{with_bias[0].case.steps:g}, those without to the conformal time that the others reach.",
        pictures={"": draw_figure2(data)},
        tables={"records": record_rows([*with_bias, *free])},
        arrays=as_arrays(with_bias, "bias_") | as_arrays(free, "free_"),
        verdicts=judge_figure2(data),
        choices={
            "Path": "without bias means the exponential loss from S = 0 with b = 0 throughout.",
            "tau": "the integral of e^b over steps, b between records by a cubic spline in log t.",
        },
    )  # fmt: skip
