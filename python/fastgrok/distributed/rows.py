"""Rows on a cluster as `fastgrok.train` takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Classes
from fastgrok._checks.calls import helpful
from fastgrok._core import Problem
from fastgrok.distributed._remote import Remote
from fastgrok.distributed.clients import require_client


class Rows:
    """
    Rows on the workers of a cluster, as `X` of :func:`fastgrok.train`.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    dtype : dtype
        float64 or float32.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.shape, self.dtype = remote.shape, remote.dtype

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.shape[0] * self.shape[1]

    def workers(self) -> list[str]:
        """Addresses of the workers that hold rows, in the order of the rows."""
        return self._remote.workers()

    def _problem(self, bias: bool) -> Problem:
        """Return a problem of these rows for the engines."""
        return self._remote.problem(bias)

    def _digests(self) -> tuple[list[bytes], list[bytes]]:
        """Return those of the rows and of the labels of each chunk."""
        return self._remote.digests()

    def gathered(self) -> tuple[NDArray[Any], F64]:
        """Return copies of all rows and labels, here."""
        return self._remote.gathered()

    def __repr__(self) -> str:
        """Say how many they are, and on how many workers."""
        where = len(set(self.workers()))
        return (
            f"<{self.shape[0]} x {self.shape[1]} {self.dtype} on {_checks.plural(where, 'worker')}>"
        )

    def __array__(self, *_arguments: object, **_options: object) -> NoReturn:
        """Refuse to be copied by chance."""
        raise TypeError("these rows lie on the workers of a cluster; gathered() copies them here")


