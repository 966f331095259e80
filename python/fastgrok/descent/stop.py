"""Conditions that end a run: what ``train(stop=...)`` takes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Data
from fastgrok._checks.calls import helpful
from fastgrok._checks.docstrings import described
from fastgrok._checks.populations import Population
from fastgrok._checks.shares import POPULATION_SIZE, exact_share
from fastgrok.descent.columns import Columns, row_at
from fastgrok.descent.directions import bias_kind, cosines, norm_of_limit

if TYPE_CHECKING:  # slow to import, and needed for alignments alone
    from fastgrok.geometry import MaxMargin

__all__ = ["accuracy", "alignment", "loss", "norm_w"]

Holds = NDArray[np.bool_]


@dataclass(frozen=True)
class Condition(ABC):
    """What may hold of a state of a run; printed, it says so in words."""

    kept: int

    needs_weights: ClassVar[bool] = False

    @abstractmethod
    def holds(self, seen: Columns) -> Holds:
        """Say of every record, shape (R,), whether it holds there."""

    def sets(self) -> tuple[str, ...]:
        """Name the data sets that it looks at."""
        return ()

    def bound(
        self, settings: Mapping[str, Any], data: Mapping[str, Data | Population]
    ) -> Condition:
        """Check it against a run with these settings and data sets, and make it ready."""
        for name in self.sets():
            if name not in data:
                known = ", ".join(map(repr, data))
                raise ValueError(f"stop looks at {name!r}, which is no data set: there are {known}")
        return self

    @abstractmethod
    def text(self) -> str:
        """Say what must hold."""

    def __str__(self) -> str:
        """Say what must hold, and for how long."""
        kept = f", kept for {_checks.plural(self.kept, 'step')}" if self.kept else ""
        return self.text() + kept


@dataclass(frozen=True)
class _Accuracy(Condition):
    name: str
    level: Fraction
    shown: str

    def sets(self) -> tuple[str, ...]:
        return (self.name,)

    def holds(self, seen: Columns) -> Holds:
        points = seen.sizes.get(self.name, POPULATION_SIZE)
        if self.name in seen.sizes:
            counts = seen.counts(self.name)
        else:
            counts = np.rint(seen.accuracies(self.name) * POPULATION_SIZE).astype(np.int64)
        held: Holds = counts >= math.ceil(self.level * points)
        return held

    def text(self) -> str:
        return f"accuracy of {self.name!r} at least {self.shown}"


@dataclass(frozen=True)
class _Loss(Condition):
    name: str
    below: float

    def sets(self) -> tuple[str, ...]:
        return (self.name,)

    def holds(self, seen: Columns) -> Holds:
        held: Holds = seen.losses(self.name) < self.below
        return held

    def text(self) -> str:
        return f"loss of {self.name!r} below {self.below!r}"


@dataclass(frozen=True)
class _Norm(Condition):
    above: float

    def holds(self, seen: Columns) -> Holds:
        held: Holds = seen.norm_w > self.above
        return held

    def text(self) -> str:
        return f"||w|| above {self.above!r}"


@dataclass(frozen=True)
class _Alignment(Condition):
    above: float
    solution: MaxMargin | str | None

    needs_weights: ClassVar[bool] = True

    def holds(self, seen: Columns) -> Holds:
        assert self.solution is not None
        assert not isinstance(self.solution, str)
        held: Holds = cosines(seen.weights, self.solution) > self.above  # NaN where w is 0
        return held

    def bound(
        self, settings: Mapping[str, Any], data: Mapping[str, Data | Population]
    ) -> Condition:
        from fastgrok.geometry import max_margin  # noqa: PLC0415

        solution = self.solution
        if solution is None or isinstance(solution, str):
            norm = norm_of_limit(settings) if solution is None else solution
            X, y = data["train"]  # type: ignore[misc]
            solution = max_margin(X, y, bias=bias_kind(settings), norm=norm)
        if solution.w.size != settings["dim"]:
            raise ValueError(
                f"stop's solution must have {settings['dim']} weights, as the run, "
                f"got {solution.w.size}"
            )
        return replace(self, solution=solution)

    def text(self) -> str:
        kind = ""
        if self.solution is not None and not isinstance(self.solution, str):
            kind = f" in {self.solution.norm!r} with bias={self.solution.bias!r}"
        return f"alignment with the maximum margin{kind} above {self.above!r}"


@dataclass(frozen=True)
class _Called(Condition):
    function: Callable[[int, F64, float], bool]

    needs_weights: ClassVar[bool] = True

    def holds(self, seen: Columns) -> Holds:
        held = np.zeros(seen.steps.size, dtype=bool)
        for record in range(held.size):
            said = self.function(*row_at(seen, record))
            if not isinstance(said, bool | np.bool_):
                raise TypeError(f"stop must return True or False, got {_checks.show(said)}")
            held[record] = said
        return held

    def text(self) -> str:
        return f"{named(self.function)} says so"


def named(function: Callable[..., Any]) -> str:
    """Name a function as its author did."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


