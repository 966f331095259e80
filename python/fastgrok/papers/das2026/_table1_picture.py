"""The picture of Table 1: the times of every draw beside the paper's."""

from math import isfinite
from typing import TYPE_CHECKING

from fastgrok.papers import _draw
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._claims import finite
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._reporting import headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Field of a time, its mark, its offset from the middle of the line of its reading, its name.
_TIMES = (
    ("t_train", "0.25", "o", -0.16, "$T_{tr}(\\epsilon_0)$"),
    ("t_test", _draw.VERMILION, "D", 0.16, "$T_{te}(\\epsilon_0)$"),
)


def draw_table1(data: Ensemble) -> "Figure":
    """
    Draw the grokking times of every draw, a panel for each row of the paper's table.

    Parameters
    ----------
    data : Ensemble
        What `table1` returns.

    Returns
    -------
    matplotlib Figure
        One line for each reading; small marks are draws, large ones their medians, dashed lines
        the paper's numbers (shaded to the left where it gives a bound).

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    variants, table = data.variants, setting.table_1(data.dim)
    with _draw.styled():
        figure, axes = _draw.panels(1, len(table), height=1.3 + 0.3 * len(variants), sharey=True)
        for ax, row in zip(axes[0], table, strict=True):
            for field, color, mark, offset, name in _TIMES:
                stated = getattr(row, field)
                for line, variant in enumerate(variants):
                    runs = data.of(variant)
                    times = sorted(
                        finite(getattr(run.time(row.test, row.eps), field)) for run in runs
                    )
                    # What never comes is not drawn: the report counts it.
                    came = [time for time in times if isfinite(time)]
                    at = line + offset
                    early = any(run.stopped for run in runs)
                    face = {"mfc": "white" if early else color, "mew": 0.8 if early else 0.0}
                    ax.plot(came, [at] * len(came), mark, color=color, ms=2.5, alpha=0.5, mew=0)
                    if isfinite(median := times[len(times) // 2]):
                        label = "open: of runs that ended early" if early else f"our {name}"
                        ax.plot([median], [at], mark, color=color, ms=5, label=label, **face)
                ax.axvline(
                    stated.value, color=color, lw=0.9, ls=(0, (3, 2)), label=f"paper's {name}"
                )
                if stated.relation == "<=":
                    ax.axvspan(0.5, stated.value, color=color, alpha=0.08, lw=0)
            ax.set_title(f"{row.test}, $\\epsilon_0$ = {row.eps:g}")
            ax.set_xlabel("gradient descent steps")
        _draw.log_steps(axes[0, 0], 0.6, 2 * setting.STEPS)
        axes[0, 0].set_ylim(len(variants) - 0.5, -0.5)
        axes[0, 0].set_yticks(range(len(variants)), [str(variant) for variant in variants])
        figure.suptitle(headline(data, "Table 1", "large"), fontsize=9)
        _draw.label_panels(axes.flat)
        _draw.legend_below(figure, [])
    return figure
