"""Exact descent to leap from, and leaps, for the tests of the integrator."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        "loss": "logistic", "two_step": False, "tolerance": 1e-10, "most_order": 6, "threads": 1,
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


def difference(u: F64, exact: F64) -> float:
    """The error of w against ||w|| and that of b against max(|b|, 1), the larger of the two."""
    norm = float(np.linalg.norm(exact[:-1])) or 1.0
    of_w = float(np.linalg.norm(u[:-1] - exact[:-1])) / norm
    return max(of_w, abs(float(u[-1] - exact[-1])) / max(abs(float(exact[-1])), 1.0))
