"""The losses, each with all that Python must know of it; the traits are those of the core."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import losses

T = TypeVar("T")
_TRAITS = losses()


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
        log|l'| of an array of margins: late in a run every l' may underflow, their ratios do not.
    least_at : float
        Margin where l is least; infinite where it falls for ever.
    """

    name: str
    formula: str
    value: Callable[[F64], F64]
    log_slope: Callable[[F64], F64]
    least_at: float = math.inf

    @property
    def largest_curvature(self) -> float:
        """Supremum of l'' over all margins."""
        return _TRAITS[self.name]["most_curvature"]

    @cached_property
    def has(self) -> frozenset[str]:
        """Its traits; the table of what goes together says what they mean."""
        return frozenset(name for name, value in _TRAITS[self.name].items() if value is True)


def _log_slope_of_squared_hinge(m: F64) -> F64:
    logs: F64 = np.log(2.0 * (1.0 - m), where=m < 1.0, out=np.full_like(m, -np.inf))
    return logs


def _log_slope_of_hinge(m: F64) -> F64:
    logs: F64 = np.where(m < 1.0, 0.0, -np.inf)
    return logs


def _log_slope_of_squared(m: F64) -> F64:
    slopes = np.abs(2.0 * (1.0 - m))
    logs: F64 = np.log(slopes, where=slopes > 0.0, out=np.full_like(m, -np.inf))
    return logs


LOSSES = {
    loss.name: loss
    for loss in (
        Loss(
            name="logistic",
            formula="log(1 + exp(-m))",
            value=lambda m: np.logaddexp(0.0, -m),
            log_slope=lambda m: -np.logaddexp(0.0, m),
        ),
        Loss(
            name="exponential",
            formula="exp(-m)",
            value=lambda m: np.exp(-m),
            log_slope=lambda m: -m,
        ),
        Loss(
            name="squared_hinge",
            formula="max(0, 1 - m)^2",
            value=lambda m: np.maximum(0.0, 1.0 - m) ** 2,
            log_slope=_log_slope_of_squared_hinge,
        ),
        Loss(
            name="hinge",
            formula="max(0, 1 - m)",
            value=lambda m: np.maximum(0.0, 1.0 - m),
            log_slope=_log_slope_of_hinge,
        ),
        Loss(
            name="squared",
            formula="(1 - m)^2",
            value=lambda m: (1.0 - m) ** 2,
            log_slope=_log_slope_of_squared,
            least_at=1.0,
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
        known = ", ".join(f"{name!r}" for name in formulas)
        raise ValueError(f"{what} has no formula for loss={loss!r}, only for {known}")
    return formulas[loss]
