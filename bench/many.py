"""train_many beside the same runs by train, one after the other and in a pool of threads.

The sides take turns; what is printed is the median of the turns. Before that all must agree to
the last bit. Two cases: runs over the same rows that differ in their learning rates, and small runs
over rows of their own. Every row is visited at every step (skip_rows=False), and only the end of a
run is recorded (with --records: the default records, sharpness included).

    python bench/many.py [--turns 7] [--threads 2] [--records]
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import fastgrok as fg

PAUSE = 0.1
Problem = dict[str, Any]


def shared(records: bool, n: int, dim: int, runs: int, steps: int) -> list[Problem]:
    """Other learning rates on the same rows."""
    data = fg.datasets.gaussian_noise(n, dim, seed=0)
    rates = np.geomspace(1e-3, 1e-1, runs)
    return [problem(data, steps, float(rate), records) for rate in rates]


def small(records: bool, n: int, dim: int, runs: int, steps: int) -> list[Problem]:
    """Other draws of the data."""
    draws = (fg.datasets.gaussian_noise(n, dim, seed=seed) for seed in range(runs))
    return [problem(data, steps, 1e-2, records) for data in draws]


def problem(data: fg.Dataset, steps: int, lr: float, records: bool) -> Problem:
    out: Problem = {"X": data.X, "y": data.y, "steps": steps, "lr": lr, "skip_rows": False}
    return out if records else {**out, "record": [steps], "watch_sharpness": False}


CASES = {
    "8 runs over the same (20000, 500)": lambda records: shared(records, 20_000, 500, 8, 100),
    "8 runs over the same (1000, 500)": lambda records: shared(records, 1000, 500, 8, 500),
    "64 runs over (500, 20)": lambda records: small(records, 500, 20, 64, 500),
}


def sides(threads: int) -> dict[str, Callable[[list[Problem]], list[fg.Trajectory]]]:
    def pool(problems: list[Problem]) -> list[fg.Trajectory]:
        with ThreadPoolExecutor(threads) as workers:
            return list(workers.map(lambda one: fg.train(**one, threads=1), problems))

    return {
        "loop": lambda problems: [fg.train(**one, threads=threads) for one in problems],
        "pool": pool,
        "train_many": lambda problems: fg.train_many(problems, threads=threads),
    }


def compare(name: str, problems: list[Problem], threads: int, turns: int) -> dict[str, object]:
    takes = sides(threads)
    weights = [
        [np.append(run.w, run.bias_final) for run in take(problems)] for take in takes.values()
    ]
    for other in weights[:-1]:
        np.testing.assert_array_equal(other, weights[-1])
    times: dict[str, list[float]] = {side: [] for side in takes}
    for _ in range(turns):
        for side, take in takes.items():
            time.sleep(PAUSE)  # the threads of the side before spin for a while
            start = time.perf_counter()
            take(problems)
            times[side].append(time.perf_counter() - start)
    median = {side: statistics.median(values) for side, values in times.items()}
    return {
        "case": name,
        "threads": threads,
        "simd": fg.show_config()["simd"],
        **{f"{side}_s": seconds for side, seconds in median.items()},
        "ratio_loop": median["loop"] / median["train_many"],
        "ratio_pool": median["pool"] / median["train_many"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--records", action="store_true", help="default records, with sharpness")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    warnings.simplefilter("ignore", fg.StabilityWarning)
    for name, make in CASES.items():
        row = compare(name, make(args.records), args.threads, args.turns)
        if args.json:
            print(json.dumps(row), flush=True)
        else:
            print(
                "{case}, {threads} threads {simd}: loop {loop_s:.3f} s, pool {pool_s:.3f} s, "
                "train_many {train_many_s:.3f} s; ratios {ratio_loop:.2f}, {ratio_pool:.2f}".format(
                    **row
                ),
                flush=True,
            )


if __name__ == "__main__":
    main()
