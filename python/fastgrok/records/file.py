"""Files of runs: NumPy's .npz with a JSON header, read with suspicion."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from typing import IO, Any

import numpy as np

from fastgrok import _checks
from fastgrok._checks import MAX_EXACT_STEPS
from fastgrok._files import write_atomically
from fastgrok.records.record import Record
from fastgrok.records.reports import EngineReport

FORMAT = "fastgrok-trajectory"
VERSION = 1

_DTYPES = {
    "steps": "int64",
    "b": "float64",
    "norm_w": "float64",
    "sharpness": "float64",
    "sharpness_mean": "float64",
    "w": "float64",
    "bias_final": "float64",
    "weights": "float64",
    "losses": "float64",
    "counts": "int64",
    "probabilities": "float64",
    "start": "float64",
    "values": "float64",
    "sample_weight": "float64",
}
_PLAIN = ("steps", "b", "norm_w", "sharpness", "sharpness_mean", "regime", "w")


def save(run: Record, path: str | os.PathLike[str]) -> None:
    """Write a run; see `Trajectory.save`."""
    target = _checks.path("path", path)
    engine = run.engine
    header = {
        "format": FORMAT,
        "version": VERSION,
        "sizes": run.sizes,
        "engine": dataclasses.asdict(engine),
        "params": run.params,
    }
    if run.feature_names is not None:
        header["feature_names"] = run.feature_names
    arrays = {name: getattr(run, name) for name in _PLAIN}
    arrays["bias_final"] = np.float64(run.bias_final)
    arrays["losses"] = np.stack(list(run.losses.values()))
    arrays["counts"] = np.stack(list(run.counts.values()))
    if run.probabilities:
        header["names"] = list(run.losses)
        header["populations"] = list(run.probabilities)
        arrays["probabilities"] = np.stack(list(run.probabilities.values()))
    if run.weights is not None:
        arrays["weights"] = run.weights
    if run.start is not None:
        arrays["start"] = run.start
    if run.sample_weight is not None:
        arrays["sample_weight"] = run.sample_weight
    if run.values:
        header["values"] = list(run.values)
        arrays["values"] = np.stack(list(run.values.values()))
    header["arrays"] = sorted(arrays)
    try:
        text = json.dumps(header)
    except TypeError as error:
        raise TypeError(f"params must hold plain numbers, strings and booleans: {error}") from error
    raw = np.frombuffer(text.encode(), dtype=np.uint8)
    write_atomically(target, lambda file: np.savez(file, header=raw, **arrays))


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the fields of a run; see `Trajectory.load`."""
    name = _checks.path("path", path)
    with open(name, "rb") as file:
        header, arrays = _read(file, name)
    version = header.get("version")
    if header.get("format") != FORMAT:
        raise ValueError(f"{name!r} is not a saved trajectory")
    if version != VERSION:
        raise ValueError(
            f"{name!r} has trajectory format version {version!r}; this fastgrok reads "
            f"version {VERSION}"
        )
    try:
        return _fields(header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{name!r} is not a complete trajectory: {error}") from error


def _read(file: IO[bytes], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and arrays of an archive whose checksums are right."""
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"wrong checksum of {damaged}")
        file.seek(0)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if "header" not in arrays:
            raise ValueError("it has no header")
        header = json.loads(arrays.pop("header").tobytes())
        if not isinstance(header, dict):
            raise ValueError("its header is not an object")
    except MemoryError:
        raise
    except Exception as error:  # whatever the bytes make the readers of zip, npy and JSON raise
        raise ValueError(f"{path!r} is not a saved trajectory, or is damaged: {error}") from error
    return header, arrays


def _fields(header: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    # A zip's directory has no checksum of its own: a changed name would hide an array.
    if sorted(arrays) != header["arrays"]:
        raise ValueError(f"its arrays are {sorted(arrays)}")
    for name, array in arrays.items():
        # Steps beyond 2**53 are kept as float64.
        far = name == "steps" and header["params"]["steps"] > MAX_EXACT_STEPS
        expected = "float64" if far else _DTYPES.get(name, array.dtype)
        if array.dtype != expected:
            raise ValueError(f"{name} has dtype {array.dtype}, expected {expected}")
    sizes = header["sizes"]
    names = header.get("feature_names")
    populations = dict(
        zip(header.get("populations", []), arrays.get("probabilities", []), strict=True)
    )
    return {
        **{name: arrays[name] for name in _PLAIN},
        "losses": dict(zip(header.get("names", sizes), arrays["losses"], strict=True)),
        "counts": dict(zip(sizes, arrays["counts"], strict=True)),
        "sizes": sizes,
        "bias_final": float(arrays["bias_final"]),
        "weights": arrays.get("weights"),
        "engine": EngineReport(**header["engine"]),
        "params": header["params"],
        "probabilities": populations,
        "feature_names": None if names is None else tuple(map(str, names)),
        "start": arrays.get("start"),
        "sample_weight": arrays.get("sample_weight"),
        "values": dict(zip(header.get("values", []), arrays.get("values", []), strict=True)),
    }
