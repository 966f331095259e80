"""Where a run must end: its alignment with the limit, and what its plots show of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Data, EvaluationSet, sparse
from fastgrok._checks.populations import Population
from fastgrok.descent import table
from fastgrok.geometry import Limit as RegularizedLimit
from fastgrok.geometry import MaxMargin, NotSeparableError, regularized_limit
from fastgrok.linear import Pgd
from fastgrok.questions._kept import repeated_data, row_weights, why_without
from fastgrok.questions.alignments import bias_of, late_part, margin_of
from fastgrok.records import Record

if TYPE_CHECKING:
    from fastgrok.theory.bias import LateTime
    from fastgrok.theory.edge import StationaryPoint

    Margin: TypeAlias = MaxMargin | LateTime | StationaryPoint
    Limit: TypeAlias = Margin | RegularizedLimit

_ALIKE = 1e-2
"""Of a solution's own conditions: it may be rough, and other data are farther off."""
_EARLY = 1e-6
"""1 / log t of the time at which accuracies are looked at where part of (w, b) stays finite."""
_ZERO = 1e-12
"""A part of (w, b) below this share of it cannot be told from the rounding of a solution."""


def find(run: Record) -> MaxMargin | RegularizedLimit | LateTime:
    """Find where a run must end: the maximum margin of its data, with the bias that it learns.

    Where only some rows can be separated, it is the late-time expansion for these.

    For points of one label that is also the limit where they are not separable from the origin:
    weights of 0 beside the bias. With weight decay it is the least of what descent minimises.
    """
    decays = bool(run.params.get("weight_decay"))
    if decays:
        _check_rests(run)
    else:
        _check_tends(run)
    if run.data is None:
        raise ValueError(
            f"limit='auto' needs the training data, which the run lacks ({why_without(run)}): give "
            "what max_margin, or with weight_decay regularized_limit, says of them"
        )
    if decays:
        return _optimum(run)
    try:
        return margin_of(run, "l2")
    except NotSeparableError as error:
        no = error
    raise NotSeparableError(
        f"limit='auto' needs rows that can be separated, or weight_decay; leave it out: {no}",
        no.certificate,
    )


def hyperplane(limit: Limit, run: Record, *, own: bool = False) -> tuple[F64, float]:
    """(w, b) of the hyperplane that a run tends to, up to a positive factor.

    That the limit is the run's is checked, unless it is its `own`, which `find` has found.
    """
    from fastgrok.theory.bias import LateTime  # noqa: PLC0415  (loads more of SciPy)
    from fastgrok.theory.edge import StationaryPoint  # noqa: PLC0415

    if isinstance(limit, RegularizedLimit):
        if not own:
            _check_optimum(limit, run)
        return limit.w, limit.b
    if isinstance(limit, MaxMargin):
        if limit.norm != "l2":
            raise ValueError(
                "limit must be that of a run of gradient descent, the margin in norm='l2', "
                f"got one for norm={limit.norm!r}"
            )
        w, b, kind = limit.w, limit.b, limit.bias
    elif isinstance(limit, LateTime):
        w, b, kind = limit.w_hat, limit.b_hat, "penalized"
    elif isinstance(limit, StationaryPoint):
        # The weights stay finite and the bias does not: beside it they vanish.
        w, b, kind = np.zeros_like(limit.S), float(np.sign(run.bias_final)), "penalized"
    else:
        raise TypeError(
            "limit must come from max_margin, regularized_limit, theory.bias.late_time or "
            f"theory.edge.stationary_point, got {_checks.show(limit)}"
        )
    if kind != bias_of(run):
        trained = "a bias" if run.params["bias"] else "no bias"
        raise ValueError(
            f"limit must be that of a run with {trained}, max_margin's bias={bias_of(run)!r}, "
            f"got one for bias={kind!r}"
        )
    if not own:
        _check_size(w, run)
        _check_run(limit, run)
    norm = float(np.linalg.norm(w))
    least = _ZERO * np.hypot(norm, b)
    return w if norm > least else np.zeros_like(w), b if abs(b) > least else 0.0


def _check_tends(run: Record) -> None:
    """Refuse a run that does not tend to a maximum margin."""
    if missing := table.lack("direction", run.params):
        decayed = missing.kind == "penalty"
        hint = " (its limit is that of regularized_limit)" if decayed else ""
        raise ValueError(
            "limit must be None, or that of another run: got a run with "
            f"{missing.whose}, which need not tend there: {missing}{hint}"
        )


