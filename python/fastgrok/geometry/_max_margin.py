"""Maximum-margin solutions, with a bound on how far they are from the optimum."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dpotrf

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.errors import FastgrokError, NotSeparableError
from fastgrok.geometry._hard_margin import HardMargin, NotSeparatedError
from fastgrok.geometry._probe import working_size
from fastgrok.geometry._rows import Index, Rows, accurate_product
from fastgrok.geometry._separability import decide
from fastgrok.geometry._soft_margin import SoftMargin

BIASES = ("none", "penalized", "free")
_HIGHEST_PRICE = 1e18
_SMALLEST = -500
"""Exponent of 2 below which the squares of the weights leave float64."""
_SLIGHT = 1e-6
"""Weights that add less than this share of the bias to any logit may be zero but for rounding."""


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """
    The hyperplane with the largest margin.

    Attributes
    ----------
    w : ndarray of shape (d,)
        Weights, with min_i y_i (w . x_i + b) = 1 up to rounding.
    b : float
        Bias; 0 with ``bias="none"``.
    margin : float
        Smallest distance of a row from the hyperplane, min_i y_i (w . x_i + b) / ||w||, in the
        units of X. Infinite where w = 0.
    dual : ndarray of shape (n,)
        Coefficients alpha >= 0 with w = sum_i alpha_i y_i x_i, and b = sum_i alpha_i y_i
        (penalized) or sum_i alpha_i y_i = 0 (free); sum_i alpha_i = ||w||^2 (+ b^2 if penalized).
        Positive for linearly independent rows only: one choice where there are several.
    support : ndarray of int
        Indices of all rows on the margin, up to rounding and `tol`: those with a dual coefficient
        and any others.
    gap : float
        Relative duality gap, 1 - (D / P) with the primal objective P = ||theta||^2 / (2 m^2),
        where m is the smallest y_i (w . x_i + b), and the dual objective D that `dual` reaches when
        it is scaled best. The relative error of the margin is at most about half of it.
    bias : {"none", "penalized", "free"}
        Which of the problems of `max_margin` it solves.
    """

    w: F64 = field(repr=False)
    b: float
    margin: float
    dual: F64 = field(repr=False)
    support: NDArray[np.intp] = field(repr=False)
    gap: float
    bias: str


def max_margin(
    X: ArrayLike,
    y: ArrayLike,
    *,
    bias: str = "none",
    tol: float = 1e-10,
    start: tuple[ArrayLike, float] | None = None,
    threads: int | None = None,
) -> MaxMargin:
    r"""
    Maximum-margin hyperplane, the direction in which gradient descent ends on separable data.

    With theta = (w, b) it solves

        ========== ============================ ================================
        bias       minimise                     subject to, for all i
        ========== ============================ ================================
        none       1/2 ||w||^2                  y_i w . x_i >= 1
        penalized  1/2 (||w||^2 + b^2)          y_i (w . x_i + b) >= 1
        free       1/2 ||w||^2                  y_i (w . x_i + b) >= 1
        ========== ============================ ================================

    "penalized" is the problem whose solution full-batch descent on (w, b) tends to (Soudry et al.
    2018), the (d+1)-dimensional SVM of Das et al. (2026) and Beck et al. (2025); "free" is the
    usual SVM without slack.

    A Newton method for soft margins guesses the support (see `fastgrok.geometry._soft_margin`), a
    dual active-set method with a QR factorisation of the support makes it right, and margins are
    computed as if with twice the digits. Many rows are worked on a few thousand at a time, until no
    other row is inside the margin.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows; float32 is read as it is, all else as float64.
    y : array_like of shape (n,)
        Labels -1 and +1; both must occur for ``bias="free"``.
    bias : {"none", "penalized", "free"}, default "none"
        See above.
    tol : float, default 1e-10
        Relative duality gap to reach.
    start : tuple of (array_like of shape (d,), float), optional
        (w, b) of a similar problem, or of a trajectory: rows with small margins there are looked at
        first. It does not change the solution beyond rounding.
    threads : int, optional
        For the passes over all rows. Default: the cores this process may use, at most
        OMP_NUM_THREADS.

    Returns
    -------
    MaxMargin
        The solution. Its `gap` is above `tol` only where the rows' norms exceed the margin so much
        that weights in float64 cannot do better: by more than about 1e5 for the default.

    Raises
    ------
    NotSeparableError
        If the rows are not separable; its `certificate` is the `Separability` that proves it.
    FastgrokError
        If rows are separable but nothing near the largest margin could be found.
    ValueError
        For wrong shapes and values, and for ``bias="free"`` with one class.
    TypeError
        For arguments that are not real numbers.

    References
    ----------
    Soudry, Hoffer, Nacson, Gunasekar, Srebro (2018), "The implicit bias of gradient descent on
    separable data", JMLR 19; Lawson and Hanson (1974), "Solving least squares problems", chapter
    23; Goldfarb and Idnani (1983), Mathematical Programming 27.
    """
    rows, signs = _checks.data(X, y)
    kind = _checks.choice("bias", bias, BIASES)
    tolerance = _checks.real("tol", tol, positive=True)
    count = _checks.threads(threads)
    if kind == "free" and np.all(signs == signs[0]):
        raise ValueError(
            f"bias='free' needs labels of both classes, but all {len(signs)} are {signs[0]:+.0f}"
        )
    point = None
    if start is not None:
        if not isinstance(start, tuple) or len(start) != 2:
            raise TypeError(f"start must be a tuple (w, b), got {_checks.show(start)}")
        w = _checks.vector("start[0]", start[0], rows.shape[1])
        b = _checks.real("start[1]", start[1])
        point = w if kind == "none" else np.append(w, b)
    with np.errstate(all="ignore"):  # what overflows is not a solution, which is said
        return _Solver(rows, signs, kind, tolerance, count).solve(point)


class _Solver:
    """The problem in units in which the longest row has a norm of 1/2 to 1."""

    def __init__(self, X: NDArray[Any], y: F64, kind: str, tol: float, threads: int) -> None:
        self.X, self.y, self.kind, self.tol, self.threads = X, y, kind, tol, threads
        self.free = kind == "free"
        self.rows = Rows(X, y, kind != "none", threads)
        # A free bias is left out of the units: its feature stays 1.
        self.exponent = Rows(X, y, False, threads).exponent() if self.free else self.rows.exponent()

    def solve(self, start: F64 | None) -> MaxMargin:
        """Solve it on a working set that grows until no other row is inside the margin."""
        chosen = self._first(start)
        guess: F64 | None = None
        while True:
            Z = self._take(chosen)
            found = self._solve_for(Z, guess)
            margins = self.rows.margins(self._in_units(found.theta))
            outside = np.ones(self.rows.count, dtype=bool)
            outside[chosen] = False
            below = np.flatnonzero(outside & (margins < 1.0 - found.slack()))
            if not below.size:
                return self._result(chosen[found.working], found, margins)
            worst = below[np.argsort(margins[below], kind="stable")]
            before, alpha = chosen, np.zeros(self.rows.count)
            alpha[before[found.working]] = found.alpha
            chosen = np.union1d(chosen, worst[: working_size(self.rows.dim)])
            guess = alpha[chosen]

    def _first(self, start: F64 | None) -> Index:
        size = working_size(self.rows.dim)
        if self.rows.count <= 1.5 * size:
            return np.arange(self.rows.count)
        direction = self.rows.mean() if start is None else start
        order = np.argsort(self.rows.margins(direction), kind="stable")
        positive = self.y[order] > 0.0
        halves = [order[positive][: size // 2], order[~positive][: size // 2]]
        return np.sort(np.concatenate(halves))

    def _take(self, chosen: Index) -> F64:
        return self._in_units(self.rows.take(chosen))

    def _in_units(self, vectors: F64) -> F64:
        """Vectors over the unit; theta in the solver's units becomes one in those of X."""
        exponents = np.full(vectors.shape[-1], -self.exponent)
        if self.free:
            exponents[-1] = 0
        if abs(self.exponent) < 1000:
            scaled: F64 = vectors * np.ldexp(1.0, exponents)
            return scaled
        with np.errstate(over="ignore"):
            scaled = np.ldexp(vectors, exponents)
        return scaled

    def _solve_for(self, Z: F64, guess: F64 | None) -> HardMargin:
        """Solve it for these rows, starting from a guess of the dual."""
        alpha = self._soft(Z, guess)
        shares: list[float | None] = [None]
        if alpha is None:
            # No margin was found. Either there is none, or it is too small for soft margins.
            certificate = decide(self.X, self.y, self.kind != "none", self.threads)
            if certificate.verdict in ("boundary", "interior"):
                raise NotSeparableError(
                    f"the rows are not separable: the origin is in the {certificate.verdict} of "
                    f"the convex hull of {'y_i x_i' if self.kind == 'none' else 'y_i (x_i, 1)'}",
                    certificate,
                )
            alpha = np.ones(len(Z))
            shares.append(0.0)
        for share in shares:
            found = HardMargin(Z, self.free, alpha, self.tol / 8.0, share)
            with contextlib.suppress(NotSeparatedError):
                found.solve()
                return found
        raise self._none_found()

    def _none_found(self) -> Exception:
        """Why no margin was found: the dual coefficients are of the size of 1 / |X|^2."""
        if np.frexp(np.abs(self.X).max())[1] < _SMALLEST:
            return ValueError("X is too small for weights in float64: multiply it by some number")
        return FastgrokError("the rows may be separable, but no margin was found")

    def _soft(self, Z: F64, guess: F64 | None) -> F64 | None:
        """Guess the dual; None if no margin was found."""
        soft = SoftMargin(_short(Z, self.free), self.free, multipliers=guess)
        price = 1.0 if guess is None else 1e4 * float(guess.max())
        best: F64 | None = None
        least_gap = 1.0
        while price < _HIGHEST_PRICE:
            try:
                steps = soft.raise_price(price)
            except LinAlgError:
                break
            gap = abs(soft.gap)
            if gap < least_gap:
                best, least_gap = soft.alpha, gap
            elif best is not None:
                break
            if gap < (1e-4 if steps == 1 else 1e-7):
                break
            if soft.upper_bound < 1e-13:
                break
            price *= 1000.0 if steps == 1 else 10.0
        return best

    def _result(self, working: Index, found: HardMargin, margins: F64) -> MaxMargin:
        w, b = self.rows.split(self._in_units(found.theta))
        dual = np.zeros(self.rows.count)
        with np.errstate(over="ignore"):
            dual[working] = np.ldexp(found.alpha, -2 * self.exponent)
        if not (np.isfinite(w).all() and np.isfinite(dual).all()):
            raise self._none_found()
        least = float(margins.min())
        if not least > 0.0:
            raise self._none_found()
        norm = float(np.linalg.norm(found.theta[: len(w)]))
        if self._is_bias_alone(w, b):
            w, b, norm = np.zeros_like(w), float(self.y[0]), 0.0
        with np.errstate(divide="ignore"):
            margin = float(np.ldexp(np.divide(least, norm), self.exponent))
        return MaxMargin(
            w=w,
            b=b,
            margin=margin,
            dual=dual,
            support=np.flatnonzero(margins <= 1.0 + 8.0 * found.slack()),
            gap=self._gap(found, least),
            bias=self.kind,
        )

    def _is_bias_alone(self, w: F64, b: float) -> bool:
        """Whether theta is (0, +-1): it is just where rows of one class have 0 in their hull."""
        if self.kind != "penalized" or np.any(self.y != self.y[0]):
            return False
        if np.abs(w).sum() * self.rows.largest().max() > _SLIGHT * abs(b):
            return False
        return decide(self.X, self.y, False, self.threads).verdict in ("boundary", "interior")

    def _gap(self, found: HardMargin, least: float) -> float:
        theta = found.theta[:-1] if self.free else found.theta
        Z = found.Z[found.working]
        alpha = found.alpha
        if self.free:  # the dual bound: half the distance between points of the two hulls
            for sign in (1.0, -1.0):
                own = Z[:, -1] == sign
                alpha = np.where(own, alpha / alpha[own].sum(), alpha)
            Z = Z[:, :-1]
        bound = float(np.linalg.norm(accurate_product(Z.T, alpha))) / float(alpha.sum())
        reached = least / float(np.linalg.norm(theta))
        return max(0.0, (1.0 - reached / bound) * (1.0 + reached / bound))


def _short(Z: F64, free: bool) -> F64:
    """Vectors with the same products, and no more entries than there are of them if possible."""
    n = len(Z)
    if n >= Z.shape[1]:
        return Z
    weights = Z[:, :-1] if free else Z
    factor, info = dpotrf(weights @ weights.T, lower=1, clean=1)
    if info != 0:
        return Z
    return np.column_stack([factor, Z[:, -1]]) if free else np.ascontiguousarray(factor)
