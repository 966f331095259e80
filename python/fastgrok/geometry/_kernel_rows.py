"""Rows whose inner products are the entries of a kernel matrix: a pivoted Cholesky factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Never, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok._checks.aside import if_long
from fastgrok._checks.calls import helpful
from fastgrok.geometry import blas
from fastgrok.geometry.products import solve_triangular

_BLOCK = 1 << 22  # numbers looked at together: no temporary as large as K
_LEEWAY = 10.0  # rounding errors of the one who computed K count this often
_EPS = float(np.finfo(np.float64).eps)


class KernelRows(np.ndarray):
    """
    Rows of :func:`kernel_rows`: an array with what is known of it.

    What is computed or cut out of it is a plain array; so is ``np.asarray(rows)``.

    Attributes
    ----------
    error : float
        No inner product of these rows and the training rows is further than this from its kernel
        value: measured entry by entry, rounding errors included.
    pivots : ndarray of shape (r,), int
        The training points, in the order in which they were taken, that span all others within
        `error`.
    """

    error: float
    pivots: NDArray[np.intp]

    def __getitem__(self, key: Any) -> Any:
        """Cut out a plain array."""
        return np.asarray(self)[key]

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Give results as plain arrays."""
        return np.asarray(array)[()] if array.ndim == 0 else np.asarray(array)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all of it."""
        return _with, (np.asarray(self), self.error, self.pivots)

    def __copy__(self) -> Self:
        """Copy all of it."""
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: Any) -> Self:
        """Copy all of it."""
        return _with(np.array(self), self.error, self.pivots)  # type: ignore[return-value]


def _with(rows: F64, error: float, pivots: NDArray[np.intp]) -> KernelRows:
    out = rows.view(KernelRows)
    out.error, out.pivots = error, pivots
    return out


@helpful
def kernel_rows(
    K: ArrayLike, K_test: ArrayLike | None = None, *, tol: float = 1e-12
) -> KernelRows | tuple[KernelRows, KernelRows]:
    """
    Rows L with L L^T = K: descent on them is descent in the space of the kernel.

    Gradient descent on f(x) = sum_i c_i k(x_i, x) + b with the kernel's inner product, that is
    c <- c - lr dloss/df(x_i), takes the margins through the same values as
    ``train(kernel_rows(K), y)``, with the same bias and the same learning rate; maximum margins,
    limits and leaps are those of the kernel as well. ||w|| is the norm of f - b in its space.

    Parameters
    ----------
    K : array_like of shape (n, n)
        k(x_i, x_j) of the training points: symmetric and positive semidefinite up to rounding
        errors. Computed with in float64, also if it is float32.
    K_test : array_like of shape (m, n), optional
        k(t_i, x_j) of other points t with the training points.
    tol : float, default 1e-12
        Columns are added until no diagonal entry of K - L L^T is larger than `tol` times the
        largest of K, or than n 2^-52 times that, which float64 does not tell from 0. Without
        rounding errors no entry at all of K - L L^T is larger then.

    Returns
    -------
    rows : KernelRows of shape (n, r)
        An array, float64; r is the rank found, at least 1. ``rows.error`` bounds all
        |K - L L^T|: it is measured, not taken from theory.
    test_rows : KernelRows of shape (m, r)
        If `K_test` is given: the rows z of the other points, from the kernel's values at the
        pivots, of which z . w + b is the trained function. ``test_rows.error`` bounds
        |K_test - z L^T|. It is about sqrt(k(t, t) rows.error) for a point t that has little to
        do with the training points, and like ``rows.error`` for others.

    Raises
    ------
    ValueError
        For wrong shapes and values of `tol`; where `K` is not finite, is zero, is asymmetric by
        more than the `tol` above, or is no kernel: if K - L L^T has a negative diagonal entry, or
        any other, of ten times what `tol` leaves. A kernel with rounding errors beyond that, such
        as one computed in float32, needs a larger `tol`, of which the message tells.
    TypeError
        For arguments that are not real numbers.

    Notes
    -----
    Pivoted Cholesky as LAPACK's dpstrf has it (Higham, Accuracy and Stability of Numerical
    Algorithms, 2nd ed., sec. 10.3), about n r^2 operations, and a pass over K to measure what is
    left. The last bits of the rows depend on LAPACK, on its build and its threads; keep the rows
    where a run has to be repeated to the bit. K times a power of two has the same pivots.

    Examples
    --------
    Points on a line, of which the polynomial kernel (1 + x x')^2 makes three columns:

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)
    >>> t = np.array([-0.3, 0.9])
    >>> kernel = lambda a, b: (1 + np.outer(a, b)) ** 2
    >>> rows, test = kernel_rows(kernel(x, x), kernel(t, x))
    >>> rows.shape, test.shape, rows.error < 1e-12
    ((50, 3), (2, 3), True)
    """
    tol = _checks.real("tol", tol)
    if not 0.0 <= tol < 1.0:
        raise ValueError(f"tol must be in [0, 1), got {tol!r}: it is relative to K's diagonal")
    kernel = _kernel("K", K)
    n = len(kernel)
    if kernel.shape != (n, n):
        raise ValueError(f"K must be square, (n, n), got shape {kernel.shape}")
    others = None if K_test is None else _kernel("K_test", K_test, n)
    tol = max(tol, n * _EPS)
    _require_diagonal(kernel, tol)
    asymmetry = _require_symmetric(kernel, tol)

    # Between 1/2 and 1 nothing overflows, and powers of two change no rounding.
    exponent = int(np.frexp(kernel.diagonal().max())[1])
    scaled = if_long(kernel.size, np.ldexp, kernel, -exponent)
    largest = scaled.diagonal().max()
    work = if_long(kernel.size, _symmetric, scaled)
    order, rank = blas.dpstrf(work.T, tol * largest)
    pivots, rest = order[:rank], order[rank:]
    rows: F64 = if_long(n * rank, _lower, work.T[:, :rank], order)
    del work

    # Of the rows of pivots it is rounding alone that keeps them from those of K.
    left, where = _largest(scaled, rows, rest, if_long(rows.size, np.take, rows, rest, 0), rest)
    if not left <= _LEEWAY * tol * largest:
        _refuse(kernel, where, rank, left / largest, tol)
    rounding = _rounding(rank, max(largest, _norm(rows) ** 2))
    error = _above(left + rounding, exponent) + asymmetry / 2
    out = _with(_unscaled(rows, exponent), error, pivots)
    if others is None:
        return out

    with np.errstate(over="ignore", invalid="ignore"):
        test = if_long(others.size, np.ldexp, others, -exponent)
        solved = solve_triangular(rows[pivots], _columns(test, pivots)).T
        left, _ = _largest(test, solved, np.arange(len(test)), rows, np.arange(n))
        size = max(largest, _norm(solved) * _norm(rows))
        error = _above(left + _rounding(rank, size), exponent)
    if not np.isfinite(error):
        raise ValueError(
            f"K_test must be of the same kernel as K, but its largest entry is "
            f"{np.abs(others).max()}, and {kernel.max()} that of K"
        )
    return out, _with(_unscaled(solved, exponent), error, pivots)


def _symmetric(K: F64) -> F64:
    mean = K + K.T
    mean /= 2.0
    return mean


def _lower(factor: F64, order: NDArray[np.intp]) -> F64:
    """Lower triangle, its rows in the order of K's."""
    rows = np.empty(factor.shape)
    rows[order] = np.tril(factor)
    return rows


