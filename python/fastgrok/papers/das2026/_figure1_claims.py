"""The claims of Figure 1 and of Table 1's rows at d = 2, judged by explicit rules from the runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

import numpy as np

from fastgrok.papers._report import (
    READING,
    Finding,
    Outcome,
    Verdict,
    combine,
    judge_number,
    judge_shares,
    number,
    percent,
    spread,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._setting import TableRow, Variant

# Accuracy that counts as perfect in the end.
_PERFECT = 0.999
# Gradient descent is monotone and follows the flow while lr * lambda_max stays below this.
_STABLE = 2.0
# A best accuracy that comes after this part of a run would have come later in a longer run.
_LATE = 0.9

Rule = Callable[[list[Run]], tuple[Outcome, str]]


def judge_figure1(data: Ensemble) -> list[Verdict]:
    """
    Judge what the paper says about the standard and the concentrated test set at d = 2.

    Every claim is held against every reading that was run (sum or mean, planted support vectors),
    over all draws of the data: it agrees (differs) if it holds for all (none) of the draws, and is
    open if the draws disagree. A claim about times needs as many steps as the paper took, because
    the times of Definition 3.4 depend on the horizon.

    Parameters
    ----------
    data : Ensemble
        What `figure1` returns.

    Returns
    -------
    list of Verdict
    """
    long_enough = data.settings["steps"] >= setting.STEPS
    verdicts = [
        _over_readings(
            data,
            "The standard test shows no grokking: zeta(0) stays well below "
            f"{number(setting.GROKKING)}",
            _no_grokking_rule,
            decidable=long_enough,
        )
    ]
    verdicts += [
        _over_readings(
            data,
            f"The concentrated test shows grokking at eps_0 = {eps:g}: zeta is of the order of "
            f"{number(setting.GROKKING)} or more",
            _grokking_rule(eps),
            decidable=long_enough,
        )
        for eps in (0.0, 1e-3)
    ]
    verdicts.append(
        _over_readings(
            data,
            f"The concentrated set is classified perfectly by step {number(setting.STEPS)}",
            _perfect_rule,
            decidable=long_enough,
        )
    )
    verdicts += [
        _over_readings(
            data,
            f"Table 1, {row.test}, eps_0 = {row.eps:g}: {_stated(row)}",
            _table_rule(row, row.eps),
            decidable=long_enough,
        )
        for row in setting.TABLE_1
    ]
    beyond = setting.EPS_BEYOND_MARGIN
    verdicts += [
        _over_readings(
            data,
            f"Table 1's row {row.test}, eps_0 = {row.eps:g} ({_stated(row)}) is what eps_0 = "
            f"{beyond:g} gives, which leaves out the points planted on the margin in one class of "
            "S(350,35)",
            _table_rule(row, beyond),
            decidable=long_enough,
        )
        for row in setting.TABLE_1
        if (row.test, row.eps) == ("concentrated", 0.0)
    ]
    verdicts.append(_one_run(data, decidable=long_enough))
    if any(run.phases is not None for run in data.runs):
        verdicts.append(
            _over_readings(
                data,
                "With planted support vectors phase 1 (until they carry half of the force for "
                f"good) ends near {setting.PHASE_1_END} steps, and phase 2 (until |b| / ||w|| "
                f"peaks) near {setting.PHASE_2_END}",
                _phase_rule,
                decidable=data.settings["steps"] >= READING * setting.PHASE_2_END.value,
                among=[v for v in data.variants if v.support != (0, 0)],
            )
        )
    verdicts.append(
        _over_readings(
            data,
            f"With balanced classes the distance |b| / ||w|| peaks near {setting.PEAK} steps",
            _peak_rule,
            decidable=data.settings["steps"] >= READING * setting.PEAK.value,
        )
    )
    verdicts.append(
        _over_readings(
            data,
            "Descent at the stated learning rate is smooth, as the theory by gradient flow needs "
            f"(lr * lambda_max below {_STABLE:g} throughout)",
            _stable_rule,
        )
    )
    return verdicts


def _over_readings(
    data: Ensemble,
    claim: str,
    rule: Rule,
    *,
    decidable: bool = True,
    among: Sequence[Variant] | None = None,
) -> Verdict:
    findings = []
    for variant in data.variants if among is None else among:
        outcome, numbers = rule(data.of(variant))
        findings.append(Finding(str(variant), outcome if decidable else Outcome.SHORT, numbers))
    return Verdict(claim, combine(f.outcome for f in findings), tuple(findings))


def _no_grokking_rule(runs: list[Run]) -> tuple[Outcome, str]:
    zetas = [finite(run.time("standard", 0.0).zeta) for run in runs]
    return judge_shares([zeta < setting.GROKKING for zeta in zetas]), f"zeta {spread(zetas)}"


def _grokking_rule(eps: float) -> Rule:
    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        zetas = [finite(run.time("concentrated", eps).zeta) for run in runs]
        return judge_shares([zeta >= setting.GROKKING for zeta in zetas]), f"zeta {spread(zetas)}"

    return rule


def _perfect_rule(runs: list[Run]) -> tuple[Outcome, str]:
    final = [float(run.trajectory.accuracy["concentrated"][-1]) for run in runs]
    return judge_shares([x >= _PERFECT for x in final]), f"accuracy {spread(final, percent)} %"


def _stated(row: TableRow) -> str:
    return f"T_tr {_equal(str(row.t_train))}, T_te {_equal(str(row.t_test))}"


def _equal(stated: str) -> str:
    return stated if stated[0] in "<>" else f"= {stated}"


def _table_rule(row: TableRow, eps: float) -> Rule:
    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        times = [run.time(row.test, eps) for run in runs]
        train = [finite(t.t_train) for t in times]
        test = [finite(t.t_test) for t in times]
        outcomes = {judge_number(row.t_train, train), judge_number(row.t_test, test)}
        if Outcome.DIFFERS in outcomes:
            outcome = Outcome.DIFFERS
        else:
            outcome = Outcome.OPEN if Outcome.OPEN in outcomes else Outcome.AGREES
        return outcome, f"T_tr {spread(train)}, T_te {spread(test)}{_unfinished(runs, test)}"

    return rule


def _unfinished(runs: list[Run], times: Sequence[float]) -> str:
    """How many draws were still getting better when they ended: their times are lower bounds."""
    late = [t >= _LATE * run.trajectory.steps[-1] for run, t in zip(runs, times, strict=True)]
    return f" ({sum(late)} of {len(late)} in the last tenth of the run)" if any(late) else ""


def _one_run(data: Ensemble, *, decidable: bool) -> Verdict:
    """Table 1 gives two values of T_tr(0), which one run cannot have, but two draws might."""
    stated = [row.t_train for row in setting.TABLE_1 if row.eps == 0.0]
    low, high = sorted(s.value for s in stated)

    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        times = [finite(run.time("standard", 0.0).t_train) for run in runs]
        covered = [judge_number(s, times) is not Outcome.DIFFERS for s in stated]
        return judge_shares([all(covered)]), f"T_tr(0) {spread(times)}"

    verdict = _over_readings(
        data,
        f"Table 1's two values of T_tr(0), {number(high)} (standard row) and {number(low)} "
        "(concentrated row), belong to one reading",
        rule,
        decidable=decidable,
    )
    note = (
        f"One training run has one T_tr(0), so the two rows, a factor of {number(high / low)} "
        "apart, are not of one run. A reading agrees if its draws cover both values."
    )
    return replace(verdict, note=note)


def _phase_rule(runs: list[Run]) -> tuple[Outcome, str]:
    first = [finite(run.phases.t1) for run in runs if run.phases is not None]
    second = [finite(run.phases.t2) for run in runs if run.phases is not None]
    outcomes = [
        judge_number(setting.PHASE_1_END, first),
        judge_number(setting.PHASE_2_END, second),
    ]
    outcome = Outcome.DIFFERS if Outcome.DIFFERS in outcomes else combine(outcomes)
    return outcome, f"ends at {spread(first)} and {spread(second)}"


def _peak_rule(runs: list[Run]) -> tuple[Outcome, str]:
    peaks = []
    for run in runs:
        later = run.trajectory.steps > 0
        distance = run.trajectory.distance[later]
        peaks.append(float(run.trajectory.steps[later][np.nanargmax(distance)]))
    return judge_number(setting.PEAK, peaks), f"at {spread(peaks)}"


def _stable_rule(runs: list[Run]) -> tuple[Outcome, str]:
    sharpest = [
        float(np.nanmax(np.fmax(run.trajectory.sharpness, run.trajectory.sharpness_mean)))
        for run in runs
    ]
    smooth = [float(np.mean(run.trajectory.regime == "smooth")) for run in runs]
    holds = [x < _STABLE and share == 1.0 for x, share in zip(sharpest, smooth, strict=True)]
    shares = spread(smooth, percent)
    return judge_shares(holds), f"largest {spread(sharpest)}; {shares} % of records smooth"


def finite(value: float | None) -> float:
    """Read a time that never came as infinite."""
    return inf if value is None else float(value)
