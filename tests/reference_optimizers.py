"""Descent with every optimizer, decay and schedule, as one would write it down, in long double."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Long = np.longdouble


def descend(
    X: F64,
    y: F64,
    steps: int,
    lr: float,
    *,
    optimizer: str = "gd",
    options: dict[str, float] | None = None,
    weight_decay: float = 0.0,
    decay_bias: bool = False,
    schedule: Callable[[int], float] | None = None,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    w0: F64 | None = None,
    b0: float = 0.0,
) -> Any:
    """Parameters (w, b) after 0, 1, ..., `steps` steps, (steps + 1, d + 1)."""
    n, d = X.shape
    asked = {"momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8} | (options or {})
    mu, beta1, beta2, eps = (Long(asked[key]) for key in ("momentum", "beta1", "beta2", "eps"))
    rows = (y[:, None] * np.column_stack([X, np.full(n, float(bias))])).astype(Long)
    fixed = y * (0.0 if bias else b0)
    decay = np.append(np.full(d, weight_decay), weight_decay * decay_bias * bias).astype(Long)
    theta = np.append(np.zeros(d) if w0 is None else w0, b0).astype(Long)
    first, second, path = np.zeros_like(theta), np.zeros_like(theta), [theta]
    for k in range(steps):
        rate = Long(lr) * (1 if schedule is None else Long(schedule(k)))
        m = rows @ theta + fixed
        slope = np.exp(-m) if loss == "exponential" else 1 / (1 + np.exp(m))
        g = -(slope @ rows) / (n if reduction == "mean" else 1)
        if optimizer == "adamw":
            theta = theta - rate * decay * theta
        else:
            g = g + decay * path[-1]
        if optimizer in ("momentum", "nesterov"):
            first = mu * first + g
            step = first if optimizer == "momentum" else g + mu * first
        elif optimizer == "normalized":
            step = g / np.sqrt((g**2).sum())
        elif optimizer == "sign":
            step = np.sign(g)
        elif optimizer in ("adam", "adamw"):
            first = beta1 * first + (1 - beta1) * g
            second = beta2 * second + (1 - beta2) * g**2
            step = (first / (1 - beta1 ** (k + 1))) / (
                np.sqrt(second / (1 - beta2 ** (k + 1))) + eps
            )
        else:
            step = g
        theta = theta - rate * step
        path.append(theta)
    return np.array(path)
