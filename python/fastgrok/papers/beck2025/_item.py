"""How a figure or a table of this paper is made: what it is told of the size, and a stop."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fastgrok._checks import plural
from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._making import keep_nothing, make
from fastgrok.papers._report import write_csv
from fastgrok.papers._training import RunsInterrupted
from fastgrok.papers.beck2025._reporting import record_rows
from fastgrok.papers.beck2025._setting import BESIDE, SIZES, Size
from fastgrok.papers.beck2025._training import Trainer

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """
    What the settings of a reproduction come to here.

    Attributes
    ----------
    trainer : Trainer
        How runs are trained.
    size : Size
        How many, and how large.
    seeds : range or None
        Draws of the data that were asked for, in place of those of `size`.
    """

    trainer: Trainer
    size: Size
    seeds: range | None

    @classmethod
    def of(cls, settings: Settings) -> "Plan":
        """Read settings."""
        return cls(
            Trainer(settings.engine, settings.threads, settings.progress, settings.cache),
            SIZES[settings.scale],
            None if settings.seeds is None else range(settings.seeds),
        )

    def curves(self) -> dict[str, Any]:
        """Return what a figure of learning curves takes: n, seeds and dtype."""
        size = self.size
        return {
            "n": size.curve_points,
            "seeds": self.seeds or range(size.curve_seeds),
            "dtype": size.dtype,
        }

    def smaller_curves(self) -> dict[str, Any]:
        """Return the same of sets that are no larger than those beside the largest."""
        points, draws = BESIDE
        if self.size.curve_points <= points:
            return self.curves()
        return self.curves() | {"n": points, "seeds": self.seeds or range(draws)}

    def sweep(self) -> dict[str, Any]:
        """Return what a figure over lambda takes: n, seeds and ratios."""
        size = self.size
        return {
            "n": size.sweep_points,
            "seeds": self.seeds or range(size.sweep_seeds),
            "ratios": size.ratios,
        }


def make_item(
    name: str,
    settings: Settings,
    folder: Path,
    train: Callable[[Plan], T],
    write: Callable[[T, Path], Output],
) -> Output:
    """
    Make an item as `make` does; `train` takes what the settings come to.

    On Ctrl-C the records of finished runs are kept in NAME-partial.csv.
    """
    return make(name, settings, folder, lambda given: train(Plan.of(given)), write, _keep)


def _keep(stop: KeyboardInterrupt, path: Path) -> str:
    if not isinstance(stop, RunsInterrupted):
        return keep_nothing(stop, path)
    if not stop.finished:
        return "no run had been finished yet"
    write_csv(path, record_rows(stop.finished))
    return f"kept the records of {plural(len(stop.finished), 'finished run')} in {path}"
