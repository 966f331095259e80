"""Plain NumPy, as one would write it down: what every fast path is held against.

Losses are functions l(m) of the margins m_i = y_i (w . x_i + b).
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import mpmath
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

F64 = NDArray[np.float64]


class Loss(NamedTuple):
    """A loss of a margin: for mpmath, and in NumPy its value and its first two derivatives."""

    formula: Callable[[Any], Any]
    value: Callable[[F64], F64]
    slope: Callable[[F64], F64]
    curvature: Callable[[F64], F64]


LOSSES = {
    "logistic": Loss(
        formula=lambda m: mpmath.log1p(mpmath.exp(-m)),
        value=lambda m: np.logaddexp(0.0, -m),
        slope=lambda m: -expit(-m),
        curvature=lambda m: expit(m) * expit(-m),
    ),
    "exponential": Loss(
        formula=lambda m: mpmath.exp(-m),
        value=lambda m: np.exp(-m),
        slope=lambda m: -np.exp(-m),
        curvature=lambda m: np.exp(-m),
    ),
    "squared_hinge": Loss(
        formula=lambda m: max(0, 1 - m) ** 2,
        value=lambda m: np.maximum(0.0, 1.0 - m) ** 2,
        slope=lambda m: -2.0 * np.maximum(0.0, 1.0 - m),
        curvature=lambda m: np.where(m < 1.0, 2.0, 0.0),
    ),
    "hinge": Loss(
        formula=lambda m: max(0, 1 - m),
        value=lambda m: np.maximum(0.0, 1.0 - m),
        slope=lambda m: np.where(m < 1.0, -1.0, 0.0),
        curvature=np.zeros_like,
    ),
    "squared": Loss(
        formula=lambda m: (1 - m) ** 2,
        value=lambda m: (1.0 - m) ** 2,
        slope=lambda m: -2.0 * (1.0 - m),
        curvature=lambda m: np.full_like(m, 2.0),
    ),
}


def margins(X: NDArray[Any], y: F64, w: F64, b: float) -> F64:
    return y * (X.astype(np.float64) @ w + b)


def loss_value(m: F64, loss: str) -> F64:
    return LOSSES[loss].value(m)


def loss_slope(m: F64, loss: str) -> F64:
    return LOSSES[loss].slope(m)


def loss_curvature(m: F64, loss: str) -> F64:
    return LOSSES[loss].curvature(m)


def slope_exactly(m: Any, loss: str) -> Any:
    """Slope at one margin, to the digits that mpmath works with; that of the right at a kink."""
    return mpmath.diff(LOSSES[loss].formula, m, direction=1)


def scale(rows: int, reduction: str) -> float:
    return 1.0 / rows if reduction == "mean" else 1.0


def total_loss(X: NDArray[Any], y: F64, w: F64, b: float, loss: str, reduction: str) -> float:
    values = loss_value(margins(X, y, w, b), loss)
    return float(values.mean() if reduction == "mean" else values.sum())


def correct(X: NDArray[Any], y: F64, w: F64, b: float, tie: str = "wrong") -> int:
    m = margins(X, y, w, b)
    right = m > 0
    if tie == "negative":
        right |= (m == 0) & (y < 0)
    return int(right.sum())


def gradient(
    X: NDArray[Any], y: F64, w: F64, b: float, loss: str, bias: bool = True
) -> tuple[F64, float]:
    """Gradient of the sum of losses."""
    slope = loss_slope(margins(X, y, w, b), loss) * y
    return X.astype(np.float64).T @ slope, float(slope.sum()) if bias else 0.0


def gradient_scale(X: NDArray[Any], y: F64, w: F64, b: float, loss: str) -> float:
    """Sum of |l'(m_i)| |(x_i, 1)|: the terms of the gradient before they cancel."""
    norms = np.linalg.norm(np.column_stack([X.astype(np.float64), np.ones(len(y))]), axis=1)
    return float(np.abs(loss_slope(margins(X, y, w, b), loss)) @ norms)


