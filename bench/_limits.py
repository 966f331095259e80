"""What the machine allows, measured in turns with the sides of a race.

A step must read every row once. So a step over rows cannot take less than to read as many bytes,
and beyond the caches not less than at the bandwidth of the memory: a `Reader` adds up an array
again and again, of the size of the rows for the one, of 512 MiB for the other, in float64 and with
as many threads as the sides. The faster of the two counts. Without Numba it is NumPy that reads,
which is slow for small arrays.

In the caches a step needs more than one reading, because the rows that were multiplied are added up
once their slopes are known: `Bare` does all loads, stores and multiply-adds of that in strips of 2,
3, 4 or 8 rows, the fastest of which counts, and leaves out what lies between (sums across a
register, slopes, the step itself). That is no bound for narrow rows, which stay in registers, and
it is not asked for. A register of 8 columns of a strip of 8 rows needs 18 loads and
a store for 16 multiply-adds. Zen 4 loads one such register in a cycle, and two with AVX2.

With two columns the arithmetic is the limit. A register of four rows takes, in AVX2 with FMA,

    3 + 6 + 1 + 3 = 13  multiply-adds or multiplications: the product with u, the two polynomials
                        of a power of two, its scale, the sums over the rows
    2                   a comparison and a maximum, that bound the argument
    4.5                 cycles of the one division

on the two pipes that do these on Zen 3: (13 + 2 + 4.5) / 2 = 9.75 cycles. Additions and integer
shifts go to other pipes. With AVX-512 on Zen 4 a register of eight rows takes 16 cycles: so long
did a loop of the 13 and the division, and nothing else, run. The processor's clock comes from a
chain of integer operations of one cycle, each of which needs the one before. Other processors have
other counts: those are told for whatever runs the instructions.
"""

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import _compiled
from _race import fastest

BEYOND_CACHES = 1 << 29
IN_CACHES = 1 << 24
STRIPS = (2, 3, 4, 8)
LINE = 8  # numbers of a cache line
CYCLES_A_REGISTER = {"v3": (13 + 2 + 4.5) / 2, "v4": 16.0}
ROWS_A_REGISTER = {"v3": 4, "v4": 8}


def plane_microseconds(rows: int, simd: str, hertz: float) -> float:
    """Least time of a step over rows of two columns, on one core; 0 if it is not known."""
    if simd not in CYCLES_A_REGISTER:
        return 0.0
    return -(-rows // ROWS_A_REGISTER[simd]) * CYCLES_A_REGISTER[simd] / hertz * 1e6


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


def is_bare_known(rows: int, columns: int) -> bool:
    """Whether `Bare` says what a step may take: elsewhere memory or slopes are the limit."""
    fits = rows * columns * 8 <= IN_CACHES and columns >= 12 * LINE and rows >= 32 * STRIPS[-1]
    return fits and _compiled.is_possible()


class Bare(_Counted):
    """Does the loads, stores and multiply-adds of `count` steps."""

    def __init__(self, rows: int, columns: int, threads: int) -> None:
        whole = -(-columns // LINE) * LINE
        stride = whole + LINE * (whole % 128 == 0)  # rows that contend for one place of a cache
        numbers = np.ones(rows * stride + LINE)
        skipped = -numbers.ctypes.data // numbers.itemsize % LINE
        self._held = numbers  # while it is read by address
        options = ["-O3", "-march=native", "-fopenmp"]
        steps = _compiled.library("_bare_steps.cpp", *options).bare_steps
        steps.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 3, *[ctypes.c_int] * 2]
        steps.argtypes += [ctypes.c_int64]
        steps.restype = ctypes.c_double
        place = numbers[skipped:].ctypes.data

        def way(strip: int) -> _Counted:
            return _Counted(lambda n: steps(place, rows, stride, whole, strip, threads, n))

        super().__init__(fastest(way(strip) for strip in STRIPS)._repeat)


class Clock(_Counted):
    """Takes `count` cycles of the processor."""

    def __init__(self) -> None:
        import _numba_limits  # noqa: PLC0415

        super().__init__(_numba_limits.chain)
        self.take(1)
