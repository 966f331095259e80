"""Maximum margins and linear separability, each with a certificate."""

from fastgrok.geometry.max_margin import MaxMargin, max_margin
from fastgrok.geometry.separability import Separability, separability

__all__ = ["MaxMargin", "Separability", "max_margin", "separability"]
