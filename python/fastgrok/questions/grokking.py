"""Grokking times of a recorded run: first hits and sustained hits in exact counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks.shares import POPULATION_SIZE, exact_share, written
from fastgrok.records import Record

LEVEL = 0.6
"""Best test accuracy that counts as generalisation by default: more than guessing gives."""


@dataclass(frozen=True)
class GrokkingTimes:
    """When the training and the test accuracy reach (1 - eps) of their maxima.

    Definition 3.4 of Das et al. (2026), arXiv 2602.08302, read off a record. Every time is a
    number of steps; None means never.

    Attributes
    ----------
    train, test : int or None
        First step at which the accuracy is at least (1 - eps) times its maximum over the record.
    delay : float or None
        zeta = test / train; inf if only ``train`` is 0, nan if both are, None if either is None.
    difference : int or None
        test - train, which is negative where the test accuracy comes first.
    sustained_train, sustained_test : int or None
        First step from which the condition holds up to the end of the record; None if it does
        not hold at the end.
    eps : Fraction
        The tolerance, as the decimal that was given.
    max_train, max_test : int
        The maxima over the record, as counts of correct points; of a population, out of 10^12.
    horizon : int or None
        Last step of the record: the maxima are those up to here. None if the record is empty.
    train_bracket, test_bracket : tuple of int, or None
        (lo, hi]: the record before the first hit, and the first hit. The resolution of the time.
        After `Trajectory.refine` a step, or inside a leap what the error of the leap implies.
    several : tuple of str
        Which of ``"train"``, ``"test"``, ``"sustained_train"`` and ``"sustained_test"`` `refine`
        found inside a leap where they may be one of several crossings: between steps that it looked
        at, points become right and others wrong, so many that the accuracy may have crossed the
        threshold more often. `grokking` looks at records alone and names none.
    best_test : float
        The best test accuracy over the record.
    level : Fraction
        What it must reach for the model to count as one that generalises. Where it does not,
        `test` and all that follows from it are None: a model that guesses has a best, too.
    """

    train: int | None
    test: int | None
    delay: float | None
    difference: int | None
    sustained_train: int | None
    sustained_test: int | None
    eps: Fraction
    max_train: int
    max_test: int
    horizon: int | None
    train_bracket: tuple[int, int] | None
    test_bracket: tuple[int, int] | None
    several: tuple[str, ...] = ()
    best_test: float = math.nan
    level: Fraction = Fraction(0)

    @property
    def generalizes(self) -> bool:
        """Whether the best test accuracy reaches `level`."""
        return self.best_test >= float(self.level)

    def __str__(self) -> str:
        """Say it in a line."""
        if self.horizon is None:
            return "no records, and so no times"
        train = f"training set: {_when(self.train, self.sustained_train)}"
        if not self.generalizes:
            return (
                f"{train}; test set: never generalises, its best accuracy {self.best_test:.4g} is "
                f"below {float(self.level):g}"
            )
        delay = "" if self.delay is None else f"; {_later(self.delay)}"
        return f"{train}; test set: {_when(self.test, self.sustained_test)}{delay}"


def _later(delay: float) -> str:
    if delay == 1.0 or math.isnan(delay):  # both at the start
        return "at the same step"
    return f"{1 / delay:.4g} times as early" if 0.0 < delay < 1.0 else f"{delay:.4g} times as late"


def _when(first: int | None, sustained: int | None) -> str:
    if first is None:
        return "never"
    kept = "but not to the end" if sustained is None else f"for good from step {sustained}"
    return f"step {first}" if sustained == first else f"step {first}, {kept}"


@dataclass(frozen=True)
class Crossing:
    """Where one accuracy curve meets its threshold; ``first`` and ``sustained`` index records."""

    best: int
    need: int
    first: int | None
    sustained: int | None


@dataclass(frozen=True)
class CrossingSteps:
    """The steps that belong to a crossing, from the record or from a rerun.

    ``several``: whether the first hit, and the sustained one, may be one of several crossings.
    """

    first: int | None
    sustained: int | None
    bracket: tuple[int, int] | None
    several: tuple[bool, bool] = (False, False)


def exact_tolerance(eps: float | Fraction | Decimal) -> Fraction:
    """Read `eps` as the decimal its author wrote (0.1 is 1/10), and check 0 <= eps < 1."""
    tolerance = written("eps", eps)
    if tolerance is None or not 0 <= tolerance < 1:
        raise ValueError(f"eps must lie in [0, 1), got {eps}")
    return tolerance


def at_level(
    times: GrokkingTimes, run: Record, test: str, level: float | Fraction | Decimal
) -> GrokkingTimes:
    """Take the test times away where the best test accuracy is below `level`."""
    least = exact_share("level", level)
    best = Fraction(times.max_test, points(run, test))
    times = replace(times, best_test=float(best), level=least)
    if best >= least:
        return times
    return replace(
        times, test=None, delay=None, difference=None, sustained_test=None, test_bracket=None,
        several=tuple(name for name in times.several if name.endswith("train")),
    )  # fmt: skip


def points(run: Record, name: str) -> int:
    """Give the number of points of a data set, a population's as `counted` has it."""
    return POPULATION_SIZE if name in run.probabilities else run.sizes[name]


