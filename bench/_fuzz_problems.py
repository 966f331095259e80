"""Small problems for fuzz_leaps.py: each may take a few hundredths of a second.

Kinds with the names of those of honesty.py are the like of these with fewer rows; the others are
of their own. Every one is drawn from its kind and a seed.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrok as fg
from _honesty_kinds import KINDS as LARGER
from _honesty_kinds import beside_an_intercept
from _honesty_problems import (
    Problem,
    Rng,
    coarse,
    common,
    curvature,
    horizon,
    in_turn,
    labels,
    plain,
)

MOST_ROWS = 12
AFFORDABLE = 3e7  # of multiplications of a reference that takes every step


def small(r: Rng, most: int = MOST_ROWS) -> tuple[Any, Any]:
    """Gaussian rows, separable, of one class or noise."""
    n, d = int(r.integers(1, most + 1)), int(r.integers(1, 5))
    X = r.normal(size=(n, d)) * 10.0 ** r.uniform(-1.0, 1.0)
    teacher = np.where(X @ r.normal(size=d) + r.normal() > 0, 1.0, -1.0)
    return X, (teacher, np.full(n, r.choice([-1.0, 1.0])), labels(r, n))[int(r.integers(0, 3))]


def work(problem: Problem) -> int:
    """Multiplications of a step in long double, an exponential as 60 of them."""
    rows, columns = problem.where.rows.shape
    return int(rows * (60 + 4 * columns))


def bias(r: Rng, settings: dict[str, Any]) -> dict[str, Any]:
    """Trained, none, or fixed somewhere."""
    how = int(r.integers(0, 3))
    return settings | {"bias": how == 0, "b0": float(r.normal()) if how == 2 else 0.0}


def gaussian(r: Rng, **options: Any) -> Problem:
    X, y = small(r)
    return common(r, X, y, far=True, most=0.6, **bias(r, options))


def quasi_turned(r: Rng) -> Problem:
    """Rows that overlap in a few directions and others that only one class has; turned."""
    n, width = int(r.integers(3, MOST_ROWS + 1)), int(r.integers(1, 4))
    y, A = labels(r, n), np.zeros((n, 4))
    A[:, :width] = coarse(2.0 ** r.integers(-3, 4) * r.normal(size=(n, width)), 15)
    few = int(r.integers(1, 3))
    y[:few] = 1.0
    A[:few, -1] = 2.0 ** r.integers(-8, 6)
    return in_turn(r, A, y)


def quasi_natural(r: Rng) -> Problem:
    """Columns, an indicator coded -1/+1 that only class +1 has, and an intercept."""
    n, d, few = int(r.integers(4, MOST_ROWS + 1)), int(r.integers(1, 3)), int(r.integers(1, 3))
    F, y, has = r.normal(size=(n, d)), labels(r, n), np.zeros(n)
    y[: few + 1], y[-1], has[:few] = 1.0, -1.0, 1.0
    X, where = beside_an_intercept(F, y, has)
    lr = float(10.0 ** r.uniform(-2.0, 0.28)) / curvature(where.rows, "logistic", "mean")
    steps = horizon(r, 4.0)
    return Problem(X, y, where, lr, steps, steps, {"bias": True})


def sudden(r: Rng) -> Problem:
    """Rows that begin to pull, or stop, late and suddenly: the weights begin far away."""
    X, y = small(r)
    X *= 10.0 ** r.uniform(-1.5, 1.5, size=X.shape[1])
    far = 10.0 ** r.uniform(0.5, 4.0)
    how = bias(r, {})
    w0 = r.normal(size=X.shape[1]) * far / np.abs(X).max() if r.random() < 0.8 else None
    how["b0"] = float(r.normal() * far) if r.random() < 0.5 or w0 is None else how["b0"]
    return common(r, X, y, far=False, w0=w0, **how)


def scales(r: Rng) -> Problem:
    """Rows from 1e-150 to 1e150, weights that make margins of a few units of them."""
    X, y = small(r)
    single = bool(r.random() < 0.2)
    scale = float(10.0 ** (r.uniform(-30.0, 30.0) if single else r.uniform(-150.0, 150.0)))
    w0 = r.normal(size=X.shape[1]) / scale if r.random() < 0.3 else None
    X = (X * scale).astype(np.float32) if single else X * scale
    problem = common(r, X, y, far=bool(r.random() < 0.6), w0=w0, **bias(r, {}))
    if problem.settings["bias"]:
        # Beside weights that are so much larger or smaller the integration does not see b.
        problem.until = min(problem.until, float(AFFORDABLE // work(problem)))
    return problem


def weighted(r: Rng) -> Problem:
    """A row of weight k is k rows, one of weight 0 none."""
    X, y = small(r)
    times = r.integers(0, 4, size=len(y))
    times[0] += not times.any()
    problem = common(r, X, y, far=True, most=0.0, **bias(r, {}))
    Z, t = np.repeat(X, times, axis=0), np.repeat(y, times)
    problem.where = plain(Z, t, problem.settings["bias"], None, problem.settings["b0"])
    problem.total = float(times.sum())
    unit = 2.0 ** int(r.integers(-8, 9)) if problem.reduction == "mean" else 1.0
    problem.settings["sample_weight"] = unit * times
    return problem


def other_steps(r: Rng, loss: str = "logistic") -> Problem:
    """Problems of which every step has a reference."""
    X, y = small(r)
    start = r.normal(size=X.shape[1]) if r.random() < 0.3 else None
    problem = common(r, X, y, far=False, loss=loss, most=0.0, w0=start, **bias(r, {}))
    problem.steps = problem.until = horizon(r, 3.5, 4.6)
    return problem


def decaying(r: Rng, loss: str = "logistic") -> Problem:
    problem = other_steps(r, loss)
    largest = curvature(problem.where.rows, loss, problem.reduction)
    problem.settings["weight_decay"] = float(largest * 10.0 ** r.uniform(-8.0, -1.0))
    problem.settings["decay_bias"] = bool(problem.settings["bias"] and r.random() < 0.3)
    return problem


def any_steps(r: Rng) -> Problem:
    loss = str(r.choice(["logistic", "logistic", "squared"]))
    return decaying(r, loss) if r.random() < 0.3 else other_steps(r, loss)


def remembering(r: Rng, kind: str) -> Problem:
    problem = any_steps(r)
    kept = float(r.choice([0.5, 0.8, 0.9, 0.95]))
    problem.settings |= {"optimizer": kind, "optimizer_options": {"momentum": kept}}
    problem.lr *= 1.0 - kept
    return problem


def falling(r: Rng) -> Problem:
    problem = any_steps(r)
    power = fg.schedules.power(float(r.uniform(0.1, 1.2)), float(10.0 ** r.uniform(0.0, 3.0)))
    problem.settings["schedule"] = power
    return problem


def normalized(r: Rng) -> Problem:
    problem = other_steps(r)
    longest = float(np.abs(problem.where.rows).max())
    problem.lr = float(10.0 ** r.uniform(-3.5, 0.5)) / longest
    problem.settings["optimizer"] = "normalized"
    return problem


def swinging(r: Rng) -> Problem:
    """Steps too long for the curvature, by up to ten times: orbits of period 2, or cycles."""
    problem = common(r, *small(r), far=False, **bias(r, {}))
    problem.lr *= float(10.0 ** r.uniform(0.28, 1.0))
    problem.steps = problem.until = horizon(r, 3.0, 4.3)
    return problem


def few_columns_more(r: Rng) -> Problem:
    """More than 16 columns, where systems are solved by conjugate gradients."""
    n, d = int(r.integers(1, MOST_ROWS + 1)), int(r.integers(17, 24))
    problem = common(r, r.normal(size=(n, d)), labels(r, n), far=False, **bias(r, {}))
    problem.steps, problem.until = horizon(r, 4.0, 12.0), 10_000.0
    return problem


KINDS: dict[str, Callable[[Rng], Problem]] = {
    "Gaussian": gaussian,
    "exponential loss": lambda r: gaussian(r, loss="exponential"),
    "squared loss": lambda r: gaussian(r, loss="squared"),
    "quasi-separated, turned": quasi_turned,
    "quasi-separated, natural": quasi_natural,
    "nearly quasi-separated": LARGER["nearly quasi-separated"],
    "sudden turns": sudden,
    "scales": scales,
    "ends of float64": LARGER["ends of float64"],
    "weights": weighted,
    "weight decay": lambda r: decaying(r, str(r.choice(["logistic", "squared"]))),
    "momentum": lambda r: remembering(r, "momentum"),
    "Nesterov's momentum": lambda r: remembering(r, "nesterov"),
    "rates that fall": falling,
    "normalized": normalized,
    "swinging": swinging,
    "more than 16 columns": few_columns_more,
}


def records(r: Rng, problem: Problem) -> Any:
    """At will: spread over all, crowded somewhere, one after the other, or the last alone."""
    steps, most = problem.steps, np.log10(problem.steps)
    chosen = [np.array([steps])]
    if r.random() < 0.7:
        chosen.append(10.0 ** r.uniform(0.0, most, size=int(r.integers(1, 14))))
    if r.random() < 0.4:  # between two of the integrator's steps
        chosen.append(10.0 ** (r.uniform(0.0, most) + r.uniform(0.0, 0.3, size=5)))
    if r.random() < 0.3:
        chosen.append(np.floor(10.0 ** r.uniform(0.0, most)) + np.arange(4.0))
    if problem.until < steps:
        chosen.append(np.geomspace(0.1, 1.0, 4) * problem.until)
    drawn = np.floor(np.concatenate(chosen))
    return np.unique(drawn[(drawn >= 1) & (drawn <= steps)])


def draw(kind: str, seed: int) -> tuple[Problem, Any, float]:
    """The problem of a kind with this seed, the steps to record, and its rtol."""
    r = np.random.default_rng([zlib.crc32(kind.encode()), 1, seed])
    problem = KINDS[kind](r)
    return problem, records(r, problem), float(10.0 ** r.uniform(-10.0, -6.0))
