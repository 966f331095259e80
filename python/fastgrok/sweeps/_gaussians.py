"""Experiments on Gaussian points of one label (Beck et al. 2025)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks, datasets
from fastgrok.descent.errors import DivergenceError
from fastgrok.descent.stable import stable_lr
from fastgrok.descent.steps import log_spaced
from fastgrok.geometry import max_margin, separability
from fastgrok.sweeps._training import decided_time, run_to
from fastgrok.theory.edge import GaussianNoise, limit_accuracy, stationary_point
from fastgrok.trajectory import Trajectory

_ALL = "population"


def edge(
    lam: float,
    sigma: float = 5.0,
    n: int = 400,
    seed: int = 0,
    lr: float = 0.01,
    accuracy: float = 0.95,
    horizon: float = 1e8,
    geometry: bool = True,
) -> dict[str, Any]:
    """
    Train on Gaussian points of one label, and say when the population is right.

    Parameters
    ----------
    lam : float
        Dimensions for each point: there are round(lam n), and at least 1.
    sigma : float
        Standard deviation of a coordinate.
    n : int
        Points.
    seed : int
        Of the draw.
    lr : float
        Learning rate.
    accuracy : float
        Of the population that is asked for.
    horizon : float
        Steps.
    geometry : bool
        Find where descent tends to, with proof. Without, it is not known of what was not reached
        by the horizon whether it is ever reached.

    Returns
    -------
    dict
        "time", from when on the accuracy is there (interpolated between records, inf if it never
        is for good, NaN if that is not known), "decided", "final_accuracy", "final_norm_w",
        "final_b", and with the geometry "limit_accuracy", "margin", "rest" (||S_infinity||).
    """
    geometry = _checks.flag("geometry", geometry)
    X, y = _points(lam, n, sigma, seed)
    run = run_to(horizon, X, y, lr, {_ALL: GaussianNoise(sigma)})
    found = _geometry(X, sigma) if geometry else {}
    time, decided = decided_time(run, _ALL, accuracy, found.get("limit_accuracy", np.nan))
    return {"time": time, "decided": decided, **_ends(run, horizon), **found}


def curves(
    lam: float,
    sigma: float = 5.0,
    n: int = 400,
    seed: int = 0,
    lr: float = 0.01,
    horizon: float = 1e8,
    per_decade: int = 10,
) -> dict[str, Any]:
    """
    Train on Gaussian points of one label, and return the learning curves.

    Parameters
    ----------
    lam, sigma, n, seed, lr, horizon
        As in `edge`.
    per_decade : int
        Records for each factor of 10 of the steps.

    Returns
    -------
    dict
        "step" and over it "train_accuracy", "test_accuracy", "loss", "test_loss"; NaN where a run
        had to end before the horizon.
    """
    X, y = _points(lam, n, sigma, seed)
    steps = log_spaced(horizon, per_decade)
    run = run_to(horizon, X, y, lr, {_ALL: GaussianNoise(sigma)}, record=steps)
    columns = {
        "train_accuracy": run.accuracy["train"],
        "test_accuracy": run.accuracy[_ALL],
        "loss": run.loss,
        "test_loss": run.losses[_ALL],
    }
    out: dict[str, Any] = {"step": ("step", steps)}
    for name, values in columns.items():
        whole = np.full(steps.size, np.nan)
        whole[: values.size] = values
        out[name] = ("step", whole)
    return out


def rates(
    factor: float,
    lam: float = 0.4,
    sigma: float = 5.0,
    n: int = 400,
    seed: int = 0,
    accuracy: float = 0.95,
    horizon: float = 1e4,
) -> dict[str, Any]:
    """
    Train at multiples of the largest learning rate that is surely stable, every step taken.

    Parameters
    ----------
    factor : float
        Learning rate, in units of `stable_lr`.
    lam, sigma, n, seed, accuracy
        As in `edge`.
    horizon : float
        Steps.

    Returns
    -------
    dict
        "time" and "decided" as of `edge` (without its geometry), "lr", "travel" (time x lr),
        "final_loss", "final_accuracy". The time is infinite, and the ends are NaN, if the run
        diverged.
    """
    X, y = _points(lam, n, sigma, seed)
    lr = factor * stable_lr(X, y)
    try:
        run = run_to(horizon, X, y, lr, {_ALL: GaussianNoise(sigma)}, engine="exact")
    except DivergenceError:
        nan = float("nan")
        return {
            "time": float("inf"), "decided": True, "lr": lr, "travel": float("inf"),
            "final_loss": nan, "final_accuracy": nan,
        }  # fmt: skip
    time, decided = decided_time(run, _ALL, accuracy, float("nan"))
    return {
        "time": time,
        "decided": decided,
        "lr": lr,
        "travel": time * lr,
        "final_loss": float(run.loss[-1]),
        "final_accuracy": float(run.accuracy[_ALL][-1]),
    }


def _points(lam: float, n: int, sigma: float, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    if not 0.0 < lam < np.inf:
        raise ValueError(f"lam must be greater than 0, got {lam!r}")
    data = datasets.gaussian_noise(n, max(1, round(lam * n)), sigma=sigma, seed=seed)
    return data.X, data.y


def _ends(run: Trajectory, horizon: float) -> dict[str, float]:
    """Where a run was at the horizon; NaN if it had to end before."""
    there = float(run.steps[-1]) >= horizon
    ends = {
        "final_accuracy": run.accuracy[_ALL][-1],
        "final_norm_w": run.norm_w[-1],
        "final_b": run.b[-1],
    }
    return {name: float(value) if there else float("nan") for name, value in ends.items()}


def _geometry(X: NDArray[Any], sigma: float) -> dict[str, float]:
    """Where descent tends to; NaN where that was not proved."""
    found = separability(X)
    limit = margin = rest = float("nan")
    if found.separable:
        margin = float(max_margin(X, np.full(len(X), -1.0), bias="none").margin)
        limit, rest = float(limit_accuracy(margin, sigma)), float("inf")
    elif found.verdict in ("interior", "boundary"):
        margin, limit = 0.0, 1.0
        rest = float("inf")
        if found.verdict == "interior":
            rest = float(np.linalg.norm(stationary_point(X, separability=found).S))
    return {"limit_accuracy": limit, "margin": margin, "rest": rest}
