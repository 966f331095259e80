"""The claims of Figure 1 of Beck et al. (2025), held against the runs."""

from collections.abc import Sequence

import numpy as np

from fastgrok.papers._report import Finding, Outcome, Verdict, judge_shares, number, spread
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._draws import F64
from fastgrok.papers.beck2025._pictures import upper_median
from fastgrok.papers.beck2025._reporting import ended_before, fitted_slope
from fastgrok.papers.beck2025._sweep import by_ratio, table
from fastgrok.papers.beck2025._training import Run
from fastgrok.theory import edge

# The growth of b and ||w|| is taken over the last 10 decades of steps, the start apart.
_LAST = 1e10
# Accuracies approach their limits like 1/log t, and the last record is taken for the limit.
_NEAR_LIMIT = 0.02
# Ratio from which on the law of ||S_infinity|| near 1/2 is fitted.
_FITTED_FROM = 0.3
# Chance of a verdict "differs" on counts of separable draws that follow Wendel's law.
_IMPLAUSIBLE = 1e-3
# Rank correlation with lambda from which on a median over few draws counts as growing.
_GROWING = 0.9
# Growth of ||S_infinity|| over the range that counts as a divergence.
_NORMS_GROW = 5.0
# Growth of the grokking time over the range that counts as a divergence.
_TIMES_GROW = 1e3


def judge_figure1(curves: Sequence[Run], sweep: Sequence[Run]) -> list[Verdict]:
    """
    Judge the claims by the learning curves and by the sweep over lambda.

    Parameters
    ----------
    curves : sequence of Run
        Learning curves, as `Figure1.curves`.
    sweep : sequence of Run
        Runs over a range of lambda, as `sweep` returns them.
    """
    return [
        _delayed(curves),
        _if_and_only_if(sweep),
        _limit(sweep),
        _transition(sweep),
        _divergence(sweep),
        _law(sweep),
        judge_times(sweep),
    ]


def _delayed(curves: Sequence[Run]) -> Verdict:
    """Training accuracy comes early; that on the population late below 1/2, never above."""
    findings = []
    for ratio, runs in by_ratio(curves).items():
        train = [_first(run, run.accuracy >= 1.0) for run in runs]
        kept = [run.kept_from(setting.ACCURACY) for run in runs]
        if ratio < 0.5:
            holds = [100.0 * a <= b < np.inf for a, b in zip(train, kept, strict=True)]
        else:
            holds = [a < np.inf and b == np.inf for a, b in zip(train, kept, strict=True)]
        name = f"lambda = {ratio:g}"
        findings.append(
            ended_before(name, runs)
            or Finding(
                name,
                judge_shares(holds),
                f"training accuracy 1 at {spread(train)}, population {setting.ACCURACY} for good "
                f"at {spread(kept)}",
            )
        )
    return Verdict.of_all(
        "Generalisation comes late below lambda = 1/2 and never above",
        findings,
        "Late: at least 100 times as many steps as to training accuracy 1. Never: not by the last "
        "step.",
        stated="lambda = 1/2",
    )


def _first(run: Run, holds: object) -> float:
    found = np.flatnonzero(np.asarray(holds) & (run.steps > 0.0))
    return float(run.steps[found[0]]) if found.size else float("inf")


def _if_and_only_if(sweep: Sequence[Run]) -> Verdict:
    """Inseparable draws go on to accuracy 1, separable ones stop below."""
    findings = []
    for name in ("interior", "separable"):
        runs = [run for run in sweep if run.verdict == name]
        if not runs:
            findings.append(Finding(name, Outcome.SHORT, "no draw", "no such draw"))
            continue
        early = ended_before(name, runs) or ended_before(name, runs, _LAST)
        if early is not None:
            findings.append(early)
            continue
        # At rest, with S fixed, b = -log t + ... : an accuracy of 1 in the limit; the growth of
        # |b| over the last decade without growth of ||w|| is what takes it there.
        grows = [_growth(run) for run in runs]
        reach = [float(run.test_accuracy[-1]) for run in runs]
        if name == "interior":
            holds = [w <= 1e-3 * b for w, b in grows]
            text = (
                f"||w|| grew by {spread([w / b for w, b in grows])} of |b|'s growth over the last "
                "10 decades"
            )
        else:
            holds = [w > 1e-3 * b for w, b in grows]
            text = f"||w|| and |b| grow together, by the ratio {spread([w / b for w, b in grows])}"
        findings.append(
            Finding(
                f"{name} ({len(runs)} draws)",
                judge_shares(holds),
                f"{text}; accuracy at the last step {spread(reach)}",
            )
        )
    return Verdict.of_all(
        "The model generalises if and only if the training set is not separable from the origin",
        findings,
        "Accuracy is Phi(-b / (sigma ||w||)) and |b| grows without end. It tends to 1 just where "
        "||w|| does not grow with |b|: by less than a thousandth of the growth of |b| over the "
        "last ten decades of steps. That b tends to -infinity (the paper's Proposition 3.2 has "
        "+infinity) is part of it.",
    )


