"""
Dense linear algebra of the geometry: our own kernels, and the BLAS for what is very large.

The threads of a BLAS are those of the whole process. How many they are cannot be set for one
solver beside others, and they wait for each other in loops: in many short calls they gain next to
nothing on idle processors, and on busy ones make solvers a hundred times slower. So only calls
that take long go there. All others stay on the thread that calls, and give the same bits on every
processor with fused multiply-add.

Matrices are C-contiguous where nothing else is said; of symmetric ones and of Cholesky factors the
lower triangle counts. SciPy is slow to import, and only where it is called.
"""

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok._checks.aside import aside, decomposed
from fastgrok._core import add_gram as core_add_gram
from fastgrok._core import cholesky as core_cholesky
from fastgrok._core import order_by_distance as core_order_by_distance
from fastgrok._core import orthonormal_rows as core_orthonormal_rows
from fastgrok._core import product as core_product
from fastgrok._core import solve_triangular as core_solve_triangular
from fastgrok._core import times as core_times
from fastgrok.geometry import blas

_MANY_ENTRIES = 1 << 22
"""Of a matrix times a vector: some milliseconds."""
_MANY_TERMS = 1 << 30
"""Of products of matrices: some 50 milliseconds."""


def times(A: F64, vector: F64) -> F64:
    """Multiply A, contiguous in either order, by a vector."""
    if A.size < _MANY_ENTRIES:
        return core_times(A, vector)
    from scipy.linalg.blas import dgemv  # noqa: PLC0415

    by_rows = A.flags.c_contiguous
    out: F64 = dgemv(1.0, A.T if by_rows else A, vector, trans=by_rows)
    return out


def product(A: F64, B: F64) -> F64:
    """Multiply matrices of any layout."""
    if A.size * B.shape[1] < _MANY_TERMS:
        return core_product(A, B)
    return blas.dgemm(B.T, A.T).T


def add_gram(products: F64, rows: F64, sign: float = 1.0) -> F64:
    """Add products of rows, of any layout, with one another; `products` may be changed."""
    if rows.size * len(rows) < _MANY_TERMS:
        core_add_gram(products, rows, sign)
        return products
    return blas.dsyrk(sign, rows, products.T).T


def gram(rows: F64) -> F64:
    """Products of rows, of any layout, with one another."""
    return add_gram(np.zeros((len(rows), len(rows))), rows)


def cholesky(matrix: F64) -> F64:
    """Factor of a matrix, which may be changed; raises LinAlgError if it is not positive."""
    if len(matrix) ** 3 < _MANY_TERMS:
        found, factor = core_cholesky(matrix), matrix
    else:
        found, factor = blas.dpotrf(matrix.T), matrix
    if not found:
        raise LinAlgError("the matrix is not positive definite")
    return factor


def solve_triangular(factor: F64, right: F64, transposed: bool = False) -> F64:
    """Solve L x = right, or L^T x = right, for one right side or several columns of them."""
    if len(factor) * right.size < _MANY_TERMS:
        return core_solve_triangular(factor, np.ascontiguousarray(right), transposed)
    return blas.solve_lower(factor, right, transposed)


def solve_cholesky(factor: F64, right: F64) -> F64:
    """Solve L L^T x = right."""
    return solve_triangular(factor, solve_triangular(factor, right), transposed=True)


def orthonormal_rows(rows: F64) -> tuple[F64, F64]:
    """Return L, with zeros above the diagonal, and orthonormal rows Q with rows = L Q."""
    if rows.size * len(rows) < _MANY_TERMS:
        return core_orthonormal_rows(rows)
    from scipy.linalg import qr  # noqa: PLC0415

    Q, R = aside(qr, rows.T, mode="economic", check_finite=False)
    return np.ascontiguousarray(R.T), np.ascontiguousarray(Q.T)


def row_triangle(rows: F64) -> F64:
    """Return that L alone, which takes less."""
    if rows.size * len(rows) < _MANY_TERMS:
        return core_orthonormal_rows(rows, basis=False)[0]
    from scipy.linalg import qr  # noqa: PLC0415

    (R,) = aside(qr, rows.T, mode="r", check_finite=False)
    return np.ascontiguousarray(R[: len(rows)].T)


def reciprocal_condition(matrix: F64) -> float:
    """Estimate that of a matrix with at least as many rows as columns, about."""
    from scipy.linalg import lapack  # noqa: PLC0415

    L = row_triangle(np.ascontiguousarray(matrix.T))
    estimate: float = lapack.dtrcon(L.T)[0]
    return estimate


def pivoted_rows(rows: F64) -> tuple[F64, NDArray[np.intp]]:
    """Diagonal of L, and the order of the rows, where every row is the farthest from the last."""
    if rows.size * min(rows.shape) < _MANY_TERMS:
        distance, order = core_order_by_distance(np.ascontiguousarray(rows))
        return distance, order.astype(np.intp)
    from scipy.linalg import qr  # noqa: PLC0415

    R, pivots = decomposed(qr, rows.T, mode="r", pivoting=True, check_finite=False)
    return np.abs(np.diag(R)), pivots.astype(np.intp)
