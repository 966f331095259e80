"""Every population has the mean of every loss, with flipped labels too."""

import functools
import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference
from fastgrok.datasets import concentrated, flip_labels, gaussian_mixture, gaussian_noise
from fastgrok.theory._population_loss import interval_loss
from fastgrok.theory.bias import Slab
from fastgrok.theory.edge import GaussianNoise
from fastgrok.theory.mixture import GaussianMixture

FEW = settings(max_examples=25, deadline=None)
LOSSES = tuple(reference.LOSSES)
PER_LOSS = pytest.mark.parametrize("loss", LOSSES)
SHARE = 0.15


def gaussians(labels, seed, n):
    spectrum = {"classes": ("power", 0.5), "teacher": ("spiked", 1, 4.0), "logistic": "isotropic"}
    mu = {"classes": 0.8, "teacher": [1.0, 2.0, -1.0], "logistic": [2.0, 0.5, 0.0]}
    return gaussian_mixture(
        n, 3, mu=mu[labels], spectrum=spectrum[labels], labels=labels, seed=seed
    )


# A population, a sampler of its points, and a hyperplane that is neither right nor wrong.
PAIRS = {
    "noise": (
        functools.partial(GaussianNoise, 1.5),
        lambda seed, n: gaussian_noise(n, 3, sigma=1.5, seed=seed),
        ([0.3, -0.4, 0.2], -0.5),
    ),
    "slab of 1 column": (
        functools.partial(Slab, 0.5),
        lambda seed, n: concentrated((n // 2, n // 2), dim=1, gamma=0.5, seed=seed),
        ([0.4], -0.3),
    ),
    "slab of 2 columns": (
        functools.partial(Slab, 0.5),
        lambda seed, n: concentrated((n // 2, n // 2), dim=2, gamma=0.5, seed=seed),
        ([0.5, -0.1], 0.4),
    ),
    **{
        labels: (
            lambda labels=labels, **flips: GaussianMixture(
                gaussians(labels, 0, 2).params["mu"],
                gaussians(labels, 0, 2).params["spectrum"],
                labels,
                **flips,
            ),
            functools.partial(gaussians, labels),
            ([0.4, 0.3, -0.2], 0.25),
        )
        for labels in ("classes", "teacher", "logistic")
    },
}


def curves(population, w, b, loss="logistic", tie="wrong"):
    """Accuracy and loss of one hyperplane."""
    weights = np.atleast_2d(np.asarray(w, dtype=np.float64))
    norms = np.linalg.norm(weights, axis=1)
    accuracy, losses = population.curves(norms, np.array([b]), weights, loss, tie)
    return accuracy[0], losses[0]


@pytest.mark.parametrize("kind", [GaussianNoise, Slab, GaussianMixture])
def test_no_loss_is_without_a_mean(kind):
    assert set(kind.losses) == set(LOSSES)


@functools.cache
def sample(name):
    return flip_labels(PAIRS[name][1](7, 10**6), SHARE, seed=3)


@PER_LOSS
@pytest.mark.parametrize("name", PAIRS)
def test_a_million_flipped_points(name, loss):
    population, _, (w, b) = PAIRS[name]
    accuracy, mean = curves(population(flip=SHARE), w, b, loss)
    data = sample(name)
    margins = data.y * (data.X @ np.array(w) + b)
    values = reference.LOSSES[loss].value(margins)
    assert abs(mean - values.mean()) < 4.5 * values.std() / 1e3
    assert abs(accuracy - np.mean(margins > 0.0)) < 4.5 * 0.5 / 1e3
    # Neither is it that of clean labels.
    clean = curves(population(), w, b, loss)
    assert abs(clean[0] - accuracy) > 0.02
    assert abs(clean[1] - mean) > 0.02 * mean


@PER_LOSS
@pytest.mark.parametrize("name", PAIRS)
def test_flips_weigh_both_signs_of_the_hyperplane(name, loss):
    population, _, (w, b) = PAIRS[name]
    ahead, back = (curves(population(), s * np.array(w), s * b, loss) for s in (1.0, -1.0))
    for flip in (0.3, 1.0):
        found = curves(population(flip=flip), w, b, loss)
        expected = [
            (1.0 - flip) * one + flip * other for one, other in zip(ahead, back, strict=True)
        ]
        assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("name", PAIRS)
def test_flips_of_what_is_undecided(name):
    population, _, (w, _) = PAIRS[name]
    nothing = np.zeros(len(w))
    assert curves(population(flip=0.2), nothing, 0.0)[0] == 0.0
    negative = 0.8 if name == "noise" else 0.5
    found = curves(population(flip=0.2), nothing, 0.0, tie="negative")[0]
    assert found == pytest.approx(negative, rel=1e-15)


@PER_LOSS
def test_a_run_records_them_all(loss):
    data = flip_labels(gaussians("teacher", 0, 200), 0.1, seed=0)
    evals = {
        "mixture": GaussianMixture.of(data),
        "noise": GaussianNoise(2.0, flip=0.1),
        "slab": Slab(1e-3, flip=0.1),
    }
    run = fg.train(data.X, data.y, steps=50, lr=0.01, loss=loss, evals=evals)
    for name, population in evals.items():
        expected = curves(population, run.w, run.b[-1], loss)
        assert (run.accuracy[name][-1], run.losses[name][-1]) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    "kind", [functools.partial(GaussianNoise, 1.0), functools.partial(Slab, 0.1)]
)
def test_wrong_flips(kind):
    with pytest.raises(ValueError, match=r"flip must lie in \[0, 1\], got 1.5"):
        kind(flip=1.5)
    with pytest.raises(TypeError, match="flip must be a real number"):
        kind(flip="often")
    assert "flip=0.25" in repr(kind(flip=0.25))


def moments(a, s, power):
    """E max(a + s Z, 0)^power in mpmath, by the recurrence that cancels, with digits to spare."""
    if s == 0:
        return max(a, mp.mpf(0)) ** power
    x = -a / s
    steps = [mp.ncdf(-x) / mp.npdf(x), 1 - x * mp.ncdf(-x) / mp.npdf(x)]
    for n in range(1, power):
        steps.append(n * steps[n - 1] - x * steps[n])
    return s**power * mp.npdf(x) * steps[power]


@FEW
@given(
    loss=st.sampled_from(["hinge", "squared_hinge"]),
    end=st.floats(-25.0, 60.0),
    length=st.floats(-6.0, 4.0).map(lambda x: 10.0**x),
    spread=st.one_of(st.just(0.0), st.floats(-6.0, 3.0).map(lambda x: 10.0**x)),
)
@example("hinge", -20.0, 1e-3, 1.0)
@example("squared_hinge", 0.0, 1e-3, 1.0)
@example("squared_hinge", 2.0, 3.0, 0.0)
@example("hinge", -1.0, 1e4, 1e-6)
@example("squared_hinge", 50.0, 1e-6, 1e-2)
def test_uniform_plus_normal_for_the_hinges(loss, end, length, spread):
    power = 1 if loss == "hinge" else 2
    high = end * (spread or 1.0) - 1.0
    low = high - length * (spread or 1.0)
    got = float(interval_loss(*(np.array([x]) for x in (low, high, spread)), loss)[0])
    with mp.workdps(400):
        least, most, s = mp.mpf(1.0 + low), mp.mpf(1.0 + high), mp.mpf(spread)
        if least == most:
            expected = moments(least, s, power)
        else:
            ends = [moments(x, s, power + 1) / (power + 1) for x in (least, most)]
            expected = (ends[1] - ends[0]) / (most - least)
        assert got == pytest.approx(float(expected), rel=1e-12, abs=1e-290)


def test_long_intervals_do_not_overflow():
    low, high, spread = (np.array([x]) for x in (-1e150, 1e150, 1e149))
    with mp.workdps(50):
        ends = [moments(mp.mpf(x), mp.mpf(1e149), 3) / 3 for x in (-1e150, 1e150)]
        expected = float((ends[1] - ends[0]) / mp.mpf(2e150))
    assert interval_loss(low, high, spread, "squared_hinge")[0] == pytest.approx(
        expected, rel=1e-12
    )
    assert interval_loss(low, high, 0.0 * spread, "hinge")[0] == pytest.approx(2.5e149, rel=1e-14)


TWICE = {
    "logistic": lambda x: -mp.polylog(3, -mp.exp(x)),
    "exponential": mp.exp,
    "squared_hinge": lambda x: max(1 + x, mp.mpf(0)) ** 4 / 12,
    "hinge": lambda x: max(1 + x, mp.mpf(0)) ** 3 / 6,
    "squared": lambda x: (1 + x) ** 4 / 12,
}
"""Second antiderivatives of the losses in the logit x = -m."""


def divided(f, points):
    if len(points) == 1:
        return f(points[0])
    return (divided(f, points[1:]) - divided(f, points[:-1])) / (points[-1] - points[0])


@PER_LOSS
@pytest.mark.parametrize("flip", [0.0, 0.3])
@pytest.mark.parametrize(
    ("w", "b", "gamma", "alpha"),
    [
        ([0.3, -0.2], 0.1, 0.5, 2.0),
        ([2.0, 1.9], -0.7, 1e-3, 10.0),
        ([-4.0, 7.0], 3.0, 0.2, 10.0),
        ([0.01, 0.03], 0.9, 1.0, 7.0),
        ([40.0, 41.0], 2.0, 1e-2, 10.0),
    ],
)
def test_the_square_by_divided_differences(loss, flip, w, b, gamma, alpha):
    """The mean of f over a triangle is 2 F[x_0, x_1, x_2], F'' = f (Hermite and Genocchi)."""
    _, got = curves(Slab(gamma, alpha, flip=flip), w, b, loss)
    with mp.workdps(50):
        root = mp.sqrt(2)
        corner, low = 5 * root, mp.mpf(gamma) / 2
        high = min(mp.mpf(alpha) * gamma, corner)
        along, across = (mp.mpf(w[0]) + w[1]) / root, (mp.mpf(w[0]) - w[1]) / root
        total = area = mp.mpf(0)
        for y, (near, far) in itertools.product((1, -1), ((low, high), (high, low))):
            # Two triangles, each with a side at `near`: half as long as the slab is wide there.
            size = corner - near
            area += size
            for side, share in ((1, 1 - mp.mpf(flip)), (-1, mp.mpf(flip))):
                places = [
                    (near, size),
                    (near, -size),
                    (far, (corner - far) * (1 if near < far else -1)),
                ]
                x = [-side * (along * u + across * v + y * mp.mpf(b)) for u, v in places]
                total += share * size * 2 * divided(TWICE[loss], x)
        assert got == pytest.approx(float(total / area), rel=1e-12)


@PER_LOSS
@pytest.mark.parametrize("columns", [1, 20])
def test_thin_slabs(columns, loss):
    """One column exactly, more of them beside samples within what the docstring says."""
    gamma, n = 1e-2, 200_000
    data = concentrated((n, n), columns, gamma=gamma, seed=5)
    rng = np.random.default_rng(columns)
    across = rng.normal(size=columns)
    across -= across.mean()
    w, b = 3.0 * data.w_true + 0.05 * across, 0.2
    _, got = curves(Slab(gamma), w, b, loss)
    values = reference.LOSSES[loss].value(data.y * (data.X @ w + b))
    error = 4.5 * values.std() / math.sqrt(2 * n)
    assert got == pytest.approx(values.mean(), abs=error, rel=0.0 if columns == 1 else 0.01)
