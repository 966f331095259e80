"""Figure 1 of Beck et al. (2025) at the paper's own size: the sweep over lambda to 10^7 steps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok._checks import plural
from fastgrok.papers import _draw
from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    judge_shares,
    markdown_table,
    number,
    percent,
    spread,
)
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._figure1_claims import judge_times
from fastgrok.papers.beck2025._pictures import band, upper_median
from fastgrok.papers.beck2025._reporting import ended_before
from fastgrok.papers.beck2025._sweep import by_ratio, table
from fastgrok.papers.beck2025._training import Case, Run, Trainer, noise
from fastgrok.theory import edge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The accuracy that counts as near to its limit.
_NEAR_LIMIT = 0.02
# Chance of counts of separable draws that a verdict "differs" takes for impossible.
_IMPLAUSIBLE = 1e-3
_COLORS = (_draw.GREEN, _draw.BLUE)


def wide_sweeps(
    trainer: Trainer,
    sizes: Sequence[tuple[int, int]],
    *,
    seeds: Sequence[int] | None = None,
    ratios: Sequence[float] = setting.RATIOS,
    steps: float = setting.WIDE_STEPS,
    longer: float = setting.LONGER_STEPS,
    sigma: float = setting.SIGMA,
    lr: float = setting.LEARNING_RATE,
) -> tuple[Run, ...]:
    """
    Train on sets of several sizes for every ratio, and decide whether their points are separable.

    Parameters
    ----------
    trainer : Trainer
        How the runs are trained.
    sizes : sequence of (int, int)
        Points and draws.
    seeds : sequence of int, optional
        Draws at every size, in place of those of `sizes`.
    ratios : sequence of float
        lambda = d / n.
    steps : float
        Of each run.
    longer : float
        Of a run above 1/2 by less than `WIDE_NEAR`: only so far are its weights ones that separate.
    sigma, lr : float
        Standard deviation of a coordinate; learning rate.

    Returns
    -------
    tuple of Run
        By size, ratio and seed.
    """
    cases = [
        Case(
            noise(ratio, n, seed, sigma=sigma, dtype="float32"), lr,
            longer if 0.5 < ratio < 0.5 + setting.WIDE_NEAR else steps,
            per_decade=10, decide=True,
        )
        for n, draws in sizes
        for ratio in ratios
        for seed in (range(draws) if seeds is None else seeds)
    ]  # fmt: skip
    return tuple(trainer(cases))


def by_size(runs: Sequence[Run]) -> dict[int, list[Run]]:
    """Group runs by their number of points, ascending."""
    sizes: dict[int, list[Run]] = {}
    for run in sorted(runs, key=lambda run: int(run.data.n)):
        sizes.setdefault(run.data.n, []).append(run)
    return sizes


def judge_wide(runs: Sequence[Run], steps: float = setting.WIDE_STEPS) -> list[Verdict]:
    """
    Judge the claims of Figure 1 by the sweeps at the paper's size and beside it.

    Parameters
    ----------
    runs : sequence of Run
        What `wide_sweeps` returns.
    steps : float
        Up to where they are judged.
    """
    sizes = by_size(runs)
    return [
        _transition(sizes),
        _limit(sizes, steps),
        Verdict.of_all(
            f"The grokking time diverges as lambda approaches 1/2 from below, to step "
            f"{number(steps)}",
            [_renamed(judge_times(those).findings[0], f"N = {n}") for n, those in sizes.items()],
            "As for the sweep to later steps: a time that does not come by then is infinite.",
            stated="lambda = 1/2",
        ),
    ]


def _renamed(finding: Finding, reading: str) -> Finding:
    return Finding(reading, finding.outcome, finding.numbers, finding.reason)


def _transition(sizes: dict[int, list[Run]]) -> Verdict:
    """Hold what was proved of each draw against Wendel's theorem."""
    from scipy.stats import binom  # noqa: PLC0415 (slow to import)

    findings = []
    for n, runs in sizes.items():
        groups = by_ratio(runs)
        against, proved = [], 0
        for ratio, those in groups.items():
            chance = float(edge.separable_probability(n, those[0].data.dim))
            separable, unknown = (
                sum(run.verdict == name for run in those) for name in ("separable", "undecided")
            )
            proved += len(those) - unknown
            # Whatever the draws are that were not decided.
            low = binom.cdf(separable + unknown, len(those), chance)
            high = binom.sf(separable - 1, len(those), chance)
            if 2.0 * min(low, high) < _IMPLAUSIBLE / len(groups):
                against.append(f"{ratio:g}")
        outcome = Outcome.AGREES if proved == len(runs) else Outcome.SHORT
        findings.append(
            Finding(
                f"N = {n}",
                Outcome.DIFFERS if against else outcome,
                f"{proved} of {len(runs)} draws decided with proof"
                + (f"; against Wendel at lambda = {', '.join(against)}" if against else ""),
                f"{plural(len(runs) - proved, 'draw')} without a proof",
            )
        )
    return Verdict.of_all(
        "Training sets become separable from the origin at lambda = 1/2 (Wendel), at the paper's N",
        findings,
        "Differs if the draws that are decided are too improbable at some lambda, which happens by "
        f"chance with a probability of at most {_IMPLAUSIBLE:g} for each N.",
        stated="lambda = 1/2",
    )


