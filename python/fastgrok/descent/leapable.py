"""Whether a run may leap at all, as far as its arguments tell."""

from __future__ import annotations

from collections.abc import Mapping

from fastgrok.descent import table
from fastgrok.descent.schedules import Schedule

FEWEST_STEPS = 2256
"""More than between two records must be left out, or a leap does not pay."""
KINKS_BEFORE = 4
"""A leap begins at so many times the step of a schedule's last kink: the core wants as many exact
steps behind it as lie before, and as many again as there are then beside the leap."""


def may_leap(engine: str, never: str | None) -> bool:
    """Whether a run may leap, if it is long; `check` refuses "leap" of what lacks something."""
    return engine == "leap" or (engine == "auto" and never is None)


def why_never(parts: Mapping[str, str], schedule: Schedule, steps: int) -> str | None:
    """Why exact steps alone lead to the end, in words; None if leaps may."""
    if missing := table.lack("leap", parts):
        return table.unable(missing)
    begins = KINKS_BEFORE * schedule.last_kink
    if begins < steps or steps < FEWEST_STEPS:
        return None
    return (
        f"a leap begins at {KINKS_BEFORE} times the length of schedule='{schedule}', "
        "behind the last step"
    )


def why_none(engine: str, parts: Mapping[str, str]) -> str:
    """Why a run may not leap, as an argument."""
    if engine != "auto":
        return f"engine={engine!r}"
    if missing := table.lack("leap", parts):
        return missing.whose
    return f"schedule={parts['schedule']!r}"
