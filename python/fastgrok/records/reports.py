"""How a run was computed, and what speaks for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from fastgrok.records import printing


@dataclass(frozen=True)
class LeapReport:
    """A stretch of a run that was leaped: an integrator in log(step) took the place of exact steps.

    Attributes
    ----------
    first, last : float
        The exact iterates up to `first` are where the leap starts from; records up to `last` come
        from it. Beside its beginning the exact steps went on.
    pairs : bool
        Whether it was an orbit of period 2.
    converged : bool
        Whether the iterates had come to rest before `last`: records after that are the limit. No
        gradient was left there but rounding errors, or what moves nothing until the last step.
    tolerance : float
        Error allowed to one step of the integrator, of ||w|| and of max(|b|, 1).
    accepted, rejected : int
        Steps of the integrator.
    of_order : tuple of int
        How many of the accepted ones were of order 0, 1, ..., 6 (backward differences).
    evaluations, products : int
        Passes over the data: for the gradient (with the Hessian, up to 16 columns), and for a
        product with the Hessian. Those of the second, coarser integration are counted in, exact
        steps are not.
    overlap_until, overlap_difference : float
        The exact steps were compared with the leap up to this step, and differed by at most that,
        of ||w|| and of max(|b|, 1). Records up to there are exact.
    error : float
        Largest error at a record, estimated from a second integration whose steps may be wrong by
        100 times as much: a 20th of the difference (a 15th with momentum), or what the errors of
        the last steps and of sudden turns add up to, if that is more; the first term that the
        Euler-Maclaurin series leaves out, and `rounding`.
    checks : tuple of (float, int, float)
        Spot checks: at this step so many exact steps, taken from the leaped iterate, moved it by
        what the leap says but for this relative difference.
    ended : str
        Why the leap ended before the run did; empty if it did not.
    rounding : float
        What rounding errors of the gradient, added up over the steps, may have to do with `error`:
        a bound up to 16 columns, else an estimate.
    period : int
        1 of a smooth motion; of an orbit its period: every so many iterates one was integrated.
    """

    first: float
    last: float
    pairs: bool
    converged: bool
    tolerance: float
    accepted: int
    rejected: int
    of_order: tuple[int, ...]
    evaluations: int
    products: int
    overlap_until: float
    overlap_difference: float
    error: float
    checks: tuple[tuple[float, int, float], ...]
    ended: str
    rounding: float = 0.0
    period: int = 1

    def __post_init__(self) -> None:
        """Make tuples of lists, and know the period of a file that only says whether it is 2."""
        object.__setattr__(self, "period", max(self.period, 1 + self.pairs))
        object.__setattr__(self, "of_order", tuple(self.of_order))
        object.__setattr__(self, "checks", tuple(tuple(check) for check in self.checks))

    def __str__(self) -> str:
        """Say it in a line, and a line for each part of the evidence."""
        return "\n  ".join(self.lines())

    def lines(self, rtol: float | None = None, again: bool = False) -> list[str]:
        """
        Say what was leaped, and what each part of the evidence compares with what.

        Parameters
        ----------
        rtol : float, optional
            The error that was allowed, to be shown beside what there is.
        again : bool, default False
            Whether the leap that follows began at the same step: it went over the same stretch.
        """
        return printing.leap_lines(self, rtol, again)


def leap_at(leaps: Iterable[LeapReport], step: float) -> LeapReport | None:
    """Return the first of some leaps that a step lies in, behind the exact steps beside it."""
    return next((leap for leap in leaps if leap.overlap_until < step <= leap.last), None)


@dataclass(frozen=True)
class EngineReport:
    """How a run was computed.

    Attributes
    ----------
    name : str
        The engine: ``"exact"`` took every step, ``"leap"`` leaped over most of them.
    exact_steps : int
        How many steps were taken one by one.
    simd : str
        The instruction set of the kernels.
    threads : int
        Number of threads that took the steps; evaluation sets may be worth more, or fewer.
    seconds : float
        Wall-clock time of the run, in seconds.
    row_share : float
        Rows that a step looked at, on average, as a share of all: less than 1 where rows that could
        not matter were skipped. Of the steps of this call, if a checkpoint was resumed.
    leaps : tuple of LeapReport
        The stretches that were leaped, in order, each with its evidence. Two that begin at the same
        step are the same stretch, the second leaped with a smaller `tolerance`.
    rtol : float or None
        The error that leaps were allowed, None if none were tried.
    reason : str
        Why there was no leap, or why exact steps had to follow one: those behind the last leap, or
        over the length of one that was lost. Empty where neither is the case, and where so few
        steps could be left out that no leap was tried.
    spent : dict of str to float
        Of a run that leaped, where its time went, in seconds: ``"exact steps"`` with their records,
        ``"evaluations"`` and ``"products"`` of the integration that is recorded, the
        ``"second integration"`` that shows the error, the ``"checks"`` of stability, of rounding
        and of spots, and the ``"records"`` of leaps. Where rows lie beyond the caches both
        integrations go on together: the second then has what it took alone, and what they took
        together counts as evaluations and products. Else empty.
    closed : tuple of (int, int), or None
        Step and length of a cycle of which not all rounds were walked: from that step on the whole
        state, to the last bit, recurred after so many steps, so that every later record is known
        exactly.
    """

    name: str
    exact_steps: int
    simd: str
    threads: int
    seconds: float
    row_share: float = 1.0
    leaps: tuple[LeapReport, ...] = ()
    rtol: float | None = None
    reason: str = ""
    spent: dict[str, float] = field(default_factory=dict, repr=False)
    closed: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Accept what a file holds of the leaps."""
        leaps = tuple(
            leap if isinstance(leap, LeapReport) else LeapReport(**leap) for leap in self.leaps
        )
        object.__setattr__(self, "leaps", leaps)
        if self.closed is not None:
            object.__setattr__(self, "closed", tuple(self.closed))

    def __str__(self) -> str:
        """Say it in a line, then every leap with its evidence."""
        return printing.engine_text(self)

    def leap_at(self, step: float) -> LeapReport | None:
        """
        Return the leap that the record of a step comes from; None if it is exact.

        Parameters
        ----------
        step : float
            Number of the step.
        """
        return leap_at(self.leaps, step)

    def retraced(self) -> EngineReport:
        """Return the report of the run with exact records as far as exact steps were taken."""
        until = float(self.exact_steps)
        leaps = (
            replace(leap, overlap_until=max(leap.overlap_until, until))
            for leap in self.leaps
            if leap.last > until
        )
        return replace(self, leaps=tuple(leaps))
