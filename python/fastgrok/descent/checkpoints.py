"""Checkpoints: the whole state of a run in a file, so that the same call can go on from there.

The file is a line with format and version, a BLAKE2b digest of all that follows, and then arrays
in NumPy's .npy format: a JSON header and, in the order that it names, the arrays of the state.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from time import perf_counter
from typing import IO, Any

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from fastgrok._checks import Data, blocks
from fastgrok._core import Descent, simd
from fastgrok._files import remove_leftovers, write_atomically
from fastgrok.descent.errors import CheckpointError

DEFAULT_INTERVAL = 30.0
"""Seconds between two writes."""

FORMAT = b"fastgrok-checkpoint"
VERSION = b"5"
"""Raised when the format changes, and also when the bits that a step gives change."""

_BLOCK = 1 << 24  # bytes hashed at a time, so that Ctrl-C is heard in between
_DIGEST = 32
_LONGEST_FIRST_LINE = 64
_BUSY = 9.0  # pause at least this many times as long as a write took


def identity(
    data: dict[str, Data], arrays: dict[str, NDArray[Any]], settings: dict[str, Any]
) -> dict[str, Any]:
    """
    Describe all that the bits of a run depend on, in plain JSON.

    Parameters
    ----------
    data : dict
        The training set and then the evaluation sets, by name.
    arrays : dict
        The other arrays, by the names that a message should give them.
    settings : dict
        Numbers, strings and booleans.
    """
    names = list(data)
    described = {"evals": names[1:], **settings, "simd": _simd_family(simd())}
    for name, value in arrays.items():
        described[name] = _describe(value)
    for name in names:
        prefix = "" if name == "train" else f"evals[{name!r}] "
        for part, value in _describe_set(data[name]).items():
            described[prefix + part] = value
    return described


def _describe_set(data: Data) -> dict[str, Any]:
    X, y = data
    return {"X": _describe(X), "y": _describe(y)}


def _describe(array: NDArray[Any]) -> dict[str, Any]:
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for _, block in blocks(flat, _BLOCK):
        digest.update(block.data)
    return {"shape": list(array.shape), "dtype": array.dtype.str, "digest": digest.hexdigest()}


def _simd_family(name: str) -> str:
    """Instruction sets that give the same bits share a family."""
    return "v2" if name == "v2" else "v3, v4 or neon"


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words how two identities differ; nothing if they do not."""
    found = []
    for name in [*now, *(name for name in then if name not in now)]:
        if name not in then or name not in now:
            if name.startswith("evals["):
                continue  # the names of the sets differ, which is said already
            found.append(f"{name} was {then.get(name, 'unknown')}, is {now.get(name, 'unknown')}")
        elif json.dumps(then[name]) != json.dumps(now[name]):  # as text, to tell 0.0 from -0.0
            found.append(_difference(name, then[name], now[name]))
    return found


def _difference(name: str, then: Any, now: Any) -> str:
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return f"{name} was {then!r}, is {now!r}"
    shapes = [tuple(value.get("shape", ())) for value in (then, now)]
    dtypes = [value.get("dtype") for value in (then, now)]
    if shapes[0] != shapes[1]:
        return f"{name} had shape {shapes[0]}, has shape {shapes[1]}"
    if dtypes[0] != dtypes[1]:
        return f"{name} had dtype {dtypes[0]}, has dtype {dtypes[1]}"
    return f"{name} holds other values"


