"""Data frames and series, as pandas has them: each column's numbers, the names, the index.

pandas is not imported: a frame is known by what it can do. Tables of Arrow, and others with a list
of names and a column for each, are frames without an index.
"""

import contextlib
import reprlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks._words import plural

Features = tuple[str, ...]
_MOST_NAMED = 5


def is_frame(value: object) -> bool:
    """Whether it has columns that may be of different types."""
    return (hasattr(value, "iloc") and hasattr(value, "columns")) or bool(_named_columns(value))


def _named_columns(value: Any) -> list[str] | None:
    """Return the names of the columns of a table that has them in a list, as Arrow and polars."""
    names = getattr(value, "column_names", None) or getattr(value, "columns", None)
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return names if known and hasattr(value, "shape") else None


def only_column(frame: Any) -> Any:
    """Return the column of a frame that has but one, or else the frame."""
    if len(frame.shape) != 2 or frame.shape[1] != 1:
        return frame
    names = _named_columns(frame)
    return frame.iloc[:, 0] if names is None else frame[names[0]]


def is_column(value: object) -> bool:
    """Whether it is a series, an index or an array of pandas, which can have missing values."""
    return hasattr(value, "isna") and hasattr(value, "to_numpy") and not is_frame(value)


def features(value: Any) -> Features | None:
    """Names of the columns, or None where they have none but their numbers."""
    own = getattr(value, "feature_names", None)  # of a set that was made of a frame
    if isinstance(own, tuple):
        return own
    if not is_frame(value):
        return None
    labels: list[Any] = _named_columns(value) or list(value.columns)
    return None if labels == list(range(len(labels))) else tuple(str(label) for label in labels)


def require_features(name: str, value: object, expected: Features | None) -> None:
    """Refuse columns that are named, but not as those of the training set, in their order."""
    own = features(value)
    if own is None or expected is None or own == expected or len(own) != len(expected):
        return
    if sorted(own) == sorted(expected):
        first = next(
            j for j, pair in enumerate(zip(own, expected, strict=True)) if len({*pair}) > 1
        )
        raise ValueError(
            f"{name} has the columns of the training set in another order: column {first} is "
            f"{own[first]!r} in place of {expected[first]!r}; select them in the training set's"
        )
    extra, missing = ([f for f in a if f not in b] for a, b in ((own, expected), (expected, own)))
    raise ValueError(
        f"{name} must have the columns of the training set, but has {_listed(extra)} "
        f"in place of {_listed(missing)}"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:_MOST_NAMED])
    return shown + ", ..." * (len(names) > _MOST_NAMED)


def require_same_index(names: tuple[str, str], X: Any, y: Any) -> None:
    """Refuse rows and labels that both have an index, but not the same."""
    if not (hasattr(X, "iloc") and hasattr(y, "iloc")):
        return
    if len(X) != len(y) or X.index.equals(y.index):
        return
    pairs = enumerate(zip(X.index, y.index, strict=True))
    # NaN is unequal to itself: indices that differ in nothing else differ in their types.
    first, (a, b) = next((k for k in pairs if k[1][0] != k[1][1]), (0, (X.index[0], y.index[0])))
    raise ValueError(
        f"{names[1]} must have the index of {names[0]}, but its row {first} is {b!r}, that of "
        f"{names[0]} {a!r}: align it with .loc, or pass .to_numpy() if the rows are in order"
    )


def index_of(value: Any) -> NDArray[Any] | None:
    """Return what a data frame calls its rows, unless these are their positions."""
    if not (hasattr(value, "iloc") and is_frame(value)):
        return None
    labels = np.empty(len(value), dtype=object)
    labels[:] = list(value.index)
    return None if all(label == i for i, label in enumerate(labels)) else labels


def frame_numbers(name: str, frame: Any) -> NDArray[Any]:
    """Make a frame an array, if every value is a number that float64 holds exactly."""
    names = _named_columns(frame)
    if names is None and len(dtypes := set(frame.dtypes)) == 1 and _is_plain(*dtypes):
        return np.asarray(frame)
    labels, columns = frame_columns(name, frame)
    single = all(column.dtype == np.float32 for column in columns)
    out = np.empty(frame.shape, np.float32 if single and columns else np.float64)
    for j, (label, column) in enumerate(zip(labels, columns, strict=True)):
        require_exact(f"{name} column {label!r}", column)
        with np.errstate(over="ignore"):
            out[:, j] = column
    return out


def frame_columns(name: str, frame: Any) -> tuple[list[Any], list[NDArray[Any]]]:
    """Labels and numbers of all columns, each of a type of its own: none is rounded."""
    names = _named_columns(frame)
    labels = list(frame.columns) if names is None else names
    columns = [
        column_numbers(
            f"{name} column {label!r}", frame.iloc[:, j] if names is None else frame[label]
        )
        for j, label in enumerate(labels)
    ]
    return labels, columns


def place(value: Any) -> Callable[[int], str] | None:
    """Return what tells where the k-th number of a frame with named columns stands."""
    names = features(value) if is_frame(value) else None
    if names is None:
        return None
    return lambda k: f"{k // len(names)}, {names[k % len(names)]!r}"


