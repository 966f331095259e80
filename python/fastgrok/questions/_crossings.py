"""Crossings inside leaps: sections of their brackets, recorded by following the leap again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.questions._doubt import Doubt, Look
from fastgrok.questions._meter import Meter
from fastgrok.questions.grokking import Crossing, counted
from fastgrok.records import Record

ESTIMATES = 10.0
"""By how many times its estimate the error of a leap may be larger: seldom by more than 2."""

POINTS = 64
"""Steps looked at in every stretch that is still in question, each time the leap is followed."""


@dataclass
class Search:
    """
    Narrows down a first hit, or the hit after the last miss, to a step.

    Attributes
    ----------
    reached : callable
        Says of every record of a trajectory whether it is a hit.
    low, high : float
        A miss, and a step by which it is reached.
    last : bool
        The last miss is sought, not the first hit.
    crossings : callable, optional
        Says between how many neighbouring records of a part of a trajectory it may cross.
    several : bool
        Whether there may have been more than the one crossing that was gone after.
    """

    reached: Callable[[Record], NDArray[np.bool_]]
    low: float
    high: float
    last: bool = False
    crossings: Callable[[Record, NDArray[np.bool_]], int] | None = None
    several: bool = False

    def steps(self) -> F64:
        """Return steps to look at, with both ends: none if there are none between these."""
        steps = np.unique(np.rint(np.linspace(self.low, self.high, POINTS + 2)))
        return steps if steps.size > 2 else steps[:0]

    def fits(self, piece: Record) -> bool:
        """Whether there is a miss at `low` and a hit at `high`, of which both were recorded."""
        low, high = self.reached(piece)[np.searchsorted(piece.steps, [self.low, self.high])]
        return bool(high and not low)

    def narrow(self, piece: Record) -> None:
        """Take in what was recorded between `low` and `high`."""
        inside = (piece.steps > self.low) & (piece.steps < self.high)
        if not inside.any():
            return
        if self.crossings is not None and not self.several:
            both = (piece.steps >= self.low) & (piece.steps <= self.high)
            self.several = self.crossings(piece, both) > 1
        steps = [self.low, *piece.steps[inside].astype(np.float64).tolist(), self.high]
        hits = self.reached(piece)[inside].tolist()
        if self.last:
            first = len(hits) - hits[::-1].index(False) if False in hits else 0
        else:
            first = hits.index(True) if True in hits else len(hits)
        self.low, self.high = steps[first], steps[first + 1]


class Again(Protocol):
    """
    A run and the means to follow its leaps again.

    Attributes
    ----------
    run : Record
        What was recorded, with the error that was allowed then.
    rtol : float
        The error with which leaps are followed.
    meter : Meter
        Told of the steps that are no longer in question.
    """

    run: Record
    rtol: float
    meter: Meter

    def follow(
        self, steps: F64, records: Iterable[int], kept: Sequence[tuple[float, float]]
    ) -> Record:
        """Record these steps and these records of the run, and know the leaps in what is kept."""

    def recalls(self, steps: F64) -> bool:
        """Whether leaps are known at all these steps, as they were followed last."""

    def recall(self, steps: F64) -> Record:
        """Record these steps, which are known."""

    def doubt(self, name: str) -> Doubt:
        """Return the doubts about a data set."""


@dataclass
class Inside:
    """Crossings inside leaps, by name: steps, and between which a first hit surely lies.

    ``several`` holds ("first" or "sustained", name) where it may be one of several crossings.
    """

    firsts: dict[str, int] = field(default_factory=dict)
    sustained: dict[str, int] = field(default_factory=dict)
    brackets: dict[str, tuple[int, int]] = field(default_factory=dict)
    several: set[tuple[str, str]] = field(default_factory=set)


def cross_inside_leaps(
    again: Again,
    crossings: Mapping[str, Crossing],
    firsts: Mapping[str, int],
    sustained: Mapping[str, int],
) -> Inside:
    """
    Locate those crossings that lie inside leaps.

    Parameters
    ----------
    again : Again
        The run.
    crossings : mapping
        Those in question, by name.
    firsts, sustained : mapping
        First hits, and steps after last misses, that exact steps before a leap have shown: the
        latter hold unless a miss follows in the leap.
    """
    searches = _Searches(again)
    for name, crossing in crossings.items():
        searches.begin(name, crossing, first=name not in firsts)
    searches.narrow()
    return searches.found(crossings, sustained)


class _Searches:
    """The searches of all crossings, which share what is recorded."""

    def __init__(self, again: Again) -> None:
        self._again, self._run = again, again.run
        self._by_key: dict[tuple[str, str], Search] = {}
        self._ends: set[int] = set()  # records to be compared with the run
        # Records at the ends of other brackets, which the error of the run leaves in doubt.
        self._outer: dict[tuple[str, str], int] = {}
        self._late: dict[str, int] = {}
        self._starts: dict[str, float] = {}

    def begin(self, name: str, crossing: Crossing, first: bool) -> None:
        """Seek what lies inside leaps."""
        run, again = self._run, self._again
        hits = _Hits(again, again.doubt(name), name, crossing.need)
        if crossing.sustained is not None and _leaped(run, crossing.sustained):
            self._seek("sustained", name, crossing.sustained, hits.by_count, hits.crossings)
            self._starts[name] = self._by_key["sustained", name].low
        if not first or crossing.first is None or not _leaped(run, crossing.first):
            return
        self._seek("first", name, crossing.first, hits.by_count, hits.crossings)
        self._seek("possible", name, crossing.first, hits.possible)
        self._seek("sure", name, crossing.first, hits.sure)
        possible, sure, known = hits.in_doubt(run, crossing.first)
        self._outer |= {("possible", name): possible, ("sure", name): sure}
        if not known:
            self._late[name] = int(run.steps[sure])

    def _seek(
        self,
        what: str,
        name: str,
        record: int,
        reached: Callable[..., Any],
        crossings: Callable[..., int] | None = None,
    ) -> None:
        low, high = _start(self._run, record), float(self._run.steps[record])
        self._by_key[what, name] = Search(reached, low, high, what == "sustained", crossings)
        self._ends.add(record)

    def narrow(self) -> None:
        """Follow leaps, and look at what is known of them, until nothing is left to look at."""
        searches, again = self._by_key.values(), self._again
        again.meter.more(_width(searches))
        for key, search in self._by_key.items():
            if not search.steps().size:
                self._move_out(key)
        while left := [search for search in searches if search.steps().size]:
            known = [search for search in left if again.recalls(search.steps())]
            steps = np.unique(np.concatenate([search.steps() for search in known or left]))
            if known:
                piece = again.recall(steps)
            else:
                kept = [(search.low, search.high) for search in left]
                piece = again.follow(steps, sorted(self._ends), kept)
                self._ends.clear()
            for key in list(self._outer):
                if not self._by_key[key].fits(piece):
                    self._move_out(key)
            self._outer.clear()
            before = _width(searches)
            for search in searches:
                search.narrow(piece)
            again.meter.add(before - _width(searches))

    def _move_out(self, key: tuple[str, str]) -> None:
        """Look where the error of the run says, since that of the leap followed again won't do."""
        if key not in self._outer:
            return
        record, search = self._outer.pop(key), self._by_key[key]
        before = _width([search])
        what, name = key
        if what == "sure" and name in self._late:
            search.low = search.high = float(self._late[name])
        else:
            search.low, search.high = _start(self._run, record), float(self._run.steps[record])
            self._ends.add(record)
        self._again.meter.more(_width([search]) - before)

    def found(self, crossings: Mapping[str, Crossing], sustained: Mapping[str, int]) -> Inside:
        """Return what has been found."""
        out = Inside(several={key for key, search in self._by_key.items() if search.several})
        for name in crossings:
            at = {what: int(s.high) for (what, of), s in self._by_key.items() if of == name}
            if "sustained" in at:
                # Whether no miss was seen in the leap.
                held = self._by_key["sustained", name].low == self._starts[name]
                out.sustained[name] = (
                    sustained.get(name, at["sustained"]) if held else at["sustained"]
                )
            if "first" in at:
                first = out.firsts[name] = at["first"]
                out.brackets[name] = (min(at["possible"], first) - 1, max(at["sure"], first))
        return out


