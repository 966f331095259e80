"""What the machine allows, measured in turns with the sides of a race.

A step must read every row once. So a step over rows cannot take less than to read as many bytes,
and beyond the caches not less than at the bandwidth of the memory: a `Reader` adds up an array
again and again, of the size of the rows for the one, of 512 MiB for the other, in float64 and with
as many threads as the sides. The faster of the two counts. Without Numba it is NumPy that reads,
which is slow for small arrays.

With two columns the arithmetic is the limit. A register of four rows takes, in AVX2 with FMA,

    3 + 6 + 1 + 3 = 13  multiply-adds or multiplications: the product with u, the two polynomials
                        of a power of two, its scale, the sums over the rows
    2                   a comparison and a maximum, that bound the argument
    4.5                 cycles of the one division

on the two pipes that do these on Zen 3: (13 + 2 + 4.5) / 2 = 9.75 cycles. Additions and integer
shifts go to other pipes. The processor's clock comes from a chain of integer operations of one
cycle, each of which needs the one before.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from _race import fastest

BEYOND_CACHES = 1 << 29
CYCLES_A_REGISTER = (13 + 2 + 4.5) / 2
ROWS_A_REGISTER = 4


def plane_microseconds(rows: int, hertz: float) -> float:
    """Least time of a step over rows of two columns, on one core with AVX2."""
    return -(-rows // ROWS_A_REGISTER) * CYCLES_A_REGISTER / hertz * 1e6


def pooled_reader(X: np.ndarray, threads: int) -> Callable[[], float]:
    """Read all of X once, with NumPy, and do next to nothing with it."""
    pool = ThreadPoolExecutor(threads)
    pieces = np.array_split(X, 8 * threads)
    return lambda: float(max(pool.map(np.max, pieces)))


class _Counted:
    """A side that repeats something and has no weights."""

    def __init__(self, repeat: Callable[[int], Any]) -> None:
        self._repeat = repeat

    def take(self, count: int) -> tuple[None, float]:
        start = time.perf_counter()
        self._repeat(count)
        return None, time.perf_counter() - start


class Reader(_Counted):
    """Reads so many bytes `count` times, the fastest way found in a short trial."""

    def __init__(self, size: int, threads: int, with_numba: bool) -> None:
        numbers = np.ones(max(size // 8, 1024))
        if not with_numba:
            read = pooled_reader(numbers, threads)
            super().__init__(lambda count: [read() for _ in range(count)])
            return
        import _numba_limits  # noqa: PLC0415

        ways = (_numba_limits.reader(numbers, threads, add) for add in _numba_limits.SUMS)
        super().__init__(fastest(_Counted(way) for way in ways)._repeat)


class Clock(_Counted):
    """Takes `count` cycles of the processor."""

    def __init__(self) -> None:
        import _numba_limits  # noqa: PLC0415

        super().__init__(_numba_limits.chain)
        self.take(1)
