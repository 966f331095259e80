"""
Das, Vedantam, Lakshminarayanan (2026), *Grokking in Linear Models for Logistic Regression*.

arXiv 2602.08302. Each figure or table is a function that trains and returns data, one that draws it
and one that judges the paper's claims by it.
"""

from fastgrok.papers._catalogue import Item, Paper
from fastgrok.papers.das2026._adversarial_claims import judge_adversarial
from fastgrok.papers.das2026._adversarial_picture import draw_adversarial
from fastgrok.papers.das2026._bias_claims import judge_figure2, judge_figure4
from fastgrok.papers.das2026._ensemble import train_ensemble
from fastgrok.papers.das2026._figure1 import figure1, make_figure1, write_figure1
from fastgrok.papers.das2026._figure1_claims import judge_figure1
from fastgrok.papers.das2026._figure1_picture import draw_figure1
from fastgrok.papers.das2026._figure2 import draw_figure2, figure2, make_figure2, write_figure2
from fastgrok.papers.das2026._figure3 import make_figure3, write_figure3
from fastgrok.papers.das2026._figure3_claims import judge_figure3
from fastgrok.papers.das2026._figure3_draws import figure3
from fastgrok.papers.das2026._figure3_picture import draw_figure3
from fastgrok.papers.das2026._figure4 import draw_figure4, figure4, make_figure4, write_figure4
from fastgrok.papers.das2026._masking import make_masking, masking, write_masking
from fastgrok.papers.das2026._masking_report import draw_masking, judge_masking
from fastgrok.papers.das2026._setting import WIDE, Variant
from fastgrok.papers.das2026._table1 import make_table1, table1, write_table1
from fastgrok.papers.das2026._table1_claims import judge_table1
from fastgrok.papers.das2026._table1_picture import draw_table1
from fastgrok.papers.das2026._theory import make_theory, write_theory
from fastgrok.papers.das2026._theory_claims import judge_theory
from fastgrok.papers.das2026._theory_picture import draw_theory
from fastgrok.papers.das2026._theory_runs import theory_runs
from fastgrok.papers.das2026._wide import make_wide_figure1, make_wide_table1
from fastgrok.papers.das2026._wide_runs import train_wide

__all__ = [
    "PAPER",
    "Variant",
    "draw_adversarial",
    "draw_figure1",
    "draw_figure2",
    "draw_figure3",
    "draw_figure4",
    "draw_masking",
    "draw_table1",
    "draw_theory",
    "figure1",
    "figure2",
    "figure3",
    "figure4",
    "judge_adversarial",
    "judge_figure1",
    "judge_figure2",
    "judge_figure3",
    "judge_figure4",
    "judge_masking",
    "judge_table1",
    "judge_theory",
    "masking",
    "table1",
    "theory_runs",
    "train_ensemble",
    "train_wide",
    "write_figure1",
    "write_figure2",
    "write_figure3",
    "write_figure4",
    "write_masking",
    "write_table1",
    "write_theory",
]

#: The figures and tables of this paper that can be reproduced.
PAPER = Paper(
    key="das2026",
    citation="Das, Vedantam, Lakshminarayanan (2026), arXiv 2602.08302",
    items=(
        Item(
            kind="figure",
            number=1,
            title="accuracy on the training, standard, concentrated and adversarial sets, d = 2",
            make=make_figure1,
        ),
        Item(
            kind="figure",
            number=2,
            title="bias, distance and accuracy by the balance of the support vectors, d = 2",
            make=make_figure2,
        ),
        Item(kind="figure", number=3, title="the data, d = 2", make=make_figure3),
        Item(
            kind="figure",
            number=4,
            title="bias, distance and accuracy by the balance of the classes, d = 2",
            make=make_figure4,
        ),
        Item(kind="table", number=1, title="grokking times, rows d = 2", make=make_table1),
        Item(
            kind="figure",
            number="masking",
            title="adversarial accuracy against ||w||, true and by automatic differentiation",
            make=make_masking,
        ),
        Item(
            kind="figure",
            number="theory",
            title="b(t) and T_te beside Theorems 4.5 and 4.6, as stated and corrected, d = 2",
            make=make_theory,
        ),
    ),
    dims={
        WIDE: (
            Item(
                kind="figure",
                number=1,
                title="accuracy on the training, standard, concentrated and adversarial sets",
                make=make_wide_figure1,
            ),
            Item(kind="table", number=1, title="grokking times", make=make_wide_table1),
        )
    },
)
