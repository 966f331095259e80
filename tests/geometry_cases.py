"""Exact arithmetic, written down plainly, to hold margins and certificates against."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import strategies as st


@st.composite
def small_sets(draw, most, divisors=(1,)):
    """Up to `most` rows of small integers over one of the divisors, which repeat and depend."""
    n, dim = draw(st.integers(1, most)), draw(st.integers(1, 3))
    entries = st.integers(-6, 6)
    X = [[draw(entries) for _ in range(dim)] for _ in range(n)]
    y = [draw(st.sampled_from([-1.0, 1.0])) for _ in range(n)]
    return np.array(X, dtype=float) / draw(st.sampled_from(divisors)), np.array(y)


def extended(X, y, bias):
    """The vectors y_i x_i, or y_i (x_i, 1), without rounding."""
    rows = []
    for x, sign in zip(np.asarray(X, dtype=float), y, strict=True):
        vector = [Fraction(float(v)) * int(sign) for v in x]
        rows.append([*vector, Fraction(int(sign))] if bias else vector)
    return rows


def dot(a, b):
    return sum((u * v for u, v in zip(a, b, strict=True)), Fraction(0))


def solve(matrix, right):
    """Gauss and Jordan: the solution with free unknowns 0 and the rank; None if there is none."""
    table = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    pivots = []
    for column in range(len(matrix[0])):
        found = [r for r in range(len(pivots), len(table)) if table[r][column] != 0]
        if not found:
            continue
        at = len(pivots)
        table[at], table[found[0]] = table[found[0]], table[at]
        table[at] = [value / table[at][column] for value in table[at]]
        for r in range(len(table)):
            if r != at and table[r][column] != 0:
                factor = table[r][column]
                table[r] = [v - factor * p for v, p in zip(table[r], table[at], strict=True)]
        pivots.append(column)
        if len(pivots) == len(table):
            break
    if any(row[-1] != 0 for row in table[len(pivots) :]):
        return None
    solution = [Fraction(0)] * len(matrix[0])
    for row, column in zip(table, pivots, strict=False):
        solution[column] = row[-1]
    return solution, len(pivots)


def rank(rows):
    return solve(rows, [Fraction(0)] * len(rows))[1] if rows else 0


def assert_balanced(rows, weights):
    """Some exact positive weights near the given ones make the sum of the rows zero."""
    support = [int(i) for i in np.flatnonzero(weights)]
    near = [Fraction(float(weights[i])) for i in support]
    columns = [list(column) for column in zip(*(rows[i] for i in support), strict=True)]
    # The correction that is least beside the weights.
    units = [[p * v for p, v in zip(near, column, strict=True)] for column in columns]
    point, _ = solve([[dot(u, v) for v in units] for u in units], [-sum(u) for u in units])
    exact = [p * (1 + dot(point, v)) for p, v in zip(near, zip(*units, strict=True), strict=True)]
    assert all(dot(column, exact) == 0 for column in columns)
    assert all(value > 0 for value in exact)
    return support


def assert_certificate(X, y, bias, found):
    """The certificate proves the verdict, without rounding."""
    rows = extended(X, y, bias)
    n, dim = len(rows), len(rows[0])
    assert found.separable == (found.verdict == "separable")
    if found.weights is not None:
        assert found.weights.shape == (n,)
        assert np.all(found.weights >= 0)
        assert abs(found.weights.sum() - 1) < 1e-12
        support = assert_balanced(rows, found.weights)
        assert len(support) <= 2 * dim
    vector = None
    if found.separator is not None:
        vector = list(found.separator)
    elif found.w is not None:
        vector = [Fraction(float(v)) for v in [*found.w, *([found.b] if bias else [])]]
    if found.verdict == "separable":
        assert found.weights is None
        assert all(dot(row, vector) > 0 for row in rows)
        # A margin may be too small for the rounded (w, b), which comes with an exact separator.
        assert found.separator is not None or found.margin > 0
    elif found.verdict == "boundary":
        products = [dot(row, vector) for row in rows]
        assert min(products) == 0
        assert max(products) > 0
        assert found.margin == 0
    else:
        assert found.verdict == "interior"
        assert rank([rows[i] for i in support]) == rank(rows)
        assert found.w is None
        assert found.margin == 0


def hard_margin(X, y, bias):
    """The maximum-margin theta by trying every support: exact, for few rows; None if there is none.

    `bias` is "none", "penalized" or "free"; the bias is the last entry of theta.
    """
    rows = extended(X, y, bias != "none")
    free = bias == "free"
    dim = len(rows[0])
    for size in range(1 + free, dim + 1):
        for support in combinations(range(len(rows)), size):
            chosen = [rows[i] for i in support]
            weights = [row[:-1] for row in chosen] if free else chosen
            matrix = [[dot(a, b) for b in weights] for a in weights]
            right = [Fraction(1)] * size
            if free:
                matrix = [[*line, row[-1]] for line, row in zip(matrix, chosen, strict=True)]
                matrix.append([*(row[-1] for row in chosen), Fraction(0)])
                right = [*right, Fraction(0)]
            solved = solve(matrix, right)
            if solved is None or min(solved[0][:size]) < 0:
                continue
            alpha = solved[0][:size]
            theta = [dot([row[j] for row in weights], alpha) for j in range(len(weights[0]))]
            if free:
                theta.append(solved[0][size])
            if all(dot(row, theta) >= 1 for row in rows):
                return theta
    return None


def margin_on(X, y, bias, support):
    """The maximum-margin theta of rows of any number if this is its support, proved; else None."""
    rows = extended(X, y, bias != "none")
    chosen = [rows[i] for i in support]
    weights = [row[:-1] for row in chosen] if bias == "free" else chosen
    matrix = [[dot(a, b) for b in weights] for a in weights]
    right = [Fraction(1)] * len(chosen)
    if bias == "free":
        matrix = [[*line, row[-1]] for line, row in zip(matrix, chosen, strict=True)]
        matrix.append([*(row[-1] for row in chosen), Fraction(0)])
        right = [*right, Fraction(0)]
    solved = solve(matrix, right)
    if solved is None or min(solved[0][: len(chosen)]) < 0:
        return None
    alpha = solved[0][: len(chosen)]
    theta = [dot(column, alpha) for column in zip(*weights, strict=True)]
    if bias == "free":
        theta.append(solved[0][len(chosen)])
    return theta if all(dot(row, theta) >= 1 for row in rows) else None


def squared_bounds(X, y, found):
    """Squares of the margin that (w, b) has, and of the least bound that the dual proves."""
    rows = extended(X, y, found.bias != "none")
    theta = [Fraction(float(v)) for v in [*found.w, *([found.b] if found.bias != "none" else [])]]
    alpha = [
        Fraction(float(a)) + Fraction(float(r))
        for a, r in zip(found.dual, found.dual_rest, strict=True)
    ]
    least = max(min(dot(row, theta) for row in rows), Fraction(0))
    counted = theta[:-1] if found.bias == "free" else theta
    upper = []
    if found.bias != "free":
        total = [dot(alpha, column) for column in zip(*rows, strict=True)]
        upper.append(dot(total, total) / sum(alpha) ** 2)
    sums = {s: sum(a for a, t in zip(alpha, y, strict=True) if t == s) for s in (-1, 1)}
    if found.bias != "none" and min(sums.values()) > 0:
        shares = [a / sums[int(t)] for a, t in zip(alpha, y, strict=True)]
        total = [dot(shares, column) for column in list(zip(*rows, strict=True))[:-1]]
        upper.append(dot(total, total) / 4)
    return least**2 / dot(counted, counted), min(upper)


def margin_bounds(X, y, found):
    """
    Margin that (w, b) has in the norm of `found`, and the least bound that the dual proves.

    Exact, in l_inf and l_1: of (x_i, 1) where the bias is penalized.
    """
    size, dual_size = (max, sum) if found.norm == "linf" else (sum, max)
    rows = extended(X, y, found.bias != "none")
    theta = [Fraction(float(v)) for v in [*found.w, *([found.b] if found.bias != "none" else [])]]
    alpha = [
        Fraction(float(a)) + Fraction(float(r))
        for a, r in zip(found.dual, found.dual_rest, strict=True)
    ]
    counted = theta[:-1] if found.bias == "free" else theta
    low = min(dot(row, theta) for row in rows) / size([abs(v) for v in counted])
    bounds = []
    if found.bias != "free":
        total = [dot(alpha, column) for column in zip(*rows, strict=True)]
        bounds.append(dual_size([abs(v) for v in total]) / sum(alpha))
    sums = {s: sum(a for a, t in zip(alpha, y, strict=True) if t == s) for s in (-1, 1)}
    if found.bias != "none" and min(sums.values()) > 0:
        shares = [a / sums[int(t)] for a, t in zip(alpha, y, strict=True)]
        total = [dot(shares, column) for column in list(zip(*rows, strict=True))[:-1]]
        bounds.append(dual_size([abs(v) for v in total]) / 2)
    return low, min(bounds)
