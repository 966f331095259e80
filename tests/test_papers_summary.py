"""All verdicts on a paper in one screen."""

import re

import pytest

from fastgrok.papers import (
    REPORT,
    Finding,
    Item,
    Outcome,
    Output,
    Paper,
    Verdict,
    das2026,
    table_lines,
    tally,
    write_overview,
)
from fastgrok.papers.das2026._item import SCALES


def verdict(claim, *outcomes):
    (outcome,) = set(outcomes) if len(set(outcomes)) == 1 else (Outcome.OPEN,)
    findings = (Finding(f"reading {k}", one, "numbers") for k, one in enumerate(outcomes))
    return Verdict(claim, outcome, tuple(findings))


LONG = "It " + "really " * 20 + "groks"
ASIDE = "It groks (late, by a factor of a hundred or more) as log(t / t_0) (t in steps)"


@pytest.fixture
def made(tmp_path):
    verdicts = {
        1: [
            verdict(ASIDE, Outcome.AGREES),
            verdict(LONG, Outcome.DIFFERS),
            verdict("Phase 2 is | short", Outcome.AGREES, Outcome.DIFFERS),
        ],
        "extra": [
            verdict("It lasts", Outcome.AGREES, Outcome.OPEN),
            verdict("It ends", Outcome.SHORT),
        ],
    }
    made = []
    for number, those in verdicts.items():
        report, picture = tmp_path / f"figure{number}.md", tmp_path / f"figure{number}.png"
        item = Item("figure", number, f"title {number}", make=lambda *_: None)
        made.append((item, Output((picture, report), tuple(those))))
    return made


def test_a_line_for_each_verdict(made):
    lines = table_lines(made, 88)
    assert [tuple(re.split(r" {2,}", line)) for line in lines] == [
        ("figure 1", "agrees", "It groks as log(t / t_0) (t in steps)"),
        ("figure 1", "differs", "It really really really really really ..."),
        ("figure 1", "depends on the reading", "Phase 2 is | short"),
        ("figure extra", "depends on the draw", "It lasts"),
        ("figure extra", "cannot be decided from this run", "It ends"),
    ]
    assert lines[0].index("It groks") == lines[4].index("It ends")
    assert all(len(line) <= 100 for line in table_lines(made, 100))


def test_what_is_decided(made):
    paper = Paper("key", "Somebody (2026)", ())
    assert tally(made, paper) == (
        "3 of 5 claims decided: 1 agree, 1 differ, 1 depend on the reading of the paper; 1 depend "
        "on the draw of the data; 1 cannot be decided from these runs"
    )


def test_a_word_of_its_own_for_what_a_claim_depends_on(made, tmp_path):
    paper = Paper("key", "Somebody (2026)", (), reading="setting")
    assert "1 depend on the setting; 1 depend on the draw" in tally(made, paper)
    text = write_overview(paper, made, tmp_path, size="quick size").read_text(encoding="utf-8")
    assert "holds under one setting and fails under another" in text


def test_the_report_begins_with_them(made, tmp_path):
    paper = Paper("key", "Somebody (2026)", tuple(item for item, _ in made))
    path = write_overview(paper, made, tmp_path, size="quick size")
    assert path == tmp_path / REPORT
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:5] == [
        "# Somebody (2026): what reproducing it shows",
        "",
        "| Item | Verdict | Claim |",
        "|---|---|---|",
        "| [figure 1](figure1.md) | **agrees** | It groks as log(t / t_0) (t in steps) |",
    ]
    assert lines[6] == (
        "| [figure 1](figure1.md) | **depends on the reading** | Phase 2 is \\| short |"
    )
    assert lines[9] == ""
    text = "\n".join(lines[10:])
    assert LONG in text  # in full, further down
    assert ASIDE in text
    assert "![figureextra](figureextra.png)" in text
    assert "quick size" in text


def test_quick_runs_are_long_enough_to_decide():
    """One draw of one reading, which leaps, at the steps of the quick scale."""
    data = das2026.figure1(
        steps=SCALES["quick"]["steps"], seeds=[0], reductions=["mean"], supports=[(0, 0)]
    )
    verdicts = das2026.judge_figure1(data)
    assert len(verdicts) > 8
    assert all(verdict.outcome is not Outcome.SHORT for verdict in verdicts)
    assert data.runs[0].trajectory.engine.exact_steps < 10**4
