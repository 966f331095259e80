"""Grokking times exact to the step: the brackets around each crossing, run or leaped again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._leaped_crossings import Doubt, Inside, cross_inside_leaps
from fastgrok.errors import DivergenceError, LeapError
from fastgrok.grokking import (
    Crossing,
    CrossingSteps,
    GrokkingTimes,
    check_name,
    combine,
    counted,
    exact_tolerance,
    find_crossing,
)

if TYPE_CHECKING:
    from fastgrok.trajectory import Trajectory

# Steps rerun at a time: a record of every step of a slice takes a few megabytes.
SLICE = 1 << 15
# Relative difference that rounding may leave between the same population's curves.
SAME_POPULATION = 1e-9
# Error allowed to leaps that are followed again, if they had more.
FINE = 1e-10


def refined_times(
    run: Trajectory,
    test: str,
    X: NDArray[Any],
    y: NDArray[Any],
    evals: Mapping[str, Any] | None,
    eps: float | Fraction | Decimal,
    include_start: bool,
) -> GrokkingTimes:
    """Rerun the brackets around each crossing; see `Trajectory.refine`."""
    check_name(run, test)
    tolerance = exact_tolerance(eps)
    if run.params.get("optimizer", "gd") != "gd":
        raise ValueError(
            "refine needs a run of plain descent: the running means that Adam goes on from are not "
            "recorded; train with record=1 for every step"
        )
    if run.weights is None:
        raise ValueError("refine needs the weights at every record: train with keep_weights=True")
    rerun = _Rerun(run, test, X, y, _chosen(evals, test))
    rerun.check_last_record()
    names = ("train", test)
    crossings = {
        name: find_crossing(run.steps, counted(run, name), tolerance, include_start)
        for name in names
    }
    found = _walk_brackets(rerun, crossings)
    return combine(
        run, tolerance, (crossings["train"], crossings[test]), (found["train"], found[test])
    )


def _chosen(evals: Mapping[str, Any] | None, test: str) -> dict[str, Any]:
    """Pick the one evaluation set that is needed."""
    if test == "train":
        return {}
    if not isinstance(evals, Mapping):
        raise TypeError(f"evals must be a mapping from names to data, got {type(evals).__name__}")
    if test not in evals:
        known = ", ".join(repr(name) for name in evals) or "nothing"
        raise ValueError(f"evals must hold {test!r}, the test set to refine; it holds {known}")
    return {test: evals[test]}


class _Rerun:
    """Starts from stored weights with the settings of the run."""

    def __init__(
        self,
        run: Trajectory,
        test: str,
        X: NDArray[Any],
        y: NDArray[Any],
        evals: dict[str, Any],
    ) -> None:
        expected = (run.params["rows"], run.params["dim"])
        if np.shape(X) != expected:
            raise ValueError(
                f"X has shape {np.shape(X)}, but the run was trained on shape {expected}"
            )
        self.run = run
        self.test = test
        self.X = X
        self.y = y
        self.evals = evals
        self.rtol = FINE

    def train(
        self, w: NDArray[np.float64], b: float, steps: int, *, with_evals: bool = True
    ) -> Trajectory:
        from fastgrok.training import train  # noqa: PLC0415  (training imports this module)

        return train(
            **self._arguments(w, b),
            steps=steps,
            engine="exact",
            record=np.arange(steps + 1),
            evals=self.evals if with_evals else None,
        )

    def _arguments(self, w: NDArray[np.float64], b: float) -> dict[str, Any]:
        same = ("lr", "loss", "reduction", "bias", "tie")
        return {
            "X": self.X,
            "y": self.y,
            "w0": np.array(w),
            "b0": float(b),
            "watch_sharpness": False,
            **{name: self.run.params[name] for name in same},
        }

    def check_start(self) -> None:
        """Raise ValueError unless leaps can be followed from the start of the run."""
        if self.run.steps[0] != 0:
            raise ValueError(
                "refine follows leaps from the start, of which no weights are kept: record step 0 "
                f"too (the first record is step {self.run.steps[0]})"
            )

    def follow(self, steps: F64, records: Iterable[int]) -> Trajectory:
        """Follow the leaps again from the start, to these steps and to records of the run."""
        from fastgrok.training import follow_leaps  # noqa: PLC0415

        run = self.run
        assert run.weights is not None
        assert run.engine.rtol is not None
        known = list(records)
        wanted = np.union1d(steps, run.steps[known].astype(np.float64))
        arguments = self._arguments(run.weights[0, :-1], run.weights[0, -1]) | {
            "steps": run.params["steps"],
            "rtol": self.rtol,
            "evals": self.evals,
            "keep_weights": True,
        }
        again = follow_leaps(wanted, arguments, run.engine.exact_steps)
        same = np.searchsorted(wanted, run.steps[known])
        assert again.weights is not None
        if not _within(run.engine.rtol + self.rtol, again.weights[same], run.weights[known]):
            raise self._mismatch("train")
        return again

    def doubt(self, name: str) -> Doubt:
        """Return what tells which points are surely right in spite of a leap's error."""
        params = self.run.params
        if name == "train":
            value: Any = (self.X, self.y)
            data: Any = _checks.data(self.X, self.y)
        else:
            value = self.evals[name]
            data = _checks.evaluation_sets({name: value}, params["dim"])[name]
        return Doubt(value, data, params["loss"], params["tie"])

    def check_last_record(self) -> None:
        """Raise ValueError unless losses and counts at the last record come out bit for bit."""
        run = self.run
        if run.weights is None or run.steps.size == 0:
            return
        try:
            again = self.train(run.weights[-1, :-1], run.weights[-1, -1], 1)
        except DivergenceError as error:
            # The record may end one step before a divergence; the start is recorded all the same.
            again = error.trajectory
        for name in ("train", self.test):
            if not _agree(run, again, name):
                raise self._mismatch(name)

    def walk(self, record: int, *, with_evals: bool) -> Iterator[Trajectory]:
        """Run from the record before `record` up to it and yield slices with every step.

        The steps of a slice count from its own start, which is the end of the slice before.
        """
        run = self.run
        assert run.weights is not None
        at, end = int(run.steps[record - 1]), int(run.steps[record])
        w, b = run.weights[record - 1, :-1], float(run.weights[record - 1, -1])
        while at < end:
            piece = self.train(w, b, min(SLICE, end - at), with_evals=with_evals)
            yield piece
            w, b = piece.w, piece.bias_final
            at += int(piece.steps[-1])
        if not (np.array_equal(w, run.weights[record, :-1]) and b == run.weights[record, -1]):
            raise self._mismatch("train")

    def _mismatch(self, name: str) -> ValueError:
        what = "X, y are" if name == "train" else f"evals[{name!r}] is"
        return ValueError(
            f"{what} not what the run recorded as {name!r}: rerunning from stored weights does not "
            f"give the same bits (the run used the {self.run.engine.simd} instruction set; another "
            "one can differ in the last bit)"
        )


