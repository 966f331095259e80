"""What proves the verdicts on separability, each part by itself, against rational arithmetic."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fastgrok.geometry import _exact, _verified
from fastgrok.geometry._rows import Rows
from geometry_cases import dot, solve


@given(seed=st.integers(0, 10**6), dim=st.integers(1, 6), tiny=st.integers(0, 60))
def test_enclosed_solutions_are_positive(seed, dim, tiny):
    """Accepted only where the rational solution is positive, and always where it clearly is."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(dim, dim))
    target = rng.uniform(0.5, 2.0, size=dim)
    target[0] = rng.choice([-1.0, 1.0]) * 2.0**-tiny
    others = -(target @ base)[None]
    weights = np.ones(1)
    columns = [[Fraction(v) for v in column] for column in base.T.tolist()]
    exact, rank = solve(columns, [-Fraction(v) for v in others[0].tolist()])
    accepted = _verified.positive_solution(base, others, np.abs(target), weights)
    if accepted:
        assert rank == dim
        assert min(exact) > 0
    if np.linalg.cond(base) < 1e3 and min(exact) > 1e-9:
        assert accepted
    singular = np.vstack([base[:1], base[:1], base[2:]]) if dim > 1 else 0 * base
    assert not _verified.positive_solution(singular, others, np.abs(target), weights)


@given(seed=st.integers(0, 10**6), cancel=st.integers(0, 110))
def test_signs_are_certain(seed, cancel):
    """Products that cancel to any number of digits have the sign that fractions give."""
    rng = np.random.default_rng(seed)
    n, d = 5, 4
    X, w = rng.normal(size=(n, d)), rng.normal(size=d)
    # Make the products small without making them zero.
    X[:, -1] = -(X[:, :-1] @ w[:-1]) / w[-1] + rng.normal(size=n) * 2.0**-cancel
    rows = Rows(X, np.ones(n), False, 1)
    exact = [Fraction(v) for v in w.tolist()]
    shift = {0: Fraction(int(rng.integers(-2, 3)), 3**40)}
    for i in range(n):
        product = dot([Fraction(v) for v in X[i].tolist()], exact)
        index = np.array([i])
        assert _verified.all_positive(rows, index, w) == (product > 0)
        assert not _verified.all_positive(rows, index, np.zeros(d))
        product += shift[0] * Fraction(X[i, 0])
        assert _verified.all_positive(rows, index, w, shift) == (product > 0)


@given(seed=st.integers(0, 10**6), size=st.integers(1, 6), large=st.integers(1, 40))
def test_integer_spans(seed, size, large):
    rng = np.random.default_rng(seed)
    rows = np.array(
        [[int(v) ** large for v in line] for line in rng.integers(-9, 10, size=(size, 7))],
        dtype=object,
    )
    span = _exact.Span.create(rows)
    if span is None:
        assert solve([list(map(Fraction, row)) for row in rows], [Fraction(0)] * size)[1] < size
        return
    factors = [Fraction(int(v), 7) for v in rng.integers(-20, 20, size=size)]
    inside = np.array(factors, dtype=object) @ rows
    assert span.coefficients(inside) == factors
    outside = inside.copy()
    outside[span.others[0]] += 1
    assert span.coefficients(outside) is None
    moved = span.orthogonal([Fraction(int(v)) for v in rng.integers(-5, 5, size=7)])
    assert all(dot(map(Fraction, row), moved) == 0 for row in rows.tolist())
    assert not np.any(span.quotient(rows))


@given(n=st.integers(1, 9), dim=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_integer_programs(n, dim, seed):
    """The last resort by itself: it must split any set of integer rows."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, size=(n, dim)).astype(object)
    vector, weights = _exact.partition(rows, rng.permutation(n).tolist())
    total = sum((value * rows[i] for i, value in weights.items()), np.zeros(dim, dtype=int))
    assert not np.any(total)
    assert all(value > 0 for value in weights.values())
    if vector is None:
        held = [list(map(Fraction, rows[i])) for i in weights] or [[Fraction(0)] * dim]
        everything = [list(map(Fraction, row)) for row in rows]
        assert solve(held, [Fraction(0)] * len(held))[1] == solve(everything, [Fraction(0)] * n)[1]
    else:
        products = [dot(map(Fraction, row), vector) for row in rows]
        assert min(products) >= 0
        assert max(products) > 0
        assert all(products[i] == 0 for i in weights)
