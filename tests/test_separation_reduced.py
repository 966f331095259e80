"""Columns in which one row alone has a number, and chains of them, are proved like all others."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from test_separation import assert_right


@given(
    seed=st.integers(0, 10**9), share=st.sampled_from([0.15, 0.3, 0.5]), bias=st.booleans(),
    model=st.sampled_from(["logistic", "poisson"]), long=st.booleans(),
)  # fmt: skip
def test_sparse_designs(seed, share, bias, model, long):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, 8), rng.integers(1, 7)
    X = np.where(rng.random((n, d)) < share, rng.integers(-3, 4, (n, d)), 0).astype(float)
    if long:
        X[:, rng.integers(d)] = rng.normal(size=n)
    y = rng.integers(0, 3, n) if model == "poisson" else rng.choice([-1, 1], n)
    assert_right(X, y, bias, model)


def test_a_chain_in_which_every_row_is_the_last_to_have_its_column():
    for d in (3, 8):
        X = np.eye(d) - 2 * np.eye(d, k=1)
        assert_right(X, np.ones(d), bias=False)
        assert_right(np.vstack([X, -np.eye(d, k=1)[0]]), [*[1] * d, -1], bias=False)


def test_a_flag_of_one_row_beside_rows_that_overlap():
    """Its sign is that of the row's label, as no direction moves the other coefficients."""
    x, y = np.array([0.0, 1, 2, 3, 4]), [0, 1, 0, 1, 1]
    assert_right(np.column_stack([x, np.eye(5)[2]]), np.array([-1, 1, -1, 1, 1]), bias=True)
    found = fg.separation(np.column_stack([x, np.eye(5)[4]]), y)
    assert found.kind == "quasi-complete"
    assert found.rows.tolist() == [4]
    assert found.coefficients == ["finite", "+inf", "finite"]


@pytest.mark.parametrize("first", [False, True])
def test_more_people_than_can_be_solved_for_at_once(first):
    """A flag for each row but one: nothing is left to balance, wherever the number stands."""
    n = 1300
    rng = np.random.default_rng(5)
    flags = np.eye(n)[:, 1:]
    x, y = rng.normal(size=n), rng.choice([-1.0, 1.0], n)
    X = np.column_stack([x, flags] if first else [flags, x])
    found = fg.separation(X, y)
    assert found.kind == "complete"
    assert found.aliased == [n - 1]  # the last one that is a combination of all before it
    direction = [Fraction(v) for v in found.direction]
    assert direction[n - 1] == 0
    own = direction[1 : n - 1] if first else direction[: n - 1]
    slope = direction[0] if first else direction[n - 1]
    for i in range(n):
        flag = own[i - 1] if 1 <= i <= len(own) else 0
        assert y[i] * (slope * Fraction(x[i]) + flag + direction[n]) > 0
    for j in (0, 1, n // 2, n):
        proof = found.certificate(j)
        assert found.coefficients[j] == proof.verdict
        for d in proof.directions:
            own, slope = (d[1 : n - 1], d[0]) if first else (d[: n - 1], d[n - 1])
            for i in (0, 1, 2, n // 2, n - 1):
                flag = own[i - 1] if 1 <= i <= len(own) else 0
                assert y[i] * (slope * Fraction(x[i]) + flag + d[n]) >= 0
    shares = found.certificate(n - 1).columns
    for row in np.column_stack([X, np.ones(n)]):
        numbers = [(j, Fraction(float(row[j]))) for j in np.flatnonzero(row).tolist()]
        assert sum(shares.get(j, 0) * v for j, v in numbers) == Fraction(float(row[n - 1]))


def test_an_aliased_column_is_given_by_those_before_it():
    rng = np.random.default_rng(2)
    a, b = rng.integers(-5, 6, (2, 30)).astype(float)
    X = pd.DataFrame({"a": a, "two": 0.0 * a + 2, "b": b, "sum": a / 4 - 3 * b + 1, "nil": 0.0 * a})
    y = rng.choice([-1, 1], 30)
    for frame in (X, X.assign(flag=np.eye(30)[3])):
        found = fg.separation(frame, y)
        last = len(found.names) - 1
        assert found.aliased == [1, 3, 4]
        assert found.certificate("two").columns == {last: 2}
        assert found.certificate("sum").columns == {0: Fraction(1, 4), 2: -3, last: 1}
        assert found.certificate("nil").columns == {}
        assert found.certificate("a").columns == {}


def test_names_that_are_not_one_for_each_column():
    X, y = [[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]], [0, 1, 0]
    with pytest.raises(ValueError, match="names must be 2 strings, one a column, got 'ab'"):
        fg.separation(X, y, names="ab")
    found = fg.separation(X, y, names=["sl", "sl"])
    with pytest.raises(ValueError, match=r"'sl' is the name of several: give the place"):
        found.certificate("sl")


def test_a_class_without_rows_is_named():
    X, y = [[0.0], [1.0], [2.0]], ["a", "b", "a"]
    found = fg.separation(X, y, weights=[1, 0, 2])
    assert (found.kind, found.absent) == ("complete", "b")
    assert "class 'b' has no rows" in str(found)
    assert fg.separation(X, ["a"] * 3, classes=("b", "a")).absent == "b"
    assert fg.separation(X, y).absent is None
    assert "no rows" not in str(fg.separation(X, y))


def test_rows_are_positions_and_the_index_says_what_they_are_called():
    X = pd.DataFrame({"x": [5.0, 1, 4, 2, 3]}, index=["p5", "p1", "p4", "p2", "p3"])
    y = pd.Series([1, 0, 1, 0, 1], index=X.index)
    found = fg.separation(X, y)
    assert found.rows.tolist() == [0, 1, 2, 3, 4]
    assert found.row_labels == ["p5", "p1", "p4", "p2", "p3"]
    assert "which the index calls: p5, p1, p4, p2, p3" in str(found)
    assert found.to_dict()["row_labels"] == found.row_labels
    plain = fg.separation(X.reset_index(drop=True), y.to_numpy())
    assert plain.row_labels is None
    assert "rows pushed off, counted from 0: 0, 1, 2, 3, 4" in str(plain)
