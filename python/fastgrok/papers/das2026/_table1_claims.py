"""The rows of Table 1, judged by explicit rules from the runs."""

from collections.abc import Sequence
from dataclasses import replace

from fastgrok.papers._report import (
    READING,
    Outcome,
    Verdict,
    combine_all,
    judge_number,
    number,
    spread,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._claims import Rule, finite, full_length, over_readings
from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._setting import TableRow

# A best accuracy that comes after this part of a run would have come later in a longer run.
_LATE = 0.9


def judge_table1(data: Ensemble) -> list[Verdict]:
    """
    Hold the times of Table 1 against every reading that was run, over all draws.

    Parameters
    ----------
    data : Ensemble
        What `table1` (or `figure1`) returns.

    Returns
    -------
    list of Verdict
        One for each row; one for the row eps_0 = 0 of the concentrated test read with an eps_0
        that leaves out the points planted on the margin; one for the rows taken together.
    """
    full, table = full_length(data), setting.table_1(data.dim)
    held = " in one class of S(350,35)" if data.dim == setting.DIM else ""
    verdicts = [
        over_readings(
            data,
            f"Table 1, {row.test}, eps_0 = {row.eps:g}: {_stated(row)}",
            _table_rule(row, row.eps),
            decidable=full,
            stated=_stated(row),
        )
        for row in table
    ]
    beyond = setting.EPS_BEYOND_MARGIN
    verdicts += [
        over_readings(
            data,
            f"Table 1's row {row.test}, eps_0 = {row.eps:g} ({_stated(row)}) is what eps_0 = "
            f"{beyond:g} gives, which leaves out the points planted on the margin{held}",
            _table_rule(row, beyond),
            decidable=full,
            stated=_stated(row),
        )
        for row in table
        if (row.test, row.eps) == ("concentrated", 0.0)
    ]
    verdicts.append(_one_run(data, decidable=full))
    return verdicts


def _stated(row: TableRow) -> str:
    return f"T_tr {_equal(str(row.t_train))}, T_te {_equal(str(row.t_test))}"


def _equal(stated: str) -> str:
    return stated if stated[0] in "<>" else f"= {stated}"


def _table_rule(row: TableRow, eps: float) -> Rule:
    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        times = [run.time(row.test, eps) for run in runs]
        train = [finite(t.t_train) for t in times]
        test = [finite(t.t_test) for t in times]
        outcome = combine_all([judge_number(row.t_train, train), judge_number(row.t_test, test)])
        return outcome, f"T_tr {spread(train)}, T_te {spread(test)}{_unfinished(runs, test)}"

    return rule


def _unfinished(runs: list[Run], times: Sequence[float]) -> str:
    """How many draws were still getting better when they ended: their times are lower bounds."""
    late = [t >= _LATE * run.trajectory.steps[-1] for run, t in zip(runs, times, strict=True)]
    return f" ({sum(late)} of {len(late)} in the last tenth of the run)" if any(late) else ""


def _one_run(data: Ensemble, *, decidable: bool) -> Verdict:
    """Table 1 gives two values of T_tr(0), which one run cannot have, but two draws might."""
    stated = [row.t_train for row in setting.table_1(data.dim) if row.eps == 0.0]
    low, high = sorted(s.value for s in stated)

    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        times = [finite(run.time("standard", 0.0).t_train) for run in runs]
        return combine_all(judge_number(s, times) for s in stated), f"T_tr(0) {spread(times)}"

    verdict = over_readings(
        data,
        f"Table 1's two values of T_tr(0), {number(high)} (standard row) and {number(low)} "
        "(concentrated row), belong to one reading",
        rule,
        decidable=decidable,
        stated=f"T_tr(0) = {number(high)} and {number(low)}",
    )
    note = (
        f"One training run has one T_tr(0), so the two rows, a factor of {number(high / low)} "
        "apart, are not of one run. Draws that cover neither or one of them exclude a reading. "
        f"Draws that cover both spread by a factor of {number(high / low / READING**2)} at least, "
        "which confirms no number: then the claim stays open."
    )
    return replace(verdict, note=note)
