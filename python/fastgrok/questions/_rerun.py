"""Parts of a run, made again from what it recorded."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, sparse
from fastgrok.descent.again import FollowedLeaps, exact_steps
from fastgrok.descent.allowed import FEWEST_EXACT, affordable
from fastgrok.descent.errors import DivergenceError
from fastgrok.errors import LeapWarning
from fastgrok.questions._doubt import Doubt
from fastgrok.questions._kept import evaluation_set, row_weights, training_data
from fastgrok.questions._meter import Meter
from fastgrok.records import Record

# Steps rerun at a time: a record of every step of a slice takes a few megabytes.
SLICE = 1 << 15
# Relative difference that rounding may leave between the same population's curves.
SAME_POPULATION = 1e-9


class Rerun:
    """
    Starts from stored weights with the settings of the run.

    Parameters
    ----------
    run : Record
        With its weights.
    test : str
        The evaluation set that is needed, or "train".
    X, y, evals
        The data as `Trajectory.refine` gets them.
    meter : Meter
        Told of the steps that are made again.

    Attributes
    ----------
    run : Record
        The run; after `retrace` with exact records where there can be any.
    rtol : float
        The error allowed to leaps that are followed again.
    """

    def __init__(
        self,
        run: Record,
        test: str,
        X: NDArray[Any] | None,
        y: NDArray[Any] | None,
        evals: Mapping[str, Any] | None,
        meter: Meter,
    ) -> None:
        self.run = run
        self.test = test
        self.rtol = 0.0
        self.meter = meter
        self._followed: FollowedLeaps[Record] | None = None
        self._own = X is None, evals is None
        self.X, self.y = training_data(run, X, y)
        self.weights = row_weights(run)
        self.evals = {} if test == "train" else {test: evaluation_set(run, test, evals)}

    def train(
        self,
        w: NDArray[np.float64],
        b: float,
        steps: int,
        *,
        record: Any = None,
        with_evals: bool = True,
        tell: Callable[[int], None] | None = None,
    ) -> Record:
        """Take so many exact steps from (w, b), and record these or all."""
        return exact_steps(
            self._arguments(w, b)
            | {
                "steps": steps,
                "record": np.arange(steps + 1) if record is None else record,
                "evals": self.evals if with_evals else None,
                "keep_weights": record is not None,
                "progress": self.meter.within if tell is None else tell,
            },
            type(self.run),
        )

    def _arguments(self, w: NDArray[np.float64], b: float) -> dict[str, Any]:
        same = (
            "lr", "loss", "reduction", "bias", "tie", "optimizer", "weight_decay", "decay_bias"
        )  # fmt: skip
        return {
            "X": self.X,
            "y": self.y,
            "w0": np.array(w),
            "b0": float(b),
            "watch_sharpness": False,
            "sample_weight": self.weights,
            **{name: self.run.params[name] for name in same if name in self.run.params},
        }

    def _weights(self, record: int) -> tuple[F64, float]:
        assert self.run.weights is not None
        return self.run.weights[record, :-1], float(self.run.weights[record, -1])

    def check_start(self) -> None:
        """Raise ValueError unless leaps can be followed from the start of the run."""
        if self.run.steps[0] != 0:
            raise ValueError(
                "refine follows leaps from the start, of which no weights are kept: record step 0 "
                f"too (the first record is step {self.run.steps[0]})"
            )

    def check_records(self) -> None:
        """Raise ValueError unless some records come out bit for bit.

        At the last, rows far away may no longer matter to a loss, which they did at the start.
        """
        run = self.run
        assert run.weights is not None
        for record in {0, min(1, run.steps.size - 1), run.steps.size - 1} - {-1}:
            try:
                again = self.train(*self._weights(record), 1, tell=self.meter.still)
            except DivergenceError as error:
                # The record may end one step before a divergence; the start is recorded anyway.
                again = error.trajectory
            for name in ("train", self.test):
                if not _agree(run, record, again, name):
                    raise self.mismatch(name)
            near = run.steps[record : record + 2].tolist()
            exact = all(run.engine.leap_at(step) is None for step in near)
            if exact and len(near) == 2 and near[1] - near[0] == again.steps[-1]:
                self._check_weights(record + 1, np.append(again.w, again.bias_final))

    def exact_until(self, record: int) -> int:
        """Return the last step that exact steps led to, of those from the record before on."""
        leap = self.run.engine.leap_at(float(self.run.steps[record]))
        return int(self.run.steps[record] if leap is None else leap.overlap_until)

    def walk(self, record: int, *, with_evals: bool) -> Iterator[Record]:
        """Run from the record before `record` up to it, or to a leap, and yield every step.

        The steps of a slice count from its own start, which is the end of the slice before.
        """
        at, end = int(self.run.steps[record - 1]), self.exact_until(record)
        w, b = self._weights(record - 1)
        while at < end:
            piece = self.train(w, b, min(SLICE, end - at), with_evals=with_evals)
            yield piece
            w, b = piece.w, piece.bias_final
            at += int(piece.steps[-1])
            self.meter.add(piece.steps[-1])
        if end == self.run.steps[record]:
            self._check_weights(record, np.append(w, b))

    def _check_weights(self, record: int, again: F64) -> None:
        assert self.run.weights is not None
        if not np.array_equal(again, self.run.weights[record]):
            raise self.mismatch("train")

    def retraceable(self, record: int) -> bool:
        """Whether a record comes from a leap and exact steps went over it later."""
        step = float(self.run.steps[record])
        return step <= self.run.engine.exact_steps and self.run.engine.leap_at(step) is not None

    def retrace(self) -> None:
        """Put exact records in the place of leaped ones that exact steps went over later."""
        run = self.run
        counts: dict[str, NDArray[Any]] = dict(run.counts)
        shares: dict[str, NDArray[Any]] = dict(run.probabilities)
        assert run.weights is not None
        weights = run.weights.copy()
        for name in {"train", self.test}:
            curves = counts if name in counts else shares
            curves[name] = curves[name].copy()
        for first, last in self._stretches():
            start = int(run.steps[first - 1])
            beyond = last + 1  # exact again, if there is such a record
            checked = beyond < run.steps.size and run.steps[beyond] <= run.engine.exact_steps
            steps = run.steps[first : beyond + checked].astype(np.int64) - start
            self.meter.more(steps[-1])
            again = self.train(*self._weights(first - 1), int(steps[-1]), record=steps)
            self.meter.add(steps[-1])
            assert again.weights is not None
            if checked:
                self._check_weights(beyond, again.weights[-1])
            here = slice(0, beyond - first)
            weights[first:beyond] = again.weights[here]
            for name in {"train", self.test}:
                curves, new = (
                    (counts, again.counts) if name in counts else (shares, again.probabilities)
                )
                curves[name][first:beyond] = new[name][here]
        self.run = dataclasses.replace(
            run,
            counts=counts,
            probabilities=shares,
            weights=weights,
            engine=run.engine.retraced(),
        )

    def _stretches(self) -> list[tuple[int, int]]:
        """Neighbouring records that can be retraced, as the first and the last of each stretch."""
        chosen = np.array([self.retraceable(record) for record in range(self.run.steps.size)])
        if chosen[0]:
            self.check_start()
        edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
        return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]

    def follow(
        self, steps: F64, records: Iterable[int], kept: Sequence[tuple[float, float]]
    ) -> Record:
        """Follow the leaps again from the start, to these steps and to records of the run."""
        run = self.run
        assert run.weights is not None
        assert run.engine.rtol is not None
        known = list(records)
        wanted = np.union1d(steps, run.steps[known].astype(np.float64))
        arguments = self._arguments(*self._weights(0)) | {
            "steps": run.params["steps"],
            "rtol": self.rtol,
            "evals": self.evals,
            "keep_weights": True,
            "progress": self.meter.still,
        }
        if self.rtol < run.engine.rtol:  # where that takes long, the error of the run will do
            most = affordable(sparse.entries(self.X))
            few = max(FEWEST_EXACT, most / 100, 4.0 * run.engine.exact_steps)
            arguments["exact_limit"] = min(few, most)
        with warnings.catch_warnings():  # what is lost at a finer rtol says nothing about the run
            warnings.simplefilter("ignore", LeapWarning)
            self._followed = FollowedLeaps(
                wanted, arguments, run.engine.exact_steps, type(run), kept
            )
        again = self._followed.run
        same = np.searchsorted(wanted, run.steps[known])
        assert again.weights is not None
        if not _within(run.engine.rtol + self.rtol, again.weights[same], run.weights[known]):
            raise ValueError(
                f"{self._not_recorded('train')}, or its leap was off by more than it told: "
                f"followed again with rtol={self.rtol:g} it differs by more than "
                f"rtol={run.engine.rtol:g}"
            )
        return again

    def allow(self, rtol: float) -> None:
        """Follow leaps with this error from now on."""
        self.rtol, self._followed = rtol, None

    def recalls(self, steps: F64) -> bool:
        """Whether the leaps that were followed last are known at all these steps."""
        return self._followed is not None and self._followed.recalls(steps)

    def recall(self, steps: F64) -> Record:
        """Record these steps, which are known."""
        assert self._followed is not None
        return self._followed.recall(steps)

    def doubt(self, name: str) -> Doubt:
        """Return what tells which points are surely right in spite of a leap's error."""
        params = self.run.params
        if name == "train":
            value: Any = (self.X, self.y)
            data: Any = _checks.data(self.X, self.y, sparse_too=True)
            weights = None
            if self.weights is not None:
                weights = _checks.Weights(self.weights, self.run.params["total_weight"])
            return Doubt(value, data, params["tie"], weights)
        value = self.evals[name]
        data = _checks.evaluation_sets({name: value}, params["dim"])[name]
        return Doubt(value, data, params["tie"])

    def mismatch(self, name: str) -> ValueError:
        """Say that a data set does not give what was recorded of it."""
        return ValueError(
            f"{self._not_recorded(name)}: rerunning from stored weights does not give the same "
            f"bits (the run used the {self.run.engine.simd} instruction set; another one can "
            "differ in the last bit)"
        )

    def _not_recorded(self, name: str) -> str:
        own = self._own[name != "train"]
        if name == "train":
            what = "the run's own data are" if own else "X, y are"
        else:
            what = f"the run's own evals[{name!r}] is" if own else f"evals[{name!r}] is"
        changed = " (has an array changed since?)" if own else ""
        return f"{what} not what the run recorded as {name!r}{changed}"


def _within(rtol: float, weights: F64, expected: F64) -> bool:
    """Whether weights agree, the bias last, to `rtol` of ||w|| and of max(|b|, 1)."""
    difference = np.abs(weights - expected)
    w = np.linalg.norm(difference[:, :-1], axis=1) <= rtol * np.linalg.norm(
        expected[:, :-1], axis=1
    )
    b = difference[:, -1] <= rtol * np.maximum(np.abs(expected[:, -1]), 1.0)
    return bool(w.all() and b.all())


def _agree(run: Record, record: int, again: Record, name: str) -> bool:
    """Whether the first record of a rerun is that of the run."""
    if (name in run.probabilities) != (name in again.probabilities):
        return False
    if name in run.probabilities:  # functions whose last bits depend on the length of the record
        return all(
            np.isclose(after[name][0], before[name][record], rtol=SAME_POPULATION, atol=0.0)
            for before, after in (
                (run.probabilities, again.probabilities),
                (run.losses, again.losses),
            )
        )
    return bool(
        again.sizes[name] == run.sizes[name]
        and again.counts[name][0] == run.counts[name][record]
        and again.losses[name][0] == run.losses[name][record]
    )
