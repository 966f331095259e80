"""Training runs by what they are made from."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks.docstrings import described
from fastgrok.descent.steps import log_spaced
from fastgrok.geometry import max_margin, separability
from fastgrok.linear import margins
from fastgrok.papers._runs import Report
from fastgrok.papers._training import CaseTrainer, affordable, leap_or_step
from fastgrok.papers.beck2025._draws import F64, LARGE, Draw, Noise
from fastgrok.questions.levels import kept_from
from fastgrok.theory.edge import stationary_point
from fastgrok.training import train, train_many
from fastgrok.trajectory import Trajectory

# What a run that cannot be leaped is worth, in multiplications with entries of X.
_EXACT_WORK = 3e10
# Products of n d^2, on one thread, after which a proof of `separability` takes ten minutes or so.
_PROOF_WORK = 3e11
# Of the leaps: pictures and times show six digits at most.
_RTOL = 1e-6


@dataclass(frozen=True)
class Case:
    """
    What a run is made from.

    Attributes
    ----------
    data : Draw
        The training set and its population.
    lr, steps, loss, bias
        As in `fastgrok.train`.
    per_decade : int
        Records for each factor of 10 of the steps.
    betas : (float, float), optional
        For Adam, which takes every step; None is plain descent.
    geometry : bool
        Find the margin from the origin, and where the weights come to rest if there is none.
    decide : bool
        Decide only whether the points are separable from the origin.
    """

    data: Draw
    lr: float
    steps: float
    loss: str = "logistic"
    bias: bool = True
    per_decade: int = 20
    betas: tuple[float, float] | None = None
    geometry: bool = False
    decide: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """
    What came of a case.

    Attributes
    ----------
    case : Case
        What it was made from.
    steps, b, norm_w, loss, accuracy, test_loss, test_accuracy : ndarray of shape (R,)
        The records: training and population, losses being means.
    engine : str
        How it was computed.
    error : float
        Largest estimated error of a leaped record; 0 where every step was taken.
    stopped : str
        Why it was not taken to its last step; empty if it was.
    verdict : str
        "separable", "boundary" or "interior" if asked for, "undecided" if that was not proved.
    proof : str
        How `verdict` was proved, or why not.
    margin : float
        Distance of the origin from the hull of the points, 0 if it is inside.
    rest : float
        ||S|| where the weights come to rest, infinity if they do not.
    """

    case: Case
    steps: F64
    b: F64
    norm_w: F64
    loss: F64
    accuracy: F64
    test_loss: F64
    test_accuracy: F64
    engine: str
    error: float
    stopped: str = ""
    verdict: str = ""
    margin: float = np.nan
    rest: float = np.nan
    proof: str = ""

    @property
    def data(self) -> Any:
        """What it was trained on."""
        return self.case.data

    def at(self, step: float, name: str) -> float:
        """
        Return a column at the last record up to `step`; NaN if the run ended before.

        Parameters
        ----------
        step : float
            A step, recorded or not.
        name : str
            An attribute that has a value for every record.
        """
        if step > self.steps[-1]:
            return float("nan")
        last = int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(getattr(self, name)[last])

    def kept_from(self, accuracy: float) -> float:
        """
        When the population's accuracy reached a level for good.

        Between records it is taken for linear in log(1 + step).

        Parameters
        ----------
        accuracy : float
            The level, in [0, 1].
        """
        return kept_from(self.steps, self.test_accuracy, accuracy)


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

    paper = "beck2025"

    def train(self, cases: Sequence[Case], report: Report) -> list[Run]:
        """
        Train a group of cases, on one thread if not alone, and return their runs in order.

        Parameters
        ----------
        cases : sequence of Case
            Of one group.
        report : callable
            Called with the step that a run has come to.
        """
        threads = _checks.threads(self.threads) if self.alone(cases) else 1
        return _run_all(cases, self.engine, report, threads)

    def alone(self, cases: Sequence[Case]) -> bool:
        """
        Whether the data are so large that nothing else is trained beside them.

        Parameters
        ----------
        cases : sequence of Case
            Of one group.
        """
        return _size(cases[0]) >= LARGE

    def groups(self, cases: Sequence[Case]) -> list[list[Case]]:
        """
        Group runs that take every step anyway by their data, which is then read once for all.

        Parameters
        ----------
        cases : sequence of Case
            Those that are to be trained.
        """
        groups: dict[Hashable, list[Case]] = {}
        for case in sorted(cases, key=_size, reverse=True):  # no large one is left over at the end
            key = case if case.betas is None else (case.data, case.betas)
            groups.setdefault(key, []).append(case)
        return list(groups.values())


def _size(case: Case) -> int:
    data = case.data
    return int(getattr(data, "n", 2) * getattr(data, "dim", 1))


def _run_all(cases: Sequence[Case], engine: str, report: Report, threads: int) -> list[Run]:
    def running(_: int) -> None:  # steps up to 1e60 are no measure of what is left to do
        report(0)

    X, y = cases[0].data.points()
    tests = {"population": cases[0].data.population()}

    def settings(case: Case, engine: str, steps: float) -> dict[str, Any]:
        return {
            "X": X, "y": y, "steps": steps, "lr": case.lr, "loss": case.loss, "bias": case.bias,
            "evals": tests, "record": log_spaced(steps, case.per_decade), "engine": engine,
            "rtol": _RTOL,
            "exact_limit": max(10_000.0 if X.size < LARGE else 1000.0, _EXACT_WORK / X.size),
            "watch_sharpness": False,
        }  # fmt: skip

    def attempt(engine: str, steps: float) -> Trajectory:
        return train(**settings(cases[0], engine, steps), threads=threads, progress=running)

    if cases[0].betas is not None:
        beta1, beta2 = cases[0].betas
        adam = {"optimizer": "adam", "optimizer_options": {"beta1": beta1, "beta2": beta2}}
        problems = [settings(case, "exact", case.steps) | adam for case in cases]
        trained = train_many(problems, threads=threads, progress=running)
        return [_run(*both, "") for both in zip(cases, trained, strict=True)]

    (case,) = cases
    most = affordable(_EXACT_WORK, X.size, case.steps)
    trajectory, stopped = leap_or_step(attempt, engine, case.steps, most)
    run = _run(case, trajectory, stopped)
    if case.decide:
        verdict, proof = decided(X, trajectory.w, threads)
        run = replace(run, verdict=verdict, proof=proof)
    return [_with_geometry(run, X) if case.geometry else run]


def _run(case: Case, trajectory: Trajectory, stopped: str) -> Run:
    return Run(
        case=case,
        steps=trajectory.steps.astype(np.float64),
        b=trajectory.b,
        norm_w=trajectory.norm_w,
        loss=trajectory.loss,
        accuracy=trajectory.accuracy["train"],
        test_loss=trajectory.losses["population"],
        test_accuracy=trajectory.accuracy["population"],
        engine=str(trajectory.engine),
        error=max((leap.error for leap in trajectory.engine.leaps), default=0.0),
        stopped=stopped,
    )


def _with_geometry(run: Run, X: Any) -> Run:
    found = separability(X, threads=1)
    rest, margin = float("inf"), 0.0
    if found.separable:
        margin = float(max_margin(X, np.full(len(X), -1.0), bias="none", threads=1).margin)
    if found.verdict == "interior":
        rest = float(np.linalg.norm(stationary_point(X, separability=found, threads=1).S))
    return replace(run, verdict=found.verdict, margin=margin, rest=rest)


def decided(X: NDArray[Any], w: F64, threads: int = 1) -> tuple[str, str]:
    """
    Decide whether points are separable from the origin, if that takes ten minutes at most.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The points.
    w : ndarray of shape (d,)
        Where descent ended: with constant labels it may separate them itself.
    threads : int
        For the passes.

    Returns
    -------
    verdict : str
        As that of `fastgrok.separability`.
    proof : str
        In words, or why nothing was decided.
    """
    n, dim = X.shape
    if w.any():
        least = float(margins(X, np.full(n, -1.0), w, threads=threads).min())
        largest = max(float(X.max()), -float(X.min())) * dim**0.5
        # A sum of d products in float64 is off by less than d 2^-52 |x| |w|, in any order.
        if least > dim * 2.0**-52 * largest:
            return "separable", "the last weights have every point on one side, beyond rounding"
    work = n * dim**2
    if work > _PROOF_WORK * threads:
        hours = work / _PROOF_WORK / threads / 6.0
        return "undecided", f"a proof would take some {hours:.1g} hours"
    found = separability(X, threads=threads)
    return found.verdict, found.proof


def noise(
    ratio: float, n: int, seed: int, *, sigma: float, label_fraction: float = 1.0,
    dtype: str = "float64",
) -> Noise:  # fmt: skip
    """Return the draw of n points in round(ratio n) dimensions."""
    return Noise(n, max(1, round(ratio * n)), sigma, seed, label_fraction, dtype)
