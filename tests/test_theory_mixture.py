"""Populations of Gaussian mixtures: quadrature in another variable, mpmath, samples, runs."""

import functools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.special import erfc, expit

import fastgrok as fg
from fastgrok.datasets import flip_labels, gaussian_mixture
from fastgrok.theory.edge import GaussianNoise, population_loss
from fastgrok.theory.mixture import GaussianMixture

FEW = settings(max_examples=40, deadline=None)
LABELS = ("classes", "teacher", "logistic")
KINDS = pytest.mark.parametrize("labels", LABELS)
LOSSES = tuple(GaussianMixture.losses)
SIZES = st.floats(-3.0, 4.0).map(lambda x: 10.0**x)


def curves(population, w, b, loss="logistic", tie="wrong"):
    """Accuracy and loss of one hyperplane."""
    w = np.atleast_2d(np.asarray(w, dtype=np.float64))
    b = np.atleast_1d(np.asarray(b, dtype=np.float64))
    accuracy, losses = population.curves(np.hypot.reduce(w, axis=1), b, w, loss, tie)
    assert accuracy.shape == losses.shape == b.shape
    np.testing.assert_array_equal(population.accuracies(b, b, w, tie), accuracy)
    return accuracy[0], losses[0]


def plane(labels, gain, flip=0.0):
    """Labels depend on the first of two coordinates, both of variance 1."""
    return GaussianMixture(1.0 if labels == "teacher" else gain, labels=labels, flip=flip)


def given_u(along, across, b, labels, gain, of_margin):
    """Mean of a function of the margin's mean given u: an integral over u, on many panels."""
    steps = np.concatenate([[0.0], np.geomspace(0.1, 1e4, 40)])
    ends = [np.linspace(-12.0, 12.0, 49)]
    bends = [((margin - b) / along, width / abs(along)) for margin in (-1.0, 0.0, 1.0)
             for width in (max(1.0, across), across)]  # fmt: skip
    for place, width in [(0.0, 1.0 / (1.0 + gain)), *bends]:
        ends += [place + width * steps, place - width * steps]
    ends = np.concatenate(ends + [-one for one in ends])
    ends = np.unique(ends[np.abs(ends) <= 12.0])
    x, weight = np.polynomial.legendre.leggauss(24)
    half = 0.5 * np.diff(ends)[:, None]
    u = (ends[:-1, None] + half * (1.0 + x)).ravel()
    weight = (half * weight).ravel() * np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    plus = (u > 0.0) * 1.0 if labels == "teacher" else expit(gain * u)
    return weight @ (plus * of_margin(along * u + b) + (1.0 - plus) * of_margin(-along * u - b))


@FEW
@given(
    size=SIZES,
    angle=st.floats(0.0, math.pi),
    distance=st.floats(-3.0, 3.0),
    gain=st.floats(-2.0, 3.0).map(lambda x: 10.0**x),
    labels=st.sampled_from(["teacher", "logistic"]),
    flip=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    loss=st.sampled_from(["logistic", "squared_hinge", "hinge", "squared"]),
)
@example(1e4, 1e-3, 0.0, 1.0, "teacher", 0.0, "logistic")
@example(1e4, 3.0, 0.5, 1e3, "logistic", 0.1, "logistic")
@example(1e-3, 1.0, 3.0, 0.01, "logistic", 0.0, "logistic")
@example(1e4, 1e-3, 0.0, 1.0, "teacher", 0.0, "hinge")
@example(1e4, 3.0, 0.5, 1e3, "logistic", 0.1, "squared_hinge")
@example(0.3, 1.0, 3.0, 0.01, "logistic", 0.1, "hinge")
@example(0.8, 0.1, 0.0, 1.0, "teacher", 0.0, "squared")
def test_loss_and_accuracy_against_integrals_over_the_labels_variable(
    size, angle, distance, gain, labels, flip, loss
):
    w, b = size * np.array([math.cos(angle), math.sin(angle)]), distance * size
    assume(min(abs(w[0]), w[1]) > 1e-8 * size)
    accuracy, mean = curves(plane(labels, gain, flip), w, b, loss)
    means = {
        sign: given_u(
            w[0], w[1], b, labels, gain, lambda m, s=sign: population_loss(w[1], -s * m, 1.0, loss)
        )
        for sign in (1.0, -1.0)
    }
    assert mean == pytest.approx((1.0 - flip) * means[1.0] + flip * means[-1.0], rel=1e-11)
    right = given_u(w[0], w[1], b, labels, gain, lambda m: 0.5 * erfc(-m / w[1] / math.sqrt(2.0)))
    assert accuracy == pytest.approx((1.0 - 2.0 * flip) * right + flip, abs=1e-12)


