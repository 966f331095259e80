"""Data sets as the core wants them, each made ready once however many runs use it."""

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Data, Names, frames
from fastgrok._core import Problem
from fastgrok.distributed import Labels, Rows, is_dask_array, scattered


class Sets:
    """The data sets of one call: what shares memory is checked, converted and packed once."""

    def __init__(self) -> None:
        self.executor: Any = None
        """What dask arrays are brought to; None: they are computed here."""
        self._scattered: dict[tuple[int, int], tuple[object, Data]] = {}
        # The arrays that stand behind the keys are kept, lest another take the place of one.
        self._rows: dict[object, tuple[object, NDArray[Any]]] = {}
        self._labels: dict[tuple[int, bytes], F64] = {}
        self._problems: dict[tuple[int, int, bool], Problem] = {}
        self._first: dict[int, Problem] = {}

    def data(
        self, X: ArrayLike, y: ArrayLike, *, names: Names = ("X", "y"), columns: int | None = None
    ) -> Data:
        """Check rows and labels; what comes out is the same object for the same memory."""
        if isinstance(X, Rows) or (self.executor is not None and is_dask_array(X)):
            return self._elsewhere(X, y, names, columns)
        key = _memory(X)
        if key in self._rows:
            rows = self._rows[key][1]
            _checks.require_columns(names[0], rows, columns)
        else:
            rows = _checks.matrix(names[0], X, columns)
            self._rows[key] = X, rows
        frames.require_same_index(names, X, y)
        signs = _checks.labels(names[1], y, rows.shape[0])
        values = signs.size, np.packbits(signs > 0.0).tobytes()
        return rows, self._labels.setdefault(values, signs)

    def _elsewhere(self, X: Any, y: Any, names: Names, columns: int | None) -> Data:
        """Rows that are on workers, or are brought there, with their labels."""
        _checks.require_columns(names[0], X, columns)
        if isinstance(X, Rows):
            if not (isinstance(y, Labels) and y.are_of(X)):
                raise TypeError(f"{names[1]} must be what came with {names[0]} from scatter")
            return cast(Data, (X, y))
        key = id(X), id(y)
        if key not in self._scattered:
            brought = scattered(X, y, self.executor, names=names)
            self._scattered[key] = (X, y), cast(Data, (brought.X, brought.y))
        return self._scattered[key][1]

    def problem(self, data: Data, bias: bool) -> Problem:
        """Prepare what `data` has given, once."""
        rows, signs = data
        key = id(rows), id(signs), bias
        if key not in self._problems and isinstance(rows, Rows):
            self._problems[key] = rows.problem(bias)
        if key not in self._problems:
            # Few columns are stored together with the labels: best of all are rows that are.
            like = self._problems.get((id(rows), id(signs), not bias)) or self._first.get(id(rows))
            problem = Problem(*data, bias) if like is None else like.relabelled(signs, bias)
            self._problems[key] = problem
            self._first.setdefault(id(rows), problem)
        return self._problems[key]


def _memory(value: ArrayLike) -> object:
    """Tell apart what can hold different numbers."""
    if isinstance(value, np.ndarray):
        where = value.__array_interface__["data"][0]
        # A masked array shows the memory of a plain one, but is not the same data.
        return type(value), where, value.shape, value.strides, value.dtype.str
    return id(value)


def are_elsewhere(data: object) -> bool:
    """Whether rows and labels lie on the workers of a cluster."""
    return isinstance(data, tuple) and isinstance(data[0], Rows)
