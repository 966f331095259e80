"""What a worker holds: some whole chunks of a problem, and the answers about them."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, frames
from fastgrok._core import Problem, RowServer, chunk_rows
from fastgrok._files import digests
from fastgrok.distributed import _line

OWNERS = 1 << 32
"""Owners of questions are numbered run by run: k * OWNERS + those of run k, 0 the run itself."""
_MOST_LABELS = 8
_FILLED: weakref.WeakValueDictionary[str, Shard] = weakref.WeakValueDictionary()
"""Those of this process, for the tasks that bring their rows."""

Signs = list[tuple[Any, float]]
"""Labels, and what stands for them."""


class Shard:
    """
    Chunks of a problem, as an actor of a worker.

    Parameters
    ----------
    token : str
        What tasks that bring rows call it by.
    shape : tuple of int
        That of its rows.
    dtype : str
        Theirs.
    start : int
        The first of its rows in the problem.
    part : tuple of int
        The problem's number of rows, the first of its chunks here, and the one behind the last.
    threads : int or None
        None: as many as the worker has.
    """

    def __init__(
        self,
        token: str,
        shape: tuple[int, int],
        dtype: str,
        start: int,
        part: tuple[int, int, int],
        threads: int | None,
    ) -> None:
        self.X = np.empty(shape, dtype)
        self.y = np.zeros(shape[0])  # until they are settled, places in `found`
        self.found: list[Any] = []
        self.start, self._part, self._threads = start, part, threads
        self._problem: Problem | None = None
        self._servers: dict[int, RowServer] = {}  # of each run
        self.line = 0
        self.turn = threading.Lock()
        _FILLED[token] = self

    def ready(self, name: str, signs: Signs) -> int:
        """Settle the labels of the rows, all of which have come; return the number of threads."""
        if self._threads is None:
            from distributed import get_worker  # noqa: PLC0415

            self._threads = get_worker().state.nthreads
        known = dict(signs)
        for label in self.found:
            if label not in known:
                raise ValueError(
                    f"{name} held {' and '.join(repr(one) for one in known)} before, and now holds "
                    f"{label!r}: its graph must give the same whenever it is computed"
                )
        values = np.array([known[label] for label in self.found])
        for _, block in _checks.blocks(self.y, 1 << 16):
            block[:] = values[block.astype(np.intp)]
        self._problem = Problem(self.X, self.y, True)
        return self._threads

    def answer(
        self, forgotten: list[int], asked: list[_line.Asked], line: int | None = None
    ) -> F64:
        """
        Forget what some owners had asked, answer questions and return the last answer.

        What comes by a `line` in whose place there is another is no longer asked.
        """
        if self._problem is None:  # made anew by the scheduler, who does not know of its rows
            raise LookupError("the rows are not here")
        out = np.empty(0)
        with self.turn:  # what came by a line that is given up may be under way
            if line not in (None, self.line):
                raise _line.ClosedError
            for owner in forgotten:
                run, own = divmod(owner, OWNERS)
                if not own:
                    self._servers.pop(run, None)
                elif run in self._servers:
                    self._servers[run].forget(own)
            for questions in asked:
                server = self._server(questions[0][1] // OWNERS)
                out = server.answer([(what, own % OWNERS, about) for what, own, about in questions])
        return out

    def _server(self, run: int) -> RowServer:
        if run not in self._servers:
            assert self._problem is not None
            assert self._threads is not None
            self._servers[run] = RowServer(self._problem, *self._part, self._threads)
        return self._servers[run]

    def offer(self) -> _line.Offer | None:
        """Offer a line of its own to who asks, in the place of those before."""
        with self.turn:
            self.line += 1
        return _line.offer(self, self.line)

    def labels(self) -> list[Any]:
        """Return the different ones that have come."""
        return self.found

    def labels_of_rows(self) -> tuple[list[Any], NDArray[Any]]:
        """Return those that have come, and the place of each row's among them."""
        return self.found, self.y.astype(np.int32)

    def digests(self) -> tuple[list[bytes], list[bytes]]:
        """Return those of the rows and of the labels of each chunk."""
        rows, first, end = self._part
        edges = [edge - self.start for edge in chunk_rows(rows, self.X.shape[1])[first : end + 1]]
        return digests(self.X, edges), digests(self.y, edges)

    def rows(self) -> tuple[NDArray[Any], F64]:
        """Return all that it holds."""
        return self.X, self.y


class NotHereError(LookupError):
    """The rows of a shard that this worker does not have, or no longer."""


def fill(
    token: str, first: int, name: str, shape: tuple[int, ...], block: Any, labels: bool
) -> Exception | None:
    """
    Bring rows, or labels, of the problem from number `first` on, of the shape that is due.

    What is wrong with them is returned: the worker would log what is raised, once for each block.
    """
    try:
        shard = _FILLED.get(token)
        if shard is None:
            raise NotHereError("the rows that these belong to are not here")
        (_fill_labels if labels else _fill_rows)(shard, first, name, shape, block)
    except Exception as error:
        return error.with_traceback(None)
    return None


def _fill_rows(shard: Shard, first: int, name: str, shape: tuple[int, ...], block: Any) -> None:
    block = _checks.numbers(f"{name}[{first}:{first + shape[0]}]", block)
    block, begin, place = _due(shard, first, name, shape, block)
    frames.require_exact(name, block, begin)
    with np.errstate(over="ignore"):  # what overflows is infinite, and reported as that
        rows = block.astype(shard.X.dtype, copy=False)
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if wrong.size:
        row = int(wrong[0])
        column = int(np.flatnonzero(~np.isfinite(rows[row]))[0])
        raise ValueError(
            f"{name} must be finite, but {name}[{begin + row}, {column}] = {rows[row, column]} "
            f"({wrong.size} of the rows {begin} to {begin + len(rows) - 1} hold NaN or infinity)"
        )
    shard.X[place] = rows


def _fill_labels(shard: Shard, first: int, name: str, shape: tuple[int, ...], block: Any) -> None:
    here = f"{name}[{first}:{first + shape[0]}]"
    block = _checks.one_dimension(here, block)
    block, _, place = _due(shard, first, name, shape, block)
    if block.dtype.kind == "O":
        found = list(dict.fromkeys(block.tolist()))
        codes = np.empty(len(block), np.intp)
        for k, label in enumerate(found):
            codes[block == label] = k
    else:
        values, codes = np.unique(block, return_inverse=True)
        found = values.tolist()
    if len(found) > _MOST_LABELS:
        raise ValueError(
            f"{name} must hold the labels of two classes, but {here} alone holds {len(found)}: "
            f"{', '.join(map(repr, found[:5]))}, ..."
        )
    with shard.turn:  # of the worker's threads
        shard.found += [label for label in found if label not in shard.found]
        at = np.array([shard.found.index(label) for label in found])
    shard.y[place] = at[codes]


def _due(
    shard: Shard, first: int, name: str, shape: tuple[int, ...], block: NDArray[Any]
) -> tuple[NDArray[Any], int, slice]:
    """Return what of a block is the shard's, its first row, and its place there."""
    if block.shape != shape:
        raise ValueError(
            f"{name}[{first}:{first + shape[0]}] must be of shape {shape}, as the array's chunks "
            f"say, but its block has {block.shape}: give the array the chunks that it has"
        )
    begin, stop = max(first, shard.start), min(first + len(block), shard.start + len(shard.X))
    place = slice(begin - shard.start, stop - shard.start)
    return block[begin - first : stop - first], begin, place
