"""Linear programs, solved by SciPy's HiGHS so that Ctrl-C does not wait for their end."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from subprocess import DEVNULL, PIPE, TimeoutExpired
from typing import Any

from fastgrok._checks._arguments import F64
from fastgrok._checks.aside import PATIENCE, aside
from fastgrok._checks.children import child_python

_MANY = 1 << 14
"""Entries of the constraints: from here on HiGHS takes longer than the beginning of a thread."""
_VERY_MANY = 1 << 19
"""From here on longer than that of a process, and SciPy hands them over with the lock held."""
_PROTOCOL = pickle.HIGHEST_PROTOCOL
_MARK = b"\0answer of fastgrok\0"
"""Of a child, behind whatever else the start of Python prints there."""
_TOLERANCES = ("primal_feasibility_tolerance", "dual_feasibility_tolerance")


def linear_program(
    cost: F64, *, bounds: F64, equal: bool, matrix: Any, right: F64, tolerance: float | None = None
) -> Any:
    """
    Minimise cost . x within bounds, under equations or inequalities.

    A large one is solved in a process of its own, which has a copy of the matrix and is killed when
    a signal raises something here: HiGHS hears of nothing before its end, which may be minutes
    away. A smaller one that is left so goes on in a thread, for which the end of the interpreter
    waits.

    Parameters
    ----------
    cost : ndarray of shape (n,)
    bounds : ndarray of shape (n, 2)
        Least and largest values, perhaps infinite.
    equal : bool
        Whether matrix x = right, or matrix x <= right.
    matrix : ndarray or sparse array of shape (m, n)
    right : ndarray of shape (m,)
    tolerance : float, optional
        Of both feasibilities; by default HiGHS's own.

    Returns
    -------
    scipy.optimize.OptimizeResult

    Raises
    ------
    MemoryError
        If HiGHS says so, or the process that solves it is killed, as systems do that run out of
        memory.
    """
    names = ("A_eq", "b_eq") if equal else ("A_ub", "b_ub")
    options = {} if tolerance is None else dict.fromkeys(_TOLERANCES, tolerance)
    keywords = {names[0]: matrix, names[1]: right, "bounds": bounds, "options": options}
    size = matrix.size  # of a sparse one the entries that it has
    if size < _MANY:
        return _solved(cost, keywords)
    if size >= _VERY_MANY:
        answer = _solved_elsewhere(cost, keywords)
        if answer is not None:
            return answer
    return aside(_solved, cost, keywords)


def _solved(cost: F64, keywords: dict[str, Any]) -> Any:
    from scipy.optimize import linprog  # noqa: PLC0415 (slow to import, rarely needed)

    answer = linprog(cost, **keywords)
    if "Memory limit" in answer.message:  # which SciPy counts among numerical difficulties
        raise MemoryError(f"a linear program: {answer.message}")
    return answer


def _solved_elsewhere(cost: F64, keywords: dict[str, Any]) -> Any:
    """Return the answer of a child process; None if it has none."""
    code = f"from {__name__} import _answer; _answer()"
    try:
        child = child_python(code, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        return None
    assert child.stdin is not None
    try:
        with suppress(BrokenPipeError):  # how it ended is asked below
            # Not by communicate(), which forgets after a timeout what it has not yet written.
            pickle.dump((cost, keywords), child.stdin, _PROTOCOL)
        out = None
        while out is None:
            ended = child.poll() is not None
            try:
                out = child.communicate(timeout=PATIENCE)[0]
            except TimeoutExpired as late:
                # Whoever another thread has forked meanwhile may keep the pipe open.
                out = (late.output or b"") if ended else None
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
    if child.returncode == -signal.SIGKILL:
        m, n = keywords["A_eq" if "A_eq" in keywords else "A_ub"].shape
        raise MemoryError(f"the process that solved a linear program of {m} x {n} was killed")
    answer = out.partition(_MARK)[2]
    return pickle.loads(answer) if child.returncode == 0 and answer else None


def _answer() -> None:
    """Solve what comes by the standard input, in a child; it does not outlive its parent."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answer = _solved(*pickle.load(sys.stdin.buffer))
    sys.stdout.flush()
    sys.stdout.buffer.write(_MARK + pickle.dumps(answer, _PROTOCOL))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
