"""A folder of finished cells, which sweeps share and can be killed beside."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastgrok._files import remove_old_leftovers, write_atomically
from fastgrok.sweeps._values import Outcome

_FORMAT = "fastgrok-sweep-cell"
_VERSION = 1


class Store:
    """
    Results by key: KEY.json of a cell that is done, KEY.failed.txt of one that failed.

    Every file is whole at any time, and two sweeps that write the same one write the same.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise NotADirectoryError(f"store must be a folder, but {folder!r} is a file") from None
        remove_old_leftovers(self.folder)

    def get(self, key: str) -> Outcome | None:
        """Return a cell that is done; None if it is not, or if its file is damaged."""
        try:
            text = (self.folder / f"{key}.json").read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        try:
            stored = json.loads(text)
            cell = stored["cell"]
            if stored["digest"] != _digest(cell) or (cell["version"], cell["key"]) != (
                _VERSION,
                key,
            ):
                return None
            values = {
                name: (
                    tuple(one["dims"]),
                    np.array(one["data"], one["dtype"]).reshape(one["shape"]),
                )
                for name, one in cell["values"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return Outcome(values)

    def put(self, key: str, description: dict[str, Any], outcome: Outcome) -> None:
        """Keep what became of a cell; `description` says what it was made from."""
        failed = self.folder / f"{key}.failed.txt"
        if outcome.values is None:
            lines = [f"{name}: {value}" for name, value in description.items()]
            text = "\n".join([*lines, "", outcome.traceback])
            write_atomically(failed, partial(_write, text))
            return
        cell = {
            "format": _FORMAT,
            "version": _VERSION,
            "key": key,
            "made_from": description,
            "values": {
                name: {
                    "dims": dims,
                    "shape": array.shape,
                    "dtype": array.dtype.newbyteorder("=").str,
                    "data": array.ravel().tolist(),  # floats are written so that their bits return
                }
                for name, (dims, array) in outcome.values.items()
            },
        }
        cell = json.loads(json.dumps(cell))  # as it will be read
        text = json.dumps({"cell": cell, "digest": _digest(cell)})
        write_atomically(self.folder / f"{key}.json", partial(_write, text))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(failed)


def _digest(cell: Any) -> str:
    return hashlib.blake2b(json.dumps(cell).encode(), digest_size=16).hexdigest()


def _write(text: str, file: IO[bytes]) -> None:
    file.write(text.encode())
