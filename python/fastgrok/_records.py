"""Which steps to record."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks

MAX_PER_DECADE = 10**6


def log_spaced(steps: float, per_decade: int = 40) -> NDArray[Any]:
    """
    Logarithmically spaced step numbers, the default records of :func:`fastgrok.train`.

    Parameters
    ----------
    steps : int or integral float
        Last step number, at least 1; any float64, such as 1e60, is allowed.
    per_decade : int, default 40
        Numbers per factor of 10, at most 10**6, before rounding to integers and dropping repeated
        ones.

    Returns
    -------
    ndarray
        Strictly increasing integers from 0 that hold 1 and `steps`: int64 where `steps` is at
        most 2**53, beyond it float64.

    Raises
    ------
    ValueError
        If an argument is not integral or smaller than 1.
    TypeError
        If an argument is not a number.

    Examples
    --------
    >>> log_spaced(100, per_decade=3)
    array([  0,   1,   2,   5,  10,  22,  46, 100])
    """
    last = _checks.whole("steps", steps, maximum=int(np.finfo(np.float64).max))
    density = _checks.whole("per_decade", per_decade, maximum=MAX_PER_DECADE)
    exponents = np.arange(math.floor(math.log10(last) * density) + 1) / density
    numbers = np.concatenate(([0.0], np.rint(10.0**exponents)))
    numbers = np.append(numbers[numbers < last], float(last))
    return np.unique(numbers.astype(np.int64) if last <= _checks.MAX_EXACT_STEPS else numbers)
