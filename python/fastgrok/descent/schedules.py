"""What the learning rate is multiplied with from step to step: ``lr * schedule(k)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks.calls import helpful
from fastgrok._core import schedule_factor

__all__ = ["cosine", "power", "warmup"]

MOST_CALLS = 10**6
"""Steps that a schedule in Python is asked for: a call takes about as long as a small step."""

_AS_GIVEN = frozenset({"smooth", "at_most_one", "endless", "ends_at_one"})
"""Traits of what ends at the learning rate itself."""


@dataclass(frozen=True, repr=False)
class Schedule:
    """A schedule that the core knows; to be called with the number of steps taken before."""

    name: ClassVar[str]
    always: ClassVar[frozenset[str]] = frozenset()
    """Traits that it has whatever its parameters are."""
    sometimes: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Those that hang on them, and where it has them, in words."""

    @property
    def has(self) -> frozenset[str]:
        """All traits that it has."""
        return self.always

    def __call__(self, k: float) -> float:
        """Return the factor of the step that `k` others came before."""
        steps = _checks.real("k", k)
        if steps < 0.0:
            raise ValueError(f"k must not be negative, got {_checks.show(k)}")
        return schedule_factor(self.for_core(), steps)

    def _and(self, **more: bool) -> frozenset[str]:
        return self.always | {trait for trait, has in more.items() if has}

    def params(self) -> dict[str, Any]:
        """Return what a trajectory shows, and what the bits depend on."""
        return {"schedule": self.name, **{f"schedule_{k}": v for k, v in asdict(self).items()}}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what else the bits depend on, for a checkpoint."""
        return {}

    def for_core(self) -> dict[str, Any]:
        """Return what the core is to know."""
        return {"kind": self.name, **asdict(self)}

    def __repr__(self) -> str:
        """As it is called."""
        values = ", ".join(f"{getattr(self, f.name):g}" for f in fields(self))
        return f"{self.name}({values})"


@dataclass(frozen=True, repr=False)
class _Constant(Schedule):
    name: ClassVar[str] = "constant"
    always: ClassVar[frozenset[str]] = frozenset({"autonomous", *_AS_GIVEN})

    def params(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, repr=False)
class _Power(Schedule):
    name: ClassVar[str] = "power"
    always: ClassVar[frozenset[str]] = frozenset({"smooth", "at_most_one"})
    sometimes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"endless": "a is at most 1", "ends_at_one": "a is 0"}
    )
    exponent: float
    length: float

    @property
    def has(self) -> frozenset[str]:
        """Those that it has with this exponent as well."""
        return self._and(endless=self.exponent <= 1.0, ends_at_one=self.exponent == 0.0)


@dataclass(frozen=True, repr=False)
class _Warmup(Schedule):
    name: ClassVar[str] = "warmup"
    always: ClassVar[frozenset[str]] = _AS_GIVEN
    length: float


@dataclass(frozen=True, repr=False)
class _Cosine(Schedule):
    name: ClassVar[str] = "cosine"
    always: ClassVar[frozenset[str]] = frozenset({"smooth", "at_most_one"})
    sometimes: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"endless": "floor is above 0", "ends_at_one": "floor is 1"}
    )
    length: float
    floor: float

    @property
    def has(self) -> frozenset[str]:
        """Those that it has with this floor as well."""
        return self._and(endless=self.floor > 0.0, ends_at_one=self.floor == 1.0)


@dataclass(frozen=True, repr=False)
class _Called(Schedule):
    """Factors that a function of the caller's gave, one for each step."""

    name: ClassVar[str] = "callable"
    sometimes: ClassVar[Mapping[str, str]] = MappingProxyType({"at_most_one": "all are"})
    factors: tuple[float, ...]

    @property
    def has(self) -> frozenset[str]:
        """What its factors show; of its end they say nothing."""
        return self._and(at_most_one=max(self.factors) <= 1.0)

    def params(self) -> dict[str, Any]:
        # Not the factors themselves, of which there may be a million.
        return {"schedule": self.name}

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"schedule": np.array(self.factors)}

    def for_core(self) -> dict[str, Any]:
        return {"kind": "table", "table": np.array(self.factors)}

    def __repr__(self) -> str:
        return self.name


CONSTANT = _Constant()
SCHEDULES = {kind.name: kind for kind in (_Constant, _Power, _Warmup, _Cosine, _Called)}


