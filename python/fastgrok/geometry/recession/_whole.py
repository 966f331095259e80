"""Matrices of integers without rounding: int64 where that holds them, else Python's integers."""

from collections.abc import Iterable
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64
from fastgrok.geometry._exact import integers
from fastgrok.geometry._lifting import Integers

Whole = NDArray[Any]
"""Of dtype int64 or object."""

_LONGEST = 62
"""Bits of sums in int64."""
_FEWEST = 8
"""Bits of a digit below which Python's integers are faster."""


def whole_rows(vectors: F64) -> tuple[Whole, list[Fraction]]:
    """Integer multiples of every row, and the positive factors."""
    if np.abs(vectors).max(initial=0.0) < 2.0**53 and np.array_equal(vectors, np.rint(vectors)):
        return vectors.astype(np.int64), [Fraction(1)] * len(vectors)
    out: Integers = np.empty(vectors.shape, dtype=object)
    factors = []
    for i, row in enumerate(vectors):
        out[i], factor = integers(row)
        factors.append(factor)
    return _short(out), factors


def whole_vector(values: Iterable[Fraction]) -> tuple[Integers, int]:
    """Coprime integers, and what they are to be divided by (with a factor in common taken out)."""
    listed = list(values)
    below = lcm(*(value.denominator for value in listed))
    return np.array([int(value * below) for value in listed], dtype=object), below


def primitive(vector: Integers) -> Integers:
    """Divide integers by what they have in common."""
    common = gcd(*vector.tolist()) or 1
    out: Integers = vector // common
    return out


def product(A: Whole, B: Whole) -> Whole:
    """Multiply a matrix by a matrix or a vector."""
    if A.dtype == object:
        out: Whole = _object(A) @ _object(B)
        return out
    B = _short(B)
    size = _largest(A) * max(1, A.shape[1])
    if B.dtype != object and size * _largest(B) < 2**_LONGEST:
        out = A @ B
        return out
    bits = _LONGEST - size.bit_length()
    if bits < _FEWEST:
        out = _object(A) @ _object(B)
        return out
    rest, signs = np.abs(_object(B)), np.sign(B).astype(np.int64)
    out = np.zeros((len(A), *B.shape[1:]), dtype=object)
    shift = 0
    while np.any(rest):
        digit = (rest & (2**bits - 1)).astype(np.int64) * signs
        out = out + ((A @ digit).astype(object) << shift)
        rest, shift = rest >> bits, shift + bits
    return out


def _largest(A: Whole) -> int:
    return int(np.abs(A).max(initial=0))


def _short(A: Whole) -> Whole:
    if A.dtype != object or _largest(A) >= 2**_LONGEST:
        return A
    return A.astype(np.int64)


def _object(A: Whole) -> Integers:
    return A.astype(object)
