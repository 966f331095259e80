"""Weights of rows: how often each counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok._checks import frames
from fastgrok._checks._arguments import F64, MAX_EXACT_STEPS, vector
from fastgrok._checks._classes import one_dimension
from fastgrok._checks.shares import POPULATION_SIZE


@dataclass(frozen=True, eq=False)
class Weights:
    """
    Of the rows of a set, all positive.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        How often each row counts.
    total : float
        Their sum, as the core adds it, so that it is the sum of the rows that are right if all are.
    """

    values: F64
    total: float

    @property
    def size(self) -> int:
        """Points that the set counts as: of weights that are not whole, as a population does."""
        whole = bool((self.values == np.floor(self.values)).all())
        return int(self.total) if whole and self.total <= MAX_EXACT_STEPS else POPULATION_SIZE

    def counts(self, correct: F64) -> NDArray[np.int64]:
        """Make sums of weights counts of so many points."""
        size = self.size
        share = correct if size == self.total else correct / self.total * size
        out: NDArray[np.int64] = np.rint(share).astype(np.int64)
        return out

    def count(self, rows: NDArray[np.bool_]) -> int:
        """Count these rows."""
        return int(self.counts(np.where(rows, self.values, 0.0).sum()))


def row_weights(
    name: str, value: ArrayLike, rows: int, X: ArrayLike | None = None, of: str = "X"
) -> F64:
    """
    Weights that are not negative, one a row and not all 0, with a sum that float64 holds.

    `X` are the rows, called `of`, whose index is that of the weights if both have one.
    """
    weights = vector(name, one_dimension(name, value), rows)
    frames.require_same_index((of, name), X, value)
    if weights.min() < 0.0:
        first = int(np.argmin(weights))
        raise ValueError(f"{name} must not be negative, but {name}[{first}] = {weights[first]}")
    with np.errstate(all="ignore"):
        total = float(weights.sum())
        sound = np.isfinite(total) and np.isfinite(np.divide(1.0, total))
    if total == 0.0:
        raise ValueError(f"{name} must not all be zero: that leaves no row")
    if not sound:
        raise ValueError(f"{name} must have a sum that float64 holds, as its inverse, got {total}")
    return weights
