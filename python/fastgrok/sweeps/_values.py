"""What a cell comes to: its numbers by name, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks

#: Names of dimensions, and the numbers.
Value = tuple[tuple[str, ...], NDArray[Any]]

#: Variables of a sweep's data set that are not those of `run`.
OWN = ("failed", "traceback")


@dataclass(frozen=True)
class Outcome:
    """
    What became of a cell.

    Attributes
    ----------
    values : dict of str to (dims, ndarray), or None
        What `run` returned; None if it failed.
    traceback : str
        Why it failed, or nothing.
    """

    values: dict[str, Value] | None
    traceback: str = ""


def values_of(result: object, arguments: Mapping[str, Any]) -> dict[str, Value]:
    """
    Check what a function returned, and name the dimensions of its arrays.

    Raises
    ------
    TypeError, ValueError
        If it is not a dict of numbers or arrays of numbers, with names of its own.
    """
    if not isinstance(result, Mapping):
        raise TypeError(
            "run must return a dict of names to numbers or arrays, but returned "
            f"{_checks.show(result)}"
        )
    out = {}
    for name, value in result.items():
        if not isinstance(name, str):
            raise TypeError(f"run must return a dict with texts as keys, not {_checks.show(name)}")
        if name in OWN or name in arguments:
            raise ValueError(
                f"run returned {name!r}, which "
                f"{'is an argument' if name in arguments else 'the sweep has itself'}: call it "
                "something else"
            )
        dims, array = _value(name, value)
        taken = [dim for dim in dims if dim in arguments or dim in OWN]
        if taken or len(set(dims)) < len(dims):
            raise ValueError(
                f"run returned {name!r} with dimensions {dims}: each must have a name of its own, "
                "which is no argument"
            )
        out[name] = dims, array
    return out


def _value(name: str, value: Any) -> Value:
    dims = None
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str | tuple):
        dims, value = value
        dims = (dims,) if isinstance(dims, str) else dims
    array = _checks.array_of(name, np.nan if value is None else value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"run must return numbers or arrays of numbers, but {name!r} is {_checks.show(value)}"
        )
    if array.dtype.itemsize > 8:  # long doubles, which no file keeps
        array = array.astype(np.float64)
    if dims is None:
        dims = tuple(f"{name}_{axis}" for axis in range(array.ndim))
    if len(dims) != array.ndim or not all(isinstance(dim, str) for dim in dims):
        raise ValueError(
            f"run returned {name!r} of shape {array.shape} with the dimensions {dims}: there must "
            "be one name for each"
        )
    return dims, array
