"""Verdicts on separability: certificates checked in rational arithmetic, and linear programming."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import binom

import fastgrok as fg
from cases import layouts
from fastgrok.geometry import _balance, _faces, _probe, _search, _weights
from geometry_cases import assert_certificate, dot

BIG, TINY = 2.0**60, 2.0**-40


def check(X, verdict, y=None, bias=False):
    found = fg.separability(X, y, bias=bias)
    assert found.verdict == verdict
    assert_certificate(X, np.ones(len(X)) if y is None else y, bias, found)
    return found


@pytest.mark.parametrize(
    ("X", "verdict"),
    [
        ([[3.0, 4.0]], "separable"),
        ([[0.0, 0.0]], "interior"),
        ([[0.0, 0.0], [0.0, 0.0]], "interior"),
        ([[0.0, 0.0], [1.0, 1.0]], "boundary"),
        ([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], "interior"),
        ([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [3.0, 1.0]], "boundary"),
        ([[1.0, 2.0], [-1.0, -2.0]], "interior"),
        ([[1.0, 2.0], [-3.0, -6.0], [1.0, 0.0]], "boundary"),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], "boundary"),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], "interior"),
        ([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], "interior"),
        ([[BIG, 1.0], [-BIG, 1.0]], "separable"),
        ([[BIG, 1.0], [-BIG, 1.0], [0.0, -1.0]], "interior"),
        ([[BIG, 1.0], [-BIG, -1.0], [0.0, 1.0]], "boundary"),
        ([[1.0, TINY], [-1.0, TINY], [5.0, 1.0]], "separable"),
        ([[1.0, TINY], [-1.0, -TINY], [5.0, 1.0]], "boundary"),
        ([[1.0, TINY], [-1.0, TINY], [5.0, -TINY]], "separable"),
        ([[1.0, TINY], [-1.0, TINY], [0.0, -TINY]], "interior"),
        ([[1.0, 5e-324], [-1.0, 5e-324]], "separable"),
        ([[1.0, 1e300], [1.0, -1e300]], "separable"),
        ([[1e-300, 1e300], [1e-300, -1e300], [-1.0, 0.0]], "interior"),
        # Separable by (-1, 1 - 2^-53) and hardly anything else: neighbours in double precision.
        ([[1.0, 1.0 + 2.0**-52], [-1.0, -1.0]], "separable"),
        # Dependent columns: the middle one is the sum of the others.
        ([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 1.0, 1.0], [0.0, -1.0, -1.0]], "interior"),
        ([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 2.0, 1.0]], "boundary"),
        # Sums in which rounding would say zero.
        ([[0.1, 0.2], [-0.3, -0.6], [0.0, 1.0]], "interior"),
        ([[1e16, 1.0, 0.0], [-1e16, 0.0, 1.0], [0.0, -1.0, -1.0 + 2.0**-53]], "separable"),
        ([[1e16, 1.0, 0.0], [-1e16, 0.0, 1.0], [0.0, -1.0, -1.0]], "interior"),
    ],
)
def test_by_hand(X, verdict):
    found = fg.separability(X)
    if X == [[0.1, 0.2], [-0.3, -0.6], [0.0, 1.0]]:
        # 0.2 is twice 0.1 in double precision, and 0.6 twice 0.3 rounded: which way decides.
        side = Fraction(-0.6) - 2 * Fraction(-0.3)
        verdict = {-1: "interior", 0: "boundary", 1: "separable"}[(side > 0) - (side < 0)]
    assert found.verdict == verdict
    assert_certificate(X, np.ones(len(X)), False, found)


def test_with_bias_and_labels():
    check([[0.0], [1.0]], "separable", [1, -1], bias=True)
    check([[0.0], [1.0]], "boundary", [1, -1])
    check([[0.0], [1.0], [2.0]], "interior", [1, -1, 1], bias=True)
    check([[0.0], [0.0], [2.0]], "boundary", [1, -1, 1], bias=True)
    xor = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    check(xor, "interior", [1, 1, -1, -1], bias=True)
    check(xor, "separable", [-1, 1, 1, 1], bias=True)
    # All labels the same: a bias alone does it.
    found = check([[0.0, 0.0], [0.0, 0.0]], "separable", bias=True)
    assert found.b > 0
    assert found.margin == math.inf
    # A constant column does what the bias does.
    check([[1.0, 3.0], [2.0, 3.0]], "separable", [1, -1])
    check([[1.0, 3.0], [2.0, 3.0], [3.0, 3.0]], "interior", [1, -1, 1], bias=True)


@st.composite
def small_rows(draw):
    n, d = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    entries = st.integers(-2, 2)
    rows = np.array([[draw(entries) for _ in range(d)] for _ in range(n)], dtype=float)
    # Powers of two leave the signs of integer combinations to exact arithmetic.
    scales = np.ldexp(1.0, [draw(st.integers(-70, 70)) for _ in range(d)])
    return rows * scales


@given(rows=small_rows(), bias=st.booleans(), seed=st.integers(0, 100))
def test_small_sets_have_valid_certificates(rows, bias, seed):
    y = np.random.default_rng(seed).choice([-1.0, 1.0], size=len(rows))
    found = fg.separability(rows, y, bias=bias)
    assert found.verdict != "undecided"
    assert_certificate(rows, y, bias, found)


@given(rows=small_rows(), seed=st.integers(0, 100))
def test_verdicts_do_not_change_with_scale_order_or_repetition(rows, seed):
    verdict = fg.separability(rows).verdict
    rng = np.random.default_rng(seed)
    scaled = np.ldexp(rows, rng.integers(-60, 60, size=(len(rows), 1)))
    assert fg.separability(scaled).verdict == verdict
    assert fg.separability(scaled[rng.permutation(len(rows))]).verdict == verdict
    assert fg.separability(np.vstack([rows, scaled])).verdict == verdict
    assert fg.separability(np.column_stack([rows, rows, 0 * rows])).verdict == verdict
    assert fg.separability(-rows).verdict == verdict
    assert fg.separability(rows, -np.ones(len(rows)), bias=False).verdict == verdict


@given(
    n=st.integers(2, 12),
    d=st.integers(2, 6),
    inner=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_rank_deficient_and_nearly_so(n, d, inner, seed):
    """Products of matrices: of rank `inner` but for rounding, or exactly where entries are few."""
    rng = np.random.default_rng(seed)
    rounded = rng.normal(size=(n, inner)) @ rng.normal(size=(inner, d))
    assert_certificate(rounded, np.ones(n), False, fg.separability(rounded))
    exact = rng.integers(-9, 10, size=(n, inner)) @ rng.integers(-9, 10, size=(inner, d))
    assert_certificate(exact, np.ones(n), False, fg.separability(exact.astype(float)))


@given(n=st.integers(2, 10), d=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_margins_of_two_to_the_minus_40(n, d, seed):
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(n, d))
    rows = np.column_stack([np.vstack([V, -V]), np.full(2 * n, TINY)])
    check(rows, "separable")
    rows[0, -1] = 0.0
    rows[n, -1] = 0.0
    check(rows, "boundary" if n > 1 else "interior")
    rows[0, -1] = rows[n, -1] = -TINY
    if n > 1:
        check(rows, "interior" if d < n else fg.separability(rows).verdict)


def by_linear_program(Z):
    """Whether max t with Z u >= t and |u_j| <= 1 is positive, as HiGHS sees it."""
    n, d = Z.shape
    answer = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.column_stack([-Z, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[*[(-1.0, 1.0)] * d, (0.0, 1.0)],
    )
    return bool(answer.status == 0 and answer.x[-1] > 1e-9)


def compare_with_linear_programs(sets, seed):
    """Random sets around d = n / 2; where the two disagree, the certificate must hold exactly."""
    rng = np.random.default_rng(seed)
    counts = {"separable": 0, "interior": 0}
    for _ in range(sets):
        n = int(rng.integers(60, 401))
        d = int(np.clip(round(n / 2 + rng.normal() * math.sqrt(n) / 2), 1, n))
        X = rng.normal(size=(n, d))
        found = fg.separability(X)
        counts[found.verdict] += 1
        if by_linear_program(X) is not found.separable:
            assert_certificate(X, np.ones(n), False, found)
    return counts


def test_random_sets_around_the_edge():
    counts = compare_with_linear_programs(sets=12, seed=1)
    assert min(counts.values()) > 0


@pytest.mark.slow  # a minute of linear programs; the twelve sets above are checked in the same way
def test_a_thousand_random_sets_around_the_edge():
    counts = compare_with_linear_programs(sets=1000, seed=0)
    assert min(counts.values()) > 300


def test_the_separable_share_is_wendels():
    """Prob(Bin(n-1, 1/2) <= d-1), within four standard errors of 400 draws."""
    rng = np.random.default_rng(0)
    for d in (7, 10, 13):
        expected = binom.cdf(d - 1, 19, 0.5)
        share = np.mean([fg.separability(rng.normal(size=(20, d))).separable for _ in range(400)])
        assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / 400)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("n", "d"), [(20, 8), (20, 10), (20, 12), (30, 3), (10, 25)])
def test_random_sets_have_valid_certificates(n, d, bias):
    rng = np.random.default_rng([n, d])
    for _ in range(4):
        X, y = rng.normal(size=(n, d)).astype(np.float32), rng.choice([-1.0, 1.0], size=n)
        found = fg.separability(X, y, bias=bias)
        assert_certificate(X, y, bias, found)
        if found.verdict == "interior":
            assert np.count_nonzero(found.weights) == d + bias + 1


def test_opposite_rows_among_many():
    """Separable or not but for one row that occurs with both signs."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 50))
    assert fg.separability(X).separable
    found = fg.separability(np.vstack([X, -X[:1]]))
    assert found.verdict == "boundary"
    np.testing.assert_array_equal(np.flatnonzero(found.weights), [0, 60])
    products = [dot([Fraction(v) for v in row], found.separator) for row in X.tolist()]
    assert products[0] == 0
    assert min(products[1:]) > 0
    assert fg.separability(np.vstack([X, -X])).verdict == "interior"


