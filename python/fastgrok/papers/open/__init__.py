"""
What Das et al. (2026) and Beck et al. (2025) both leave open.

Each figure is a function that trains and returns data, one that draws it and one that judges what
one might expect by it.
"""

from fastgrok.papers._catalogue import Paper
from fastgrok.papers.open._adam import adam, draw_adam, judge_adam, write_adam
from fastgrok.papers.open._decay import decay, draw_decay, judge_decay, write_decay
from fastgrok.papers.open._draws import Circle, Cube, Edge, Teacher
from fastgrok.papers.open._item import SIZES, Size, item
from fastgrok.papers.open._kernel import draw_kernel, judge_kernel, kernel, write_kernel
from fastgrok.papers.open._losses import draw_losses, judge_losses, losses, write_losses
from fastgrok.papers.open._momentum import (
    draw_momentum,
    judge_momentum,
    momentum,
    write_momentum,
)
from fastgrok.papers.open._noise import draw_noise, judge_noise, noise, write_noise
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
        item("grokking time against weight decay", decay, write_decay),
        item("grokking time against momentum", momentum, write_momentum),
        item("which margin Adam and AdamW tend to", adam, write_adam),
        item("flipped labels", noise, write_noise),
        item("other losses against lambda", losses, write_losses),
        item("a Gaussian kernel", kernel, write_kernel),
    ),
    reading="reading (here: the setting)",
)
