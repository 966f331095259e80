"""A run as a table, and as a labelled data set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.records.record import Record

_MOST = 2**31 - 1
_BY_STEP = ("b", "norm_w", "distance", "sharpness", "sharpness_mean", "regime", "period")

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def to_pandas(run: Record) -> pd.DataFrame:
    """Give the record as a table; see `Trajectory.to_pandas`."""
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("to_pandas needs pandas: pip install 'fastgrok[data]'") from error
    columns: dict[str, Any] = {}
    for name, accuracy in run.accuracy.items():
        columns[f"loss_{name}"] = run.losses[name]
        columns[f"accuracy_{name}"] = accuracy
        if name in run.counts:
            columns[f"correct_{name}"] = run.counts[name]
    columns |= _by_step(run)
    return pd.DataFrame(columns, index=pd.Index(run.steps, name="step"))


def to_xarray(run: Record) -> xr.Dataset:
    """Give the record as a labelled data set; see `Trajectory.to_xarray`."""
    try:
        import xarray as xr  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install 'fastgrok[data]'") from error
    by_set: dict[str, dict[str, Any]] = {
        "loss": run.losses,
        "accuracy": run.accuracy,
        "correct": _with_missing(run, run.counts),
    }
    variables: dict[str, Any] = {
        name: (("step", "dataset"), np.stack(list(arrays.values()), axis=1))
        for name, arrays in by_set.items()
    }
    variables["size"] = ("dataset", list(_with_missing(run, run.sizes).values()))
    variables |= {name: ("step", values) for name, values in _by_step(run).items()}
    if run.weights is not None:
        variables["w"] = (("step", "feature"), run.weights[:, :-1])
    coords: dict[str, Any] = {"step": run.steps, "dataset": list(run.losses)}
    if run.weights is not None and run.feature_names is not None:
        coords["feature"] = list(run.feature_names)
    attributes = {name: _attribute(value) for name, value in run.params.items()}
    out = xr.Dataset(variables, coords=coords, attrs=attributes)
    if run.steps.size and run.steps[-1] > _MOST:
        out["step"].encoding["dtype"] = "float64"  # netCDF 3 has no larger integers
    return out


def taken(sets: Iterable[str]) -> set[str]:
    """Return the names of columns and variables of runs with these data sets."""
    by_set = {f"{what}_{name}" for what in ("loss", "accuracy", "correct") for name in sets}
    return by_set | {
        *("step", "dataset", "feature", "loss", "accuracy", "correct", "size", "w"),
        *_BY_STEP,
    }


def _attribute(value: Any) -> Any:
    """Give a setting in a type that attributes in files have, equal to it where there is one."""
    if isinstance(value, int):
        return int(value) if abs(value) <= _MOST else float(value)
    return value if isinstance(value, str | float) else json.dumps(value)


def _with_missing(run: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give populations, which have no counts, NaN."""
    missing = np.full(run.steps.shape, np.nan) if values is run.counts else np.nan
    return {name: values.get(name, missing) for name in run.losses}


def _by_step(run: Record) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _BY_STEP} | run.values
