"""Calls that take long and hear of no signal, so made that Ctrl-C does not wait for their end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
PATIENCE = 0.05
"""Seconds between two looks at what signals came."""
_LONG = 1 << 24
"""Terms of sums: some milliseconds, many times what the beginning of a thread takes."""


def aside(call: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    """
    Call a function in a thread of its own, while the main thread waits and hears of signals.

    What a signal raises comes at once; the call goes on to its end then, which nobody waits for but
    the end of the interpreter: a BLAS may not be left alone by its process. From other threads,
    which hear of no signals, the call is made as it is.

    Parameters
    ----------
    call : callable
        Is to spend its time without the lock of the interpreter, and not to write into anything
        that is used after a KeyboardInterrupt.
    *arguments, **options
        Of the call.

    Returns
    -------
    object
        What the call returns; what it raises is raised.
    """
    if threading.current_thread() is not threading.main_thread():
        return call(*arguments, **options)
    context, done = copy_context(), threading.Event()
    found: list[Any] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            found.append(context.run(call, *arguments, **options))
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    threading.Thread(target=work, name="fastgrok-aside").start()
    while not done.wait(PATIENCE):  # another thread may be the one that the signal wakes
        pass
    try:
        if failure:
            raise failure[0]
        result: R = found[0]
        return result
    finally:
        failure.clear()  # or it would hold this frame, which holds it


def if_long(terms: int, call: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    """Call a function of so many terms, aside where they take long."""
    if terms < _LONG:
        return call(*arguments, **options)
    return aside(call, *arguments, **options)


def decomposed(call: Callable[..., Any], matrix: Any, *arguments: Any, **options: Any) -> Any:
    """Decompose a matrix, such as by `scipy.linalg.qr`, aside where that takes long."""
    return if_long(matrix.size * min(matrix.shape), call, matrix, *arguments, **options)
