"""Support vectors planted on the margin, and whether they fix the maximum-margin solution."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks.programs import linear_program
from fastgrok.datasets._cube import Lattice, fill_slab


def plant_pairs(rng: np.random.Generator, out: NDArray[Any], lattice: Lattice, offset: int) -> None:
    """
    Plant pairs k + v, k - v with sum(v) = 0, and k itself for an odd number of rows.

    All of it is exact on the lattice: every row has the sum d * offset.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of randomness.
    out : (s, d) array of float32 or float64
        Where the points go, the two of a pair in neighbouring rows.
    lattice : Lattice
        The cube.
    offset : int
        Each coordinate of k, in steps; at least 2 below ``lattice.reach`` in absolute value.
    """
    pairs = out.shape[0] // 2
    # v stays away from the faces by as much as k moves it.
    inner = dataclasses.replace(lattice, reach=(lattice.reach - abs(offset)) // 2 * 2)
    v = np.empty((pairs, lattice.dim), out.dtype)
    fill_slab(rng, v, inner, 0, 0)
    k = offset * lattice.step
    np.add(k, v, out=out[0 : 2 * pairs : 2])
    np.subtract(k, v, out=out[1 : 2 * pairs : 2])
    out[2 * pairs :] = k


def assumption_failure(
    plus: NDArray[Any], minus: NDArray[Any], lattice: Lattice, offset: int, planting: str
) -> str | None:
    """
    Say why the planted points don't fix the maximum-margin solution; None if they do.

    They do if and only if the convex hulls of the two classes' planted points meet once both are
    projected along w_true (the optimality conditions of the hard-margin problem). Pairs always do.

    Parameters
    ----------
    plus, minus : (s, d) arrays
        The planted points of the two classes.
    lattice : Lattice
        The cube.
    offset : int
        Offset of the planted points along the diagonal, per coordinate and in steps.
    planting : {"antipodal", "iid"}
        How they were drawn.
    """
    consequence = "((2/gamma) w_true, 0) is not the maximum-margin solution (Assumption 3.1 fails)"
    if len(plus) == 0 or len(minus) == 0:
        return f"support vectors are planted in one class only: {consequence}"
    if planting == "antipodal":
        return None
    counts = f"{len(plus)} + {len(minus)} independent support vectors at dim={lattice.dim}"
    if len(plus) + len(minus) <= lattice.dim:  # in general position: affinely independent
        return f"{counts} are too few, their hulls can't meet: {consequence}"
    shift = offset * lattice.step
    if _hulls_meet(plus.astype(np.float64) - shift, minus.astype(np.float64) + shift):
        return None
    return f"the hulls of {counts} don't meet: {consequence}"


def _hulls_meet(plus: NDArray[np.float64], minus: NDArray[np.float64]) -> bool:
    """
    Decide by linear programming whether two hulls, of points with sum 0, have a common point.

    To the solver's tolerance: about 1e-7 of the largest coordinate.
    """
    a, b = len(plus), len(minus)
    scale = max(np.abs(plus).max(), np.abs(minus).max(), np.finfo(np.float64).tiny)
    # The last coordinate follows from the others.
    combination = np.hstack([plus.T[:-1], -minus.T[:-1]]) / scale
    ones = np.vstack([np.repeat([1.0, 0.0], [a, b]), np.repeat([0.0, 1.0], [a, b])])
    right = np.append(np.zeros(len(combination)), [1.0, 1.0])
    answer = linear_program(
        np.zeros(a + b),
        equal=True,
        matrix=np.vstack([combination, ones]),
        right=right,
        bounds=np.repeat([[0.0, np.inf]], a + b, axis=0),
    )
    if answer.status not in (0, 2):
        raise RuntimeError(f"linear programming failed on the planted hulls: {answer.message}")
    return bool(answer.status == 0)
