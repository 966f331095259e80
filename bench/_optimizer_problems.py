"""Random problems for leaps_of_optimizers.py, and how far a leap is from the truth of each."""

from typing import Any

import numpy as np

import fastgrok as fg
from fastgrok.theory import squared

FAR, LATER = 1e12, 1e16
KINDS = (
    "decay", "momentum", "momentum 0.99", "nesterov", "nesterov 0.99", "power", "power, decay",
    "momentum, decay", "squared", "squared, decay", "squared, momentum",
)  # fmt: skip


def draw(kind: str, seed: int) -> dict[str, Any]:
    """Arguments of a run: separable, of one class or noise, 5 to 100 rows, 1 to 24 columns."""
    r = np.random.default_rng([KINDS.index(kind), seed])
    n, d = int(r.integers(5, 100)), int(r.integers(1, 25))
    X = r.normal(size=(n, d)) * 10.0 ** r.uniform(-1.0, 1.0)
    teacher = np.where(X @ r.normal(size=d) + r.normal() > 0, 1.0, -1.0)
    y = (teacher, -np.ones(n), np.where(r.random(n) < 0.5, 1.0, -1.0))[int(r.integers(0, 3))]
    loss = "squared" if kind.startswith("squared") else "logistic"
    steps = int(10.0 ** r.uniform(4.6, 5.0))
    asked: dict[str, Any] = {
        "X": X, "y": y, "loss": loss, "steps": steps, "record": [steps // 3, steps],
        "lr": fg.stable_lr(X, y, loss=loss) * 10.0 ** r.uniform(-2.0, -0.1),
        "bias": bool(r.random() < 0.8), "threads": 1, "watch_sharpness": False,
        "keep_weights": True,
    }  # fmt: skip
    if "decay" in kind:
        asked["weight_decay"] = float(10.0 ** r.uniform(-8.0, -1.5))
        asked["decay_bias"] = bool(r.random() < 0.3)
    if "power" in kind:
        asked["schedule"] = fg.schedules.power(
            float(r.uniform(0.1, 1.2)), float(10.0 ** r.uniform(0.0, 3.0))
        )
    for name in ("momentum", "nesterov"):
        if name in kind:
            kept = 0.99 if "0.99" in kind else float(r.choice([0.5, 0.9, 0.95]))
            asked |= {"optimizer": name, "optimizer_options": {"momentum": kept}}
    return asked


def least(asked: dict[str, Any]) -> float:
    """Below this ||w|| is not what errors are measured against."""
    if asked["loss"] != "squared" and not asked.get("weight_decay"):
        return 0.0
    return float(0.01 / np.linalg.norm(asked["X"], axis=1).max())


def apart(w: Any, b: Any, exact_w: Any, exact_b: Any, floor: float) -> Any:
    """Of w against ||w||, or of b against max(|b|, 1), whichever is more; by record."""
    size = np.maximum(np.linalg.norm(exact_w, axis=-1), floor)
    of_w = np.linalg.norm(w - exact_w, axis=-1) / size
    return np.maximum(of_w, np.abs(b - exact_b) / np.maximum(np.abs(exact_b), 1.0))


def reported(run: fg.Trajectory) -> float:
    return max((max(leap.error, leap.overlap_difference) for leap in run.engine.leaps), default=0.0)


def near(asked: dict[str, Any]) -> tuple[float, float] | None:
    """Error against every step, and the error reported; none of a leap that was refused."""
    try:
        run = fg.train(engine="leap", **asked)
    except fg.LeapError:
        return None
    exact = fg.train(engine="exact", **asked)
    assert run.weights is not None
    assert exact.weights is not None
    w, b = exact.weights[:, :-1], exact.weights[:, -1]
    error = apart(run.weights[:, :-1], run.weights[:, -1], w, b, least(asked))
    return float(error.max()), reported(run)


def far(asked: dict[str, Any]) -> tuple[float, float] | None:
    """
    The same after 10^12 steps, where that is known, or after 10^16.

    It is in closed form for the squared loss, up to what float64 makes of it, and a proved ball
    around the optimum where weights decay fast enough; its radius is added to what is reported. A
    bias that does not decay comes to its optimum after 10^13 steps or later, and is held against it
    after 10^16; beside one class it has none.
    """
    X, y, how = asked["X"], asked["y"], dict(asked)
    shared = {k: asked[k] for k in ("bias", "weight_decay", "decay_bias") if k in asked}
    decay, rate = asked.get("weight_decay", 0.0), asked["lr"]
    horizon = FAR
    plain = not {"optimizer", "schedule"} & set(asked)
    if asked["loss"] == "squared" and plain:
        w, b = squared.state(FAR, X, y, rate, **shared)
        sure = 0.0
    elif asked["loss"] == "logistic" and decay * rate * FAR > 50.0 and "schedule" not in asked:
        if asked["bias"] and not asked["decay_bias"]:
            if len(set(y.tolist())) == 1:
                return None
            horizon = LATER
        limit = fg.regularized_limit(X, y, **shared)
        w, b = limit.w, limit.b
        sure = limit.distance / max(float(np.linalg.norm(w)), least(asked))
    else:
        return None
    how |= {"steps": horizon, "record": [horizon]}
    try:
        run = fg.train(engine="leap", **how)
    except fg.LeapError:
        return None
    return float(apart(run.w, run.bias_final, w, b, least(asked))), reported(run) + sure
