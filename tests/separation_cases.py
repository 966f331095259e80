"""The truth on separation, by rational linear programs; and certificates checked in fractions."""

from fractions import Fraction

import numpy as np

from geometry_cases import dot, rank


def integer_vectors(X, y, bias, model="logistic"):
    """
    Exact vectors with products that must not be negative: by row, a list of one or two each.

    The intercept is the last column.
    """
    out = []
    for x, value in zip(np.asarray(X, dtype=float).tolist(), y, strict=True):
        row = [*map(Fraction, x), *[Fraction(1)] * bias]
        if model == "logistic":
            out.append([[int(value) * v for v in row]])
        else:
            out.append([[-v for v in row], *([row] if value > 0 else [])])
    return out


def in_cone(vectors, target):
    """
    Whether a vector is a combination of others with coefficients >= 0.

    The simplex method in fractions for the sum of what is missing, with Bland's rule.
    """
    size = len(target)
    signs = [-1 if value < 0 else 1 for value in target]
    columns = [[s * v for s, v in zip(signs, vector, strict=True)] for vector in vectors]
    table = [
        [*(column[i] for column in columns), *(Fraction(int(i == k)) for k in range(size)),
         signs[i] * target[i]]
        for i in range(size)
    ]  # fmt: skip
    count = len(columns)
    basis = list(range(count, count + size))
    costs = [-sum(row[j] for row in table) for j in range(count)] + [Fraction(0)] * size
    costs.append(-sum(row[-1] for row in table))
    while costs[-1] != 0:
        entering = next((j for j in range(count) if costs[j] < 0), None)
        if entering is None:
            return False
        ratios = [
            (row[-1] / row[entering], basis[i], i)
            for i, row in enumerate(table)
            if row[entering] > 0
        ]
        _, _, at = min(ratios)
        pivot = table[at][entering]
        table[at] = [value / pivot for value in table[at]]
        for row in [*(r for i, r in enumerate(table) if i != at), costs]:
            factor = row[entering]
            if factor:
                row[:] = [a - factor * b for a, b in zip(row, table[at], strict=True)]
        basis[at] = entering
    return True


def first_independent(vectors):
    """Columns that are not combinations of those before them, the last column being the first."""
    width, kept = len(vectors[0]), []
    for j in [width - 1, *range(width - 1)]:
        if rank([[v[k] for k in [*kept, j]] for v in vectors]) > len(kept):
            kept.append(j)
    return sorted(kept)


def truth(X, y, bias, model="logistic"):
    """Kind, rows, coefficients and aliased columns, from the definition by cones alone (Farkas)."""
    rows = integer_vectors(X, y, bias, model)
    vectors = [v for some in rows for v in some]
    # Without an intercept a column of zeros stands in for it.
    kept = first_independent([v if bias else [*v, Fraction(0)] for v in vectors])
    width = len(vectors[0])
    rows = [[[v[j] for j in kept] for v in some] for some in rows]
    distinct = [list(v) for v in {tuple(v) for vectors in rows for v in vectors}]
    known = {}

    def pushed(vector):
        key = tuple(vector)
        if key not in known:
            known[key] = not in_cone(distinct, [-v for v in vector])
        return known[key]

    off = [i for i, vectors in enumerate(rows) if any(map(pushed, vectors))]
    kind = "none" if not off else "complete" if len(off) == len(rows) else "quasi-complete"
    coefficients = ["finite"] * width
    for k, j in enumerate(kept):
        unit = [Fraction(int(i == k)) for i in range(len(kept))]
        up = not in_cone(distinct, [-v for v in unit])
        down = not in_cone(distinct, unit)
        names = {(True, True): "either", (True, False): "+inf", (False, True): "-inf"}
        coefficients[j] = names.get((up, down), "finite")
    return kind, off, coefficients, [j for j in range(width) if j not in kept]


def combined(rows, combination, model="logistic"):
    """Sum of c_i z_i; of x_i for rows of a Poisson model that hold every direction."""
    total = [Fraction(0)] * len(rows[0][0])
    for i, value in combination.items():
        z = rows[i][-1] if model == "poisson" else rows[i][0]
        assert value > 0 or len(rows[i]) == 2
        total = [t + value * v for t, v in zip(total, z, strict=True)]
    return total


def assert_proved(X, y, bias, found, model="logistic"):
    """Every part of the answer follows from its certificates, without rounding."""
    rows = integer_vectors(X, y, bias, model)
    width = len(rows[0][0])
    np.testing.assert_array_equal(np.union1d(found.rows, found.overlap), np.arange(len(rows)))
    assert len(found.rows) + len(found.overlap) == len(rows)
    assert len(found.coefficients) == len(found.names) == width
    weights = {i: value for i, value in enumerate(found.exact_weights) if value}
    assert not any(combined(rows, weights, model))
    for i in found.overlap:
        assert found.exact_weights[i] > 0 or len(rows[i]) == 2
        assert found.weights[i] != 0 or found.exact_weights[i] == 0
    assert not any(found.exact_weights[i] for i in found.rows)
    if found.kind == "none":
        assert found.direction is None
        assert not found.rows.size
    else:
        off = set(found.rows.tolist())
        assert (len(off) == len(rows)) == (found.kind == "complete")
        for i, vectors in enumerate(rows):
            products = [dot(v, found.direction) for v in vectors]
            assert min(products) > 0 if i in off else not any(products)
    vectors = [v for some in rows for v in some]
    kept = [j for j in range(width) if j not in found.aliased]
    for j, verdict in enumerate(found.coefficients):
        proof = found.certificate(j)
        unit = [Fraction(int(k == j)) for k in range(width)]
        assert found.determined[j] == (rank([*vectors, unit]) == rank(vectors))
        if j in found.aliased:
            assert (proof.directions, proof.combinations) == ((), ())
            continue
        signs = []
        for direction in proof.directions:
            assert min(dot(v, direction) for v in vectors) >= 0
            assert any(dot(v, direction) for v in vectors)
            assert not any(direction[k] for k in found.aliased)
            signs.append((direction[j] > 0) - (direction[j] < 0))
        totals = [combined(rows, c, model) for c in proof.combinations]
        totals = [[total[k] for k in kept] for total in totals]
        up, down = [unit[k] for k in kept], [-unit[k] for k in kept]
        expected = {
            "+inf": ([1], [up]),
            "-inf": ([-1], [down]),
            "either": ([1, -1], []),
            "finite": ([], [up, down]),
        }[verdict]
        assert (signs, totals) == expected
