"""Runs and arrays compared to the last bit, with words for the first difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import plural
from fastgrok._checks.docstrings import described
from fastgrok.records import Record
from fastgrok.records.printing import whole_number

# How a run was computed, and what it was given: the same bits may come about in several ways.
_NOT_COMPARED = ("engine", "data", "evals")
# From so many floating-point numbers between two on, how many there are tells nothing.
_NEAR = 10**6
# Lines about so many fields; of the others there is a count.
_MOST_LINES = 8


def assert_same_bits(got: Any, expected: Any) -> None:
    """
    Fail unless two results are the same to the last bit.

    Parameters
    ----------
    got, expected : Trajectory, another result, ndarray, number, or list, tuple or dict of these
        What to compare. Of runs all is compared but how they were computed (`engine`) and the data
        sets; of other results, such as a `Dataset`, every field; of arrays dtype, shape and bits,
        so that NaN equals the same NaN, and 0.0 differs from -0.0. Lists, such as those of
        `fastgrok.train_many`, are compared item by item.

    Raises
    ------
    AssertionError
        If they differ, with what `explain_difference` says.
    """
    __tracebackhide__ = True
    said = explain_difference(got, expected)
    if said:
        raise AssertionError(said)


@described(assert_same_bits)
def explain_difference(got: Any, expected: Any) -> str:
    """
    Say where two results begin to differ, and by how much.

    Parameters
    ----------
    got, expected
        See `assert_same_bits`.

    Returns
    -------
    str
        Empty if they are the same to the last bit. Of two runs the first line names the first
        record and step at which they differ; then come the fields that differ, each with its
        first values, their difference, and the number of records concerned.
    """
    if isinstance(got, Record) and isinstance(expected, Record):
        return "\n".join(_of_runs(got, expected))
    parts = [one for one in _parts("", got, expected) if one.differs]
    return "\n".join(_shortened([one.text() for one in parts]))


@dataclass(frozen=True)
class _Part:
    """An array or a value of both results, and where it is from."""

    name: str
    got: Any
    expected: Any

    @property
    def arrays(self) -> bool:
        return isinstance(self.got, np.ndarray) and isinstance(self.expected, np.ndarray)

    @property
    def alike(self) -> bool:
        """Whether these are arrays that can be compared entry by entry."""
        same = self.arrays and self.got.shape == self.expected.shape
        return bool(same and self.got.dtype == self.expected.dtype)

    @property
    def differs(self) -> bool:
        if self.alike:
            return bool(self.where.any())
        if self.arrays or type(self.got) is not type(self.expected):
            return True
        if isinstance(self.got, float):
            return np.float64(self.got).tobytes() != np.float64(self.expected).tobytes()
        return bool(self.got != self.expected)

    @property
    def where(self) -> NDArray[np.bool_]:
        """Entries that differ in a bit."""
        where: NDArray[np.bool_] = _bits(self.got) != _bits(self.expected)
        return where

    def first(self) -> int:
        """Index along the first axis of the first entry that differs."""
        return int(np.argmax(self.where.reshape(len(self.got), -1).any(axis=1)))

    def text(self, per: str = "entries") -> str:
        """Say what differs, from the first entry on."""
        label = f"{self.name}: " if self.name else ""
        if self.alike:
            where = self.where
            at = tuple(int(i) for i in np.unravel_index(np.argmax(where), where.shape))
            a, b = self.got[at], self.expected[at]
            # Of a record, the line above has said which.
            place = f" at {list(at)}" if len(at) > (per == "records") else ""
            count = where.reshape(len(self.got), -1).any(axis=1).sum() if at else 1
            many = f"; {count} of {len(self.got)} {per} differ" if at else ""
            return f"{label}got {_show(a)}, expected {_show(b)}{place}{_apart(a, b)}{many}"
        if self.arrays:
            return (
                f"{label}got {self.got.dtype} of shape {self.got.shape}, "
                f"expected {self.expected.dtype} of shape {self.expected.shape}"
            )
        return f"{label}got {self.got!r}, expected {self.expected!r}" + (
            _apart(self.got, self.expected) if isinstance(self.got, float) else ""
        )


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    """Give an array as one that is equal where the bits are."""
    if array.dtype.kind in "fc":
        size = array.dtype.itemsize
        words = np.ascontiguousarray(array).view(np.uint8).reshape(*array.shape, size)
        return words.view(f"V{size}")[..., 0]
    return array


def _show(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _apart(a: Any, b: Any) -> str:
    """How far two numbers are from each other, as an addition to a sentence."""
    if isinstance(a, np.generic):
        single = a.dtype == np.float32
        a, b = a.item(), b.item()
    else:
        single = False
    if isinstance(a, float) and isinstance(b, float):
        if not (np.isfinite(a) and np.isfinite(b)):
            return ", NaN of other bits" if np.isnan(a) and np.isnan(b) else ""
        if a == b:
            return ", zeros of different signs"
        share = abs(a - b) / max(abs(a), abs(b))
        units = abs(_ordinal(a, single) - _ordinal(b, single))
        near = f", {plural(units, 'unit')} in the last place" if units < _NEAR else ""
        return f", {share:.2g} of it{near}"
    if isinstance(a, int) and isinstance(b, int):
        return f", {abs(a - b)} apart"
    return ""


def _ordinal(value: float, single: bool) -> int:
    """Count the floating-point numbers, so that neighbours have neighbouring numbers."""
    if single:
        bits = int(np.float32(value).view(np.int32))
        return bits if bits >= 0 else -(2**31) - bits
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(2**63) - bits


def _parts(name: str, got: Any, expected: Any) -> Iterator[_Part]:
    """All that there is to compare, by its name; what is only on one side is compared with None."""
    if is_dataclass(got) and type(got) is type(expected):
        for field in fields(got):
            if not (isinstance(got, Record) and field.name in _NOT_COMPARED):
                held = getattr(got, field.name), getattr(expected, field.name)
                yield from _parts(f"{name}.{field.name}" if name else field.name, *held)
    elif isinstance(got, Mapping) and isinstance(expected, Mapping):
        for key in [*got, *(key for key in expected if key not in got)]:
            yield from _parts(f"{name}[{key!r}]", got.get(key), expected.get(key))
    elif isinstance(got, list | tuple) and isinstance(expected, list | tuple):
        if len(got) != len(expected):
            yield _Part(f"len({name})" if name else "length", len(got), len(expected))
        for i, pair in enumerate(zip(got, expected, strict=False)):
            yield from _parts(f"{name}[{i}]", *pair)
    elif isinstance(got, np.generic) and isinstance(expected, np.generic):
        yield _Part(name, np.asarray(got), np.asarray(expected))
    else:
        yield _Part(name, got, expected)


def _of_runs(got: Record, expected: Record) -> list[str]:
    """Lines about two runs; none if they are the same."""
    parts = [one for one in _parts("", got, expected) if one.differs]
    if not parts:
        return []
    if any(one.name == "steps" for one in parts):
        return _shortened([_of_steps(got.steps, expected.steps), *(one.text() for one in parts)])
    records = len(got.steps)
    over = {f.name for f in fields(got)} - {"w", "start", "sizes", "params", "feature_names"}
    by_record = [
        one for one in parts
        if one.name.split("[")[0] in over and one.alike and one.got.shape[:1] == (records,)
    ]  # fmt: skip
    others = [one.text() for one in parts if one not in by_record]
    if not by_record:
        return ["the records are the same to the bit, and differ elsewhere:", *_shortened(others)]
    by_record.sort(key=_Part.first)
    first = by_record[0].first()
    lines = [
        f"the runs differ first at record {first} of {records}, "
        f"step {whole_number(got.steps[first])}:"
    ]
    for one in by_record:
        at = one.first()
        step = "" if at == first else f" (from step {whole_number(got.steps[at])} on)"
        lines.append(f"  {one.text('records')}{step}")
    return [*_shortened(lines), *_shortened([f"  {text}" for text in others])]


def _of_steps(got: NDArray[Any], expected: NDArray[Any]) -> str:
    """Say where the recorded steps of two runs part."""
    common = min(len(got), len(expected))
    unequal = np.flatnonzero(got[:common] != expected[:common])
    at = int(unequal[0]) if unequal.size else common
    shown = [whole_number(x[at]) if at < len(x) else "none" for x in (got, expected)]
    return (
        f"the runs were recorded at different steps: {len(got)} records to step "
        f"{whole_number(got[-1]) if len(got) else 'none'}, expected {len(expected)} to "
        f"{whole_number(expected[-1]) if len(expected) else 'none'}; "
        f"record {at} is of step {shown[0]}, expected {shown[1]}"
    )


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES} more"]
