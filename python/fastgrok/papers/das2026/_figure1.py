"""Figure 1 of Das et al. (2026) at d = 2: the standard and the concentrated test set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok.papers._catalogue import Output, Settings, Stopped
from fastgrok.papers._report import write_csv
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, EnsembleInterrupted, train_ensemble
from fastgrok.papers.das2026._figure1_claims import judge_figure1
from fastgrok.papers.das2026._figure1_picture import draw_figure1
from fastgrok.papers.das2026._figure1_report import report_figure1
from fastgrok.papers.das2026._setting import Variant
from fastgrok.papers.das2026._tables import as_arrays, record_rows, time_rows

#: No planting, as the text of Figure 1 has it; balanced support vectors, for which the theory's
#: steady bias is 0; and an imbalance, to which the paper ascribes the delay.
SUPPORTS = ((0, 0), (350, 350), (350, 35))

_SCALES: dict[str, dict[str, int]] = {
    "quick": {"steps": 500_000, "seeds": 3},
    "default": {"steps": setting.STEPS, "seeds": 5},
    "full": {"steps": setting.STEPS, "seeds": 20},
}


def figure1(
    *,
    steps: int = setting.STEPS,
    seeds: Sequence[int] = range(5),
    reductions: Sequence[str] = ("mean", "sum"),
    supports: Sequence[tuple[int, int]] = SUPPORTS,
    n: tuple[int, int] = setting.CLASSES,
    lr: float = setting.LEARNING_RATE,
    gamma: float = setting.GAMMA,
    alpha: float = setting.ALPHA,
    planting: str = "antipodal",
    record: ArrayLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    progress: bool = False,
) -> Ensemble:
    """
    Train Figure 1 of Das et al. (2026) at d = 2 under several readings of the paper.

    Each run draws a training set in the cube [-5, 5]^2, a standard test set (the same law, without
    planting) and a concentrated one (``gamma / 2 <= |u| <= alpha gamma``), all of the same size
    and independent, and descends from zero with every step taken.

    Parameters
    ----------
    steps : int, default 10**7
        Steps of each run.
    seeds : sequence of int, default range(5)
        Draws of the data; one draw decides little here.
    reductions : sequence of {"mean", "sum"}
        The paper's Eq. (3) is a sum, its phase times fit the mean.
    supports : sequence of (int, int)
        Planted support vectors S(s+, s-), included in `n`; (0, 0) plants none.
    n : (int, int), default (1000, 1000)
        Points of each class.
    lr : float, default 1e-2
        Learning rate.
    gamma, alpha : float, default 1e-3 and 10
        Margin of the data; outer edge of the concentrated set in units of the margin.
    planting : {"antipodal", "iid"}
        How support vectors are drawn.
    record : array-like, optional
        As in `fastgrok.train`; default log-spaced, 40 records a decade.
    engine : str, default "auto"
        As in `fastgrok.train`.
    threads : int, optional
        Runs under way at the same time, each on one thread; default the cores available.
    progress : bool, default False
        Show one progress bar for the whole job.

    Returns
    -------
    Ensemble
        One run for each reading and seed.

    Raises
    ------
    EnsembleInterrupted
        On Ctrl-C (a KeyboardInterrupt), with everything recorded so far.
    """
    variants = [Variant(reduction, support) for reduction in reductions for support in supports]
    if not variants or not seeds:
        raise ValueError("reductions, supports and seeds must each hold at least one value")
    return train_ensemble(
        variants,
        [_checks.whole("seeds", seed, minimum=0) for seed in seeds],
        sets={"n": n, "gamma": gamma, "alpha": alpha, "planting": planting},
        training={
            "steps": _checks.whole("steps", steps),
            "lr": lr,
            "engine": engine,
            "record": record,
        },
        threads=threads,
        progress=progress,
    )


def make_figure1(settings: Settings, folder: Path) -> Output:
    """
    Train, draw and judge Figure 1 at the scale asked for, and write everything into `folder`.

    Raises
    ------
    Stopped
        On Ctrl-C; the records so far are then in figure1-partial.csv.
    """
    scale = _SCALES[settings.scale]
    try:
        data = figure1(
            steps=scale["steps"],
            seeds=range(settings.seeds or scale["seeds"]),
            engine=settings.engine,
            threads=settings.threads,
            progress=settings.progress,
        )
    except EnsembleInterrupted as stop:
        raise Stopped(_keep_partial(stop, folder)) from None
    return write_figure1(data, folder)


def write_figure1(data: Ensemble, folder: Path) -> Output:
    """
    Write what Figure 1 consists of into an existing folder.

    The pictures (figure1-*.png), every record and every time (CSV), the records for NumPy (npz),
    and the verdicts with the choices made (Markdown).
    """
    records, times, arrays, report = (
        folder / name
        for name in ("figure1-records.csv", "figure1-times.csv", "figure1.npz", "figure1.md")
    )
    write_csv(records, record_rows(data.runs))
    write_csv(times, time_rows(data.runs))
    np.savez_compressed(arrays, **as_arrays(data))
    pictures = []
    for name, picture in draw_figure1(data).items():
        pictures.append(folder / f"figure1-{name}.png")
        picture.savefig(pictures[-1], dpi=200)
    verdicts = judge_figure1(data)
    report.write_text(report_figure1(data, verdicts), encoding="utf-8")
    return Output((*pictures, records, times, arrays, report), tuple(verdicts))


def _keep_partial(stop: EnsembleInterrupted, folder: Path) -> str:
    runs = (*stop.finished.runs, *stop.unfinished)
    if not runs:
        return "nothing had been recorded yet"
    path = folder / "figure1-partial.csv"
    write_csv(path, record_rows(runs))
    return (
        f"kept the records of {len(stop.finished.runs)} finished and {len(stop.unfinished)} "
        f"unfinished runs in {path}"
    )
