"""Planted support vectors: exact in rational arithmetic, and the solution they fix."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from fastgrok import datasets

BOTH = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def exact_sum(row):
    return sum(map(Fraction, row.tolist()))


def offset_of(ds):
    """The planted coordinates' offset, from one planted pair or centre: the mean is y (k,..,k)."""
    return abs(exact_sum(ds.X[ds.support[0]])) / ds.X.shape[1]


def check_exactness(ds):
    """Every statement of the documentation about margins, without any rounding."""
    n, dim = ds.X.shape
    k = offset_of(ds)
    assert ds.gamma == pytest.approx(2 * float(k) * math.sqrt(dim), rel=4e-16)
    planted = set(ds.support.tolist())
    for i in range(n):
        total = int(ds.y[i]) * exact_sum(ds.X[i])
        assert total == dim * k if i in planted else total > dim * k
    half_width = ds.params["half_width"]
    assert all(abs(float(v)) <= half_width for v in ds.X.ravel())
    return k


def check_certificate(ds, k):
    """Optimality of ((2/gamma) w_true, 0) for the hard margin, bias free or penalised.

    In rational numbers: theta = (1, .., 1)/(d k) has margins >= 1, and theta = sum alpha_i y_i x_i
    with sum alpha_i y_i = 0, alpha_i > 0 on points of margin 1 only.
    """
    dim = ds.X.shape[1]
    theta = 1 / (dim * k)
    gamma_squared = 4 * k**2 * dim
    combination = [Fraction(0)] * dim
    balance = Fraction(0)
    for label in (1, -1):
        rows = [i for i in ds.support.tolist() if ds.y[i] == label]
        alpha = 2 / gamma_squared / len(rows)
        balance += label * alpha * len(rows)
        for i in rows:
            assert label * theta * exact_sum(ds.X[i]) == 1
            for j, value in enumerate(ds.X[i].tolist()):
                combination[j] += label * alpha * Fraction(value)
    assert balance == 0
    assert combination == [theta] * dim


@BOTH
@pytest.mark.parametrize("dim", [1, 2, 3, 7, 64, 1024])
@pytest.mark.parametrize("support", [(1, 1), (4, 6), (5, 2), (7, 9)])
def test_antipodal_planting_is_exact(dim, support, dtype):
    ds = datasets.margin_cube((12, 10), dim, support=support, seed=dim, dtype=dtype)
    assert ds.X.dtype == dtype
    assert ds.support.tolist() == [*range(support[0]), *range(12, 12 + support[1])]
    assert ds.gamma == pytest.approx(1e-3, rel=1e-7 if dtype is np.float64 else 1e-2)
    assert ds.params["assumption_holds"] is True
    check_certificate(ds, check_exactness(ds))


@given(
    n=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    dim=st.integers(1, 12),
    half_width=st.floats(1e-3, 1e6),
    relative=st.floats(1e-3, 0.5),
    dtype=st.sampled_from(["float64", "float32"]),
    seed=st.integers(0, 2**70),
)
@settings(max_examples=100, deadline=None)
def test_antipodal_planting_is_exact_for_any_argument(
    n, share, dim, half_width, relative, dtype, seed
):
    support = tuple(max(1, round(of * count)) for of, count in zip(share, n, strict=True))
    ds = datasets.margin_cube(
        n,
        dim,
        gamma=relative * half_width,
        support=support,
        half_width=half_width,
        dtype=dtype,
        seed=seed,
    )
    check_certificate(ds, check_exactness(ds))


@BOTH
def test_sums_of_planted_points_are_the_same_in_any_order(dtype):
    ds = datasets.margin_cube((40, 30), 1024, support=(31, 30), dtype=dtype)
    rng = np.random.default_rng(0)
    expected = None
    for i in ds.support:
        row = ds.y[i] * ds.X[i].astype(np.float64)
        orders = [row, row[::-1], np.sort(row), *(rng.permutation(row) for _ in range(3))]
        sums = {float(np.sum(order)) for order in orders}
        sums |= {float(np.cumsum(order)[-1]) for order in orders}
        sums |= {math.fsum(row), float(row[::2].sum() + row[1::2].sum())}
        expected = expected or sums
        assert len(sums) == 1
        assert sums == expected


