"""Optima and certificates checked in integers of any length; nothing of fastgrok is used here."""

from fractions import Fraction
from math import lcm

import numpy as np


def integers(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Integers m and an exponent k with values = m / 2^k, without rounding."""
    fractions = [float(v).as_integer_ratio() for v in np.ravel(values)]
    k = max(bottom for _, bottom in fractions).bit_length() - 1
    flat = [(top << k) // bottom for top, bottom in fractions]
    return np.array(flat, dtype=object).reshape(np.shape(values)), k


def extended(X: np.ndarray, y: np.ndarray, bias: bool) -> tuple[np.ndarray, int]:
    """Vectors y_i x_i, or y_i (x_i, 1), as integers over 2^k."""
    return integers(y[:, None] * (np.column_stack([X, np.ones(len(y))]) if bias else X))


def solve(matrix: np.ndarray, right: np.ndarray) -> list[Fraction] | None:
    """Solution of a square system of integers by Bareiss's elimination; None if it is singular."""
    table = np.column_stack([matrix, right]).astype(object)
    before = 1
    for k in range(len(table)):
        pivots = np.flatnonzero(table[k:, k])
        if not pivots.size:
            return None
        table[[k, k + pivots[0]]] = table[[k + pivots[0], k]]
        row = table[k].copy()
        others = np.arange(len(table)) != k
        table[others] = (row[k] * table[others] - np.outer(table[others, k], row)) // before
        before = row[k]
    return [Fraction(int(value), int(before)) for value in table[:, -1]]


def maximum_margin(
    X: np.ndarray, y: np.ndarray, bias: str, support: np.ndarray
) -> list[Fraction] | None:
    """
    The maximum-margin (w, b), proved: it meets the Karush-Kuhn-Tucker conditions without rounding.

    `bias` is "none", "penalized" or "free". None if `support` is not the support, or its rows are
    dependent.
    """
    rows, k = extended(X, y, bias != "none")
    one = 1 << k
    part = rows[support]
    weights = part[:, :-1] if bias == "free" else part
    matrix, right = weights @ weights.T, np.full(len(support), one * one, dtype=object)
    if bias == "free":
        matrix = np.block([[matrix, part[:, -1:]], [part[:, -1:].T, np.zeros((1, 1), dtype=int)]])
        right = np.append(right, 0)
    solved = solve(matrix, right)
    if solved is None or min(solved[: len(support)]) < 0:
        return None
    alpha = np.array(solved[: len(support)], dtype=object)
    theta = [Fraction(value) / one for value in alpha @ weights]
    if bias == "free":
        # The rows' equations have 4^k on the right and y 2^k beside the multiplier.
        theta.append(solved[-1] / one)
    scale = lcm(*(value.denominator for value in theta))
    whole = np.array([int(value * scale) for value in theta], dtype=object)
    return theta if min(rows @ whole) >= scale * one else None


def separates(X: np.ndarray, y: np.ndarray, bias: bool, theta: np.ndarray) -> bool:
    """Whether every row has a positive product with theta, in integers."""
    return bool(min(extended(X, y, bias)[0] @ integers(theta)[0]) > 0)


def balances(X: np.ndarray, y: np.ndarray, bias: bool, weights: np.ndarray) -> bool:
    """
    Whether rows with positive weights have positive weights that balance them, and span all.

    In integers, for d + 1 (with bias d + 2) rows, of which the first d must be independent.
    """
    chosen = np.flatnonzero(weights)
    rows = extended(X[chosen], y[chosen], bias)[0]
    solved = solve(rows[:-1].T, -rows[-1]) if len(rows) == rows.shape[1] + 1 else None
    return solved is not None and min(solved) > 0


def balance_slack(X: np.ndarray, y: np.ndarray, bias: bool, weights: np.ndarray) -> float:
    """
    How far exact weights can be from those given, over the least of them; far below 1 is good.

    What the weights leave over is computed in integers, the smallest singular value of the rows,
    over which it is divided, is not: this is no proof, but it shares nothing with the library's.
    """
    chosen = np.flatnonzero(weights)
    rows, k = extended(X[chosen], y[chosen], bias)
    p, shift = integers(weights[chosen])
    left = np.array([float(Fraction(int(v), 1 << (k + shift))) for v in p @ rows])
    least = np.linalg.svd(rows.astype(float) / float(1 << k), compute_uv=False)[rows.shape[1] - 1]
    return float(np.linalg.norm(left) / least / weights[chosen].min())


def _reduced(table: np.ndarray, columns: int) -> list[int]:
    """Bareiss's elimination of these columns, in place; returns those that are independent."""
    before, pivots = 1, []
    for j in range(columns):
        at = len(pivots)
        found = np.flatnonzero(table[at:, j])
        if not found.size:
            continue
        table[[at, at + found[0]]] = table[[at + found[0], at]]
        row = table[at].copy()
        others = np.arange(len(table)) != at
        table[others] = (row[j] * table[others] - np.outer(table[others, j], row)) // before
        before = row[j]
        pivots.append(j)
        if len(pivots) == len(table):
            break
    return pivots


def proves(
    X: np.ndarray, y: np.ndarray, bias: bool, verdict: str, weights: np.ndarray | None,
    separator: list[Fraction] | None,
) -> bool:  # fmt: skip
    """
    Whether a certificate of any verdict is one, in integers.

    Weights are if some close to them are: those of a basis of their rows, the largest first, follow
    from the others.
    """
    rows, _ = extended(X, y, bias)
    products = np.zeros(1, dtype=object)
    if separator is not None:
        below = lcm(*(value.denominator for value in separator))
        products = rows @ np.array([int(value * below) for value in separator], dtype=object)
    if verdict == "separable":
        return bool(min(products) > 0)
    if weights is None:
        return False
    chosen = np.flatnonzero(weights)
    chosen = chosen[np.argsort(-weights[chosen])]
    p, _ = integers(weights[chosen])
    table = np.column_stack([rows[chosen].T, rows[chosen].T @ p])
    pivots = _reduced(table, len(chosen))
    rank = len(pivots)
    if np.any(table[rank:, -1]):
        return False
    # p + c = 0 modulo the rest's rows: c of the pivots takes up what is left over.
    exact = [
        p[j] - Fraction(int(row[-1]), int(row[j])) for j, row in zip(pivots, table, strict=False)
    ]
    if exact and min(exact) <= 0:
        return False
    if verdict == "boundary":
        return bool(min(products) == 0 and max(products) > 0)
    return rank == rows.shape[1] or rank == len(_reduced(rows.T.copy(), len(rows)))
