"""What the paper says of its data at d = 2, judged from the data drawn."""

from collections.abc import Callable

import numpy as np

from fastgrok.papers._report import (
    Finding,
    Outcome,
    Verdict,
    judge_shares,
    number,
    spread,
)
from fastgrok.papers.das2026._figure3_draws import DataDraw, DataDraws, coordinates

# The distances are sums of two numbers rounded once or twice.
_ROUNDING = 1e-9


def judge_figure3(data: DataDraws) -> list[Verdict]:
    """
    Judge what the paper says of the training data and the concentrated set.

    Parameters
    ----------
    data : DataDraws
        What `figure3` returns.

    Returns
    -------
    list of Verdict
    """
    half = data.gamma / 2
    return [
        _over_draws(
            data,
            f"The training data keep a distance of at least gamma / 2 = {number(half)} from the "
            "hyperplane that labels them",
            lambda draw: _smallest(draw) >= 1.0 - _ROUNDING,
            lambda draws: f"smallest y u / (gamma / 2): {spread([_smallest(d) for d in draws])}",
        ),
        _over_draws(
            data,
            f"The concentrated set lies within gamma / 2 <= |u| <= {data.alpha:g} gamma",
            lambda draw: (
                _reach(draw)[0] >= 0.5 - _ROUNDING
                and _reach(draw)[1] <= data.alpha * (1.0 + _ROUNDING)
            ),
            lambda draws: (
                f"|u| / gamma from {spread([_reach(d)[0] for d in draws])} to "
                f"{spread([_reach(d)[1] for d in draws])}"
            ),
        ),
        _over_draws(
            data,
            "The data meet Assumption 3.1: the hyperplane of the largest margin is the one that "
            "labels them, through the origin (both classes have points at gamma / 2, and their "
            "hulls along it overlap)",
            _meets_assumption,
            lambda draws: (
                "points at gamma / 2: "
                + " and ".join(
                    f"{spread([float(_on_margin(d, y).sum()) for d in draws])} of class {y:+d}"
                    for y in (1, -1)
                )
            ),
        ),
    ]


def _over_draws(
    data: DataDraws,
    claim: str,
    holds: Callable[[DataDraw], bool],
    numbers: Callable[[list[DataDraw]], str],
) -> Verdict:
    findings = []
    for variant in data.variants:
        draws = data.of(variant)
        outcome: Outcome = judge_shares([holds(draw) for draw in draws])
        findings.append(Finding(variant.data, outcome, numbers(draws)))
    return Verdict.of_readings(claim, findings)


def _half(draw: DataDraw) -> float:
    """Half of the margin in effect, which planting rounds to a grid."""
    if draw.training.gamma is None:
        raise ValueError("the training set names no margin")
    return draw.training.gamma / 2


def _smallest(draw: DataDraw) -> float:
    u, _ = coordinates(draw.training)
    return float((draw.training.y * u).min() / _half(draw))


def _reach(draw: DataDraw) -> tuple[float, float]:
    """Smallest and largest |u| of the concentrated set, in units of its margin."""
    u = np.abs(coordinates(draw.concentrated)[0]) / draw.concentrated.params["gamma"]
    return float(u.min()), float(u.max())


def _on_margin(draw: DataDraw, y: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    u, _ = coordinates(draw.training)
    mask: np.ndarray[tuple[int], np.dtype[np.bool_]] = (draw.training.y == y) & (
        y * u <= _half(draw) * (1.0 + _ROUNDING)
    )
    return mask


def _meets_assumption(draw: DataDraw) -> bool:
    _, v = coordinates(draw.training)
    sides = [v[_on_margin(draw, y)] for y in (1, -1)]
    if not all(side.size for side in sides):
        return False
    return bool(max(side.min() for side in sides) <= min(side.max() for side in sides))
