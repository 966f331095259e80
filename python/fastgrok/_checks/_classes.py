"""Labels of two classes, whatever they are called."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok._checks import frames
from fastgrok._checks._arguments import F64, array_of, labels, numbers, show

Classes = tuple[Any, Any]
"""The one that stands for -1, and the one for +1."""


def two_classes(
    name: str, value: ArrayLike, rows: int, classes: Sequence[Any] | None = None
) -> tuple[F64, Classes]:
    """
    Signs of labels -1 and +1, 0 and 1, False and True, or of two strings or other values.

    Without `classes`, the two in this order, numbers are one of the first three pairs, and strings
    are sorted.
    """
    array = _one_dimension(name, value)
    if array.size != rows:
        labels(name, array, rows)  # which says what is wrong
    if classes is None:
        pair = _pair(name, array)
        if pair is None:
            return labels(name, value if array.ndim else array, rows), (-1, 1)
    else:
        listed = list(classes) if not isinstance(classes, str) else [classes]
        if len(listed) != 2 or listed[0] == listed[1]:
            raise ValueError(
                f"classes must be the label of the first class and that of the second, got "
                f"{show(classes)}"
            )
        pair = (listed[0], listed[1])
    positive = array == pair[1]
    wrong = np.flatnonzero(~(np.asarray(positive, dtype=bool) | (array == pair[0])))
    if wrong.size:
        first = int(wrong[0])
        raise ValueError(
            f"{name} must hold {pair[0]!r} and {pair[1]!r} only, but {name}[{first}] = "
            f"{array[first]!r} ({wrong.size} of {rows} are neither)"
        )
    return np.where(np.asarray(positive, dtype=bool), 1.0, -1.0), pair


def _one_dimension(name: str, value: Any) -> NDArray[Any]:
    """Make an array of labels, a column of which is taken for what it holds."""
    if frames.is_frame(value):
        value = value.to_numpy() if hasattr(value, "to_numpy") else value
    if isinstance(value, list | tuple) and any(isinstance(item, str) for item in value):
        value = np.array(value, dtype=object)  # or NaN would be a name
    array = array_of(name, value)
    if array.dtype.kind == "O" and not any(isinstance(item, str) for item in array.flat):
        array = numbers(name, value)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    return array


def _pair(name: str, array: NDArray[Any]) -> Classes | None:
    """Find what the classes are called; None for labels -1 and +1, and what is none."""
    if array.dtype.kind == "b":
        return False, True
    if array.dtype.kind in "biuf":
        return (0, 1) if np.isin(array, (0, 1)).all() and np.any(array == 0) else None
    other = [i for i, item in enumerate(array.tolist()) if not isinstance(item, str)]
    if other:
        raise ValueError(
            f"{name} must hold the labels of two classes, but its row {other[0]} is "
            f"{show(array[other[0]])} ({len(other)} of {array.size} are no strings): drop or "
            "fill them"
        )
    found = sorted(set(array.tolist()))
    if len(found) != 2:
        shown = ", ".join(repr(item) for item in found[:5])
        raise ValueError(f"{name} must hold the labels of two classes, got {len(found)}: {shown}")
    return found[0], found[1]
