"""Figure 1 of Beck et al. (2025): both sides of the transition, and the way through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._report import number
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._figure1_claims import judge_figure1
from fastgrok.papers.beck2025._figure1_picture import draw_curves, draw_sweep
from fastgrok.papers.beck2025._item import make_item
from fastgrok.papers.beck2025._reporting import as_arrays, record_rows, write_runs
from fastgrok.papers.beck2025._setting import Size
from fastgrok.papers.beck2025._sweep import limits_table, sweep, sweep_rows
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise
from fastgrok.papers.beck2025._wide import (
    draw_wide,
    judge_wide,
    wide_rows,
    wide_sweeps,
    wide_table,
)


@dataclass(frozen=True)
class Figure1:
    """
    The runs behind the figure.

    Attributes
    ----------
    curves : tuple of Run
        Learning curves below and above lambda = 1/2, several draws each.
    sweep : tuple of Run
        Runs over a range of lambda.
    wide : tuple of Run
        Runs of the paper's size, and smaller ones beside them, to an earlier step; may be empty.
    """

    curves: tuple[Run, ...]
    sweep: tuple[Run, ...]
    wide: tuple[Run, ...] = ()


def learning_curves(
    trainer: Trainer,
    *,
    n: int,
    seeds: Sequence[int],
    ratios: Sequence[float] = (setting.BELOW, setting.ABOVE),
    steps: float = setting.CURVE_STEPS,
    sigma: float = setting.SIGMA,
    lr: float = setting.LEARNING_RATE,
    dtype: str = "float64",
) -> tuple[Run, ...]:
    """Train on n points of constant label for every ratio and seed, densely recorded."""
    return tuple(
        trainer(
            [
                Case(noise(ratio, n, seed, sigma=sigma, dtype=dtype), lr, steps)
                for ratio in ratios
                for seed in seeds
            ]
        )
    )


def figure1(
    trainer: Trainer | None = None, *, size: Size | None = None, seeds: Sequence[int] | None = None
) -> Figure1:
    """
    Train the runs of Figure 1.

    Parameters
    ----------
    trainer : Trainer, optional
        How they are trained.
    size : Size, optional
        How many and how large; default: N = 4000, and 1000 for the sweep over lambda.
    seeds : sequence of int, optional
        Draws of the data, in place of those of `size`.

    Returns
    -------
    Figure1
        The runs.
    """
    train, size = trainer or Trainer(), size or setting.SIZES["default"]
    return Figure1(
        learning_curves(
            train, n=size.curve_points, seeds=seeds or range(size.curve_seeds), dtype=size.dtype
        ),
        sweep(
            train, n=size.sweep_points, seeds=seeds or range(size.sweep_seeds), ratios=size.ratios
        ),
        wide_sweeps(train, size.wide, seeds=seeds, ratios=size.ratios) if size.wide else (),
    )


def make_figure1(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge at the scale asked for, and write everything into `folder`."""
    return make_item(
        "figure1", settings, folder,
        lambda plan: figure1(plan.trainer, size=plan.size, seeds=plan.seeds), write_figure1,
    )  # fmt: skip


def write_figure1(data: Figure1, folder: Path) -> Output:
    """
    Write pictures (png), records and sweep (CSV, npz), and the report (Markdown).

    Parameters
    ----------
    data : Figure1
        What `figure1` returns.
    folder : Path
        Where the files go; must exist.
    """
    curve, run = data.curves[0], data.sweep[0]
    limits, wide = limits_table(data.sweep), data.wide
    sections = {"Accuracies near lambda = 1/2 and their limits": limits} if limits else {}
    if wide:
        sections["The sweep at the paper's size"] = wide_table(wide)
    return write_runs(
        "figure1", folder, (*data.curves, *data.sweep, *wide),
        title="Figure 1: grokking at the edge of linear separability",
        made_of=f"x ~ N(0, sigma^2 I), every label -1, sigma = {curve.data.sigma:g}, mean logistic "
        f"loss, learning rate {curve.case.lr:g}, descent from 0. Learning curves of "
        f"N = {curve.data.n} points to step {curve.case.steps:g}; sweep over lambda = d/N with "
        f"N = {run.data.n} to step {run.case.steps:g}, {len({r.data.seed for r in data.sweep})} "
        "draws each.",
        pictures={"curves": draw_curves(data.curves), "sweep": draw_sweep(data.sweep)}
        | ({"wide": draw_wide(wide)} if wide else {}),
        tables={
            "records": record_rows(data.curves),
            "sweep": sweep_rows(data.sweep, setting.ACCURACY),
        }
        | ({"wide": wide_rows(wide)} if wide else {}),
        arrays=as_arrays(data.curves, "curves_") | as_arrays(data.sweep, "sweep_"),
        verdicts=judge_figure1(data.curves, data.sweep) + (judge_wide(wide) if wide else []),
        sections=sections,
        choices={
            "Size": f"the paper has N = 40000 and lambda = {setting.BELOW} and {setting.ABOVE}. "
            "Where descent ends depends on N only through the draw of the margin, or of "
            "||S_infinity||, which scatters more for small N.",
            "Population": "its accuracy Phi(-b / (sigma ||w||)) and its expected loss in closed "
            "form, without a test set.",
            "Grokking time": f"from where on the population's accuracy stays above "
            f"{setting.ACCURACY}, interpolated between records in log(step).",
            "Horizon": "not stated in the text. Accuracies approach their limits like 1/log t, "
            "which is why the sweep goes to 1e60 steps.",
        }
        | ({"Separable or not": _decided_how()} if wide else {}),
    )  # fmt: skip


def _decided_how() -> str:
    shown, longer = number(setting.WIDE_STEPS), number(setting.LONGER_STEPS)
    return (
        f"in the sweeps to step {shown}, by the last weights where these have every point on one "
        "side of the origin by more than rounding errors, otherwise by `fastgrok.separability` "
        "where that takes ten minutes at most. Runs that are above 1/2 by less than "
        f"{setting.WIDE_NEAR:g} go on to step {longer} for such weights."
    )