def check_name(run: Record, name: str, argument: str = "test") -> None:
    """Raise an error unless this argument names a data set of the run."""
    known = ", ".join(map(repr, run.losses))
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be one of {known}, got {_checks.show(name)}")
    if name not in run.losses:
        raise ValueError(f"{argument} is {name!r}, but this run recorded only {known}")


def counted(run: Record, name: str) -> NDArray[np.int64]:
    """Give the counts of correct points at every record, a population's out of POPULATION_SIZE."""
    if name in run.probabilities:
        return np.rint(run.probabilities[name] * POPULATION_SIZE).astype(np.int64)
    return run.counts[name]


def find_crossing(
    steps: NDArray[np.int64], counts: NDArray[np.int64], eps: Fraction, include_start: bool
) -> Crossing:
    """Compare counts with (1 - eps) * max(counts) in exact arithmetic."""
    start = int(not include_start and steps.size > 0 and steps[0] == 0)
    considered = counts[start:]
    best = int(considered.max(initial=0))
    if best == 0:
        # No record, or no point ever right: every record would trivially reach a maximum of 0.
        return Crossing(best=0, need=0, first=None, sustained=None)
    need = math.ceil((1 - eps) * best)
    reached = considered >= need
    misses = np.flatnonzero(~reached)
    since = int(misses[-1]) + 1 if misses.size else 0
    return Crossing(
        best=best,
        need=need,
        first=start + int(np.argmax(reached)),
        sustained=start + since if reached[-1] else None,
    )


def recorded_steps(steps: NDArray[np.int64], crossing: Crossing) -> CrossingSteps:
    """Translate record indices into steps."""
    if crossing.first is None:
        return CrossingSteps(first=None, sustained=None, bracket=None)
    first = int(steps[crossing.first])
    before = int(steps[crossing.first - 1]) if crossing.first > 0 else 0
    sustained = None if crossing.sustained is None else int(steps[crossing.sustained])
    return CrossingSteps(first=first, sustained=sustained, bracket=(before, first))


def combine(
    run: Record,
    eps: Fraction,
    crossings: tuple[Crossing, Crossing],
    found: tuple[CrossingSteps, CrossingSteps],
) -> GrokkingTimes:
    """Put the training and the test curve's times together."""
    train, test = found
    delay: float | None = None
    difference: int | None = None
    if train.first is not None and test.first is not None:
        difference = test.first - train.first
        if train.first > 0:
            delay = test.first / train.first
        else:
            delay = math.inf if test.first > 0 else math.nan
    names = ("train", "sustained_train", "test", "sustained_test")
    several = zip(names, train.several + test.several, strict=True)
    return GrokkingTimes(
        train=train.first,
        test=test.first,
        delay=delay,
        difference=difference,
        sustained_train=train.sustained,
        sustained_test=test.sustained,
        eps=eps,
        max_train=crossings[0].best,
        max_test=crossings[1].best,
        horizon=int(run.steps[-1]) if run.steps.size else None,
        train_bracket=train.bracket,
        test_bracket=test.bracket,
        several=tuple(name for name, more in several if more),
    )


def grokking_times(
    run: Record, test: str, eps: float | Fraction | Decimal, include_start: bool
) -> GrokkingTimes:
    """Read the grokking times off the record; see `Trajectory.grokking`."""
    check_name(run, test)
    tolerance = exact_tolerance(eps)
    include_start = _checks.flag("include_start", include_start)
    train_crossing = find_crossing(run.steps, counted(run, "train"), tolerance, include_start)
    test_crossing = find_crossing(run.steps, counted(run, test), tolerance, include_start)
    return combine(
        run,
        tolerance,
        (train_crossing, test_crossing),
        (recorded_steps(run.steps, train_crossing), recorded_steps(run.steps, test_crossing)),
    )
