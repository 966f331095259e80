"""A function over a grid of arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastgrok import _checks
from fastgrok._checks import calls
from fastgrok._checks.calls import helpful
from fastgrok.descent import checkpoints
from fastgrok.errors import SweepWarning
from fastgrok.sweeps import _identity as identity
from fastgrok.sweeps._dataset import agreeing, dataset
from fastgrok.sweeps._executors import workers_of
from fastgrok.sweeps._experiments import EXPERIMENTS, Experiment
from fastgrok.sweeps._grid import Cell, Grid
from fastgrok.sweeps._running import Book, run_cells
from fastgrok.sweeps._store import Store
from fastgrok.sweeps._values import OWN

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import xarray as xr
    from distributed import Client


@helpful
def sweep(
    run: Callable[..., Mapping[str, Any]] | str,
    grid: Mapping[str, Any],
    *,
    executor: Executor | Client | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> xr.Dataset:
    """
    Call a function at every point of a grid of arguments, and put the results into a data set.

    Parameters
    ----------
    run : callable or str
        A top-level function that takes the names in `grid` as arguments and returns a dict of
        names to numbers or arrays; an array may come with names for its dimensions, as ``("step",
        array)``, and is a coordinate if that is its own name. None is NaN. Or an experiment:

        - "edge": grokking time of Gaussian points of one label, over lam, sigma, n, seed, ...;
        - "limits": the same, its final accuracy and the norm of the weights at rest;
        - "curves": its learning curves, over lam, sigma, seed, ...;
        - "rates": its grokking time over `factor`, the learning rate by the largest stable one;
        - "cube": grokking time on the square over imbalance of the support vectors, alpha, ...;
        - "two_point": grokking time of the two-point model, over lam, sigma, lr, accuracy.

        ``help(fastgrok.sweeps.EXPERIMENTS["edge"].run)`` shows the arguments of one.
    grid : dict of str to array_like
        Values of the arguments: numbers, booleans or texts, each once. A list is a dimension of
        the result, a single value the same for all cells. Other arguments keep their defaults. Of
        a DataArray the attributes are kept; its dimension is called by the argument.
    executor : concurrent.futures.Executor or dask.distributed.Client, optional
        Who computes. Default: threads of this process, as many as it may use cores
        (`show_config`); fastgrok gives the GIL up while it computes. Whatever the executor,
        ``threads=None`` inside a call means its share of the cores. On other machines `run` and
        fastgrok must be importable.
    store : str or PathLike, optional
        Folder in which every finished cell is kept, a file each. A later call with the same
        function (name and source), arguments and version of fastgrok computes what is missing;
        what `run` calls is not looked into. Several sweeps may use one folder, also at once.
    progress : bool, default True
        Show how many cells are done and failed, their rate, and the time left.

    Returns
    -------
    xarray.Dataset
        The results by name, with the names in `grid` as dimensions. `failed` says which cells
        raised an exception: these are NaN, `traceback` says why, and they are tried again in
        the next call with the store.

    Raises
    ------
    TypeError, ValueError
        For arguments that make no sense, before anything is computed.
    ImportError
        Without xarray: ``pip install 'fastgrok[data]'``, or ``'fastgrok[dask]'`` for clusters.
    OSError
        If the store cannot be written.
    KeyboardInterrupt
        On Ctrl-C, with how far it came. Finished cells are in the store.

    Warns
    -----
    SweepWarning
        If cells failed, and why the first did.

    Examples
    --------
    >>> found = sweep("two_point", {"lam": [0.3, 0.45], "sigma": [1.0, 5.0, 20.0]}, progress=False)
    >>> found.time.dims, found.time.shape
    (('lam', 'sigma'), (2, 3))
    >>> round(float(found.log10_time.sel(lam=0.45, sigma=5.0)), 2)
    2.65
    """
    axes = Grid.of(grid)
    experiment = _experiment(run)
    for name in () if experiment is None else experiment.shared:
        if len(axes.axes.get(name, ())) > 1:
            raise ValueError(
                f"grid[{name!r}] must be a single value for {run!r}, whose cells share their "
                f"steps, got {len(axes.axes[name])} values: sweep each by itself"
            )
    function = identity.Function(run if experiment is None else experiment.run, axes.names)
    folder = None if store is None else Store(_checks.path("store", store))
    progress = _checks.flag("progress", progress)
    try:
        import_module("xarray")
    except ImportError as error:
        raise ImportError("sweep needs xarray: pip install 'fastgrok[data]'") from error
    version = f"fastgrok {_version()}, steps {checkpoints.VERSION!r}"

    def description(cell: Cell) -> tuple[dict[str, Any], str]:
        made_from = identity.made_from(function, cell, version)
        return made_from, identity.key(made_from)

    with workers_of(executor) as workers:
        cells = list(axes.cells())
        book = Book(cells, folder, description)
        wanted = [i for i in range(len(cells)) if not book.look_up(i)]
        tasks: Iterator[list[int]] = ([i] for i in wanted)
        if experiment is not None:
            tasks = experiment.tasks(cells, wanted)
        run_cells(book, tasks, run, workers, progress)
    outcomes = agreeing([outcome for outcome in book.outcomes if outcome is not None])
    _warn_of_failures(axes, outcomes)
    attrs = {"run": run if isinstance(run, str) else function.name, "fastgrok": _version()}
    if experiment is not None:
        attrs |= {"title": experiment.title, "value": experiment.value}
    name_of = partial(_attributes, experiment)
    return dataset(axes, outcomes, name_of, attrs)


def _experiment(run: Any) -> Experiment | None:
    if not isinstance(run, str):
        return None
    return EXPERIMENTS[_checks.choice("run", run, EXPERIMENTS)]


def _attributes(experiment: Experiment | None, name: str) -> dict[str, str]:
    own = dict(zip(OWN, ("whether the cell failed", "why the cell failed"), strict=True))
    if name in own:
        return {"long_name": own[name]}
    return {} if experiment is None else experiment.attributes(name)


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 (slow to import)

    return version("fastgrok")


def _warn_of_failures(grid: Grid, outcomes: list[Any]) -> None:
    failed = [i for i, outcome in enumerate(outcomes) if outcome.values is None]
    if failed:
        first = outcomes[failed[0]].traceback.strip().splitlines()[-1]
        calls.warn(
            f"{len(failed)} of {_checks.plural(len(outcomes), 'cell')} failed and "
            f"{'is' if len(failed) == 1 else 'are'} NaN; the first, at "
            f"{grid.arguments_of(failed[0])}: {first} (see the variable traceback)",
            SweepWarning,
        )
