"""How a figure or a table is made from an ensemble of runs."""

from collections.abc import Callable
from pathlib import Path

from fastgrok._checks import plural
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._making import keep_nothing, make
from fastgrok.papers._report import write_csv
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble, EnsembleInterrupted
from fastgrok.papers.das2026._tables import record_rows

#: Steps of a run and draws of the data. They are the same for all items, which share runs. All
#: are the paper's steps: of the runs most leap, and the others take seconds.
SCALES: dict[str, dict[str, int]] = {
    "quick": {"steps": setting.STEPS, "seeds": 3},
    "default": {"steps": setting.STEPS, "seeds": 5},
    "full": {"steps": setting.STEPS, "seeds": 20},
}


def seeds_of(settings: Settings) -> range:
    """Return the draws of the data that are asked for."""
    return range(settings.seeds or SCALES[settings.scale]["seeds"])


def make_item(
    name: str,
    settings: Settings,
    folder: Path,
    train: Callable[..., Ensemble],
    write: Callable[[Ensemble, Path], Output],
) -> Output:
    """
    Make an item of runs as `make` does; `train` takes the keyword arguments of `train_ensemble`.

    On Ctrl-C the records so far are kept in NAME-partial.csv.
    """

    def at(settings: Settings) -> Ensemble:
        return train(
            steps=SCALES[settings.scale]["steps"],
            seeds=seeds_of(settings),
            engine=settings.engine,
            threads=settings.threads,
            progress=settings.progress,
            cache=settings.cache,
        )

    return make(name, settings, folder, at, write, keep_records)


def keep_records(stop: KeyboardInterrupt, path: Path) -> str:
    """Write the records of an ensemble that was stopped, as far as they had come; say so."""
    if not isinstance(stop, EnsembleInterrupted):
        return keep_nothing(stop, path)
    runs = (*stop.finished.runs, *stop.unfinished)
    if not runs:
        return "nothing had been recorded yet"
    seen = runs[0].trajectory.sizes  # runs at d = 1024 are tested when all are trained
    tests = [name for name in setting.TEST_SETS if name in seen]
    write_csv(path, record_rows(runs, tests))
    return (
        f"kept the records of {len(stop.finished.runs)} finished and "
        f"{plural(len(stop.unfinished), 'unfinished run')} in {path}"
    )
