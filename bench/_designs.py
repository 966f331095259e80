"""Random designs as people have them: factors, flags, comparisons, duplicates, small integers."""

from collections.abc import Callable

import numpy as np

Design = tuple[np.ndarray, np.ndarray, bool]
"""X, y and whether there is a bias."""


def _labels(rng: np.random.Generator, logits: np.ndarray) -> np.ndarray:
    """Labels drawn from logits whose size varies, so that some sets are separable and some not."""
    size = 10.0 ** rng.uniform(-0.5, 2.0)
    return np.where(rng.logistic(size=len(logits)) < size * logits, 1.0, -1.0)


def _dummies(rng: np.random.Generator, n: int, levels: int, drop: bool) -> np.ndarray:
    return np.eye(levels)[rng.integers(0, levels, n)][:, int(drop) :]


def factors(rng: np.random.Generator) -> Design:
    """One to three factors as dummies, with or without the first level, and maybe a number."""
    n, drop = int(rng.integers(10, 400)), bool(rng.random() < 0.5)
    parts = [_dummies(rng, n, int(rng.integers(2, 61)), drop) for _ in range(rng.integers(1, 4))]
    if rng.random() < 0.3:
        parts.append(rng.integers(0, 100, size=(n, 1)).astype(float))
    X = np.hstack(parts)
    return X, _labels(rng, X @ rng.normal(size=X.shape[1])), bool(rng.random() < 0.8)


def flags(rng: np.random.Generator) -> Design:
    """Columns of mostly zeros and few ones."""
    n, d = int(rng.integers(50, 601)), int(rng.integers(5, 121))
    X = (rng.random((n, d)) < 10.0 ** rng.uniform(-2.0, -0.7, size=d)).astype(float)
    return X, _labels(rng, X @ rng.normal(size=d) - rng.random()), bool(rng.random() < 0.8)


def comparisons(rng: np.random.Generator) -> Design:
    """A player with +1 against one with -1."""
    players, n = int(rng.integers(4, 101)), int(rng.integers(10, 501))
    X = np.zeros((n, players))
    for row in X:
        row[rng.choice(players, size=2, replace=False)] = 1.0, -1.0
    y = _labels(rng, X @ rng.normal(size=players))
    return X, y, bool(rng.random() < 0.3)


def duplicates(rng: np.random.Generator) -> Design:
    """Few distinct rows, some of which occur with both labels."""
    distinct, d = int(rng.integers(2, 151)), int(rng.integers(1, 61))
    rows = rng.normal(size=(distinct, d))
    if rng.random() < 0.5:
        rows = np.round(2.0 * rows)
    n = int(distinct * rng.uniform(1.0, 4.0))
    X = rows[rng.integers(0, distinct, n)]
    y = np.where(X @ rng.normal(size=d) > 0.0, 1.0, -1.0)
    flip = rng.random(n) < rng.choice([0.0, 0.02, 0.1, 0.5])
    return X, np.where(flip, -y, y), bool(rng.random() < 0.5)


def integers(rng: np.random.Generator) -> Design:
    """Rounded normal numbers, of full rank or not, up to 200 columns."""
    d = int(rng.integers(2, 201))
    n = int(d * rng.uniform(0.5, 3.0)) + 2
    X = np.round(rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-0.3, 3.0))
    if rng.random() < 0.5:  # some columns are sums of others
        rank = int(rng.integers(1, d + 1))
        X = X[:, :rank] @ rng.integers(-2, 3, size=(rank, d))
    if rng.random() < 0.3:  # separated, but for a few rows that occur with both labels
        twice = int(rng.integers(0, 6))
        y = np.sign(X @ rng.normal(size=d) + 1e-9)
        return np.vstack([X, X[:twice]]), np.append(y, -y[:twice]), bool(rng.random() < 0.5)
    side = X @ rng.normal(size=d) / (1e-9 + np.abs(X).max())
    return X, _labels(rng, side * 10.0 ** rng.uniform(-4.0, 0.0)), bool(rng.random() < 0.5)


KINDS: dict[str, Callable[[np.random.Generator], Design]] = {
    "factors": factors,
    "flags": flags,
    "comparisons": comparisons,
    "duplicates": duplicates,
    "integers": integers,
}
