"""The files of this paper's figures and tables, and the parts that their reports share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers._catalogue import Output
from fastgrok.papers._files import write_item
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    assemble_report,
    number,
    spread,
    versions,
)
from fastgrok.papers.beck2025._draws import F64
from fastgrok.papers.beck2025._pictures import stacked
from fastgrok.papers.beck2025._training import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def record_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Make one row for each run and record."""
    names = ("steps", "loss", "accuracy", "test_loss", "test_accuracy", "norm_w", "b")
    rows = []
    for run in runs:
        label = {"run": describe(run)}
        columns = [getattr(run, name).tolist() for name in names]
        for values in zip(*columns, strict=True):
            rows.append(label | dict(zip(("step", *names[1:]), values, strict=True)))
    return rows


def describe(run: Run) -> str:
    """Say what a run was made from."""
    case = run.case
    return f"{case.data}, {case.loss}, lr={case.lr:g}{'' if case.bias else ', no bias'}"


def as_arrays(runs: Sequence[Run], prefix: str = "") -> dict[str, Any]:
    """Stack the records of runs of the same steps, with what each run is."""
    arrays: dict[str, Any] = {f"{prefix}runs": np.array([describe(run) for run in runs])}
    for name in ("loss", "accuracy", "test_loss", "test_accuracy", "norm_w", "b"):
        arrays[f"{prefix}steps"], arrays[prefix + name] = stacked(runs, name)
    return arrays


def write_runs(
    name: str,
    folder: Path,
    runs: Sequence[Run],
    *,
    title: str,
    made_of: str,
    pictures: Mapping[str, "Figure"],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    arrays: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    choices: Mapping[str, str],
    sections: Mapping[str, str] | None = None,
) -> Output:
    """Write what an item consists of as `write_item` does, with a report on the runs behind it."""
    report = assemble_report(
        f"Beck et al. (2025), {title}",
        made_of,
        verdicts,
        rule="by the rule that each verdict states, from the runs alone. Numbers are `median "
        "[smallest, largest]` over the draws of the data (of an even number of draws the larger of "
        "the two in the middle); times are in steps. A claim in several parts agrees if all of "
        "them do and differs if one does. Runs that ended early decide nothing about later steps.",
        sections=sections or {},
        choices=choices,
        made_by=f"{versions()}. {computed(runs)}",
    )
    return write_item(
        name,
        folder,
        pictures=pictures,
        tables=tables,
        arrays=arrays,
        verdicts=verdicts,
        report=report,
    )


def ended_before(reading: str, runs: Sequence[Run], step: float | None = None) -> Finding | None:
    """
    Make the finding that runs decide nothing, if one ended before what is to be judged.

    That is a step, or, by default, the last one that was asked for.
    """
    ends = [
        float(run.steps[-1])
        for run in runs
        if (run.stopped if step is None else run.steps[-1] < step)
    ]
    if not ends:
        return None
    text = f"{len(ends)} of {len(runs)} runs ended early, at step {spread(ends)}"
    return Finding(reading, Outcome.SHORT, text)


def computed(runs: Sequence[Run]) -> str:
    """Say how runs were computed, and which of them ended before their last step."""
    runs = list({id(run): run for run in runs}.values())
    leaped = [run for run in runs if run.error > 0.0]
    text = f"{len(runs)} runs"
    if leaped:
        text += (
            f", {len(leaped)} of them leaped, with estimated errors of at most "
            f"{max(run.error for run in leaped):.1g} of ||w|| and of max(|b|, 1) at every record"
        )
    if any(getattr(run.data, "dtype", "") == "float32" for run in runs):
        text += ", the points rounded to float32, all arithmetic in float64"
    text += f". The first run's engine: {runs[0].engine}."
    for run in runs:
        if run.stopped:
            text += f"\n\nTaken to step {number(float(run.steps[-1]))} only: {describe(run)}, "
            text += f"because: {run.stopped}"
    return text


def fitted_slope(x: F64, y: F64) -> tuple[float, float, float]:
    """Least-squares line: slope, its standard error, intercept."""
    from scipy.stats import linregress  # noqa: PLC0415 (slow to import)

    line = linregress(x, y)
    return float(line.slope), float(line.stderr), float(line.intercept)
