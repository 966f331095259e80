"""Python in a process of its own, begun from scratch."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any


def child_python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[Any]:
    """
    Begin a process that runs this code, with the modules of this one.

    Children of multiprocessing would begin with the caller's script, and run all of it again if it
    does not ask for its __name__. Ctrl-C is for this process alone, which then ends the child.

    Parameters
    ----------
    code : str
        A program, which finds its arguments in `sys.argv`.
    *arguments : object
        As `str` writes them.
    **options
        Of `subprocess.Popen`.

    Raises
    ------
    OSError
        If there is no such process: this Python is part of another program, or ends at a limit.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        raise OSError("this Python has no program of its own that could be begun once more")
    # Others than strings are nothing to Python's own import; the working folder, which -P leaves
    # out, is among them where this process looks there.
    path = os.pathsep.join(entry for entry in sys.path if isinstance(entry, str))
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
        **options,
    )
