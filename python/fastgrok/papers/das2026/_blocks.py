"""Test sets too large to keep: drawn block by block, each block seen by all weights at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import datasets
from fastgrok.datasets import Dataset
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._attacks import EPS

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

#: Rows of a block, half of each class: rows, attacked rows and logits then take some 100 MB.
ROWS = 2048
#: What the seeds of neighbouring blocks differ by; those of draws and sets are far smaller.
SEED_STEP = 10**9
# The gradient of the cross-entropy of the logits (0, z) in float32: for class +1 it is p - 1, and
# p is 1 where exp(-z) is at most half a rounding unit of 1; for class -1 it is p w, which is 0
# below half the least number.
_BLIND_PLUS = 24.0 * log(2.0)
_BLIND_MINUS = 150.0 * log(2.0)

#: Test sets that are evaluated, in the order of the counts.
NAMES = ("standard", "concentrated", "adversarial_exact", "adversarial_autodiff32")


@dataclass(frozen=True)
class BlockLaw:
    """
    The law of a standard and a concentrated test set with classes of the same size.

    Attributes
    ----------
    n, dim : int
        Points of each set, an even number, and columns.
    gamma, alpha : float
        Margin; outer edge of the concentrated set in units of the margin.
    seed : int
        Of the draw.
    """

    n: int
    dim: int
    gamma: float
    alpha: float
    seed: int

    @property
    def count(self) -> int:
        """The blocks of each set."""
        return -(-self.n // ROWS)

    def blocks(self, name: str, threads: int) -> Iterator[Dataset]:
        """Draw the standard or the concentrated set, a block at a time."""
        first = 3 * self.seed + 1 + setting.TEST_SETS.index(name)
        for block in range(self.count):
            half = min(ROWS, self.n - block * ROWS) // 2
            law: dict[str, Any] = {
                "n": (half, half), "dim": self.dim, "gamma": self.gamma, "threads": threads,
                "half_width": setting.HALF_WIDTH, "seed": first + SEED_STEP * block,
            }  # fmt: skip
            if name == "standard":
                yield datasets.margin_cube(**law)
            else:
                yield datasets.concentrated(**law, alpha=self.alpha)


def count_right(
    law: BlockLaw, weights: F64, threads: int, told: Callable[[], object]
) -> dict[str, I64]:
    """
    Count the points of every test set that each of many hyperplanes classifies correctly.

    Every block is drawn once. The margins of all its rows under all hyperplanes are one product of
    matrices in float64, and those under attack another.

    Parameters
    ----------
    law : BlockLaw
        The test sets.
    weights : ndarray of shape (k, d + 1)
        Hyperplanes, the intercept in the last column.
    threads : int
        For drawing; the products take what the BLAS takes.
    told : callable
        Called after every block, of which there are ``2 * law.count``.

    Returns
    -------
    dict of str to ndarray of shape (k,)
        By `NAMES`. The last is what PGD reports that differentiates in float32: a row whose
        gradient is exactly 0 is not moved and counts as robust, and the others come to the worst
        point, since every step lowers the margin. Rows at the very edge of blindness may be
        counted otherwise than by the loop itself, whose logits are rounded to float32.
    """
    w, b = np.ascontiguousarray(weights[:, :-1].T), weights[:, -1]
    sides = np.concatenate([np.maximum(w, 0.0), np.minimum(w, 0.0)])
    with np.errstate(divide="ignore"):
        # A product p w underflows sooner where w is less than 1.
        sizes = np.log(np.minimum(np.median(np.abs(w), axis=0), 1.0))
    blind = {1.0: _BLIND_PLUS, -1.0: _BLIND_MINUS + sizes}
    counts = {name: np.zeros(len(weights), dtype=np.int64) for name in NAMES}
    for block in law.blocks("concentrated", threads):
        for label, rows in _signed(block):
            margins = rows @ w + label * b
            counts["concentrated"] += np.count_nonzero(margins > 0.0, axis=0)
        told()
    for block in law.blocks("standard", threads):
        for label, rows in _signed(block):
            shift = label * b
            margins = rows @ w + shift
            right = margins > 0.0
            counts["standard"] += np.count_nonzero(right, axis=0)
            seen = margins < blind[label]
            del margins
            # The box is the same on both sides, so that signed rows stay in it.
            low, high = -setting.HALF_WIDTH, setting.HALF_WIDTH
            worst = np.concatenate([rows - EPS, rows + EPS], axis=1)
            robust = np.clip(worst, low, high, out=worst) @ sides + shift > 0.0
            counts["adversarial_exact"] += np.count_nonzero(robust, axis=0)
            robust |= right & ~seen
            counts["adversarial_autodiff32"] += np.count_nonzero(robust, axis=0)
        told()
    return counts


def _signed(block: Dataset) -> Iterator[tuple[float, F64]]:
    """Yield the rows of each class times their label, and the label."""
    positive = int(np.count_nonzero(block.y > 0.0))  # they come first
    yield 1.0, block.X[:positive]
    yield -1.0, -block.X[positive:]
