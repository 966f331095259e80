"""The weights at any step of a run: from its records, or followed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.descent import schedules, table
from fastgrok.descent.again import exact_steps, follow_leaps
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.questions._kept import row_weights, training_data
from fastgrok.records import Record

SAME = 1e-9
"""Relative difference that another instruction set may leave in the norm of the weights."""

Progress = bool | Callable[[int], None]


def weights_at(
    run: Record,
    step: ArrayLike,
    X: NDArray[Any] | None,
    y: NDArray[Any] | None,
    progress: Progress,
) -> tuple[F64, Any]:
    """Return w and b at these steps; see `Trajectory.at`."""
    asked = _asked(run, step)
    progress = _checks.flag_or_function("progress", progress)
    steps, place = np.unique(asked, return_inverse=True)
    theta = np.full((steps.size, run.w.size + 1), np.nan)
    known = _known(run)
    for i, one in enumerate(steps.tolist()):
        if one in known:
            theta[i] = known[one]
    rest = np.array([one not in known for one in steps.tolist()])
    if rest.any():
        leaped = np.array([run.engine.leap_at(one) is not None for one in steps.tolist()])
        again = _Again(run, X, y, progress)
        for chosen, follow in ((rest & leaped, again.leaps), (rest & ~leaped, again.exact)):
            if chosen.any():
                theta[chosen] = follow(steps[chosen], known)
    theta = theta[place.reshape(asked.shape)]
    b = theta[..., -1]
    return theta[..., :-1].copy(), float(b) if b.ndim == 0 else b.copy()


def _asked(run: Record, step: ArrayLike) -> F64:
    """Check what is asked for."""
    array = _checks.numbers("step", step)
    if array.dtype.kind == "b" or array.ndim > 1:
        raise TypeError(
            "step must be a whole number, or a 1-dimensional array of such, "
            f"got {_checks.show(step)}"
        )
    if not run.steps.size:
        raise ValueError("this run has no records")
    last = run.steps[-1]
    wrong = ~np.isfinite(array) | (array != np.floor(array)) | (array < 0) | (array > last)
    if wrong.any():
        raise ValueError(
            f"step must be a whole number in 0..{last}, where the run's records end, "
            f"got {array[wrong].flat[0]}"
        )
    return array.astype(np.float64)


def _known(run: Record) -> dict[float, F64]:
    """Return the weights, the bias last, by the steps at which the run itself has them."""
    known = {float(run.steps[-1]): np.append(run.w, run.bias_final)}
    if run.start is not None:
        known[0.0] = run.start
    if run.weights is not None:
        known |= dict(zip(run.steps.astype(float).tolist(), run.weights, strict=True))
    return known


class _Again:
    """Takes a run up again, as it was or as far as it is known."""

    def __init__(
        self, run: Record, X: NDArray[Any] | None, y: NDArray[Any] | None, progress: Progress
    ) -> None:
        self._run = run
        own = X is None
        X, y = training_data(run, X, y)
        self._whose = "the run's own data are" if own else "X, y are"
        params = run.params
        name = params.get("optimizer", table.DEFAULTS["optimizer"])
        same = ("lr", "loss", "reduction", "bias", "tie", "weight_decay", "decay_bias")
        self._arguments = {
            "X": X,
            "y": y,
            "optimizer": name,
            "optimizer_options": {key: params[key] for key in OPTIMIZERS[name].options} or None,
            "schedule": _schedule(params),
            "watch_sharpness": False,
            "keep_weights": True,
            "progress": progress,
            "sample_weight": row_weights(run),
            **{key: params[key] for key in same if key in params},
        }

    def leaps(self, steps: F64, known: dict[float, F64]) -> F64:
        """Follow the leaps again, from the start of the run."""
        run = self._run
        assert run.engine.rtol is not None
        record, checked = self._with_check(steps)
        arguments = self._from(0.0, known) | {
            "steps": run.params["steps"],
            "rtol": run.engine.rtol,
        }
        again = follow_leaps(record, arguments, run.engine.exact_steps, type(run))
        self._compare(again, checked, SAME + 2.0 * run.engine.rtol)
        return self._at(again, steps)

    def exact(self, steps: F64, known: dict[float, F64]) -> F64:
        """Take exact steps again, from the last weights that determine them."""
        run = self._run
        if table.lack("refine", run.params):  # what a step remembers is known at the start alone
            starts = np.zeros(steps.size)
        else:
            exact = [0.0] if 0.0 in known else []
            exact += [one for one in known if run.engine.leap_at(one) is None]
            at = np.unique(exact)
            starts = at[np.searchsorted(at, steps, side="right") - 1] if at.size else 0.0 * steps
            starts = np.where(starts > steps, 0.0, starts)
        found = [
            self._segment(start, steps[starts == start], known)
            for start in np.unique(starts).tolist()
        ]
        return np.concatenate(found)

    def _segment(self, start: float, steps: F64, known: dict[float, F64]) -> F64:
        record, checked = self._with_check(steps) if start == 0.0 else (steps, None)
        record = np.union1d(record - start, [0.0]).astype(np.int64)
        arguments = self._from(start, known) | {"steps": int(record[-1]), "record": record}
        again = exact_steps(arguments, type(self._run))
        self._compare(again, checked, SAME)
        if start > 0.0:
            at = int(np.searchsorted(self._run.steps, start))
            if not np.isclose(again.loss[0], self._run.loss[at], rtol=SAME, atol=0.0):
                raise self._mismatch(start)
        return self._at(again, steps - start)

    def _with_check(self, steps: F64) -> tuple[F64, int | None]:
        """Add the last record that lies on the way, to be compared."""
        run = self._run
        before = int(np.searchsorted(run.steps, steps[-1], side="right")) - 1
        if before < 0 or run.steps[before] == 0:
            return steps, None
        return np.union1d(steps, [float(run.steps[before])]), before

    def _compare(self, again: Record, record: int | None, rtol: float) -> None:
        if record is None:
            return
        run = self._run
        at = int(np.searchsorted(again.steps, run.steps[record]))
        w = abs(again.norm_w[at] - run.norm_w[record]) <= rtol * run.norm_w[record]
        b = abs(again.b[at] - run.b[record]) <= rtol * max(abs(run.b[record]), 1.0)
        if not (w and b):
            raise self._mismatch(run.steps[record])

    def _mismatch(self, step: Any) -> ValueError:
        return ValueError(
            f"{self._whose} not what the run was trained on, or have changed since: followed again "
            f"it does not come out as recorded at step {step:.17g} (the run used the "
            f"{self._run.engine.simd} instruction set; another one can differ)"
        )

    def _from(self, start: float, known: dict[float, F64]) -> dict[str, Any]:
        if start not in known:
            raise ValueError(
                "the weights at the start of this run are not known (it was saved by an earlier "
                "version, without keep_weights=True or without a record of step 0): only its "
                "records can be asked for"
            )
        theta = known[start]
        return self._arguments | {"w0": np.array(theta[:-1]), "b0": float(theta[-1])}

    @staticmethod
    def _at(again: Record, steps: F64) -> F64:
        assert again.weights is not None
        return again.weights[np.searchsorted(again.steps, steps)]


def _schedule(params: dict[str, Any]) -> schedules.Schedule:
    """Return the schedule of a run with these settings."""
    found = schedules.of_record(params)
    if found is None:
        raise ValueError(
            "a run with a function as schedule cannot be followed again: train with "
            "keep_weights=True and record the steps in question"
        )
    return found
