"""What a figure or a table leaves in its folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok.papers._catalogue import Output
from fastgrok.papers._report import Verdict, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200


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

    Pictures are written as PNG and as SVG, which is the same file for the same picture.
    """
    from matplotlib import rc_context  # noqa: PLC0415

    files = []

    def path(key: str, suffix: str) -> Path:
        files.append(folder / f"{name}{'-' if key else ''}{key}.{suffix}")
        return files[-1]

    for key, picture in pictures.items():
        picture.savefig(path(key, "png"), dpi=_DPI)
        with rc_context({"svg.hashsalt": "fastgrok"}):
            picture.savefig(path(key, "svg"), dpi=_DPI, metadata={"Date": None})
    for key, rows in tables.items():
        write_csv(path(key, "csv"), rows)
    if arrays is not None:
        np.savez_compressed(path("", "npz"), **arrays)
    path("", "md").write_text(report, encoding="utf-8")
    return Output(tuple(files), tuple(verdicts))


def as_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Make an array of each column of a table, for `write_item`; the rows have the same keys."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