def curvature(X: NDArray[Any], y: F64, w: F64, b: float, loss: str, bias: bool = True) -> float:
    """Largest eigenvalue of the Hessian of the sum of losses."""
    Z = X.astype(np.float64)
    if bias:
        Z = np.column_stack([Z, np.ones(len(y))])
    H = Z.T @ (loss_curvature(margins(X, y, w, b), loss)[:, None] * Z)
    return float(np.linalg.eigvalsh(H)[-1])


def stable_rate(X: NDArray[Any], y: F64, loss: str, reduction: str) -> float:
    """Return a learning rate with lr * lambda_max <= 1 all the way down from 0."""
    Z = np.column_stack([X, np.ones(len(y))])
    c = scale(len(y), reduction)
    if loss == "exponential":
        # sum_i exp(-m_i) falls from n, so the Hessian stays below c n max |z_i|^2.
        return 1.0 / (c * len(y) * float(np.max(np.sum(Z**2, axis=1))))
    # Of the others it is largest at 0; of the hinge there is none, and any rate will do.
    steepest = float(loss_curvature(np.zeros(1), loss)[0]) or 1.0
    return 1.0 / (steepest * c * float(np.linalg.eigvalsh(Z.T @ Z)[-1]))


def descend(
    X: NDArray[Any],
    y: F64,
    steps: int,
    lr: float,
    *,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    w0: F64 | None = None,
    b0: float = 0.0,
) -> tuple[F64, F64]:
    """Gradient descent; (steps + 1, d) weights and (steps + 1,) biases, the start included."""
    c = scale(len(y), reduction)
    w = np.zeros(X.shape[1]) if w0 is None else w0.copy()
    b = b0
    path_w, path_b = [w], [b]
    for _ in range(steps):
        g, g_b = gradient(X, y, w, b, loss, bias)
        w = w - lr * c * g
        b = b - lr * c * g_b
        path_w.append(w)
        path_b.append(b)
    return np.array(path_w), np.array(path_b)


def descend_exactly(
    X: NDArray[Any],
    y: F64,
    steps: int,
    lr: float,
    *,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    digits: int = 50,
) -> tuple[list[mpmath.mpf], mpmath.mpf]:
    """Gradient descent from 0 in `digits` decimal digits; the last (w, b)."""
    with mpmath.workdps(digits):
        rows = [[mpmath.mpf(float(value)) for value in row] for row in X]
        signs = [int(sign) for sign in y]
        rate = mpmath.mpf(lr) / (len(rows) if reduction == "mean" else 1)
        w, b = [mpmath.mpf(0)] * X.shape[1], mpmath.mpf(0)
        for _ in range(steps):
            push = []
            for row, sign in zip(rows, signs, strict=True):
                m = sign * (mpmath.fdot(row, w) + b)
                push.append(-sign * slope_exactly(m, loss))
            w = [
                value + rate * mpmath.fdot(push, [row[j] for row in rows])
                for j, value in enumerate(w)
            ]
            if bias:
                b += rate * mpmath.fsum(push)
        return w, b


def grokking_time(
    steps: NDArray[np.int64], counts: NDArray[np.int64], eps: str
) -> tuple[int | None, int | None]:
    """Definition 3.4 of Das et al. (2026) for one curve: the first hit, and the sustained one.

    The first recorded step after the start at which the accuracy is at least (1 - eps) of its
    maximum, and the first from which it stays there; None for never.
    """
    kept = [(int(t), int(k)) for t, k in zip(steps, counts, strict=True) if t > 0]
    best = max((k for _, k in kept), default=0)
    if best == 0:
        return None, None
    reached = [k >= (1 - Fraction(eps)) * best for _, k in kept]
    first = kept[reached.index(True)][0]
    if not reached[-1]:
        return first, None
    since = len(reached) - reached[::-1].index(False) if False in reached else 0
    return first, kept[since][0]
