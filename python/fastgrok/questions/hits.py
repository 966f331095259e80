"""First hits: when an accuracy first reaches a stated level, or from when on it keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks.shares import exact_share
from fastgrok.questions.grokking import check_name, counted, points
from fastgrok.questions.refine import refined_times
from fastgrok.records import Record


@dataclass(frozen=True)
class Hit:
    """When an accuracy reached a level.

    Attributes
    ----------
    step : int
        The step at which it was first seen to be reached, or from which on it was kept.
    bracket : tuple of int
        (lo, hi]: where that may have been in truth. Of a record, lo is the record before the hit;
        0 if it is the first one, and the start itself may have been a hit if it is not recorded.
    """

    step: int
    bracket: tuple[int, int]


def first_hit(
    run: Record, name: str, accuracy: float | Fraction | Decimal, sustained: bool
) -> Hit | None:
    """Read a first hit off the record; see `Trajectory.first_hit`."""
    counts = _counts(run, name)
    reached = counts >= _needed(run, name, accuracy)
    sustained = _checks.flag("sustained", sustained)
    if not reached.any() or (sustained and not reached[-1]):
        return None
    misses = np.flatnonzero(~reached)
    after_misses = int(misses[-1]) + 1 if misses.size else 0
    record = after_misses if sustained else int(np.argmax(reached))
    before = int(run.steps[record - 1]) if record > 0 else 0
    step = int(run.steps[record])
    return Hit(step, (before, step))


def refined_hit(
    run: Record,
    name: str,
    accuracy: float | Fraction | Decimal,
    X: NDArray[Any] | None,
    y: NDArray[Any] | None,
    evals: Mapping[str, Any] | None,
    sustained: bool,
    progress: bool | Callable[[int], None],
) -> Hit | None:
    """Find a first hit exact to the step; see `Trajectory.refine_hit`."""
    progress = _checks.flag_or_function("progress", progress)
    recorded = first_hit(run, name, accuracy, sustained)
    if recorded is None or recorded.step == recorded.bracket[0]:
        return recorded
    # The tolerance that asks for just as many points of the best count.
    eps = 1 - Fraction(_needed(run, name, accuracy), int(_counts(run, name).max()))
    times = refined_times(run, name, X, y, evals, eps, include_start=True, progress=progress)
    step, bracket = times.test, times.test_bracket
    if sustained:
        step = times.sustained_test
        if run.engine.leap_at(float(recorded.step)) is not None and step != times.test:
            # How far the error of a leap may move a last miss is known from the records alone.
            bracket = recorded.bracket
        elif step is not None and step != times.test:
            bracket = (step - 1, step)
    assert step is not None
    assert bracket is not None
    return Hit(step, bracket)


def _counts(run: Record, name: str) -> NDArray[np.int64]:
    check_name(run, name, "name")
    return counted(run, name)


def _needed(run: Record, name: str, accuracy: float | Fraction | Decimal) -> int:
    """Return how many points of a set make that accuracy."""
    share = exact_share("accuracy", accuracy, zero_reached_by="every record")
    return math.ceil(share * points(run, name))
