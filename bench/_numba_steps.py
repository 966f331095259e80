"""The loops of the Numba sides, compiled for the types that they are called with.

A block of rows is read once: its products with u, then the sigmoids, then the sums over its rows
while these are still in the nearer caches. Four rows at a time share the loads of u and of the
sums. Two columns (and the one of ones) are stored as three vectors, whose loops run over the rows.
All of it vectorises but math.exp, which is called number by number because Numba's wheels come
without Intel's SVML; so there is a second form of the sigmoid with an exp of its own, a Taylor
polynomial and the bits of a power of two.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, prange

# Infinities stay what they are: exp overflows where a margin is large.
FAST = {"fastmath": {"reassoc", "contract", "arcp", "nsz", "afn"}, "error_model": "numpy"}
BLOCK_BYTES = 1 << 17
MOST_ROWS = 256
LINE = 16  # numbers between what two threads write

Descend = Callable[[np.ndarray, np.ndarray, np.generic, int], None]


@njit(**FAST)
def dot_rows(Z, u, rate, m):
    n, d = Z.shape
    zero = rate - rate  # of the type that is computed in
    for i in range(0, n - n % 4, 4):
        z0, z1, z2, z3 = Z[i], Z[i + 1], Z[i + 2], Z[i + 3]
        m0 = m1 = m2 = m3 = zero
        for j in range(d):
            m0 += z0[j] * u[j]
            m1 += z1[j] * u[j]
            m2 += z2[j] * u[j]
            m3 += z3[j] * u[j]
        m[i], m[i + 1], m[i + 2], m[i + 3] = m0, m1, m2, m3
    for i in range(n - n % 4, n):
        m0 = zero
        for j in range(d):
            m0 += Z[i, j] * u[j]
        m[i] = m0


@njit(**FAST)
def add_rows(Z, p, g):
    n, d = Z.shape
    for i in range(0, n - n % 4, 4):
        z0, z1, z2, z3 = Z[i], Z[i + 1], Z[i + 2], Z[i + 3]
        p0, p1, p2, p3 = p[i], p[i + 1], p[i + 2], p[i + 3]
        for j in range(d):
            g[j] += p0 * z0[j] + p1 * z1[j] + p2 * z2[j] + p3 * z3[j]
    for i in range(n - n % 4, n):
        for j in range(d):
            g[j] += p[i] * Z[i, j]


@njit(**FAST)
def dot_plane(x, y, z, u, m):
    a, b, c = u
    for i in range(m.size):
        m[i] = x[i] * a + y[i] * b + z[i] * c


@njit(**FAST)
def add_plane(x, y, z, p, rate, g):
    a = b = c = rate - rate
    for i in range(p.size):
        a += p[i] * x[i]
        b += p[i] * y[i]
        c += p[i] * z[i]
    g[0] += a
    g[1] += b
    g[2] += c


@njit(**FAST)
def plain_sigmoids(p, rate, numbers, bits):
    one = rate / rate
    for i in range(p.size):
        p[i] = rate / (one + math.exp(p[i]))


@njit(**FAST)
def own_sigmoids(p, rate, numbers, bits):
    per_log, log2, half, least, most = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    c0, c1, c2, c3, c4, c5 = (
        numbers[5], numbers[6], numbers[7], numbers[8], numbers[9], numbers[10],
    )  # fmt: skip
    c6, c7, c8, c9, c10, c11 = (
        numbers[11], numbers[12], numbers[13], numbers[14], numbers[15], numbers[16],
    )  # fmt: skip
    one = rate / rate
    bias, shift = bits[-2], bits[-1]
    power = bits.view(p.dtype)
    for i in range(p.size):
        t = p[i] * per_log
        t = least if t < least else t
        t = most if t > most else t
        k = np.floor(t + half)
        p[i] = (t - k) * log2
        bits[i] = (np.int32(k) + bias) << shift
    for i in range(p.size):
        r = p[i]
        e = c8 + r * (c9 + r * (c10 + r * c11))
        e = c4 + r * (c5 + r * (c6 + r * (c7 + r * e)))
        e = c0 + r * (c1 + r * (c2 + r * (c3 + r * e)))
        p[i] = rate / (one + e * power[i])


def _numbers(dtype: np.dtype[Any]) -> np.ndarray:
    """log2(e), ln 2, 1/2, the range of binary exponents, and the coefficients of exp."""
    double = dtype == np.float64
    reach = (-1021, 1023) if double else (-125, 127)
    taylor = [1 / math.factorial(k) if double or k < 8 else 0.0 for k in range(12)]
    return np.array([1 / math.log(2), math.log(2), 0.5, *reach, *taylor], dtype)


def _bits(dtype: np.dtype[Any], threads: int) -> np.ndarray:
    """Room for powers of two as integers; the bias of an exponent and its place at the end."""
    double = dtype == np.float64
    bits = np.empty((threads, MOST_ROWS + LINE), np.int64 if double else np.int32)
    bits[:, -2:] = (1023, 52) if double else (127, 23)
    return bits


def descent(task: Any, dtype: np.dtype[Any], own_exp: bool) -> Descend:
    """A function that takes so many steps with `u`, for rows as they are stored for it."""
    threads, size = task.threads, task.columns + 1
    plane = task.columns == 2
    sigmoids = own_sigmoids if own_exp else plain_sigmoids
    row_bytes = size * np.dtype(task.dtype).itemsize
    block = min(MOST_ROWS, max(8, BLOCK_BYTES // row_bytes // 8 * 8))

    @njit(**FAST)
    def part(Z, first, last, u, rate, numbers, bits, m, g):
        g[:] = rate - rate
        for i in range(first, last, block):
            end = min(i + block, last)
            p = m[: end - i]
            if plane:
                x, y, z = Z[0, i:end], Z[1, i:end], Z[2, i:end]
                dot_plane(x, y, z, u, p)
                sigmoids(p, rate, numbers, bits)
                add_plane(x, y, z, p, rate, g)
            else:
                rows = Z[i:end]
                dot_rows(rows, u, rate, p)
                sigmoids(p, rate, numbers, bits)
                add_rows(rows, p, g)

    @njit(parallel=threads > 1, **FAST)
    def descend(Z, u, rate, steps, numbers, bits, m, g):
        n = Z.shape[1] if plane else Z.shape[0]
        for _ in range(steps):
            for t in prange(threads):
                part(
                    Z, n * t // threads, n * (t + 1) // threads, u, rate,
                    numbers, bits[t], m[t], g[t, :size],
                )  # fmt: skip
            for t in range(threads):
                for j in range(size):
                    u[j] += g[t, j]

    work = (
        _numbers(dtype),
        _bits(dtype, threads),
        np.empty((threads, MOST_ROWS + LINE), dtype),
        np.empty((threads, size + LINE), dtype),
    )
    return lambda Z, u, rate, steps: descend(Z, u, rate, steps, *work)
