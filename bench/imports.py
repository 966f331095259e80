"""Time to import fastgrok beside NumPy: whole processes in turn, medians.

    python bench/imports.py [--processes 10]

A process that imports nothing is measured as well and taken off. `use` trains a run of ten
steps, which loads what an import alone does not.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time

USE = (
    "import numpy as np, fastgrok as fg; X = np.eye(2); "
    "fg.train(X, np.array([1, -1]), steps=10, lr=0.1)"
)
SIDES = {
    "nothing": "pass",
    "import numpy": "import numpy",
    "import fastgrok": "import fastgrok",
    "use": USE,
}


def measure(code: str) -> tuple[float, float]:
    """Wall clock and processor milliseconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1e3 * wall, 1e3 * busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=10, help="of each side")
    processes = parser.parse_args().processes
    for code in SIDES.values():  # once, so that everything is compiled and in the disk's cache
        measure(code)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for _ in range(processes):
        for name, code in SIDES.items():
            taken[name].append(measure(code))
    medians = {
        name: [statistics.median(column) for column in zip(*values, strict=True)]
        for name, values in taken.items()
    }
    empty = medians.pop("nothing")
    numpy = [one - start for one, start in zip(medians["import numpy"], empty, strict=True)]
    print(f"{'ms':<16}{'wall':>8}{'ratio':>7}{'processor':>11}{'ratio':>7}")
    for name, median in medians.items():
        wall, busy = (one - start for one, start in zip(median, empty, strict=True))
        print(f"{name:<16}{wall:8.0f}{wall / numpy[0]:7.2f}{busy:11.0f}{busy / numpy[1]:7.2f}")


if __name__ == "__main__":
    main()
