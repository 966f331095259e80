"""What happens to cells where they are computed: in a thread, a process, or far away."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any

from fastgrok import _checks
from fastgrok.sweeps._experiments import EXPERIMENTS
from fastgrok.sweeps._grid import Cell
from fastgrok.sweeps._values import Outcome, values_of

#: Computes several cells, and returns what each returns.
Many = Callable[[list[Cell]], Sequence[Any]]


def compute(run: Callable[..., Any] | str, cells: list[Cell], beside: int) -> list[Outcome]:
    """
    Compute cells, and return what became of each.

    Parameters
    ----------
    run : callable or str
        The function, or the name of an experiment, which computes several cells at once.
    cells : list of dict
        Their arguments.
    beside : int
        How many calls share this machine's cores.
    """
    with _checks.at_most_threads(max(1, _checks.threads(None) // beside)):
        if isinstance(run, str):
            return _together(EXPERIMENTS[run].many, cells)
        return [_one(run, cell) for cell in cells]


def _together(many: Many, cells: list[Cell]) -> list[Outcome]:
    try:
        results = many(cells)
        return [
            Outcome(values_of(result, cell)) for result, cell in zip(results, cells, strict=True)
        ]
    except Exception:
        if len(cells) == 1:
            return [Outcome(None, traceback.format_exc())]
    return [outcome for cell in cells for outcome in _together(many, [cell])]  # only some fail


def _one(run: Callable[..., Any], cell: Cell) -> Outcome:
    try:
        return Outcome(values_of(run(**cell), cell))
    except Exception:
        return Outcome(None, traceback.format_exc())