def _growth(run: Run) -> tuple[float, float]:
    """Growth of ||w|| and of |b| over the last 10 decades."""
    before = float(run.steps[-1]) / _LAST
    return (
        abs(float(run.norm_w[-1]) - run.at(before, "norm_w")),
        abs(float(run.b[-1]) - run.at(before, "b")),
    )


def _limit(sweep: Sequence[Run]) -> Verdict:
    """Hold the last accuracy of separable draws against the margin formula."""
    findings = []
    for ratio, runs in by_ratio(sweep).items():
        apart = [run for run in runs if run.margin > 0.0]
        if not apart:
            continue
        limits = [float(edge.limit_accuracy(run.margin, run.data.sigma)) for run in apart]
        last = [float(run.test_accuracy[-1]) for run in apart]
        misses = [abs(a - b) for a, b in zip(last, limits, strict=True)]
        name = f"lambda = {ratio:g}"
        findings.append(
            ended_before(name, apart)
            or Finding(
                name,
                judge_shares([miss <= _NEAR_LIMIT for miss in misses]),
                f"last {spread(last)}, limit {spread(limits)}, difference {spread(misses)}",
            )
        )
    return Verdict.of_all(
        "The limit of the accuracy is 1/2 [1 + erf(1 / (sigma M sqrt 2))]",
        findings or [Finding("sweep", Outcome.SHORT, "no draw", "no separable draw")],
        "M is the margin of each draw as it is, sigma included, found by quadratic programming "
        f"with certificates; agrees if the last accuracy is within {_NEAR_LIMIT}.",
        stated="1/2 [1 + erf(1 / (sigma M sqrt 2))]",
    )


def _transition(sweep: Sequence[Run]) -> Verdict:
    """Hold counts of separable draws against Wendel's theorem."""
    from scipy.stats import binom  # noqa: PLC0415 (slow to import)

    groups = by_ratio(sweep)
    findings = []
    for ratio, runs in groups.items():
        data = runs[0].data
        chance = float(edge.separable_probability(data.n, data.dim))
        counted = sum(run.verdict == "separable" for run in runs)
        tails = binom.cdf(counted, len(runs), chance), binom.sf(counted - 1, len(runs), chance)
        near = 2.0 * min(tails) >= _IMPLAUSIBLE / len(groups)
        findings.append(
            Finding(
                f"lambda = {ratio:g}",
                Outcome.AGREES if near else Outcome.DIFFERS,
                f"{counted} of {len(runs)} separable, expected {number(len(runs) * chance)}",
            )
        )
    return Verdict.of_all(
        "Training sets become separable from the origin at lambda = 1/2 (Wendel)",
        findings,
        "Differs if so few, or so many, are too improbable at some lambda; that happens by chance "
        f"with a probability of at most {_IMPLAUSIBLE:g} for all lambda together. In "
        "Section 4 the paper exchanges the two sides once.",
        stated="lambda = 1/2",
    )


def _divergence(sweep: Sequence[Run]) -> Verdict:
    """||S_infinity|| grows towards 1/2, and descent arrives there."""
    groups = {r: runs for r, runs in by_ratio(sweep).items() if r < 0.5}
    if len(groups) < 2:
        return _short("The norm of S_infinity diverges at lambda = 1/2")
    ratios, rests = table(groups, lambda run: run.data.sigma * run.rest)
    middle = upper_median(rests)
    holds = _grows(ratios, middle, _NORMS_GROW)
    settled = [
        run
        for runs in groups.values()
        for run in runs
        if run.rest < np.inf and run.data.ratio <= 0.5 - run.data.n**-0.5
    ]
    findings = [
        Finding(
            "median over the draws",
            judge_shares([holds]),
            "; ".join(f"{r:g}: {number(s)}" for r, s in zip(ratios, middle, strict=True)),
        )
    ]
    arrived = [abs(run.norm_w[-1] / run.rest - 1.0) for run in settled]
    if settled:
        findings.append(
            ended_before("descent arrives there", settled)
            or Finding(
                "descent arrives there",
                judge_shares([miss <= 1e-3 for miss in arrived]),
                f"||w|| / ||S_infinity|| - 1 at the last step {spread(arrived)}",
            )
        )
    return Verdict.of_all(
        "The norm of S_infinity diverges at lambda = 1/2",
        findings,
        "S_infinity minimises the mean of exp(S . x); found by Newton's method for each draw, and "
        f"compared, up to lambda = 1/2 - 1/sqrt N, with where the runs ended. Grows: a rank "
        f"correlation of the median with lambda of at least {_GROWING:g}, and by a factor of at "
        f"least {_NORMS_GROW:g}.",
        stated="lambda = 1/2",
    )


