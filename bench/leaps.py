"""Time to the state after 10^3 to 10^60 steps of gradient descent, and how near it is to them.

The setting of Das et al. (2026): the cube with d = 2, N = 2000, gamma = 1e-3, the sum of the
losses, lr = 1e-2, nothing planted, one thread. The ways there: fastgrok's two engines; NumPy, Numba
and JAX, which take every step; and SciPy's stiff solvers on gradient flow in log time from step
1000 on, with the exact Jacobian (_horizons.py).

The error is that of (w, b) against fastgrok's exact steps wherever these arrive in time,
max(||w - w_exact|| / ||w_exact||, |b - b_exact| / max(|b_exact|, 1)). No way may use more than
--limit seconds for a horizon. A time with ~ was not measured: it is what all steps would take at
the speed of the last that were taken. A failure is named below the tables.

Each way is a process of its own on one core. All are measured once; those within a second then go
on in turns, and the median is printed.

    python bench/leaps.py [--horizons 1e3 1e7 1e60] [--turns 5] [--limit 20] [--rtol 1e-8] [--json]
        [--write]

--write puts four of the horizons into docs/benchmarks.md.
"""

import argparse
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import _page
from _children import Child
from _horizons import Flow, Outcome, Stepper, Trained
from _peers import PEERS, Task
from _race import installed, medians, table, take_turns

HORIZONS = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e12, 1e20, 1e40, 1e60)
SOLVERS = ("Radau", "LSODA", "BDF")
STEPPERS = {"numpy": "numpy", "numba": "numba, own exp", "jax": "jax"}
EXACT = "fastgrok exact"
FIRST = 1000  # the step from which the flow starts
SHORT = 1.0  # seconds of what is measured more than once
PAUSE = 0.05
# What the documentation shows, and calls it.
SHOWN = (1e5, 1e7, 1e12, 1e60)
NAMES = {
    "fastgrok auto": "fastgrok, leaping (the default)",
    EXACT: "fastgrok, every step",
    "jax": "JAX, every step",
    "numba, own exp": "Numba, every step",
    "numpy": "NumPy, every step",
    "scipy LSODA": "SciPy, gradient flow by LSODA",
}


def ways(
    task: Task, rtol: float, limit: float
) -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    found: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        f"fastgrok {engine}": (Trained, (task, engine, rtol, limit)) for engine in ("auto", "exact")
    }
    for package in installed(STEPPERS):
        name = STEPPERS[package]
        found[name] = (Stepper, (PEERS[name].make, task, limit))
    for method in SOLVERS:
        found[f"scipy {method}"] = (Flow, (task, method, FIRST, rtol, limit))
    return found


def error(u: np.ndarray, exact: np.ndarray) -> float:
    w = np.linalg.norm(u[:-1] - exact[:-1]) / np.linalg.norm(exact[:-1])
    b = abs(u[-1] - exact[-1]) / max(abs(exact[-1]), 1.0)
    return float(max(w, b))


def measure(task: Task, args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for every way and horizon."""
    children: dict[str, Child] = {}
    try:
        for name, (make, arguments) in ways(task, args.rtol, args.limit).items():
            children[name] = Child(make, arguments, task.threads)
        outcomes: dict[tuple[str, int], Outcome] = {}
        seconds: dict[tuple[str, int], float] = {}
        for steps in sorted(int(horizon) for horizon in args.horizons):
            for name, child in children.items():
                outcomes[name, steps], seconds[name, steps] = child.take(steps)

        def turn(name: str, steps: int) -> Callable[[], float]:
            return lambda: children[name].take(steps)[1]

        short = {
            key: turn(*key)
            for key, outcome in outcomes.items()
            if outcome.weights is not None and seconds[key] < SHORT
        }
        seconds |= medians(take_turns(short, args.turns, pause=PAUSE))
    finally:
        for child in children.values():
            child.close()
    rows = []
    for (name, steps), outcome in outcomes.items():
        exact = outcomes[EXACT, steps].weights
        reached = outcome.weights is not None
        rows.append(
            {
                "way": name,
                "steps": float(steps),
                "seconds": None if outcome.failure else seconds[name, steps],
                "extrapolated": outcome.extrapolated,
                "failure": outcome.failure,
                "evaluations": outcome.evaluations,
                "error": error(outcome.weights, exact) if reached and exact is not None else None,
            }
        )
    return rows


def text(rows: list[dict[str, Any]]) -> str:
    """Seconds and errors, a line a way and a column a horizon; the failures below."""
    horizons = sorted({row["steps"] for row in rows})
    names = list(dict.fromkeys(row["way"] for row in rows))
    at = {(row["way"], row["steps"]): row for row in rows}
    failures = list(dict.fromkeys(row["failure"] for row in rows if row["failure"]))

    def time(row: dict[str, Any]) -> str:
        if row["failure"]:
            return f"[{failures.index(row['failure']) + 1}]"
        return ("~" if row["extrapolated"] else "") + f"{row['seconds']:.3g}"

    def difference(row: dict[str, Any]) -> str:
        return "" if row["error"] is None else f"{row['error']:.1e}"

    head = [f"1e{math.log10(steps):.4g}" for steps in horizons]
    tables = [
        table([label, *head], [[name, *(cell(at[name, k]) for k in horizons)] for name in names])
        for label, cell in (("seconds", time), ("error", difference))
    ]
    notes = [f"[{i}] {failure}" for i, failure in enumerate(failures, 1)]
    return "\n".join([tables[0], "", tables[1], *notes])


def page(rows: list[dict[str, Any]]) -> str:
    """The table of the documentation: those horizons of it that were measured."""
    at = {(row["way"], row["steps"]): row for row in rows}
    shown = [steps for steps in SHOWN if any(row["steps"] == steps for row in rows)]

    def time(row: dict[str, Any] | None) -> str:
        if row is None or row["seconds"] is None:
            return ""
        seconds, about = row["seconds"], "~" if row["extrapolated"] else ""
        for unit, length in (("years", 365.25 * 86400.0), ("days", 86400.0)):
            if seconds >= length:
                return f"{about}{seconds / length:.2g} {unit}"
        return f"{about}{seconds:.2g}" if seconds < 100 else f"{about}{seconds:.0f}"

    def line(way: str, name: str) -> list[str]:
        first = at.get((way, 1e5), {}).get("error")
        off = "" if first is None or way in (EXACT, *STEPPERS.values()) else f"{first:.0e}"
        return [name, *(time(at.get((way, steps))) for steps in shown), off]

    found = {way for way, _ in at}
    head = ["way", *(f"10^{math.log10(steps):.0f}" for steps in shown), "error at 10^5"]
    return _page.markdown(head, [line(way, name) for way, name in NAMES.items() if way in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--horizons", type=float, nargs="+", default=HORIZONS)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for a way and horizon")
    parser.add_argument("--rtol", type=float, default=1e-8, help="of auto and of the solvers")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--write", action="store_true", help="a table into docs/benchmarks.md")
    args = parser.parse_args()
    rows = measure(Task(2000, 2, "float64", 1), args)
    print("\n".join(json.dumps(row) for row in rows) if args.json else text(rows))
    if args.write:
        _page.put("leaps", page(rows))


if __name__ == "__main__":
    main()
