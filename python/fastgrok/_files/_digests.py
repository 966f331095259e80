"""Digests of arrays."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import blocks

BLOCK = 1 << 24
"""Bytes hashed at a time, so that Ctrl-C is heard in between."""
DIGEST = 32
"""Bytes of a digest."""


def digest(arrays: Iterable[NDArray[Any]]) -> bytes:
    """Return the BLAKE2b digest of arrays, one after the other, row by row."""
    found = hashlib.blake2b(digest_size=DIGEST)
    for array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for _, block in blocks(flat, BLOCK):
            found.update(block.data)
    return found.digest()


def digests(array: NDArray[Any], edges: Sequence[int]) -> list[bytes]:
    """Return the digest of each part of an array, from one of the edges to the next."""
    return [digest([array[a:b]]) for a, b in pairwise(edges)]
