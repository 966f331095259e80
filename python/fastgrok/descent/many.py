"""Many runs in one call: rows that several of them share are read once, small runs side by side."""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

from fastgrok import _checks
from fastgrok._checks import calls, sparse
from fastgrok._checks.progress import progress_bar
from fastgrok._core import Descent, Ensemble, Problem
from fastgrok.descent import running
from fastgrok.descent.endings import divergence_of, instability_of, lost_for, what_is_kept
from fastgrok.descent.errors import DivergenceError, Interrupted, LeapError
from fastgrok.descent.running import R, carried_out, in_any_case, setting_out
from fastgrok.descent.sets import Sets, are_elsewhere
from fastgrok.descent.settings import ARGUMENTS, DEFAULTS, Settings, check
from fastgrok.descent.watching import watching
from fastgrok.errors import StabilityWarning
from fastgrok.records import Record

LARGE = 1 << 20
"""Runs over rows of fewer bytes cost more in step than they save by reading them together."""
_LARGER = 4
"""The same of sparse rows and of few columns, which are loaded for each run: times as large."""

# Threads that work on one group together wait for each other at every step.
_WORTH_A_TEAM = 0.95
# What belongs to the call as a whole, and the value that says nothing.
_NOT_FOR_ONE = {"threads": None, "progress": False, "checkpoint": None, "executor": None}


def run_many(
    problems: Iterable[Mapping[str, Any]],
    threads: int | None,
    progress: bool | Callable[[int], None],
    kind: type[R],
) -> list[R]:
    """Train them all; see `fastgrok.train_many`."""
    with setting_out():
        workers = _checks.threads(threads)
        report = _checks.flag_or_function("progress", progress)
        sets = Sets()
        settings = [_checked(i, problem, sets) for i, problem in enumerate(_listed(problems))]
        if not settings:
            return []
        # What may end before its time is looked at while it runs, which is done to one at a time.
        alone = [i for i, one in enumerate(settings) if one.stop]
        plan = _plan(settings, [one.problem(sets) for one in settings], workers, alone)
        descents: dict[int, Descent] = {}
        for groups, team in ((plan.by_team, workers), (plan.by_thread, 1), ([alone], workers)):
            descents |= {i: settings[i].descent(sets, team) for group in groups for i in group}
        leaping = {i: settings[i].leaping(descent) for i, descent in descents.items()}
        watches = {i: watching(one, sets, workers) for i, one in enumerate(settings)}
        by_team, by_thread = (
            [leaping[group[0]] or [descents[i] for i in group] for group in groups]
            for groups in plan
        )
        ensemble = Ensemble(by_team, by_thread, workers)

    def run_alone(i: int, tell: Callable[[int], None]) -> None:
        one = dataclasses.replace(settings[i], progress=tell)
        end = carried_out(descents[i], one, None, leaping[i], kind, watches[i])
        ends[i] = _End(end.status, end.run, end.failure, -1, -1, end.reached)
        if end.stopped_by is not None:
            raise end.stopped_by
        if end.status == "interrupted":
            raise KeyboardInterrupt

    ends: dict[int, _End] = {}
    began = perf_counter()
    stopped_by: BaseException | None = None
    try:
        _run(ensemble, [one.steps for one in settings], report, alone, run_alone)
    except BaseException as error:
        stopped_by = error
    seconds = perf_counter() - began

    def end_of(i: int, number: int, place: int) -> _End:
        status, taken = ("going", 0.0) if i in alone else ensemble.ending(number, place)
        if status == "going":
            status, taken = "interrupted", seconds
        engine, watch = leaping[i], watches[i]
        made = in_any_case(
            descents[i], settings[i], status, taken, kind, leaping=engine, watch=watch
        )
        reached = descents[i].step if engine is None else int(engine.reached)
        return _End(status, *made, number, place, reached)

    left = [i for i in alone if i not in ends]  # whose turn has not come
    try:
        for number, group in enumerate([*plan.by_team, *plan.by_thread, left]):
            for place, i in enumerate(group):
                try:
                    ends[i] = end_of(i, number, place)
                except KeyboardInterrupt as error:  # who asks twice has no patience
                    stopped_by = stopped_by or error
                    ends[i] = end_of(i, number, place)
    except MemoryError:
        raise stopped_by or MemoryError("no room for the trajectories") from None
    return _result([ends[i] for i in range(len(settings))], ensemble, stopped_by)


