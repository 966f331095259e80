"""All verdicts on a paper in one screen, for the terminal and at the head of its report."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastgrok import _checks
from fastgrok.papers._catalogue import FORMATS, Item, Output, Paper
from fastgrok.papers._report import Outcome, markdown_table, verdict_table, versions

#: What an item left behind, in the order of making.
Made = Sequence[tuple[Item, Output]]

#: The file that `write_overview` writes.
REPORT = "report.md"

# Columns of a claim in the table of the report, and the fewest that one gets in a terminal.
_CLAIM = 88
_NARROWEST = 40


def tally(made: Made, paper: Paper) -> str:
    """
    Count the verdicts by their outcome, in words.

    Parameters
    ----------
    made : sequence of (Item, Output)
        What was made.
    paper : Paper
        Of which they are.
    """
    verdicts = [verdict for _, output in made for verdict in output.verdicts]
    labels = Counter(verdict.label for verdict in verdicts)
    agree, differ, reading, short = (labels.pop(str(outcome), 0) for outcome in Outcome)
    return (
        f"{agree + differ + reading} of {len(verdicts)} claims decided: {agree} agree, {differ} "
        f"differ, {reading} depend on the {paper.reading}; {labels.total()} depend on the "
        f"draw of the data; {short} cannot be decided from these runs"
    )


def table_lines(made: Made, width: int) -> list[str]:
    """
    Make a line for each verdict: which item, what it came to, and the claim in short.

    Parameters
    ----------
    made : sequence of (Item, Output)
        What was made, in order.
    width : int
        Columns that a line may take.
    """
    rows = [
        (item.name, verdict.label, verdict.short)
        for item, output in made
        for verdict in output.verdicts
    ]
    first = max((len(name) for name, _, _ in rows), default=0)
    second = max((len(label) for _, label, _ in rows), default=0)
    rest = max(width - first - second - 4, _NARROWEST)
    return [
        f"{name:<{first}}  {label:<{second}}  {_shorten(claim, rest)}"
        for name, label, claim in rows
    ]


def write_overview(paper: Paper, made: Made, folder: Path, *, size: str) -> Path:
    """
    Write the report on a whole paper, which begins with every verdict in one screen.

    Parameters
    ----------
    paper : Paper
        What was reproduced.
    made : sequence of (Item, Output)
        Its items and what making them left behind.
    folder : Path
        Where they are, and where the report goes.
    size : str
        At which size the items were made, in words.

    Returns
    -------
    Path
        The report.
    """
    folder = Path(_checks.path("folder", folder))
    rows = []
    sections = []
    for item, output in made:
        report = next(path.name for path in output.files if path.suffix == ".md")
        rows += [
            (f"[{item.name}]({report})", f"**{v.label}**", _shorten(v.short, _CLAIM))
            for v in output.verdicts
        ]
        sections += [
            f"### {item.name.capitalize()}: {item.title}",
            f"The numbers, and every choice made: [{report}]({report}).",
            verdict_table(output.verdicts),
            *(_picture(files) for files in output.pictures().values()),
        ]
    parts = [
        f"# {paper.citation}: what reproducing it shows",
        markdown_table(("Item", "Verdict", "Claim"), rows),
        f"{tally(made, paper)}. {_MEANING.format(paper.reading)}",
        f"Made at {size} by {versions()}.",
        "## Claims in full",
        *sections,
    ]
    path = folder / REPORT
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _picture(files: Mapping[str, Path]) -> str:
    """Show a picture, or link to it where no page can show its format."""
    path = min(files.items(), key=lambda one: FORMATS.index(one[0]))[1]
    return f"{'' if path.suffix == '.pdf' else '!'}[{path.stem}]({path.name})"


_MEANING = (
    "A claim *depends on the reading* where it holds under one {} "
    "and fails under another, and *depends on the draw* where draws of the data disagree."
)


def _shorten(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")
