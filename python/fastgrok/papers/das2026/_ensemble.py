"""Training runs under several readings of the paper and for several draws of the data."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from fastgrok import _checks, datasets
from fastgrok.datasets import Dataset
from fastgrok.errors import Interrupted, StabilityWarning
from fastgrok.papers._runs import JobsInterrupted, Report, run_jobs
from fastgrok.papers.das2026._setting import DIM, EPSILONS, TEST_SETS, Variant
from fastgrok.training import train
from fastgrok.trajectory import Phases, Trajectory

# Each of a run's data sets has a seed of its own, so the draws are independent.
_SETS_PER_SEED = 3


@dataclass(frozen=True)
class Times:
    """
    Grokking times of one run on one test set (the paper's Definition 3.4), in steps.

    Attributes
    ----------
    test : str
        Which test set.
    eps : float
        Times to (1 - eps) of the best accuracy of the run.
    t_train, t_test : int or None
        First recorded step at which that is reached, step 0 apart; None is never.
    zeta : float or None
        ``t_test / t_train``.
    sustained_train, sustained_test : int or None
        First recorded step from which it holds to the end of the run.
    best_train, best_test : float
        The best accuracies, of which (1 - eps) is asked.
    """

    test: str
    eps: float
    t_train: int | None
    t_test: int | None
    zeta: float | None
    sustained_train: int | None
    sustained_test: int | None
    best_train: float
    best_test: float


@dataclass(frozen=True)
class Run:
    """One training run: which reading, which draw, and what came of it."""

    variant: Variant
    seed: int
    trajectory: Trajectory
    times: tuple[Times, ...]
    phases: Phases | None

    def time(self, test: str, eps: float) -> Times:
        """Return the times on one test set at one eps."""
        return next(t for t in self.times if (t.test, t.eps) == (test, eps))


@dataclass(frozen=True)
class Ensemble:
    """
    Training runs that differ in the reading of the paper and in the draw of the data.

    Attributes
    ----------
    runs : tuple of Run
        Ordered by reading, then by seed.
    settings : dict
        What the runs have in common: steps, lr, n, gamma, alpha, planting, engine.
    """

    runs: tuple[Run, ...]
    settings: dict[str, Any]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The readings of the paper that were run, in order."""
        return tuple(dict.fromkeys(run.variant for run in self.runs))

    def of(self, variant: Variant) -> list[Run]:
        """Return the runs of one reading, one for each draw of the data."""
        return [run for run in self.runs if run.variant == variant]


class EnsembleInterrupted(KeyboardInterrupt):
    """
    Ctrl-C while an ensemble was being trained.

    Attributes
    ----------
    finished : Ensemble
        The runs that had ended.
    unfinished : tuple of Run
        The runs under way, with what they had recorded and without phases.
    """

    def __init__(self, finished: Ensemble, unfinished: tuple[Run, ...]) -> None:
        super().__init__(f"{len(finished.runs)} runs finished, {len(unfinished)} under way")
        self.finished = finished
        self.unfinished = unfinished


def train_ensemble(
    variants: Sequence[Variant],
    seeds: Sequence[int],
    *,
    sets: dict[str, Any],
    training: dict[str, Any],
    threads: int | None,
    progress: bool,
) -> Ensemble:
    """
    Train one run for each reading and seed, several at a time, each on one thread.

    Parameters
    ----------
    variants : sequence of Variant
        Readings of the paper.
    seeds : sequence of int
        Draws of the data; the same seeds serve every reading.
    sets : dict
        Keyword arguments of `draw_sets`.
    training : dict
        Keyword arguments of `fastgrok.train`: steps, lr, engine, record.
    threads : int or None
        Runs under way at the same time; None is the cores available.
    progress : bool
        Show one progress bar for the whole job.

    Raises
    ------
    EnsembleInterrupted
        On Ctrl-C, with everything recorded so far.
    """
    pairs = [(variant, seed) for variant in variants for seed in seeds]
    common = {key: value for key, value in {**training, **sets}.items() if key != "record"}
    with warnings.catch_warnings():
        # Set here, around the pool, because filters are shared by all threads. The judges read
        # the sharpness themselves.
        warnings.simplefilter("ignore", StabilityWarning)
        try:
            runs = run_jobs(
                [partial(_run_once, *pair, sets, training) for pair in pairs],
                steps=training["steps"],
                workers=_checks.threads(threads),
                progress=progress,
            )
        except JobsInterrupted as stop:
            finished = tuple(stop.finished[i] for i in sorted(stop.finished))
            unfinished = tuple(
                _summarise(*pairs[i], error.trajectory, support=None)
                for i, error in sorted(stop.stopped.items())
                if isinstance(error, Interrupted) and error.trajectory.steps.size > 0
            )
            raise EnsembleInterrupted(Ensemble(finished, common), unfinished) from None
    return Ensemble(tuple(runs), common)


def draw_sets(
    variant: Variant, seed: int, *, n: tuple[int, int], gamma: float, alpha: float, planting: str
) -> tuple[Dataset, dict[str, Dataset]]:
    """Draw a run's training set and, independently, its two test sets of the same size."""
    first = _SETS_PER_SEED * seed
    training = datasets.margin_cube(
        n, DIM, gamma=gamma, support=variant.support, planting=planting, seed=first
    )
    tests = {
        "standard": datasets.margin_cube(n, DIM, gamma=gamma, seed=first + 1),
        "concentrated": datasets.concentrated(n, DIM, gamma=gamma, alpha=alpha, seed=first + 2),
    }
    return training, tests


def _run_once(
    variant: Variant, seed: int, sets: dict[str, Any], training: dict[str, Any], report: Report
) -> Run:
    data, tests = draw_sets(variant, seed, **sets)
    trajectory = train(
        data.X,
        data.y,
        reduction=variant.reduction,
        evals=tests,
        keep_weights=True,
        threads=1,
        progress=report,
        **training,
    )
    return _summarise(variant, seed, trajectory, support=data.support)


def _summarise(
    variant: Variant, seed: int, trajectory: Trajectory, support: NDArray[Any] | None
) -> Run:
    times = []
    for test in TEST_SETS:
        for eps in EPSILONS:
            found = trajectory.grokking(test, eps)
            times.append(
                Times(
                    test=test,
                    eps=eps,
                    t_train=found.train,
                    t_test=found.test,
                    zeta=found.delay,
                    sustained_train=found.sustained_train,
                    sustained_test=found.sustained_test,
                    best_train=found.max_train / trajectory.sizes["train"],
                    best_test=found.max_test / trajectory.sizes[test],
                )
            )
    phases = trajectory.phases(support) if support is not None and support.size else None
    return Run(variant, seed, trajectory, tuple(times), phases)
