"""Margins, accuracy and the hyperplane's distance from the origin, for a given (w, b)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok._checks import F64, sparse
from fastgrok._checks.calls import helpful
from fastgrok._core import Problem

TIES = ("wrong", "negative")


def power_of_two(*values: float) -> int:
    """
    Return the exponent of the power of two that brings the largest magnitude into [1/2, 1).

    Parameters
    ----------
    *values : float
        Magnitudes, at least 0.
    """
    return math.frexp(max(values))[1]


def scaled(w: F64, b: float, exponent: int) -> tuple[F64, float]:
    """
    (w, b) / 2**exponent: exact, so nothing but overflow and underflow changes.

    Parameters
    ----------
    w : ndarray of shape (d,), float64
        Weights.
    b : float
        Bias.
    exponent : int
        Of the power of two to divide by.
    """
    if exponent == 0:
        return w, b
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(w, -exponent), float(np.ldexp(b, -exponent))


def _margins_in_range(problem: Problem, w: F64, b: float, threads: int) -> tuple[F64, int]:
    """Margins y (w . x + b) over 2**e, and e, with which they stay in float64's range."""
    size = power_of_two(np.abs(w).max(), abs(b))
    exponent = min(size, 0)  # scaling small weights up is exact
    values = problem.margins(*scaled(w, b, exponent), threads)
    if not np.isfinite(values).all():
        # Scaling down may lose weights so small that they don't matter beside what overflowed.
        exponent = size + len(w).bit_length() + 1
        values = problem.margins(*scaled(w, b, exponent), threads)
    return values, exponent


@helpful
def margins(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    b: float = 0.0,
    *,
    normalized: bool = True,
    sample_weight: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> F64:
    """
    Margins of labelled rows, y (x . w + b), by default divided by ||w||.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, d)
        Finite rows; float32 is read as it is, all else as float64. Sparse ones as in
        :func:`fastgrok.train`.
    y : array_like of shape (n,)
        Labels of two classes, as `fastgrok.train` has them.
    w : array_like of shape (d,)
        Weights.
    b : float, default 0.0
        Bias.
    normalized : bool, default True
        True: geometric margins, the signed distance of each row from the hyperplane in the units
        of `X`, right also where ||w|| itself would overflow or underflow. False: y (x . w + b) as
        it is.
    sample_weight : array_like of shape (n,), optional
        Rows of weight 0 are left out, of the result as well, but must be finite. No margin depends
        on the others.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        Default, and in a child of fork, as `fastgrok.train` says. The result is the same to the
        last bit for any number.

    Returns
    -------
    ndarray of shape (n,), float64
        Positive where the row is on its label's side; of the rows with weights that are not 0, if
        there are weights.

    Raises
    ------
    ValueError
        For wrong shapes and values, and for `normalized` with w = 0.
    TypeError
        For arguments that are not real numbers.
    """
    rows, signs = _checks.data(X, y, classes=classes, sparse_too=True)
    weights = _checks.coefficients("w", w, rows.shape[1], X)
    bias = _checks.real("b", b)
    count = _checks.threads(threads)
    if sample_weight is not None:
        live = _checks.row_weights("sample_weight", sample_weight, len(signs), X) > 0.0
        if not live.all():
            rows, signs = rows[live], signs[live]
    problem = sparse.problem(rows, signs, True)
    if not _checks.flag("normalized", normalized):
        return problem.margins(weights, bias, count)
    if not weights.any():
        raise ValueError("w = 0 has no geometric margins; use normalized=False")
    values, exponent = _margins_in_range(problem, weights, bias, count)
    own = power_of_two(np.abs(weights).max())
    norm = np.linalg.norm(scaled(weights, 0.0, own)[0])
    with np.errstate(over="ignore", under="ignore"):
        normalized_margins: F64 = np.ldexp(values / norm, exponent - own)
    return normalized_margins


@helpful
def accuracy(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    b: float = 0.0,
    *,
    tie: str = "wrong",
    sample_weight: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> float:
    """
    Fraction of the rows on their label's side of the hyperplane x . w + b = 0.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, d)
        Finite rows, sparse as in :func:`fastgrok.train`.
    y : array_like of shape (n,)
        Labels of two classes, as `fastgrok.train` has them.
    w : array_like of shape (d,)
        Weights; zeros are allowed.
    b : float, default 0.0
        Bias.
    tie : {"wrong", "negative"}, default "wrong"
        A logit of exactly 0 counts as wrong for both classes, or as class -1, which is what a
        threshold sigmoid(logit) > 0.5 does (Das et al. 2026).
    sample_weight : array_like of shape (n,), optional
        How often each row counts, not negative.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        Default, and in a child of fork, as `fastgrok.train` says.

    Returns
    -------
    float
        In [0, 1], an exact count divided by n; with weights the sum of those of the rows that are
        right, divided by the sum of all.

    Raises
    ------
    ValueError
        For wrong shapes and values.
    TypeError
        For arguments that are not real numbers.
    """
    rows, signs = _checks.data(X, y, classes=classes, sparse_too=True)
    weights = _checks.coefficients("w", w, rows.shape[1], X)
    bias = _checks.real("b", b)
    negative = _checks.choice("tie", tie, TIES) == "negative"
    count = _checks.threads(threads)
    values, _ = _margins_in_range(sparse.problem(rows, signs, True), weights, bias, count)
    right = values > 0.0
    if negative:
        right |= (values == 0.0) & (signs < 0.0)
    if sample_weight is None:
        return np.count_nonzero(right) / len(signs)
    of_rows = _checks.row_weights("sample_weight", sample_weight, len(signs), X)
    # Added in the same order as all of them, a part is never more.
    return float(np.where(right, of_rows, 0.0).sum() / of_rows.sum())


def hyperplane_distance(w: ArrayLike, b: float) -> float:
    """
    Distance of the hyperplane x . w + b = 0 from the origin, |b| / ||w||.

    Parameters
    ----------
    w : array_like of shape (d,)
        Weights.
    b : float
        Bias.

    Returns
    -------
    float
        Infinite if only w is 0, NaN if w and b are.

    Raises
    ------
    ValueError
        For wrong shapes and values.
    TypeError
        For arguments that are not real numbers.
    """
    weights = _checks.vector("w", w)
    bias = abs(_checks.real("b", b))
    if not weights.any():
        return float("inf") if bias else float("nan")
    weights, bias = scaled(weights, bias, power_of_two(np.abs(weights).max()))
    return bias / float(np.linalg.norm(weights))
