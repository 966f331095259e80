"""What is true of separation, in integers of any length; nothing of fastgrok is used here."""

from fractions import Fraction
from math import lcm

import numpy as np

from _rational import extended, integers

_PRIME = 2**31 - 1


def vectors(X: np.ndarray, y: np.ndarray, bias: bool) -> np.ndarray:
    """Positive integer multiples of y_i x_i, or of y_i (x_i, 1), row by row."""
    Z = y[:, None] * (np.column_stack([X, np.ones(len(y))]) if bias else X)
    return np.array([integers(row)[0] for row in Z], dtype=object).reshape(Z.shape)


def in_cone(rows: np.ndarray, target: np.ndarray) -> bool:
    """
    Whether the target is a combination of rows with coefficients >= 0.

    The simplex method with Bland's rule, in integers over a common denominator (Edmonds).
    """
    size, count = rows.shape[1], len(rows)
    signs = np.array([-1 if value < 0 else 1 for value in target], dtype=object)
    eye = np.eye(size, dtype=int).astype(object)
    table = np.column_stack([signs[:, None] * rows.T, eye, signs * target]).astype(object)
    table = np.vstack([table, -table.sum(axis=0)])
    table[-1, count:-1] = 0
    basis, below = list(range(count, count + size)), 1
    while table[-1, -1] != 0:
        entering = np.flatnonzero(table[-1, :count] < 0)
        if not entering.size:
            return False
        j = int(entering[0])
        ratios = [
            (Fraction(int(table[i, -1]), int(table[i, j])), basis[i], i)
            for i in np.flatnonzero(table[:-1, j] > 0)
        ]
        at = min(ratios)[2]
        pivot, row = table[at, j], table[at].copy()
        others = np.arange(size + 1) != at
        table[others] = (pivot * table[others] - np.outer(table[others, j], row)) // below
        basis[at], below = j, pivot
    return True


def reduced(rows: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Rows in echelon form modulo a prime, reduced, and their first columns."""
    table = (rows % _PRIME).astype(np.int64)
    pivots: list[int] = []
    for j in range(table.shape[1]):
        at = len(pivots)
        found = np.flatnonzero(table[at:, j])
        if not found.size:
            continue
        table[[at, at + found[0]]] = table[[at + found[0], at]]
        table[at] = table[at] * pow(int(table[at, j]), -1, _PRIME) % _PRIME
        column = table[:, j].copy()
        column[at] = 0
        for i in np.flatnonzero(column):
            table[i] = (table[i] - column[i] * table[at]) % _PRIME
        pivots.append(j)
        if len(pivots) == len(table):
            break
    return table[: len(pivots)], pivots


def first_columns(rows: np.ndarray, bias: bool) -> list[int]:
    """Columns that are not combinations of those before them; an intercept, the last, is first."""
    width = rows.shape[1]
    order = [width - 1, *range(width - 1)] if bias else list(range(width))
    return sorted(order[j] for j in reduced(rows[:, order])[1])


def truth(rows: np.ndarray, bias: bool) -> tuple[str, list[int], list[str]]:
    """Kind, rows and coefficients: a vector is pushed off if its negative is not in the cone."""
    kept = first_columns(rows, bias)
    Z = rows[:, kept]
    lines = [tuple(row) for row in Z.tolist()]
    few = sorted(set(lines))
    distinct = np.array(few, dtype=object).reshape(len(few), len(kept))
    pushed = {tuple(row): not in_cone(distinct, -row) for row in distinct}
    off = [i for i, line in enumerate(lines) if pushed[line]]
    coefficients = ["finite"] * rows.shape[1]
    for k, j in enumerate(kept):
        unit = np.zeros(len(kept), dtype=object)
        unit[k] = 1
        up, down = not in_cone(distinct, -unit), not in_cone(distinct, unit)
        if up or down:
            coefficients[j] = "either" if up and down else "+inf" if up else "-inf"
    kind = "none" if not off else "complete" if len(off) == len(rows) else "quasi-complete"
    return kind, off, coefficients


def whole(values: object) -> np.ndarray:
    """Return fractions times a common denominator."""
    listed = list(values)  # type: ignore[call-overload]
    below = lcm(*(value.denominator for value in listed))
    return np.array([int(value * below) for value in listed], dtype=object)


def proved(X: np.ndarray, y: np.ndarray, bias: bool, found: object) -> bool:
    """
    Whether every part of an answer follows from its certificates.

    All in integers, but that e_j lies in the span of the rows that balance is said modulo a prime.
    """
    rows, answer = vectors(X, y, bias), vars(found)
    off = np.zeros(len(y), dtype=bool)
    off[answer["rows"]] = True
    kept = first_columns(rows, bias)
    aliased = [j for j in range(rows.shape[1]) if j not in kept]
    if answer["aliased"] != aliased or not _split(X, y, bias, rows, off, answer):
        return False
    table, pivots = reduced(rows[np.ix_(~off, kept)])
    spanned = {kept[p] for p, row in zip(pivots, table, strict=True) if np.count_nonzero(row) == 1}
    for j in kept:
        verdict = answer["coefficients"][j]
        if (verdict == "finite") != (j in spanned):
            return False
        if verdict == "finite":
            continue
        proof = found.certificate(j)  # type: ignore[attr-defined]
        directions = [whole(direction) for direction in proof.directions]
        signs = [int(np.sign(d[j])) for d in directions]
        if signs != {"+inf": [1], "-inf": [-1], "either": [1, -1]}.get(verdict):
            return False
        if any(min(rows @ d) < 0 or any(d[aliased]) for d in directions):
            return False
        if verdict != "either" and not _combined(X, y, bias, proof.combinations, j, kept, signs[0]):
            return False
    return True


def _split(
    X: np.ndarray, y: np.ndarray, bias: bool, rows: np.ndarray, off: np.ndarray, answer: dict
) -> bool:
    """Whether one direction pushes off these rows, and positive weights balance the others."""
    Z = extended(X, y, bias)[0]
    weights = answer["exact_weights"]
    if np.any(whole(weights) @ Z) or any((w > 0) == o for w, o in zip(weights, off, strict=True)):
        return False
    products = rows @ whole(answer["direction"]) if off.any() else np.zeros(len(y), dtype=int)
    return bool(np.array_equal(products > 0, off) and min(products) >= 0)


def _combined(
    X: np.ndarray, y: np.ndarray, bias: bool, found: tuple, j: int, kept: list[int], sign: int
) -> bool:
    """Whether a combination with positive coefficients is e_j or its negative."""
    (combination,) = found
    Z, k = extended(X, y, bias)
    below = lcm(*(value.denominator for value in combination.values()))
    total = sum(int(value * below) * Z[i] for i, value in combination.items())
    unit = np.zeros(Z.shape[1], dtype=object)
    unit[j] = sign * below << k
    return bool(min(combination.values()) > 0 and np.array_equal(total[kept], unit[kept]))
