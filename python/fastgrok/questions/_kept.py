"""The data that a run was made with: given again, or taken from the run while it has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok.linear import Pgd
from fastgrok.records import Record

_MOST_REPEATED = 10**8


def training_data(
    run: Record, X: NDArray[Any] | None, y: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """
    Return rows and signs, or the run's own, without rows of weight 0.

    ValueError if neither is there or the shapes differ.
    """
    if (X is None) != (y is None):
        raise ValueError("X and y must be given together")
    if X is None or y is None:
        if run.data is None:
            raise ValueError(
                f"this run does not hold its training data ({why_without(run)}): give X and y"
            )
        return run.data
    X = _checks.matrix("X", X, sparse_too=True)
    y = _checks.two_classes("y", y, X.shape[0], _given_classes(run))[0]
    if run.sample_weight is not None and len(run.sample_weight) == len(y):
        live = run.sample_weight > 0.0
        if not live.all():
            X, y = X[live], y[live]
    expected = (run.params["rows"], run.params["dim"])
    if X.shape != expected:
        raise ValueError(
            f"X and y have shapes {X.shape} and {y.shape}, but the run was trained on "
            f"shapes {expected} and {expected[:1]}"
        )
    return X, y


def why_without(run: Record) -> str:
    """Say why a run does not hold its data."""
    return "it was loaded" if run.evals is None else "a cluster held its rows"


def row_weights(run: Record) -> NDArray[np.float64] | None:
    """Return the weights of the rows that `training_data` gives."""
    return None if run.sample_weight is None else run.sample_weight[run.sample_weight > 0.0]


def repeated_data(run: Record) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the run's own data, rows as often as their weights say; ValueError if not whole."""
    assert run.data is not None
    weights = row_weights(run)
    if weights is None:
        return run.data
    X, y = run.data
    total = float(weights.sum())
    if (weights != np.floor(weights)).any() or total * X.shape[1] > _MOST_REPEATED:
        raise ValueError(
            "limit must be None for a run with sample_weight, unless its limit is max_margin or "
            "weights are whole numbers and rows not too many: this limit depends on the weights, "
            "and is found for rows that are repeated"
        )
    times = weights.astype(np.int64)
    rows: Any = X[np.repeat(np.arange(len(y)), times)]  # sparse ones too
    return rows, np.repeat(y, times)


def _given_classes(run: Record) -> tuple[Any, Any] | None:
    return None if run.classes == _checks.SIGNS else run.classes


def evaluation_set(run: Record, name: str, evals: Mapping[str, Any] | None) -> Any:
    """Return the evaluation set of that name, of `evals` or the run's own; errors likewise."""
    if evals is None:
        if run.evals is None:
            raise ValueError(
                f"this run does not hold its evaluation sets ({why_without(run)}): give "
                f"evals={{{name!r}: (X, y)}}, or what else that set was"
            )
        if name not in run.evals and name in run.losses:
            raise ValueError(
                f"this run does not hold evals[{name!r}] (a cluster held its rows): give "
                f"evals={{{name!r}: (X, y)}}, with rows that are here"
            )
        return run.evals[name]
    if not isinstance(evals, Mapping):
        raise TypeError(f"evals must be a mapping from names to data, got {type(evals).__name__}")
    if name not in evals:
        known = ", ".join(repr(other) for other in evals) or "nothing"
        raise ValueError(f"evals must hold {name!r}, the test set to refine; it holds {known}")
    value = evals[name]
    called = f"evals[{name!r}] y"
    if isinstance(value, tuple | list) and len(value) == 2:
        rows = _checks.matrix(f"evals[{name!r}] X", value[0], sparse_too=True)
        return rows, _checks.signs_of(called, value[1], rows.shape[0], run.classes)
    if hasattr(value, "class_names"):  # a set that has made signs of its labels
        y, classes = _checks.labels_of(value, run.classes)
        signs = _checks.signs_of(called, y, len(y), classes)
        return value._with(signs) if isinstance(value, Pgd) else (value.X, signs)
    return value
