"""Rows on the workers of a cluster: where they are, asking about them, and who takes over."""

from __future__ import annotations

import contextlib
import threading
import uuid
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from time import monotonic, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Classes
from fastgrok._core import Problem, chunk_rows, problem_elsewhere
from fastgrok.distributed._line import Asked
from fastgrok.distributed._shard import OWNERS, NotHereError, Shard, Signs, fill
from fastgrok.distributed._talk import LostError, Piece, Talk
from fastgrok.distributed.clients import Cluster, ClusterError

REPLACED_WITHIN = 15.0
"""Seconds in which another worker may come in the place of one that was lost."""
ANY_WITHIN = 60.0
"""Seconds in which one must come where none is left."""
_ATTEMPTS = 8
_MOST_GATHERED = 1 << 27

Read = Callable[[NDArray[Any]], tuple[F64, Classes]]
"""Signs of labels, and what they are called; raises where they are those of no two classes."""


@dataclass
class Remote:
    """
    Rows and labels on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        The cluster's.
    X, y : dask arrays, y also signs in a NumPy array
        Rows in one column of blocks.
    shape, dtype
        Those of X.
    names : tuple of str
        What messages call X and y.
    read : callable
        Makes signs of labels.
    signs : list of (label, sign), optional
        Where they are known.
    classes : tuple
        What the labels are called, once they are known.
    threads : int or None
        Of each worker; None: as many as it has.
    """

    client: Any
    X: Any
    y: Any
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    names: tuple[str, str]
    read: Read
    signs: Signs | None = None
    classes: Classes = _checks.SIGNS
    threads: int | None = None
    _pieces: list[Piece] = field(default_factory=list, init=False)
    _asked: dict[tuple[int, int], Asked] = field(default_factory=dict, init=False)
    _problems: int = field(default=0, init=False)
    _workers: int = field(default=0, init=False)
    _here: tuple[NDArray[Any], F64] | None = field(default=None, init=False)
    _known: tuple[list[bytes], list[bytes]] | None = field(default=None, init=False)
    _failed: ClusterError | None = field(default=None, init=False)
    _turn: threading.RLock = field(default_factory=threading.RLock, init=False)
    _over: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._cluster = Cluster(self.client)
        self._talk = Talk(self._cluster, self._pieces)

    def place(self) -> None:
        """Bring the rows to the workers, in equal shares of whole chunks for each thread."""
        workers = self._cluster.alive(ANY_WITHIN)
        self._workers = len(workers)
        rows = chunk_rows(*self.shape)
        chunks, threads = len(rows) - 1, sum(workers.values())
        done, count = 0, 0
        for worker, of_worker in sorted(workers.items()):
            count += of_worker
            end = round(chunks * count / threads)
            if end > done:
                self._pieces.append(Piece((done, end), rows[done], rows[end], worker))
                done = end
        try:
            self._place()
        except BaseException:  # which may be kept, and all that it came through with it
            for piece in self._pieces:
                self._let_go(piece)
            raise

    def _place(self) -> None:
        for _ in range(_ATTEMPTS):
            try:
                for stage in (self._begin, self._bring, self._arrive):  # of all at once
                    for piece in self._pieces:
                        if not piece.ready:
                            stage(piece)
                if self.signs is None:
                    self._settle()
                for piece in self._pieces:
                    if not piece.ready:
                        self._finish(piece)
                return
            except LostError:
                # Blocks that two need may be waiting for the one that is gone: both begin again.
                for piece in self._pieces:
                    self._drop(piece)
                workers = self._cluster.alive(ANY_WITHIN)
                for piece in self._pieces:
                    if piece.worker not in workers:
                        self._replace(piece)
        raise self._too_many_lost()

    def _settle(self) -> None:
        """Find out what the labels are called, and which is +1."""
        found = [self._talk.call(piece, "labels") for piece in self._pieces]
        different = _labels(list(dict.fromkeys(chain(*found))), self.y.dtype)
        try:
            signs, self.classes = self.read(different)
        except (TypeError, ValueError):
            if self.shape[0] <= _MOST_GATHERED:  # to say where
                rows = [self._talk.call(piece, "labels_of_rows") for piece in self._pieces]
                self.read(np.concatenate([_labels(one, self.y.dtype)[at] for one, at in rows]))
            raise
        self.signs = list(zip(different.tolist(), signs.tolist(), strict=True))

    def problem(self, bias: bool) -> Problem:
        """Return a problem of these rows for the engines."""
        with self._turn:
            self._problems += 1
            self._failed = None
            run = self._problems * OWNERS

        def ask(asked: list[tuple[int, F64, int, int]], forgotten: list[int]) -> F64:
            with self._turn:  # of threads that train on the same rows
                return self._ask(
                    [(what, run + owner, about) for what, about, owner, _ in asked],
                    [place for *_, place in asked],
                    [run + one for one in forgotten],
                )

        def gather() -> Problem:
            return Problem(*self.gathered(), bias)

        # Of a run that is over the workers forget all at the next question of another.
        weakref.finalize(ask, self._over.append, run)
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

    def _ask(self, asked: Asked, places: list[int], forgotten: list[int]) -> F64:
        over, self._over[:] = list(self._over), []
        forgotten = [*forgotten, *over]
        for key in [
            key for key in self._asked if key[0] in forgotten or key[0] // OWNERS * OWNERS in over
        ]:
            del self._asked[key]
        if self._failed is not None:  # what is left of a run need not wait for workers again
            raise self._failed
        try:
            out = self._of_all("answer", forgotten, [asked])
        except ClusterError as error:
            self._failed = error
            raise
        for one, place in zip(asked, places, strict=True):
            if place >= 0:
                self._asked[one[1], place] = [one]
        return np.concatenate(out)

    def _of_all(self, name: str, *arguments: Any) -> list[Any]:
        """Call all at once, and who takes over from one that is lost."""
        out = []
        with self._turn:
            sent = [(piece, self._talk.send(piece, name, *arguments)) for piece in self._pieces]
            for piece, answer in sent:
                try:
                    out.append(self._talk.wait(piece, answer, name, *arguments))
                except LostError:
                    out.append(self._insist(piece, name, *arguments))
        return out

    def _insist(self, piece: Piece, name: str, *arguments: Any) -> Any:
        """Call another worker, told what live runs have left, and another if that is lost too."""
        left = [self._asked[key] for key in sorted(self._asked)]
        for _ in range(_ATTEMPTS):
            try:
                self._replace(piece)
                for stage in (self._begin, self._bring, self._arrive, self._finish):
                    stage(piece)
                if left:
                    self._talk.call(piece, "answer", [], left)
                return self._talk.call(piece, name, *arguments)
            except LostError:
                continue
        raise self._too_many_lost()

    def _too_many_lost(self) -> ClusterError:
        return ClusterError(
            f"{_ATTEMPTS} workers were lost one after the other while they made rows of "
            f"{self.names[0]}; see what the workers log, of memory above all"
        )

    def _replace(self, piece: Piece) -> None:
        """Choose another worker: one that holds nothing, soon; else the one that holds least."""
        self._let_go(piece)
        lost, until = piece.worker, monotonic() + REPLACED_WITHIN
        while True:
            workers = self._cluster.alive(ANY_WITHIN)
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

    def _let_go(self, piece: Piece) -> None:
        self._drop(piece)
        if piece.future is not None:
            piece.future.release()
        piece.future = piece.actor = piece.line = None
        piece.ready = False

    def _begin(self, piece: Piece) -> None:
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
        piece.actor = self._talk.result(piece, piece.future)

    def _bring(self, piece: Piece) -> None:
        import dask  # noqa: PLC0415

        bring, tasks = dask.delayed(fill), []
        for name, array in zip(self.names, (self.X, self.y), strict=True):
            labels = array is self.y
            if isinstance(array, np.ndarray):
                part = array[piece.start : piece.stop]
                tasks.append(bring(piece.token, piece.start, name, part.shape, part, labels))
                continue
            edges = np.concatenate(([0], np.cumsum(array.chunks[0])))
            first = int(np.searchsorted(edges, piece.start, "right")) - 1
            last = int(np.searchsorted(edges, piece.stop, "left"))
            blocks = array.blocks[first:last].to_delayed(optimize_graph=not self._together)
            for k, block in enumerate(blocks.reshape(-1), first):
                shape = (int(edges[k + 1] - edges[k]), *array.shape[1:])
                tasks.append(bring(piece.token, int(edges[k]), name, shape, block, labels))
        piece.bringing = self.client.compute(
            tasks, workers=[piece.worker], allow_other_workers=False, optimize_graph=True
        )

    @cached_property
    def _together(self) -> bool:
        """Whether rows and labels are made of the same, which optimizing each would make twice."""
        return not isinstance(self.y, np.ndarray) and not {*self.X.dask}.isdisjoint(self.y.dask)

    def _drop(self, piece: Piece) -> None:
        if piece.bringing:
            with contextlib.suppress(Exception):  # who has no scheduler is told by what is next
                self.client.cancel(piece.bringing, force=True)
        piece.bringing = None

    def _arrive(self, piece: Piece) -> None:
        for future in piece.bringing:
            wrong = self._talk.result(piece, future)
            if isinstance(wrong, NotHereError):
                raise LostError from wrong
            if wrong is not None:
                raise wrong
        # Not left to the collector: what a lost worker owes keeps others from making such blocks.
        for future in piece.bringing:
            future.release()
        piece.bringing = []

    def _finish(self, piece: Piece) -> None:
        self._talk.call(piece, "ready", self.names[1], self.signs)
        piece.ready = True
        self._talk.open_line(piece)


def _labels(found: list[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Make an array of different labels, of their kind."""
    text = any(isinstance(label, str) for label in found)
    return np.array(found, dtype=object if text or kind.kind not in "biuf" else kind)
