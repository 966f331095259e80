"""How many threads the BLAS takes for small problems: one."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

_MANY_ENTRIES = 1 << 22


def blas_threads(entries: int) -> AbstractContextManager[object]:
    """
    Keep the BLAS of NumPy and of SciPy to one thread while data of so few entries are worked on.

    Its threads wait for each other in loops. In the many short calls of the solvers they gain next
    to nothing on idle processors, and on busy ones make them a hundred times slower.
    """
    return nullcontext() if entries >= _MANY_ENTRIES else _one_thread


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


class _OneThread:
    """One thread for as long as somebody is inside: the setting is that of the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = _controller().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()


_one_thread = _OneThread()
