"""Problems of many kinds for honesty.py, with coordinates for their references."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrok as fg
from _honesty_problems import (
    Problem,
    Rng,
    coarse,
    common,
    curvature,
    draw_rate,
    horizon,
    in_turn,
    labels,
    plain,
)
from _honesty_reference import Coordinates, Long, size


def gaussian_separable(r: Rng) -> Problem:
    d = int(r.integers(2, 9))
    n = int(r.integers(4, max(5, int(1.5 * d) + 1)))
    return common(r, r.normal(size=(n, d)), labels(r, n), far=True, most=0.6)


def gaussian_interior(r: Rng) -> Problem:
    d = int(r.integers(1, 9))
    n = int(r.integers(6 * d, 30 * d + 10))
    return common(r, r.normal(size=(n, d)), labels(r, n), far=True)


def near_critical(r: Rng) -> Problem:
    d = int(r.integers(4, 12))
    n = int(2 * d + r.integers(-3, 4))
    return common(r, 5.0 * r.normal(size=(n, d)), labels(r, n), far=True)


def cube(r: Rng) -> Problem:
    n, d = int(r.integers(20, 150)), int(r.choice([2, 2, 3, 8]))
    data = fg.datasets.margin_cube((n, n), d, gamma=1e-3, seed=int(r.integers(2**31)))
    far = bool(r.random() < 0.6)
    return common(r, data.X, data.y, far=far, bias=True, most=0.28 if far else 1.5)


def planted(r: Rng) -> Problem:
    n, few = int(r.integers(30, 100)), r.integers(2, 20, size=2)
    data = fg.datasets.margin_cube(
        (n, n), 2, gamma=1e-3, support=tuple(int(k) for k in few), seed=int(r.integers(2**31))
    )
    return common(r, data.X, data.y, far=bool(r.random() < 0.5), bias=True)


def survey(r: Rng) -> Problem:
    """Columns in their own units, from thousandths to ten thousands, some never negative."""
    n, d = int(r.choice([60, 300, 1000, 6366], p=[0.4, 0.4, 0.15, 0.05])), int(r.integers(3, 9))
    X = r.normal(size=(n, d)) + r.choice([0.0, 2.0], size=d)
    X = np.round(np.abs(X) * 4.0) if r.random() < 0.5 else X
    X *= 10.0 ** r.uniform(-3.0, 4.0, size=d)
    scores = (X / X.std(axis=0)) @ r.normal(size=d)
    noisy = scores - scores.mean() + 2.0 * r.logistic(size=n)
    problem = common(r, X, np.where(noisy > 0, 1.0, -1.0), far=True)
    problem.steps = horizon(r, 4.0, 14.0)
    problem.until = problem.steps if n <= 300 else 2000.0
    return problem


def wide(r: Rng) -> Problem:
    """More than 16 columns; the reference ends before the run does."""
    n, d = int(r.integers(10, 250)), int(r.integers(17, 130))
    sigma = float(r.choice([1.0, 5.0, 20.0]))
    problem = common(r, sigma * r.normal(size=(n, d)), labels(r, n), far=False)
    if r.random() < 0.3:
        problem.y = np.where(problem.y > 0, problem.y, 1.0)
        problem.where = plain(problem.X, problem.y, problem.settings["bias"])
    problem.steps = max(problem.steps, horizon(r, 4.0, 12.0))
    return problem


def wide_far(r: Rng) -> Problem:
    n, d = int(r.integers(4, 22)), int(r.integers(17, 20))
    return common(r, r.normal(size=(n, d)), labels(r, n), far=True)


def exponential(r: Rng) -> Problem:
    d = int(r.integers(1, 7))
    n = int(r.integers(1, 20 * d))
    y = labels(r, n)
    X = r.normal(size=(n, d))
    if r.random() < 0.5:
        X *= np.where(y * X[:, 0] > 0, 1.0, -1.0)[:, None]
    return common(r, X, y, far=True, loss="exponential", most=0.0)


def large_starts(r: Rng) -> Problem:
    """Rows that begin to pull, or stop, late and suddenly."""
    n, d = int(r.integers(1, 25)), int(r.integers(1, 5))
    X = r.normal(size=(n, d)) * 10.0 ** r.uniform(-1.5, 1.5, size=d if r.random() < 0.5 else 1)
    far = 10.0 ** r.uniform(0.5, 4.0)
    w0 = r.normal(size=d) * far / np.abs(X).max() if r.random() < 0.7 else np.zeros(d)
    b0 = float(r.normal() * far) if r.random() < 0.6 or not w0.any() else 0.0
    return common(r, X, labels(r, n), far=False, w0=w0, b0=b0)


def duplicates(r: Rng) -> Problem:
    """Rows of zeros, equal rows, and a column that depends on the others, turned."""
    n = int(r.integers(2, 40))
    A = coarse(r.normal(size=(n, 4)) * 2.0 ** r.integers(-3, 4))
    A[:, 3] = 0.0
    A[r.random(n) < r.choice([0.0, 0.3])] = 0.0
    if not A.any():
        A[0, 0] = 1.0
    y = labels(r, n) if r.random() < 0.5 else np.ones(n)
    again = r.random(n) < r.choice([0.0, 0.5])
    A[again], y[again] = A[0], y[0]
    v0 = coarse(r.normal(size=4)) * r.choice([0.0, 1.0])
    return in_turn(r, A, y, v0)


def few_rows(r: Rng) -> Problem:
    n, d = int(r.integers(1, 4)), int(r.integers(1, 24 if r.random() < 0.3 else 5))
    X = r.normal(size=(n, d)) * 10.0 ** r.uniform(-3, 3)
    return common(r, X, labels(r, n), far=True, most=0.6)


def period_two(r: Rng) -> Problem:
    n, d = int(r.integers(3, 30)), int(r.integers(1, 5))
    problem = common(r, r.normal(size=(n, d)) + r.choice([0.0, 2.0]), labels(r, n), far=False)
    rows = problem.where.rows
    factor = float(10.0 ** r.uniform(0.28, 1.0))
    problem.lr = factor / curvature(rows, "logistic", problem.reduction)
    return problem


def cycles(r: Rng) -> Problem:
    """A cycle of 3 to 20 steps in one column; rows that are separable in others move it."""
    points, lr = [
        ((2, 1, -5), 3.0), ((1, 1, 1, -4), 8.0), ((1, 2, -4), 24.0), ((1, 1, 1, -4), 10.0)
    ][int(r.choice(4, p=[0.3, 0.3, 0.3, 0.1]))]  # fmt: skip
    d = int(r.integers(2, 12) if r.random() < 0.7 else r.integers(17, 40))
    n, size = int(r.integers(1, 20)), 10.0 ** r.uniform(-0.3, 0.8)
    B, w = r.normal(size=(n, d)), r.normal(size=d)
    B[:, 0] = w[0] = 0.0
    B *= np.where(B @ w < 0.0, -1.0, 1.0)[:, None] / np.linalg.norm(B, axis=1)[:, None]
    B += 10.0 ** r.uniform(-1.5, 0.0) * w / np.linalg.norm(w)
    B *= size * 10.0 ** r.uniform(-0.5, 0.0, size=n)[:, None]
    B[:, 0] = size * 10.0 ** r.uniform(-3.0, -0.5) * r.normal(size=n)
    X = np.vstack([np.outer(points, np.eye(d)[0]), B])
    y, w0 = np.ones(len(X)), r.normal(size=d) * r.choice([0.0, 1.0])
    steps = horizon(r, 4.7, 5.0)
    settings = {"bias": False, "b0": 0.0, "w0": w0}
    where = plain(X, y, False, w0)
    return Problem(X, y, where, lr / len(points), steps, steps, settings, "sum")


def beside_an_intercept(F: Any, y: Any, has: Any) -> tuple[Any, Coordinates]:
    """Columns and an indicator coded -1/+1; and where that and the intercept are two indicators."""
    (n, d), root = F.shape, np.sqrt(Long(2))
    A = np.column_stack([F, root * has, root * (1.0 - has)]) * y[:, None]
    turn = np.zeros((d + 2, d + 2), dtype=Long)
    turn[:d, :d] = np.eye(d)
    turn[d:, d:] = np.array([[1, -1], [1, 1]]) / root
    where = Coordinates(A, np.zeros(n), np.zeros(d + 2), turn, np.zeros(d + 2))
    return np.column_stack([F, 2.0 * has - 1.0]), where


def quasi_natural(r: Rng) -> Problem:
    """Gaussian columns, an indicator coded -1/+1 that only class +1 has, and an intercept."""
    n, d, few = int(r.choice([30, 100, 300])), int(r.choice([1, 2, 3])), int(r.choice([1, 2, 5]))
    F, y, has = r.normal(size=(n, d)), labels(r, n), np.zeros(n)
    y[: few + 1], y[-1] = 1.0, -1.0
    has[:few] = 1.0
    X, where = beside_an_intercept(F, y, has)
    lr = 1.0 if r.random() < 0.5 else draw_rate(r, where.rows, "logistic", "mean")
    steps = horizon(r, 8.0)
    return Problem(X, y, where, lr, steps, steps, {"bias": True})


def quasi_turned(r: Rng) -> Problem:
    n, d = int(r.choice([10, 30, 100, 300])), int(r.choice([4, 4, 16]))
    width = int(min(d - 1, r.integers(2, 6)))
    y, A = labels(r, n), np.zeros((n, d))
    A[:, :width] = coarse(2.0 ** r.integers(-3, 4) * r.normal(size=(n, width)), 15)
    y[:2] = 1.0
    A[:2, -1] = 1.0
    problem = in_turn(r, A, y)
    problem.steps = problem.until = horizon(r, 8.0)
    return problem


def quasi_short(r: Rng) -> Problem:
    """Two separated axes, of other lengths than those that overlap, or than each other; turned."""
    n, d, width = int(r.integers(10, 60)), int(r.choice([4, 16])), int(r.integers(1, 3))
    y, A = labels(r, n), np.zeros((n, d))
    A[:, :width] = coarse(r.normal(size=(n, width)), 14)
    y[:4] = 1.0
    A[:2, -1], A[2:4, -2] = 2.0 ** r.integers(-8, 6), 2.0 ** r.integers(-8, 6)
    problem = in_turn(r, A, y)
    problem.steps = problem.until = horizon(r, 6.0)
    return problem


def nearly_quasi(r: Rng) -> Problem:
    """One axis on which a row pulls back weakly, beside others that overlap; turned."""
    A, y = _axes(r, 4, overlap=0.8)
    pull = 2.0 ** -r.integers(2, 30)
    A = np.vstack([A[:, :], [[0, 0, 0, 1.0], [0, 0, 0, -pull]]])
    A[:-2, 3] = 0.0
    return in_turn(r, A, np.append(y, [1.0, 1.0]))


def _axes(r: Rng, d: int, overlap: float) -> tuple[Any, Any]:
    rows = []
    for j in range(d):
        count = int(r.integers(1, 5))
        values = coarse(2.0 ** r.integers(-3, 3) * r.uniform(0.1, 1.0, size=count), 12)
        if r.random() < overlap:
            values = np.append(values, -coarse(r.uniform(0.1, 1.0, size=count), 12))
        rows.extend(value * np.eye(d)[j] for value in values)
    A = np.array(rows)
    return A, np.ones(len(A))


def axes(r: Rng) -> Problem:
    """Rows on orthogonal axes, of which some are separated and others not; turned."""
    d = int(r.choice([4, 16, 64], p=[0.5, 0.35, 0.15]))
    A, y = _axes(r, d, float(r.choice([0.0, 0.5, 0.9])))
    return in_turn(r, A, y)


def scales(r: Rng) -> Problem:
    """Weights and rows near the ends of float64."""
    n, d = int(r.integers(1, 12)), int(r.integers(1, 4))
    X, y = r.normal(size=(n, d)), labels(r, n)
    which = str(r.choice(["small or large", "huge weights", "tiny weights"]))
    if which == "small or large":
        X = X * 10.0 ** float(r.choice([-150, 150]))
        return common(r, X, y, far=bool(r.random() < 0.6), bias=False)
    if which == "huge weights":  # of which margins of a few units are made
        w0 = r.normal(size=d) * 1e160
        problem = common(r, X * 1e-150, y, far=True, bias=False)
        problem.X, problem.lr = X * 1e-160, 1e305
        problem.where = plain(problem.X, y, False, w0)
        problem.settings["w0"] = w0
        return problem
    # Beside a large constant margin.
    return common(r, X, np.ones(n), far=bool(r.random() < 0.6), bias=False, b0=r.uniform(340, 400))


def fixed_bias(r: Rng) -> Problem:
    n, d = int(r.integers(1, 40)), int(r.integers(1, 6))
    X, b0 = r.normal(size=(n, d)), float(r.normal() * r.choice([1.0, 10.0]))
    return common(r, X, labels(r, n), far=True, bias=False, b0=b0)


def single_precision(r: Rng) -> Problem:
    n, d = int(r.integers(5, 100)), int(r.integers(1, 8))
    X = r.normal(size=(n, d)).astype(np.float32)
    return common(r, X, labels(r, n), far=True)


def some(r: Rng) -> Problem:
    """Separable, of one class, or noise, stable for plain descent; every step has a reference."""
    n, d = int(r.integers(5, 80)), int(r.integers(1, 24))
    X = r.normal(size=(n, d)) * 10.0 ** r.uniform(-1.0, 1.0)
    teacher = np.where(X @ r.normal(size=d) + r.normal() > 0, 1.0, -1.0)
    y = (teacher, -np.ones(n), labels(r, n))[int(r.integers(0, 3))]
    problem = common(r, X, y, far=False, most=0.2)
    problem.steps = problem.until = max(problem.steps, float(np.floor(10.0 ** r.uniform(4, 4.7))))
    return problem


def decaying(r: Rng) -> Problem:
    problem = some(r)
    largest = curvature(problem.where.rows, problem.loss, problem.reduction)
    problem.settings["weight_decay"] = float(largest * 10.0 ** r.uniform(-8.0, -2.0))
    problem.settings["decay_bias"] = bool(r.random() < 0.3)
    return problem


def remembering(r: Rng, kind: str) -> Problem:
    problem = decaying(r) if r.random() < 0.3 else some(r)
    kept = float(r.choice([0.5, 0.8, 0.9, 0.95]))
    problem.settings |= {"optimizer": kind, "optimizer_options": {"momentum": kept}}
    problem.lr *= float(r.choice([1.0, 1.0 - kept])) if kind == "momentum" else 1.0 - kept
    return problem


def falling(r: Rng) -> Problem:
    problem = decaying(r) if r.random() < 0.3 else some(r)
    power = fg.schedules.power(float(r.uniform(0.1, 1.2)), float(10.0 ** r.uniform(0.0, 3.0)))
    problem.settings["schedule"] = power
    return problem


def normalized(r: Rng) -> Problem:
    """Separable, just or by far, or just not; a step moves margins by 10^-3.5 to 3."""
    bias = bool(r.random() < 0.5)
    if r.random() < 0.5:
        n, d = int(r.integers(10, 60)), int(r.choice([2, 3, 8, 16, 32]))
        gamma = float(10.0 ** r.uniform(-3.0, -1.0))
        cube = fg.datasets.margin_cube((n, n), d, gamma=gamma, seed=int(r.integers(2**31)))
        X, y = cube.X, cube.y
    else:
        n = int(r.choice([25, 50, 100]))
        X = r.normal(size=(n, round(float(r.choice([0.48, 0.52])) * n)))
        y = labels(r, n) if r.random() < 0.5 else np.ones(n)
    problem = common(r, X, y, far=False, bias=bias)
    problem.lr = float(10.0 ** r.uniform(-3.5, 0.5)) / float(size(problem.where.rows).max())
    problem.settings["optimizer"] = "normalized"
    if r.random() < 0.3:
        problem.settings["weight_decay"] = 1e-4
    if r.random() < 0.2:
        problem.loss = "exponential"
    problem.steps = problem.until = float(np.floor(10.0 ** r.uniform(4.0, 5.0)))
    return problem


KINDS: dict[str, Callable[[Rng], Problem]] = {
    "Gaussian, separable": gaussian_separable,
    "Gaussian, interior": gaussian_interior,
    "Gaussian, near-critical": near_critical,
    "Gaussian, float32": single_precision,
    "wide": wide,
    "wide, far": wide_far,
    "cube": cube,
    "cube, planted": planted,
    "raw units": survey,
    "exponential loss": exponential,
    "large starts": large_starts,
    "duplicates": duplicates,
    "few rows": few_rows,
    "period 2": period_two,
    "cycles": cycles,
    "quasi-separated, natural": quasi_natural,
    "quasi-separated, turned": quasi_turned,
    "quasi-separated, short": quasi_short,
    "nearly quasi-separated": nearly_quasi,
    "orthogonal axes": axes,
    "ends of float64": scales,
    "fixed b0": fixed_bias,
    "weight decay": decaying,
    "momentum": lambda r: remembering(r, "momentum"),
    "Nesterov's momentum": lambda r: remembering(r, "nesterov"),
    "rates that fall": falling,
    "normalized": normalized,
}


def draw(kind: str, seed: int) -> tuple[Problem, Any, float]:
    """The problem of a kind with this seed, the steps to record, and its rtol."""
    r = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    problem = KINDS[kind](r)
    exponents = r.uniform(0.0, np.log10(problem.steps), size=int(r.integers(2, 14)))
    # Many records shortly before the end meet what is interpolated.
    near = problem.steps * 10.0 ** -r.uniform(0.0, 1.0, size=int(r.choice([0, 5])))
    drawn = np.concatenate([10.0**exponents, near, [64.0, 256.0, problem.steps]])
    if problem.until < problem.steps:
        drawn = np.append(drawn, np.geomspace(0.1, 1.0, 4) * problem.until)
    drawn = np.floor(drawn)
    record = np.unique(drawn[(drawn >= 1) & (drawn <= problem.steps)])
    rtol = float(r.choice([1e-6, 1e-8, 1e-8, 1e-8, 1e-8, 1e-10]))
    return problem, record, rtol
