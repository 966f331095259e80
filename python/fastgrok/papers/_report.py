"""Verdicts on a paper's claims, and the tables, reports and files in which figures show them."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np

# A stated number with one digit, read off a log axis, is known to about a factor of two.
READING = 2.0
# Draws of the data that spread further than this can confirm no number.
DECISIVE_SPREAD = 100.0
_DRAWS = "depends on the draw"
# Parentheses of that many characters are explanations, and no part of a formula.
_ASIDE = 21


class Outcome(StrEnum):
    """
    What a claim comes to, in words.

    ``AGREES`` and ``DIFFERS`` where all draws and readings say so, ``OPEN`` where it depends on
    the reading of the paper or on the draw, ``SHORT`` where these runs cannot decide it.
    """

    AGREES = "agrees"
    DIFFERS = "differs"
    OPEN = "depends on the reading"
    SHORT = "cannot be decided from this run"


@dataclass(frozen=True)
class Finding:
    """
    A claim, or part of one, under one reading of the paper.

    Attributes
    ----------
    reading : str
        Which reading, or which part of the claim.
    outcome : Outcome
        What it comes to; open if draws of the data disagree.
    numbers : str
        The numbers that show it.
    reason : str
        Why the run decides nothing, where it does not.
    """

    reading: str
    outcome: Outcome
    numbers: str
    reason: str = "too few steps"

    @property
    def label(self) -> str:
        """The outcome in words that fit a single reading."""
        if self.outcome is Outcome.SHORT:
            return self.reason
        return _DRAWS if self.outcome is Outcome.OPEN else str(self.outcome)


@dataclass(frozen=True)
class Verdict:
    """
    A claim of the paper, what it comes to, and the numbers that show it.

    Of parts of a claim, an open outcome means draws of the data that disagree.

    Attributes
    ----------
    claim : str
        The claim, in words.
    outcome : Outcome
        What it comes to by all findings.
    findings : tuple of Finding
        By reading or by part.
    note : str
        How it is judged, for the report; may be empty.
    parts : bool
        Whether the findings are parts of the claim and not readings.
    stated : str
        The value that the paper states, if the claim is about one.
    """

    claim: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    note: str = ""
    parts: bool = False
    stated: str = ""

    @classmethod
    def of_readings(
        cls, claim: str, findings: Iterable[Finding], note: str = "", stated: str = ""
    ) -> "Verdict":
        """
        Judge a claim that was held against every reading of the paper.

        It agrees (differs) if it does so under every reading. Where readings disagree, or any of
        them is open, it depends on the reading; else it cannot be decided.
        """
        readings = tuple(findings)
        return cls(claim, combine(f.outcome for f in readings), readings, note, stated=stated)

    @classmethod
    def of_all(
        cls, claim: str, findings: Iterable[Finding], note: str = "", stated: str = ""
    ) -> "Verdict":
        """
        Judge a claim all of whose parts, the findings, must hold.

        One that differs settles it, else one that cannot be decided, else one that is open.
        """
        parts = tuple(findings)
        outcome = combine_all(f.outcome for f in parts)
        return cls(claim, outcome, parts, note, parts=True, stated=stated)

    @property
    def label(self) -> str:
        """The outcome in words: of one that is open, whether readings differ or only draws do."""
        found = {finding.outcome for finding in self.findings}
        if self.outcome is Outcome.OPEN and not {Outcome.AGREES, Outcome.DIFFERS} <= found:
            return _DRAWS
        return str(self.outcome)

    @property
    def short(self) -> str:
        """The claim without what stands in long parentheses."""
        return re.sub(rf" \([^()]{{{_ASIDE},}}\)", "", self.claim)

    @property
    def summary(self) -> str:
        """Which readings came out how, in a line."""
        groups: dict[str, list[str]] = {}
        for finding in self.findings:
            groups.setdefault(finding.label, []).append(finding.reading)
        if len(groups) == 1:
            return f"{next(iter(groups))}: every {'part' if self.parts else 'reading'}"
        return "; ".join(f"{label}: {' / '.join(those)}" for label, those in groups.items())

    def text(self) -> str:
        """Write the verdict in lines for the terminal."""
        width = max(len(finding.reading) for finding in self.findings)
        lines = [f"{self.claim}", f"  => {self.label.upper()} ({self.summary})"]
        lines += [f"     {f.reading:<{width}}  {f.numbers}" for f in self.findings]
        return "\n".join(lines)

    def markdown(self) -> str:
        """Write the verdict as a section with one table row for each reading."""
        parts = [f"### {self.claim}", f"**{self.label}**", self.note]
        rows = [(f.reading, f.label, f.numbers) for f in self.findings]
        heading = "Part" if self.parts else "Reading"
        parts.append(markdown_table((heading, "Outcome", "Numbers"), rows))
        return "\n\n".join(part for part in parts if part)


@dataclass(frozen=True)
class Stated:
    """A number as a paper prints it: ``relation`` is "=", "<=" or ">="."""

    value: float
    relation: str = "="

    def __str__(self) -> str:
        value = number(self.value)
        return value if self.relation == "=" else f"{self.relation} {value}"


def judge_number(stated: Stated, ours: Sequence[float]) -> Outcome:
    """
    Hold a stated number against those of several draws of the data.

    Parameters
    ----------
    stated : Stated
        The paper's number. An equality is read to within a factor of `READING`.
    ours : sequence of float
        One number for each draw, > 0; infinity where the event never came.

    Returns
    -------
    Outcome
        An equality *differs* if it lies outside the range of the draws, *agrees* if it lies inside
        and the range spans at most a factor `DECISIVE_SPREAD`, and is open otherwise. A bound
        agrees or differs if it holds for all draws or for none, and is open otherwise.
    """
    if stated.relation != "=":
        below = stated.relation == "<="
        return judge_shares([(x <= stated.value) if below else (x >= stated.value) for x in ours])
    low, high = min(ours), max(ours)
    if not low / READING <= stated.value <= high * READING:
        return Outcome.DIFFERS
    return Outcome.AGREES if high <= DECISIVE_SPREAD * low and isfinite(high) else Outcome.OPEN


def judge_shares(holds: Sequence[bool]) -> Outcome:
    """Agrees if a statement holds for every draw, differs if for none, and is open otherwise."""
    if all(holds):
        return Outcome.AGREES
    return Outcome.OPEN if any(holds) else Outcome.DIFFERS


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """
    One outcome for a claim that was held against every admissible reading of the paper.

    A claim agrees (differs) if it does so under every reading. When the readings disagree, or any
    of them is open, the paper does not say enough, whatever other readings would have shown.
    Otherwise one reading that the run decides nothing for leaves the claim undecided by the run,
    and so does having none.
    """
    found = set(outcomes)
    decided = found - {Outcome.SHORT}
    if len(decided) > 1 or Outcome.OPEN in decided:
        return Outcome.OPEN
    return decided.pop() if found == decided != set() else Outcome.SHORT


def combine_all(outcomes: Iterable[Outcome]) -> Outcome:
    """
    One outcome for a claim all of whose parts must hold.

    One part that differs settles it. Otherwise a part that the run decides nothing for might still
    differ, and leaves the claim undecided by the run, as does having none. A part that is open,
    since the draws of the data disagree, leaves it open, and it agrees if all parts do.
    """
    found = set(outcomes)
    for outcome in (Outcome.DIFFERS, Outcome.SHORT, Outcome.OPEN):
        if outcome in found:
            return outcome
    return Outcome.AGREES if found else Outcome.SHORT


def number(x: float | None) -> str:
    """
    Write a number in short: 400 as "400", 17500 as "1.8e4".

    None and infinity are "never", NaN is "unknown".
    """
    if x is None or x == inf:
        return "never"
    if isnan(x):
        return "unknown"
    if x == 0 or 1e-2 <= abs(x) < 1e4:
        return f"{x:.3g}" if abs(x) < 1e3 else f"{x:.0f}"
    mantissa, exponent = f"{x:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def percent(share: float) -> str:
    """Write a share in percent to four digits, enough for one point of some thousands."""
    return f"{100 * share:.4g}"


def spread(values: Sequence[float], write: Callable[[float], str] = number) -> str:
    """Write the median and the range, as in ``"400 [10, never]"``."""
    ordered = sorted(values)
    # The upper median: a mean of two draws is no draw, and infinity has no mean.
    middle = ordered[len(ordered) // 2]
    if ordered[0] == ordered[-1]:
        return write(middle)
    return f"{write(middle)} [{write(ordered[0])}, {write(ordered[-1])}]"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a Markdown table; every row is as long as the header."""
    head, *body = (
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in (header, *rows)
    )
    return "\n".join((head, "|" + "---|" * len(header), *body))


