"""Loops that measure the machine, compiled by Numba."""

from collections.abc import Callable

import numpy as np
from numba import njit, prange

FAST = {"fastmath": True, "error_model": "numpy"}
LINE = 8  # numbers of a cache line


@njit(**FAST)
def one_stream(a):
    s = 0.0
    for i in range(a.size):
        s += a[i]
    return s


@njit(**FAST)
def four_streams(a):
    n = a.size // 4
    b, c, d, e = a[:n], a[n : 2 * n], a[2 * n : 3 * n], a[3 * n : 4 * n]
    s = t = u = v = 0.0
    for i in range(n):
        s += b[i]
        t += c[i]
        u += d[i]
        v += e[i]
    return (s + t) + (u + v)


SUMS = (one_stream, four_streams)


def reader(numbers: np.ndarray, threads: int, add: Callable[..., float]) -> Callable[[int], float]:
    """A function that reads the numbers so many times, every thread its own share."""

    @njit(parallel=threads > 1, **FAST)
    def read(a, count):
        total = 0.0
        for t in prange(threads):
            share = a[a.size * t // threads : a.size * (t + 1) // threads]
            for k in range(count):
                # Not the same sum twice, lest it be computed once.
                total += add(share[LINE * (k % 2) :])
        return total

    return lambda count: float(read(numbers, count))


@njit
def _chain(count, add, flip):
    x = count
    for _ in range(count // 2):
        x = (x + add) ^ flip  # two operations of one cycle
    return x


def chain(cycles: int) -> int:
    return int(_chain(cycles, 0x5DEECE66D, 0x2545F4914F6CDD1D))
