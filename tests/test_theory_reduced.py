"""The model of ||w|| and b against runs, a direct solution on many points, and limits."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import expit

import fastgrok as fg
from fastgrok.theory.bias import grokking_time, reduced_model


def test_without_other_points_it_gives_the_grokking_time():
    counts, gamma = (350, 35), 1e-3
    time = float(grokking_time(counts, gamma))
    norm_w, b = reduced_model(
        time * np.array([0.99, 1.01]), counts, gamma, support=counts, lr=1.0, reduction="sum"
    )
    over = b / norm_w - gamma / 2
    assert over[0] > 0 > over[1]


@pytest.mark.parametrize("dim", [1, 2, 30])
def test_against_a_sum_over_many_points(dim):
    counts, support, gamma, half_width = (900, 500), (90, 8), 0.02, 5.0
    data = fg.datasets.margin_cube((8000, 1), dim, gamma=gamma, half_width=half_width, seed=7)
    u = np.sort(data.X[:8000] @ data.w_true)
    share = (np.array(counts) - support) / u.size

    def right(log_s, z):
        out = np.zeros(2)
        for sign, weight, planted in zip((1.0, -1.0), share, support, strict=True):
            pull = weight * expit(-(z[0] * u + sign * z[1]))
            edge = planted * expit(-(z[0] * gamma / 2 + sign * z[1]))
            out += [pull @ u + edge * gamma / 2, sign * (pull.sum() + edge)]
        return math.exp(log_s) * out

    s = np.geomspace(1e-6, 1e2, 11)
    z = right(math.log(s[0]), [0.0, 0.0])
    expected = solve_ivp(right, np.log(s[[0, -1]]), z, "LSODA", np.log(s), rtol=1e-7, atol=1e-9).y
    got = reduced_model(
        s, counts, gamma, support=support, dim=dim, lr=1.0, reduction="sum", half_width=half_width
    )
    np.testing.assert_allclose(got[0], expected[0], rtol=0.03)
    np.testing.assert_allclose(got[1], expected[1], atol=0.03)


def test_a_run_in_the_plane():
    n, support, gamma, lr = (1000, 1000), (350, 200), 0.05, 1e-4
    data = fg.datasets.margin_cube(n, 2, gamma=gamma, support=support, seed=1)
    run = fg.train(data.X, data.y, steps=40_000, lr=lr, reduction="sum", engine="exact")
    norm_w, b = reduced_model(run.steps, n, data.gamma, support=support, lr=lr, reduction="sum")
    later = run.steps > 20  # descent takes longer strides than the flow at first
    np.testing.assert_allclose(norm_w[later], run.norm_w[later], rtol=0.06)
    np.testing.assert_allclose(b[later], run.b[later], atol=0.04)
    # The same losses averaged, with a learning rate n times as large.
    mean = reduced_model(run.steps, n, data.gamma, support=support, lr=2000 * lr)
    np.testing.assert_allclose(mean, [norm_w, b], rtol=1e-6)
    # The concentrated accuracy comes back to 0.99; by the support vectors alone it takes longer.
    distance = (1 + 2 * 0.01 * 19) * data.gamma / 2
    back = [
        int(run.steps[1:][np.flatnonzero(curve[1:] > distance)[-1] + 1])
        for curve in (run.distance, np.abs(b) / np.maximum(norm_w, 1e-300))
    ]
    assert back[1] == pytest.approx(back[0], rel=0.2)
    assert grokking_time(support, data.gamma, 0.01, lr=lr) > 2 * back[0]


def test_the_population_alone_drives_a_cube_root():
    s = np.array([1e7, 1e9])
    gamma, n = 1e-7, (1000, 1000)
    norm_w, b = reduced_model(s, n, gamma, lr=1.0, reduction="sum")
    density = 1.0 / (5.0 * math.sqrt(2.0))
    expected = (0.5 * math.pi**2 * 2000 * density * s) ** (1 / 3)
    assert np.all(norm_w * gamma < 0.1)
    np.testing.assert_allclose(norm_w, expected, rtol=2e-3)
    np.testing.assert_allclose(b, 0.0, atol=1e-9)


def test_dimensions_beyond_integers_of_64_bits():
    """There u is normal, as it nearly is from a million on."""
    got = [reduced_model([1e2, 1e4], (350, 35), 1e-3, dim=d) for d in (10**6, 2**70, 2**1000)]
    np.testing.assert_allclose(got[1], got[0], rtol=1e-5)
    np.testing.assert_array_equal(got[1], got[2])


def test_times_in_any_order_and_symmetry():
    t = np.array([[1e4, 0.0, 1e-9], [5.0, 1e4, 3e2]])
    norm_w, b = reduced_model(t, (30, 10), 0.1, support=(4, 4))
    assert norm_w[0, 0] == norm_w[1, 1]
    assert norm_w[0, 1] == b[0, 1] == 0.0
    # At first a straight line.
    assert b[0, 2] == pytest.approx(1e-2 * 1e-9 * 0.5 * 20 / 40, rel=1e-12)
    other, minus = reduced_model(t, (10, 30), 0.1, support=(4, 4))
    np.testing.assert_allclose([other, -minus], [norm_w, b], rtol=1e-6, atol=1e-12)
    assert np.ndim(reduced_model(3.0, (30, 10), 0.1)[0]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"t": -1.0}, r"t must lie in \[0, inf\), got -1.0"),
        ({"n": (0, 0)}, "n must count at least one point"),
        ({"support": (3, 30)}, "30 support vectors are more than the 10 points of class -1"),
        ({"gamma": 15.0}, "gamma must be less than 2 half_width sqrt"),
        ({"dim": 0}, "dim must be at least 1"),
        ({"reduction": "max"}, "reduction must be one of"),
    ],
)
def test_arguments_outside_the_domain(options, words):
    with pytest.raises(ValueError, match=words):
        reduced_model(**{"t": 1.0, "n": (10, 10), "gamma": 0.1, **options})
