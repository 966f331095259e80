"""How long `import fastgrok` takes beside `import numpy`, which it contains.

Every import is the first thing that a new process does, and is timed there, so that the start of
Python is not counted. The two take turns, after one of each that is not counted (it may write byte
code and fill the file cache); what is printed is the medians over the processes, and their ratio:
of the time that passed, and of that of the processor, which other programs disturb less.

    python bench/imports.py [--turns 10] [--json]
"""

import argparse
import json
import subprocess
import sys

import numpy as np

from _race import show

PACKAGES = ("numpy", "fastgrok")
IMPORT = """
import time
passed, used = time.perf_counter(), time.process_time()
import {package}
print(time.perf_counter() - passed, time.process_time() - used)
"""


def take(package: str) -> tuple[float, float]:
    """The seconds that passed and those of the processor."""
    command = [sys.executable, "-c", IMPORT.format(package=package)]
    passed, used = subprocess.check_output(command, text=True).split()
    return float(passed), float(used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="a JSON object")
    args = parser.parse_args()
    for package in PACKAGES:
        take(package)
    turns = [[take(package) for package in PACKAGES] for _ in range(args.turns)]
    median = np.median(turns, axis=0)  # a line for each package: passed, processor
    row = {
        **{f"{package}_s": one for package, one in zip(PACKAGES, median[:, 0], strict=True)},
        "ratio": median[1, 0] / median[0, 0],
        **{f"{package}_cpu_s": one for package, one in zip(PACKAGES, median[:, 1], strict=True)},
        "ratio_cpu": median[1, 1] / median[0, 1],
    }
    print(json.dumps(row) if args.json else show(row))


if __name__ == "__main__":
    main()
