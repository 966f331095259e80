"""What the site of the documentation must hold, and what is said in several places."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest

import fastgrok as fg
from fastgrok import datasets, distributed, papers, plots, sklearn, testing
from fastgrok.papers import beck2025, das2026
from fastgrok.papers import open as questions_left
from fastgrok.testing import strategies
from fastgrok.theory import bias, edge, mixture, squared, two_point

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def resolved(name):
    """Give what a full name names; modules are attributes of their packages."""
    value = fg
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    return value


def described():
    """What the pages of the reference describe: entries, and all that a module with members has."""
    out = []
    for page in (DOCS / "api").glob("*.rst"):
        module = ""
        for line in page.read_text("utf-8").splitlines():
            found = re.match(r"\.\. (\w+|py:module|currentmodule):: (\S+)", line)
            if found and found[1] in ("py:module", "currentmodule", "module"):
                module = found[2]
            elif found and found[1] == "automodule":
                module = found[2]
                last = module
            elif found and found[1].startswith("auto"):
                name = found[2] if found[2].startswith("fastgrok.") else f"{module}.{found[2]}"
                out.append(resolved(name))
                last = ""
            elif line.strip() == ":members:" and last:
                out += [resolved(f"{last}.{name}") for name in resolved(last).__all__]
    return out


DESCRIBED = described()
MODULES = (fg, fg.stop, fg.schedules, datasets, plots, bias, edge, mixture, squared, two_point)


PAPERS = (papers, das2026, beck2025, questions_left)
NAMED = (*MODULES, *PAPERS, distributed, testing, strategies)


@pytest.mark.parametrize("module", NAMED, ids=lambda one: one.__name__)
def test_every_public_name_is_in_the_reference(module):
    for name in module.__all__:
        value = getattr(module, name)
        if not inspect.ismodule(value) and name != "__version__":
            assert any(value is one for one in DESCRIBED), name


def test_the_estimators_are_in_the_reference():
    ours = [
        value
        for name, value in vars(sklearn).items()
        if getattr(value, "__module__", "") == sklearn.__name__ and not name.startswith("_")
    ]
    assert len(ours) == 2
    assert all(any(value is one for one in DESCRIBED) for value in ours)


def test_every_page_is_in_the_index_once():
    index = (DOCS / "index.md").read_text("utf-8")
    listed = [
        line
        for block in re.findall(r"^```{toctree}\n(.*?)^```", index, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
        if line and not line.startswith(":")
    ]
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert sorted(listed) == sorted([*pages, "decisions/README", "api/index"])
    reference = (DOCS / "api" / "index.rst").read_text("utf-8")
    for page in (DOCS / "api").glob("*.rst"):
        assert page.stem == "index" or f"\n   {page.stem}\n" in reference


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        assert page.stem in ("index", "releasing") or f"(docs/{page.name})" in readme, page


def test_the_headline_figures_are_those_of_the_benchmarks():
    benchmarks = (DOCS / "benchmarks.md").read_text("utf-8").splitlines()
    rows = re.findall(r"^\|.*\|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    headline = rows[: rows.index("| | |")]
    assert len(headline) > 4
    assert [row for row in headline if row not in benchmarks] == []


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [project["version"]]
    start = (DOCS / "start.md").read_text("utf-8")
    assert re.findall(r"fastgrok-([\d.]+)-cp", start) == [project["version"]]
    assert re.findall(r"^license: (.*)$", citation, re.MULTILINE) == [project["license"]]


def test_what_builds_the_site_is_named_to_the_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    tools = [one for one in project["optional-dependencies"]["docs"] if "fastgrok" not in one]
    assert len(tools) > 3
    assert all("==" in one for one in tools)