class Labels:
    """
    Labels of rows on the workers of a cluster, as `y` of :func:`fastgrok.train`.

    Attributes
    ----------
    shape : tuple of int
        The number of rows.
    classes : tuple
        What the labels are called, the class of -1 first.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.shape, self.classes = remote.shape[:1], remote.classes

    def __repr__(self) -> str:
        """Say what they are called."""
        return f"<{_checks.plural(self.shape[0], 'label')} on a cluster, of {self.classes}>"

    def are_of(self, rows: Rows) -> bool:
        """Whether they came with these rows."""
        return self._remote is rows._remote

    def __array__(self, *_arguments: object, **_options: object) -> NoReturn:
        """Refuse to be copied by chance."""
        raise TypeError("these labels lie on the workers of a cluster")


@dataclass(frozen=True)
class Scattered:
    """
    Rows and their labels on the workers of a cluster.

    They stay there as long as this, or what was made of it, does.

    Attributes
    ----------
    X : Rows
        ``X`` of :func:`fastgrok.train`.
    y : Labels
        ``y`` of the same call.
    """

    X: Rows
    y: Labels


def is_dask_array(value: object) -> bool:
    """Whether it is one, without an import of dask."""
    return type(value).__module__.startswith("dask.array")


def lacks_array(value: object) -> bool:
    """Whether it is a frame or a column of dask, whose length is not known."""
    return hasattr(value, "to_dask_array") and hasattr(value, "npartitions")


def as_dask_array(value: Any) -> str:
    """Say what makes a dask array of something else."""
    if lacks_array(value):
        return "its to_dask_array(lengths=True) is one"
    if isinstance(value, Scattered):
        return "its X is on the cluster already, and y=its y goes with it"
    if type(value).__module__.startswith("xarray") and hasattr(value, "chunk"):
        return f"its {'' if is_dask_array(value.data) else 'chunk().'}data is one"
    return "dask.array.from_array makes one"


@helpful
def scatter(
    X: Any,
    y: ArrayLike,
    client: Any,
    *,
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> Scattered:
    """
    Bring rows to the workers of a dask cluster, for any number of runs.

    Each worker makes its rows from the graph and keeps them, as many as it has threads a share of:
    whole chunks of those whose sums :func:`fastgrok.train` adds up in order, so that what it
    gives does not depend on the number of workers, nor on `X`'s own blocks. What two workers need
    of a block is made by both, or sent. Of a worker that is lost another makes the rows, also in
    the middle of a run: one that comes within 15 s, or else the one that holds least.

    Parameters
    ----------
    X : dask array of shape (n, d)
        Finite rows. float32 stays, all else becomes float64. A graph that reads files
        (``dask.array.from_zarr``, :func:`from_npy`), or makes rows of a seed
        (:func:`from_recipe`), costs no memory here, and nothing is sent.
    y : array_like or dask array of shape (n,) or (n, 1)
        Labels of two classes, as :func:`fastgrok.train` takes them.
    client : distributed.Client
        Of the cluster. Its workers need fastgrok as it is here.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        Of every worker for its passes. Default: as many as it has.

    Returns
    -------
    Scattered
        ``X`` and ``y`` for :func:`fastgrok.train`, and for its `evals`.

    Raises
    ------
    TypeError
        If `X` is no dask array or `client` no client.
    ValueError
        For shapes that do not fit, of an unknown size too, a client that is closed, and for rows
        that are not finite or labels that are not of two classes.
    ClusterError
        If no worker is there, or one after the other is lost, or the scheduler.

    Warns
    -----
    ClusterWarning
        While it waits for workers that the cluster has paused for lack of memory.
    """

    def read(labels: ArrayLike, rows: int) -> tuple[F64, Classes]:
        return _checks.two_classes("y", labels, rows, classes)

    require_client("client", client)
    return scattered(X, y, client, read, names=("X", "y"), threads=threads)


def scattered(
    X: Any,
    y: Any,
    client: Any,
    read: Callable[[ArrayLike, int], tuple[F64, Classes]],
    *,
    names: tuple[str, str],
    threads: int | None = None,
) -> Scattered:
    """
    Bring rows to workers, by the names that a message should give the arguments.

    What makes signs of labels, so many, is `read`.
    """
    if not is_dask_array(X):
        raise TypeError(
            f"{names[0]} must be a dask array where a cluster holds it, got {_checks.show(X)}: "
            f"{as_dask_array(X)}"
        )
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(
            f"{names[0]} must have 2 dimensions (rows, columns), at least one of each, got shape "
            f"{X.shape}"
        )
    if isinstance(y, Labels) or y is None:
        raise TypeError(f"{names[1]} must hold one label a row, got {_checks.show(y)}")
    if lacks_array(y):
        raise TypeError(
            f"{names[1]} must be an array, got a {type(y).__name__} of dask: {as_dask_array(y)}"
        )
    for name, array in zip(names, (X, y), strict=True):
        if is_dask_array(array) and any(np.isnan(size) for size in array.shape):
            raise ValueError(f"{name} must have a known shape: call its compute_chunk_sizes()")
    if X.dtype.kind not in "biuf":
        raise TypeError(f"{names[0]} must hold real numbers, got dtype {X.dtype}")
    rows, columns = (int(size) for size in X.shape)
    signs, classes = None, _checks.SIGNS
    if is_dask_array(y):
        if y.shape not in ((rows,), (rows, 1)):
            raise ValueError(
                f"{names[1]} must have one label a row: {_checks.plural(rows, 'row')}, "
                f"shape {y.shape}"
            )
        y = y if y.ndim == 1 else y[:, 0]
    else:
        y, classes = read(y, rows)
        y, signs = y.astype(np.int8), [(-1, -1.0), (1, 1.0)]
    single = X.dtype.kind == "f" and X.dtype.itemsize == 4
    remote = Remote(
        client,
        X.rechunk({1: -1}),
        y,
        (rows, columns),
        np.dtype(np.float32 if single else np.float64),
        names,
        lambda labels: read(labels, len(labels)),
        signs,
        classes,
        None if threads is None else _checks.threads(threads),
    )
    remote.place()
    return Scattered(Rows(remote), Labels(remote))
