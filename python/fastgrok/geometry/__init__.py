"""Maximum margins and linear separability, each with a certificate."""

from fastgrok.geometry._max_margin import max_margin
from fastgrok.geometry._separability import Separability, separability
from fastgrok.geometry._solution import MaxMargin

__all__ = ["MaxMargin", "Separability", "max_margin", "separability"]
