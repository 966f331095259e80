"""Means of losses that bend at margin 1 over a Gaussian population, against quadrature."""

import mpmath
import numpy as np
import pytest

import fastgrok as fg
import reference
from fastgrok.theory.edge import population_loss


@pytest.mark.parametrize("loss", ["squared", "hinge", "squared_hinge"])
@pytest.mark.parametrize("norm_w", [0.01, 0.6, 3.0, 40.0])
@pytest.mark.parametrize("b", [-60.0, -5.0, -1.3, -1.0, 0.0, 7.0])
def test_mean_over_the_logits(loss, norm_w, b):
    sigma = 1.5
    with mpmath.workdps(40):
        s = mpmath.mpf(norm_w) * sigma
        edge = -(1 + mpmath.mpf(b)) / s  # of the logits with margin 1
        value = reference.LOSSES[loss].formula
        first = mpmath.mpf(-40) if loss == "squared" else max(edge, mpmath.mpf(-40))
        # Pieces within which the density changes by a factor that quadrature can do with.
        if first < 2:
            ends = [first, *(mpmath.mpf(k) for k in range(-39, 40, 2) if k > first)]
        else:
            ends = [first + k / first for k in range(0, 80, 4)]
        # The accuracy of quadrature is absolute, so that what is small is scaled.
        top = mpmath.npdf(max(first, 0))
        exact = top * mpmath.quad(lambda z: value(-(b + s * z)) * (mpmath.npdf(z) / top), ends)
    got = population_loss(norm_w, b, sigma, loss)
    assert got == pytest.approx(float(exact), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("loss", ["squared", "hinge", "squared_hinge"])
def test_without_weights_it_is_the_loss_of_the_bias(loss):
    b = np.array([-3.0, -1.0, 0.0, 2.0])
    np.testing.assert_array_equal(
        population_loss(0.0, b, 1.0, loss), reference.LOSSES[loss].value(-b)
    )


@pytest.mark.parametrize("loss", ["squared", "hinge", "squared_hinge"])
def test_as_an_evaluation_set(loss):
    data = fg.datasets.gaussian_noise(60, 10, sigma=2.0, seed=0)
    sample = fg.datasets.gaussian_noise(200_000, 10, sigma=2.0, seed=1)
    evals = {"population": fg.theory.edge.GaussianNoise(2.0), "sample": (sample.X, sample.y)}
    run = fg.train(data.X, data.y, steps=300, lr=1e-3, loss=loss, evals=evals, record=100)
    np.testing.assert_allclose(run.losses["population"], run.losses["sample"], rtol=0.02)
    np.testing.assert_allclose(run.accuracy["population"], run.accuracy["sample"], atol=0.01)
