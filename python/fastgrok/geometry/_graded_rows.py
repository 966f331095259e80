r"""
Linearly independent rows whose columns have very different units.

The norm that is least, and the products with which rows are made orthogonal, are those of the units
given, in which rounding of the largest column is more than the whole of the smallest. So orthogonal
rows are of no use here. Instead columns B are chosen that determine the rest: with A = Q R (I, C),
whose first part stands for these columns, the shortest v with A v = h is (I, C)^T u with

    u = (I + C C^T)^-1 R^-1 Q^T h,

and the rest of a vector (v_B, v_N) outside the rows' span is (C, -I)^T s with

    s = (I + C^T C)^-1 (C^T v_B - v_N).

The QR factorisation is exact column by column up to rounding, whatever their units. Columns are
chosen as long as possible in these units, among those that are not zero but for rounding, so that C
has entries of about 1 at most (Bjoerck 1996, "Numerical methods for least squares problems", 2.5).

`cpp/engines/graded_set.cpp` does so too where it looks for the support of few columns. Here rows
have been rounded, and solutions are corrected to all of their digits.
"""

import numpy as np
from numpy.linalg import LinAlgError

from fastgrok._checks import F64
from fastgrok.geometry.products import cholesky, gram, solve_cholesky, solve_triangular, times


class GradedRows:
    """
    The same as `IndependentRows`, but made anew whenever a row comes or goes.

    Parameters
    ----------
    rows : ndarray of shape (k, D)
        Rows to start with; those that depend on earlier ones are left out.
    tolerance : float
        A column is nothing but rounding if a smaller share of it is left outside the span of
        others.
    rounding : ndarray of shape (D,)
        What rounding has added to the entries of each column.

    Attributes
    ----------
    kept : ndarray of shape (k,), bool
        Which of the rows given were independent.
    """

    def __init__(self, rows: F64, tolerance: float, rounding: F64) -> None:
        self.tolerance, self._rounding = tolerance, rounding
        self._rows = np.zeros((0, rows.shape[1]))
        self.kept = np.ones(len(rows), dtype=bool)
        if self._factorise(rows):
            return
        for i, row in enumerate(rows):
            self.kept[i] = self.append(row)

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, row: F64) -> bool:
        """Append a row unless it depends on the others; return whether it was appended."""
        return self._factorise(np.vstack([self._rows, row]))

    def remove(self, position: int) -> None:
        """Remove one row; raises LinAlgError if the others seem to be dependent without it."""
        if not self._factorise(np.delete(self._rows, position, axis=0)):
            raise LinAlgError("the rows that are left depend on each other within rounding")

    def _factorise(self, rows: F64) -> bool:
        """Take these rows, if they are independent."""
        k, dim = rows.shape
        if k > dim:
            return False
        # Rows and columns of about 1, by powers of two, which change no choice below.
        columns = np.frexp(np.abs(rows).max(axis=0, initial=0.0))[1]
        table = np.ldexp(rows, -columns)
        sizes = np.frexp(np.abs(table).max(axis=1, initial=0.0))[1]
        table = np.ldexp(table, -sizes[:, None])
        nothing = self.tolerance * np.linalg.norm(table, axis=0)
        nothing += np.ldexp(self._rounding, -columns) * np.sqrt(k)
        order = np.arange(dim)
        transform = np.eye(k)
        for i in range(k):
            rest = np.linalg.norm(table[i:, i:], axis=0)
            length = np.where(rest > nothing[order[i:]], np.ldexp(rest, columns[order[i:]]), 0.0)
            j = i + int(np.argmax(length))
            if not length[j - i] > 0.0:
                return False
            order[[i, j]] = order[[j, i]]
            table[:, [i, j]] = table[:, [j, i]]
            v = table[i:, i].copy()
            v[0] += np.copysign(rest[j - i], v[0])
            v *= np.sqrt(2.0 / np.add.reduce(v * v))
            table[i:] -= np.multiply.outer(v, times(table[i:].T, v))
            transform[i:] -= np.multiply.outer(v, times(transform[i:].T, v))
        # Q^T times the scales of the rows, R with those of its columns, C with those of both.
        self._rows, self._order, self._sizes = rows, order, sizes
        self._transform = transform
        self._lower = np.ascontiguousarray(np.triu(table[:, :k]).T)
        self._first, self._rest = columns[order[:k]], columns[order[k:]]
        C = self._solve_upper(np.ascontiguousarray(table[:, k:]))
        self._C = np.ldexp(C, self._rest[None, :] - self._first[:, None])
        self._short = k <= dim - k
        C = self._C if self._short else self._C.T
        self._factor = cholesky(np.eye(len(C)) + gram(C))
        return True

    def _solve_upper(self, right: F64) -> F64:
        """R^-1 in units of the columns' powers: those are left out by a flip of the triangle."""
        return solve_triangular(self._lower, right, transposed=True)

    def _inner(self, vector: F64) -> F64:
        """(I + C C^T)^-1, by way of (I + C^T C)^-1 if that is smaller."""
        if self._short:
            return solve_cholesky(self._factor, vector)
        out: F64 = vector - times(self._C, solve_cholesky(self._factor, times(self._C.T, vector)))
        return out

    def _outer(self, vector: F64) -> F64:
        """(I + C^T C)^-1."""
        if not self._short:
            return solve_cholesky(self._factor, vector)
        out: F64 = vector - times(self._C.T, solve_cholesky(self._factor, times(self._C, vector)))
        return out

    def _together(self, first: F64, rest: F64) -> F64:
        out = np.zeros(self._rows.shape[1])
        out[self._order] = np.concatenate([first, rest])
        return out

    def solve(self, right: F64) -> F64:
        """Shortest v with A v = right."""
        if not len(self):
            return np.zeros(self._rows.shape[1])
        point = self._solve_upper(times(self._transform, np.ldexp(right, -self._sizes)))
        point = self._inner(np.ldexp(point, -self._first))
        return self._together(point, times(self._C.T, point))

    def coefficients(self, vector: F64) -> F64:
        """Coefficients a for which A^T a is closest to `vector`."""
        if not len(self):
            return np.zeros(0)
        k = len(self)
        vector = vector[self._order]
        point = self._inner(vector[:k] + times(self._C, vector[k:]))
        point = solve_triangular(self._lower, np.ldexp(point, -self._first))
        return np.asarray(np.ldexp(times(self._transform.T, point), -self._sizes), dtype=np.float64)

    def outside(self, vector: F64) -> F64:
        """Part of `vector` that is orthogonal to all rows."""
        if not len(self):
            return vector
        k = len(self)
        vector = vector[self._order]
        point = self._outer(times(self._C.T, vector[:k]) - vector[k:])
        return self._together(times(self._C, point), -point)
