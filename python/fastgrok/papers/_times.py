"""Times between records, as the figures read them off."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
