"""The claims on the bias of Figures 2 and 4, judged by explicit rules from the runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import exp, inf

import numpy as np

from fastgrok.papers._report import (
    Outcome,
    Stated,
    Verdict,
    combine,
    combine_all,
    judge_number,
    judge_shares,
    number,
    percent,
    spread,
)
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._claims import (
    finding,
    finite,
    full_length,
    imbalance,
    long_enough,
    mirrored,
    over_readings,
    peak_rule,
)
from fastgrok.papers.das2026._ensemble import Ensemble, Run
from fastgrok.papers.das2026._setting import Variant

# A bias is at its steady value if it is that close to it, absolutely or relatively.
_CLOSE = 0.1
# Beyond this multiple of the end of phase 1 a power of 4 / gamma^2 has come to nothing.
_LATER = 2.0
# Concentrated accuracy that orders the delays: near the end of the curves, and not the last few
# points, which depend on the draw. It must last, because the curves also pass through on the way.
_RIGHT = 0.9


def judge_figure2(data: Ensemble) -> list[Verdict]:
    """
    Judge what the paper says about planted support vectors: phases, steady bias, delay.

    What Theorems 4.5 and 4.6 say is judged only if they are planted in mirrored pairs, because only
    then do their numbers give the steady bias.

    Parameters
    ----------
    data : Ensemble
        What `figure2` returns.

    Returns
    -------
    list of Verdict
    """
    full = full_length(data)
    verdicts = [
        over_readings(
            data,
            "With planted support vectors phase 1 (until they carry half of the force for good) "
            f"ends near {setting.PHASE_1_END} steps, and phase 2 (until |b| / ||w|| peaks) near "
            f"{setting.PHASE_2_END}",
            _phase_rule,
            decidable=long_enough(data, setting.PHASE_2_END),
            stated=f"steps {setting.PHASE_1_END} and {setting.PHASE_2_END}",
        ),
        over_readings(
            data.where(_unbalanced),
            "Unbalanced support vectors push the hyperplane away from the origin once they carry "
            "half of the force: phase 2 is not empty",
            _phase_2_rule,
            decidable=long_enough(data, setting.PHASE_1_END),
        ),
    ]
    if mirrored(data):
        verdicts += [_relaxation(data), _steady_bias(data)]
    verdicts.append(_delay_by_imbalance(data, decidable=full))
    if mirrored(data):
        verdicts.append(
            over_readings(
                data.where(_unbalanced),
                "Theorem 4.6 gives the concentrated test's T_te(0), in steps: exp |log delta|, "
                "with delta^2 = s- / s+ (its epsilon_0 = 0, its gamma B / 2 neglected)",
                _theorem_46_rule,
                decidable=full,
                stated="T_te(0) = exp |log delta|",
            )
        )
    return _about_something(verdicts)


def judge_figure4(data: Ensemble) -> list[Verdict]:
    """
    Judge what the paper says about unbalanced classes together with unbalanced support vectors.

    The steady bias is judged only if they are planted in mirrored pairs, as in `judge_figure2`.

    Parameters
    ----------
    data : Ensemble
        What `figure4` returns.

    Returns
    -------
    list of Verdict
    """
    balanced = data.where(lambda v: v.classes[0] == v.classes[1])
    towards_plus = data.where(lambda v: v.classes[0] > v.classes[1])
    parts = (
        ("With balanced classes", balanced, setting.PEAK),
        ("With more points of class +1", towards_plus, setting.PEAK_TOWARDS_PLUS),
    )
    verdicts = [
        over_readings(
            part,
            f"{start} the distance |b| / ||w|| peaks near {stated} steps",
            peak_rule(stated),
            decidable=long_enough(data, stated),
            stated=f"step {stated}",
        )
        for start, part, stated in parts
    ]
    verdicts.append(
        over_readings(
            data.where(lambda v: v.classes[0] != v.classes[1]),
            f"The population drives the bias at first: at {setting.EARLY_END} steps b has the sign "
            "of the larger class",
            _sign_rule(setting.EARLY_END.value, lambda v: v.classes),
            decidable=long_enough(data, setting.EARLY_END),
            stated=f"to step {setting.EARLY_END}",
        )
    )
    verdicts.append(
        over_readings(
            data.where(_unbalanced),
            "The support vectors decide the bias in the end, whatever the classes are: at the last "
            "step b has the sign of the class with more of them",
            _sign_rule(inf, lambda v: v.support),
            decidable=full_length(data),
        )
    )
    if mirrored(data):
        verdicts.append(_steady_bias(data))
    return _about_something(verdicts)


def _about_something(verdicts: list[Verdict]) -> list[Verdict]:
    """Leave out claims on readings that were not run."""
    return [verdict for verdict in verdicts if verdict.findings]


def _unbalanced(variant: Variant) -> bool:
    return variant.support[0] != variant.support[1]


def _steady_bias(data: Ensemble) -> Verdict:
    return over_readings(
        data,
        f"By step {number(setting.STEPS)} the bias is at the steady value of Theorem 4.5, "
        f"log(s+ / s-) / 2 for support vectors planted in mirrored pairs (to within {_CLOSE:g}, or "
        f"{percent(_CLOSE)} %)",
        _steady_rule,
        decidable=full_length(data),
        stated="b = log(s+ / s-) / 2",
    )


def _relaxation(data: Ensemble) -> Verdict:
    exponent = number(4.0 / data.settings["gamma"] ** 2)
    verdict = over_readings(
        data,
        "b(t) is that of Theorem 4.5: from the end of phase 1 on it relaxes to its steady value as "
        f"(t / t_0)^-{exponent}, at once (to within {_CLOSE:g}, or {percent(_CLOSE)} %, at all "
        f"records beyond {_LATER:g} times the end of phase 1)",
        _relaxed_rule,
        decidable=long_enough(data, setting.PHASE_1_END),
        stated=f"(t / t_0)^-{exponent}",
    )
    note = (
        "The theorem's exponent is 2 c sqrt(A+ A-), c being the learning rate (over N for the "
        "mean), which its g(t) leaves out. At the steady state it is 4 / gamma^2, whatever the "
        "support vectors are."
    )
    return replace(verdict, note=note)


def _phase_rule(runs: list[Run]) -> tuple[Outcome, str]:
    first = [finite(run.phases.t1) for run in runs if run.phases is not None]
    second = [finite(run.phases.t2) for run in runs if run.phases is not None]
    outcome = combine_all(
        [judge_number(setting.PHASE_1_END, first), judge_number(setting.PHASE_2_END, second)]
    )
    return outcome, f"ends at {spread(first)} and {spread(second)}"


def _phase_2_rule(runs: list[Run]) -> tuple[Outcome, str]:
    phases = [run.phases for run in runs if run.phases is not None]
    # None: the support vectors never carry half of the force for good, so there is no phase 2.
    exists = [p.t1 is not None and not p.empty_phase2 for p in phases]
    length = [p.t2 / p.t1 for p in phases if p.t1 is not None and p.t2 is not None]
    ratio = spread(length) if length else "never"
    return judge_shares(exists), f"end of phase 2 / end of phase 1: {ratio}"


def _relaxed_rule(runs: list[Run]) -> tuple[Outcome, str]:
    steady = imbalance(runs[0].variant) / 2
    furthest = []
    never = 0
    for run in runs:
        if run.phases is None or run.phases.t1 is None:
            never += 1
            continue
        after = run.trajectory.steps > _LATER * run.phases.t1
        if after.any():
            furthest.append(float(np.abs(run.trajectory.b[after] - steady).max()))
    late = len(runs) - never - len(furthest)
    outcomes = [judge_shares([x <= _CLOSE * max(1.0, abs(steady))]) for x in furthest]
    outcomes += [Outcome.SHORT] * (never + late)
    parts = [f"steady value {number(steady)}"]
    if furthest:
        parts.insert(0, f"largest |b - steady| {spread(furthest)}")
    if never:
        parts.append(f"no end of phase 1 in {never} of {len(runs)} draws")
    if late:
        parts.append(f"no record beyond {_LATER:g} times its end in {late} of {len(runs)} draws")
    return combine(outcomes), ", ".join(parts)


def _steady_rule(runs: list[Run]) -> tuple[Outcome, str]:
    steady = imbalance(runs[0].variant) / 2
    ends = [run.trajectory.bias_final for run in runs]
    holds = [abs(b - steady) <= _CLOSE * max(1.0, abs(steady)) for b in ends]
    return judge_shares(holds), f"b = {spread(ends)}, steady value {number(steady)}"


def _theorem_46_rule(runs: list[Run]) -> tuple[Outcome, str]:
    stated = Stated(exp(abs(imbalance(runs[0].variant)) / 2))
    times = [finite(run.time("concentrated", 0.0).t_test) for run in runs]
    return judge_number(stated, times), f"T_te {spread(times)}, theorem {stated}"


def _delay_by_imbalance(data: Ensemble, *, decidable: bool) -> Verdict:
    """Compare the variants of a reduction, which here is the reading."""
    findings = []
    for reduction, part in data.by_reduction().items():
        # Exact, so that the mirror image of support vectors is as unbalanced as they are.
        groups: dict[Fraction, list[Variant]] = {}
        for variant in part.variants:
            ratio = Fraction(max(variant.support), min(variant.support))
            groups.setdefault(ratio, []).append(variant)
        if len(groups) < 2:
            continue
        ordered = [groups[ratio] for ratio in sorted(groups)]
        times = {v: [_right(run) for run in part.of(v)] for group in ordered for v in group}
        draws = [dict(zip(times, draw, strict=True)) for draw in zip(*times.values(), strict=True)]
        outcome = combine(_in_order([[draw[v] for v in g] for g in ordered]) for draw in draws)
        numbers = "; ".join(f"{v.data} {spread(t)}" for v, t in times.items())
        findings.append(finding(reduction, outcome, numbers, decidable=decidable))
    return Verdict.of_readings(
        "The more unbalanced the support vectors, the later the concentrated test is right: the "
        f"first step from which on {percent(_RIGHT)} % of it are",
        findings,
        note="In each draw, none may be right later than one that is more unbalanced, and the most "
        "unbalanced ones must be right later than the least unbalanced ones. Mirror images, and "
        "all others that are equally unbalanced, are not compared. Two that are not right by the "
        "end of the runs show no order: a draw in which nothing else contradicts it is undecided.",
    )


def _in_order(groups: Sequence[Sequence[float]]) -> Outcome:
    """Judge one draw: times by growing imbalance, infinite where the runs end before."""
    neighbours = list(pairwise(groups))
    if any(max(one) > min(other) for one, other in neighbours):
        return Outcome.DIFFERS
    if max(groups[0]) == min(groups[-1]) < inf:
        return Outcome.DIFFERS
    unseen = any(max(one) == inf for one, _ in neighbours)
    return Outcome.SHORT if unseen else Outcome.AGREES


def _right(run: Run) -> float:
    misses = np.flatnonzero(run.trajectory.accuracy["concentrated"] < _RIGHT)
    since = int(misses[-1]) + 1 if misses.size else 0
    return float(run.trajectory.steps[since]) if since < run.trajectory.steps.size else inf


def _sign_rule(
    step: float, sides: Callable[[Variant], tuple[int, int]]
) -> Callable[[list[Run]], tuple[Outcome, str]]:
    """Hold the sign of b at the last record up to `step` against the larger of two sides."""

    def rule(runs: list[Run]) -> tuple[Outcome, str]:
        plus, minus = sides(runs[0].variant)
        at = [
            float(run.trajectory.b[np.flatnonzero(run.trajectory.steps <= step)[-1]])
            for run in runs
        ]
        expected = np.sign(plus - minus)
        sign = "+" if expected > 0 else "-"
        return judge_shares([np.sign(b) == expected for b in at]), f"b = {spread(at)}, said {sign}"

    return rule
