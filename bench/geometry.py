"""Time of max_margin beside scikit-learn's SVC and a QP solver, and how right the geometry is.

The solvers take turns, each turn in a process of its own, which solves again and again until half
a second has passed, at least once; what is printed are the medians of the turns' medians, of the
time and of the time of all processors. Importing, and a first small solve that loads what is loaded
late, are not counted. A solver whose turn takes longer than --limit seconds, or whose hyperplane
has a margin that is more than 1e-3 short of the best, has not converged. SVC (libsvm,
kernel="linear", C=1e10) solves the problem with a free bias only; Clarabel is given the primal
problem, sparse as it wants it.

    pip install scikit-learn clarabel
    python bench/geometry.py [--turns 3] [--limit 120] [--sizes NAME ...]
    python bench/geometry.py --check [NAME ...]

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
from typing import Any

import numpy as np
from scipy import sparse

import fastgrok as fg
from _geometry_checks import CHECKS

Solver = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, float]]


def cube(n: int, dim: int, support: tuple[int, int] = (0, 0)) -> tuple[np.ndarray, np.ndarray]:
    data = fg.datasets.margin_cube((n // 2, n - n // 2), dim, gamma=1e-3, support=support, seed=0)
    return data.X, data.y


def gauss(n: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian points with random labels; seeds are such that they are separable."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)), np.where(rng.random(n) < 0.5, 1.0, -1.0)


SIZES: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "cube 2000 x 2": lambda: cube(2000, 2),
    "cube 2000 x 2, 350 + 35 planted": lambda: cube(2000, 2, (350, 35)),
    "cube 2000 x 32": lambda: cube(2000, 32),
    "cube 100000 x 2": lambda: cube(100_000, 2),
    "gauss 100 x 500": lambda: gauss(100, 500, 0),
    "gauss 200 x 110": lambda: gauss(200, 110, 2),
    "gauss 1000 x 520": lambda: gauss(1000, 520, 0),
    "gauss 4000 x 2000": lambda: gauss(4000, 2000, 1),
}


def fastgrok(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    found = fg.max_margin(X, y, bias="free")
    return found.w, found.b


def svc(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    from sklearn.svm import SVC  # noqa: PLC0415

    model = SVC(kernel="linear", C=1e10, cache_size=1000).fit(X, y)
    return model.coef_[0], float(model.intercept_[0])


def clarabel(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    from clarabel import DefaultSettings, DefaultSolver, NonnegativeConeT  # noqa: PLC0415

    n, dim = X.shape
    P = sparse.diags(np.append(np.ones(dim), 0.0), format="csc")
    A = sparse.csc_matrix(-y[:, None] * np.column_stack([X, np.ones(n)]))
    settings = DefaultSettings()
    settings.verbose = False
    cones = [NonnegativeConeT(n)]
    solved = DefaultSolver(P, np.zeros(dim + 1), A, -np.ones(n), cones, settings).solve()
    theta = np.array(solved.x)
    return theta[:-1], float(theta[-1])


SOLVERS: dict[str, Solver] = {"fastgrok": fastgrok, "SVC": svc, "Clarabel": clarabel}


def take_turn(solver: str, size: str) -> None:
    """What a child does: solves, their seconds and the margin."""
    X, y = SIZES[size]()
    SOLVERS[solver](*gauss(20, 20, 0))
    walls: list[float] = []
    processors: list[float] = []
    while sum(walls) < 0.5:
        wall, processor = time.perf_counter(), time.process_time()
        w, b = SOLVERS[solver](X, y)
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    margin = float(np.min(y * (X @ w + b)) / np.linalg.norm(w))
    seconds = {"seconds": statistics.median(walls), "processor": statistics.median(processors)}
    print(json.dumps(seconds | {"margin": margin}))


def child(solver: str, size: str, limit: float) -> dict[str, Any] | None:
    command = [sys.executable, __file__, "--turn", solver, size]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return None
    return dict(json.loads(done.stdout))


def race(size: str, turns: int, limit: float) -> dict[str, Any]:
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in SOLVERS}
    late: set[str] = set()
    for _ in range(turns):
        for name in SOLVERS:
            found = None if name in late else child(name, size, limit)
            if found is None:
                late.add(name)
            else:
                results[name].append(found)
    best = max(run["margin"] for runs in results.values() for run in runs)
    row: dict[str, Any] = {"size": size}
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
    parser.add_argument("--check", nargs="*", choices=CHECKS, help="check, instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--turn", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.turn:
        take_turn(*args.turn)
    elif args.check is not None:
        check(args.check or list(CHECKS))
    else:
        for size in args.sizes:
            row = race(size, args.turns, args.limit)
            if args.json:
                print(json.dumps(row), flush=True)
                continue
            parts = [
                f"{name} {row[name]:.4f} s (processor {row[name + ' processor']:.4f} s, "
                f"margin short by {row[name + ' error']:.0e})"
                if isinstance(row[name], float)
                else f"{name} {row[name]}"
                for name in SOLVERS
            ]
            print(f"{size}: " + ", ".join(parts), flush=True)


if __name__ == "__main__":
    main()
