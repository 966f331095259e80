"""What the pictures of this paper have in common."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers.beck2025._draws import F64
from fastgrok.papers.beck2025._training import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def stacked(runs: Sequence[Run], name: str) -> tuple[F64, F64]:
    """
    Return the steps of all runs and a row of values for each, NaN where a run ended before.

    The records of runs that are asked for the same steps begin alike.
    """
    steps = max((run.steps for run in runs), key=lambda steps: float(steps[-1]))
    rows = np.full((len(runs), steps.size), np.nan)
    for row, run in zip(rows, runs, strict=True):
        shared = np.searchsorted(steps, run.steps)
        row[shared] = getattr(run, name)
    return steps, rows


def band(
    ax: "Axes", x: Any, rows: Any, *, color: str, label: str | None = None, style: str = "-"
) -> None:
    """Draw the median of the rows, each a draw of the data, on a band from lowest to highest."""
    values = np.asarray(rows, dtype=np.float64)
    some = ~np.isnan(values).all(axis=0)
    x, values = np.asarray(x)[some], values[:, some]
    if len(values) > 1:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        ax.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
    ax.plot(x, upper_median(values), style, color=color, lw=1.2, label=label)


def upper_median(rows: Any) -> F64:
    """Median of each column without NaN, of two in the middle the larger: infinities are ranks."""
    values = np.sort(np.asarray(rows, dtype=np.float64), axis=0)  # NaN comes last
    counts = np.count_nonzero(~np.isnan(values), axis=0)
    out: F64 = np.take_along_axis(values, (counts // 2)[None], axis=0)[0]
    return out


def curves(ax: "Axes", runs: Sequence[Run], name: str, **style: Any) -> None:
    """Draw a recorded quantity of several draws against the steps, step 0 apart."""
    steps, rows = stacked(runs, name)
    band(ax, steps[1:], rows[:, 1:], **style)


def step_axis(axes: Any, last: float) -> None:
    """Put steps on the horizontal axes, in decades."""
    for ax in np.ravel(axes):
        ax.set(xscale="log", xlim=(1.0, last))
        ax.minorticks_off()


def headline(run: Run, draws: int | None = None) -> str:
    """Write a picture's title: the setting that runs like this one share, and how many draws."""
    data = run.data
    setting = rf"N = {data.n}, $\sigma$ = {data.sigma:g}, $\eta$ = {run.case.lr:g}"
    if draws is None or draws == 1:
        return setting if draws is None else f"{setting}; 1 draw"
    return f"{setting}; median and range of {draws} draws"
