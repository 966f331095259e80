"""What a figure or a table leaves in its folder."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Verdict, write_csv
from fastgrok.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The date that a file says it was made at, which would make another file of the same picture.
_UNDATED: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}

# A setting of the command, which the functions that write an item have no argument for.
_formats: ContextVar[Sequence[str]] = ContextVar("formats", default=("png", "svg"))


@contextmanager
def pictures_as(formats: Sequence[str]) -> Iterator[None]:
    """Have `write_item` write every picture in these formats."""
    before = _formats.set(formats)
    try:
        yield
    finally:
        _formats.reset(before)


def write_item(
    name: str,
    folder: Path,
    *,
    pictures: Mapping[str, "Figure"],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    arrays: Mapping[str, Any] | None = None,
    verdicts: Sequence[Verdict],
    report: str,
) -> Output:
    """
    Write the files NAME.* and NAME-KEY.* into an existing folder; without arrays no npz.

    Pictures are written as PNG and as SVG, or as `pictures_as` says: the same file for the same
    picture.
    """
    files, parent = [], Path(_checks.path("folder", folder))

    def path(key: str, suffix: str) -> Path:
        files.append(parent / f"{name}{'-' if key else ''}{key}.{suffix}")
        return files[-1]

    for key, picture in pictures.items():
        for kind in _formats.get():
            with styled():
                picture.savefig(path(key, kind), metadata=_UNDATED[kind])
    for key, rows in tables.items():
        write_csv(path(key, "csv"), rows)
    if arrays is not None:
        np.savez_compressed(path("", "npz"), **arrays)
    path("", "md").write_text(report, encoding="utf-8")
    return Output(tuple(files), tuple(verdicts))


def as_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Make an array of each column of a table, for `write_item`; the rows have the same keys."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