def _within(rtol: float, weights: F64, expected: F64) -> bool:
    """Whether weights agree, the bias last, to `rtol` of ||w|| and of max(|b|, 1)."""
    difference = np.abs(weights - expected)
    w = np.linalg.norm(difference[:, :-1], axis=1) <= rtol * np.linalg.norm(
        expected[:, :-1], axis=1
    )
    b = difference[:, -1] <= rtol * np.maximum(np.abs(expected[:, -1]), 1.0)
    return bool(w.all() and b.all())


def _agree(run: Trajectory, again: Trajectory, name: str) -> bool:
    """Whether the first record of a rerun is the last of the run."""
    if (name in run.probabilities) != (name in again.probabilities):
        return False
    if name in run.probabilities:  # functions whose last bits depend on the length of the record
        return all(
            np.isclose(after[name][0], before[name][-1], rtol=SAME_POPULATION, atol=0.0)
            for before, after in (
                (run.probabilities, again.probabilities),
                (run.losses, again.losses),
            )
        )
    return bool(
        again.sizes[name] == run.sizes[name]
        and again.counts[name][0] == run.counts[name][-1]
        and again.losses[name][0] == run.losses[name][-1]
    )


def _walk_brackets(rerun: _Rerun, crossings: dict[str, Crossing]) -> dict[str, CrossingSteps]:
    """Find first hits and last misses, each bracket run once however many crossings share it."""
    steps, engine = rerun.run.steps, rerun.run.engine
    firsts: dict[str, int] = {}
    sustained: dict[str, int] = {}
    brackets: dict[str, tuple[int, int]] = {}
    wanted: set[int] = set()
    leaped: dict[str, Crossing] = {}
    for name, crossing in crossings.items():
        for record, known in ((crossing.first, firsts), (crossing.sustained, sustained)):
            if record is None:
                continue
            if engine.leap_at(float(steps[record])) is not None:
                leaped[name] = crossing
            elif int(steps[record]) - (int(steps[record - 1]) if record > 0 else 0) <= 1:
                known[name] = int(steps[record])
            elif record == 0:
                raise ValueError(
                    f"the crossing of {name!r} lies before the first record (step {steps[0]}), and "
                    "no weights are kept from there: record step 0 too"
                )
            else:
                wanted.add(record)
    for record in sorted(wanted):
        _walk_bracket(rerun, record, crossings, firsts, sustained)
    if leaped:
        inside = _cross_inside_leaps(rerun, leaped)
        firsts |= inside.firsts
        sustained |= inside.sustained
        brackets |= inside.brackets
    return {name: _steps_of(name, firsts, sustained, brackets) for name in crossings}


