r"""
What can be proved in floating-point arithmetic with bounds on its error.

Products of rows with a vector are computed with compensation, which leaves an error below
eps |z . u| + gamma_k^2 |z| . |u| (Ogita, Rump, Oishi 2005); where that leaves the sign open, the
product is computed in fractions. Solutions of linear systems are enclosed with an approximate
inverse (Rump 1983). Here eps = 2^-53, gamma_k = k eps / (1 - k eps), and a product of matrices or
vectors of length k is off by at most gamma_k times the product of the magnitudes, in any order of
summation.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from fastgrok._checks import F64
from fastgrok._core import accurate_product
from fastgrok.geometry._rows import Index, Rows
from fastgrok.geometry.products import orthonormal_rows, product, solve_triangular, times

_EPS = 2.0**-53
_TINY = 2.0**-1000
"""More than underflow adds to any sum here."""
_UP = 1.0 + 2.0**-30
"""More than the rounding of a bound's own computation."""


def _gamma(terms: int) -> float:
    return terms * _EPS / (1.0 - terms * _EPS) * _UP


def error_of_product(terms: int) -> float:
    """Bound the error of a product with compensation, but for its own rounding, over |z| . |u|."""
    return _gamma(terms + 2) ** 2


def all_positive(
    rows: Rows, index: Index, theta: F64, shift: Mapping[int, Fraction] | None = None
) -> bool:
    """
    Whether z_i . (theta + shift) > 0 for all rows with these indices; no answer is wrong.

    Parameters
    ----------
    rows : Rows
        The vectors.
    index : ndarray of int
        Which of them.
    theta : ndarray of shape (D,)
        Finite.
    shift : mapping of int to Fraction, optional
        Sparse vector, by column.
    """
    shift = shift or {}
    values = rows.margins(theta)[index]
    moved = float(sum(abs(value) for value in shift.values()))
    size = rows.largest()[index]
    error = error_of_product(rows.dim) * float(np.abs(theta).sum()) + moved
    with np.errstate(over="ignore", invalid="ignore"):
        bound = (error * size + 2.0 * _EPS * np.abs(values)) * _UP + _TINY * (1.0 + moved)
        certain = values > bound
        if np.any(values < -bound):
            return False
    if certain.all():
        return True
    exact = [Fraction(value) for value in theta.tolist()]
    for column, value in shift.items():
        exact[column] += value
    return all(_product(rows, int(i), exact) > 0 for i in index[~certain])


def _product(rows: Rows, row: int, vector: Sequence[Fraction]) -> Fraction:
    entries = rows.take([row])[0].tolist()
    return sum((Fraction(z) * u for z, u in zip(entries, vector, strict=True)), Fraction(0))


def positive_solution(base: F64, others: F64, guess: F64, weights: F64) -> bool:
    """
    Whether base^T x + others^T weights = 0 has just one solution, and that is positive.

    True is a proof: with R close to the inverse of M = base^T and E = I - R M, the solution exists
    and differs from the guess by at most |R r| + guess nu / (1 - nu) max(|R r| / guess), where r
    is what the guess leaves over and nu = max_i (|E| guess)_i / guess_i < 1. It is found for every
    base that is not too close to singular.

    Parameters
    ----------
    base : ndarray of shape (D, D)
        Rows.
    others : ndarray of shape (m, D)
        Rows.
    guess : ndarray of shape (D,)
        Approximate solution.
    weights : ndarray of shape (m,)
        Given weights.
    """
    if not np.all(guess > 0.0):
        return False
    dim = len(base)
    M = np.ascontiguousarray(base.T)
    L, Q = orthonormal_rows(np.ascontiguousarray(base))
    R = solve_triangular(L, Q, transposed=True)
    if not np.isfinite(R).all():
        return False
    gamma = _gamma(dim + 2)
    E = np.abs(np.eye(dim) - product(R, M))
    absolute = np.abs(R)
    spread = times(E, guess) + gamma * (times(absolute, times(np.abs(M), guess)) + guess)
    nu = float(((spread * _UP + dim * _TINY) / guess).max()) * _UP

    table = np.concatenate([M, others.T], axis=1)
    point = np.concatenate([guess, weights])
    left = np.abs(accurate_product(table, point)) * _UP
    terms = table.shape[1] + 2
    left += _gamma(terms) ** 2 * times(np.abs(table), np.abs(point)) * _UP + _TINY
    off = float((times(absolute, left) * (_UP + gamma) / guess).max()) * _UP
    return bool(nu < 0.5 and off < 1.0 - nu - 1e-6)
