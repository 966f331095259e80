"""Ways to the state of a descent after very many steps, as sides of a race.

`take(steps)` tells an `Outcome` and the seconds. None may use more than its limit: what would is
stopped, or not begun, and says how long it would have taken at the speed it had at last.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

import fastgrok as fg
from _peers import LR, Task
from _race import Side


class Outcome(NamedTuple):
    """Where a way led: the weights, None if it did not arrive, and then why.

    `evaluations` are those of the field and of its Jacobian.
    """

    weights: np.ndarray | None
    extrapolated: bool = False
    failure: str = ""
    evaluations: int | None = None


class OutOfTimeError(Exception):
    pass


class Stepper:
    """A peer that takes all steps; not begun where by its last run it would be late."""

    def __init__(self, make: Callable[..., Side], task: Task, limit: float) -> None:
        self._side, self._limit = make(task, "float64"), limit
        self._side.take(1)  # may compile
        self._per_step = 0.0

    def take(self, count: int) -> tuple[Outcome, float]:
        expected = count * self._per_step
        if expected > self._limit:
            return Outcome(None, extrapolated=True), expected
        weights, seconds = self._side.take(count)
        self._per_step = seconds / count
        return Outcome(weights), seconds


class Trained:
    """fastgrok.train with its default records, from the checks of the arguments to the result."""

    def __init__(self, task: Task, engine: str, rtol: float, limit: float) -> None:
        self._data, self._limit = task.data(), limit
        self._settings: dict[str, Any] = {
            "lr": LR, "reduction": task.reduction, "engine": engine, "rtol": rtol,
            "watch_sharpness": False, "threads": task.threads,
        }  # fmt: skip

    def take(self, count: int) -> tuple[Outcome, float]:
        start = time.perf_counter()
        marks = [(0, 0.0)]

        def watch(step: int) -> None:
            marks.append((step, time.perf_counter() - start))
            if marks[-1][1] > self._limit:
                raise OutOfTimeError

        try:
            run = fg.train(*self._data, steps=count, progress=watch, **self._settings)
        except OutOfTimeError:
            return Outcome(None, extrapolated=True), extrapolate(marks, count)
        except (ValueError, fg.FastgrokError) as error:
            seconds = time.perf_counter() - start
            return Outcome(None, failure=f"{type(error).__name__}: {error}"), seconds
        seconds = time.perf_counter() - start
        return Outcome(np.append(run.w, run.bias_final)), seconds


def extrapolate(marks: list[tuple[int, float]], count: int) -> float:
    """Seconds for `count` steps that go on as fast as in the second half of the time so far."""
    last_step, last = marks[-1]
    step, then = next(mark for mark in reversed(marks) if mark[1] <= last / 2)
    return last + (count - last_step) * (last - then) / max(1, last_step - step)


class Flow:
    """Gradient flow du/dt = -grad L(u), t = lr k, by SciPy, in s = log t and after some real steps.

    From the start itself the flow is another trajectory: the sum of the losses oscillates at first
    at this learning rate. In log time the horizon costs nothing; products of the growing e^s and
    the vanishing sigmoids are taken in logarithms, so that neither over- nor underflows.
    """

    def __init__(self, task: Task, method: str, first: int, rtol: float, limit: float) -> None:
        self._exact = Trained(task, "exact", rtol, limit)
        self._Z = task.signed_rows()
        self._scale = task.rate / LR
        self._method, self._first, self._rtol, self._limit = method, first, rtol, limit

    def take(self, count: int) -> tuple[Outcome, float]:
        if count <= self._first:
            return Outcome(None, failure=f"starts from step {self._first}"), 0.0
        start = time.perf_counter()
        Z, scale, limit = self._Z, self._scale, self._limit

        def field(s: float, u: np.ndarray) -> np.ndarray:
            if time.perf_counter() - start > limit:
                raise OutOfTimeError
            p: np.ndarray = np.exp(s - np.logaddexp(0.0, Z @ u))
            return scale * (p @ Z)

        def jacobian(s: float, u: np.ndarray) -> np.ndarray:
            m = Z @ u
            q = np.exp(s - np.logaddexp(0.0, m) - np.logaddexp(0.0, -m))
            return -scale * (Z.T @ (q[:, None] * Z))

        outcome, _ = self._exact.take(self._first)
        span = np.log(LR * self._first), np.log(LR * float(count))
        try:
            solved = solve_ivp(
                field, span, outcome.weights, method=self._method, jac=jacobian,
                rtol=self._rtol, atol=self._rtol, t_eval=span[1:],
            )  # fmt: skip
        except OutOfTimeError:
            failure = f"more than {limit:g} s"
            return Outcome(None, failure=failure), time.perf_counter() - start
        seconds = time.perf_counter() - start
        calls = int(solved.nfev + solved.njev)
        if not solved.success:
            return Outcome(None, failure=solved.message, evaluations=calls), seconds
        return Outcome(solved.y[:, -1], evaluations=calls), seconds
