"""What cannot be had of rows on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastgrok import _checks
from fastgrok.descent.auto_rate import is_auto
from fastgrok.distributed import Rows, Scattered
from fastgrok.distributed.clients import require_client
from fastgrok.distributed.rows import as_dask_array, is_dask_array


def refuse(given: Mapping[str, Any], name: Callable[[str], str]) -> None:
    """
    Refuse arguments of `fastgrok.train` that need the rows here where they are not to be.

    Raises
    ------
    ValueError, TypeError
        Which names the argument and what to do.
    """
    brought = given["executor"] is not None
    there = isinstance(given["X"], Rows)
    if isinstance(given["X"], Scattered):
        raise TypeError(
            f"{name('X')} must be rows: give the X of what scatter returned, and its y, as "
            "train(data.X, data.y, ...)"
        )
    if brought:
        require_client(name("executor"), given["executor"])
    if brought and not there and not is_dask_array(given["X"]):
        raise TypeError(
            f"{name('X')} must be a dask array with {name('executor')}, got "
            f"{_checks.show(given['X'])}: {as_dask_array(given['X'])}"
        )
    if not (brought or there):
        return
    if is_auto(name("lr"), given["lr"]):
        raise ValueError(
            f"{name('lr')} must be a number where a cluster holds the rows, got 'auto': "
            "docs/clusters.md computes there what 'auto' is"
        )
    if given["sample_weight"] is not None:
        raise ValueError(
            f"{name('sample_weight')} must be None where a cluster holds the rows, which count "
            "once each: repeat rows, or train on rows that are here"
        )
