"""The directions that descent may end in: maximum margins, and how far weights are from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrok._checks import F64
from fastgrok.descent import table
from fastgrok.descent.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from fastgrok.geometry import MaxMargin


def bias_kind(params: Mapping[str, Any]) -> str:
    """Return the argument `bias` of the margins that a run with these settings has to do with."""
    return "penalized" if params["bias"] else "none"


def norm_of_limit(params: Mapping[str, Any]) -> str:
    """Return the norm of the margin that belongs to the optimizer, l_2 where theory has none."""
    step = OPTIMIZERS[params.get("optimizer", table.DEFAULTS["optimizer"])]
    return ball(params) or step.limit or "l2"


def cosines(weights: F64, solution: MaxMargin) -> F64:
    """Return the cosines of weights, of shape (R, d + 1) with the bias last, and a solution."""
    if solution.bias == "penalized":
        theta, target = weights, np.append(solution.w, solution.b)
    else:
        theta, target = weights[:, :-1], solution.w
    return cosines_of(theta, target)


def cosines_of(theta: F64, target: F64) -> F64:
    """Return the cosines of the rows of theta and a vector."""
    # Powers of two keep the squares of very late and very early weights in range.
    sizes = np.frexp(np.abs(theta).max(axis=1, initial=0.0))[1]
    theta = np.ldexp(theta, -sizes[:, None])
    target = np.ldexp(target, -np.frexp(np.abs(target).max())[1])
    with np.errstate(invalid="ignore"):
        # Summed row by row: the bits of one do not depend on how many others there are.
        dots = (theta * target).sum(axis=1)
        cosine: F64 = dots / (np.linalg.norm(theta, axis=1) * np.linalg.norm(target))
    return np.clip(cosine, -1.0, 1.0, out=cosine)


def ball(params: Mapping[str, Any]) -> str:
    """Norm in which decay bounds all that the run trains, on a loss that falls for ever, or ""."""
    decay = params.get("weight_decay", 0.0)
    if not decay or table.lack("margin", {**params, "weight_decay": 0.0}):
        return ""
    if params["bias"] and not params["decay_bias"]:
        return ""
    return OPTIMIZERS[params.get("optimizer", table.DEFAULTS["optimizer"])].ball
