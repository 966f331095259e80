"""Linear programs: the same answers here, aside, and from a process of its own."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linprog
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
        answer = linear_program(**options)
        assert answer.status == expected.status
        if expected.status == 0:
            assert np.array_equal(answer.x, expected.x)
            slopes = "eqlin" if options["equal"] else "ineqlin"
            assert np.array_equal(answer[slopes].marginals, expected[slopes].marginals)


@pytest.mark.parametrize("program", ["/bin/false", "/there/is/no/such/program"])
def test_without_another_process_it_is_solved_here(program, monkeypatch):
    expected = linear_program(**question("dense"))
    monkeypatch.setattr(programs, "_MANY", 1)
    monkeypatch.setattr(programs, "_VERY_MANY", 1)
    monkeypatch.setattr(sys, "executable", program)
    assert np.array_equal(linear_program(**question("dense")).x, expected.x)


# HiGHS takes minutes for it.
LONG = """
import signal, threading
import numpy as np
from fastgrok._checks import programs

signal.signal(signal.SIGINT, signal.default_int_handler)
A = np.random.default_rng(0).normal(size=(6000, 1500))
A[:, 0] = abs(A[:, 0])
Popen = programs.subprocess.Popen

def start(*arguments, **options):
    child = Popen(*arguments, **options)
    threading.Timer(2.0, print, [WORD.format(child.pid)], {"flush": True}).start()
    return child

programs.subprocess.Popen = start
bounds = np.repeat([[0.0, np.inf]], 3000, axis=0)
try:
    programs.linear_program(
        np.ones(3000), bounds=bounds, equal=False,
        matrix=np.hstack([-A, A]), right=np.full(6000, -1.0),
    )
    print("came to its end")
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_in_a_long_one():
    assert after_ctrl_c("WORD = 'started'" + LONG) == "stopped\n"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="asks /proc who goes on")
def test_the_process_does_not_outlive_the_one_that_asks():
    code = "WORD = '{}'" + LONG
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = Path("/proc", parent.stdout.readline().strip(), "cmdline")
    assert b"_answer" in child.read_bytes()
    parent.kill()
    parent.communicate()
    for _ in range(200):
        time.sleep(0.1)
        if not child.exists() or not child.read_bytes():  # nor has one that nobody waits for
            return
    pytest.fail(f"{child} is still there")
