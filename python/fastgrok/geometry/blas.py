"""
The BLAS and the LAPACK of SciPy, without the lock of the interpreter.

SciPy's own functions keep it, and then no other thread, and no signal, is heard of before they
return. These are the same routines under the same arguments, to the same bits; they are found where
SciPy shows them to Cython. Matrices are what Fortran takes for one: columns one after the other.
"""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401 (here, as a fork while a thread imports it leaves the child stuck)
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok._checks.aside import aside


@cache
def _routine(module: str, name: str, count: int) -> Any:
    capsule = import_module(f"scipy.linalg.{module}").__pyx_capi__[name]
    api = ctypes.pythonapi
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", api)
    )
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * count)  # which lets go of the lock
    return kind(pointer_of(capsule, name_of(capsule)))


def _call(module: str, name: str, *arguments: Any) -> None:
    """Call a routine of Fortran, which takes pointers: to letters, int, float and arrays."""
    held: list[Any] = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            held.append(value.ctypes.data_as(ctypes.c_void_p))
        elif isinstance(value, bytes):
            held.append(ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p))
        elif isinstance(value, int):
            held.append(ctypes.cast(ctypes.pointer(ctypes.c_int(value)), ctypes.c_void_p))
        else:
            held.append(ctypes.cast(ctypes.pointer(ctypes.c_double(value)), ctypes.c_void_p))
    aside(_called, _routine(module, name, len(arguments)), *held)


def _called(routine: Any, *arguments: Any) -> None:
    with _GATE:
        _under_way.append(threading.get_ident())
    try:
        routine(*arguments)
    finally:
        with _GATE:
            _under_way.remove(threading.get_ident())
            _GATE.notify_all()


# OpenBLAS ends its threads before a fork: a call that another thread is in the midst of would wait
# for them for ever. So a fork waits for such calls, and they for it.
_GATE = threading.Condition()
_under_way: list[int] = []  # threads


def _close_gate() -> None:
    _GATE.acquire()
    while _under_way:
        _GATE.wait()


def _open_gate_in_child() -> None:
    _under_way.clear()
    _GATE.release()


os.register_at_fork(
    before=_close_gate, after_in_parent=_GATE.release, after_in_child=_open_gate_in_child
)


def _by_columns(matrix: F64) -> tuple[F64, bytes]:
    """Return the matrix for Fortran, without a copy where it lies in either order; b"T": turned."""
    if matrix.flags.f_contiguous:
        return matrix, b"N"
    return np.ascontiguousarray(matrix).T, b"T"


def _status() -> NDArray[np.intc]:
    return np.zeros(1, dtype=np.intc)


def dgemm(A: F64, B: F64) -> F64:
    """Multiply matrices, the first of which and the second lie by columns or are copied so."""
    A, B = np.asfortranarray(A), np.asfortranarray(B)
    (m, k), n = A.shape, B.shape[1]
    out = np.zeros((m, n), order="F")
    _call("cython_blas", "dgemm", b"N", b"N", m, n, k, 1.0, A, m, B, k, 0.0, out, m)
    return out


def dsyrk(sign: float, A: F64, C: F64) -> F64:
    """Add sign A A^T to C, which lies by columns and is changed, above the diagonal."""
    A = np.asfortranarray(A)
    n, k = A.shape
    _call("cython_blas", "dsyrk", b"U", b"N", n, k, sign, A, n, 1.0, C, n)
    return C


def dpotrf(A: F64) -> bool:
    """Put U with U^T U = A into A, which lies by columns; False if there is none."""
    info = _status()
    _call("cython_lapack", "dpotrf", b"U", len(A), A, len(A), info)
    return int(info[0]) == 0


def solve_lower(lower: F64, right: F64, transposed: bool) -> F64:
    """Solve L x = right, or L^T x = right; raises LinAlgError if L is singular."""
    out = np.array(right, order="F")
    factor, turned = _by_columns(lower)
    n, count = len(lower), 1 if out.ndim == 1 else out.shape[1]
    side = b"L" if turned == b"N" else b"U"
    trans = b"T" if transposed != (turned == b"T") else b"N"
    info = _status()
    _call("cython_lapack", "dtrtrs", side, trans, b"N", n, count, factor, n, out, n, info)
    if info[0] > 0:
        raise LinAlgError(f"singular matrix: the factor is 0 in row {info[0]} of its diagonal")
    return out


def dpstrf(A: F64, tolerance: float) -> tuple[NDArray[np.intp], int]:
    """Put L with L L^T = P^T A P into A, which lies by columns; return P and the rank."""
    n = len(A)
    pivots, rank, info = np.empty(n, dtype=np.intc), _status(), _status()
    work = np.empty(2 * n)
    _call("cython_lapack", "dpstrf", b"L", n, A, n, pivots, rank, tolerance, work, info)
    return pivots.astype(np.intp) - 1, int(rank[0])


def singular_values(A: F64) -> F64:
    """Return them, the largest first; raises LinAlgError if they are not found."""
    work_on = np.array(A, order="F")
    m, n = work_on.shape
    values, beside = np.empty(min(m, n)), np.empty(1)
    integers, info = np.empty(8 * min(m, n), dtype=np.intc), _status()

    def solve(room: F64, size: int) -> None:
        _call(
            "cython_lapack", "dgesdd", b"N", m, n, work_on, m, values, beside, 1, beside, 1,
            room, size, integers, info,
        )  # fmt: skip

    wanted = np.empty(1)
    solve(wanted, -1)
    solve(np.empty(int(wanted[0])), int(wanted[0]))
    if info[0] != 0:
        raise LinAlgError("SVD did not converge")
    return values
