"""Maximum-margin solutions, with a bound on how far they are from the optimum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastgrok import _checks
from fastgrok._checks import sparse
from fastgrok._checks.calls import helpful, warn
from fastgrok.geometry._margin_solver import Solver
from fastgrok.geometry._polyhedral_solver import PolyhedralSolver
from fastgrok.geometry._solution import MODELS, MaxMargin

BIASES = tuple(MODELS)
NORMS = ("l2", "linf", "l1")
_NO_GAP = 1e-12  # less than this is the rounding of any solution, not of a hard one
_ROUNDING = 2.0**-50  # the gap that it leaves, of the sum of |w_j x_ij| and |b|, at most


@helpful
def max_margin(
    X: ArrayLike,
    y: ArrayLike,
    *,
    bias: str | bool = "penalized",
    norm: str = "l2",
    tol: float = 1e-10,
    start: tuple[ArrayLike, float] | None = None,
    classes: Sequence[Any] | None = None,
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

    With another `norm` the l_2 norm of w, or of (w, b) where the bias is penalized, becomes that
    one. "linf" is where sign descent with small steps ends (Gunasekar et al. 2018), and Adam as
    long as its eps does not matter (Zhang et al. 2024); "l1" is where coordinate descent ends. A
    bias that such steps move like a weight is penalized.

    An active-set method on the dual finds the support and solves for it (see engines/support.hpp
    among the sources), and margins are computed as if with twice the digits. Where its plain
    products do not show the margin, a Newton method for soft margins guesses the support, and a
    dual active-set method with a QR factorisation makes it right, for a few thousand rows at a time
    until no other is inside the margin. In l_inf and l_1 it is a linear program (HiGHS) of columns
    that powers of two bring to scale, whose vertex is solved for again with residuals of twice the
    digits. The gap is proved from the solution and its coefficients alone, whatever found them.
    Solutions may then fill a face of which one is returned, not always that which a run tends to:
    see `MaxMargin.unique`.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, d)
        Finite rows; float32 is read as it is, all else as float64. Of sparse ones (as in
        :func:`fastgrok.train`) only those on which the solver works are made dense, but in l_inf
        and l_1, and where there may be no margin, all of them, up to 1 GiB with their products.
    y : array_like of shape (n,)
        Labels of two classes, as `fastgrok.train` has them; both must occur for ``bias="free"``.
        How often a row counts changes nothing; those of weight 0 are to be left out.
    bias : {"none", "penalized", "free"} or bool, default "penalized"
        See above. True means "penalized" and False "none", the limits of `fastgrok.train` with the
        same `bias`.
    norm : {"l2", "linf", "l1"}, default "l2"
        Norm of the weights; distances from the hyperplane are then in its dual, l_2, l_1 or l_inf.
    tol : float, default 1e-10
        Relative duality gap to reach.
    start : tuple of (array_like of shape (d,), float), optional
        (w, b) of a similar problem, or of a trajectory, weights and bias apart (of stored weights,
        ``(run.weights[k, :-1], run.weights[k, -1])``): rows with small margins there are looked at
        first. It does not change the solution beyond rounding.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        For the passes over all rows. Default, and in a child of fork, as `fastgrok.train` says.

    Returns
    -------
    MaxMargin
        The solution. Its `gap` is above `tol` only where (w, b) cannot be written down in float64,
        because \|b\| or the sums of \|w_j x_ij\|, which make margins of 1, are beyond about 1e5 for
        the default; in l_inf and l_1 also, rarely, where HiGHS does not solve the linear program,
        of columns or rows whose sizes differ by more than about 1e8. The warning says which.

    Warns
    -----
    UserWarning
        If the gap is above `tol`, with what is to blame.

    Raises
    ------
    NotSeparableError
        If the rows are not separable; its `certificate` is the `Separability` that proves it.
    FastgrokError
        If rows are separable but nothing near the largest margin could be found.
    ValueError
        For wrong shapes and values, for ``bias="free"`` with one class, and for sparse rows of
        which more would have to be made dense.
    TypeError
        For arguments that are not real numbers.

    References
    ----------
    Soudry, Hoffer, Nacson, Gunasekar, Srebro (2018), "The implicit bias of gradient descent on
    separable data", JMLR 19; Gunasekar, Lee, Soudry, Srebro (2018), "Characterizing implicit bias
    in terms of optimization geometry", ICML; Zhang, Zou, Cao (2024), "The implicit bias of Adam on
    separable data", NeurIPS; Lawson and Hanson (1974), "Solving least squares problems", chapter
    23; Goldfarb and Idnani (1983), Mathematical Programming 27.
    """
    rows, signs = _checks.data(X, y, classes=classes, sparse_too=True)
    kind = _kind(bias)
    chosen = _checks.choice("norm", norm, NORMS)
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
                f"start must be a tuple (w, b) of {_checks.plural(rows.shape[1], 'weight')} "
                f"and a number, got {_shape(start)}"
            )
        w = _checks.vector("start[0]", start[0], rows.shape[1])
        b = _checks.real("start[1]", start[1])
        point = w if kind == "none" else np.append(w, b)
    # What overflows is not a solution, which is said.
    with np.errstate(all="ignore"):
        if chosen == "l2":
            found = Solver(rows, signs, kind, tolerance, count).solve(point)
        else:
            whole = sparse.dense("X", rows)
            solver = PolyhedralSolver(whole, signs, kind, chosen, tolerance, count)
            found = solver.solve(point)
    if not found.gap <= tolerance:
        reason = _why(rows, found)
        warn(
            f"the relative duality gap is {found.gap:.1e}, not below tol={tolerance:g}: {reason}",
            UserWarning,
        )
    return found


def _why(X: Any, found: MaxMargin) -> str:
    """Why the gap is not smaller."""
    if found.gap < _NO_GAP:
        return "the best that float64 can do"
    if found.norm != "l2":
        products = float((abs(X) @ np.abs(found.w)).max()) + abs(found.b)
        if found.gap > _ROUNDING * products:
            return (
                "for rows or columns of such different sizes HiGHS did not solve the linear "
                "program better"
            )
    return (
        "for rows so long beside their margin, or columns of such different units, "
        "rounding (w, b) to float64 leaves that much"
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
