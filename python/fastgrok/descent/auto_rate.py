"""The learning rate of lr="auto"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import Weights
from fastgrok.descent import optimizers, stable, table
from fastgrok.descent.stable import REDUCTIONS


def is_auto(name: str, lr: object) -> bool:
    """Say whether the learning rate is to be found; TypeError for other words."""
    if isinstance(lr, str) and lr != "auto":
        raise TypeError(f"{name} must be a real number or 'auto', got {_checks.show(lr)}")
    return isinstance(lr, str)


def auto_rate(
    given: Mapping[str, Any],
    rows: NDArray[Any],
    weights: Weights | None,
    loss: str,
    optimizer: optimizers.Optimizer,
    name: Callable[[str], str],
) -> float:
    """Half of the learning rate up to which descent is surely stable."""
    lr = name("lr")
    if missing := table.lack("stable_lr", optimizer.parts):
        raise ValueError(f"{lr} must be a number with {missing.whose}, got 'auto': {missing}")
    rate = 0.5 * stable.bound(
        rows,
        loss,
        _checks.choice(name("reduction"), given["reduction"], REDUCTIONS),
        _checks.flag(name("bias"), given["bias"]),
        optimizer,
        f"{lr}='auto' cannot be: {name('loss')}",
        weights=None if weights is None else weights.values,
    )
    if rate == np.inf:
        raise ValueError(f"{lr} must be a number where all rows are 0 and bias=False, got 'auto'")
    return rate
