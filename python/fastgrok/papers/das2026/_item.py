"""How a figure or a table is made from an ensemble of runs, and what it leaves in its folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers._catalogue import Output, Settings, Stopped
from fastgrok.papers._report import Verdict, write_csv
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, EnsembleInterrupted
from fastgrok.papers.das2026._tables import record_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Steps of a run and draws of the data. They are the same for all items, which share runs.
SCALES: dict[str, dict[str, int]] = {
    "quick": {"steps": 300_000, "seeds": 3},
    "default": {"steps": setting.STEPS, "seeds": 5},
    "full": {"steps": setting.STEPS, "seeds": 20},
}

_DPI = 200


def make_item(
    name: str,
    settings: Settings,
    folder: Path,
    train: Callable[..., Ensemble],
    write: Callable[[Ensemble, Path], Output],
) -> Output:
    """
    Train what an item needs at the scale asked for, and write it into `folder`.

    Raises
    ------
    Stopped
        On Ctrl-C; the records so far are then in NAME-partial.csv.
    """
    scale = SCALES[settings.scale]
    try:
        data = train(
            steps=scale["steps"],
            seeds=range(settings.seeds or scale["seeds"]),
            engine=settings.engine,
            threads=settings.threads,
            progress=settings.progress,
            cache=settings.cache,
        )
    except EnsembleInterrupted as stop:
        raise Stopped(_keep_partial(stop, folder / f"{name}-partial.csv")) from None
    return write(data, folder)


def write_item(
    name: str,
    folder: Path,
    *,
    pictures: Mapping[str, "Figure"],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    arrays: Mapping[str, Any],
    verdicts: Sequence[Verdict],
    report: str,
) -> Output:
    """Write an item's files, NAME.* and NAME-KEY.*, into an existing folder."""
    files = []

    def path(key: str, suffix: str) -> Path:
        files.append(folder / f"{name}{'-' if key else ''}{key}.{suffix}")
        return files[-1]

    for key, picture in pictures.items():
        picture.savefig(path(key, "png"), dpi=_DPI)
    for key, rows in tables.items():
        write_csv(path(key, "csv"), rows)
    np.savez_compressed(path("", "npz"), allow_pickle=False, **arrays)
    path("", "md").write_text(report, encoding="utf-8")
    return Output(tuple(files), tuple(verdicts))


def _keep_partial(stop: EnsembleInterrupted, path: Path) -> str:
    runs = (*stop.finished.runs, *stop.unfinished)
    if not runs:
        return "nothing had been recorded yet"
    write_csv(path, record_rows(runs))
    return (
        f"kept the records of {len(stop.finished.runs)} finished and {len(stop.unfinished)} "
        f"unfinished runs in {path}"
    )
