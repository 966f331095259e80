"""Time of max_margin beside QP solvers and scikit-learn's SVC, and how right the geometry is.

The solvers take turns, each turn in a process of its own, which solves again and again until half
a second has passed, at least once; what is printed are the medians of the turns' medians, of the
time and of the time of all processors. Importing, and a first small solve that loads what is loaded
late, are not counted, what a solver wants to be given (products of the rows, their signs) is. A
solver whose turn takes longer than --limit seconds, or whose hyperplane has a margin that is more
than 1e-3 short of the best, has not converged. The problem is the one with penalised bias, or with
--bias free that of SVC (libsvm, kernel="linear", C=1e10), which solves no other. PIQP, ProxQP and
Clarabel are given the primal problem, or the dual where there are fewer rows than columns; DAQP
both, for which is quicker depends on more. With one thread each:

    pip install '.[bench]'
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/geometry.py [--turns 3] [--limit 120]
        [--sizes NAME ...] [--bias penalized] [--solvers NAME ...] [--json] [--read FILE ...]
        [--write]
    python bench/geometry.py --check [NAME ...]

--json prints one JSON object a size; --read takes such lines instead of running anything, and
--write puts the table of fastgrok and the best peer into docs/benchmarks.md.

--check holds the solutions and verdicts against rational arithmetic and HiGHS, and the expansions
that rest on them against long runs: each figure with the one asked for. NAME is one of small,
cubes, sizes, programs, designs, edge, late, stationary; by default all, some minutes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import _page
import fastgrok as fg
from _geometry_checks import CHECKS
from _margin_peers import PEERS, Solver

RIGHT = 1e-9
"""Relative error of the margin with which a solver counts in the table."""


def cube(n: int, dim: int, support: tuple[int, int] = (0, 0)) -> tuple[np.ndarray, np.ndarray]:
    data = fg.datasets.margin_cube((n // 2, n - n // 2), dim, gamma=1e-3, support=support, seed=0)
    return data.X, data.y


def gauss(n: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian points with random labels; seeds are such that they are separable."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)), np.where(rng.random(n) < 0.5, 1.0, -1.0)


def many(n: int, dim: int, units: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian points with a gap around a hyperplane; columns in units of 10^-units to 10^units."""
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(n, dim)), rng.normal(size=dim) / np.sqrt(dim)
    y = np.where(X @ w > 0, 1.0, -1.0)
    return (X + 0.05 * y[:, None] * w) * 10.0 ** np.linspace(-units, units, dim), y


SIZES: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "cube 2000 x 2": lambda: cube(2000, 2),
    "cube 2000 x 2, 350 + 35 planted": lambda: cube(2000, 2, (350, 35)),
    "cube 20000 x 2": lambda: cube(20_000, 2),
    "cube 100000 x 2": lambda: cube(100_000, 2),
    "cube 2000 x 32": lambda: cube(2000, 32),
    "many 10000 x 2": lambda: many(10_000, 2),
    "many 10000 x 8": lambda: many(10_000, 8),
    "many 10000 x 64": lambda: many(10_000, 64),
    "many 100000 x 2": lambda: many(100_000, 2),
    "many 100000 x 8": lambda: many(100_000, 8),
    "many 100000 x 64": lambda: many(100_000, 64),
    "units 2000 x 8, 1e-3 to 1e3": lambda: many(2000, 8, 3),
    "units 10000 x 8, 1e-1 to 1e1": lambda: many(10_000, 8, 1),
    "gauss 100 x 500": lambda: gauss(100, 500, 0),
    "gauss 200 x 110": lambda: gauss(200, 110, 2),
    "gauss 600 x 320": lambda: gauss(600, 320, 0),
    "gauss 1000 x 520": lambda: gauss(1000, 520, 0),
    "gauss 4000 x 2000": lambda: gauss(4000, 2000, 1),
}


def fastgrok(X: np.ndarray, y: np.ndarray, bias: str) -> tuple[np.ndarray, float]:
    found = fg.max_margin(X, y, bias=bias)
    return found.w, found.b


SOLVERS: dict[str, Solver] = {"fastgrok": fastgrok} | PEERS


