"""Crossings inside leaps: sections of their brackets, recorded by following the leap again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks, _core
from fastgrok._checks import F64, Data, EvaluationSet
from fastgrok._populations import Population
from fastgrok.attacks import Pgd
from fastgrok.grokking import POPULATION_SIZE, Crossing, counted
from fastgrok.margins import margins

if TYPE_CHECKING:
    from fastgrok.trajectory import Trajectory

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
    """

    reached: Callable[[Trajectory], NDArray[np.bool_]]
    low: float
    high: float
    last: bool = False

    def steps(self) -> F64:
        """Return steps to look at: none if there are none between `low` and `high`."""
        steps = np.unique(np.rint(np.linspace(self.low, self.high, POINTS + 2)))
        return steps[(steps > self.low) & (steps < self.high)]

    def narrow(self, piece: Trajectory) -> None:
        """Take in what was recorded between `low` and `high`."""
        inside = (piece.steps > self.low) & (piece.steps < self.high)
        if not inside.any():
            return
        steps = [self.low, *piece.steps[inside].astype(np.float64).tolist(), self.high]
        hits = self.reached(piece)[inside].tolist()
        if self.last:
            first = len(hits) - hits[::-1].index(False) if False in hits else 0
        else:
            first = hits.index(True) if True in hits else len(hits)
        self.low, self.high = steps[first], steps[first + 1]


