"""What it costs to take every step."""

import dataclasses
from time import perf_counter

import numpy as np

from fastgrok._checks import calls, sparse
from fastgrok.descent.sets import Sets
from fastgrok.descent.settings import Settings
from fastgrok.errors import LeapWarning
from fastgrok.records.printing import whole_number

_MEASURED_ENTRIES, _MEASURED_STEPS = 10**7, 2000  # some milliseconds


def warn_of_a_long_way(settings: Settings, sets: Sets) -> None:
    """Warn, with the time it takes, of more exact steps than is affordable, if none leaps."""
    never = settings.never_leaps
    if settings.engine != "auto" or never is None or settings.steps <= settings.exact_limit:
        return
    entries = sparse.entries(settings.train[0])
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
