"""The cube's sampler against rejection, convolution formulas and moments."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, interpolate, stats

from fastgrok import datasets
from fastgrok.datasets._cube import Lattice, _ceil_log2, _sign_law, fill_side, fill_slab

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
LEAST_P = 1e-3  # the seeds are fixed: a correct sampler passes always


def generator(seed):
    return np.random.Generator(np.random.SFC64(seed))


def draw_slab(rows, dim, low, high, *, half_width=1.0, dtype=F64, seed=0):
    lattice = Lattice.of_cube(dim, half_width, dtype)
    out = np.empty((rows, dim), dtype)
    fill_slab(generator(seed), out, lattice, round(low / lattice.step), round(high / lattice.step))
    return out


def reject(rows, dim, low, high, *, half_width=1.0, seed=12345):
    rng = np.random.default_rng(seed)
    kept = []
    while sum(map(len, kept)) < rows:
        x = rng.uniform(-half_width, half_width, (1 << 16, dim))
        total = x.sum(axis=1)
        kept.append(x[(low <= total) & (total <= high)])
    return np.concatenate(kept)[:rows]


def views(x):
    """Scalars of a point that together would show a wrong joint law."""
    rng = np.random.default_rng(7)
    yield "first", x[:, 0]
    yield "last", x[:, -1]
    yield "sum", x.sum(axis=1)
    yield "largest", np.abs(x).max(axis=1)
    yield "norm", (x**2).sum(axis=1)
    yield "first two", x[:, 0] + x[:, 1]
    yield "projection", x @ rng.standard_normal(x.shape[1])


@pytest.mark.parametrize("dim", [2, 3, 5])
@pytest.mark.parametrize(("low", "high"), [(0.05, 0.5), (-1.5, -0.3), (0.8, 1.6)])
def test_slab_has_the_law_of_rejection(dim, low, high):
    drawn = draw_slab(6000, dim, low, high, seed=dim)
    expected = reject(6000, dim, low, high)
    for (name, a), (_, b) in zip(views(drawn), views(expected), strict=True):
        assert stats.ks_2samp(a, b).pvalue > LEAST_P, name


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_concentrated_has_the_law_of_rejection(dim):
    gamma, alpha = 0.3, 3.0
    ds = datasets.concentrated((4000, 4000), dim, gamma=gamma, alpha=alpha, half_width=1.0, seed=3)
    root = np.sqrt(dim)
    expected = reject(4000, dim, gamma / 2 * root, alpha * gamma * root)
    for label in (1.0, -1.0):
        drawn = label * ds.X[ds.y == label]
        for (name, a), (_, b) in zip(views(drawn), views(expected), strict=True):
            assert stats.ks_2samp(a, b).pvalue > LEAST_P, (label, name)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_margin_cube_has_the_law_of_rejection(dim):
    gamma = 0.8
    ds = datasets.margin_cube((4000, 4000), dim, gamma=gamma, half_width=1.0, seed=4)
    expected = reject(4000, dim, gamma / 2 * np.sqrt(dim), np.inf)
    for label in (1.0, -1.0):
        drawn = label * ds.X[ds.y == label]
        for (name, a), (_, b) in zip(views(drawn), views(expected), strict=True):
            assert stats.ks_2samp(a, b).pvalue > LEAST_P, (label, name)


def sum_density(n):
    """Density of the sum of n uniform numbers on [-1, 1]: a B-spline."""
    spline = interpolate.BSpline.basis_element(np.arange(n + 1), extrapolate=False)
    return lambda s: np.nan_to_num(spline((np.asarray(s) + n) / 2)) / 2


def conditional_cdf(part, dim, total):
    """Law of the sum of `part` coordinates given the sum of all `dim`, by convolution."""
    t = np.linspace(-part, part, 20_001)
    density = sum_density(part)(t) * sum_density(dim - part)(total - t)
    mass = integrate.cumulative_trapezoid(density, t, initial=0.0)
    return lambda x: np.interp(x, t, mass / mass[-1])


@pytest.mark.parametrize("dim", [2, 3, 5, 8, 17])
@pytest.mark.parametrize("share", [0.0, 0.15, -0.3])
def test_slice_has_the_law_of_convolution(dim, share):
    total = share * dim
    x = draw_slab(8000, dim, total, total, seed=11)
    one = conditional_cdf(1, dim, total)
    for column in {0, dim // 2, dim - 1}:
        assert stats.kstest(x[:, column], one).pvalue > LEAST_P, column
    if dim > 3:
        two = conditional_cdf(2, dim, total)
        for a, b in ((0, 1), (0, dim - 1), (1, 2)):
            assert stats.kstest(x[:, a] + x[:, b], two).pvalue > LEAST_P, (a, b)


def test_sign_patterns_are_those_of_rejection():
    weights = 1 << np.arange(5)
    patterns = [
        np.bincount((x > 0) @ weights, minlength=32)
        for x in (draw_slab(20_000, 5, 0.2, 0.9, seed=2), reject(20_000, 5, 0.2, 0.9))
    ]
    seen = np.array(patterns)[:, np.sum(patterns, axis=0) > 20]
    assert stats.chi2_contingency(seen).pvalue > LEAST_P


def test_moments_in_high_dimension():
    rows, dim, a = 3000, 1024, 5.0
    ds = datasets.concentrated((rows, 0), dim, gamma=1e-3, seed=5)
    x = ds.X
    variance = a**2 / 3
    # Conditioning on the sum takes a share 1/d of the variance, less than this sample resolves.
    assert x.mean() == pytest.approx(0.0, abs=1e-3)
    assert (x**2).mean() == pytest.approx(variance, rel=5 * np.sqrt(0.8 / x.size) + 1 / dim)
    assert (x**4).mean() == pytest.approx(a**4 / 5, rel=5 * np.sqrt(16 / 9 / x.size) + 4 / dim)
    for column in (0, 511, 1023):
        assert stats.kstest(x[:, column] / a, stats.uniform(-1, 2).cdf).pvalue > LEAST_P
    # The number of positive coordinates: variance d/4, less the part that the sum explains.
    positive = (x > 0).sum(axis=1)
    expected = dim / 4 * (1 - 3 / 4)
    assert positive.mean() == pytest.approx(dim / 2, abs=5 * np.sqrt(expected / rows))
    assert positive.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / rows))
    # No column is preferred when signs are turned.
    share = (x > 0).mean(axis=0)
    score = ((share - 0.5) ** 2).sum() * 4 * rows
    assert LEAST_P < stats.chi2(dim - 1).sf(score) < 1 - LEAST_P
    # The distance from the hyperplane is uniform on so thin a slab.
    u = x @ ds.w_true
    assert stats.kstest(u, stats.uniform(0.5e-3, 9.5e-3).cdf).pvalue > LEAST_P


def test_neighbouring_columns_are_no_closer_than_distant_ones():
    x = draw_slab(4000, 64, 0.0, 0.0, seed=9)
    covariance = np.cov(x.T)
    between = covariance[~np.eye(64, dtype=bool)]
    near = np.diag(covariance, 1)
    assert between.mean() == pytest.approx(-1 / 3 / 63, abs=1e-3)
    assert abs(near.mean() - between.mean()) < 5 * between.std() / np.sqrt(63)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 31, 64, 1024])
def test_sign_law_is_binomial(dim):
    n = dim - 1
    first, pair = _sign_law(n)
    k = np.arange(-2, n + 2)
    law = stats.binom(n, 0.5)
    both = law.pmf(k) + law.pmf(k + 1)
    np.testing.assert_allclose(pair, both / both.max(), rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(first, law.pmf(k) / both.max(), rtol=1e-11, atol=1e-300)


@given(
    dim=st.integers(1, 40),
    half_width=st.floats(1e-30, 1e30),
    dtype=st.sampled_from([F64, F32]),
    seed=st.integers(0, 2**64),
    span=st.tuples(st.floats(-0.2, 0.2), st.floats(0, 0.2)),
)
@settings(max_examples=150, deadline=None)
def test_every_point_is_on_the_lattice_in_the_cube_and_in_the_slab(
    dim, half_width, dtype, seed, span
):
    lattice = Lattice.of_cube(dim, half_width, dtype)
    low = round(span[0] * dim * lattice.reach)
    high = low + round(span[1] * dim * lattice.reach)
    slab, side = np.empty((9, dim), dtype), np.empty((9, dim), dtype)
    fill_slab(generator(seed), slab, lattice, low, high)
    least = 1 + lattice.reach // 4
    fill_side(generator(seed), side, lattice, least, -1)
    for x, bottom, top in ((slab, low, high), (side, -dim * lattice.reach, -least)):
        steps = x.astype(np.float64) / lattice.step
        assert np.array_equal(steps, np.rint(steps))
        assert np.abs(x).astype(np.float64).max() <= half_width
        for row in steps:
            assert bottom <= sum(map(int, row)) <= top


@given(st.integers(1, 1 << 20), st.floats(1e-30, 1e30), st.sampled_from([F64, F32]))
@settings(max_examples=200, deadline=None)
def test_lattice_is_the_finest_that_is_exact(dim, half_width, dtype):
    lattice = Lattice.of_cube(dim, half_width, dtype)
    step, half = Fraction(lattice.step), Fraction(half_width)
    assert lattice.reach % 2 == 0
    assert half - 2 * step < lattice.reach * step <= half
    assert dim * half / step <= 2**53
    fits_half_the_step = dim * half / (step / 2) <= 2**53
    if dtype == F32:
        assert half / step <= 2**24
        fits_half_the_step &= half / (step / 2) <= 2**24
    assert not fits_half_the_step


@given(st.integers(1, 2000), st.fractions(Fraction(1, 10**9), 3))
@settings(max_examples=200, deadline=None)
def test_sums_at_a_distance_are_exact(dim, distance):
    lattice = Lattice.of_cube(dim, 5.0, F64)
    step = Fraction(lattice.step)
    square = distance**2 * dim  # of the real sum at this distance
    least, greatest = lattice.least_sum(distance), lattice.greatest_sum(distance)
    assert (least * step) ** 2 >= square > ((least - 1) * step) ** 2
    assert (greatest * step) ** 2 <= square
    assert ((greatest + 1) * step) ** 2 > square or greatest == dim * lattice.reach


@given(st.fractions(min_value=Fraction(1, 10**40), max_value=10**40))
def test_ceil_log2(x):
    e = _ceil_log2(x)
    assert Fraction(2) ** (e - 1) < x <= Fraction(2) ** e


def test_hopeless_slabs_are_refused():
    with pytest.raises(ValueError, match="too small a part of the cube"):
        draw_slab(1, 64, 63.0, 63.5)
    lattice = Lattice.of_cube(16, 1.0, F64)
    with pytest.raises(ValueError, match="too small a part of the cube"):
        fill_side(generator(0), np.empty((1, 16)), lattice, 15 * lattice.reach, 1)
