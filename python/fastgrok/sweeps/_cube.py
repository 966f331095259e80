"""Experiments on the cube with planted support vectors (Das et al. 2026)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrok import datasets
from fastgrok.sweeps._grid import Cell
from fastgrok.sweeps._training import decided_time, run_to
from fastgrok.theory import bias as theory

_DIM = 2
_HALF_WIDTH = 5.0
_REACH = _HALF_WIDTH * _DIM**0.5
# Accuracies of the slab are known to that.
_SLACK = 1e-12
_DEFAULTS: dict[str, Any] = {
    "alpha": 10.0, "support": 400, "gamma": 1e-3, "eps": 0.01, "classes": 1000, "seed": 0,
    "lr": 0.01, "horizon": 1e13,
}  # fmt: skip


def cube(
    imbalance: float,
    alpha: float = 10.0,
    support: int = 400,
    gamma: float = 1e-3,
    eps: float = 0.01,
    classes: int = 1000,
    seed: int = 0,
    lr: float = 0.01,
    horizon: float = 1e13,
) -> dict[str, Any]:
    """
    Train on the square with planted support vectors, and say when the slab beside them is right.

    Parameters
    ----------
    imbalance : float
        (s+ - s-) / (s+ + s-) of the support vectors of the classes, in (-1, 1).
    alpha : float
        Outer end of the test set, gamma/2 <= y u <= alpha gamma, or the corner of the square.
    support : int
        s+ + s-, which are rounded and at least 1 each.
    gamma : float
        Margin.
    eps : float
        Accuracy 1 - eps of that population is asked for.
    classes : int
        Points of each class, support vectors included.
    seed : int
        Of the draw.
    lr : float
        Learning rate, of the mean of the losses.
    horizon : float
        Steps.

    Returns
    -------
    dict
        "time", from when on the accuracy is there (NaN if it is not by the horizon), "decided",
        "predicted" (Theorem 4.6 corrected, `theory.bias.grokking_time`; NaN if there is no
        imbalance), "final_accuracy", "final_distance" (in units of gamma/2).
    """
    (found,) = cubes([dict(zip(_ARGUMENTS, locals().values(), strict=True))])
    return found


_ARGUMENTS = ("imbalance", *_DEFAULTS)


def cubes(cells: list[Cell]) -> list[dict[str, Any]]:
    """Compute `cube` for cells that differ in alpha and eps alone: one run serves them all."""
    filled = [_DEFAULTS | cell for cell in cells]
    (imbalance, support, gamma, classes, seed, lr, horizon) = (
        filled[0][name]
        for name in ("imbalance", "support", "gamma", "classes", "seed", "lr", "horizon")
    )
    if not -1.0 < imbalance < 1.0:
        raise ValueError(f"imbalance must lie in (-1, 1), got {imbalance!r}")
    plus = min(max(round(support * (1.0 + imbalance) / 2.0), 1), support - 1)
    planted = (plus, support - plus)
    data = datasets.margin_cube(
        (classes, classes), _DIM, gamma=gamma, support=planted, half_width=_HALF_WIDTH, seed=seed
    )
    ends = {cell["alpha"]: min(cell["alpha"], _REACH / gamma) for cell in filled}
    evals = {str(alpha): theory.Slab(gamma, end) for alpha, end in ends.items()}
    run = run_to(horizon, data.X, data.y, lr, evals, keep_weights=True)
    there = float(run.steps[-1]) >= horizon
    out = []
    for cell in filled:
        name, eps = str(cell["alpha"]), cell["eps"]
        time, decided = decided_time(run, name, 1.0 - eps, float("nan"), _SLACK)
        predicted = float("nan")
        if planted[0] != planted[1]:
            rate = lr / (2.0 * classes)
            predicted = float(theory.grokking_time(planted, gamma, eps, ends[cell["alpha"]], rate))
        out.append(
            {
                "time": time,
                "decided": decided,
                "predicted": predicted,
                "final_accuracy": float(run.accuracy[name][-1]) if there else np.nan,
                "final_distance": 2.0 * float(run.distance[-1]) / gamma if there else np.nan,
            }
        )
    return out
