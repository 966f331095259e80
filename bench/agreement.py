"""How near leaping runs come to exact ones, and what they cost.

Every problem is trained with engine="auto" and default records, once for each of its horizons, and
with exact steps that look at every row (skip_rows=False) up to its --exact horizon; all on one
thread and alone on the machine, please. "measured" is the largest error at a record,
max(||w - w_exact|| / ||w_exact||, |b - b_exact| / max(|b_exact|, 1)), "asked" is rtol, "estimated"
what the run itself says. Passes over the data are the exact steps of the leaping run, what both
integrations need and the exact steps of its spot checks. "ratio" is the time of all exact steps at
the speed of those taken, by auto's.
At the horizon 1e60 the reference is the late-time expansion (fastgrok.theory.bias.late_time).

    python bench/agreement.py [--only NAME ...] [--exact 1e6] [--turns 3] [--json]

--exact 1e7 holds everything up to the steps of the paper, which takes an hour.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fastgrok as fg
from _race import table
from fastgrok.theory.bias import late_time

PASSES = ("exact_steps", "evaluations", "products", "checks")
Rows = tuple[np.ndarray, np.ndarray]


@dataclass
class Problem:
    """What to train on, the horizons of auto, and how far exact steps go at most."""

    make: Callable[[], Rows]
    settings: dict[str, Any]
    horizons: tuple[float, ...]
    exact: float = 1e7
    rtol: float = 1e-8
    options: dict[str, Any] = field(default_factory=dict)


def cube(support: tuple[int, int], seed: int) -> Rows:
    data = fg.datasets.margin_cube((1000, 1000), 2, gamma=1e-3, support=support, seed=seed)
    return data.X, data.y


def wide_cube(rows: int, columns: int, dtype: type) -> Rows:
    half = rows // 2
    data = fg.datasets.margin_cube((half, half), columns, gamma=1e-3, seed=0, dtype=dtype)
    return data.X, data.y


def noise(columns: int) -> Rows:
    data = fg.datasets.gaussian_noise(1000, columns, sigma=5.0, seed=0)
    return data.X, data.y


def random_labels(rows: int, columns: int) -> Rows:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, columns)), rng.choice([-1.0, 1.0], size=rows)


def two_points() -> Rows:
    data = fg.datasets.two_points(0.499)
    return data.X, data.y


def gentle(make: Callable[[], Rows]) -> dict[str, Any]:
    """A tenth of the largest eigenvalue of the mean's Hessian at 0, inverted."""
    X, y = make()
    Z = y[:, None] * np.column_stack([X, np.ones(len(y))])
    return {"lr": 0.1 / (0.25 * np.linalg.norm(Z, 2) ** 2 / len(y)), "reduction": "mean"}


def problems() -> dict[str, Problem]:
    paper = {"lr": 1e-2, "reduction": "sum"}
    mean = {"lr": 1e-2, "reduction": "mean"}
    near, far = (1e5, 1e6, 1e7), (1e5, 1e6, 1e7, 1e12, 1e60)
    found = {
        f"cube, seed {seed}": Problem(
            lambda seed=seed: cube((0, 0), seed), paper, far if seed == 0 else near
        )
        for seed in range(10)
    }
    for columns in (480, 530):
        found[f"Gaussian 1000 x {columns}"] = Problem(
            lambda columns=columns: noise(columns), mean, (1e5, 1e6, 1e8), 1e6, 1e-9
        )
    for support in ((350, 350), (350, 35)):
        found["S({},{})".format(*support)] = Problem(
            lambda support=support: cube(support, 0), paper, (1e6, 1e7)
        )
    for rows, columns in ((200, 120), (400, 40)):

        def labels(rows: int = rows, columns: int = columns) -> Rows:
            return random_labels(rows, columns)

        found[f"random labels {rows} x {columns}"] = Problem(labels, gentle(labels), (1e6,))
    found["two points"] = Problem(two_points, gentle(two_points), (1e6,))
    found["cube 10000 x 64"] = Problem(lambda: wide_cube(10_000, 64, np.float64), mean, (1e5,), 1e5)
    for rows, columns in ((10_000, 1024), (100_000, 128)):
        for settings in (paper, mean):
            found[f"cube {rows} x {columns} float32, {settings['reduction']}"] = Problem(
                lambda rows=rows, columns=columns: wide_cube(rows, columns, np.float32),
                settings, (1e4, 1e5, 1e7), 1e5, options={"watch_sharpness": False},
            )  # fmt: skip
    return found


