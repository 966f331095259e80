"""Shares of points, compared in exact counts."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

POPULATION_SIZE = 10**12
"""Points that a population counts as: its accuracy is known to about the inverse of that."""


def exact_share(
    name: str, value: float | Fraction | Decimal, *, zero_reached_by: str = ""
) -> Fraction:
    """Read a share of points as the decimal its author wrote, in [0, 1], or in (0, 1].

    The latter where 0 says nothing, as everything that is named reaches it.
    """
    share = written(name, value)
    if share is None or not 0 <= share <= 1:
        raise ValueError(f"{name} must lie in {'(' if zero_reached_by else '['}0, 1], got {value}")
    if zero_reached_by and share == 0:
        raise ValueError(f"{name} must be above 0, which {zero_reached_by} reaches")
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
