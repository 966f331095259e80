"""The page with all pictures and verdicts."""

from dataclasses import replace

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

import pages
from fastgrok.papers import GALLERY, Finding, Item, Outcome, Paper, Verdict, write_gallery
from fastgrok.papers._files import write_item
from fastgrok.papers._report import assemble_report

FINDINGS = tuple(
    Finding(f"reading <{k}> & `code`", outcome, f"T_te {k} < 3 | **4**")
    for k, outcome in enumerate(Outcome)
)
VERDICTS = [
    Verdict('It groks at a < b & c > "d"', Outcome.OPEN, FINDINGS, stated="T_te <= 1e6"),
    Verdict("It lasts", Outcome.SHORT, FINDINGS[:1], parts=True),
    *(Verdict(f"It {outcome}", outcome, FINDINGS[:2]) for outcome in Outcome),
]


def picture():
    figure = Figure()
    figure.subplots().plot([1, 2], [3, 4], label="$x$")
    return figure


def made(folder, key):
    (folder / key).mkdir()
    report = assemble_report(
        "A paper", f"3 draws of <{key}>, see `code`.", VERDICTS, rule="by sight.",
        sections={"More": "text"}, choices={"Seeds": "0, 1, 2"}, made_by="fastgrok 9.\n\nMore.",
    )  # fmt: skip
    out = []
    for number in (1, "extra"):
        output = write_item(
            f"figure{number}", folder / key, pictures={"": picture(), "mean": picture()},
            tables={"rows": [{"a": 1}]}, verdicts=VERDICTS, report=report,
        )  # fmt: skip
        out.append((Item("figure", number, f"title <{number}>", make=lambda *_: None), output))
    paper = Paper(key, f"Somebody & {key} (2026)", tuple(item for item, _ in out))
    return paper, out


@pytest.fixture
def gallery(tmp_path):
    papers = [made(tmp_path, key) for key in ("one", "two")]
    path = write_gallery(papers, tmp_path, size="quick <size>")
    assert path == tmp_path / GALLERY
    for paper, _ in papers:  # which the command writes beside it
        (tmp_path / paper.key / "report.md").write_text("all", encoding="utf-8")
    return path


def test_links_lead_somewhere(gallery):
    page = pages.read(gallery)
    pages.check_links(gallery, page)
    assert len(page.images) == 8
    assert {"one-figure-1", "two-figure-extra"} <= set(page.ids)
    for key in ("one", "two"):
        for name in ("figure1.png", "figure1.svg", "figure1-mean.svg", "figure1.md",
                     "figureextra-rows.csv", "report.md"):  # fmt: skip
            assert f"{key}/{name}" in page.links


def test_what_it_says(gallery):
    text = pages.read(gallery).text
    for said in (
        "quick <size>", "fastgrok", "It groks at a < b & c > \"d\"", "T_te <= 1e6", "in words",
        "reading <0> & code", "T_te 0 < 3 | 4", "3 draws of <one>, see code.",
        "Made in fastgrok 9.",
        "8 of 12 claims decided", "4 readings", "1 part:", "depends on the reading",
    ):  # fmt: skip
        assert said in text, said


def test_times_are_said_where_they_are_known(tmp_path):
    paper, out = made(tmp_path, "one")
    timed = [(item, replace(output, seconds=12.345)) for item, output in out]
    text = pages.read(write_gallery([(paper, timed)], tmp_path, size="any size")).text
    assert text.count("Made in 12.3 s; fastgrok 9.") == 2


def test_a_browser_shows_it_light_and_dark(gallery, tmp_path):
    pages.check_in_browser(gallery, pages.read(gallery), tmp_path)


def test_a_missing_picture_is_noticed(gallery, tmp_path):
    (tmp_path / "two" / "figure1.png").unlink()
    page = pages.read(gallery)
    with pytest.raises(FileNotFoundError):
        pages.check_links(gallery, page)
    if pages.browser() is not None:
        with pytest.raises(AssertionError, match="data-broken"):
            pages.check_in_browser(gallery, page, tmp_path)


def test_pictures_are_the_same_files_every_time(tmp_path):
    with mpl.rc_context({"svg.hashsalt": None}):
        for key in ("one", "two"):
            made(tmp_path, key)
    for suffix in ("svg", "png"):
        first, second = ((tmp_path / key / f"figure1.{suffix}") for key in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
