"""The losses, each with all that Python must know of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Loss:
    """
    A loss l of the margin m of a row.

    Attributes
    ----------
    name : str
        As the argument `loss` has it.
    formula : str
        l(m), to be read.
    value : callable
        l of an array of margins.
    log_slope : callable
        log(-l') of an array of margins: late in a run every -l' may underflow, their ratios do not.
    largest_curvature : float
        Supremum of l'' over all margins.
    has : frozenset of str
        Its traits; the table of what goes together says what they mean.
    """

    name: str
    formula: str
    value: Callable[[F64], F64]
    log_slope: Callable[[F64], F64]
    largest_curvature: float
    has: frozenset[str]


_SMOOTH = frozenset({"convex", "twice_differentiable", "skippable_rows", "exponential_tail"})

LOSSES = {
    loss.name: loss
    for loss in (
        Loss(
            name="logistic",
            formula="log(1 + exp(-m))",
            value=lambda m: np.logaddexp(0.0, -m),
            log_slope=lambda m: -np.logaddexp(0.0, m),
            largest_curvature=0.25,
            has=_SMOOTH | {"bounded_curvature"},
        ),
        Loss(
            name="exponential",
            formula="exp(-m)",
            value=lambda m: np.exp(-m),
            log_slope=lambda m: -m,
            largest_curvature=math.inf,
            has=_SMOOTH,
        ),
    )
}


def formula(formulas: Mapping[str, T], loss: Any, what: str) -> T:
    """
    Return what `what` has for a loss, by name.

    Raises
    ------
    ValueError
        If it has nothing for this loss.
    """
    if loss not in formulas:
        known = " and ".join(f"{name!r}" for name in formulas)
        raise ValueError(f"{what} has no formula for loss={loss!r}, only for {known}")
    return formulas[loss]
