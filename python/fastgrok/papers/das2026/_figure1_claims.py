"""The claims of Figure 1, judged by explicit rules from the runs."""

import numpy as np

from fastgrok.papers._report import Outcome, Verdict, judge_shares, number, percent, spread
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._adversarial_claims import judge_adversarial
from fastgrok.papers.das2026._claims import Rule, finite, full_length, over_readings
from fastgrok.papers.das2026._ensemble import Ensemble, Run

# Accuracy that counts as perfect in the end.
_PERFECT = 0.999
# Gradient descent is monotone and follows the flow while lr * lambda_max stays below this.
_STABLE = 2.0


def judge_figure1(data: Ensemble) -> list[Verdict]:
    """
    Judge what the paper says about the three test sets.

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
    learnt = data.where(lambda variant: variant.bias)
    full = full_length(data)
    verdicts = [
        over_readings(
            learnt,
            "The standard test shows no grokking: zeta(0) stays well below "
            f"{number(setting.GROKKING)}",
            _no_grokking_rule,
            decidable=full,
        )
    ]
    verdicts += [
        over_readings(
            learnt,
            f"The concentrated test shows grokking at eps_0 = {eps:g}: zeta is of the order of "
            f"{number(setting.GROKKING)} or more",
            _grokking_rule(eps),
            decidable=full,
            stated=f"zeta of {number(setting.GROKKING)} and more",
        )
        for eps in (0.0, 1e-3)
    ]
    verdicts.append(
        over_readings(
            learnt,
            f"The concentrated set is classified perfectly by step {number(setting.STEPS)}",
            _perfect_rule,
            decidable=full,
            stated=f"100 % by step {number(setting.STEPS)}",
        )
    )
    verdicts += judge_adversarial(data)
    verdicts.append(
        over_readings(
            learnt,
            "Descent at the stated learning rate is smooth, as the theory by gradient flow needs "
            f"(lr * lambda_max below {_STABLE:g} throughout)",
            _stable_rule,
            at_any_time=True,
        )
    )
    return verdicts


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


def _stable_rule(runs: list[Run]) -> tuple[Outcome, str]:
    sharpest = [
        float(np.nanmax(np.fmax(run.trajectory.sharpness, run.trajectory.sharpness_mean)))
        for run in runs
    ]
    smooth = [float(np.mean(run.trajectory.regime == "smooth")) for run in runs]
    holds = [x < _STABLE and share == 1.0 for x, share in zip(sharpest, smooth, strict=True)]
    shares = spread(smooth, percent)
    return judge_shares(holds), f"largest {spread(sharpest)}; {shares} % of records smooth"
