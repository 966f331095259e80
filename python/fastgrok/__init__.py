"""Exact, fast full-batch gradient descent for the study of grokking in linear models.

What is public is imported when it is first asked for: importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
import logging  # noqa: F401 (before a fork waits here: it would keep the lock of logging then)
import os
import threading
from typing import TYPE_CHECKING, Any

# isort: off
if TYPE_CHECKING:  # for editors and type checkers; `as` makes a name public to these
    from fastgrok import (
        datasets as datasets,
        distributed as distributed,
        plots as plots,
        theory as theory,
    )
    from fastgrok.datasets import Dataset as Dataset
    from fastgrok.descent import schedules as schedules, stop as stop
    from fastgrok.descent.errors import (
        CheckpointError as CheckpointError,
        DivergenceError as DivergenceError,
        Interrupted as Interrupted,
        LeapError as LeapError,
    )
    from fastgrok.descent.stable import stable_lr as stable_lr
    from fastgrok.descent.steps import log_spaced as log_spaced
    from fastgrok.errors import (
        FastgrokError as FastgrokError,
        LeapWarning as LeapWarning,
        StabilityWarning as StabilityWarning,
        SweepWarning as SweepWarning,
    )
    from fastgrok.geometry import (
        KernelRows as KernelRows,
        Limit as Limit,
        MaxMargin as MaxMargin,
        NotSeparableError as NotSeparableError,
        Separability as Separability,
        Separation as Separation,
        kernel_rows as kernel_rows,
        max_margin as max_margin,
        regularized_limit as regularized_limit,
        separability as separability,
        separation as separation,
    )
    from fastgrok.linear import (
        Attack as Attack,
        Pgd as Pgd,
        accuracy as accuracy,
        adversarial_accuracy as adversarial_accuracy,
        hyperplane_distance as hyperplane_distance,
        margins as margins,
        pgd as pgd,
    )
    from fastgrok.linear.config import show_config as show_config
    from fastgrok.questions import GrokkingTimes as GrokkingTimes, Hit as Hit, Phases as Phases
    from fastgrok.records import EngineReport as EngineReport, LeapReport as LeapReport
    from fastgrok.sweeps import sweep as sweep
    from fastgrok.training import train as train, train_many as train_many
    from fastgrok.trajectory import Trajectory as Trajectory

    __version__: str
# isort: on

try:  # at once: it says whether this machine can run it
    importlib.import_module("fastgrok._core")
except ModuleNotFoundError as error:
    if error.name != "fastgrok._core":
        raise
    raise ImportError(
        "fastgrok has no compiled extension: this is its source, or an installation that "
        "failed half-way. Install it with pip install . in the folder that holds pyproject.toml"
    ) from error

# One thread at a time: NumPy, imported by several at once, can be found half imported.
_IMPORTING = threading.RLock()
# A fork waits for it: its holder is not there in the child, to give it back. What is registered
# last is asked first: before others take locks that the holder, importing, may want.
os.register_at_fork(
    before=_IMPORTING.acquire,
    after_in_parent=_IMPORTING.release,
    after_in_child=_IMPORTING.release,
)
_FROM = {
    "datasets": ("Dataset",),
    "descent": ("schedules", "stop"),
    "descent.errors": ("CheckpointError", "DivergenceError", "Interrupted", "LeapError"),
    "descent.stable": ("stable_lr",),
    "descent.steps": ("log_spaced",),
    "errors": ("FastgrokError", "LeapWarning", "StabilityWarning", "SweepWarning"),
    "geometry": (
        "KernelRows", "Limit", "MaxMargin", "NotSeparableError", "Separability", "Separation",
        "kernel_rows", "max_margin", "regularized_limit", "separability", "separation",
    ),
    "linear": (
        "Attack", "Pgd", "accuracy", "adversarial_accuracy", "hyperplane_distance", "margins",
        "pgd",
    ),
    "linear.config": ("show_config",),
    "questions": ("GrokkingTimes", "Hit", "Phases"),
    "records": ("EngineReport", "LeapReport"),
    "sweeps": ("sweep",),
    "training": ("train", "train_many"),
    "trajectory": ("Trajectory",),
}  # fmt: skip
_PACKAGES = {
    "datasets", "distributed", "errors", "geometry", "plots", "sweeps", "testing", "theory",
    "training", "trajectory",
}  # fmt: skip
_WHERE = {name: module for module, names in _FROM.items() for name in names}

if not TYPE_CHECKING:  # which would believe of a module with __getattr__ that it has any name
    __all__ = list(_WHERE)
    __all__ += ["__version__", "datasets", "distributed", "theory"]

    def __getattr__(name: str) -> Any:
        """Import what is asked for, and keep it."""
        with _IMPORTING:
            return globals()[name] if name in globals() else _import(name)

    def _import(name: str) -> Any:
        value: Any
        if name in _PACKAGES:
            value = importlib.import_module(f"fastgrok.{name}")
        elif name == "__version__":
            value = importlib.import_module("importlib.metadata").version("fastgrok")
        elif name in _WHERE:
            value = getattr(importlib.import_module(f"fastgrok.{_WHERE[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """Give the public names."""
        return __all__
