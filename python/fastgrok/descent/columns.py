"""What the core has recorded, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, Data, Weights
from fastgrok._checks.populations import Population, points


class Columns:
    """
    Some records of a run.

    Parameters
    ----------
    kept : dict
        What `Descent.recorded` returns.
    data : mapping
        The data sets that the run evaluates, "train" first, and populations.
    loss, reduction, tie : str
        As of `fastgrok.train`.
    weights : Weights, optional
        Of the rows of the training set.

    Attributes
    ----------
    steps, b, norm_w : ndarray of float64, shape (R,)
        As of a Trajectory.
    sizes : dict of str to int
        Points of every set that is no population; of weighted rows see `Weights.size`.
    """

    def __init__(
        self,
        kept: Mapping[str, NDArray[Any]],
        data: Mapping[str, Data | Population],
        *,
        loss: str,
        reduction: str,
        tie: str,
        weights: Weights | None = None,
    ) -> None:
        self._kept, self._data, self._weights = kept, data, weights
        self._loss, self._reduction, self._tie = loss, reduction, tie
        self.steps: F64 = kept["steps"]
        self.b: F64 = kept["b"]
        self.norm_w: F64 = kept["norm_w"]
        self.sizes = {name: value[0].shape[0] for name, value in points(data).items()}
        if weights is not None:
            self.sizes["train"] = weights.size
        self._column = {name: i for i, name in enumerate(self.sizes)}

    @property
    def weights(self) -> F64:
        """The weights, the bias last, shape (R, d + 1), of a run that keeps them."""
        weights: F64 = self._kept["weights"]
        return weights

    def counts(self, name: str) -> NDArray[np.int64]:
        """Give the number of points that are classified correctly, shape (R,)."""
        correct = self._kept["correct"][:, self._column[name]]
        if self._weights is not None and name == "train":
            return self._weights.counts(correct)
        return correct.astype(np.int64)

    def losses(self, name: str) -> F64:
        """Give the loss, shape (R,)."""
        if name not in self.sizes:
            return self.curves(name)[1]
        losses: F64 = self._kept["loss_sum"][:, self._column[name]].copy()
        if self._reduction == "mean":
            weights = self._weights if name == "train" else None
            losses /= self.sizes[name] if weights is None else weights.total
        return losses

    def curves(self, name: str) -> tuple[F64, F64]:
        """Give accuracy and loss of a population, shape (R,)."""
        population = self._population(name)
        return population.curves(self.norm_w, self.b, self._w(), self._loss, self._tie)

    def accuracies(self, name: str) -> F64:
        """Give the accuracy of a population, shape (R,)."""
        return self._population(name).accuracies(self.norm_w, self.b, self._w(), self._tie)

    def _population(self, name: str) -> Population:
        value = self._data[name]
        assert isinstance(value, Population)
        return value

    def _w(self) -> F64 | None:
        return self.weights[:, :-1] if "weights" in self._kept else None


def row_at(seen: Columns, record: int) -> tuple[int, F64, float]:
    """Return a step, its weights as a copy that cannot be written to, and its bias."""
    w = seen.weights[record, :-1].copy()
    w.flags.writeable = False
    return int(seen.steps[record]), w, float(seen.b[record])