def _cross_inside_leaps(rerun: _Rerun, crossings: dict[str, Crossing]) -> Inside:
    """Follow leaps with a smaller error than they had, or with the same where that fails."""
    rerun.check_start()
    rtol = rerun.run.engine.rtol
    assert rtol is not None
    try:
        rerun.rtol = min(rtol, FINE)
        return cross_inside_leaps(rerun, crossings)
    except LeapError:
        rerun.rtol = rtol
        try:
            return cross_inside_leaps(rerun, crossings)
        except LeapError:
            raise rerun._mismatch("train") from None


def _walk_bracket(
    rerun: _Rerun,
    record: int,
    crossings: dict[str, Crossing],
    firsts: dict[str, int],
    sustained: dict[str, int],
) -> None:
    """Run one bracket and enter what it decides into `firsts` and `sustained`."""
    seek_first = {name for name, c in crossings.items() if c.first == record}
    seek_last = {name for name, c in crossings.items() if c.sustained == record}
    start = int(rerun.run.steps[record - 1])
    last_miss = dict.fromkeys(seek_last, start)
    at = start
    for piece in rerun.walk(record, with_evals=bool((seek_first | seek_last) - {"train"})):
        steps = at + piece.steps[1:]
        for name in seek_first | seek_last:
            reached = counted(piece, name)[1:] >= crossings[name].need
            if name in seek_first and name not in firsts and reached.any():
                firsts[name] = int(steps[np.argmax(reached)])
            if name in seek_last and not reached.all():
                last_miss[name] = int(steps[np.flatnonzero(~reached)[-1]])
        at = int(steps[-1])
        if not seek_last and all(name in firsts for name in seek_first):
            return
    sustained.update({name: step + 1 for name, step in last_miss.items()})


def _steps_of(
    name: str,
    firsts: dict[str, int],
    sustained: dict[str, int],
    brackets: dict[str, tuple[int, int]],
) -> CrossingSteps:
    first = firsts.get(name)
    bracket = None if first is None else brackets.get(name, (max(first - 1, 0), first))
    return CrossingSteps(first=first, sustained=sustained.get(name), bracket=bracket)
