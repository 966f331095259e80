"""What a worker holds: some whole chunks of a problem, and the answers about them."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._core import Problem, RowServer, chunk_rows
from fastgrok._files import digests
from fastgrok.distributed import _line

_FILLED: weakref.WeakValueDictionary[str, Shard] = weakref.WeakValueDictionary()
"""Those of this process, for the tasks that bring their rows."""


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
        self.y = np.zeros(shape[0])
        self.start, self._part, self._threads = start, part, threads
        self._server: RowServer | None = None
        self._turn = threading.Lock()
        _FILLED[token] = self

    def ready(self) -> int:
        """Prepare the rows, all of which have come; return the number of threads."""
        threads = self._threads
        if threads is None:
            from distributed import get_worker  # noqa: PLC0415

            threads = get_worker().state.nthreads
        self._server = RowServer(Problem(self.X, self.y, True), *self._part, threads)
        return threads

    def answer(self, forgotten: list[int], asked: list[_line.Asked]) -> F64:
        """Forget what some owners had asked, answer questions and return the last answer."""
        if self._server is None:  # made anew by the scheduler, who does not know of its rows
            raise LookupError("the rows are not here")
        out = np.empty(0)
        with self._turn:  # what came by a line that is given up may be under way
            for owner in forgotten:
                self._server.forget(owner)
            for questions in asked:
                out = self._server.answer(questions)
        return out

    def offer(self) -> _line.Offer | None:
        """Offer a line of its own to who asks."""
        return _line.offer(self)

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


def fill(token: str, first: int, what: str, shape: tuple[int, ...], block: Any) -> None:
    """Bring rows, or labels, of the problem from number `first` on, of the shape that is due."""
    shard = _FILLED.get(token)
    if shard is None:
        raise NotHereError("the rows that these belong to are not here")
    block = _checks.numbers(f"a block of {what}", block)
    if block.shape != shape:
        raise ValueError(
            f"{what}[{first}:{first + shape[0]}] must be of shape {shape}, as the array's chunks "
            f"say, but its block has {block.shape}: give the array the chunks that it has"
        )
    begin, stop = max(first, shard.start), min(first + len(block), shard.start + len(shard.X))
    block = block[begin - first : stop - first]
    place = slice(begin - shard.start, stop - shard.start)
    if what == "y":
        shard.y[place] = _checks.labels(f"y[{begin}:{stop}]", block, stop - begin)
    else:
        shard.X[place] = _checks.finite(
            f"X[{begin}:{stop}]", block.astype(shard.X.dtype, copy=False)
        )
