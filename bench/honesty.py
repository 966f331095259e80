"""How far leaps can be trusted: problems of many kinds against references in long double.

Every problem is drawn from its kind and a seed, trained with engine="auto" on one thread, and
compared at its leaped records with a reference that shares nothing with fastgrok: every step in
long double, and from a few thousand steps on, where that agrees with it, an integration of order 9
in log(steps), in coordinates in which nothing cancels (_honesty_reference.py, _honesty_kinds.py).
By kind:

- leaped: leaped over something;
- refused: ended in a LeapError, because `exact_limit` was reached (here 5e4, where more than 1e5
  steps are asked for);
- slow: took more than 20,000 exact steps (refused or not) though all records are smooth or, by the
  reference, the motion is at rest;
- irregular: exact records are beyond 1e-11 of the reference, rounding errors grow; not judged;
- unjudged: leaped, but there is no reference, or none known within 2 % of rtol at a leaped record;
- error / rtol: the largest at a record, in w against ||w|| and in b against max(|b|, 1);
- error / reported: the same over the larger of `leap.error` and `leap.overlap_difference`, where
  the error exceeds 1e-12.

    python bench/honesty.py [--problems 5000] [--seed 0] [--kind NAME ...] [--jobs 2] [--write]

--write puts the table into docs/leaps.md. A bad problem is printed as its kind and seed:
`--kind "few rows" --seed 17 --problems 1` runs it again and prints all about it; --json FILE keeps
that of all, one JSON object a line. Needs a C++ compiler (`CXX`, or c++) and mpmath.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import multiprocessing
import signal
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import fastgrok as fg
from _honesty_kinds import KINDS, Problem, draw
from _honesty_reference import Coordinates, NoReferenceError, every_step, reference, size
from _page import LEAPS, put_between

SMOOTH_STEPS = 20_000
TINY = 1e-12


def difference(u: Any, exact: Any) -> Any:
    """Of w against ||w||, or of b against max(|b|, 1), whichever is more; by record."""
    of_w = size(u[:, :-1] - exact[:, :-1]) / size(exact[:, :-1])
    of_b = np.abs(u[:, -1] - exact[:, -1]) / np.maximum(np.abs(exact[:, -1]), 1)
    return np.maximum(of_w, of_b).astype(float)


def in_another_order(where: Coordinates) -> Coordinates:
    """Turn the rows round: their sums have other rounding errors then."""
    return Coordinates(where.rows[::-1], where.offset[::-1], where.start, where.turn, where.shift)


def references(problem: Problem, record: Any) -> tuple[Any, Any]:
    """(w, b) at these steps; how far off a coarser one is, with the rows in another order."""
    where, common = problem.where, (problem.rate, problem.loss, record)
    other = in_another_order(where)
    how = problem.other_steps
    u = reference(where, *common, tolerance=1e-13, steps=how)
    v = reference(other, *common, tolerance=1e-12, steps=how)
    return u, difference(v, u)


def trained(
    problem: Problem, record: Any, rtol: float, exact_limit: float = 5e4
) -> tuple[fg.Trajectory, str, float]:
    """What was recorded, what ended it ("" if nothing did), and the seconds."""
    limit = {"exact_limit": exact_limit} if problem.steps > 1e5 else {}
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = fg.train(
                problem.X, problem.y, steps=problem.steps, lr=problem.lr, loss=problem.loss,
                reduction=problem.reduction, rtol=rtol, record=record, keep_weights=True, threads=1,
                **limit, **problem.settings,
            )  # fmt: skip
        ended = ""
    except (fg.LeapError, fg.DivergenceError) as error:
        run, ended = error.trajectory, type(error).__name__
    return run, ended, time.perf_counter() - began


def at_rest(problem: Problem) -> bool:
    """Whether nothing moves any more after 4096 steps, to and fro neither."""
    u = every_step(
        problem.where, problem.rate, problem.loss, [4096, 8191], problem.other_steps
    )  # fmt: skip
    return bool(size(u[1] - u[0]) <= 1e-14 * size(u[1]))


def judge(kind: str, seed: int) -> dict[str, Any]:
    """All about one problem."""
    problem, record, rtol = draw(kind, seed)
    run, ended, seconds = trained(problem, record, rtol)
    leaps = run.engine.leaps
    row: dict[str, Any] = {
        "kind": kind, "seed": seed, "rtol": rtol, "steps": problem.steps, "ended": ended,
        "leaps": len(leaps), "exact_steps": run.engine.exact_steps, "seconds": seconds,
        "smooth": bool((run.regime == "smooth").all()), "reason": run.engine.reason,
        "reported": max((max(each.error, each.overlap_difference) for each in leaps), default=0.0),
        "b_moved": bool(not problem.settings.get("bias", True) and np.ptp(run.b) > 0),
        "error": None, "at": None, "irregular": False, "no_reference": "",
    }  # fmt: skip
    if not row["smooth"] and run.engine.exact_steps > SMOOTH_STEPS:
        row["smooth"] = at_rest(problem)
    began = time.perf_counter()
    known = run.steps <= problem.until
    leaped = np.array([run.engine.leap_at(float(step)) is not None for step in run.steps])
    if not (leaped & known).any():
        row["no_reference"] = "no leaped record"
        return row
    assert run.weights is not None
    steps, u, leaped = run.steps[known], run.weights[known], leaped[known]
    try:
        exact, apart = references(problem, steps)
    except NoReferenceError as failure:
        row["no_reference"] = str(failure)
        return row
    row["reference_seconds"] = time.perf_counter() - began
    error = difference(u, exact)
    row["irregular"] = bool((error[~leaped] > 1e-11).any())
    sure = leaped & (apart <= 0.02 * rtol)
    if not sure.any():
        row["no_reference"] = f"{apart[leaped].min():.1g} between two orders of the rows"
        return row
    worst = int(np.argmax(np.where(sure, np.nan_to_num(error, nan=np.inf), -1.0)))
    row |= {"error": float(error[worst]), "at": float(steps[worst]), "apart": float(apart[worst])}
    return row


def judged(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["error"] is not None and not row["irregular"]]


def understated(row: dict[str, Any]) -> float:
    """How many times the error is what was reported; 0 where it is tiny."""
    if row["error"] <= TINY:
        return 0.0
    return float(row["error"] / max(row["reported"], 1e-300))


def slow(row: dict[str, Any]) -> bool:
    return bool(row["smooth"] and row["exact_steps"] > SMOOTH_STEPS)


HEAD = ["kind", "problems", "leaped", "refused", "slow", "irregular", "unjudged",
        "worst error / rtol", "worst error / reported", "most seconds"]  # fmt: skip


def cells(name: str, rows: list[dict[str, Any]]) -> list[str]:
    good = judged(rows)

    def count(which: Iterable[Any]) -> str:
        return str(sum(map(bool, which)))

    return [
        name, str(len(rows)), count(row["leaps"] for row in rows),
        count(row["ended"] == "LeapError" for row in rows), count(map(slow, rows)),
        count(row["irregular"] for row in rows),
        count(row["error"] is None and row["leaps"] for row in rows),
        f"{max((row['error'] / row['rtol'] for row in good), default=0.0):.2g}",
        f"{max(map(understated, good), default=0.0):.2g}",
        f"{max(row['seconds'] for row in rows):.2g}",
    ]  # fmt: skip


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [HEAD, ["---"] * len(HEAD)]
    for kind in KINDS:
        if own := [row for row in rows if row["kind"] == kind]:
            lines.append(cells(kind, own))
    lines.append(cells("all", rows))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bad(row: dict[str, Any]) -> str:
    """What is wrong with a problem; empty if nothing is."""
    found = []
    if row["error"] is not None and not row["irregular"]:
        if row["error"] > row["rtol"]:
            found.append(f"error {row['error']:.2g} = {row['error'] / row['rtol']:.2g} rtol")
        if understated(row) > 2.0:
            found.append(f"error {row['error']:.2g} where {row['reported']:.2g} was reported")
    if row["b_moved"]:
        found.append("b is not b0 at every record")
    if slow(row):
        found.append(f"{row['exact_steps']} exact steps ({row['reason']})")
    if row["ended"]:
        found.append(f"{row['ended']} ({row['reason']})")
    return ", ".join(found)


def _one(job: tuple[str, int]) -> dict[str, Any]:
    return judge(*job)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=500, help="of all kinds in turn")
    parser.add_argument("--seed", type=int, default=0, help="of the first of each kind")
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help=f"the table into {LEAPS.name}")
    parser.add_argument("--json", type=Path, help="all that is known, one JSON object a line")
    args = parser.parse_args()
    kinds = args.kind
    jobs = [(kinds[i % len(kinds)], args.seed + i // len(kinds)) for i in range(args.problems)]
    began, rows = time.perf_counter(), []
    context = multiprocessing.get_context("spawn")  # each compiles once
    with context.Pool(args.jobs, signal.signal, (signal.SIGINT, signal.SIG_DFL)) as pool:
        for row in pool.imap_unordered(_one, jobs, chunksize=1):
            rows.append(row)
            if args.json:
                with args.json.open("a", encoding="utf-8") as file:
                    print(json.dumps(row), file=file)
            if wrong := bad(row):
                print(f"--kind {row['kind']!r} --seed {row['seed']}, to {row['steps']:.3g}, "
                      f"rtol {row['rtol']:.0e}: {wrong}", flush=True)  # fmt: skip
    text = markdown(rows)
    print(text)
    print(f"{time.perf_counter() - began:.0f} s")
    if len(rows) == 1:
        print(json.dumps(rows[0], indent=1))
    if args.write:
        put_between(LEAPS, "honesty", text)


if __name__ == "__main__":
    main()
