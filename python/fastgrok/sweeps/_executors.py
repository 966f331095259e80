"""Who computes the cells of a sweep, and how they are stopped."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastgrok import _checks
from fastgrok.distributed.clients import Cluster, require_client
from fastgrok.sweeps._calls import compute

# What an executor whose workers are not known is given at a time.
_MANY = 256
# Calls for each worker that are on their way, so that none waits for the next.
_WAITING = 4
# How long calls that were told to stop are waited for.
_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Workers:
    """
    Those who compute.

    Attributes
    ----------
    submit : callable
        Takes what `compute` takes but for the last argument, and returns a future.
    width : int
        Futures that are to be on their way at the same time.
    stop : callable
        Makes an end of these futures as far as that is possible, and waits for it a little.
    renew : callable
        Puts others in the place of those who cannot go on, and says whether there are any.
    """

    submit: Callable[..., Future[Any]]
    width: int
    stop: Callable[[list[Future[Any]]], None]
    renew: Callable[[], bool] = lambda: False


@contextmanager
def workers_of(executor: object) -> Iterator[Workers]:
    """Return who computes for the argument `executor`."""
    if executor is None:
        pool = _Threads(_checks.threads(None))
        try:
            yield Workers(pool.submit, 2 * pool.size, pool.stop)
        finally:
            pool.shut()
        return
    beside, width = 1, _MANY
    if _is_client(executor):
        require_client("executor", executor)
        threads = Cluster(executor).workers().values()
        beside = max(threads, default=1)
        width = _WAITING * max(sum(threads), 1)
        executor = executor.get_executor(pure=False)  # type: ignore[attr-defined]
    elif isinstance(executor, Executor):
        known = getattr(executor, "_max_workers", None)
        if isinstance(known, int) and known >= 1:
            beside, width = known, _WAITING * known
        else:
            beside = len(os.sched_getaffinity(0))  # a core for each
    else:
        raise TypeError(
            "executor must be None, a concurrent.futures.Executor or a dask.distributed.Client, "
            f"got {_checks.show(executor)}"
        )
    given = _Given(executor, beside)  # type: ignore[arg-type]
    try:
        yield Workers(given, width, _cancel, given.renew)
    finally:
        given.close()


def _is_client(executor: object) -> bool:
    # Whoever has a client has imported it; another thread may be doing so just now.
    client = getattr(sys.modules.get("distributed"), "Client", None)
    return client is not None and isinstance(executor, client)


def _cancel(futures: list[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


class _Given:
    """Submits to an executor of the caller."""

    def __init__(self, executor: Executor, beside: int) -> None:
        self._executor = executor
        self._beside = beside
        self._own: ProcessPoolExecutor | None = None

    def __call__(self, run: Any, cells: Any) -> Future[Any]:
        return self._executor.submit(compute, run, cells, self._beside)

    def renew(self) -> bool:
        """Make a pool of processes like that of the caller, one of which has died."""
        if not isinstance(self._executor, ProcessPoolExecutor):
            return False
        self.close()
        known = vars(self._executor)
        self._own = ProcessPoolExecutor(
            known["_max_workers"],
            mp_context=known["_mp_context"],
            initializer=known["_initializer"],
            initargs=known["_initargs"],
            max_tasks_per_child=known.get("_max_tasks_per_child"),
        )
        try:
            self._own.submit(os.getpid).result()
        except BrokenExecutor:  # its processes die before they compute anything
            return False
        self._executor = self._own
        return True

    def close(self) -> None:
        if self._own is not None:
            self._own.shutdown(wait=False, cancel_futures=True)


class _Threads:
    """
    A pool of threads whose calls can be told to stop.

    What is computing is sent a KeyboardInterrupt, as Ctrl-C would send one to the main thread: a
    training ends within a tenth of a second, other code when it is back in Python.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, "fastgrok-sweep")
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def submit(self, run: Any, cells: Any) -> Future[Any]:
        return self._pool.submit(self._call, run, cells)

    def stop(self, futures: list[Future[Any]]) -> None:
        _cancel(futures)
        with self._lock:
            self._stopped = True
            for ident in self._running:
                _interrupt(ident)
        wait([future for future in futures if not future.cancelled()], _PATIENCE_SECONDS)

    def shut(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, run: Any, cells: Any) -> Any:
        ident = threading.get_ident()
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            self._running.add(ident)
        try:
            return compute(run, cells, self.size)
        finally:
            with self._lock:
                self._running.discard(ident)


def _interrupt(ident: int) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt)
    )
