"""The papers' figures and tables: each is made, drawn and judged by functions of its own."""

from fastgrok.papers._catalogue import FORMATS, Item, Output, Paper, Settings, Stopped
from fastgrok.papers._gallery import GALLERY, write_gallery
from fastgrok.papers._report import Finding, Outcome, Verdict
from fastgrok.papers._summary import REPORT, table_lines, tally, write_overview
from fastgrok.papers.beck2025 import PAPER as _BECK2025
from fastgrok.papers.das2026 import PAPER as _DAS2026
from fastgrok.papers.open import PAPER as _OPEN
from fastgrok.plots.style import require_matplotlib

__all__ = [
    "FORMATS",
    "GALLERY",
    "PAPERS",
    "REPORT",
    "Finding",
    "Item",
    "Outcome",
    "Output",
    "Paper",
    "Settings",
    "Stopped",
    "Verdict",
    "require_matplotlib",
    "table_lines",
    "tally",
    "write_gallery",
    "write_overview",
]

#: What `fastgrok reproduce` offers, by the name to ask for.
PAPERS: dict[str, Paper] = {paper.key: paper for paper in (_DAS2026, _BECK2025, _OPEN)}
