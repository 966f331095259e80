"""Rows with positive weights that make their sum zero, and proof that there are such weights."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fastgrok._checks import F64
from fastgrok.geometry._exact import Span, integers
from fastgrok.geometry._rows import Rows
from fastgrok.geometry._verified import positive_solution
from fastgrok.geometry.products import orthonormal_rows, solve_triangular, times


@dataclass(frozen=True)
class Balance:
    """
    Rows whose sum is zero with some positive weights.

    Attributes
    ----------
    rows : Rows
        All vectors; weights are those of the vectors scaled to norms of 1/2 to 1.
    base : list of int
        Linearly independent rows.
    others : list of int
        Rows that lie in their span.
    weights : ndarray of shape (len(base) + len(others),)
        Of `base`, rounded, then of `others`, exactly.
    """

    rows: Rows
    base: list[int]
    others: list[int]
    weights: F64

    @classmethod
    def empty(cls, rows: Rows) -> Balance:
        """No rows."""
        return cls(rows, [], [], np.zeros(0))

    @property
    def _members(self) -> list[int]:
        return [*self.base, *self.others]

    def extended(self, base: list[int], extra: int) -> Balance | None:
        """
        Add rows that balance modulo the span; None if they depend on it, within rounding.

        None as well where an old weight is not positive, so that no multiple of it takes up
        anything. The old weights times a power of two take up what the new ones leave over.
        """
        members, before = [*self.base, *base], len(self.base)
        if not 0 < len(members) <= self.rows.dim:
            return None
        L, Q = orthonormal_rows(self.rows.scaled(members)[0])
        if not np.all(np.diag(L)):
            return None
        old = self.weights[:before]
        if not np.all(old > 0.0):
            return None
        vector = self.rows.scaled([extra])[0][0]
        new = -solve_triangular(L, times(Q, vector), transposed=True)
        missing = float((-new[:before] / old).max(initial=0.0))
        factor = 2.0 ** np.ceil(np.log2(max(1.0, 0.5 + missing)))
        new[:before] += factor * old
        others = np.append(factor * self.weights[before:], 1.0)
        return Balance(self.rows, members, [*self.others, extra], np.append(new, others))

    def enclosed(self) -> bool:
        """Whether weights are proved positive, and the base a basis of the whole space."""
        if len(self.base) != self.rows.dim or not self._exactly_scaled():
            return False
        base, others = self.rows.scaled(self.base)[0], self.rows.scaled(self.others)[0]
        return positive_solution(base, others, *np.split(self.weights, [len(base)]))

    def _bits(self) -> int:
        """Digits of the base's determinant, about."""
        rows = (integers(row)[0] for row in self.rows.scaled(self.base)[0])
        return sum(max(map(abs, row)).bit_length() for row in rows)

    def solving_work(self) -> float:
        """Time of `solved` in nanoseconds, about."""
        k = len(self.base)
        return 2.0 * self._bits() * k * k * k

    def membership_work(self) -> float:
        """Time of finding out whether a row lies in the base's span, in nanoseconds, about."""
        return float(len(self.base) * self.rows.dim) * (100.0 + self._bits() / 5.0)

    def solved(self) -> tuple[Balance, Span] | None:
        """Prove in rational arithmetic that the weights exist, and drop rows whose weight is zero.

        Returns the balance and the span of its base, or None where there is no proof.
        """
        if not self._exactly_scaled():
            return None
        whole = [integers(row) for row in self.rows.scaled(self.base)[0]]
        span = Span.create(np.array([row for row, _ in whole], dtype=object))
        if span is None:
            return None
        total = np.zeros(self.rows.dim, dtype=object)
        weights = self.weights[len(self.base) :]
        for row, weight in zip(self.rows.scaled(self.others)[0], weights.tolist(), strict=True):
            vector, factor = integers(row)
            total = total + np.array(vector, dtype=object) * (Fraction(weight) / factor)
        coefficients = span.coefficients(total)
        if coefficients is None:
            return None
        exact = [-c * factor for c, (_, factor) in zip(coefficients, whole, strict=True)]
        if min(exact) < 0:
            return None
        kept = [i for i, weight in zip(self.base, exact, strict=True) if weight > 0]
        rounded = np.array([float(weight) for weight in exact if weight > 0])
        balance = Balance(self.rows, kept, self.others, np.append(rounded, weights))
        return (balance, span) if len(kept) == len(self.base) else balance.solved()

    def row_weights(self) -> dict[int, float]:
        """Weights of the rows as they are, times a common factor that keeps them finite."""
        exponents = self.rows.scaled(self._members)[1]
        largest = (np.frexp(self.weights)[1] - exponents).max()
        raw = np.ldexp(self.weights, -exponents - largest)
        return dict(zip(self._members, raw.tolist(), strict=True))

    def exact_weights(self) -> dict[int, Fraction]:
        """
        Return the same without underflow.

        Those of the base come first, and are rounded; with exact ones in their place the sum of
        all rows is zero.
        """
        exponents = self.rows.scaled(self._members)[1].tolist()
        return {
            i: Fraction(weight) / Fraction(2) ** exponent
            for i, weight, exponent in zip(
                self._members, self.weights.tolist(), exponents, strict=True
            )
        }

    def orthonormal(self) -> F64 | None:
        """Orthonormal columns with the same span, up to rounding."""
        if not self.base:
            return None
        from scipy.linalg import qr  # noqa: PLC0415

        columns = qr(self.rows.scaled(self.base)[0].T, mode="economic", check_finite=False)[0]
        return np.asarray(columns, dtype=np.float64)

    def _exactly_scaled(self) -> bool:
        scaled, exponents = self.rows.scaled(self._members)
        with np.errstate(over="ignore"):
            back = np.ldexp(scaled, exponents[:, None])
        return bool(np.array_equal(back, self.rows.take(self._members)))
