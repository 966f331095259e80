"""Runs over a range of lambda = d / N, which several figures share, and what is read off them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers._files import as_columns
from fastgrok.papers._report import markdown_table, number, percent
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise
from fastgrok.theory.edge import limit_accuracy

if TYPE_CHECKING:
    pass

#: How near to 1/2 lambda is where separable and inseparable draws are mixed, in the sweeps.
NEAR_HALF = 0.05
# A horizon that one might take for the end.
_LATE = 1e8


def sweep(
    trainer: Trainer,
    *,
    n: int,
    seeds: Sequence[int],
    ratios: Sequence[float] = setting.RATIOS,
    steps: float = setting.SWEEP_STEPS,
    sigma: float = setting.SIGMA,
    lr: float = setting.LEARNING_RATE,
    dtype: str = "float64",
) -> tuple[Run, ...]:
    """
    Train on n points of constant label for every ratio and seed.

    Parameters
    ----------
    trainer : Trainer
        How the runs are trained.
    n : int
        Points of a draw.
    seeds : sequence of int
        Draws of the data at every ratio.
    ratios : sequence of float
        lambda = d / n, each in (0, 1].
    steps : float
        Of each run.
    sigma : float
        Standard deviation of a coordinate.
    lr : float
        Learning rate.
    dtype : str
        Of the points, "float64" or "float32".

    Returns
    -------
    tuple of Run
        By ratio, then by seed, each with the margin of its points, or with where its weights come
        to rest.

    Raises
    ------
    ValueError
        If a ratio does not lie in (0, 1], or there is none, or no seed.
    """
    if not ratios or not seeds:
        raise ValueError("there must be at least one ratio and one seed")
    for ratio in ratios:
        if not 0.0 < ratio <= 1.0:
            raise ValueError(f"ratios must lie in (0, 1], got {ratio!r}")
    cases = [
        Case(
            noise(ratio, n, seed, sigma=sigma, dtype=dtype),
            lr, steps, per_decade=10, geometry=True,
        )
        for ratio in ratios
        for seed in seeds
    ]  # fmt: skip
    return tuple(trainer(cases))


def by_ratio(runs: Sequence[Run]) -> dict[float, list[Run]]:
    """Group runs by lambda, ascending."""
    groups: dict[float, list[Run]] = {}
    for run in sorted(runs, key=lambda run: float(run.data.ratio)):
        groups.setdefault(run.data.ratio, []).append(run)
    return groups


def table(groups: dict[float, list[Run]], read: Any) -> Any:
    """Return the ratios, and what `read` says of each run: a row for each draw."""
    rows = np.array([[read(run) for run in runs] for runs in groups.values()], dtype=np.float64)
    return np.array(list(groups)), rows.T


def at_horizon(run: Run, horizon: float) -> dict[str, Any]:
    """Make the part of a row that says where a run was at a step."""
    return {
        "seed": run.data.seed,
        "step": horizon,
        "test_accuracy": run.at(horizon, "test_accuracy"),
        "test_loss": run.at(horizon, "test_loss"),
        "loss": run.at(horizon, "loss"),
    }


def sweep_rows(runs: Sequence[Run], accuracy: float) -> list[dict[str, Any]]:
    """Make one row for each run: what it is, where it went and when it generalised."""
    return [
        {
            "lambda": run.data.ratio,
            "n": run.data.n,
            "dim": run.data.dim,
            "seed": run.data.seed,
            "verdict": run.verdict,
            "margin": run.margin,
            "sigma_norm_rest": run.data.sigma * run.rest,
            "final_step": float(run.steps[-1]),
            "final_accuracy": float(run.test_accuracy[-1]),
            "limit_accuracy": limit_of(run),
            "final_b": float(run.b[-1]),
            "final_norm_w": float(run.norm_w[-1]),
            "generalised_at": run.kept_from(accuracy),
            "estimated_error": run.error,
        }
        for run in runs
    ]


def limit_of(run: Run) -> float:
    """Return what the accuracy of a run tends to; NaN where it is not known."""
    if run.verdict in ("", "undecided"):
        return float("nan")
    return float(limit_accuracy(run.margin, run.data.sigma))


def limits_table(runs: Sequence[Run]) -> str:
    """Write the accuracies of the draws near lambda = 1/2, each beside its own limit."""
    near = [
        run
        for group in by_ratio(runs).values()
        for run in group
        if abs(run.data.ratio - 0.5) <= NEAR_HALF + 1e-9 and run.verdict
    ]
    if not near:
        return ""
    rows = [
        (
            f"{run.data.ratio:g}",
            str(run.data.seed),
            run.verdict,
            percent(run.at(_LATE, "test_accuracy")),
            percent(float(run.test_accuracy[-1])),
            percent(limit_of(run)),
        )
        for run in near
    ]
    header = (
        "lambda", "draw", "the points are", f"% at step {number(_LATE)}", "% at the last step",
        "% in the limit",
    )  # fmt: skip
    return (
        "The draw, not d/N, decides whether points are separable, and with it the limit. Long "
        "before the limit an accuracy also depends on where descent began, which the limit does "
        "not: read no final accuracy without it.\n\n" + markdown_table(header, rows)
    )


def horizon_files(rows: Sequence[Mapping[str, Any]], horizons: Sequence[float]) -> dict[str, Any]:
    """Return the table, arrays and choices of runs that are shown at steps, for `write_runs`."""
    return {
        "tables": {"horizons": rows},
        "arrays": as_columns(rows),
        "choices": {"Horizons": "not stated; " + ", ".join(f"{h:g}" for h in horizons) + " steps."},
    }
