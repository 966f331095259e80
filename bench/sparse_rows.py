"""
Exact steps on sparse rows beside a loop over scipy.sparse products, and their memory.

    python bench/sparse_rows.py [--rows 100000] [--columns 10000] [--entries 20] [--steps 10000]
                           [--threads 1 2] [--turns 7]

Both descend from zero on the logistic loss, mean over the rows; SciPy's loop is what one would
write: the rows as CSR and their transpose as CSR as well, which is the fastest of its ways,
products and NumPy in between, on one thread (SciPy's products have no others). They take turns, and
medians are printed. Before that a slice of the rows is trained dense, and the weights are compared:
to 1e-12 of the largest. At last a run of so many steps is taken, and the largest memory of the
process beside that of the rows is printed, rows included.
"""

import argparse
import re
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import scipy.special

import fastgrok as fg

LR, SLICE = 1.0, 2000


def rows(n: int, d: int, k: int) -> tuple[Any, np.ndarray]:
    """Gaussian entries, one in each of k ranges of columns, and labels of a noisy teacher."""
    rng = np.random.default_rng(0)
    each = d // k
    columns = rng.integers(0, each, (n, k), dtype=np.int32) + each * np.arange(k, dtype=np.int32)
    begin = np.arange(0, n * k + 1, k, dtype=np.int32)
    X = scipy.sparse.csr_array((rng.standard_normal(n * k), columns.ravel(), begin), shape=(n, d))
    logits = X @ rng.standard_normal(d)
    return X, np.where(logits + rng.standard_normal(n) > 0.0, 1.0, -1.0)


class Loop:
    """Descent as one would write it with SciPy."""

    def __init__(self, X: Any, y: np.ndarray) -> None:
        self.signed = scipy.sparse.csr_array(X.multiply(y[:, None]))
        self.transposed = scipy.sparse.csr_array(self.signed.T)
        self.y = y
        self.w, self.b = np.zeros(X.shape[1]), 0.0

    def step(self) -> None:
        slope = scipy.special.expit(-(self.signed @ self.w + self.b * self.y))
        rate = LR / len(self.y)
        self.w += rate * (self.transposed @ slope)
        self.b += rate * float(slope @ self.y)


def status(name: str) -> int:
    """Memory of this process in bytes, by its name in Linux."""
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text("utf-8"))
    assert found is not None
    return 1024 * int(found[1])


def seconds_of_a_step(X: Any, y: np.ndarray, threads: int, steps: int) -> float:
    """From two runs of different lengths, without what comes before the steps."""

    def taken(count: int) -> float:
        start = time.perf_counter()
        fg.train(
            X, y, steps=count, lr=LR, record=[0], engine="exact", watch_sharpness=False,
            skip_rows=False, threads=threads,
        )  # fmt: skip
        return time.perf_counter() - start

    few = max(1, steps // 10)
    return (taken(steps + few) - taken(few)) / steps


def race(X: Any, y: np.ndarray, threads: list[int], turns: int) -> None:
    """Print the time of a step of every side."""
    loop = Loop(X, y)
    loop.step()
    start = time.perf_counter()
    loop.step()
    steps = max(3, int(0.4 / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {"SciPy": []} | {f"{t} threads": [] for t in threads}
    for _ in range(turns):
        start = time.perf_counter()
        for _ in range(steps):
            loop.step()
        times["SciPy"].append((time.perf_counter() - start) / steps)
        for t in threads:
            times[f"{t} threads"].append(seconds_of_a_step(X, y, t, 2 * steps))
    theirs = statistics.median(times.pop("SciPy"))
    print(f"SciPy, a step         {1e3 * theirs:8.3f} ms")
    for name, taken in times.items():
        ours = statistics.median(taken)
        print(
            f"fastgrok, {name:11} {1e3 * ours:8.3f} ms   ratio {theirs / ours:.2f}   "
            f"({theirs / max(taken):.2f} to {theirs / min(taken):.2f})"
        )


def compare(X: Any, y: np.ndarray) -> None:
    """Hold a slice of the rows against the same as an array, and against SciPy's loop."""
    some, signs = X[:SLICE], y[:SLICE]
    steps = 200
    run = fg.train(some, signs, steps=steps, lr=LR, engine="exact")
    whole = fg.train(some.toarray(), signs, steps=steps, lr=LR, engine="exact")
    loop = Loop(some, signs)
    for _ in range(steps):
        loop.step()
    for name, other in (("dense rows", whole.w), ("SciPy's loop", loop.w)):
        off = np.abs(run.w - other).max() / np.abs(other).max()
        print(f"{SLICE} rows, {steps} steps: weights off {name} by {off:.1e}")
        assert off < 1e-12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    for name, default in (("rows", 10**5), ("columns", 10**4), ("entries", 20), ("steps", 10**4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=7)
    asked = parser.parse_args()
    X, y = rows(asked.rows, asked.columns, asked.entries)
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    print(f"{X.shape[0]} x {X.shape[1]}, {X.nnz} entries, {size / 1e6:.1f} MB")
    compare(X, y)
    if asked.turns > 0:
        race(X, y, asked.threads, asked.turns)
    if asked.steps > 0:
        Path("/proc/self/clear_refs").write_text("5", "utf-8")  # the peak begins anew
        before, start = status("VmRSS"), time.perf_counter()
        run = fg.train(X, y, steps=asked.steps, lr=LR, engine="exact", threads=max(asked.threads))
        took, more = time.perf_counter() - start, status("VmHWM") - before
        print(
            f"{asked.steps} steps with {run.steps.size} records on {max(asked.threads)} threads: "
            f"{took:.1f} s, accuracy {run.accuracy['train'][-1]:.4f}, row share "
            f"{run.engine.row_share:.2f}; memory {1.0 + more / size:.2f} times that of the rows"
        )


if __name__ == "__main__":
    main()
