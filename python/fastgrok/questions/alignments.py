"""How far a run is from the direction of a maximum margin, and which one that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok.descent import table
from fastgrok.descent.directions import ball, bias_kind, cosines, cosines_of, norm_of_limit
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.geometry import NORMS, MaxMargin, NotSeparableError, max_margin
from fastgrok.questions._kept import repeated_data, why_without
from fastgrok.records import Record

if TYPE_CHECKING:
    from fastgrok.theory.bias import LateTime


class Alignment(np.ndarray[Any, np.dtype[np.float64]]):
    """
    Cosines at the records, an array that says what they are measured against.

    Parts of it say so too; what is computed from it is a plain array.

    Attributes
    ----------
    limit : MaxMargin, LateTime or None
        The solution whose direction it is.
    note : str
        Whether the run must end there, as far as theory knows, and whether it is one of several.
    """

    limit: MaxMargin | LateTime | None
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
        best = "the growing part of late_time"
        if isinstance(self.limit, MaxMargin):
            best = f"max_margin with norm={self.limit.norm!r}, bias={self.limit.bias!r}"
        return f"{values}\nto {best}: {self.note}"

    __str__ = __repr__


def bias_of(run: Record) -> str:
    """Return the argument `bias` of the margins that a run has to do with."""
    return bias_kind(run.params)


def late_part(limit: object) -> LateTime | None:
    """Return a late-time expansion of data of which only some rows are separated, else None."""
    from fastgrok.theory.bias import LateTime  # noqa: PLC0415  (loads more of SciPy)

    return limit if isinstance(limit, LateTime) and limit.overlap.size else None


def margin_of(run: Record, norm: str) -> MaxMargin | LateTime:
    """Find the maximum margin of a run's data, or of those rows that can be separated."""
    assert run.data is not None
    try:
        return max_margin(*run.data, bias=bias_of(run), norm=norm)
    except NotSeparableError as no:
        params = run.params
        nothing = no.certificate.w is None  # no direction separates any row
        if nothing or norm != "l2" or not params["bias"] or table.lack("late_bias", params):
            raise
    from fastgrok.theory.bias import late_time  # noqa: PLC0415

    X, y = repeated_data(run)
    return late_time(X, y, params["lr"], params["reduction"], loss=params["loss"])


def alignment(run: Record, solution: MaxMargin | LateTime | str | None) -> Alignment:
    """Cosine of the recorded weights and a solution; see `Trajectory.alignment`."""
    if run.weights is None:
        raise ValueError("alignment needs a run made with keep_weights=True")
    if solution is None or isinstance(solution, str):
        norm = norm_of_limit(run.params)
        if solution is not None:
            norm = _checks.choice("solution", solution, NORMS)
        if run.data is None:
            words = "" if norm == "l2" else f", norm={norm!r}"
            raise ValueError(
                "alignment needs the solution, max_margin(X, y, bias="
                f"{bias_of(run)!r}{words}), of a run without its data ({why_without(run)})"
            )
        solution = margin_of(run, norm)
    if (late := late_part(solution)) is not None:
        return _late_alignment(run, late)
    if not isinstance(solution, MaxMargin):
        raise TypeError(
            "solution must be what max_margin returns, or one of "
            f"{', '.join(map(repr, NORMS))}, got {_checks.show(solution)}"
        )
    if solution.w.size != run.w.size:
        raise ValueError(
            f"solution must have {run.w.size} weights, as the run, got {solution.w.size}"
        )
    cosine = cosines(run.weights, solution).view(Alignment)
    cosine.limit, cosine.note = solution, _note(run, solution)
    return cosine


def _late_alignment(run: Record, late: LateTime) -> Alignment:
    """Cosine with the part of (w, b) that grows."""
    assert run.weights is not None
    if late.w_hat.size != run.w.size:
        raise ValueError(
            f"solution must have {run.w.size} weights, as the run, got {late.w_hat.size}"
        )
    cosine = cosines_of(run.weights, np.append(late.w_hat, late.b_hat)).view(Alignment)
    cosine.limit = late
    cosine.note = (
        "of the rows that can be separated; the others have a finite optimum (Ji and Telgarsky "
        "2018)"
    )
    return cosine


def _note(run: Record, solution: MaxMargin) -> str:
    """Whether theory has a run end in this direction."""
    step = OPTIMIZERS[run.params.get("optimizer", table.DEFAULTS["optimizer"])]
    if solution.norm == ball(run.params) and solution.bias == bias_of(run):
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