def _columns(K: F64, which: NDArray[np.intp]) -> F64:
    """Those columns of K, as rows."""
    out = np.empty((len(which), len(K)))
    for start, block in _checks.blocks(K, _checks.HEARD):
        out[:, start : start + len(block)] = block[:, which].T
    return out


def _kernel(name: str, value: ArrayLike, columns: int | None = None) -> F64:
    rows: F64 = _checks.as_float(name, _checks.matrix(name, value, columns))
    return rows


def _require_diagonal(K: F64, tol: float) -> None:
    """Refuse a diagonal that is no kernel's, and entries that are larger than all of it."""
    diagonal = K.diagonal()
    largest = float(diagonal.max())
    lowest = int(diagonal.argmin())
    if diagonal[lowest] < -_LEEWAY * tol * max(largest, 0.0):
        raise ValueError(
            f"K must be positive semidefinite, but K[{lowest}, {lowest}] = {diagonal[lowest]}: "
            "k(x, x) is a squared norm"
        )
    high, low = (np.unravel_index(int(at), K.shape) for at in (K.argmax(), K.argmin()))
    i, j = max(high, low, key=lambda at: abs(float(K[at])))
    if abs(float(K[i, j])) / (1.0 + _LEEWAY * tol) > largest:
        raise ValueError(
            f"K must be positive semidefinite, but K[{i}, {j}] = {K[i, j]} is larger than every "
            f"diagonal entry, of which the largest is {largest}"
        )
    if largest == 0.0:
        raise ValueError("K must not be zero everywhere: such a kernel tells no points apart")


