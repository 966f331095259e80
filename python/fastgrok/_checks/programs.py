"""Linear programs, solved by SciPy's HiGHS so that Ctrl-C does not wait for their end."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, Any, cast

from fastgrok._checks._arguments import F64
from fastgrok._checks.aside import aside

_MANY = 1 << 14
"""Entries of the constraints: from here on HiGHS takes longer than the beginning of a thread."""
_VERY_MANY = 1 << 19
"""From here on longer than that of a process, and SciPy hands them over with the lock held."""
_PATIENCE = 0.05
"""Seconds between two looks at what signals came."""


def linear_program(
    cost: F64, *, bounds: F64, equal: bool, matrix: Any, right: F64, tolerance: float | None = None
) -> Any:
    """
    Minimise cost . x within bounds, under equations or inequalities.

    A large one is solved in a process of its own, which is killed when a signal raises something
    here: HiGHS hears of nothing before its end, which may be minutes away.

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
    """
    names = ("A_eq", "b_eq") if equal else ("A_ub", "b_ub")
    options = {} if tolerance is None else dict.fromkeys(_TOLERANCES, tolerance)
    keywords = {names[0]: matrix, names[1]: right, "bounds": bounds, "options": options}
    size = matrix.size  # of a sparse one the entries that it has
    if size < _MANY:
        return _solved(cost, keywords)
    if size >= _VERY_MANY and threading.current_thread() is threading.main_thread():
        answer = _solved_elsewhere(cost, keywords)
        if answer is not None:
            return answer
    return aside(_solved, cost, keywords)


_PROTOCOL = pickle.HIGHEST_PROTOCOL
_TOLERANCES = ("primal_feasibility_tolerance", "dual_feasibility_tolerance")


def _solved(cost: F64, keywords: dict[str, Any]) -> Any:
    from scipy.optimize import linprog  # noqa: PLC0415 (slow to import, rarely needed)

    limits = [(float(low), float(high)) for low, high in keywords["bounds"]]
    return linprog(cost, **keywords | {"bounds": limits})


def _solved_elsewhere(cost: F64, keywords: dict[str, Any]) -> Any:
    """Return the answer of a child process; None if it has none, such as for lack of memory."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import _answer; _answer()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C is for this process alone, which then ends the other
        )  # fmt: skip
    except OSError:
        return None
    with child:
        try:
            with suppress(BrokenPipeError):  # how it ended is asked below
                # Not by communicate(), which up to Python 3.13 forgets the rest after a timeout.
                pickle.dump((cost, keywords), cast("IO[bytes]", child.stdin), _PROTOCOL)
            while True:
                with suppress(subprocess.TimeoutExpired):
                    answer = child.communicate(timeout=_PATIENCE)[0]
                    break
        except BaseException:
            child.kill()
            raise
    return pickle.loads(answer) if child.returncode == 0 else None


def _answer() -> None:
    """Solve what comes by the standard input, in a child; it does not outlive its parent."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answer = _solved(*pickle.load(sys.stdin.buffer))
    pickle.dump(answer, sys.stdout.buffer, _PROTOCOL)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
