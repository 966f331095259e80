"""Whole runs with and without skipping rows: how much faster, and whether to the same bits."""

import argparse
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

import fastgrok as fg
from _peers import LR
from _race import sizes, threads

# Rows, columns, steps: the cube of Das et al. (2026) in many dimensions.
SKIPPED = [(100_000, 128, 10_000), (100_000, 1024, 1000)]
EVERYTHING, NEEDED = False, "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run-steps", type=int, default=10**7, help="steps of --run")
    parser.add_argument(
        "--skip", type=sizes, nargs="*", metavar="ROWSxCOLUMNSxSTEPS",
        help="skipping rows in long runs, by default 100000x128x10000 100000x1024x1000",
    )  # fmt: skip


def chosen(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if args.run:
        yield whole_run(args.run_steps)
    if args.skip is not None:
        for rows, columns, steps in args.skip or SKIPPED:
            yield skipping(rows, columns, steps, max(args.threads))


def whole_run(steps: int) -> dict[str, Any]:
    """Das et al.'s setting as a figure needs it: default records, two test sets, one thread."""
    data = fg.datasets.margin_cube(n=(1000, 1000), dim=2, seed=0)
    evals = {
        "standard": fg.datasets.margin_cube(seed=1),
        "concentrated": fg.datasets.concentrated(seed=2),
    }
    return both(data, steps, threads=1, evals=evals)


def skipping(rows: int, columns: int, steps: int, workers: int) -> dict[str, Any]:
    """The same data in more dimensions; few records, which would cost more than skipped steps."""
    data = fg.datasets.margin_cube(n=(rows // 2, rows - rows // 2), dim=columns, seed=0)
    record = fg.log_spaced(steps, per_decade=2)
    return both(data, steps, threads=workers, record=record, watch_sharpness=False)


def both(data: fg.Dataset, steps: int, **settings: Any) -> dict[str, Any]:
    """Once with every row and once with those that matter, the records of both compared."""
    runs, seconds = {}, {}
    for skip_rows in (EVERYTHING, NEEDED):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fg.StabilityWarning)  # the paper's own setting
            runs[skip_rows] = fg.train(
                data.X, data.y, steps=steps, lr=LR, reduction="sum", engine="exact",
                keep_weights=True, skip_rows=skip_rows, **settings,
            )  # fmt: skip
        seconds[skip_rows] = time.perf_counter() - start
    plain, skipped = runs[EVERYTHING], runs[NEEDED]
    return {
        "rows": len(data.y),
        "columns": data.X.shape[1],
        "steps": steps,
        "records": plain.steps.size,
        "threads": plain.engine.threads,
        "simd": plain.engine.simd,
        "plain_s": seconds[EVERYTHING],
        "skipped_s": seconds[NEEDED],
        "ratio": seconds[EVERYTHING] / seconds[NEEDED],
        "row_share": skipped.engine.row_share,
        "same_bits": same_bits(plain, skipped),
    }


def same_bits(a: fg.Trajectory, b: fg.Trajectory) -> bool:
    """Whether all that was recorded is the same to the last bit."""

    def parts(run: fg.Trajectory) -> list[Any]:
        return [run.weights, run.b, run.norm_w, *run.losses.values(), *run.counts.values()]

    pairs = zip(parts(a), parts(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def text(row: dict[str, Any]) -> str:
    same = "the same bits" if row["same_bits"] else "DIFFERENT BITS"
    return (
        "{rows} x {columns}, {steps} steps, {records} records, {simd}: {plain_s:.2f} s over all "
        "rows, {skipped_s:.2f} s over those that matter ({row_share:.2%}), ratio {ratio:.1f}, "
    ).format(**row) + f"{same} ({threads(row['threads'])})"