def _law(sweep: Sequence[Run]) -> Verdict:
    """Fit a logarithm (the two-point model's), and compare the power law of large N."""
    claim = "The norm of S_infinity diverges logarithmically, as in the two-point model"
    groups = {
        r: runs
        for r, runs in by_ratio(sweep).items()
        if _FITTED_FROM <= r <= 0.5 - runs[0].data.n ** -0.5
    }
    if len(groups) < 3:
        return _short(claim)
    ratios, rests = table(groups, lambda run: run.data.sigma * run.rest)
    size = upper_median(rests)
    logs = np.log(1.0 / (0.5 - ratios))
    # The logarithm with the best factor and offset, which is more than the paper allows itself.
    factor, error, offset = fitted_slope(logs, size)
    logarithm = _rms(factor * logs + offset, size)
    power = _rms(np.asarray(edge.large_n_stationary(ratios)[0]), size)
    slope, slope_error, _ = fitted_slope(logs, np.log(size))
    outcome = Outcome.SHORT
    if power < logarithm:
        outcome = Outcome.DIFFERS
    elif logarithm < 0.5 * power:
        outcome = Outcome.AGREES
    return Verdict(
        claim,
        outcome,
        (
            Finding(
                "median over the draws",
                outcome,
                f"{number(factor)} +- {number(error)} times log(1/(1/2 - lambda)) "
                f"{offset:+.3g}, fitted: off by {100 * logarithm:.2g} % rms; the large-N theory, "
                f"nothing fitted: off by {100 * power:.2g} % rms; exponent of 1/2 - lambda over "
                f"the range {-slope:.3f} +- {slope_error:.3f}",
                "neither is clearly closer",
            ),
        ),
        "For Gaussian points of large N and d, sigma ||S_infinity|| tends to "
        "0.926 (1/2 - lambda)^(-1/2), a power law (steeper farther from 1/2); in one dimension it "
        f"is a logarithm. Lambda from {_FITTED_FROM:g} to 1/2 - 1/sqrt N, beyond which the draws "
        "scatter by factors. Differs if the large-N theory is the closer one though two numbers "
        "of the logarithm are fitted, agrees if the logarithm is twice as close.",
    )


def _grows(ratios: F64, values: F64, factor: float) -> bool:
    """Whether values grow with lambda, and by how much from the first to the last."""
    from scipy.stats import spearmanr  # noqa: PLC0415 (slow to import)

    if not values[-1] >= factor * values[0] or (values == values[0]).all():
        return False
    return float(spearmanr(ratios, values).statistic) >= _GROWING


def _rms(curve: F64, size: F64) -> float:
    """Root mean square of the relative differences."""
    return float(np.sqrt(np.mean((curve / size - 1.0) ** 2)))


def judge_times(sweep: Sequence[Run]) -> Verdict:
    """
    Judge whether grokking times grow without bound towards 1/2.

    Parameters
    ----------
    sweep : sequence of Run
        Runs over a range of lambda.
    """
    groups = {r: runs for r, runs in by_ratio(sweep).items() if r < 0.5}
    claim = "The grokking time diverges as lambda approaches 1/2 from below"
    if len(groups) < 2:
        return _short(claim)
    ratios, values = table(groups, lambda run: run.kept_from(setting.ACCURACY))
    middle = upper_median(values)
    holds = _grows(ratios, middle, _TIMES_GROW)
    name = f"steps to accuracy {setting.ACCURACY}, median"
    text = "; ".join(f"{r:g}: {number(float(t))}" for r, t in zip(ratios, middle, strict=True))
    finding = ended_before(name, [run for runs in groups.values() for run in runs])
    return Verdict.of_all(
        claim,
        [finding or Finding(name, judge_shares([holds]), text)],
        f"Agrees if the median grows with lambda (rank correlation of at least {_GROWING:g}), by "
        f"a factor of at least {_TIMES_GROW:g} over the range. Once S is at rest, accuracy a is "
        "reached after exp(Phi^-1(a) sigma ||S_infinity||) / (lr l) steps, so that the divergence "
        "of ||S_infinity|| becomes one of times, exponentially.",
        stated="lambda = 1/2",
    )


def _short(claim: str) -> Verdict:
    finding = Finding("sweep", Outcome.SHORT, "too few values of lambda below 1/2", "too few")
    return Verdict(claim, Outcome.SHORT, (finding,))
