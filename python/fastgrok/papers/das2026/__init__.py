"""
Das, Vedantam, Lakshminarayanan (2026), *Grokking in Linear Models for Logistic Regression*.

arXiv 2602.08302. Each figure is a function that trains and returns data, one that draws it and one
that judges the paper's claims by it.
"""

from fastgrok.papers._catalogue import Item, Paper
from fastgrok.papers.das2026._figure1 import figure1, make_figure1, write_figure1
from fastgrok.papers.das2026._figure1_claims import judge_figure1
from fastgrok.papers.das2026._figure1_picture import draw_figure1
from fastgrok.papers.das2026._masking import make_masking, masking, write_masking
from fastgrok.papers.das2026._masking_report import draw_masking, judge_masking

__all__ = [
    "PAPER",
    "draw_figure1",
    "draw_masking",
    "figure1",
    "judge_figure1",
    "judge_masking",
    "masking",
    "write_figure1",
    "write_masking",
]

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
        Item(
            kind="figure",
            number="masking",
            title="adversarial accuracy against ||w||, true and by automatic differentiation",
            make=make_masking,
        ),
    ),
)