def test_pairs_are_neighbours_and_antipodal():
    ds = datasets.margin_cube((9, 9), 5, support=(5, 4))
    k = float(offset_of(ds))
    for label, first, pairs in ((1, 0, 2), (-1, 9, 2)):
        for p in range(pairs):
            a, b = ds.X[first + 2 * p], ds.X[first + 2 * p + 1]
            assert np.array_equal(a + b, np.full(5, 2 * label * k))
            assert not np.array_equal(a, b)
    assert np.array_equal(ds.X[4], np.full(5, k))


@BOTH
def test_planted_points_fill_the_slice(dtype):
    """At d = 2 the slice is a segment, on which both points of a pair are uniform."""
    ds = datasets.margin_cube((4000, 1), 2, support=(4000, 1), half_width=1.0, dtype=dtype)
    for rows in (ds.X[:4000:2], ds.X[1:4000:2]):
        assert stats.kstest(rows[:, 0] - rows[:, 1], stats.uniform(-2, 4).cdf).pvalue > 1e-3


def extended_max_margin(X, y):
    """min |w|^2 + b^2 subject to y (w.x + b) >= 1: least distance programming by NNLS."""
    z = y[:, None] * np.column_stack([X, np.ones(len(X))])
    target = np.zeros(z.shape[1] + 1)
    target[-1] = 1.0
    system = np.vstack([z.T, np.ones(len(z))])
    dual, _ = optimize.nnls(system, target, maxiter=10_000)
    residual = system @ dual - target
    return -residual[:-1] / residual[-1]


@pytest.mark.parametrize("dim", [1, 2, 3, 8])
@pytest.mark.parametrize("support", [(1, 1), (4, 4), (6, 3)])
def test_extended_max_margin_is_along_w_true(dim, support):
    ds = datasets.margin_cube((60, 40), dim, gamma=0.5, support=support, seed=dim)
    theta = extended_max_margin(ds.X, ds.y)
    expected = np.append(2 / ds.gamma * ds.w_true, 0.0)
    np.testing.assert_allclose(theta, expected, atol=1e-9 * np.abs(expected).max())


def test_extended_max_margin_is_elsewhere_without_planting():
    ds = datasets.margin_cube((60, 40), 3, gamma=0.5)
    theta = extended_max_margin(ds.X, ds.y)
    assert np.linalg.norm(theta) < 0.99 * 2 / ds.gamma  # a larger margin
    assert abs(theta[-1]) > 1e-3


def intervals_meet(ds):
    """At d = 2 the hulls, projected along w_true, are intervals."""
    across = ds.X[ds.support] @ [1.0, -1.0]
    plus, minus = across[ds.y[ds.support] > 0], across[ds.y[ds.support] < 0]
    return plus.min() <= minus.max() and minus.min() <= plus.max()


def meeting_by_nnls(ds):
    """Whether two hulls meet, for well separated verdicts: distance 0 or clearly more."""
    projected = ds.X[ds.support] - np.outer(ds.X[ds.support] @ ds.w_true, ds.w_true)
    labels = ds.y[ds.support]
    system = np.vstack([(labels[:, None] * projected).T, labels > 0, labels < 0])
    target = np.append(np.zeros(projected.shape[1]), [1.0, 1.0])
    return optimize.nnls(system, target)[1] < 1e-9


