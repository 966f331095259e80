"""Leaps with weight decay, momentum and schedules beside every step of the same runs.

Times: by data, loss and knob the seconds of the processor that a leap takes, how many times as long
exact steps that skip rows take, how many steps were exact in both, how far the leap is from those
steps and how far it says it may be. One thread; of the leap's time the median.

Evidence (--problems): random problems of every kind (_optimizer_problems.py), leaped to 40,000 to
100,000 steps and held against all of these, and leaped to 10^12, or to 10^16, where the truth is
known there.

    python bench/leaps_of_optimizers.py [--steps 1e5 1e6] [--data NAME ...] [--loss NAME ...]
        [--knob NAME ...] [--turns 3] [--json FILE] [--read FILE ...] [--write]
    python bench/leaps_of_optimizers.py --problems 300 [--seed 0] [--kind NAME ...] [--write]

--write puts a table into docs/leaps.md; with --read, of rows that --json kept, and nothing is run.
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

import fastgrok as fg
from _optimizer_problems import KINDS, apart, draw, far, least, near
from _page import LEAPS, put_between
from _race import show

TINY = 1e-12  # errors below are not held against what is reported
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
RTOL = 1e-8


@functools.cache
def data_of(name: str) -> fg.Dataset:
    found: fg.Dataset = DATA[name]()
    return found


def trained(asked: dict[str, Any], engine: str) -> tuple[fg.Trajectory, float]:
    """The run, and the seconds of the processor that it took."""
    began = time.process_time()
    run = fg.train(engine=engine, **asked)
    return run, time.process_time() - began


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
    right = exact.w, exact.bias_final
    stretches = run.engine.leaps
    return row | {
        "ratio": row["exact_s"] / row["leap_s"],
        "exact_steps": run.engine.exact_steps,
        "passes": sum(leap.evaluations + leap.products for leap in stretches),
        "leaps": len(stretches),
        "rest": stretches[-1].converged if stretches else False,
        "error": float(apart(run.w, run.bias_final, *right, least(asked))),
        "reported": max((leap.error for leap in stretches), default=0.0),
        "reason": run.engine.reason,
    }


def times(rows: list[dict[str, Any]]) -> str:
    """A line for data, loss and knob, with the ratios and errors at all horizons."""
    horizons = sorted({row["steps"] for row in rows})
    at = {(row["data"], row["loss"], row["knob"], row["steps"]): row for row in rows}
    each = [f"{name}, {steps:.0e}" for steps in horizons for name in ("exact s", "leap s", "ratio")]
    head = ["data", "loss", "knob", "exact steps", *each, "worst error", "reported"]
    lines = [head, ["---"] * len(head)]
    for key in dict.fromkeys((row["data"], row["loss"], row["knob"]) for row in rows):
        found = [at.get((*key, steps), {}) for steps in horizons]
        good = [row for row in found if "ratio" in row]
        cells = [
            f"{row[name]:.3g}" if name in row else "" if not row else "refused"
            for row in found
            for name in ("exact_s", "leap_s", "ratio")
        ]
        lines.append([
            *key, str(max((row["exact_steps"] for row in good), default="")), *cells,
            *(f"{max((row[name] for row in good), default=0.0):.1e}"
              for name in ("error", "reported")),
        ])  # fmt: skip
    return markdown(lines)


def evidence(kinds: list[str], seed: int, problems: int) -> str:
    """A line for a kind."""
    head = ["kind", "problems", "refused", "worst error / rtol", "worst error / reported",
            "far", "worst error / rtol there", "worst error / reported there"]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    for kind in kinds:
        found: dict[str, list[tuple[float, float]]] = {"near": [], "far": []}
        for each in range(seed, seed + problems):
            asked = draw(kind, each)
            for name, judge in (("near", near), ("far", far)):
                if (pair := judge(asked)) is None:
                    continue
                found[name].append(pair)
                if pair[0] > max(pair[1], TINY):
                    print(f"{kind}, seed {each}, {name}: {pair[0]:.2g} of {pair[1]:.2g}")
        cells = [kind, str(problems), str(problems - len(found["near"]))]
        for name in ("near", "far"):
            pairs = found[name]
            if name == "far":
                cells.append(str(len(pairs)))
            cells.append(f"{max((error for error, _ in pairs), default=0.0) / RTOL:.2g}")
            told = (error / said for error, said in pairs if error > TINY)
            cells.append(f"{max(told, default=0.0):.2g}")
        print("  ".join(cells), flush=True)
        lines.append(cells)
    return markdown(lines)


def markdown(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def measured(args: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for data in args.data:
        for loss in args.loss:
            for knob in args.knob:
                for steps in args.steps:
                    row = measure(data, loss, knob, int(steps), args.turns)
                    print(show(row), flush=True)
                    rows.append(row)
                    if args.json:
                        with args.json.open("a", encoding="utf-8") as file:
                            print(json.dumps(row), file=file)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=float, nargs="+", default=[1e5, 1e6])
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument("--loss", nargs="+", default=list(LOSSES), choices=LOSSES)
    parser.add_argument("--knob", nargs="+", default=list(KNOBS), choices=list(KNOBS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--problems", type=int, help="of every kind: evidence, not times")
    parser.add_argument("--seed", type=int, default=0, help="of the first")
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--json", type=Path, help="all that is known, one JSON object a line")
    parser.add_argument("--read", type=Path, nargs="+", help="rows that --json kept")
    parser.add_argument("--write", action="store_true", help=f"the table into {LEAPS.name}")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.problems:
        name, text = "evidence", evidence(args.kind, args.seed, args.problems)
    elif args.read:
        kept = [line for file in args.read for line in file.read_text("utf-8").splitlines()]
        name, text = "times", times([json.loads(line) for line in kept])
    else:
        name, text = "times", times(measured(args))
    print(text)
    if args.write:
        put_between(LEAPS, name, text)


if __name__ == "__main__":
    main()
