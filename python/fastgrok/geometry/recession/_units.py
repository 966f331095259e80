"""Rows of numbers far apart, in units in which float64 holds them."""

from collections.abc import Iterable
from fractions import Fraction
from math import inf

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._rows import Index
from fastgrok.geometry._verified import positive_solution


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


def is_multiple(values: list[float], exponents: list[int], line: Iterable[int]) -> bool:
    """Whether values times powers of two are a positive multiple of integers, without rounding."""
    given = [
        Fraction(value) * Fraction(2) ** exponent
        for value, exponent in zip(values, exponents, strict=True)
    ]
    wanted = [int(value) for value in line]
    times = next((a / b for a, b in zip(given, wanted, strict=True) if b), Fraction(0))
    return times > 0 and given == [times * value for value in wanted]


def normalized(lines: F64) -> F64:
    """Rows of norm 1, or zero: squares neither overflow nor underflow."""
    exponents = np.frexp(np.abs(lines).max(axis=1, initial=0.0))[1]
    scaled = np.ldexp(lines, -exponents[:, None])
    lengths = np.linalg.norm(scaled, axis=1)
    return np.ascontiguousarray(scaled / np.where(lengths > 0.0, lengths, 1.0)[:, None])


def encloses(rows: F64, columns: Index, unit: F64) -> bool:
    """
    Prove that the negative of a vector is a positive combination of a basis, by bounds on rounding.

    Parameters
    ----------
    rows : ndarray of shape (D, D)
        The basis.
    columns : ndarray of int, shape (D,)
        Exponents of the units of its columns.
    unit : ndarray of shape (1, D)
        The vector, in these units.
    """
    scaled = np.ldexp(rows, -columns)
    lines = np.frexp(np.abs(scaled).max(axis=1))[1]
    scaled = np.ldexp(scaled, -lines[:, None])
    back = np.ldexp(np.ldexp(scaled, lines[:, None]), columns)
    if not np.array_equal(back, rows):
        return False
    try:
        guess = np.linalg.solve(scaled.T, -unit[0])
    except np.linalg.LinAlgError:
        return False
    return positive_solution(scaled, unit, guess, np.ones(1))