def _limit(sizes: dict[int, list[Run]], steps: float) -> Verdict:
    """Hold the accuracy at the last step that is shown against the margin formula."""
    findings = []
    for n, runs in sizes.items():
        sigma = runs[0].data.sigma
        groups = by_ratio(runs)
        ratios, rows = table(groups, lambda run: run.at(steps, "test_accuracy"))
        limits = np.asarray(edge.limit_accuracy(edge.large_n_margin(ratios, sigma), sigma))
        misses = np.abs(upper_median(rows) - limits)
        worst = int(np.argmax(misses))
        findings.append(
            ended_before(f"N = {n}", runs, steps)
            or Finding(
                f"N = {n}",
                judge_shares([bool(misses.max() <= _NEAR_LIMIT)]),
                f"off by {spread(misses.tolist())} over lambda, most at {ratios[worst]:g}: "
                f"{percent(float(upper_median(rows)[worst]))} % beside "
                f"{percent(float(limits[worst]))} %",
            )
        )
    return Verdict.of_all(
        f"By step {number(steps)} the accuracy is 1/2 [1 + erf(1 / (sigma M sqrt 2))]",
        findings,
        "M is the margin for large N, 0 up to lambda = 1/2. Agrees if the median over the draws is "
        f"within {_NEAR_LIMIT} at every lambda. The formula is the limit, which accuracies "
        "approach like 1/log t; the paper does not say at which step its accuracies are taken.",
        stated="1/2 [1 + erf(1 / (sigma M sqrt 2))]",
    )


