"""Fuzzing with a budget of time: `python tests/fuzz [--seconds 60] [TARGET ...]`.

    calls     every public function with arbitrary arrays and arguments
    files     runs, data sets, checkpoints and tables with flipped, cut and swapped bytes
    steps     exact steps of every loss beside plain NumPy
    machine   train, stop, resume, extend and ask in any order beside the run at once

An input is a number, from `--seed` on; those in `corpus/<target>.txt` come first. A finding is
printed with its number and `python tests/fuzz TARGET --input NUMBER` repeats it. Each target runs
in a process of its own, so that a crash is a finding, and so is an input of more than a minute. The
kernels have a program in C++, `fuzz_kernels` (kernels.cpp), that `--kernels PROGRAM` runs as well.
The exit status is 1 if there was a finding.
"""

import argparse
import importlib
import multiprocessing
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

from worker import HERE, MODULES, work

SHARES = {"calls": 0.4, "files": 0.25, "steps": 0.15, "machine": 0.2}
LONGEST = 60.0


def _fuzz(target: str, seed: int, seconds: float) -> tuple[int, int]:
    """Inputs tried and findings of one target, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    now, tried, found = context.Value("q", -1), context.Value("q", 0), context.Value("q", 0)
    process = context.Process(target=work, args=(target, seed, seconds, now, tried, found))
    process.start()
    last, since = -1, time.monotonic()
    while process.is_alive():
        process.join(0.5)
        if tried.value != last:
            last, since = tried.value, time.monotonic()
        elif time.monotonic() - since > LONGEST:
            process.kill()
            process.join()
            print(f"{target} --input {now.value}: more than {LONGEST:.0f} s", flush=True)
            return tried.value, found.value + 1
    if process.exitcode:
        print(f"{target} --input {now.value}: ended with {process.exitcode}", flush=True)
        found.value += 1
    return tried.value, found.value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help=", ".join(MODULES))
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1, help="the first input")
    parser.add_argument("--input", type=int, help="this one alone, with what it raises")
    parser.add_argument("--kernels", type=Path, help="the program of kernels.cpp")
    args = parser.parse_args()
    targets = args.targets or list(MODULES)
    if args.input is not None:
        module = importlib.import_module(MODULES[targets[0]])
        try:
            getattr(module, targets[0])(args.input)
        except Exception:
            traceback.print_exc()
            return 1
        print("nothing is wrong")
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wrong = 0
    seconds = args.seconds
    if args.kernels:
        corpus = sorted(map(str, (HERE / "corpus" / "kernels").glob("*")))
        program = [str(args.kernels.resolve()), "--seconds", str(seconds / 4)]
        program += ["--seed", str(args.seed), *corpus]
        wrong += subprocess.run(program, check=False).returncode != 0
        seconds *= 0.75
    whole = sum(SHARES[target] for target in targets)
    for target in targets:
        tried, found = _fuzz(target, args.seed, seconds * SHARES[target] / whole)
        print(f"{target}: {tried} inputs, {found} findings", flush=True)
        wrong += found
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