def test_many_rows_are_worked_on_a_part_at_a_time():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 3))
    assert fg.separability(X).verdict == "interior"
    X[:, 0] = np.abs(X[:, 0]) + 1e-9
    found = fg.separability(X)
    assert found.separable
    assert np.min(X @ found.w) > 0
    X[0] = 0.0
    assert fg.separability(X).verdict == "boundary"
    y = np.where(X[:, 1] > 0.7, 1.0, -1.0)
    assert fg.separability(X, y, bias=True).separable
    assert not fg.separability(X, y, bias=False).separable


def test_weights_are_those_of_the_rows_as_given():
    X = np.array([[1e5, 0.0], [0.0, 1e-5], [-3.0, -1e-8]])
    found = check(X, "interior")
    # Positive, whatever the digits of the sums: the weights are exact but for their rounding.
    for column in X.T:
        terms = [Fraction(p) * Fraction(x) for p, x in zip(found.weights, column, strict=True)]
        assert abs(sum(terms)) <= Fraction(2.0**-52) * sum(map(abs, terms))
    found = check([[3.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -5.0]], "interior")
    np.testing.assert_allclose(found.weights[1] / found.weights[0], 3.0)
    np.testing.assert_allclose(found.weights[2] / found.weights[3], 2.5)


@pytest.mark.parametrize(
    ("entries", "y"),
    [
        ([0, 3, 1, 3, -2, 2, 2, -3, -1], [1, -1, 1, -1, -1, 1, -1, 1, -1]),
        ([-1, 3, 1, 1, 2, -1], [-1, -1, -1, -1, 1, 1]),
        ([1, 3, 3, 2, 2], [1, -1, 1, 1, -1]),
    ],
)
def test_weights_below_float64_stay_positive(entries, y):
    """Without their rows those that balance would span less."""
    rows, y = np.array(entries)[:, None] * 5e-324, np.array(y, dtype=float)
    found = check(rows, "interior", y, bias=True)
    assert min(rows[found.weights > 0]) < max(rows[found.weights > 0])


