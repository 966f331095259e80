"""Running a descent to its end, and what becomes of it when it is stopped before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, MAX_EXACT_STEPS, SIGNS, Data, Weights, calls, plural
from fastgrok._checks.populations import Population, points
from fastgrok._checks.progress import progress_bar
from fastgrok._core import Descent, LeapingDescent, simd
from fastgrok.descent.checkpoints import Checkpoint
from fastgrok.descent.columns import Columns
from fastgrok.descent.endings import divergence_of, instability_of, lost_for, what_is_kept
from fastgrok.descent.errors import CheckpointError, DivergenceError, Interrupted, LeapError
from fastgrok.descent.lost_leaps import LostLeaps, why_exact
from fastgrok.descent.sets import are_elsewhere
from fastgrok.descent.settings import Settings
from fastgrok.descent.watching import Watch
from fastgrok.errors import StabilityWarning
from fastgrok.records import Record
from fastgrok.records.reports import EngineReport, LeapReport

POLL_SECONDS = 0.1
R = TypeVar("R", bound=Record)


class _PausedError(Exception):
    """Ends a run that leaps, and nothing else: to write it failed, or a condition is met."""


REGIMES = np.array(
    ["smooth", "period-2", "irregular", *(f"period-{period}" for period in range(3, 65))]
)
"""By the number that the core gives them; from 3 on that is the period."""


def run(
    descent: Descent,
    settings: Settings,
    keeper: Checkpoint | None,
    leaping: LeapingDescent | None,
    kind: type[R],
    watch: Watch | None = None,
) -> R:
    """
    Run to the end and return the record, of the kind that the caller has.

    Raises
    ------
    DivergenceError, Interrupted, CheckpointError, LeapError
        As `fastgrok.train`.
    BaseException
        Whatever else stops the run, such as a MemoryError or what `progress` raises; it gets the
        trajectory up to there as an attribute.
    """
    try:
        end = carried_out(descent, settings, keeper, leaping, kind, watch)
    except MemoryError:
        raise MemoryError("no room for the trajectory") from None
    status, trajectory, failure, stopped_by = end.status, end.run, end.failure, end.stopped_by
    if status == "done":
        stopped_by = failure
    if stopped_by is not None:
        if getattr(stopped_by, "trajectory", None) is not None:  # of a run inside `progress`
            raise stopped_by
        with contextlib.suppress(AttributeError):  # a class with slots
            stopped_by.trajectory = trajectory  # type: ignore[attr-defined]
            lost = "this stopped" if failure is None else "this left unfinished"
            stopped_by.add_note(f"{what_is_kept(trajectory)} of the run that {lost}")
        raise stopped_by
    if status != "done":
        ended = _error(status, trajectory, end.reached, keeper)
        if failure is not None:
            ended.add_note(f"the trajectory is unfinished: {failure!r}")
        raise ended
    if instability := instability_of(trajectory):
        calls.warn(instability, StabilityWarning)
    return trajectory


class End(NamedTuple, Generic[R]):
    """What became of a run."""

    status: str
    run: R
    failure: BaseException | None
    stopped_by: BaseException | None
    reached: int


def carried_out(
    descent: Descent,
    settings: Settings,
    keeper: Checkpoint | None,
    leaping: LeapingDescent | None,
    kind: type[R],
    watch: Watch | None,
) -> End[R]:
    """
    Run to the end, and raise nothing but what there is no room for.

    Raises
    ------
    MemoryError
        If there is no room for the trajectory; of what stopped the run, that instead.
    """
    began = perf_counter() if keeper is None else keeper.began
    first = descent.step - descent.skipped
    stopped_by = None
    try:
        status = _descend(descent, settings, keeper, leaping, watch)
    except BaseException as error:
        status, stopped_by = "interrupted", error
    if watch is not None and watch.ending is not None:
        descent, leaping, first = watch.ending
    seconds = perf_counter() - began

    try:
        made = in_any_case(descent, settings, status, seconds, kind, first, leaping, watch)
    except MemoryError:
        if stopped_by is not None:
            raise stopped_by from None
        raise
    reached = descent.step if leaping is None else int(leaping.reached)
    return End(status, *made, stopped_by, reached)


@contextlib.contextmanager
def setting_out() -> Iterator[None]:
    """Let Ctrl-C before a run has begun end like one during it, though with nothing to hold."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("interrupted before anything had begun", None, None, []) from None


