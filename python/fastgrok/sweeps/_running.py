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
    pending: dict[Future[Any], list[int]] = {}
    queue = iter(tasks)
    with _bar(book, progress) as show:
        try:
            more = True
            while more or pending:
                while more and len(pending) < workers.width:
                    task = next(queue, None)
                    more = task is not None
                    # Another sweep on the same folder may have done it meanwhile.
                    if task and not all(map(book.look_up, task)):
                        pending[workers.submit(run, [book.cells[i] for i in task])] = task
                    show()
                if pending:
                    ended, _ = wait(pending, _POLL_SECONDS, FIRST_COMPLETED)
                    for future in ended:
                        _enter(book, pending[future], future)
                        del pending[future]
                show()
        except BaseException as error:
            workers.stop(list(pending))
            for future, task in pending.items():
                if future.done() and not future.cancelled() and future.exception() is None:
                    with contextlib.suppress(OSError):  # of a store, which may be what it was
                        _enter(book, task, future)
            show()
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(f"sweep interrupted: {book.words}") from None
            error.add_note(f"sweep ended: {book.words}")
            raise


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
