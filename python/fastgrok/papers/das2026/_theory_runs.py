"""The runs over which Theorems 4.5 and 4.6 of Das et al. (2026) are followed, and predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks, datasets
from fastgrok.descent.errors import LeapError
from fastgrok.papers._runs import Job, Report, judged, run_jobs
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.theory import bias as theory
from fastgrok.training import train

F64 = NDArray[np.float64]

#: Support vectors of each class; outer ends of the test set; tolerances eps.
SUPPORTS = ((350, 350), (350, 200), (350, 100), (350, 35))
GAMMAS = (1e-3, 1e-1, 4.0)
ALPHAS = (2.0, 10.0, 50.0)
EPSILONS = (0.0, 0.01, 0.05)
STEPS = 1e13
# Of the leaps: the theorems are off by more than that.
_RTOL = 1e-6
# Of an "iid" draw: few support vectors, so that the dual coefficients are uneven.
_GENERIC = ((3, 2), 4.0, "iid")


@dataclass(frozen=True)
class Setup:
    """What a run is made from: S(s+, s-), gamma, and how support vectors are planted."""

    support: tuple[int, int]
    gamma: float
    planting: str
    seed: int

    def __str__(self) -> str:
        recipe = "" if self.planting == "antipodal" else f", {self.planting}"
        return f"S({self.support[0]},{self.support[1]}), gamma = {self.gamma:g}{recipe}"


@dataclass(frozen=True, eq=False)
class TheoryRun:
    """
    A run and what theory says of it.

    Attributes
    ----------
    setup : Setup
        What it was made from.
    steps, norm_w, b : ndarray of shape (R,)
        Its records.
    accuracy : dict of float to ndarray of shape (R,)
        Of the concentrated population, by alpha.
    since : float
        t0, from where on the support vectors carry half of the gradient; NaN if they never do.
    late : LateTime
        The expansion in log t, with A_+, A_- and b_inf.
    stated, restored : ndarray of shape (R,)
        b(t) of Theorem 4.5 as the paper has it, and with the learning rate; NaN before t0.
    reduced : (ndarray, ndarray) or None
        ||w|| and b of the model of two variables.
    ended : str
        Why it ended before its last step; empty if it did not.
    """

    setup: Setup
    steps: F64
    norm_w: F64
    b: F64
    accuracy: dict[float, F64]
    since: float
    late: theory.LateTime
    stated: F64
    restored: F64
    reduced: tuple[F64, F64] | None
    ended: str = ""

    @property
    def distance(self) -> F64:
        """|b| / ||w||, in units of gamma / 2; NaN at the start."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return 2.0 * np.abs(self.b) / self.norm_w / self.setup.gamma


@dataclass(frozen=True)
class GrokkingTime:
    """
    T_te of one run, measured and predicted, in steps.

    Attributes
    ----------
    run : TheoryRun
        The run.
    alpha, eps : float
        The test set's outer end in units of gamma; accuracy 1 - eps is asked for.
    measured : float
        From where on the population's accuracy is at least 1 - eps; NaN if it never was below, or
        is at the end.
    stated, corrected, reduced : float
        Theorem 4.6 as it stands, corrected, and of the model of two variables.
    """

    run: TheoryRun
    alpha: float
    eps: float
    measured: float
    stated: float
    corrected: float
    reduced: float


@dataclass(frozen=True)
class Theory:
    """The runs, and the grokking times of those with antipodal support vectors."""

    runs: tuple[TheoryRun, ...]
    times: tuple[GrokkingTime, ...]
    settings: dict[str, Any]


def theory_runs(
    *,
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    gammas: Sequence[float] = GAMMAS,
    alphas: Sequence[float] = ALPHAS,
    epsilons: Sequence[float] = EPSILONS,
    seeds: Sequence[int] = range(3),
    classes: tuple[int, int] = setting.CLASSES,
    steps: float = STEPS,
    lr: float = setting.LEARNING_RATE,
    engine: str = "leap",
    threads: int | None = None,
    progress: bool = False,
) -> Theory:
    """
    Train on planted data of several S(s+, s-) and gamma at d = 2, and predict each run.

    Parameters
    ----------
    supports, gammas : sequence
        Planted support vectors and margins, all combined; one draw of few support vectors that
        are not antipodal is added.
    alphas, epsilons : sequence of float
        Test sets and tolerances at which times are read.
    seeds : sequence of int
        Draws of the data.
    classes : (int, int)
        Points of each class, support vectors included.
    steps, lr, engine
        As in `fastgrok.train`, for the mean of the losses. A run that cannot be leaped any farther
        ends there.
    threads : int, optional
        Runs under way at the same time.
    progress : bool
        Show a bar.

    Returns
    -------
    Theory
        Runs, ordered by gamma, support vectors and seed, and their times.

    Raises
    ------
    ValueError
        If there is no draw.
    """
    setups = [
        Setup(support, gamma, "antipodal", seed)
        for gamma in gammas
        for support in supports
        for seed in seeds
    ]
    setups += [Setup(*_GENERIC, seed) for seed in seeds]
    if not setups:
        raise ValueError("there must be at least one draw of the data")
    progress = _checks.flag("progress", progress)
    training = {"steps": steps, "lr": lr, "engine": engine}
    # The model of two variables is that of all draws.
    jobs: list[Job[list[TheoryRun]]] = [
        partial(_run_draws, list(draws), classes, tuple(alphas), training)
        for _, draws in groupby(setups, lambda s: (s.support, s.gamma, s.planting))
    ]
    with judged():
        done = run_jobs(
            jobs,
            steps=len(seeds),
            workers=_checks.threads(threads),
            progress=progress,
            measure="run",
        )
    runs = [run for draws in done for run in draws]
    times = [
        _time(run, alpha, eps, lr / sum(classes))
        for run in runs
        if run.setup.planting == "antipodal" and run.setup.support[0] != run.setup.support[1]
        for alpha in alphas
        for eps in epsilons
    ]
    return Theory(tuple(runs), tuple(times), {**training, "classes": classes})


