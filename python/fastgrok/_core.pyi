"""Type stub of the compiled extension; checked against it by stubtest."""

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

_F64 = NDArray[np.float64]

def build_info() -> dict[str, str]: ...
def simd() -> str: ...
def simd_available() -> list[str]: ...
def exp(x: _F64) -> _F64: ...
def softplus(x: _F64) -> _F64: ...
def sigmoid(x: _F64) -> _F64: ...
def accurate_product(matrix: _F64, vector: _F64) -> _F64: ...
def autodiff_gradient(z: float, positive: bool, single: bool) -> float: ...

@final
class Problem:
    """Rows and labels, checked by the caller, ready for the kernels; keeps X and y alive."""

    def __init__(self, X: NDArray[Any], y: _F64, bias: bool, align: bool = True) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...
    @property
    def bias(self) -> bool: ...
    @property
    def packed(self) -> bool: ...
    @property
    def chunks(self) -> int: ...
    def relabelled(self, y: _F64, bias: bool) -> Problem: ...
    def margins(self, w: _F64, b: float, threads: int) -> _F64: ...
    def accurate_margins(self, w: _F64, b: float, threads: int) -> _F64: ...
    def evaluate(
        self, w: _F64, b: float, loss: str, tie_negative: bool, threads: int
    ) -> tuple[float, int]: ...
    def gradient(self, w: _F64, b: float, loss: str, threads: int) -> tuple[_F64, float]: ...
    def curvature(self, w: _F64, b: float, loss: str, threads: int) -> float: ...

@final
class Attack:
    """What an adversary may do to the rows of a problem."""

    def __init__(
        self,
        problem: Problem,
        *,
        method: str,
        ball: str,
        radii: _F64,
        radius_by_row: bool,
        radius_by_column: bool = False,
        step_size: float,
        steps: int,
        random_start: bool,
        restarts: int,
        seed: int,
        box: tuple[_F64, _F64] | None,
    ) -> None: ...
    def evaluate(
        self, w: _F64, b: float, loss: str, tie_negative: bool, threads: int
    ) -> tuple[_F64, NDArray[np.int64], bool]: ...
    def points(self, w: _F64, b: float, threads: int) -> _F64: ...

@final
class Descent:
    """One exact run: its state and what it has recorded so far."""

    def __init__(
        self,
        problem: Problem,
        evals: Sequence[Problem | Attack],
        records: NDArray[Any],
        *,
        loss: str,
        scale: float,
        lr: float,
        w: _F64,
        b: float,
        tie_negative: bool,
        keep_weights: bool,
        watch_sharpness: bool,
        skip_rows: str = "auto",
        check_skipped: bool = False,
        adam: tuple[float, float, float] | None = None,
        threads: int,
    ) -> None: ...
    def run(self, poll: Callable[[int], bool], poll_seconds: float = 0.1) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def row_visits(self) -> int: ...
    @property
    def w(self) -> _F64: ...
    @property
    def b(self) -> float: ...
    def recorded(self) -> dict[str, NDArray[Any]]: ...
    def state(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, state: dict[str, NDArray[Any]]) -> None: ...

@final
class Ensemble:
    """Many runs at once; the lists must not change."""

    def __init__(
        self,
        by_team: list[list[Descent] | LeapingDescent],
        by_thread: list[list[Descent] | LeapingDescent],
        threads: int,
    ) -> None: ...
    def run(self, poll: Callable[[float], bool], poll_seconds: float = 0.1) -> bool: ...
    def ending(self, group: int, run: int) -> tuple[str, float]: ...
    def raise_failure(self, group: int, run: int) -> None: ...

@final
class LeapingDescent:
    """A run that leaps where it can."""

    def __init__(
        self,
        descent: Descent,
        *,
        rtol: float,
        exact_limit: float,
        must_leap: bool,
        horizon: float,
    ) -> None: ...
    def run(self, poll: Callable[[float], object], poll_seconds: float = 0.1) -> str: ...
    @property
    def reached(self) -> float: ...
    @property
    def exact_steps(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def leaps(self) -> list[dict[str, Any]]: ...

@final
class Leap:
    """Descent without taking every step: from exact iterates on, by an integrator in log k."""

    def __init__(
        self,
        problem: Problem,
        *,
        k: _F64,
        u: _F64,
        updates: _F64,
        loss: str,
        rate: float,
        two_step: bool,
        tolerance: float,
        most_order: int,
        threads: int,
    ) -> None: ...
    def step(self, horizon: float) -> str: ...
    def at(self, k: float) -> _F64: ...
    def run(self, records: _F64) -> tuple[str, _F64]: ...
    @property
    def before(self) -> float: ...
    @property
    def now(self) -> float: ...
    def statistics(self) -> dict[str, Any]: ...
