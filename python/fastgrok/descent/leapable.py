"""Whether a run may leap at all, as far as its arguments tell."""

from __future__ import annotations

from fastgrok._core import first_leap
from fastgrok.descent import table
from fastgrok.descent.optimizers import Optimizer
from fastgrok.records.printing import whole_number

FEWEST_STEPS = 2256
"""More than between two records must be left out, or a leap does not pay."""
FEWEST_LEAPED = 1998
"""So many must be left where the first leap takes over (258 of plain descent), likewise."""


def may_leap(engine: str, never: str | None) -> bool:
    """Whether a run may leap, if it is long; `check` refuses "leap" of what lacks something."""
    return engine == "leap" or (engine == "auto" and never is None)


def why_never(loss: str, optimizer: Optimizer, steps: int) -> str | None:
    """Why exact steps alone lead to the end, in words; None if leaps may."""
    if missing := table.lack("leap", {"loss": loss, **optimizer.parts}):
        return table.unable(missing)
    begins = first_leap(optimizer.for_core())
    if begins + FEWEST_LEAPED <= steps or steps < FEWEST_STEPS:
        return None
    return (
        f"a leap begins at step {whole_number(begins)} at the earliest with {_late(optimizer)}, "
        f"and the last step is {whole_number(float(steps))}"
    )


def why_none(engine: str, loss: str, optimizer: Optimizer) -> str:
    """Why a run may not leap, as an argument."""
    if engine != "auto":
        return f"engine={engine!r}"
    if missing := table.lack("leap", {"loss": loss, **optimizer.parts}):
        return missing.whose
    return _late(optimizer)


def _late(optimizer: Optimizer) -> str:
    """Name what makes leaps begin late."""
    if "momentum" in optimizer.options:
        return f"momentum={optimizer.options['momentum']:g}"
    return f"schedule={optimizer.schedule!r}"
