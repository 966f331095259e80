"""Which steps to record."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import frames
from fastgrok._checks.calls import helpful

MAX_PER_DECADE = 10**6
MAX_RECORDS = 10**8
_USUAL = 40


@helpful
def log_spaced(steps: float, per_decade: int = _USUAL) -> NDArray[Any]:
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
    return _usual(last).copy() if density == _USUAL else _spaced(last, density)


@functools.lru_cache(maxsize=16)
def _usual(last: int) -> NDArray[Any]:
    return _spaced(last, _USUAL)


def _spaced(last: int, density: int) -> NDArray[Any]:
    exponents = np.arange(math.floor(math.log10(last) * density) + 1) / density
    numbers = np.concatenate(([0.0], np.rint(10.0**exponents)))
    numbers = np.append(numbers[numbers < last], float(last))
    chosen: NDArray[Any] = numbers[np.append(True, np.diff(numbers) > 0.0)]
    return chosen.astype(_dtype_of_steps(last))


def records(value: object, steps: int, *, name: str = "record") -> NDArray[Any]:
    """Check a stride or an increasing array of step numbers; the result always ends at `steps`."""
    if not isinstance(value, list | tuple):
        value = _checks.array_of(name, value) if hasattr(value, "__array__") else value
    if not isinstance(value, list | tuple) and np.ndim(value) == 0:  # type: ignore[arg-type]
        stride = _checks.whole(name, value)
        if steps // stride > MAX_RECORDS:
            raise ValueError(
                f"{name}={stride} asks for {steps // stride} records in {steps} steps; "
                f"at most {MAX_RECORDS} can be kept"
            )
        chosen = (np.arange(steps // stride + 1) * float(stride)).astype(_dtype_of_steps(steps))
    else:
        chosen = _step_numbers(name, value, steps)
    return chosen if chosen[-1] == steps else np.append(chosen, chosen.dtype.type(steps))


def _dtype_of_steps(steps: int) -> type[np.number[Any]]:
    return np.int64 if steps <= _checks.MAX_EXACT_STEPS else np.float64


def _step_numbers(name: str, value: Any, steps: int) -> NDArray[Any]:
    array = _checks.numbers(name, value)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"{name} must be an integer or a 1-dimensional array of step numbers, "
            f"got shape {array.shape}"
        )
    if array.dtype.kind == "b":
        raise TypeError(f"{name} must hold step numbers, got dtype bool")
    for wrong, rule in (
        (~np.isfinite(array) | (array != np.floor(array)), "be integral"),
        ((array < 0) | (array > steps), f"lie in 0..{steps}"),
    ):
        if wrong.any():
            first = int(np.argmax(wrong))
            hint = (
                f"; np.unique(np.rint({_checks.short_name(name)})) is"
                if rule == "be integral" and np.isfinite(array[first])
                else ""
            )
            raise ValueError(f"{name} must {rule}, but {name}[{first}] = {array[first]}{hint}")
    if steps > _checks.MAX_EXACT_STEPS:
        frames.require_exact(name, array)
    chosen = array.astype(_dtype_of_steps(steps))
    falls = np.diff(chosen) <= 0
    if falls.any():
        first = int(np.argmax(falls)) + 1
        raise ValueError(
            f"{name} must increase, but {name}[{first}] = {chosen[first]} "
            f"comes after {chosen[first - 1]}"
        )
    return chosen
