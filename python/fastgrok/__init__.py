"""Exact, fast full-batch gradient descent for the study of grokking in linear models."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastgrok import datasets
from fastgrok._many import train_many
from fastgrok._records import log_spaced
from fastgrok._stable import stable_lr
from fastgrok.attacks import Attack, Pgd, adversarial_accuracy, pgd
from fastgrok.config import show_config
from fastgrok.datasets import Dataset
from fastgrok.errors import (
    CheckpointError,
    CheckpointWarning,
    DivergenceError,
    FastgrokError,
    Interrupted,
    LeapError,
    LeapWarning,
    NotSeparableError,
    StabilityWarning,
)
from fastgrok.geometry import MaxMargin, Separability, max_margin, separability
from fastgrok.margins import accuracy, hyperplane_distance, margins
from fastgrok.training import train
from fastgrok.trajectory import EngineReport, GrokkingTimes, Hit, LeapReport, Phases, Trajectory

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
