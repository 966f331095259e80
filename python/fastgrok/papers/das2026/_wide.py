"""Figure 1 and Table 1 of Das et al. (2026) at d = 1024, as the command makes them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastgrok.papers._catalogue import Output, Settings
from fastgrok.papers._making import make
from fastgrok.papers.das2026 import _setting as setting
from fastgrok.papers.das2026._ensemble import Ensemble
from fastgrok.papers.das2026._figure1 import write_figure1
from fastgrok.papers.das2026._item import keep_records
from fastgrok.papers.das2026._table1 import write_table1
from fastgrok.papers.das2026._wide_runs import train_wide


@dataclass(frozen=True)
class WideSize:
    """
    How much is computed at a scale.

    Attributes
    ----------
    points : int
        Of each class.
    orders : int
        Orders of the rows in which the sum is trained.
    exact_steps, settling_steps : float
        How many are taken one by one at most where a run cannot be leaped, with planted support
        vectors and without.
    steps : int
        Of each run.
    """

    points: int
    orders: int
    exact_steps: float
    settling_steps: float
    steps: int = setting.STEPS


#: One draw of the data each; the last has the paper's size.
SIZES = {
    "quick": WideSize(2500, 2, 1100.0, 5000.0),
    "default": WideSize(50_000, 3, 1100.0, 20_000.0),
    "full": WideSize(500_000, 3, 600.0, 20_000.0),
}


def make_wide_figure1(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge Figure 1 at d = 1024 at the scale asked for."""
    return _make("figure1", settings, folder, write_figure1)


def make_wide_table1(settings: Settings, folder: Path) -> Output:
    """Train, draw and judge Table 1 at d = 1024, with the runs of Figure 1 that learn a bias."""

    def write(data: Ensemble, folder: Path) -> Output:
        return write_table1(data.where(lambda variant: variant.bias), folder)

    return _make("table1", settings, folder, write)


def _make(
    name: str, settings: Settings, folder: Path, write: Callable[[Ensemble, Path], Output]
) -> Output:
    return make(name, settings, folder, _train, write, keep_records)


def _train(settings: Settings) -> Ensemble:
    """Train what both need, once for a command."""
    size = SIZES[settings.scale]
    key = ("das2026", setting.WIDE, size, settings.seeds, settings.engine)
    if key not in settings.cache:
        settings.cache[key] = train_wide(
            n=(size.points, size.points),
            orders=size.orders,
            seeds=range(settings.seeds or 1),
            steps=size.steps,
            exact_steps=size.exact_steps,
            settling_steps=size.settling_steps,
            engine=settings.engine,
            threads=settings.threads,
            progress=settings.progress,
        )
    data: Ensemble = settings.cache[key]
    return data