def _blocks(rows: NDArray[np.intp], columns: int) -> list[NDArray[np.intp]]:
    size = max(1, _BLOCK // max(1, columns))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _worst(
    rows: NDArray[np.intp], columns: NDArray[np.intp], block: Callable[[NDArray[np.intp]], F64]
) -> tuple[float, tuple[int, int]]:
    """Find the largest magnitude, and where it is, of a matrix that comes in blocks of rows."""
    largest, where = 0.0, (0, 0)
    if not len(columns):
        return largest, where
    for part in _blocks(rows, len(columns)):
        values = np.abs(block(part))
        i, j = divmod(int(values.argmax()), len(columns))
        if not values[i, j] <= largest:  # NaN counts as most
            largest, where = float(values[i, j]), (int(part[i]), int(columns[j]))
    return largest, where


def _require_symmetric(K: F64, tol: float) -> float:
    every = np.arange(len(K))
    most = tol * float(K.diagonal().max())

    def block(part: NDArray[np.intp]) -> F64:
        rows = slice(part[0], part[-1] + 1)  # views: copying columns one by one is slow
        return K[rows] - K[:, rows].T

    largest, (i, j) = _worst(every, every, block)
    if largest > most:
        raise ValueError(
            f"K must be symmetric, but K[{i}, {j}] = {K[i, j]} and K[{j}, {i}] = {K[j, i]}; "
            "if that is rounding, pass (K + K.T) / 2"
        )
    return largest


def _largest(
    K: F64,
    left: F64,
    rows: NDArray[np.intp],
    right: F64,
    columns: NDArray[np.intp],
) -> tuple[float, tuple[int, int]]:
    """Find the largest magnitude of K - left right^T among these rows and columns."""

    def block(part: NDArray[np.intp]) -> F64:
        product: F64 = if_long(len(part) * right.size, np.matmul, left[part], right.T)
        return K[np.ix_(part, columns)] - product

    return _worst(rows, columns, block)


def _norm(rows: F64) -> float:
    """Find the norm of the longest row."""
    squares = [
        np.square(block).sum(axis=1).max() for _, block in _checks.blocks(rows, _checks.HEARD)
    ]
    return float(np.sqrt(np.max(squares)))


def _rounding(rank: int, size: float) -> float:
    """
    Bound the rounding errors of inner products of so many terms, all magnitudes together `size`.

    That of a Cholesky factor of K's rows at the pivots, of measuring the others, and of the scale
    (Higham, theorem 10.3).
    """
    units = (rank + 12) * _EPS / 2
    return units / (1.0 - units) * size * (1.0 + 1e-6)


def _above(bound: float, exponent: int) -> float:
    """Return bound 2**exponent, not less where float64 ends."""
    return float(np.nextafter(np.ldexp(bound, exponent), np.inf))


def _unscaled(rows: F64, exponent: int) -> F64:
    """Rows of K from those of K / 2**exponent."""
    half, odd = divmod(exponent, 2)
    out = np.empty(rows.shape)
    for start, block in _checks.blocks(rows, _checks.HEARD):
        part = out[start : start + len(block)]
        np.ldexp(block * np.sqrt(2.0) if odd else block, half, out=part)
    return out


def _refuse(K: F64, where: tuple[int, int], rank: int, left: float, tol: float) -> Never:
    i, j = where
    needed = 10.0 ** np.ceil(np.log10(left)) if left < 1e-3 else 0.0
    remedy = (
        f"; if that is the rounding of K, pass tol={needed:.0e}"
        if needed
        else ": take a kernel that is one, or add a multiple of the identity"
    )
    raise ValueError(
        f"K must be positive semidefinite, but K[{i}, {j}] = {K[i, j]} is off by {left:.3g} times "
        f"the largest diagonal entry from what {rank} pivots explain, where a kernel leaves at "
        f"most tol = {tol:.3g}{remedy}"
    )
