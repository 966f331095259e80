"""Cells on their way: what is known already, what is computed, and an end at any time."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import contextmanager
from typing import Any

from fastgrok._checks import plural
from fastgrok._checks.progress import progress_bar
from fastgrok.sweeps._executors import Workers
from fastgrok.sweeps._grid import Cell
from fastgrok.sweeps._store import Store
from fastgrok.sweeps._values import Outcome

_POLL_SECONDS = 0.1
_DIED = (
    "BrokenProcessPool: the process that computed this cell, and nothing beside it, died; it was "
    "killed, as where memory is short, or ended by code that is not Python's"
)


class Book:
    """
    What became of the cells so far.

    Parameters
    ----------
    cells : list of dict
        Their arguments.
    store : Store, optional
        Where finished ones are kept.
    description : callable
        Says what a cell is made from, and gives its key.
    """

    def __init__(
        self,
        cells: list[Cell],
        store: Store | None,
        description: Callable[[Cell], tuple[dict[str, Any], str]],
    ) -> None:
        self.cells = cells
        self.outcomes: list[Outcome | None] = [None] * len(cells)
        self._store = store
        self._description = description
        self.done = self.failed = 0

    def look_up(self, index: int) -> bool:
        """Whether a cell is known already, here or from the store."""
        if self._store is None or self.outcomes[index] is not None:
            return self.outcomes[index] is not None
        found = self._store.get(self._description(self.cells[index])[1])
        if found is not None:
            self._count(index, found)
        return found is not None

    def enter(self, index: int, outcome: Outcome) -> None:
        """Keep what became of a cell."""
        if self._store is not None:
            description, key = self._description(self.cells[index])
            self._store.put(key, description, outcome)
        self._count(index, outcome)

    def _count(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        self.done += outcome.values is not None
        self.failed += outcome.values is None

    @property
    def words(self) -> str:
        """How far it is."""
        text = f"{self.done} of {plural(len(self.cells), 'cell')} done, {self.failed} failed"
        if self._store is not None:
            text += f"; they are kept in {str(self._store.folder)!r}"
        return text


def run_cells(
    book: Book,
    tasks: Iterable[list[int]],
    run: Callable[..., Any] | str,
    workers: Workers,
    progress: bool,
) -> None:
    """
    Compute what is not known, task by task.

    Parameters
    ----------
    book : Book
        What is known, and where results go.
    tasks : iterable of list of int
        Cells that are computed in one call each.
    run : callable or str
        As `compute` takes it.
    workers : Workers
        Who computes.
    progress : bool
        Show a bar.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, with how far it came; what had been done by then is in the store.
    """
    with _bar(book, progress) as show:
        course = _Course(book, iter(tasks), run, workers, show)
        try:
            going = True
            while going:
                going = course.goes_on()
                show()
        except BaseException as error:
            workers.stop(list(course.pending))
            for future, task in course.pending.items():
                if future.done() and not future.cancelled() and future.exception() is None:
                    with contextlib.suppress(OSError):  # of a store, which may be what it was
                        _enter(book, task, future)
            show()
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(f"sweep interrupted: {book.words}") from None
            error.add_note(f"sweep ended: {book.words}")
            raise


class _Course:
    """Tasks that wait, and those under way."""

    def __init__(
        self,
        book: Book,
        queue: Iterator[list[int]],
        run: Callable[..., Any] | str,
        workers: Workers,
        show: Callable[[], None],
    ) -> None:
        self._book, self._run, self._workers, self._show = book, run, workers, show
        self._queue = queue
        self._next = next(queue, None)
        self._suspects: list[list[int]] = []  # one of which ends whoever computes it: one by one
        self.pending: dict[Future[Any], list[int]] = {}

    def goes_on(self) -> bool:
        """Begin what can be begun, wait a little for what ends, and say whether there is more."""
        broken = None
        try:
            self._begin_some()
        except BrokenExecutor as error:
            broken = error
        if self.pending:
            ended, _ = wait(self.pending, _POLL_SECONDS, FIRST_COMPLETED)
            broken = self._enter_all(ended) or broken
        if broken is not None:
            self._go_on_without(broken)
        elif self._suspects and not self.pending:
            del self._suspects[0]
        return bool(self._next is not None or self.pending or self._suspects)

    def _begin_some(self) -> None:
        if self._suspects:
            if not self.pending:
                self._begin(self._suspects[0])
            return
        while self._next is not None and len(self.pending) < self._workers.width:
            self._begin(self._next)
            self._next = next(self._queue, None)
            self._show()

    def _begin(self, task: list[int]) -> None:
        # Another sweep on the same folder may have done it meanwhile.
        if not all(map(self._book.look_up, task)):
            cells = [self._book.cells[i] for i in task]
            self.pending[self._workers.submit(self._run, cells)] = task

    def _enter_all(self, ended: Iterable[Future[Any]]) -> BrokenExecutor | None:
        """Enter what came to an end, and leave pending what those have not done who computed it."""
        broken = None
        for future in ended:
            try:
                _enter(self._book, self.pending[future], future)
            except BrokenExecutor as error:
                broken = error
            else:
                del self.pending[future]
        return broken

    def _go_on_without(self, broken: BrokenExecutor) -> None:
        """Have others compute what was under way, task by task; what ends them too has failed."""
        if not self._workers.renew():
            raise broken
        under_way = list(self.pending.values())
        self.pending.clear()
        if not self._suspects:
            self._suspects = under_way
        elif under_way:
            for index in self._suspects.pop(0):
                if self._book.outcomes[index] is None:
                    self._book.enter(index, Outcome(None, _DIED))


def _enter(book: Book, task: list[int], future: Future[Any]) -> None:
    try:
        outcomes = future.result()
    except (BrokenExecutor, CancelledError):
        raise
    except Exception:  # it could not be sent, or a worker died
        outcomes = [Outcome(None, traceback.format_exc())] * len(task)
    for index, outcome in zip(task, outcomes, strict=True):
        if book.outcomes[index] is None:  # or it was in the store, or Ctrl-C came meanwhile
            book.enter(index, outcome)


@contextmanager
def _bar(book: Book, progress: bool) -> Iterator[Callable[[], None]]:
    if not progress:
        yield lambda: None
        return
    known = book.done + book.failed  # which have no part in the rate
    with progress_bar(total=len(book.cells), initial=known, unit="cell") as bar:

        def show() -> None:
            if book.done + book.failed > bar.n:
                bar.set_postfix_str(f"{book.done} done, {book.failed} failed", refresh=False)
                bar.update(book.done + book.failed - bar.n)

        yield show
        bar.refresh()
