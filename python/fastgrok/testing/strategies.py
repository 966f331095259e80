"""Data sets of a known kind, drawn by hypothesis: separable, on the boundary, interior.

The kinds are the verdicts of `fastgrok.separability`, of which exactly one is true of a set. They
follow from how a set is made, in small integers and powers of two, so that no tolerance and no
rounding enters: what is drawn as "boundary" is on the boundary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._checks.calls import helpful
from fastgrok._checks.docstrings import described

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise ImportError(
        "fastgrok.testing.strategies needs hypothesis: pip install 'fastgrok[testing]'"
    ) from error

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["boundary_sets", "interior_sets", "separable_sets"]

_ENTRIES = st.integers(-6, 6)
_LABELS = st.sampled_from([-1, 1])


@helpful
def separable_sets(
    *,
    max_rows: int = 10,
    max_columns: int = 4,
    bias: bool = True,
    both_classes: bool = False,
    powers: int = 8,
) -> SearchStrategy[tuple[F64, F64]]:
    """
    Draw sets that a hyperplane separates strictly.

    Parameters
    ----------
    max_rows : int, default 10
        Up to how many rows a set may have.
    max_columns : int, default 4
        Up to how many columns.
    bias : bool, default True
        Whether the hyperplane may miss the origin, as by default in `fastgrok.train`.
    both_classes : bool, default False
        Whether there are always rows of either label.
    powers : int, default 8
        Columns of integers are multiplied by powers of two from ``2**-powers`` to ``2**powers``,
        which rounds nothing and changes no kind. 0 leaves integers.

    Returns
    -------
    SearchStrategy
        Of pairs (X, y): rows of shape (n, d), float64, and labels -1 and +1 of shape (n,).

    Raises
    ------
    ImportError
        If hypothesis is not installed.
    ValueError
        For sizes too small to hold such a set.

    Notes
    -----
    Every separable set of integers is one of a hyperplane w . x + b with integers w and b + 1/2 (or
    b = 0), on which no integer point lies: labels are its sides.
    """
    both = _checks.flag("both_classes", both_classes)
    return _separable(*_settings(max_rows, 1 + both, max_columns, bias, powers), both)


@helpful
@described(separable_sets)
def boundary_sets(
    *, max_rows: int = 10, max_columns: int = 4, bias: bool = True, powers: int = 8
) -> SearchStrategy[tuple[F64, F64]]:
    """
    Draw sets that a hyperplane separates in part: some rows must lie on it, others need not.

    Parameters
    ----------
    max_rows, max_columns, bias, powers
        See `separable_sets`.

    Returns
    -------
    SearchStrategy
        Of pairs (X, y), as `separable_sets` has them.

    Raises
    ------
    ImportError
        If hypothesis is not installed.
    ValueError
        For sizes too small to hold such a set.

    Notes
    -----
    The rows with x_1 = 0 are an interior set of the other columns, all others have y x_1 > 0; then
    columns are added to one another, the points are moved (with a bias), and rows permuted.
    """
    return _boundary(
        *_settings(max_rows, 2 + _checks.flag("bias", bias), max_columns, bias, powers)
    )


@helpful
@described(separable_sets)
def interior_sets(
    *, max_rows: int = 10, max_columns: int = 4, bias: bool = True, powers: int = 8
) -> SearchStrategy[tuple[F64, F64]]:
    """
    Draw sets that no hyperplane separates, not even in part: losses have a minimum there.

    Parameters
    ----------
    max_rows, max_columns, bias, powers
        See `separable_sets`.

    Returns
    -------
    SearchStrategy
        Of pairs (X, y), as `separable_sets` has them.

    Raises
    ------
    ImportError
        If hypothesis is not installed.
    ValueError
        For sizes too small to hold such a set.

    Notes
    -----
    The last row is made such that some positive weights p of all rows have sum p_i y_i x_i = 0, and
    sum p_i y_i = 0 with a bias.
    """
    return _interior(
        *_settings(max_rows, 1 + _checks.flag("bias", bias), max_columns, bias, powers)
    )


_Settings = tuple[int, int, bool, int]


def _settings(
    max_rows: int, least_rows: int, max_columns: int, bias: bool, powers: int
) -> _Settings:
    """Check what all strategies have in common."""
    return (
        _checks.whole("max_rows", max_rows, minimum=least_rows),
        _checks.whole("max_columns", max_columns),
        _checks.flag("bias", bias),
        _checks.whole("powers", powers, minimum=0, maximum=400),
    )


@st.composite
def _separable(
    draw: DrawFn, max_rows: int, max_columns: int, bias: bool, powers: int, both: bool
) -> tuple[F64, F64]:
    n, dim = draw(st.integers(1 + both, max_rows)), draw(st.integers(1, max_columns))
    X, w = _integers(draw, n, dim), _integers(draw, 1, dim)[0]
    if not w.any():
        w[0] = 1.0
    # Twice w . x + b: of an odd number and an even one, never 0.
    sides = 2.0 * X @ w + (2 * draw(_ENTRIES) + 1 if bias else 0)
    X[sides == 0.0] += w
    sides[sides == 0.0] = 2.0 * w @ w
    if both and abs(np.sign(sides).sum()) == n:
        steps = -np.sign(sides[-1]) * (abs(sides[-1]) // (2.0 * w @ w) + 1.0)
        X[-1] += steps * w
        sides[-1] += steps * 2.0 * w @ w
    return X * _units(draw, dim, powers), np.sign(sides)


@st.composite
def _boundary(
    draw: DrawFn, max_rows: int, max_columns: int, bias: bool, powers: int
) -> tuple[F64, F64]:
    n, dim = draw(st.integers(2 + bias, max_rows)), draw(st.integers(1, max_columns))
    on = draw(st.integers(1 + bias, n - 1))
    face, labels = _balanced(draw, on, dim - 1, bias)
    y = np.append(labels, _labels(draw, n - on))
    away = [draw(st.integers(1, 6)) for _ in range(n - on)]
    off = np.column_stack([y[on:] * away, _integers(draw, n - on, dim - 1)])
    X = np.concatenate([np.column_stack([np.zeros(on), face]), off])
    if dim > 1:
        for _ in range(draw(st.integers(0, 3))):
            i, j = draw(st.permutations(range(dim)))[:2]
            X[:, i] += draw(_ENTRIES) * X[:, j]
    if bias:
        X += _integers(draw, 1, dim)
    return _permuted(draw, X * _units(draw, dim, powers), y)


@st.composite
def _interior(
    draw: DrawFn, max_rows: int, max_columns: int, bias: bool, powers: int
) -> tuple[F64, F64]:
    n, dim = draw(st.integers(1 + bias, max_rows)), draw(st.integers(1, max_columns))
    X, y = _balanced(draw, n, dim, bias)
    return _permuted(draw, X * _units(draw, dim, powers), y)


def _balanced(draw: DrawFn, n: int, dim: int, bias: bool) -> tuple[F64, F64]:
    """Integers with positive weights of all rows for which sum p_i y_i (x_i, 1) = 0."""
    X, y = _integers(draw, n - 1, dim), _labels(draw, n - 1)
    p = np.array([draw(st.integers(1, 3)) for _ in range(n - 1)], dtype=float)
    if not bias:
        label = draw(_LABELS)
        return np.vstack([X, -label * ((p * y) @ X)]), np.append(y, label)
    if p @ y == 0.0:
        p[0] += 1.0
    # The last row's weight is what is missing of one label: a power of two, by which all points
    # are multiplied in place of dividing the last.
    sign = np.sign(p @ y)
    weight = 2.0 ** np.ceil(np.log2(abs(p @ y)))
    p[np.argmax(y == sign)] += weight - abs(p @ y)
    return np.vstack([weight * X, sign * ((p * y) @ X)]), np.append(y, -sign)


def _integers(draw: DrawFn, n: int, dim: int) -> F64:
    drawn = [[draw(_ENTRIES) for _ in range(dim)] for _ in range(n)]
    return np.array(drawn, dtype=float).reshape(n, dim)


def _labels(draw: DrawFn, n: int) -> F64:
    return np.array([draw(_LABELS) for _ in range(n)], dtype=float)


def _units(draw: DrawFn, dim: int, powers: int) -> F64:
    exponents = [draw(st.integers(-powers, powers)) for _ in range(dim)]
    return np.array([2.0**exponent for exponent in exponents])


def _permuted(draw: DrawFn, X: F64, y: F64) -> tuple[F64, F64]:
    order = list(draw(st.permutations(range(len(y)))))
    return X[order], y[order]
