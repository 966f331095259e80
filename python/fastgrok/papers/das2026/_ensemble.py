"""Training runs under several readings of the paper and for several draws of the data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks, datasets
from fastgrok.datasets import Dataset
from fastgrok.descent.errors import Interrupted
from fastgrok.papers._runs import Job, JobsInterrupted, Report, judged, run_jobs
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._attacks import attacked
from fastgrok.papers.das2026._setting import Variant
from fastgrok.questions.phases import Phases
from fastgrok.training import train
from fastgrok.trajectory import Trajectory

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
    """
    One training run: which reading, which draw, and what came of it.

    `order` numbers the orders of the rows that a draw was trained in, 0 being the one in which it
    was drawn; `stopped` says why a run ended before its last step, and is empty if it did not.
    """

    variant: Variant
    seed: int
    trajectory: Trajectory
    times: tuple[Times, ...]
    phases: Phases | None
    order: int = 0
    stopped: str = ""

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
        What the runs have in common: steps, lr, engine, gamma, alpha, planting, and dim if it is
        not 2.
    """

    runs: tuple[Run, ...]
    settings: dict[str, Any]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The readings of the paper that were run, in order."""
        return tuple(dict.fromkeys(run.variant for run in self.runs))

    @property
    def dim(self) -> int:
        """The columns of the data."""
        return int(self.settings.get("dim", setting.DIM))

    def of(self, variant: Variant) -> list[Run]:
        """Return the runs of one reading, one for each draw of the data."""
        return [run for run in self.runs if run.variant == variant]

    def by_reduction(self) -> dict[str, "Ensemble"]:
        """Return the parts that reduce the losses in the same way, in order."""
        parts: dict[str, list[Run]] = {}
        for run in self.runs:
            parts.setdefault(run.variant.reduction, []).append(run)
        return {name: Ensemble(tuple(runs), self.settings) for name, runs in parts.items()}

    def where(self, keep: Callable[[Variant], bool]) -> "Ensemble":
        """Return the part whose readings are to be kept."""
        return Ensemble(tuple(run for run in self.runs if keep(run.variant)), self.settings)


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
        ended = _checks.plural(len(finished.runs), "run")
        super().__init__(f"{ended} finished, {len(unfinished)} under way")
        self.finished = finished
        self.unfinished = unfinished


class Options(TypedDict, total=False):
    """Keyword arguments of `train_ensemble` that every figure passes on."""

    steps: int
    seeds: Sequence[int]
    lr: float
    gamma: float
    alpha: float
    planting: str
    record: ArrayLike | None
    engine: str
    threads: int | None
    progress: bool
    cache: dict[Any, Any] | None


def train_ensemble(
    variants: Sequence[Variant],
    *,
    adversarial: bool = False,
    steps: int = setting.STEPS,
    seeds: Sequence[int] = range(5),
    lr: float = setting.LEARNING_RATE,
    gamma: float = setting.GAMMA,
    alpha: float = setting.ALPHA,
    planting: str = "antipodal",
    record: ArrayLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    progress: bool = False,
    cache: dict[Any, Any] | None = None,
) -> Ensemble:
    """
    Train one run for each reading and seed, several at a time, each on one thread.

    Each run draws a training set in the cube [-5, 5]^2, a standard test set (the same law, without
    planting) and a concentrated one (``gamma / 2 <= |u| <= alpha gamma``), all of the same size
    and independent, and descends from zero.

    Parameters
    ----------
    variants : sequence of Variant
        Readings of the paper.
    adversarial : bool, default False
        Evaluate the standard test set under attack, too (`ADVERSARIES`).
    steps : int, default 10**7
        Steps of each run.
    seeds : sequence of int, default range(5)
        Draws of the data, the same for every reading; one draw decides little here.
    lr : float, default 1e-2
        Learning rate.
    gamma, alpha : float, default 1e-3 and 10
        Margin of the data; outer edge of the concentrated set in units of the margin.
    planting : {"antipodal", "iid"}
        How support vectors are drawn.
    record : array-like, optional
        As in `fastgrok.train`; default log-spaced, 40 records a decade.
    engine : str, default "auto"
        As in `fastgrok.train`.
    threads : int, optional
        Runs under way at the same time, each on one thread; default the cores available.
    progress : bool, default False
        Show one progress bar for the whole job.
    cache : dict, optional
        Finished runs by their settings: those that are there are not trained again, and those
        that are trained are added.

    Returns
    -------
    Ensemble
        One run for each reading and seed.

    Raises
    ------
    ValueError
        If there is no reading or no seed, and as in `fastgrok.train`.
    EnsembleInterrupted
        On Ctrl-C (a KeyboardInterrupt), with everything recorded so far.
    """
    if not variants or not seeds:
        raise ValueError(
            "there must be at least one reading of the paper and one of the seeds, got "
            f"{len(variants)} readings and {len(seeds)} seeds"
        )
    seeds = [_checks.whole("seeds", seed, minimum=0) for seed in seeds]
    steps = _checks.whole("steps", steps)
    adversarial = _checks.flag("adversarial", adversarial)
    progress = _checks.flag("progress", progress)
    sets = {"gamma": gamma, "alpha": alpha, "planting": planting}
    training = {"steps": steps, "lr": lr, "engine": engine, "record": record}
    common = {key: value for key, value in {**training, **sets}.items() if key != "record"}
    grid = None if record is None else repr(np.asarray(record).tolist())
    known: dict[Any, Run] = {} if cache is None else cache

    def key(variant: Variant, seed: int, attacks: bool) -> tuple[object, ...]:
        return (variant, seed, attacks, grid, *sorted(common.items()))

    def find(variant: Variant, seed: int) -> Run | None:
        # A run that was attacked as well has all that one without attacks has.
        keys = [key(variant, seed, attacks) for attacks in {adversarial, True}]
        return next((known[k] for k in keys if k in known), None)

    pairs = [(variant, seed) for variant in variants for seed in seeds]
    missing = [pair for pair in pairs if find(*pair) is None]
    # Sums of planted data may take every step, and no core is to wait for the last of them.
    missing.sort(key=lambda pair: pair[0].reduction == "mean" or pair[0].support == (0, 0))
    jobs: list[Job[Run]] = [
        partial(_run_once, *pair, sets, training, adversarial) for pair in missing
    ]
    with judged():
        try:
            trained = run_jobs(
                jobs,
                steps=steps,
                workers=_checks.threads(threads),
                progress=progress and bool(jobs),
            )
        except JobsInterrupted as stop:
            known.update({key(*missing[i], adversarial): run for i, run in stop.finished.items()})
            unfinished = tuple(
                summarise(*missing[i], error.trajectory, support=None)
                for i, error in sorted(stop.stopped.items())
                if isinstance(error, Interrupted)
                and error.trajectory is not None
                and error.trajectory.steps.size > 0
            )
            finished = tuple(run for run in (find(*pair) for pair in pairs) if run is not None)
            raise EnsembleInterrupted(Ensemble(finished, common), unfinished) from None
    known.update(zip((key(*pair, adversarial) for pair in missing), trained, strict=True))
    runs = tuple(run for run in (find(*pair) for pair in pairs) if run is not None)
    return Ensemble(runs, common)


def draw_sets(
    variant: Variant, seed: int, *, gamma: float, alpha: float, planting: str
) -> tuple[Dataset, dict[str, Dataset]]:
    """
    Draw a run's training set and, independently, its two test sets of the same size.

    The classes of the test sets are of the same size, whatever those of the training set are.
    """
    first = _SETS_PER_SEED * seed
    training = datasets.margin_cube(
        variant.classes,
        setting.DIM,
        gamma=gamma,
        support=variant.support,
        planting=planting,
        half_width=setting.HALF_WIDTH,
        seed=first,
    )
    half = sum(variant.classes) // 2
    law: dict[str, Any] = {
        "n": (sum(variant.classes) - half, half),
        "dim": setting.DIM,
        "gamma": gamma,
        "half_width": setting.HALF_WIDTH,
    }
    tests = {
        "standard": datasets.margin_cube(**law, seed=first + 1),
        "concentrated": datasets.concentrated(**law, alpha=alpha, seed=first + 2),
    }
    return training, tests


def _run_once(
    variant: Variant,
    seed: int,
    sets: dict[str, Any],
    training: dict[str, Any],
    adversarial: bool,
    report: Report,
) -> Run:
    data, tests = draw_sets(variant, seed, **sets)
    evals: dict[str, Any] = dict(tests)
    if adversarial:
        evals |= attacked(tests["standard"], seed)
    trajectory = train(
        data.X,
        data.y,
        reduction=variant.reduction,
        evals=evals,
        bias=variant.bias,
        keep_weights=True,
        threads=1,
        progress=report,
        **training,
    )
    return summarise(variant, seed, trajectory, support=data.support)


def summarise(
    variant: Variant, seed: int, trajectory: Trajectory, support: NDArray[Any] | None
) -> Run:
    times = []
    for test in (name for name in trajectory.sizes if name != "train"):
        for eps in setting.EPSILONS:
            found = trajectory.grokking(test, eps, level=0)  # Definition 3.4
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
