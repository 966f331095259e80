"""Labels of two classes, whatever they are called."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok._checks import frames
from fastgrok._checks._arguments import (
    F64,
    Data,
    array_of,
    labels,
    matrix,
    numbers,
    short_name,
    show,
    unread_matrix,
)
from fastgrok._checks._blocks import blocks

Classes = tuple[Any, Any]
"""The one that stands for -1, and the one for +1."""
SIGNS: Classes = (-1, 1)
_BLOCK = 1 << 16


def data(
    X: ArrayLike,
    y: ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    sparse_too: bool = False,
) -> Data:
    """Rows, as `matrix` has them, and the signs of their labels, whatever these are called."""
    return called_data(X, y, classes, sparse_too=sparse_too)[0]


def called_data(
    X: ArrayLike, y: ArrayLike, classes: Sequence[Any] | None, *, sparse_too: bool = False
) -> tuple[Data, Classes]:
    """Return the same, and what the classes are called."""
    rows = matrix("X", X, sparse_too=sparse_too)
    frames.require_same_index(("X", "y"), X, y)
    signs, called = two_classes("y", y, rows.shape[0], classes)
    return (rows, signs), called


def unread_data(X: ArrayLike, y: ArrayLike, classes: Sequence[Any] | None = None) -> Data:
    """Rows and the signs of their labels, the rows not looked at yet: `finite` is to follow."""
    rows = unread_matrix("X", X)
    frames.require_same_index(("X", "y"), X, y)
    return rows, two_classes("y", y, rows.shape[0], classes)[0]


def signs_of(name: str, value: ArrayLike, rows: int, classes: Classes) -> F64:
    """
    Signs of labels that are called as those of another set.

    Numbers may be -1 and +1, or 0 and 1, whichever of them those were, and also where they had
    names: signs are what training makes of these.
    """
    array = one_dimension(name, value)
    numeric = array.dtype.kind in "biuf"
    if not numeric and _are_numbers(classes):
        raise ValueError(
            f"{name} must hold -1 and 1, or 0 and 1, as that of the training set, but "
            f"{short_name(name)}[0] is {show(array.item(0))}"
        )
    if numeric and (_are_numbers(classes) or not any(_has(array, label) for label in classes)):
        return two_classes(name, value, rows, settled=True)[0]
    return two_classes(name, value, rows, classes)[0]


def labels_of(value: Any, classes: Classes) -> tuple[Any, Classes]:
    """
    Return what `signs_of` is to be asked of a set with ``X`` and ``y``, and of which classes.

    One that has made signs of its labels says what these were, as `class_names`: signs are right
    for a run that calls its classes so, or that knows signs alone.
    """
    own = getattr(value, "class_names", None)
    if own is None:
        return value.y, classes
    if classes in (SIGNS, own) or (_are_numbers(own) and _are_numbers(classes)):
        return value.y, SIGNS
    text = any(isinstance(label, str) for label in own)
    return np.array(own, dtype=object if text else None)[(value.y > 0.0).astype(np.intp)], classes


def require_same_classes(name: str, own: Classes, classes: Classes) -> None:
    """Refuse a set whose labels were made signs by other names than those of the training set."""
    numbers = _are_numbers(own) and (_are_numbers(classes) or not {*own} & {*classes})
    if not (numbers or classes in (own, SIGNS)):
        raise ValueError(
            f"{name} calls its classes {own}, and the training set {classes}: scatter it with "
            f"classes={classes}"
        )


def _are_numbers(classes: Classes) -> bool:
    return classes in (SIGNS, (0, 1))  # as False and True are


def _has(array: NDArray[Any], label: object) -> bool:
    return bool(np.any(np.asarray(array == label, dtype=bool)))


def two_classes(
    name: str,
    value: ArrayLike,
    rows: int,
    classes: Sequence[Any] | None = None,
    *,
    settled: bool = False,
) -> tuple[F64, Classes]:
    """
    Signs of labels -1 and +1, 0 and 1, False and True, or of two strings or other values.

    Without `classes`, the two in this order, numbers are one of the first three pairs, and strings
    are sorted. Where classes are `settled` by another set, no message says to name them.
    """
    array = one_dimension(name, value)
    if array.size != rows:
        labels(name, array, rows)  # which says what is wrong
    if classes is None:
        pair = _pair(name, array)
        if pair is None:
            return labels(name, array, rows, settled=settled), SIGNS
    else:
        pair = given_classes("classes", classes)
    positive = array == pair[1]
    wrong = np.flatnonzero(~(np.asarray(positive, dtype=bool) | (array == pair[0])))
    if wrong.size:
        first = int(wrong[0])
        raise ValueError(
            f"{name} must hold {pair[0]!r} and {pair[1]!r} only, but {name}[{first}] = "
            f"{_plain(array[first])!r} ({wrong.size} of {rows} are neither)"
        )
    return np.where(np.asarray(positive, dtype=bool), 1.0, -1.0), pair


def given_classes(name: str, classes: Sequence[Any]) -> Classes:
    """Check what an argument says that the classes are called."""
    listed = [classes]
    # Of a set nobody knows which is the first, and one number in an array is no list.
    alone = isinstance(classes, str | bytes | set | frozenset) or getattr(classes, "ndim", 1) != 1
    if isinstance(classes, Iterable) and not alone:
        listed = [_plain(label) for label in classes]
    if len(listed) != 2 or listed[0] == listed[1]:
        raise ValueError(
            f"{name} must be the label of the first class and that of the second, got "
            f"{show(classes)}"
        )
    return listed[0], listed[1]


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def one_dimension(name: str, value: Any) -> NDArray[Any]:
    """Make an array of labels or counts, a column of which is taken for what it holds."""
    if frames.is_frame(value):
        value = frames.only_column(value)
    if isinstance(value, list | tuple) and any(isinstance(item, str | bytes) for item in value):
        value = np.array(value, dtype=object)  # or NaN would be a name
    array = array_of(name, value)
    text = array.dtype.kind in "UST" or (
        array.dtype.kind == "O" and any(isinstance(item, str | bytes) for item in array.flat)
    )
    if not text:
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
        zero = False
        for _, block in blocks(array, _BLOCK):  # no mask as large as the labels
            zeros = block == 0
            if not (zeros | (block == 1)).all():
                return None
            zero |= bool(zeros.any())
        return (0, 1) if zero else None
    listed = array.tolist()
    other = [i for i, item in enumerate(listed) if not isinstance(item, str)]
    if other:
        raise ValueError(
            f"{name} must hold the labels of two classes, but its row {other[0]} is "
            f"{show(listed[other[0]])} ({len(other)} of {array.size} are no strings): "
            f"{_remedy([listed[i] for i in other])}"
        )
    found = sorted(set(listed))
    if len(found) != 2:
        shown = ", ".join(repr(item) for item in found[:5])
        more = ", ..." if len(found) > 5 else ""
        alone = ": name both by classes=, or pass -1 or +1" if len(found) == 1 else ""
        raise ValueError(
            f"{name} must hold the labels of two classes, got {len(found)}: {shown}{more}{alone}"
        )
    return found[0], found[1]


def _remedy(others: list[Any]) -> str:
    """Say what to do about labels that are no strings beside some that are."""
    if all(map(_is_missing, others)):
        return "drop or fill them"
    if all(isinstance(item, bytes) for item in others):
        return "decode them first, as by np.char.decode"
    return "make all of them strings"


def _is_missing(item: Any) -> bool:
    """Whether it stands for no value: those of pandas answer no comparison."""
    nan = isinstance(item, float | np.floating) and bool(np.isnan(item))
    return item is None or nan or type(item).__name__ in ("NAType", "NaTType")
