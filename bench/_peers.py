"""Gradient descent with a constant learning rate, as one would write it with other packages.

All fold the labels into the rows, z_i = y_i (x_i, 1), and take steps
u += rate * sum_i 1 / (1 + exp(z_i . u)) z_i with u = (w, b). Each peer is as fast as we could make
it without leaving what the package is for:

* NumPy, PyTorch and JAX take the products from BLAS or what they have instead, and keep the matrix
  by rows or by columns, whichever is faster here and now (both are tried).
* Float32 data can be computed with in float64, as fastgrok does. Only Numba reads them as they are
  and widens number by number; the others hold a float64 copy, because a conversion at every step
  costs more. Or everything is done in float32, which is another descent: rounding to 7 digits.
* Numba comes twice, with math.exp and with an exp of its own that vectorises (see _numba_steps).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

import fastgrok as fg
from _race import fastest

LR = 1e-2
Order = Literal["C", "F"]  # by rows, by columns
ORDERS: tuple[Order, ...] = ("C", "F")


@dataclass(frozen=True)
class Task:
    """Which descent: the cube of Das et al. (2026) for two columns, else Gaussian points."""

    rows: int
    columns: int
    dtype: str  # of the data
    threads: int

    @property
    def reduction(self) -> str:
        return "sum" if self.columns == 2 else "mean"

    @property
    def rate(self) -> float:
        return LR if self.reduction == "sum" else LR / self.rows

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        if self.columns == 2:
            half = self.rows // 2
            drawn = fg.datasets.margin_cube((half, self.rows - half), 2, seed=0, dtype=self.dtype)
        else:
            drawn = fg.datasets.gaussian_noise(self.rows, self.columns, seed=0, dtype=self.dtype)
        return drawn.X, drawn.y

    def signed_rows(self) -> np.ndarray:
        X, y = self.data()
        Z = np.column_stack([X, np.ones(len(y), X.dtype)])
        Z *= y[:, None]
        return Z


class Descent(Protocol):
    """A peer's; `reset` goes back to zero weights."""

    def reset(self) -> None: ...
    def advance(self, steps: int) -> None: ...
    def weights(self) -> np.ndarray: ...


class Timed:
    """The turns of a descent, as a side of a race."""

    def __init__(self, descent: Descent) -> None:
        self._descent = descent

    def take(self, count: int) -> tuple[np.ndarray, float]:
        self._descent.reset()
        start = time.perf_counter()
        self._descent.advance(count)
        seconds = time.perf_counter() - start
        return self._descent.weights(), seconds


class Fastgrok:
    """The descent loop itself, which skips no rows.

    A run records its end, which takes a pass over the rows. So the time is taken from the
    difference between a run and a run of one step, which is all steps but one.
    """

    def __init__(self, task: Task) -> None:
        self._data = task.data()
        self._settings: dict[str, Any] = {"reduction": task.reduction, "threads": task.threads}

    def take(self, count: int) -> tuple[np.ndarray, float]:
        run = self._run(count)
        seconds = run.engine.seconds
        if count > 1:
            seconds = (seconds - self._run(1).engine.seconds) * count / (count - 1)
        return np.append(run.w, run.bias_final), seconds

    def _run(self, steps: int) -> fg.Trajectory:
        return fg.train(
            *self._data, steps=steps, lr=LR, engine="exact", record=[steps], skip_rows=False,
            watch_sharpness=False, **self._settings,
        )  # fmt: skip


class NumPy:
    """Two products by BLAS, nothing allocated in the loop."""

    def __init__(self, task: Task, dtype: str, order: Order) -> None:
        self._Z = np.array(task.signed_rows(), dtype, order=order)
        self._rate = self._Z.dtype.type(task.rate)
        self._buffers = np.empty(len(self._Z), dtype), np.empty(self._Z.shape[1], dtype)

    def reset(self) -> None:
        self._u = np.zeros(self._Z.shape[1], self._Z.dtype)

    def advance(self, steps: int) -> None:
        Z, u, rate = self._Z, self._u, self._rate
        m, g = self._buffers
        with np.errstate(over="ignore"):  # exp of a large margin; its reciprocal is 0
            for _ in range(steps):
                np.dot(Z, u, out=m)
                np.exp(m, out=m)
                m += 1.0
                np.divide(rate, m, out=m)
                np.dot(m, Z, out=g)
                u += g

    def weights(self) -> np.ndarray:
        return self._u.astype(np.float64)


