"""A run at a glance: accuracies, the last errors, and when they were gone."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import EvaluationSet
from fastgrok._checks.docstrings import described
from fastgrok._checks.shares import POPULATION_SIZE
from fastgrok.plots._axes import curve, in_digits, step_axes
from fastgrok.plots._curves import accuracy_curves
from fastgrok.plots.style import styled, styled_if_new
from fastgrok.questions.grokking import (
    LEVEL,
    GrokkingTimes,
    at_level,
    exact_tolerance,
    grokking_times,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

    from fastgrok.questions.limits import Limit
    from fastgrok.records import Record

# To which the accuracy of a population is known.
_LEAST = 1.0 / POPULATION_SIZE

_MARK: Any = {"linestyle": ":", "linewidth": 1.1, "zorder": 1.5}


@styled_if_new
@described(accuracy_curves)
def error_curves(run: Record, ax: Axes | None = None) -> Axes:
    """Draw the share of wrong points on every data set against the steps.

    The axis is logarithmic down to the smallest share that a curve has above 0, be it the last
    wrong point, and linear from there to 0: what an axis of accuracies hides just below 1 is seen.

    Parameters
    ----------
    run, ax
        See `accuracy_curves`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = step_axes(run, ax)
    for name in run.accuracy:
        curve(ax, run, _wrong(run, name), name)
    _to_the_last(ax)
    ax.set_ylabel("share wrong")
    ax.legend()
    return ax


@styled_if_new
@described(accuracy_curves)
def grokking_marks(
    run: Record, ax: Axes | None = None, *, eps: float | Fraction | Decimal = 0.0
) -> Axes:
    """Mark the grokking times of a run by dotted lines, and name them in the legend.

    Those of `Trajectory.grokking`: when the accuracy on a data set first is at least (1 - eps) of
    its maximum over the record. A test set whose accuracy never reaches 0.6 has none.

    Parameters
    ----------
    run : Trajectory
        The run.
    ax : matplotlib.axes.Axes, optional
        Axes on which the run has been drawn: lines have the colours of their curves there.
        Default: a new figure.
    eps : float, Fraction or Decimal, default 0.0
        Tolerance in [0, 1), read as the decimal that was written: 0.1 is 1/10.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If `eps` is outside [0, 1).
    TypeError
        If `eps` is not a real number.
    """
    exact_tolerance(eps)
    if ax is None or not ax.has_data():
        ax = step_axes(run, ax)
    if _marks(ax, _times(run, eps)):
        ax.legend()
    return ax


def overview(
    run: Record,
    ax: Axes | None,
    limit: Limit | Literal["auto"] | None,
    evals: Mapping[str, EvaluationSet] | None,
    eps: float | Fraction | Decimal,
) -> Axes:
    """Draw a run at a glance, on axes of its own with the errors below; see `Trajectory.plot`."""
    exact_tolerance(eps)
    if ax is not None:
        return grokking_marks(run, accuracy_curves(run, ax, limit=limit, evals=evals), eps=eps)
    with styled():
        import matplotlib.pyplot as plt  # noqa: PLC0415

        width, height = plt.rcParams["figure.figsize"]
        above: Axes
        below: Axes
        figure, (above, below) = plt.subplots(
            2, 1, sharex=True, layout="constrained", figsize=(1.3 * width, 1.35 * height),
            height_ratios=(4, 3),
        )  # fmt: skip
        try:
            accuracy_curves(run, above, limit=limit, evals=evals)
        except BaseException:  # a limit that does not fit leaves no empty figure
            plt.close(figure)
            raise
        error_curves(run, below)
        above.set_xlabel("")
        # Beside the panels, where no curve is: curves and limits above, times below.
        beside: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        above.legend(**beside)
        times = _times(run, eps)
        _marks(above, times)
        marks = _marks(below, times)
        legend = below.legend(handles=marks, title=_title(eps), alignment="left", **beside)
        legend.set_visible(bool(marks))
    return above


def _to_the_last(ax: Axes) -> None:
    """Scale the axis of shares down to the smallest of all that are drawn, and on to 0."""
    curves = [line for line in ax.lines if line.get_transform() == ax.transData]
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in curves])
    drawn = drawn[drawn > 0.0]
    if not drawn.size:
        return
    least, most = max(float(drawn.min()), _LEAST), float(drawn.max())
    # Below the least there is nothing but 0: some tenths of a decade are enough for that.
    ax.set_yscale("symlog", linthresh=least, linscale=0.4)
    ax.set_ylim(-0.2 * least, max(1.4 * most, 2.0 * least))
    # Ticks where there is room for them, which matplotlib has between 0 and the least as well.
    first, last = np.ceil(np.log10(least) - 1e-9), np.floor(np.log10(most) + 1e-9)
    if last - first >= 1:
        ticks = 10.0 ** np.arange(last, first - 1, -max(1, round((last - first) / 5)))
        ax.set_yticks([0.0, *ticks])
    else:
        ticks = np.outer(10.0 ** np.arange(first - 1, last + 1), (1, 2, 5)).ravel()
        ticks = np.array([0.0, *ticks[(ticks >= least) & (ticks <= most)]])
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)


def _wrong(run: Record, name: str) -> NDArray[np.float64]:
    """Give the share of wrong points; of points that are counted, to rounding."""
    if name in run.probabilities:
        return 1.0 - run.probabilities[name]
    wrong: NDArray[np.float64] = (run.sizes[name] - run.counts[name]) / run.sizes[name]
    return wrong


def _times(run: Record, eps: float | Fraction | Decimal) -> dict[str, int | None]:
    """Give the grokking time on each data set, None where it has none."""
    found: dict[str, int | None] = {}
    for name in run.accuracy if (run.steps > 0).any() else ():
        times: GrokkingTimes = grokking_times(run, name, eps, False)
        found[name] = times.train if name == "train" else at_level(times, run, name, LEVEL).test
    return found


def _title(eps: float | Fraction | Decimal) -> str:
    return "grokking times" + (rf", $\epsilon$ = {float(eps):g}" if eps else "")


def _marks(ax: Axes, times: dict[str, int | None]) -> list[Line2D]:
    """Draw a line for each time, and nothing but an entry of the legend where there is none."""
    colors = {line.get_label(): line.get_color() for line in ax.lines}
    marks = []
    for name, time in times.items():
        label = f"{name}: {'never' if time is None else f'step {in_digits(time)}'}"
        where: Any = ([], []) if time is None else ([time, time], [0.0, 1.0])
        (mark,) = ax.plot(
            *where, color=colors.get(name), label=label, transform=ax.get_xaxis_transform(),
            **_MARK,
        )  # fmt: skip
        marks.append(mark)
    return marks
