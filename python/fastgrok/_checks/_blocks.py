"""Walking over large arrays without temporaries, or memory, as large as they are."""

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from fastgrok._core import leave

HEARD = 1 << 20
"""Entries that are copied at a time, so that Ctrl-C is heard in between."""


def blocks(array: NDArray[Any], entries: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """
    Yield views of neighbouring rows, of about so many entries, and the number of their first row.

    Of an array that lies in a read-only map of a file, the memory of a block is given back when
    the next is asked for.
    """
    rows = max(1, entries // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        block = array[start : start + rows]
        yield start, block
        leave(block)
