"""Checkpoints: the whole state of a run in a file, so that the same call can go on from there.

The file is a line with format and version, a BLAKE2b digest of all that follows, and then arrays
in NumPy's .npy format: a JSON header and, in the order that it names, the arrays of the state.
What leaps go on from is among them: exact iterates, never a leap that is half done.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator
from time import perf_counter
from typing import IO, Any

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from fastgrok._core import Descent, LeapingDescent
from fastgrok._files import BLOCK, DIGEST, remove_leftovers, write_atomically
from fastgrok.descent.errors import CheckpointError
from fastgrok.descent.identity import differences

DEFAULT_INTERVAL = 30.0
"""Seconds between two writes."""

FORMAT = b"fastgrok-checkpoint"
VERSION = b"7"
"""Raised when the format changes, and also when the bits that a step gives change."""

_LONGEST_FIRST_LINE = 64
_BUSY = 9.0  # pause at least this many times as long as a write took
_BEFORE = "before_"  # the arrays of earlier states begin so, and go on with a number
_LEAPS = "leaping_"  # the arrays of a state of LeapingDescent begin so
RECORDED = {
    *("steps", "correct", "b", "norm_w", "loss_sum"),
    *("sharpness", "sharpness_mean", "regime", "weights"),
}
"""The arrays that have a row for each record."""
_MAY_GROW = {"steps", "record"}
"""What may differ in a run that is taken further than it was."""


class Checkpoint:
    """
    The file of one run.

    Parameters
    ----------
    path : str
        The file.
    interval : float
        Seconds between two writes; 0 writes whenever it is asked.

    Raises
    ------
    CheckpointError
        If there is a file that cannot be read or is damaged.

    Attributes
    ----------
    began : float
        When the run began by `perf_counter`, earlier calls added.
    finished : bool
        Whether the file held the end of the run.
    failure : OSError, MemoryError or None
        Why the last write failed, if it did.
    stopped : str
        Which condition ended the run before its time; "" if none did.
    before : list of dict
        Earlier states, which a search for that may have to begin from.
    """

    def __init__(self, path: str, interval: float) -> None:
        self.path = path
        self.began = perf_counter()
        self.finished = False
        self.failure: OSError | MemoryError | None = None
        self._interval = interval
        self._run: dict[str, Any] = {}
        self._rtol: float | None = None
        self._next = 0.0
        self._step = 0
        self.stopped = ""
        self.before: list[dict[str, NDArray[Any]]] = []
        self._stored = self._read() if os.path.exists(path) else None
        if self._stored is not None:
            self.stopped = self._stored[0].get("stopped", "")

    def recorded(self) -> NDArray[Any] | None:
        """Return the steps that the file has records of, if there is one."""
        return None if self._stored is None else self._stored[1].get("steps")

    def resume(
        self,
        run: dict[str, Any],
        descent: Descent,
        leaping: LeapingDescent | None,
        rtol: float,
        record: NDArray[Any],
    ) -> None:
        """
        Go on from the file if there is one, and see whether it can be written: `failure`.

        Parameters
        ----------
        run : dict
            The `identity` of the run.
        descent, leaping, rtol
            The run as it begins, and what its leaps may be wrong by.
        record : ndarray, shape (R,)
            The steps that it records.

        Raises
        ------
        CheckpointError
            If it is of another run.
        """
        self._run = run
        self._rtol = None if leaping is None else rtol
        if self._stored is not None:
            self._restore(*self._stored, descent, leaping, record)
            self._stored = None
        remove_leftovers(self.path)
        if not self.finished:
            self.write(descent, leaping)

    def write_if_due(self, descent: Descent, leaping: LeapingDescent | None) -> bool:
        """Write the state if it is time to, and the run in one to be kept; False if that failed."""
        return perf_counter() < self._next or self.write(descent, leaping)

    def write(self, descent: Descent, leaping: LeapingDescent | None, stopped: str = "") -> bool:
        """Write the state, and what ended the run; False, and `failure` set, if that failed."""
        self.stopped = stopped or self.stopped
        if not (descent if leaping is None else leaping).can_be_kept:
            return True  # the file holds what its leap, or these records, begin from
        start = perf_counter()
        header = {"seconds": start - self.began, "run": self._run}
        if self.stopped:
            header["stopped"] = self.stopped
        try:
            state = descent.state()
            if leaping is not None:
                header["leaping"], arrays = leaping.state()
                header["rtol"] = self._rtol
                state |= {_LEAPS + name: array for name, array in arrays.items()}
            for number, earlier in enumerate(self.before):
                state |= {f"{_BEFORE}{number}_{name}": array for name, array in earlier.items()}
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

    def _read(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return header and arrays of the file."""
        if not os.path.isfile(self.path):
            raise self._refusal("is not a file")
        with self._telling():
            with open(self.path, "rb") as file:
                self._check(file)
                header = _read_header(file)
                state = {name: read_array(file, allow_pickle=False) for name in header["arrays"]}
            steps = state.get("steps", np.empty(0))
            if steps.dtype != np.float64 or steps.ndim != 1:
                raise ValueError("its steps are no numbers")
            return header, state

    def _restore(
        self,
        header: dict[str, Any],
        state: dict[str, NDArray[Any]],
        descent: Descent,
        leaping: LeapingDescent | None,
        record: NDArray[Any],
    ) -> None:
        with self._telling():
            self._restore_earlier(state)
            longer = self._extends(header["run"])
            words = header.get("leaping")
            if words is not None:
                self._check_leaps(words, header.get("rtol"), leaping)
            if longer:
                _extend(words, state)
                self._check_records(state["steps"], record)
            arrays = {
                name.removeprefix(_LEAPS): state.pop(name)
                for name in list(state)
                if name.startswith(_LEAPS)
            }
            descent.restore(state, ahead=words is not None)
            if leaping is not None and words is not None:
                leaping.restore(words, arrays)
        self.began = perf_counter() - header["seconds"]
        self.finished = state["steps"].size == record.size
        self._step = descent.step

    def _restore_earlier(self, state: dict[str, NDArray[Any]]) -> None:
        """Take the earlier states out of the arrays of a file."""
        found: dict[str, dict[str, NDArray[Any]]] = {}
        for name in [name for name in state if name.startswith(_BEFORE)]:
            number, _, own = name.removeprefix(_BEFORE).partition("_")
            found.setdefault(number, {})[own] = state.pop(name)
        self.before = list(found.values())

    def _extends(self, then: dict[str, Any]) -> bool:
        """Say whether the run is that of the file but longer, and refuse any other."""
        found = differences(then, self._run)
        before, now = then.get("steps"), self._run["steps"]
        if isinstance(before, int) and before < now:
            same = {name: value for name, value in self._run.items() if name not in _MAY_GROW}
            rest = {name: value for name, value in then.items() if name not in _MAY_GROW}
            found = differences(rest, same)
            if not found:
                return True
        if found:
            raise self._refusal(
                f"is of another run: {'; '.join(found)}; give the same arguments and data, "
                "or another path"
            )
        return False

    def _check_leaps(
        self, words: dict[str, Any], rtol: object, leaping: LeapingDescent | None
    ) -> None:
        """Refuse to go on from leaped records with other steps, or with another tolerance."""
        if leaping is None:
            if words["leaps"]:
                raise self._refusal(
                    "holds records that were leaped, and exact steps cannot go on from them; "
                    "give engine='auto' or 'leap', or another path"
                )
        elif rtol != self._rtol:
            raise self._refusal(
                f"is of another run: rtol was {rtol!r}, is {self._rtol!r}; give the same, or "
                "another path"
            )

    def _check_records(self, before: NDArray[Any], record: NDArray[Any]) -> None:
        """Refuse a longer run that leaves out a record that the shorter has made."""
        again = record[: before.size].astype(np.float64)
        size = min(again.size, before.size)
        others = np.flatnonzero(again[:size] != before[:size])
        if others.size or size < before.size:
            missing = before[others[0] if others.size else size]
            raise self._refusal(
                f"has a record of step {missing:.17g}, which record lacks, or names another "
                "before: a longer run records what the shorter has recorded, and leaves no step "
                "out between; leave record out for that"
            )

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Make whatever the readers of npy and JSON and the core raise one error."""
        try:
            yield
        except CheckpointError:
            raise
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or repr(error)
            raise self._refusal(f"cannot be read: {reason}") from error
        except Exception as error:
            raise self._refusal(f"is damaged: {error}; remove it to start anew") from error

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
        expected = file.read(DIGEST)
        start = file.tell()
        digest = hashlib.blake2b(digest_size=DIGEST)
        while block := file.read(BLOCK):
            digest.update(block)
        if digest.digest() != expected:
            raise self._refusal("is damaged: its checksum is wrong; remove it to start anew")
        file.seek(start)

    def _refusal(self, what: str) -> CheckpointError:
        return CheckpointError(f"checkpoint {self.path!r} {what}")


def _extend(words: dict[str, Any] | None, state: dict[str, NDArray[Any]]) -> None:
    """Make the state of a run one that goes on to a later end, in place.

    What the last leap has recorded is of the run to the earlier end: it is leaped again.
    """
    if words is None:
        return
    if words["stage"] == "exactly":
        words["stage"] = "fresh"
    leaps = words["leaps"]
    if leaps and not leaps[-1]["ended"]:
        leaps.pop()
    reached = max([float(state["step"][0]), *(leap["last"] for leap in leaps)])
    state[_LEAPS + "numbers"][3] = reached
    count = int(np.searchsorted(state["steps"], reached, side="right"))
    if count < state["steps"].size:
        state["last_parameters"] = state["u"]
        for name in ("top_direction", "top_direction_mean", "sharpness_search"):
            if _LEAPS + name in state:
                state[name] = state[_LEAPS + name]
        if _LEAPS + "sharpness_passes" in state:
            state["sharpness_passes"] = state[_LEAPS + "sharpness_passes"].astype(np.int64)
    for name in RECORDED & state.keys():
        state[name] = state[name][:count]


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
        self.hash = hashlib.blake2b(digest_size=DIGEST)

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._file.write(data)


def _write(file: IO[bytes], header: dict[str, Any], state: dict[str, NDArray[Any]]) -> None:
    text = json.dumps({**header, "arrays": list(state)}).encode()
    file.write(FORMAT + b" " + VERSION + b"\n")
    start = file.tell()
    file.write(bytes(DIGEST))
    hashing = _Hashing(file)
    for array in (np.frombuffer(text, dtype=np.uint8), *state.values()):
        np.save(hashing, array, allow_pickle=False)
    file.seek(start)
    file.write(hashing.hash.digest())
