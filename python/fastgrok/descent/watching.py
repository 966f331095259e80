"""Looking at records as they come: the caller's function, and the step at which a run ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, MAX_EXACT_STEPS, Data
from fastgrok._checks.populations import Population, need_weights
from fastgrok._core import Descent, LeapingDescent
from fastgrok.descent.checkpoints import RECORDED, Checkpoint
from fastgrok.descent.columns import Columns
from fastgrok.descent.on_record import Values
from fastgrok.descent.sets import Sets
from fastgrok.descent.settings import Settings
from fastgrok.descent.stop import Condition
from fastgrok.records import LeapReport, tables
from fastgrok.records.reports import leap_at

SLICE = 1 << 15
"""Steps of which a record is made at a time, fewer where the weights are many."""
ENTRIES = 1 << 22
"""Numbers of weights that are kept at a time."""
SECTIONS = 256
"""A leap's bracket is cut into so many, until a section is a step."""


class Ending(NamedTuple):
    """A run that ends where a condition holds, with its last record there, and where it began."""

    descent: Descent
    leaping: LeapingDescent | None
    began: int


class _Snapshot:
    """A state on the way, and how many records had been made."""

    def __init__(self, state: dict[str, NDArray[Any]]) -> None:
        self.state = state
        self.step = int(state["step"][0])
        self.made = int(state["made"][0])