def verdict_table(verdicts: Iterable[Verdict]) -> str:
    """Make a Markdown table of the verdicts."""
    return markdown_table(
        ("Claim", "Verdict", "In detail"),
        [(v.claim, f"**{v.label}**", v.summary) for v in verdicts],
    )


def assemble_report(
    title: str,
    made_of: str,
    verdicts: Sequence[Verdict],
    *,
    rule: str,
    sections: Mapping[str, str],
    choices: Mapping[str, str],
    made_by: str,
    choices_heading: str = "Choices that the paper leaves open",
) -> str:
    """
    Assemble a Markdown report: verdicts, their numbers, further sections, every choice made.

    Parameters
    ----------
    title : str
        The paper and what of it is reproduced.
    made_of : str
        One paragraph on the data behind it.
    verdicts : sequence of Verdict
        In the order to be shown.
    rule : str
        How verdicts are reached, and what the numbers mean.
    sections : mapping of str to str
        Further sections by heading.
    choices : mapping of str to str
        What the paper leaves open, and how it was read.
    made_by : str
        `versions`, and how the runs were computed.
    choices_heading : str, optional
        Of the section with the choices.
    """
    parts = [
        f"# {title}",
        made_of,
        "## Verdicts",
        verdict_table(verdicts),
        f"How they are reached: {rule}",
        "## The numbers behind the verdicts",
        *(verdict.markdown() for verdict in verdicts),
    ]
    for heading, text in sections.items():
        parts += [f"## {heading}", text]
    parts += [
        f"## {choices_heading}",
        "\n".join(f"* **{name}**: {text}" for name, text in choices.items()),
        "## Made by",
        made_by,
    ]
    return "\n\n".join(parts) + "\n"


def head_and_foot(report: str) -> tuple[str, str]:
    """
    Return what a report of `assemble_report` says it is made of, and by.

    Parameters
    ----------
    report : str
        The report.
    """
    return report.split("\n\n")[1], report.rsplit("\n## Made by\n", 1)[-1].strip()


def versions() -> str:
    """Say which fastgrok and which NumPy are at work."""
    return f"fastgrok {version('fastgrok')}, NumPy {np.__version__}"


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """
    Write rows with the same keys as a CSV file.

    None is an empty cell; floats are written so that reading them back gives the same bits.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
