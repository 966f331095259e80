"""A side of a race in a process of its own, confined to as many cores as it may use threads.

Some libraries fix their number of threads when they start (JAX reads the affinity mask, OpenBLAS
the environment), and two libraries in one process share an OpenMP runtime or fight over it. So
every side, fastgrok too, is a process that was started with the affinity and the environment of
its number of threads. It works when it is told to through a pipe and sleeps in between.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

from _race import Side

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Child:
    """The side that `make(*args)` builds, in another process."""

    def __init__(self, make: Callable[..., Side], args: tuple[Any, ...], threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        with _confined(threads):
            self._process = context.Process(target=_serve, args=(theirs, make, args), daemon=True)
            self._process.start()
        theirs.close()
        self._connection.recv()  # it is ready

    def take(self, count: int) -> tuple[Any, float]:
        self._connection.send(count)
        result, seconds = self._connection.recv()
        return result, seconds

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._connection.send(None)
        self._process.join()


@contextlib.contextmanager
def _confined(threads: int) -> Iterator[None]:
    """What is started in here inherits the last `threads` of the cores, and limits to them."""
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise ValueError(f"threads={threads}, but only {len(cores)} cores may be used")
    environment = dict(os.environ)
    os.environ.update(dict.fromkeys(LIMITS, str(threads)))
    os.sched_setaffinity(0, cores[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        os.environ.clear()
        os.environ.update(environment)


def _serve(connection: Any, make: Callable[..., Side], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    side = make(*args)
    connection.send("ready")
    while (count := connection.recv()) is not None:
        connection.send(side.take(count))
