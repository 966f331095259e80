"""Asking the workers that hold rows: by lines of their own or as actors, and who is lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import numpy as np

from fastgrok._checks import calls
from fastgrok.distributed._line import Asked, BrokenLineError, Line
from fastgrok.distributed._shard import NotHereError
from fastgrok.distributed.clients import Cluster, ClusterError, ClusterWarning

PAUSED_FOR = 20.0
"""Seconds after which a warning says that a run waits for a worker that lacks memory."""
_LINE_AGAIN = 30.0, 60.0
"""Seconds, and times that the last try took, until a line is tried again that could not be had."""


class LostError(Exception):
    """A worker is gone, and what it held."""


@dataclass(eq=False)
class Piece:
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
    line_after: float = 0.0  # when to try again


class Talk:
    """
    With the workers of pieces.

    Parameters
    ----------
    cluster : Cluster
        Theirs.
    pieces : sequence of Piece
        All that are to be had.
    """

    def __init__(self, cluster: Cluster, pieces: Sequence[Piece]) -> None:
        self._cluster, self._pieces = cluster, pieces
        self._told: set[str] = set()

    def call(self, piece: Piece, name: str, *arguments: Any) -> Any:
        return self.wait(piece, self.send(piece, name, *arguments), name, *arguments)

    def send(self, piece: Piece, name: str, *arguments: Any) -> Any:
        if name == "answer":
            try:
                if self._send_by_line(piece, *arguments):
                    return piece.line
            except Exception as error:
                return error
        return self._send_to_actor(piece, name, *arguments)

    def _send_by_line(self, piece: Piece, forgotten: list[int], asked: list[Asked]) -> bool:
        broken = piece.line is not None and piece.line.owes  # or nobody waited
        if broken or (piece.line is None and piece.ready and monotonic() > piece.line_after):
            self.open_line(piece)
        if piece.line is None or len(asked) > 1:
            return False
        try:
            piece.line.ask(forgotten, asked[0])
        except BrokenLineError:
            self.open_line(piece)
            return False
        return True

    def _send_to_actor(self, piece: Piece, name: str, *arguments: Any) -> Any:
        if piece.actor is None:
            return LookupError("no worker has these rows")
        try:
            return getattr(piece.actor, name)(*arguments)
        except Exception as error:
            return error

    def wait(self, piece: Piece, answer: Any, name: str, *arguments: Any) -> Any:
        if isinstance(answer, Exception):
            self._judge(piece, answer)
        try:
            return self.result(piece, answer)
        except BrokenLineError:  # the actor answers, or says what is wrong
            if piece.line is not None and piece.line.owes:  # what may come late is not to count
                self.open_line(piece)
            answer = self._send_to_actor(piece, name, *arguments)
            return self.wait(piece, answer, name, *arguments)

    def _judge(self, piece: Piece, error: Exception, of_rows: bool = False) -> None:
        """Raise what a worker raised, or that it is lost."""
        from distributed import KilledWorker  # noqa: PLC0415

        gone = (OSError, RuntimeError, LookupError, CancelledError, KilledWorker)
        until = monotonic() + 2.0
        theirs = of_rows and isinstance(error, LookupError) and not isinstance(error, NotHereError)
        if isinstance(error, BrokenLineError | ClusterError | LostError):
            raise error
        if self._cluster.is_closed:
            raise self._cluster.gone() from error
        while isinstance(error, gone) and not theirs:
            if isinstance(error, LookupError) or piece.worker not in self._cluster.workers():
                raise LostError from error
            if monotonic() > until:
                break
            sleep(0.1)
        raise error

    def open_line(self, piece: Piece) -> None:
        piece.line = None
        offer = self.call(piece, "offer")
        begun = monotonic()
        piece.line_after = np.inf
        if offer is not None:
            try:
                piece.line = Line(piece.worker, offer, self._cluster.client.security)
            except OSError:  # a firewall may stand between, or it was for a moment
                least, times = _LINE_AGAIN
                piece.line_after = monotonic() + max(least, times * (monotonic() - begun))

    def result(self, piece: Piece, future: Any) -> Any:
        """Wait for what the worker of a piece does."""
        begun = monotonic()
        while True:
            try:
                return future.result(timeout=1.0)
            except TimeoutError:  # not yet; who is lost may never answer
                if getattr(future, "status", None) == "error":
                    raise  # it is what a task has raised
                workers = self._cluster.workers()
                brings = [other for other in self._pieces if other.bringing or other is piece]
                if any(other.worker not in workers for other in brings):
                    raise LostError from None
                if monotonic() > begun + PAUSED_FOR:
                    self._warn_of_paused([other.worker for other in brings])
            except Exception as error:
                self._judge(piece, error, of_rows=future in (piece.bringing or ()))

    def _warn_of_paused(self, workers: list[str]) -> None:
        paused = [one for one in self._cluster.paused(workers) if one not in self._told]
        self._told.update(paused)
        if paused:
            calls.warn(
                f"waiting for {' and '.join(paused)}: the cluster has paused "
                f"{'it' if len(paused) == 1 else 'them'} for lack of memory: give workers more, "
                "have more of them, or make the blocks of the dask array smaller",
                ClusterWarning,
            )
