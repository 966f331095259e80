"""Checked arguments of an attack, in the form that the core takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, frames
from fastgrok._core import Attack, Problem

METHODS = ("exact", "pgd", "autodiff32", "autodiff64")
_MOST_ITERATIONS = 2**53


class Box(NamedTuple):
    """Sides by column."""

    lower: F64
    upper: F64


class Settings(NamedTuple):
    """Checked arguments of an attack, as the core takes them."""

    method: str
    ball: str
    radii: F64
    radius_by_row: bool
    radius_by_column: bool
    step_size: float
    steps: int
    random_start: bool
    restarts: int
    seed: int
    box: Box | None

    def of(self, problem: Problem) -> Attack:
        """Apply them to the rows of a problem."""
        return Attack(problem, **self._asdict())

    def longest_move(self, columns: int) -> F64:
        """Bound the Euclidean length of a row's move: one number, or one for each row."""
        if self.radius_by_column:
            return np.array([np.linalg.norm(self.radii)])
        return self.radii * (math.sqrt(columns) if self.ball == "l_inf" else 1.0)


def settings(
    rows: NDArray[Any],
    norm: object,
    eps: ArrayLike,
    step_size: object,
    steps: object,
    random_start: object,
    restarts: object,
    bounds: object,
    method: object,
    random_state: object,
) -> Settings:
    """
    Check the arguments of :func:`fastgrok.pgd` that say what may be done to the rows.

    That the rows lie inside the box is left to :func:`require_inside`.
    """
    _checks.choice("method", method, METHODS)
    draws = _checks.flag("random_start", random_start)
    tries = _checks.whole("restarts", restarts, maximum=_MOST_ITERATIONS)
    if method == "exact" and (draws or tries > 1):
        raise ValueError(
            "method='exact' has no use for random_start and restarts: it is the worst case; "
            f"got random_start={draws}, restarts={tries}"
        )
    ball = _ball(norm)
    sizes, along = _eps(rows, eps)
    if along == "column" and ball != "l_inf":
        raise ValueError(
            f"eps by column needs norm=numpy.inf, where each column has bounds of its own, got "
            f"norm={norm!r}"
        )
    return Settings(
        method=str(method),
        ball=ball,
        radii=sizes,
        radius_by_row=along == "row",
        radius_by_column=along == "column",
        step_size=_checks.real("step_size", step_size, positive=True),
        steps=_checks.whole("steps", steps, maximum=_MOST_ITERATIONS),
        random_start=draws,
        restarts=tries,
        seed=_seed(random_state) if draws or random_state is not None else 0,
        box=_box(rows, bounds),
    )


def _ball(norm: object) -> str:
    number = isinstance(norm, Real) and not isinstance(norm, bool | np.bool_)
    if not number or norm not in (np.inf, 2, 1):
        raise ValueError(f"norm must be numpy.inf, 2 or 1, got {_checks.show(norm)}")
    return "l_inf" if norm == np.inf else f"l_{norm:.0f}"


def _eps(rows: NDArray[Any], eps: ArrayLike) -> tuple[F64, str]:
    """Radii in one axis, and what they go along: "row", "column" or "" where there is one."""
    if not isinstance(eps, list | tuple) and np.ndim(eps) == 0 and not hasattr(eps, "__array__"):
        return radii("eps", eps, None), ""
    array = _checks.numbers("eps", eps)
    n, d = rows.shape
    if array.ndim == 0:
        return radii("eps", array, None), ""
    if array.shape == (n, 1) or (array.shape == (n,) and (n != d or n == 1)):
        return radii("eps", array.reshape(-1), n), "row"
    if array.shape == (1, d):
        return radii("eps", array.reshape(-1), d), "column"
    what = f"eps must be a number, (n, 1) = {(n, 1)} by row or (1, d) = {(1, d)} by column"
    it = "eps.to_numpy()" if frames.is_column(eps) else "eps"  # a series has no new axes
    if array.shape == (n,):
        raise ValueError(
            f"{what}: as many rows as columns make shape {array.shape} ambiguous; pass "
            f"{it}[:, None] or {it}[None, :]"
        )
    hint = f": pass {it}[None, :] by column" if array.shape == (d,) else ""
    raise ValueError(f"{what}, got shape {array.shape}{hint}")


