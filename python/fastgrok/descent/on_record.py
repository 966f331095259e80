"""What a function of the caller's says of every record: columns of a trajectory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.descent.columns import Columns, row_at

OnRecord = Callable[[int, F64, float], Any]


def check(name: str, value: Any) -> OnRecord | None:
    """Check the argument of `train`."""
    if value is None or callable(value):
        return value  # type: ignore[no-any-return]
    raise TypeError(
        f"{name} must be a function of step, w and b, or None, got {_checks.show(value)}"
    )


class Values:
    """
    Calls the function at one record after the other; its length is how often it did.

    Parameters
    ----------
    function : callable
        What `fastgrok.train` gets as `on_record`.
    taken : collection of str
        Names that its values must not have.

    Attributes
    ----------
    failed : bool
        Whether it raised something, or returned what makes no sense, and is not called again.
    """

    def __init__(self, function: OnRecord, taken: Collection[str]) -> None:
        self._function, self._taken = function, taken
        self._single = getattr(function, "__name__", "value")
        if not self._single.isidentifier() or self._single in taken:  # "<lambda>" is none
            self._single = "value"
        self._rows: list[dict[str, float]] = []
        self.failed = False

    def __len__(self) -> int:
        """Return the number of records that it was called for."""
        return len(self._rows)

    def look(self, seen: Columns, count: int) -> None:
        """Call it for the first `count` of some records."""
        for record in range(count):
            step, w, b = row_at(seen, record)
            try:
                self._rows.append(self._row(step, self._function(step, w, b)))
            except BaseException:
                self.failed = True
                raise

    def cut(self, count: int) -> None:
        """Forget all records but so many."""
        del self._rows[count:]

    def columns(self, count: int) -> dict[str, F64]:
        """Return its values at so many records, NaN where it was not called."""
        out = {}
        for name in self._rows[0] if self._rows else ():
            out[name] = np.full(count, np.nan)
            out[name][: len(self._rows)] = [row[name] for row in self._rows[:count]]
        return out

    def _row(self, step: int, said: Any) -> dict[str, float]:
        """Check what it returned, and put names to it."""
        named = said if isinstance(said, Mapping) else {self._single: said}
        row = {}
        for name, value in named.items():
            if not isinstance(name, str):
                raise TypeError(
                    f"on_record must return a number, or a dict from names to numbers, but at "
                    f"step {step} a name is {_checks.show(name)}"
                )
            if name in self._taken:
                raise ValueError(f"on_record must not return {name!r}: records have that already")
            row[name] = _number(step, name, value)
        if self._rows and row.keys() != self._rows[0].keys():
            raise ValueError(
                f"on_record must return the same names at every record: first {list(self._rows[0])}"
                f", at step {step} {list(row)}"
            )
        return row


def _number(step: int, name: str, value: Any) -> float:
    """Read a number, NaN and the infinities as well."""
    array = value if np.isscalar(value) else np.asarray(value)
    if not isinstance(value, str | bytes | complex) and np.ndim(array) == 0:
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise TypeError(
        f"on_record must return a number, or a dict from names to numbers, but at step {step} "
        f"{name!r} is {_checks.show(value)}"
    )