@helpful
def accuracy(name: str, level: float | Fraction | Decimal, kept: int = 0) -> Condition:
    """
    Stop once the accuracy on a data set is at least `level`.

    Parameters
    ----------
    name : str
        ``"train"`` or an evaluation set: points, a `Pgd` or a population.
    level : float, Fraction or Decimal
        A share of the points in (0, 1], read as the decimal that was written and compared in exact
        counts, as by `Trajectory.first_hit`. Of a population its accuracy, rounded to a multiple
        of 1e-12.
    kept : int, default 0
        For how many further steps it must hold, as far as the records show it.

    Returns
    -------
    Condition
        For ``train(stop=...)``.

    Raises
    ------
    ValueError
        If `level` is outside (0, 1], or `kept` negative or not integral.
    TypeError
        If `name` is no string, or a number is none.

    Examples
    --------
    >>> print(accuracy("train", 0.95, kept=100))
    accuracy of 'train' at least 0.95, kept for 100 steps
    """
    share = exact_share("level", level, zero_reached_by="every state")
    return _Accuracy(_kept(kept), _name(name), share, str(level))


@helpful
@described(accuracy)
def loss(name: str, below: float, kept: int = 0) -> Condition:
    """
    Stop once the loss on a data set is below a value.

    Parameters
    ----------
    name : str
        ``"train"`` or an evaluation set.
    below : float
        The value, greater than 0; the loss is that of `Trajectory.losses`.
    kept
        See `accuracy`.

    Returns
    -------
    Condition
        For ``train(stop=...)``.

    Raises
    ------
    ValueError, TypeError
        For values that make no sense.

    Examples
    --------
    >>> print(loss("train", 1e-3))
    loss of 'train' below 0.001
    """
    return _Loss(_kept(kept), _name(name), _checks.real("below", below, positive=True))


@helpful
@described(accuracy)
def norm_w(above: float, kept: int = 0) -> Condition:
    """
    Stop once the Euclidean norm of the weights is above a value.

    Parameters
    ----------
    above : float
        The value, at least 0.
    kept
        See `accuracy`.

    Returns
    -------
    Condition
        For ``train(stop=...)``.

    Raises
    ------
    ValueError, TypeError
        For values that make no sense.

    Examples
    --------
    >>> print(norm_w(10.0))
    ||w|| above 10.0
    """
    value = _checks.real("above", above)
    if value < 0.0:
        raise ValueError(f"above must not be negative, got {_checks.show(above)}")
    return _Norm(_kept(kept), value)


@helpful
@described(accuracy)
def alignment(above: float, solution: MaxMargin | str | None = None, kept: int = 0) -> Condition:
    """
    Stop once the cosine to a maximum-margin solution is above a value.

    Parameters
    ----------
    above : float
        The value, in [-1, 1).
    solution : MaxMargin, "l2", "linf" or "l1", optional
        As for `Trajectory.alignment`: what `fastgrok.max_margin` returns, or the norm in which to
        find it for the training data. Default: that in the norm of the optimizer. It is found
        before the run begins.
    kept
        See `accuracy`.

    Returns
    -------
    Condition
        For ``train(stop=...)``. A run with it keeps its weights.

    Raises
    ------
    ValueError, TypeError
        For values that make no sense.

    Examples
    --------
    >>> print(alignment(0.999))
    alignment with the maximum margin above 0.999
    """
    from fastgrok.geometry import NORMS, MaxMargin  # noqa: PLC0415

    value = _checks.real("above", above)
    if not -1.0 <= value < 1.0:
        raise ValueError(f"above must lie in [-1, 1), got {_checks.show(above)}")
    if isinstance(solution, str):
        solution = _checks.choice("solution", solution, NORMS)
    elif solution is not None and not isinstance(solution, MaxMargin):
        raise TypeError(
            "solution must be what max_margin returns, or one of "
            f"{', '.join(map(repr, NORMS))}, got {_checks.show(solution)}"
        )
    return _Alignment(_kept(kept), value, solution)


def _kept(kept: int) -> int:
    return _checks.whole("kept", kept, minimum=0, maximum=_checks.MAX_EXACT_STEPS)


def _name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be that of a data set, got {_checks.show(name)}")
    return name


def conditions(argument: str, value: object) -> tuple[Condition, ...]:
    """Check the argument of `train`: nothing, a condition, a function, or several of these."""
    if value is None:
        return ()
    alone = isinstance(value, str) or getattr(value, "ndim", 1) == 0
    several = value if isinstance(value, Iterable) and not alone else [value]
    found = []
    for one in several:
        for kind in (accuracy, loss, norm_w, alignment):
            if one is kind:
                raise TypeError(
                    f"{argument} must be what fastgrok.stop.{kind.__name__} returns, got the "
                    "function itself: call it with its arguments"
                )
        if isinstance(one, Condition):
            found.append(one)
        elif callable(one):
            found.append(_Called(0, one))
        else:
            raise TypeError(
                f"{argument} must be one of fastgrok.stop, such as stop.accuracy('train', 1.0), a "
                f"function of step, w and b, or a list of these, got {_checks.show(one)}"
            )
    return tuple(found)
