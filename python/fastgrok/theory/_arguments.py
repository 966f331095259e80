"""Arguments of the theory's functions: numbers or arrays that broadcast, checked once."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks

F64 = NDArray[np.float64]

_DOMAIN = re.compile(r"(integers in )?([\[(])(\S+), (\S+)([\])])( or nan)?")


def arguments(**given: tuple[ArrayLike, str]) -> tuple[F64, ...]:
    """
    Check arguments, each a value and its domain, and broadcast them against one another.

    A domain reads "(0, 1]", "integers in [1, inf)" or "[0, inf] or nan".

    Raises
    ------
    ValueError
        If a value lies outside its domain, or the shapes do not go together.
    TypeError
        If a value is not real numbers.
    """
    arrays = [_checked(name, value, domain) for name, (value, domain) in given.items()]
    try:
        return np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = ", ".join(
            f"{name} {array.shape}" for name, array in zip(given, arrays, strict=True)
        )
        raise ValueError(f"arguments must broadcast together, got the shapes {shapes}") from None


def _checked(name: str, value: ArrayLike, domain: str) -> F64:
    array = _checks.numbers(name, value)
    if array.dtype.kind == "b":
        raise TypeError(f"{name} must be real numbers, got dtype bool")
    out: F64 = _checks.as_float(name, array)
    wrong = ~_inside(out, domain)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
        what = "be" if domain.startswith("integers") else "lie in"
        shown = array[place]
        if out.ndim == 0:
            raise ValueError(f"{name} must {what} {domain}, got {shown}")
        where = ", ".join(str(i) for i in place)
        raise ValueError(f"{name} must {what} {domain}, but {name}[{where}] = {shown}")
    return out


def _inside(values: F64, domain: str) -> NDArray[np.bool_]:
    parts = _DOMAIN.fullmatch(domain)
    assert parts is not None
    integral, opening, low, high, closing, nan = parts.groups()
    least, most = float(low), float(high)
    good: NDArray[Any] = values >= least if opening == "[" else values > least
    good &= values <= most if closing == "]" else values < most
    if integral:
        good &= (values == np.floor(values)) & (np.abs(values) < math.inf)
    return good | np.isnan(values) if nan else good


def scalar(array: Any) -> F64:
    """Return a float64 scalar in place of an array without dimensions."""
    out: F64 = np.asarray(array, dtype=np.float64)[()]
    return out