class Torch:
    """In place, without autograd; the second product and the update are one call of BLAS."""

    def __init__(self, task: Task, dtype: str, order: Order) -> None:
        import torch  # noqa: PLC0415

        torch.set_num_threads(task.threads)
        self._torch = torch
        # torch.from_numpy keeps the order. The sign turns 1 / (1 + exp) into torch's sigmoid.
        self._Z = torch.from_numpy(np.array(-task.signed_rows(), dtype, order=order))
        self._m = torch.empty(task.rows, dtype=self._Z.dtype)
        self._rate = task.rate

    def reset(self) -> None:
        self._u = self._torch.zeros(self._Z.shape[1], dtype=self._Z.dtype)

    def advance(self, steps: int) -> None:
        torch, Z, m, u = self._torch, self._Z, self._m, self._u
        transposed, rate = Z.t(), -self._rate
        with torch.inference_mode():
            for _ in range(steps):
                torch.mv(Z, u, out=m)
                m.sigmoid_()
                u.addmv_(transposed, m, alpha=rate)

    def weights(self) -> np.ndarray:
        array: np.ndarray = self._u.double().numpy()
        return array


class Jax:
    """All steps in one compiled fori_loop, which takes over the weights that it is given."""

    def __init__(self, task: Task, dtype: str, order: Order) -> None:
        import jax  # noqa: PLC0415

        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        Z = task.signed_rows()
        self._Z = jnp.asarray(Z if order == "C" else Z.T, dtype=dtype)
        self._zeros = lambda: jnp.zeros(task.columns + 1, dtype)
        rate = np.dtype(dtype).type(task.rate)

        def by_rows(u: Any, Z: Any) -> Any:
            return u + rate * ((1 / (1 + jnp.exp(Z @ u))) @ Z)

        def by_columns(u: Any, Z: Any) -> Any:
            return u + rate * (Z @ (1 / (1 + jnp.exp(u @ Z))))

        step = by_rows if order == "C" else by_columns
        self._descend = jax.jit(
            lambda u, Z, steps: jax.lax.fori_loop(0, steps, lambda _, u: step(u, Z), u),
            donate_argnums=0,
        )

    def reset(self) -> None:
        self._u = self._zeros()

    def advance(self, steps: int) -> None:
        self._u = self._descend(self._u, self._Z, steps).block_until_ready()

    def weights(self) -> np.ndarray:
        return np.array(self._u, np.float64)


class Numba:
    """Compiled loops, one read of the rows a step; float32 data are read as such."""

    def __init__(self, task: Task, dtype: str, own_exp: bool = False) -> None:
        import _numba_steps  # noqa: PLC0415

        Z = task.signed_rows()
        self._size, self._dtype = Z.shape[1], np.dtype(dtype)
        self._Z = np.ascontiguousarray(Z.T) if task.columns == 2 else Z
        self._rate = self._dtype.type(task.rate)
        self._descend = _numba_steps.descent(task, self._dtype, own_exp)

    def reset(self) -> None:
        self._u = np.zeros(self._size, self._dtype)

    def advance(self, steps: int) -> None:
        self._descend(self._Z, self._u, self._rate, steps)

    def weights(self) -> np.ndarray:
        return self._u.astype(np.float64)


class Peer(NamedTuple):
    """A side of the race: its package, whether it reads float32 data as such, how it is built."""

    package: str
    widens: bool
    make: Callable[[Task, str], Timed]


def numpy_side(task: Task, dtype: str) -> Timed:
    return fastest(Timed(NumPy(task, dtype, order)) for order in ORDERS)


def torch_side(task: Task, dtype: str) -> Timed:
    return fastest(Timed(Torch(task, dtype, order)) for order in ORDERS)


def jax_side(task: Task, dtype: str) -> Timed:
    return fastest(Timed(Jax(task, dtype, order)) for order in ORDERS)


def numba_side(task: Task, dtype: str) -> Timed:
    return Timed(Numba(task, dtype))


def numba_own_exp_side(task: Task, dtype: str) -> Timed:
    return Timed(Numba(task, dtype, own_exp=True))


PEERS = {
    "numpy": Peer("numpy", False, numpy_side),
    "numba": Peer("numba", True, numba_side),
    "numba, own exp": Peer("numba", True, numba_own_exp_side),
    "jax": Peer("jax", False, jax_side),
    "torch": Peer("torch", False, torch_side),
}
