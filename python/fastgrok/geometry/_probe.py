"""Candidates in floating point: a vector that separates rows, or few rows that balance."""

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.linalg import LinAlgError

from fastgrok._checks import F64
from fastgrok.geometry._hard_margin import HardMargin, NotSeparatedError
from fastgrok.geometry._rows import Index, Rows
from fastgrok.geometry._soft_margin import SoftMargin
from fastgrok.geometry._weights import balances, without

_FEWEST, _MOST = 300, 3000
_MOST_PRICE = 1e18
_MOST_HARD_WORK = 3e7
_TOLERANCE = 1e-3
"""Of a hard margin that need only be positive."""


@dataclass
class Candidate:
    """
    What may be true.

    Attributes
    ----------
    order : ndarray of int
        Rows that were looked at, those that matter most first.
    alpha : ndarray
        How much each of them matters: their dual coefficients.
    theta : ndarray of shape (D,) or None
        Separates all rows.
    pulling : tuple of (ndarray of int, ndarray, ndarray), optional
        Rows that balance each other, modulo the span and scaled to norms of 1, and weights.
    """

    order: Index
    alpha: F64
    theta: F64 | None = None
    pulling: tuple[Index, F64, F64] | None = None

    def levels(self, most: int | None = None) -> list[tuple[Index, int]]:
        """Few rows that balance each other, at most so many sets of them: see `balances`."""
        if self.pulling is None:
            return []
        rows, Z, weights = self.pulling
        return [(rows[base], int(rows[extra])) for base, extra in balances(Z, weights, most)]


def working_size(dim: int) -> int:
    """So many rows are worked on at once; others only have their margins computed."""
    return max(_FEWEST, 4 * dim, min(40 * dim, _MOST))


def first_rows(rows: Rows, start: F64 | None) -> Index:
    """Rows to begin with, of both classes: with the least margins at a start or at the mean row."""
    size = working_size(rows.dim)
    if rows.count <= 1.5 * size:
        return np.arange(rows.count)
    direction = rows.mean() if start is None else start
    order = np.argsort(rows.margins(direction), kind="stable")
    positive = rows.y[order] > 0.0
    halves = [order[positive][: size // 2], order[~positive][: size // 2]]
    return np.sort(np.concatenate(halves))


def probe(rows: Rows, live: Index, span: F64 | None) -> Candidate:
    """
    Look for a vector orthogonal to a span that has positive products with rows.

    Parameters
    ----------
    rows : Rows
        The vectors.
    live : ndarray of int
        Which of them; none in the span.
    span : ndarray of shape (D, k), optional
        Orthonormal columns.
    """
    size = working_size(rows.dim)
    chosen = live
    if len(live) > 1.5 * size:
        chosen = np.sort(live[np.argsort(rows.margins(rows.mean())[live], kind="stable")[:size]])
    while True:
        Z = without(rows.scaled(chosen)[0], span)
        norms = np.linalg.norm(Z, axis=1)
        Z /= np.where(norms > 0.0, norms, 1.0)[:, None]
        soft = SoftMargin(np.ascontiguousarray(Z), None)
        if not _separated(soft):
            return _balance(soft, chosen)
        if len(chosen) == len(live):
            return Candidate(*_order(soft, chosen), theta=soft.theta)
        margins = rows.margins(soft.theta)
        margins[chosen] = np.inf
        below = live[margins[live] <= 0.0]
        if not below.size:
            return Candidate(*_order(soft, chosen), theta=soft.theta)
        worst = below[np.argsort(margins[below] / rows.largest()[below], kind="stable")]
        chosen = np.union1d(chosen, worst[:size])


def hard_separator(rows: Rows, candidate: Candidate) -> F64 | None:
    """
    Separator of the rows that were looked at, if one is found where soft margins end.

    They resolve margins down to some 1e-12 of the rows' norms, a hard margin as much as float64.
    Where there are too many rows it is not tried, for without a separator it may take long to end.
    """
    if len(candidate.order) * rows.dim**2 > _MOST_HARD_WORK:
        return None
    Z = rows.scaled(candidate.order)[0]
    for guess in (candidate.alpha, np.ones(len(Z))):
        if not (np.isfinite(guess).all() and guess.any()):
            continue
        hard = HardMargin(Z, None, guess, _TOLERANCE)
        with contextlib.suppress(NotSeparatedError, LinAlgError):
            hard.solve()
            if np.isfinite(hard.theta).all() and hard.theta.any():
                return hard.theta
    return None


def _separated(soft: SoftMargin) -> bool:
    price = 1.0
    while price < _MOST_PRICE:
        try:
            steps = soft.raise_price(price, until_separated=True)
        except LinAlgError:
            return False
        if soft.separated:
            return True
        if steps == 1 and soft.upper_bound < 1e-12:
            return False
        price *= 100.0 if steps == 1 else 30.0
    return False


def _order(soft: SoftMargin, chosen: Index) -> tuple[Index, F64]:
    order = np.lexsort((soft.margins, -soft.alpha))
    return chosen[order], soft.alpha[order]


def _balance(soft: SoftMargin, chosen: Index) -> Candidate:
    pulling = np.flatnonzero(soft.alpha > 0.0)
    found = chosen[pulling], soft.Z[pulling], soft.alpha[pulling]
    return Candidate(*_order(soft, chosen), pulling=found)
