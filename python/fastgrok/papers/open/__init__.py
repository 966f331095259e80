"""
What Das et al. (2026) and Beck et al. (2025) both leave open.

Each figure is a function that trains and returns data, one that draws it and one that judges what
one might expect by it.
"""

from fastgrok.papers._catalogue import Item, Paper
from fastgrok.papers.open._adam import adam, draw_adam, judge_adam, make_adam
from fastgrok.papers.open._decay import decay, draw_decay, judge_decay, make_decay
from fastgrok.papers.open._draws import Circle, Cube, Edge, Teacher
from fastgrok.papers.open._item import SIZES, Size
from fastgrok.papers.open._momentum import (
    draw_momentum,
    judge_momentum,
    make_momentum,
    momentum,
)
from fastgrok.papers.open._training import Case, Grid, Run, Trainer

__all__ = [
    "PAPER",
    "SIZES",
    "Case",
    "Circle",
    "Cube",
    "Edge",
    "Grid",
    "Run",
    "Size",
    "Teacher",
    "Trainer",
    "adam",
    "decay",
    "draw_adam",
    "draw_decay",
    "draw_momentum",
    "judge_adam",
    "judge_decay",
    "judge_momentum",
    "momentum",
]

#: The figures that can be made.
PAPER = Paper(
    key="open",
    citation="Questions that both papers leave open",
    items=(
        Item("figure", "decay", "grokking time against weight decay", make_decay),
        Item("figure", "momentum", "grokking time against momentum", make_momentum),
        Item("figure", "adam", "which margin Adam and AdamW tend to", make_adam),
    ),
)
