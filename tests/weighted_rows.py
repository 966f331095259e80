"""Rows with weights, and the same rows repeated, for the tests of weights."""

import numpy as np


def repeated(times, *arrays):
    """Rows as often as they weigh."""
    return tuple(np.repeat(array, times, axis=0) for array in arrays)


def drawn(n, most=4, seed=0):
    """Weights of which some are 0, and at least two are not."""
    times = np.random.default_rng([seed, n]).integers(0, most, n)
    times[[0, -1]] = 1
    return times
