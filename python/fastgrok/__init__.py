"""Exact, fast full-batch gradient descent for the study of grokking in linear models.

What is public is imported when it is first asked for: importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastgrok import datasets, theory
    from fastgrok.datasets import Dataset
    from fastgrok.descent.errors import CheckpointError, DivergenceError, Interrupted, LeapError
    from fastgrok.descent import schedules
    from fastgrok.descent.stable import stable_lr
    from fastgrok.descent.steps import log_spaced
    from fastgrok.errors import CheckpointWarning, FastgrokError, LeapWarning, StabilityWarning
    from fastgrok.geometry import (
        Limit,
        MaxMargin,
        NotSeparableError,
        Separability,
        max_margin,
        regularized_limit,
        separability,
    )
    from fastgrok.linear import (
        Attack,
        Pgd,
        accuracy,
        adversarial_accuracy,
        hyperplane_distance,
        margins,
        pgd,
    )
    from fastgrok.linear.config import show_config
    from fastgrok.questions import GrokkingTimes, Hit, Phases
    from fastgrok.records import EngineReport, LeapReport
    from fastgrok.training import train, train_many
    from fastgrok.trajectory import Trajectory

    __version__: str

__all__ = [
    "Attack",
    "CheckpointError",
    "CheckpointWarning",
    "Dataset",
    "DivergenceError",
    "EngineReport",
    "FastgrokError",
    "GrokkingTimes",
    "Hit",
    "Interrupted",
    "LeapError",
    "LeapReport",
    "LeapWarning",
    "Limit",
    "MaxMargin",
    "NotSeparableError",
    "Pgd",
    "Phases",
    "Separability",
    "StabilityWarning",
    "Trajectory",
    "__version__",
    "accuracy",
    "adversarial_accuracy",
    "datasets",
    "hyperplane_distance",
    "log_spaced",
    "margins",
    "max_margin",
    "pgd",
    "regularized_limit",
    "schedules",
    "separability",
    "show_config",
    "stable_lr",
    "theory",
    "train",
    "train_many",
]

try:  # at once: it says whether this machine can run it
    importlib.import_module("fastgrok._core")
except ModuleNotFoundError as error:
    if error.name != "fastgrok._core":
        raise
    raise ImportError(
        "fastgrok has no compiled extension: this is its source, or an installation that "
        "failed half-way. Install it with pip install . in the folder that holds pyproject.toml"
    ) from error

_FROM = {
    "datasets": ("Dataset",),
    "descent.errors": ("CheckpointError", "DivergenceError", "Interrupted", "LeapError"),
    "descent.stable": ("stable_lr",),
    "descent.steps": ("log_spaced",),
    "errors": ("CheckpointWarning", "FastgrokError", "LeapWarning", "StabilityWarning"),
    "geometry": (
        "Limit", "MaxMargin", "NotSeparableError", "Separability", "max_margin",
        "regularized_limit", "separability",
    ),
    "linear": (
        "Attack", "Pgd", "accuracy", "adversarial_accuracy", "hyperplane_distance", "margins",
        "pgd",
    ),
    "linear.config": ("show_config",),
    "questions": ("GrokkingTimes", "Hit", "Phases"),
    "records": ("EngineReport", "LeapReport"),
    "training": ("train", "train_many"),
    "trajectory": ("Trajectory",),
}  # fmt: skip
_WHERE = {name: module for module, names in _FROM.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and keep it."""
    value: Any
    if name in ("datasets", "theory"):
        value = importlib.import_module(f"fastgrok.{name}")
    elif name == "schedules":
        value = importlib.import_module("fastgrok.descent.schedules")
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
