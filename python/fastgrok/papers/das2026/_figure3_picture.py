"""The picture of Figure 3: the data in the square, and close to the hyperplane."""

from typing import TYPE_CHECKING

import numpy as np

from fastgrok.datasets import Dataset
from fastgrok.papers import _draw
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._figure3_draws import DataDraws, coordinates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CLASSES = ((1, _draw.VERMILION, "class +1"), (-1, _draw.BLUE, "class $-1$"))
_PLANTED = "planted support vector"
# Half-heights of the two close-ups, in units of gamma: beyond the concentrated set, and the margin.
_CLOSE = (1.25, 1.5)
# Heights of the bars that mark planted support vectors in them, in points.
_BARS = (4.0, 8.0)


def draw_figure3(data: DataDraws) -> "Figure":
    """
    Draw the training sets and the concentrated set, and twice close to the hyperplane.

    Parameters
    ----------
    data : DataDraws
        What `figure3` returns; the first draw is shown.

    Returns
    -------
    matplotlib Figure
        One column for each choice of support vectors and one for the concentrated set. Top: the
        square. Below, against the place along the hyperplane, the distance from it in units of
        gamma.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    firsts = [data.of(variant)[0] for variant in data.variants]
    columns: list[tuple[str, Dataset]] = [
        (f"training set\n{draw.variant.data}", draw.training) for draw in firsts
    ]
    columns.append(("concentrated\ntest set", firsts[0].concentrated))
    plus, minus = firsts[0].variant.classes
    with _draw.styled():
        figure, axes = _draw.panels(3, len(columns), height=6.2, sharex="row", sharey="row")
        for (square, *close), (title, points) in zip(axes.T, columns, strict=True):
            square.set_title(title)
            _square(square, points)
            for ax, bar in zip(close, _BARS, strict=True):
                _close_up(ax, points, data.gamma, bar)
        limit = setting.HALF_WIDTH * 1.04
        axes[0, 0].set(xlim=(-limit, limit), ylim=(-limit, limit))
        for ax in axes[0]:
            ax.set_aspect("equal")
            ax.set_xlabel("$x_1$")
        axes[0, 0].set_ylabel("$x_2$")
        for row, height in zip(axes[1:], (_CLOSE[0] * data.alpha, _CLOSE[1]), strict=True):
            row[0].set(ylim=(-height, height), xlim=(-limit * np.sqrt(2), limit * np.sqrt(2)))
            row[0].set_ylabel("distance $u = w_{true}\\cdot x$\nin units of $\\gamma$")
            for ax in row:
                ax.set_xlabel("along it, $v$")
        figure.suptitle(
            f"d = 2, D({plus},{minus}), $\\gamma$ = {data.gamma:g}, draw {firsts[0].seed}; "
            "below: the same points close to the hyperplane",
            fontsize=9,
        )
        _draw.label_panels(axes.flat)
        _draw.legend_below(figure, [*(name for *_, name in _CLASSES), _PLANTED])
    return figure


def _square(ax: "Axes", points: Dataset) -> None:
    for label, color, name in _CLASSES:
        rows = points.X[points.y == label]
        ax.scatter(rows[:, 0], rows[:, 1], s=1.5, color=color, lw=0, label=name, rasterized=True)
    planted = points.X[points.support]
    if planted.size:
        ax.scatter(
            planted[:, 0], planted[:, 1], s=3, color="none", edgecolors="k", lw=0.2, rasterized=True
        )
    ends = np.array([-setting.HALF_WIDTH, setting.HALF_WIDTH])
    ax.plot(ends, -ends, color="k", lw=0.6, ls=(0, (4, 2)), label="hyperplane of the labels")


def _close_up(ax: "Axes", points: Dataset, gamma: float, bar: float) -> None:
    u, v = coordinates(points)
    planted = np.zeros(len(points.y), dtype=bool)
    planted[points.support] = True
    for label, color, name in _CLASSES:
        mask = points.y == label
        ax.scatter(v[mask], u[mask] / gamma, s=3, color=color, lw=0, label=name, rasterized=True)
        mask &= planted
        if mask.any():
            # Bars, because hundreds of them share a line.
            ax.plot(v[mask], u[mask] / gamma, "|", color=color, ms=bar, mew=0.4, rasterized=True)
            ax.plot([], [], "|", color="k", ms=max(_BARS), label=_PLANTED)
    ax.axhline(0.0, color="k", lw=0.6, ls=(0, (4, 2)))
    ax.axhspan(-0.5, 0.5, color="0.9", lw=0, zorder=0, label="margin $|u| < \\gamma/2$")
