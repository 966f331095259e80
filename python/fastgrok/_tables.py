"""A run as a table, as a labelled data set, and in a few lines of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok._reports import whole_number

_MOST = 2**31 - 1

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from fastgrok.trajectory import Trajectory


def to_pandas(run: Trajectory) -> pd.DataFrame:
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


def to_xarray(run: Trajectory) -> xr.Dataset:
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


def _attribute(value: Any) -> Any:
    """Give a setting in a type that attributes in files have, equal to it where there is one."""
    if isinstance(value, int):
        return int(value) if abs(value) <= _MOST else float(value)
    return value if isinstance(value, str | float) else json.dumps(value)


def _with_missing(run: Trajectory, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give populations, which have no counts, NaN."""
    missing = np.full(run.steps.shape, np.nan) if values is run.counts else np.nan
    return {name: values.get(name, missing) for name in run.losses}


def _by_step(run: Trajectory) -> dict[str, Any]:
    return {
        "b": run.b,
        "norm_w": run.norm_w,
        "distance": run.distance,
        "sharpness": run.sharpness,
        "sharpness_mean": run.sharpness_mean,
        "regime": run.regime,
    }


def summary(run: Trajectory) -> str:
    """Describe the run: data and settings, engine, final state, regime."""
    params = run.params
    bias = "bias" if params["bias"] else "no bias"
    adam = "Adam with " if params.get("optimizer") == "adam" else ""
    lines = [
        f"Trajectory: {params['rows']} x {params['dim']}, {params['loss']} loss "
        f"({params['reduction']}), {bias}, {adam}lr {params['lr']:g}, {_steps(run)}",
        f"  engine    {run.engine}",
    ]
    if run.steps.size:
        right = ", ".join(
            f"{name} {run.counts[name][-1]}/{run.sizes[name]} = {accuracy[-1]:.4g}"
            if name in run.counts
            else f"{name} {accuracy[-1]:.4g}"
            for name, accuracy in run.accuracy.items()
        )
        lines += [
            f"  accuracy  {right}",
            f"  state     loss {run.loss[-1]:.4g}, b {run.bias_final:.4g}, "
            f"||w|| {run.norm_w[-1]:.4g}, |b|/||w|| {run.distance[-1]:.4g}",
            f"  regime    {_regimes(run)}",
        ]
    return "\n".join(lines)


def _steps(run: Trajectory) -> str:
    asked = run.params["steps"]
    reached = int(run.steps[-1]) if run.steps.size else 0
    all_of_them = f"{whole_number(asked)} steps"
    text = all_of_them if reached == asked else f"{whole_number(reached)} of {all_of_them}"
    if "interrupted" in run.params:
        text += " (interrupted)"
    if "diverged_at" in run.params:
        text += f" (diverged at step {run.params['diverged_at']:,})"
    return f"{text}, {run.steps.size} records"


def _regimes(run: Trajectory) -> str:
    names, records = np.unique(run.regime, return_counts=True)
    if names.size == 1:
        return f"{names[0]} throughout"
    shares = ", ".join(f"{name} at {k} records" for name, k in zip(names, records, strict=True))
    return f"{run.regime[-1]} at the end ({shares})"
