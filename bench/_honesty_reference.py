"""Gradient descent in long double: every step of it, and far beyond by collocation in log(steps).

References for honesty.py. They share nothing with fastgrok: `_honesty_reference.cpp` is compiled by
the C++ compiler that the installation needs (`CXX`, or c++), and the coefficients of the
collocation come from mpmath.
"""

import ctypes
import functools
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from scipy.sparse.csgraph import connected_components

import _compiled

Long = np.longdouble
STAGES = 5
FIRST, MOST = 4096, 65536  # exact steps before the integration
LOSSES = {"logistic": 0, "exponential": 1, "squared": 2}
AFFORDABLE = 1e9  # multiplications, and exponentials as 60 of them


class NoReferenceError(Exception):
    """The motion is not smooth enough for the integration, or cancels too much for long double."""


@dataclass
class Coordinates:
    """
    Descent in coordinates v of one's choice: u = (w, b) is turn @ v + shift.

    `rows` (n, D) are signed, margins are rows @ v + offset (n,).
    """

    rows: Any
    offset: Any
    start: Any  # (D,)
    turn: Any  # (d + 1, D)
    shift: Any  # (d + 1,)


@dataclass(frozen=True)
class Steps:
    """
    Steps that are not those of plain descent.

    `decay` (D) is lr times the weight decay of each coordinate, `size` the length of all steps if
    they are normalized, else 0; the rest as fastgrok.train has it.
    """

    decay: Any
    momentum: float = 0.0
    nesterov: bool = False
    exponent: float = 0.0
    length: float = 1.0
    size: float = 0.0


@functools.cache
def _library() -> ctypes.CDLL:
    library = _compiled.library("_honesty_reference.cpp", "-O2")
    size, real, pointer = ctypes.c_int64, ctypes.c_longdouble, ctypes.c_void_p
    problem = [size, size, pointer, pointer, real, ctypes.c_int]
    library.every_step.argtypes = [*problem, pointer, size, pointer, pointer]
    library.every_step.restype = None
    library.every_other_step.argtypes = [
        *problem, pointer, real, ctypes.c_int, real, real, real, pointer, size, pointer, pointer,
    ]  # fmt: skip
    library.every_other_step.restype = None
    library.far_steps.argtypes = [
        *problem, real, pointer, size, pointer, real, real, pointer, pointer, pointer, pointer,
    ]  # fmt: skip
    library.far_steps.restype = size
    return library


def _long(values: Any) -> Any:
    return np.ascontiguousarray(values, dtype=Long)


@functools.cache
def _radau() -> tuple[Any, Any, Any]:
    """Nodes and weights of Radau IIA with 5 stages, and slopes through 0 and the nodes."""
    with mpmath.workdps(50):
        x = mpmath.mpf

        def legendre(n: int) -> list[Any]:  # shifted to [0, 1], lowest power first
            return [
                x((-1) ** (n + k)) * mpmath.binomial(n, k) * mpmath.binomial(n + k, k)
                for k in range(n + 1)
            ]

        last = legendre(STAGES)
        poly = [a - b for a, b in zip(last, [*legendre(STAGES - 1), x(0)], strict=True)]
        near = np.sort(np.polynomial.Polynomial([float(a) for a in poly]).roots().real)

        def value(c: Any) -> Any:
            return sum(a * c**k for k, a in enumerate(poly))

        nodes = [mpmath.findroot(value, x(float(c))) for c in near]
        powers = mpmath.matrix([[c**k for k in range(STAGES)] for c in nodes])
        sums = mpmath.matrix([[c ** (k + 1) / (k + 1) for k in range(STAGES)] for c in nodes])
        weights = sums * powers**-1
        ends = [x(0), *nodes]
        powers = mpmath.matrix([[c**k for k in range(STAGES + 1)] for c in ends])
        derivatives = mpmath.matrix(
            [[k * c ** (k - 1) if k else x(0) for k in range(STAGES + 1)] for c in ends]
        )
        slopes = derivatives * powers**-1

        def array(values: Any) -> Any:
            return np.array([Long(mpmath.nstr(v, 30)) for v in values], dtype=Long)

        return array(nodes), array(weights), array(slopes)


