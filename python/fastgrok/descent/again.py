"""Parts of a run once more, for questions that its records leave open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from numpy.typing import NDArray

from fastgrok.descent.running import run
from fastgrok.descent.sets import Sets
from fastgrok.descent.settings import DEFAULTS, check
from fastgrok.records import Record

R = TypeVar("R", bound=Record)


def exact_steps(arguments: Mapping[str, Any], kind: type[R]) -> R:
    """Take the steps of a run that these arguments of `train` ask for, one by one."""
    sets = Sets()
    settings = check({**DEFAULTS, **arguments, "engine": "exact"}, sets)
    return run(settings.descent(sets, settings.threads), settings, None, None, kind)


def follow_leaps(
    record: NDArray[Any], arguments: Mapping[str, Any], exact_steps: int, kind: type[R]
) -> R:
    """
    Run what leaped before again, or with another `rtol`, to other records.

    Parameters
    ----------
    record : ndarray of float64, shape (R,)
        Step numbers, increasing, the last one inside a leap. The run ends there.
    arguments : mapping
        Those of `train` that the run was made with, as far as its bits depend on them.
    exact_steps : int
        How many steps that run took one by one. As many are allowed, and no fewer than the default
        of `exact_limit`.
    kind : type
        Of the run, also where an error holds it: Record or what is made of it.

    Returns
    -------
    Record
        Of that kind, with what the whole run would have recorded at these steps: the same bits
        with the same `rtol`, up to where a leap ended before the run did, and otherwise within the
        errors that both were allowed.

    Raises
    ------
    LeapError
        If it does not leap there, and exact steps are too many.
    """
    sets = Sets()
    settings = check({**DEFAULTS, **arguments}, sets).rest_of(record, exact_steps)
    descent = settings.descent(sets, settings.threads)
    return run(descent, settings, None, settings.leaping(descent), kind)