def require_order(name: str, weights: Any, X: Any) -> None:
    """Refuse weights with an index of names that are not those of the columns, in their order."""
    own, expected = getattr(weights, "index", None), features(X)
    if not hasattr(weights, "iloc") or own is None or expected is None or len(own) != len(expected):
        return
    called = tuple(str(label) for label in own)
    if list(own) == list(range(len(own))) or called == expected:
        return
    first = next(j for j, pair in enumerate(zip(called, expected, strict=True)) if len({*pair}) > 1)
    raise ValueError(
        f"{name} must have the columns of X for its index, in their order, but has "
        f"{called[first]!r} in place of {expected[first]!r}: select them by .loc[list(X.columns)], "
        "or pass .to_numpy() if the order is right"
    )


def column_numbers(name: str, column: Any) -> NDArray[Any]:
    """Make one column an array, if every value is a number."""
    dtype = getattr(column, "dtype", None)
    if _is_plain(dtype):
        return np.asarray(column)
    if str(dtype) == "category":
        raise TypeError(f"{name} is categorical: make numbers of it first (pandas.get_dummies)")
    missing = int(np.count_nonzero(column.isna())) if hasattr(column, "isna") else 0
    missing = getattr(column, "null_count", missing)  # of Arrow
    if isinstance(missing, int) and missing:
        raise ValueError(
            f"{name} lacks {missing} of its {plural(len(column), 'value')}: drop or fill them"
        )
    # Arrow's arrays make a copy only where they may, and so does __array__ of its tables' columns.
    values = np.asarray(column)
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind != "O":
        raise TypeError(
            f"{name} must hold real numbers, got dtype {dtype or values.dtype}: drop it, or make "
            "numbers of it first"
        )
    return object_numbers(name, values)


def object_numbers(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers in an array of objects as they are, in int64 where all are integers of that size."""
    missing = sum(value is None for value in values.flat)
    if missing and values.ndim:
        raise ValueError(
            f"{name} lacks {missing} of its {plural(values.size, 'value')}: drop or fill them"
        )
    if all(isinstance(value, Integral) for value in values.flat):
        with contextlib.suppress(OverflowError):
            return values.astype(np.int64)
    out = np.empty(values.shape)
    for where, value in np.ndenumerate(values):
        out[where] = _number(name, where, value)
    return out


def _is_plain(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def _number(name: str, where: tuple[int, ...], value: Any) -> float:
    if not isinstance(value, Real | Decimal | np.bool_):
        if not where:
            raise TypeError(
                f"{name} must hold real numbers, got {reprlib.repr(value)} "
                f"({type(value).__name__}): pass an array, a list or a data frame"
            )
        row = f"row {where[0]}" if len(where) == 1 else f"entry {list(map(int, where))}"
        raise TypeError(
            f"{name} must hold real numbers, but its {row} is {reprlib.repr(value)}: drop it, "
            "or make numbers of it first (pandas.get_dummies, pandas.to_numeric)"
        )
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    place = f", row {where[0]}," if len(where) == 1 else f"{list(map(int, where))}" * bool(where)
    require_same_value(f"{name}{place}", value, number)
    return number


def require_same_value(name: str, value: Any, rounded: float) -> None:
    """Refuse a number that is not the float it was rounded to."""
    exact = int(value) if isinstance(value, np.integer) else value
    if exact != rounded and not (exact != exact and rounded != rounded):  # noqa: PLR0124 - NaN
        raise ValueError(_inexact(name, value, rounded))


def require_exact(name: str, array: NDArray[Any], first: int = 0) -> None:
    """Refuse integers and long doubles that float64 cannot hold, in rows from `first` on."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if size < 8 or kind == "b" or (kind == "f" and size == 8) or array.size == 0:
        return
    rows = np.atleast_1d(array)
    step = max(1, (1 << 16) // max(1, rows[0].size))  # in blocks: no mask as large as the data
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        wrong = _rounded_floats(block) if kind == "f" else _rounded_integers(block)
        if wrong.any():
            place = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
            value = block[place]
            where = ", ".join(str(int(i)) for i in (first + place[0] + start, *place[1:]))
            with np.errstate(under="ignore"):
                raise ValueError(
                    _inexact(f"{name}[{where}]" if array.ndim else name, value, float(value))
                )


def _rounded_floats(block: NDArray[Any]) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", under="ignore"):
        rounded = block.astype(np.float64)
    # What overflows is infinite, and is reported as that.
    changed: NDArray[np.bool_] = np.isfinite(rounded) & (rounded.astype(block.dtype) != block)
    return changed


def _rounded_integers(block: NDArray[Any]) -> NDArray[np.bool_]:
    if max(-int(block.min()), int(block.max())) <= 2**53:
        return np.zeros(block.shape, np.bool_)
    size = np.abs(block).astype(np.uint64)  # of the least int64, too: it wraps to 2**63
    lowest = size & (~size + np.uint64(1))
    odd: NDArray[np.bool_] = size // np.maximum(lowest, np.uint64(1)) > np.uint64(2**53)
    return odd


def _inexact(what: str, value: object, rounded: float) -> str:
    shown = repr(rounded)
    if isinstance(value, Integral) and np.isfinite(rounded):
        shown = str(int(rounded))
    return (
        f"{what} is {value!s}, which float64 cannot hold: it would be rounded to {shown}; "
        "subtract an offset, or convert it with astype(float) if that does not matter"
    )
