"""A number above all eigenvalues of Z^T Z for sparse Z: of a Gram matrix, or of the magnitudes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.descent._eigenvalues import above_eigenvalues

_MOST_GRAM = 2048
"""Rows of the largest Gram matrix that is made: 32 MiB."""
_MOST_ROUNDS, _SETTLED = 200, 1e-6
_EPS, _LEAST = float(np.finfo(np.float64).eps), 1e-150


def above_sparse(rows: Any, exponent: int, roots: F64, one: F64 | None) -> float:
    """
    Return a number above all eigenvalues of sum_i z_i z_i^T.

    Of min(n, d) up to 2048 it is that of a Gram matrix, and little above. Beyond, the eigenvalue is
    that of the magnitudes |z_i| in place of z_i, which is not below (Perron and Frobenius) and the
    same where no entry is negative; every quotient (M x)_j / x_j of a positive x bounds it (Collatz
    and Wielandt).

    Parameters
    ----------
    rows : csr_array of shape (n, d)
        The rows x_i.
    exponent, roots : int and array of shape (n,)
        z_i begins with (x_i / 2^exponent) root_i.
    one : array of shape (n,), optional
        Last entries of the z_i, positive or 0, where there is a bias.
    """
    n, d = rows.shape
    bias = one is not None
    values = np.ldexp(rows.data.astype(np.float64), -exponent)
    values *= np.repeat(roots, np.diff(rows.indptr))
    z = type(rows)((values, rows.indices, rows.indptr), shape=rows.shape)
    if min(n, d + bias) <= _MOST_GRAM:
        return above_eigenvalues(_gram(z, one), n + d)
    np.abs(values, out=values)
    x = np.ones(d + bias)
    bound = float("inf")
    for _ in range(_MOST_ROUNDS):
        products = z @ x[:d]
        if one is not None:
            products += one * x[d]
        y = products @ z
        if one is not None:
            y = np.append(y, one @ products)
        before, bound = bound, min(bound, float((y / x).max()))
        if before - bound <= _SETTLED * bound:
            break
        x = np.maximum(y / y.max(), _LEAST)
    # Sums of positive numbers, each with at most so many terms.
    return float(bound * (1.0 + 2.0 * (n + d + 4) * _EPS))


def _gram(z: Any, one: F64 | None) -> F64:
    n, d = z.shape
    if d + (one is not None) > n:
        small: NDArray[Any] = (z @ z.T).toarray()
        return small if one is None else small + np.multiply.outer(one, one)
    gram: F64 = (z.T @ z).toarray()
    if one is not None:
        sums = one @ z
        gram = np.block([[gram, sums[:, None]], [sums[None], np.full((1, 1), one @ one)]])
    return gram
