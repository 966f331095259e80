"""Time of one exact descent step beside other packages' and beside what the machine allows.

Every side descends from zero on the same data and takes its turns, each long enough to measure;
what is printed is the median of the turns. Before that all must agree on the weights after 200
steps: to 1e-12 of the largest (1e-8 for the sum of the losses, which oscillates at this learning
rate and amplifies rounding), those that do everything in float32 to 1e-4. Every row is visited at
every step (skip_rows=False). What comes once before the steps (checks of the arguments, packing,
compilation) is not counted.

Each side is a process of its own, confined to as many cores as it has threads (_children.py says
why), and sleeps while the others have their turns. What they do is in _peers.py, what the machine
allows in _limits.py. The rows of a table were measured side by side, the tables one after another.

    python bench/steps.py [--shapes 2000x2 40000x2000] [--dtypes float64 float32] [--threads 1 2]
                          [--peers numpy numba jax torch] [--turns 15] [--seconds 0.5] [--json]

With --run the time of 10^7 steps of Das et al.'s setting follows, with and without skipping rows;
with --skip that of long runs in many dimensions, and whether the bits are the same (_long_runs.py).
`--shapes` without a shape leaves the race out. --write puts the race, in float64, into
docs/benchmarks.md.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import _limits
import _long_runs
import _page
import fastgrok as fg
from _children import Child
from _peers import PEERS, Fastgrok, Task
from _race import count_for, installed, is_installed, medians, sizes, table, take_turns, threads

# The other sides' threads spin for a while before they go to sleep, which would cost a core.
PAUSE = 0.1
SHAPES = [(2000, 2), (500, 100), (1000, 500), (4000, 1980), (40000, 2000)]
CHECKED_STEPS = 200
LEAST_STEPS = 10  # of a turn
OURS = "fastgrok"
SAME_SIZE, BEYOND, CLOCK = "read as many bytes", "read beyond the caches", "clock"
BARE = "loads and multiply-adds alone"


class Entry(NamedTuple):
    """A side of the race: what it holds, what it computes in, and how its process builds it."""

    data: str
    arithmetic: str
    make: Callable[..., Any]
    args: tuple[Any, ...]


def entries(task: Task, packages: list[str]) -> dict[str, Entry]:
    sides = {OURS: Entry(task.dtype, "float64", Fastgrok, (task,))}
    for arithmetic in dict.fromkeys(("float64", task.dtype)):
        for name, peer in PEERS.items():
            if peer.package in packages:
                label = name if arithmetic == "float64" else f"{name}, all {arithmetic}"
                held = task.dtype if peer.widens else arithmetic
                sides[label] = Entry(held, arithmetic, peer.make, (task, arithmetic))
    return sides


def gauges(task: Task) -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
    """What is measured of the machine, in turns with the sides."""
    with_numba = is_installed("numba")
    found: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        SAME_SIZE: (_limits.Reader, (size_of(task, task.dtype), task.threads, with_numba)),
        BEYOND: (_limits.Reader, (_limits.BEYOND_CACHES, task.threads, with_numba)),
    }
    if task.columns == 2 and with_numba:
        found[CLOCK] = (_limits.Clock, ())
    if task.dtype == "float64" and _limits.is_bare_known(task.rows, task.columns):
        found[BARE] = (_limits.Bare, (task.rows, task.columns, task.threads))
    return found


def size_of(task: Task, dtype: str) -> int:
    return task.rows * task.columns * np.dtype(dtype).itemsize


def tolerance(task: Task, arithmetic: str) -> float:
    if arithmetic == "float32":
        return 1e-4
    return 1e-8 if task.reduction == "sum" else 1e-12


def check(
    task: Task, sides: dict[str, Entry], children: dict[str, Child], steps: int
) -> dict[str, float]:
    """Relative differences of the peers' weights from ours; an error where one is too large."""
    ours, _ = children[OURS].take(steps)
    errors = {}
    for name, side in sides.items():
        weights, _ = children[name].take(steps)
        errors[name] = float(np.max(np.abs(weights - ours)) / np.max(np.abs(ours)))
        if not errors[name] < tolerance(task, side.arithmetic):
            raise RuntimeError(f"{name} differs by {errors[name]:.3g} after {steps} steps: {task}")
    return errors


def measure(task: Task, packages: list[str], args: argparse.Namespace) -> dict[str, Any]:
    """The race of one table."""
    sides = entries(task, packages)
    builds = {name: (side.make, side.args) for name, side in sides.items()}
    builds |= gauges(task)
    children: dict[str, Child] = {}
    try:
        for name, (make, arguments) in builds.items():
            children[name] = Child(make, arguments, task.threads)
        errors = check(task, sides, children, args.check)

        def turn(child: Child) -> Callable[[], float]:
            count = max(LEAST_STEPS, count_for(lambda n: child.take(n)[1], args.seconds))
            return lambda: child.take(count)[1] / count

        turns = {name: turn(child) for name, child in children.items()}
        times = take_turns(turns, args.turns, pause=PAUSE)
    finally:
        for child in children.values():
            child.close()
    return judge(task, sides, errors, times)