def take_turn(solver: str, size: str, bias: str) -> None:
    """What a child does: solves, their seconds and the margin."""
    X, y = SIZES[size]()
    SOLVERS[solver](*gauss(20, 20, 0), bias)
    walls: list[float] = []
    processors: list[float] = []
    while sum(walls) < 0.5:
        wall, processor = time.perf_counter(), time.process_time()
        w, b = SOLVERS[solver](X, y, bias)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    size_of_w = np.linalg.norm(np.append(w, b) if bias == "penalized" else w)
    with np.errstate(invalid="ignore"):
        margin = float(np.min(y * (X @ w + b)) / size_of_w)
    margin = margin if np.isfinite(margin) else -np.inf
    seconds = {"seconds": statistics.median(walls), "processor": statistics.median(processors)}
    print(json.dumps(seconds | {"margin": margin}))


def child(solver: str, size: str, bias: str, limit: float) -> dict[str, Any] | None:
    command = [sys.executable, __file__, "--turn", solver, size, bias]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError:  # it raised, or was killed for its memory
        return {"seconds": np.inf, "processor": np.inf, "margin": -np.inf}
    return dict(json.loads(done.stdout))


def race(size: str, bias: str, turns: int, limit: float, solvers: Sequence[str]) -> dict[str, Any]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in solvers}
    late: set[str] = set()
    for _ in range(turns):
        for name in solvers:
            found = None if name in late else child(name, size, bias, limit)
            if found is None:
                late.add(name)
            else:
                results[name].append(found)
    best = max(run["margin"] for runs in results.values() for run in runs)
    row: dict[str, Any] = {"size": size, "bias": bias}
    for name, runs in results.items():
        if name in late:
            row[name] = f"more than {limit:g} s"
        elif runs[0]["margin"] < (1.0 - 1e-3) * best:
            row[name] = f"not converged (margin {runs[0]['margin']:.3g} of {best:.3g})"
        else:
            row[name] = statistics.median(run["seconds"] for run in runs)
            row[f"{name} processor"] = statistics.median(run["processor"] for run in runs)
            row[f"{name} error"] = 1.0 - runs[0]["margin"] / best
    return row


def takes(solver: str, bias: str, rows: int) -> bool:
    """Whether it is a problem for this solver."""
    if bias == "penalized":
        return solver != "SVC" and (solver != "DAQP dual" or rows <= 1000)
    return solver != "DAQP dual"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Milliseconds of fastgrok and of the best peer that is right, by size and bias."""
    lines = [
        "| rows | bias | fastgrok, ms | best peer, ms | which | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = row["fastgrok"]
        if not isinstance(own, float):
            raise ValueError(f"fastgrok has no time at {row['size']}: {own}")
        right = [n for n in PEERS if isinstance(row.get(n), float) and row[f"{n} error"] < RIGHT]
        name = min(right, key=lambda n: row[n], default="none")
        best, ratio = (f"{1e3 * row[name]:.3g}", f"{row[name] / own:.2g}") if right else ("", "")
        lines.append(
            f"| {row['size']} | {row['bias']} | {1e3 * own:.3g} | {best} | {name} | {ratio} |"
        )
    return "\n".join(lines)


def shown(row: dict[str, Any], solvers: Sequence[str]) -> str:
    parts = [
        f"{name} {1e3 * row[name]:.3g} ms (processor {1e3 * row[name + ' processor']:.3g}, "
        f"margin short by {row[name + ' error']:.0e})"
        if isinstance(row[name], float)
        else f"{name} {row[name]}"
        for name in solvers
    ]
    return f"{row['size']}: " + ", ".join(parts)


def check(names: Sequence[str]) -> None:
    """Print what was measured beside what is asked for."""
    for name in names:
        for what, figure, asked in CHECKS[name]():
            print(f"{what:<58} {figure:<46} [{asked}]", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for a turn")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--bias", choices=("penalized", "free"), default="penalized")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--check", nargs="*", choices=CHECKS, help="check, instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--read", nargs="+", type=Path, help="rows that --json printed, instead")
    parser.add_argument("--write", action="store_true", help="the table into docs/benchmarks.md")
    parser.add_argument("--turn", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.turn:
        return take_turn(*args.turn)
    if args.check is not None:
        return check(args.check or list(CHECKS))
    rows = []
    if args.read:
        rows = [json.loads(line) for path in args.read for line in path.open(encoding="utf-8")]
        print(table(rows))
    for size in () if args.read else args.sizes:
        solvers = [n for n in args.solvers if takes(n, args.bias, len(SIZES[size]()[0]))]
        rows.append(race(size, args.bias, args.turns, args.limit, solvers))
        print(json.dumps(rows[-1]) if args.json else shown(rows[-1], solvers), flush=True)
    if args.write:
        _page.put("margins", table(rows))
    return None


if __name__ == "__main__":
    main()
