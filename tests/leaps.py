"""Exact descent to leap from, leaps, and problems to leap over, for the tests of leaps."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import fastgrok as fg
import reference
from fastgrok import _core

F64 = NDArray[np.float64]


def spaced(last: int, ratio: float = 1.04, count: int = 10) -> list[int]:
    """Different steps up to `last`, `ratio` apart."""
    return sorted({round(last * ratio**-j) for j in range(count)})


def iterates(
    X: NDArray[Any], y: F64, rate: float, steps: Iterable[int], loss: str, bias: bool
) -> tuple[dict[int, F64], dict[int, F64]]:
    """(w, b) at these steps and the updates that follow, by plain gradient descent from 0."""
    wanted = set(steps)
    rows = y[:, None] * np.column_stack([X.astype(np.float64), np.full(len(y), float(bias))])
    u = np.zeros(rows.shape[1])
    at, updates = {}, {}
    for k in range(max(wanted) + 1):
        update = -rate * (reference.loss_slope(rows @ u, loss) @ rows)
        if k in wanted:
            at[k], updates[k] = u, update
        u = u + update
    return at, updates


def leap(
    X: NDArray[Any],
    y: F64,
    rate: float,
    at: dict[int, F64],
    updates: dict[int, F64],
    start: list[int],
    **options: Any,
) -> _core.Leap:
    settings: dict[str, Any] = {
        "loss": "logistic", "period": 1, "tolerance": 1e-10, "most_order": 6, "threads": 1,
    }  # fmt: skip
    settings |= options
    return _core.Leap(
        _core.Problem(X, y, settings.pop("bias", True)),
        k=np.array(start, dtype=float),
        u=np.array([at[k] for k in start]),
        updates=np.array([updates[k] for k in start]),
        rate=rate,
        **settings,
    )


def difference(u: F64, exact: F64) -> Any:
    """
    The error as `rtol` means it: of w against ||w|| or of b against max(|b|, 1).

    (w, b) is along the last axis.
    """
    of_w = np.linalg.norm(u[..., :-1] - exact[..., :-1], axis=-1)
    of_b = np.abs(u[..., -1] - exact[..., -1])
    size = np.maximum(np.linalg.norm(exact[..., :-1], axis=-1), 1e-300)
    return np.maximum(of_w / size, of_b / np.maximum(np.abs(exact[..., -1]), 1.0))


def cube(support: tuple[int, int] = (0, 0), seed: int = 0) -> tuple[F64, F64]:
    """The data of Das et al. (2026) at d = 2."""
    data = fg.datasets.margin_cube((1000, 1000), dim=2, gamma=1e-3, support=support, seed=seed)
    return data.X, data.y


@st.composite
def small_problems(draw: st.DrawFn, starts: tuple[float, ...] = (0.0,)) -> dict[str, Any]:
    """
    Arguments of a run from weights of one of the sizes `starts`, stable or not.

    Some have rows of zeros, rows that occur again, or two equal columns; one class or two.
    """
    n, d = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, d))
    X[rng.random(n) < draw(st.sampled_from([0.0, 0.3]))] = 0.0
    X[rng.random(n) < draw(st.sampled_from([0.0, 0.3]))] = X[0]
    if draw(st.booleans()):
        X[:, -1] = X[:, 0]
    y = np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.5])), -1.0, 1.0)
    loss = draw(st.sampled_from(["logistic", "exponential"]))
    Z = y[:, None] * np.column_stack([X, np.ones(n)])
    curvature = (0.25 if loss == "logistic" else 1.0) * np.linalg.norm(Z, 2) ** 2
    lr = draw(st.floats(0.01, 4.0)) / curvature
    w0 = draw(st.sampled_from(starts)) * rng.uniform(-1.0, 1.0, size=d)
    return {"X": X, "y": y, "lr": lr, "loss": loss, "reduction": "sum", "w0": w0}


CYCLES: dict[int, tuple[tuple[int, ...], float]] = {
    3: ((2, 1, -5), 3.0), 4: ((1, 1, 1, -4), 8.0), 7: ((1, 2, -4), 24.0), 20: ((1, 1, 1, -4), 10.0),
}  # fmt: skip
"""By its period, points of one class on a line and a learning rate, of their mean, that goes round
such a cycle."""


def drifting_cycle(period: int, cols: int) -> tuple[F64, F64, dict[str, Any]]:
    """
    Rows and options of a run on a cycle in its first column that rows of other columns move.

    These are separable, and so it moves for ever, slower and slower.
    """
    points, lr = CYCLES[period]
    rng = np.random.default_rng([period, cols])
    w = np.r_[0.0, rng.normal(size=cols - 1)]
    w /= np.linalg.norm(w)
    X = rng.normal(size=(12, cols)) / np.sqrt(cols - 1)
    X *= np.where(X @ w < 0.0, -1.0, 1.0)[:, None]
    # Too short for a step to lead so far that nothing moves for long.
    X = (X + 0.3 * w) * 1.5 / np.sqrt(lr / len(points))
    X[:, 0] *= 0.05
    X = np.vstack([np.outer(points, np.eye(cols)[0]), X])
    return X, np.ones(len(X)), {"lr": lr / len(points), "reduction": "sum", "bias": False}
