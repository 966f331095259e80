"""Separation: kind, rows and coefficients against rational programs, proofs in fractions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
from fastgrok.geometry.recession._signs import Signs
from geometry_cases import small_sets
from separation_cases import assert_proved, combined, integer_vectors, truth
from test_designs import small_design


def assert_right(X, y, bias, model="logistic"):
    found = fg.separation(X, y, bias=bias, model=model)
    kind, rows, coefficients, aliased = truth(X, y, bias, model)
    assert found.kind == kind
    assert found.rows.tolist() == rows
    assert found.coefficients == coefficients
    assert found.aliased == aliased
    assert_proved(X, y, bias, found, model)


@given(data=small_sets(9, divisors=(1, 7, 2**40)), bias=st.booleans())
def test_small_sets(data, bias):
    assert_right(*data, bias)


@given(data=small_sets(9), bias=st.booleans(), counts=st.lists(st.integers(0, 2), min_size=9))
def test_small_poisson_sets(data, bias, counts):
    X, _ = data
    assert_right(X, counts[: len(X)], bias, "poisson")


EXPONENTS = st.lists(st.integers(-150, 150), min_size=6, max_size=6)


@given(
    data=small_sets(6), bias=st.booleans(), rows=EXPONENTS, columns=EXPONENTS,
    model=st.sampled_from(["logistic", "poisson"]), apart=st.sampled_from([0.0, 1.0, 2.0]),
)  # fmt: skip
@settings(max_examples=15)
def test_rows_and_columns_in_units_far_apart(data, bias, rows, columns, model, apart):
    """Weights that are exact are known even where float64 does not hold them."""
    X, y = data
    n, d = X.shape
    X = X * 10.0 ** (apart * np.array(rows[:n], float))[:, None]
    X = X * 10.0 ** ((2.0 - apart) * np.array(columns[:d], float))
    X = np.where(np.isfinite(X), X, 1.0)
    assert_right(X, y if model == "logistic" else y > 0, bias, model)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        # A balance of which one weight is 10^180 times another.
        ([[0, 0], [0, 0], [0, 0], [0, 1e-74], [1e150, 0], [0, 0], [0, 1e105]],
         [-1, -1, 1, 1, -1, -1, -1]),
        # The last column is that of the first row times 10^250.
        ([[1e-125, 1e125], [-1e-125, -1e125], [1e120, 1e-120], [3.0, 1.0]], [1, 1, 1, -1]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("model", ["logistic", "poisson"])
def test_balances_of_weights_far_apart(X, y, model):
    y = np.array(y)
    for bias in (False, True):
        assert_right(np.array(X, float), y if model == "logistic" else y > 0, bias, model)


@pytest.mark.parametrize("kind", ["factors", "flags", "comparisons", "repeated", "low rank"])
@given(seed=st.integers(0, 10**9), bias=st.booleans(), noise=st.floats(0.0, 3.0))
@settings(max_examples=10)
def test_designs(kind, seed, bias, noise):
    rng = np.random.default_rng(seed)
    X = small_design(kind, rng)
    # Few rows: the truth is sought in fractions.
    chosen, columns = rng.permutation(len(X))[:12], rng.permutation(X.shape[1])[:6]
    X = X[np.ix_(chosen, columns)] * 10.0 ** rng.integers(-6, 7, size=len(columns))
    side = X @ (rng.normal(size=X.shape[1]) / np.maximum(np.abs(X).max(axis=0), 1e-9))
    side += noise * rng.normal(size=len(X))
    assert_right(X, np.where(side > 0.0, 1.0, -1.0), bias)


def two_way(rows, levels, drop=False):
    rng = np.random.default_rng(rows)
    X = np.hstack([np.eye(levels)[rng.integers(0, levels, rows)][:, int(drop) :] for _ in range(2)])
    return X, np.where(rng.random(rows) < 0.5, 1.0, -1.0)


def rare_flags():
    rng = np.random.default_rng(2)
    X = (rng.random((200, 30)) < 10.0 ** rng.uniform(-2.3, -1.0, size=30)).astype(float)
    return X, np.where(X @ rng.normal(size=30) + rng.logistic(size=200) > 1.0, 1.0, -1.0)


def pairs():
    rng = np.random.default_rng(5)
    first = rng.integers(0, 25, 60)
    X = np.eye(25)[first] - np.eye(25)[(first + rng.integers(1, 25, 60)) % 25]
    return X, np.where(X @ rng.normal(size=25) + 0.3 * rng.logistic(size=60) > 0.0, 1.0, -1.0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_larger_designs_of_zeros_and_ones_are_proved(which, bias):
    design = [two_way(60, 15), two_way(40, 21, True), rare_flags(), pairs()][which]
    found = fg.separation(*design, bias=bias)
    assert found.kind in ("complete", "quasi-complete")
    assert "undecided" not in found.coefficients
    assert_proved(*design, bias, found)


def test_the_three_ways_to_a_verdict_agree(monkeypatch):
    """A step, a program and integers: each alone, and what they find is proved again."""
    X, y = two_way(40, 9, True)
    right = fg.separation(X, y)
    assert {"+inf", "-inf", "either"} <= set(right.coefficients)
    names = ("_by_distance", "_by_program", "_in_integers")
    for kept in names:
        with monkeypatch.context() as patch:
            for name in names:
                if name != kept:
                    patch.setattr(Signs, name, lambda *_: False)
            found = fg.separation(X, y)
            assert found.coefficients == right.coefficients
            assert_proved(X, y, True, found)
    for name in names:
        monkeypatch.setattr(Signs, name, lambda *_: False)
    found = fg.separation(X, y)
    assert "undecided" in found.coefficients
    assert found.kind == right.kind


def test_a_wrong_candidate_is_not_believed(monkeypatch):
    """Whatever floating point says, what is not proved is not claimed."""
    X, y = two_way(40, 9, True)
    right = fg.separation(X, y)
    rng = np.random.default_rng(0)
    coordinates = Signs._coordinates

    def wrong(self, moving):
        coordinates(self, moving)
        self.Q, self.G = rng.permutation(self.Q), rng.permutation(self.G)

    monkeypatch.setattr(Signs, "_coordinates", wrong)
    monkeypatch.setattr(Signs, "_in_integers", lambda *_: False)
    found = fg.separation(X, y)
    for verdict, truth_of_it in zip(found.coefficients, right.coefficients, strict=True):
        assert verdict in (truth_of_it, "undecided")
    assert_proved(X, y, True, found) if "undecided" not in found.coefficients else None


@pytest.mark.parametrize("n", [30, 60, 200])
def test_rows_in_general_position(n):
    """Long numbers: all of few rows can be pushed off, none of many, and nothing is between."""
    rng = np.random.default_rng(n)
    X, y = rng.normal(size=(n, 20)), rng.choice([-1.0, 1.0], size=n)
    found = fg.separation(X, y)
    assert found.kind == ("complete" if n == 30 else "none")
    assert "undecided" not in found.coefficients
    if n < 200:
        assert_proved(X, y, True, found)


def test_rows_of_weight_zero_are_absent_and_other_weights_do_not_matter():
    X, y = two_way(60, 15)
    weights = np.tile([1.0, 0.0, 1e-300, 7.0], 15)
    found, some = fg.separation(X, y, weights=weights), np.flatnonzero(weights)
    alone = fg.separation(X[some], y[some])
    assert found.kind == alone.kind
    assert found.coefficients == alone.coefficients
    np.testing.assert_array_equal(found.rows, some[alone.rows])
    np.testing.assert_array_equal(found.overlap, some[alone.overlap])
    np.testing.assert_array_equal(found.weights[some], alone.weights)
    assert not found.weights[weights == 0.0].any()


def test_long_numbers_in_many_columns():
    """Combinations of as many rows as columns are enclosed, and exact where they are asked for."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 24)), rng.choice([-1.0, 1.0], size=50)
    found = fg.separation(X, y)
    assert found.kind == "complete"
    rows = integer_vectors(X, y, True)
    for verdict, sign in (("+inf", 1), ("-inf", -1)):
        j = found.coefficients.index(verdict)
        (combination,) = found.certificate(j).combinations
        assert len(combination) == 25
        assert combined(rows, combination) == [sign * (k == j) for k in range(25)]