class Watch:
    """
    Looks at the records of a run.

    Between two looks the run may have gone on: what it did beyond the end is forgotten. Where that
    is does not depend on when it was looked, or how often.

    Parameters
    ----------
    settings : Settings
        Of the run.
    sets : Sets
        Where its data sets are kept.
    threads : int
        For what is run again.
    stopped : str, default ""
        What ended the run before, which is then not looked for.
    before : iterable of dict
        What `states` gave of a run that goes on here.

    Attributes
    ----------
    met : bool
        Whether a condition is met.
    stopped : str
        Which one, and where; "" if none ended the run.
    ending : Ending or None
        The run that takes the place of this one.
    """

    def __init__(
        self,
        settings: Settings,
        sets: Sets,
        threads: int,
        stopped: str = "",
        before: Iterable[dict[str, NDArray[Any]]] = (),
    ) -> None:
        self._settings, self._sets, self._threads = settings, sets, threads
        self._conditions = () if stopped else settings.stop
        self._values: Values | None = None
        if settings.on_record is not None:
            self._values = Values(settings.on_record, tables.taken(settings.data))
        self._steps: F64 = np.empty(0)
        # By condition: since which record it holds without a break, the next one if it does not.
        self._since = [0] * len(self._conditions)
        self._snapshots = [_Snapshot(state) for state in before]
        self.met = False
        self.stopped = stopped
        self.ending: Ending | None = None

    def look(self, descent: Descent) -> bool:
        """Look at new records; True if the run is to end."""
        if self.met:
            return True
        seen = self._columns(descent.recorded(self._steps.size), self._settings.data)
        count = self._looked(seen)
        self.met = count is not None
        if self._values is not None:
            # That at which a condition is met may lie behind the end.
            self._values.look(seen, seen.steps.size if count is None else count - 1)
        if self._conditions and not self.met and descent.can_be_kept:
            self._keep(descent)
        return self.met

    def states(self) -> list[dict[str, NDArray[Any]]]:
        """Return the earlier states that a search may have to begin from."""
        return [one.state for one in self._snapshots]

    def close(self, descent: Descent, leaping: LeapingDescent | None) -> None:
        """Look at what is left of a run that goes no further, and end it before if need be."""
        self.look(descent)
        found = self._first_end(leaping)
        if found is None:
            return
        end, condition = found
        at = end if end <= MAX_EXACT_STEPS else f"{float(end):.17g}"
        self.ending = self._ended(end, descent, leaping)
        self.stopped = f"{condition}, at step {at}"
        if self._values is not None:
            before = int(np.count_nonzero(self._steps < end))
            last = self.ending.descent.recorded(before)
            self._values.cut(before)
            self._values.look(self._columns(last, self._settings.data), 1)

    def values(self, descent: Descent, count: int) -> dict[str, F64]:
        """Return what the caller's function says of so many records, unless it has failed."""
        if self._values is None:
            return {}
        if not self._values.failed:
            rest = self._columns(descent.recorded(len(self._values)), self._settings.data)
            self._values.look(rest, rest.steps.size)
        return self._values.columns(count)

    def _columns(
        self, kept: dict[str, NDArray[Any]], data: Mapping[str, Data | Population]
    ) -> Columns:
        one = self._settings
        return Columns(
            kept, data, loss=one.loss, reduction=one.reduction, tie=one.tie, weights=one.weights
        )

    def _looked(self, seen: Columns) -> int | None:
        """Enter new records; how many of them there are up to the one where a condition is met."""
        before = self._steps.size
        self._steps = np.concatenate([self._steps, seen.steps])
        record = np.arange(before, self._steps.size)
        sinces, met = [], record.size
        for condition, since in zip(self._conditions, self._since, strict=True):
            holds = condition.holds(seen)
            sinces.append(np.maximum.accumulate(np.where(holds, since, record + 1)))
            surely = np.append(self._steps, np.inf)[sinces[-1]] + condition.kept <= seen.steps
            if surely.any():
                met = min(met, int(np.argmax(surely)))
        count = min(met + 1, record.size)
        if count:
            self._since = [int(since[count - 1]) for since in sinces]
        self._steps = self._steps[: before + count]
        return None if met == record.size else count

    def _last_without(self, number: int) -> int:
        """Return the last recorded step at which a condition does not hold, or -1."""
        since = self._since[number]
        return int(self._steps[since - 1]) if since else -1

    def _keep(self, descent: Descent) -> None:
        """Keep the state, and of earlier ones those from which a search may have to begin."""
        state = _without_records(descent) | {"made": np.array([self._steps.size])}
        self._snapshots.append(_Snapshot(state))
        before = {self._snapshot(self._last_without(c)) for c in range(len(self._conditions))}
        self._snapshots = [
            one for one in self._snapshots if one in before or one is self._snapshots[-1]
        ]

    def _snapshot(self, step: int) -> _Snapshot | None:
        """Return the last state that is not beyond a step."""
        return next((one for one in reversed(self._snapshots) if one.step <= step), None)

    def _first_end(self, leaping: LeapingDescent | None) -> tuple[int, Condition] | None:
        """Return the first step at which a condition ends the run, and the condition."""
        found = None
        last = self._steps.size - 1
        for number, condition in enumerate(self._conditions):
            if self._since[number] > last:
                continue
            without, holds = self._last_without(number), int(self._steps[self._since[number]])
            latest = int(self._steps[last]) if found is None else found[0] - 1
            latest -= condition.kept
            if without < latest:
                first: int | None = holds
                if holds > latest or holds - without > 1:
                    first = self._first(condition, without, min(holds, latest), leaping)
                found = found if first is None else (first + condition.kept, condition)
        return found

    def _first(
        self,
        condition: Condition,
        without: int,
        until: int,
        leaping: LeapingDescent | None,
    ) -> int | None:
        """Return the first step behind `without` where a condition holds, up to `until`."""
        exact = until
        if leaping is not None:
            leaps = [LeapReport(**leap) for leap in leaping.leaps]
            one = leap_at(leaps, float(until))
            exact = until if one is None else int(one.overlap_until)
        if exact > without:
            found = self._walk(condition, without, exact)
            if found is not None or exact == until:
                return found
        return self._section(condition, max(without, exact), until)

    def _search(self, condition: Condition) -> Settings:
        """Return settings under which records tell of a condition, and of nothing else."""
        data = self._settings.data
        some = {name: data[name] for name in data if name in ("train", *condition.sets())}
        return dataclasses.replace(
            self._settings,
            data=some,
            keep_weights=condition.needs_weights or need_weights(some),
            watch_sharpness=False,
        )

    def _walk(self, condition: Condition, without: int, until: int) -> int | None:
        """Take exact steps again, and look at every one behind `without`."""
        settings = self._search(condition)
        snapshot = self._snapshot(without)
        state = None if snapshot is None else snapshot.state
        length = min(SLICE, max(1, ENTRIES // settings.w0.size))
        for first in range(without + 1, until + 1, length):
            record = np.arange(first, min(first + length, until + 1))
            descent = dataclasses.replace(settings, record=record).descent(
                self._sets, self._threads
            )
            if state is not None:
                descent.restore(state)
            descent.run(lambda step: False)
            holds = condition.holds(self._columns(descent.recorded(), settings.data))
            if holds.any():
                return int(record[np.argmax(holds)])
            state = _without_records(descent)
        return None

    def _section(self, condition: Condition, without: int, until: int) -> int | None:
        """Follow leaps again to ever closer steps behind `without`."""
        settings = self._search(condition)
        low, high, found = float(without), float(until), None
        while found is None or high - low > 1.0:
            marks = np.unique(np.rint(np.linspace(low, high, SECTIONS + 1)))
            marks = marks[marks > low]
            if found is not None and marks.size == 1:  # beyond 2**53 there are none between
                break
            some = dataclasses.replace(settings, record=marks)
            descent = some.descent(self._sets, self._threads)
            some.engine_that_leaps(descent).run(lambda step: None)
            seen = self._columns(descent.recorded(), settings.data)
            holds = condition.holds(seen)
            if not holds.any():  # a leap may end elsewhere, with other records
                break
            first = int(np.argmax(holds))
            low, high = float(marks[first - 1]) if first else low, float(marks[first])
            found = int(high)
        return found

    def _ended(self, end: int, descent: Descent, leaping: LeapingDescent | None) -> Ending:
        """Make the run that ends there, from where it is known to have been before."""
        before = self._steps[self._steps < end]
        record = np.append(before, float(end)).astype(self._settings.record.dtype)
        settings = self._settings.ending(record)
        ended = settings.descent(self._sets, self._threads)
        leaps = [] if leaping is None else leaping.leaps
        if any(leap["overlap_until"] < end for leap in leaps):
            engine = settings.leaping(ended)
            assert engine is not None
            engine.run(lambda step: None)
            return Ending(ended, engine, 0)
        began = 0
        for snapshot in reversed(self._snapshots):
            if snapshot.step < end and snapshot.made <= before.size:
                records = descent.recorded()
                made = {name: records[name][: snapshot.made] for name in RECORDED & records.keys()}
                ended.restore({**snapshot.state, **made})
                began = snapshot.step
                break
        ended.run(lambda step: False)
        return Ending(ended, None, began)


def _without_records(descent: Descent) -> dict[str, NDArray[Any]]:
    """Return a state that goes on with any records."""
    return {"weights": np.empty(0)} | descent.state(records=False)


def watching(
    settings: Settings, sets: Sets, threads: int, keeper: Checkpoint | None = None
) -> Watch | None:
    """Return the watch over a run, if it needs one."""
    stopped = "" if keeper is None else keeper.stopped
    before = [] if keeper is None else keeper.before
    watched = settings.stop or settings.on_record is not None or stopped
    return Watch(settings, sets, threads, stopped, before) if watched else None
