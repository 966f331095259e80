"""Which rows and coefficients separation concerns, with proof."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Classes, frames
from fastgrok._checks.aside import if_long
from fastgrok._checks.calls import helpful
from fastgrok.geometry._rows import Index
from fastgrok.geometry.recession._basis import Basis, independent_columns, no_rows
from fastgrok.geometry.recession._evidence import Evidence
from fastgrok.geometry.recession._partition import Partition, split
from fastgrok.geometry.recession._reduction import Lifted, Reduction
from fastgrok.geometry.recession._result import Separation
from fastgrok.geometry.recession._signs import Signs
from fastgrok.geometry.recession._whole import Whole, whole_rows

_MODELS = ("logistic", "poisson")
_INTERCEPT = "(intercept)"


@helpful
def separation(
    X: ArrayLike,
    y: ArrayLike,
    *,
    bias: bool = True,
    weights: ArrayLike | None = None,
    model: str = "logistic",
    classes: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
) -> Separation:
    """
    Say whether a regression's estimates exist, and which rows and coefficients are to blame if not.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows, or a data frame, whose columns' names the answer has. float32 is read as it is,
        all else as float64, and integers that float64 cannot hold are refused. Sparse matrices and
        arrays of SciPy are made dense, up to 1 GiB.
    y : array_like of shape (n,) or (n, 1)
        Labels of two classes: -1 and +1, 0 and 1, False and True, or two strings, of which the
        second in order is the class whose coefficients these are. With ``model="poisson"`` counts,
        or other numbers that are not negative.
    bias : bool, default True
        Whether the model has an intercept besides the columns.
    weights : array_like of shape (n,), optional
        Weights of the rows, not negative. Rows of weight 0 count as absent; how large the others
        are changes nothing.
    model : {"logistic", "poisson"}, default "logistic"
        "logistic": of two classes, with any link whose likelihood has no other directions of
        recession, such as probit. "poisson": counts with the logarithm as link, where rows with
        y > 0 hold every direction and those with y = 0 push to smaller means.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says. Not for counts.
    names : sequence of str, optional
        Of the columns, in a list. Default: those of a data frame, else "x0", "x1" and so on.
    sample_weight : array_like of shape (n,), optional
        Another name of `weights`, that of `fastgrok.train`; only one of them may be given.
    threads : int, optional
        For the passes over all rows. Default, and in a child of fork, as `fastgrok.train` says.

    Returns
    -------
    Separation
        Kind, rows, coefficients, and what proves each of them.

    Raises
    ------
    ValueError
        For wrong shapes and values, NaN among them.
    TypeError
        For arguments that are not of the types above.

    Notes
    -----
    With z_i = y_i (x_i, 1), likelihoods grow without bound along the directions d with z_i . d >= 0
    for all i, not all 0. All of them together push off a set of rows, for which one of them is
    enough, while the other rows have positive weights that balance. Both are found by Newton's
    method and linear programs (HiGHS) in floating point, and count only when they hold in
    integers, where nothing is rounded and no tolerance decides. A coefficient's verdict is which
    signs d_j has among all directions; a linear combination of rows that is e_j (Farkas) proves
    that it has no other.

    References
    ----------
    Albert, Anderson (1984), "On the existence of maximum likelihood estimates in logistic
    regression models", Biometrika 71. Konis (2007), "Linear programming algorithms for detecting
    separated data in binary logistic regression models", Oxford. Correia, Guimaraes, Zylkin (2019),
    "Verifying the existence of maximum likelihood estimates for generalized linear models",
    arXiv 1903.01633.
    """
    bias = _checks.flag("bias", bias)
    model = _checks.choice("model", model, _MODELS)
    count = _checks.threads(threads)
    rows = _checks.matrix("X", X)
    frames.require_same_index(("X", "y"), X, y)
    pair: Classes | None = None
    if model == "poisson":
        if classes is not None:
            raise ValueError(f"classes are of model='logistic' alone, got {_checks.show(classes)}")
        counts = _checks.vector("y", _checks.one_dimension("y", y), len(rows))
        if counts.min() < 0.0:
            first = int(np.argmin(counts))
            raise ValueError(f"y must not be negative, but y[{first}] = {counts[first]}")
        signs = np.where(counts > 0.0, 1.0, -1.0)
    else:
        signs, pair = _checks.two_classes("y", y, len(rows), classes)
    live = np.arange(len(rows))
    called = "weights"
    if sample_weight is not None:
        if weights is not None:
            raise ValueError("weights and sample_weight are the same: only one may be given")
        called, weights = "sample_weight", sample_weight
    if weights is not None:
        live = np.flatnonzero(_checks.row_weights(called, weights, len(rows), X) > 0.0)
    named = [*_column_names(names, X, rows.shape[1]), *[_INTERCEPT] * bias]
    index = frames.index_of(X)
    absent = None
    if pair is not None and np.all(signs[live] == signs[live[0]]):
        absent = pair[0] if signs[live[0]] > 0.0 else pair[1]
    found = _evidence(rows, signs, live, bias, model, count)
    if found is None:
        nothing, open_ = np.arange(0), ["undecided"] * len(named)
        return Separation(
            "undecided", nothing, open_, None, None, None, live, named, [], [False] * len(named),
            pair, model, bias, "no proof was found", None, index, absent,
        )  # fmt: skip
    off = found.outside()
    kind = "none" if not off.size else "complete" if off.size == live.size else "quasi-complete"
    exact, near = found.weights(len(rows))
    return Separation(
        kind, off, found.verdicts(), found.direction(), np.array(near),
        None if exact is None else tuple(exact), np.setdiff1d(live, off), named, found.aliased(),
        found.determined(), pair, model, bias, found.cone.proof, found, index, absent,
    )  # fmt: skip


def _column_names(names: Sequence[str] | None, X: ArrayLike, count: int) -> list[str]:
    """Return the names given, or else those of a frame, or places."""
    if names is None:
        return list(frames.features(X) or [f"x{j}" for j in range(count)])
    listed = [*names] if np.iterable(names) and not isinstance(names, str) else []
    if len(listed) != count or not all(isinstance(name, str) for name in listed):
        raise ValueError(
            f"names must be {_checks.plural(count, 'string')}, one a column, got "
            f"{_checks.show(names)}"
        )
    return [str(name) for name in listed]


def _evidence(
    X: NDArray[Any], signs: F64, live: Index, bias: bool, model: str, threads: int
) -> Evidence | None:
    """Prove what can be proved of data that are checked already; None if that is nothing."""
    # The intercept first, so that it is never what depends on others.
    Z = np.empty((len(live), X.shape[1] + bias))
    Z[:, : int(bias)] = 1.0
    for start, block in _checks.blocks(Z, _checks.HEARD):
        here = live[start : start + len(block)]
        block[:, int(bias) :] = X[here]
        np.multiply(block, signs[here, None], out=block)
    owner, sides = live, np.ones(len(live), dtype=np.intp)
    if model == "poisson":
        held = np.flatnonzero(signs[live] > 0.0)
        Z, owner = np.vstack([Z, -Z[held]]), np.append(owner, owner[held])
        sides = np.append(sides, -sides[held])
    vectors, inverse = _distinct(Z)
    order = [*range(1, X.shape[1] + 1), 0] if bias else [*range(X.shape[1])]
    whole, factors = whole_rows(vectors)
    columns, proved = _dependent(whole, vectors)
    if not proved:
        return None
    if columns is not None:
        vectors = np.ascontiguousarray(vectors[:, columns.pivots])
        whole = np.ascontiguousarray(whole[:, columns.pivots])
    known = _decided(vectors, whole, factors, threads)
    return None if known is None else Evidence(owner, sides, inverse, order, columns, *known)


def _dependent(whole: Whole, vectors: F64) -> tuple[Basis | None, bool]:
    """Find what columns are dependent, None if they are not, and whether that is proved."""
    reduction = Reduction.of(whole)
    place = np.ix_(reduction.core_rows, reduction.core_columns)
    core: Basis | None = no_rows(len(reduction.core_columns))
    proved = True
    if reduction.core_rows.size and reduction.core_columns.size:
        core, proved = independent_columns(whole[place], vectors[place])
    if proved and (core is None or not core.rest.size):
        return None, True
    found = None
    if proved and core is not None:
        found = reduction.dependence(whole, core)
    if found is None and reduction.rows and len(vectors):
        return independent_columns(whole, vectors)
    return found, found is not None


def _decided(
    vectors: F64, whole: Whole, factors: list[Fraction], threads: int
) -> tuple[Partition, Signs | Lifted] | None:
    """Split vectors of full column rank, and find the signs of all coordinates."""
    reduction = Reduction.of(whole)
    if not reduction.rows:
        cone = split(vectors, whole, factors, threads)
        return None if cone is None else (cone, Signs(cone))
    place = np.ix_(reduction.core_rows, reduction.core_columns)
    own = [factors[i] for i in reduction.core_rows.tolist()]
    core = split(
        np.ascontiguousarray(vectors[place]), np.ascontiguousarray(whole[place]), own, threads
    )
    if core is None:
        return None
    lifted = Lifted(whole, factors, reduction)
    signs = Signs(core, lifted.functionals)
    return lifted.join(vectors, whole, core, signs), lifted


def _distinct(Z: F64) -> tuple[F64, Index]:
    """Return the distinct rows that are not zero, and which of them every row is; -1 for zeros."""
    Z = Z + 0.0  # no negative zeros
    lines = Z.view(np.dtype((np.void, Z.itemsize * Z.shape[1]))).ravel()
    _, first, inverse = if_long(Z.size, np.unique, lines, return_index=True, return_inverse=True)
    vectors = Z[first]
    nonzero = vectors.any(axis=1)
    places = np.cumsum(nonzero) - 1
    places[~nonzero] = -1
    return vectors[nonzero], places[inverse.reshape(-1)]
