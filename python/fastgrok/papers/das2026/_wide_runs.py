"""Runs at d = 1024: one large training set at a time, in several orders of its rows."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks, datasets
from fastgrok._checks.progress import progress_bar
from fastgrok.descent.errors import LeapError
from fastgrok.descent.steps import log_spaced
from fastgrok.papers._runs import judged
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._blocks import NAMES, BlockLaw, count_right
from fastgrok.papers.das2026._ensemble import Ensemble, EnsembleInterrupted, Run, summarise
from fastgrok.papers.das2026._setting import Variant
from fastgrok.training import train
from fastgrok.trajectory import Trajectory

#: None planted, and planted in mirrored pairs: as many in both classes, and an imbalance.
SUPPORTS = ((0, 0), (350, 350), (350, 35))
# Of the leaps: pictures and times show six digits at most.
_RTOL = 1e-6

Told = Callable[[str], object]


@dataclass(frozen=True)
class _Plan:
    """What all runs of an ensemble have in common."""

    dim: int
    gamma: float
    planting: str
    engine: str
    record: NDArray[np.int64]
    exact_steps: float
    settling_steps: float
    lr: float
    threads: int

    @property
    def steps(self) -> int:
        """The last step."""
        return int(self.record[-1])

    def limit(self, variant: Variant) -> float:
        """Return how many steps are taken one by one at most."""
        return self.exact_steps if any(variant.support) else self.settling_steps


def train_wide(
    *,
    n: tuple[int, int] = (50_000, 50_000),
    dim: int = setting.WIDE,
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    reductions: Sequence[str] = setting.REDUCTIONS,
    without_bias: Sequence[tuple[int, int]] = ((0, 0),),
    orders: int = 3,
    seeds: Sequence[int] = (0,),
    steps: int = setting.STEPS,
    exact_steps: float = 1100.0,
    settling_steps: float = 20_000.0,
    lr: float = setting.LEARNING_RATE,
    gamma: float = setting.GAMMA,
    alpha: float = setting.ALPHA,
    planting: str = "antipodal",
    record: ArrayLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    progress: bool = False,
) -> Ensemble:
    """
    Train the runs of Figure 1 and Table 1 of Das et al. (2026) at d = 1024.

    Rows are kept in float32, all arithmetic is in float64. A training set is drawn once for all its
    runs, which take all threads one after the other; it is permuted in place, and gone before the
    test sets are drawn, block by block and once for all runs.

    Parameters
    ----------
    n : (int, int), default (50000, 50000)
        Points of each class, in training; the test sets have as many, in classes of the same size.
    dim : int, default 1024
        Columns.
    supports : sequence of (int, int)
        Planted support vectors S(s+, s-), included in `n`; (0, 0) plants none.
    reductions : sequence of {"mean", "sum"}
        How the losses are reduced.
    without_bias : sequence of (int, int)
        Planted support vectors of the runs whose bias stays 0; they must be among `supports`.
    orders : int, default 3
        Orders of the rows in which the sum is trained. Its transient is chaotic, so that the
        order, through the rounding of sums, decides about its times. The mean, and runs without a
        bias, have one order.
    seeds : sequence of int, default (0,)
        Draws of the data.
    steps : int, default 10**7
        Steps of each run.
    exact_steps : float, default 1100
        How many are taken one by one at most where a run with planted support vectors cannot be
        leaped, and ends there: such sums may oscillate for ever.
    settling_steps : float, default 20000
        The same where none are planted, and the transient of the sum has an end.
    lr, gamma, alpha, planting, record
        As in `train_ensemble`.
    engine : str, default "auto"
        "exact" takes so many steps and no leap; all others leap.
    threads : int, optional
        Of each run; default the cores available.
    progress : bool, default False
        Show bars.

    Returns
    -------
    Ensemble
        By reading, seed and order. The losses of the test sets are not computed: NaN.

    Raises
    ------
    ValueError
        If there is no reading or no seed, if the test sets would have an odd number of points, and
        as in `fastgrok.train`.
    EnsembleInterrupted
        On Ctrl-C (a KeyboardInterrupt), with everything recorded so far.
    """
    if not supports or not reductions or not seeds:
        raise ValueError("supports, reductions and seeds must each hold at least one value")
    if sum(n) % 2:
        raise ValueError(f"n must add up to an even number, for the test sets, got {n}")
    orders = _checks.whole("orders", orders)
    progress = _checks.flag("progress", progress)
    grid = log_spaced(steps) if record is None else np.asarray(record, dtype=np.int64)
    plan = _Plan(
        dim,
        gamma,
        planting,
        engine,
        grid[grid <= steps],
        exact_steps,
        settling_steps,
        lr,
        _checks.threads(threads),
    )
    settings = {
        "steps": steps, "lr": lr, "engine": engine, "gamma": gamma, "alpha": alpha,
        "planting": planting, "dim": dim,
    }  # fmt: skip
    runs: list[Run] = []
    per_set = {s: _readings(s, n, reductions, without_bias) for s in supports}
    jobs = sum(orders if _ordered(v) else 1 for vs in per_set.values() for v in vs)
    try:
        with (
            judged(),
            progress_bar(total=jobs * len(seeds), unit="run", disable=not progress) as bar,
        ):
            told = partial(bar.set_postfix_str, refresh=sys.stderr.isatty())
            for seed in seeds:
                for variants in per_set.values():
                    for run in _train_one_set(variants, seed, orders, plan, told):
                        runs.append(run)
                        bar.update()
        tested = _tested(runs, n, alpha, plan, progress)
    except KeyboardInterrupt:
        raise EnsembleInterrupted(Ensemble(tuple(runs), settings), ()) from None
    place = {v: i for i, v in enumerate(dict.fromkeys(v for vs in per_set.values() for v in vs))}
    tested.sort(key=lambda run: (not run.variant.bias, place[run.variant], run.seed, run.order))
    return Ensemble(tuple(tested), settings)


def _readings(
    support: tuple[int, int],
    n: tuple[int, int],
    reductions: Sequence[str],
    without_bias: Sequence[tuple[int, int]],
) -> list[Variant]:
    return [
        *setting.readings(reductions, [support], n),
        *setting.readings(reductions, [s for s in without_bias if s == support], n, bias=False),
    ]


def _train_one_set(
    variants: Sequence[Variant], seed: int, orders: int, plan: _Plan, told: Told
) -> Iterator[Run]:
    first = variants[0]
    told(f"drawing {first.population}, {first.planted}")
    data = datasets.margin_cube(
        first.classes, plan.dim, gamma=plan.gamma, support=first.support, planting=plan.planting,
        half_width=setting.HALF_WIDTH, seed=3 * seed, dtype=np.float32,
        threads=plan.threads,
    )  # fmt: skip
    X, y = data.X, data.y
    for values in (X, y):  # nobody else has them
        values.setflags(write=True)
    for order in range(orders):
        if order:
            permute(X, y, seed=[seed, order])
        for variant in variants:
            if order == 0 or _ordered(variant):
                yield _train_one(X, y, variant, seed, order, plan, told)


def _ordered(variant: Variant) -> bool:
    """Whether a reading is trained in all orders of the rows."""
    return variant.reduction == "sum" and variant.bias


def permute(X: NDArray[Any], y: NDArray[Any], seed: Sequence[int]) -> None:
    """Put rows and labels into another order, in place and both into the same."""
    for values in (X, y[:, None]):  # in two dimensions both are shuffled by the same draws
        np.random.default_rng(seed).shuffle(values, axis=0)


def _train_one(
    X: NDArray[Any], y: NDArray[Any], variant: Variant, seed: int, order: int, plan: _Plan,
    told: Told,
) -> Run:  # fmt: skip
    name = f"{variant}, order {order}"

    def running(step: int) -> None:
        told(f"{name}: step {step:.2g}")

    told(name)
    attempt = partial(
        train, X, y, lr=plan.lr, reduction=variant.reduction, bias=variant.bias, rtol=_RTOL,
        keep_weights=True, threads=plan.threads, progress=running,
    )  # fmt: skip
    limit, stopped = plan.limit(variant), ""
    reached = plan.record[plan.record <= limit]
    exact = partial(attempt, steps=int(reached[-1]), record=reached, engine="exact")
    if plan.engine == "exact":
        trajectory = exact()
        if reached.size < plan.record.size:
            stopped = f"no more than {limit:g} exact steps are taken"
    else:
        try:
            trajectory = attempt(
                steps=plan.steps, record=plan.record, engine="leap", exact_limit=limit
            )
        except LeapError as error:
            trajectory, stopped = error.trajectory, str(error)
            if not trajectory.steps.size:
                trajectory = exact()
    # The rows are permuted next, and freed before the test sets are drawn.
    trajectory = replace(trajectory, data=None)
    return Run(variant, seed, trajectory, (), None, order, stopped)


def _tested(
    runs: Sequence[Run],
    n: tuple[int, int],
    alpha: float,
    plan: _Plan,
    progress: bool,
) -> list[Run]:
    """Evaluate all runs of a draw on the test sets of that draw together."""
    out = []
    for seed in dict.fromkeys(run.seed for run in runs):
        those = [run for run in runs if run.seed == seed]
        law = BlockLaw(sum(n), plan.dim, plan.gamma, alpha, seed)
        weights = np.concatenate([_weights(run.trajectory) for run in those])
        with progress_bar(
            total=2 * law.count, unit="block", desc="testing", disable=not progress
        ) as bar:
            counts = count_right(law, weights, plan.threads, bar.update)
        start = 0
        for run in those:
            records = slice(start, start := start + run.trajectory.steps.size)
            found = {name: counts[name][records] for name in NAMES}
            trajectory = with_counts(run.trajectory, found, law.n)
            summed = summarise(run.variant, run.seed, trajectory, support=None)
            out.append(replace(run, trajectory=trajectory, times=summed.times))
    return out


def _weights(trajectory: Trajectory) -> NDArray[np.float64]:
    assert trajectory.weights is not None  # as they were asked for
    return trajectory.weights


def with_counts(
    trajectory: Trajectory, counts: dict[str, NDArray[np.int64]], size: int
) -> Trajectory:
    """Add sets of so many points to a run by the points that are classified correctly."""
    unknown = np.full(trajectory.steps.size, np.nan)
    return replace(
        trajectory,
        losses={**trajectory.losses, **dict.fromkeys(counts, unknown)},
        counts={**trajectory.counts, **counts},
        sizes={**trajectory.sizes, **dict.fromkeys(counts, size)},
    )
