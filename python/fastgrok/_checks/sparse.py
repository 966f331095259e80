"""Sparse rows as scipy.sparse has them, which is not imported: who passes some has done that.

What is checked is a csr_array of float64 or float32, its columns sorted and none twice, whose
memory is the caller's where it was so already.
"""

import sys
from collections.abc import Callable
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks.aside import if_long
from fastgrok._core import Problem, columns_increase

MOST_DENSE = 1 << 30
"""Bytes up to which sparse rows are made dense for what has no other way."""
_MOST_COLUMNS = 2**31 - 1


def is_sparse(value: object) -> bool:
    """Whether it is a sparse matrix or array of scipy, of any format."""
    # Another thread may be importing it just now.
    known = getattr(sys.modules.get("scipy.sparse"), "issparse", None)
    return known is not None and bool(known(value))


def stored(value: Any) -> NDArray[Any]:
    """Return the entries that sparse rows of any format hold, as they are."""
    out: NDArray[Any] = value.tocoo().data
    return out


def compressed(
    name: str, value: Any, checked: Callable[[str, NDArray[Any], Callable[[int], str]], Any]
) -> Any:
    """
    Return sparse rows of any format as a csr_array that the core can read.

    Parameters
    ----------
    name : str
        What a message is to call them.
    value : sparse matrix or array of shape (n, d)
        Left as it is; duplicates are summed, integers without wrapping.
    checked : callable
        From (name, entries, where) to the entries as they are wanted; `where` tells the place of an
        entry by its number.
    """
    rows, columns = value.shape
    if value.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {value.dtype}")
    if columns > _MOST_COLUMNS:
        raise ValueError(
            f"{name} must have at most {_MOST_COLUMNS} columns where it is sparse, got shape "
            f"{value.shape}"
        )
    kind = sys.modules["scipy.sparse"].csr_array
    given = if_long(value.nnz, _summable(name, value).tocsr)
    begin = np.asarray(given.indptr)
    count = int(begin[-1]) if begin.shape == (rows + 1,) else -1
    where, numbers = given.indices[:count], given.data[:count]  # there may be room behind them
    if not (
        count == len(where) == len(numbers)
        and begin[0] == 0
        and (begin[1:] >= begin[:-1]).all()
        and (count == 0 or (where.min() >= 0 and where.max() < columns))
    ):
        raise ValueError(f"{name} is no sparse matrix: its indptr or its indices are out of range")
    where = np.require(where, np.int32, ["C_CONTIGUOUS", "ALIGNED"])
    if not columns_increase(where, begin.astype(np.int64)):
        copy = kind((numbers.copy(), where.copy(), begin.copy()), shape=value.shape)
        copy.sum_duplicates()  # which sorts them
        where, numbers, begin = copy.indices, copy.data, copy.indptr

    def place(k: int) -> str:
        row = int(np.searchsorted(begin, k, side="right")) - 1
        return f"{row}, {where[k]}"

    return kind((checked(name, numbers, place), where, begin), shape=value.shape)


def _summable(name: str, value: Any) -> Any:
    """Sparse rows of a type in which duplicates can be summed."""
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind not in "iu":
        return value
    if size < 8:
        return value.astype(np.int64)
    entries = value.tocoo()
    sizes = [abs(int(end(entries.data))) for end in (np.min, np.max)] if entries.nnz else [0]
    if max(sizes) * entries.nnz >= 2**63:
        places = np.unique(np.column_stack([entries.row, entries.col]), axis=0)
        if len(places) < entries.nnz:
            raise ValueError(
                f"{name} holds entries of dtype {value.dtype} more than once, whose sums may be "
                "beyond it: sum them first, or convert it with astype(float)"
            )
    return value


def dense(name: str, rows: Any) -> NDArray[Any]:
    """Return rows, if they are sparse, as an array: of those that are not too many."""
    if isinstance(rows, np.ndarray):
        return rows
    size = float(np.prod(rows.shape, dtype=np.float64)) * rows.dtype.itemsize
    if size > MOST_DENSE:
        raise ValueError(
            f"{name} is needed as a dense array, which would take {size / 2**30:.3g} GiB for its "
            f"shape {rows.shape}; sparse rows are made dense up to {MOST_DENSE / 2**30:.3g} GiB: "
            "leave out rows or columns, or pass toarray() yourself"
        )
    out: NDArray[Any] = rows.toarray()
    return out


def most_rows_worked_on(rows: Any) -> int:
    """
    Count the rows that may be worked on at once as dense ones, with two tables of their products.

    Of dense rows all: that is no more than three times their memory.
    """
    if isinstance(rows, np.ndarray):
        return int(rows.shape[0])
    entries, columns = MOST_DENSE // 8, int(rows.shape[1]) + 1
    return max(1, (isqrt(columns**2 + 8 * entries) - columns) // 4)


def problem(rows: Any, signs: NDArray[np.float64], bias: bool, *, align: bool = True) -> Problem:
    """Hand checked rows and labels, dense or sparse, to the core."""
    if isinstance(rows, np.ndarray):
        return Problem(rows, signs, bias, align)
    columns = rows.indices.astype(np.int32, copy=False)
    begin = rows.indptr.astype(np.int64)
    return Problem.sparse(rows.data, columns, begin, rows.shape[1], signs, bias)


def entries(rows: Any) -> int:
    """Count the numbers of checked rows that a pass multiplies with, a bias each among them."""
    return int(rows.size + rows.shape[0])  # of sparse rows the size is what they store


def nbytes(rows: Any) -> int:
    """Memory of checked rows."""
    if isinstance(rows, np.ndarray):
        return rows.nbytes
    return int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)


def largest(rows: Any) -> float:
    """Largest magnitude of checked rows."""
    values = rows if isinstance(rows, np.ndarray) else rows.data
    return max(float(values.max()), -float(values.min())) if values.size else 0.0
