"""Ten sets, public ones and hard ones, whose separation is known in rational arithmetic."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

Set = tuple[np.ndarray, np.ndarray]
"""X, and labels -1 and +1; the model has an intercept."""

_DATA = Path(__file__).parents[1] / "tests" / "data"


def _endometrial() -> Set:
    table = np.loadtxt(_DATA / "endometrial.csv", delimiter=",", skiprows=1)
    return table[:, :3], 2.0 * table[:, 3] - 1.0


def _irises(first: int, second: int) -> Set:
    from sklearn.datasets import load_iris  # noqa: PLC0415

    X, kind = load_iris(return_X_y=True)
    some = (kind == first) | (kind == second)
    return X[some], np.where(kind[some] == second, 1.0, -1.0)


def _spector() -> Set:
    table = np.loadtxt(_DATA / "spector.csv", delimiter=",", skiprows=1)
    return table[:, :3], 2.0 * table[:, 3] - 1.0


def _factors(drop: bool) -> Set:
    """Two factors, with the first levels or without."""
    rng = np.random.default_rng(3)
    parts = [np.eye(6)[rng.integers(0, 6, 40)][:, int(drop) :] for _ in range(2)]
    return np.hstack(parts), np.where(rng.random(40) < 0.6, 1.0, -1.0)


def _flag_in_small_units() -> Set:
    """A flag that only one class has, held as a dose in kilograms, beside numbers."""
    rng = np.random.default_rng(4)
    X = np.round(rng.normal(size=(60, 2)), 2)
    y = np.where(X[:, 0] + rng.logistic(size=60) > 0.0, 1.0, -1.0)
    dose = np.zeros(60)
    dose[np.flatnonzero(y > 0)[:5]] = 5e-6
    return np.column_stack([X, dose]), y


def _times() -> Set:
    """Seconds since 1970, in order but for a pair: one class begins when the other has ended."""
    seconds = 1_767_225_600 + np.array([0, 60, 120, 180, 240, 240, 300, 360])
    return seconds[:, None] * 1.0, np.array([-1.0, -1, -1, -1, -1, 1, 1, 1])


def _apart(gap: float) -> Set:
    """Two classes that overlap by so much, or leave a gap."""
    x = np.array([0.0, 0.25, 0.5, 1.0, 1.0 + gap, 1.5, 1.75, 2.0])
    return x[:, None], np.array([-1.0, -1, -1, -1, 1, 1, 1, 1])


SETS: dict[str, Callable[[], Set]] = {
    "endometrial, 79 x 3": _endometrial,
    "iris: setosa, versicolor": lambda: _irises(0, 1),
    "iris: versicolor, virginica": lambda: _irises(1, 2),
    "Spector, 32 x 3": _spector,
    "two factors of 6 levels": lambda: _factors(True),
    "the same with all dummies": lambda: _factors(False),
    "a flag in small units": _flag_in_small_units,
    "times in seconds": _times,
    "classes a billionth apart": lambda: _apart(1e-9),
    "overlap by a billionth": lambda: _apart(-1e-9),
}