def mp_mean(along, b, gain, of_margin, reach=14):
    """Integral over u for a hyperplane orthogonal to nothing: w = (along, 0), in mpmath."""
    along, b, gain = (mp.mpf(x) for x in (along, b, gain))

    def inner(u):
        plus = mp.mpf(u > 0) if gain == mp.inf else 1 / (1 + mp.exp(-gain * u))
        return mp.npdf(u) * (
            plus * of_margin(along * u + b) + (1 - plus) * of_margin(-along * u - b)
        )

    ends = {mp.mpf(x) for x in range(-reach, reach + 1)}
    for place, width in (
        (mp.mpf(0), 1 / gain if gain < mp.inf else mp.mpf(1)),
        (-b / along, 1 / abs(along)),
    ):
        ends.add(place)
        for k in range(120):
            step = width * mp.mpf(4) ** k / 4
            if step > reach:
                break
            ends |= {place - step, place + step}
    return mp.quad(inner, sorted(x for x in ends if abs(x) <= reach))


@pytest.mark.parametrize(
    ("size", "distance", "gain"),
    [
        (1e3, 0.3, 1.0),
        (-1e5, -4.0, mp.inf),
        (-1e5, 0.0, 1e6),
        (1e7, 1e-5, mp.inf),
        (1e10, 0.0, mp.inf),
        (1e10, 1e-5, 1.0),
        (1e10, 0.3, 1e6),
    ],
)
def test_long_weights_against_mpmath(size, distance, gain):
    labels = "teacher" if gain == mp.inf else "logistic"
    b = distance * abs(size)
    _, loss = curves(plane(labels, float(gain), 0.1), [size, 0.0], b)
    with mp.workdps(18):

        def softplus(m):
            return mp.log1p(mp.exp(-abs(m))) + max(-m, 0)

        means = [mp_mean(size, b, gain, lambda m, s=s: softplus(s * m)) for s in (1, -1)]
        expected = mp.mpf("0.9") * means[0] + mp.mpf("0.1") * means[1]
        clean = curves(plane(labels, float(gain)), [size, 0.0], b)[1]
        assert clean == pytest.approx(float(means[0]), rel=1e-11)
        assert loss == pytest.approx(float(expected), rel=1e-11)


@settings(max_examples=12, deadline=None)
@given(
    along=st.floats(-6.0, 6.0),
    across=st.floats(0.0, 6.0),
    b=st.floats(-5.0, 5.0),
    gain=st.sampled_from([0.0, 0.01, 1.0, 30.0, 1e5, math.inf]),
    flip=st.sampled_from([0.0, 0.1, 1.0]),
)
@example(0.0, 0.0, 0.0, 1.0, 0.0)
@example(3.0, 2.0, 0.0, 1e5, 0.0)
@example(-6.0, 2.0, 1.0, 30.0, 0.1)
def test_the_exponential_loss_against_mpmath(along, across, b, gain, flip):
    labels = "teacher" if gain == math.inf else "logistic"
    _, loss = curves(plane(labels, gain, flip), [along, across], b, "exponential")
    with mp.workdps(18):

        def tilted(a):  # E exp(-a u) pi(u)
            if gain == math.inf:
                return mp.exp(a * a / 2) * mp.ncdf(-a)
            ends = {mp.mpf(x) for x in range(-20, 21, 4)}
            ends |= {s * mp.mpf(4) ** -k for k in range(10) for s in (1, -1)}
            return mp.quad(
                lambda u: mp.npdf(u) * mp.exp(-a * u) / (1 + mp.exp(-gain * u)), sorted(ends)
            )

        one, other = tilted(mp.mpf(along)), tilted(-mp.mpf(along))
        mean = (1 - mp.mpf(flip)) * one + mp.mpf(flip) * other
        expected = 2 * mp.cosh(b) * mp.exp(mp.mpf(across) ** 2 / 2) * mean
        assert loss == pytest.approx(float(expected), rel=1e-11)


