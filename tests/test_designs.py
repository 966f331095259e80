"""Verdicts on designs: factors, flags, comparisons, repeated rows and small integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import fastgrok as fg
from fastgrok.geometry import _faces, _lifting, _search
from geometry_cases import assert_certificate, dot, rank, solve


def by_linear_program(Z):
    """Verdict by the most rows that a vector separates from the others, as HiGHS sees it."""
    n, d = Z.shape
    Z = Z / np.maximum(np.abs(Z).max(axis=1), 1e-300)[:, None]
    answer = linprog(
        np.append(np.zeros(d), -np.ones(n)),
        A_ub=np.hstack([-Z, np.eye(n)]),
        b_ub=np.zeros(n),
        bounds=[*[(None, None)] * d, *[(0.0, 1.0)] * n],
    )
    assert answer.status == 0
    apart = int(np.count_nonzero(answer.x[d:] > 0.5))
    return {0: "interior", n: "separable"}.get(apart, "boundary")


def decided(X, y, bias):
    """The verdict, with its certificate checked in fractions."""
    found = fg.separability(X, y, bias=bias)
    assert_certificate(X, y, bias, found)
    if found.separator is not None:
        exact = [float(value) for value in found.separator]
        np.testing.assert_array_equal(found.w, exact[: X.shape[1]])
        assert found.b == (exact[-1] if bias else 0.0)
    return found.verdict


def dummies(rng, n, levels, drop):
    return np.eye(levels)[rng.integers(0, levels, n)][:, int(drop) :]


def small_design(kind, rng):
    n = int(rng.integers(4, 40))
    if kind == "factors":
        drop = bool(rng.integers(2))
        parts = [dummies(rng, n, int(rng.integers(2, 7)), drop) for _ in range(rng.integers(1, 4))]
        return np.hstack(parts)
    d = int(rng.integers(2, 9))
    if kind == "flags":
        return (rng.random((n, d)) < 0.2).astype(float)
    if kind == "comparisons":
        first, second = rng.integers(0, d, n), rng.integers(0, d, n)
        return np.eye(d)[first] - np.eye(d)[second]
    if kind == "repeated":
        rows = rng.normal(size=(int(rng.integers(1, 9)), d))
        return rows[rng.integers(0, len(rows), n)]
    rank = int(rng.integers(1, d + 1))
    return rng.integers(-9, 10, size=(n, rank)) @ rng.integers(-2, 3, size=(rank, d)) * 1.0


@pytest.mark.parametrize("kind", ["factors", "flags", "comparisons", "repeated", "low rank"])
@given(seed=st.integers(0, 10**9), bias=st.booleans(), noise=st.floats(0.0, 3.0))
def test_small_designs(kind, seed, bias, noise):
    rng = np.random.default_rng(seed)
    X = small_design(kind, rng)
    side = X @ rng.normal(size=X.shape[1]) + noise * rng.normal(size=len(X))
    y = np.where(side > 0.0, 1.0, -1.0)
    Z = y[:, None] * (np.column_stack([X, np.ones(len(X))]) if bias else X)
    assert decided(X, y, bias) == by_linear_program(Z)


def two_way(rng):
    a, b = rng.integers(0, 30, 120), rng.integers(0, 30, 120)
    y = np.where(rng.random(120) < (rng.random(30) ** 3)[a], 1.0, -1.0)
    return np.hstack([np.eye(30)[a], np.eye(30)[b]]), y


def without_first_levels(rng):
    X = np.hstack([dummies(rng, 40, 21, True), dummies(rng, 40, 21, True)])
    return X, rng.choice([-1.0, 1.0], size=40)


def comparisons(rng):
    first = rng.integers(0, 60, 300)
    second = (first + rng.integers(1, 60, 300)) % 60
    skill = rng.normal(size=60)
    noise = rng.choice([0.1, 1.0]) * rng.logistic(size=300)
    y = np.where(skill[first] - skill[second] + noise > 0.0, 1.0, -1.0)
    return np.eye(60)[first] - np.eye(60)[second], y


def rare_flags(rng):
    X = (rng.random((500, 80)) < 10.0 ** rng.uniform(-2.3, -1.0, size=80)).astype(float)
    y = np.where(X @ rng.normal(size=80) + rng.logistic(size=500) > 1.0, 1.0, -1.0)
    return X, y


def low_rank(rng):
    X = rng.integers(-3, 4, size=(150, 40)) @ rng.integers(-1, 2, size=(40, 90))
    return X.astype(float), rng.choice([-1.0, 1.0], size=150)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("draw", [two_way, without_first_levels, comparisons, rare_flags, low_rank])
def test_designs_of_the_usual_size(draw, bias):
    for seed in range(3):
        X, y = draw(np.random.default_rng(seed))
        Z = y[:, None] * (np.column_stack([X, np.ones(len(X))]) if bias else X)
        found = fg.separability(X, y, bias=bias)
        assert found.verdict == by_linear_program(Z)
        # The rows are whole numbers, and so the certificates' products are exact.
        whole = Z.astype(int).astype(object)
        if found.separator is not None:
            products = whole @ np.array(found.separator, dtype=object)
            assert min(products) == 0 < max(products)
        elif found.separable:
            exact = [Fraction(v) for v in [*found.w.tolist(), *[found.b] * bias]]
            assert min(whole @ np.array(exact, dtype=object)) > 0
        if found.weights is not None:
            size = np.abs(Z).T @ found.weights
            np.testing.assert_array_less(np.abs(Z.T @ found.weights), 1e-12 * size + 1e-300)


def near_a_hyperplane(distance):
    rng = np.random.default_rng(5)
    X, normal = rng.normal(size=(200, 50)), rng.normal(size=50)
    along = X @ normal
    return X - np.outer(along - distance * np.sign(along), normal) / (normal @ normal), np.sign(
        along
    )


@pytest.mark.parametrize("distance", [1e-11, 1e-12, 1e-13])
def test_rows_next_to_a_hyperplane(distance):
    X, y = near_a_hyperplane(distance)
    found = fg.separability(X, y, bias=False)
    assert found.separable
    u = [Fraction(v) for v in found.w.tolist()]
    for row, sign in zip(X.tolist(), y.tolist(), strict=True):
        assert int(sign) * dot([Fraction(v) for v in row], u) > 0
    assert 0.0 < found.margin < distance


@pytest.mark.parametrize("d", [40, 90])
def test_separators_that_double_from_entry_to_entry(d):
    """Row k is one more than all before it: the separator must reach 2^d."""
    X = np.tril(-np.ones((d, d)), -1) + np.eye(d)
    found = fg.separability(X)
    assert found.separable
    vector = found.separator or [Fraction(v) for v in found.w.tolist()]
    assert min(X.astype(int).astype(object) @ np.array(vector, dtype=object)) > 0
    # Without the first of them.
    more = fg.separability(np.vstack([X, -X[:1]]))
    assert more.verdict == "boundary"
    products = X.astype(int).astype(object) @ np.array(more.separator, dtype=object)
    assert products[0] == 0 < min(products[1:])
    np.testing.assert_array_equal(np.flatnonzero(more.weights), [0, d])


@pytest.mark.parametrize("rows", [20, 50])
def test_rows_with_both_labels(rows):
    """Weights of one prove it, however close the rows are to a hyperplane."""
    X, y = near_a_hyperplane(1e-13)
    X, y = np.vstack([X[:rows], X[:rows]]), np.append(y[:rows], -y[:rows])
    found = fg.separability(X, y, bias=False)
    assert found.verdict == "interior"
    np.testing.assert_array_equal(found.weights[:rows], found.weights[rows:])
    assert np.all(found.weights > 0.0)
    # One more row that is not in their span is all there is on a side.
    if rows < 50:
        more = fg.separability(np.vstack([X, np.ones(50)]), np.append(y, 1.0), bias=False)
        assert more.verdict == "boundary"
        products = [dot([Fraction(v) for v in row], more.separator) for row in X.tolist()]
        assert not any(products)
        assert sum(more.separator) > 0


def test_a_wrong_program_is_not_believed(monkeypatch):
    """Whatever HiGHS says, what is not proved is not claimed."""
    right = _faces._program
    rng = np.random.default_rng(0)
    designs = [
        (small_design(kind, rng), bool(rng.integers(2)))
        for kind in ("factors", "flags", "comparisons", "low rank") * 5
    ]
    labels = [rng.choice([-1.0, 1.0], size=len(X)) for X, _ in designs]
    truths = [
        fg.separability(X, y, bias=b).verdict for (X, b), y in zip(designs, labels, strict=True)
    ]
    assert set(truths) == {"separable", "boundary", "interior"}

    def wrong(Z):
        held, u = right(Z)
        return held ^ (rng.random(len(held)) < 0.2), u + rng.normal(size=len(u))

    monkeypatch.setattr(_faces, "_program", wrong)
    for (X, bias), y, truth in zip(designs, labels, truths, strict=True):
        found = fg.separability(X, y, bias=bias)
        assert found.verdict in (truth, "undecided")
        if found.verdict != "undecided":
            assert_certificate(X, y, bias, found)


def test_without_its_last_resorts_it_is_undecided(monkeypatch):
    monkeypatch.setattr(_faces, "_MOST_WORK", 0.0)
    monkeypatch.setattr(_search, "_MOST_EXACT_WORK", 0)
    monkeypatch.setattr(_search, "_MOST_SPAN_WORK", 0.0)
    X, y = two_way(np.random.default_rng(0))
    assert fg.separability(X, y, bias=True).verdict == "undecided"


@pytest.mark.parametrize("more", [0, 4])
def test_more_equations_than_can_be_lifted_are_no_error(more, monkeypatch):
    """Every direction and its opposite, and some that have none: proved in another way or not."""
    monkeypatch.setattr(_lifting, "MOST_EQUATIONS", 10)
    monkeypatch.setattr(_faces, "MOST_EQUATIONS", 10)
    X = np.eye(20 + more)
    found = fg.separability(np.vstack([X, -X[:20]]))
    assert found.verdict in ("boundary" if more else "interior", "undecided")
    if found.verdict != "undecided":
        assert_certificate(np.vstack([X, -X[:20]]), np.ones(40 + more), False, found)


def test_the_separator_is_rounded_entry_by_entry():
    """Separated by 3 in the first column, where both labels occur: the second must not count."""
    X = np.array([[1, 3], [2, 0], [3, -1], [3, 4], [3, 1], [4, 0], [5, 2], [6, 7]], dtype=float)
    y = np.array([-1.0] * 4 + [1.0] * 4)
    found = fg.separability(X, y, bias=True)
    assert found.verdict == "boundary"
    assert found.separator[1] == 0
    assert found.separator[2] == -3 * found.separator[0]
    assert [*found.w.tolist(), found.b] == [float(v) for v in found.separator]


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize(
    ("values", "signs", "verdict"),
    [
        ([2**53, 2**53 + 1], [-1, 1], "separable"),
        ([2**53, 2**53 + 1, 2**53 + 2], [-1, 1, -1], "interior"),
        ([2**53 + 1, 2**53 + 1, 2**53 + 2], [-1, 1, 1], "boundary"),
        ([1767225600000000001 + k for k in (0, 1, 9, 19)], [-1, -1, 1, 1], "separable"),
        ([1767225600000000001 + k for k in (0, 9, 9, 19)], [-1, -1, 1, 1], "boundary"),
    ],
)
def test_integers_beyond_float64_are_exact_beside_a_bias(values, signs, verdict, dtype):
    second = [0, 3, 3, 0] if len(values) == 4 else [0] * len(values)
    X = np.array([values, second], dtype=dtype).T
    found = fg.separability(X, signs, bias=True)
    assert found.verdict == verdict
    if found.w is None:
        return
    vector = found.separator or [Fraction(v) for v in [*found.w.tolist(), found.b]]
    products = [
        s * dot([*map(Fraction, row), 1], vector) for row, s in zip(X.tolist(), signs, strict=True)
    ]
    assert (min(products) > 0) == (verdict == "separable")
    assert min(products) >= 0 < max(products)
    assert found.b == float(vector[-1])


@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 7),
    columns=st.integers(0, 3),
    large=st.integers(1, 30),
)
def test_lifted_solutions_are_exact(seed, size, columns, large):
    rng = np.random.default_rng(seed)
    matrix = np.array(
        [[int(v) ** large for v in row] for row in rng.integers(-9, 10, size=(size, size))],
        dtype=object,
    )
    right = rng.integers(-99, 100, size=(size, columns)).astype(object)
    rows, pivots = _lifting.independent(matrix)
    as_fractions = [list(map(Fraction, row)) for row in matrix.tolist()]
    assert len(rows) == len(pivots) == rank(as_fractions)
    if len(rows) < size:
        with pytest.raises(ArithmeticError, match="singular"):
            _lifting.Lifting(matrix)
        return
    found, below = _lifting.Lifting(matrix).solve(right)
    assert below > 0
    for k in range(columns):
        wanted, _ = solve(as_fractions, [Fraction(v) for v in right[:, k]])
        assert [Fraction(v, below) for v in found[:, k]] == wanted
