"""The axes that a function draws on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastgrok import _checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def given_or_new(ax: Axes | None) -> Axes:
    """Return the axes given, or those of a new figure."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: pip install 'fastgrok[plot]'") from error
    if ax is None:
        return plt.subplots(layout="constrained")[1]
    if not hasattr(ax, "get_xlim"):
        raise TypeError(f"ax must be matplotlib axes or None, got {_checks.show(ax)}")
    return ax
