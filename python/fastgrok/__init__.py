"""Exact, fast full-batch gradient descent for the study of grokking in linear models."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastgrok import datasets
from fastgrok.datasets import Dataset
from fastgrok.descent.errors import CheckpointError, DivergenceError, Interrupted, LeapError
from fastgrok.descent.stable import stable_lr
from fastgrok.descent.steps import log_spaced
from fastgrok.errors import CheckpointWarning, FastgrokError, LeapWarning, StabilityWarning
from fastgrok.geometry import MaxMargin, NotSeparableError, Separability, max_margin, separability
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

if TYPE_CHECKING:
    from fastgrok import theory

__version__ = version("fastgrok")

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
    "separability",
    "show_config",
    "stable_lr",
    "theory",
    "train",
    "train_many",
]


def __getattr__(name: str) -> Any:
    """Import `theory` when it is first asked for: it loads more of SciPy than the rest needs."""
    if name == "theory":
        return importlib.import_module("fastgrok.theory")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
