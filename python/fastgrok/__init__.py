"""Exact, fast full-batch gradient descent for the study of grokking in linear models."""

from importlib.metadata import version

from fastgrok import datasets
from fastgrok.attacks import Attack, Pgd, adversarial_accuracy, pgd
from fastgrok.config import show_config
from fastgrok.datasets import Dataset
from fastgrok.errors import (
    CheckpointError,
    DivergenceError,
    FastgrokError,
    Interrupted,
    NotSeparableError,
    StabilityWarning,
)
from fastgrok.geometry import MaxMargin, Separability, max_margin, separability
from fastgrok.margins import accuracy, hyperplane_distance, margins
from fastgrok.training import log_spaced, train
from fastgrok.trajectory import EngineReport, GrokkingTimes, Phases, Trajectory

__version__ = version("fastgrok")

__all__ = [
    "Attack",
    "CheckpointError",
    "Dataset",
    "DivergenceError",
    "EngineReport",
    "FastgrokError",
    "GrokkingTimes",
    "Interrupted",
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
    "train",
]
