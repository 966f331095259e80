"""What the recipes of data sets share: checked arguments, labels, the settings of a draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastgrok import _checks
from fastgrok.datasets._blocks import Part, draw

_SCALES = (1e-30, 1e30)  # well inside the range of float32
MOST_ENTRIES = 2**59


@dataclass(frozen=True)
class Settings:
    """How to draw: checked values of the arguments that all recipes have."""

    seed: int
    dtype: np.dtype[Any]
    threads: int
    progress: bool

    @classmethod
    def checked(
        cls, seed: object, dtype: DTypeLike, threads: object, progress: object
    ) -> "Settings":
        """Check the arguments of a recipe."""
        try:
            kind = np.dtype(dtype)
        except TypeError:
            kind = None
        if kind is None:
            raise TypeError(f"dtype must be float64 or float32, got {_checks.show(dtype)}")
        if kind not in (np.float64, np.float32):
            raise ValueError(f"dtype must be float64 or float32, got {kind}")
        return cls(
            _checks.whole("seed", seed, minimum=0),
            kind,
            _checks.threads(threads),
            _checks.flag("progress", progress),
        )

    def draw(self, parts: Sequence[Part]) -> None:
        """Draw the rows of all parts."""
        draw(parts, seed=self.seed, threads=self.threads, progress=self.progress)

    def params(self, recipe: str, **values: Any) -> dict[str, Any]:
        """Describe how a set was made: the recipe, its arguments, the NumPy that drew it."""
        return {
            "recipe": recipe,
            **values,
            "seed": self.seed,
            "dtype": self.dtype.name,
            "numpy": np.__version__,
        }


def pair(name: str, value: object) -> tuple[int, int]:
    """Two counts, of class +1 and of class -1."""
    if not isinstance(value, tuple | list | np.ndarray) or getattr(value, "ndim", 1) == 0:
        raise TypeError(
            f"{name} must be a pair of integers (class +1, class -1), got {_checks.show(value)}"
        )
    if len(value) != 2:
        raise ValueError(
            f"{name} must be a pair of integers (class +1, class -1), "
            f"got {_checks.plural(len(value), 'value')}"
        )
    first, second = (_checks.whole(f"{name}[{i}]", value[i], minimum=0) for i in (0, 1))
    return first, second


def class_counts(value: object) -> tuple[int, int]:
    """Points of class +1 and of class -1, at least one in all."""
    counts = pair("n", value)
    if sum(counts) == 0:
        raise ValueError(f"n must count at least one point, got {_checks.show(value)}")
    return counts


def support_counts(value: object, counts: tuple[int, int]) -> tuple[int, int]:
    """Support vectors of class +1 and of class -1, among the points of these classes."""
    planted = pair("support", value)
    for name, of_class, of_support in zip(("+1", "-1"), counts, planted, strict=True):
        if of_support > of_class:
            raise ValueError(
                f"support counts among n: {_checks.plural(of_support, 'support vector')} "
                f"{'is' if of_support == 1 else 'are'} more than the "
                f"{_checks.plural(of_class, 'point')} of class {name}"
            )
    return planted


def scale(name: str, value: object) -> float:
    """Positive length that neither underflows nor overflows in float32."""
    out = _checks.real(name, value, positive=True)
    low, high = _SCALES
    if not low <= out <= high:
        raise ValueError(f"{name} must lie in {low:g}..{high:g}, got {out!r}")
    return out


def empty_rows(rows: int, columns: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows to be filled, if there can be so many."""
    if rows * columns > MOST_ENTRIES:
        raise ValueError(f"n x dim must be at most 2^59 numbers, got {rows} x {columns}")
    return np.empty((rows, columns), dtype)


def labels(positive: int, negative: int) -> NDArray[np.float64]:
    """Labels +1, then -1."""
    return np.repeat([1.0, -1.0], [positive, negative])
