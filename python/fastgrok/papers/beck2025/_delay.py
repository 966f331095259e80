"""Whether the population's accuracy rises late, as two figures ask."""

from collections.abc import Sequence

import numpy as np

from fastgrok.papers._report import Finding, judge_shares, spread
from fastgrok.papers._times import rise_after
from fastgrok.papers.beck2025._reporting import ended_before
from fastgrok.papers.beck2025._training import Run

# A delay: what is gained after the training set is fitted, and the factor of steps to half of it.
_GAIN, _LATE = 0.1, 2.0

#: The rule, in words.
RULE = (
    "Delayed: the accuracy on the population gains at least 0.1 after training accuracy 1 "
    "is reached, half of it only after twice as many steps."
)


def rise(run: Run) -> tuple[float, float]:
    """
    Return how far the population's accuracy rises after the training set is fitted, and when.

    From the first record with training accuracy 1, as `_times.rise_after`.
    """
    fitted = np.flatnonzero((run.accuracy >= 1.0) & (run.steps > 0.0))
    if not fitted.size:
        return 0.0, float("inf")
    return rise_after(run.steps, run.test_accuracy, int(fitted[0]))


def judge_delay(reading: str, runs: Sequence[Run], more: str) -> Finding:
    """Judge by `RULE` whether runs are delayed; `more` goes on with their numbers."""
    gains = [rise(run) for run in runs]
    return ended_before(reading, runs) or Finding(
        reading,
        judge_shares([gain >= _GAIN and delay >= _LATE for gain, delay in gains]),
        f"accuracy gained after the training set is fitted {spread([g for g, _ in gains])}"
        f", half of it by {spread([d for _, d in gains])} times as many steps; {more}",
    )
