"""Training runs by what they are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from fastgrok._checks.docstrings import described
from fastgrok.descent.steps import log_spaced
from fastgrok.papers._runs import Report
from fastgrok.papers._training import CaseTrainer, affordable, leap_or_step, train_cells
from fastgrok.papers.open._draws import F64, Draw
from fastgrok.questions.levels import kept_from
from fastgrok.training import train
from fastgrok.trajectory import Trajectory

D = TypeVar("D")

# What a run that cannot be leaped is worth, in multiplications with entries of X.
_EXACT_WORK = 1e10
# Of the leaps: pictures and times show six digits at most.
_RTOL = 1e-6


@dataclass(frozen=True)
class Case:
    """
    What a run is made from.

    Attributes
    ----------
    data : Draw
        The training set and what it is tested on.
    lr, steps, loss, bias, optimizer, weight_decay, decay_bias, keep_weights
        As in `fastgrok.train`.
    options : tuple of (str, float)
        `optimizer_options`.
    exact : bool
        Every step is taken, whatever the engine asked for: there are no leaps.
    per_decade : int
        Records for each factor of 10 of the steps.
    """

    data: Draw
    lr: float
    steps: float
    loss: str = "logistic"
    bias: bool = True
    optimizer: str = "gd"
    options: tuple[tuple[str, float], ...] = ()
    weight_decay: float = 0.0
    decay_bias: bool = False
    keep_weights: bool = False
    exact: bool = False
    per_decade: int = 20


@dataclass(frozen=True, eq=False)
class Run:
    """
    What came of a case.

    Attributes
    ----------
    case : Case
        What it was made from.
    trajectory : Trajectory
        The records.
    stopped : str
        Why it was not taken to its last step; empty if it was.
    """

    case: Case
    trajectory: Trajectory
    stopped: str = ""

    @property
    def data(self) -> Any:
        """What it was trained on."""
        return self.case.data

    @property
    def steps(self) -> F64:
        """The recorded steps."""
        return self.trajectory.steps.astype(np.float64)

    @property
    def error(self) -> float:
        """Largest estimated error of a leaped record; 0 where every step was taken."""
        return max((leap.error for leap in self.trajectory.engine.leaps), default=0.0)

    def accuracy(self, name: str = "test") -> F64:
        """
        Return the accuracies on a set by the name that the draw gives it, or on "train".

        Parameters
        ----------
        name : str
            The set's name, or "train".
        """
        accuracy: F64 = self.trajectory.accuracy[name]
        return accuracy

    def time(self, level: float, name: str = "test") -> float:
        """
        When an accuracy reached a level for good, in steps.

        Between records it is taken for linear in log(1 + step). Infinity if it is not there at the
        end; NaN if the run ended before its last step by then.

        Parameters
        ----------
        level : float
            The accuracy, in [0, 1].
        name : str
            As `accuracy` has it.
        """
        step = kept_from(self.steps, self.accuracy(name), level)
        return float("nan") if self.stopped and step == float("inf") else step

    def last(self, name: str = "test") -> float:
        """
        Return the last accuracy; NaN if the run ended before its last step.

        Parameters
        ----------
        name : str
            As `accuracy` has it.
        """
        return float("nan") if self.stopped else float(self.accuracy(name)[-1])

    def fitted(self, share: float = 1.0) -> float:
        """
        First recorded step after the start with that share of the best training accuracy.

        Parameters
        ----------
        share : float
            Of the best training accuracy, in (0, 1].
        """
        values = self.accuracy("train")[1:]
        return float(self.steps[1 + int(np.argmax(values >= share * values.max()))])


@described(CaseTrainer)
@dataclass(frozen=True)
class Trainer(CaseTrainer[Case, Run]):
    """
    How cases are trained: several at a time, and each once.

    Attributes
    ----------
    engine, threads, progress, cache
        See `CaseTrainer`.
    """

    paper = "open"

    def train(self, cases: Sequence[Case], report: Report) -> list[Run]:
        """
        Train a group of cases on one thread, and return their runs in order.

        Parameters
        ----------
        cases : sequence of Case
            Of one group.
        report : callable
            Called with the step that a run has come to.
        """
        return [_run(case, self.engine, report) for case in cases]


def _run(case: Case, engine: str, report: Report) -> Run:
    def running(_: int) -> None:  # steps up to 1e13 are no measure of what is left to do
        report(0)

    X, y, tests = case.data.sample()

    def attempt(engine: str, steps: float) -> Trajectory:
        return train(
            X, y, steps=steps, lr=case.lr, loss=case.loss, bias=case.bias,
            optimizer=case.optimizer, optimizer_options=dict(case.options),
            weight_decay=case.weight_decay, decay_bias=case.decay_bias,
            keep_weights=case.keep_weights, evals=tests, engine=engine, rtol=_RTOL,
            record=log_spaced(steps, case.per_decade), watch_sharpness=False, threads=1,
            progress=running,
        )  # fmt: skip

    if case.exact:
        return Run(case, attempt("exact", case.steps))
    most = affordable(_EXACT_WORK, X.size, case.steps)
    trajectory, stopped = leap_or_step(attempt, engine, case.steps, most)
    return Run(case, trajectory, stopped if most < case.steps else "")


@dataclass(frozen=True)
class Grid:
    """
    Runs by setting and by the value that is varied, each cell several draws of the data.

    Attributes
    ----------
    runs : dict of (str, value) to tuple of Run
        In the order to be shown.
    """

    runs: dict[tuple[str, Any], tuple[Run, ...]]

    @property
    def settings(self) -> list[str]:
        """The settings, in order."""
        return list(dict.fromkeys(setting for setting, _ in self.runs))

    @property
    def all(self) -> list[Run]:
        """All runs, in order."""
        return [run for cell in self.runs.values() for run in cell]

    @property
    def draws(self) -> int:
        """Draws of the data in each cell."""
        return len(next(iter(self.runs.values())))

    def first(self, kind: type[D]) -> D:
        """
        Return the first data of a kind.

        Parameters
        ----------
        kind : type
            A draw of data.
        """
        return next(run.data for run in self.all if isinstance(run.data, kind))

    def row(self, setting: str) -> dict[Any, tuple[Run, ...]]:
        """
        Return the runs of a setting by the value that is varied.

        Parameters
        ----------
        setting : str
            One of `settings`.
        """
        return {value: runs for (name, value), runs in self.runs.items() if name == setting}


def train_grid(trainer: Trainer | None, cases: Mapping[tuple[str, Any], Sequence[Case]]) -> Grid:
    """
    Train every case.

    Raises
    ------
    ValueError
        If there is no cell, or one without a case.
    """
    return Grid(train_cells(trainer or Trainer(), cases, "cell"))
