"""Time and memory of a run over rows on a cluster of this machine's processes.

    python bench/clusters.py [--rows 1e6] [--columns 128] [--steps 1e7] [--dtype float64]
        [--rtol 1e-8] [--workers 2] [--sides here,there,killed]

`here` trains on the same rows in this process, with as many threads as workers; `there` on workers
of one thread each; `killed` kills one of these in the middle. Rows are drawn by a recipe. All print
a digest of what was recorded: the same bits.
"""

import argparse
import hashlib
import logging
import os
import resource
import signal
import time
from typing import Any

import numpy as np
from distributed import Client, LocalCluster

import fastgrok as fg


def recipe_of(columns: int) -> fg.distributed.sources.Recipe:
    w = np.random.default_rng(5).normal(size=columns)

    def recipe(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        X = rng.normal(size=(n, len(w)))
        return X, np.where(X @ w + 0.3 * np.sqrt(len(w)) * rng.normal(size=n) > 0.0, 1, -1)

    return recipe


def digest(run: fg.Trajectory) -> str:
    found = hashlib.blake2b(digest_size=8)
    for name in ("steps", "b", "norm_w", "sharpness", "loss", "w"):
        found.update(np.ascontiguousarray(getattr(run, name)).tobytes())
    return found.hexdigest()


def peak() -> float:
    """Gigabytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def report(side: str, run: fg.Trajectory, prepared: float, seconds: float, memory: str) -> None:
    print(f"{side:<8}{prepared:8.1f} s for the rows{seconds:9.1f} s{memory:>24}  {digest(run)}")
    print(run.engine, flush=True)


def here(X: Any, y: Any, workers: int, options: dict[str, Any]) -> None:
    began = time.perf_counter()
    rows, labels = np.empty(X.shape, X.dtype), np.empty(y.shape)
    at = 0
    for block, signs in zip(X.blocks, y.blocks, strict=True):  # one after the other
        there = slice(at, at + len(block))
        rows[there], labels[there] = block.compute(), signs.compute()
        at = there.stop
    prepared = time.perf_counter() - began
    run = fg.train(rows, labels, threads=workers, **options)
    report("here", run, prepared, time.perf_counter() - began - prepared, f"{peak():.1f} GB")


def there(X: Any, y: Any, workers: int, options: dict[str, Any], kill: bool) -> None:
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        began = time.perf_counter()
        data = fg.distributed.scatter(X, y, client)
        prepared = time.perf_counter() - began
        killed: list[str] = []

        def progress(step: int) -> None:
            if kill and step > 1000 and not killed:
                killed.append(data.X.workers()[0])
                os.kill(client.run(os.getpid)[killed[0]], signal.SIGKILL)

        run = fg.train(data.X, data.y, progress=progress, **options)
        seconds = time.perf_counter() - began - prepared
        each = " + ".join(f"{gigabytes:.1f}" for gigabytes in client.run(peak).values())
        side = "killed" if kill else "there"
        report(side, run, prepared, seconds, f"{peak():.1f} + {each} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--columns", type=int, default=128)
    parser.add_argument("--steps", type=float, default=1e7)
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--rtol", type=float, default=1e-8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sides", default="here,there,killed")
    chosen = parser.parse_args()
    X, y = fg.distributed.from_recipe(
        recipe_of(chosen.columns), int(chosen.rows), chosen.columns, seed=3, dtype=chosen.dtype
    )
    options = {"steps": chosen.steps, "lr": 1.0, "rtol": chosen.rtol}
    for side in chosen.sides.split(","):
        if side == "here":
            here(X, y, chosen.workers, options)
        else:
            there(X, y, chosen.workers, options, kill=side == "killed")


if __name__ == "__main__":
    main()
