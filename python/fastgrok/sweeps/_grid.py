"""The cells of a sweep: what its axes are, and the arguments at every point."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks

#: Arguments of a cell: plain numbers, booleans and texts by name.
Cell = dict[str, Any]

_PLAIN = "biufU"


@dataclass(frozen=True)
class Grid:
    """
    The axes of a sweep, and the arguments that are the same in all cells.

    Attributes
    ----------
    axes : dict of str to ndarray of shape (k,)
        Values of each argument that varies, in the order of the dimensions.
    fixed : dict of str to ndarray of shape ()
        Values of the others.
    attrs : dict of str to dict
        What values that came as a DataArray say of themselves.
    """

    axes: dict[str, NDArray[Any]]
    fixed: dict[str, NDArray[Any]]
    attrs: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, grid: object) -> Grid:
        """Read the argument `grid`."""
        if not isinstance(grid, Mapping):
            raise TypeError(
                "grid must be a dict of argument names to lists of values, got "
                f"{_checks.show(grid)}"
            )
        if not grid:
            raise ValueError("grid must name at least one argument of run, got {}")
        arrays = {_name(name): _values(f"grid[{name!r}]", grid[name]) for name in grid}
        return cls(
            {name: values for name, values in arrays.items() if values.ndim},
            {name: values for name, values in arrays.items() if not values.ndim},
            {name: _attributes(name, grid[name]) for name in arrays},
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values on each axis."""
        return tuple(values.size for values in self.axes.values())

    @property
    def size(self) -> int:
        """Number of cells."""
        return prod(self.shape)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all arguments, those that vary first."""
        return (*self.axes, *self.fixed)

    def cells(self) -> Iterator[Cell]:
        """Yield the arguments of each cell, the last axis fastest."""
        fixed = {name: value.item() for name, value in self.fixed.items()}
        for values in itertools.product(*(axis.tolist() for axis in self.axes.values())):
            yield dict(zip(self.axes, values, strict=True)) | fixed

    def arguments_of(self, index: int) -> str:
        """Write the arguments in which a cell differs from others, for a message."""
        place = np.unravel_index(index, self.shape) if self.axes else ()
        pairs = zip(self.axes.items(), place, strict=True)
        shown = [f"{name}={axis[int(i)].item()!r}" for (name, axis), i in pairs]
        return ", ".join(shown or [f"{name}={v.item()!r}" for name, v in self.fixed.items()])


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"grid must have names of arguments as keys, got {_checks.show(name)}")
    return name


def _attributes(name: str, value: Any) -> dict[str, Any]:
    """Return what a DataArray says of its values; a name of its own is a title, if it has none."""
    own = getattr(value, "attrs", None)
    if not (isinstance(own, Mapping) and hasattr(value, "dims")):
        return {}
    called = getattr(value, "name", None)
    return ({} if called in (None, name) else {"long_name": str(called)}) | dict(own)


def _values(name: str, value: object) -> NDArray[Any]:
    """Values of one kind on an axis, or a single one."""
    if isinstance(value, Mapping | set | bytes) or value is None or callable(value):
        raise TypeError(
            f"{name} must be a list of numbers, booleans or texts, or one of them, got "
            f"{_checks.show(value)}"
        )
    array = _checks.array_of(name, value)
    if array.dtype.kind not in _PLAIN:
        raise TypeError(f"{name} must hold numbers, booleans or texts, got dtype {array.dtype}")
    if array.dtype.kind == "U" and not all(
        isinstance(one, str) for one in np.asarray(value, dtype=object).flat
    ):
        raise TypeError(f"{name} must hold values of one kind, got {_checks.show(value)}")
    if array.ndim > 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    if array.ndim == 1 and array.size == 0:
        raise ValueError(f"{name} must have at least one value, got none")
    unique, counts = np.unique(array, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"{name} has the value {unique[counts > 1][0].item()!r} more than once")
    return array
