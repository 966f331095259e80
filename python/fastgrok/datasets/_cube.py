r"""Points of a cube on, between or beyond hyperplanes orthogonal to its diagonal.

All coordinates lie on a lattice: integer multiples of a power of two, coarse enough that any sum
of up to d of them is exact in float64. A point's side and its distance from a hyperplane
sum(x) = s are then decided in integers, and stay what they are in any order of summation and,
for float32 storage, after rounding, because the lattice is chosen to be exact there too.

The slab {x in [-a, a]^d : low <= sum(x) <= high} (low = high: a slice) is sampled exactly. Draw
x_1..x_n, n = d - 1, uniform on the cube and write x_j = r_j + (a/2) e_j with a sign e_j; then r
and e are independent and uniform. With c uniform on [low, high] the last coordinate
x_d = c - sum(r) - (a/2)(2 K - n) depends on the signs only through K, the number of e_j = +1,
and |x_d| <= a leaves two consecutive values of K, k and k + 1. So r is accepted with probability
proportional to p(k) + p(k + 1), p the binomial(n, 1/2) law, K is one of the two with odds
p(k) : p(k + 1), and the signs are a uniform K-subset: a few signs of the e drawn first, taken
uniformly among those in excess, are turned over. About 0.87 of the rows are accepted at large d.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._core import keep_between, keep_beyond, turn_signs

_CHUNK_ELEMENTS = 1 << 17  # proposals at a time
_CACHED_ELEMENTS = 1 << 14  # several passes over as many stay in the processor's nearer caches
_MAX_TRIES = 20_000  # proposals for each row wanted
_F64 = NDArray[np.float64]


def _ceil_log2(x: Fraction) -> int:
    """Return the least integer e with x <= 2^e."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    return e if x <= Fraction(2) ** e else e + 1


