"""The vectors that a problem without bias is made of: y_i x_i, or y_i (x_i, 1) with bias."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, sparse

Index = NDArray[np.intp]
_FEW = 4


class Support(NamedTuple):
    """
    Rows that may be those on the largest margin, found in plain floating point.

    Attributes
    ----------
    rows : ndarray of int
        In any order.
    vectors : ndarray of shape (len(rows), D)
        Theirs, scaled.
    theta, alpha, rest : ndarray
        What the hard margin on them is, and what float64 leaves of alpha.
    off : float or None
        Error of a bias, over 1 or itself; None if the digits of all this have not been refined.
    """

    rows: Index
    vectors: F64
    theta: F64
    alpha: F64
    rest: F64
    off: float | None


class Rows:
    """
    Vectors z_i = y_i x_i, or y_i (x_i, 1) with bias, of data that are checked already.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64 or float32, C-contiguous, or csr_array
        Finite rows.
    y : ndarray of shape (n,), float64
        Labels -1 and +1.
    bias : bool
        Whether the vectors end with y_i.
    threads : int
        For the passes over all rows.
    """

    def __init__(self, X: NDArray[Any], y: F64, bias: bool, threads: int) -> None:
        self.X, self.y, self.bias, self.threads = X, y, bias, threads
        self.count = X.shape[0]
        self.dim = X.shape[1] + bias
        self._problem = sparse.problem(X, y, bias, align=False)

    def split(self, theta: F64) -> tuple[F64, float]:
        """(w, b) of a vector of the extended space."""
        if self.bias:
            return np.ascontiguousarray(theta[:-1]), float(theta[-1])
        return np.ascontiguousarray(theta), 0.0

    def margins(self, theta: F64) -> F64:
        """z_i . theta as if computed with twice the digits: see `Passes::accurate_margins`."""
        return self._problem.accurate_margins(*self.split(theta), self.threads)

    def sizes(self) -> tuple[F64, int, F64]:
        """Norms and exponent as `scaled_norms` gives them, without bias; the columns' largest."""
        squares, columns = self._problem.sizes(self.threads)
        return *scaled_norms(self.X, squares=squares), columns

    def mean(self) -> F64:
        """Return a positive multiple of the sum of all z_i."""
        w, b = self._problem.gradient(np.zeros(self.X.shape[1]), 0.0, "exponential", self.threads)
        return np.append(-w, -b) if self.bias else -w

    def support(
        self,
        exponent: int,
        feature: float,
        tol: float,
        start: F64 | None = None,
        *,
        refine: bool = True,
        free: bool = False,
        columns: list[int] | None = None,
    ) -> Support | None:
        """
        Find the rows on the largest margin, in the units of the rows over 2^exponent, about 1.

        `feature` is that of a bias, to whose error `tol` belongs as to those of margins; of a free
        one it is about 1 and nothing but a unit, or with `columns` large, for a guess. Rows with
        small margins at `start` are looked at first. `columns` are the exponents of columns of very
        different units. None if nothing was found. Raises
        ValueError where more sparse rows are needed at once than may be made dense.
        """
        point = None if start is None else self.split(start)
        found = self._problem.support(
            exponent, feature, tol, refine, free, columns or [], point,
            sparse.most_rows_worked_on(self.X), self.threads,
        )  # fmt: skip
        if isinstance(found, int):
            raise ValueError(
                f"X has more than {found} rows near the largest margin, which are worked on as "
                f"dense ones: for its shape {self.X.shape} that takes more than "
                f"{sparse.MOST_DENSE / 2**30:.3g} GiB; leave out rows or columns, or pass "
                "toarray() yourself"
            )
        return None if found is None else Support(*found)

    def largest(self) -> F64:
        """Largest magnitude among the entries of every z_i."""
        return _largest(self.X, self.bias)

    def exponent(self) -> int:
        """Exponent of a power of two above all norms, and not far above the largest."""
        return scaled_norms(self.X, self.bias)[1]

    def take(self, index: Index | Sequence[int], shift: int = 0) -> F64:
        """
        Return the vectors with these indices, all but a bias times 2^shift.

        Exact unless an entry underflows.
        """
        count = len(index)
        # All rows in order are read as they lie.
        whole = count == self.count and np.array_equal(index, np.arange(count))
        rows = sparse.dense("X", self.X if whole else self.X[index])
        out = np.empty((count, self.dim))
        vectors = out[:, : self.X.shape[1]]
        signs = self.y[index]
        if abs(shift) < 1000:
            np.multiply(rows, np.ldexp(signs, shift)[:, None], out=vectors)
        else:
            np.ldexp(rows * signs[:, None], shift, out=vectors)
        if self.bias:
            out[:, -1] = signs
        return out

    def scaled(self, index: Index | Sequence[int]) -> tuple[F64, NDArray[np.intc]]:
        """
        Return vectors over the power of two that makes their norms 1/2 to 1, and its exponent.

        Exact unless an entry is so small beside the largest that it underflows.
        """
        vectors = self.take(index)
        first = np.frexp(np.abs(vectors).max(axis=1))[1]
        vectors = np.ldexp(vectors, -first[:, None])
        second = np.frexp(np.linalg.norm(vectors, axis=1))[1]
        return np.ldexp(vectors, -second[:, None]), first + second


def scaled_norms(
    X: NDArray[Any], bias: bool = False, squares: F64 | None = None
) -> tuple[F64, int]:
    """
    Norms of the rows (x_i, bias) over a power of two above them all, and its exponent.

    `squares` are those of the norms, if they are known.
    """
    shift = 0
    if squares is None:
        squares = _squares(X) + float(bias)
    if not 1e-200 < squares.max() < np.inf:
        shift = int(np.frexp(_largest(X, bias).max())[1])
        scaled = np.ldexp(sparse.dense("X", X).astype(np.float64), -shift)
        squares = np.einsum("ij,ij->i", scaled, scaled) + np.ldexp(float(bias), -2 * shift)
    norms = np.sqrt(squares)
    exponent = int(np.frexp(norms.max())[1])
    return np.ldexp(norms, -exponent), exponent + shift


def _squares(X: NDArray[Any]) -> F64:
    """Squares of the rows' norms; of few columns one after the other, for rows are short then."""
    if sparse.is_sparse(X):
        return _squares_of_sparse(X)
    if X.shape[1] > _FEW:
        out: F64 = np.einsum("ij,ij->i", X, X, dtype=np.float64)
        return out
    with np.errstate(over="ignore"):  # the caller looks for that
        out = np.square(X[:, 0], dtype=np.float64)
        for column in X.T[1:]:
            out += np.square(column, dtype=np.float64)
    return out


def _squares_of_sparse(X: Any) -> F64:
    squares = np.square(X.data, dtype=np.float64)
    by_row = type(X)((squares, X.indices, X.indptr), shape=X.shape).sum(axis=1)
    return np.asarray(by_row, dtype=np.float64).ravel()


def _largest(X: NDArray[Any], bias: bool) -> F64:
    if sparse.is_sparse(X):
        out: F64 = abs(X).max(axis=1).toarray().ravel().astype(np.float64)
    else:
        out = np.maximum(X.max(axis=1), -X.min(axis=1)).astype(np.float64)
    return np.maximum(out, 1.0) if bias else out
