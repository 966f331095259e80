"""The results of a sweep as a labelled data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok.sweeps._grid import Grid
from fastgrok.sweeps._values import Outcome, Value

if TYPE_CHECKING:
    import xarray as xr


def agreeing(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return them with those failed that do not have the names and shapes of the first."""
    values = (outcome.values for outcome in outcomes if outcome.values is not None)
    first = next(values, None)
    if first is None:
        return list(outcomes)
    out = []
    for outcome in outcomes:
        said = "" if outcome.values is None else _disagreement(first, outcome.values)
        out.append(Outcome(None, said) if said else outcome)
    return out


def dataset(
    grid: Grid,
    outcomes: Sequence[Outcome],
    attributes: Callable[[str], dict[str, str]],
    attrs: dict[str, Any],
) -> xr.Dataset:
    """Put the cells, in the order of the grid and agreeing, into a data set."""
    import xarray as xr  # noqa: PLC0415 (an extra's, and slow to import)

    axes = tuple(grid.axes)
    first = next((one.values for one in outcomes if one.values is not None), {})
    coords: dict[str, Any] = {name: (name, axis) for name, axis in grid.axes.items()}
    coords |= {name: ((), value) for name, value in grid.fixed.items()}
    variables: dict[str, Any] = {}
    for name, (dims, example) in first.items():
        if dims == (name,):
            coords[name] = dims, example
            continue
        stacked = _stacked(
            [None if one.values is None else one.values[name][1] for one in outcomes], example
        )
        variables[name] = (*axes, *dims), stacked.reshape((*grid.shape, *example.shape))
    failed = np.array([one.values is None for one in outcomes])
    texts = np.array([one.traceback for one in outcomes], dtype=np.str_)
    variables["failed"] = axes, failed.reshape(grid.shape)
    variables["traceback"] = axes, texts.reshape(grid.shape)
    out = xr.Dataset(variables, coords, attrs)
    for name in (*out.coords, *out.data_vars):
        out[name].attrs |= attributes(str(name)) | grid.attrs.get(str(name), {})
    return out


def _stacked(values: Sequence[NDArray[Any] | None], example: NDArray[Any]) -> NDArray[Any]:
    """Stack arrays, NaN where there is none, in a type that holds all of them."""
    there = [value for value in values if value is not None]
    kinds = [np.float64] if len(there) < len(values) and example.dtype.kind != "f" else []
    dtype = np.result_type(*{value.dtype for value in there}, *kinds)
    missing = np.full(example.shape, np.nan if dtype.kind == "f" else 0, dtype)
    return np.array([missing if value is None else value for value in values], dtype)


def _disagreement(first: dict[str, Value], values: dict[str, Value]) -> str:
    if set(values) != set(first):
        return f"run returned {sorted(values)}, and {sorted(first)} in the first cell that is done"
    for name, (dims, array) in values.items():
        those, example = first[name]
        if (dims, array.shape) != (those, example.shape):
            return (
                f"run returned {name!r} of shape {array.shape} along {dims}, and of shape "
                f"{example.shape} along {those} in the first cell that is done"
            )
        if dims == (name,) and not np.array_equal(array, example, equal_nan=True):
            return (
                f"run returned other values of the coordinate {name!r} than in the first cell "
                "that is done"
            )
    return ""
