"""What the pictures of these figures have in common."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers.open._reporting import FITTED, LEVEL
from fastgrok.papers.open._training import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: What a picture calls the time when a run is fitted.
TRAINED = f"training accuracy {FITTED:g} of its best"
#: What points and lines are, for the title of a picture.
MEDIANS = "thick: their median"


def titled(setting: str) -> str:
    """Name a setting in a picture, with the sign of what the number beside "edge" is."""
    return re.sub(r"^edge, ", r"edge, $\\lambda$ = ", setting)


def spread_line(
    ax: "Axes", x: Any, rows: Any, *, color: str, label: str, marker: str, width: float = 1.2
) -> None:
    """
    Draw a point for each draw and a line through the medians, of two in the middle the larger.

    `rows` has a row for each value of `x`; what is not finite is left out, medians too.
    """
    values = np.sort(np.asarray(rows, dtype=np.float64), axis=1)  # NaN comes last
    for at, row in zip(x, values, strict=True):
        seen = row[np.isfinite(row)]
        ax.plot([at] * seen.size, seen, marker, color=color, ms=2.5, alpha=0.5, lw=0, mew=0)
    median = values[:, values.shape[1] // 2]
    ax.plot(x, np.where(np.isfinite(median), median, np.nan), color=color, lw=width, label=label)


def grokking_times(
    ax: "Axes", x: Any, cells: Sequence[Sequence[Run]], alone: Sequence[Run] | None = None
) -> None:
    """Draw when runs are fitted and when they generalise; `alone` as levels for comparison."""
    kinds: tuple[tuple[str, str, str, Callable[[Run], float]], ...] = (
        (TRAINED, _draw.BLUE, "o", lambda run: run.fitted(FITTED)),
        (f"test accuracy {LEVEL:g} for good", _draw.VERMILION, "D", lambda run: run.time(LEVEL)),
    )
    for name, color, marker, read in kinds:
        rows = [[read(run) for run in runs] for runs in cells]
        spread_line(ax, x, rows, color=color, label=name, marker=marker)
        for level in [read(run) for run in alone or ()]:
            if np.isfinite(level):
                ax.axhline(level, color=color, lw=0.5, ls=":", label=f"{name}, without")