@dataclass(frozen=True)
class Lattice:
    """
    The points of [-a, a]^d whose coordinates are multiples of `step`.

    Attributes
    ----------
    dim : int
        Number of coordinates d.
    step : float
        A power of two.
    reach : int
        Largest coordinate in steps: `a` rounded down to an even number of steps.
    """

    dim: int
    step: float
    reach: int

    @classmethod
    def of_cube(cls, dim: int, half_width: float, dtype: np.dtype[Any]) -> "Lattice":
        """Take the finest lattice whose coordinates fit `dtype` and whose sums fit float64."""
        half = Fraction(half_width)
        exponent = _ceil_log2(half * dim) - 53
        if dtype == np.float32:
            exponent = max(exponent, _ceil_log2(half) - 24)
        return cls(dim, math.ldexp(1.0, exponent), int(half / Fraction(2) ** exponent) // 2 * 2)

    @property
    def corner(self) -> float:
        """Distance of the corner (a, ..., a) from the origin."""
        return self.reach * self.step * math.sqrt(self.dim)

    def _squared_steps(self, distance: Fraction) -> Fraction:
        return (distance / Fraction(self.step)) ** 2 * self.dim

    def least_sum(self, distance: Fraction) -> int:
        """Least sum of coordinates, in steps, at this distance from the origin or farther."""
        square = self._squared_steps(distance)
        root = math.isqrt(math.floor(square))
        return root if root * root >= square else root + 1

    def greatest_sum(self, distance: Fraction) -> int:
        """Greatest sum of coordinates, in steps, at this distance or nearer; at most a corner's."""
        return min(math.isqrt(math.floor(self._squared_steps(distance))), self.dim * self.reach)

    def offset(self, distance: float) -> int:
        """Coordinate, in steps, of the point (k, ..., k) nearest to this distance."""
        return round(distance / (math.sqrt(self.dim) * self.step))


def _chunk_rows(columns: int) -> int:
    return max(1, _CHUNK_ELEMENTS // max(columns, 1))


def _draw_uniform(rng: np.random.Generator, out: _F64, reach: int) -> None:
    """Uniform numbers on [-reach, reach], rounded to integers."""
    flat = out.reshape(-1)
    for start in range(0, flat.size, _CACHED_ELEMENTS):
        piece = flat[start : start + _CACHED_ELEMENTS]
        rng.random(out=piece)
        piece *= 2.0 * reach
        piece -= reach
        np.rint(piece, out=piece)


def _proposals(rows: int, done: int, tries: int) -> int:
    """Return how many to try next, so that about as many are accepted as are still wanted."""
    if tries > _MAX_TRIES * (done + 16):
        raise ValueError(
            "gamma leaves too small a part of the cube to draw from: fewer than one in "
            f"{_MAX_TRIES} proposals is accepted; take a smaller gamma"
        )
    return (rows - done) * (tries + 5) // (done + 4) + 4


def fill_side(
    rng: np.random.Generator, out: NDArray[Any], lattice: Lattice, low: int, side: int
) -> None:
    """
    Draw points uniform on {x in the cube : side * sum(x) >= low}.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of randomness.
    out : (n, d) array of float32 or float64
        Where the points go.
    lattice : Lattice
        The cube.
    low : int
        Least sum, in steps of the lattice; greater than 0.
    side : int
        +1 or -1.

    Raises
    ------
    ValueError
        If hardly any of the cube is that far from the origin.
    """
    rows = out.shape[0]
    buffer = np.empty((_chunk_rows(lattice.dim), lattice.dim))
    done = tries = 0
    while done < rows:
        x = buffer[: _proposals(rows, done, tries)]
        _draw_uniform(rng, x, lattice.reach)
        tries += len(x)
        done += keep_beyond(x, low, side, lattice.step, out[done:])


def _sign_law(n: int) -> tuple[_F64, _F64]:
    """
    Tables over k = -2..n+1: p(k) and p(k) + p(k+1), p binomial(n, 1/2), over the latter's maximum.

    Only products and quotients, which every processor rounds alike.
    """
    middle = n // 2
    k = np.arange(middle, n)
    above = np.cumprod(np.concatenate([[1.0], (n - k) / (k + 1.0)]))
    law = np.concatenate([above[n % 2 :][::-1], above[1:]])
    first = np.concatenate([[0.0, 0.0], law, [0.0]])
    pair = first + np.concatenate([first[1:], [0.0]])
    return first / pair.max(), pair / pair.max()


def fill_slab(
    rng: np.random.Generator, out: NDArray[Any], lattice: Lattice, low: int, high: int
) -> None:
    """
    Draw points uniform on {x in the cube : low <= sum(x) <= high}; see the module's text.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of randomness.
    out : (n, d) array of float32 or float64
        Where the points go.
    lattice : Lattice
        The cube.
    low, high : int
        Bounds of the sum, in steps of the lattice; equal for a slice.

    Raises
    ------
    ValueError
        If the slab lies so far out that hardly any proposal is accepted.
    """
    rows = out.shape[0]
    n = lattice.dim - 1
    half = lattice.reach // 2
    law = _sign_law(n)
    excess = np.empty(rows, dtype=np.int64)  # positive signs that are too many
    buffer = np.empty((_chunk_rows(n), n))
    done = tries = 0
    while done < rows:
        x = buffer[: _proposals(rows, done, tries)]
        _draw_uniform(rng, x, lattice.reach)
        offsets = rng.integers(low, high, size=len(x), endpoint=True)
        chances = rng.random(len(x))
        tries += len(x)
        done += keep_between(
            x, (offsets, chances), law, half, lattice.step, out[done:], excess[done:]
        )
    _turn_signs(rng, out, excess, lattice.reach * lattice.step)


def _turn_signs(
    rng: np.random.Generator, out: NDArray[Any], excess: NDArray[np.int64], width: float
) -> None:
    """
    Turn excess[i] signs in row i, of coordinates picked uniformly among the positive ones.

    The last column takes no part. Turning a positive sign moves the coordinate by -width. Where
    `excess` is negative, that many negative signs are turned.
    """
    rows = np.flatnonzero(excess)
    left = excess[rows]
    while rows.size:
        # Picks in turn, for all rows together: a pick counts if it has the sign in excess, does
        # not repeat another, and comes before the row has as many as it needs.
        drawn = rng.random((rows.size, 2 * int(np.abs(left).mean()) + 1))
        turn_signs(out, width, rows, left, drawn)
        more = left != 0
        rows, left = rows[more], left[more]
