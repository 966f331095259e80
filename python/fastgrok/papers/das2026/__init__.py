"""
Das, Vedantam, Lakshminarayanan (2026), *Grokking in Linear Models for Logistic Regression*.

arXiv 2602.08302. Each figure is a function that trains and returns data, one that draws it and one
that judges the paper's claims by it.
"""

from fastgrok.papers._catalogue import Item, Paper
from fastgrok.papers.das2026._figure1 import figure1, make_figure1, write_figure1
from fastgrok.papers.das2026._figure1_claims import judge_figure1
from fastgrok.papers.das2026._figure1_picture import draw_figure1

__all__ = ["PAPER", "draw_figure1", "figure1", "judge_figure1", "write_figure1"]

#: The figures and tables of this paper that can be reproduced.
PAPER = Paper(
    key="das2026",
    citation="Das, Vedantam, Lakshminarayanan (2026), arXiv 2602.08302",
    items=(
        Item(
            kind="figure",
            number=1,
            title="accuracy on the training, standard and concentrated sets, d = 2",
            make=make_figure1,
        ),
    ),
)
