"""How every figure and every table is made: trained, then written; and what a stop leaves."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from fastgrok import _checks
from fastgrok.papers._catalogue import Output, Settings, Stopped
from fastgrok.papers._files import pictures_as

T = TypeVar("T")


def keep_nothing(stop: KeyboardInterrupt, _: Path) -> str:
    """Say that nothing was kept of training that was stopped, and what its message was."""
    return f"{stop}; nothing was kept".removeprefix("; ")


def make(
    name: str,
    settings: Settings,
    folder: Path,
    train: Callable[[Settings], T],
    write: Callable[[T, Path], Output],
    keep: Callable[[KeyboardInterrupt, Path], str] = keep_nothing,
) -> Output:
    """
    Make a figure or a table.

    Parameters
    ----------
    name : str
        What its files are called.
    settings, folder : Settings, Path
        How it is to be made, and where.
    train : callable
        Makes the data at the scale asked for.
    write : callable
        Draws and judges the data, and writes everything into the folder.
    keep : callable, default `keep_nothing`
        Writes what can be kept of training that was stopped, if there is anything, into the file
        that it is given, and says so.

    Raises
    ------
    Stopped
        On Ctrl-C during training; what was kept is then in NAME-partial.csv.
    """
    folder = Path(_checks.path("folder", folder))
    try:
        data = train(settings)
    except KeyboardInterrupt as stop:
        raise Stopped(keep(stop, folder / f"{name}-partial.csv")) from None
    with pictures_as(settings.formats):
        return write(data, folder)