def test_exponential_losses_beyond_float64():
    for labels in LABELS:
        for w in ([-1e3, 1.0], [1.0, 1e10], [-1e300, 1e300], [1e307, -1e307]):
            assert curves(plane(labels, 1.0), w, 0.0, "exponential")[1] == math.inf
    # Of classes that all are flipped none is left with an infinite loss.
    turned = GaussianMixture(1.0, [0.0], flip=1.0)
    assert curves(turned, [-2e3], 0.0, "exponential")[1] == pytest.approx(0.0, abs=1e-300)
    assert curves(turned, [2e3], 0.0, "exponential")[1] == math.inf
    # A student along the teacher errs nowhere, whatever its length: 2 e^{s^2/2} Phi(-s).
    _, loss = curves(plane("teacher", 1.0), [1e6, 0.0], 0.0, "exponential")
    assert loss == pytest.approx(math.sqrt(2.0 / math.pi) / 1e6, rel=1e-11)


@FEW
@given(
    labels=st.sampled_from(LABELS),
    dim=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from(LOSSES),
    flip=st.floats(0.0, 1.0),
)
def test_symmetries(labels, dim, seed, loss, flip):
    rng = np.random.default_rng(seed)
    mu, spectrum = rng.normal(size=dim), rng.uniform(0.1, 4.0, size=dim)
    w, b = rng.normal(size=dim), rng.normal()
    same = functools.partial(pytest.approx, rel=1e-12)
    accuracy, value = curves(GaussianMixture(mu, spectrum, labels, flip=flip), w, b, loss)
    for signs, swap in ((1.0, flip), (-1.0, 1.0 - flip)):
        found = curves(GaussianMixture(mu, spectrum, labels, flip=swap), signs * w, signs * b, loss)
        assert found == (same(accuracy), same(value))
    # Both classes are mirrored at the origin, so that the sign of b does not matter.
    assert curves(GaussianMixture(mu, spectrum, labels, flip=flip), w, -b, loss) == (
        same(accuracy), same(value),
    )  # fmt: skip
    order = rng.permutation(dim)
    turned = GaussianMixture(mu[order], spectrum[order], labels, flip=flip)
    assert curves(turned, w[order], b, loss) == (same(accuracy), same(value))
    scaled = GaussianMixture(4.0 * mu, 16.0 * spectrum, labels, flip=flip)
    if labels != "logistic":
        assert curves(scaled, w / 4.0, b, loss) == (same(accuracy), same(value))


def test_limits_that_join_the_kinds():
    w, b = np.array([0.7, -0.4, 1.1]), 0.3
    teacher = curves(GaussianMixture([1.0, 2.0, 0.5], labels="teacher"), w, b)
    steep = curves(GaussianMixture([1e9, 2e9, 5e8], labels="logistic"), w, b)
    assert steep == pytest.approx(teacher, rel=1e-8)
    for labels in ("classes", "logistic"):  # labels by a coin
        accuracy, loss = curves(GaussianMixture(0.0, labels=labels), w, b)
        s = np.linalg.norm(w)
        assert accuracy == pytest.approx(0.5, abs=1e-15)
        sides = [float(population_loss(s, sign * b, 1.0)) for sign in (1, -1)]
        assert loss == pytest.approx(np.mean(sides), rel=1e-12)
    no_bias = curves(GaussianMixture([1.0, 1.0], labels="teacher"), [1.0, 0.0], 0.0)[0]
    assert no_bias == pytest.approx(0.75, abs=1e-15)


def test_classes_are_gaussian_noise_on_either_side():
    """Class -1 of a mixture without a mean is Beck's population."""
    weights, b = np.random.default_rng(0).normal(size=(6, 4)), np.linspace(-1.0, 1.0, 6)
    norms = np.linalg.norm(weights, axis=1)
    mixture = GaussianMixture(0.0, np.full(4, 4.0))
    noise = GaussianNoise(2.0)
    for loss in LOSSES:
        found = mixture.curves(norms, b, weights, loss, "wrong")
        sides = [noise.curves(norms, sign * b, None, loss, "wrong") for sign in (1.0, -1.0)]
        np.testing.assert_allclose(found, np.mean(sides, axis=0), rtol=1e-12)


