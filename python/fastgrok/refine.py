"""Grokking times exact to the step: the brackets around each crossing, run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok.errors import DivergenceError
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

    def train(
        self, w: NDArray[np.float64], b: float, steps: int, *, with_evals: bool = True
    ) -> Trajectory:
        from fastgrok.training import train  # noqa: PLC0415  (training imports this module)

        params = self.run.params
        return train(
            self.X,
            self.y,
            steps=steps,
            lr=params["lr"],
            loss=params["loss"],
            reduction=params["reduction"],
            bias=params["bias"],
            tie=params["tie"],
            engine="exact",
            w0=np.array(w),
            b0=float(b),
            record=np.arange(steps + 1),
            evals=self.evals if with_evals else None,
            watch_sharpness=False,
        )

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
    steps = rerun.run.steps
    firsts: dict[str, int] = {}
    sustained: dict[str, int] = {}
    wanted: set[int] = set()
    for name, crossing in crossings.items():
        for record, known in ((crossing.first, firsts), (crossing.sustained, sustained)):
            if record is None:
                continue
            if int(steps[record]) - (int(steps[record - 1]) if record > 0 else 0) <= 1:
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
    return {name: _steps_of(name, firsts, sustained) for name in crossings}


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


def _steps_of(name: str, firsts: dict[str, int], sustained: dict[str, int]) -> CrossingSteps:
    first = firsts.get(name)
    bracket = None if first is None else (max(first - 1, 0), first)
    return CrossingSteps(first=first, sustained=sustained.get(name), bracket=bracket)
