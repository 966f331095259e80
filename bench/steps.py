"""Time of one exact descent step beside plain NumPy's, in one run.

The two sides take turns, each turn long enough to measure; what is printed is the median of the
turns and the ratio of the medians. Before that both sides must agree on the weights after 200
steps. Every row is visited at every step (skip_rows=False). What comes once before the steps (the
arguments' checks, packing, the rows' norms; NumPy's copy with signs and a column of ones) is not
counted. With --run the time of 10^7 steps with
the default records and two evaluation sets follows, with and without skipping.

    python bench/steps.py [--turns 15] [--threads 1 2] [--seconds 0.5]
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

import fastgrok as fg

LR = 1e-2
# The other side's threads spin for a while before they go to sleep, which would cost a core.
PAUSE = 0.1
# (rows, columns), the data and the reduction; the cube is the setting of Das et al.
SHAPES = [(2000, 2), (500, 100), (1000, 500), (4000, 1980)]


def make_data(n: int, dim: int) -> tuple[np.ndarray, np.ndarray, str]:
    if dim == 2:
        cube = fg.datasets.margin_cube(n=(n // 2, n // 2), dim=dim, seed=0)
        return cube.X, cube.y, "sum"
    noise = fg.datasets.gaussian_noise(n, dim, seed=0)
    return noise.X, noise.y, "mean"


class NumPySteps:
    """What one would write: labels folded into the rows, a column for the bias, two products."""

    def __init__(self, X: np.ndarray, y: np.ndarray, reduction: str) -> None:
        self.Z = y[:, None] * np.column_stack([X, np.ones(len(y))])
        self.rate = LR if reduction == "sum" else LR / len(y)
        self.u = np.zeros(self.Z.shape[1])

    def take(self, steps: int) -> tuple[np.ndarray, float]:
        """The weights after so many more steps, and the seconds that these took."""
        Z, rate, u = self.Z, self.rate, self.u
        start = time.perf_counter()
        for _ in range(steps):
            p = 1.0 / (1.0 + np.exp(Z @ u))
            u += rate * (p @ Z)
        return u, time.perf_counter() - start


class FastgrokSteps:
    """The descent loop itself: a run that records nothing but its end."""

    def __init__(self, X: np.ndarray, y: np.ndarray, reduction: str, threads: int) -> None:
        self.run = lambda steps: fg.train(
            X, y, steps=steps, lr=LR, reduction=reduction, engine="exact", record=[steps],
            watch_sharpness=False, skip_rows=False, threads=threads,
        )  # fmt: skip

    def take(self, steps: int) -> tuple[np.ndarray, float]:
        run = self.run(steps)
        return np.append(run.w, run.bias_final), run.engine.seconds


Take = Callable[[int], tuple[np.ndarray, float]]


def steps_for(take: Take, seconds: float) -> int:
    """As many steps as take about `seconds`."""
    steps = 20
    while True:
        elapsed = take(steps)[1]
        if elapsed > 0.2 * seconds:
            return max(20, round(steps * seconds / elapsed))
        steps *= 4


def compare(n: int, dim: int, threads: int, turns: int, seconds: float) -> dict[str, object]:
    X, y, reduction = make_data(n, dim)
    reference, _ = NumPySteps(X, y, reduction).take(200)
    ours = FastgrokSteps(X, y, reduction, threads)
    error = np.max(np.abs(ours.take(200)[0] - reference)) / np.max(np.abs(reference))
    # The sum at this learning rate oscillates, which amplifies rounding: it agrees to fewer digits.
    assert error < (1e-8 if reduction == "sum" else 1e-12), error

    sides: dict[str, Take] = {
        "numpy": NumPySteps(X, y, reduction).take,
        "fastgrok": ours.take,
    }
    counts = {name: steps_for(take, seconds) for name, take in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, take in sides.items():
            time.sleep(PAUSE)
            times[name].append(take(counts[name])[1] / counts[name] * 1e6)
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "rows": n,
        "columns": dim,
        "threads": threads,
        "simd": fg.show_config()["simd"],
        "numpy_us": median["numpy"],
        "fastgrok_us": median["fastgrok"],
        "ratio": median["numpy"] / median["fastgrok"],
        "gb_per_s": X.nbytes / median["fastgrok"] / 1e3,
        "relative_difference": float(error),
    }


def whole_run(skip_rows: str | bool) -> str:
    """10^7 steps of Das et al.'s setting as a figure needs them: default records, two test sets."""
    X, y, reduction = make_data(2000, 2)
    evals = {
        "standard": fg.datasets.margin_cube(seed=1),
        "concentrated": fg.datasets.concentrated(seed=2),
    }
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.StabilityWarning)  # the paper's own setting
        run = fg.train(
            X, y, steps=10**7, lr=LR, reduction=reduction, evals=evals, skip_rows=skip_rows,
            threads=1,
        )  # fmt: skip
    seconds = time.perf_counter() - start
    return f"10^7 steps, {len(run.steps)} records, skip_rows={skip_rows!r}: {seconds:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--run", action="store_true", help="10^7 steps at d = 2, one thread")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    for n, dim in SHAPES:
        for threads in args.threads if dim > 16 else args.threads[:1]:
            row = compare(n, dim, threads, args.turns, args.seconds)
            if args.json:
                print(json.dumps(row), flush=True)
            else:
                print(
                    "({rows}, {columns}) {threads} threads {simd}: numpy {numpy_us:.2f} us, "
                    "fastgrok {fastgrok_us:.2f} us a step ({gb_per_s:.1f} GB/s), "
                    "ratio {ratio:.2f}".format(**row),
                    flush=True,
                )
    if args.run:
        for skip_rows in ("auto", False):
            print(whole_run(skip_rows), flush=True)


if __name__ == "__main__":
    main()