@pytest.mark.parametrize("flip", [0.0, 0.2])
@KINDS
def test_weights_that_are_zero(labels, flip):
    """And those that see no point: their coordinates have no variance."""
    spectrum = [1.0, 0.0]
    population = GaussianMixture([1.0, 0.0], spectrum, labels, flip=flip)
    for w in ([0.0, 0.0], [0.0, 5.0]):
        assert curves(population, w, 0.0) == (0.0, pytest.approx(math.log(2.0), rel=1e-14))
        assert curves(population, w, 0.0, tie="negative")[0] == pytest.approx(0.5)
        accuracy, loss = curves(population, w, 3.0, "exponential")
        assert (accuracy, loss) == pytest.approx((0.5, math.cosh(3.0)), rel=1e-14)
        both = 0.5 * (np.logaddexp(0.0, 3.0) + np.logaddexp(0.0, -3.0))
        assert curves(population, w, 3.0)[1] == pytest.approx(both, rel=1e-14)


def test_classes_that_are_two_points():
    """No variance at all: y m, and a hyperplane through m itself decides class +1 by the tie."""
    pair = functools.partial(GaussianMixture, [2.0, 0.0], [0.0, 0.0])
    assert curves(pair(), [1.0, 1.0], 0.5)[0] == 1.0
    assert curves(pair(), [1.0, 1.0], 5.0)[0] == 0.5
    assert curves(pair(flip=0.1), [1.0, 1.0], 0.5)[0] == pytest.approx(0.9)
    # Logits 0 and -4: class +1 is undecided, class -1 right.
    assert curves(pair(), [1.0, 1.0], -2.0)[0] == 0.5
    assert curves(pair(), [1.0, 1.0], -2.0, tie="negative")[0] == 0.5
    assert curves(pair(flip=0.1), [1.0, 1.0], -2.0)[0] == pytest.approx(0.45)
    assert curves(pair(flip=0.1), [1.0, 1.0], -2.0, tie="negative")[0] == pytest.approx(0.5)


@KINDS
def test_the_scale_of_the_weights(labels):
    population = GaussianMixture([0.5, 1.0, 0.0], ("power", 1.0), labels)
    rng = np.random.default_rng(1)
    weights, b = rng.normal(size=(20, 3)), rng.normal(size=20)
    plain = population.accuracies(b, b, weights, "wrong")
    for scale in (2.0**-1000, 2.0**-600, 2.0**600, 2.0**1000):
        found = population.accuracies(b, scale * b, scale * weights, "wrong")
        np.testing.assert_allclose(found, plain, rtol=0.0, atol=1e-15)
    tiny = population.curves(b, 2.0**-1060 * b, 2.0**-1060 * weights, "logistic", "wrong")[1]
    np.testing.assert_allclose(tiny, math.log(2.0), rtol=1e-14)


SETS = {
    "classes": {"mu": 1.2, "spectrum": ("power", 0.7)},
    "teacher": {"mu": [1.0] * 20, "spectrum": ("spiked", 2, 5.0)},
    "logistic": {"mu": np.linspace(-1.0, 1.0, 20), "spectrum": np.linspace(0.2, 2.0, 20)},
}