def every_step(
    where: Coordinates, rate: Any, loss: str, record: Any, steps: Steps | None = None
) -> Any:
    """v at these steps, (records, D), by taking every step."""
    rows, offset, start = _long(where.rows), _long(where.offset), _long(where.start)
    record = np.ascontiguousarray(record, dtype=np.int64)
    out = np.empty((len(record), rows.shape[1]), dtype=Long)
    if steps is not None:
        decay = _long(steps.decay)
        _library().every_other_step(
            *rows.shape, rows.ctypes.data, offset.ctypes.data, Long(rate), LOSSES[loss],
            decay.ctypes.data, Long(steps.momentum), steps.nesterov, Long(steps.exponent),
            Long(steps.length), Long(steps.size), start.ctypes.data, len(record),
            record.ctypes.data, out.ctypes.data,
        )  # fmt: skip
        return out
    _library().every_step(
        *rows.shape, rows.ctypes.data, offset.ctypes.data, Long(rate), LOSSES[loss],
        start.ctypes.data, len(record), record.ctypes.data, out.ctypes.data,
    )  # fmt: skip
    return out


def blocks(rows: Any) -> list[tuple[Any, Any]]:
    """Rows and columns that have to do with each other, (rows, columns) of each such block."""
    used = np.asarray(rows) != 0
    count, of = connected_components(used.T @ used, directed=False)
    found = []
    for each in range(count):
        columns = np.flatnonzero(of == each)
        own = np.flatnonzero(used[:, columns].any(axis=1))
        if own.size:
            found.append((own, columns))
    return found


def _far(
    where: Coordinates, rate: Any, loss: str, k0: int, start: Any, record: Any, tolerance: float
) -> Any:
    nodes, weights, slopes = _radau()
    record = _long(record)
    out = np.repeat(start[1:2], len(record), axis=0)
    floor = Long(1e-4) * size(start[1])
    for own, columns in blocks(where.rows):
        rows, offset = _long(where.rows[np.ix_(own, columns)]), _long(where.offset[own])
        begin = _long(start[:, columns])
        part = np.empty((len(record), len(columns)), dtype=Long)
        reached = _library().far_steps(
            *rows.shape, rows.ctypes.data, offset.ctypes.data, Long(rate), LOSSES[loss],
            Long(k0), begin.ctypes.data, len(record), record.ctypes.data, floor, Long(tolerance),
            nodes.ctypes.data, weights.ctypes.data, slopes.ctypes.data, part.ctypes.data,
        )  # fmt: skip
        if reached < len(record):
            raise NoReferenceError(f"the integration stops before step {record[reached]:.3g}")
        out[:, columns] = part
    return out


def size(v: Any) -> Any:
    """Norms along the last axis without underflow."""
    most = np.maximum(np.abs(v).max(axis=-1), np.finfo(Long).tiny)
    return most * np.sqrt(((v / most[..., None]) ** 2).sum(axis=-1))


def reference(
    where: Coordinates,
    rate: Any,
    loss: str,
    record: Any,
    tolerance: float = 1e-13,
    steps: Steps | None = None,
    affordable: float = AFFORDABLE,
) -> Any:
    """
    (w, b) at these steps, (records, d + 1) in long double.

    Where it is affordable (about a second), by taking every step. Otherwise so up to 2 k0, where an
    integration from k0 on must agree, or else k0 is doubled; the rest is integrated from there.
    Other steps than those of plain descent are all taken.
    """
    record = np.asarray(record, dtype=np.float64)
    if steps is not None:
        return _turned(where, every_step(where, rate, loss, record, steps))
    rows, columns = where.rows.shape
    if rows * (60 + 4 * columns) * record[-1] <= affordable or record[-1] <= FIRST:
        return _turned(where, every_step(where, rate, loss, record))
    k0 = FIRST
    while True:
        near = [int(k) for k in record if k <= 2 * k0]
        near_k0 = sorted({*near, k0 - 1, k0, k0 + 1, 2 * k0 - 1, 2 * k0, 2 * k0 + 1})
        v = dict(zip(near_k0, every_step(where, rate, loss, near_k0), strict=True))
        start = np.array([v[k] for k in (k0 - 1, k0, k0 + 1)])
        again = np.array([v[k] for k in (2 * k0 - 1, 2 * k0, 2 * k0 + 1)])
        try:
            (there,) = _far(where, rate, loss, k0, start, [2 * k0], tolerance)
            off = size(there - again[1]) / size(again[1])
            if not off <= 1e-13:
                raise NoReferenceError(f"the integration is off by {off:.1g} at step {2 * k0}")
            rest = _far(where, rate, loss, 2 * k0, again, record[len(near) :], tolerance)
            return _turned(where, [*(v[k] for k in near), *rest])
        except NoReferenceError:
            if 2 * k0 > MOST:
                raise
            k0 *= 2


def _turned(where: Coordinates, v: Any) -> Any:
    return np.array(v) @ _long(where.turn).T + _long(where.shift)