class Checkpoint:
    """
    The file of one run.

    Parameters
    ----------
    path : str
        The file.
    interval : float
        Seconds between two writes; 0 writes whenever it is asked.
    run : dict
        The `identity` of the run.

    Attributes
    ----------
    began : float
        When the run began by `perf_counter`, earlier calls added.
    finished : bool
        Whether the file held the end of the run.
    failure : OSError, MemoryError or None
        Why the last write failed, if it did.
    """

    def __init__(self, path: str, interval: float, run: dict[str, Any]) -> None:
        self.path = path
        self.began = perf_counter()
        self.finished = False
        self.failure: OSError | MemoryError | None = None
        self._interval = interval
        self._run = run
        self._next = 0.0
        self._step = 0

    def resume(self, descent: Descent, records: int) -> None:
        """
        Go on from the file if there is one, and see whether it can be written: `failure`.

        Raises
        ------
        CheckpointError
            If it cannot be read, is damaged or is of another run.
        """
        if os.path.exists(self.path):
            self._restore(descent, records)
        remove_leftovers(self.path)
        if not self.finished:
            self.write(descent)

    def write_if_due(self, descent: Descent) -> bool:
        """Write the state if it is time to; False if that failed."""
        return perf_counter() < self._next or self.write(descent)

    def write(self, descent: Descent) -> bool:
        """Write the state; False, and `failure` set, if that failed."""
        start = perf_counter()
        header = {"seconds": start - self.began, "run": self._run}
        try:
            state = descent.state()
            write_atomically(self.path, lambda file: _write(file, header, state))
        except (OSError, MemoryError) as error:
            self.failure = error
            return False
        self.failure = None
        self._step = descent.step
        end = perf_counter()
        pause = max(self._interval, _BUSY * (end - start)) if self._interval > 0.0 else 0.0
        self._next = end + pause
        return True

    def state(self) -> str:
        """Say what became of the file."""
        if self.failure is None:
            return f"checkpoint {self.path!r} holds the run up to step {self._step}"
        reason = getattr(self.failure, "strerror", None) or repr(self.failure)
        return f"checkpoint {self.path!r} cannot be written: {reason}"

    def _restore(self, descent: Descent, records: int) -> None:
        if not os.path.isfile(self.path):
            raise self._refusal("is not a file")
        try:
            with open(self.path, "rb") as file:
                self._check(file)
                header = _read_header(file)
                found = differences(header["run"], self._run)
                if found:
                    raise self._refusal(
                        f"is of another run: {'; '.join(found)}; give the same arguments and data, "
                        "or another path"
                    )
                state = {name: read_array(file, allow_pickle=False) for name in header["arrays"]}
            descent.restore(state)
        except CheckpointError:
            raise
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or repr(error)
            raise self._refusal(f"cannot be read: {reason}") from error
        except Exception as error:  # whatever the readers of npy and JSON and the core raise
            raise self._refusal(f"is damaged: {error}; remove it to start anew") from error
        self.began = perf_counter() - header["seconds"]
        self.finished = state["steps"].size == records
        self._step = descent.step

    def _check(self, file: IO[bytes]) -> None:
        """Refuse what is not whole, and leave a file that is at the start of its arrays."""
        name, _, version = file.readline(_LONGEST_FIRST_LINE).rstrip(b"\n").partition(b" ")
        if name != FORMAT:
            raise self._refusal("is not a fastgrok checkpoint, and is left as it is")
        if version != VERSION:
            raise self._refusal(
                f"has format version {version.decode(errors='replace')!r}; this fastgrok reads "
                f"version {VERSION.decode()!r}"
            )
        expected = file.read(_DIGEST)
        start = file.tell()
        digest = hashlib.blake2b(digest_size=_DIGEST)
        while block := file.read(_BLOCK):
            digest.update(block)
        if digest.digest() != expected:
            raise self._refusal("is damaged: its checksum is wrong; remove it to start anew")
        file.seek(start)

    def _refusal(self, what: str) -> CheckpointError:
        return CheckpointError(f"checkpoint {self.path!r} {what}")


def _read_header(file: IO[bytes]) -> dict[str, Any]:
    header = json.loads(read_array(file, allow_pickle=False).tobytes())
    if not isinstance(header, dict):
        raise ValueError("its header is not an object")
    for name, kind in (("seconds", float), ("run", dict), ("arrays", list)):
        if not isinstance(header.get(name), kind):
            raise ValueError(f"its header lacks {name!r}")
    if not 0.0 <= header["seconds"] < math.inf:
        raise ValueError(f"it took {header['seconds']} seconds")
    return header


class _Hashing:
    """Passes what is written on to a file and takes its digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.blake2b(digest_size=_DIGEST)

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._file.write(data)


def _write(file: IO[bytes], header: dict[str, Any], state: dict[str, NDArray[Any]]) -> None:
    text = json.dumps({**header, "arrays": list(state)}).encode()
    file.write(FORMAT + b" " + VERSION + b"\n")
    start = file.tell()
    file.write(bytes(_DIGEST))
    hashing = _Hashing(file)
    for array in (np.frombuffer(text, dtype=np.uint8), *state.values()):
        np.save(hashing, array, allow_pickle=False)
    file.seek(start)
    file.write(hashing.hash.digest())
