"""Data sets as the core wants them, each made ready once however many runs use it."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, SIGNS, Classes, Data, Names, Weights, frames, sparse
from fastgrok._core import Problem
from fastgrok.distributed import Labels, Rows, Scattered
from fastgrok.distributed.rows import is_dask_array, scattered


class Sets:
    """The data sets of one call: what shares memory is checked, converted and packed once."""

    def __init__(self) -> None:
        self._executor: Any = None  # what dask arrays are brought to; None: computed here
        self._scattered: dict[tuple[int, int], tuple[object, Scattered]] = {}
        # The arrays that stand behind the keys are kept, lest another take the place of one.
        self._rows: dict[object, tuple[object, NDArray[Any]]] = {}
        self._labels: dict[tuple[int, bytes], F64] = {}
        self._kept: dict[tuple[int, bytes], NDArray[Any]] = {}
        self._weights: dict[tuple[int, int, bytes], Weights] = {}
        self._problems: dict[tuple[int, int, int, bool], Problem] = {}
        self._first: dict[int, Problem] = {}

    def data(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        names: Names = ("X", "y"),
        columns: int | None = None,
        classes: Classes = SIGNS,
    ) -> Data:
        """Check rows and labels; what comes out is the same object for the same memory."""
        if self._is_elsewhere(X):

            def read(labels: ArrayLike, rows: int) -> tuple[F64, Classes]:
                return _checks.signs_of(names[1], labels, rows, classes), classes

            data, called = self._elsewhere(X, y, names, columns, read)
            _checks.require_same_classes(names[1], called, classes)
            return data
        _require_here(names, y)
        rows = self._checked_rows(X, names[0], columns)
        frames.require_same_index(names, X, y)
        return rows, self._same(_checks.signs_of(names[1], y, rows.shape[0], classes))

    def training(
        self, given: Mapping[str, Any], name: Callable[[str], str]
    ) -> tuple[Data, Classes]:
        """Check those that a run is trained on, and say what the labels are called."""
        X, y, names = given["X"], given["y"], (name("X"), name("y"))
        self._executor = given["executor"]
        if self._is_elsewhere(X):

            def read(labels: ArrayLike, rows: int) -> tuple[F64, Classes]:
                return _checks.two_classes(names[1], labels, rows, given["classes"])

            data, called = self._elsewhere(X, y, names, None, read)
            if given["classes"] is not None:
                asked = _checks.given_classes(name("classes"), given["classes"])
                if asked != called:
                    raise ValueError(
                        f"{name('classes')} must be {called}, as the labels were brought to the "
                        f"cluster, or None, got {asked}: scatter them with these classes"
                    )
            return data, called
        _require_here(names, y)
        rows = self._checked_rows(X, names[0], None)
        frames.require_same_index(names, X, y)
        signs, called = _checks.two_classes(names[1], y, rows.shape[0], given["classes"])
        return (rows, self._same(signs)), called

    def weighted(self, data: Data, given: F64) -> tuple[Data, Weights]:
        """Leave out rows of weight 0."""
        rows, signs = data
        live = given > 0.0
        if not live.all():
            key = id(rows), np.packbits(live).tobytes()
            if key not in self._kept:
                self._kept[key] = rows[live]
            rows = self._kept[key]
            signs, given = self._same(signs[live]), given[live]
        values = np.array(given)
        own = id(rows), id(signs), values.tobytes()
        if own not in self._weights:
            total = self._plain((rows, signs), True).weighted(values).total_weight
            self._weights[own] = Weights(values, total)
        return (rows, signs), self._weights[own]

    def _checked_rows(self, X: ArrayLike, name: str, columns: int | None) -> NDArray[Any]:
        key = _memory(X)
        if key in self._rows:
            rows = self._rows[key][1]
            _checks.require_columns(name, rows, columns)
        else:
            rows = _checks.matrix(name, X, columns, sparse_too=True)
            self._rows[key] = X, rows
        return rows

    def _same(self, signs: F64) -> F64:
        values = signs.size, np.packbits(signs > 0.0).tobytes()
        return self._labels.setdefault(values, signs)

    def problem(self, data: Data, bias: bool, weights: Weights | None = None) -> Problem:
        """Prepare what `data`, or `training` and `weighted`, have given, once."""
        if weights is None:
            return self._plain(data, bias)
        key = id(data[0]), id(data[1]), id(weights), bias
        if key not in self._problems:
            self._problems[key] = self._plain(data, bias).weighted(weights.values)
        return self._problems[key]

    def _is_elsewhere(self, X: object) -> bool:
        return isinstance(X, Rows) or (self._executor is not None and is_dask_array(X))

    def _elsewhere(
        self,
        X: Any,
        y: Any,
        names: Names,
        columns: int | None,
        read: Callable[[ArrayLike, int], tuple[F64, Classes]],
    ) -> tuple[Data, Classes]:
        """Rows that are on workers, or are brought there, with their labels."""
        _checks.require_columns(names[0], X, columns)
        if isinstance(X, Rows):
            if not (isinstance(y, Labels) and y.are_of(X)):
                raise TypeError(
                    f"{names[1]} must be what came with {names[0]} from scatter, its y, got "
                    f"{_checks.show(y)}"
                )
            return cast(Data, (X, y)), y.classes
        key = id(X), id(y)
        if key not in self._scattered:
            self._scattered[key] = (X, y), scattered(X, y, self._executor, read, names=names)
        brought = self._scattered[key][1]
        return cast(Data, (brought.X, brought.y)), brought.y.classes

    def _plain(self, data: Data, bias: bool) -> Problem:
        rows, signs = data
        key = id(rows), id(signs), 0, bias
        if key not in self._problems and isinstance(rows, Rows):
            self._problems[key] = rows._problem(bias)
        if key not in self._problems:
            # Few columns are stored together with the labels: best of all are rows that are.
            like = self._problems.get((id(rows), id(signs), 0, not bias)) or self._first.get(
                id(rows)
            )
            problem = like.relabelled(signs, bias) if like else sparse.problem(*data, bias)
            self._problems[key] = problem
            self._first.setdefault(id(rows), problem)
        return self._problems[key]


def _require_here(names: Names, y: object) -> None:
    """Refuse labels on a cluster of rows that are here."""
    if isinstance(y, Labels):
        raise TypeError(
            f"{names[1]} must be here, as {names[0]} is, got {_checks.show(y)}: they go with the X "
            "that scatter returned beside them"
        )


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


def dense_here(rows: Any) -> NDArray[Any]:
    """Return the rows of a training set as an array, wherever and whatever they are."""
    return rows.gathered()[0] if isinstance(rows, Rows) else sparse.dense("X", rows)
