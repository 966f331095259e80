"""
A number above all eigenvalues of a Gram matrix, in pieces that Ctrl-C may come between.

A LAPACK or BLAS call hears of nothing until it returns, and on thousands of columns takes seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.linalg import LinAlgError

from fastgrok._checks import F64

_EPS = float(np.finfo(np.float64).eps)
_SMALL = 512
"""LAPACK takes some milliseconds for a matrix of so many rows."""
_TILE = 256
"""Columns of a piece."""
_DEPTH = 1024
"""Terms that are added at a time to a sum of products."""
_SLACK = 2.0**-30
"""Of the eigenvalue, by which a bound may be too large."""


def add_products(gram: F64, z: F64, sign: float = 1.0) -> None:
    """
    Add sign z z^T to a symmetric matrix, of which the lower triangle counts.

    Parameters
    ----------
    gram : ndarray of shape (m, m)
        Is changed.
    z : ndarray of shape (m, any)
        Rows.
    sign : float, default 1.0
        -1 to subtract.
    """
    for begin in range(0, z.shape[1], _DEPTH):
        part = z[:, begin : begin + _DEPTH]
        for at in range(0, len(gram), _TILE):
            tile = slice(at, at + _TILE)
            gram[at:, tile] += part[at:] @ (sign * part[tile].T)


def above_eigenvalues(gram: F64, terms: int) -> float:
    """
    Return a number above all eigenvalues, if little.

    Parameters
    ----------
    gram : ndarray of shape (m, m)
        Sums of products of rows with one another, in the lower triangle; the upper one is written.
    terms : int
        Products that each entry sums, or more, whose rounding errors are counted.
    """
    m = len(gram)
    from scipy.linalg import eigh  # noqa: PLC0415

    # Of the sums in the matrix, and of the eigenvalue, which is backward stable.
    error = (terms + 10 * m) * _EPS * float(np.trace(gram))
    if m <= _SMALL:
        last = [m - 1, m - 1]
        return float(eigh(gram, eigvals_only=True, subset_by_index=last)[0]) + error
    for at in range(0, m, _TILE):
        tile = slice(at, at + _TILE)
        gram[tile, at:] = gram[at:, tile].T
    found = max(_from_below(gram), float(gram.diagonal().max()))
    slack = _SLACK
    while not _is_definite(found * (1.0 + slack), gram):
        slack *= 8.0
    # The factors' product differs from the matrix by less than (m + 2) units of rounding of the
    # sum of its diagonal, which is below m times the number (Rump 2006).
    return found * (1.0 + slack) * (1.0 + 2.0 * (m + 2) * m * _EPS) + error


def _from_below(gram: F64) -> float:
    """Return a lower bound of the largest eigenvalue, mostly close to it."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh  # noqa: PLC0415

    start = np.random.default_rng(0).standard_normal(len(gram))
    try:
        return float(eigsh(gram, 1, which="LA", v0=start, tol=1e-12, return_eigenvectors=False)[0])
    except ArpackNoConvergence:
        return 0.0


def _is_definite(number: float, gram: F64) -> bool:
    """Whether a Cholesky factorization of number I - gram comes to its end."""
    from scipy.linalg import solve_triangular  # noqa: PLC0415

    left = -gram
    left[np.diag_indices_from(left)] += number
    for at in range(0, len(left), _TILE):
        end = at + _TILE
        try:
            factor = np.linalg.cholesky(left[at:end, at:end])
        except LinAlgError:
            return False
        below = solve_triangular(factor, left[end:, at:end].T, lower=True, check_finite=False).T
        add_products(left[end:, end:], below, -1.0)
    return True
