"""The picture of Figure 1's adversarial test set, with and without a learnable bias."""

from typing import TYPE_CHECKING

from fastgrok.papers import _draw
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._adversarial_claims import aligned_accuracy, attacks_on
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._figure1_picture import accuracy_range, draw_runs
from fastgrok.papers.das2026._reporting import headline
from fastgrok.papers.das2026._setting import Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = {
    "train": "0.25",
    "adversarial_exact": _draw.GREEN,
    "adversarial_autodiff32": _draw.VERMILION,
    "adversarial_autodiff64": _draw.BLUE,
}
_TRUE_SIGN = "adversarial_pgd"


def draw_adversarial(data: Ensemble) -> "Figure":
    """
    Draw the adversarial accuracy against the steps, as it is and as the attacks report it.

    Parameters
    ----------
    data : Ensemble
        What `figure1` returns.

    Returns
    -------
    matplotlib Figure
        One row of panels for each reduction, one column for each set of planted support vectors,
        with and without a learnable bias.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """
    reductions = list(dict.fromkeys(variant.reduction for variant in data.variants))
    columns = list(dict.fromkeys((v.support, v.bias) for v in data.variants))
    names = {name: f"attack: {adversary.label}" for name, adversary in attacks_on(data).items()}
    names = {"train": "training set", **names}
    with _draw.styled():
        figure, axes = _draw.panels(
            len(reductions), len(columns), height=1.1 + 1.7 * len(reductions)
        )
        for row, reduction in zip(axes, reductions, strict=True):
            for ax, (support, bias) in zip(row, columns, strict=True):
                shown = (reduction, support, bias)
                for variant in data.variants:
                    if (variant.reduction, variant.support, variant.bias) == shown:
                        _panel(ax, data, variant, names)
                        ax.set_title(variant.planted + ("" if bias else ", no bias"))
            row[0].set_ylabel(f"accuracy (%)\nloss: {reduction}")
        _draw.log_steps(axes[0, 0], 1, data.settings["steps"])
        axes[0, 0].set_ylim(*accuracy_range(data, names))
        for ax in axes[-1]:
            ax.set_xlabel("gradient descent steps")
        figure.suptitle(headline(data, "$\\ell_\\infty$ attack, $\\epsilon$ = 1"), fontsize=9)
        _draw.label_panels(axes.flat)
        _draw.legend_below(figure, list(names.values()), columns=3)
    return figure


def _panel(ax: "Axes", data: Ensemble, variant: Variant, names: dict[str, str]) -> None:
    for name, color in _COLORS.items():
        if name in names:
            draw_runs(ax, data.of(variant), name, color=color, label=names[name])
    if _TRUE_SIGN in names:
        first = data.of(variant)[0].trajectory
        ax.plot(
            first.steps[1:],
            100 * first.accuracy[_TRUE_SIGN][1:],
            color="black",
            lw=0.9,
            ls=(0, (1, 3)),
            label=f"{names[_TRUE_SIGN]} (first draw)",
            zorder=4,
        )
    formula = "$(1 - \\epsilon/5)^2$: " if data.dim == setting.DIM else ""
    ax.axhline(
        100 * aligned_accuracy(data.dim),
        color="0.5",
        lw=0.8,
        ls=(0, (4, 2)),
        label=f"{formula}true for $w$ along $w_{{true}}$",
        zorder=1.5,
    )
