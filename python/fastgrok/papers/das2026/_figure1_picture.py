"""The pictures of Figure 1."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._reporting import headline
from fastgrok.papers.das2026._setting import Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = {"train": "0.25", "standard": _draw.BLUE, "concentrated": _draw.VERMILION}
_NAMES = {
    "train": "training set",
    "standard": "standard test set",
    "concentrated": "concentrated test set",
}


def draw_figure1(data: Ensemble) -> dict[str, "Figure"]:
    """
    Draw Figure 1 for each reduction, and the wrong points from which the times are read.

    Parameters
    ----------
    data : Ensemble
        What `figure1` returns.

    Returns
    -------
    dict of str to matplotlib Figure
        "mean" and "sum" (those that were run): accuracy against steps, one row of panels for each
        test set and one column for each set of planted support vectors. "errors": the number of
        wrong points, on whose axis the last few can be seen.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    data = data.where(lambda variant: variant.bias)
    reductions = tuple(dict.fromkeys(variant.reduction for variant in data.variants))
    with _draw.styled():
        pictures = {reduction: _accuracy(data, reduction) for reduction in reductions}
        pictures["errors"] = _errors(data, reductions)
    return pictures


def _accuracy(data: Ensemble, reduction: str) -> "Figure":
    variants = [variant for variant in data.variants if variant.reduction == reduction]
    figure, axes = _draw.panels(2, len(variants), height=4.3)
    for row, test in zip(axes, setting.TEST_SETS, strict=True):
        for ax, variant in zip(row, variants, strict=True):
            for name in ("train", test):
                _curves(ax, data, variant, name)
            _stated_times(ax, data, test)
        row[0].set_ylabel(f"accuracy (%)\n{_NAMES[test]}")
    _draw.log_steps(axes[0, 0], 1, data.settings["steps"])
    axes[0, 0].set_ylim(*accuracy_range(data, _COLORS))
    for ax, variant in zip(axes[0], variants, strict=True):
        ax.set_title(variant.planted)
    for ax in axes[-1]:
        ax.set_xlabel("gradient descent steps")
    shown = data.where(lambda variant: variant.reduction == reduction)
    figure.suptitle(headline(shown, f"loss: {reduction} over the points"), fontsize=9)
    _draw.label_panels(axes.flat)
    _draw.legend_below(figure, list(_NAMES.values()), _columns(data))
    return figure


def _errors(data: Ensemble, reductions: tuple[str, ...]) -> "Figure":
    columns = list(dict.fromkeys(variant.support for variant in data.variants))
    points = sum(data.variants[0].classes)
    figure, axes = _draw.panels(len(reductions), len(columns), height=0.6 + 1.9 * len(reductions))
    for row, reduction in zip(axes, reductions, strict=True):
        for ax, support in zip(row, columns, strict=True):
            variant = Variant(reduction, support, classes=data.variants[0].classes)
            for name in _COLORS:
                _curves(ax, data, variant, name, wrong=True)
            ax.set_title(variant.planted)
        row[0].set_ylabel(f"wrong points of {points}\nloss: {reduction}")
    _draw.log_steps(axes[0, 0], 1, data.settings["steps"])
    axes[0, 0].set_yscale("symlog", linthresh=1, linscale=0.5)
    axes[0, 0].set_ylim(-0.15, points)
    for ax in axes[-1]:
        ax.set_xlabel("gradient descent steps")
    figure.suptitle(headline(data, "wrong points"), fontsize=9)
    _draw.label_panels(axes.flat)
    _draw.legend_below(figure, list(_NAMES.values()), _columns(data))
    return figure


def _columns(data: Ensemble) -> int | None:
    """In how many columns the legend goes: in one line, unless it is long."""
    return 3 if any(run.stopped for run in data.runs) else None


def _curves(ax: "Axes", data: Ensemble, variant: Variant, name: str, wrong: bool = False) -> None:
    # Training under the test sets, whose curves are the message.
    zorder = 2.0 if name == "train" else 3.0
    color, label = _COLORS[name], _NAMES[name]
    draw_runs(ax, data.of(variant), name, color=color, label=label, zorder=zorder, wrong=wrong)


def draw_runs(
    ax: "Axes",
    runs: Sequence[Run],
    name: str,
    *,
    color: str,
    label: str,
    zorder: float = 2.0,
    wrong: bool = False,
) -> None:
    """Draw accuracies in percent on a set, or the wrong points, as far as every run has come."""
    trajectories = [run.trajectory for run in runs]
    steps = max((t.steps for t in trajectories), key=len)
    curves = []
    for t in trajectories:
        curve = np.full(steps.size, np.nan)
        values = t.sizes[name] - t.counts[name] if wrong else 100 * t.accuracy[name]
        curve[: values.size] = values  # records of runs that ended early begin alike
        curves.append(curve)
        if values.size < steps.size or runs[0].stopped:
            end = t.steps[-1], values[-1]
            ax.plot(*end, "x", color=color, ms=4, zorder=4.0, label="a run ends that cannot leap")
    _draw.draws(ax, steps, curves, color=color, label=label, zorder=zorder)


def accuracy_range(data: Ensemble, names: Collection[str]) -> tuple[float, float]:
    """Return the ends of an axis in percent: from one half, where attacks leave as much."""
    if data.dim == setting.DIM:
        return 47.0, 101.5
    lowest = min(
        float(t.accuracy[name][1:].min())
        for t in (run.trajectory for run in data.runs)
        for name in names
    )
    return (47.0, 101.5) if lowest > 0.45 else (-3.0, 103.0)


def _stated_times(ax: "Axes", data: Ensemble, test: str) -> None:
    """Mark the paper's times at eps_0 = 0 by dashed lines in the colours of their curves."""
    row = next((r for r in setting.table_1(data.dim) if (r.test, r.eps) == (test, 0.0)), None)
    if row is None:
        return
    for stated, name, label, offset in (
        (row.t_train, "train", "paper's $T_{tr}(0)$ and $T_{te}(0)$, colour as their curve", 0),
        (row.t_test, test, None, 2),  # two that are the same take turns
    ):
        ls = (offset, (2, 2))
        ax.axvline(stated.value, color=_COLORS[name], lw=0.9, ls=ls, zorder=1.5, label=label)
