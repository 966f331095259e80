"""The slab's accuracy and loss: quadrature over the square, and samples in more dimensions."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.special import ndtr, spence

import fastgrok as fg
from fastgrok.theory._population_loss import interval_loss
from fastgrok.theory._slab_law import thin_accuracy
from fastgrok.theory.bias import Slab

FEW = settings(max_examples=25, deadline=None)


def curves(slab, w, b, loss="logistic", tie="wrong"):
    weights = np.atleast_2d(np.asarray(w, dtype=float))
    b = np.broadcast_to(np.asarray(b, dtype=float), len(weights))
    accuracy, losses = slab.curves(np.linalg.norm(weights, axis=1), b, weights, loss, tie)
    return accuracy, losses


def softplus(x):
    return np.logaddexp(0.0, x)


def panels(low, high, at, width):
    """Nodes and weights of Gauss's rule on panels that are refined around some points."""
    steps = np.concatenate([-np.geomspace(1e3, 0.5, 12), [0.0], np.geomspace(0.5, 1e3, 12)]) * width
    edges = np.unique(np.clip(np.concatenate([[low, high], *[a + steps for a in at]]), low, high))
    x, weight = np.polynomial.legendre.leggauss(20)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1.0 + x)).ravel(), (half * weight).ravel()


def softplus_integral(x):
    """Integral of the softplus from -infinity to x, by the dilogarithm."""
    low, high = np.minimum(x, 0.0), np.maximum(x, 0.0)
    below = -spence(1.0 + np.exp(low))
    above = 0.5 * high**2 + math.pi**2 / 6 + spence(1.0 + np.exp(-high))
    return np.where(x < 0.0, below, above)


def mean_over_segment(centre, reach, loss):
    """Mean of the loss over margins within `reach` of `centre`."""
    x, weight = np.polynomial.legendre.leggauss(20)
    near = -(centre[:, None] + reach[:, None] * x)
    near = 0.5 * (softplus(near) if loss == "logistic" else np.exp(near)) @ weight
    far = np.maximum(reach, 1e-300)
    if loss == "logistic":
        ends = softplus_integral(far - centre) - softplus_integral(-far - centre)
    else:
        ends = np.exp(far - centre) - np.exp(-far - centre)
    return np.where(reach < 1.0, near, 0.5 * ends / far)


def plane_reference(slab, along, across, b, loss):
    """Both curves in the plane, by quadrature over u of what is known on a segment of v."""
    corner = slab.half_width * math.sqrt(2.0)
    low, high = slab.gamma / 2, min(slab.alpha * slab.gamma, corner)
    accuracy = total = 0.0
    for sign in (1.0, -1.0):
        kinks = [
            -(sign * b + s * across * corner) / (along - s * across or 1.0) for s in (1, -1, 0)
        ]
        u, weight = panels(low, high, [low, high, *kinks], 1.0 / (abs(along) + abs(across) + 1e-3))
        centre, reach = along * u + sign * b, abs(across) * (corner - u)
        right = np.clip(0.5 + 0.5 * centre / np.maximum(reach, 1e-300), 0.0, 1.0)
        accuracy += weight * (corner - u) @ right
        total += weight * (corner - u) @ mean_over_segment(centre, reach, loss)
    whole = 2.0 * ((high - low) * corner - 0.5 * (high**2 - low**2))
    return accuracy / whole, total / whole


@FEW
@given(
    log_size=st.floats(-3.0, 4.0),
    angle=st.floats(-math.pi, math.pi),
    distance=st.floats(-3.0, 3.0),
    log_gamma=st.floats(-3.0, 0.5),
    loss=st.sampled_from(["logistic", "exponential"]),
)
@example(log_size=1.0, angle=math.pi / 4, distance=0.5, log_gamma=-3.0, loss="logistic")
@example(log_size=3.0, angle=math.pi / 4, distance=3.0, log_gamma=-3.0, loss="logistic")
@example(log_size=4.0, angle=math.pi / 4 + 1e-4, distance=0.1, log_gamma=-3.0, loss="logistic")
@example(log_size=0.0, angle=0.0, distance=0.0, log_gamma=0.5, loss="exponential")
def test_the_law_in_the_plane(log_size, angle, distance, log_gamma, loss):
    slab = Slab(10.0**log_gamma)
    size = 10.0**log_size if loss == "logistic" else 10.0 ** min(log_size, 1.0)
    w = size * np.array([math.cos(angle), math.sin(angle)])
    b = distance * size * min(slab.alpha * slab.gamma, 5.0)
    along, across = (w[0] + w[1]) / math.sqrt(2.0), (w[0] - w[1]) / math.sqrt(2.0)
    accuracy, losses = curves(slab, w, b, loss)
    expected = plane_reference(slab, along, across, b, loss)
    assert accuracy[0] == pytest.approx(expected[0], abs=2e-4)  # the reference's, at its kinks
    assert losses[0] == pytest.approx(expected[1], rel=1e-8)


