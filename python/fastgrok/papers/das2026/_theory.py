"""Theorems 4.5 and 4.6 of Das et al. (2026) over trajectories, and what replaces them."""

from pathlib import Path

from fastgrok.papers._catalogue import Output, Settings, Stopped
from fastgrok.papers._files import as_columns, write_item
from fastgrok.papers._runs import JobsInterrupted
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._theory_claims import judge_theory, report_theory
from fastgrok.papers.das2026._theory_picture import draw_theory
from fastgrok.papers.das2026._theory_runs import (
    GAMMAS,
    STEPS,
    Theory,
    record_rows,
    theory_runs,
    time_rows,
)


def make_theory(settings: Settings, folder: Path) -> Output:
    """
    Train, draw and judge at the scale asked for, and write everything into `folder`.

    Raises
    ------
    Stopped
        On Ctrl-C.
    """
    draws = {"quick": 1, "default": 3, "full": 10}[settings.scale]
    try:
        data = theory_runs(
            seeds=range(settings.seeds or draws),
            gammas=GAMMAS[:2] if settings.scale == "quick" else GAMMAS,
            engine="exact" if settings.engine == "exact" else "leap",
            steps=setting.STEPS if settings.engine == "exact" else STEPS,
            threads=settings.threads,
            progress=settings.progress,
        )
    except JobsInterrupted as stop:
        raise Stopped(f"{stop}; nothing was kept") from None
    return write_theory(data, folder)


def write_theory(data: Theory, folder: Path) -> Output:
    """Write pictures (png), records and times (CSV, npz), and the report (Markdown)."""
    verdicts = judge_theory(data)
    times = time_rows(data)
    return write_item(
        "theory", folder,
        pictures={"": draw_theory(data)},
        tables={"records": record_rows(data), "times": times},
        arrays=as_columns(times),
        verdicts=verdicts,
        report=report_theory(data, verdicts),
    )  # fmt: skip
