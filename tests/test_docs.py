"""Every program in the documentation runs, and examples print what it says they print."""

import doctest
import re
import runpy
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What a page's programs print, in this order.
PRINTED = {
    "README.md": ["separable", "7943282347243", "237137370566"],
    "clusters.md": ["leap True", "3.781"],
    "engines.md": ["leap 258 True", "squared_hinge", "True"],
    "kernels.md": [
        "True",
        "True",
        "test set: step 15;",
        "test set: step 4732;",
        "[0.992, 1.0, 0.71",
    ],
    "learning-rates.md": ["8.77", "0.0048 2.83e+09", "0.0475 2.83e+09", "0.4752 2.83e+09", "True"],
    "own-data.md": [
        "interior",
        "no separation among 200",
        "0.97 0.96",
        "1 0.58 0.58\n100 0.58 0.95",
    ],
    "start.md": ["simd", "Trajectory", "1.0"],
    "testing.md": [
        "the runs differ first at record 0 of 89, step 0:",
        "b: got 9.094947017729282e-13, expected 0.0, 1 of it; 89",
    ],
    "tutorial.md": [
        "interior",
        "Hit(step=841",
        "Hit(step=79433",
        "separable",
        "None",
        "0.14403",
        "0.9175",
    ],
    "sweeps.md": ["[", "grokking time of Gaussian points of one label"],
    "tour.md": ["316 944061 2987.5", "Hit(step=316228", "Hit(step=300767", "None", "smooth"],
}


class _Blocks(doctest.DocTestParser):
    """Takes fences away, which would count as output."""

    def get_examples(self, string: str, name: str = "<string>") -> list[doctest.Example]:
        return super().get_examples(re.sub(r"```(python)?", "\n", string), name)


def blocks(page: Path) -> list[str]:
    """Return the programs of a page, those apart that are examples of a session."""
    fence = r"^```(?:{code-cell} )?python\n(.*?)^```"
    found = re.findall(fence, page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [block for block in found if not block.startswith(">>>")]


def examples(page: Path) -> list[doctest.Example]:
    return _Blocks().get_examples(page.read_text("utf-8"), page.name)


def test_no_program_is_overlooked() -> None:
    """Fences are those that are looked for, and there are pages of either kind."""
    for page in PAGES:
        text = page.read_text("utf-8")
        fences = re.findall(r"^ *```(.*)$", text, re.MULTILINE)
        assert len(fences) % 2 == 0
        layout = {"{include} ../README.md", "{toctree}"} if page.name == "index.md" else set()
        assert set(fences[::2]) <= {"python", "sh", "{code-cell} python", *layout}, page
        assert not re.search(r"^ +```", text, re.MULTILINE), page
    assert {page.name for page in PAGES if blocks(page)} >= {"README.md", "tour.md", "theory.md"}
    assert len(examples(ROOT / "docs" / "findings.md")) > 10


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")  # the tour speaks of it
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda page: page.name)
def test_programs_run(page, tmp_path, monkeypatch, capsys):
    """In order, one after the other."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(page):
        exec(compile(block, page.name, "exec"), names)
    shown = capsys.readouterr().out
    at = 0
    for words in PRINTED.get(page.name, []):
        at = shown.index(words, at) + len(words)


@pytest.mark.parametrize("page", [p for p in PAGES if examples(p)], ids=lambda page: page.name)
def test_examples_print_what_they_say(page: Path) -> None:
    test = doctest.DocTest(examples(page), {}, page.name, str(page), 0, page.read_text("utf-8"))
    failed: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=failed.append)
    assert result.failed == 0, "".join(failed)


def test_the_first_picture_can_be_drawn_again(tmp_path, monkeypatch):
    path = tmp_path / "again.png"
    monkeypatch.setattr(sys, "argv", ["grokking.py", str(path)])
    with matplotlib.rc_context():  # whose style it sets
        runpy.run_path(str(ROOT / "docs" / "grokking.py"))
    assert path.stat().st_size > 10_000


@pytest.mark.parametrize(
    "page",
    [*PAGES, *(ROOT / "docs").glob("*/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target
