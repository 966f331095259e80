"""Figure 2 of Das et al. (2026): what the balance of the support vectors does, d = 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._bias_claims import judge_figure2
from fastgrok.papers.das2026._bias_picture import draw_bias
from fastgrok.papers.das2026._bias_report import write_bias
from fastgrok.papers.das2026._ensemble import Ensemble, Options, train_ensemble
from fastgrok.papers.das2026._item import make_item
from fastgrok.papers.das2026._setting import Variant

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Balanced; unbalanced towards +1, a little and much; the latter mirrored.
SUPPORTS = ((350, 350), (350, 200), (350, 35), (35, 350))


def figure2(
    *,
    reductions: Sequence[str] = setting.REDUCTIONS,
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    n: tuple[int, int] = setting.CLASSES,
    **options: Unpack[Options],
) -> Ensemble:
    """
    Train Figure 2 of Das et al. (2026) under several readings of the paper.

    Parameters
    ----------
    reductions : sequence of {"mean", "sum"}
        The paper's Eq. (3) is a sum; whether its runs take the sum is not settled.
    supports : sequence of (int, int)
        Planted support vectors S(s+, s-), included in `n`; at least one of each class.
    n : (int, int), default (1000, 1000)
        Points of each class.
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
    if any(min(support) < 1 for support in supports):
        raise ValueError(f"supports must plant in both classes, got {list(supports)}")
    return train_ensemble(setting.readings(reductions, supports, n), **options)


def draw_figure2(data: Ensemble) -> Mapping[str, "Figure"]:
    """
    Draw Figure 2, bias, distance and accuracies, one figure for each reduction run.

    Parameters
    ----------
    data : Ensemble
        What `figure2` returns.
    """

    def marks(_: Variant) -> tuple[float, ...]:
        return (setting.PHASE_1_END.value, setting.PHASE_2_END.value)

    return draw_bias(data, "support vectors", marks)


def make_figure2(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge Figure 2 at the scale asked for; see `make_item`."""
    return make_item("figure2", settings, folder, figure2, write_figure2)


def write_figure2(data: Ensemble, folder: Path) -> Output:
    """
    Write pictures, records, phases and verdicts of Figure 2 into an existing folder.

    Parameters
    ----------
    data : Ensemble
        What `figure2` returns.
    folder : Path
        Where the files go; must exist.
    """
    return write_bias(
        "figure2",
        "Figure 2: unbalanced support vectors, d = 2",
        data,
        folder,
        pictures=draw_figure2(data),
        verdicts=judge_figure2(data),
        choices={
            "Which support vectors": "S(350,350) and S(350,35) as in Figure 1, one between "
            "them, and the mirror image of the latter.",
            "Paper's times": "the phase times marked are those named for the setting of "
            "Figure 1; the support vectors of that setting are not given.",
        },
    )