def radii(name: str, value: ArrayLike, length: int | None) -> F64:
    """Finite and not negative; a number is an array of one for `eps`."""
    if np.ndim(value) == 0 and name == "eps":
        checked = np.array([_checks.real(name, value)])
    else:
        checked = _checks.vector(name, value, length)
    if checked.min() < 0.0:
        first = int(np.argmax(checked < 0.0))
        where = name if np.ndim(value) == 0 else f"{name}[{first}]"
        raise ValueError(f"{name} must not be negative, got {where} = {checked[first]}")
    return checked


def _seed(random_state: object) -> int:
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(0, 2**64, dtype=np.uint64))
    if random_state is not None:
        random_state = _checks.whole("random_state", random_state, minimum=0)
    return int(np.random.SeedSequence(random_state).generate_state(1, np.uint64)[0])


def _box(rows: NDArray[Any], bounds: object) -> Box | None:
    if bounds is None:
        return None
    if isinstance(bounds, str):
        if bounds != "data":
            raise ValueError(f"bounds must be None, 'data' or (lo, hi), got {bounds!r}")
        extremes = rows.min(), rows.max()
        if not np.isfinite(extremes).all():
            _checks.finite("X", rows)
        return Box(*(_side("bounds", extreme, rows) for extreme in extremes))
    if not isinstance(bounds, tuple | list | np.ndarray) or getattr(bounds, "ndim", 1) == 0:
        raise TypeError(f"bounds must be None, 'data' or (lo, hi), got {_checks.show(bounds)}")
    if len(bounds) != 2:
        raise ValueError(
            f"bounds must be a pair (lo, hi), got {_checks.plural(len(bounds), 'value')}"
        )
    box = Box(_side("bounds[0]", bounds[0], rows), _side("bounds[1]", bounds[1], rows))
    wrong = np.flatnonzero(~(box.lower <= box.upper))
    if wrong.size:
        j = int(wrong[0])
        raise ValueError(
            f"bounds must have lo <= hi, but in column {j} lo = {box.lower[j]} and "
            f"hi = {box.upper[j]}"
        )
    return box


def _side(name: str, value: Any, rows: NDArray[Any]) -> F64:
    given = _checks.numbers(name, value)
    array = _checks.as_float(name, given)
    columns = rows.shape[1]
    if array.ndim > 1 or (array.ndim == 1 and array.size != columns):
        raise ValueError(
            f"{name} must be a number or one for each of {_checks.plural(columns, 'column')}, "
            f"got shape {array.shape}"
        )
    if np.isnan(array).any():
        raise ValueError(f"{name} must not be NaN, got {_checks.show(value)}")
    return np.ascontiguousarray(np.broadcast_to(array, (columns,)))


def require_inside(rows: NDArray[Any], box: Box | None) -> None:
    """Raise ValueError naming the entry that lies furthest outside the box."""
    if box is None or (rows.min() >= box.lower.max() and rows.max() <= box.upper.min()):
        return
    _require_on_side(rows, box.lower, np.argmin, "below the lower", lambda x, side: side - x)
    _require_on_side(rows, box.upper, np.argmax, "above the upper", lambda x, side: x - side)


def _require_on_side(
    rows: NDArray[Any],
    side: F64,
    extreme: Callable[..., NDArray[np.intp]],
    what: str,
    distance: Callable[[F64, F64], F64],
) -> None:
    where = extreme(rows, axis=0)
    values = rows[where, np.arange(rows.shape[1])].astype(np.float64)
    outside = distance(values, side)
    j = int(np.argmax(outside))
    if outside[j] > 0.0:
        raise ValueError(
            f"X must lie inside the bounds, but X[{where[j]}, {j}] = {values[j]} is {what} bound "
            f"{side[j]} by {outside[j]:.3g}"
        )
