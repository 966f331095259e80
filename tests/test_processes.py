"""Threads of Python, processes, signals and memory: what surrounds a call changes no bit of it."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import fastgrok as fg
from cases import problem, python
from everything import computed
from fastgrok.testing import assert_same_bits


def test_eight_threads_that_call_everything():
    """At once, each in another order, and all with the bits of a call alone."""
    expected = computed()
    names = list(expected)
    orders = [names[k:] + names[:k] for k in range(0, 16, 2)]
    with ThreadPoolExecutor(len(orders)) as pool:
        for found in pool.map(computed, orders):
            for name in names:
                assert_same_bits(found[name], expected[name])


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_a_new_process_computes_the_same(start):
    expected = computed()
    context = multiprocessing.get_context(start)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert_same_bits(pool.submit(computed).result(timeout=300), expected)


# A thread computes one thing after the other; children are made meanwhile, and compute it all.
FORKS = """
import multiprocessing, os, random, signal, sys, threading, time, warnings
import fastgrok as fg
from everything import calls, computed
from fastgrok.testing import explain_difference

warnings.simplefilter("ignore", DeprecationWarning)  # of forks of what has threads
expected = computed()
stop = threading.Event()

def work():
    while not stop.is_set():
        for call in calls().values():
            if not stop.is_set():
                call()

def differ():
    signal.alarm(200)  # it must not wait for a thread that is not there
    found = computed()
    return [name for name in expected if explain_difference(found[name], expected[name])]

worker = threading.Thread(target=work)
worker.start()
try:
    for _ in range(6):
        time.sleep(random.uniform(0.0, 0.3))
        child = os.fork()
        if child == 0:
            wrong = differ()
            print(wrong, flush=True)
            os._exit(bool(wrong))
        print(os.waitpid(child, 0)[1], flush=True)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.apply_async(differ).get(300))
finally:
    stop.set()
    worker.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_children_of_fork_at_any_moment():
    done = python(FORKS)
    assert done.stdout.split("\n") == [*["[]", "0"] * 6, "[]", ""], done.stderr


# OpenBLAS ends its threads before a fork, and other threads are in the midst of calls to it.
FORKS_BESIDE_LAPACK = """
import os, signal, threading
import numpy as np
from fastgrok.geometry import blas

signal.alarm(100)
X = np.random.default_rng(0).normal(size=(300, 12))
kernel = np.exp(X @ X.T / 12)

def decompose():
    for _ in range(20):
        blas.dpstrf(kernel.T.copy(order="F"), 1e-12)

threads = [threading.Thread(target=decompose) for _ in range(8)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        decompose()
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""


def test_forks_beside_threads_in_lapack():
    done = python(FORKS_BESIDE_LAPACK)
    assert set(done.stdout.split()) == {"0"}, done.stderr


# --- SIGTERM ---------------------------------------------------------------------------------

# By default it kills at once; with a handler that raises, a write is cut off by an exception.
TERMINATED = """
import os, random, signal, sys, threading, time
import fastgrok as fg
from cases import problem
from runs import polling_always

file, handled = sys.argv[1:]
X, y = problem(200, 20)

def leave(*_):
    raise SystemExit(143)

def live():
    if handled == "handled":
        signal.signal(signal.SIGTERM, leave)
    with polling_always():
        fg.train(X, y, steps=400_000, lr=0.1, record=500, keep_weights=True, engine="exact",
                 threads=1, checkpoint=file, checkpoint_interval=0)
    os._exit(0)

