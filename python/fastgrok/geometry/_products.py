"""
Products of matrices and vectors of the margin solvers, all by the BLAS of SciPy.

NumPy has another one, with threads of its own, and those of either wait for work in loops. Where
the calls of both alternate, they take the processors from each other: solvers that factorise with
SciPy become several times slower.
"""

import numpy as np
from scipy.linalg.blas import dgemv, dsyrk

from fastgrok._checks import F64


def times(A: F64, vector: F64) -> F64:
    """Multiply A, contiguous in either order (else it is copied), by a vector."""
    if not A.size:
        return np.zeros(len(A))
    by_rows = A.flags.c_contiguous
    out: F64 = dgemv(1.0, A.T if by_rows else A, vector, trans=by_rows)
    return out


def gram(rows: F64, bias: bool = False) -> F64:
    """
    Products of rows, C-contiguous, with one another; with `bias` their last entries don't count.

    Only the upper triangle is filled. Of a part for increasing indices, in C order, the transpose
    is what LAPACK takes for `lower`. The rows must be the caller's own: their last entries are put
    aside meanwhile, for a copy without them may be large.
    """
    last = rows[:, -1].copy()
    if bias:
        rows[:, -1] = 0.0
    try:
        out: F64 = dsyrk(1.0, rows.T, trans=1)
    finally:
        rows[:, -1] = last
    return out
