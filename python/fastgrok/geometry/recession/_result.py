"""The answer on separation, and how it is printed."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, plural
from fastgrok.geometry.recession._evidence import Evidence, Proof

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_LINES = 30
_MEANING = {
    "finite": "a finite estimate",
    "+inf": "grows without bound",
    "-inf": "falls without bound",
    "either": "unbounded on either side",
    "undecided": "nothing was proved",
}


@dataclass(frozen=True, eq=False)
class Separation:
    """
    Whether a regression has estimates, and which rows and coefficients are to blame if not.

    With z_i = y_i (x_i, 1), or y_i x_i without bias, a direction d separates if z_i . d >= 0 for
    all i and not all are 0. In a Poisson model z_i = -(x_i, 1) for y_i = 0, and z_i . d = 0 for the
    others.

    Attributes
    ----------
    kind : str
        "complete" (a direction pushes off every row), "quasi-complete" (some rows), "none" (there
        is no such direction: the estimates exist), or "undecided" (nothing was proved).
    rows : ndarray of int
        Sorted indices of the rows that some separating direction pushes off, z_i . d > 0. One
        direction is enough for all of them: `direction`. They are positions, counted from 0 (those
        of ``iloc``); `row_labels` is what a data frame's index calls them.
    coefficients : list of str
        By column, the intercept last: "finite" (d_j = 0 for every separating d), "+inf" (d_j > 0
        for some, < 0 for none), "-inf", "either" (both), or "undecided". All of this is said of
        the model without the `aliased` columns. These have no estimate of their own (R has NA): in
        this list they count as "finite", because left out means 0, and printing says "aliased".
    direction : tuple of Fraction or None
        By column, the intercept last: z_i . direction > 0 for all of `rows` and 0 for all others,
        without rounding. The largest magnitude is 1.
    weights : ndarray of shape (n,) or None
        Positive for all rows of `overlap`, with sum_i weights_i z_i = 0, which proves that no
        direction pushes off one of these; of any sign for rows with y > 0 in a Poisson model. They
        are `exact_weights`, rounded. 0 for all others.
    exact_weights : tuple of Fraction or None
        The same without rounding. None where that takes too long, as for hundreds of columns of
        numbers with many digits: then `weights` are those of rows that span all others, rounded,
        and that exact ones exist is what was proved.
    overlap : ndarray of int
        Sorted indices of the other rows: on these the rest of the model has finite estimates.
        Rows of weight 0 are in neither.
    names : list of str
        Of the columns, the intercept last: "(intercept)".
    aliased : list of int
        Columns that are linear combinations of those before them, the intercept counting as the
        first: without them the other columns are independent. With them the likelihood is constant
        along as many dimensions.
    determined : list of bool
        By column: whether the rows alone determine the coefficient. Those of aliased columns and of
        what these depend on are relative to which columns are left out. False where nothing is
        proved.
    classes : tuple or None
        What the labels of the two classes are called, the one with z_i = -(x_i, 1) first.
    model : str
        "logistic" or "poisson".
    bias : bool
        Whether the model has an intercept.
    proof : str
        How the rows were verified, in words.
    evidence : Evidence or None
        What :meth:`certificate` answers from; None where nothing is proved.
    index : ndarray of shape (n,) or None
        Of the data frame, if its rows are called other than by their positions.
    absent : object
        The one of `classes` that no row has which counts, if there is such a one, else None. Then
        separation is complete, and nothing but a bias is needed for it.
    """

    kind: str
    rows: NDArray[np.intp]
    coefficients: list[str]
    direction: tuple[Fraction, ...] | None = field(repr=False)
    weights: F64 | None
    exact_weights: tuple[Fraction, ...] | None
    overlap: NDArray[np.intp]
    names: list[str]
    aliased: list[int]
    determined: list[bool]
    classes: tuple[Any, Any] | None
    model: str
    bias: bool
    proof: str
    evidence: Evidence | None = field(repr=False)
    index: NDArray[Any] | None = field(default=None, repr=False)
    absent: Any = None

    @property
    def row_labels(self) -> list[Any] | None:
        """What the index of the data frame calls `rows`; None without one that says more."""
        return None if self.index is None else self.index[self.rows].tolist()

    @property
    def separated(self) -> bool:
        """Whether any row is pushed off."""
        return self.kind in ("complete", "quasi-complete")

    def certificate(self, column: int | str) -> Proof:
        """
        Return what proves the verdict on a coefficient.

        Parameters
        ----------
        column : int or str
            Its place among the coefficients, or its name.

        Returns
        -------
        Proof
            Directions and combinations of rows, exact.

        Raises
        ------
        ValueError
            If there is no such column, or nothing is proved.
        """
        if isinstance(column, str):
            if column not in self.names:
                raise ValueError(f"column must be one of the names, got {column!r}")
            if self.names.count(column) > 1:
                places = [j for j, name in enumerate(self.names) if name == column]
                raise ValueError(
                    f"column {column!r} is the name of several: give the place, one of {places}"
                )
            place = self.names.index(column)
        else:
            place = _checks.whole("column", column, minimum=0, maximum=len(self.names) - 1)
        if self.evidence is None:
            raise ValueError("nothing is proved of these rows: the kind is 'undecided'")
        return self.evidence.proof(place, self.coefficients[place])

    def to_dict(self) -> dict[str, Any]:
        """
        Return what was found as JSON can hold it.

        Returns
        -------
        dict
            "kind", "model", "bias", "classes", "absent", "rows" and "overlap" (positions, from 0),
            "row_labels", "coefficients", a dict each with "name", "verdict", "aliased",
            "determined" and "direction" (rounded), and "proof".
        """
        direction = [float(value) for value in self.direction or [0.0] * len(self.names)]
        determined = self.determined or [False] * len(self.names)  # where nothing is proved
        columns = zip(self.names, self.coefficients, determined, direction, strict=True)
        return {
            "kind": self.kind,
            "model": self.model,
            "bias": self.bias,
            "classes": None if self.classes is None else [_plain(label) for label in self.classes],
            "absent": _plain(self.absent),
            "rows": self.rows.tolist(),
            "row_labels": self.row_labels and [_plain(label) for label in self.row_labels],
            "overlap": self.overlap.tolist(),
            "coefficients": [
                {
                    "name": name,
                    "verdict": verdict,
                    "aliased": j in self.aliased,
                    "determined": fixed,
                    "direction": value,
                }
                for j, (name, verdict, fixed, value) in enumerate(columns)
            ],
            "proof": self.proof,
        }

    def to_pandas(self) -> DataFrame:
        """
        Return the coefficients as a table.

        Returns
        -------
        pandas.DataFrame
            A line for each column, by name, with its verdict (`coefficient`), whether it is
            `aliased` and `determined`, and its entry of `direction`, rounded.
        """
        from pandas import DataFrame  # noqa: PLC0415

        direction = [0.0] * len(self.names)
        if self.direction is not None:
            direction = [float(value) for value in self.direction]
        return DataFrame(
            {
                "coefficient": self.coefficients,
                "aliased": [j in self.aliased for j in range(len(self.names))],
                "determined": self.determined,
                "direction": direction,
            },
            index=self.names,
        )

    def __repr__(self) -> str:
        """Say the kind, and how many rows and coefficients there are of each."""
        count = len(self.rows) + len(self.overlap)
        return (
            f"Separation({self.kind!r}, {self.model}, {len(self.rows)} of {plural(count, 'row')} "
            f"pushed off, {self._unbounded()} of {plural(len(self.names), 'coefficient')} not "
            "finite)"
        )

    def __str__(self) -> str:
        """Show the verdict on every coefficient."""
        table = self._table()
        width = max((len(name) for name, _, _ in table), default=0)
        lines = [
            f"{name:<{width}}  {verdict:<9}  {meaning}".rstrip() for name, verdict, meaning in table
        ]
        return "\n".join([*self._heads(), *(f"  {line}" for line in lines), *self._tails()])

    def _repr_html_(self) -> str:
        """Show the same in a notebook."""
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{verdict}</td><td>{meaning}</td></tr>"
            for name, verdict, meaning in self._table()
        )
        heads, tails = (
            "".join(f"<p>{html.escape(line)}</p>" for line in lines)
            for lines in (self._heads(), self._tails())
        )
        return f"{heads}<table>{rows}</table>{tails}"

    def _unbounded(self) -> int:
        return sum(verdict != "finite" for verdict in self.coefficients)

    def _heads(self) -> list[str]:
        count = len(self.rows) + len(self.overlap)
        what = {
            "complete": "complete separation: a direction pushes off all rows",
            "quasi-complete": f"quasi-complete separation: {len(self.rows)} of "
            f"{plural(count, 'row')} can be pushed off",
            "none": f"no separation among {plural(count, 'row')}: the estimates exist",
            "undecided": "undecided: nothing was proved",
        }[self.kind]
        lines = [f"{self.model.capitalize()} model, {what}"]
        if self.classes is not None and self.classes != (-1, 1):
            lines.append(f"classes: {self.classes[0]!r} against {self.classes[1]!r}")
        if self.absent is not None:
            lines.append(f"class {self.absent!r} has no rows: there is nothing to separate from")
        return lines

    def _table(self) -> list[tuple[str, str, str]]:
        """Name, verdict and meaning of coefficients: all, or so many, those not finite first."""
        order = list(range(len(self.names)))
        if len(order) > _MOST_LINES:
            order = sorted(order, key=lambda j: self.coefficients[j] == "finite")[:_MOST_LINES]
        lines = []
        for j in order:
            verdict = self.coefficients[j]
            meaning = _MEANING[verdict]
            if j in self.aliased:
                verdict, meaning = "aliased", "a combination of columns before it, left out"
            lines.append((self.names[j], verdict, meaning))
        return lines

    def _tails(self) -> list[str]:
        lines = []
        if len(self.names) > _MOST_LINES:
            lines.append(f"  ... {len(self.names) - _MOST_LINES} more")
        if self.aliased:
            names = ", ".join(self.names[j] for j in self.aliased[:5])
            more = ", ..." if len(self.aliased) > 5 else ""
            lines.append(
                f"rank {len(self.names) - len(self.aliased)} of "
                f"{plural(len(self.names), 'column')}; aliased: {names}{more}"
            )
        if self.separated:
            shown = ", ".join(str(i) for i in self.rows[:10])
            more = ", ..." if len(self.rows) > 10 else ""
            lines.append(f"rows pushed off, counted from 0: {shown}{more}")
            if self.index is not None:
                called = ", ".join(str(label) for label in self.index[self.rows[:10]].tolist())
                lines.append(f"which the index calls: {called}{more}")
        return lines


def _plain(value: Any) -> Any:
    """Return what JSON can hold, or else its text."""
    return value if value is None or isinstance(value, str | int | float) else str(value)