def in_any_case(
    descent: Descent,
    settings: Settings,
    status: str,
    seconds: float,
    kind: type[R],
    first: int = 0,
    leaping: LeapingDescent | None = None,
    watch: Watch | None = None,
) -> tuple[R, BaseException | None]:
    """
    Make the trajectory of what has been recorded, and say in its `params` what ended the run.

    If a population fails, the trajectory is without any, and what was raised comes with it.

    Parameters
    ----------
    descent, settings
        The run.
    status : str
        "interrupted" and "diverged" are told apart from other ends.
    seconds : float
        How long the run took.
    kind : type
        Record, or a class that has its fields and more to say of them.
    first : int, default 0
        The step at which this call took it up.
    leaping : LeapingDescent, optional
        The engine, if it leaps.
    watch : Watch, optional
        What the caller's function says, and what ended the run before its time.
    """

    def of(data: dict[str, Data | Population]) -> R:
        params = settings.params()
        step = descent.step if leaping is None else int(leaping.reached)
        if status == "interrupted":
            params["interrupted"] = step
        elif status == "diverged":
            params["diverged_at"] = step + 1
        elif watch is not None and watch.stopped:
            params["stopped"] = watch.stopped
        exact = descent.step - descent.skipped
        since, length = descent.cycle
        leaps = () if leaping is None else tuple(LeapReport(**leap) for leap in leaping.leaps)
        used = EngineReport(
            name="leap" if leaps else "exact",
            exact_steps=exact,
            simd=simd(),
            threads=descent.threads,
            seconds=seconds,
            row_share=_row_share(descent, exact - first, params["rows"]),
            closed=(since, length) if descent.skipped else None,
            leaps=leaps,
            rtol=None if leaping is None else settings.rtol,
            reason=_why_exact(settings, leaping),
            spent={} if leaping is None or not leaps else leaping.spent,
        )
        kept = descent.recorded()
        fields = _fields(kept, data, params, settings.weights)
        if settings.classes != SIGNS:
            params["classes"] = list(settings.classes)
        values = {} if watch is None else watch.values(descent, kept["steps"].size)
        return kind(
            **fields,
            engine=used,
            params=params,
            data=None if are_elsewhere(data["train"]) else points(data)["train"],
            evals=settings.evals_among(data),
            feature_names=settings.feature_names,
            start=np.append(settings.w0, settings.b0),
            values=values,
            sample_weight=settings.given_weights,
        )

    try:
        return of(settings.data), None
    except BaseException as error:
        return of(dict(points(settings.data))), error


def _why_exact(settings: Settings, leaping: LeapingDescent | None) -> str:
    if leaping is not None:
        return why_exact(leaping)
    return (settings.engine == "auto" and settings.never_leaps) or ""


def _row_share(descent: Descent, steps: int, rows: int) -> float:
    # A step that had to be taken twice counts twice.
    return min(1.0, descent.row_visits / (steps * rows)) if steps else 1.0


def _descend(
    descent: Descent,
    settings: Settings,
    keeper: Checkpoint | None,
    leaping: LeapingDescent | None,
    watch: Watch | None,
) -> str:
    """Run to the end: "done", or else "diverged", "lost", "interrupted" or "unsaved"."""
    last, progress = settings.steps, settings.progress
    if keeper is not None and keeper.failure is not None:
        return "unsaved"
    if keeper is not None and keeper.finished:
        return "done"
    report = progress if callable(progress) else None
    try:
        if progress is True:  # tqdm would start a thread, disabled or not
            with progress_bar(
                total=last, initial=descent.step, unit="step", unit_scale=True
            ) as bar:
                status = _polled(
                    descent, lambda step: bar.update(step - bar.n), keeper, leaping, True, watch
                )
                reached = descent.step if leaping is None else leaping.reached
                bar.update(reached - bar.n)
        else:
            unasked = None if report is None else False
            status = _polled(descent, report, keeper, leaping, unasked, watch)
        if watch is not None and (status != "paused" or watch.met):
            watch.close(descent, leaping)
            if watch.ending is not None:
                descent, leaping, _ = watch.ending
                status = "done"
        if keeper is not None and status != "paused" and not keeper.finished:
            keeper.write(descent, leaping, "" if watch is None else watch.stopped)
    except KeyboardInterrupt:
        status = "interrupted"
        with contextlib.suppress(KeyboardInterrupt):  # who asks twice does not wait for the disk
            if keeper is not None:
                keeper.write(descent, leaping)
    except BaseException:
        if keeper is not None:
            keeper.write(descent, leaping)
        raise
    unsaved = keeper is not None and keeper.failure is not None
    return "unsaved" if unsaved and status in ("done", "paused") else status