def test_layouts_and_dtypes_give_the_same_verdict():
    X = np.random.default_rng(3).normal(size=(30, 14)).astype(np.float32)
    expected = fg.separability(X.astype(np.float64))
    for name, other in layouts(X).items():
        found = fg.separability(other, threads=2)
        assert found.verdict == expected.verdict, name
        np.testing.assert_array_equal(found.weights, expected.weights)
    assert fg.separability([[1, 2], [3, 4]]).separable
    assert fg.separability(np.array([[True, False]])).separable


def test_undecided_rather_than_wrong(monkeypatch):
    """What cannot be proved is not claimed: here the proofs and the exact solver are taken away."""
    monkeypatch.setattr(_search, "_MOST_EXACT_WORK", 0)
    monkeypatch.setattr(_faces, "_MOST_WORK", 0.0)
    monkeypatch.setattr(_search, "hard_separator", lambda *_: None)
    found = fg.separability([[BIG, 1.0], [-BIG, 1.0]])
    assert found.verdict == "undecided"
    assert not found.separable
    assert math.isnan(found.margin)
    assert found.weights is None
    monkeypatch.setattr(_balance, "positive_solution", lambda *_: False)
    monkeypatch.setattr(_search, "_MOST_SPAN_WORK", 0.0)
    assert fg.separability([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]).verdict == "undecided"
    with pytest.raises(fg.FastgrokError, match="no margin was found"):
        fg.max_margin([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], [1, 1, 1], bias="none")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": [[1.0, math.nan]]}, ValueError, r"X must be finite.*X\[0, 1\] = nan"),
        ({"X": np.zeros((0, 2))}, ValueError, "at least one row"),
        ({"y": [1, 1]}, ValueError, "1 row, 2 labels"),
        ({"y": [2]}, ValueError, r"labels -1 and \+1 only"),
        ({"bias": 1}, TypeError, "bias must be True or False, got 1"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
    ],
)
def test_bad_arguments(change, error, words):
    with pytest.raises(error, match=words):
        fg.separability(**{"X": [[1.0, 2.0]], **change})


