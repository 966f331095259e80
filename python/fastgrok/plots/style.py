"""The style of all pictures, and whether there is matplotlib to draw them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec, TypeVar

from fastgrok._checks import show
from fastgrok.records import Record

P = ParamSpec("P")
T = TypeVar("T")

#: The style sheet beside this file, as matplotlib finds it.
SHEET = "fastgrok.plots.fastgrok"


def require_matplotlib() -> None:
    """
    Check that pictures can be drawn, before any long work.

    Raises
    ------
    ImportError
        If matplotlib is missing; the message says how to install it.
    """
    try:
        import matplotlib.figure  # noqa: F401, PLC0415
    except ImportError as error:
        raise ImportError(
            "drawing needs matplotlib, which is not installed: pip install 'fastgrok[plot]'"
        ) from error


def styled() -> AbstractContextManager[None]:
    """
    Draw in the style of all pictures.

    Raises
    ------
    ImportError
        If matplotlib is missing, as `require_matplotlib`.
    """
    require_matplotlib()
    from matplotlib import style  # noqa: PLC0415

    return style.context(SHEET)


def styled_if_new(draw: Callable[P, T]) -> Callable[P, T]:
    """
    Have a function draw in our style on axes of its own: axes that it is given have one.

    A `run` that is none is refused first.
    """
    names = list(inspect.signature(draw).parameters)
    position = names.index("ax")
    of_run = names[0] == "run"

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        run = args[0] if args else kwargs.get("run")
        if of_run and (args or "run" in kwargs) and not isinstance(run, Record):
            raise TypeError(f"run must be a Trajectory, as train returns it, got {show(run)}")
        given = args[position] if len(args) > position else kwargs.get("ax")
        if given is not None:
            return draw(*args, **kwargs)
        with styled():
            return draw(*args, **kwargs)

    return drawn
