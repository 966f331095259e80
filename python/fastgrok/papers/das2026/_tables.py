"""The data of an ensemble as rows for CSV files and as arrays for NumPy."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._setting import TEST_SETS, table_1
from fastgrok.trajectory import Trajectory


def record_rows(runs: Sequence[Run], tests: Sequence[str] = TEST_SETS) -> list[dict[str, Any]]:
    """Make one row for each run and record: settings, step, accuracies, losses and the state."""
    rows = []
    for run in runs:
        trajectory = run.trajectory
        columns: dict[str, Any] = {"step": trajectory.steps}
        for name in ("train", *tests):
            columns[f"{name}_accuracy"] = trajectory.accuracy[name]
        for name in ("train", *tests):
            if not np.isnan(trajectory.losses[name]).all():  # not computed
                columns[f"{name}_loss"] = trajectory.losses[name]
        for name in ("norm_w", "b", "distance", "sharpness", "sharpness_mean", "regime"):
            columns[name] = getattr(trajectory, name)
        listed = [values.tolist() for values in columns.values()]
        for values in zip(*listed, strict=True):
            rows.append(_labels(run) | dict(zip(columns, values, strict=True)))
    return rows


def time_rows(runs: Sequence[Run], tests: Sequence[str] = TEST_SETS) -> list[dict[str, Any]]:
    """Make a row for each run, test set and eps, beside the paper's Table 1 where that has one."""
    rows = []
    for run in runs:
        paper_rows = table_1(run.trajectory.w.size)
        stated = {(row.test, row.eps): row for row in paper_rows}
        for times in run.times:
            if times.test not in tests:
                continue
            paper = stated.get((times.test, times.eps))
            rows.append(
                _labels(run)
                | asdict(times)
                | {
                    "paper_t_train": str(paper.t_train) if paper else None,
                    "paper_t_test": str(paper.t_test) if paper else None,
                    "paper_zeta": str(paper.zeta) if paper else None,
                }
            )
    return rows


def phase_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Make a row for each run with planted support vectors: the ends of its phases, in steps."""
    return [_labels(run) | asdict(run.phases) for run in runs if run.phases is not None]


def as_arrays(data: Ensemble, tests: Sequence[str] = TEST_SETS) -> dict[str, Any]:
    """
    Stack the data: curves (runs, records), states (runs, records, d + 1), and what each run is.

    Records that a run did not come to are NaN, or an empty text.
    """
    trajectories = [run.trajectory for run in data.runs]
    steps = max((t.steps for t in trajectories), key=len)

    def stacked(read: Callable[[Trajectory], Any]) -> NDArray[Any]:
        rows = [np.asarray(read(t)) for t in trajectories]
        if all(len(row) == steps.size for row in rows):
            return np.stack(rows)
        filler = np.array("" if rows[0].dtype.kind == "U" else np.nan)
        missing = [np.broadcast_to(filler, (steps.size - len(r), *r.shape[1:])) for r in rows]
        return np.stack([np.concatenate(pair) for pair in zip(rows, missing, strict=True)])

    arrays: dict[str, Any] = {
        "steps": steps,
        "reduction": np.array([run.variant.reduction for run in data.runs]),
        "classes": np.array([run.variant.classes for run in data.runs]),
        "support": np.array([run.variant.support for run in data.runs]),
        "bias": np.array([run.variant.bias for run in data.runs]),
        "seed": np.array([run.seed for run in data.runs]),
        "order": np.array([run.order for run in data.runs]),
        "weights": stacked(lambda t: t.weights),
        "regime": stacked(lambda t: t.regime),
        "sharpness": stacked(lambda t: t.sharpness),
        "sharpness_mean": stacked(lambda t: t.sharpness_mean),
    }
    for name in ("train", *tests):
        arrays[f"accuracy_{name}"] = stacked(lambda t: t.accuracy[name])  # noqa: B023
        losses = stacked(lambda t: t.losses[name])  # noqa: B023
        if not np.isnan(losses).all():
            arrays[f"loss_{name}"] = losses
    return arrays


def _labels(run: Run) -> dict[str, Any]:
    variant = run.variant
    return {
        "reduction": variant.reduction,
        "class_plus": variant.classes[0],
        "class_minus": variant.classes[1],
        "support_plus": variant.support[0],
        "support_minus": variant.support[1],
        "bias": variant.bias,
        "seed": run.seed,
        "order": run.order,
    }
