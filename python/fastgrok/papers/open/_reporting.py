"""The files of these figures, and the parts that their reports share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgrok.papers._catalogue import Output
from fastgrok.papers._files import as_columns, write_item
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    assemble_report,
    judge_shares,
    markdown_table,
    number,
    spread,
    versions,
)
from fastgrok.papers.open._training import Grid, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Accuracy whose time is the grokking time, as Beck et al. have it.
LEVEL = 0.95
#: Share of the best training accuracy that counts as fitted: the points planted on the margin of
#: the square come right only when the test set does.
FITTED = 0.98

_NOTHING = Finding("every setting", Outcome.SHORT, "there are none", "no such runs")


def record_rows(grid: Grid, value: str) -> list[dict[str, Any]]:
    """Make one row for each run and record; `value` is what the grid varies."""
    rows = []
    for (setting, at), runs in grid.runs.items():
        for run in runs:
            label = {"setting": setting, value: at, "draw": run.data.seed}
            columns = {
                "step": run.steps,
                "loss": run.trajectory.loss,
                "train_accuracy": run.accuracy("train"),
                "test_accuracy": run.accuracy(),
                "norm_w": run.trajectory.norm_w,
                "b": run.trajectory.b,
            }
            listed = [column.tolist() for column in columns.values()]
            rows += [
                label | dict(zip(columns, values, strict=True))
                for values in zip(*listed, strict=True)
            ]
    return rows


def time_rows(grid: Grid, value: str) -> list[dict[str, Any]]:
    """Make one row for each run: when it was fitted, when it generalised, and how it ended."""
    return [
        {
            "setting": setting,
            value: at,
            "draw": run.data.seed,
            "fitted": run.fitted(FITTED),
            "grokking": run.time(LEVEL),
            "best_test_accuracy": float(run.accuracy()[1:].max()),
            "last_train_accuracy": float(run.accuracy("train")[-1]),
            "last_test_accuracy": float(run.accuracy()[-1]),
            "last_norm_w": float(run.trajectory.norm_w[-1]),
            "last_b": float(run.trajectory.b[-1]),
            "last_step": float(run.steps[-1]),
        }
        for (setting, at), runs in grid.runs.items()
        for run in runs
    ]


def cells_table(grid: Grid, columns: Mapping[str, Callable[[Run], float]], value: str) -> str:
    """Make a Markdown table with a row for each cell: medians and ranges over the draws."""
    return markdown_table(
        ("Setting", value, *columns),
        [
            (
                setting,
                at if isinstance(at, str) else number(at),
                *(spread([read(run) for run in runs]) for read in columns.values()),
            )
            for (setting, at), runs in grid.runs.items()
        ],
    )


def judge_values(
    reading: str, values: Sequence[float], holds: Callable[[float], bool], numbers: str
) -> Finding | None:
    """
    Judge by `judge_shares` whether something holds of numbers of several draws.

    None if there is no such number; nothing is decided where one is not known.
    """
    if not values:
        return None
    numbers = f"{numbers} {spread(values)}"
    if any(isnan(value) for value in values):
        return Finding(reading, Outcome.SHORT, numbers, "runs ended early")
    return Finding(reading, judge_shares([holds(value) for value in values]), numbers)


def verdict(claim: str, findings: Iterable[Finding | None], note: str) -> Verdict:
    """Judge a claim in all settings in which it says something, as readings of it."""
    found = [finding for finding in findings if finding is not None]
    return Verdict.of_readings(claim, found or [_NOTHING], note)


def write_grid(
    name: str,
    folder: Path,
    grid: Grid,
    *,
    value: str,
    title: str,
    made_of: str,
    picture: "Figure",
    verdicts: Sequence[Verdict],
    choices: Mapping[str, str],
    sections: Mapping[str, str],
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Output:
    """Write picture (png), records (CSV, npz), times of every run (CSV) and report (Markdown)."""
    records = record_rows(grid, value)
    report = assemble_report(
        f"What both papers leave open: {title}",
        made_of,
        verdicts,
        rule="by the rule that each verdict states, from the runs alone. Numbers are `median "
        "[smallest, largest]` over the draws of the data (of an even number of draws the larger of "
        "the two in the middle); times are in steps. A reading is a setting here; the claim agrees "
        "in one if it holds for every draw, and differs if for none. Settings of which it says "
        "nothing are left out.",
        sections=sections,
        choices={
            "Grokking time": f"when the accuracy on the test set reaches {LEVEL:g} for good, "
            "interpolated between records in log(1 + step).",
            "Fitted": f"the first record with {FITTED:g} of the best training accuracy.",
            **choices,
        },
        made_by=f"{versions()}. {_computed(grid.all)}",
        choices_heading="Choices",
    )
    return write_item(
        name,
        folder,
        pictures={"": picture},
        tables={"times": time_rows(grid, value), "records": records, **(tables or {})},
        arrays=as_columns(records),
        verdicts=verdicts,
        report=report,
    )


def _computed(runs: Sequence[Run]) -> str:
    """Say how runs were computed, and which of them ended before their last step."""
    leaped = [run for run in runs if run.error > 0.0]
    text = f"{len(runs)} runs"
    if leaped:
        text += (
            f", {len(leaped)} of them leaped, with estimated errors of at most "
            f"{max(run.error for run in leaped):.1g} of ||w|| and of max(|b|, 1) at every record"
        )
    text += f". The first run's engine: {runs[0].trajectory.engine}."
    for run in runs:
        if run.stopped:
            text += f"\n\nTaken to step {number(float(run.steps[-1]))} only: {run.case}, because: "
            text += run.stopped
    return text
