"""Rows of numbers far apart, in units in which float64 holds them."""

from fractions import Fraction
from math import inf

import numpy as np

from fastgrok._checks import F64


def quotient(value: int, below: int, exponent: int) -> float:
    """Value / below * 2^exponent, rounded once; infinite where that is too large."""
    try:
        return float(Fraction(value, below) * Fraction(2) ** exponent)
    except OverflowError:
        return inf if value > 0 else -inf


def in_units(values: list[int], exponents: list[int]) -> list[float]:
    """Values times powers of two, over the largest of them."""
    scaled = [
        Fraction(value) * Fraction(2) ** exponent
        for value, exponent in zip(values, exponents, strict=True)
    ]
    largest = max(map(abs, scaled))
    return [float(value / largest) for value in scaled]


def normalized(lines: F64) -> F64:
    """Rows of norm 1, or zero: squares neither overflow nor underflow."""
    exponents = np.frexp(np.abs(lines).max(axis=1, initial=0.0))[1]
    scaled = np.ldexp(lines, -exponents[:, None])
    lengths = np.linalg.norm(scaled, axis=1)
    return np.ascontiguousarray(scaled / np.where(lengths > 0.0, lengths, 1.0)[:, None])
