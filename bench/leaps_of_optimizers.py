"""Leaps with weight decay, momentum and schedules beside every step of the same runs.

By data, loss and knob: the seconds of the processor that a leap to 10^5 and 10^6 steps takes, how
many times as long exact steps that skip rows take, how many steps were exact in both, how far the
leap is from those steps and how far it says it may be. One thread; of the leap's time the median.

    python bench/leaps_of_optimizers.py [--steps 1e5 1e6] [--data NAME ...] [--loss NAME ...]
        [--knob NAME ...] [--turns 3] [--write] [--json]

--write puts the table into docs/leaps.md: a line for a knob and a horizon, the worst of all data.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import functools
import json
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import fastgrok as fg
from _race import table

PAGE = Path(__file__).parents[1] / "docs" / "leaps.md"
MARKS = ("<!-- ratios: begin -->", "<!-- ratios: end -->")
POWER = fg.schedules.power


def momentum(name: str, beta: float, **more: Any) -> dict[str, Any]:
    return {"optimizer": name, "optimizer_options": {"momentum": beta}, **more}


KNOBS: dict[str, dict[str, Any]] = {
    "plain": {},
    **{f"decay {decay:g}": {"weight_decay": decay} for decay in (1e-8, 1e-6, 1e-4, 1e-2)},
    **{f"{name} {beta}": momentum(name, beta) for name in ("momentum", "nesterov")
       for beta in (0.9, 0.99)},
    "momentum 0.9, decay 1e-4": momentum("momentum", 0.9, weight_decay=1e-4),
    "power 0.5": {"schedule": POWER(0.5, 100.0)},
    "power 1": {"schedule": POWER(1.0, 100.0)},
    "power 0.5, decay 1e-4": {"schedule": POWER(0.5, 100.0), "weight_decay": 1e-4},
}  # fmt: skip
DATA: dict[str, Any] = {
    "cube 2000 x 2": lambda: fg.datasets.margin_cube((1000, 1000), dim=2, gamma=1e-3, seed=0),
    "cube 4000 x 32": lambda: fg.datasets.margin_cube((2000, 2000), dim=32, gamma=1e-3, seed=0),
    "noise 1000 x 480": lambda: fg.datasets.gaussian_noise(1000, 480, sigma=5.0, seed=0),
    "noise 1000 x 520": lambda: fg.datasets.gaussian_noise(1000, 520, sigma=5.0, seed=0),
}
LOSSES = ("logistic", "squared")
RATE, SHARE = 1e-2, 1.0 / 3.0  # of the rate that is stable, where that is less


@functools.cache
def data_of(name: str) -> fg.Dataset:
    found: fg.Dataset = DATA[name]()
    return found


def trained(asked: dict[str, Any], engine: str) -> tuple[fg.Trajectory, float]:
    """The run, and the seconds of the processor that it took."""
    began = time.process_time()
    run = fg.train(engine=engine, **asked)
    return run, time.process_time() - began


def error(run: fg.Trajectory, exact: fg.Trajectory, least: float) -> float:
    w = np.linalg.norm(run.w - exact.w) / max(float(np.linalg.norm(exact.w)), least)
    b = abs(run.bias_final - exact.bias_final) / max(abs(exact.bias_final), 1.0)
    return float(max(w, b))


def measure(data: str, loss: str, knob: str, steps: int, turns: int) -> dict[str, Any]:
    X, y = data_of(data).X, data_of(data).y
    asked: dict[str, Any] = {
        "X": X, "y": y, "loss": loss, "steps": steps, "record": [steps], "threads": 1,
        "lr": min(RATE, SHARE * fg.stable_lr(X, y, loss=loss)), "watch_sharpness": False,
        **KNOBS[knob],
    }  # fmt: skip
    row: dict[str, Any] = {"data": data, "loss": loss, "knob": knob, "steps": steps}
    exact, row["exact_s"] = trained(asked, "exact")
    try:
        leaps = [trained(asked, "leap") for _ in range(turns)]
    except fg.LeapError as failure:
        return {**row, "failure": str(failure)}
    run = leaps[0][0]
    row["leap_s"] = statistics.median(seconds for _, seconds in leaps)
    least = 0.01 / float(np.linalg.norm(X, axis=1).max()) if loss == "squared" else 0.0
    stretches = run.engine.leaps
    return row | {
        "ratio": row["exact_s"] / row["leap_s"],
        "exact_steps": run.engine.exact_steps,
        "passes": sum(leap.evaluations + leap.products for leap in stretches),
        "leaps": len(stretches),
        "rest": stretches[-1].converged if stretches else False,
        "error": error(run, exact, least),
        "reported": max((leap.error for leap in stretches), default=0.0),
        "reason": run.engine.reason,
    }


COLUMNS = ("data", "loss", "knob", "steps", "exact_s", "leap_s", "ratio", "exact_steps", "passes",
           "error", "reported")  # fmt: skip


def cells(row: dict[str, Any]) -> list[str]:
    def text(value: Any) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)

    return [text(row.get(name, "-")) for name in COLUMNS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=float, nargs="+", default=[1e5, 1e6])
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--loss", nargs="+", default=list(LOSSES), choices=LOSSES)
    parser.add_argument("--knob", nargs="+", default=list(KNOBS), choices=list(KNOBS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path, help="all that is known, one JSON object a line")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for data in args.data:
        for loss in args.loss:
            for knob in args.knob:
                for steps in args.steps:
                    row = measure(data, loss, knob, int(steps), args.turns)
                    print("  ".join(cells(row)), row.get("failure", ""), flush=True)
                    if args.json:
                        with args.json.open("a", encoding="utf-8") as file:
                            print(json.dumps(row), file=file)


if __name__ == "__main__":
    main()
