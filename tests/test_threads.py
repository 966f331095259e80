"""The same bits for any number of threads, and how many there are."""

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import fastgrok as fg
from bits import SHAPES, compute
from cases import MOST_CHUNKS, SEVERAL_CHUNKS, point, problem, python
from fastgrok import _checks, _core
from runs import assert_same_bits

CORES = min(len(os.sched_getaffinity(0)), _core.default_threads())


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name, strict=True)


@pytest.mark.parametrize("shape", [*SHAPES, MOST_CHUNKS])
def test_any_number_of_threads_gives_the_same_bits(shape):
    expected = compute([shape], threads=1)
    for threads in (2, 3, 8):
        assert_same(compute([shape], threads=threads), expected)


@pytest.mark.parametrize(("n", "d"), [*SEVERAL_CHUNKS, MOST_CHUNKS])
def test_more_threads_than_there_are_chunks(n, d):
    X, y = problem(n, d)
    w, b = point(d)
    expected = _core.Problem(X, y, True).gradient(w, b, "logistic", 1)
    for threads in (65, 1000):
        got = _core.Problem(X, y, True).gradient(w, b, "logistic", threads)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1] == expected[1]


def test_a_run_is_the_same_every_time():
    X, y = problem(*SEVERAL_CHUNKS[2])
    runs = [fg.train(X, y, steps=20, lr=0.1, record=4) for _ in range(3)]
    for run in runs[1:]:
        np.testing.assert_array_equal(run.w, runs[0].w)
        np.testing.assert_array_equal(run.loss, runs[0].loss)
        np.testing.assert_array_equal(run.sharpness, runs[0].sharpness)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (None, CORES),
        ("", CORES),
        ("1", 1),
        ("1,2", 1),
        (" 1 ", 1),
        ("1000", CORES),
        ("0", CORES),
        ("-1", CORES),
        ("many", CORES),
    ],
)
def test_default_number_of_threads(monkeypatch, variable, expected):
    if variable is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert _checks.threads(None) == expected
    assert fg.show_config()["threads"] == str(expected)


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_the_default_respects_what_openmp_is_limited_to(limit):
    """As threadpoolctl limits it, for all libraries that share the runtime."""
    X, y = problem(*SEVERAL_CHUNKS[2])
    most = _checks.threads(None)  # one where the environment says so
    with threadpool_limits(limit):
        assert _checks.threads(None) == min(limit, most)
        assert fg.show_config()["threads"] == str(min(limit, most))
        run = fg.train(X, y, steps=3, lr=0.1, engine="exact")
        assert run.engine.threads == min(limit, most)
        assert fg.train(X, y, steps=3, lr=0.1, threads=2).engine.threads == 2  # as asked for
    assert _checks.threads(None) == most
    assert_same_bits(run, fg.train(X, y, steps=3, lr=0.1, engine="exact"))


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "OMP_THREAD_LIMIT"])
def test_the_default_respects_what_openmp_was_loaded_with(variable):
    code = "import fastgrok as fg; print(fg.show_config()['threads'])"
    child = python(code, **{variable: "1"})
    assert child.stdout == "1\n", child.stderr


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_the_default_respects_the_affinity_mask():
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "import fastgrok as fg; print(fg.show_config()['threads'])"
    )
    child = python(code)
    assert child.stdout == "1\n", child.stderr


def test_a_child_of_fork_can_train():
    # Threads do not survive a fork: one that waits for them would hang.
    code = """
import os, warnings
import numpy as np
import fastgrok as fg
from cases import SEVERAL_CHUNKS, problem
X, y = problem(*SEVERAL_CHUNKS[2])
parent = fg.train(X, y, steps=3, lr=0.1, threads=2)
warnings.simplefilter("ignore", DeprecationWarning)
pid = os.fork()
if pid == 0:
    run = fg.train(X, y, steps=3, lr=0.1, threads=2)
    same = np.array_equal(run.w, parent.w)
    # One thread, and nobody says otherwise.
    told = run.engine.threads, fg.show_config()["threads"]
    told += fg.train(X, y, steps=3, lr=0.1).engine.threads,
    print(told, flush=True)
    os._exit(0 if same else 1)
print(os.waitpid(pid, 0)[1], parent.engine.threads)
"""
    child = python(code)
    assert child.stdout == "(1, '1', 1)\n0 2\n", child.stderr
