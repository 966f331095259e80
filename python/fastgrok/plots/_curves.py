"""Curves over the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import EvaluationSet
from fastgrok._checks.docstrings import described
from fastgrok.descent import table
from fastgrok.descent.stable import most_sharpness
from fastgrok.linear import hyperplane_distance
from fastgrok.plots._axes import curve, later, step_axes
from fastgrok.plots.palette import BLUE, GREEN, ORANGE
from fastgrok.plots.style import styled_if_new
from fastgrok.questions import limits
from fastgrok.questions.alignments import alignment
from fastgrok.questions.asked import Questions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastgrok.geometry import Limit as RegularizedLimit
    from fastgrok.geometry import MaxMargin
    from fastgrok.questions.limits import Limit
    from fastgrok.questions.phases import Phases
    from fastgrok.records import Record
    from fastgrok.theory.bias import LateTime
    from fastgrok.theory.edge import StationaryPoint

_PHASE_COLORS = (BLUE, ORANGE, GREEN)
_LIMIT_LINE: Any = {"linestyle": "--", "linewidth": 1.0}


@styled_if_new
def accuracy_curves(
    run: Record,
    ax: Axes | None = None,
    *,
    limit: Limit | Literal["auto"] | None = None,
    evals: Mapping[str, EvaluationSet] | None = None,
) -> Axes:
    """Draw the accuracy on every data set against the steps.

    Parameters
    ----------
    run : Trajectory
        The run.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    limit : "auto", MaxMargin, Limit, LateTime or StationaryPoint, optional
        Where the run must end: "auto" to find the maximum margin of its training data, or the
        optimum of a run with weight decay; or what `fastgrok.max_margin` (``bias="penalized"``, or
        ``"none"`` for a run without bias), `fastgrok.regularized_limit` (of a run with decay),
        `theory.bias.late_time` or `theory.edge.stationary_point` returns for them. The limits of
        the accuracies are drawn as horizontal lines: 1 on the training set, but with decay what the
        optimum has there, and the limiting hyperplane's on the sets in `evals`. With a stationary
        point the bias outgrows everything: all points are of the class whose sign it has at the
        last record.
    evals : dict of str to (X, y), Dataset, Pgd or population, optional
        Evaluation sets of the run, as it was given them, to draw the limits of; only with `limit`.
        Default: all that the run holds, but for attacks by automatic differentiation; none after
        `load`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If `limit` or `evals` do not fit the run, if `evals` comes without `limit`, for "auto" if
        the run lacks its data, or if `evals` holds an attack by automatic differentiation, whose
        result depends on the size of the weights.
    TypeError
        If `limit` is something else, or `run` no run.
    NotSeparableError
        For "auto" if none of the training data can be separated from the others.

    Notes
    -----
    A limit fits a run of gradient descent (Adam, say, need not tend there), with or without bias,
    as it says, on as many rows and columns. A margin is the limit on a loss whose slopes fall off
    like exp(-m), without decay, and `late_time`'s is one for the same lr and reduction. Where the
    run knows its training data, which it does until it is saved and loaded, the limit is held
    against them, too.
    """
    ends: dict[str, float] = {}
    if limit is None and evals is not None:
        raise ValueError(
            f"evals says of which sets to draw the limit, and needs limit, got {list(evals)}"
        )
    if isinstance(limit, str) and limit == "auto":
        ends = limits.accuracies(limits.find(run), run, evals, own=True)
    elif limit is not None:
        ends = limits.accuracies(limit, run, evals)
    ax = step_axes(run, ax)
    for name, accuracy in run.accuracy.items():
        color = curve(ax, run, accuracy, name)
        if name in ends:
            _level(ax, ends[name], f"{name}, limit", color)
    ax.set_ylabel("accuracy")
    ax.legend()
    return ax


@described(accuracy_curves)
@styled_if_new
def loss_curves(run: Record, ax: Axes | None = None) -> Axes:
    """Draw the loss on every data set against the steps, on logarithmic axes.

    Parameters
    ----------
    run, ax
        See `accuracy_curves`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = step_axes(run, ax)
    for name, loss in run.losses.items():
        curve(ax, run, loss, name)
    _log_values(ax, *run.losses.values())
    ax.set_ylabel(f"{run.params['loss']} loss ({run.params['reduction']})")
    ax.legend()
    return ax


@described(accuracy_curves)
@styled_if_new
def bias_curve(
    run: Record,
    ax: Axes | None = None,
    *,
    limit: LateTime | StationaryPoint | RegularizedLimit | None = None,
) -> Axes:
    """Draw the intercept b against the steps.

    Parameters
    ----------
    run, ax
        See `accuracy_curves`.
    limit : LateTime, StationaryPoint or Limit, optional
        What the run's data lead to: the late bias is drawn as well, b_hat log t + b_tilde, or
        -log(lr level t) with the sign that the bias has at the last record, or that of the optimum
        with decay. On these axes all are
        straight lines, and horizontal where the bias has a limit. If the support vectors do not
        span everything, b_tilde is only a part of the constant, the rest of which depends on the
        whole history. The run alone sets the range of the axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If `limit` does not fit the run, or is not finite.
    TypeError
        If `limit` is something else.
    """
    late = None if limit is None else limits.bias_line(limit, run, later(run))
    ax = step_axes(run, ax)
    color = curve(ax, run, run.b, "b")
    if late is not None:
        # An artist, which has no part in the range of the axes: that is the run's.
        from matplotlib.lines import Line2D  # noqa: PLC0415

        ax.add_artist(Line2D(later(run), late, label="late b", color=color, **_LIMIT_LINE))
        ax.legend()
    ax.set_ylabel("bias $b$")
    return ax