def _run_draws(
    setups: Sequence[Setup],
    classes: tuple[int, int],
    alphas: tuple[float, ...],
    training: dict[str, Any],
    report: Report,
) -> list[TheoryRun]:
    models: dict[bytes, tuple[F64, F64]] = {}  # by the steps
    runs: list[TheoryRun] = []
    for setup in setups:
        progress = partial(_tell, report, len(runs))
        runs.append(_run_once(setup, classes, alphas, training, models, progress))
    return runs


def _tell(report: Report, done: int, _: int) -> None:
    """Say how many runs are done: steps up to 1e13 are no measure of what is left to do."""
    report(done)


def _run_once(
    setup: Setup,
    classes: tuple[int, int],
    alphas: tuple[float, ...],
    training: dict[str, Any],
    models: dict[bytes, tuple[F64, F64]],
    progress: Callable[[int], None],
) -> TheoryRun:
    data = datasets.margin_cube(
        classes, setting.DIM, gamma=setup.gamma, support=setup.support, planting=setup.planting,
        half_width=setting.HALF_WIDTH, seed=setup.seed,
    )  # fmt: skip
    reach = setting.HALF_WIDTH * np.sqrt(setting.DIM)
    tests = {str(a): theory.Slab(setup.gamma, min(a, reach / setup.gamma)) for a in alphas}
    ended = ""
    options: dict[str, Any] = {
        "lr": training["lr"], "evals": tests, "keep_weights": True, "threads": 1,
        "progress": progress, "watch_sharpness": False,
        "rtol": _RTOL,
    }  # fmt: skip
    try:
        run = train(data.X, data.y, **options, steps=training["steps"], engine=training["engine"])
    except LeapError as error:
        run, ended = error.trajectory, str(error)
    steps = run.steps.astype(np.float64)
    rate = training["lr"] / len(data.y)
    late = theory.late_time(data.X, data.y, training["lr"], "mean", threads=1)
    phases = run.phases(data.support)
    since = float("nan") if phases.t1 is None else float(phases.t1)
    stated, restored = (np.full(steps.size, np.nan) for _ in range(2))
    after = steps >= max(since, 1.0) if np.isfinite(since) else np.zeros(steps.size, dtype=bool)
    if after.any() and late.finite:
        start, b0 = float(steps[after][0]), float(run.b[after][0])
        for out, factor in ((stated, 1.0), (restored, rate)):
            out[after] = theory.bias_curve(
                steps[after], late.a_plus, late.a_minus, factor, b0, start
            )
    reduced = None
    if setup.planting == "antipodal":
        reduced = models.get(steps.tobytes())
        if reduced is None:
            reduced = theory.reduced_model(
                steps, classes, setup.gamma, support=setup.support, lr=training["lr"],
                half_width=setting.HALF_WIDTH,
            )  # fmt: skip
            models[steps.tobytes()] = reduced
    return TheoryRun(
        setup, steps, run.norm_w, run.b, {a: run.accuracy[str(a)] for a in alphas}, since, late,
        stated, restored, reduced, ended,
    )  # fmt: skip


def _time(run: TheoryRun, alpha: float, eps: float, rate: float) -> GrokkingTime:
    setup = run.setup
    alpha = min(alpha, setting.HALF_WIDTH * float(np.sqrt(setting.DIM)) / setup.gamma)
    values = next(v for a, v in run.accuracy.items() if a >= alpha)
    delta = float(np.sqrt(setup.support[1] / setup.support[0]))
    modelled = float("nan")
    if run.reduced is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            h = np.abs(run.reduced[1]) / run.reduced[0]
        accuracy = theory.concentrated_accuracy(h, setup.gamma, alpha, dim=setting.DIM)
        modelled = first_back_at(run.steps, accuracy, 1.0 - eps)
    return GrokkingTime(
        run,
        alpha,
        eps,
        first_back_at(run.steps, values, 1.0 - eps),
        float(theory.paper_grokking_time(delta, eps, alpha)),
        float(theory.grokking_time(setup.support, setup.gamma, eps, alpha, rate)),
        modelled,
    )


def first_back_at(steps: F64, accuracy: F64, level: float) -> float:
    """
    When an accuracy is back at a level for good: the first record after the last below it.

    NaN if no record after step 0 is below, or the last one is. Accuracies are known to 1e-12.
    """
    below = np.flatnonzero((accuracy < level - 1e-12) & (steps > 0.0))
    if not below.size or below[-1] == steps.size - 1:
        return float("nan")
    return float(steps[below[-1] + 1])
