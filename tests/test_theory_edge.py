"""Gaussian points of constant label: closed forms against mpmath, sums, samples and runs."""

import itertools
import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import fastgrok as fg
from cases import python
from fastgrok.theory import edge

mp.mp.dps = 22
FEW = settings(max_examples=10, deadline=None)
MANY = settings(max_examples=200, deadline=None)


def quad(f, points):
    """Integrate piece by piece, and skip pieces of no length."""
    points = sorted({mp.mpf(float(p)) for p in points})
    return mp.fsum(mp.quad(f, pair) for pair in itertools.pairwise(points))


def below(n, dim):
    """2^(n-1) P, as an integer."""
    total, binomial = 0, 1
    for k in range(min(dim, n)):
        total += binomial
        binomial = binomial * (n - 1 - k) // (k + 1)
    return total


def test_the_theory_is_loaded_when_asked_for():
    code = (
        "import sys, fastgrok; assert 'fastgrok.theory' not in sys.modules;"
        "assert fastgrok.theory.edge.limit_accuracy(0.0, 1.0) == 1.0"
    )
    assert python(code).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'theories'"):
        fg.theories  # noqa: B018


@MANY
@given(n=st.integers(1, 300), dim=st.integers(0, 310))
def test_separable_probability_is_the_sum(n, dim):
    exact = Fraction(below(n, dim), 2 ** (n - 1))
    got = edge.separable_probability(n, dim)
    np.testing.assert_allclose(got, float(exact), rtol=1e-12)
    log = edge.separable_probability(n, dim, log=True)
    if exact == 0:
        assert log == -np.inf
    else:
        with mp.workdps(150):
            expected = float(mp.log(mp.mpf(exact.numerator) / exact.denominator))
        np.testing.assert_allclose(log, expected, rtol=1e-12)


def test_separable_probability_of_the_papers_size_in_logarithms():
    n = 40_000
    dims = [1, 3000, 16_000, 19_000, 19_200, 19_999, 20_000]
    expected = [float(mp.log(below(n, d)) - (n - 1) * mp.log(2)) for d in dims]
    np.testing.assert_allclose(edge.separable_probability(n, dims, log=True), expected, rtol=2e-13)
    assert edge.separable_probability(n, n // 2) == 0.5
    # The complement: log P(not separable) at lambda = 0.52.
    np.testing.assert_allclose(
        edge.separable_probability(n, n - 20_800, log=True), expected[4], rtol=2e-13
    )
    assert edge.separable_probability(n, 20_800, log=True) == pytest.approx(
        -math.exp(expected[4]), rel=1e-12
    )


@pytest.mark.parametrize(
    ("n", "dim"), [(10**6, 10), (10**9, 4 * 10**8), (10**12, 10), (10**15, 49 * 10**13)]
)
def test_separable_probability_of_very_many_points_in_logarithms(n, dim):
    # The sum from its largest term on, whose ratios are at most dim / (n - dim).
    with mp.workdps(40):
        total = term = mp.mpf(1)
        for k in range(dim - 1, 0, -1):
            term *= mp.mpf(k) / (n - k)
            total += term
            if term < mp.mpf(10) ** -25 * total:
                break
        binomial = mp.loggamma(n) - mp.loggamma(dim) - mp.loggamma(n - dim + 1)
        expected = float(binomial + mp.log(total) - (n - 1) * mp.log(2))
    got = edge.separable_probability(n, dim, log=True)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_separable_probability_counts_draws_in_the_plane():
    # In the plane n points lie in a half plane iff the largest gap between angles exceeds pi.
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, (40_000, 5)), axis=1)
    gaps = np.diff(np.column_stack([angles, angles[:, 0] + 2.0 * np.pi]), axis=1)
    share = (gaps.max(axis=1) > np.pi).mean()
    assert edge.separable_probability(5, 2) == pytest.approx(share, abs=4 * 0.5 / 200)


@FEW
@given(x=st.floats(-38.0, 38.0), norm=st.floats(1e-3, 1e3), sigma=st.floats(1e-3, 1e3))
def test_accuracies_are_normal_probabilities(x, norm, sigma):
    b = -x * norm * sigma
    got = edge.population_accuracy(norm, b, sigma)
    expected = float(mp.ncdf(-mp.mpf(b) / norm / sigma))
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-307)  # denormals may be zero
    margin = norm
    limit = edge.limit_accuracy(margin, sigma)
    np.testing.assert_allclose(limit, float(mp.ncdf(1 / (mp.mpf(sigma) * margin))), rtol=1e-13)


