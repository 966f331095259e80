"""Problems for honesty.py, with coordinates for their references: what all kinds are made of."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from _honesty_reference import Coordinates, Long, Steps

Rng = np.random.Generator
BUDGET = 2e8  # multiplications and exponentials (60 of them) of a reference that takes every step


@dataclass
class Problem:
    """Arguments of a run, and the coordinates in which its reference is computed."""

    X: Any
    y: Any
    where: Coordinates
    lr: float
    steps: float
    until: float  # records up to here have a reference
    settings: dict[str, Any] = field(default_factory=dict)
    reduction: str = "mean"
    loss: str = "logistic"
    total: float | None = None  # of the weights of the rows, where they have any

    @property
    def rate(self) -> Any:
        total = len(self.y) if self.total is None else self.total
        return Long(self.lr) / (total if self.reduction == "mean" else 1)

    @property
    def other_steps(self) -> Steps | None:
        """The steps that are asked for, in coordinates that are not turned."""
        how = self.settings
        if not {"optimizer", "weight_decay", "schedule"} & set(how):
            return None
        decay = np.full(len(self.where.start), Long(self.lr) * Long(how.get("weight_decay", 0.0)))
        if how["bias"] and not how.get("decay_bias", False):
            decay[-1] = 0.0
        kept = how.get("optimizer_options", {}).get("momentum", 0.0)
        power = how.get("schedule")
        return Steps(
            decay, kept, how.get("optimizer") == "nesterov",
            *((power.exponent, power.length) if power else (0.0, 1.0)),
            self.lr if how.get("optimizer") == "normalized" else 0.0,
        )  # fmt: skip


def hadamard(d: int) -> Any:
    """An orthogonal matrix with entries +-1/sqrt(d), for d = 4, 16, 64, ...: powers of two."""
    H = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2.0
    return H if d == 4 else np.kron(H, hadamard(d // 4))


def coarse(values: Any, bits: int = 20) -> Any:
    """Rounded to multiples of 2^-bits, so that turning by `hadamard` rounds nothing."""
    return np.round(np.asarray(values) * 2.0**bits) / 2.0**bits


def labels(r: Rng, n: int) -> Any:
    return r.choice([-1.0, 1.0], size=n)


def curvature(rows: Any, loss: str, reduction: str) -> float:
    """Of the loss where all margins are 0."""
    rows = np.asarray(rows)
    most = np.abs(rows).max()
    if most == 0.0:
        return 1.0
    norm = float(np.linalg.norm((rows / most).astype(float), 2))
    per = {"logistic": 0.25, "exponential": 1.0, "squared": 2.0}[loss]
    per /= len(rows) if reduction == "mean" else 1
    return norm**2 * per * float(most) * float(most)


def plain(X: Any, y: Any, bias: bool, w0: Any = None, b0: float = 0.0) -> Coordinates:
    d = X.shape[1]
    signed = (y[:, None] * X).astype(Long)
    w0 = np.zeros(d) if w0 is None else w0
    if bias:
        rows = np.column_stack([signed, y.astype(Long)])
        start = np.append(w0, b0)
        return Coordinates(rows, np.zeros(len(y)), start, np.eye(d + 1), np.zeros(d + 1))
    turn = np.eye(d + 1)[:, :d]
    return Coordinates(signed, y * Long(b0), w0, turn, np.append(np.zeros(d), b0))


def turned(A: Any, y: Any, v0: Any = None) -> tuple[Any, Coordinates, Any]:
    """Rows A turned by `hadamard` and the weights to start from; without intercept."""
    d = A.shape[1]
    H = hadamard(d)
    X = A @ H
    if not np.array_equal(X @ H, A):
        raise ValueError("the rows have too many bits to be turned without rounding")
    v0 = np.zeros(d) if v0 is None else v0
    turn = np.vstack([H.T, np.zeros(d)])
    return X, Coordinates(y[:, None] * A, np.zeros(len(y)), v0, turn, np.zeros(d + 1)), H.T @ v0


def horizon(r: Rng, least: float = 3.0, most: float = 30.0) -> float:
    return float(np.floor(10.0 ** r.uniform(least, most)))


def loop_horizon(r: Rng, n: int, d: int) -> float:
    return horizon(r, 3.0, min(5.0, np.log10(BUDGET / (n * (60 + 4 * d)))))


def draw_rate(r: Rng, rows: Any, loss: str, reduction: str, most: float = 0.28) -> float:
    """A learning rate of up to 10^most / curvature, where 2 / curvature is the limit at 0."""
    return float(10.0 ** r.uniform(-2.0, most)) / curvature(rows, loss, reduction)


def common(
    r: Rng,
    X: Any,
    y: Any,
    *,
    far: bool,
    loss: str = "logistic",
    bias: bool | None = None,
    most: float = 0.28,
    w0: Any = None,
    b0: float = 0.0,
) -> Problem:
    """Mean or sum, with or without intercept, in the coordinates given."""
    n, d = X.shape
    reduction = str(r.choice(["mean", "sum"]))
    bias = bool(r.random() < 0.6) if bias is None else bias
    where = plain(X, y, bias, w0, b0)
    steps = horizon(r) if far else loop_horizon(r, n, d)
    settings = {"bias": bias, "b0": b0, "w0": w0}
    lr = draw_rate(r, where.rows, loss, reduction, most)
    return Problem(X, y, where, lr, steps, steps, settings, reduction, loss)


def in_turn(r: Rng, A: Any, y: Any, v0: Any = None, **options: Any) -> Problem:
    """The rows A turned, without intercept."""
    X, where, w0 = turned(A, y, v0)
    reduction = str(r.choice(["mean", "sum"]))
    loss = options.pop("loss", "logistic")
    lr = draw_rate(r, where.rows, loss, reduction, **options)
    steps = horizon(r)
    return Problem(X, y, where, lr, steps, steps, {"bias": False, "w0": w0}, reduction, loss)
