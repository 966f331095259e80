"""Runs and reports in words. Knows them by their fields alone: they import this, to be printed."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np

from fastgrok._checks import plural
from fastgrok._checks.shares import POPULATION_SIZE

# What the engine that leaps allows: exact steps beside the beginning of a leap may differ from it
# by this share of rtol, and those of a spot check by this share of their own increment.
MOST_OVERLAP = 0.5
MOST_DIFFERENCE = 1e-2

# Of runs that take so many seconds it is said where they went.
LONG = 1.0


def whole_number(steps: float) -> str:
    """Write a step number, rounded where it has too many digits to read."""
    return f"{steps:,.0f}" if steps < 1e15 else f"{float(steps):.6g}"


def _number(count: float, noun: str) -> str:
    return plural(count, noun, whole_number(count))


def leap_lines(leap: Any, rtol: float | None = None, again: bool = False) -> list[str]:
    """
    Say what was leaped, and what each part of the evidence compares with what.

    Parameters
    ----------
    leap : LeapReport
        The leap.
    rtol : float, optional
        The error that was allowed, to be shown beside what there is.
    again : bool, default False
        Whether the leap that follows began at the same step: it went over the same stretch.
    """
    what = f"over cycles of {leap.period} steps, " if leap.period > 1 else ""
    rest = ", at rest" if leap.converged else ""
    products = f" and {_number(leap.products, 'product')}" if leap.products else ""
    end = "made again from its beginning, with a smaller tolerance," if again else "ended"
    allowed, half = "", ""
    if rtol is not None:
        allowed = f" (allowed: rtol = {rtol:.1g})"
        half = f" (allowed: {MOST_OVERLAP * rtol:.1g})"
    lines = [
        f"leap {whole_number(leap.first)} to {whole_number(leap.last)}: {what}"
        f"{plural(leap.accepted, 'BDF step')}, {_number(leap.evaluations, 'evaluation')}"
        f"{products}{rest}" + (f"; {end} because {leap.ended}" if leap.ended else ""),
        f"error estimated at {leap.error:.1g} of ||w|| or of max(|b|, 1) at most{allowed}",
        f"exact steps beside it up to step {whole_number(leap.overlap_until)} differ by at "
        f"most {leap.overlap_difference:.1g} of the same{half}",
    ]
    if leap.checks:
        step, steps, difference = max(leap.checks, key=lambda check: check[2])
        lines.append(
            f"{plural(len(leap.checks), 'spot check')}: what {plural(steps, 'exact step')} "
            f"{'adds' if steps == 1 else 'add'} to the weights differs by at most "
            f"{difference:.1g} of itself (allowed: {MOST_DIFFERENCE:.1g}), at step "
            f"{whole_number(step)}"
        )
    return lines


def engine_text(report: Any) -> str:
    """Say it in a line, then every leap with its evidence."""
    percent = 100.0 * report.row_share
    share = "" if percent > 99.0 else f" over {percent:.2g} % of the rows"
    first = (
        f"{report.name}, {_number(report.exact_steps, 'step')} one by one{share}, {report.simd}, "
        f"{plural(report.threads, 'thread')}, {report.seconds:.3g} s"
    )
    lines = [first]
    if report.seconds >= LONG:
        parts = [f"{name} {seconds:.2g} s" for name, seconds in report.spent.items()]
        lines += ["of which " + ", ".join(parts)] if parts else []
    for leap, following in zip_longest(report.leaps, report.leaps[1:]):
        again = following is not None and following.first == leap.first
        what, *evidence = leap_lines(leap, report.rtol, again)
        lines += [what, *(f"  {line}" for line in evidence)]
    if report.closed is not None:
        since, length = report.closed
        every = "at every step" if length == 1 else f"every {_number(length, 'step')}"
        lines.append(
            f"closed at step {whole_number(since)}: the bits recur {every} from there on, and so "
            "all that follows is known exactly"
        )
    if report.reason and all(report.reason != leap.ended for leap in report.leaps):
        lines.append(f"{'no other leap' if report.leaps else 'no leap'}: {report.reason}")
    return "\n            ".join(lines)


def summary(run: Any) -> str:
    """Describe the run: data and settings, engine, final state, regime."""
    params = run.params
    bias = "bias" if params["bias"] else "no bias"
    optimizer = params.get("optimizer", "gd")
    how = (
        ""
        if optimizer == "gd"
        else f"{'AdamW' if optimizer == 'adamw' else optimizer.capitalize()} with "
    )
    lines = [
        f"Trajectory: {params['rows']} x {params['dim']}{_weighted(params)}, {params['loss']} loss "
        f"({params['reduction']}), {bias}, {how}lr {params['lr']:g}{_knobs(params)}, {_steps(run)}",
        f"  engine    {run.engine}",
    ]
    if run.steps.size:
        right = ", ".join(
            f"{name} {run.counts[name][-1]}/{run.sizes[name]} = {accuracy[-1]:.4g}"
            if run.sizes.get(name, POPULATION_SIZE) != POPULATION_SIZE
            else f"{name} {accuracy[-1]:.4g}"
            for name, accuracy in run.accuracy.items()
        )
        lines += [
            f"  accuracy  {right}",
            f"  state     loss {run.loss[-1]:.4g}, b {run.bias_final:.4g}, "
            f"||w|| {run.norm_w[-1]:.4g}, |b|/||w|| {run.distance[-1]:.4g}{_moving(run)}",
            f"  regime    {_regimes(run)}",
        ]
        if run.values:
            lines.append(
                "  values    " + ", ".join(f"{n} {v[-1]:.4g}" for n, v in run.values.items())
            )
    return "\n".join(lines)


def _moving(run: Any) -> str:
    """Say that weights that decay, and so must come to rest, had not when the run's leap ended."""
    leap = run.engine.leaps[-1] if run.engine.leaps else None
    if "weight_decay" not in run.params or leap is None or leap.converged or leap.period > 1:
        return ""
    return ", not at rest" if run.steps[-1] <= leap.last else ""


def _weighted(params: Any) -> str:
    """Say that rows have weights."""
    return f" (weighing {params['total_weight']:.6g})" if "total_weight" in params else ""


def _knobs(params: Any) -> str:
    """Say what there is to a step besides the optimizer and its rate."""
    schedule = params.get("schedule")
    text = f" ({schedule} schedule)" if schedule else ""
    if "momentum" in params:
        text += f", momentum {params['momentum']:g}"
    if "weight_decay" in params:
        text += f", weight decay {params['weight_decay']:g}"
        text += " (of the bias too)" if params["decay_bias"] else ""
    return text


def _steps(run: Any) -> str:
    asked = run.params["steps"]
    reached = int(run.steps[-1]) if run.steps.size else 0
    all_of_them = _number(asked, "step")
    text = all_of_them if reached == asked else f"{whole_number(reached)} of {all_of_them}"
    if "interrupted" in run.params:
        text += " (interrupted)"
    if "stopped" in run.params:
        text += f" (stopped: {run.params['stopped']})"
    if "diverged_at" in run.params:
        text += f" (diverged at step {run.params['diverged_at']:,})"
    return f"{text}, {plural(run.steps.size, 'record')}"


def _regimes(run: Any) -> str:
    names, records = np.unique(run.regime, return_counts=True)
    if names.size == 1:
        return f"{names[0]} throughout"
    shares = ", ".join(
        f"{name} at {plural(k, 'record')}" for name, k in zip(names, records, strict=True)
    )
    return f"{run.regime[-1]} at the end ({shares})"
