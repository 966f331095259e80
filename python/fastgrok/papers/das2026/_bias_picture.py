"""The pictures of Figures 2 and 4: bias, distance and accuracies, with the phases shaded."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastgrok.papers import _draw
from fastgrok.papers.das2026._claims import finite, imbalance, mirrored
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._reporting import headline
from fastgrok.papers.das2026._setting import Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BIAS, _DISTANCE, _TRAIN, _CONCENTRATED = _draw.BLUE, _draw.GREEN, "0.25", _draw.VERMILION
_PHASES = ("#dbe9f6", "#fdf3cf", "#f0e3f1")
_ORDER = ("bias $b$", "distance $|b|/||w||$", "training set", "concentrated test set")

#: The times, in steps, that the paper names for a reading.
Marks = Callable[[Variant], tuple[float, ...]]


def draw_bias(data: Ensemble, what: str, marks: Marks) -> Mapping[str, "Figure"]:
    """
    Draw bias, distance and accuracies against the steps, one figure for each reduction.

    Parameters
    ----------
    data : Ensemble
        Runs with planted support vectors.
    what : str
        What the figure varies, for its title.
    marks : callable
        The times that the paper names for a reading, to be marked.

    Returns
    -------
    dict of str to matplotlib Figure
        "mean" and "sum" (those that were run): one column of panels for each data set. The phases
        are shaded by the medians of their ends over the draws; the steady bias is drawn where
        support vectors are planted in mirrored pairs.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    with _draw.styled():
        return {
            reduction: _picture(part, f"{what}, loss: {reduction}", marks)
            for reduction, part in data.by_reduction().items()
        }


def _picture(data: Ensemble, what: str, marks: Marks) -> "Figure":
    variants = data.variants
    gamma = data.settings["gamma"]
    mixed = len({variant.population for variant in variants}) > 1
    figure, axes = _draw.panels(3, len(variants), height=5.4, sharey="row")
    for (top, middle, bottom), variant in zip(axes.T, variants, strict=True):
        trajectories = [run.trajectory for run in data.of(variant)]
        steps = trajectories[0].steps
        for ax, curves, color, label in (
            (top, [t.b for t in trajectories], _BIAS, _ORDER[0]),
            (middle, [_positive(t.distance) / gamma for t in trajectories], _DISTANCE, _ORDER[1]),
            (bottom, [100 * t.accuracy["train"] for t in trajectories], _TRAIN, _ORDER[2]),
            (
                bottom,
                [100 * t.accuracy["concentrated"] for t in trajectories],
                _CONCENTRATED,
                _ORDER[3],
            ),
        ):
            _draw.draws(ax, steps, curves, color=color, label=label)
        if mirrored(data):
            steady = "steady bias of Theorem 4.5"
            top.axhline(imbalance(variant) / 2, color="k", lw=0.8, ls=(0, (4, 2)), label=steady)
        edge = "margin $\\gamma/2$"
        middle.axhline(0.5, color="k", lw=0.8, ls=(0, (1, 1.5)), label=edge)
        for ax in (top, middle, bottom):
            _shade(ax, data, variant)
            for step in marks(variant):
                ax.axvline(step, color=_draw.PURPLE, lw=0.9, ls=(0, (2, 2)), label="paper's times")
        top.set_title(f"{variant.population}\n{variant.planted}" if mixed else variant.planted)
        bottom.set_xlabel("gradient descent steps")
    axes[0, 0].set_ylabel("bias $b$")
    axes[1, 0].set_ylabel("distance of the hyperplane\n$|b|/||w||$ in units of $\\gamma$")
    axes[2, 0].set_ylabel("accuracy (%)")
    _draw.log_steps(axes[0, 0], 1, data.settings["steps"])
    axes[1, 0].set_yscale("log")
    axes[1, 0].minorticks_off()
    axes[2, 0].set_ylim(45, 101.5)
    figure.suptitle(headline(data, what), fontsize=9)
    _draw.label_panels(axes.flat)
    _draw.legend_below(figure, _ORDER, columns=4)
    return figure


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out what a log axis cannot show: balanced classes leave b at 0 in the first step."""
    return np.where(values > 0, values, np.nan)


def _shade(ax: "Axes", data: Ensemble, variant: Variant) -> None:
    phases = [run.phases for run in data.of(variant) if run.phases is not None]
    if not phases:
        return
    last = float(data.settings["steps"])
    # The upper median, as in the reports; what never came is the end of the run.
    ends = [
        min(float(np.sort([finite(getattr(p, name)) for p in phases])[len(phases) // 2]), last)
        for name in ("t1", "t2")
    ]
    edges = (1.0, *ends, last)
    for number, (color, low, high) in enumerate(zip(_PHASES, edges, edges[1:], strict=False), 1):
        ax.axvspan(low, high, color=color, lw=0, zorder=0, label=f"phase {number}")