def draw_wide(runs: Sequence[Run], steps: float = setting.WIDE_STEPS) -> "Figure":
    """
    Draw accuracy, grokking time and norm at a step against lambda, for each size.

    Parameters
    ----------
    runs : sequence of Run
        What `wide_sweeps` returns.
    steps : float
        Up to where they are shown.
    """
    sizes = by_size(runs)
    first = runs[0]
    sigma, level = first.data.sigma, setting.ACCURACY
    ratios = np.array(list(by_ratio(runs)))
    fine = np.linspace(ratios[0], ratios[-1], 400)
    with _draw.styled():
        figure, axes = _draw.panels(1, 3, height=3.0, sharey=False)
        accuracy, times, norm = axes[0]
        accuracy.plot(
            fine, edge.limit_accuracy(edge.large_n_margin(fine, sigma), sigma),
            color="0.4", lw=1, ls="--", label="limit for large N and t",
        )  # fmt: skip
        norm.plot(
            fine[fine < 0.499], edge.large_n_stationary(fine[fine < 0.499])[0],
            color="0.4", lw=1, ls="--",
        )  # fmt: skip
        for color, (n, those) in zip(_COLORS, sizes.items(), strict=False):
            groups = by_ratio(those)
            at = np.array(list(groups))
            draws = len(next(iter(groups.values())))
            label = f"N = {n}, {draws} draw{'s' if draws > 1 else ''}"
            mark = "-" if draws > 1 else "o-"
            read = table(groups, lambda run: run.at(steps, "test_accuracy"))[1]
            band(accuracy, at, read, color=color, label=label, style=mark)
            kept = table(groups, lambda run: _kept(run, steps, level))[1]
            band(times, at, kept, color=color, style=mark)
            read = table(groups, lambda run: sigma * run.at(steps, "norm_w"))[1]
            band(norm, at, read, color=color, style=mark)
            if draws == 1:
                apart = [run for run in those if run.verdict == "separable"]
                accuracy.plot(
                    [run.data.ratio for run in apart],
                    [run.at(steps, "test_accuracy") for run in apart],
                    "o", mfc="white", mec=_draw.VERMILION, ms=5, mew=1,
                    label="separable, with proof", zorder=4,
                )  # fmt: skip
        step = _draw.step_name(steps)
        accuracy.set(ylabel=f"accuracy on the population, {step}")
        times.set(yscale="log", ylabel=f"steps to accuracy {level:g}", ylim=(1.0, steps))
        norm.set(yscale="log", ylabel=rf"$\sigma\|S\|$, {step}")
        for ax in axes[0]:
            for line in ax.lines:
                if line.get_marker() == "o" and line.get_linestyle() == "-":
                    line.set_markersize(2.5)
            ax.axvline(0.5, color="0.6", lw=0.6)
            ax.set(xlabel=r"$\lambda = d/N$", xlim=(ratios[0] - 0.02, ratios[-1] + 0.02))
            ax.minorticks_off()
        _draw.label_panels(axes[0])
        _draw.legend_below(figure, [])
        figure.suptitle(
            rf"$\sigma$ = {sigma:g}, $\eta$ = {first.case.lr:g}; line and band: median and range",
            size=8,
        )
    return figure


def _kept(run: Run, steps: float, level: float) -> float:
    """When a level was reached for good; beyond the axis if that is not by a step."""
    time = run.kept_from(level)
    return max(time, 1.0) if time <= steps else 10.0 * steps


def wide_rows(runs: Sequence[Run], steps: float = setting.WIDE_STEPS) -> list[dict[str, Any]]:
    """Make one row for each run: what it is, where it was at a step, and what was proved."""
    return [
        {
            "lambda": run.data.ratio,
            "n": run.data.n,
            "dim": run.data.dim,
            "seed": run.data.seed,
            "verdict": run.verdict,
            "proof": run.proof,
            "wendel": float(edge.separable_probability(run.data.n, run.data.dim)),
            "step": steps,
            "accuracy": run.at(steps, "test_accuracy"),
            "train_accuracy": run.at(steps, "accuracy"),
            "loss": run.at(steps, "loss"),
            "norm_w": run.at(steps, "norm_w"),
            "b": run.at(steps, "b"),
            "generalised_at": run.kept_from(setting.ACCURACY),
            "last_step": float(run.steps[-1]),
            "estimated_error": run.error,
        }
        for run in runs
    ]


def wide_table(runs: Sequence[Run], steps: float = setting.WIDE_STEPS) -> str:
    """Write what became of the largest draws, lambda by lambda, beside the smaller ones."""
    sizes = by_size(runs)
    rows = []
    for n, those in sizes.items():
        for ratio, group in by_ratio(those).items():
            counted = [sum(r.verdict == v for r in group) for v in ("separable", "undecided")]
            counts = f"{counted[0]} of {len(group)}"
            left = f", {counted[1]} undecided" if counted[1] else ""
            chance = float(edge.separable_probability(n, group[0].data.dim))
            accuracies = [run.at(steps, "test_accuracy") for run in group]
            rows.append(
                (
                    str(n), f"{ratio:g}", spread(accuracies, percent),
                    spread([run.kept_from(setting.ACCURACY) for run in group]),
                    counts + left, number(chance),
                )
            )  # fmt: skip
    header = (
        "N", "lambda", f"% at step {number(steps)}", f"steps to {setting.ACCURACY:g} for good",
        "separable, with proof", "Wendel's probability",
    )  # fmt: skip
    reasons = dict.fromkeys(
        f"N = {run.data.n}, lambda = {run.data.ratio:g}: {run.proof}"
        for run in runs
        if run.verdict == "undecided"
    )
    why = "\n\nNot decided: " + "; ".join(reasons) + "." if reasons else ""
    return markdown_table(header, rows) + why
