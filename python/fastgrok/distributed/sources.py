"""Dask arrays whose rows workers make by themselves."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastgrok import _checks
from fastgrok._checks.calls import helpful

_BLOCK = 1 << 26
"""Bytes of a block, if the caller does not say."""

Recipe = Callable[[np.random.Generator, int], tuple[NDArray[Any], NDArray[Any]]]


def _blocks(rows: int, row_bytes: int, block: int | None) -> list[tuple[int, int]]:
    usual = max(1, _BLOCK // max(1, row_bytes))
    size = usual if block is None else _checks.whole("block", block)
    return [(first, min(first + size, rows)) for first in range(0, rows, size)]


def _read(path: str, first: int, stop: int) -> NDArray[Any]:
    try:
        part: NDArray[Any] = np.load(path, mmap_mode="r")[first:stop]
    except OSError as error:
        raise type(error)(
            error.errno,
            f"{error.strerror} on a worker, which must find the file as it is here",
            path,
        ) from error
    return part


def _opened(name: str) -> NDArray[Any]:
    """Map a file that workers are to map, or say why they could not."""
    try:
        whole = np.load(name, mmap_mode="r")
    except ValueError as error:
        raise ValueError(f"path must be a .npy file of numbers, but of {name}: {error}") from None
    if not isinstance(whole, np.ndarray):
        whole.close()
        raise ValueError(
            f"path must be a .npy file of one array, got an archive of several, {name}: save the "
            "array by numpy.save"
        )
    if whole.dtype.kind not in "biufU":
        raise ValueError(f"path must be of numbers or texts, got dtype {whole.dtype} in {name}")
    if whole.ndim == 0 or 0 in whole.shape:
        raise ValueError(f"path must be of an array with rows, got shape {whole.shape} in {name}")
    return whole


@helpful
def from_npy(path: str | os.PathLike[str], *, block: int | None = None) -> Any:
    """
    Make a dask array of a .npy file that workers map into their memory.

    Parameters
    ----------
    path : str or path-like
        Of the file, the same for every worker.
    block : int, optional
        Rows of a block. Default: about 64 MiB.

    Returns
    -------
    dask array
        Of the shape and the dtype of the file.

    Raises
    ------
    OSError, ValueError
        If there is no such file, or it is not of this kind.
    TypeError
        If `path` is no path.
    """
    import dask  # noqa: PLC0415
    import dask.array as da  # noqa: PLC0415

    name = os.path.abspath(_checks.path("path", path))
    whole = _opened(name)
    row = whole[:1].nbytes
    parts = [
        da.from_delayed(
            dask.delayed(_read)(name, first, stop), (stop - first, *whole.shape[1:]), whole.dtype
        )
        for first, stop in _blocks(whole.shape[0], row, block)
    ]
    return da.concatenate(parts)


def _make(
    recipe: Recipe, seed: int, number: int, shape: tuple[int, int], dtype: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    made = recipe(np.random.default_rng([seed, number]), shape[0])
    what = f"the recipe must return (X, y) of shapes {shape} and {shape[:1]} for its block {number}"
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise TypeError(f"{what}, got {_checks.show(made)}")
    X = _checks.numbers("X of the recipe", made[0])
    y = _checks.one_dimension("y of the recipe", made[1])
    if X.shape != shape or y.shape != shape[:1]:
        raise ValueError(f"{what}, got {X.shape} and {y.shape}")
    # Which may be -1 and +1, or 0 and 1, all blocks show.
    wrong = np.flatnonzero(~np.isin(y, (-1, 0, 1)))
    if wrong.size:
        raise ValueError(
            "the recipe must return labels -1 and +1, or 0 and 1, but in block "
            f"{number} y[{wrong[0]}] = {y[wrong[0]].item()!r}"
        )
    return X.astype(dtype, copy=False), y.astype(np.int8)


def _check_recipe(recipe: object) -> None:
    """Refuse what cannot be called by two arguments."""
    if not callable(recipe):
        raise TypeError(
            f"recipe must be a function recipe(generator, n) -> (X, y), got {_checks.show(recipe)}"
        )
    try:
        inspect.signature(recipe).bind(np.random.default_rng(0), 1)
    except TypeError as error:
        raise TypeError(
            f"recipe must take a generator and a number of rows: {recipe!r} takes "
            f"{inspect.signature(recipe)} ({error})"
        ) from None
    except ValueError:  # of what has no signature
        pass


@helpful
def from_recipe(
    recipe: Recipe,
    rows: int,
    columns: int,
    *,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    block: int | None = None,
) -> tuple[Any, Any]:
    """
    Make dask arrays of rows and labels that workers draw.

    Parameters
    ----------
    recipe : callable
        ``recipe(generator, n) -> (X, y)``: n rows and their labels -1 and +1, or 0 and 1, by a
        NumPy Generator. A top-level function; what it draws must depend on nothing else.
    rows, columns : int
        The shape of X.
    seed : int, default 0
        Block i is drawn by ``numpy.random.default_rng([seed, i])``.
    dtype : dtype, default float64
        Of X: float64 or float32.
    block : int, optional
        Rows of a block, which the draws depend on. Default: about 64 MiB.

    Returns
    -------
    X, y : dask arrays of shapes (rows, columns) and (rows,)
        The same for any cluster.

    Raises
    ------
    TypeError, ValueError
        If `recipe` does not take two arguments, and for sizes that make no sense. What it returns
        is looked at where it is called.
    """
    import dask  # noqa: PLC0415
    import dask.array as da  # noqa: PLC0415

    _check_recipe(recipe)
    n, d = _checks.whole("rows", rows), _checks.whole("columns", columns)
    start = _checks.whole("seed", seed, minimum=0)
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise TypeError(f"dtype must be float64 or float32, got {kind}")
    X, y = [], []
    for number, (first, stop) in enumerate(_blocks(n, d * kind.itemsize, block)):
        shape = (stop - first, d)
        pair = dask.delayed(_make, nout=2)(recipe, start, number, shape, kind.str)
        X.append(da.from_delayed(pair[0], shape, kind))
        y.append(da.from_delayed(pair[1], shape[:1], np.int8))
    return da.concatenate(X), da.concatenate(y)
