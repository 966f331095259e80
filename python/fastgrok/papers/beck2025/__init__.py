"""
Beck, Levi, Bar-Sinai (2025), *Grokking at the Edge of Linear Separability*.

arXiv 2410.04489. Each figure or table is a function that trains and returns data, one that draws it
and one that judges the paper's claims by it.
"""

from fastgrok.papers._catalogue import Item, Paper
from fastgrok.papers.beck2025._draws import LAWS, Coordinates, Gaussians, Noise, TwoPoints
from fastgrok.papers.beck2025._figure1 import figure1, make_figure1, write_figure1
from fastgrok.papers.beck2025._figure1_claims import judge_figure1
from fastgrok.papers.beck2025._figure1_picture import draw_curves, draw_sweep
from fastgrok.papers.beck2025._figure2 import draw_figure2, figure2, judge_figure2, make_figure2
from fastgrok.papers.beck2025._figure9 import draw_figure9, figure9, judge_figure9, make_figure9
from fastgrok.papers.beck2025._setting import SIZES, Size
from fastgrok.papers.beck2025._training import Case, Run, Trainer

__all__ = [
    "LAWS",
    "PAPER",
    "SIZES",
    "Case",
    "Coordinates",
    "Gaussians",
    "Noise",
    "Run",
    "Size",
    "Trainer",
    "TwoPoints",
    "draw_curves",
    "draw_figure2",
    "draw_figure9",
    "draw_sweep",
    "figure1",
    "figure2",
    "figure9",
    "judge_figure1",
    "judge_figure2",
    "judge_figure9",
    "write_figure1",
]

#: The figures and tables of this paper that can be reproduced.
PAPER = Paper(
    key="beck2025",
    citation="Beck, Levi, Bar-Sinai (2025), arXiv 2410.04489",
    items=(
        Item("figure", 1, "learning curves, and the way through lambda = 1/2", make_figure1),
        Item("figure", 2, "the weights in conformal time", make_figure2),
        Item("figure", 9, "times of the two-point model near lambda = 1/2", make_figure9),
    ),
)
