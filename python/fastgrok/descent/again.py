"""Parts of a run once more, for questions that its records leave open."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.descent.running import POLL_SECONDS, in_any_case, run
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
    """Run what leaped before again; see `FollowedLeaps`, of which this is the run."""
    return FollowedLeaps(record, arguments, exact_steps, kind).run


class FollowedLeaps(Generic[R]):
    """
    What leaped before, run again or with another `rtol`, to other records.

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
    kept : sequence of pairs
        Steps, from and to, between which `recall` is to know the leaps.

    Attributes
    ----------
    run : Record
        Of that kind, with what the whole run would have recorded at these steps: the same bits
        with the same `rtol`, up to where a leap ended before the run did, and otherwise within the
        errors that both were allowed.

    Raises
    ------
    LeapError
        If it does not leap there, and exact steps are too many.
    """

    def __init__(
        self,
        record: NDArray[Any],
        arguments: Mapping[str, Any],
        exact_steps: int,
        kind: type[R],
        kept: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._sets, self._kind = Sets(), kind
        checked = check({**DEFAULTS, **arguments}, self._sets)
        self._settings = checked.rest_of(record, exact_steps)
        descent = self._settings.descent(self._sets, self._settings.threads)
        self._leaping = self._settings.engine_that_leaps(descent, kept)
        self.run = run(descent, self._settings, None, self._leaping, kind)

    def recalls(self, steps: F64) -> bool:
        """Whether leaps led to all these steps, and were kept there."""
        return self._leaping.recalls(steps)

    def recall(self, steps: F64) -> R:
        """Record these steps, increasing: as if they had been among those of the run."""
        settings = dataclasses.replace(self._settings, record=steps)
        descent = settings.descent(self._sets, settings.threads)
        report = settings.progress

        def poll(step: float) -> None:
            if callable(report):
                report(int(step))

        self._leaping.recall(descent, poll, POLL_SECONDS)
        made, failure = in_any_case(
            descent, settings, "done", 0.0, self._kind, leaping=self._leaping
        )
        if failure is not None:
            raise failure
        return made
