"""Maximum margins and linear separability, each with a certificate."""

from fastgrok.geometry._max_margin import MaxMargin, max_margin
from fastgrok.geometry._separability import Separability, separability

__all__ = ["MaxMargin", "Separability", "max_margin", "separability"]
