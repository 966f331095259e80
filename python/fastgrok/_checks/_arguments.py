"""Validation of arguments: public functions check here, once, and the core trusts what it gets.

Every message names the argument and shows its value, shape or dtype. Wrong values and shapes are
``ValueError``, wrong types ``TypeError``.
"""

import math
import os
import reprlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.ma import MaskedArray  # here, as a fork while a thread imports it leaves the child stuck
from numpy.typing import ArrayLike, NDArray

from fastgrok._checks import frames, sparse
from fastgrok._checks._blocks import blocks
from fastgrok._checks._words import plural
from fastgrok._checks.aside import if_long
from fastgrok._core import default_threads

F64 = NDArray[np.float64]
Data = tuple[NDArray[Any], F64]
Names = tuple[str, str]

MAX_EXACT_STEPS = 2**53
"""Largest step number: beyond it a float64 no longer tells neighbouring steps apart."""
MAX_THREADS = 2**16
_MOST_THREADS: ContextVar[int] = ContextVar("most_threads", default=MAX_THREADS)
_BLOCK = 1 << 16


class _Short(reprlib.Repr):
    """Of arrays inside of a value the shape alone."""

    def repr_ndarray(self, array: NDArray[Any], _level: int) -> str:
        return f"array of shape {array.shape}" if array.ndim else repr(array)


_SHORT = _Short()


def show(value: object) -> str:
    """Describe a value in a message, however large it is."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return _SHORT.repr(value)


def numbers(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return `value` as an array of real numbers, without a copy where it is one already."""
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return value
    if hasattr(value, "toarray"):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a dense array, got {kind}: call its toarray() first")
    if frames.is_frame(value):
        return frames.frame_numbers(name, value)
    if frames.is_column(value):
        return frames.column_numbers(name, value)
    array = array_of(name, value)
    if array.dtype.kind == "O":
        return frames.object_numbers(name, array)
    if array.dtype.kind not in "biuf":
        hint = ": convert it to float32 first" if "float" in array.dtype.name else ""
        if array.dtype.kind in "UST":
            first = array.flat[0].item() if array.size and array.dtype.kind != "T" else ""
            hint = (
                f"{f', the first {first!r}' if first else ''}: make numbers of it first "
                "(astype(float), or pandas.get_dummies of categories)"
            )
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}{hint}")
    return array


def array_of(name: str, value: Any) -> NDArray[Any]:
    """Make an array of it, whatever its type says to that."""
    if isinstance(value, MaskedArray):  # whose masked numbers would count as any others
        raise TypeError(f"{name} must be a plain array, got a masked array: drop or fill it first")
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # of an __array__ that others wrote: anything
        if isinstance(value, list | tuple) and isinstance(error, ValueError):
            raise ValueError(f"{name} is not a rectangular array of numbers: {error}") from None
        hint = "pass a NumPy array"
        if type(value).__module__.split(".")[0] == "torch":
            hint = "pass its detach().cpu().double().numpy()"
        raise TypeError(
            f"{name} cannot be made an array: its {type(value).__name__} raises "
            f"{type(error).__name__}: {str(error)[:200]}; {hint}"
        ) from error


