"""Writing a file so that there is never half of it."""

import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

_PREFIX = ".fastgrok-"
_OLD_SECONDS = 60.0


def write_atomically(path: str | os.PathLike[str], write: Callable[[IO[bytes]], None]) -> None:
    """
    Let `write` fill a new file that takes the place of `path` only when it is on the disk.

    It is locked until then, by which `remove_leftovers` of another process knows it.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f"{_temporary_stem(target)}{secrets.token_hex(8)}.tmp")
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not target.parent.exists():
        raise FileNotFoundError(errno.ENOENT, "its folder does not exist", os.fspath(path))
    try:
        with open(temporary, "xb") as file:
            with contextlib.suppress(OSError):  # where there are no locks, nothing is removed
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write(file)
            file.flush()
            os.fsync(file.fileno())
            _replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, must survive a power cut
    finally:
        os.close(folder)


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove what writers of `path` that were killed left beside it, as far as is allowed."""
    target = Path(os.path.realpath(path))
    for leftover in target.parent.glob(f"{glob.escape(_temporary_stem(target))}*.tmp"):
        _remove_unlocked(leftover)


def remove_old_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove what writers of any file in a folder left there when they were killed, a while ago."""
    for leftover in Path(folder).glob(f"{_PREFIX}*.tmp"):
        with contextlib.suppress(OSError):
            # A writer that lives may not have locked it yet.
            if time.time() - leftover.stat().st_mtime > _OLD_SECONDS:
                _remove_unlocked(leftover)


def _remove_unlocked(leftover: Path) -> None:
    with contextlib.suppress(OSError), open(leftover, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a writer that lives holds it
        leftover.unlink()


def _replace(temporary: Path, target: Path) -> None:
    try:
        os.replace(temporary, target)
    except FileNotFoundError:
        reason = "somebody removed the temporary file before it was whole"
        raise FileNotFoundError(errno.ENOENT, reason, os.fspath(temporary)) from None


def _temporary_stem(target: Path) -> str:
    """How the names of a file's temporary files begin: short, however long its own name is."""
    key = hashlib.blake2b(os.fsencode(target.name), digest_size=8).hexdigest()
    return f"{_PREFIX}{key}-"
