"""
Beck, Levi, Bar-Sinai (2025), *Grokking at the Edge of Linear Separability*.

arXiv 2410.04489. Each figure or table is a function that trains and returns data, one that draws it
and one that judges the paper's claims by it.
"""

from fastgrok.papers._catalogue import Item, Paper
from fastgrok.papers._separable_fraction import make_separable_fraction
from fastgrok.papers.beck2025._double_descent import (
    draw_double_descent,
    judge_double_descent,
    make_double_descent,
)
from fastgrok.papers.beck2025._draws import LAWS, Coordinates, Gaussians, Noise, TwoPoints
from fastgrok.papers.beck2025._figure1 import figure1, make_figure1, write_figure1
from fastgrok.papers.beck2025._figure1_claims import judge_figure1
from fastgrok.papers.beck2025._figure1_picture import draw_curves, draw_sweep
from fastgrok.papers.beck2025._figure2 import draw_figure2, figure2, judge_figure2, make_figure2
from fastgrok.papers.beck2025._figure3 import draw_figure3, figure3, judge_figure3, make_figure3
from fastgrok.papers.beck2025._figure4 import draw_figure4, figure4, judge_figure4, make_figure4
from fastgrok.papers.beck2025._figure5 import draw_figure5, figure5, judge_figure5, make_figure5
from fastgrok.papers.beck2025._figure8 import draw_figure8, figure8, judge_figure8, make_figure8
from fastgrok.papers.beck2025._figure9 import draw_figure9, figure9, judge_figure9, make_figure9
from fastgrok.papers.beck2025._figure16 import (
    draw_figure16,
    figure16,
    judge_figure16,
    make_figure16,
)
from fastgrok.papers.beck2025._laws import draw_laws, judge_laws, laws, make_laws
from fastgrok.papers.beck2025._setting import SIZES, Size
from fastgrok.papers.beck2025._sweep import sweep
from fastgrok.papers.beck2025._table1 import draw_table1, judge_table1, make_table1, table1
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
    "draw_double_descent",
    "draw_figure2",
    "draw_figure3",
    "draw_figure4",
    "draw_figure5",
    "draw_figure8",
    "draw_figure9",
    "draw_figure16",
    "draw_laws",
    "draw_sweep",
    "draw_table1",
    "figure1",
    "figure2",
    "figure3",
    "figure4",
    "figure5",
    "figure8",
    "figure9",
    "figure16",
    "judge_double_descent",
    "judge_figure1",
    "judge_figure2",
    "judge_figure3",
    "judge_figure4",
    "judge_figure5",
    "judge_figure8",
    "judge_figure9",
    "judge_figure16",
    "judge_laws",
    "judge_table1",
    "laws",
    "sweep",
    "table1",
    "write_figure1",
]

#: The figures and tables of this paper that can be reproduced.
PAPER = Paper(
    key="beck2025",
    citation="Beck, Levi, Bar-Sinai (2025), arXiv 2410.04489",
    items=(
        Item("figure", 1, "learning curves, and the way through lambda = 1/2", make_figure1),
        Item("figure", 2, "the weights in conformal time", make_figure2),
        Item("figure", 3, "margins and times of the two-point model", make_figure3),
        Item("figure", 4, "two Gaussian classes with a noisy signal", make_figure4),
        Item("figure", 5, "Adam", make_figure5),
        Item("figure", 8, "the two-point model against lambda", make_figure8),
        Item("figure", 9, "times of the two-point model near lambda = 1/2", make_figure9),
        Item("figure", 16, "a fraction of the labels differs", make_figure16),
        Item("table", 1, "late times of the two-point model", make_table1),
        Item("figure", "laws", "other distributions and the exponential loss", make_laws),
        Item("figure", "double-descent", "fixed horizons against lambda", make_double_descent),
        Item("figure", "separable", "separable draws beside Wendel's law", make_separable_fraction),
    ),
)