def trained(data: Rows, **settings: Any) -> tuple[fg.Trajectory, float]:
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.StabilityWarning)  # the paper's own setting
        run = fg.train(*data, keep_weights=True, threads=1, **settings)
    return run, time.perf_counter() - start


def error(run: fg.Trajectory, exact: fg.Trajectory) -> float:
    """At the records that both have."""
    assert run.weights is not None
    assert exact.weights is not None
    _, ours, theirs = np.intersect1d(run.steps, exact.steps, return_indices=True)
    u, v = run.weights[ours], exact.weights[theirs]
    with np.errstate(invalid="ignore"):
        w = np.linalg.norm(u[:, :-1] - v[:, :-1], axis=1) / np.linalg.norm(v[:, :-1], axis=1)
    b = np.abs(u[:, -1] - v[:, -1]) / np.maximum(np.abs(v[:, -1]), 1.0)
    return float(np.nanmax(np.maximum(w, b)))


def late_error(run: fg.Trajectory, data: Rows, settings: dict[str, Any]) -> float:
    """Of b / ||w|| against the expansion, as a share."""
    found = late_time(*data, settings["lr"], settings["reduction"])
    w, b = found.at(float(run.steps[-1]))
    expected = float(b / np.linalg.norm(w))
    return abs(run.bias_final / float(run.norm_w[-1]) / expected - 1.0)


def measure(name: str, problem: Problem, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    data = problem.make()
    common = problem.settings | problem.options
    last = min(problem.exact, args.exact, max(problem.horizons))
    compared = [h for h in problem.horizons if h <= last]
    record = np.unique(np.concatenate([fg.log_spaced(h) for h in (last, *compared)]))
    exact, exact_seconds = trained(
        data, steps=last, engine="exact", skip_rows=False, record=record, **common
    )
    for steps in problem.horizons:
        turns = [trained(data, steps=steps, rtol=problem.rtol, **common) for _ in range(args.turns)]
        run, seconds = turns[0][0], float(np.median([each for _, each in turns]))
        engine = run.engine
        row = {
            "problem": name,
            "steps": steps,
            "asked": problem.rtol,
            "measured": error(run, exact) if steps <= last else None,
            "estimated": max((leap.error for leap in engine.leaps), default=0.0),
            "leaps": len(engine.leaps),
            "reason": engine.reason,
            "exact_steps": engine.exact_steps,
            "evaluations": sum(leap.evaluations for leap in engine.leaps),
            "products": sum(leap.products for leap in engine.leaps),
            "checks": sum(check[1] for leap in engine.leaps for check in leap.checks),
            "seconds": seconds,
            "ratio": exact_seconds / last * steps / seconds,
        }
        if steps > 1e50:
            row["expansion"] = late_error(run, data, problem.settings)
        yield row


def cells(row: dict[str, Any]) -> list[str]:
    passes = sum(row[what] for what in PASSES)
    measured = row["measured"]
    return [
        row["problem"], f"{row['steps']:.0e}", f"{row['asked']:.0e}",
        "" if measured is None else f"{measured:.1e}", f"{row['estimated']:.1e}",
        *(str(row[what]) for what in PASSES), f"{passes}",
        f"{row['seconds']:.3g}", f"{row['ratio']:.3g}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", help="problems whose names begin with one of these")
    parser.add_argument("--exact", type=float, default=1e6, help="the longest of the exact runs")
    parser.add_argument("--turns", type=int, default=3, help="of auto, of which the median counts")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    rows = []
    for name, problem in problems().items():
        if args.only is None or name.startswith(tuple(args.only)):
            for row in measure(name, problem, args):
                rows.append(row)
                if args.json:
                    print(json.dumps(row), flush=True)
    if args.json:
        return
    head = ["problem", "steps", "asked", "measured", "estimated", "exact steps", "evaluations",
            "products", "checks", "passes", "seconds", "ratio"]  # fmt: skip
    print(table(head, [cells(row) for row in rows]))
    for row in rows:
        if "expansion" in row:
            print(f"{row['problem']}, {row['steps']:.0e}: b / ||w|| off by {row['expansion']:.1e}")
        if row["reason"]:
            print(f"{row['problem']}, {row['steps']:.0e}: no leap, {row['reason']}")


if __name__ == "__main__":
    main()
