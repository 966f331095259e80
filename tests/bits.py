"""A set of passes and runs whose every bit is compared between threads and instruction sets."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

import fastgrok as fg
from cases import LENGTHS, SEVERAL_CHUNKS, point, problem
from fastgrok import _core
from fastgrok._checks import sparse
from fastgrok.descent.optimizers import OPTIMIZERS

SHAPES = (*((n, LENGTHS[-k]) for k, n in enumerate(LENGTHS)), (1, 1), (65, 65), *SEVERAL_CHUNKS)
STEPS = 30


def functions() -> dict[str, NDArray[Any]]:
    x = np.random.default_rng(1).uniform(-750.0, 750.0, 4099)
    return {
        name: getattr(_core, name)(scale * x)
        for name in ("exp", "softplus", "sigmoid")
        for scale in (1.0, 1e-2)
    } | dense()


def dense() -> dict[str, NDArray[Any]]:
    """Products, factors and solutions of matrices, in tiles and beside them."""
    rows = np.random.default_rng(2).normal(size=(70, 101))
    products = np.eye(70)
    _core.add_gram(products, rows, 1.0)
    factor = products.copy()
    assert _core.cholesky(factor)
    mended = factor.copy()
    _core.add_to_factor(mended, np.ascontiguousarray(rows[:, :70][:9]))
    L, Q = _core.orthonormal_rows(rows)
    return {
        "dense product": _core.product(rows, rows.T),
        "dense times": np.append(_core.times(rows, rows[0]), _core.times(rows.T, L[-1])),
        "dense gram": np.tril(products),
        "dense cholesky": np.tril(factor),
        "dense sums of factors": np.tril(mended),
        "dense solutions": _core.solve_triangular(factor, rows),
        "dense transposed": _core.solve_triangular(factor, rows, True),
        "dense vector": _core.solve_triangular(factor, L[-1], True),
        "dense rows": np.column_stack([L, Q]),
    }


def attacked(X: Any, y: Any) -> dict[str, _core.Attack]:
    """Every way that the core has to attack, several radii at once where it can."""
    n, d = X.shape
    core = _core.Problem(X, y, True)
    box = (np.full(d, float(X.min())), np.full(d, float(X.max())))
    radii, by_row = np.array([0.0, 0.1, 0.7]), np.linspace(0.0, 1.0, n)
    small = n * d < 10**6
    out = {}
    for method, ball, sides, start in (
        ("exact", "l_inf", None, False),
        ("exact", "l_inf", box, False),
        ("exact", "l_2", box, False),
        ("exact", "l_1", None, False),
        ("exact", "l_1", box, False),
        ("pgd", "l_inf", box, True),
        ("pgd", "l_1", box, True),
        ("pgd", "l_2", None, True),
        ("pgd", "l_2", box, True),
        ("autodiff32", "l_inf", box, True),
        ("autodiff64", "l_2", None, False),
    ):
        for rows in (False, True):
            if small or (method == "exact" and ball == "l_inf"):
                name = (
                    f"{method} {ball} {'box' if sides else 'free'} {'by row' if rows else 'grid'}"
                )
                out[name] = _core.Attack(
                    core, method=method, ball=ball, radii=by_row if rows else radii,
                    radius_by_row=rows, step_size=0.05, steps=4, random_start=start,
                    restarts=2 if start else 1, seed=n + d, box=sides,
                )  # fmt: skip
    return out


def compute(
    shapes: Any, threads: int, stored: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray
) -> dict[str, NDArray[Any]]:
    """Every pass and a short run on each shape, in both precisions and losses.

    `stored` may put the rows where else they are to be read.
    """
    out: dict[str, NDArray[Any]] = {}
    for k, (n, d) in enumerate(shapes):
        rows, y = problem(n, d)
        w, b = point(d)
        for loss, dtype in (("logistic", np.float64), ("exponential", np.float32)):
            X = stored(rows.astype(dtype))
            bias = k % 3 > 0
            core = _core.Problem(X, y, bias)
            at = f"{n} x {d} {loss}"
            out[f"{at} margins"] = core.margins(w, b, threads)
            out[f"{at} accurate"] = core.accurate_margins(w, b, threads)
            out[f"{at} columns accurate"] = _core.accurate_product(rows.T, y)
            total, correct = core.evaluate(w, b, loss, False, threads)
            out[f"{at} loss"], out[f"{at} correct"] = np.array(total), np.array(correct)
            g, g_b = core.gradient(w, b, loss, threads)
            out[f"{at} gradient"] = np.append(g, g_b)
            out[f"{at} curvature"] = np.array(core.curvature(w, b, loss, threads))
            for name, attack in attacked(X, y).items():
                total, correct, _ = attack.evaluate(w, b, loss, False, threads)
                out[f"{at} {name} losses"], out[f"{at} {name} correct"] = total, correct
                if n * d < 10**6:
                    out[f"{at} {name} points"] = attack.points(w, b, threads)
            run = fg.train(
                X,
                y,
                steps=STEPS if n * d < 10**5 else 3,
                lr=0.5 / (1 + d),
                loss=loss,
                bias=bias,
                evals={"same": (X, y)},
                keep_weights=True,
                threads=threads,
            )
            out[f"{at} weights"] = run.weights
            out[f"{at} losses"] = np.array([run.loss, run.losses["same"]])
            out[f"{at} sharpness"] = np.array([run.sharpness, run.sharpness_mean])
            if n * d < 3 * 10**6:
                out |= sparse_rows(X, y, f"{at} sparse", threads)
            if n * d < 10**5:
                other = fg.train(
                    X, y, steps=STEPS, lr=0.5 / (1 + d), bias=bias, keep_weights=True,
                    optimizer=list(OPTIMIZERS)[k % len(OPTIMIZERS)], weight_decay=1e-3,
                    schedule=fg.schedules.power(0.5, 8.0), loss=loss, threads=threads,
                )  # fmt: skip
                out[f"{at} other steps"] = other.weights
    return out


def sparse_rows(X: NDArray[Any], y: NDArray[Any], at: str, threads: int) -> dict[str, NDArray[Any]]:
    """The passes, and a run, over the entries that are not small."""
    few = scipy.sparse.csr_array(np.where(np.abs(X) > 0.3, X, 0.0))
    core = sparse.problem(few, y, True)
    w, b = point(X.shape[1])
    g, g_b = core.gradient(w, b, "logistic", threads)
    steps = STEPS if X.size < 10**5 else 3
    run = fg.train(few, y, steps=steps, lr=0.5 / (1 + X.shape[1]), threads=threads)
    return {
        f"{at} margins": core.margins(w, b, threads),
        f"{at} accurate": core.accurate_margins(w, b, threads),
        f"{at} gradient": np.append(g, g_b),
        f"{at} weights": np.append(run.w, run.bias_final),
        f"{at} losses": run.loss,
        f"{at} sharpness": run.sharpness,
    }


if __name__ == "__main__":
    np.savez(sys.argv[1], simd=_core.simd(), **functions(), **compute(SHAPES, threads=2))
