"""Leaps under fuzz, for ever: true errors beside what was reported, on small problems of all kinds.

    python bench/fuzz_leaps.py [--problems 0] [--seed 0] [--kind NAME ...] [--jobs 2] [--write]

draws problems (_fuzz_problems.py) until it is stopped (Ctrl-C), or as many as told, and compares
leaped records with the references of honesty.py: every step in long double, and beyond an
integration of order 9 that agrees with it. Where the error is more than a third of what is allowed
or was reported, another reference, with the rows in another order, says how far the first may be
off, and only what is beyond that counts; nothing does where rounding errors grow beyond it.
Findings are printed as they come:

- an error beyond rtol, or beyond four times what the run reports up to that record (the larger of
  `error` and `overlap_difference` of its leaps; 1e-12 counts for nothing);
- any exception but LeapError and DivergenceError, and records that are not finite;
- a run of more than 60 seconds.

--write puts the worst ratios by kind into docs/leaps.md. A finding is run again, all about it
printed, by `--kind NAME --seed SEED --problems 1`. The exit status is 1 if there was a finding.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import itertools
import json
import multiprocessing
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np

from _fuzz_problems import AFFORDABLE, KINDS, draw, work
from _honesty_problems import Problem
from _honesty_reference import Long, NoReferenceError, reference, size
from _page import LEAPS, put_between
from honesty import TINY, in_another_order, trained

NEAR = 1.0 / 3.0
LONGEST = 60  # seconds
PROMISED = 4.0  # times what is reported
SMALLEST = 1e-300  # weights below are not told from 0: a float64 has no digits of them
FINER = 2048.0  # so many times as fine as a float64 is a long double


def least_size(problem: Problem) -> float:
    """What ||w|| counts as at least, which is something where w may tend to 0."""
    if problem.loss != "squared" and not problem.settings.get("weight_decay"):
        return SMALLEST
    return 0.01 / float(size(np.asarray(problem.X, dtype=Long)).max())


def errors(u: Any, exact: Any, least: float) -> Any:
    """Of w against ||w||, or of b against max(|b|, 1), whichever is more; by record."""
    of_w = size(u[:, :-1] - exact[:, :-1]) / np.maximum(size(exact[:, :-1]), least)
    of_b = np.abs(u[:, -1] - exact[:, -1]) / np.maximum(np.abs(exact[:, -1]), 1)
    return np.nan_to_num(np.maximum(of_w, of_b).astype(float), nan=np.inf)


def true_errors(problem: Problem, steps: Any, u: Any, allowed: Any) -> tuple[Any, Any]:
    """Of the records (w, b), and where they are known; what a reference may be off is not in."""
    where, least = problem.where, least_size(problem)
    common = (problem.rate, problem.loss, steps)
    how = {"steps": problem.other_steps, "affordable": AFFORDABLE}
    exact = reference(where, *common, tolerance=1e-13, **how)
    error = errors(u, exact, least)
    known = np.ones(len(steps), dtype=bool)
    if (error <= NEAR * allowed).all():
        return error, known
    other = in_another_order(where)
    apart = errors(reference(other, *common, tolerance=1e-12, **how), exact, least)
    every = how["steps"] is not None or work(problem) * float(steps[-1]) <= AFFORDABLE
    # Where every step is taken, only rounding errors differ: those of float64 grow as these do.
    rounding = FINER * apart if every else apart
    return np.maximum(error - 2.0 * apart, 0.0), rounding <= 0.1 * allowed


def judge(job: tuple[str, int]) -> dict[str, Any]:
    """All about one problem."""
    kind, seed = job
    row: dict[str, Any] = {"kind": kind, "seed": seed, "found": "", "leaps": 0, "judged": False}
    signal.alarm(LONGEST)
    try:
        return row | _judged(*draw(kind, seed))
    except Exception as error:  # every one is a finding
        return row | {"found": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)


def _judged(problem: Problem, record: Any, rtol: float) -> dict[str, Any]:
    run, ended, seconds = trained(problem, record, rtol, exact_limit=2e4)
    row: dict[str, Any] = {
        "rtol": rtol, "steps": problem.steps, "leaps": len(run.engine.leaps), "ended": ended,
        "seconds": seconds, "reason": run.engine.reason, "found": "",
    }  # fmt: skip
    assert run.weights is not None
    if ended != "DivergenceError" and not np.isfinite(run.weights).all():
        return row | {"found": "weights that are not finite"}
    reported = np.array([
        max((max(leap.error, leap.overlap_difference)
             for leap in run.engine.leaps if leap.first <= step), default=0.0)
        for step in run.steps
    ])  # fmt: skip
    leaped = np.array([run.engine.leap_at(float(step)) is not None for step in run.steps], bool)
    which = leaped & (run.steps <= problem.until)
    if not which.any():
        return row | {"reason": "no leaped record with a reference"}
    reported = np.maximum(reported[which], TINY)
    try:
        error, known = true_errors(
            problem, run.steps[which], run.weights[which], np.minimum(reported, rtol)
        )
    except NoReferenceError as failure:
        return row | {"reason": str(failure)}
    error = np.where(known, error, 0.0)
    worst = int(np.argmax(error / reported))
    row |= {"judged": bool(known.any()), "of_rtol": float(error.max() / rtol),
            "of_reported": float(np.max(np.where(error > TINY, error / reported, 0.0))),
            "error": float(error[worst]), "reported": float(reported[worst]),
            "at": float(run.steps[which][worst])}  # fmt: skip
    if row["of_rtol"] > 1.0:
        row["found"] = f"error {row['of_rtol']:.3g} rtol"
    if row["of_reported"] > PROMISED:
        row["found"] += f" an error of {row['error']:.3g} where {row['reported']:.3g} was reported"
    return row


HEAD = ["kind", "problems", "leaped", "judged", "ended early", "worst error / rtol",
        "worst error / reported"]  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    def line(name: str, own: list[dict[str, Any]]) -> list[str]:
        counts = [len(own), *(sum(bool(row.get(what)) for row in own)
                              for what in ("leaps", "judged", "ended"))]  # fmt: skip
        worst = [max((row.get(what, 0.0) for row in own), default=0.0)
                 for what in ("of_rtol", "of_reported")]  # fmt: skip
        return [name, *map(str, counts), *(f"{value:.2g}" for value in worst)]

    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    lines = [HEAD, ["---"] * len(HEAD)]
    lines += [line(kind, [row for row in rows if row["kind"] == kind]) for kind in kinds]
    lines.append(line("all", rows))
    return "\n".join("| " + " | ".join(each) + " |" for each in lines)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"it takes more than {LONGEST} s")


def _begin() -> None:
    """In each process, where Ctrl-C is left to the first one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _too_long)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=0, help="of all kinds in turn; 0: for ever")
    parser.add_argument("--seed", type=int, default=0, help="of the first of each kind")
    parser.add_argument("--kind", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--write", action="store_true", help=f"the table into {LEAPS.name}")
    args = parser.parse_args()
    every: Iterator[tuple[str, int]] = (
        (kind, seed) for seed in itertools.count(args.seed) for kind in args.kind
    )
    jobs = itertools.islice(every, args.problems or None)
    began, rows, found = time.perf_counter(), [], 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.jobs, context, _begin) as pool, suppress(KeyboardInterrupt):
        while batch := list(itertools.islice(jobs, 40 * len(args.kind))):
            for row in pool.map(judge, batch, chunksize=5):
                rows.append(row)
                if row["found"]:
                    found += 1
                    print(
                        f"--kind {row['kind']!r} --seed {row['seed']}: {row['found']}", flush=True
                    )
    text = table(rows)
    print(text)
    print(f"{found} findings, {time.perf_counter() - began:.0f} s")
    if len(rows) == 1:
        print(json.dumps(rows[0], indent=1))
    if args.write:
        last = max(row["seed"] for row in rows)
        furthest = max(row.get("steps", 0.0) for row in rows)
        head = f"{len(rows)} problems, seeds {args.seed} to {last}, to up to {furthest:.0e} steps:"
        put_between(LEAPS, "fuzz", f"{head}\n\n{text}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
