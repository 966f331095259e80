"""The report of Table 1: the measured times beside the paper's."""

from collections.abc import Sequence
from itertools import product

from fastgrok.papers._report import Verdict, markdown_table, percent, spread
from fastgrok.papers.das2026 import _reporting
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._adversarial_claims import attacks_on
from fastgrok.papers.das2026._claims import finite
from fastgrok.papers.das2026._ensemble import Ensemble


def report_table1(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """
    Write the Markdown report: verdicts, the table, and every choice made.

    Parameters
    ----------
    data : Ensemble
        What `table1` returns.
    verdicts : sequence of Verdict
        What `judge_table1` makes of it.

    Returns
    -------
    str
    """
    return _reporting.write_report(
        f"Table 1, rows d = {data.dim}",
        _reporting.of_runs(data),
        verdicts,
        {
            f"Table 1 (d = {data.dim}) beside these runs": _times_table(data),
            "Which reading fits": _reporting.tally(data, verdicts),
        },
        _reporting.choices(data),
        engine=_reporting.engine(data),
    )


def _times_table(data: Ensemble) -> str:
    stated = {(row.test, row.eps): row for row in setting.table_1(data.dim)}
    tests: tuple[str, ...] = setting.TEST_SETS
    if data.dim != setting.DIM:  # there the attacks are part of the question
        tests = (*tests, *attacks_on(data))
    rows: list[tuple[str, ...]] = []
    for test, eps in product(tests, setting.EPSILONS):
        label = f"{test}, {eps:g}"
        if (test, eps) in stated:
            row = stated[test, eps]
            numbers = (str(row.t_train), str(row.t_test), str(row.zeta))
            rows.append((label, "**paper**", *numbers, "", "", ""))
        for variant in data.variants:
            times = [run.time(test, eps) for run in data.of(variant)]
            columns = ("t_train", "t_test", "zeta", "sustained_train", "sustained_test")
            found = [spread([finite(getattr(t, column)) for t in times]) for column in columns]
            if not any(t.best_test for t in times):
                found[1:] = ["no point is ever right", "", found[3], ""]
            best = spread([t.best_test for t in times], percent)
            rows.append((label, str(variant), *found, best))
    header = (
        "Test, eps_0", "Reading", "T_tr", "T_te", "zeta", "T_tr sustained", "T_te sustained",
        "best test %",
    )  # fmt: skip
    return markdown_table(header, rows)
