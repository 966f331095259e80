"""What a run leaves behind: arrays over the recorded steps, and nothing that computes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import SIGNS, EvaluationSet, plural
from fastgrok.records.frozen import ByName, frozen
from fastgrok.records.reports import EngineReport

_COLUMNS = (
    "steps", "b", "norm_w", "sharpness", "sharpness_mean", "regime",
    "losses", "counts", "probabilities", "values",
)  # fmt: skip
"""Fields that have a value for every record, or of each set."""


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """The arrays, sizes and parameters of a run, and the report of the engine that made it.

    What each field holds is said where users read it, at `fastgrok.Trajectory`.
    """

    steps: NDArray[np.int64]
    b: NDArray[np.float64]
    norm_w: NDArray[np.float64]
    losses: dict[str, NDArray[np.float64]]
    counts: dict[str, NDArray[np.int64]]
    sizes: dict[str, int]
    sharpness: NDArray[np.float64]
    sharpness_mean: NDArray[np.float64]
    regime: NDArray[np.str_]
    w: NDArray[np.float64]
    bias_final: float
    weights: NDArray[np.float64] | None
    engine: EngineReport
    params: dict[str, Any]
    data: tuple[NDArray[Any], NDArray[Any]] | None = field(default=None, compare=False, repr=False)
    probabilities: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    evals: dict[str, EvaluationSet] | None = field(default=None, compare=False, repr=False)
    feature_names: tuple[str, ...] | None = None
    start: NDArray[np.float64] | None = None
    values: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    sample_weight: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Check that the shapes fit together and make the arrays read-only."""
        records = (self.steps.size,)
        points = [name for name in self.losses if name not in self.probabilities]
        if not (points == list(self.counts) == list(self.sizes)) or (
            next(iter(self.losses), None) != "train"
            or not self.probabilities.keys() < {*self.losses}
        ):
            raise ValueError(
                "losses (less those of probabilities), counts and sizes must have the same names, "
                f"'train' first; got {list(self.losses)}, {list(self.probabilities)}, "
                f"{list(self.counts)}, {list(self.sizes)}"
            )
        if self.feature_names is not None and len(self.feature_names) != self.w.size:
            raise ValueError(
                f"feature_names has {plural(len(self.feature_names), 'name')} "
                f"for {plural(self.w.size, 'weight')}"
            )
        fitting: dict[str, tuple[int, ...]] = dict.fromkeys(_COLUMNS, records)
        fitting["w"] = (self.w.size,)
        if self.start is not None:
            fitting["start"] = (self.w.size + 1,)
        if self.sample_weight is not None and (
            self.sample_weight.ndim != 1
            or np.count_nonzero(self.sample_weight) != self.params["rows"]
        ):
            raise ValueError(
                f"sample_weight has shape {self.sample_weight.shape} and "
                f"{np.count_nonzero(self.sample_weight)} that are not 0, for "
                f"{plural(self.params['rows'], 'row')}"
            )
        if self.weights is not None:
            fitting["weights"] = (*records, self.w.size + 1)
        own = self.__dict__
        for name, shape in fitting.items():
            held = own[name]
            for key, array in held.items() if isinstance(held, dict) else (("", held),):
                if array.shape != shape:
                    which = f"{name}[{key!r}]" if isinstance(held, dict) else name
                    raise ValueError(f"{which} has shape {array.shape}, expected {shape}")
        own.update({name: frozen(own[name]) for name in own if name not in ("data", "evals")})

    @property
    def loss(self) -> NDArray[np.float64]:
        """Training loss at every record, shape (R,)."""
        return self.losses["train"]

    @property
    def classes(self) -> tuple[Any, Any]:
        """What the labels are called: the one that counts as -1, and the one that does as +1."""
        negative, positive = self.params.get("classes", SIGNS)
        return negative, positive

    @property
    def accuracy(self) -> dict[str, NDArray[np.float64]]:
        """Fraction of correctly classified points at every record, by data set, shape (R,).

        Of a population, the probability that a point is classified correctly.
        """
        known = self.probabilities
        return ByName(
            {
                name: known[name] if name in known else frozen(self.counts[name] / self.sizes[name])
                for name in self.losses
            }
        )

    @property
    def period(self) -> NDArray[np.int64]:
        """Period of the cycle that the iterates have settled on, at every record, shape (R,).

        The number in a `regime` of ``"period-p"``, and 0 where there is none.
        """
        periods = [int(name.partition("-")[2] or 0) for name in self.regime.tolist()]
        period: NDArray[np.int64] = frozen(np.array(periods, np.int64))
        return period

    @property
    def distance(self) -> NDArray[np.float64]:
        """Distance |b| / ||w|| of the hyperplane from the origin at every record, shape (R,).

        NaN where w and b are both 0, infinite where only w is.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            distance: NDArray[np.float64] = frozen(np.abs(self.b) / self.norm_w)
        return distance
