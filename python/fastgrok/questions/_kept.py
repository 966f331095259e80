"""The data that a run was made with: given again, or taken from the run while it has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok.records import Record


def training_data(
    run: Record, X: NDArray[Any] | None, y: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return X and y, or the run's own; ValueError if neither is there or the shapes differ."""
    if (X is None) != (y is None):
        raise ValueError("X and y must be given together")
    if X is None or y is None:
        if run.data is None:
            raise ValueError(
                "this run does not hold its training data (it was loaded): give X and y"
            )
        X, y = run.data
    expected = (run.params["rows"], run.params["dim"])
    if np.shape(X) != expected or np.shape(y) != expected[:1]:
        raise ValueError(
            f"X and y have shapes {np.shape(X)} and {np.shape(y)}, but the run was trained on "
            f"shapes {expected} and {expected[:1]}"
        )
    return X, y


def evaluation_set(run: Record, name: str, evals: Mapping[str, Any] | None) -> Any:
    """Return the evaluation set of that name, of `evals` or the run's own; errors likewise."""
    if evals is None:
        if run.evals is None:
            raise ValueError(
                "this run does not hold its evaluation sets (it was loaded): give "
                f"evals={{{name!r}: (X, y)}}, or what else that set was"
            )
        return run.evals[name]
    if not isinstance(evals, Mapping):
        raise TypeError(f"evals must be a mapping from names to data, got {type(evals).__name__}")
    if name not in evals:
        known = ", ".join(repr(other) for other in evals) or "nothing"
        raise ValueError(f"evals must hold {name!r}, the test set to refine; it holds {known}")
    return evals[name]