def _polled(
    descent: Descent,
    report: Callable[[int], object] | None,
    keeper: Checkpoint | None,
    leaping: LeapingDescent | None,
    bar: bool | None,
    watch: Watch | None,
) -> str:
    if leaping is not None:
        lost = LostLeaps(leaping, bar)

        def leap_poll(step: float) -> None:
            if watch is not None and watch.look(descent):
                raise _PausedError
            lost.look()
            if report is not None:
                report(int(step))
            if keeper is not None and not _written(keeper, descent, leaping, watch):
                raise _PausedError

        try:
            return leaping.run(leap_poll, POLL_SECONDS)
        except _PausedError:
            return "paused"
        finally:
            lost.close()

    def poll(step: int) -> bool:
        if report is not None:
            report(step)
        if watch is not None and watch.look(descent):
            return True
        return keeper is not None and not _written(keeper, descent, None, watch)

    return descent.run(poll, POLL_SECONDS)


def _written(
    keeper: Checkpoint, descent: Descent, leaping: LeapingDescent | None, watch: Watch | None
) -> bool:
    """Write a checkpoint if it is time to, with what a search will want; False if that failed."""
    if watch is not None:
        keeper.before = watch.states()
    return keeper.write_if_due(descent, leaping)


def _fields(
    kept: dict[str, NDArray[Any]],
    data: dict[str, Data | Population],
    params: dict[str, Any],
    weights: Weights | None,
) -> dict[str, Any]:
    """Return the arrays of a record by the names of its fields."""
    steps_dtype = np.int64 if params["steps"] <= MAX_EXACT_STEPS else np.float64
    same = {name: params[name] for name in ("loss", "reduction", "tie")}
    seen = Columns(kept, data, weights=weights, **same)
    losses: dict[str, F64] = {}
    probabilities: dict[str, F64] = {}
    for name in data:
        if name in seen.sizes:
            losses[name] = seen.losses(name)
        else:
            probabilities[name], losses[name] = seen.curves(name)
    return {
        "steps": kept["steps"].astype(steps_dtype),
        "b": kept["b"],
        "norm_w": kept["norm_w"],
        "losses": losses,
        "counts": {name: seen.counts(name) for name in seen.sizes},
        "sizes": seen.sizes,
        "sharpness": kept["sharpness"],
        "sharpness_mean": kept["sharpness_mean"],
        "regime": REGIMES[kept["regime"]],
        "w": kept["w_last"],
        "bias_final": float(kept["b"][-1]) if kept["b"].size else params["b0"],
        "weights": kept.get("weights"),
        "probabilities": probabilities,
    }


def _error(
    status: str,
    trajectory: Record,
    step: int,
    keeper: Checkpoint | None,
) -> BaseException:
    params = trajectory.params
    asked = params["steps"]
    shown = str(asked if asked <= MAX_EXACT_STEPS else float(asked))
    after = f"after {step} of {plural(asked, 'step', shown)}"
    kept = what_is_kept(trajectory)
    if status == "unsaved" and keeper is not None:
        return CheckpointError(f"{keeper.state()}; stopped {after}; {kept}", trajectory, step)
    if keeper is not None:
        kept += f"; {keeper.state()}"
    if status == "lost":
        return LeapError(f"no leap {after}: {lost_for(trajectory)}; {kept}", trajectory, step)
    if status == "interrupted":
        return Interrupted(f"interrupted {after}; {kept}", trajectory, step)
    return DivergenceError(f"{divergence_of(trajectory)}; {kept}", trajectory, step + 1)
