"""Running a descent to its end, and what becomes of it when it is stopped before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from decimal import ROUND_DOWN, Decimal
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, MAX_EXACT_STEPS, Data, calls, plural
from fastgrok._checks.populations import Population, points
from fastgrok._checks.progress import progress_bar
from fastgrok._core import Descent, LeapingDescent, simd
from fastgrok.descent import table
from fastgrok.descent.checkpoints import Checkpoint
from fastgrok.descent.errors import CheckpointError, DivergenceError, Interrupted, LeapError
from fastgrok.descent.lost_leaps import LostLeaps, why_exact
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.descent.settings import Settings
from fastgrok.errors import StabilityWarning
from fastgrok.records import Record
from fastgrok.records.reports import EngineReport, LeapReport

POLL_SECONDS = 0.1
R = TypeVar("R", bound=Record)


class _UnsavedError(Exception):
    """A checkpoint could not be written: ends a run that leaps, and nothing else."""


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
    began = perf_counter() if keeper is None else keeper.began
    first = descent.step - descent.skipped
    stopped_by = None
    try:
        status = _descend(descent, settings, keeper, leaping)
    except BaseException as error:
        status, stopped_by = "interrupted", error
    seconds = perf_counter() - began

    try:
        trajectory, failure = in_any_case(descent, settings, status, seconds, kind, first, leaping)
    except MemoryError:
        raise stopped_by or MemoryError("no room for the trajectory") from None
    if status == "done":
        stopped_by = failure
    if stopped_by is not None:
        if getattr(stopped_by, "trajectory", None) is not None:  # of a run inside `progress`
            raise stopped_by
        with contextlib.suppress(AttributeError):  # a class with slots
            stopped_by.trajectory = trajectory  # type: ignore[attr-defined]
            lost = "this stopped" if failure is None else "this left without its populations"
            stopped_by.add_note(f"{what_is_kept(trajectory)} of the run that {lost}")
        raise stopped_by
    if status != "done":
        ended = _error(status, trajectory, descent.step, keeper, leaping)
        if failure is not None:
            ended.add_note(f"the trajectory is without its populations: {failure!r}")
        raise ended
    if instability := instability_of(trajectory):
        calls.warn(instability, StabilityWarning)
    return trajectory


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
    """

    def of(data: dict[str, Data | Population]) -> R:
        params = settings.params()
        step = descent.step if leaping is None else int(leaping.reached)
        if status == "interrupted":
            params["interrupted"] = step
        elif status == "diverged":
            params["diverged_at"] = step + 1
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
        )
        kept = descent.recorded()
        fields = _fields(kept, data, params)
        return kind(
            **fields,
            engine=used,
            params=params,
            data=points(data)["train"],
            evals=settings.evals_among(data),
            feature_names=settings.feature_names,
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
                    descent, lambda step: bar.update(step - bar.n), keeper, leaping, True
                )
                reached = descent.step if leaping is None else leaping.reached
                bar.update(reached - bar.n)
        else:
            unasked = None if report is None else False
            status = _polled(descent, report, keeper, leaping, unasked)
        if keeper is not None and status != "paused" and not keeper.finished:
            keeper.write(descent, leaping)
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
) -> str:
    if leaping is not None:
        lost = LostLeaps(leaping, bar)

        def leap_poll(step: float) -> None:
            lost.look()
            if report is not None:
                report(int(step))
            if keeper is not None and not keeper.write_if_due(descent, leaping):
                raise _UnsavedError

        try:
            return leaping.run(leap_poll, POLL_SECONDS)
        except _UnsavedError:
            return "paused"
        finally:
            lost.close()

    def poll(step: int) -> bool:
        if report is not None:
            report(step)
        return keeper is not None and not keeper.write_if_due(descent, None)

    return descent.run(poll, POLL_SECONDS)


def _fields(
    kept: dict[str, NDArray[Any]], data: dict[str, Data | Population], params: dict[str, Any]
) -> dict[str, Any]:
    """Return the arrays of a record by the names of its fields."""
    steps_dtype = np.int64 if params["steps"] <= MAX_EXACT_STEPS else np.float64
    losses: dict[str, F64] = {}
    counts: dict[str, NDArray[np.int64]] = {}
    sizes: dict[str, int] = {}
    probabilities: dict[str, F64] = {}
    weights = kept.get("weights")
    for name, value in data.items():
        if isinstance(value, Population):
            probabilities[name], losses[name] = value.curves(
                kept["norm_w"],
                kept["b"],
                None if weights is None else weights[:, :-1],
                params["loss"],
                params["tie"],
            )
            continue
        column = len(sizes)
        sizes[name] = value[0].shape[0]
        counts[name] = kept["correct"][:, column].copy()
        losses[name] = kept["loss_sum"][:, column].copy()
        if params["reduction"] == "mean":
            losses[name] /= sizes[name]
    return {
        "steps": kept["steps"].astype(steps_dtype),
        "b": kept["b"],
        "norm_w": kept["norm_w"],
        "losses": losses,
        "counts": counts,
        "sizes": sizes,
        "sharpness": kept["sharpness"],
        "sharpness_mean": kept["sharpness_mean"],
        "regime": REGIMES[kept["regime"]],
        "w": kept["w_last"],
        "bias_final": float(kept["b"][-1]) if kept["b"].size else params["b0"],
        "weights": weights,
        "probabilities": probabilities,
    }


