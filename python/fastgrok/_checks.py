"""Validation of arguments: public functions check here, once, and the core trusts what it gets.

Every message names the argument and shows its value, shape or dtype. Wrong values and shapes are
``ValueError``, wrong types ``TypeError``.
"""

import math
import os
import reprlib
from collections.abc import Callable, Collection, Mapping
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _core
from fastgrok._populations import Population

F64 = NDArray[np.float64]
Data = tuple[NDArray[Any], F64]
Names = tuple[str, str]

MAX_EXACT_STEPS = 2**53
"""Largest step number: beyond it a float64 no longer tells neighbouring steps apart."""
MAX_RECORDS = 10**8
MAX_THREADS = 2**16
_BLOCK = 1 << 16


class Labelled(Protocol):
    """Anything with rows ``X`` and labels ``y``, such as a :class:`fastgrok.Dataset`."""

    @property
    def X(self) -> ArrayLike: ...
    @property
    def y(self) -> ArrayLike: ...


EvaluationSet = tuple[ArrayLike, ArrayLike] | Labelled | Population


def show(value: object) -> str:
    """Describe a value in a message, however large it is."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return reprlib.repr(value)


def numbers(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return `value` as an array of real numbers, without a copy where it is one already."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array, got a masked array: drop or fill it first")
    if hasattr(value, "toarray"):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a dense array, got {kind}: call its toarray() first")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not a rectangular array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array


def _as_float(array: NDArray[Any], dtype: type[np.floating[Any]]) -> NDArray[Any]:
    """C-contiguous, aligned, native; a copy only where `array` is not that yet."""
    with np.errstate(over="ignore"):  # what overflows is infinite, and reported as that
        return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def finite(name: str, out: NDArray[Any]) -> NDArray[Any]:
    """Return the array if all of it is finite."""
    flat = out.reshape(-1)
    bad, first = 0, -1
    for start in range(0, flat.size, _BLOCK):  # in blocks: no mask as large as the data
        good = np.isfinite(flat[start : start + _BLOCK])
        if not good.all():
            if first < 0:
                first = start + int(np.argmin(good))
            bad += good.size - int(np.count_nonzero(good))
    if bad:
        where = ", ".join(str(i) for i in np.unravel_index(first, out.shape))
        raise ValueError(
            f"{name} must be finite, but {bad} of its {flat.size} values are NaN or infinite; "
            f"the first is {name}[{where}] = {flat[first]}"
        )
    return out


def matrix(name: str, value: ArrayLike, columns: int | None = None) -> NDArray[Any]:
    """Rows of features: (n, d), both at least 1, finite; float32 stays, all else is float64."""
    return finite(name, _matrix(name, value, columns))


def _matrix(name: str, value: ArrayLike, columns: int | None) -> NDArray[Any]:
    array = numbers(name, value)
    if array.ndim != 2:
        raise ValueError(f"{name} must have 2 dimensions (rows, columns), got shape {array.shape}")
    if array.size == 0:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {array.shape}"
        )
    require_columns(name, array, columns)
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    return _as_float(array, np.float32 if single else np.float64)


def require_columns(name: str, array: NDArray[Any], columns: int | None) -> None:
    """Refuse rows that do not have so many columns, if it matters."""
    if columns is not None and array.shape[1] != columns:
        raise ValueError(f"{name} must have {columns} columns, got shape {array.shape}")


def vector(name: str, value: ArrayLike, length: int | None = None) -> F64:
    """Finite float64 vector, of the given length or at least one entry."""
    array = numbers(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    if length is not None and array.size != length:
        raise ValueError(f"{name} must have length {length}, got length {array.size}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return finite(name, _as_float(array, np.float64))


def labels(name: str, value: ArrayLike, rows: int) -> F64:
    """Labels -1 and +1, one a row."""
    array = numbers(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    if array.size != rows:
        raise ValueError(f"{name} must have one label a row: {rows} rows, {array.size} labels")
    if array.dtype.kind == "b":
        raise TypeError(
            f"{name} must hold labels -1 and +1, got dtype bool: use np.where({name}, 1, -1)"
        )
    out = np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])
    wrong = np.flatnonzero(np.abs(out) != 1.0)
    if wrong.size:
        first = int(wrong[0])
        hint = f": make them so with 2 * {name} - 1" if np.isin(out, (0.0, 1.0)).all() else ""
        raise ValueError(
            f"{name} must hold labels -1 and +1 only, but {name}[{first}] = {array[first]} "
            f"({wrong.size} of {rows} are neither){hint}"
        )
    return out


def data(
    X: ArrayLike, y: ArrayLike, *, names: Names = ("X", "y"), columns: int | None = None
) -> Data:
    """Rows and their labels."""
    rows = matrix(names[0], X, columns)
    return rows, labels(names[1], y, rows.shape[0])


def unread_data(X: ArrayLike, y: ArrayLike) -> Data:
    """Rows and their labels, the rows not looked at yet: :func:`finite` is to follow."""
    rows = _matrix("X", X, None)
    return rows, labels("y", y, rows.shape[0])


def evaluation_sets(
    evals: Mapping[str, EvaluationSet] | None,
    columns: int,
    *,
    argument: str = "evals",
    read: Callable[..., Data] = data,
) -> dict[str, Data | Population]:
    """Named evaluation sets, each with the training set's number of columns, as `read` gives it."""
    if evals is None:
        return {}
    if not isinstance(evals, Mapping):
        raise TypeError(f"{argument} must be a dict of name: (X, y), got {show(evals)}")
    checked: dict[str, Data | Population] = {}
    for name, value in evals.items():
        if not isinstance(name, str):
            raise TypeError(f"{argument} must have strings for names, got {show(name)}")
        if name in ("", "train"):
            raise ValueError(
                f"{argument} can't have the name {name!r}: 'train' is the training set's"
            )
        prefix = f"{argument}[{name!r}] "
        names = f"{prefix}X", f"{prefix}y"
        if isinstance(value, Population):
            value.check_columns(prefix, columns)
            checked[name] = value
        elif isinstance(value, tuple | list):
            if len(value) != 2:
                raise ValueError(f"{prefix}must be a pair (X, y), got {len(value)} values")
            checked[name] = read(value[0], value[1], names=names, columns=columns)
        elif hasattr(value, "X") and hasattr(value, "y"):
            checked[name] = read(value.X, value.y, names=names, columns=columns)
        else:
            raise TypeError(f"{prefix}must be (X, y) or have .X and .y, got {show(value)}")
    return checked