def judge(
    task: Task, sides: dict[str, Entry], errors: dict[str, float], times: dict[str, list[float]]
) -> dict[str, Any]:
    """The medians of a race, what limits the machine sets, and how far from them we are."""
    median = medians(times)
    ours = median[OURS]
    rows: list[dict[str, Any]] = [
        {
            "side": name,
            "data": side.data,
            "arithmetic": side.arithmetic,
            "us": median[name] * 1e6,
            "us_least": min(times[name]) * 1e6,
            "us_most": max(times[name]) * 1e6,
            "gb_per_s": size_of(task, side.data) / median[name] / 1e9,
            "ratio": median[name] / ours,
            "relative_difference": errors[name],
        }
        for name, side in sides.items()
    ]
    reads = {
        SAME_SIZE: size_of(task, task.dtype) / median[SAME_SIZE] / 1e9,
        BEYOND: _limits.BEYOND_CACHES / median[BEYOND] / 1e9,
    }
    limit = size_of(task, task.dtype) / max(reads.values()) / 1e3
    hertz = 1 / median[CLOCK] if CLOCK in median else None
    simd = fg.show_config()["simd"]
    if hertz:
        limit = max(limit, _limits.plane_microseconds(task.rows, simd, hertz) / task.threads)
    bare = median[BARE] * 1e6 if BARE in median else None
    limit = max(limit, bare or 0.0)

    def best(arithmetic: str) -> dict[str, Any] | None:
        peers = [row for row in rows if row["side"] != OURS and row["arithmetic"] == arithmetic]
        return min(peers, key=lambda row: row["us"], default=None)

    return {
        "rows": task.rows,
        "columns": task.columns,
        "dtype": task.dtype,
        "threads": task.threads,
        "reduction": task.reduction,
        "simd": simd,
        "sides": rows,
        "best": best("float64"),
        "best_float32": best("float32") if task.dtype == "float32" else None,
        "read_same_gb_per_s": reads[SAME_SIZE],
        "read_beyond_gb_per_s": reads[BEYOND],
        "clock_ghz": hertz and hertz / 1e9,
        "bare_us": bare,
        "limit_us": limit,
        "fraction": limit / ours / 1e6,
    }


def title(result: dict[str, Any]) -> str:
    shape = f"{result['rows']} x {result['columns']}"
    return f"{shape}, {result['dtype']}, {threads(result['threads'])}"


def digits(us: float) -> str:
    return f"{us:.4g}" if us < 1000 else f"{us:.0f}"


def text(result: dict[str, Any]) -> str:
    """A table, and below it the limits."""
    head = ["side", "rows in", "computes in", "us a step", "least", "most", "GB/s", "ratio"]
    body = [
        [
            row["side"], row["data"], row["arithmetic"],
            *(digits(row[name]) for name in ("us", "us_least", "us_most")),
            f"{row['gb_per_s']:.1f}", f"{row['ratio']:.2f}",
        ]
        for row in result["sides"]
    ]  # fmt: skip
    lines = [
        f"{title(result)} ({result['reduction']} of the losses, {result['simd']})",
        table(head, body),
        f"reads: {result['read_same_gb_per_s']:.1f} GB/s of as many bytes, "
        f"{result['read_beyond_gb_per_s']:.1f} GB/s beyond the caches",
    ]
    if result["clock_ghz"]:
        lines.append(f"clock: {result['clock_ghz']:.2f} GHz")
    if result["bare_us"]:
        lines.append(f"{BARE}: {digits(result['bare_us'])} us")
    lines.append(f"limit: {digits(result['limit_us'])} us, reached to {result['fraction']:.0%}")
    return "\n".join(lines) + "\n"


def summary(result: dict[str, Any]) -> str:
    parts = []
    for key, kind in (("best", ""), ("best_float32", " in float32")):
        if result[key]:
            parts.append(f"{result[key]['ratio']:.2f} times the best peer{kind}")
            parts[-1] += f" ({result[key]['side']})"
    return f"{title(result)}: " + ", ".join([*parts, f"{result['fraction']:.0%} of the limit"])


def page(results: list[dict[str, Any]]) -> str:
    """The table of the documentation: a line for each race in float64."""

    def line(result: dict[str, Any]) -> list[str]:
        ours, best = next(row for row in result["sides"] if row["side"] == OURS), result["best"]
        numpy = next((row for row in result["sides"] if row["side"] == "numpy"), None)
        return [
            f"{result['rows']} x {result['columns']}",
            str(result["threads"]),
            *(f"{digits(row['us'])} us" if row else "" for row in (ours, numpy)),
            f"{digits(best['us'])} us, {best['side']}" if best else "",
            f"{best['ratio']:.3g}" if best else "",
            f"{digits(result['limit_us'])} us",
        ]

    head = (
        "rows x columns", "threads", "fastgrok, a step", "NumPy", "best peer", "its ratio", "limit",
    )  # fmt: skip
    return _page.markdown(head, [line(one) for one in results if one["dtype"] == "float64"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=sizes, nargs="*", default=SHAPES, metavar="ROWSxCOLUMNS")
    parser.add_argument("--dtypes", nargs="+", default=["float64", "float32"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    packages = list(dict.fromkeys(peer.package for peer in PEERS.values()))
    parser.add_argument("--peers", nargs="*", choices=packages, default=packages)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn")
    parser.add_argument("--check", type=int, default=CHECKED_STEPS, help="steps to agree after")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--run", action="store_true", help="10^7 steps at d = 2, one thread")
    parser.add_argument("--write", action="store_true", help="a table into docs/benchmarks.md")
    _long_runs.add_arguments(parser)
    args = parser.parse_args()
    packages = installed(args.peers)
    results = []
    for rows, columns in args.shapes:
        for dtype in args.dtypes:
            for count in args.threads:
                result = measure(Task(rows, columns, dtype, count), packages, args)
                print(json.dumps(result) if args.json else text(result), flush=True)
                results.append(result)
    if not args.json:
        for result in results:
            print(summary(result), flush=True)
    if args.write:
        _page.put("steps", page(results))
    for row in _long_runs.chosen(args):
        print(json.dumps(row) if args.json else _long_runs.text(row), flush=True)


if __name__ == "__main__":
    main()
