"""Crossings inside leaps: sections of their brackets, recorded by following the leap again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Data, EvaluationSet
from fastgrok._checks.populations import Population
from fastgrok._checks.shares import POPULATION_SIZE
from fastgrok._core import Problem
from fastgrok.linear import Pgd, margins
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


class Look(NamedTuple):
    """
    What is right at a number of records, and what changes from one to the next.

    Attributes
    ----------
    surely, possibly : ndarray of int64, shape (R,)
        Points that are right, if the weights have errors: at least so many, and at most.
    gained, lost : ndarray of int64, shape (R - 1,)
        Points that become right, and wrong, between a record and the next.
    """

    surely: NDArray[np.int64]
    possibly: NDArray[np.int64]
    gained: NDArray[np.int64]
    lost: NDArray[np.int64]


class Doubt:
    """
    How many points of a set are surely right, and how many possibly, if weights have errors.

    Parameters
    ----------
    value : evaluation set
        As given to `train`.
    data : (X, y) or Population
        The same, checked.
    tie : str
        The run's.
    """

    def __init__(self, value: EvaluationSet, data: Data | Population, tie: str) -> None:
        self._value, self._data = value, data
        self._tie = tie
        if isinstance(data, Population):
            return
        rows = data[0]
        self._norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        if isinstance(value, Pgd):
            self._norms += value._settings.longest_move(rows.shape[1])
            self._attack = value._settings.of(Problem(*data, True))

    def look(self, weights: F64, rtol: float) -> Look:
        """
        Count the points that are surely and those that are possibly right.

        Parameters
        ----------
        weights : ndarray of shape (R, d + 1)
            At every record, the bias last.
        rtol : float
            Error of the weights, of ||w||, and of the bias, of max(|b|, 1).

        Returns
        -------
        Look
            For a population as multiples of 1e-12.
        """
        w, b = np.ascontiguousarray(weights[:, :-1]), weights[:, -1]
        of_b = rtol * np.maximum(np.abs(b), 1.0)
        if isinstance(self._data, Population):
            return self._shares(w, b, of_b + rtol * np.abs(b))
        of_w = rtol * np.linalg.norm(w, axis=1)
        records = len(weights)
        out = Look(*(np.zeros(size, np.int64) for size in (records, records, *[records - 1] * 2)))
        before: NDArray[np.bool_] | None = None
        for i in range(records):
            m = self._margins(w[i], float(b[i]))
            error = of_w[i] * self._norms + of_b[i]
            out.surely[i], out.possibly[i] = (m > error).sum(), (m > -error).sum()
            right = m > 0.0
            if before is not None:
                out.gained[i - 1], out.lost[i - 1] = (
                    (right & ~before).sum(),
                    (before & ~right).sum(),
                )
            before = right
        return out

    def _margins(self, w: F64, b: float) -> F64:
        assert not isinstance(self._data, Population)
        X, y = self._data
        if isinstance(self._value, Pgd):
            X = self._attack.points(w, b, _checks.threads(None))
        return margins(X, y, w, b, normalized=False)

    def _shares(self, w: F64, b: F64, error: F64) -> Look:
        assert isinstance(self._data, Population)
        norms = np.linalg.norm(w, axis=1)
        ends = [
            self._data.accuracies(norms, b + shift, w, self._tie) for shift in (-error, 0.0, error)
        ]
        low, middle, high = (
            np.rint(shares * POPULATION_SIZE).astype(np.int64)
            for shares in (np.min(ends, axis=0), ends[1], np.max(ends, axis=0))
        )
        change = np.diff(middle)
        return Look(low, high, np.maximum(change, 0), np.maximum(-change, 0))


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

    def follow(self, steps: F64, records: Iterable[int]) -> Record:
        """Record these steps and these records of the run, with the weights."""

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
    run = again.run
    searches: dict[tuple[str, str], Search] = {}
    ends: set[int] = set()
    late: dict[str, int] = {}
    starts: dict[str, float] = {}

    def seek(
        what: str,
        name: str,
        record: int,
        reached: Callable[..., Any],
        crossings: Callable[..., int] | None = None,
    ) -> None:
        low, high = _start(run, record), float(run.steps[record])
        searches[what, name] = Search(reached, low, high, what == "sustained", crossings)
        ends.add(record)

    for name, crossing in crossings.items():
        hits = _Hits(again, again.doubt(name), name, crossing.need)
        if crossing.sustained is not None and _leaped(run, crossing.sustained):
            seek("sustained", name, crossing.sustained, hits.by_count, hits.crossings)
            starts[name] = searches["sustained", name].low
        if name in firsts or crossing.first is None or not _leaped(run, crossing.first):
            continue
        seek("first", name, crossing.first, hits.by_count, hits.crossings)
        record = crossing.first
        while _leaped(run, record - 1) and hits.possible(run, record - 1):
            record -= 1
        seek("possible", name, record, hits.possible)
        record = crossing.first
        end = run.steps.size - 1
        while record < end and _leaped(run, record) and not hits.sure(run, record):
            record += 1
        if _leaped(run, record) and hits.sure(run, record):
            seek("sure", name, record, hits.sure)
        else:
            late[name] = int(run.steps[record])

    again.meter.more(_width(searches.values()))
    while (steps := np.unique(np.concatenate([s.steps() for s in searches.values()]))).size:
        piece = again.follow(steps, sorted(ends))
        before = _width(searches.values())
        for search in searches.values():
            search.narrow(piece)
        again.meter.add(before - _width(searches.values()))

    found = Inside(several={key for key, search in searches.items() if search.several})
    for name in crossings:
        at = {what: int(s.high) for (what, of), s in searches.items() if of == name}
        if "sustained" in at:
            held = searches["sustained", name].low == starts[name]  # no miss was seen in the leap
            found.sustained[name] = (
                sustained.get(name, at["sustained"]) if held else at["sustained"]
            )
        if "first" in at:
            first = found.firsts[name] = at["first"]
            latest = late[name] if name in late else at["sure"]
            found.brackets[name] = (min(at["possible"], first) - 1, max(latest, first))
    return found


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