class Doubt:
    """
    How many points of a set are surely right, and how many possibly, if weights have errors.

    Parameters
    ----------
    value : evaluation set
        As given to `train`.
    data : (X, y) or Population
        The same, checked.
    loss, tie : str
        Settings of the run.
    """

    def __init__(self, value: EvaluationSet, data: Data | Population, loss: str, tie: str) -> None:
        self._value, self._data = value, data
        self._loss, self._tie = loss, tie
        if isinstance(data, Population):
            return
        rows = data[0]
        self._norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        if isinstance(value, Pgd):
            self._norms += value._settings.longest_move(rows.shape[1])
            self._attack = value._settings.of(_core.Problem(*data, True))

    def counts(self, weights: F64, rtol: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
        surely, possibly : ndarray of int64, shape (R,)
            For a population as multiples of 1e-12.
        """
        w, b = np.ascontiguousarray(weights[:, :-1]), weights[:, -1]
        of_b = rtol * np.maximum(np.abs(b), 1.0)
        if isinstance(self._data, Population):
            return self._shares(w, b, of_b + rtol * np.abs(b))
        of_w = rtol * np.linalg.norm(w, axis=1)
        counts = [self._of_record(*at) for at in zip(w, b, of_w, of_b, strict=True)]
        surely, possibly = np.array(counts, dtype=np.int64).reshape(-1, 2).T
        return surely, possibly

    def _of_record(self, w: F64, b: float, of_w: float, of_b: float) -> tuple[int, int]:
        assert not isinstance(self._data, Population)
        X, y = self._data
        if isinstance(self._value, Pgd):
            X = self._attack.points(w, float(b), _checks.threads(None))
        m = margins(X, y, w, float(b), normalized=False)
        error = of_w * self._norms + of_b
        return int((m > error).sum()), int((m > -error).sum())

    def _shares(self, w: F64, b: F64, error: F64) -> tuple[NDArray[Any], NDArray[Any]]:
        assert isinstance(self._data, Population)
        norms = np.linalg.norm(w, axis=1)
        ends = [
            self._data.curves(norms, b + shift, w, self._loss, self._tie)[0]
            for shift in (-error, 0.0, error)
        ]
        surely, possibly = np.min(ends, axis=0), np.max(ends, axis=0)
        return (
            np.rint(surely * POPULATION_SIZE).astype(np.int64),
            np.rint(possibly * POPULATION_SIZE).astype(np.int64),
        )


class Again(Protocol):
    """
    A run and the means to follow its leaps again.

    Attributes
    ----------
    run : Trajectory
        What was recorded, with the error that was allowed then.
    rtol : float
        The error with which leaps are followed.
    """

    run: Trajectory
    rtol: float

    def follow(self, steps: F64, records: Iterable[int]) -> Trajectory:
        """Record these steps and these records of the run, with the weights."""

    def doubt(self, name: str) -> Doubt:
        """Return the doubts about a data set."""


@dataclass
class Inside:
    """Crossings inside leaps, by name: steps, and between which a first hit surely lies."""

    firsts: dict[str, int] = field(default_factory=dict)
    sustained: dict[str, int] = field(default_factory=dict)
    brackets: dict[str, tuple[int, int]] = field(default_factory=dict)


def cross_inside_leaps(again: Again, crossings: Mapping[str, Crossing]) -> Inside:
    """Locate those crossings that lie inside leaps."""
    run = again.run
    searches: dict[tuple[str, str], Search] = {}
    ends: set[int] = set()
    late: dict[str, int] = {}

    def seek(what: str, name: str, record: int, reached: Callable[..., Any]) -> None:
        low, high = float(run.steps[record - 1]), float(run.steps[record])
        searches[what, name] = Search(reached, low, high, last=what == "sustained")
        ends.add(record)

    for name, crossing in crossings.items():
        hits = _Hits(again, again.doubt(name), name, crossing.need)
        if crossing.sustained is not None and _leaped(run, crossing.sustained):
            seek("sustained", name, crossing.sustained, hits.by_count)
        if crossing.first is None or not _leaped(run, crossing.first):
            continue
        seek("first", name, crossing.first, hits.by_count)
        record = crossing.first
        while _leaped(run, record - 1) and hits.possible(run, record - 1):
            record -= 1
        seek("possible", name, record, hits.possible)
        record = crossing.first
        while record < run.steps.size and _leaped(run, record) and not hits.sure(run, record):
            record += 1
        if record < run.steps.size and _leaped(run, record):
            seek("sure", name, record, hits.sure)
        else:
            late[name] = int(run.steps[min(record, run.steps.size - 1)])

    while (steps := np.unique(np.concatenate([s.steps() for s in searches.values()]))).size:
        piece = again.follow(steps, sorted(ends))
        for search in searches.values():
            search.narrow(piece)

    found = Inside()
    for name in crossings:
        at = {what: int(s.high) for (what, of), s in searches.items() if of == name}
        if "sustained" in at:
            found.sustained[name] = at["sustained"]
        if "first" in at:
            first = found.firsts[name] = at["first"]
            latest = late[name] if name in late else at["sure"]
            found.brackets[name] = (min(at["possible"], first) - 1, max(latest, first))
    return found


def _leaped(run: Trajectory, record: int) -> bool:
    return run.engine.leap_at(float(run.steps[record])) is not None


@dataclass
class _Hits:
    """Which records of a trajectory reach what is needed: as counted, possibly, and surely."""

    again: Again
    doubt: Doubt
    name: str
    need: int

    def by_count(self, piece: Trajectory) -> NDArray[np.bool_]:
        return counted(piece, self.name) >= self.need

    def possible(self, piece: Trajectory, record: int | None = None) -> NDArray[np.bool_]:
        return self._counts(piece, record)[1] >= self.need

    def sure(self, piece: Trajectory, record: int | None = None) -> NDArray[np.bool_]:
        return self._counts(piece, record)[0] >= self.need

    def _counts(
        self, piece: Trajectory, record: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        assert piece.weights is not None
        if record is None:
            return self.doubt.counts(piece.weights, self.again.rtol)
        error = _error_at(piece, float(piece.steps[record]))
        return self.doubt.counts(piece.weights[record : record + 1], error)


def _error_at(run: Trajectory, step: float) -> float:
    """Error of the weights in a leap: less than was allowed where its evidence says so."""
    leap = run.engine.leap_at(step)
    assert leap is not None
    assert run.engine.rtol is not None
    return min(run.engine.rtol, ESTIMATES * max(leap.error, leap.overlap_difference))
