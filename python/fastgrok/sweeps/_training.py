"""Training for an experiment, and times read off it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrok.descent.errors import LeapError
from fastgrok.descent.steps import log_spaced
from fastgrok.questions.levels import kept_from
from fastgrok.training import train
from fastgrok.trajectory import Trajectory

#: Records for each factor of 10 of the steps: times between them are interpolated.
PER_DECADE = 20
# Multiplications with entries of X that a run may take where it cannot leap, and its steps.
_EXACT_WORK = 1e10
_MOST_STEPS = 1e6
# Of the leaps: a map shows three digits.
_RTOL = 1e-6


def run_to(
    horizon: float, X: Any, y: Any, lr: float, evals: dict[str, Any], **options: Any
) -> Trajectory:
    """Train to a horizon, or as far as can be leaped or stepped."""
    given: dict[str, Any] = {
        "record": log_spaced(horizon, PER_DECADE),
        "rtol": _RTOL,
        "exact_limit": min(_MOST_STEPS, max(1e4, _EXACT_WORK / X.size)),
        "watch_sharpness": False,
        **options,
    }
    try:
        return train(X, y, steps=horizon, lr=lr, evals=evals, **given)
    except LeapError as error:
        if error.trajectory is None or not error.trajectory.steps.size:
            raise
        ended: Trajectory = error.trajectory
        return ended


def decided_time(
    run: Trajectory, name: str, level: float, limit: float, slack: float = 0.0
) -> tuple[float, bool]:
    """
    When the accuracy on a set is at a level for good, and whether that is known.

    It is infinite if the limit lies below; NaN and not known if the level was not reached by the
    end of the run. A limit of NaN is unknown. Accuracies are known to within `slack`.
    """
    if limit < level - slack:
        return float("inf"), True
    steps = run.steps.astype(np.float64)
    time = kept_from(steps, np.minimum(run.accuracy[name] + slack, 1.0), level)
    return (time, True) if np.isfinite(time) else (float("nan"), False)
