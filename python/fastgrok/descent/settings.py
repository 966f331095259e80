"""The arguments of a run: checked, and made into what the core needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64, Classes, Data, EvaluationSet, Weights, frames, sparse
from fastgrok._checks.populations import Population, need_weights, points
from fastgrok._core import Attack, Descent, LeapingDescent, Problem
from fastgrok.descent import checkpoints, optimizers, table
from fastgrok.descent.allowed import exact_limit, rtol, skip
from fastgrok.descent.auto_rate import auto_rate, is_auto
from fastgrok.descent.elsewhere import refuse
from fastgrok.descent.identity import identity
from fastgrok.descent.leapable import FEWEST_STEPS, may_leap, why_never, why_none
from fastgrok.descent.on_record import OnRecord
from fastgrok.descent.on_record import check as check_function
from fastgrok.descent.schedules import Schedule
from fastgrok.descent.sets import Sets, are_elsewhere, dense_here
from fastgrok.descent.stable import REDUCTIONS
from fastgrok.descent.steps import log_spaced, records
from fastgrok.descent.stop import Condition, conditions
from fastgrok.geometry import exact_null_space
from fastgrok.linear import TIES, Pgd
from fastgrok.linear.losses import LOSSES, formula

REQUIRED = ("X", "y", "steps", "lr")
DEFAULTS: dict[str, Any] = {
    "loss": "logistic",
    "reduction": "mean",
    "bias": True,
    "w0": None,
    "b0": 0.0,
    "optimizer": "gd",
    "optimizer_options": None,
    "weight_decay": 0.0,
    "decay_bias": False,
    "schedule": None,
    "engine": "auto",
    "record": None,
    "evals": None,
    "sample_weight": None,
    "classes": None,
    "keep_weights": False,
    "rtol": 1e-8,
    "skip_rows": "auto",
    "tie": "wrong",
    "watch_sharpness": True,
    "exact_limit": None,
    "threads": None,
    "executor": None,
    "progress": False,
    "checkpoint": None,
    "checkpoint_interval": checkpoints.DEFAULT_INTERVAL,
    "stop": None,
    "on_record": None,
}
"""Those of `fastgrok.train`, which writes them out for its readers: a test holds both together."""
ARGUMENTS = (*REQUIRED, *DEFAULTS)
ENGINES = ("auto", *table.ENGINES)


@dataclass(frozen=True, eq=False)
class Settings:
    """
    The checked arguments of one run, by the names that `fastgrok.train` gives them.

    Attributes
    ----------
    data : dict
        The training set, without rows of weight 0, and then the evaluation sets and populations,
        by name.
    weights : Weights or None
        Of the training set's rows.
    given_weights : ndarray or None
        The same, and those that are 0.
    classes : tuple
        What the labels are called.
    record : ndarray of int64, or of float64 beyond 2**53
        The steps to record.
    progress, checkpoint
        As given, checked.
    feature_names : tuple of str, or None
        Names of the columns, where X is a frame that has them.
    """

    data: dict[str, Data | Population]
    weights: Weights | None
    given_weights: F64 | None
    classes: Classes
    evals: Mapping[str, EvaluationSet]
    steps: int
    optimizer: optimizers.Optimizer
    loss: str
    reduction: str
    bias: bool
    w0: F64
    b0: float
    record: NDArray[Any]
    keep_weights: bool
    engine: str
    rtol: float
    exact_limit: float
    skip_rows: str
    tie: str
    watch_sharpness: bool
    threads: int
    progress: bool | Callable[[int], None]
    checkpoint: str | None
    checkpoint_interval: float
    stop: tuple[Condition, ...]
    on_record: OnRecord | None
    feature_names: tuple[str, ...] | None

    @cached_property
    def train(self) -> Data:
        """The training set."""
        return points(self.data)["train"]

    @property
    def total_weight(self) -> float:
        """What the mean loss is divided by."""
        return self.train[0].shape[0] if self.weights is None else self.weights.total

    def evals_among(self, data: Mapping[str, Data | Population]) -> dict[str, EvaluationSet]:
        """Return the evaluation sets among `data`, checked, for a trajectory to keep."""
        return {
            name: given._with(points(data)[name][1])
            if isinstance(given := self.evals[name], Pgd)
            else value
            for name, value in data.items()
            if name != "train" and not are_elsewhere(value)
        }

    @property
    def leaps(self) -> bool:
        """Whether leaps are to be tried."""
        pays = self.engine == "leap" or self.steps - self.record.size >= FEWEST_STEPS
        return pays and may_leap(self.engine, self.never_leaps)

    @cached_property
    def never_leaps(self) -> str | None:
        """Why "auto" need not try to leap, whatever it costs; None if it may."""
        return why_never(self.loss, self.optimizer, self.steps)

    @property
    def parts(self) -> dict[str, str | Schedule]:
        """What the table of what goes together is to be asked with."""
        return {"loss": self.loss, **self.optimizer.parts}

    @property
    def work(self) -> int:
        """Entries of X that the run multiplies with, if it looks at all rows and leaps well."""
        steps = min(self.steps, FEWEST_STEPS) if self.leaps else self.steps
        return int(steps * sparse.entries(self.train[0]))

    def params(self) -> dict[str, Any]:
        """Return the settings that a trajectory shows."""
        rows, dim = self.train[0].shape
        weighted = {} if self.weights is None else {"total_weight": self.weights.total}
        return {
            "steps": self.steps,
            **self.optimizer.params(),
            "loss": self.loss,
            "reduction": self.reduction,
            "bias": self.bias,
            "b0": self.b0,
            "tie": self.tie,
            "rows": rows,
            "dim": dim,
            **weighted,
        }

    def problem(self, sets: Sets) -> Problem:
        """Prepare the training set."""
        return sets.problem(self.train, self.bias, self.weights)

    def descent(self, sets: Sets, threads: int) -> Descent:
        """Prepare the run."""
        return Descent(
            self.problem(sets),
            [
                self._evaluator(self.evals[name], data, sets)
                for name, data in points(self.data).items()
                if name != "train"
            ],
            self.record.astype(np.float64),
            loss=self.loss,
            scale=1.0 if self.reduction == "sum" else 1.0 / self.total_weight,
            lr=self.optimizer.lr,
            stepper=self.optimizer.for_core(),
            w=self.w0,
            b=self.b0,
            tie_negative=self.tie == "negative",
            keep_weights=self.keep_weights,
            watch_sharpness=self.watch_sharpness,
            skip_rows="never" if table.lack("skip_rows", self.parts) else self.skip_rows,
            threads=threads,
        )

    def leaping(self, descent: Descent) -> LeapingDescent | None:
        """Prepare the engine that leaps, if leaps are to be tried."""
        return self.engine_that_leaps(descent) if self.leaps else None

    def engine_that_leaps(
        self, descent: Descent, kept: Sequence[tuple[float, float]] = ()
    ) -> LeapingDescent:
        """Prepare the engine that leaps, also to fewer records than pay; it recalls `kept`."""
        return LeapingDescent(
            descent,
            rtol=self.rtol,
            exact_limit=self.exact_limit,
            must_leap=self.engine == "leap",
            horizon=float(self.steps),
            exact_null=self._exact_null,
            kept=kept,
        )

    def _exact_null(self, rows: list[int]) -> tuple[F64, F64, list[int]]:
        # What is orthogonal to rows of the training set is where a leap loses no digits.
        X = dense_here(self.train[0]).astype(np.float64)
        if self.bias:
            X = np.column_stack([X, np.ones(len(X))])
        null = exact_null_space(X[rows])
        return null.basis, null.rest, null.orthogonal(X).tolist()

    def recording(self, before: NDArray[Any]) -> Settings:
        """Return the same with records at these steps as well, and at its own behind them."""
        if not before.size:
            return self
        later = self.record[self.record > before[-1]]
        record = np.concatenate([before.astype(self.record.dtype), later])
        return dataclasses.replace(self, record=record)

    def ending(self, record: NDArray[Any]) -> Settings:
        """Return the same run left after the last of these records, of which it had more."""
        engine = self.engine if self.leaps else "exact"  # few records would leap now
        return dataclasses.replace(self, record=record, engine=engine)

    def rest_of(self, record: NDArray[Any], exact_steps: int) -> Settings:
        """
        Return the settings of the same run, recorded elsewhere and left after its last record.

        It leaps, with as many exact steps as are affordable or as the run took, `exact_steps`, and
        has the bits of the run up to where a leap ended before that did. Where it ends, and so
        where the next begins, depends on what is recorded; beyond, they agree within `rtol`.
        """
        limit = max(self.exact_limit, float(exact_steps))
        return dataclasses.replace(self, engine="leap", record=record, exact_limit=limit)

    def _evaluator(self, value: EvaluationSet, data: Data, sets: Sets) -> Problem | Attack:
        problem = sets.problem(data, self.bias)
        return value._evaluator(problem) if isinstance(value, Pgd) else problem

    def identity(self) -> dict[str, Any]:
        """Describe all that the bits of the run depend on, for its checkpoint."""
        settings = {
            **self.params(),
            "keep_weights": self.keep_weights,
            "watch_sharpness": self.watch_sharpness,
        }
        if self.stop:
            settings["stop"] = [str(one) for one in self.stop]
        arrays: dict[str, NDArray[Any]] = {"w0": self.w0, "record": self.record}
        arrays |= self.optimizer.schedule.arrays()
        if self.weights is not None:
            arrays["sample_weight"] = self.weights.values
        data = points(self.data)
        for name in list(data)[1:]:
            value = self.evals[name]
            if isinstance(value, Pgd):
                value._describe(f"evals[{name!r}] ", settings, arrays)
            else:
                settings[f"evals[{name!r}] method"] = "no attack"
        return identity(data, arrays, settings)


def check(arguments: Mapping[str, Any], sets: Sets, name: Callable[[str], str] = str) -> Settings:
    """
    Check all arguments of `fastgrok.train`, by name.

    Parameters
    ----------
    arguments : dict
        Every one of them.
    sets : Sets
        Where the data sets are to be kept.
    name : callable
        What a message is to call an argument.

    Raises
    ------
    ValueError, TypeError
        For arguments that make no sense.
    """
    given = arguments
    refuse(given, name)
    data, classes = sets.training(given, name)
    weights = given_weights = None
    if given["sample_weight"] is not None:
        given_weights = _checks.row_weights(
            name("sample_weight"), given["sample_weight"], data[0].shape[0], given["X"], name("X")
        )
        data, weights = sets.weighted(data, given_weights)
    dim = data[0].shape[1]
    engine = _checks.choice(name("engine"), given["engine"], ENGINES)
    auto = is_auto(name("lr"), given["lr"])
    loss = _checks.choice(name("loss"), given["loss"], LOSSES)
    steps = _checks.whole(name("steps"), given["steps"], maximum=int(np.finfo(np.float64).max))
    optimizer = optimizers.check(given, 1.0 if auto else given["lr"], steps, name)
    if auto and "lr" not in (given["optimizer_options"] or {}):
        rate = auto_rate(given, data[0], weights, loss, optimizer, name)
        optimizer = dataclasses.replace(optimizer, lr=rate)
    parts = {"loss": loss, **optimizer.parts}
    never = why_never(loss, optimizer, steps)
    if not may_leap(engine, never):
        why = f" where none is leaped ({why_none(engine, loss, optimizer)})"
        _checks.whole(name("steps"), given["steps"], maximum=_checks.MAX_EXACT_STEPS, why=why)
    names = frames.features(given["X"])
    evals = _checks.evaluation_sets(
        given["evals"],
        dim,
        argument=name("evals"),
        read=sets.data,
        features=names,
        classes=classes,
    )
    interval = _checks.real(name("checkpoint_interval"), given["checkpoint_interval"])
    if interval < 0.0:
        raise ValueError(f"{name('checkpoint_interval')} must not be negative, got {interval}")
    _check_together(engine, parts, evals, name)
    stop = conditions(name("stop"), given["stop"])
    on_record = check_function(name("on_record"), given["on_record"])
    needs = on_record is not None or any(one.needs_weights for one in stop)
    w0, record, file, progress = (given[key] for key in ("w0", "record", "checkpoint", "progress"))
    settings = Settings(
        data={"train": data, **evals},
        weights=weights,
        given_weights=given_weights,
        classes=classes,
        evals=given["evals"] or {},
        steps=steps,
        optimizer=optimizer,
        loss=loss,
        reduction=_checks.choice(name("reduction"), given["reduction"], REDUCTIONS),
        bias=_checks.flag(name("bias"), given["bias"]),
        w0=(np.zeros(dim) if w0 is None else _checks.coefficients(name("w0"), w0, dim, given["X"])),
        b0=_checks.real(name("b0"), given["b0"]),
        record=(
            log_spaced(steps) if record is None else records(record, steps, name=name("record"))
        ),
        keep_weights=_checks.flag(name("keep_weights"), given["keep_weights"])
        or need_weights(evals)
        or needs,
        engine=engine,
        rtol=rtol(name("rtol"), given["rtol"]),
        exact_limit=exact_limit(name("exact_limit"), given["exact_limit"], data[0]),
        skip_rows=skip(name("skip_rows"), given["skip_rows"]),
        tie=_checks.choice(name("tie"), given["tie"], TIES),
        watch_sharpness=_checks.flag(name("watch_sharpness"), given["watch_sharpness"]),
        threads=_checks.threads(given["threads"]),
        progress=_checks.flag_or_function(name("progress"), progress),
        checkpoint=None if file is None else _checks.path(name("checkpoint"), file),
        checkpoint_interval=interval,
        stop=stop,
        on_record=on_record,
        feature_names=names,
    )
    if not stop:
        return settings
    ready = tuple(one.bound(settings.params(), settings.data) for one in stop)
    return dataclasses.replace(settings, stop=ready)


def _check_together(
    engine: str,
    parts: Mapping[str, Any],
    evals: Mapping[str, Data | Population],
    name: Callable[[str], str],
) -> None:
    """Refuse an engine, and populations, that lack something for the rest."""
    if engine != "auto" and (missing := table.lack(engine, parts)):
        able = [e for e in ENGINES if e not in table.USES or not table.lack(e, parts)]
        raise ValueError(
            f"{name('engine')} must be {' or '.join(map(repr, able))} with {missing.whose}, "
            f"got {engine!r}: {missing}"
        )
    for key, value in evals.items():
        if isinstance(value, Population):
            formula(dict.fromkeys(value.losses), parts["loss"], f"{name('evals')}[{key!r}]")
