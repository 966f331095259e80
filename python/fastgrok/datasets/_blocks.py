"""Drawing rows in parallel: fixed blocks, each with a random stream of its own.

Which numbers a row gets depends on the seed and on its place alone, never on how many threads
work or in which order the blocks are finished.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks.progress import progress_bar

Fill = Callable[[np.random.Generator, NDArray[Any]], None]

# Part of what a seed means: other values give other (equally good) draws. Blocks have an even
# number of rows, so that a pair of rows is never parted.
_BLOCK_ELEMENTS = 1 << 20
_BLOCK_ROWS = (2, 1 << 16)
_INLINE_ELEMENTS = 1 << 17


@dataclass(frozen=True)
class Part:
    """Rows that are drawn alike: where they go, and the function that draws a block of them."""

    rows: NDArray[Any]
    fill: Fill


def block_rows(columns: int) -> int:
    """Rows in a block: a power of two that depends on the number of columns alone."""
    low, high = _BLOCK_ROWS
    return min(max(1 << (_BLOCK_ELEMENTS // columns).bit_length() >> 1, low), high)


def _jobs(parts: Sequence[Part], seed: int) -> Iterator[tuple[Part, int, np.random.SeedSequence]]:
    """Yield the blocks: part, first row, seed of the block's stream."""
    for part, root in zip(parts, np.random.SeedSequence(seed).spawn(len(parts)), strict=True):
        starts = range(0, part.rows.shape[0], block_rows(part.rows.shape[1]))
        for start, stream in zip(starts, root.spawn(len(starts)), strict=True):
            yield part, start, stream


def _draw(job: tuple[Part, int, np.random.SeedSequence]) -> int:
    """Draw one block; return its number of rows."""
    part, start, stream = job
    block = part.rows[start : start + block_rows(part.rows.shape[1])]
    part.fill(np.random.Generator(np.random.SFC64(stream)), block)
    return len(block)


def draw(parts: Sequence[Part], *, seed: int, threads: int, progress: bool) -> None:
    """
    Draw all rows of all parts, in place.

    Parameters
    ----------
    parts : sequence of Part
        The i-th part draws from the i-th child of the seed: an empty part keeps its place.
    seed : int
        At least 0.
    threads : int
        At least 1; NumPy's generators and loops release the interpreter lock.
    progress : bool
        Show a bar that counts rows.
    """
    jobs = list(_jobs(parts, seed))
    rows = sum(part.rows.shape[0] for part in parts)
    small = sum(part.rows.size for part in parts) <= _INLINE_ELEMENTS
    workers = 1 if small else min(threads, len(jobs))
    with contextlib.ExitStack() as stack:
        update: Callable[[int], object] = _untold
        if progress:
            update = stack.enter_context(
                progress_bar(total=rows, unit="row", desc="drawing")
            ).update
        if workers <= 1:
            for job in jobs:
                update(_draw(job))
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="fastgrok-draw")
        try:
            for done in as_completed([pool.submit(_draw, job) for job in jobs]):
                update(done.result())
        finally:  # after an error or Ctrl-C no further block is begun
            pool.shutdown(wait=True, cancel_futures=True)


def _untold(rows: int) -> None:
    """Tell nobody."""
