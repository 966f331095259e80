"""Whether labelled rows are linearly separable, with a certificate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, frames, sparse
from fastgrok._checks.calls import helpful
from fastgrok.geometry._rows import Rows
from fastgrok.geometry._search import Search


@dataclass(frozen=True, eq=False)
class Separability:
    """
    Where the origin lies with respect to vectors z_i, and the certificate.

    The vectors are y_i x_i, or y_i (x_i, 1) with bias. By the theorems of Gordan and Stiemke
    exactly one of the first three verdicts is true:

    ============= ================================== =============================================
    verdict       the origin and conv{z_i}           certificate
    ============= ================================== =============================================
    "separable"   outside                            (w, b) with z_i . (w, b) > 0 for all i
    "boundary"    in it, not in its relative         p >= 0, sum p = 1, sum p_i z_i = 0, and (w, b)
                  interior                           with z_i . (w, b) >= 0, not all zero
    "interior"    in its relative interior           p as above, whose rows span all others
    "undecided"   nothing was proved                 none
    ============= ================================== =============================================

    Attributes
    ----------
    verdict : str
        One of the four above.
    w : ndarray of shape (d,) or None
        The certificate's weights: exactly as given for "separable", rounded where `separator` is
        given; None for "interior" and "undecided".
    b : float or None
        The bias that belongs to it; 0 without bias.
    margin : float
        Smallest geometric margin of the rows about (w, b), min y_i (w . x_i + b) / ||w||: at most
        what `fastgrok.max_margin` finds, and of `separator` where (w, b) is rounded. Positive if
        the verdict is "separable", if only the least positive number; infinite where w = 0 and
        beyond float64; 0 for "boundary" and "interior"; NaN for "undecided".
    weights : ndarray of shape (n,) or None
        Convex weights p that give the origin, None where there are none. Positive for one set of
        affinely independent vectors (at most rank + 1) where rows in general position surround the
        origin, else for independent vectors and about as many others at most. What is proved is
        that exact positive weights exist for these rows; the entries are those, rounded.
    separator : tuple of Fraction or None
        The vector (w, b), or w without bias, without rounding, where float64 cannot hold it.
    proof : str
        How the certificate was verified, in words.
    bias : bool
        Whether the hyperplane may miss the origin.
    """

    verdict: str
    w: F64 | None = field(repr=False)
    b: float | None = field(repr=False)
    margin: float
    weights: F64 | None = field(repr=False)
    separator: tuple[Fraction, ...] | None = field(repr=False)
    proof: str
    bias: bool = False

    @property
    def separable(self) -> bool:
        """Whether the verdict is "separable"."""
        return self.verdict == "separable"

    def __repr__(self) -> str:
        """Say which model the verdict is on."""
        model = "with bias" if self.bias else "from the origin"
        return (
            f"Separability({self.verdict!r} {model}, margin={self.margin!r}, proof={self.proof!r})"
        )


@helpful
def separability(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    bias: bool | None = None,
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> Separability:
    """
    Decide whether a hyperplane has every row on its label's side, with proof.

    A candidate, found in floating point by Newton's method on a soft margin, counts only when it
    has been verified: a separator by products with every row whose sign is certain (compensated
    sums with a bound on their error, fractions where that leaves it open), weights by enclosing the
    exact solution of their linear system. Where rows balance only in part, or are dependent, as in
    designs of zeros and ones, a linear program (HiGHS) tells which rows do, and exact solutions of
    linear systems in integers prove it. Small problems that resist are solved in integers. No
    tolerance enters a verdict, which does not change when rows are multiplied by positive numbers
    without rounding, repeated or permuted.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows; float32 is read as it is, all else as float64. Beside a bias integers of 64
        bits may be larger than 2^53, such as times in nanoseconds, where those of a column differ
        by less: in arrays of integers and in columns of a data frame, not in sparse rows.
    y : array_like of shape (n,), optional
        Labels of two classes, as `fastgrok.train` has them. Default: all the same, so that the
        question is whether the rows lie strictly on one side of a hyperplane through the origin
        (Beck et al. 2025). How often a row counts changes nothing; those of weight 0 are to be left
        out.
    bias : bool, optional
        Whether the hyperplane may miss the origin. Default: True if `y` is given, as in
        `fastgrok.train`, whose model the verdict is on; False for rows alone.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        For the passes over all rows. Default, and in a child of fork, as `fastgrok.train` says.

    Returns
    -------
    Separability
        Verdict and certificate.

    Raises
    ------
    ValueError
        For wrong shapes and values, NaN among them.
    TypeError
        For arguments that are not real numbers.

    Notes
    -----
    "undecided" is left for rows that are within rounding of the boundary in many dimensions at
    once, and for very large designs of dependent rows: where the number of entries that are not
    zero, times that of the columns, exceeds 10^8 (1000 rows in 300 dimensions, or 100,000 rows of
    three entries in 300) and no other proof is found in half a minute or so. Up to 200 columns
    and 600 rows a verdict takes about a second at most. Sparse rows are made dense, and the linear
    systems in integers take long in a thousand columns and more of long numbers: of 5000 x 1500
    with a thousandth of the entries filled the verdict ("boundary") took 108 s of one core.

    References
    ----------
    Beck, Levi, Bar-Sinai (2025), "Grokking at the Edge of Linear Separability", arXiv 2410.04489,
    section 3.
    """
    extended = y is not None if bias is None else _checks.flag("bias", bias)
    count = _checks.threads(threads)
    offsets: list[int] = []
    frames.require_same_index(("X", "y"), X, y)
    if extended:
        X, offsets = _without_offsets(X)
    if y is None:
        if classes is not None:
            raise ValueError(f"classes are those of y, which is not given: {_checks.show(classes)}")
        rows = _checks.matrix("X", X)
        signs = np.ones(len(rows))
    else:
        rows, signs = _checks.data(X, y, classes=classes)
    found = decide(rows, signs, extended, count)
    return _with_offsets(found, offsets) if any(offsets) else found


def decide(X: NDArray[Any], y: F64, bias: bool, threads: int) -> Separability:
    """
    Verdict on data that are checked already.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64 or float32
        Rows.
    y : ndarray of shape (n,), float64
        Labels -1 and +1.
    bias : bool
        Whether the hyperplane may have one.
    threads : int
        At least 1.
    """
    columns = _distinct_columns(X, bias)
    rows = Rows(X if columns.all() else np.ascontiguousarray(X[:, columns]), y, bias, threads)
    search = Search(rows)
    search.run()
    kept = np.append(np.flatnonzero(columns), len(columns) if bias else [])
    w, b, separator, weights = None, None, None, None
    margin = 0.0 if search.verdict != "undecided" else float("nan")
    if search.weights and search.verdict != "undecided":
        weights, some = np.zeros(len(X)), list(search.weights)
        weights[some] = list(search.weights.values())
        weights /= weights.sum()
        # What is positive is not rounded to 0, or the rows that balance would be fewer.
        weights[some] = np.maximum(weights[some], np.nextafter(0.0, 1.0))
    if search.theta is not None:
        w, b = np.zeros(len(columns)), 0.0
        w[columns], b = rows.split(search.theta)
        if search.verdict == "separable":
            margin = _geometric_margin(rows, search.theta)
            if not margin > 0.0:
                margin = _exact_margin(rows, search.separator or map(Fraction, search.theta))
    if search.separator is not None:
        exact = [Fraction(0)] * (len(columns) + bias)
        for j, value in zip(kept, search.separator, strict=True):
            exact[int(j)] = value
        separator = tuple(exact)
    proof = search.proof if search.verdict != "undecided" else "no proof was found"
    return Separability(search.verdict, w, b, margin, weights, separator, proof, bias)


def _without_offsets(X: ArrayLike) -> tuple[ArrayLike, list[int]]:
    """Integers beyond 2^53 less the smallest of their column, which a bias makes up for."""
    if sparse.is_sparse(X):
        return X, []
    if frames.is_frame(X):
        labels, columns = frames.frame_columns("X", X)
    else:
        array = _checks.numbers("X", X)
        if array.dtype.kind not in "iu" or array.ndim != 2:
            return X, []
        labels, columns = [], list(array.T)
    offsets = [_offset(column) for column in columns]
    if not any(offsets):
        return X, []
    out = np.empty((len(columns[0]), len(columns)))
    for j, (column, offset) in enumerate(zip(columns, offsets, strict=True)):
        called = f"X column {labels[j]!r}" if labels else f"X[:, {j}]"
        less = column - column.dtype.type(offset) if offset else column
        out[:, j] = _checks.finite(called, _checks.as_float(called, less))
    return out, offsets


def _offset(column: NDArray[Any]) -> int:
    """Return what integers that float64 cannot hold have to be less."""
    if column.dtype.kind not in "iu" or not column.size:
        return 0
    low, high = int(column.min()), int(column.max())
    return low if max(-low, high) > 2**53 >= high - low else 0


def _with_offsets(found: Separability, offsets: list[int]) -> Separability:
    """Say the same of the columns with what was taken off them."""
    if found.w is None or found.b is None:
        return found
    exact = found.separator or tuple(Fraction(v) for v in [*found.w.tolist(), found.b])
    shift = sum(w * offset for w, offset in zip(exact, offsets, strict=False))
    exact = (*exact[:-1], exact[-1] - shift)
    b = float(exact[-1])
    held = found.separator is None and Fraction(b) == exact[-1]
    return replace(found, b=b, separator=None if held else exact)


def _geometric_margin(rows: Rows, theta: F64) -> float:
    """Smallest product over ||w||, by powers of two, so that no square and no sum overflows."""
    w = rows.split(theta)[0]
    down = max(0, rows.exponent() + int(np.frexp(rows.dim)[1]) - 1022)
    up = int(np.frexp(np.abs(w).max())[1])
    norm = np.linalg.norm(np.ldexp(w, -up))
    least = rows.margins(np.ldexp(theta, -down)).min()
    with np.errstate(divide="ignore", over="ignore"):
        return float(np.ldexp(np.divide(least, norm), down - up))


def _exact_margin(rows: Rows, separator: Iterable[Fraction]) -> float:
    """Find it without rounding, where rows underflow: at least the least positive float."""
    u = list(separator)
    everything = rows.take(np.arange(rows.count)).tolist()
    least = min(
        sum((Fraction(z) * v for z, v in zip(row, u, strict=True)), Fraction(0))
        for row in everything
    )
    squared = sum((v * v for v in u[: rows.X.shape[1]]), Fraction(0))
    if not squared:
        return float("inf")
    # The root of the square, scaled to an integer of some 128 bits.
    square = least * least / squared
    power = (128 - square.numerator.bit_length() + square.denominator.bit_length()) // 2
    root = Fraction(isqrt(int(square * Fraction(4) ** power))) / Fraction(2) ** power
    return max(float(root), float(np.nextafter(0.0, 1.0)))


def _distinct_columns(X: NDArray[Any], bias: bool) -> NDArray[np.bool_]:
    """Columns that are not zero, not the copy of another, and beside a bias not constant.

    The others change nothing about the verdict, and with them the rows would be dependent.
    """
    keep = np.ones(X.shape[1], dtype=bool)
    first = X[0] if bias else np.zeros(X.shape[1], X.dtype)
    head = np.ascontiguousarray(X[:64].T) + X.dtype.type(0)  # no negative zeros
    alike = np.all(head == first[:, None], axis=1)
    seen: dict[bytes, int] = {}
    for j in range(X.shape[1]):
        if alike[j] and np.all(X[:, j] == first[j]):
            keep[j] = False
            continue
        twin = seen.setdefault(head[j].tobytes(), j)
        if twin != j and np.array_equal(X[:, j], X[:, twin]):
            keep[j] = False
    if not keep.any():
        keep[0] = True
    return keep
