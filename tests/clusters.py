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


@contextlib.contextmanager
def two_workers(**options: Any) -> Iterator[Client]:
    dask.config.set({"distributed.admin.tick.limit": "1 h"})
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            protocol="tcp",
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            **options,
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


def same_bits(one: Any, other: Any) -> None:
    """Hold every array of two runs against each other."""
    for name in ("steps", "b", "norm_w", "sharpness", "sharpness_mean", "regime", "w"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert list(one.losses) == list(other.losses)
    for name in one.losses:
        np.testing.assert_array_equal(one.losses[name], other.losses[name], err_msg=name)
        np.testing.assert_array_equal(one.accuracy[name], other.accuracy[name], err_msg=name)
    assert one.engine.name == other.engine.name
    assert [leap.last for leap in one.engine.leaps] == [leap.last for leap in other.engine.leaps]
    assert [leap.evaluations for leap in one.engine.leaps] == [
        leap.evaluations for leap in other.engine.leaps
    ]
