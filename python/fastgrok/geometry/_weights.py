"""Few weights from many: Caratheodory's theorem as a simplex tableau, level by level."""

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._rows import Index
from fastgrok.geometry.products import (
    orthonormal_rows,
    pivoted_rows,
    product,
    row_triangle,
    solve_triangular,
    times,
)

_DEPENDENT = 1e-10
"""Rows of norm about 1 whose rest outside the others' span is smaller may depend on them."""
_MOST_WORK = 3e10
"""Bound on the sum of n D^2 over the levels: about a minute, for 400 levels in 400 dimensions."""
_ZERO = 1e-9
"""Weights and coefficients below this share of the largest may be zero."""


def without(Z: F64, span: F64 | None) -> F64:
    """Rows less their projections on the span of orthonormal columns."""
    if span is None:
        return Z
    for _ in range(2):
        Z = Z - product(product(Z, span), span.T)
    return Z


def balances(Z: F64, weights: F64, most: int | None = None) -> list[tuple[Index, int]]:
    """
    Find sets of rows that balance each other, each modulo the span of those before.

    Parameters
    ----------
    Z : ndarray of shape (n, D)
        Vectors of norm about 1.
    weights : ndarray of shape (n,)
        Positive, with sum_i weights_i z_i = 0 up to rounding.
    most : int, optional
        So many sets at most.

    Returns
    -------
    list of tuple of (ndarray, int)
        For every set the indices of independent rows, and of one more that completes it. Together
        they span what all rows span, up to rounding, if nothing goes wrong and it does not take
        too long.
    """
    out: list[tuple[Index, int]] = []
    live, rank, work = np.arange(len(Z)), 0, 0
    while live.size and work < _MOST_WORK and len(out) != most:
        work += live.size * Z.shape[1] ** 2
        found = reduce_weights(Z, weights)
        if found is None:
            break
        base, extra = found
        L, Q = orthonormal_rows(Z[base])
        share = -solve_triangular(L, times(Q, Z[extra]), transposed=True)
        needed = share > _ZERO * share.max()
        if not needed.any():
            break
        out.append((live[base[needed]], int(live[extra])))
        rank += int(np.count_nonzero(needed))
        if rank == Z.shape[1]:
            break
        Z = without(Z, orthonormal_rows(Z[base[needed]])[1].T)
        norms = np.linalg.norm(Z, axis=1)
        rest = norms > _ZERO
        live, norms = live[rest], norms[rest]
        Z, weights = Z[rest] / norms[:, None], weights[rest] * norms
    return out


def independent_rows(Z: F64, preference: F64) -> tuple[Index, Index]:
    """Split the indices of the rows into a basis of their span and the rest."""
    n, dim = Z.shape
    order = np.argsort(-preference, kind="stable")
    if n >= dim:
        L = row_triangle(Z[order[:dim]])
        if np.abs(np.diag(L)).min() > 1e-8:
            return order[:dim], order[dim:]
    left, pivots = pivoted_rows(Z[order])
    rank = int(np.count_nonzero(left > _DEPENDENT))
    return order[pivots[:rank]], order[pivots[rank:]]


def reduce_weights(Z: F64, weights: F64) -> tuple[Index, int] | None:
    """
    Rows that still balance each other, as few as possible.

    Parameters
    ----------
    Z : ndarray of shape (n, D)
        Vectors of norm about 1.
    weights : ndarray of shape (n,)
        Positive, with sum_i weights_i z_i = 0 up to rounding.

    Returns
    -------
    tuple of (ndarray, int) or None
        Indices of independent rows, and of one more row that depends on them: minus it is a
        combination of them with coefficients that are not negative, up to rounding. None if no
        row depends on others.
    """
    basis, rest = independent_rows(Z, weights)
    if not rest.size:
        return None
    L, Q = orthonormal_rows(Z[basis])
    table = solve_triangular(L, product(Q, Z[rest].T), transposed=True)
    table = np.ascontiguousarray(table.T)  # a row for each of the rest
    products = np.empty_like(table)  # memory of that size anew each time would cost most
    basis, p, q = basis.copy(), weights[basis], weights[rest]
    # Along this line the sum of weight times row stays zero: one weight of the rest falls, those
    # of the basis change by its column; whatever vanishes first goes.
    for last in range(len(rest) - 1, 0, -1):
        column = table[last]
        falling = (column < -_ZERO * np.abs(column).max()).nonzero()[0]
        steps = p[falling] / -column[falling]
        k = int(np.argmin(steps)) if falling.size else -1
        if k < 0 or steps[k] >= q[last]:
            p = np.maximum(p + q[last] * column, 0.0)
            continue
        out = int(falling[k])
        p = np.maximum(p + steps[k] * column, 0.0)
        p[out] = q[last] - steps[k]
        basis[out] = rest[last]
        pivot = table[:last, out] / column[out]
        table[:last] -= np.multiply.outer(pivot, column, out=products[:last])
        table[:last, out] = pivot
    return basis, int(rest[0])