def as_float(name: str, array: NDArray[Any], dtype: type[np.floating[Any]] = np.float64) -> Any:
    """C-contiguous, aligned, native, with the values given; a copy only where it is not so yet."""
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    frames.require_exact(name, array)
    with np.errstate(over="ignore"):  # what overflows is infinite, and reported as that
        return if_long(array.size, lambda: np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"]))


def require_exact(name: str, value: Any) -> None:
    """Refuse numbers that float64 cannot hold, in rows that others are to convert."""
    if sparse.is_sparse(value):
        frames.require_exact(f"{name}.data", sparse.stored(value))
    elif frames.is_frame(value):
        frames.frame_numbers(name, value)
    elif (array := np.asarray(value)).dtype.kind in "iufO":
        frames.require_exact(name, numbers(name, array))


def finite(name: str, out: NDArray[Any], place: Callable[[int], str] | None = None) -> NDArray[Any]:
    """Return the array if all of it is finite; `place` says where its k-th number stands."""
    if out.size <= _BLOCK and np.isfinite(out).all():
        return out
    flat = out.reshape(-1)
    bad, first = 0, -1
    for start, block in blocks(flat, _BLOCK):  # no mask as large as the data
        good = np.isfinite(block)
        if not good.all():
            if first < 0:
                first = start + int(np.argmin(good))
            bad += good.size - int(np.count_nonzero(good))
    if bad:
        where = ", ".join(str(i) for i in np.unravel_index(first, out.shape))
        where = where if place is None else place(first)
        raise ValueError(
            f"{name} must be finite, but {bad} of its {plural(flat.size, 'value')} "
            f"{'is' if bad == 1 else 'are'} NaN or infinite; "
            f"the first is {name}[{where}] = {flat[first]}"
        )
    return out


def matrix(
    name: str, value: ArrayLike, columns: int | None = None, *, sparse_too: bool = False
) -> NDArray[Any]:
    """
    Rows of features: (n, d), both at least 1, finite; float32 stays, all else is float64.

    Sparse ones are made dense, or with `sparse_too` a csr_array (see `fastgrok._checks.sparse`).
    """
    rows = unread_matrix(name, value, columns, sparse_too)
    return finite(name, rows, frames.place(value)) if isinstance(rows, np.ndarray) else rows


def unread_matrix(
    name: str, value: Any, columns: int | None = None, sparse_too: bool = False
) -> Any:
    """Rows that are not looked at yet: :func:`finite` is to follow."""
    array = value if (is_sparse := sparse.is_sparse(value)) else numbers(name, value)
    if array.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions (rows, columns), got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {array.shape}"
        )
    require_columns(name, array, columns)
    if is_sparse:
        rows = sparse.compressed(name, array, _entries)
        return rows if sparse_too else sparse.dense(name, rows)
    return _as_rows(name, array)


def _as_rows(name: str, array: NDArray[Any]) -> NDArray[Any]:
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    rows: NDArray[Any] = as_float(name, array, np.float32 if single else np.float64)
    return rows


def _entries(name: str, values: NDArray[Any], place: Callable[[int], str]) -> NDArray[Any]:
    return finite(name, _as_rows(f"{name}.data", values), place)


def require_columns(name: str, array: NDArray[Any], columns: int | None) -> None:
    """Refuse rows that do not have so many columns, if it matters."""
    if columns is not None and array.shape[1] != columns:
        raise ValueError(f"{name} must have {plural(columns, 'column')}, got shape {array.shape}")


def vector(name: str, value: ArrayLike, length: int | None = None) -> F64:
    """Finite float64 vector, of the given length or at least one entry."""
    array = numbers(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    if length is not None and array.size != length:
        raise ValueError(f"{name} must have length {length}, got length {array.size}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return finite(name, as_float(name, array))


def coefficients(name: str, value: ArrayLike, columns: int, X: ArrayLike) -> F64:
    """Read one number for each column of `X`, by place; what has an index is to agree with it."""
    out = vector(name, value, columns)
    frames.require_order(name, value, X)
    return out


def labels(name: str, array: NDArray[Any], rows: int, *, settled: bool = False) -> F64:
    """
    Labels -1 and +1 in numbers of one dimension, one a row.

    In unsigned integers the greatest stands for -1: it is what 2 y - 1 makes of zeros. Where what
    classes are called is `settled` elsewhere, no message says to name them.
    """
    if array.size != rows:
        raise ValueError(
            f"{name} must have one label a row: {plural(rows, 'row')}, "
            f"{plural(array.size, 'label')}"
        )
    if array.dtype.kind == "f":
        frames.require_exact(name, array)
    out = np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])
    if out.size <= _BLOCK and (np.abs(out) == 1.0).all():
        return out
    wrong = np.concatenate(
        [start + np.flatnonzero(np.abs(block) != 1.0) for start, block in blocks(out, _BLOCK)]
    )
    if wrong.size and array.dtype.kind == "u":
        minus = array == np.iinfo(array.dtype).max
        out, wrong = np.where(minus, -1.0, out), wrong[~minus[wrong]]
    if wrong.size:
        raise ValueError(_no_labels(name, array, out, wrong, settled))
    return out


def _no_labels(name: str, array: NDArray[Any], out: F64, wrong: Any, settled: bool) -> str:
    """Say what numbers are that are no labels, and how to make some of them."""
    missing = int(np.count_nonzero(np.isnan(out)))
    if missing:
        first = int(np.argmax(np.isnan(out)))
        return (
            f"{name} lacks {missing} of its {plural(out.size, 'label')}, the first {name}[{first}] "
            f"= {out[first]}: drop or fill them"
        )
    found = np.unique(array).tolist()
    if len(found) > 2:
        shown = ", ".join(repr(label) for label in found[:5]) + ", ..." * (len(found) > 5)
        return f"{name} must hold the labels of two classes, got {len(found)}: {shown}"
    remedy = ""
    if len(found) == 2:
        remedy = f": say classes=({found[0]!r}, {found[1]!r}), of which the second is +1"
        if settled:
            remedy = f": use np.where({short_name(name)} == {found[1]!r}, 1, -1)"
    first = int(wrong[0])
    return (
        f"{name} must hold labels -1 and +1 only, or 0 and 1, but {name}[{first}] = {array[first]} "
        f"({wrong.size} of {out.size} are neither){remedy}"
    )


