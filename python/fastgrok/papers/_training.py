"""What runs of several papers share: who trains them, how far, and cells of several draws each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from fastgrok import _checks
from fastgrok.descent.errors import LeapError
from fastgrok.papers._runs import Job, JobsInterrupted, Report, judged, run_jobs
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


class RunsInterrupted(KeyboardInterrupt):
    """Ctrl-C while cases were trained; `finished` holds the runs of those that had ended."""

    def __init__(self, finished: tuple[Any, ...]) -> None:
        super().__init__(f"{_checks.plural(len(finished), 'run')} finished")
        self.finished = finished


@dataclass(frozen=True)
class CaseTrainer(ABC, Generic[C, R]):
    """
    How the cases of a paper are trained, several at a time and each once for a command.

    Attributes
    ----------
    engine : str
        As in `fastgrok.train`. "auto" leaps, and takes every step of a shorter run where that is
        not possible.
    threads : int, optional
        Runs under way at the same time; None is the cores available.
    progress : bool
        Show a bar for the runs of each call.
    cache : dict
        Finished runs by paper, engine and case.
    """

    paper: ClassVar[str]
    engine: str = "auto"
    threads: int | None = None
    progress: bool = False
    cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @abstractmethod
    def train(self, cases: Sequence[C], report: Report) -> list[R]:
        """
        Train a group of cases on one thread, and return their runs in order.

        Parameters
        ----------
        cases : sequence of Case
            Of one group.
        report : callable
            As `run_jobs` gives it.
        """

    def alone(self, cases: Sequence[C]) -> bool:
        """
        Whether a group is so large that nothing else is trained beside it.

        Parameters
        ----------
        cases : sequence of Case
            Of one group.
        """
        del cases
        return False

    def groups(self, cases: Sequence[C]) -> list[list[C]]:
        """
        Divide cases into those that are trained together, in the order to begin with them.

        Parameters
        ----------
        cases : sequence of Case
            Those that are to be trained.
        """
        return [[case] for case in cases]

    def __call__(self, cases: Sequence[C]) -> list[R]:
        """
        Train what has not been trained before, and return all runs in order.

        Groups that are to be alone come last, one after the other.

        Raises
        ------
        RunsInterrupted
            On Ctrl-C.
        """
        distinct = dict.fromkeys(cases)
        groups = self.groups([case for case in distinct if self._key(case) not in self.cache])
        large = [group for group in groups if self.alone(group)]
        small = [group for group in groups if not self.alone(group)]
        try:
            self._train_groups(small, _checks.threads(self.threads))
            self._train_groups(large, 1)
        except JobsInterrupted:
            keys = [self._key(case) for case in distinct]
            kept = tuple(self.cache[key] for key in keys if key in self.cache)
            raise RunsInterrupted(kept) from None
        return [self.cache[self._key(case)] for case in cases]

    def _train_groups(self, groups: Sequence[list[C]], workers: int) -> None:
        jobs: list[Job[list[R]]] = [partial(self.train, group) for group in groups]
        with judged():
            try:
                done = run_jobs(
                    jobs,
                    steps=1,
                    workers=workers,
                    progress=self.progress and bool(jobs),
                    measure="run",
                )
            except JobsInterrupted as stop:
                for number, runs in stop.finished.items():
                    self._keep(groups[number], runs)
                raise
        for group, runs in zip(groups, done, strict=True):
            self._keep(group, runs)

    def _key(self, case: C) -> Hashable:
        return (self.paper, self.engine, case)

    def _keep(self, cases: Sequence[C], runs: Sequence[R]) -> None:
        self.cache.update({self._key(case): run for case, run in zip(cases, runs, strict=True)})
