"""Shares of points, compared in exact counts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

POPULATION_SIZE = 10**12
"""Points that a population counts as: its accuracy is known to about the inverse of that."""


def exact_share(
    name: str, value: float | Fraction | Decimal, *, positive: bool = False
) -> Fraction:
    """Read a share of points as the decimal its author wrote, and check its range."""
    share = written(name, value)
    if share is None or not 0 <= share <= 1:
        raise ValueError(f"{name} must lie in {'(' if positive else '['}0, 1], got {value}")
    return share


def written(name: str, value: float | Fraction | Decimal) -> Fraction | None:
    """Read a number as the decimal its author wrote; None if it is not finite."""
    if isinstance(value, bool) or not isinstance(
        value, int | float | np.integer | np.floating | Fraction | Decimal
    ):
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}")
    try:
        # The shortest decimal that reads back as the same float is what the user typed.
        return Fraction(str(value))
    except ValueError:  # nan and the infinities
        return None
