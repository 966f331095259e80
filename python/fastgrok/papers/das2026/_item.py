"""How a figure or a table is made from an ensemble of runs."""

from collections.abc import Callable
from pathlib import Path

from fastgrok.papers._catalogue import Output, Settings, Stopped
from fastgrok.papers._report import write_csv
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, EnsembleInterrupted
from fastgrok.papers.das2026._tables import record_rows

#: Steps of a run and draws of the data. They are the same for all items, which share runs. All
#: are the paper's steps: of the runs most leap, and the others take seconds.
SCALES: dict[str, dict[str, int]] = {
    "quick": {"steps": setting.STEPS, "seeds": 2},
    "default": {"steps": setting.STEPS, "seeds": 5},
    "full": {"steps": setting.STEPS, "seeds": 20},
}


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


def _keep_partial(stop: EnsembleInterrupted, path: Path) -> str:
    runs = (*stop.finished.runs, *stop.unfinished)
    if not runs:
        return "nothing had been recorded yet"
    write_csv(path, record_rows(runs))
    return (
        f"kept the records of {len(stop.finished.runs)} finished and {len(stop.unfinished)} "
        f"unfinished runs in {path}"
    )
