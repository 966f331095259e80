"""A cluster of two processes on this machine, over TCP."""

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

import fastgrok as fg
from fastgrok.testing import assert_same_bits


@contextlib.contextmanager
def two_workers(**options: Any) -> Iterator[Client]:
    dask.config.set({"distributed.admin.tick.limit": "1 h"})
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            **{"protocol": "tcp", **options},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def kill_one(client: Client, worker: str | None = None) -> str:
    """Kill the process of a worker, at once; another comes."""
    pids = client.run(os.getpid)
    name = worker or sorted(pids)[0]
    os.kill(pids[name], signal.SIGKILL)
    return name


def classes(n: int, d: int, *, seed: int = 0, dtype: type = np.float64, noise: float = 0.3) -> Any:
    """Rows and labels that a plane separates but for some."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(dtype)
    y = np.where(X @ rng.normal(size=d) + noise * np.sqrt(d) * rng.normal(size=n) > 0.0, 1.0, -1.0)
    return X, y


def in_blocks(X: np.ndarray, sizes: tuple[int, ...]) -> Any:
    """A dask array of X in blocks of so many rows, the rest in the last, and two of columns."""
    rest = len(X) - sum(sizes)
    half = X.shape[1] // 2
    return da.from_array(X, chunks=((*sizes, rest), (half, X.shape[1] - half)))


def same_bits(one: fg.Trajectory, other: fg.Trajectory) -> None:
    """Hold two runs, and how they came about, against each other."""
    assert_same_bits(one, other)
    assert one.engine.name == other.engine.name
    for what in ("last", "evaluations", "products"):
        leaps = [[getattr(leap, what) for leap in run.engine.leaps] for run in (one, other)]
        assert leaps[0] == leaps[1], what