def test_late_losses_in_the_plane_keep_their_digits():
    # Aligned with the diagonal every margin is at least 100 - b: the loss is that of exp(-m).
    slab = Slab(1.0, alpha=2.0)
    w, b = 200.0 * np.ones(2) / math.sqrt(2.0), 3.0
    loss = curves(slab, w, b)[1][0]
    corner = 5.0 * math.sqrt(2.0)
    whole = integrate.quad(lambda u: corner - u, 0.5, 2.0)[0]
    inner = integrate.quad(
        lambda u: (corner - u) * math.exp(-200.0 * (u - 0.5)), 0.5, 2.0, points=[0.52, 0.6]
    )[0]
    expected = math.exp(-100.0) * math.cosh(3.0) * inner / whole
    assert loss == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("b", [-0.4, 0.0, 0.01, 2.0])
def test_one_column(b):
    slab, w = Slab(0.2), 3.0
    accuracy, losses = curves(slab, [[w]], b)
    margins = [lambda u, s=s: w * u + s * b for s in (1.0, -1.0)]
    kinks = [abs(b) / w] if 0.1 < abs(b) / w < 2.0 else None
    for got, f in ((accuracy, lambda m: float(m > 0)), (losses, lambda m: softplus(-m))):
        parts = [
            integrate.quad(lambda u, m=m, f=f: f(m(u)), 0.1, 2.0, points=kinks)[0] for m in margins
        ]
        assert got[0] == pytest.approx(sum(parts) / 3.8, rel=1e-9)


@FEW
@given(
    centre=st.floats(-60.0, 60.0), log_length=st.floats(-6.0, 3.0), log_spread=st.floats(-3.0, 2.0)
)
@example(centre=0.0, log_length=-6.0, log_spread=-3.0)
@example(centre=-60.0, log_length=1.0, log_spread=-3.0)
@example(centre=60.0, log_length=1.0, log_spread=1.0)
def test_uniform_plus_normal(centre, log_length, log_spread):
    length, spread = 10.0**log_length, 10.0**log_spread
    low, high = centre - 0.5 * length, centre + 0.5 * length
    length = high - low
    bends = [*np.arange(-12.0, 12.0), spread, -low / spread, -high / spread]
    z, weight = panels(-12.0, 12.0 + spread, bends, min(0.4, 1.0 / spread))
    density = weight * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    x, share = panels(low, high, [low, high, 0.0], min(1.0, length))
    inner = softplus(x[:, None] + spread * z)
    expected = float(share @ inner @ density) / length
    got = interval_loss(*(np.array([v]) for v in (low, high, spread)), "logistic")
    assert got[0] == pytest.approx(expected, rel=1e-10)
    ends = np.array([low, high]) / spread
    height = np.exp(-0.5 * ends**2) / math.sqrt(2.0 * math.pi)
    right = spread * float(np.diff(ends * ndtr(ends) + height)[0]) / length
    got = thin_accuracy(*(np.array([v]) for v in (low, high, spread)))
    assert got[0] == pytest.approx(right, abs=1e-7)
    with np.errstate(over="ignore"):
        expected = np.exp(0.5 * spread**2 + centre)
        got = interval_loss(*(np.array([v]) for v in (low, high, spread)), "exponential")
    if length < 1e-3:
        assert got[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dim", [3, 8, 100])
def test_samples_in_more_dimensions(dim):
    gamma, n = 1e-2, 100_000
    data = fg.datasets.concentrated((n, n), dim, gamma=gamma, seed=5)
    rng = np.random.default_rng(dim)
    slack = 5 * 0.5 / math.sqrt(2 * n)
    slope = 0.25 / dim
    for across, distance in ((0.0, 3.0), (0.003, 2.0), (0.01, 0.0), (1.0, -5.0)):
        e = rng.normal(size=dim)
        e -= e.mean()
        for size in (0.1, 1e3):
            w = size * (data.w_true + across * e / np.linalg.norm(e))
            b = size * distance * gamma
            accuracy, losses = curves(Slab(gamma), w, b)
            assert accuracy[0] == pytest.approx(
                fg.accuracy(data.X, data.y, w, b), abs=slack + (0.15 / dim if across else 0.0)
            )
            m = fg.margins(data.X, data.y, w, b, normalized=False)
            values = softplus(-m)
            error = 5 * values.std() / math.sqrt(2 * n)
            assert losses[0] == pytest.approx(values.mean(), abs=error, rel=slope)


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_weights_of_zero(columns):
    slab = Slab(1e-3)
    b = np.array([-1.0, 0.0, 1.0])
    for tie, at_zero in (("wrong", 0.0), ("negative", 0.5)):
        accuracy, losses = curves(slab, np.zeros((3, columns)), b, tie=tie)
        np.testing.assert_array_equal(accuracy, [0.5, at_zero, 0.5])
        np.testing.assert_allclose(losses, 0.5 * (softplus(b) + softplus(-b)), rtol=1e-13)


@pytest.mark.parametrize(
    ("slab", "columns", "words"),
    [
        (Slab(20.0), 2, r"has no points in 2 columns: gamma/2 = 10 is not less than"),
        (Slab(0.1), 3, r"thin slabs only in 3 columns or more: alpha gamma = 1 must be at most"),
    ],
)
def test_slabs_without_a_law(slab, columns, words):
    X = np.ones((2, columns))
    with pytest.raises(ValueError, match=r"evals\['slab'\] .*" + words):
        fg.train(X, [1, -1], steps=1, lr=0.1, evals={"slab": slab})
