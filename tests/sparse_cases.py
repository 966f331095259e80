"""Sparse rows that several test files share."""

import numpy as np
import scipy.sparse


def drawn(n, d, density, seed, dtype=np.float64):
    """Sparse rows, of which some and some columns are empty, and labels of both classes."""
    rng = np.random.default_rng([n, d, seed])
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < density)
    X[rng.random(n) < 0.1] = 0.0
    X[:, rng.random(d) < 0.1] = 0.0
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    y[0] = -y[-1] if n > 1 else y[0]
    return scipy.sparse.csr_array(X.astype(dtype)), y


def relative(got, expected):
    """Largest difference, as a share of the largest of what is expected."""
    return np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-300)
