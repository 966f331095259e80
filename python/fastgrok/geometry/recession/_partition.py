"""
Rows that some separating direction pushes off, and positive weights that balance all others.

The vectors d with z_i . d >= 0 for all i form the recession cone of the logistic loss. One of them
has a positive product with every row that any of them has one with: the sum of one for each. The
other rows have weights w_i > 0, all of them, with sum_i w_i z_i = 0: that sum times d leaves no
product positive. Both together prove each other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._lifting import Integers
from fastgrok.geometry._rows import Index, Rows
from fastgrok.geometry._search import Search
from fastgrok.geometry.recession._basis import Basis
from fastgrok.geometry.recession._whole import Whole, primitive, product, whole_vector


@dataclass(frozen=True)
class Partition:
    """
    Vectors z_i of full column rank, split with proof.

    Attributes
    ----------
    vectors : ndarray of shape (m, D), float64
        The z_i, none of them zero.
    whole : ndarray of shape (m, D), int
        Positive multiples of them.
    factors : list of Fraction
        `whole` over `vectors`.
    outside, inside : ndarray of int
        Rows that are pushed off, and the others.
    direction : ndarray of shape (D,), object, or None
        Coprime integers: products positive with all rows outside, 0 with those inside. None if no
        row is outside.
    basis : Basis or None
        Of the rows inside. None if there are none, or where those span everything and a basis in
        integers takes too long.
    weights : dict of int to Fraction, or None
        Positive weights of all rows inside that balance them. None where they take too long.
    near : dict of int to float
        The same rounded, or of rows that balance and span the others.
    proof : str
        In words.
    """

    vectors: F64
    whole: Whole
    factors: list[Fraction]
    outside: Index
    inside: Index
    direction: Integers | None
    basis: Basis | None
    weights: dict[int, Fraction] | None
    near: dict[int, float]
    proof: str


def split(vectors: F64, whole: Whole, factors: list[Fraction], threads: int) -> Partition | None:
    """Split vectors of full column rank, none of them zero; None if nothing is proved."""
    if not len(vectors):
        none = np.arange(0)
        return Partition(
            vectors, whole, factors, none, none, None, None, {}, {}, "all rows are zero"
        )
    search = Search(Rows(vectors, np.ones(len(vectors)), False, threads))
    search.run()
    if search.verdict == "undecided":
        return None
    everything, nothing = np.arange(len(vectors)), np.arange(0)
    outside, inside, direction = nothing, everything, None
    if search.verdict == "separable":
        outside, inside = everything, nothing
    if search.verdict != "interior":
        direction = _direction(search)
    if search.verdict == "boundary" and direction is not None:
        off = product(whole, direction) > 0
        outside, inside = np.flatnonzero(off), np.flatnonzero(~off)
    basis: Basis | None = None
    weights: dict[int, Fraction] | None = None if inside.size else {}
    if inside.size:
        support = np.array([*search.exact], dtype=np.intp)
        basis = Basis.find(whole[inside], np.searchsorted(inside, support))
        if basis is None and search.verdict != "interior":
            return None
    if basis is not None:
        with contextlib.suppress(ArithmeticError):  # too many digits
            weights = _balance(whole, factors, inside, basis, search.exact)
    near = search.weights
    if weights is not None:
        most = max(weights.values(), default=Fraction(1))
        near = {i: float(value / most) for i, value in weights.items()}
    return Partition(
        vectors, whole, factors, outside, inside, direction, basis, weights, near, search.proof
    )


def _direction(search: Search) -> Integers | None:
    if search.separator is not None:
        return primitive(whole_vector(search.separator)[0])
    if search.theta is None:
        return None
    return primitive(whole_vector(map(Fraction, search.theta.tolist()))[0])


def _balance(
    whole: Whole, factors: list[Fraction], inside: Index, basis: Basis, exact: dict[int, Fraction]
) -> dict[int, Fraction] | None:
    """
    Positive weights of all rows inside, from some that are exact but for those of the basis.

    These follow from the others; of rows without one they take up a small one.
    """
    base = inside[basis.rows]
    given = [i for i in exact if i not in set(base.tolist())]
    others = np.setdiff1d(inside, [*base, *given])
    first = _total(whole, given, [exact[i] / factors[i] for i in given])
    small = [Fraction(1, 2 ** _length(whole[i])) for i in others]
    second = _total(whole, others, small)
    own = [-value for value in basis.combination(first)]
    taken = basis.combination(second)
    if min(own, default=Fraction(1)) <= 0:
        return None
    ratios = [value / more for value, more in zip(own, taken, strict=True) if more > 0]
    share = Fraction(1)
    while share * 2 > min(ratios, default=Fraction(2)):
        share /= 2
    out = {i: exact[i] for i in given}
    for i, value, more in zip(base.tolist(), own, taken, strict=True):
        out[i] = (value - share * more) * factors[i]
    for i, value in zip(others.tolist(), small, strict=True):
        out[i] = share * value * factors[i]
    return out


def _length(row: Whole) -> int:
    return int(np.abs(row).max()).bit_length()


def _total(whole: Whole, rows: Iterable[int], weights: list[Fraction]) -> list[Fraction]:
    values, below = whole_vector(weights)
    total = product(whole[list(rows)].T, values)
    return [Fraction(int(value), below) for value in total]
