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
from fastgrok.papers.open._kernel import draw_kernel, judge_kernel, kernel, make_kernel
from fastgrok.papers.open._losses import draw_losses, judge_losses, losses, make_losses
from fastgrok.papers.open._momentum import (
    draw_momentum,
    judge_momentum,
    make_momentum,
    momentum,
)
from fastgrok.papers.open._noise import draw_noise, judge_noise, make_noise, noise
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
    "draw_kernel",
    "draw_losses",
    "draw_momentum",
    "draw_noise",
    "judge_adam",
    "judge_decay",
    "judge_kernel",
    "judge_losses",
    "judge_momentum",
    "judge_noise",
    "kernel",
    "losses",
    "momentum",
    "noise",
]

#: The figures that can be made.
PAPER = Paper(
    key="open",
    citation="Questions that both papers leave open",
    items=(
        Item("figure", "decay", "grokking time against weight decay", make_decay),
        Item("figure", "momentum", "grokking time against momentum", make_momentum),
        Item("figure", "adam", "which margin Adam and AdamW tend to", make_adam),
        Item("figure", "noise", "flipped labels", make_noise),
        Item("figure", "losses", "other losses against lambda", make_losses),
        Item("figure", "kernel", "a Gaussian kernel", make_kernel),
    ),
    reading="reading (here: the setting)",
)
