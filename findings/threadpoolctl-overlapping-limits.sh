#!/usr/bin/env bash
# threadpoolctl 3.8.0: limits set around calls in a pool of threads leave the BLAS limited.
#
# The first thread that sets a limit owns the library: what other threads ask for is ignored in
# silence, yet an ignored block still puts back, at its end, what it found at its start. Of two
# blocks that overlap, the one entered first also left first, the limit of the other is in force
# afterwards and stays for the process. And after a plain `threadpool_limits(2)` in the main thread
# no block in a worker has any effect.
#
# Seen with threadpoolctl 3.8.0, NumPy 2.4.0 (OpenBLAS) and OPENBLAS_NUM_THREADS=2: 2 before; 1 in
# the first block; 1 after both have ended. A worker's block of 1 after the plain limit: still 2.
# (With 3.6.0 the overlapping blocks end alike, but the worker's block is obeyed.)
#
# Exits 0 while 3.8.0 behaves so, 1 when it does not. Needs python3 and the package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.0 threadpoolctl==3.8.0
cat >"$folder/seen.py" <<'PY'
import os
import threading

os.environ["OPENBLAS_NUM_THREADS"] = "2"
import numpy as np  # noqa: F401
import threadpoolctl
from threadpoolctl import threadpool_info, threadpool_limits


def blas():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def overlapping():
    """Block A of one thread begins and ends before block B of another, which begins in it."""
    a_in, b_in, a_out = threading.Event(), threading.Event(), threading.Event()
    inside = []

    def a():
        with threadpool_limits(1, user_api="blas"):
            inside.extend(blas())
            a_in.set()
            b_in.wait()
        a_out.set()

    def b():
        a_in.wait()
        with threadpool_limits(1, user_api="blas"):
            b_in.set()
            a_out.wait()

    threads = [threading.Thread(target=a), threading.Thread(target=b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return inside


def block_in_worker():
    seen = []

    def work():
        with threadpool_limits(1, user_api="blas"):
            seen.extend(blas())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return seen


import sys

if sys.argv[1] == "overlap":
    before = blas()
    inside = overlapping()
    print(threadpoolctl.__version__, "before", before, "in the first block", inside, "after both", blas())
else:
    threadpool_limits(2, user_api="blas")
    print(threadpoolctl.__version__, "a worker's block of 1 after a plain limit of 2:", block_in_worker())
PY
for what in overlap worker; do "$folder/venv/bin/python" "$folder/seen.py" "$what"; done | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
3.8.0 before [2] in the first block [1] after both [1]
3.8.0 a worker's block of 1 after a plain limit of 2: [2]
SEEN
