"""Separation of regressions: the rows and coefficients that it concerns, each with proof."""

from fastgrok.geometry.recession._evidence import Proof
from fastgrok.geometry.recession._result import Separation
from fastgrok.geometry.recession._separation import separation

__all__ = ["Proof", "Separation", "separation"]
