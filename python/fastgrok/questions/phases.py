"""The three phases of a run, after Das et al. (2026), arXiv 2602.08302, section 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.linear import margins
from fastgrok.linear.losses import LOSSES, Loss
from fastgrok.questions._kept import row_weights, training_data
from fastgrok.questions.grokking import grokking_times
from fastgrok.records import Record

# The loss at the last record, computed again from the margins, must agree this well where their
# rounding does not matter: sums in another order differ by far less, other data by far more.
SAME_LOSS_RTOL = 1e-7


@dataclass(frozen=True)
class Phases:
    """Ends of the phases of a run, in steps; None where the record does not hold them.

    Attributes
    ----------
    t1 : int or None
        End of phase 1: the first recorded step from which, up to the end of the record, the
        support vectors have at least half of the total weight sum_i abs(l'(m_i)). Where no
        row has a weight left, nothing has changed since the last record where one had.
    t2 : int or None
        End of phase 2: the recorded step at or after ``t1`` where the distance of the hyperplane
        from the origin, |b| / ||w||, is largest. Phase 3 is what follows.
    t3 : int or None
        First recorded step at which the test accuracy is at its maximum over the record.
    peak : int or None
        The recorded step where |b| / ||w|| is largest in the whole run. It can lie before ``t1``
        when the bulk of the data, not the support vectors, drives the bias.
    """

    t1: int | None
    t2: int | None
    t3: int | None
    peak: int | None

    @property
    def empty_phase2(self) -> bool:
        """Whether |b| / ||w|| only falls once the support vectors dominate (t2 = t1)."""
        return self.t1 is not None and self.t2 == self.t1


def find_phases(
    run: Record,
    support: ArrayLike,
    X: NDArray[Any] | None,
    y: NDArray[Any] | None,
    test: str | None,
) -> Phases:
    """Compute the phases of a run; see `Trajectory.phases`."""
    test = _default_test(run) if test is None else test
    t3 = None if test is None else grokking_times(run, test, 0.0, False).test
    if run.weights is None:
        raise ValueError("phases needs the weights at every record: train with keep_weights=True")
    X, y = training_data(run, X, y)
    shares = _support_shares(run, run.weights, X, y, _checked_support(support, len(y)))

    # The start is not part of any statistic of times: every run begins with it.
    later = run.steps > 0
    steps, shares = run.steps[later], shares[later]
    distance = np.where(np.isnan(run.distance), -np.inf, run.distance)[later]
    if steps.size == 0:
        return Phases(t1=None, t2=None, t3=t3, peak=None)
    peak = int(steps[np.argmax(distance)])
    misses = np.flatnonzero(~(shares >= 0.5))
    since = int(misses[-1]) + 1 if misses.size else 0
    if since == steps.size:
        return Phases(t1=None, t2=None, t3=t3, peak=peak)
    t2 = int(steps[since + np.argmax(distance[since:])])
    return Phases(t1=int(steps[since]), t2=t2, t3=t3, peak=peak)


def _default_test(run: Record) -> str | None:
    names = [name for name in run.losses if name != "train"]
    if "concentrated" in names:
        return "concentrated"
    return names[0] if len(names) == 1 else None


def _checked_support(support: ArrayLike, rows: int) -> NDArray[np.int64]:
    indices = _checks.array_of("support", support)
    if indices.ndim != 1 or indices.size == 0:
        raise ValueError(
            "support must be a non-empty one-dimensional array of row indices, got shape "
            f"{indices.shape}"
        )
    if indices.dtype.kind not in "iu":
        raise TypeError(f"support must hold integers (row indices), got dtype {indices.dtype}")
    if indices.min() < 0 or indices.max() >= rows:
        raise ValueError(
            f"support must hold row indices from 0 to {rows - 1}, got values from "
            f"{indices.min()} to {indices.max()}"
        )
    unique = np.unique(indices)
    if unique.size != indices.size:
        raise ValueError(
            f"support must hold no row index more than once, got {indices.size} indices of "
            f"{_checks.plural(unique.size, 'row')}"
        )
    return unique.astype(np.int64)


def _support_shares(
    run: Record,
    weights: F64,
    X: NDArray[Any],
    y: NDArray[Any],
    support: NDArray[np.int64],
) -> F64:
    """
    Share of the support vectors in sum_i abs(l'(m_i)), at every record.

    Where no row has a slope left that of the record before holds on; NaN if there is none.
    """
    loss = LOSSES[run.params["loss"]]
    of_rows = row_weights(run)
    times = np.ones(len(y)) if of_rows is None else of_rows
    scale = 1.0
    if run.params["reduction"] == "mean":
        scale = 1.0 / run.params.get("total_weight", len(y))
    shares = np.empty(len(weights))
    share = np.nan
    for record, row in enumerate(weights):
        m = margins(X, y, row[:-1], float(row[-1]), normalized=False)
        logs = loss.log_slope(m)
        if (top := logs.max()) > -np.inf:
            relative = times * np.exp(logs - top)
            share = relative[support].sum() / relative.sum()
        shares[record] = share
    if len(weights) and not _same_loss(
        run.losses["train"][-1] / scale, m, _off(X, row), loss, times
    ):
        raise ValueError("X, y are not the data of this run: its last recorded loss differs")
    return shares


def _off(X: NDArray[Any], row: F64) -> F64:
    """By how much rounding may change margins, twice: here and where they were recorded."""
    size: F64 = np.abs(X) @ np.abs(row[:-1]) + abs(row[-1])
    size *= 2 * (X.shape[1] + 2) * np.finfo(np.float64).eps
    return size


def _same_loss(recorded: float, m: F64, off: F64, loss: Loss, times: F64) -> bool:
    """Whether a sum of losses is one of these margins; the losses are convex."""
    low, high = m - off, m + off
    with np.errstate(over="ignore", under="ignore"):
        least = float(np.sum(times * loss.value(np.clip(loss.least_at, low, high))))
        most = float(np.sum(times * np.maximum(loss.value(low), loss.value(high))))
    slack = 1.0 + SAME_LOSS_RTOL
    return least / slack - 1e-300 <= recorded <= most * slack + 1e-300
