"""What one asks of a recorded run: when it got where, and how far it came."""

from fastgrok.questions.alignments import Alignment
from fastgrok.questions.grokking import GrokkingTimes
from fastgrok.questions.hits import Hit
from fastgrok.questions.phases import Phases

__all__ = ["Alignment", "GrokkingTimes", "Hit", "Phases"]
