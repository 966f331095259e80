"""What the judges of all figures and tables share: rules over the readings of the paper."""

from collections.abc import Callable
from math import inf

import numpy as np

from fastgrok._checks import plural
from fastgrok.papers._report import (
    READING,
    Finding,
    Outcome,
    Stated,
    Verdict,
    judge_number,
    spread,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._setting import Variant

#: A rule judges the runs of one reading, one for each draw: an outcome, and its numbers.
Rule = Callable[[list[Run]], tuple[Outcome, str]]

# Why runs that are long enough may still decide nothing.
_UNSEEN = "does not show in these runs"


def over_readings(
    data: Ensemble,
    claim: str,
    rule: Rule,
    *,
    decidable: bool = True,
    at_any_time: bool = False,
    stated: str = "",
) -> Verdict:
    """
    Hold a claim against every reading; one that the runs are too short for stays undecided.

    So does, with its numbers, a reading of which a run ended before its last step, unless the claim
    is about all times and differs before.
    """
    return Verdict.of_readings(
        claim,
        (_of_reading(data.of(variant), rule, decidable, at_any_time) for variant in data.variants),
        stated=stated,
    )


def _of_reading(runs: list[Run], rule: Rule, decidable: bool, at_any_time: bool) -> Finding:
    reading, (outcome, numbers) = str(runs[0].variant), rule(runs)
    ends = [float(run.trajectory.steps[-1]) for run in runs if run.stopped]
    if not ends or (at_any_time and outcome is Outcome.DIFFERS):
        return finding(reading, outcome, numbers, decidable=decidable)
    numbers += f"; {len(ends)} of {plural(len(runs), 'run')} ended early, at step {spread(ends)}"
    return Finding(reading, Outcome.SHORT, numbers)


def finding(reading: str, outcome: Outcome, numbers: str, *, decidable: bool) -> Finding:
    """Make a finding; one that the runs are too short for is undecided, whatever its numbers."""
    if decidable:
        return Finding(reading, outcome, numbers, reason=_UNSEEN)
    return Finding(reading, Outcome.SHORT, numbers)


def full_length(data: Ensemble) -> bool:
    """Whether the runs are as long as the paper's, as claims that hang on the horizon need."""
    return bool(data.settings["steps"] >= setting.STEPS)


def long_enough(data: Ensemble, stated: Stated) -> bool:
    """Whether the runs last beyond a stated time, so that its absence would be seen."""
    return bool(data.settings["steps"] >= READING * stated.value)


def peak_rule(stated: Stated) -> Rule:
    """Hold the step at which |b| / ||w|| peaks against a stated one."""

    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        peaks = [float(run.trajectory.steps[peak_record(run)]) for run in runs]
        return judge_number(stated, peaks), f"at {spread(peaks)}"

    return rule


def peak_record(run: Run) -> int:
    """At which record, the start apart, |b| / ||w|| is largest."""
    later = int(np.argmax(run.trajectory.steps > 0))
    return later + int(np.nanargmax(run.trajectory.distance[later:]))


def imbalance(variant: Variant) -> float:
    """Return log(s+ / s-), twice the steady bias of Theorem 4.5 for antipodal planting."""
    plus, minus = variant.support
    return float(np.log(plus / minus))


def mirrored(data: Ensemble) -> bool:
    """
    Whether support vectors are planted in mirrored pairs.

    Only then can the steady bias be read off their numbers; else it depends on where they are.
    """
    return bool(data.settings["planting"] == "antipodal")


def finite(value: float | None) -> float:
    """Read a time that never came as infinite."""
    return inf if value is None else float(value)
