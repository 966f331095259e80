"""Single arguments of a run: what they may be."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import sparse

MIN_RTOL = 1e-11  # below it a leap's error cannot be told from rounding
EXACT_STEPS, EXACT_ENTRIES, FEWEST_EXACT = 1e8, 1e13, 1e4
"""How many steps, and entries of X multiplied with, are affordable; so many steps always are."""


def rtol(name: str, value: Any) -> float:
    """Error that leaps may have."""
    error = _checks.real(name, value)
    if not MIN_RTOL <= error < 1.0:
        raise ValueError(
            f"{name} must be at least {MIN_RTOL} and below 1, got {_checks.show(value)}"
        )
    return error


def exact_limit(name: str, value: Any, rows: NDArray[Any]) -> float:
    """How many steps may be taken one by one; None is as many as are affordable."""
    if value is not None:
        return min(_checks.real(name, value, positive=True), float(_checks.MAX_EXACT_STEPS))
    return affordable(sparse.entries(rows))


def affordable(entries: int) -> float:
    """Return how many exact steps may be taken, unless the caller says otherwise."""
    return float(max(FEWEST_EXACT, min(EXACT_STEPS, EXACT_ENTRIES // entries)))


def skip(name: str, skip_rows: object) -> str:
    """Say when rows are skipped, in the core's words."""
    if isinstance(skip_rows, str):
        return _checks.choice(name, skip_rows, ("auto",))
    return "always" if _checks.flag(name, skip_rows) else "never"