def _check_rests(run: Record) -> None:
    """Refuse a run that does not end at the least loss with weight decay."""
    if not run.params.get("weight_decay"):
        raise ValueError(
            "limit must be None, or that of another run: got a run without weight_decay"
        )
    if missing := table.lack("optimum", run.params):
        raise ValueError(
            f"limit must be None, or that of another run: got a run with {missing.whose}, "
            f"which need not end at the least loss with decay: {missing}"
        )


def _optimum(run: Record) -> RegularizedLimit:
    """Find the optimum of a run whose data are known."""
    assert run.data is not None
    params = run.params
    keys = ("loss", "reduction", "bias", "decay_bias")
    X, y = repeated_data(run)
    return regularized_limit(X, y, params["weight_decay"], **{k: params[k] for k in keys})


def _check_optimum(limit: RegularizedLimit, run: Record) -> None:
    """Refuse an optimum that is not this run's, as far as its settings and data show."""
    _check_rests(run)
    _check_size(limit.w, run)
    if run.data is None:
        return
    right = _optimum(run)
    apart = float(np.hypot(np.linalg.norm(limit.w - right.w), limit.b - right.b))
    if not apart <= limit.distance + right.distance:
        raise ValueError(
            "limit must be regularized_limit of the run's training data, weight_decay, loss, "
            f"reduction, bias and decay_bias: that is {right}, got {limit}"
        )


def _check_size(w: F64, run: Record) -> None:
    if w.size != run.w.size:
        raise ValueError(
            f"limit must have {_checks.plural(run.w.size, 'weight')}, as the run, got {w.size}"
        )


def _check_run(limit: Margin, run: Record) -> None:
    """Refuse a limit that is not this run's, as far as its settings, rows and data show."""
    from fastgrok.theory.bias import LateTime  # noqa: PLC0415
    from fastgrok.theory.edge import StationaryPoint  # noqa: PLC0415

    _check_tends(run)
    rows, weighted = run.params["rows"], "total_weight" in run.params
    if weighted and not isinstance(limit, MaxMargin):
        total = run.params["total_weight"]  # of rows that are repeated
        rows = int(total) if total.is_integer() else total
    if not isinstance(limit, StationaryPoint) and limit.dual.size != rows:
        raise ValueError(
            f"limit must be of the run's {_checks.plural(rows, 'row')}"
            f"{', as often as they weigh' * (rows != run.params['rows'])}, "
            f"got one of {limit.dual.size}"
        )
    if isinstance(limit, LateTime):
        rate = run.params["lr"] / (rows if run.params["reduction"] == "mean" else 1)
        if not np.isclose(limit.rate, rate, rtol=1e-9, atol=0.0):
            raise ValueError(
                "limit must be late_time for the run's lr and reduction, "
                f"{run.params['lr']!r} and {run.params['reduction']!r}: the learning rate of a "
                f"row is {rate:g}, got {limit.rate:g}"
            )
    data = run.data
    if data is not None and not isinstance(limit, MaxMargin):
        data = repeated_data(run)
    if data is not None and not _solves(limit, *data):
        raise ValueError(
            f"limit must be that of the run's training data, of shape {data[0].shape}: "
            "got one of other data"
        )


def _solves(limit: Margin, X: NDArray[Any], y: NDArray[Any]) -> bool:
    """Whether a limit satisfies on these data what characterises it."""
    from fastgrok.theory.edge import StationaryPoint  # noqa: PLC0415

    X, y = X.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        if isinstance(limit, StationaryPoint):
            exponents = -y * (X @ limit.S)
            off = abs(float(np.log(np.mean(np.exp(exponents)) / limit.level)))
            return bool(np.all(y == y[0])) and off <= 1e-6 * (1.0 + float(np.ptp(exponents)))
        w, b = (limit.w, limit.b) if isinstance(limit, MaxMargin) else (limit.w_hat, limit.b_hat)
        margins = y * (X @ w + b)
        if (partly := late_part(limit)) is not None:
            held = np.zeros(len(y), dtype=bool)
            held[partly.overlap] = True
            off = np.abs(margins[held]).max(initial=0.0)
            return bool(off <= _ALIKE and abs(margins[~held].min() - 1.0) <= _ALIKE)
        least = float(margins.min())
        left = np.abs((limit.dual * y) @ X - w)
        rounding = 1e-9 * (limit.dual @ np.abs(X)).max()
        # Where X is so large that the dual underflows there is nothing to compare.
        same = not limit.dual.any() or bool(left.max() <= _ALIKE * np.abs(w).max() + rounding)
    return abs(least - 1.0) <= _ALIKE and same


