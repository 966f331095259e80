"""Times between records, as the figures read them off."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def kept_from(steps: NDArray[Any], accuracy: NDArray[Any], level: float) -> float:
    """
    When an accuracy reached a level for good, in steps.

    Between records it is interpolated linearly in log(1 + step). Infinity if it is not there at
    the end.
    """
    below = np.flatnonzero(accuracy < level)
    if not below.size:
        return float(steps[0])
    last = int(below[-1])
    if last == steps.size - 1:
        return float("inf")
    at, values = np.log1p(steps[last : last + 2]), accuracy[last : last + 2]
    share = (level - values[0]) / (values[1] - values[0])
    return float(np.expm1(at[0] + share * (at[1] - at[0])))


def rise_after(steps: NDArray[Any], accuracy: NDArray[Any], first: int) -> tuple[float, float]:
    """
    Return how far an accuracy rises after a record, and when.

    The later maximum less the value there, and the step at which half of that is done, in multiples
    of the step of the record.
    """
    later = accuracy[first:]
    gained = float(later.max() - later[0])
    half = int(np.argmax(later >= later[0] + 0.5 * gained))
    return gained, float(steps[first + half] / steps[first])
