"""What is right in spite of errors of the weights: points surely right, and possibly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Data, EvaluationSet, Weights, sparse
from fastgrok._checks.populations import Population
from fastgrok._checks.shares import POPULATION_SIZE
from fastgrok._core import Problem
from fastgrok.linear import Pgd


class Look(NamedTuple):
    """
    What is right at a number of records, and what changes from one to the next.

    Attributes
    ----------
    surely, possibly : ndarray of int64, shape (R,)
        Points that are right, if the weights have errors: at least so many, and at most.
    gained, lost : ndarray of int64, shape (R - 1,)
        Points that become right, and wrong, between a record and the next.
    """

    surely: NDArray[np.int64]
    possibly: NDArray[np.int64]
    gained: NDArray[np.int64]
    lost: NDArray[np.int64]


class Doubt:
    """
    How many points of a set are surely right, and how many possibly, if weights have errors.

    Parameters
    ----------
    value : evaluation set
        As given to `train`.
    data : (X, y) or Population
        The same, checked.
    tie : str
        The run's.
    weights : Weights, optional
        Of the rows.
    """

    def __init__(
        self,
        value: EvaluationSet,
        data: Data | Population,
        tie: str,
        weights: Weights | None = None,
    ) -> None:
        self._value, self._data = value, data
        self._tie = tie
        self._count = np.count_nonzero if weights is None else weights.count
        if isinstance(data, Population):
            return
        rows = data[0]
        self._threads = _checks.threads(None)
        self._problem = sparse.problem(*data, True)
        if sparse.is_sparse(rows):
            self._norms = np.sqrt(self._problem.sizes(self._threads)[0])
        else:
            self._norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        if isinstance(value, Pgd):
            self._norms += value._settings.longest_move(rows.shape[1])
            self._attack = value._settings.of(self._problem)

    def look(self, weights: F64, rtol: float) -> Look:
        """
        Count the points that are surely and those that are possibly right.

        Parameters
        ----------
        weights : ndarray of shape (R, d + 1)
            At every record, the bias last.
        rtol : float
            Error of the weights, of ||w||, and of the bias, of max(|b|, 1).

        Returns
        -------
        Look
            For a population as multiples of 1e-12.
        """
        w, b = np.ascontiguousarray(weights[:, :-1]), weights[:, -1]
        of_b = rtol * np.maximum(np.abs(b), 1.0)
        if isinstance(self._data, Population):
            return self._shares(w, b, of_b + rtol * np.abs(b))
        of_w = rtol * np.linalg.norm(w, axis=1)
        records = len(weights)
        out = Look(*(np.zeros(size, np.int64) for size in (records, records, *[records - 1] * 2)))
        before: NDArray[np.bool_] | None = None
        for i in range(records):
            m = self._margins(w[i], float(b[i]))
            error = of_w[i] * self._norms + of_b[i]
            out.surely[i] = self._count(m > error)
            out.possibly[i] = self._count(m > -error)
            right = m > 0.0
            if before is not None:
                out.gained[i - 1] = self._count(right & ~before)
                out.lost[i - 1] = self._count(before & ~right)
            before = right
        return out

    def _margins(self, w: F64, b: float) -> F64:
        assert not isinstance(self._data, Population)
        problem = self._problem
        if isinstance(self._value, Pgd):
            attacked = self._attack.points(w, b, self._threads)
            problem = Problem(attacked, self._data[1], True)
        return problem.margins(w, b, self._threads)

    def _shares(self, w: F64, b: F64, error: F64) -> Look:
        assert isinstance(self._data, Population)
        norms = np.linalg.norm(w, axis=1)
        ends = [
            self._data.accuracies(norms, b + shift, w, self._tie) for shift in (-error, 0.0, error)
        ]
        low, middle, high = (
            np.rint(shares * POPULATION_SIZE).astype(np.int64)
            for shares in (np.min(ends, axis=0), ends[1], np.max(ends, axis=0))
        )
        change = np.diff(middle)
        return Look(low, high, np.maximum(change, 0), np.maximum(-change, 0))