def of_record(params: Mapping[str, Any]) -> Schedule | None:
    """
    Return the schedule of a run by the settings that its record shows.

    Parameters
    ----------
    params : mapping
        Of the record.

    Returns
    -------
    Schedule or None
        None for a function, of which a record keeps no more than that it was one.
    """
    kind: type[Any] = SCHEDULES[params.get("schedule", CONSTANT.name)]
    own = {f.name: params.get(f"schedule_{f.name}") for f in fields(kind)}
    return None if None in own.values() else kind(**own)


@helpful
def power(a: float, k0: float = 1.0) -> Schedule:
    """
    Let the learning rate fall by a power law: ``(1 + k / k0) ** -a`` at step k.

    Parameters
    ----------
    a : float
        Exponent, at least 0.
    k0 : float, default 1.0
        Steps after which it begins to fall, greater than 0.

    Returns
    -------
    Schedule
        For ``train(schedule=...)``, and to be called with k.

    Examples
    --------
    >>> power(0.5, k0=10.0)(30)
    0.5
    """
    exponent = _checks.real("a", a)
    if exponent < 0.0:
        raise ValueError(f"a must be at least 0, got {a}")
    return _Power(exponent, _checks.real("k0", k0, positive=True))


@helpful
def warmup(steps: int) -> Schedule:
    """
    Let the learning rate rise in equal parts: ``min(1, (k + 1) / steps)`` at step k.

    Parameters
    ----------
    steps : int
        How many steps it takes, at least 1.

    Returns
    -------
    Schedule
        For ``train(schedule=...)``, and to be called with k.

    Examples
    --------
    >>> [warmup(4)(k) for k in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return _Warmup(float(_checks.whole("steps", steps, minimum=1)))


@helpful
def cosine(steps: int, floor: float = 0.0) -> Schedule:
    """
    Let the learning rate fall by half a cosine wave, and stay there.

    A run that ends where the wave does is never leaped: a leap begins at four times its length.

    At step k < `steps` it is ``floor + (1 - floor) (1 + cos(pi k / steps)) / 2``, then `floor`
    (Loshchilov and Hutter 2017, without restarts).

    Parameters
    ----------
    steps : int
        How many steps it takes, at least 1.
    floor : float, default 0.0
        Where it ends, in [0, 1].

    Returns
    -------
    Schedule
        For ``train(schedule=...)``, and to be called with k.

    Examples
    --------
    >>> [round(cosine(4)(k), 3) for k in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    low = _checks.real("floor", floor)
    if not 0.0 <= low <= 1.0:
        raise ValueError(f"floor must lie in [0, 1], got {floor}")
    return _Cosine(float(_checks.whole("steps", steps, minimum=1)), low)


def check(name: str, schedule: Any) -> Schedule | Callable[[int], float]:
    """
    Check the argument of `train`; of a function the factors are to be asked for by `tabulate`.

    Raises
    ------
    TypeError
        If it is neither a schedule, nor a function, nor None.
    """
    if schedule is None:
        return CONSTANT
    if isinstance(schedule, Schedule):
        return schedule
    for kind in (power, warmup, cosine):
        if schedule is kind:
            raise TypeError(
                f"{name} must be what fastgrok.schedules.{kind.__name__} returns, got the function "
                "itself: call it with its arguments"
            )
    if callable(schedule):
        function: Callable[[int], float] = schedule
        return function
    raise TypeError(
        f"{name} must be one of fastgrok.schedules, a function of the number of steps taken "
        f"before, or None, got {_checks.show(schedule)}"
    )


def tabulate(name: str, schedule: Callable[[int], float], steps: int) -> Schedule:
    """
    Ask a function for the factor of every step.

    Raises
    ------
    ValueError
        If they are too many, or a factor is negative or not finite.
    TypeError
        If it returns what is no number.
    """
    if steps > MOST_CALLS:
        raise ValueError(
            f"steps must be at most {MOST_CALLS:,} with {name} a function, which is called for "
            f"every one, got {steps:,}; fastgrok.schedules has some without that limit"
        )
    factors = []
    for k in range(steps):
        factor = _checks.real(f"{name}({k})", schedule(k))
        if factor < 0.0:
            raise ValueError(f"{name}({k}) must not be negative, got {factor}")
        factors.append(factor)
    return _Called(tuple(factors)) if factors else CONSTANT
