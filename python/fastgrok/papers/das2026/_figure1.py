"""Figure 1 of Das et al. (2026): the standard, concentrated and adversarial test set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._files import write_item
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._adversarial_claims import attacks_on
from fastgrok.papers.das2026._adversarial_picture import draw_adversarial
from fastgrok.papers.das2026._ensemble import Ensemble, Options, train_ensemble
from fastgrok.papers.das2026._figure1_claims import judge_figure1
from fastgrok.papers.das2026._figure1_picture import draw_figure1
from fastgrok.papers.das2026._figure1_report import report_figure1
from fastgrok.papers.das2026._item import make_item
from fastgrok.papers.das2026._tables import as_arrays, record_rows, time_rows

#: No planting, as the text of Figure 1 has it; balanced support vectors, for which the theory's
#: steady bias is 0; and an imbalance, to which the paper ascribes the delay.
SUPPORTS = ((0, 0), (350, 350), (350, 35))


def figure1(
    *,
    reductions: Sequence[str] = setting.REDUCTIONS,
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    without_bias: Sequence[tuple[int, int]] = ((0, 0),),
    n: tuple[int, int] = setting.CLASSES,
    **options: Unpack[Options],
) -> Ensemble:
    """
    Train Figure 1 of Das et al. (2026) at d = 2 under several readings of the paper.

    Every run is evaluated on the standard and the concentrated test set, and on the standard one
    under attack (l_inf, eps = 1, 20 steps of 1/4, inside the cube) by every adversary.

    Parameters
    ----------
    reductions : sequence of {"mean", "sum"}
        The paper's Eq. (3) is a sum; whether its runs take the sum is not settled.
    supports : sequence of (int, int)
        Planted support vectors S(s+, s-), included in `n`; (0, 0) plants none.
    without_bias : sequence of (int, int)
        Planted support vectors of the runs whose bias stays 0.
    n : (int, int), default (1000, 1000)
        Points of each class.
    **options
        Keyword arguments of `train_ensemble`: steps, seeds, lr, gamma, alpha, planting, record,
        engine, threads, progress, cache.

    Returns
    -------
    Ensemble
        One run for each reading and seed.

    Raises
    ------
    ValueError
        If `supports` is empty, and as `train_ensemble`.
    EnsembleInterrupted
        On Ctrl-C (a KeyboardInterrupt), with everything recorded so far.
    """
    if not supports:
        raise ValueError("supports must hold at least one pair, got none")
    variants = [
        *setting.readings(reductions, supports, n),
        *setting.readings(reductions, without_bias, n, bias=False),
    ]
    return train_ensemble(variants, adversarial=True, **options)


def make_figure1(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge Figure 1 at the scale asked for; see `make_item`."""
    return make_item("figure1", settings, folder, figure1, write_figure1)


def write_figure1(data: Ensemble, folder: Path) -> Output:
    """
    Write what Figure 1 consists of into an existing folder.

    The pictures (``figure1-*.png``), every record and every time (CSV; those under attack apart),
    the records for NumPy (npz), and the verdicts with the choices made (Markdown).

    Parameters
    ----------
    data : Ensemble
        What `figure1` returns.
    folder : Path
        Where the files go; must exist.
    """
    verdicts, attacks = judge_figure1(data), tuple(attacks_on(data))
    return write_item(
        "figure1",
        folder,
        pictures=draw_figure1(data) | {"adversarial": draw_adversarial(data)},
        tables={
            "records": record_rows(data.runs),
            "times": time_rows(data.runs),
            "adversarial-records": record_rows(data.runs, attacks),
            "adversarial-times": time_rows(data.runs, attacks),
        },
        arrays=as_arrays(data, (*setting.TEST_SETS, *attacks)),
        verdicts=verdicts,
        report=report_figure1(data, verdicts),
    )
