"""The picture of the theory of Das et al. (2026) over its trajectories."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers.das2026._theory_runs import Theory, TheoryRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMS = (
    ("stated", "Theorem 4.6 as it stands", "x", _draw.VERMILION),
    ("corrected", "Theorem 4.6 corrected", "o", _draw.BLUE),
    ("reduced", r"by the model of $\|w\|$ and $b$", "+", _draw.GREEN),
)


def draw_theory(data: Theory) -> "Figure":
    """
    Draw b(t) by gamma (above), and times and distances (below).

    Parameters
    ----------
    data : Theory
        What `theory_runs` returns.
    """
    from matplotlib.figure import Figure as Canvas  # noqa: PLC0415

    gammas = list(dict.fromkeys(run.setup.gamma for run in data.runs))
    with _draw.styled():
        figure = Canvas(figsize=(_draw.PAGE_WIDTH, 5.9), layout="constrained")
        rows = figure.add_gridspec(2, 1, height_ratios=(1.0, 1.2))
        upper, lower = rows[0].subgridspec(1, len(gammas)), rows[1].subgridspec(1, 2)
        above = []
        for k, gamma in enumerate(gammas):
            ax = figure.add_subplot(upper[k])
            _draw_bias(ax, data, gamma)
            above.append(ax)
        above[0].set_ylabel("b")
        times, distance = figure.add_subplot(lower[0]), figure.add_subplot(lower[1])
        _draw_times(times, data)
        _draw_distance(distance, data, gammas[0])
        _draw.label_panels([*above, times, distance])
        _draw.legend_below(figure, (), columns=4)
        used = data.settings
        figure.suptitle(
            rf"d = 2, D{used['classes']}, mean, $\eta$ = {used['lr']:g}; "
            f"the panel of times has all draws, the others the first",
            size=8,
        )
    return figure


def _draw_bias(ax: "Axes", data: Theory, gamma: float) -> None:
    for run in _first_draw(data, gamma):
        color = _color(data, run)
        later = run.steps > 0.0
        steps = run.steps[later]
        support = run.setup.support
        name = f"S({support[0]},{support[1]})" + ", iid" * (run.setup.planting == "iid")
        ax.plot(steps, run.b[later], color=color, lw=1.3, label=name)
        ax.plot(steps, run.restored[later], color=color, lw=0.9, ls="--")
        ax.plot(steps, run.stated[later], color=color, lw=0.9, ls=":")
        if run.reduced is not None:
            ax.plot(steps, run.reduced[1][later], color="k", lw=0.5)
    ax.plot([], [], "k-", lw=0.5, label=r"model of $\|w\|$ and $b$")
    ax.plot([], [], "--", color="0.4", lw=0.9, label="Theorem 4.5 with lr")
    ax.plot([], [], ":", color="0.4", lw=0.9, label="Theorem 4.5 as it stands")
    ax.set(xscale="log", xlabel="steps", title=rf"$\gamma$ = {gamma:g}")
    ax.minorticks_off()


def _first_draw(data: Theory, gamma: float) -> list[TheoryRun]:
    runs = [run for run in data.runs if run.setup.gamma == gamma]
    return [run for run in runs if run.setup.seed == runs[0].setup.seed]


def _color(data: Theory, run: TheoryRun) -> str:
    """Give the same support vectors the same colour in every panel."""
    kinds = list(dict.fromkeys((r.setup.support, r.setup.planting) for r in data.runs))
    return _draw.PALETTE[kinds.index((run.setup.support, run.setup.planting)) % len(_draw.PALETTE)]


def _draw_times(ax: "Axes", data: Theory) -> None:
    measured = np.array([t.measured for t in data.times])
    for name, label, marker, color in _FORMS:
        predicted: Any = np.array([getattr(t, name) for t in data.times])
        ax.plot(measured, predicted, marker, color=color, ms=3.5, mfc="none", label=label)
    some = measured[np.isfinite(measured)]
    if some.size:
        ends = np.array([some.min(), some.max()])
        ax.plot(ends, ends, color="0.5", lw=0.8)
    ax.set(
        xscale="log", yscale="log", xlabel=r"$T_{te}$ of the run (steps)",
        ylabel=r"$T_{te}$ predicted (steps)",
    )  # fmt: skip
    ax.minorticks_off()


def _draw_distance(ax: "Axes", data: Theory, gamma: float) -> None:
    for run in _first_draw(data, gamma):
        color = _color(data, run)
        later = run.steps > 0.0
        ax.plot(run.steps[later], run.distance[later], color=color, lw=1.3)
        if run.reduced is not None:
            h = 2.0 * np.abs(run.reduced[1][later]) / run.reduced[0][later] / gamma
            ax.plot(run.steps[later], h, color="k", lw=0.5)
    ax.axhline(1.0, color="0.5", lw=0.8, ls="--")
    ax.set(
        xscale="log", yscale="log", xlabel="steps", ylabel=r"$|b| / \|w\|$ in units of $\gamma/2$",
        ylim=(1e-2, None),
        title=rf"$\gamma$ = {gamma:g}; accuracy 1 below the dashes",
    )  # fmt: skip
    ax.minorticks_off()