ends = []
for moment in range(16):
    child = os.fork()
    if child == 0:
        try:
            live()
        except SystemExit as leaving:
            os._exit(leaving.code)
        finally:
            os._exit(1)
    time.sleep(random.uniform(0.02, 0.3))
    os.kill(child, signal.SIGTERM)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(sorted(set(ends)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
@pytest.mark.parametrize("handled", ["killed", "handled"])
def test_sigterm_during_checkpoints_leaves_a_whole_file(tmp_path, handled):
    path = tmp_path / "run"
    done = python(TERMINATED, str(path), handled)
    assert done.returncode == 0, done.stderr
    expected = {"killed": {-15, 0}, "handled": {143, -15, 0}}[handled]  # before there is a handler
    ends = set(map(int, done.stdout.strip("[]\n").split(",")))
    assert ends <= expected, done.stderr
    assert ends != {0}
    X, y = problem(200, 20)
    how = {"lr": 0.1, "record": 500, "keep_weights": True, "engine": "exact", "threads": 1}
    run = fg.train(X, y, steps=400_000, checkpoint=path, **how)  # from what was left
    assert_same_bits(run, fg.train(X, y, steps=400_000, **how))
    assert os.listdir(tmp_path) == ["run"]


# --- memory ----------------------------------------------------------------------------------

# So much address space that the data fit and the work on them does not.
SCARCE = """
import resource, sys
import numpy as np
import fastgrok as fg
from everything import computed
from fastgrok.testing import assert_same_bits

rng = np.random.default_rng(0)
X = rng.normal(size=({n}, {d}))
y = np.where(X[:, 0] > 0, 1.0, -1.0)
w = rng.normal(size={d})
small = ["exact", "leap", "many", "max_margin", "separability", "attacks", "theory"]
expected = computed(small)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {left} * 2**20, -1))
try:
    {call}
    print("there was enough")
except MemoryError as error:
    print("MemoryError:", error)
del X
assert_same_bits(computed(small), expected)  # while the limit stands
print("usable")
"""

SCARCELY = {
    "train": ("fg.train(X[::2], y[::2], steps=100, lr=0.1, threads=1)", 40_000, 300),
    "train_many": (
        "fg.train_many([dict(X=X[k::2], y=y[k::2], steps=9, lr=0.1) for k in (0, 1)], threads=1)",
        40_000, 300,
    ),
    "max_margin": ("fg.max_margin(X, y, bias='free', threads=1)", 3000, 2500),
    "separability": ("fg.separability(X, y, threads=1)", 3000, 2500),
    "regularized_limit": ("fg.regularized_limit(X, y, 1e-3)", 4000, 3000),
    "pgd": ("fg.pgd(X, y, w, threads=1)", 40_000, 300),
    "margin_cube": ("fg.datasets.margin_cube((40_000, 40_000), dim=300, threads=1)", 300, 3),
}  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize("case", SCARCELY)
def test_without_memory_there_is_an_error_and_an_interpreter(case):
    call, n, d = SCARCELY[case]
    done = python(SCARCE.format(call=call, n=n, d=d, left=30), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("MemoryError: "), done.stdout
    assert len(first) > len("MemoryError: ")
    assert "bad_alloc" not in first
    assert last == "usable"


# What resident memory has grown by since a warm-up.
FLAT = """
import gc, os, resource, sys
import numpy as np
import fastgrok as fg

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = np.where(X[:, 0] > 0, 1.0, -1.0)
w = rng.normal(size=4)
file = sys.argv[1]

def resident():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()

def once(k):
    how = dict(steps=100 + k, lr=0.1, evals=dict(test=(X, y), attacked=fg.Pgd(X, y, eps=0.1)))
    run = fg.train(X, y, keep_weights=True, checkpoint=file, **how)
    run.grokking("test")
    fg.train(X, y, steps=1e9 + k, lr=0.1, engine="leap")
    fg.train_many([dict(X=X, y=y, **how)] * 2)
    fg.max_margin(X, y)
    fg.separability(X, y)
    for method in ("pgd", "autodiff32"):
        fg.pgd(X, y, w, method=method, steps=3)
    os.remove(file)

for k in range(100):
    once(k % 50)
before = resident()
for k in range(int(sys.argv[2])):
    once(k % 50)
print((resident() - before) // 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
@pytest.mark.parametrize(
    "rounds",
    [
        250,  # of eight runs and other calls
        pytest.param(2000, marks=pytest.mark.slow),  # as above, of smaller leaks
    ],
)
def test_memory_does_not_grow_over_two_thousand_runs(tmp_path, rounds):
    done = python(FLAT, str(tmp_path / "run"), str(rounds))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2048  # KiB; what is kept by every run would be more