def what_is_kept(trajectory: Record) -> str:
    """Say what an error holds of the run that it ended."""
    records = trajectory.steps
    if not records.size:
        return "nothing had been recorded by then"
    return f".trajectory holds the {plural(records.size, 'record')} up to {records[-1]}"


def _error(
    status: str,
    trajectory: Record,
    step: int,
    keeper: Checkpoint | None,
    leaping: LeapingDescent | None,
) -> BaseException:
    params = trajectory.params
    if leaping is not None:
        step = int(leaping.reached)
    asked = params["steps"]
    shown = str(asked if asked <= MAX_EXACT_STEPS else float(asked))
    after = f"after {step} of {plural(asked, 'step', shown)}"
    kept = what_is_kept(trajectory)
    if status == "unsaved" and keeper is not None:
        return CheckpointError(f"{keeper.state()}; stopped {after}; {kept}", trajectory, step)
    if keeper is not None:
        kept += f"; {keeper.state()}"
    if status == "lost" and leaping is not None:
        return LeapError(f"no leap {after}: {lost_for(trajectory)}; {kept}", trajectory, step)
    if status == "interrupted":
        return Interrupted(f"interrupted {after}; {kept}", trajectory, step)
    return DivergenceError(f"{divergence_of(trajectory)}; {kept}", trajectory, step + 1)


def divergence_of(trajectory: Record) -> str:
    """Say where and with which settings a run diverged."""
    params = trajectory.params
    settings = ", ".join(f"{name}={params[name]!r}" for name in ("lr", "loss", "reduction"))
    what = OPTIMIZERS[params.get("optimizer", "gd")].overflows
    return (
        f"{what} became NaN or infinite at step {params['diverged_at']} of {params['steps']} "
        f"with {settings}"
    )


def lost_for(trajectory: Record) -> str:
    """Say why a run was given up where it could not leap, and what to do."""
    reason = trajectory.engine.reason
    inexact = "the error at step" in reason or "rounding errors" in reason
    keep = "a larger rtol may allow the leap, and " if inexact else ""
    return (
        f"{reason}; {keep}with engine='auto' as many exact steps are taken as "
        f"exact_limit says, engine='exact' takes all, up to {MAX_EXACT_STEPS:.0e}"
    )


def instability_of(trajectory: Record) -> str | None:
    """Say by how much lr is too large for gradient descent to be stable, if it is."""
    if table.lack("sharpness_limit", trajectory.params):
        return None  # 2 is the limit of plain descent
    sharpness = np.fmax(trajectory.sharpness, trajectory.sharpness_mean)  # NaN: not watched
    params = trajectory.params
    lr, decay = params["lr"], params.get("weight_decay", 0.0)
    more, surely = 0.0, sharpness
    if decay > 0.0 and "schedule" not in params:  # which multiplies the decay, too
        more = lr * decay
        alike = params["decay_bias"] or not params["bias"]
        surely = sharpness + more if alike else np.maximum(sharpness, more)
    beyond = np.flatnonzero(surely > 2.0)
    if not beyond.size:
        return None
    worst = beyond[np.argmax(sharpness[beyond])]
    smooth = 2.0 / (sharpness[worst] / lr + decay)
    largest = "(lambda_max + weight_decay)" if more else "lambda_max"
    unsure = table.lack("stable_lr", params)
    auto = "" if unsure else ", and lr='auto' is everywhere"
    return (
        f"lr={lr!r} exceeds 2 / {largest}: lr * {largest} is "
        f"{sharpness[worst] + more:.3g} at step {trajectory.steps[worst]:.15g}, and the iterates "
        "can oscillate instead of following the gradient flow (see Trajectory.regime); lr below "
        f"{_rounded_down(smooth)} is stable there, half of that smooth{auto}"
    )


def _rounded_down(value: float) -> str:
    """Three digits, none of them rounded up."""
    unit = Decimal(1).scaleb(Decimal(value).adjusted() - 2)
    return f"{float(Decimal(value).quantize(unit, ROUND_DOWN)):g}"