def short_name(name: str) -> str:
    """Call an argument, such as `evals['t'] y`, by a name that an expression may hold."""
    last = name.rsplit(" ", 1)[-1]
    return last if last.isidentifier() else "y"


def _scalar(name: str, value: object, kind: str) -> Any:
    if type(value) is float or type(value) is int:
        return value
    if isinstance(value, MaskedArray):
        raise TypeError(f"{name} must be {kind}, got a masked array: fill it first")
    if hasattr(value, "__array__") and not isinstance(value, np.generic):  # of jax, torch, ...
        array = array_of(name, value)
        value = array[()] if array.ndim == 0 else value
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {kind}, got {show(value)} ({type(value).__name__})")
    return value


def real(name: str, value: object, *, positive: bool = False) -> float:
    """Finite real number, greater than zero where `positive`."""
    number = _scalar(name, value, "a real number")
    try:
        out = float(number)
    except OverflowError:
        out = math.inf
    if not math.isfinite(out):
        raise ValueError(f"{name} must be finite, got {show(value)}")
    if type(number) is not float and isinstance(number, Integral | np.longdouble):
        frames.require_same_value(name, number, out)
    if positive and out <= 0.0:
        raise ValueError(f"{name} must be greater than 0, got {show(value)}")
    return out


def whole(
    name: str, value: object, *, minimum: int = 1, maximum: int | None = None, why: str = ""
) -> int:
    """Integer in minimum..maximum, `why` there; a float such as 1e7 is one if it is integral."""
    number = _scalar(name, value, "an integer")
    if type(number) is int or isinstance(number, Integral):  # which takes ten times as long
        out = int(number)
    elif real(name, number).is_integer():
        out = int(float(number))
    else:
        raise ValueError(f"{name} must be integral, got {show(value)}")
    if out < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {show(value)}")
    if maximum is not None and out > maximum:
        raise ValueError(f"{name} must be at most {maximum}{why}, got {show(value)}")
    if out.bit_length() > 1023:  # of a number that float64 may not hold
        raise ValueError(f"{name} must be less than 1e308, got {show(value)}")
    return out


def flag(name: str, value: object) -> bool:
    """Accept True or False, and nothing that merely counts as one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {show(value)}")
    return bool(value)


def flag_or_function(name: str, value: Any) -> Any:
    """Accept what a function is to show of its progress: True or False, or who is to be told."""
    return value if callable(value) else flag(name, value)


def choice(name: str, value: object, names: Collection[str]) -> str:
    """One of the given names."""
    if isinstance(value, str) and value in names:
        return value
    allowed = ", ".join(repr(option) for option in names)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {allowed}, got {show(value)}")
    raise ValueError(f"{name} must be one of {allowed}, got {value!r}")


def path(name: str, value: object) -> str:
    """Name of a file, as text."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise TypeError(f"{name} must be a path (str or os.PathLike), got {show(value)}")
    out = os.fspath(value)
    if not out or "\0" in out:
        raise ValueError(f"{name} must be the path of a file, got {show(out)}")
    return str(out)


def threads(value: object) -> int:
    """
    Count threads: None is the cores this process may use, at most OMP_NUM_THREADS and OpenMP's own.

    OpenMP's own number is that variable when it was loaded, what it has been set to since, as by
    threadpoolctl, and 1 in a child of fork. Inside `at_most_threads` None is no more than that.
    """
    if value is not None:
        return whole("threads", value, maximum=MAX_THREADS)
    most = min(len(os.sched_getaffinity(0)), default_threads(), _MOST_THREADS.get())
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(most, int(limit)) if limit.isdecimal() and int(limit) >= 1 else most


@contextmanager
def at_most_threads(most: int) -> Iterator[None]:
    """
    Let ``threads=None`` mean no more than that, in calls that this thread makes inside.

    Other threads are not concerned, so that many jobs side by side can have a core each.
    """
    before = _MOST_THREADS.set(most)
    try:
        yield
    finally:
        _MOST_THREADS.reset(before)
