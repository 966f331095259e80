"""Maximum-margin solutions, with a bound on how far they are from the optimum."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.errors import FastgrokError, NotSeparableError
from fastgrok.geometry._hard_margin import HardMargin, NotSeparatedError
from fastgrok.geometry._probe import working_size
from fastgrok.geometry._products import cholesky, gram
from fastgrok.geometry._rows import Index, Rows, scaled_norms
from fastgrok.geometry._separability import decide
from fastgrok.geometry._soft_margin import SoftMargin

_MODELS = {
    "none": "from the origin",
    "penalized": "with penalized bias",
    "free": "with free bias",
}
BIASES = tuple(_MODELS)
_FIRST_PRICE, _HIGHEST_PRICE = 1e3, 1e18
_FEW_ROWS_PRICE = 1e9
"""For less than half as many rows as columns, of which often most are in the support: what is
active at a high price is nearly it."""
_LONG = 8
"""So many times as many columns as rows repay a factorisation that shortens the rows."""
_NO_GAP = 1e-12  # less than this is the rounding of any solution, not of a hard one
_SMALLEST = -500
"""Exponent of 2 below which the squares of the weights leave float64."""
_SLIGHT = 1e-3
"""Weights that add less than this share of the bias to any logit are lost in its rounding."""
_SMALL = -10
"""Exponent of 2 of rows of one class for which it is so in any case."""
_MOST_POWER = 250
"""A bias whose feature is 2^250 times as large as the rows, or as small, is taken for one of that
size: it might as well be free or dear without end, and squares stay in range."""


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
        Positive for linearly independent rows only: one choice where there are several. It is of
        the size of 1 / |X|^2, and underflows to 0 where X is beyond about 1e154.
    support : ndarray of int
        Indices of all rows on the margin, up to rounding and `tol`: those with a dual coefficient
        and any others.
    gap : float
        Relative duality gap, 1 - (D / P) with the primal objective P = ||theta||^2 / (2 m^2),
        where m is the smallest y_i (w . x_i + b), and the dual objective D that `dual` reaches when
        it, or with a bias each class of it, is scaled best. What rounding may hide is added, so
        that the relative error of the margin is at most about half of it. 0 with w = 0, which is
        proved without rounding.
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

    def __repr__(self) -> str:
        """Say which model it is of."""
        return (
            f"MaxMargin({_MODELS[self.bias]}, b={self.b!r}, margin={self.margin!r}, "
            f"gap={self.gap!r}, {len(self.support)} support vectors)"
        )


def max_margin(
    X: ArrayLike,
    y: ArrayLike,
    *,
    bias: str | bool = "penalized",
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
    usual SVM without slack, and "none" is where descent on w alone ends.

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
    bias : {"none", "penalized", "free"} or bool, default "penalized"
        See above. True means "penalized" and False "none", the limits of `fastgrok.train` with the
        same `bias`.
    tol : float, default 1e-10
        Relative duality gap to reach.
    start : tuple of (array_like of shape (d,), float), optional
        (w, b) of a similar problem, or of a trajectory, weights and bias apart (of stored weights,
        ``(run.weights[k, :-1], run.weights[k, -1])``): rows with small margins there are looked at
        first. It does not change the solution beyond rounding.
    threads : int, optional
        For the passes over all rows. Default: the cores this process may use, at most
        OMP_NUM_THREADS.

    Returns
    -------
    MaxMargin
        The solution. Its `gap` is above `tol` only where weights or dual coefficients in float64
        cannot do better, because the rows' norms exceed the margin by more than about 1e5 (for the
        default) or the units of the columns differ as much.

    Warns
    -----
    UserWarning
        If the gap is above `tol`.

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
    kind = _kind(bias)
    tolerance = _checks.real("tol", tol, positive=True)
    count = _checks.threads(threads)
    if kind == "free" and np.all(signs == signs[0]):
        raise ValueError(
            f"bias='free' needs labels of both classes, but all {len(signs)} are {signs[0]:+.0f}"
        )
    point = None
    if start is not None:
        if not isinstance(start, tuple) or len(start) != 2:
            raise TypeError(
                f"start must be a tuple (w, b) of {rows.shape[1]} weights and a number, "
                f"got {_shape(start)}"
            )
        w = _checks.vector("start[0]", start[0], rows.shape[1])
        b = _checks.real("start[1]", start[1])
        point = w if kind == "none" else np.append(w, b)
    # What overflows is not a solution, which is said.
    with np.errstate(all="ignore"):
        found = _Solver(rows, signs, kind, tolerance, count).solve(point)
    if found.gap > tolerance:
        reason = (
            "which is as small as float64 makes it"
            if found.gap < _NO_GAP
            else "for the rows are too long for their margin, or the units of the columns too "
            "different"
        )
        warnings.warn(
            f"the relative duality gap is {found.gap:.1e}, not below tol={tolerance:g}: float64 "
            f"does no better, {reason}",
            UserWarning,
            stacklevel=2,
        )
    return found


class _Solver:
    """The problem in units in which the longest row has a norm of 1/2 to 1."""

    def __init__(self, X: NDArray[Any], y: F64, kind: str, tol: float, threads: int) -> None:
        self.X, self.y, self.kind, self.tol, self.threads = X, y, kind, tol, threads
        self.rows = Rows(X, y, kind != "none", threads)
        # A bias is left out of the units: its feature stays 1, and its square counts as `penalty`.
        self.sizes, self.exponent = scaled_norms(X)
        self._power = min(max(self.exponent, -_MOST_POWER), _MOST_POWER)
        penalties = {"none": None, "penalized": 4.0**self._power, "free": 0.0}
        self.penalty: float | None = penalties[kind]
        self._separable: bool | None = None  # not asked yet
        self._one_class = kind == "penalized" and bool(np.all(y == y[0]))

    def solve(self, start: F64 | None) -> MaxMargin:
        """Solve it on a working set that grows until no other row is inside the margin."""
        if self._one_class and self.exponent < _SMALL:
            return self._of_one_class()
        chosen = self._first(start)
        guess: F64 | None = None
        while True:
            found = self._solve_for(self.rows.take(chosen, -self.exponent), guess)
            margins = self.rows.margins(self._in_units_of_X(found.theta))
            outside = np.ones(self.rows.count, dtype=bool)
            outside[chosen] = False
            below = np.flatnonzero(outside & (margins < 1.0 - found.slack(self.sizes)))
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

    def _in_units_of_X(self, theta: F64) -> F64:
        dim = self.X.shape[1]
        out = np.append(np.ldexp(theta[:dim], -self.exponent), theta[dim:])
        # A bias that no row needs falls with its feature, which is taken to be too large here.
        if self.penalty and self.exponent > self._power and abs(out[-1]) < 2.0**-_MOST_POWER:
            out[-1] = np.ldexp(out[-1], 2 * (self._power - self.exponent))
        return out

    def _solve_for(self, Z: F64, guess: F64 | None) -> HardMargin:
        """Solve it for these rows, starting from a guess of the dual."""
        soft = SoftMargin(_short(Z, self.kind != "none"), self.penalty, multipliers=guess)
        alpha = self._soft(soft, guess)
        found = None if alpha is None else self._hard(soft, Z, alpha)
        if found is None:
            self._refuse_if_not_separable()
            alpha = np.ones(len(Z))
            found = self._hard(soft, Z, alpha) or self._hard(soft, Z, alpha, 0.0)
        if found is None:
            raise self._none_found()
        return found

    def _hard(
        self, soft: SoftMargin, Z: F64, alpha: F64, dependent: float | None = None
    ) -> HardMargin | None:
        found = HardMargin(Z, self.penalty, alpha, self.tol / 8.0, dependent, soft.products)
        try:
            found.solve()
        except NotSeparatedError:
            return None
        return found

    def _refuse_if_not_separable(self) -> None:
        """No margin was found: either there is none, or it is too small for soft margins."""
        certificate = decide(self.X, self.y, self.kind != "none", self.threads)
        self._separable = certificate.separable
        if certificate.verdict in ("boundary", "interior"):
            where = "in the interior" if certificate.verdict == "interior" else "on the boundary"
            raise NotSeparableError(
                f"the rows are not separable {_MODELS[self.kind]}: the origin is {where} of the "
                "convex hull of "
                f"{'y_i x_i' if self.kind == 'none' else 'y_i (x_i, 1)'}",
                certificate,
            )

    def _none_found(self) -> Exception:
        """Why no margin was found: the dual coefficients are of the size of 1 / |X|^2."""
        if np.frexp(np.abs(self.X).max())[1] < _SMALLEST:
            return ValueError("X is too small for weights in float64: multiply it by some number")
        return FastgrokError(
            f"the rows {'are' if self._separable else 'may be'} separable {_MODELS[self.kind]}, "
            "but no margin was found in float64, for the rows are too long for it, or the units of "
            "the columns too different"
        )

    def _soft(self, soft: SoftMargin, guess: F64 | None) -> F64 | None:
        """Guess the dual; None if no margin was found."""
        price = _FEW_ROWS_PRICE if 2 * len(soft.Z) < self.rows.dim else _FIRST_PRICE
        if guess is not None:
            price = 1e4 * float(guess.max())
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
        w, b = self.rows.split(self._in_units_of_X(found.theta))
        if self._one_class and np.abs(w).sum() * self.rows.largest().max() < _SLIGHT * abs(b):
            with contextlib.suppress(FastgrokError):
                return self._of_one_class()
        dual = np.zeros(self.rows.count)
        with np.errstate(over="ignore"):
            dual[working] = np.ldexp(found.alpha, -2 * self.exponent)
        if not (np.isfinite(w).all() and np.isfinite(dual).all()):
            raise self._none_found()
        if self.penalty and self.exponent > self._power and abs(b) >= 2.0**-_MOST_POWER:
            raise self._none_found()  # the bias matters, and its price is beyond what was taken
        least = float(margins.min())
        if not least > 0.0:
            raise self._none_found()
        norm = float(np.linalg.norm(found.theta[: len(w)]))
        with np.errstate(divide="ignore"):
            margin = float(np.ldexp(np.divide(least, norm), self.exponent))
        return MaxMargin(
            w=w,
            b=b,
            margin=margin,
            dual=dual,
            support=np.flatnonzero(margins <= 1.0 + 8.0 * found.slack(self.sizes)),
            gap=found.gap(least),
            bias=self.kind,
        )

    def _of_one_class(self) -> MaxMargin:
        """
        Solve it for one class by way of no bias, whatever the size of the weights.

        With M the margin from the origin and u the unit vector that has it, w = u M / (1 + M^2) and
        b = y / (1 + M^2); where there is no such u, w = 0.
        """
        X = np.ldexp(self.X.astype(np.float64), -self.exponent)
        y = float(self.y[0])
        try:
            found = _Solver(X, self.y, "none", self.tol, self.threads).solve(None)
        except NotSeparableError as error:
            everything = np.arange(self.rows.count)
            dual = np.asarray(error.certificate.weights, dtype=np.float64)
            return MaxMargin(np.zeros(X.shape[1]), y, np.inf, dual, everything, 0.0, self.kind)
        squared = float(np.ldexp(found.margin, self.exponent)) ** 2
        share = found.margin**2 / (1.0 + squared)
        w, b = np.ldexp(found.w * share, self.exponent), y / (1.0 + squared)
        norm = float(np.linalg.norm(np.ldexp(w, -self.exponent)))
        return MaxMargin(
            w=w,
            b=b,
            margin=float(np.ldexp(np.divide(1.0, norm), -self.exponent)),
            dual=found.dual * share,
            support=found.support,
            gap=found.gap * squared / (1.0 + squared),
            bias=self.kind,
        )


def _kind(bias: str | bool) -> str:
    """Name of the problem."""
    if isinstance(bias, bool | np.bool_):
        return "penalized" if bias else "none"
    return _checks.choice("bias", bias, BIASES)


def _shape(start: Any) -> str:
    """Say what was given in place of (w, b), with its shape if it has one."""
    if isinstance(start, tuple):
        return f"a tuple of length {len(start)}"
    try:
        return f"{type(start).__name__} of shape {np.shape(start)}"
    except ValueError:  # ragged
        return type(start).__name__


def _short(Z: F64, bias: bool) -> F64:
    """Vectors with the same products; of very long ones, if possible, as short as there are many.

    That is worth a factorisation only where they are long beside their number.
    """
    if _LONG * len(Z) >= Z.shape[1]:
        return Z
    try:
        factor = np.tril(cholesky(gram(Z[:, :-1] if bias else Z)))
    except LinAlgError:
        return Z
    return np.ascontiguousarray(np.column_stack([factor, Z[:, -1]]) if bias else factor)