@KINDS
@pytest.mark.parametrize(("loss", "noise"), [("logistic", 0.1), ("exponential", 0.0)])
def test_a_run_against_a_million_points(labels, loss, noise):
    make = functools.partial(gaussian_mixture, dim=20, labels=labels, **SETS[labels])
    data = flip_labels(make(300, seed=1), noise, seed=1)
    fresh = flip_labels(make(10**6, seed=2), noise, seed=2)
    population = GaussianMixture.of(data)
    run = fg.train(
        data.X, data.y, steps=500, lr=0.05, loss=loss, record=[0, 1, 3, 10, 30, 100, 200, 500],
        evals={"test": population, "clean": GaussianMixture.of(make(300)), "sample": fresh},
    )  # fmt: skip
    later = run.steps > 0
    share = run.accuracy["test"]
    error = 4.0 * np.sqrt(share * (1.0 - share) / 1e6)
    assert np.all(np.abs(share - run.accuracy["sample"])[later] < error[later])
    np.testing.assert_allclose(share[later], (1 - 2 * noise) * run.accuracy["clean"][later] + noise)
    assert np.ptp(share[later]) > 0.004
    for i in (1, run.steps.size // 2, run.steps.size - 1):
        margins = fresh.y * (fresh.X @ run.weights[i, :-1] + run.b[i])
        values = np.logaddexp(0.0, -margins) if loss == "logistic" else np.exp(-margins)
        found = run.losses["test"][i]
        assert abs(found - values.mean()) < 4.0 * values.std() / 1e3


def test_questions_to_a_run():
    data = gaussian_mixture(300, 20, mu=1.0, labels="teacher", seed=3)
    tests = {"test": GaussianMixture.of(data)}
    run = fg.train(data.X, data.y, steps=10**5, lr=0.1, evals=tests, keep_weights=True)
    found = run.refine("test", data.X, data.y, tests, eps=0.02)
    every = fg.train(data.X, data.y, steps=int(found.test) + 1, lr=0.1, record=1, evals=tests)
    need = 0.98 * run.accuracy["test"][1:].max()
    assert found.test == np.argmax(every.accuracy["test"] >= need)
    leaped = fg.train(data.X, data.y, steps=1e9, lr=0.1, evals=tests, engine="leap")
    hit = leaped.first_hit("test", 0.9)
    inside = fg.train(data.X, data.y, steps=int(hit.step), lr=0.1, record=1, evals=tests)
    first = np.argmax(inside.accuracy["test"] >= 0.9)
    assert hit.bracket[0] < first <= hit.bracket[1]


def test_of_a_data_set():
    data = gaussian_mixture(10, 3, mu=2.0, spectrum=("spiked", 1, 4.0))
    text = "GaussianMixture(mu=2.0, spectrum=['spiked', 1, 4.0], labels='classes', flip="
    assert repr(GaussianMixture.of(data)) == text + "0.0)"
    once = flip_labels(data, 0.1, seed=0)
    assert GaussianMixture.of(once).flip == pytest.approx(0.1)
    twice = flip_labels(once, 0.2, seed=1)
    assert GaussianMixture.of(twice).flip == pytest.approx(0.1 * 0.8 + 0.9 * 0.2)
    # Flips of one seed are nested: what is flipped is what lies in an odd number of them.
    nested = flip_labels(flip_labels(once, 0.3, seed=0), 0.2, seed=0)
    assert GaussianMixture.of(nested).flip == pytest.approx(0.2)
    many = gaussian_mixture(10**5, 1, mu=1.0)
    for p in (0.1, 0.3, 0.2):
        many = flip_labels(many, p)
    assert many.flipped.size / 10**5 == pytest.approx(0.2, abs=0.006)
    assert GaussianMixture.of(flip_labels(once, 0.1)).flip == 0.0
    with pytest.raises(TypeError, match=r"data must be a Dataset, got \[1\]"):
        GaussianMixture.of([1])
    with pytest.raises(ValueError, match="made by gaussian_mixture, got the recipe 'two_points'"):
        GaussianMixture.of(fg.datasets.two_points(0.3))


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("flip must lie in", {"flip": 1.1}),
        ("flip must be finite", {"flip": np.nan}),
        ("labels must be one of", {"labels": "class"}),
        ("spectrum must be 'isotropic'", {"spectrum": "white"}),
        ("mu must be finite", {"mu": [1.0, np.inf]}),
    ],
)
def test_wrong_arguments(message, arguments):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**{"mu": 1.0, **arguments})


@pytest.mark.parametrize(
    ("message", "population"),
    [
        ("mu must have length 4, got length 2", GaussianMixture([1.0, 2.0])),
        ("spectrum must have length 4, got length 1", GaussianMixture(1.0, [1.0])),
        ("at most 4 spikes, got 5", GaussianMixture(1.0, ("spiked", 5, 2.0))),
        ("mu must have a coordinate", GaussianMixture(0.0, labels="teacher")),
    ],
)
def test_laws_that_there_are_not_in_so_many_columns(message, population):
    data = gaussian_mixture(10, 4, mu=1.0)
    with pytest.raises(ValueError, match=rf"evals\['test'\] has no law in 4 columns: .*{message}"):
        fg.train(data.X, data.y, steps=3, lr=0.1, evals={"test": population})
