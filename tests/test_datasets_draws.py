"""What a seed means: the points that a plain loop over rows makes of the same random numbers."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from fastgrok import datasets
from fastgrok.datasets import _cube
from fastgrok.datasets._cube import Lattice, fill_side, fill_slab

DIMS = pytest.mark.parametrize("dim", [1, 2, 3, 9, 10, 70])
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ROWS = 1300  # several pieces of rows that are looked at together, and several rounds of proposals


def uniform(rng, shape, reach):
    """Whole numbers on [-reach, reach]."""
    return np.rint(2.0 * reach * rng.random(shape) - reach)


def proposals(dim, done, tries):
    """How many rows are tried next."""
    asked = (ROWS - done) * (tries + 5) // (done + 4) + 4
    return min(asked, max(1, _cube._CHUNK_ELEMENTS // max(dim, 1)))


def sides(rng, dim, lattice, low, side):
    """Points beyond a hyperplane, one by one."""
    found, tries = [], 0
    while len(found) < ROWS:
        x = uniform(rng, (proposals(dim, len(found), tries), dim), lattice.reach)
        tries += len(x)
        for row in x:
            total = int(sum(map(int, row)))
            if abs(total) >= low and len(found) < ROWS:
                found.append(row * lattice.step * (side if total > 0 else -side))
    return np.array(found)


def slabs(rng, dim, lattice, low, high, dtype):
    """Points between two hyperplanes: proposals one by one, and then the signs that are turned."""
    n, half = dim - 1, lattice.reach // 2
    found, excess, tries = [], [], 0
    law = [math.comb(n, k) for k in range(n + 1)]

    def share(k):
        return law[k] if 0 <= k <= n else 0

    most = max(share(k) + share(k + 1) for k in range(-1, n + 1))
    while len(found) < ROWS:
        x = uniform(rng, (proposals(n, len(found), tries), n), lattice.reach)
        tries += len(x)
        offsets = rng.integers(low, high, size=len(x), endpoint=True)
        for row, offset, u in zip(x, offsets, rng.random(len(x)), strict=True):
            positive = n - int(np.signbit(row).sum())
            rest = int(offset) - int(sum(map(int, row))) + half * (2 * positive - n)
            k = math.ceil(Fraction(rest, 2 * half) + Fraction(n, 2) - 1)
            if u < (share(k) + share(k + 1)) / most and len(found) < ROWS:
                wanted = k + (u >= share(k) / most)
                found.append(
                    [*(row * lattice.step), (rest - half * (2 * wanted - n)) * lattice.step]
                )
                excess.append(positive - wanted)
    out = np.array(found).astype(dtype)
    turn_signs(rng, out, dict(enumerate(excess)), dtype(lattice.reach * lattice.step))
    return out


def turn_signs(rng, out, excess, width):
    """Turn signs of one row after the other, by picks that are drawn for all of them."""
    while left := {i: count for i, count in excess.items() if count}:
        mean = sum(map(abs, left.values())) // len(left)
        drawn = rng.random((len(left), 2 * mean + 1))
        for i, picks in zip(left, drawn, strict=True):
            columns = [int(u * (out.shape[1] - 1)) for u in picks]
            for number, j in enumerate(columns):
                again = j in columns[number + 1 :]  # the last of equal picks counts
                turned = np.signbit(out[i, j]) == (excess[i] < 0)
                if excess[i] and turned and not again:
                    out[i, j] += width if excess[i] < 0 else -width
                    excess[i] -= 1 if excess[i] > 0 else -1


@DTYPES
@DIMS
@pytest.mark.parametrize("side", [1, -1])
def test_points_beyond_a_margin_are_those_of_a_plain_loop(dim, side, dtype):
    lattice = Lattice.of_cube(dim, 5.0, np.dtype(dtype))
    low = lattice.least_sum(Fraction(2))
    out = np.empty((ROWS, dim), dtype)
    fill_side(np.random.default_rng(dim), out, lattice, low, side)
    expected = sides(np.random.default_rng(dim), dim, lattice, low, side)
    assert out.tobytes() == expected.astype(dtype).tobytes()


@DTYPES
@DIMS
@pytest.mark.parametrize("slice_", [True, False])
def test_points_near_a_margin_are_those_of_a_plain_loop(dim, slice_, dtype):
    lattice = Lattice.of_cube(dim, 5.0, np.dtype(dtype))
    low = lattice.least_sum(Fraction(1, 2))
    high = low if slice_ else lattice.greatest_sum(Fraction(3))
    out = np.empty((ROWS, dim), dtype)
    fill_slab(np.random.default_rng(dim), out, lattice, low, high)
    assert (
        out.tobytes() == slabs(np.random.default_rng(dim), dim, lattice, low, high, dtype).tobytes()
    )


RECIPES = {
    "margin_cube": lambda n, d, **options: datasets.margin_cube((n, n), d, **options),
    "planted": lambda n, d, **options: datasets.margin_cube((n, n), d, support=(n, 9), **options),
    "concentrated": lambda n, d, **options: datasets.concentrated((n, n), d, **options),
    "gaussian_noise": lambda n, d, **options: datasets.gaussian_noise(2 * n, d, **options),
}


@pytest.mark.parametrize(("rows", "dim"), [(2_000_000, 2), (8_000, 1024)])
@pytest.mark.parametrize("name", RECIPES)
def test_drawing_takes_little_more_memory_than_the_set(name, rows, dim):
    RECIPES[name](10, dim)
    tracemalloc.start()
    try:
        ds = RECIPES[name](rows, dim, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 1.15 * (ds.X.nbytes + ds.y.nbytes + ds.support.nbytes)
