"""Tables from CSV files: numbers as they are, text as flags."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, plural


@dataclass(frozen=True)
class Table:
    """
    A target and columns of numbers.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        Numbers; a column of text is a flag for each of its values but the first in order.
    y : ndarray of shape (n,)
        The target: numbers, or text.
    weights : ndarray of shape (n,) or None
        Of the rows.
    names : tuple of str
        Of the columns, "name=value" for flags.
    """

    X: F64
    y: NDArray[np.float64] | NDArray[np.str_]
    weights: F64 | None
    names: tuple[str, ...]


def read_csv(path: Path, target: str, weights: str | None = None) -> Table:
    """
    Read a file with a header.

    Parameters
    ----------
    path : Path
        Fields separated by commas, or all by semicolons or tabs.
    target : str
        Name of the column with the target.
    weights : str, optional
        Name of a column with weights of the rows.

    Raises
    ------
    ValueError
        For files without rows or these columns, with missing values, integers that float64 cannot
        hold, or lines of other lengths.
    """
    columns = _columns(path)
    for name in (target, *([] if weights is None else [weights])):
        if name not in columns:
            raise ValueError(f"{path} has no column {name!r}: it has {', '.join(columns)}")
    text = columns.pop(target)
    y = _numbers(f"{path} column {target!r}", text)
    given = None
    if weights is not None:
        given = _numbers(f"{path} column {weights!r}", columns.pop(weights))
        if given is None:
            raise ValueError(f"{path} column {weights!r} must hold numbers, for weights")
    parts: dict[str, F64] = {}
    for name, values in columns.items():
        numbers = _numbers(f"{path} column {name!r}", values)
        flags = (
            {name: numbers}
            if numbers is not None
            else {
                f"{name}={level}": np.array([float(value == level) for value in values])
                for level in sorted(set(values))[1:]
            }
        )
        if twice := sorted(flags.keys() & parts.keys()):
            raise ValueError(
                f"{path} has a column {twice[0]!r}, as the flag of another column is called: "
                "rename it"
            )
        parts |= flags
    if not parts:
        raise ValueError(f"{path} must have a column besides {target!r}")
    labels = np.array(text) if y is None else y
    return Table(np.column_stack([*parts.values()]), labels, given, tuple(parts))


def _columns(path: Path) -> dict[str, list[str]]:
    """Read the fields, by column, none of which is empty."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        file.seek(0)
        comma = max(",;\t", key=head.count)
        header, *lines = [line for line in csv.reader(file, delimiter=comma) if line] or [[]]
    if not lines:
        raise ValueError(f"{path} must have a header and rows below it")
    header = [name.strip() for name in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"{path} has two columns of the name {twice[0]!r}")
    wrong = next((i for i, line in enumerate(lines) if len(line) != len(header)), None)
    if wrong is not None:
        raise ValueError(
            f"{path} row {wrong + 1} has {plural(len(lines[wrong]), 'field')}, the header "
            f"{len(header)}"
        )
    columns = {name: [line[j].strip() for line in lines] for j, name in enumerate(header)}
    for name, values in columns.items():
        missing = [i for i, value in enumerate(values) if value.lower() in ("", "na", "nan")]
        if missing:
            raise ValueError(
                f"{path} column {name!r} lacks {len(missing)} of its "
                f"{plural(len(values), 'value')}, the first in row {missing[0] + 1}: drop or fill "
                "them"
            )
    return columns


def _numbers(name: str, values: list[str]) -> F64 | None:
    """Return them as numbers; None if some are none."""
    if any("_" in value for value in values):  # which is a number to Python alone
        return None
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    for row, (value, number) in enumerate(zip(values, numbers, strict=True)):
        if abs(number) >= 2.0**53 and value.lstrip("+-").isdecimal() and int(value) != number:
            raise ValueError(
                f"{name} row {row + 1} is {value}, which float64 cannot hold: subtract an offset "
                "from the column"
            )
    return np.array(numbers)
