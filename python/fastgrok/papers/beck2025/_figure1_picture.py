"""The pictures of Figure 1 of Beck et al. (2025)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers.beck2025 import _setting as setting
from fastgrok.papers.beck2025._pictures import band, curves, headline, step_axis
from fastgrok.papers.beck2025._sweep import by_ratio, table
from fastgrok.papers.beck2025._training import Run
from fastgrok.theory import edge, two_point

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(runs: Sequence[Run]) -> "Figure":
    """
    Draw loss and accuracy against steps, a column for each side of the transition.

    Parameters
    ----------
    runs : sequence of Run
        Learning curves, as `Figure1.curves`.
    """
    groups = by_ratio(runs)
    with _draw.styled():
        figure, axes = _draw.panels(2, len(groups), height=4.2, sharey="row")
        for column, (ratio, group) in zip(axes.T, groups.items(), strict=True):
            loss, accuracy = column
            curves(loss, group, "loss", color=_draw.BLUE, label="training")
            curves(loss, group, "test_loss", color=_draw.ORANGE, label="population")
            curves(accuracy, group, "accuracy", color=_draw.BLUE)
            curves(accuracy, group, "test_accuracy", color=_draw.ORANGE)
            limit = edge.limit_accuracy(
                edge.large_n_margin(ratio, runs[0].data.sigma), runs[0].data.sigma
            )
            accuracy.axhline(
                float(limit),
                color=_draw.VERMILION,
                lw=0.8,
                ls="--",
                label=r"limit for large $N$, $t$",
            )
            loss.set(yscale="log", title=rf"$\lambda$ = {ratio:g}", ylim=(1e-10, None))
            loss.minorticks_off()
            accuracy.set(xlabel="steps")
        axes[0, 0].set(ylabel="loss (mean)")
        axes[1, 0].set(ylabel="accuracy")
        step_axis(axes, max(run.case.steps for run in runs))
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, ("training", "population"))
        figure.suptitle(headline(runs[0], len({run.data.seed for run in runs})), size=8)
    return figure


def draw_sweep(runs: Sequence[Run]) -> "Figure":
    """
    Draw final accuracy, rest, grokking time and share of separable draws against lambda.

    Parameters
    ----------
    runs : sequence of Run
        What `sweep` returns.
    """
    groups = by_ratio(runs)
    first, ratios = runs[0], np.array(list(groups))
    sigma, level = first.data.sigma, setting.ACCURACY
    fine = np.linspace(ratios[0], ratios[-1], 400)
    below = np.linspace(ratios[0], min(0.499, ratios[-1]), 200)
    with _draw.styled():
        figure, axes = _draw.panels(2, 2, height=4.6, sharey=False)
        final, rest, times, share = axes.ravel()

        final.plot(
            fine, edge.limit_accuracy(edge.large_n_margin(fine, sigma), sigma),
            color="0.4", lw=1, ls="--", label="limit, large N",
        )  # fmt: skip
        last = float(first.case.steps)
        for step, color in ((1e6, _draw.GREEN), (last, _draw.BLUE)):
            if step <= last:
                values = table(groups, lambda run, step=step: run.at(step, "test_accuracy"))[1]
                band(final, ratios, values, color=color, label=f"run, {_draw.step_name(step)}")
        limits = table(groups, lambda run: edge.limit_accuracy(run.margin, sigma))[1]
        final.plot(
            np.tile(ratios, len(limits)), limits.ravel(), ".", color=_draw.VERMILION, ms=2.5,
            label=r"limit of each draw, $\Phi(1/\sigma M)$",
        )  # fmt: skip
        final.set(ylabel="accuracy on the population")
        final.legend(fontsize=6, loc="lower left")

        halves = {ratio: group for ratio, group in groups.items() if ratio < 0.5}
        if halves:
            left, values = table(halves, lambda run: sigma * run.rest)
            at_end = table(halves, lambda run: sigma * run.norm_w[-1])[1]
            band(rest, left, values, color=_draw.BLUE, label=r"$\sigma\|S_\infty\|$ of each draw")
            rest.plot(
                np.tile(left, len(at_end)), at_end.ravel(), ".", color=_draw.VERMILION, ms=2.5,
                label="run, last step",
            )  # fmt: skip
        s = edge.large_n_stationary(below)[0]
        rest.plot(
            below, s, color="0.4", lw=1, ls="--", label=r"large N: $0.926(1/2-\lambda)^{-1/2}$"
        )
        rest.plot(
            below, two_point.stationary_point(below, 1.0), color=_draw.ORANGE, lw=1, ls=":",
            label="two-point model: logarithm",
        )  # fmt: skip
        rest.set(yscale="log", ylabel=r"$\sigma\|S\|$ at rest")
        rest.minorticks_off()
        rest.legend(fontsize=6, loc="upper left")

        values = table(groups, lambda run: run.kept_from(level))[1]
        reached = np.where(np.isfinite(values), values, np.nan)
        band(times, ratios, np.maximum(reached, 1.0), color=_draw.BLUE)
        times.set(yscale="log", ylabel=f"steps to accuracy {level:g}", xlabel=r"$\lambda = d/N$")
        times.minorticks_off()

        n = first.data.n
        times_separable = table(groups, lambda run: run.verdict == "separable")[1]
        dims = np.arange(1, n + 1)
        share.plot(
            dims / n, edge.separable_probability(n, dims), color="0.4", lw=1, ls="--",
            label="Wendel",
        )  # fmt: skip
        share.plot(ratios, times_separable.mean(axis=0), ".", color=_draw.BLUE, label="draws")
        share.set(ylabel="share of separable draws", xlabel=r"$\lambda = d/N$")
        share.legend(fontsize=6, loc="upper left")

        for ax in axes.ravel():
            ax.axvline(0.5, color="0.6", lw=0.6)
            ax.set(xlim=(ratios[0] - 0.02, ratios[-1] + 0.02))
        _draw.label_panels(axes.ravel())
        figure.suptitle(headline(first, len(next(iter(groups.values())))), size=8)
    return figure
