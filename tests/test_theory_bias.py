"""The bias and concentrated tests: closed forms against mpmath, ODE solvers, samples and runs."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import fastgrok as fg
from fastgrok.theory import bias
from fastgrok.theory._cube_law import mass, transverse_variance

mp.mp.dps = 30
FEW = settings(max_examples=25, deadline=None)
MANY = settings(max_examples=200, deadline=None)


@MANY
@given(
    log_plus=st.floats(-300.0, 300.0),
    log_minus=st.floats(-300.0, 300.0),
    offset=st.floats(-600.0, 600.0),
    log_g=st.floats(-12.0, 5.0),
)
@example(log_plus=0.0, log_minus=0.0, offset=0.0, log_g=0.0)
@example(log_plus=1.0, log_minus=0.0, offset=300.0, log_g=-12.0)
@example(log_plus=1.0, log_minus=0.0, offset=1e-9, log_g=0.0)
def test_bias_curve_to_rounding(log_plus, log_minus, offset, log_g):
    plus, minus = 10.0 ** (log_plus / 2), 10.0 ** (log_minus / 2)
    limit = 0.5 * (mp.log(plus) - mp.log(minus))
    b0 = float(limit) + offset
    lr = 10.0**log_g / 2 / math.sqrt(plus) / math.sqrt(minus)
    got = bias.bias_curve(50.0 * math.e, plus, minus, lr, b0, 50.0)
    g = 2 * mp.mpf(lr) * mp.sqrt(mp.mpf(plus) * minus) * mp.log(mp.mpf(50.0 * math.e) / 50)
    with mp.workdps(600):
        k = mp.tanh((limit - mp.mpf(b0)) / 2) * mp.exp(-g)
        left = 2 * mp.atanh(k)
    assert abs(got - (limit - left)) < 4e-14 * (1 + abs(limit) + abs(b0 - limit))


def test_bias_curve_at_its_start():
    assert bias.bias_curve(1.0, 1e300, 1e300, 1e300, 0.25) == 0.25
    # t - t0 is known to more digits than the logarithms of either.
    got = bias.bias_curve(50.0 * (1.0 + 2.0**-40), 3.0, 1.0, 1.0, 0.0, 50.0)
    assert got == pytest.approx(2.0 * 2.0**-40, rel=1e-10)


@pytest.mark.parametrize(
    ("plus", "minus", "b0"), [(3.0, 0.5, -2.0), (0.1, 4.0, 1.0), (1.0, 1.0, 3.0)]
)
def test_bias_curve_solves_its_equation(plus, minus, b0):
    t = np.geomspace(10.0, 1e6, 20)
    lr = 0.03
    flow = solve_ivp(
        lambda _, b: lr * (plus * np.exp(-b) - minus * np.exp(b)),
        np.log(t[[0, -1]]), [b0], "Radau", np.log(t), rtol=1e-11, atol=1e-13,
    )  # fmt: skip
    got = bias.bias_curve(t, plus, minus, lr, b0, 10.0)
    np.testing.assert_allclose(got, flow.y[0], atol=1e-9)


def support_vectors(counts, gamma):
    """Antipodal support vectors alone, in the plane: pairs at one distance along the margin."""
    along, across = np.array([1.0, 1.0]) / math.sqrt(2.0), np.array([1.0, -1.0]) / math.sqrt(2.0)
    rows = [
        y * gamma / 2 * along + side * across
        for y, n in zip((1.0, -1.0), counts, strict=True)
        for side in [1.0, -1.0] * (n // 2)
    ]
    return np.array(rows), np.repeat([1.0, -1.0], counts)


def test_bias_curve_of_a_run_on_support_vectors():
    counts, gamma, lr = (8, 2), 4.0, 1e-3
    X, y = support_vectors(counts, gamma)
    run = fg.train(X, y, steps=10**6, lr=lr, loss="exponential", reduction="sum", engine="exact")
    # The expansion's constant part of w, from sum_i lr e^{-m_i} z_i t = (2/gamma) w_true.
    half = 0.5 * gamma * 0.5 * gamma
    a = 1.0 / (2.0 * half * lr)  # A_+ e^{-b_inf} = A_- e^{b_inf}
    limit = 0.5 * math.log(counts[0] / counts[1])
    from_ = np.searchsorted(run.steps, 1000)
    t, t0, b0 = run.steps[from_:], run.steps[from_], run.b[from_]
    plus, minus = a * math.exp(limit), a * math.exp(-limit)
    got = bias.bias_curve(t, plus, minus, lr, b0, t0)
    np.testing.assert_allclose(run.b[from_:], got, atol=0.01)  # the radial drift is left out
    assert run.b[-1] == pytest.approx(limit, abs=0.06)
    # Without the learning rate the curve would be at its limit long before.
    assert np.abs(run.b[from_:] - bias.bias_curve(t, plus, minus, 1.0, b0, t0)).max() > 0.2


def exact_mass(h, dim):
    """P(|u| <= h) on the cube of half width 1, as an alternating sum of powers."""
    with mp.workdps(120 + dim):
        x = mp.sqrt(dim) * mp.mpf(h) / 2 + mp.mpf(dim) / 2
        terms = ((-1) ** k * mp.binomial(dim, k) * (x - k) ** dim for k in range(int(x) + 1))
        return 2 * mp.fsum(terms) / mp.factorial(dim) - 1


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7, 12, 20, 21, 40, 150])
def test_the_law_along_the_diagonal(dim):
    h = np.array([0.0, 1e-4, 0.01, 0.3, 0.57, 0.99]) * math.sqrt(dim)
    got = mass(5.0 * h, np.full(h.shape, dim), np.full(h.shape, 5.0))
    np.testing.assert_allclose(got, [float(exact_mass(x, dim)) for x in h], rtol=1e-10, atol=4e-15)
    beyond = mass(
        np.array([5.0 * math.sqrt(dim), 1e9, np.inf, np.nan]), np.full(4, dim), np.full(4, 5.0)
    )
    np.testing.assert_allclose(beyond, [1.0, 1.0, 1.0, np.nan], rtol=1e-14)
    thinnest = bias.concentrated_accuracy([0.0, 0.5e-3, 1.0], 1e-3, np.nextafter(0.5, 1), dim=dim)
    np.testing.assert_array_equal(thinnest, [1.0, 1.0, 0.5])


@pytest.mark.parametrize("dim", [256, 257, 1000])
def test_the_law_of_many_columns(dim):
    h = np.array([1e-3, 0.3, 1.5, 4.0])
    got = mass(h, np.full(4, dim), np.ones(4))
    np.testing.assert_allclose(got, [float(exact_mass(x, dim)) for x in h], rtol=1e-14)


@pytest.mark.parametrize("dim", [10**9, 2**53 + 2, 2**70, 2**1000])
def test_the_law_of_a_sum_without_end_is_normal(dim):
    h = np.array([1e-3, 0.3, 1.5, 4.0])
    normal = np.array([math.erf(x * math.sqrt(1.5)) for x in h])
    got = mass(h, np.full(4, float(dim)), np.ones(4))
    np.testing.assert_allclose(got, normal, rtol=1e-15 + 1 / dim, atol=0)
    got = bias.standard_accuracy(5.0 * h, 0.0, dim)
    np.testing.assert_allclose(got, 1.0 - 0.5 * normal, rtol=1e-15 + 1 / dim, atol=0)


@FEW
@given(
    dim=st.integers(1, 60),
    gamma=st.floats(1e-6, 2.0),
    h=st.floats(0.0, 1.0),
    alpha=st.floats(0.6, 20.0),
    share=st.floats(0.0, 1.0),
)
def test_accuracies_by_the_law(dim, gamma, h, alpha, share):
    reach = 5.0 * math.sqrt(dim)
    at, inner, outer = (
        exact_mass(min(x, reach) / 5.0, dim) for x in (h * reach, gamma / 2, alpha * gamma)
    )
    wrong = max(at - inner, 0)
    got = bias.standard_accuracy(h * reach, gamma, dim, share=share)
    assert abs(got - (1 - share * wrong / (1 - inner))) < 1e-13
    got = bias.concentrated_accuracy(h * reach, gamma, alpha, share=share, dim=dim)
    expected = 1 - share * min(wrong / (outer - inner), 1)
    assert abs(got - expected) < 1e-14 / (outer - inner)


@pytest.mark.parametrize("dim", [2, 3, 8, 21, 22, 300])
def test_the_variance_across_the_diagonal(dim):
    X = fg.datasets.concentrated((20_000, 20_000), dim=dim, gamma=1e-6, seed=1).X
    e = np.resize([1.0, -1.0, 2.0, -2.0], dim)
    e -= e.mean()
    z = X @ (e / np.linalg.norm(e))
    got = transverse_variance(dim, 5.0)
    assert got == pytest.approx(z.var(), rel=6 * math.sqrt(2.0 / 40_000))
    exact = {2: 50 / 3, 3: 125 / 12}
    assert got == pytest.approx(exact.get(dim, got), rel=1e-13)


def aligned_accuracy(data, distance, sign):
    return fg.accuracy(data.X, data.y, data.w_true, sign * distance)


@pytest.mark.parametrize("dim", [1, 2, 5, 30])
def test_accuracies_of_samples(dim):
    gamma, n = 0.05, 100_000
    counts = (n // 4, 3 * n // 4)
    tests = {
        "standard": fg.datasets.margin_cube(counts, dim, gamma=gamma, seed=2),
        "concentrated": fg.datasets.concentrated(counts, dim, gamma=gamma, alpha=10, seed=2),
    }
    distance = np.array([0.0, 0.02, 0.1, 0.3, 0.7, 2.0, 4.0])
    for sign, share in ((1.0, 0.75), (-1.0, 0.25)):
        found = {
            name: [aligned_accuracy(data, h, sign) for h in distance]
            for name, data in tests.items()
        }
        slack = 5 * 0.5 / math.sqrt(n)
        got = bias.standard_accuracy(distance, gamma, dim, share=share)
        np.testing.assert_allclose(got, found["standard"], atol=slack)
        got = bias.concentrated_accuracy(distance, gamma, 10, share=share, dim=dim)
        np.testing.assert_allclose(got, found["concentrated"], atol=slack)
        constant = bias.concentrated_accuracy(distance, gamma, 10, share=share)
        np.testing.assert_allclose(constant, got, atol=0.02)


def test_accuracies_at_the_ends():
    h = [0.0, 0.5e-3, np.inf, np.nan]
    for got in (
        bias.concentrated_accuracy(h, 1e-3),
        bias.concentrated_accuracy(h, 1e-3, dim=1024),
        bias.standard_accuracy(h, 1e-3, 1024),
    ):
        np.testing.assert_array_equal(got, [1.0, 1.0, 0.5, np.nan])
    limit = math.erf(1.0 / (5.0 * math.sqrt(2.0 / 3.0)))
    got = bias.standard_accuracy(1.0, 0.0, [10**3, 10**6])
    np.testing.assert_allclose(1.0 - 2.0 * (got - 0.5), limit, rtol=2e-4)
    # kappa: accuracy 1 - eps is where the distance is kappa gamma/2.
    kappa = 1 + 2 * 0.03 * 19
    assert bias.concentrated_accuracy(kappa * 0.5e-3, 1e-3) == pytest.approx(0.97, abs=1e-13)


@FEW
@given(
    few=st.integers(1, 1000),
    ratio=st.floats(1.0, 1e4),
    eps=st.sampled_from([0.0, 1e-3, 0.01, 0.05, 0.3]),
)
@example(few=35, ratio=10.0, eps=0.0)
@example(few=1, ratio=1.0 + 1e-9, eps=0.0)
def test_grokking_time_is_the_integral(few, ratio, eps):
    gamma, lr, alpha = 1e-3, 0.1, 10.0
    many = few * ratio
    kappa = 1 + 2 * eps * (2 * alpha - 1)

    def force(m):
        excess = mp.mpf(many) - few
        root = mp.sqrt(excess**2 + 4 * mp.mpf(many) * few * mp.exp(2 * m))
        return (excess + root) / (2 * mp.mpf(few) * mp.exp(m))

    scale = mp.log(mp.mpf(many) / few)
    got = bias.grokking_time((few, many), gamma, eps, alpha, lr)
    if scale == 0:
        assert got == 0.0
        return
    end = mp.findroot(lambda m: mp.log(force(m)) - kappa * m, (scale / 2 / kappa, scale / kappa),
                      solver="anderson", tol=1e-24)  # fmt: skip
    area = mp.quad(lambda m: 1 + mp.exp(m) * force(m), mp.linspace(0, end, 8))
    expected = 2 / (mp.mpf(gamma) ** 2 * many) * area / lr
    assert abs(got / expected - 1) < 1e-12
    if eps == 0.0:
        m = mp.log1p(2 * (mp.mpf(many) / few - 1)) / 2
        assert abs(end - m) < 1e-9 * m


@MANY
@given(
    log_few=st.floats(-40.0, 40.0), log_ratio=st.floats(0.0, 9.0), log_gamma=st.floats(-60.0, 60.0)
)
def test_grokking_time_of_the_exponential_loss(log_few, log_ratio, log_gamma):
    few, gamma = 10.0**log_few, 10.0**log_gamma
    many, eps, alpha = few * 10.0**log_ratio, 0.01, 3.0
    got = bias.grokking_time((few, many), gamma, eps, alpha, loss="exponential")
    kappa = 1 + 2 * mp.mpf(eps) * (2 * mp.mpf(alpha) - 1)
    distance = abs(mp.log(mp.mpf(many) / few)) / 2
    expected = 2 / mp.mpf(gamma) ** 2 / mp.sqrt(mp.mpf(many) * few) * mp.expm1(distance / kappa)
    assert abs(got - expected) <= 1e-13 * expected
    stated = bias.paper_grokking_time(math.sqrt(few / many), eps, alpha)
    assert abs(stated / mp.exp(distance / kappa) - 1) < 1e-14


def test_grokking_times_beyond_float64():
    got = bias.grokking_time((350, 35), [1e-200, 1e200])
    np.testing.assert_array_equal(got, [np.inf, 0.0])
    assert bias.paper_grokking_time(5e-324, 0.0, 10.0) == np.inf


def support_flow(counts, gamma, loss, until):
    """The flow of w = ||w|| w_true and b on antipodal support vectors alone; s = lr t, sum."""

    def right(_, z):
        m, b = 0.5 * gamma * z[0], z[1]
        margins = np.array([m + b, m - b])
        weight = np.exp(-margins) if loss == "exponential" else 1.0 / (1.0 + np.exp(margins))
        force = np.array(counts) * weight
        return [0.5 * gamma * force.sum(), force[0] - force[1]]

    def back(_, z):
        return z[1] / z[0] - 0.5 * gamma if z[0] > 1.0 else 1.0

    back.terminal = True
    return solve_ivp(right, [0, until], [0.0, 0.0], "LSODA", events=back, rtol=1e-8, atol=1e-10).t[
        -1
    ]


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_grokking_time_of_the_flow(loss):
    counts, gamma = (350, 35), 1e-3
    got = bias.grokking_time(counts, gamma, loss=loss)
    assert got == pytest.approx(support_flow(counts, gamma, loss, 2 * got), rel=1e-3)
    assert bias.grokking_time(counts[::-1], gamma, loss=loss) == got
    paper = bias.paper_grokking_time(math.sqrt(0.1), 0.0, 10.0)
    assert paper == pytest.approx(math.sqrt(10.0))
    assert got > 1e4 * paper


def test_grokking_time_of_a_run():
    # Wider than the paper's margin, so that descent gets there in a moment.
    counts, gamma, lr = (60, 6), 0.2, 1e-2
    X, y = support_vectors(counts, gamma)
    run = fg.train(X, y, steps=2000, lr=lr, reduction="sum", record=1)
    away = np.flatnonzero(run.distance[1:] >= 0.5 * gamma)[-1] + 1
    assert bias.grokking_time(counts, gamma, lr=lr) == pytest.approx(run.steps[away], rel=0.05)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: bias.bias_curve([5.0, 1.0], 1, 1, 1, 0.0, 2.0),
            "t must not be less than t0 = 2.0",
        ),
        (lambda: bias.bias_curve(5.0, 0, 1, 1), r"a_plus must lie in \(0, inf\), got 0"),
        (lambda: bias.concentrated_accuracy(-1.0, 1e-3), r"distance must lie in \[0, inf\] or nan"),
        (lambda: bias.concentrated_accuracy(1.0, 1e-3, 0.5), r"alpha must lie in \(0.5, inf\)"),
        (lambda: bias.concentrated_accuracy(1.0, 1e-3, share=2), r"share must lie in \[0, 1\]"),
        (lambda: bias.standard_accuracy(1.0, 20.0, 2), "gamma must be less than 2 half_width"),
        (lambda: bias.standard_accuracy(5.0, 54.77, 30), "leave at least 1e-9 of the cube"),
        (lambda: bias.concentrated_accuracy(5.0, 54.77, dim=30), "at least 1e-9 of the cube"),
        (lambda: bias.reduced_model(1.0, (9, 9), 54.77, dim=30), "at least 1e-9 of the cube"),
        (lambda: bias.concentrated_accuracy(1.0, np.nan), r"gamma must lie in \(0, inf\), got nan"),
        (lambda: bias.bias_curve(1.0, 1, 1, -1.0), r"lr must lie in \(0, inf\), got -1.0"),
        (lambda: bias.bias_curve(1.0, 1, 1, 1, np.inf), r"b0 must lie in \(-inf, inf\), got inf"),
        (lambda: bias.bias_curve([1.0] * 2, [1] * 3, 1, 1), r"t \(2,\), a_plus \(3,\)"),
        (
            lambda: bias.standard_accuracy(1.0, 1e-3, 0),
            r"dim must be integers in \[1, inf\), got 0",
        ),
        (lambda: bias.grokking_time((3, 0), 1e-3), r"support\[1\] must lie in \(1e-50, 1e50\)"),
        (lambda: bias.grokking_time(3, 1e-3), r"support must be a pair \(n_plus, n_minus\), got 3"),
        (lambda: bias.grokking_time((3, 1), 1e-3, 0.5), r"eps must lie in \[0, 0.5\), got 0.5"),
        (lambda: bias.paper_grokking_time(-1.0, 0.0, 10.0), r"delta must lie in \(0, inf\)"),
        (lambda: bias.Slab(0.0), "gamma must be greater than 0"),
        (lambda: bias.Slab(1e-3, 0.5), "alpha must be greater than 1/2, got 0.5"),
    ],
)
def test_arguments_outside_the_domain(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("gamma", [1e-8, 1e-12, 1e-16, 1e-20, 1e-300])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 7, 20, 21, 100])
def test_concentrated_accuracy_on_the_thinnest_slabs(gamma, dim):
    """The density is then as good as constant."""
    h = np.array([0.6, 2.0, 5.0, 9.9]) * gamma
    np.testing.assert_allclose(
        bias.concentrated_accuracy(h, gamma, dim=dim),
        bias.concentrated_accuracy(h, gamma),
        rtol=1e-8,
    )
