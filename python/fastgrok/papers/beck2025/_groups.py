"""Learning curves in groups, which several figures consist of: runs, picture, files and report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok.papers import _draw
from fastgrok.papers._training import train_cells
from fastgrok.papers.beck2025._pictures import curves, step_axis
from fastgrok.papers.beck2025._reporting import as_arrays, record_rows
from fastgrok.papers.beck2025._training import Case, Run, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Beyond it a loss is not drawn.
_MOST_LOSS = 1e4


@dataclass(frozen=True)
class Groups:
    """Runs by what tells them apart, each group several draws of the data."""

    runs: dict[str, tuple[Run, ...]]

    @property
    def all(self) -> list[Run]:
        """All runs, in order."""
        return [run for group in self.runs.values() for run in group]

    @property
    def first(self) -> Run:
        """The first run, for what all have in common."""
        return self.all[0]

    @property
    def draws(self) -> int:
        """Draws of the data in each group."""
        return len(next(iter(self.runs.values())))


def train_groups(trainer: Trainer | None, cases: Mapping[str, Sequence[Case]]) -> Groups:
    """
    Train every case.

    Raises
    ------
    ValueError
        If there is no group, or one without a case.
    """
    return Groups(train_cells(trainer or Trainer(), cases, "group"))


def draw_groups(
    data: Groups,
    title: str,
    *,
    least_loss: float = 1e-10,
    legend: tuple[str, str] = ("training", "population"),
    mark: Callable[..., None] | None = None,
) -> "Figure":
    """
    Draw loss and accuracy against steps, a column for each group.

    `mark(accuracy_axes, runs)` may add to the lower panel of a group.
    """
    with _draw.styled():
        figure, axes = _draw.panels(2, len(data.runs), height=4.0, sharey="row")
        for (loss, accuracy), (name, runs) in zip(axes.T, data.runs.items(), strict=True):
            for suffix, color, label in (
                ("", _draw.BLUE, legend[0]),
                ("test_", _draw.ORANGE, legend[1]),
            ):
                curves(loss, runs, f"{suffix}loss", color=color, label=label)
                curves(accuracy, runs, f"{suffix}accuracy", color=color)
            if mark is not None:
                mark(accuracy, runs)
            loss.set(yscale="log", title=name)
            loss.minorticks_off()
            accuracy.set(xlabel="steps", ylim=(-0.03, 1.03))
        # Where ||w|| grows, the population's exponential loss goes beyond all numbers.
        values = np.concatenate([np.append(run.loss, run.test_loss)[1:] for run in data.all])
        shown = values[np.isfinite(values) & (values >= least_loss) & (values <= _MOST_LOSS)]
        axes[0, 0].set(
            ylim=(0.5 * shown.min(), 2.0 * shown.max()),
            ylabel=f"{data.first.case.loss} loss (mean)",
        )
        axes[1, 0].set(ylabel="accuracy")
        step_axis(axes, max(run.case.steps for run in data.all))
        _draw.label_panels(axes.ravel())
        _draw.legend_below(figure, legend)
        draws = f"; median and range of {data.draws} draws" if data.draws > 1 else "; 1 draw"
        figure.suptitle(title + draws, size=8)
    return figure


def group_files(data: Groups) -> dict[str, Any]:
    """Return the tables (all records) and arrays of groups, for `write_runs`."""
    arrays: dict[str, Any] = {}
    for number, group in enumerate(data.runs.values()):
        arrays |= as_arrays(group, f"group{number}_")
    return {"tables": {"records": record_rows(data.all)}, "arrays": arrays}
