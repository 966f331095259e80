"""What is told of a leap that was lost: at once where many exact steps follow, and in the end."""

import sys
from itertools import pairwise
from typing import Any

from fastgrok._checks import calls
from fastgrok._checks.progress import progress_bar
from fastgrok._core import LeapingDescent
from fastgrok.errors import LeapWarning
from fastgrok.records.printing import whole_number

MANY = 1e6
"""More exact steps than these are worth a warning and a bar."""


class LostLeaps:
    """
    Warns once, and shows a bar, where many exact steps begin since a leap was lost.

    Parameters
    ----------
    engine : LeapingDescent
        The engine, which is looked at whenever it polls.
    bar : bool or None
        Whether a bar is shown; None: only if it goes to a terminal.
    """

    def __init__(self, engine: LeapingDescent, bar: bool | None) -> None:
        self._engine = engine
        self._wanted = sys.stderr.isatty() if bar is None else bar
        self._warned = False
        self._bar: Any = None
        self._from = 0

    def look(self) -> None:
        """Look how many exact steps lie ahead, and tell."""
        ahead = self._engine.exact_ahead
        if ahead <= MANY:
            self.close()
            return
        if self._wanted and self._bar is None:
            self._from = self._engine.exact_steps
            self._bar = progress_bar(
                total=ahead, desc="exact steps", unit="step", unit_scale=True, leave=False
            )
        if self._bar is not None:
            self._bar.update(self._engine.exact_steps - self._from - self._bar.n)
        if not self._warned:
            self._warned = True
            calls.warn(self._text(ahead), LeapWarning)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _text(self, ahead: float) -> str:
        return (
            f"{whole_number(ahead)} steps are taken one by one from step "
            f"{whole_number(self._engine.exact_steps)} on: a leap was lost because "
            f"{why_exact(self._engine)}; a larger rtol may keep it, a smaller exact_limit ends the "
            "run instead"
        )


def why_exact(engine: LeapingDescent) -> str:
    """Say why exact steps followed a leap, or why there was none; empty if neither is the case."""
    leaps = engine.leaps
    if not leaps:
        return engine.reason
    last = leaps[-1]
    beyond = engine.reached > last["last"]
    if last["ended"] and not beyond:
        return str(last["ended"])  # what the engine says may be older
    # Two from the same step are one stretch, leaped again: no exact steps lie between these.
    lost = [one["ended"] for one, other in pairwise(leaps) if one["first"] != other["first"]]
    if beyond:
        lost.append(
            last["ended"] or f"the leap to step {whole_number(last['last'])} went no further"
        )
    return (engine.reason or str(lost[-1])) if lost else ""
