"""What a given hyperplane does to given points: margins, accuracy, attacks."""

from fastgrok.linear._margins import (
    TIES,
    accuracy,
    hyperplane_distance,
    margins,
    power_of_two,
    scaled,
)
from fastgrok.linear.attacks import Attack, Pgd, adversarial_accuracy, pgd

__all__ = [
    "TIES",
    "Attack",
    "Pgd",
    "accuracy",
    "adversarial_accuracy",
    "hyperplane_distance",
    "margins",
    "pgd",
    "power_of_two",
    "scaled",
]