def almost_balanced(d):
    """Opposite unit vectors, and one that has none: the origin is on the boundary of their hull."""
    E = np.eye(d)
    return np.concatenate([E[:-1], -E[:-1], E[-1:]])


@pytest.mark.parametrize("d", [5, 40])
def test_all_levels_of_a_balance_are_taken_at_once(d, monkeypatch):
    calls = []
    monkeypatch.setattr(_faces, "_MOST_WORK", 0.0)
    monkeypatch.setattr(_search, "probe", lambda *args: calls.append(args) or _probe.probe(*args))
    X = almost_balanced(d)
    found = fg.separability(X)
    assert found.verdict == "boundary"
    assert_certificate(X, np.ones(len(X)), False, found)
    assert len(calls) == 2


def test_undecided_beyond_the_bounds(monkeypatch):
    X = almost_balanced(70)
    monkeypatch.setattr(_weights, "_MOST_WORK", 1e6)
    assert len(_weights.balances(X[:-1], np.ones(len(X) - 1))) == 2
    monkeypatch.setattr(_search, "_MOST_SPAN_WORK", 1e5)
    monkeypatch.setattr(_faces, "_MOST_WORK", 0.0)
    found = fg.separability(X)
    assert found.verdict == "undecided"
    assert found.proof == "no proof was found"


@pytest.mark.parametrize("scale", [1e-300, 1e100, 1e160, 1e200, 8e307])
def test_margins_beside_a_bias_at_every_scale(scale):
    found = fg.separability([[scale], [2.0 * scale]], [-1, 1], bias=True)
    assert found.verdict == "separable"
    w, b = Fraction(float(found.w[0])), Fraction(found.b)
    exact = min(-(w * Fraction(scale) + b), w * Fraction(2.0 * scale) + b) / abs(w)
    assert found.margin == pytest.approx(float(exact), rel=1e-12)
