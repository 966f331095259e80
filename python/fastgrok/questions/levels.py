"""When a curve is at a level for good, between its records too."""

from __future__ import annotations

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
