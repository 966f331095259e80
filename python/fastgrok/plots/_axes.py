"""The axes that a function draws on, and curves over the steps of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok.plots.style import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastgrok.records import Record


def given_or_new(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure."""
    require_matplotlib()
    if ax is None:
        import matplotlib.pyplot as plt  # noqa: PLC0415

        return plt.subplots(layout="constrained")[1]
    if not hasattr(ax, "get_xlim"):
        raise TypeError(f"ax must be matplotlib axes or None, got {_checks.show(ax)}")
    return ax


def step_axes(run: Record, ax: Axes | None) -> Axes:
    """Have the steps of a run, and of those already drawn, on a logarithmic axis."""
    ax = given_or_new(ax)
    drawn = ax.get_xlim()[1] if ax.has_data() else 10.0
    last = float(run.steps[-1]) if run.steps.size else 1.0
    ax.set_xscale("log")
    end = max(last, drawn)
    ax.set_xlim(1.0, end)
    if end > 1e250:  # matplotlib looks for ticks beyond the end, where floats end
        ticks = 10.0 ** np.arange(0, 301, 50)
        ax.set_xticks(ticks[ticks <= end])
        ax.set_xticks([], minor=True)
    ax.set_xlabel("step")
    return ax


def later(run: Record) -> NDArray[np.float64]:
    """Give the recorded steps but the first, which has no place there."""
    return run.steps[run.steps > 0].astype(np.float64)


def curve(
    ax: Axes, run: Record, values: NDArray[np.float64], label: str, linestyle: str = "-"
) -> Any:
    """Draw values over the steps but the first, and return the color."""
    (line,) = ax.plot(later(run), values[run.steps > 0], label=label, linestyle=linestyle)
    return line.get_color()


def in_digits(number: float) -> str:
    """Write a number for a picture: with a power of ten where it would have many digits."""
    if number == 0 or 1e-3 <= abs(number) < 1e4:
        return f"{number:.4g}"
    digits, power = f"{float(number):.2e}".split("e")
    digits = digits.rstrip("0").rstrip(".")
    times = "" if digits == "1" else rf"{digits}\times "
    return f"${times}10^{{{int(power)}}}$"