def bias_line(limit: Limit, run: Record, steps: F64) -> F64:
    """Late bias at these steps, which a limit that holds no more than a direction does not give."""
    _, b = hyperplane(limit, run)
    if isinstance(limit, RegularizedLimit):
        return np.full(steps.shape, b)
    if isinstance(limit, MaxMargin):
        raise TypeError(
            "limit must come from regularized_limit, theory.bias.late_time or "
            "theory.edge.stationary_point for the bias itself: a maximum margin gives only the "
            "direction of (w, b)"
        )
    if missing := table.lack("late_bias", run.params):
        raise ValueError(
            "limit must be None for the bias itself, which grows otherwise in a run with "
            f"{missing.whose}: {missing}"
        )
    if hasattr(limit, "level"):
        rows = run.params.get("total_weight", run.params["rows"])
        rate = run.params["lr"] * (rows if run.params["reduction"] == "sum" else 1)
        line: F64 = b * np.log(rate * limit.level * steps)
        return line
    if not limit.finite:
        raise ValueError("limit must be finite, but limit.b_tilde is not: see LateTime.finite")
    late: F64 = limit.b_tilde + b * np.log(steps)
    return late


def accuracies(
    limit: Limit, run: Record, evals: Mapping[str, EvaluationSet] | None, *, own: bool = False
) -> dict[str, float]:
    """Accuracy of the limit on the training set, which a margin separates, and on those of `evals`.

    Default: the run's own, but for those that have no limit. Of an optimum with decay, and where
    only some rows are separated, that on the training set is known only as long as the set is.
    `own` is that of `hyperplane`.
    """
    w, b = hyperplane(limit, run, own=own)
    out = {"train": 1.0}
    partly = late_part(limit)
    if partly is not None and partly.finite:
        # Rows that the growing part leaves on the hyperplane are decided by the finite one.
        w, b = w + _EARLY * partly.w_tilde, b + _EARLY * partly.b_tilde
    if isinstance(limit, RegularizedLimit) or partly is not None:
        out = {}
        if run.data is not None:
            out["train"] = _accuracy(
                w, b, run.data, run.data, "train", run.params, row_weights(run)
            )
    classes = run.classes
    if evals is None:
        classes = _checks.SIGNS  # which the run has made of its own sets
        evals = {name: given for name, given in (run.evals or {}).items() if not _masked(given)}
    sets = _checks.evaluation_sets(evals, w.size, features=run.feature_names, classes=classes)
    for name, data in sets.items():
        if name not in run.losses:
            raise ValueError(
                f"evals[{name!r}] is no evaluation set of the run, which has {list(run.losses)}"
            )
        out[name] = _accuracy(w, b, data, evals[name], name, run.params)
    return out


def _accuracy(
    w: F64,
    b: float,
    data: Data | Population,
    given: EvaluationSet,
    name: str,
    params: Mapping[str, Any],
    weights: F64 | None = None,
) -> float:
    if isinstance(data, Population):
        norm = np.array([np.linalg.norm(w)])
        curves = data.curves(norm, np.array([b]), w[None], params["loss"], params["tie"])
        return float(curves[0][0])
    problem = sparse.problem(*data, True)
    where = w, b, params["loss"], params["tie"] == "negative", _checks.threads(None)
    if not isinstance(given, Pgd):
        if weights is not None:
            problem = problem.weighted(weights)
        return problem.evaluate(*where)[1] / problem.total_weight
    if _masked(given):
        raise ValueError(
            f"evals[{name!r}] has no limit: what automatic differentiation reports depends on "
            "the size of the weights"
        )
    return float(given._evaluator(problem).evaluate(*where)[1][0]) / problem.rows


def _masked(given: EvaluationSet) -> bool:
    """Whether a set is attacked by automatic differentiation."""
    return isinstance(given, Pgd) and given._settings.method.startswith("autodiff")
