"""Problems, layouts and child processes that several test files share."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

TESTS = Path(__file__).parent

LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65)
"""Numbers of rows and of columns on both sides of the widths of vectors and blocks."""

SEVERAL_CHUNKS = ((70_000, 2), (8_300, 16), (8_100, 17), (4_200, 65), (900, 330), (20, 8_000))
"""Shapes large enough to be cut into several chunks."""

MOST_CHUNKS = (35_100, 60)
"""A shape large enough for the largest number of chunks."""


def problem(n: int, d: int, seed: int = 0) -> tuple[F64, F64]:
    """Gaussian rows with labels of a noisy teacher; both classes wherever n > 1."""
    rng = np.random.default_rng([seed, n, d])
    X = rng.normal(size=(n, d))
    y = np.where(X @ rng.normal(size=d) + rng.normal(size=n) > 0, 1.0, -1.0)
    y[0] = -y[-1] if n > 1 else y[0]
    return X, y


def separable(
    n: int, d: int, seed: int = 0, dtype: type[np.floating[Any]] = np.float64
) -> tuple[NDArray[Any], F64]:
    """Rows of very different sizes, at least 1 from a plane and most of them far from it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-1, 1, size=(n, 1))
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    X[:, 0] += y
    return X.astype(dtype), y


def point(d: int, seed: int = 0) -> tuple[F64, float]:
    """Weights of norm about 1 and a bias."""
    rng = np.random.default_rng([seed, d, 1])
    return rng.normal(size=d) / np.sqrt(d), float(rng.normal())


def layouts(array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the same values (of any dtype) in every way memory can hold them."""
    wide = np.zeros([2 * size for size in array.shape], dtype=array.dtype)
    strided = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    strided[...] = array
    backwards = array[tuple(slice(None, None, -1) for _ in array.shape)].copy()
    read_only = array.copy()
    read_only.flags.writeable = False
    unaligned = np.zeros(array.nbytes + 1, dtype=np.uint8)[1:].view(array.dtype)
    unaligned = unaligned.reshape(array.shape)
    unaligned[...] = array
    return {
        "C": np.ascontiguousarray(array),
        "Fortran": np.asfortranarray(array),
        "strided": strided,
        "backwards": backwards[tuple(slice(None, None, -1) for _ in array.shape)],
        "read-only": read_only,
        "unaligned": unaligned,
        "foreign byte order": array.astype(array.dtype.newbyteorder()),
    }


def python(
    code: str, *arguments: str, text: bool = True, **environment: str
) -> "subprocess.CompletedProcess[Any]":
    """Run code in a child process that finds the test modules."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=TESTS,
        env={**os.environ, **environment},
        capture_output=True,
        text=text,
        timeout=300,
        check=False,
    )
