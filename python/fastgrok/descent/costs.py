"""What it costs to take every step, beside what leaps do."""

import dataclasses
from time import perf_counter

import numpy as np

from fastgrok._checks import calls
from fastgrok.descent.sets import Sets
from fastgrok.descent.settings import Settings
from fastgrok.errors import CheckpointWarning, LeapWarning
from fastgrok.records.printing import whole_number

LEAPED_LIKE = 5000
"""A run that leaps lasts about as long as so many exact steps: 1,300 to 9,000 where these take 1 us
or more, on 200 x 80 to 2000 x 900 Gaussian data and in the plane, up to 10^12 steps."""

_WORTH = 4.0  # times as many steps as that
# Entries of X that are multiplied with in about half a second, and how many could be in the time
# that a step takes besides.
_FEW_ENTRIES, _STEP_ENTRIES = 3e9, 500
_MEASURED_ENTRIES, _MEASURED_STEPS = 10**7, 2000  # some milliseconds


def warn_of_exact_steps(settings: Settings, sets: Sets, step: int) -> None:
    """Warn, with both costs, if a checkpoint alone keeps a run that is at `step` from leaps."""
    left = settings.steps - step
    entries = settings.train[0].size + settings.train[0].shape[0]
    if (
        not dataclasses.replace(settings, checkpoint=None).leaps
        or left < _WORTH * LEAPED_LIKE
        or left * (entries + _STEP_ENTRIES) < _FEW_ENTRIES
    ):
        return
    seconds = _seconds_of_a_step(settings, sets, entries)
    every, leaped = _duration(left * seconds), _duration(LEAPED_LIKE * seconds)
    calls.warn(
        f"leaps cannot be resumed: with a checkpoint each of the {whole_number(left)} steps is "
        f"taken, which lasts up to {every} ({seconds:.2g} s a step, as measured now). "
        f"Without it a run that can leap lasts about {leaped} (as long as some {LEAPED_LIKE} "
        "steps). Leave checkpoint out, or say engine='exact' to take every step without this "
        "warning",
        CheckpointWarning,
    )


def warn_of_a_long_way(settings: Settings, sets: Sets) -> None:
    """Warn, with the time it takes, of more exact steps than is affordable, if none leaps."""
    never = settings.never_leaps
    if settings.engine != "auto" or never is None or settings.steps <= settings.exact_limit:
        return
    entries = settings.train[0].size + settings.train[0].shape[0]
    every = _duration(settings.steps * _seconds_of_a_step(settings, sets, entries))
    calls.warn(
        f"{never}: each of the {whole_number(settings.steps)} steps is taken, "
        f"which lasts up to {every}, as measured now, and is more than exact_limit, which is "
        f"{whole_number(settings.exact_limit)}. Say engine='exact' to take them without this "
        "warning",
        LeapWarning,
    )


def _seconds_of_a_step(settings: Settings, sets: Sets, entries: int) -> float:
    """Take some steps that are forgotten again: all rows, and nothing recorded but the last."""
    steps = max(2, min(_MEASURED_STEPS, _MEASURED_ENTRIES // entries))
    some = dataclasses.replace(
        settings,
        data={"train": settings.train},
        evals={},
        record=np.array([steps]),
        keep_weights=False,
        watch_sharpness=False,
        skip_rows="never",
    )
    descent = some.descent(sets, settings.threads)
    start = perf_counter()
    descent.run(lambda step: False)
    return (perf_counter() - start) / max(descent.step, 1)


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2.0 * size:
            return f"{max(1, round(seconds / size)):,d} {unit}"
    return f"{seconds:.2g} s"
