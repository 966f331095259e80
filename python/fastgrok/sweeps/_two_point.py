"""The two-point model, many cells at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrok.sweeps._grid import Cell
from fastgrok.theory import two_point as theory

_LN10 = np.log(10.0)


def two_point(
    lam: float, sigma: float = 1.0, lr: float = 0.1, accuracy: float = 0.95
) -> dict[str, Any]:
    """
    Compute the grokking time of the two-point model of Beck et al. (2025).

    Parameters
    ----------
    lam : float
        lambda, in (0, 1].
    sigma : float
        Scale of the points.
    lr : float
        Learning rate.
    accuracy : float
        Of the population, in (0, 1).

    Returns
    -------
    dict
        As `theory.two_point` has it: "time" in steps (0 at once, inf never, or beyond 1e308),
        "log10_time", "decided" (always), "rest".
    """
    (found,) = two_points([{"lam": lam, "sigma": sigma, "lr": lr, "accuracy": accuracy}])
    return found


def two_points(cells: list[Cell]) -> list[dict[str, Any]]:
    """Compute `two_point` for many cells in one go."""
    filled = [{"sigma": 1.0, "lr": 0.1, "accuracy": 0.95, **cell} for cell in cells]
    lam, sigma, lr, accuracy = (
        np.array([cell[name] for cell in filled]) for name in ("lam", "sigma", "lr", "accuracy")
    )
    log = np.atleast_1d(theory.accuracy_time(accuracy, lam, sigma, lr, log=True))
    with np.errstate(over="ignore"):
        columns = {
            "time": np.exp(log),
            "log10_time": log / _LN10,
            "decided": np.ones(log.size, dtype=bool),
            "rest": np.atleast_1d(theory.stationary_point(lam, sigma)),
        }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
