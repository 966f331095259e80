"""What a run can end in: each of these errors holds the run as far as it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastgrok.errors import FastgrokError


class _Stopped(BaseException):
    """What an error needs that holds a trajectory, here for all of them."""

    # A Trajectory, from what stands above this package: for a type checker anything.
    trajectory: Any
    step: int | None
    trajectories: list[Any] | None

    def __init__(
        self,
        message: str,
        trajectory: Any,
        step: int | None,
        trajectories: Sequence[Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.trajectory = trajectory
        self.step = step
        self.trajectories = None if trajectories is None else list(trajectories)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all arguments, so that the error crosses process boundaries."""
        return type(self), (str(self), self.trajectory, self.step, self.trajectories)


class DivergenceError(_Stopped, FastgrokError):
    """A weight, or a square of Adam's, became infinite or NaN: lr is too large for these data.

    Parameters
    ----------
    message : str
        What happened.
    trajectory : Trajectory
        Everything recorded before the divergence.
    step : int
        The update that produced the first weight that is not finite.
    trajectories : list of Trajectory, optional
        See below.

    Attributes
    ----------
    trajectory : Trajectory
        Everything recorded before the divergence.
    step : int
        The update that produced the first weight that is not finite.
    trajectories : list of Trajectory or None
        From :func:`fastgrok.train_many`: all runs, this one among them.
    """

    step: int


class LeapError(_Stopped, FastgrokError):
    """The run cannot go on by leaps, or not to the accuracy asked for.

    Parameters
    ----------
    message : str
        Why.
    trajectory : Trajectory
        Everything recorded before.
    step : int
        The last step that was computed.
    trajectories : list of Trajectory, optional
        See below.

    Attributes
    ----------
    trajectory : Trajectory
        Everything recorded before.
    step : int
        The last step that was computed.
    trajectories : list of Trajectory or None
        From :func:`fastgrok.train_many`: all runs, this one among them.
    """

    step: int


class CheckpointError(_Stopped, FastgrokError):
    """A checkpoint cannot be read, written or used for this run.

    Parameters
    ----------
    message : str
        What is wrong.
    trajectory : Trajectory, optional
        Everything recorded before the checkpoint could not be written.
    step : int, optional
        The number of updates that had been done then.

    Attributes
    ----------
    trajectory : Trajectory or None
        Everything recorded before the checkpoint could not be written; None if the run had not
        been taken up, because the file was refused.
    step : int or None
        The number of updates that had been done, or None likewise.
    """

    def __init__(
        self,
        message: str,
        trajectory: Any = None,
        step: int | None = None,
        trajectories: Sequence[Any] | None = None,
    ) -> None:
        super().__init__(message, trajectory, step, trajectories)


class Interrupted(_Stopped, KeyboardInterrupt):
    """Ctrl-C stopped a run; what was recorded until then is kept.

    Parameters
    ----------
    message : str
        What happened.
    trajectory : Trajectory or None
        Everything recorded before the interruption.
    step : int or None
        The number of updates that had been done.
    trajectories : list of Trajectory, optional
        See below.

    Attributes
    ----------
    trajectory : Trajectory or None
        Everything recorded before the interruption.
    step : int or None
        The number of updates that had been done.
    trajectories : list of Trajectory or None
        From :func:`fastgrok.train_many`: all runs, as far as each had come. Of the first that had
        not come to its end, `trajectory` and `step` tell.

    Before anything has begun, while arguments are checked and data prepared, there is nothing to
    hold: `trajectory` and `step` are None, and `trajectories` is empty.
    """
