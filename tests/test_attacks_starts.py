"""Random starts of attacks."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import kstest

import fastgrok as fg
import reference_attacks as reference
from attack_cases import NORMS
from cases import point, problem


def test_random_starts():
    X, y = problem(30, 4)
    w, b = point(4)
    settings = {"random_start": True, "steps": 1, "step_size": 1e-3, "eps": 0.5}

    def attacked(state, **more):
        return fg.pgd(X, y, w, b, **settings, random_state=state, **more).X_adv

    np.testing.assert_array_equal(attacked(7), attacked(7))
    assert (attacked(7) != attacked(8)).any()
    assert (attacked(None) != attacked(None)).any()
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    first = attacked(one)
    np.testing.assert_array_equal(first, attacked(two))
    assert (first != attacked(one)).any()  # a generator moves on
    # More restarts never do worse.
    margins = [fg.pgd(X, y, w, b, **settings, random_state=7, restarts=k).margin for k in (1, 2, 9)]
    assert (margins[0] >= margins[1]).all()
    assert (margins[1] >= margins[2]).all()
    assert (margins[0] > margins[2]).any()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("d", [1, 2, 5, 20])
def test_random_starts_are_uniform_in_the_ball(norm, d):
    n = 2000
    X, y, w = np.zeros((n, d)), np.ones(n), np.zeros(d)
    settings = {"norm": norm, "eps": 2.0, "random_start": True, "random_state": 11}
    delta = fg.pgd(X, y, w, **settings).X_adv / 2.0  # w = 0: the starts themselves
    radius = np.linalg.norm(delta, ord=norm, axis=1)
    assert radius.max() <= 1.0
    assert kstest(radius**d, "uniform").pvalue > 1e-3
    assert abs(delta.mean()) < 4.0 / np.sqrt(n * d)
    if norm == 2 and d > 1:  # no direction is preferred
        squares = (delta / radius[:, None]) ** 2
        np.testing.assert_allclose(squares.mean(axis=0), 1.0 / d, rtol=0.15)


@pytest.mark.parametrize("step_size", [1e-3, 1e100, 1e200, 1e300])
def test_steps_of_any_size_from_a_random_start(step_size):
    """Beside a huge step the start vanishes, and its square would be infinite."""
    X, y = problem(20, 5)
    w, b = point(5)
    settings = {"norm": 2, "eps": 2.0, "random_start": True, "random_state": 3}
    got = fg.pgd(X, y, w, b, steps=1, step_size=step_size, **settings).X_adv - X
    start = fg.pgd(X, y, np.zeros(5), b, **settings).X_adv - X
    for row, label, begin in zip(got, y, start, strict=True):
        moved = [
            Fraction(a) - Fraction(label * step_size * c)
            for a, c in zip(begin, w / np.linalg.norm(w), strict=True)
        ]
        largest = max(map(abs, moved))
        expected = np.array([float(a / largest) for a in moved])
        norm = np.linalg.norm(expected)
        if norm * largest > 2:
            expected *= 2.0 / norm
        else:
            expected *= float(largest)
        np.testing.assert_allclose(row, expected, rtol=1e-12, atol=1e-12)


def test_the_random_numbers_are_splitmix64():
    # The first outputs for seed 0, from the authors' program.
    assert [reference.splitmix64(0, k) for k in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]
