"""How far a search has come that trains again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from fastgrok import _checks
from fastgrok._checks.progress import progress_bar

SECONDS = 0.1


class Meter:
    """
    Counts steps that are no longer in question, and tells of them ten times a second.

    Parameters
    ----------
    tell : callable
        Gets their number.
    grow : callable, optional
        Gets the number of all steps, whenever there are more.
    """

    def __init__(
        self, tell: Callable[[int], object], grow: Callable[[float], object] | None = None
    ) -> None:
        self._tell, self._grow = tell, grow
        self._all, self._done, self._told = 0.0, 0.0, perf_counter()

    def more(self, steps: float) -> None:
        """Count on so many more steps."""
        self._all += steps
        if self._grow is not None:
            self._grow(self._all)

    def add(self, steps: float) -> None:
        """Count steps that are done."""
        self._done += steps
        if perf_counter() - self._told >= SECONDS:
            self.within(0)

    def within(self, steps: int) -> None:
        """Tell of steps that are done of those that are to be added at once."""
        self._told = perf_counter()
        self._tell(int(self._done + steps))

    def still(self, steps: int) -> None:
        """Tell that something goes on, of which no part counts."""
        self.within(0)

    def finish(self) -> None:
        """Tell that nothing is in question any more."""
        self._done = self._all
        self.within(0)


@contextmanager
def meter(progress: bool | Callable[[int], None]) -> Iterator[Meter]:
    """Give a meter that shows what `progress`, as of `train`, asks for."""
    if callable(progress):
        yield Meter(progress)
    elif _checks.flag("progress", progress):
        with progress_bar(total=0, unit="step", unit_scale=True) as bar:

            def grow(steps: float) -> None:
                bar.total = steps
                bar.refresh()

            yield Meter(lambda steps: bar.update(steps - bar.n), grow)
    else:
        yield Meter(lambda steps: None)
