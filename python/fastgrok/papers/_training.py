"""What runs of several papers share: how far they are taken, and cells of several draws each."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from fastgrok.descent.errors import LeapError
from fastgrok.trajectory import Trajectory

K = TypeVar("K", bound=Hashable)
C = TypeVar("C")
R = TypeVar("R")


def affordable(work: float, entries: int, steps: float) -> float:
    """Return how many exact steps are taken at most, by multiplications with entries of X."""
    return min(steps, max(1000.0, float(f"{work / entries:.0e}")))


def leap_or_step(
    attempt: Callable[[str, float], Trajectory], engine: str, steps: float, most: float
) -> tuple[Trajectory, str]:
    """
    Leap, or take every step of a shorter run where that is not possible.

    Parameters
    ----------
    attempt : callable
        Trains by an engine to a step.
    engine : str
        "exact" does not try to leap.
    steps : float
        Where the run is to end.
    most : float
        Exact steps that are taken at most.

    Returns
    -------
    trajectory : Trajectory
        The longer of what was leaped and what can be stepped.
    stopped : str
        Why it was not leaped to its last step, or not taken there; empty if it was.
    """
    if engine == "exact":
        short = f"no more than {most:g} exact steps are taken" if most < steps else ""
        return attempt("exact", most), short
    try:
        return attempt("leap", steps), ""
    except LeapError as error:
        trajectory: Trajectory = error.trajectory
        if trajectory.steps.size == 0 or trajectory.steps[-1] < most:
            trajectory = attempt("exact", most)
        return trajectory, str(error)


def train_cells(
    train: Callable[[list[C]], Sequence[R]], cases: Mapping[K, Sequence[C]], what: str
) -> dict[K, tuple[R, ...]]:
    """
    Train the cases of all cells at once, and return the runs by cell.

    Raises
    ------
    ValueError
        If there is no cell, or one without a case; `what` is what one is called.
    """
    if not cases or not all(cases.values()):
        raise ValueError(f"there must be at least one {what} of runs, and one draw in each")
    runs = iter(train([case for cell in cases.values() for case in cell]))
    return {key: tuple(next(runs) for _ in cell) for key, cell in cases.items()}
