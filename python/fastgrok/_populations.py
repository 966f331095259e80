"""Evaluation sets that are whole populations: accuracy and loss in closed form, no samples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


class Population(ABC):
    """
    A distribution of labelled points, as an evaluation set of :func:`fastgrok.train`.

    At every record a run holds the probability that a point is classified correctly, and the
    expected loss of a point (whatever the run's reduction). Nothing is sampled and nothing is
    computed during the descent: both follow from the recorded weights.
    """

    needs_weights: ClassVar[bool]
    """Whether the curves depend on more than the norm of the weights."""

    @abstractmethod
    def check_columns(self, prefix: str, columns: int) -> None:
        """Raise ValueError, its message beginning with `prefix`, if it has no law in R^columns."""

    @abstractmethod
    def curves(
        self, norm_w: F64, b: F64, weights: F64 | None, loss: str, tie: str
    ) -> tuple[F64, F64]:
        """
        Accuracy and loss at every record.

        Parameters
        ----------
        norm_w, b : ndarray of shape (R,)
            Norm of the weights, and bias.
        weights : ndarray of shape (R, d), or None
            The weights; never None where `needs_weights`.
        loss : {"logistic", "exponential"}
            Loss of a point.
        tie : {"wrong", "negative"}
            What a logit of exactly 0 counts as, which matters only where w and b are all 0.
        """


@dataclass(frozen=True)
class Populations:
    """
    The populations among the evaluation sets of a run.

    Attributes
    ----------
    sets : dict
        The populations by name.
    names : list of str
        Names of all data sets of the run, "train" first, in the order given.
    keep_weights : bool
        Whether the trajectory is to hold the weights.
    tie : {"wrong", "negative"}
        What a logit of exactly 0 counts as.
    """

    sets: dict[str, Population]
    names: list[str]
    keep_weights: bool
    tie: str

    @classmethod
    def of(cls, evals: Mapping[str, object] | None, keep_weights: bool, tie: str) -> "Populations":
        """Pick the populations out of evaluation sets that have been checked."""
        named = dict(evals or {})
        sets = {name: value for name, value in named.items() if isinstance(value, Population)}
        return cls(sets, ["train", *named], keep_weights, tie)

    @property
    def need_weights(self) -> bool:
        """Whether the descent must record its weights."""
        return self.keep_weights or any(value.needs_weights for value in self.sets.values())

    def curves(
        self, losses: dict[str, F64], recorded: dict[str, NDArray[Any]], loss: str
    ) -> tuple[dict[str, F64], dict[str, F64]]:
        """Return `losses` with those of the populations, in the order given, and accuracies."""
        weights = recorded["weights"][:, :-1] if "weights" in recorded else None
        found = {
            name: value.curves(recorded["norm_w"], recorded["b"], weights, loss, self.tie)
            for name, value in self.sets.items()
        }
        merged = {name: found[name][1] if name in found else losses[name] for name in self.names}
        return merged, {name: accuracy for name, (accuracy, _) in found.items()}
