"""Linear programs: the same answers here, aside, and from a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import OptimizeResult, linprog
from scipy.sparse import csr_array

from fastgrok._checks import programs
from fastgrok._checks.programs import linear_program
from runs import after_ctrl_c


def question(kind):
    """Arguments of linear_program."""
    rng = np.random.default_rng(3)
    A = np.hstack([rng.normal(size=(30, 8)), np.ones((30, 1))])
    options = {"cost": np.append(np.zeros(8), -1.0), "matrix": A, "right": np.zeros(30)}
    options["bounds"] = np.vstack([np.repeat([[-1.0, 1.0]], 8, axis=0), [[-np.inf, np.inf]]])
    if kind == "equations":
        right, few = A.T @ rng.uniform(size=30), np.repeat([[0.0, np.inf]], 30, axis=0)
        options = {"cost": np.ones(30), "matrix": A.T, "right": right, "bounds": few}
    elif kind == "sparse":
        options |= {"matrix": csr_array(A), "right": np.ones(30)}
    elif kind == "unbounded":
        options["cost"] *= -1.0
    return options | {"equal": kind == "equations"}


def not_here(*_):
    raise AssertionError("it is to be solved by another process")


@pytest.mark.parametrize("kind", ["dense", "equations", "sparse", "unbounded"])
def test_the_same_answer_wherever_it_is_solved(kind, monkeypatch):
    options = question(kind)
    names = ("A_eq", "b_eq") if options["equal"] else ("A_ub", "b_ub")
    expected = linprog(
        options["cost"],
        bounds=options["bounds"],
        **{names[0]: options["matrix"], names[1]: options["right"]},
    )
    assert expected.status == (3 if kind == "unbounded" else 0)
    for many, very_many in [(1 << 60, 1 << 60), (1, 1 << 60), (1, 1)]:
        monkeypatch.setattr(programs, "_MANY", many)
        monkeypatch.setattr(programs, "_VERY_MANY", very_many)
        if very_many == 1:
            monkeypatch.setattr(programs, "aside", not_here)
        answer = linear_program(**options)
        assert answer.status == expected.status
        if expected.status == 0:
            assert np.array_equal(answer.x, expected.x)
            slopes = "eqlin" if options["equal"] else "ineqlin"
            assert np.array_equal(answer[slopes].marginals, expected[slopes].marginals)


@pytest.mark.parametrize("program", ["/bin/false", "/there/is/no/such/program", "", None])
def test_without_another_process_it_is_solved_here(program, monkeypatch):
    expected = linear_program(**question("dense"))
    monkeypatch.setattr(programs, "_MANY", 1)
    monkeypatch.setattr(programs, "_VERY_MANY", 1)
    monkeypatch.setattr(sys, "executable", program)
    assert np.array_equal(linear_program(**question("dense")).x, expected.x)


def test_whatever_the_start_of_python_finds(tmp_path, monkeypatch):
    """Paths that are no strings, files with the names of modules, and what modules print."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("print('hello')")
    (tmp_path / "queue.py").write_text("raise SystemExit('of the working folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path, tmp_path])
    monkeypatch.setattr(programs, "_MANY", 1)
    monkeypatch.setattr(programs, "_VERY_MANY", 1)
    monkeypatch.setattr(programs, "aside", not_here)
    assert linear_program(**question("dense")).status == 0


def test_a_killed_process_is_an_error(monkeypatch):
    monkeypatch.setattr(programs, "_VERY_MANY", 1)
    monkeypatch.setattr(programs, "_MANY", 1)
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    begin = programs.child_python
    monkeypatch.setattr(programs, "child_python", lambda _, **options: begin(code, **options))
    with pytest.raises(MemoryError, match="linear program of 30 x 9 was killed"):
        linear_program(**question("dense"))


def test_what_highs_says_of_memory_is_an_error(monkeypatch):
    said = OptimizeResult(status=4, x=None, message="(HiGHS Status 18: Memory limit reached)")
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **options: said)
    with pytest.raises(MemoryError, match="Memory limit reached"):
        linear_program(**question("dense"))


# HiGHS takes minutes for it. A second after all of it has been handed over it says so.
LONG = """
import signal, threading
from subprocess import Popen
import numpy as np
from fastgrok._checks import programs

signal.signal(signal.SIGINT, signal.default_int_handler)
A = np.random.default_rng(0).normal(size=(4000, 1000))
A[:, 0] = abs(A[:, 0])
communicate, children = Popen.communicate, []

def wait(child, timeout):
    if not children:
        children.append(child)
        threading.Timer(1.0, print, [WORD.format(child.pid)], {"flush": True}).start()
    return communicate(child, timeout=timeout)

Popen.communicate = wait
bounds = np.repeat([[0.0, np.inf]], 2000, axis=0)

def solve():
    try:
        programs.linear_program(
            np.ones(2000), bounds=bounds, equal=False,
            matrix=np.hstack([-A, A]), right=np.full(4000, -1.0),
        )
        print("came to its end")
    except KeyboardInterrupt:
        print("stopped", children[0].returncode, flush=True)

"""
# A sweep ends its threads so.
THREAD = """
import ctypes, time
thread = threading.Thread(target=solve)
thread.start()
while not children:
    time.sleep(0.1)
stop = ctypes.py_object(KeyboardInterrupt)
ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), stop)
thread.join()
"""


def test_ctrl_c_ends_the_process():
    assert after_ctrl_c("WORD = 'started'" + LONG + "solve()") == "stopped -9\n"


def test_what_ends_a_thread_ends_its_process():
    command = [sys.executable, "-c", "WORD = 'started'" + LONG + THREAD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "stopped -9\n" in done.stdout


def goes_on(process):
    try:
        return bool(Path("/proc", process, "cmdline").read_bytes())  # one nobody waits for has none
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="asks /proc who goes on")
def test_the_process_does_not_outlive_the_one_that_asks():
    code = "WORD = '{}'" + LONG + "solve()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = parent.stdout.readline().strip()
        assert goes_on(child)
    finally:
        parent.kill()
        parent.communicate()
    for _ in range(300):
        time.sleep(0.1)
        if not goes_on(child):
            return
    os.kill(int(child), signal.SIGKILL)
    pytest.fail("the process goes on")
