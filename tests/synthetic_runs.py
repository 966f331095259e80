"""Runs made up for tests, without training anything."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrok.records.reports import EngineReport
from fastgrok.trajectory import Trajectory


def make_run(
    steps: Sequence[int] = (0, 1, 10, 100),
    counts: Mapping[str, Sequence[int]] | None = None,
    sizes: Mapping[str, int] | None = None,
    weights: Any = None,
    **changes: Any,
) -> Trajectory:
    """Make a run with plausible values wherever none are given."""
    at = np.array(steps, dtype=np.int64)
    rng = np.random.default_rng(len(at))
    counts = {"train": np.arange(len(at)), "standard": 0 * at} if counts is None else counts
    hits = {name: np.array(values, dtype=np.int64) for name, values in counts.items()}
    sizes = dict.fromkeys(hits, 10) if sizes is None else dict(sizes)
    fields: dict[str, Any] = {
        "steps": at,
        "b": rng.normal(size=at.size),
        "norm_w": np.sqrt(at.astype(float)),
        "losses": {name: rng.exponential(size=at.size) for name in hits},
        "counts": hits,
        "sizes": sizes,
        "sharpness": rng.uniform(size=at.size),
        "sharpness_mean": rng.uniform(size=at.size),
        "regime": np.array(["smooth", "period-2", "irregular"])[np.arange(at.size) % 3],
        "w": np.array([0.5, -0.25]),
        "bias_final": 0.125,
        "weights": weights,
        "engine": EngineReport("exact", int(at[-1]) if at.size else 0, "v3", 1, 0.25),
        "params": {
            "steps": int(at[-1]) if at.size else 0,
            "lr": 0.01,
            "loss": "logistic",
            "reduction": "mean",
            "bias": True,
            "tie": "wrong",
            "rows": sizes["train"],
            "dim": 2,
        },
    }
    return Trajectory(**(fields | changes))
