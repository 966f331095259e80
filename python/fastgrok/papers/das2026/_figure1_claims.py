"""The claims of Figure 1 and of Table 1's rows at d = 2, judged by explicit rules from the runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from math import inf

import numpy as np

from fastgrok.papers._report import (
    DECISIVE_SPREAD,
    READING,
    Finding,
    Outcome,
    Verdict,
    combine,
    judge_number,
    judge_shares,
    markdown_table,
    number,
    percent,
    spread,
    verdict_table,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._setting import TableRow, Variant

# Accuracy that counts as perfect in the end, and as trained early on.
_PERFECT = 0.999
_TRAINED = 0.99
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
        _over_readings(data, _table_claim(row), _table_rule(row), decidable=long_enough)
        for row in setting.TABLE_1
    ]
    verdicts.append(_one_run(data, decidable=long_enough))
    if any(run.phases is not None for run in data.runs):
        verdicts.append(
            _over_readings(
                data,
                f"With planted support vectors phase 1 ends near {setting.PHASE_1_END} steps and "
                f"phase 2 near {setting.PHASE_2_END}",
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
    zetas = [_finite(run.time("standard", 0.0).zeta) for run in runs]
    return judge_shares([zeta < setting.GROKKING for zeta in zetas]), f"zeta {spread(zetas)}"


def _grokking_rule(eps: float) -> Rule:
    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        zetas = [_finite(run.time("concentrated", eps).zeta) for run in runs]
        return judge_shares([zeta >= setting.GROKKING for zeta in zetas]), f"zeta {spread(zetas)}"

    return rule


def _perfect_rule(runs: list[Run]) -> tuple[Outcome, str]:
    final = [float(run.trajectory.accuracy["concentrated"][-1]) for run in runs]
    return judge_shares([x >= _PERFECT for x in final]), f"accuracy {spread(final, percent)} %"


def _table_claim(row: TableRow) -> str:
    return (
        f"Table 1, {row.test}, eps_0 = {row.eps:g}: T_tr {_equal(str(row.t_train))}, "
        f"T_te {_equal(str(row.t_test))}"
    )


def _equal(stated: str) -> str:
    return stated if stated[0] in "<>" else f"= {stated}"


def _table_rule(row: TableRow) -> Rule:
    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        times = [run.time(row.test, row.eps) for run in runs]
        train = [_finite(t.t_train) for t in times]
        test = [_finite(t.t_test) for t in times]
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
        times = [_finite(run.time("standard", 0.0).t_train) for run in runs]
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
    first = [_finite(run.phases.t1) for run in runs if run.phases is not None]
    second = [_finite(run.phases.t2) for run in runs if run.phases is not None]
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


def _finite(value: float | None) -> float:
    return inf if value is None else float(value)


def report_figure1(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """
    Write the Markdown report: verdicts, Table 1 beside our numbers, and every choice made.

    Parameters
    ----------
    data : Ensemble
        What `figure1` returns.
    verdicts : sequence of Verdict
        What `judge_figure1` makes of it.

    Returns
    -------
    str
    """
    seeds = sorted({run.seed for run in data.runs})
    parts = [
        "# Das et al. (2026), Figure 1 at d = 2: standard and concentrated test sets",
        f"{len(data.runs)} runs of {number(data.settings['steps'])} steps, every step taken; "
        f"{len(seeds)} draws of the data for each reading of the paper. Numbers are "
        "`median [smallest, largest]` over the draws (of an even number of draws the larger of the "
        "two in the middle); times are in steps.",
        "## Verdicts",
        verdict_table(verdicts),
        f"How they are reached: a number agrees if it lies within a factor of {READING:g} of the "
        f"range of the draws, unless the range itself spans more than a factor of "
        f"{DECISIVE_SPREAD:g}, which confirms no number; other claims agree (differ) if they hold "
        "for all (none) of the draws. Readings that come out differently leave the paper "
        "undecided, because it does not say which one it took. Claims about times are judged only "
        f"by runs of at least {number(setting.STEPS)} steps, because the times refer to the best "
        "accuracy up to the horizon.",
        "## Which reading fits",
        _tally(data, verdicts),
        "## Table 1 (d = 2) beside these runs",
        _times_table(data),
        "## What the runs reach",
        _reach_table(data),
        "## Choices that the paper leaves open",
        _choices(data, seeds),
        "## Made by",
        f"fastgrok {version('fastgrok')}, NumPy {np.__version__}; the first run's engine: "
        f"{data.runs[0].trajectory.engine}.",
    ]
    return "\n\n".join(parts) + "\n"


def _tally(data: Ensemble, verdicts: Sequence[Verdict]) -> str:
    """Make a table of how many claims each reading agrees with."""
    outcomes = (Outcome.AGREES, Outcome.DIFFERS, Outcome.OPEN, Outcome.SHORT)
    rows = []
    for variant in data.variants:
        of_reading = [f.outcome for v in verdicts for f in v.findings if f.reading == str(variant)]
        rows.append((str(variant), *(str(of_reading.count(outcome)) for outcome in outcomes)))
    header = ("Reading", "agrees", "differs", "depends on the draw", "too few steps")
    return markdown_table(header, rows)


def _times_table(data: Ensemble) -> str:
    rows: list[tuple[str, ...]] = []
    for row in setting.TABLE_1:
        label = f"{row.test}, {row.eps:g}"
        rows.append((label, "**paper**", str(row.t_train), str(row.t_test), str(row.zeta), "", ""))
        for variant in data.variants:
            times = [run.time(row.test, row.eps) for run in data.of(variant)]
            columns = ("t_train", "t_test", "zeta", "sustained_train", "sustained_test")
            found = [spread([_finite(getattr(t, column)) for t in times]) for column in columns]
            rows.append((label, str(variant), *found))
    header = ("Test, eps_0", "Reading", "T_tr", "T_te", "zeta", "T_tr sustained", "T_te sustained")
    return markdown_table(header, rows)


def _reach_table(data: Ensemble) -> str:
    rows = []
    for variant in data.variants:
        trajectories = [run.trajectory for run in data.of(variant)]
        early = [
            t.accuracy["concentrated"][np.argmax(t.accuracy["train"] >= _TRAINED)]
            for t in trajectories
            if (t.accuracy["train"] >= _TRAINED).any()
        ]
        final = [
            spread([float(t.accuracy[name][-1]) for t in trajectories], percent)
            for name in ("train", *setting.TEST_SETS)
        ]
        gamma = data.settings["gamma"]
        distance = spread([float(t.distance[-1]) / gamma for t in trajectories])
        first = spread([float(x) for x in early], percent) if early else "never"
        rows.append((str(variant), first, *final, distance))
    header = (
        "Reading",
        f"concentrated % when training first has {percent(_TRAINED)} %",
        "training % at the end",
        "standard % at the end",
        "concentrated % at the end",
        "\\|b\\| / \\|\\|w\\|\\| / gamma at the end",
    )
    return markdown_table(header, rows)


def _choices(data: Ensemble, seeds: Sequence[int]) -> str:
    used = data.settings
    plus, minus = used["n"]
    supports = ", ".join(dict.fromkeys(v.planted for v in data.variants))
    choices = {
        "Sum or mean": "Eq. (3) sums the losses, while the phase times fit their mean; both were "
        f"run with the same learning rate {used['lr']:g} (the sum is the mean with a learning "
        f"rate {plus + minus} times as large).",
        "Support vectors": f"{supports}. Planted ones lie exactly on the margin and are counted "
        f"in D({plus},{minus}); recipe: {used['planting']} (pairs mirrored at the normal, so that "
        "the paper's Assumption 3.1 holds exactly)."
        if used["planting"] == "antipodal"
        else f"{supports}. Planted ones lie exactly on the margin, uniform there, and are counted "
        f"in D({plus},{minus}).",
        "Classes": f"balanced as given: {plus} and {minus} points in all three sets.",
        "Standard test": "an independent draw of the training law without planting, so points "
        f"with |u| < gamma/2 are excluded there too; gamma = {used['gamma']:g}.",
        "Concentrated test": f"gamma/2 <= |u| <= {used['alpha']:g} gamma, uniform in the cube's "
        "slab, half of it for each class, of the training set's size.",
        "Ties": "a logit of exactly 0 counts as wrong. It occurs at step 0 alone, which no time "
        "uses.",
        "Logging": "log-spaced, 40 records a decade, so a time is known to 6 %; the paper logs "
        "every 100 steps and cannot tell times below 100 apart.",
        "Times": "first record at which the count of correct points is at least (1 - eps_0) times "
        "the run's best, in exact arithmetic; 'sustained' is the first record from which it stays "
        "so to the end.",
        "Draws": f"seeds {seeds[0]} to {seeds[-1]}; run s uses the data seeds 3s, 3s + 1 and "
        "3s + 2 for the training, standard and concentrated set. The paper shows one draw.",
    }
    return "\n".join(f"* **{name}**: {text}" for name, text in choices.items())