def _width(searches: Iterable[Search]) -> float:
    return sum(search.high - search.low for search in searches)


def _start(run: Record, record: int) -> float:
    """Return the record before one inside a leap, or where exact steps ended if that is later."""
    leap = run.engine.leap_at(float(run.steps[record]))
    assert leap is not None
    return max(float(run.steps[record - 1]), leap.overlap_until)


def _leaped(run: Record, record: int) -> bool:
    return run.engine.leap_at(float(run.steps[record])) is not None


@dataclass
class _Hits:
    """Which records of a trajectory reach what is needed: as counted, possibly, and surely."""

    again: Again
    doubt: Doubt
    name: str
    need: int
    _seen: tuple[Record, Look] | None = None

    def by_count(self, piece: Record) -> NDArray[np.bool_]:
        return counted(piece, self.name) >= self.need

    def possible(self, piece: Record, record: int | None = None) -> NDArray[np.bool_]:
        return self._look(piece, record).possibly >= self.need

    def sure(self, piece: Record, record: int | None = None) -> NDArray[np.bool_]:
        return self._look(piece, record).surely >= self.need

    def in_doubt(self, run: Record, hit: int) -> tuple[int, int, bool]:
        """Return the first record that is possible, and the first sure one, about that of a hit.

        Where none in the leap is sure that is the last one, or the first behind it, and not so.
        """
        first, sure, end = hit, hit, run.steps.size - 1
        while _leaped(run, first - 1) and self.possible(run, first - 1):
            first -= 1
        while sure < end and _leaped(run, sure) and not self.sure(run, sure):
            sure += 1
        return first, sure, _leaped(run, sure) and bool(self.sure(run, sure))

    def crossings(self, piece: Record, part: NDArray[np.bool_]) -> int:
        """Count neighbouring records between which it may cross, if no point turns back there.

        In an orbit of any period, where points do so within a round, these are all.
        """
        at = np.flatnonzero(part)[:-1]
        if any(leap.period > 1 and leap.last >= piece.steps[at[0]] for leap in piece.engine.leaps):
            return at.size
        look, counts = self._look(piece), counted(piece, self.name)[at]
        least, most = counts - look.lost[at], counts + look.gained[at]
        return int(((least < self.need) & (most >= self.need)).sum())

    def _look(self, piece: Record, record: int | None = None) -> Look:
        assert piece.weights is not None
        if record is not None:
            error = _error_at(piece, float(piece.steps[record]))
            return self.doubt.look(piece.weights[record : record + 1], error)
        if self._seen is None or self._seen[0] is not piece:
            self._seen = piece, self.doubt.look(piece.weights, self.again.rtol)
        return self._seen[1]


def _error_at(run: Record, step: float) -> float:
    """Error of the weights in a leap: less than was allowed where its evidence says so."""
    leap = run.engine.leap_at(step)
    assert leap is not None
    assert run.engine.rtol is not None
    return min(run.engine.rtol, ESTIMATES * max(leap.error, leap.overlap_difference))