def test_accuracy_where_the_weights_are_zero():
    assert edge.limit_accuracy(0.0, 5.0) == 1.0
    got = [edge.population_accuracy(0.0, [-1.0, 0.0, 1.0], 5.0, tie=t) for t in ("wrong", "half")]
    np.testing.assert_array_equal(got, [[1.0, 0.0, 0.0], [1.0, 0.5, 0.0]])
    assert edge.population_accuracy(0.0, -0.0, 5.0, tie="negative") == 1.0
    np.testing.assert_array_equal(edge.limit_accuracy([1e200, 1e-200], [1e200, 1e-200]), [0.5, 1.0])
    # So small that their quotient is not.
    assert edge.population_accuracy(1e-320, -1e-320, 1.0) == pytest.approx(0.8413447, abs=1e-3)


def mean_softplus(b, s, scale):
    """E log(1 + exp(b + s Z)) / scale by quadrature, cut where the integrand bends or peaks."""
    b, s = mp.mpf(b), mp.mpf(s)
    bend, end = -b / s, mp.mpf(40) + s
    points = [-40, end, -12, -6, -3, 0, 3, 6, 12]
    points += [min(max(bend + d / s, -40), end) for d in (-40, -10, -3, 0, 3, 10, 40)]
    points += [min(max(c + d, -40), end) for c in (bend, s) for d in (-12, -6, -2, 0, 2, 6, 12)]
    return quad(lambda z: mp.log1p(mp.exp(b + s * z)) * mp.npdf(z) / scale, points)


@FEW
@given(b=st.floats(-300.0, 10.0), log_s=st.floats(-6.0, 3.0))
@example(b=10.0, log_s=-1.0)
@example(b=-300.0, log_s=math.log10(5.0))
@example(b=-300.0, log_s=math.log10(20.0))
@example(b=0.0, log_s=3.0)
@example(b=0.0, log_s=-8.0)
@example(b=-300.0, log_s=3.0)
def test_logistic_population_loss(b, log_s):
    s = 10.0**log_s
    got = edge.population_loss(s, b, 1.0)
    assert abs(mean_softplus(b, s, got) - 1.0) < 1e-12


def test_population_loss_at_the_ends():
    assert edge.population_loss(0.0, 700.0, 1.0) == 700.0
    np.testing.assert_allclose(edge.population_loss(0.0, -700.0, 1.0), math.exp(-700.0), rtol=1e-13)
    np.testing.assert_allclose(edge.population_loss(1e-300, 1.0, 1.0), np.log1p(np.e), rtol=1e-14)
    assert edge.population_loss(1e300, -1e308, 1.0) == 0.0
    np.testing.assert_allclose(edge.population_loss(1e6, 1e3, 1.0), 1e6 / math.sqrt(2 * math.pi)
                               + 500.0, rtol=1e-6)  # fmt: skip
    got = edge.population_loss(np.array([[1.0], [15.0]]), [-3.0, 2.0], 2.0, "exponential")
    expected = np.exp(np.array([[-1.0, 4.0], [447.0, 452.0]]))
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def both_below(h, k, w1, rest):
    """Phi_2 as an integral over the first variable."""
    size = mp.sqrt(mp.mpf(w1) ** 2 + mp.mpf(rest) ** 2)
    rho, other = mp.mpf(w1) / size, mp.mpf(rest) / size
    if rest == 0:
        return mp.ncdf(min(h, k)) if w1 > 0 else max(mp.mpf(0), mp.ncdf(h) - mp.ncdf(-k))
    points = [-40, -8, -4, 0, k] + [h * rho + d * other for d in (-12, -4, 0, 4, 12)]
    points += [(h / rho) + d * other for d in (-12, -4, 0, 4, 12)] if w1 else []
    points = [min(max(p, -40), k) for p in points]
    return quad(lambda x: mp.npdf(x) * mp.ncdf((h - rho * x) / other), points)


@FEW
@given(
    w1=st.sampled_from([0.0, 1.0, -1.0, 1e-6, 50.0, -0.3]),
    rest=st.sampled_from([0.0, 1.0, 1e-3, 200.0]),
    b=st.sampled_from([0.0, 0.7, -3.0, 40.0, -1e-9]),
    sigma=st.sampled_from([1.0, 5.0]),
    r=st.sampled_from([0.5, 0.95, 0.99, 1e-5, 1.0]),
)
def test_label_fraction_accuracy(w1, rest, b, sigma, r):
    assume(w1 != 0.0 or rest != 0.0)
    got = edge.label_fraction_accuracy([w1, 0.6 * rest, -0.8 * rest], b, sigma, r)
    h = -mp.mpf(b) / sigma / mp.sqrt(mp.mpf(w1) ** 2 + mp.mpf(rest) ** 2)
    k = mp.sqrt(2) * mp.erfinv(2 * mp.mpf(r) - 1) if r < 1.0 else mp.mpf(40)
    expected = 1 - mp.ncdf(h) - mp.mpf(r) + 2 * both_below(h, k, w1, rest)
    assert abs(got - expected) < 1e-14


