"""
The files of this folder, and the calls that made them.

They were written by fastgrok 0.1.0 before the package was divided into packages (`flipped`
by the version that brought flipped labels; those with a number in their names by the version of
checkpoints with that number), and must be read for ever. What they hold is in the
.json files, as text, taken from the runs themselves and not from what was written. A newer format
gets files of its own beside them, written by the version
that brings it. ``test_old_files.py`` uses the calls.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fastgrok as fg
from fastgrok.theory.bias import Slab
from fastgrok.theory.edge import GaussianNoise

HERE = Path(__file__).parent
GAP = 0.125


def integers() -> Iterator[int]:
    """Numbers below 2**31 that are the same everywhere."""
    state = 1
    while True:
        state = (1103515245 * state + 12345) % 2**31
        yield state >> 8


def points(n: int, dim: int, skip: int) -> tuple[np.ndarray, np.ndarray]:
    """Multiples of 2**-10 in [-2, 2), moved apart by `GAP` along the first column."""
    numbers = integers()
    for _ in range(skip):
        next(numbers)
    X = np.array([[next(numbers) % 4096 - 2048 for _ in range(dim)] for _ in range(n)]) / 1024.0
    y = np.where(X.sum(axis=1) >= 0.0, 1.0, -1.0)
    X[:, 0] += GAP * y
    return X, y


X, Y = points(40, 2, skip=0)
TEST = points(60, 2, skip=1000)


def leaped() -> fg.Trajectory:
    """Leaps, all kinds of evaluation sets, weights, names of columns, steps beyond 2**53."""
    evals = {
        "slab": Slab(0.125),
        "test": TEST,
        "attacked": fg.Pgd(*TEST, eps=0.0625),
        "noise": GaussianNoise(1.0),
    }
    return fg.train(
        pd.DataFrame(X, columns=["left", "right"]), Y, steps=1e20, lr=0.25, evals=evals,
        record=[0, 1, 10, 1e2, 1e3, 1e4, 1e6, 1e9, 1e15], keep_weights=True, threads=1,
    )  # fmt: skip


def adam(**options: Any) -> fg.Trajectory:
    """Adam with a sum of losses, with the labels' tie the other way, without a bias."""
    return fg.train(
        X, Y, steps=900, lr=0.03125, optimizer="adam", optimizer_options={"beta1": 0.75},
        loss="exponential", reduction="sum", bias=False, tie="negative", w0=[0.5, -0.25],
        record=[0, 1, 2, 30, 300], evals={"test": TEST}, threads=1, **options,
    )  # fmt: skip


def exact(**options: Any) -> fg.Trajectory:
    """Gradient descent of rows in single precision, of three columns, every step taken."""
    rows, labels = points(30, 3, skip=2000)
    return fg.train(
        rows.astype(np.float32), labels, steps=1000, lr=0.5, engine="exact", b0=0.5, record=125,
        evals={"test": points(20, 3, skip=3000)}, keep_weights=True, threads=1, **options,
    )  # fmt: skip


def dataset() -> fg.Dataset:
    """Planted rows: one of each class at the margin."""
    rows, labels = points(8, 2, skip=4000)
    rows[:2] = [[0.25, 0.25], [-0.25, -0.25]]
    labels[:2] = 1.0, -1.0
    return fg.Dataset(
        rows.astype(np.float32), labels, w_true=np.array([0.6, 0.8]), gamma=0.7,
        support=np.array([0, 1]), params={"recipe": "by hand", "sizes": [4, 4], "noise": None},
    )  # fmt: skip


def flipped() -> fg.Dataset:
    """Rows whose labels were flipped: a member that the first files do not have."""
    return fg.datasets.flip_labels(fg.Dataset(*points(8, 2, skip=4000)), 0.5, seed=1)


def as_text(value: Any) -> Any:
    """JSON of a field; of floats the hexadecimal digits."""
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": value.shape, "values": as_text(value.tolist())}
    if isinstance(value, dict):
        return {name: as_text(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(part) for part in value]
    return value.hex() if isinstance(value, float) else value


def contents(value: Any) -> dict[str, Any]:
    """What is saved of a run or of a data set, as text."""
    out = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, fg.Trajectory):
        del out["data"], out["evals"]
        out["engine"] = asdict(out["engine"])
    return json.loads(json.dumps(as_text(out)))