@described(accuracy_curves)
@styled_if_new
def distance_curve(run: Record, ax: Axes | None = None, *, limit: Limit | None = None) -> Axes:
    r"""Draw the distance \|b\| / \|\|w\|\| of the hyperplane from the origin, on logarithmic axes.

    Parameters
    ----------
    run, ax
        See `accuracy_curves`.
    limit : MaxMargin, Limit, LateTime or StationaryPoint, optional
        Where the run must end, as in `accuracy_curves`. The limit of the distance is a horizontal
        line; where it is 0 or infinite the legend says so. It is approached like 1 / log t.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If `limit` does not fit the run.
    TypeError
        If `limit` is something else.
    """
    end = None if limit is None else hyperplane_distance(*limits.hyperplane(limit, run))
    ax = step_axes(run, ax)
    color = curve(ax, run, run.distance, "|b|/||w||")
    _log_values(ax, run.distance)
    if end is not None:
        _level(ax, end, "limit", color)
        ax.legend()
    ax.set_ylabel(r"distance from the origin $|b|\,/\,\Vert w\Vert$")
    return ax


@described(accuracy_curves, Questions.alignment)
@styled_if_new
def alignment_curve(
    run: Record,
    solution: MaxMargin | Literal["l2", "linf", "l1"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw 1 - `Trajectory.alignment` against the steps, on logarithmic axes.

    Parameters
    ----------
    run : Trajectory
        The run, made with ``keep_weights=True``.
    solution
        See `alignment`.
    ax
        See `accuracy_curves`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ValueError, TypeError, NotSeparableError
        As `Trajectory.alignment`.
    """
    found = alignment(run, solution)
    angle = 1.0 - found
    ax = step_axes(run, ax)
    curve(ax, run, angle, "1 - alignment")
    _log_values(ax, angle)
    kind = getattr(found.limit, "norm", "l2")
    norm = "" if kind == "l2" else f" in {kind}"
    ax.set_ylabel(f"1 $-$ cosine of the angle to the maximum margin{norm}")
    return ax


@described(accuracy_curves)
@styled_if_new
def sharpness_curve(run: Record, ax: Axes | None = None) -> Axes:
    """Draw lr * lambda_max of the Hessian against the steps.

    And where stability ends: 2 for plain descent, 2 (1 + momentum), with Nesterov's momentum
    (2 + 2 momentum) / (1 + 2 momentum), each less lr * weight_decay, and its schedule's factor,
    which are no part of the sharpness. (Where the bias alone does not decay, stability ends there
    at the earliest, and at the latest without that.) Other optimizers have no such limit, and no
    line.

    Parameters
    ----------
    run : Trajectory
        The run, made with the sharpness watched.
    ax
        See `accuracy_curves`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    ax = step_axes(run, ax)
    curve(ax, run, run.sharpness, "at the iterate")
    curve(ax, run, run.sharpness_mean, "at the mean of two iterates", linestyle="--")
    if table.lack("stability", run.params) is None:
        style: Any = {"color": "0.4", "linewidth": 1.0, "linestyle": ":"}
        steps = later(run) if "schedule" in run.params else np.array(ax.get_xlim())
        ax.plot(steps, most_sharpness(run.params, steps), label="limit of stability", **style)
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

    Raises
    ------
    TypeError
        If `ax` or `phases` are something else.
    """
    if not hasattr(ax, "get_xlim"):
        raise TypeError(
            f"ax must be matplotlib axes on which a run has been drawn, got {_checks.show(ax)}"
        )
    left, right = ax.get_xlim()
    if not hasattr(phases, "t3"):
        raise TypeError(
            f"phases must be what Trajectory.phases returns, got {_checks.show(phases)}"
        )
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


def _level(ax: Axes, value: float, label: str, color: Any) -> None:
    """Draw a horizontal line, or say in the legend why there is none."""
    if np.isfinite(value) and (value > 0.0 or ax.get_yscale() == "linear"):
        ax.axhline(value, label=label, color=color, **_LIMIT_LINE)
    else:
        ax.plot([], [], label=f"{label}: {value:g}", color=color, **_LIMIT_LINE)


def _log_values(ax: Axes, *curves: NDArray[np.float64]) -> None:
    """Make the value axis logarithmic if there is anything positive to show on it."""
    if any(np.any(np.isfinite(curve) & (curve > 0)) for curve in curves):
        ax.set_yscale("log")