def test_label_fraction_accuracy_of_a_sample():
    data = fg.datasets.gaussian_noise(200_000, 3, sigma=2.0, label_fraction=0.9, seed=3)
    W = np.array([[1.0, 0.5, 0.0], [-1.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
    b = np.array([-2.0, 0.5, -1.0])
    expected = [fg.accuracy(data.X, data.y, w, c) for w, c in zip(W, b, strict=True)]
    got = edge.label_fraction_accuracy(W, b, 2.0, 0.9)
    np.testing.assert_allclose(got, expected, atol=5 * 0.5 / math.sqrt(200_000))
    assert edge.label_fraction_accuracy(W[2], 0.0, 2.0, 0.9, tie="negative") == 0.9
    # Neither the size of the weights matters, nor that their squares overflow.
    np.testing.assert_allclose(edge.label_fraction_accuracy(1e200 * W, 1e200 * b, 2.0, 0.9), got,
                               rtol=1e-13)  # fmt: skip


def exponential_run(**options):
    data = fg.datasets.gaussian_noise(60, 12, sigma=1.5, seed=4)
    return fg.train(
        data.X, data.y, lr=1e-3, loss="exponential", engine="exact", keep_weights=True, **options
    )


def test_weights_follow_the_bias_free_path_in_conformal_time():
    run = exponential_run(steps=20_000)
    tau = edge.conformal_time(run)
    free = exponential_run(steps=int(tau[-1]) + 2, record=1, bias=False)
    at = np.minimum(np.rint(tau).astype(int), free.steps[-1])
    np.testing.assert_allclose(run.weights[:, :-1], free.weights[at, :-1], atol=3e-3)
    assert tau[-1] < 0.6 * run.steps[-1]


def test_conformal_time_is_the_integral():
    run = exponential_run(steps=20_000)
    every = exponential_run(steps=20_000, record=1)
    e = np.exp(every.b)
    # Simpson's rule over single steps.
    total = (e[0] + e[-1] + 4 * e[1:-1:2].sum() + 2 * e[2:-1:2].sum()) / 3
    np.testing.assert_allclose(edge.conformal_time(run)[-1], total, rtol=2e-6)
    np.testing.assert_allclose(edge.conformal_time(every)[-1], total, rtol=1e-8)
    with pytest.raises(ValueError, match="recorded from step 0 on, its first record is 5"):
        edge.conformal_time(exponential_run(steps=10, record=[5, 7]))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: edge.separable_probability(0, 1), r"n must be integers in \[1, 1e15\], got 0"),
        (lambda: edge.separable_probability(1e16, 1), r"n must be integers in \[1, 1e15\]"),
        (lambda: edge.separable_probability(3, np.inf), r"dim must be integers in \[0, inf\)"),
        (lambda: edge.limit_accuracy(np.inf, 1.0), r"margin must lie in \[0, inf\), got inf"),
        (lambda: edge.population_accuracy(1.0, 0.0, -1.0), r"sigma must lie in \(0, inf\), got -1"),
        (lambda: edge.population_loss(1e200, 0.0, 1e200), "sigma times norm_w must be in float64"),
        (lambda: edge.label_fraction_accuracy([1.0, np.nan], 0.0, 1.0, 0.5), "w must be finite"),
        (lambda: edge.separable_probability(3, [1, 2.5]), r"but dim\[1\] = 2.5"),
        (lambda: edge.limit_accuracy(-0.1, 1.0), r"margin must lie in \[0, inf\), got -0.1"),
        (lambda: edge.population_loss(1.0, np.nan, 1.0), r"b must lie in .*, got nan"),
        (lambda: edge.population_loss(1.0, 0.0, 0.0), r"sigma must lie in \(0, inf\), got 0.0"),
        (lambda: edge.population_loss(1.0, 0.0, 1.0, "perceptron"), "loss must be one of"),
        (lambda: edge.population_accuracy([1.0, 2.0], [1.0] * 3, 1.0), r"norm_w \(2,\), b \(3,\)"),
        (lambda: edge.label_fraction_accuracy([1.0], 0.0, 1.0, 0.0), r"r must lie in \(0, 1\]"),
        (lambda: edge.label_fraction_accuracy(1.0, 0.0, 1.0, 0.5), r"w must have shape"),
        (lambda: edge.large_n_margin(0.0), r"lam must lie in \(0, 1e300\], got 0.0"),
        (lambda: edge.large_n_stationary([0.1, 0.5]), r"\(0, 0.5\), but lam\[1\] = 0.5"),
        (lambda: edge.GaussianNoise(-1.0), "sigma must be greater than 0, got -1.0"),
    ],
)
def test_arguments_outside_the_domain(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_arguments_of_the_wrong_type():
    with pytest.raises(TypeError, match="b must be real numbers, got dtype bool"):
        edge.population_loss(1.0, True, 1.0)
    with pytest.raises(TypeError, match="lam must hold real numbers"):
        edge.large_n_margin("half")
