"""Theorems 4.5 and 4.6 of Das et al. (2026), as they stand and corrected, held against runs."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastgrok.papers._report import (
    READING,
    Finding,
    Outcome,
    Verdict,
    judge_shares,
    number,
    spread,
)
from fastgrok.papers.das2026._theory_runs import F64, GrokkingTime, Theory, TheoryRun

# b of a theorem may differ by this, or this share of |b_inf|, from that of the run.
_NEAR_B = 0.05
# Decades of steps before the end at which the last part of a run begins.
_LATE = 3.0


def judge_theory(data: Theory) -> list[Verdict]:
    """
    Judge both theorems in each of their forms.

    Parameters
    ----------
    data : Theory
        What `theory_runs` returns.
    """
    return [
        _bias(data, "Theorem 4.5 as it stands (eq. 11) gives b(t)", lambda run: run.stated),
        _bias(
            data, "Theorem 4.5 with the learning rate restored gives b(t)", lambda run: run.restored
        ),
        _limit(data),
        _bias(
            data, "The model of two variables, ||w|| and b, gives b(t)",
            lambda run: None if run.reduced is None else run.reduced[1],
        ),
        _times(data, "Theorem 4.6 as it stands gives the grokking time", lambda t: t.stated),
        _times(data, "Theorem 4.6 corrected gives the grokking time", lambda t: t.corrected),
        _times(data, "The model of two variables gives the grokking time", lambda t: t.reduced),
    ]  # fmt: skip


def _groups(data: Theory) -> dict[str, list[TheoryRun]]:
    groups: dict[str, list[TheoryRun]] = {}
    for run in data.runs:
        groups.setdefault(str(run.setup), []).append(run)
    return groups


def _bias(data: Theory, claim: str, predict: Callable[[TheoryRun], F64 | None]) -> Verdict:
    findings = []
    for name, runs in _groups(data).items():
        known = [(run, p) for run in runs if (p := predict(run)) is not None]
        misses = [
            float(np.nanmax(np.where(_judged(run), np.abs(p - run.b), np.nan)))
            for run, p in known
            if (~np.isnan(p) & _judged(run)).any()
        ]
        if not misses:
            continue
        allowed = [max(_NEAR_B, _NEAR_B * abs(run.late.b_inf)) for run, _ in known]
        findings.append(
            Finding(
                name,
                judge_shares([m <= a for m, a in zip(misses, allowed, strict=False)]),
                f"off by at most {spread(misses)}; b ends at "
                f"{spread([float(run.b[-1]) for run, _ in known])}, b_inf = "
                f"{spread([run.late.b_inf for run, _ in known])}",
            )
        )
    return Verdict.of_all(
        claim,
        findings,
        f"From t0 on, where the support vectors carry half of the gradient, to the last step: "
        f"within {_NEAR_B:g}, or that share of |b_inf|.",
    )


def _judged(run: TheoryRun) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = run.steps >= (run.since if np.isfinite(run.since) else 1.0)
    return mask


def _limit(data: Theory) -> Verdict:
    findings = []
    for name, runs in _groups(data).items():
        last = [abs(float(run.b[-1]) - run.late.b_inf) for run in runs]
        moved = [
            abs(float(run.b[-1] - np.interp(np.log(run.steps[-1]) - _LATE * np.log(10.0),
                                            np.log1p(run.steps), run.b)))
            for run in runs
        ]  # fmt: skip
        findings.append(
            Finding(
                name,
                judge_shares([miss <= _NEAR_B for miss in last]),
                f"|b - b_inf| = {spread(last)} at step {number(float(runs[0].steps[-1]))}, having "
                f"moved by {spread(moved)} over the last {_LATE:g} decades",
            )
        )
    return Verdict.of_readings(
        "The bias tends to b_inf = (1/2) log(A_+ / A_-)",
        findings,
        f"Within {_NEAR_B:g} at the last step. A_+ and A_- are those of each draw, from the "
        "maximum-margin solution and its dual.",
        stated="b_inf = (1/2) log(A_+ / A_-)",
    )


def _times(data: Theory, claim: str, predict: Callable[[GrokkingTime], float]) -> Verdict:
    groups: dict[str, list[GrokkingTime]] = {}
    for time in data.times:
        groups.setdefault(str(time.run.setup), []).append(time)
    findings = []
    for name, times in groups.items():
        measured = [t for t in times if t.measured > 0.0 and predict(t) > 0.0]
        if not measured:
            findings.append(Finding(name, Outcome.SHORT, "no time", "never below 1 - eps"))
            continue
        ratios = [t.measured / predict(t) for t in measured]
        near = [1.0 / READING <= ratio <= READING for ratio in ratios]
        findings.append(
            Finding(
                name,
                judge_shares(near),
                f"measured / predicted {spread(ratios)} over {len(ratios)} combinations of alpha, "
                f"eps and draw",
            )
        )
    return Verdict.of_all(
        claim,
        findings,
        f"Within a factor of {READING:g} for every alpha, eps and draw at which the concentrated "
        "accuracy was below 1 - eps and came back.",
    )
