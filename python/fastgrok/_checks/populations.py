"""Evaluation sets that are whole populations: accuracy and loss in closed form, no samples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from fastgrok._checks._arguments import F64, Data, real, show


class Population(ABC):
    """
    A distribution of labelled points, as an evaluation set of :func:`fastgrok.train`.

    At every record a run holds the probability that a point is classified correctly, and the
    expected loss of a point (whatever the run's reduction). Nothing is sampled and nothing is
    computed during the descent: both follow from the recorded weights.
    """

    losses: ClassVar[tuple[str, ...]]
    """The losses of which it has the expectation."""

    needs_weights: ClassVar[bool]
    """Whether the curves depend on more than the norm of the weights."""

    @abstractmethod
    def check_columns(self, prefix: str, columns: int) -> None:
        """
        Raise ValueError if the population has no law for that many columns.

        Parameters
        ----------
        prefix : str
            How the message begins.
        columns : int
            Number of coordinates of a point.
        """

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
        loss : str
            Loss of a point, one of `losses`.
        tie : {"wrong", "negative"}
            What a logit of exactly 0 counts as, which matters only where w and b are all 0.
        """

    def accuracies(self, norm_w: F64, b: F64, weights: F64 | None, tie: str) -> F64:
        """
        Compute the accuracy alone, for those whose loss takes longer.

        Parameters
        ----------
        norm_w, b : ndarray of shape (R,)
            Norm of the weights, and bias.
        weights : ndarray of shape (R, d), or None
            The weights; never None where `needs_weights`.
        tie : {"wrong", "negative"}
            What a logit of exactly 0 counts as.

        Returns
        -------
        ndarray of shape (R,), float64
            At every record.
        """
        return self.curves(norm_w, b, weights, self.losses[0], tie)[0]


def flip_probability(flip: Any) -> float:
    """Check the probability of a flipped label."""
    number = real("flip", flip)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"flip must lie in [0, 1], got {show(flip)}")
    return number


def points(data: Mapping[str, Data | Population]) -> dict[str, Data]:
    """Return the data sets of a run that have points."""
    # A class of one's own that is abstract takes ten times as long to ask for as a tuple.
    return {name: value for name, value in data.items() if isinstance(value, tuple)}


def need_weights(data: Mapping[str, Data | Population]) -> bool:
    """Whether a run must record its weights for the sake of its populations."""
    return any(isinstance(value, Population) and value.needs_weights for value in data.values())
