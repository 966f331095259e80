"""Tables from CSV files: numbers as they are, text as flags."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, plural

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_OF_COMMAS = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?[./]\d\d?[./]\d{2,4}", re.ASCII)
_MISSING = {"", "na", "nan", "<na>", "n/a", "#n/a", "null", "nat"}
"""In any column, in lower case."""
_NO_NUMBER = {"none", ".", "?", "-", "--", "missing", "#value!", "#div/0!", "#num!", "#ref!"}
"""In columns of numbers; in others they can be names."""


_ALWAYS_HELD = 15
"""Digits that all come back from float64."""


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
    flags : dict of str to int
        How many flags each column of text has become.
    """

    X: F64
    y: NDArray[np.float64] | NDArray[np.str_]
    weights: F64 | None
    names: tuple[str, ...]
    flags: dict[str, int]


def read_csv(path: Path, target: str, weights: str | None = None) -> Table:
    """
    Read a file with a header, in UTF-8, perhaps packed by gzip.

    Parameters
    ----------
    path : Path
        Fields separated by commas, or all by semicolons or tabs; "-" is the standard input.
    target : str
        Name of the column with the target.
    weights : str, optional
        Name of a column with weights of the rows.

    Raises
    ------
    ValueError
        For files without rows or these columns, with missing values, with columns that are mostly
        numbers but not all, with numbers that float64 cannot hold, or lines of other lengths. Rows
        count from 0 there, as in what is found of them.
    """
    if weights == target:
        raise ValueError(f"the target and the weights must be two columns, got {target!r} for both")
    called = "the standard input" if str(path) == "-" else str(path)
    lines, columns = _columns(called, _text(called, path))
    for name in (target, *([] if weights is None else [weights])):
        if name not in columns:
            raise ValueError(f"{called} has no column {name!r}: it has {', '.join(columns)}")
    parsed = {
        name: _Column(f"{called} column {name!r}", values, lines)
        for name, values in columns.items()
    }
    y = parsed.pop(target)
    given = None
    if weights is not None:
        given = parsed.pop(weights).numbers
        if given is None:
            raise ValueError(f"{called} column {weights!r} must hold numbers, for weights")
    parts: dict[str, F64] = {}
    flags = {}
    for name, column in parsed.items():
        made = {name: column.numbers} if column.numbers is not None else column.flags(name)
        if twice := sorted(made.keys() & parts.keys()):
            raise ValueError(
                f"{called} has a column {twice[0]!r}, as the flag of another column is called: "
                "rename it"
            )
        if column.numbers is None:
            flags[name] = len(made)
        parts |= made
    if not parsed:
        raise ValueError(f"{called} must have a column besides {target!r}")
    if not parts:
        raise ValueError(f"{called} has nothing but text that is the same in all rows")
    labels = np.array(y.values) if y.numbers is None else y.numbers
    return Table(np.column_stack([*parts.values()]), labels, given, tuple(parts), flags)


def _text(called: str, path: Path) -> str:
    data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{called} is no intact gzip file: {error}") from None
    if data.startswith(b"PK"):
        raise ValueError(f"{called} is a spreadsheet or a zip archive: save it as CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{called} is not text in UTF-8: line {line} has the byte 0x{data[error.start]:02x}; "
            "convert it, as by iconv -f latin1 -t utf-8"
        ) from None


def _columns(called: str, text: str) -> tuple[list[int], dict[str, list[str]]]:
    """Read the fields, by column, and the line of the file that each row ends in."""
    comma = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma)
    try:
        header, *rows = [(line, reader.line_num) for line in reader if line] or [([], 0)]
    except csv.Error as error:
        raise ValueError(f"{called} is no CSV file: {error} in line {reader.line_num}") from None
    if not rows:
        raise ValueError(f"{called} must have a header and rows below it")
    names = [name.strip() for name in header[0]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{called} has two columns of the name {twice[0]!r}")
    wrong = next((i for i, (row, _) in enumerate(rows) if len(row) != len(names)), None)
    if wrong is not None:
        row, line = rows[wrong]
        raise ValueError(
            f"{called} {_place(wrong, line)} has {plural(len(row), 'field')}, the header "
            f"{len(names)}"
        )
    columns = {name: [row[j].strip() for row, _ in rows] for j, name in enumerate(names)}
    return [line for _, line in rows], columns


def _place(row: int, line: int) -> str:
    return f"row {row}, counted from 0 (line {line}),"


class _Column:
    """The fields of a column, and the numbers that they are, if they are any."""

    def __init__(self, called: str, values: list[str], lines: list[int]) -> None:
        self._called, self.values, self._lines = called, values, lines
        self._require_all(lambda value: value.lower() not in _MISSING)
        floats = [_NUMBER.fullmatch(value) is not None for value in values]
        alike = sum(
            good or bool(_NOT_FINITE.fullmatch(value) or _OF_COMMAS.fullmatch(value))
            for good, value in zip(floats, values, strict=True)
        )
        self.numbers: F64 | None = None
        if all(floats):
            self.numbers = np.array([self._number(i) for i in range(len(values))])
        elif 2 * alike >= sum(value.lower() not in _NO_NUMBER for value in values) and alike:
            self._require_all(lambda value: value.lower() not in _NO_NUMBER)
            self._refuse(floats.index(False))
        elif all(_DATE.fullmatch(value) for value in values):
            raise ValueError(
                f"{called} holds dates, such as {values[0]!r}: make numbers of them (days since "
                "one of them), or drop it"
            )

    def flags(self, name: str) -> dict[str, F64]:
        """Of each value but the first in order, where it stands."""
        return {
            f"{name}={level}": np.array([float(value == level) for value in self.values])
            for level in sorted(set(self.values))[1:]
        }

    def _at(self, row: int) -> str:
        return f"{self._called}, {_place(row, self._lines[row])}"

    def _require_all(self, there: Callable[[str], bool]) -> None:
        missing = [i for i, value in enumerate(self.values) if not there(value)]
        if missing:
            raise ValueError(
                f"{self._called} lacks {len(missing)} of its {plural(len(self.values), 'value')}: "
                f"the first, {_place(missing[0], self._lines[missing[0]])} is "
                f"{self.values[missing[0]]!r}; drop or fill them"
            )

    def _refuse(self, row: int) -> None:
        value = self.values[row]
        remedy = "mend it, or make text of all if these are names, not numbers"
        if _OF_COMMAS.fullmatch(value):
            remedy = "write decimal points, not commas"
        raise ValueError(
            f"{self._at(row)} is {value!r}, no finite number, in a column of numbers: {remedy}"
        )

    def _number(self, row: int) -> float:
        """Read a number, unless it has more digits than float64 can tell apart."""
        value = self.values[row]
        number = float(value)
        if len(value) <= _ALWAYS_HELD and "e" not in value.lower():
            return number
        exact = Decimal(value)
        digits = max(1, len(exact.as_tuple().digits))
        if not np.isfinite(number) or Decimal(f"{number:.{digits - 1}e}") != exact:
            raise ValueError(
                f"{self._at(row)} is {value}, which float64 cannot hold: it would be rounded to "
                f"{f'{number:.0f}' if exact == exact.to_integral_value() else number}; subtract "
                "an offset, or round it"
            )
        return number
