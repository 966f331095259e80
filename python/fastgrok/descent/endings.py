"""Ends of runs in words."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import numpy as np

from fastgrok._checks import MAX_EXACT_STEPS, plural
from fastgrok.descent import table
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.records import Record


def what_is_kept(trajectory: Record) -> str:
    """Say what an error holds of the run that it ended."""
    records = trajectory.steps
    if not records.size:
        return "nothing had been recorded by then"
    return f".trajectory holds the {plural(records.size, 'record')} up to {records[-1]}"


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
    if "beyond exact_limit" in reason:
        return f"{reason}; give exact_limit more than that step, or engine='exact' to take all"
    # Exact steps that a later try is compared with may have come to rest by rounding: what an
    # earlier one ended by tells more.
    why = " ".join([reason, *(leap.ended for leap in trajectory.engine.leaps)])
    inexact = "the error at step" in why or "rounding errors" in why
    keep = "a larger rtol may allow the leap, and " if inexact else ""
    return (
        f"{reason}; {keep}with engine='auto' as many exact steps are taken as "
        f"exact_limit says, engine='exact' takes all, up to {MAX_EXACT_STEPS:.0e}"
    )


def instability_of(trajectory: Record) -> str | None:
    """Say by how much lr is too large for gradient descent to be stable, if it is."""
    sharpness = np.fmax(trajectory.sharpness, trajectory.sharpness_mean)  # NaN: not watched
    params = trajectory.params
    lr, decay = params["lr"], params.get("weight_decay", 0.0)
    more, surely = 0.0, sharpness
    if decay > 0.0 and "schedule" not in params:  # which multiplies the decay, too
        more = lr * decay
        alike = params["decay_bias"] or not params["bias"]
        surely = sharpness + more if alike else np.maximum(sharpness, more)
    beyond = np.flatnonzero(surely > 2.0)
    # 2 is the limit of plain descent alone.
    if not beyond.size or table.lack("sharpness_limit", params):
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
