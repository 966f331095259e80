"""How far a run is from the direction of a maximum margin, and which one that is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64
from fastgrok.descent import table
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.geometry import NORMS, MaxMargin, max_margin
from fastgrok.records import Record


class Alignment(np.ndarray[Any, np.dtype[np.float64]]):
    """
    Cosines at the records, an array that says what they are measured against.

    Parts of it say so too; what is computed from it is a plain array.

    Attributes
    ----------
    limit : MaxMargin or None
        The solution whose direction it is.
    note : str
        Whether the run must end there, as far as theory knows, and whether it is one of several.
    """

    limit: MaxMargin | None
    note: str

    def __array_finalize__(self, obj: Any) -> None:
        """Take over what the whole says."""
        self.limit = getattr(obj, "limit", None)
        self.note = getattr(obj, "note", "")

    def __array_wrap__(
        self, array: NDArray[Any], context: Any = None, return_scalar: bool = False
    ) -> Any:
        """Give plain arrays and numbers as results."""
        out = np.asarray(array)
        return out[()] if return_scalar else out

    def __repr__(self) -> str:
        """Show the cosines and against what they are."""
        values = np.array2string(np.asarray(self), separator=", ", threshold=20)
        if self.limit is None:
            return values
        best = f"max_margin with norm={self.limit.norm!r}, bias={self.limit.bias!r}"
        return f"{values}\nto {best}: {self.note}"

    __str__ = __repr__


def bias_of(run: Record) -> str:
    """Return the argument `bias` of the margins that a run has to do with."""
    return "penalized" if run.params["bias"] else "none"


def alignment(run: Record, solution: MaxMargin | str | None) -> Alignment:
    """Cosine of the recorded weights and a solution; see `Trajectory.alignment`."""
    if run.weights is None:
        raise ValueError("alignment needs a run made with keep_weights=True")
    step = OPTIMIZERS[run.params.get("optimizer", table.DEFAULTS["optimizer"])]
    if solution is None or isinstance(solution, str):
        norm = _ball(run) or step.limit or "l2"
        if solution is not None:
            norm = _checks.choice("solution", solution, NORMS)
        if run.data is None:
            words = "" if norm == "l2" else f", norm={norm!r}"
            raise ValueError(
                "alignment needs the solution, max_margin(X, y, bias="
                f"{bias_of(run)!r}{words}), of a run that was loaded: its data were not saved"
            )
        solution = max_margin(*run.data, bias=bias_of(run), norm=norm)
    elif not isinstance(solution, MaxMargin):
        raise TypeError(
            "solution must be what max_margin returns, or one of "
            f"{', '.join(map(repr, NORMS))}, got {_checks.show(solution)}"
        )
    if solution.w.size != run.w.size:
        raise ValueError(
            f"solution must have {run.w.size} weights, as the run, got {solution.w.size}"
        )
    cosine = _cosine(run.weights, solution).view(Alignment)
    cosine.limit, cosine.note = solution, _note(run, solution)
    return cosine


def _cosine(weights: F64, solution: MaxMargin) -> F64:
    if solution.bias == "penalized":
        theta, target = weights, np.append(solution.w, solution.b)
    else:
        theta, target = weights[:, :-1], solution.w
    # Powers of two keep the squares of very late and very early weights in range.
    sizes = np.frexp(np.abs(theta).max(axis=1, initial=0.0))[1]
    theta = np.ldexp(theta, -sizes[:, None])
    target = np.ldexp(target, -np.frexp(np.abs(target).max())[1])
    with np.errstate(invalid="ignore"):
        cosine: F64 = theta @ target / (np.linalg.norm(theta, axis=1) * np.linalg.norm(target))
    return np.clip(cosine, -1.0, 1.0, out=cosine)


def _ball(run: Record) -> str:
    """Norm in which decay bounds all that the run trains, on a loss that falls for ever, or ""."""
    decay = run.params.get("weight_decay", 0.0)
    if not decay or table.lack("margin", {**run.params, "weight_decay": 0.0}):
        return ""
    if run.params["bias"] and not run.params["decay_bias"]:
        return ""
    return OPTIMIZERS[run.params.get("optimizer", table.DEFAULTS["optimizer"])].ball


def _note(run: Record, solution: MaxMargin) -> str:
    """Whether theory has a run end in this direction."""
    step = OPTIMIZERS[run.params.get("optimizer", table.DEFAULTS["optimizer"])]
    if solution.norm == _ball(run) and solution.bias == bias_of(run):
        note = step.theory_of_ball
    elif missing := table.lack("margin", run.params):
        note = f"theory has no such limit, for {missing}"
    elif step.limit is None:
        note = f"theory has no limit of {step.title}"
    elif solution.bias != bias_of(run):
        trained = "with" if run.params["bias"] else "without"
        note = f"not the limit of a run {trained} a bias, which is that for {bias_of(run)!r}"
    elif solution.norm == step.limit:
        note = step.theory
    else:
        note = f"not the limit, which is that in {step.limit!r}: {step.theory}"
    several = {
        True: "",
        False: "; one of several solutions",
        None: "; perhaps one of several solutions",
    }
    return note + several[solution.unique]
