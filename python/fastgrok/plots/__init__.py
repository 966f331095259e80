"""Curves of runs and maps of sweeps, as functions that take and return matplotlib Axes.

Every function draws on the axes given, or on those of a new figure, and returns them. The step
axis of a run is logarithmic and starts at 1: the record of step 0 is not drawn.

New figures have the style of ``fastgrok.mplstyle``, with colours that colour-blind readers tell
apart; axes that are given keep their own. ``matplotlib.style.use("fastgrok.plots.fastgrok")`` or
``with plots.styled():`` has it for figures of your own.
"""

from fastgrok.plots._curves import (
    accuracy_curves,
    alignment_curve,
    bias_curve,
    distance_curve,
    loss_curves,
    phase_shading,
    sharpness_curve,
)
from fastgrok.plots._maps import band, phase_diagram
from fastgrok.plots.overview import error_curves, grokking_marks
from fastgrok.plots.style import styled

__all__ = [
    "accuracy_curves",
    "alignment_curve",
    "band",
    "bias_curve",
    "distance_curve",
    "error_curves",
    "grokking_marks",
    "loss_curves",
    "phase_diagram",
    "phase_shading",
    "sharpness_curve",
    "styled",
]
