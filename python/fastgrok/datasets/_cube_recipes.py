"""Das et al. (2026): points of a cube beyond a margin, on it, and near it."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastgrok import _checks
from fastgrok._checks.calls import helpful, warn
from fastgrok._checks.docstrings import described
from fastgrok.datasets._blocks import Part
from fastgrok.datasets._cube import Lattice, fill_side, fill_slab
from fastgrok.datasets._dataset import Dataset
from fastgrok.datasets._planting import assumption_failure, plant_pairs
from fastgrok.datasets.recipe import (
    Settings,
    class_counts,
    empty_rows,
    labels,
    scale,
    support_counts,
)

_MAX_MARGIN_ERROR = 0.05


@helpful
def margin_cube(
    n: tuple[int, int] = (1000, 1000),
    dim: int = 2,
    *,
    gamma: float = 1e-3,
    support: tuple[int, int] = (0, 0),
    planting: str = "antipodal",
    half_width: float = 5.0,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    progress: bool = False,
) -> Dataset:
    """
    Draw points uniform on a cube beyond a margin, and plant support vectors on the margin.

    The training sets D(n+, n-) with S(s+, s-) of Das et al. (2026), Section 5 and Appendix B, and
    their standard test set where nothing is planted.

    Parameters
    ----------
    n : pair of int, default (1000, 1000)
        Points of class +1 and of class -1, planted ones included.
    dim : int, default 2
        Number of coordinates d.
    gamma : float, default 1e-3
        Margin: points have y w_true.x >= gamma/2.
    support : pair of int, default (0, 0)
        Planted support vectors of class +1 and of class -1.
    planting : {"antipodal", "iid"}, default "antipodal"
        "antipodal": pairs y (gamma/2) w_true + v and y (gamma/2) w_true - v, v uniform on the
        cube's slice orthogonal to w_true, and y (gamma/2) w_true itself where the number is odd.
        Projected along w_true the support vectors of both classes then have the mean 0, so that
        the maximum-margin solution, with a free or a penalised bias, is exactly
        ((2/gamma) w_true, 0): Assumption 3.1 of Das et al. holds.
        "iid": independent points, uniform on the slice y w_true.x = gamma/2; linear programming
        decides whether the assumption holds (slow for thousands of them at d = 1024).
    half_width : float, default 5.0
        a in [-a, a]^d, from 1e-30 to 1e30.
    seed : int, default 0
        At least 0.
    dtype : float64 or float32, default float64
        Of X.
    threads : int, optional
        By default the cores that this process may use.
    progress : bool, default False
        Show a bar.

    Returns
    -------
    Dataset
        Without planting, ``gamma`` is the margin asked for, a lower bound: no point is nearer to
        the hyperplane than gamma/2. With planting, the coordinates' offset gamma/(2 sqrt(d)) is
        rounded to the lattice and ``gamma`` is the margin that results: for the defaults within
        a relative 1e-7 of the one asked for in float64, 1e-2 in float32. The coordinates of a
        planted point then have the same sum y sqrt(d) gamma/2, to the last bit and in any order
        of summation, for all planted points of the class, and all other points are strictly
        farther from the hyperplane. ``params["assumption_holds"]`` says for planted data whether
        Assumption 3.1 holds.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; if planting in `dtype` would change `gamma` by more than 5 %; if
        the cube has no room, or too little to draw from, beyond the margin.

    Warns
    -----
    UserWarning
        If support vectors are planted and ((2/gamma) w_true, 0) is nevertheless not the
        maximum-margin solution: planted in one class only, or "iid" with hulls that don't meet
        (they never do if s+ + s- <= d).

    Notes
    -----
    Rows of class +1 come first; within a class, the planted ones come first, a pair in
    neighbouring rows. At d = 1 the planted points of a class all coincide.

    Examples
    --------
    >>> import fastgrok as fg
    >>> fg.datasets.margin_cube((5, 3), support=(2, 1)).support
    array([0, 1, 5])
    """
    counts = class_counts(n)
    planted = support_counts(support, counts)
    _checks.choice("planting", planting, ("antipodal", "iid"))
    settings = Settings.checked(seed, dtype, threads, progress)
    lattice = _lattice(dim, half_width, settings)
    margin = _margin(gamma, lattice)
    if any(planted):
        offset = _offset(margin, lattice, settings)
        effective = 2.0 * offset * lattice.step * math.sqrt(lattice.dim)
        low = lattice.dim * offset + 1
    else:
        offset, effective, low = 0, margin, lattice.least_sum(Fraction(margin) / 2)

    X = empty_rows(sum(counts), lattice.dim, settings.dtype)
    parts = []
    start = 0
    for label, of_class, of_support in zip((1, -1), counts, planted, strict=True):
        k = label * offset
        if planting == "antipodal":
            plant = functools.partial(plant_pairs, lattice=lattice, offset=k)
        else:
            level = lattice.dim * k
            plant = functools.partial(fill_slab, lattice=lattice, low=level, high=level)
        others = functools.partial(fill_side, lattice=lattice, low=low, side=label)
        parts.append(Part(X[start : start + of_support], plant))
        parts.append(Part(X[start + of_support : start + of_class], others))
        start += of_class
    settings.draw(parts)

    params = settings.params(
        "margin_cube",
        n=list(counts),
        dim=lattice.dim,
        gamma=margin,
        support=list(planted),
        planting=planting,
        half_width=float(half_width),
        lattice_step=lattice.step,
    )
    if any(planted):
        failure = assumption_failure(parts[0].rows, parts[2].rows, lattice, offset, planting)
        params["assumption_holds"] = failure is None
        if failure is not None:
            warn(failure, UserWarning)
    rows = np.arange(sum(planted))
    rows[planted[0] :] += counts[0] - planted[0]
    return Dataset(X, labels(*counts), _diagonal(lattice), effective, rows, params)


@described(margin_cube)
@helpful
def concentrated(
    n: tuple[int, int] = (1000, 1000),
    dim: int = 2,
    *,
    gamma: float = 1e-3,
    alpha: float = 10.0,
    half_width: float = 5.0,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    threads: int | None = None,
    progress: bool = False,
) -> Dataset:
    """
    Draw points uniform on the part of a cube that is near the margin.

    The concentrated test set of Das et al. (2026): gamma/2 <= y w_true.x <= alpha gamma. The law
    is exact at any d, at a cost of about 1.15 plain uniform points for each where alpha gamma is
    small beside half_width.

    Parameters
    ----------
    n : pair of int, default (1000, 1000)
        Points of class +1 and of class -1.
    dim
        See `margin_cube`.
    gamma : float, default 1e-3
        Margin.
    alpha : float, default 10.0
        Sensitivity, greater than 1/2.
    half_width, seed, dtype, threads, progress
        See `margin_cube`.

    Returns
    -------
    Dataset
        ``gamma`` is the one given, ``support`` is empty. Rows of class +1 come first.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; if `dtype` has no numbers that near the margin; if the cube has
        no room, or too little to draw from, beyond the margin.

    Examples
    --------
    >>> import fastgrok as fg
    >>> test = fg.datasets.concentrated((500, 500), dim=8, seed=1)
    >>> bool(abs(test.X @ test.w_true).max() < 10.1 * test.gamma)
    True
    """
    counts = class_counts(n)
    sensitivity = _checks.real("alpha", alpha)
    if sensitivity <= 0.5:
        raise ValueError(f"alpha must be greater than 1/2, got {_checks.show(alpha)}")
    settings = Settings.checked(seed, dtype, threads, progress)
    lattice = _lattice(dim, half_width, settings)
    margin = _margin(gamma, lattice)
    low = lattice.least_sum(Fraction(margin) / 2)
    high = lattice.greatest_sum(Fraction(sensitivity) * Fraction(margin))
    if high < low:
        raise ValueError(
            f"gamma={margin!r} and alpha={sensitivity!r} leave no {settings.dtype} points between "
            f"gamma/2 and alpha gamma: coordinates are multiples of {lattice.step!r}"
        )
    X = empty_rows(sum(counts), lattice.dim, settings.dtype)
    slab = functools.partial(fill_slab, lattice=lattice)
    settings.draw(
        [
            Part(X[: counts[0]], functools.partial(slab, low=low, high=high)),
            Part(X[counts[0] :], functools.partial(slab, low=-high, high=-low)),
        ]
    )
    params = settings.params(
        "concentrated",
        n=list(counts),
        dim=lattice.dim,
        gamma=margin,
        alpha=sensitivity,
        half_width=float(half_width),
        lattice_step=lattice.step,
    )
    return Dataset(X, labels(*counts), _diagonal(lattice), margin, params=params)


def _lattice(dim: object, half_width: object, settings: Settings) -> Lattice:
    columns = _checks.whole("dim", dim, maximum=1 << 40)
    return Lattice.of_cube(columns, scale("half_width", half_width), settings.dtype)


def _margin(gamma: object, lattice: Lattice) -> float:
    margin = _checks.real("gamma", gamma, positive=True)
    if lattice.least_sum(Fraction(margin) / 2) > lattice.dim * lattice.reach:
        raise ValueError(
            f"gamma/2 must be less than the distance {lattice.corner!r} of the cube's corner "
            f"from the hyperplane, got gamma={margin!r}"
        )
    return margin


def _offset(margin: float, lattice: Lattice, settings: Settings) -> int:
    """Offset of planted coordinates, in steps, which sets the effective margin."""
    offset = lattice.offset(margin / 2)
    if offset + 2 > lattice.reach:
        raise ValueError(f"gamma={margin!r} leaves no room in the cube to plant support vectors")
    effective = 2.0 * offset * lattice.step * math.sqrt(lattice.dim)
    if abs(effective - margin) > _MAX_MARGIN_ERROR * margin:
        raise ValueError(
            f"support vectors with gamma={margin!r} can't be planted in {settings.dtype}: "
            f"coordinates are multiples of {lattice.step!r}, the nearest margin is {effective!r}"
        )
    return offset


def _diagonal(lattice: Lattice) -> NDArray[np.float64]:
    """Return w_true, the unit vector along the diagonal."""
    return np.full(lattice.dim, 1.0 / math.sqrt(lattice.dim))
