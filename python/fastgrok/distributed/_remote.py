"""Rows on the workers of a cluster: where they are, asking about them, and who takes over."""

from __future__ import annotations

import contextlib
import threading
import uuid
import weakref
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok._core import Problem, chunk_rows, problem_elsewhere
from fastgrok.distributed._line import Asked, BrokenLineError, Line
from fastgrok.distributed._shard import NotHereError, Shard, fill
from fastgrok.errors import FastgrokError

REPLACED_WITHIN = 15.0
"""Seconds in which another worker may come in the place of one that was lost."""
ANY_WITHIN = 60.0
"""Seconds in which one must come where none is left."""
_ATTEMPTS = 8
_OWNERS = 1 << 32


class ClusterError(FastgrokError):
    """The workers of a cluster cannot hold the rows, or not answer any more."""


class _LostError(Exception):
    """A worker is gone, and what it held."""


@dataclass(eq=False)
class _Piece:
    """Neighbouring chunks, and who has them."""

    part: tuple[int, int]  # chunks
    start: int  # rows
    stop: int
    worker: str = ""
    token: str = ""
    bringing: Any = None  # tasks that fill it
    ready: bool = False
    future: Any = None
    actor: Any = None
    line: Line | None = None  # None: the actor answers


@dataclass
class Remote:
    """
    Rows and labels on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        The cluster's.
    X, y : dask arrays, y also a NumPy array
        Rows in one column of blocks.
    shape, dtype
        Those of X.
    threads : int or None
        Of each worker; None: as many as it has.
    """

    client: Any
    X: Any
    y: Any
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    threads: int | None = None
    _pieces: list[_Piece] = field(default_factory=list, init=False)
    _asked: dict[tuple[int, int], Asked] = field(default_factory=dict, init=False)
    _problems: int = field(default=0, init=False)
    _workers: int = field(default=0, init=False)
    _here: tuple[NDArray[Any], F64] | None = field(default=None, init=False)
    _known: tuple[list[bytes], list[bytes]] | None = field(default=None, init=False)
    _failed: ClusterError | None = field(default=None, init=False)
    _turn: threading.RLock = field(default_factory=threading.RLock, init=False)
    _last: int = field(default=0, init=False)
    _over: list[int] = field(default_factory=list, init=False)

    def place(self) -> None:
        """Bring the rows to the workers, in equal shares of whole chunks for each thread."""
        workers = self._alive(ANY_WITHIN)
        self._workers = len(workers)
        rows = chunk_rows(*self.shape)
        chunks, threads = len(rows) - 1, sum(workers.values())
        done, count = 0, 0
        for worker, of_worker in sorted(workers.items()):
            count += of_worker
            end = round(chunks * count / threads)
            if end > done:
                self._pieces.append(_Piece((done, end), rows[done], rows[end], worker))
                done = end
        for _ in range(_ATTEMPTS):
            try:
                for stage in (self._begin, self._bring, self._finish):  # of all at once
                    for piece in self._pieces:
                        if not piece.ready:
                            stage(piece)
                return
            except _LostError:
                # Blocks that two need may be waiting for the one that is gone: both begin again.
                for piece in self._pieces:
                    self._drop(piece)
                workers = self._alive(ANY_WITHIN)
                for piece in self._pieces:
                    if piece.worker not in workers:
                        self._replace(piece)
        raise self._too_many_lost()

    def problem(self, bias: bool) -> Problem:
        """Return a problem of these rows for the engines."""
        with self._turn:
            self._problems += 1
            self._failed = None
            number = self._problems * _OWNERS

        def ask(asked: list[tuple[int, F64, int, int]], forgotten: list[int]) -> F64:
            with self._turn:  # of threads that train on the same rows
                return self._ask(
                    number,
                    [(what, owner and number + owner, about) for what, about, owner, _ in asked],
                    [place for *_, place in asked],
                    [number + one for one in forgotten],
                )

        def gather() -> Problem:
            return Problem(*self.gathered(), bias)

        # Of a run that is over the workers forget all at the next question of another.
        weakref.finalize(ask, self._over.append, number)
        return problem_elsewhere(*self.shape, bias, ask, gather)

    def gathered(self) -> tuple[NDArray[Any], F64]:
        """Return copies of all rows and labels."""
        if self._here is None:
            X, y = zip(*self._of_all("rows"), strict=True)
            self._here = np.concatenate(X), np.concatenate(y)
        return self._here

    def digests(self) -> tuple[list[bytes], list[bytes]]:
        """Return digests of the rows and of the labels of each chunk."""
        if self._known is None:
            X, y = zip(*self._of_all("digests"), strict=True)
            self._known = list(chain(*X)), list(chain(*y))
        return self._known

    def workers(self) -> list[str]:
        """Return the addresses of those that hold rows, in the order of the rows."""
        return [piece.worker for piece in self._pieces]

    def _ask(self, number: int, asked: Asked, places: list[int], forgotten: list[int]) -> F64:
        over, self._over[:] = set(self._over), []
        gone = {key[0] for key in self._asked if key[0] // _OWNERS * _OWNERS in over}
        forgotten = [*forgotten, *sorted(gone)]
        for key in [key for key in self._asked if key[0] in forgotten]:
            del self._asked[key]
        before, last = [], self._last
        # Of what has no owner workers know the last run's alone.
        if number != last and any(owner == 0 for _, owner, _ in asked):
            before = [self._asked[key] for key in sorted(self._asked) if key[0] == number]
            last, self._last = number, -1  # nobody's, should this fail
        if self._failed is not None:  # what is left of a run need not wait for workers again
            raise self._failed
        try:
            out = self._of_all("answer", forgotten, [*before, asked])
        except ClusterError as error:
            self._failed = error
            raise
        self._last = last
        for one, place in zip(asked, places, strict=True):
            if place >= 0:
                self._asked[one[1] or number, place] = [one]
        return np.concatenate(out)

    def _of_all(self, name: str, *arguments: Any) -> list[Any]:
        """Call all at once, and who takes over from one that is lost."""
        out = []
        with self._turn:
            sent = [(piece, self._send(piece, name, *arguments)) for piece in self._pieces]
            for piece, answer in sent:
                try:
                    out.append(self._wait(piece, answer, name, *arguments))
                except _LostError:
                    out.append(self._insist(piece, name, *arguments))
        return out

    def _insist(self, piece: _Piece, name: str, *arguments: Any) -> Any:
        """Call another worker, told what live runs have left, and another if that is lost too."""
        # Last what has no owner, of the run whose workers know it.
        keys = sorted(self._asked, key=lambda key: (key[0] == self._last, key))
        left = [self._asked[key] for key in keys]
        for _ in range(_ATTEMPTS):
            try:
                self._replace(piece)
                self._load(piece)
                if left:
                    self._call(piece, "answer", [], left)
                return self._call(piece, name, *arguments)
            except _LostError:
                continue
        raise self._too_many_lost()

    def _too_many_lost(self) -> ClusterError:
        return ClusterError(
            f"{_ATTEMPTS} workers were lost one after the other while they made rows of X; see "
            "what the workers log, of memory above all"
        )

    def _replace(self, piece: _Piece) -> None:
        """Choose another worker: one that holds nothing, soon; else the one that holds least."""
        self._drop(piece)
        if piece.future is not None:
            piece.future.release()
        piece.future = piece.actor = piece.line = None
        piece.ready = False
        lost, until = piece.worker, monotonic() + REPLACED_WITHIN
        while True:
            workers = self._alive(ANY_WITHIN)
            if len(workers) > 1 or monotonic() <= until:  # one may come at the same address
                workers.pop(lost, None)
            held = dict.fromkeys(workers, 0)
            for other in self._pieces:
                if other is not piece and other.worker in held:
                    held[other.worker] += other.stop - other.start
            if workers and (monotonic() > until or 0 in held.values()):
                piece.worker = min(held, key=lambda name: held[name] / workers[name])
                return
            if len(workers) >= self._workers:
                until = 0.0
            sleep(0.1)

    def _alive(self, within: float) -> dict[str, int]:
        """Return the addresses of the workers and their numbers of threads."""
        until = monotonic() + within
        while not (workers := dict(self.client.nthreads())):
            if monotonic() > until:
                raise ClusterError(f"the cluster has had no worker for {within:g} s")
            sleep(0.1)
        return workers

    def _load(self, piece: _Piece) -> None:
        """Make the rows of a piece on its worker, from the graph."""
        for stage in (self._begin, self._bring, self._finish):
            stage(piece)

    def _begin(self, piece: _Piece) -> None:
        piece.token = uuid.uuid4().hex
        piece.future = self.client.submit(
            Shard,
            piece.token,
            (piece.stop - piece.start, self.shape[1]),
            self.dtype.str,
            piece.start,
            (self.shape[0], *piece.part),
            self.threads,
            actor=True,
            workers=[piece.worker],
            allow_other_workers=False,
            pure=False,
            key=f"fastgrok-rows-{piece.token}",
        )
        piece.actor = self._result(piece, piece.future)

    def _bring(self, piece: _Piece) -> None:
        import dask  # noqa: PLC0415

        bring, tasks = dask.delayed(fill), []
        for what, array in (("X", self.X), ("y", self.y)):
            if isinstance(array, np.ndarray):
                labels = array[piece.start : piece.stop].astype(np.int8)
                tasks.append(bring(piece.token, piece.start, what, labels.shape, labels))
                continue
            edges = np.concatenate(([0], np.cumsum(array.chunks[0])))
            first = int(np.searchsorted(edges, piece.start, "right")) - 1
            last = int(np.searchsorted(edges, piece.stop, "left"))
            blocks = array.blocks[first:last].to_delayed().reshape(-1)
            for k, block in enumerate(blocks, first):
                shape = (int(edges[k + 1] - edges[k]), *array.shape[1:])
                tasks.append(bring(piece.token, int(edges[k]), what, shape, block))
        piece.bringing = self.client.compute(
            tasks, workers=[piece.worker], allow_other_workers=False, optimize_graph=True
        )

    def _drop(self, piece: _Piece) -> None:
        if piece.bringing:
            self.client.cancel(piece.bringing, force=True)
        piece.bringing = None

    def _finish(self, piece: _Piece) -> None:
        for future in piece.bringing:
            self._result(piece, future)
        # Not left to the collector: what a lost worker owes keeps others from making such blocks.
        for future in piece.bringing:
            future.release()
        piece.bringing = []
        self._call(piece, "ready")
        piece.ready = True
        self._open_line(piece)

    def _open_line(self, piece: _Piece) -> None:
        piece.line = None
        offer = self._call(piece, "offer")
        if offer is not None:
            with contextlib.suppress(OSError):  # a firewall may stand between
                piece.line = Line(piece.worker, offer, self.client.security)

    def _result(self, piece: _Piece, future: Any) -> Any:
        """Wait for what the worker of a piece does."""
        while True:
            try:
                return future.result(timeout=1.0)
            except TimeoutError:  # not yet; who is lost may never answer
                if getattr(future, "status", None) == "error":
                    raise  # it is what a task has raised
                workers = self.client.nthreads()
                brings = [other for other in self._pieces if other.bringing or other is piece]
                if any(other.worker not in workers for other in brings):
                    raise _LostError from None
            except Exception as error:
                self._judge(piece, error, of_rows=future in (piece.bringing or ()))

    def _call(self, piece: _Piece, name: str, *arguments: Any) -> Any:
        return self._wait(piece, self._send(piece, name, *arguments), name, *arguments)

    def _send(self, piece: _Piece, name: str, *arguments: Any) -> Any:
        if name == "answer":
            try:
                if self._send_by_line(piece, *arguments):
                    return piece.line
            except Exception as error:
                return error
        return self._send_to_actor(piece, name, *arguments)

    def _send_by_line(self, piece: _Piece, forgotten: list[int], asked: list[Asked]) -> bool:
        if piece.line is not None and piece.line.owes:  # it was broken, or nobody waited
            self._open_line(piece)
        if piece.line is None or len(asked) > 1:
            return False
        with contextlib.suppress(BrokenLineError):
            piece.line.ask(forgotten, asked[0])
            return True
        return False

    def _send_to_actor(self, piece: _Piece, name: str, *arguments: Any) -> Any:
        if piece.actor is None:
            return LookupError("no worker has these rows")
        try:
            return getattr(piece.actor, name)(*arguments)
        except Exception as error:
            return error

    def _wait(self, piece: _Piece, answer: Any, name: str, *arguments: Any) -> Any:
        if isinstance(answer, Exception):
            self._judge(piece, answer)
        try:
            return self._result(piece, answer)
        except BrokenLineError:  # the actor answers, or says what is wrong
            answer = self._send_to_actor(piece, name, *arguments)
            return self._wait(piece, answer, name, *arguments)

    def _judge(self, piece: _Piece, error: Exception, of_rows: bool = False) -> None:
        """Raise what a worker raised, or that it is lost."""
        from distributed import KilledWorker  # noqa: PLC0415

        gone = (OSError, RuntimeError, LookupError, CancelledError, KilledWorker)
        until = monotonic() + 2.0
        theirs = of_rows and isinstance(error, LookupError) and not isinstance(error, NotHereError)
        while isinstance(error, gone) and not theirs:
            if isinstance(error, LookupError) or piece.worker not in self.client.nthreads():
                raise _LostError from error
            if monotonic() > until:
                break
            sleep(0.1)
        raise error
