"""A QR factorisation of linearly independent rows that come and go."""

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry.products import orthonormal_rows, solve_triangular, times


class IndependentRows:
    """
    Rows A = (Q R)^T of full rank.

    Parameters
    ----------
    rows : ndarray of shape (k, D)
        Rows to start with; those that depend on earlier ones are left out.
    tolerance : float
        A row depends on others if a smaller share of its norm lies outside their span.

    Attributes
    ----------
    kept : ndarray of shape (k,), bool
        Which of the rows given were independent.
    """

    def __init__(self, rows: F64, tolerance: float) -> None:
        dim = rows.shape[1]
        self.tolerance = tolerance
        self.Q, self.R = np.zeros((dim, 0), order="F"), np.zeros((0, 0), order="F")
        self.kept = np.ones(len(rows), dtype=bool)
        if 0 < len(rows) <= dim:
            L, Q = orthonormal_rows(np.ascontiguousarray(rows))
            new = np.abs(np.diag(L))
            if np.all(new > 100.0 * self.tolerance * np.linalg.norm(L, axis=1)):
                self.Q, self.R = Q.T, L.T
                return
        for i, row in enumerate(rows):
            self.kept[i] = len(self) < dim and self.append(row)

    def __len__(self) -> int:
        return len(self.R)

    def append(self, row: F64) -> bool:
        """Append a row unless it depends on the others; return whether it was appended."""
        size = float(np.linalg.norm(row))
        rest, along = row, np.zeros(len(self))
        for _ in range(2):  # twice is enough (Giraud et al. 2005)
            part = times(self.Q.T, rest)
            rest = rest - times(self.Q, part)
            along = along + part
        new = float(np.linalg.norm(rest))
        if len(self) == len(row) or not new > self.tolerance * size:
            return False
        self.Q = np.asfortranarray(np.column_stack([self.Q, rest / new]))
        k = len(self)
        R = np.zeros((k + 1, k + 1), order="F")
        R[:k, :k], R[:k, k], R[k, k] = self.R, along, new
        self.R = R
        return True

    def remove(self, position: int) -> None:
        """Remove one row."""
        k = len(self)
        if k == 1:
            self.Q, self.R = self.Q[:, :0], self.R[:0, :0]
            return
        from scipy.linalg import qr_delete  # noqa: PLC0415

        Q, R = qr_delete(self.Q, self.R, position, which="col", check_finite=False)
        self.Q, self.R = np.asfortranarray(Q[:, : k - 1]), np.asfortranarray(R[: k - 1])

    def solve(self, right: F64) -> F64:
        """Shortest v with A v = right."""
        if not len(self):
            return np.zeros(len(self.Q))
        return times(self.Q, solve_triangular(self.R.T, right))

    def coefficients(self, vector: F64) -> F64:
        """Coefficients a for which A^T a is closest to `vector`."""
        if not len(self):
            return np.zeros(0)
        return solve_triangular(self.R.T, times(self.Q.T, vector), transposed=True)

    def outside(self, vector: F64) -> F64:
        """Part of `vector` that is orthogonal to all rows; none of it if it depends on them."""
        rest = vector
        for _ in range(2):
            rest = rest - times(self.Q, times(self.Q.T, rest))
        known = np.linalg.norm(rest) > self.tolerance * np.linalg.norm(vector)
        return rest if len(self) < len(vector) and known else np.zeros_like(vector)
