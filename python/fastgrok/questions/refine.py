"""Grokking times exact to the step: the brackets around each crossing, run or leaped again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok.descent import table
from fastgrok.descent.errors import LeapError
from fastgrok.questions._crossings import Inside, cross_inside_leaps
from fastgrok.questions._meter import meter
from fastgrok.questions._rerun import Rerun
from fastgrok.questions.grokking import (
    Crossing,
    CrossingSteps,
    GrokkingTimes,
    check_name,
    combine,
    counted,
    exact_tolerance,
    find_crossing,
)
from fastgrok.records import Record

# Error allowed to leaps that are followed again, if they had more.
FINE = 1e-10
# Where even the error of the run fails, since leaps depend on their records: so many times that.
LOOSER = 10.0


def refined_times(
    run: Record,
    test: str,
    X: NDArray[Any] | None,
    y: NDArray[Any] | None,
    evals: Mapping[str, Any] | None,
    eps: float | Fraction | Decimal,
    include_start: bool,
    progress: bool | Callable[[int], None],
) -> GrokkingTimes:
    """Rerun the brackets around each crossing; see `Trajectory.refine`."""
    check_name(run, test)
    tolerance = exact_tolerance(eps)
    include_start = _checks.flag("include_start", include_start)
    if missing := table.lack("refine", run.params):
        raise ValueError(f"{missing}: train with record=1 for every step")
    if run.weights is None:
        raise ValueError("refine needs the weights at every record: train with keep_weights=True")
    with meter(progress) as steps:
        rerun = Rerun(run, test, X, y, evals, steps)
        rerun.check_records()
        crossings = _crossings(rerun, tolerance, include_start)
        if any(map(rerun.retraceable, _bracket_ends(crossings))):
            rerun.retrace()
            crossings = _crossings(rerun, tolerance, include_start)
        found = _walk_brackets(rerun, crossings, include_start)
        steps.finish()
    return combine(
        run, tolerance, (crossings["train"], crossings[test]), (found["train"], found[test])
    )


def _crossings(rerun: Rerun, tolerance: Fraction, include_start: bool) -> dict[str, Crossing]:
    run = rerun.run
    return {
        name: find_crossing(run.steps, counted(run, name), tolerance, include_start)
        for name in ("train", rerun.test)
    }


def _bracket_ends(crossings: Mapping[str, Crossing]) -> set[int]:
    """Name the records between which accuracies cross their thresholds."""
    hits = {record for c in crossings.values() for record in (c.first, c.sustained)}
    return {end for hit in hits if hit is not None for end in (hit, max(hit - 1, 0))}


@dataclass
class _Steps:
    """Steps of first hits and those after last misses, by name."""

    firsts: dict[str, int] = field(default_factory=dict)
    sustained: dict[str, int] = field(default_factory=dict)


def _walk_brackets(
    rerun: Rerun, crossings: dict[str, Crossing], include_start: bool
) -> dict[str, CrossingSteps]:
    """Find first hits and last misses, each bracket run once however many crossings share it."""
    steps, engine = rerun.run.steps, rerun.run.engine
    known = _Steps()
    wanted: set[int] = set()
    leaped: set[tuple[str, int]] = set()
    for name, crossing in crossings.items():
        for record, found in (
            (crossing.first, known.firsts),
            (crossing.sustained, known.sustained),
        ):
            if record is None:
                continue
            in_leap = engine.leap_at(float(steps[record])) is not None
            if in_leap:
                leaped.add((name, record))
            if record > 0:
                exact = rerun.exact_until(record) - int(steps[record - 1])
            else:
                exact = int(steps[0]) + include_start  # which may have been a hit as well
            if not in_leap and exact <= 1:
                found[name] = int(steps[record])
            elif record == 0:
                raise ValueError(
                    f"the crossing of {name!r} lies before the first record (step {steps[0]}), and "
                    "no weights are kept from there: record step 0 too"
                )
            elif exact > 0:
                wanted.add(record)
    for record in wanted:
        rerun.meter.more(rerun.exact_until(record) - int(steps[record - 1]))
    for record in sorted(wanted):
        _walk_bracket(rerun, record, crossings, known)
    inside = Inside()
    left = {
        name: crossings[name]
        for name, record in sorted(leaped)
        if name not in known.firsts or record == crossings[name].sustained
    }
    if left:
        inside = _cross_inside_leaps(rerun, left, known)
        known.firsts |= inside.firsts
        known.sustained |= inside.sustained
    return {name: _steps_of(name, known, inside) for name in crossings}


def _cross_inside_leaps(rerun: Rerun, crossings: dict[str, Crossing], known: _Steps) -> Inside:
    """Follow leaps with a smaller error than they had, or with the same where that fails."""
    rerun.check_start()
    rtol = rerun.run.engine.rtol
    assert rtol is not None
    *finer, last = sorted({min(rtol, FINE), rtol, max(rtol, min(LOOSER * rtol, 0.5))})
    for allowed in finer:
        rerun.allow(allowed)
        try:
            return cross_inside_leaps(rerun, crossings, known.firsts, known.sustained)
        except LeapError:
            continue
    rerun.allow(last)
    return cross_inside_leaps(rerun, crossings, known.firsts, known.sustained)


def _walk_bracket(rerun: Rerun, record: int, crossings: dict[str, Crossing], known: _Steps) -> None:
    """Run one bracket, as far as exact steps led, and enter what it decides into `known`."""
    seek_first = {name for name, c in crossings.items() if c.first == record}
    seek_last = {name for name, c in crossings.items() if c.sustained == record}
    start = int(rerun.run.steps[record - 1])
    last_miss = dict.fromkeys(seek_last, start)
    at = start
    for piece in rerun.walk(record, with_evals=bool((seek_first | seek_last) - {"train"})):
        steps = at + piece.steps[1:]
        for name in seek_first | seek_last:
            reached = counted(piece, name)[1:] >= crossings[name].need
            if name in seek_first and name not in known.firsts and reached.any():
                known.firsts[name] = int(steps[np.argmax(reached)])
            if name in seek_last and not reached.all():
                last_miss[name] = int(steps[np.flatnonzero(~reached)[-1]])
        at = int(steps[-1])
        if not seek_last and all(name in known.firsts for name in seek_first):
            return
    known.sustained.update({name: step + 1 for name, step in last_miss.items()})


def _steps_of(name: str, known: _Steps, inside: Inside) -> CrossingSteps:
    first = known.firsts.get(name)
    bracket = None if first is None else inside.brackets.get(name, (max(first - 1, 0), first))
    several = ("first", name) in inside.several, ("sustained", name) in inside.several
    return CrossingSteps(first, known.sustained.get(name), bracket, several)