def _scalar(name: str, value: object, kind: str) -> Real:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
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
    if positive and out <= 0.0:
        raise ValueError(f"{name} must be greater than 0, got {show(value)}")
    return out


def whole(
    name: str, value: object, *, minimum: int = 1, maximum: int | None = None, why: str = ""
) -> int:
    """Integer in minimum..maximum, `why` there; a float such as 1e7 is one if it is integral."""
    number = _scalar(name, value, "an integer")
    if isinstance(number, Integral):
        out = int(number)
    elif real(name, number).is_integer():
        out = int(float(number))
    else:
        raise ValueError(f"{name} must be integral, got {show(value)}")
    if out < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {show(value)}")
    if maximum is not None and out > maximum:
        raise ValueError(f"{name} must be at most {maximum}{why}, got {show(value)}")
    return out


def flag(name: str, value: object) -> bool:
    """Accept True or False, and nothing that merely counts as one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {show(value)}")
    return bool(value)


def choice(name: str, value: object, names: Collection[str]) -> str:
    """One of the given names."""
    allowed = ", ".join(repr(option) for option in names)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {allowed}, got {show(value)}")
    if value not in names:
        raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
    return value


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
    threadpoolctl, and 1 in a child of fork.
    """
    if value is not None:
        return whole("threads", value, maximum=MAX_THREADS)
    most = min(len(os.sched_getaffinity(0)), _core.default_threads())
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(most, int(limit)) if limit.isdecimal() and int(limit) >= 1 else most


def records(value: object, steps: int, *, name: str = "record") -> NDArray[Any]:
    """Check a stride or an increasing array of step numbers; the result always ends at `steps`."""
    if not isinstance(value, list | tuple) and np.ndim(value) == 0:  # type: ignore[arg-type]
        stride = whole(name, value)
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
    return np.int64 if steps <= MAX_EXACT_STEPS else np.float64


def _step_numbers(name: str, value: Any, steps: int) -> NDArray[Any]:
    array = numbers(name, value)
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
            raise ValueError(f"{name} must {rule}, but {name}[{first}] = {array[first]}")
    chosen = array.astype(_dtype_of_steps(steps))
    falls = np.diff(chosen) <= 0
    if falls.any():
        first = int(np.argmax(falls)) + 1
        raise ValueError(
            f"{name} must increase, but {name}[{first}] = {chosen[first]} "
            f"comes after {chosen[first - 1]}"
        )
    return chosen
