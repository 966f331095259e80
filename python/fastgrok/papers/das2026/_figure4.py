"""Figure 4 of Das et al. (2026): unbalanced classes with unbalanced support vectors, d = 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._bias_claims import judge_figure4
from fastgrok.papers.das2026._bias_picture import draw_bias
from fastgrok.papers.das2026._bias_report import write_bias
from fastgrok.papers.das2026._ensemble import Ensemble, Options, train_ensemble
from fastgrok.papers.das2026._item import make_item
from fastgrok.papers.das2026._setting import Variant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pair = tuple[int, int]

#: Classes D(n+, n-) and support vectors S(s+, s-): balanced classes, more points of either with
#: the same unbalanced support vectors, and the classes alone unbalanced.
POPULATIONS: tuple[tuple[Pair, Pair], ...] = (
    ((1000, 1000), (350, 35)),
    ((1500, 500), (350, 35)),
    ((500, 1500), (350, 35)),
    ((1500, 500), (100, 100)),
)


def figure4(
    *,
    reductions: Sequence[str] = setting.REDUCTIONS,
    populations: Sequence[tuple[Pair, Pair]] = POPULATIONS,
    **options: Unpack[Options],
) -> Ensemble:
    """
    Train Figure 4 of Das et al. (2026) under several readings of the paper.

    Parameters
    ----------
    reductions : sequence of {"mean", "sum"}
        The paper's Eq. (3) is a sum; whether its runs take the sum is not settled.
    populations : sequence of ((int, int), (int, int))
        Classes D(n+, n-) and the support vectors S(s+, s-) planted in them.
    **options
        Keyword arguments of `train_ensemble`, whose errors are also those of this.

    Returns
    -------
    Ensemble
        One run for each reading and seed.

    Raises
    ------
    ValueError
        If no support vectors are planted in a class.
    """
    if any(min(support) < 1 for _, support in populations):
        raise ValueError(f"populations must plant in both classes, got {list(populations)}")
    variants = [
        Variant(reduction, support, classes=classes)
        for reduction in reductions
        for classes, support in populations
    ]
    return train_ensemble(variants, **options)


def draw_figure4(data: Ensemble) -> Mapping[str, "Figure"]:
    """
    Draw Figure 4, bias, distance and accuracies, one figure for each reduction run.

    Parameters
    ----------
    data : Ensemble
        What `figure4` returns.
    """

    def marks(variant: Variant) -> tuple[float, ...]:
        plus, minus = variant.classes
        if plus < minus:
            return ()  # the paper names no time
        return ((setting.PEAK if plus == minus else setting.PEAK_TOWARDS_PLUS).value,)

    return draw_bias(data, "classes and support vectors", marks)


def make_figure4(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge Figure 4 at the scale asked for; see `make_item`."""
    return make_item("figure4", settings, folder, figure4, write_figure4)


def write_figure4(data: Ensemble, folder: Path) -> Output:
    """
    Write pictures, records, phases and verdicts of Figure 4 into an existing folder.

    Parameters
    ----------
    data : Ensemble
        What `figure4` returns.
    folder : Path
        Where the files go; must exist.
    """
    return write_bias(
        "figure4",
        "Figure 4: unbalanced classes, d = 2",
        data,
        folder,
        pictures=draw_figure4(data),
        verdicts=judge_figure4(data),
        choices={
            "Which imbalances": "three points of one class to one of the other, both ways, "
            "with S(350,35). More support vectors of class -1 are the mirror image of these "
            "(x -> -x, y -> -y, b -> -b). One more has unbalanced classes only.",
        },
    )
