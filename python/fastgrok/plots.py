"""Curves of a run, as functions that take and return matplotlib Axes.

Every function draws on the axes given, or on those of a new figure, and returns them. The step
axis is logarithmic and starts at 1: the record of step 0 is not drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastgrok.phases import Phases
    from fastgrok.trajectory import Trajectory

_PHASE_COLORS = ("tab:blue", "tab:orange", "tab:green")


def accuracy_curves(run: Trajectory, ax: Axes | None = None) -> Axes:
    """Draw the accuracy on every data set against the steps.

    Parameters
    ----------
    run : Trajectory
        The run.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = _step_axes(run, ax)
    for name, accuracy in run.accuracy.items():
        _curve(ax, run, accuracy, name)
    ax.set_ylabel("accuracy")
    ax.legend()
    return ax


def loss_curves(run: Trajectory, ax: Axes | None = None) -> Axes:
    """Draw the loss on every data set against the steps, on logarithmic axes.

    Parameters
    ----------
    run : Trajectory
        The run.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = _step_axes(run, ax)
    for name, loss in run.losses.items():
        _curve(ax, run, loss, name)
    _log_values(ax, *run.losses.values())
    ax.set_ylabel(f"{run.params['loss']} loss ({run.params['reduction']})")
    ax.legend()
    return ax


def bias_curve(run: Trajectory, ax: Axes | None = None) -> Axes:
    """Draw the intercept b against the steps.

    Parameters
    ----------
    run : Trajectory
        The run.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = _step_axes(run, ax)
    _curve(ax, run, run.b, "b")
    ax.set_ylabel("bias $b$")
    return ax


def distance_curve(run: Trajectory, ax: Axes | None = None) -> Axes:
    r"""Draw the distance \|b\| / \|\|w\|\| of the hyperplane from the origin, on logarithmic axes.

    Parameters
    ----------
    run : Trajectory
        The run.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = _step_axes(run, ax)
    _curve(ax, run, run.distance, "|b|/||w||")
    _log_values(ax, run.distance)
    ax.set_ylabel(r"distance from the origin $|b|\,/\,\Vert w\Vert$")
    return ax


def sharpness_curve(run: Trajectory, ax: Axes | None = None) -> Axes:
    """Draw lr * lambda_max of the Hessian against the steps, and 2, where stability ends.

    Parameters
    ----------
    run : Trajectory
        The run, made with the sharpness watched.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = _step_axes(run, ax)
    _curve(ax, run, run.sharpness, "at the iterate")
    _curve(ax, run, run.sharpness_mean, "at the mean of two iterates", linestyle="--")
    ax.axhline(2.0, color="0.4", linewidth=1.0, linestyle=":", label="limit of stability")
    _log_values(ax, run.sharpness, run.sharpness_mean)
    ax.set_ylabel(r"sharpness $\eta\,\lambda_{\max}$")
    ax.legend()
    return ax


def phase_shading(ax: Axes, phases: Phases) -> Axes:
    """Shade the three phases behind the curves, and mark where the test accuracy is at its best.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes on which a run has been drawn: the phases fill its present range of steps.
    phases : Phases
        What `Trajectory.phases` found. Phases without a beginning are not drawn, nor is an
        empty phase 2.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    left, right = ax.get_xlim()
    if phases.t1 is not None and phases.t2 is not None:
        edges = (left, phases.t1, phases.t2, right)
        for number, color in enumerate(_PHASE_COLORS, start=1):
            start, end = (
                float(np.clip(edge, left, right)) for edge in edges[number - 1 : number + 1]
            )
            if end > start:
                ax.axvspan(
                    start, end, color=color, alpha=0.12, linewidth=0, label=f"phase {number}"
                )
    if phases.t3 is not None:
        ax.axvline(
            phases.t3, color="0.3", linewidth=1.0, linestyle="--", label="best test accuracy"
        )
    ax.set_xlim(left, right)
    return ax


def _step_axes(run: Trajectory, ax: Axes | None) -> Axes:
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("plotting needs matplotlib: pip install 'fastgrok[plot]'") from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    drawn = ax.get_xlim()[1] if ax.has_data() else 10.0
    last = float(run.steps[-1]) if run.steps.size else 1.0
    ax.set_xscale("log")
    ax.set_xlim(1.0, max(last, drawn))
    ax.set_xlabel("step")
    return ax


def _curve(
    ax: Axes, run: Trajectory, values: NDArray[np.float64], label: str, linestyle: str = "-"
) -> None:
    later = run.steps > 0
    ax.plot(run.steps[later], values[later], label=label, linestyle=linestyle)


def _log_values(ax: Axes, *curves: NDArray[np.float64]) -> None:
    """Make the value axis logarithmic if there is anything positive to show on it."""
    if any(np.any(np.isfinite(curve) & (curve > 0)) for curve in curves):
        ax.set_yscale("log")
