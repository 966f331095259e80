"""A working set of rows that have the same margin, with a bias taken out by the first of them."""

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._active_rows import IndependentRows
from fastgrok.geometry._graded_rows import GradedRows

_EPS = float(np.finfo(np.float64).eps)


class WorkingSet:
    """
    Linearly independent rows, what their margins determine, and the factor that finds it.

    Parameters
    ----------
    Z, penalty, dependent, columns, graded
        See `fastgrok.geometry._hard_margin.HardMargin`, whose module says how the bias is treated.

    Attributes
    ----------
    working : list of int
        The rows; with a bias the first is the reference.
    factor : IndependentRows or GradedRows
        Of the other rows less the reference, or without a bias of all.
    """

    factor: IndependentRows | GradedRows

    def __init__(
        self,
        Z: F64,
        penalty: float | None,
        dependent: float | None,
        columns: F64 | None,
        graded: bool,
    ) -> None:
        self.Z, self.penalty, self.bias = Z, penalty, penalty is not None
        self._columns, self._graded = columns, graded
        self._dependent = 8.0 * _EPS * Z.shape[1] if dependent is None else dependent
        self.working: list[int] = []

    def factorise(self, rows: list[int]) -> None:
        """Make those of these rows the working set that don't depend on earlier ones."""
        self.working = rows[:1] if self.bias else []
        rest = rows[len(self.working) :]
        self.factor = self._factor_of(self._local(rest))
        self.working += [i for i, kept in zip(rest, self.factor.kept, strict=True) if kept]

    def _factor_of(self, rows: F64) -> IndependentRows | GradedRows:
        if not self._graded:
            return IndependentRows(rows, self._dependent)
        rounding = np.zeros(rows.shape[1])
        if self.bias and self._columns is not None:
            rounding = _EPS * self._columns
        return GradedRows(rows, self._dependent, rounding)

    def _signs(self, rows: list[int]) -> F64:
        """y_i y_r."""
        signs: F64 = self.Z[rows, -1] * self.Z[self.working[0], -1]
        return signs

    def _local(self, rows: list[int]) -> F64:
        """Return what is factorised for these rows: A_i."""
        if not self.bias:
            return self.Z[rows]
        out = np.multiply.outer(self._signs(rows), self._reference())
        np.subtract(self.Z[rows, :-1], out, out=out)
        return out

    def _reference(self) -> F64:
        """y_r x_r."""
        out: F64 = self.Z[self.working[0], :-1]
        return out

    def _expand(self, alpha: F64, total: float = 0.0) -> F64:
        """Put the reference's coefficient first, with which y_r sum_i y_i alpha_i is `total`."""
        if not self.bias:
            return alpha
        return np.append(total - self._signs(self.working[1:]) @ alpha, alpha)

    def _target(self) -> F64:
        """Solve the dual for the working set alone."""
        point, pull = self.shortest(np.ones(len(self.working)))
        if not self.bias:
            return self.factor.coefficients(point)
        alpha = self.factor.coefficients(point[:-1])
        if pull:
            alpha = alpha - pull * self.factor.coefficients(self._reference())
        return self._expand(alpha, pull)

    def shortest(self, margins: F64) -> tuple[F64, float]:
        """Least (w, b) with these margins on the working set, and its y_r s."""
        if not self.bias:
            return self.factor.solve(margins), 0.0
        y, reference = self.Z[self.working[0], -1], self._reference()
        w = self.factor.solve(margins[1:] - self._signs(self.working[1:]) * margins[0])
        left = float(margins[0] - reference @ w)
        if not self.penalty:
            return np.append(w, y * left), 0.0
        outside = self.factor.outside(reference)
        left /= 1.0 + self.penalty * float(outside @ outside)
        pull = self.penalty * left
        return np.append(w + pull * outside, y * left), pull

    def _correction(self, p: F64, q: F64) -> tuple[F64, F64]:
        """(v, a) on the working set with z_i . v = p_i and P v - sum_i a_i z_i = q."""
        if not self.bias:
            v = self.factor.solve(p) + self.factor.outside(q)
            return v, self.factor.coefficients(v - q)
        y, reference = self.Z[self.working[0], -1], self._reference()
        v = self.factor.solve(p[1:] - self._signs(self.working[1:]) * p[0])
        v += self.factor.outside(q[:-1])
        outside = self.factor.outside(reference)
        penalty, squared = self.penalty or 0.0, float(outside @ outside)
        left = float(p[0] - reference @ v) + squared * y * q[-1]
        left /= 1.0 + penalty * squared
        pull = float(penalty * left - y * q[-1])
        v = v + pull * outside
        alpha = self.factor.coefficients(v - q[:-1] - pull * reference)
        return np.append(v, y * left), self._expand(alpha, pull)
