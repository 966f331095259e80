"""What cannot be had of rows on the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastgrok import _checks
from fastgrok.descent.auto_rate import is_auto
from fastgrok.descent.sets import are_elsewhere
from fastgrok.distributed import is_dask_array
from fastgrok.linear import Pgd


def refuse(
    given: Mapping[str, Any], data: Mapping[str, object], name: Callable[[str], str]
) -> None:
    """
    Refuse arguments of `fastgrok.train` that need the rows here where they are not.

    Raises
    ------
    ValueError, TypeError
        Which names the argument and what to do.
    """
    there = are_elsewhere(data["train"])
    if given["executor"] is not None and not there:
        raise TypeError(
            f"{name('X')} must be a dask array with {name('executor')}, got "
            f"{_checks.show(given['X'])}: dask.array.from_array makes one"
        )
    for key, value in (given["evals"] or {}).items():
        if isinstance(value, Pgd) and is_dask_array(value.X):
            raise ValueError(f"{name('evals')}[{key!r}] must have its rows here to be attacked")
    if not there:
        return
    if is_auto(name("lr"), given["lr"]):
        raise ValueError(f"{name('lr')} must be a number where a cluster holds the rows")
    if given["checkpoint"] is not None:
        raise ValueError(
            f"{name('checkpoint')} must be None where a cluster holds the rows: a worker that is "
            "lost is replaced without one"
        )
