"""What is known of a variable of a sweep, over draws of the data too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks

if TYPE_CHECKING:
    import xarray as xr

_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True)
class Known:
    """
    A variable at every point of a map or a curve.

    Attributes
    ----------
    values : ndarray
        The medians over the draws: numbers, inf for never, NaN where `undecided` or `failed`.
    undecided, failed : ndarray of bool
        What the runs did not decide, and what there is no run of.
    """

    values: NDArray[np.float64]
    undecided: NDArray[np.bool_]
    failed: NDArray[np.bool_]


def variable(dataset: Any, value: str | None) -> xr.DataArray:
    """Return the variable that is asked for, or that the data set is about."""
    if not hasattr(dataset, "data_vars"):
        raise TypeError(
            f"dataset must be an xarray.Dataset, as sweep returns it, got {_checks.show(dataset)}"
        )
    numeric = [str(name) for name, one in dataset.data_vars.items() if one.dtype.kind in "iuf"]
    drawable = [
        str(name)
        for name, one in dataset.data_vars.items()
        if one.dtype.kind in "biuf" and name != "failed"
    ]
    if value is None:
        value = dataset.attrs.get("value")
        if value is None and len(numeric) == 1:
            (value,) = numeric
        if value is None:
            raise ValueError(
                f"value must be given: the data set has {', '.join(drawable) or 'none'}"
            )
    if value not in dataset.data_vars or dataset[value].dtype.kind not in "biuf":
        raise ValueError(
            f"value must be one of {', '.join(map(repr, drawable)) or 'no variables'}, got "
            f"{_checks.show(value)}"
        )
    found: xr.DataArray = dataset[value]
    return found


def dimension(name: str, dim: object, array: xr.DataArray, what: str = "") -> str:
    """Return a dimension of a variable by its name, or say which there are, and `what` it is."""
    if dim not in array.dims:
        raise ValueError(
            f"{name} must be a dimension of {array.name!r}, one of "
            f"{', '.join(map(repr, array.dims)) or 'none'}, got {_checks.show(dim)}"
            f"{what and f': give {what}'}"
        )
    return str(dim)


def failures(dataset: Any, array: xr.DataArray) -> xr.DataArray:
    """Say of every number whether its cell failed."""
    if "failed" not in dataset.data_vars:
        return array.copy(data=np.zeros(array.shape, dtype=bool))
    out: xr.DataArray = dataset["failed"].broadcast_like(array).transpose(*array.dims)
    return out


def median(dataset: Any, array: xr.DataArray, dims: tuple[str, ...]) -> Known:
    """
    Return what is known of the median over all other dimensions; the upper one of an even number.

    NaN of a cell that did not fail is not known. If it is a time it is at least known to come later
    than those that are, so that a median may be known all the same.
    """
    rest = [dim for dim in array.dims if dim not in dims]
    broken = failures(dataset, array).transpose(*dims, *rest).to_numpy()
    numbers = array.transpose(*dims, *rest).to_numpy().astype(np.float64)
    shape = numbers.shape[: len(dims)]
    numbers, broken = numbers.reshape(*shape, -1), broken.reshape(*shape, -1)
    unknown = np.isnan(numbers) & ~broken
    least = _LARGEST if array.attrs.get("units") == "steps" else -np.inf
    low = _upper_median(np.where(unknown, least, numbers), broken)
    high = _upper_median(np.where(unknown, np.inf, numbers), broken)
    failed = np.asarray(broken.all(axis=-1))
    undecided = ~failed & ((low != high) | (low == _LARGEST))
    return Known(np.where(undecided | failed, np.nan, high), np.asarray(undecided), failed)


def _upper_median(numbers: NDArray[np.float64], left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    ordered = np.sort(np.where(left_out, np.nan, numbers), axis=-1)  # NaN last
    middle = np.sum(~left_out, axis=-1) // 2
    middle = np.minimum(middle, numbers.shape[-1] - 1)
    out: NDArray[np.float64] = np.take_along_axis(ordered, middle[..., None], axis=-1)[..., 0]
    return out
