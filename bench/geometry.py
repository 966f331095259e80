"""Time of max_margin beside scikit-learn's SVC and a QP solver, and of separability at its edge.

Every solve runs in a process of its own, the solvers take turns, and what is printed is the median
of the turns. Importing, and a first small solve that loads what is loaded late, are not counted. A
solver that needs longer than --limit seconds, or whose hyperplane has a margin that is more than
1e-3 short of the best, has not converged. SVC (libsvm, kernel="linear", C=1e10) solves the problem
with a free bias only; Clarabel is given the primal problem, sparse as it wants it.

    pip install scikit-learn clarabel
    python bench/geometry.py [--turns 3] [--limit 120] [--sizes NAME ...] [--edge] [--figure PATH]

--edge decides separability of 4000 Gaussian points in 1960 to 2040 dimensions. --figure draws the
share of separable draws beside Wendel's probability.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.stats import binom

import fastgrok as fg

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


def solve_once(solver: str, size: str) -> None:
    """What a child does: one solve, its seconds and its margin."""
    X, y = SIZES[size]()
    SOLVERS[solver](*gauss(20, 20, 0))
    start = time.perf_counter()
    w, b = SOLVERS[solver](X, y)
    seconds = time.perf_counter() - start
    margin = np.min(y * (X @ w + b)) / np.linalg.norm(w)
    print(json.dumps({"seconds": seconds, "margin": float(margin)}))


def child(solver: str, size: str, limit: float) -> dict[str, Any] | None:
    command = [sys.executable, __file__, "--once", solver, size]
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
            row[f"{name} error"] = 1.0 - runs[0]["margin"] / best
    return row


def edge() -> None:
    for dim in (1960, 1980, 2000, 2020, 2040):
        X = np.random.default_rng(dim).normal(size=(4000, dim))
        start = time.perf_counter()
        found = fg.separability(X)
        seconds = time.perf_counter() - start
        print(f"4000 x {dim}: {found.verdict} in {seconds:.1f} s; {found.proof}", flush=True)


def figure(path: str, n: int = 100, draws: int = 2000) -> None:
    """Share of separable draws by d / n, with Wendel's probability and two standard errors."""
    import matplotlib.pyplot as plt  # noqa: PLC0415

    rng = np.random.default_rng(0)
    dims = np.arange(34, 67, 4)
    shares = []
    for dim in dims:
        verdicts = [fg.separability(rng.normal(size=(n, dim))).verdict for _ in range(draws)]
        assert set(verdicts) <= {"separable", "interior"}
        shares.append(verdicts.count("separable") / draws)
        expected = binom.cdf(dim - 1, n - 1, 0.5)
        off = (shares[-1] - expected) / np.sqrt(expected * (1 - expected) / draws)
        print(f"d = {dim}: {shares[-1]:.4f}, Wendel {expected:.4f}, {off:+.2f} sd", flush=True)
    every = np.arange(dims[0] - 2, dims[-1] + 3)
    wendel = binom.cdf(every - 1, n - 1, 0.5)
    spread = 2 * np.sqrt(wendel * (1 - wendel) / draws)
    _, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.fill_between(every / n, wendel - spread, wendel + spread, alpha=0.3, lw=0)
    axes.plot(every / n, wendel, label="Wendel, with two standard errors of the share")
    axes.plot(dims / n, shares, "ko", ms=4, label=f"{draws} draws each, verdicts proved")
    axes.set(xlabel="lambda = d / n", ylabel="separable from the origin")
    axes.set_title(f"{n} Gaussian points")
    axes.legend()
    plt.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds for one solve")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--edge", action="store_true", help="separability at the edge, instead")
    parser.add_argument("--figure", metavar="PATH", help="Wendel's probability, instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        solve_once(*args.once)
    elif args.edge:
        edge()
    elif args.figure:
        figure(args.figure)
    else:
        for size in args.sizes:
            row = race(size, args.turns, args.limit)
            if args.json:
                print(json.dumps(row), flush=True)
                continue
            parts = [
                f"{name} {row[name]:.4f} s (margin short by {row[name + ' error']:.0e})"
                if isinstance(row[name], float)
                else f"{name} {row[name]}"
                for name in SOLVERS
            ]
            print(f"{size}: " + ", ".join(parts), flush=True)


if __name__ == "__main__":
    main()