class _Plan(NamedTuple):
    """Groups of problems, by their places in the list, and who takes a group."""

    by_team: list[list[int]]
    by_thread: list[list[int]]


class _End(NamedTuple):
    """What became of a run, and where in the ensemble it was."""

    status: str
    run: Record
    failure: BaseException | None
    group: int
    place: int
    reached: int


def _listed(problems: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    no_list = isinstance(problems, Mapping | str) or not isinstance(problems, Iterable)
    if no_list or getattr(problems, "ndim", 1) == 0:
        raise TypeError(
            f"problems must be a list of dicts of train's arguments, got {_checks.show(problems)}"
        )
    return list(problems)


def _checked(i: int, problem: Mapping[str, Any], sets: Sets) -> Settings:
    me = f"problems[{i}]"
    if not isinstance(problem, Mapping):
        raise TypeError(f"{me} must be a dict of train's arguments, got {_checks.show(problem)}")
    for name in problem:
        if name not in ARGUMENTS:
            raise TypeError(
                f"{me} has {_checks.show(name)}, which is no argument of train"
                f"{calls.suggestion(name, ARGUMENTS)}"
            )
    for name in ARGUMENTS:
        if name not in problem and name not in DEFAULTS:
            raise TypeError(f"{me} lacks {name!r}")
    for name, nothing in _NOT_FOR_ONE.items():
        value = problem.get(name, nothing)
        if value is not nothing:
            raise ValueError(
                f"{me}[{name!r}] must be left out: train_many cannot have it for one run, "
                f"got {_checks.show(value)}"
            )
    settings = check({**DEFAULTS, **problem}, sets, lambda name: f"{me}[{name!r}]")
    if any(map(are_elsewhere, settings.data.values())):
        raise ValueError(f"{me} has rows on a cluster, which train takes, one run after the other")
    return settings


def _plan(
    settings: list[Settings], problems: list[Problem], threads: int, alone: list[int]
) -> _Plan:
    """Put runs over the same large rows together, and few large groups to the whole team."""
    shared: dict[object, list[int]] = {}
    for i, (one, problem) in enumerate(zip(settings, problems, strict=True)):
        if i in alone:
            continue
        rows, labels = one.train
        loaded_once = not problem.packed and not sparse.is_sparse(rows)
        least = LARGE if loaded_once else _LARGER * LARGE
        large = sparse.nbytes(rows) > least and not one.leaps
        shared.setdefault((id(rows), problem.packed and id(labels)) if large else i, []).append(i)
    work = {group[0]: sum(settings[i].work for i in group) for group in shared.values()}
    groups = sorted(shared.values(), key=lambda group: -work[group[0]])
    plan = _Plan([], groups)
    # A thread takes the longest group that is left. What would keep one thread busy when the others
    # have nothing left to do is done by all of them before.
    time = _time_by_thread([work[group[0]] for group in groups], threads)
    for group in [group for group in groups if problems[group[0]].chunks > 1]:
        rest = [other for other in plan.by_thread if other is not group]
        rest_time = _time_by_thread([work[other[0]] for other in rest], threads)
        if rest_time + work[group[0]] / threads > _WORTH_A_TEAM * time:
            break
        plan = _Plan([*plan.by_team, group], rest)
        time = rest_time
    return plan


def _time_by_thread(work: list[int], threads: int) -> int:
    """Work of the busiest thread, if each takes the next of the list when it has nothing to do."""
    busy = [0] * min(threads, max(1, len(work)))
    for one in work:
        heapq.heapreplace(busy, busy[0] + one)
    return max(busy)


def _run(
    ensemble: Ensemble,
    steps: list[int],
    progress: bool | Callable[[int], None],
    alone: list[int],
    run_alone: Callable[[int, Callable[[int], None]], None],
) -> None:
    def tell(report: Callable[[int], object]) -> None:
        def poll(done: float) -> bool:
            report(int(done))
            return False

        ensemble.run(poll, running.POLL_SECONDS)
        before = sum(steps) - sum(steps[i] for i in alone)
        for i in alone:

            def one(done: int, before: int = before) -> None:
                report(before + done)

            run_alone(i, one)
            before += steps[i]

    if progress is True:
        with progress_bar(total=sum(steps), unit="step", unit_scale=True) as bar:
            tell(lambda done: bar.update(done - bar.n))
            bar.update(sum(steps) - bar.n)
    else:
        tell(progress if callable(progress) else lambda done: None)


def _result(ends: list[_End], ensemble: Ensemble, stopped_by: BaseException | None) -> list[Any]:
    """Return the runs, or raise with all of them what kept one from its end."""
    runs = [end.run for end in ends]
    if stopped_by is not None:
        raise _stopped(ends, stopped_by)
    for i, end in enumerate(ends):
        if end.status == "failed":
            try:
                ensemble.raise_failure(end.group, end.place)
            except Exception as error:
                raise _with_runs(error, runs, f"problems[{i}]: {what_is_kept(end.run)}") from None
        if end.failure is not None and end.status == "done":
            kept = f"problems[{i}] is unfinished; .trajectories holds all runs"
            raise _with_runs(end.failure, runs, kept)
        if end.status in ("diverged", "lost"):
            others = sum(other.status == "done" for other in ends)
            held = f"all {len(runs)} runs, of which {others} came to {_ends(others)}"
            kept = (
                f"{what_is_kept(end.run)}; .trajectories holds "
                f"{held if len(runs) > 1 else 'this run'}"
            )
            if end.status == "lost":
                raise LeapError(
                    f"problems[{i}]: no leap: {lost_for(end.run)}; {kept}",
                    end.run,
                    end.reached,
                    runs,
                )
            raise DivergenceError(
                f"problems[{i}]: {divergence_of(end.run)}; {kept}",
                end.run,
                end.run.params["diverged_at"],
                runs,
            )
    unstable = {i: text for i, run in enumerate(runs) if (text := instability_of(run))}
    if unstable:
        first = next(iter(unstable))
        more = f"; likewise in {len(unstable) - 1} more of the problems" * (len(unstable) > 1)
        text = f"problems[{first}]: {unstable[first]}{more}"
        try:
            calls.warn(text, StabilityWarning)
        except StabilityWarning as error:  # warnings are errors to the caller
            raise _with_runs(error, runs, ".trajectories holds all runs") from None
    return runs


def _ends(runs: int) -> str:
    return "its end" if runs == 1 else "their ends"


def _stopped(ends: list[_End], stopped_by: BaseException) -> BaseException:
    runs = [end.run for end in ends]
    done = sum(end.status == "done" for end in ends)
    kept = (
        f"{done} of {_checks.plural(len(runs), 'run')} came to {_ends(len(runs))}; "
        ".trajectories holds what each had"
    )
    if not isinstance(stopped_by, KeyboardInterrupt):
        return _with_runs(stopped_by, runs, kept)
    first = next((end for end in ends if end.status == "interrupted"), ends[-1])
    return Interrupted(f"interrupted: {kept}", first.run, first.reached, runs)


def _with_runs(error: BaseException, runs: list[Any], note: str) -> BaseException:
    if getattr(error, "trajectories", None) is None:  # else: of a call inside `progress`
        with contextlib.suppress(AttributeError):  # a class with slots
            error.trajectories = runs  # type: ignore[attr-defined]
            error.add_note(note)
    return error