@pytest.mark.filterwarnings("ignore:the hulls of")
@pytest.mark.parametrize(
    ("dim", "support", "oracle"),
    [
        (2, (2, 2), intervals_meet),
        (2, (1, 4), intervals_meet),
        (3, (3, 3), meeting_by_nnls),
        (6, (9, 7), meeting_by_nnls),
    ],
)
def test_iid_planting_judges_the_assumption(dim, support, oracle):
    seen = set()
    for seed in range(25):
        ds = datasets.margin_cube((20, 20), dim, support=support, planting="iid", seed=seed)
        assert ds.params["assumption_holds"] == oracle(ds)
        seen.add(ds.params["assumption_holds"])
    assert seen == {True, False}


@BOTH
def test_iid_planting_is_on_the_margin(dtype):
    ds = datasets.margin_cube((50, 50), 2, gamma=0.5, support=(20, 30), planting="iid", dtype=dtype)
    assert ds.params["assumption_holds"] is True
    check_exactness(ds)
    theta = extended_max_margin(ds.X.astype(np.float64), ds.y)
    np.testing.assert_allclose(theta, np.append(2 / ds.gamma * ds.w_true, 0.0), atol=1e-8)


def test_iid_planting_holds_at_one_dimension():
    ds = datasets.margin_cube((5, 5), 1, support=(2, 1), planting="iid")
    assert ds.params["assumption_holds"] is True
    check_exactness(ds)


@pytest.mark.parametrize(("dim", "support"), [(2, (1, 1)), (1024, (350, 350))])
def test_too_few_iid_support_vectors_warn(dim, support):
    with pytest.warns(UserWarning, match="too few, their hulls can't meet.*Assumption 3.1 fails"):
        ds = datasets.margin_cube((350, 350), dim, support=support, planting="iid")
    assert ds.params["assumption_holds"] is False


def test_iid_hulls_that_do_not_meet_warn():
    with pytest.warns(UserWarning, match=r"hulls of 4 \+ 4 .* don't meet"):
        datasets.margin_cube((10, 10), 7, support=(4, 4), planting="iid")


@pytest.mark.parametrize("planting", ["antipodal", "iid"])
@pytest.mark.parametrize("support", [(3, 0), (0, 2)])
def test_support_in_one_class_warns(planting, support):
    with pytest.warns(UserWarning, match="in one class only"):
        ds = datasets.margin_cube((10, 10), 2, support=support, planting=planting)
    assert ds.support.size == sum(support)
    assert ds.params["assumption_holds"] is False
    check_exactness(ds)


def test_warnings_point_at_the_caller():
    with pytest.warns(UserWarning, match="Assumption") as caught:
        datasets.margin_cube((10, 10), 2, support=(1, 0))
    assert caught[0].filename == __file__


def test_all_points_can_be_planted():
    ds = datasets.margin_cube((4, 3), 3, support=(4, 3))
    assert ds.support.tolist() == list(range(7))
    check_certificate(ds, check_exactness(ds))


def test_planting_leaves_the_drawn_points_as_far_as_asked():
    """Without planting, gamma is a bound that no point comes below."""
    for dtype, dim in itertools.product((np.float64, np.float32), (1, 2, 9)):
        ds = datasets.margin_cube((300, 200), dim, gamma=0.7, dtype=dtype)
        assert ds.gamma == 0.7
        assert ds.support.size == 0
        for row, label in zip(ds.X, ds.y, strict=True):
            total = int(label) * exact_sum(row)
            assert total > 0
            assert 4 * total**2 >= Fraction(0.7) ** 2 * dim


@BOTH
@pytest.mark.parametrize("dim", [1, 2, 5, 1024])
def test_concentrated_points_are_within_their_bounds(dim, dtype):
    gamma, alpha = 1e-3, 10.0
    ds = datasets.concentrated((40, 30), dim, gamma=gamma, alpha=alpha, dtype=dtype)
    assert ds.gamma == gamma
    for row, label in zip(ds.X, ds.y, strict=True):
        total = int(label) * exact_sum(row)
        assert total > 0
        low, high = Fraction(gamma) / 2, Fraction(gamma) * Fraction(alpha)
        assert low**2 * dim <= total**2 <= high**2 * dim
        assert np.abs(row).max() <= 5.0
