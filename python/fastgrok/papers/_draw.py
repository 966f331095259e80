"""What the papers' pictures have in common; matplotlib is loaded only when one is drawn."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastgrok.plots import palette, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Colours that stay apart for colour-blind readers too, all of them and by name.
PALETTE = palette.PALETTE
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK = PALETTE

#: Draw in the style of all pictures.
styled = style.styled

#: Text width of a page, in inches.
PAGE_WIDTH = 7.2

#: Diameter of the smallest mark of a legend, in points.
LEAST_MARK = 4.5


def panels(
    rows: int,
    columns: int,
    *,
    height: float,
    sharex: bool | Literal["row", "col"] = True,
    sharey: bool | Literal["row", "col"] = True,
) -> tuple["Figure", NDArray[Any]]:
    """Make a figure of page width with a grid of panels, which share both axes if not told else."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    # A bare Figure, not pyplot's: nothing global, and it saves without a display.
    figure = Figure(figsize=(PAGE_WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey, squeeze=False)
    return figure, axes


def step_name(step: float) -> str:
    """Name a step in a picture, powers of ten as such."""
    power = round(math.log10(step))
    return f"step $10^{{{power}}}$" if step == 10.0**power and power > 3 else f"step {step:g}"


def log_steps(ax: "Axes", first: float, last: float) -> None:
    """Put steps on the horizontal axis, which other panels may share, in decades."""
    ax.set(xscale="log", xlim=(first, last))
    # Nobody counts them, and laying them out takes most of the time that a picture takes.
    ax.minorticks_off()


def draws(
    ax: "Axes",
    steps: NDArray[Any],
    curves: Sequence[NDArray[Any]],
    *,
    color: str,
    label: str | None = None,
    zorder: float = 2.0,
) -> None:
    """Draw a thin line for each draw of the data and a thick one for their median; step 0 apart."""
    later = steps > 0
    for curve in curves:
        ax.plot(steps[later], curve[later], color=color, lw=0.5, alpha=0.45, zorder=zorder)
    median = np.median(np.stack(list(curves)), axis=0)
    ax.plot(steps[later], median[later], color=color, lw=1.3, label=label, zorder=zorder + 0.5)


def legend_below(figure: "Figure", order: Sequence[str], columns: int | None = None) -> None:
    """
    Put one legend for all panels under them, labels once each, those of `order` first.

    Default: in one line. Marks that are tiny because the panels have thousands are larger here.
    """
    from matplotlib.collections import PathCollection  # noqa: PLC0415
    from matplotlib.lines import Line2D  # noqa: PLC0415

    handles: dict[str, Any] = {}
    for ax in figure.axes:
        for artist, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, artist)
    names = sorted(handles, key=lambda label: order.index(label) if label in order else len(order))
    legend = figure.legend(
        [handles[name] for name in names],
        names,
        loc="outside lower center",
        ncols=columns or len(names),
        columnspacing=1.4,
        handlelength=1.8,
    )
    for mark in legend.legend_handles:
        if isinstance(mark, PathCollection):
            mark.set_sizes(np.maximum(mark.get_sizes(), LEAST_MARK**2))
        elif isinstance(mark, Line2D):
            mark.set_markersize(max(mark.get_markersize(), LEAST_MARK))


def label_panels(axes: Iterable["Axes"]) -> None:
    """Put letters a, b, c, ... in the upper left corners, outside the data."""
    for letter, ax in zip("abcdefghijklmnopqrstuvwxyz", axes, strict=False):
        ax.text(0.0, 1.02, letter, transform=ax.transAxes, weight="bold", ha="left", va="bottom")
