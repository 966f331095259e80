"""Maximum margins of rows that are all known to be on the margin, by a Cholesky factorisation."""

import numpy as np
from numpy.linalg import LinAlgError

from fastgrok._checks import F64
from fastgrok.geometry._rows import Index
from fastgrok.geometry.products import cholesky, gram, solve_cholesky, times


class FixedSupport:
    """
    Weights (w, b) with given margins on some rows, and their dual.

    It is quick, and good enough, with a correction or two, where rows are not nearly dependent or
    very far from the origin. The coefficients alpha of the rows A = (y_i x_i) and the bias solve

        A A^T alpha + b y = margins,    y . alpha = penalty b;

    y y^T / max(penalty, 1) is added to A A^T, for D rows are dependent without their bias.

    Parameters
    ----------
    Z : ndarray of shape (n, D), C-contiguous
        Vectors y_i (x_i, 1), or y_i x_i without a bias.
    rows : ndarray of int
        The rows, increasing. LinAlgError is raised if they are dependent as far as products show.
    penalty : float or None
        Of the squared bias, None without one.
    products : ndarray of shape (n, n), optional
        What `gram` returns for all rows of Z without the bias, if it is known.

    Attributes
    ----------
    least_share : float
        The least share of a row's square that is outside the span of those before.
    """

    def __init__(self, Z: F64, rows: Index, penalty: float | None, products: F64 | None) -> None:
        self.Z, self.rows, self.penalty = Z, rows, penalty
        if len(rows) > Z.shape[1]:
            raise LinAlgError("more rows than dimensions")
        if products is not None:
            matrix = products[np.ix_(rows, rows)]
        else:
            matrix = gram(Z[rows] if penalty is None else Z[rows, :-1])
        if penalty is not None:
            self.y = Z[rows, -1]
            added = 1.0 / max(penalty, 1.0)
            matrix += np.multiply.outer(added * self.y, self.y)
        squares = matrix.diagonal().copy()
        self.factor = cholesky(matrix)
        self.least_share = float((self.factor.diagonal() ** 2 / squares).min(initial=1.0))
        if penalty is not None:
            self.pull = (1.0 - added * penalty) * solve_cholesky(self.factor, self.y)

    def solve(self, margins: F64) -> tuple[F64, F64]:
        """Return (w, b) and alpha, n coefficients, for these margins, of which the rows' count."""
        own, b = solve_cholesky(self.factor, margins[self.rows]), 0.0
        if self.penalty is not None:
            b = float(self.y @ own) / (self.penalty + float(self.y @ self.pull))
            own -= b * self.pull
        alpha = np.zeros(len(self.Z))
        alpha[self.rows] = own
        theta = times(self.Z.T, alpha)
        if self.penalty is not None:
            theta[-1] = b
        return theta, alpha
