"""The shell command."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fastgrok
import pages
from cases import python
from fastgrok import papers
from fastgrok.cli import main
from fastgrok.papers import Settings, Stopped, beck2025
from fastgrok.papers import open as questions
from fastgrok.papers.das2026 import _ensemble, _item, _masking, _theory
from fastgrok.papers.das2026 import _figure1 as module

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tiny(monkeypatch):
    """Figures and tables at a size that takes no time, whatever the scale."""
    scales = {name: {"steps": 200, "seeds": 1} for name in ("quick", "default", "full")}
    monkeypatch.setattr(_item, "SCALES", scales)
    monkeypatch.setattr(_masking, "_SEEDS", dict.fromkeys(scales, 1))
    small = {
        "supports": [(20, 5)],
        "gammas": [1e-2],
        "classes": (40, 40),
        "steps": 1e9,
        "seeds": [0],
    }
    real = _theory.theory_runs
    monkeypatch.setattr(_theory, "theory_runs", lambda **options: real(**(options | small)))
    for scale in scales:
        monkeypatch.setitem(beck2025.SIZES, scale, beck2025.Size(40, 1, 40, 1, (0.2, 0.4, 0.8)))
        monkeypatch.setitem(questions.SIZES, scale, questions.Size(1, TINY))


#: The figures of what both papers leave open.
TINY = {
    "decay": {"n": 40, "classes": 100, "decays": (0.0, 1e-2)},
    "momentum": {"n": 40, "classes": 100, "betas": (0.0, 0.9), "steps": 1e4},
    "adam": {"n": 12, "dim": 6, "epsilons": (1e-4,), "steps": 1e3},
    "noise": {"n": 40, "classes": 100, "shares": (0.0, 0.1), "steps": 1e4},
    "losses": {"n": 40, "ratios": (0.3, 0.7), "steps": 1e3},
    "kernel": {"n": 60, "gaps": (0.1, 0.01), "steps": 1e4},
}


def fail(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith("fastgrok")
    return message


def test_quick_reproduction_leaves_its_files(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "das2026", "--quick", "--threads", "1"]) == 0
    shown = capsys.readouterr()
    folder = tmp_path / "fastgrok-das2026"
    assert shown.out.rstrip().endswith(str(folder))
    assert (folder / "figure1-mean.png").exists()
    assert (folder / "figure1-times.csv").exists()
    for item in papers.PAPERS["das2026"].items:
        numbered = isinstance(item.number, int)
        assert (folder / f"{item.kind if numbered else ''}{item.number}.md").exists()
    assert "CANNOT BE DECIDED FROM THIS RUN" in shown.out
    assert "8/8 runs" in shown.err
    # A line for each verdict at the end, and the report with all of them.
    table = shown.out[shown.out.index("\nVerdicts on ") :]
    report = (folder / "report.md").read_text(encoding="utf-8")
    claims = re.findall(r"^\| \[(.*?)\]", report, re.MULTILINE)
    assert len(claims) > 30
    assert claims == re.findall(r"^((?:figure|table) \w+)  ", table, re.MULTILINE)
    assert f" of {len(claims)} claims decided: " in table


def test_one_figure_into_a_folder(tiny, tmp_path, capsys):
    folder = tmp_path / "a" / "b"
    arguments = ["reproduce", "das2026", "--figure", "1", "--out", str(folder), "--seeds", "2"]
    assert main([*arguments, "--engine", "exact"]) == 0
    assert "16/16 runs" in capsys.readouterr().err
    assert (folder / "figure1.md").exists()
    assert not (folder / "report.md").exists()  # of the whole paper


def check_pictures(folder, kinds):
    """Every paper has pictures of these formats; the page shows the first, and links to all."""
    page = folder / papers.GALLERY
    read = pages.read(page)
    for paper in papers.PAPERS.values():
        files = [path for path in (folder / paper.key).iterdir() if path.is_file()]
        names = {kind: {p.stem for p in files if p.suffix == f".{kind}"} for kind in papers.FORMATS}
        assert {kind for kind, there in names.items() if there} == set(kinds)
        assert len({frozenset(names[kind]) for kind in kinds}) == 1, paper.key
        report = (folder / paper.key / papers.REPORT).read_text(encoding="utf-8")
        first = min(kinds, key=papers.FORMATS.index)
        assert all(f"]({name}.{first})" in report for name in names[first])
        shown = {f"{paper.key}/{name}.png" for name in names["png"]}
        assert shown <= set(read.images)
    for kind in kinds:
        assert sum(link.endswith(f".{kind}") for link in read.links) > 5
    return page, read


def test_all_papers_get_folders_of_their_own(tiny, tmp_path):
    command = ["reproduce", "all", "--quick", "--out", str(tmp_path), "--format", "PNG,svg,png"]
    assert main(command) == 0
    assert {path.name for path in tmp_path.iterdir()} == {*papers.PAPERS, papers.GALLERY}
    page, read = check_pictures(tmp_path, ["png", "svg"])
    pages.check_links(page, read)
    for paper in papers.PAPERS.values():
        anchors = {f"{paper.key}-{item.name.replace(' ', '-')}" for item in paper.items}
        assert anchors <= set(read.ids)
    pages.check_in_browser(page, read, tmp_path)


def test_pictures_of_a_format_that_no_page_shows(tiny, tmp_path, monkeypatch):
    monkeypatch.delitem(papers.PAPERS, "das2026")
    monkeypatch.delitem(papers.PAPERS, "beck2025")
    assert main(["reproduce", "all", "--quick", "--out", str(tmp_path), "--format", "pdf"]) == 0
    _, read = check_pictures(tmp_path, ["pdf"])
    assert not read.images


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["reproduce", "das2027"], "das2027"),
        (
            ["reproduce", "das2026", "--figure", "7"],
            "no figure 7 here; offered: figure 1, figure 2",
        ),
        (["reproduce", "das2026", "--table", "9"], "no table 9 here"),
        (["reproduce", "das2026", "--figure", "one"], "one"),
        (["reproduce", "das2026", "--figure", "1", "--table", "1"], "not allowed with"),
        (["reproduce", "das2026", "--quick", "--full"], "not allowed with"),
        (["reproduce", "das2026", "--engine", "jump"], "jump"),
        (["reproduce", "das2026", "--threads", "0"], "--threads: must be an integer of at least 1"),
        (["reproduce", "das2026", "--seeds", "many"], "'many'"),
        (["reproduce", "das2026", "--format", "png,gif"], "of png, svg, pdf, got 'png,gif'"),
        (["reproduce", "all", "--figure", "1"], "--figure needs one paper"),
        (["reproduce"], "paper"),
        (["invent"], "invent"),
        ([], "say which COMMAND: info, separation or reproduce ("),
    ],
)
def test_what_makes_no_sense_is_one_line_and_status_2(arguments, names, capsys):
    assert names in fail(arguments, capsys)


def test_the_folder_must_be_one(tiny, tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("in the way", encoding="utf-8")
    assert main(["reproduce", "das2026", "--out", str(path)]) == 1
    message = capsys.readouterr().err
    assert str(path) in message
    assert message.count("\n") == 1
    assert path.read_text(encoding="utf-8") == "in the way"


def test_without_matplotlib_nothing_is_begun(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["reproduce", "das2026", "--out", str(tmp_path / "out")]) == 1
    assert "pip install 'fastgrok[plot]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_stop_says_what_was_kept(tiny, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **options):
        raise _ensemble.EnsembleInterrupted(done, ())

    done = module.figure1(steps=100, seeds=[0], supports=[(0, 0)], n=(20, 20))
    monkeypatch.setattr(module, "figure1", interrupted)
    assert main(["reproduce", "das2026", "--out", str(tmp_path)]) == 130
    message = capsys.readouterr().err
    assert "4 finished" in message
    kept = tmp_path / "figure1-partial.csv"
    assert str(kept) in message
    assert len(kept.read_text(encoding="utf-8").splitlines()) > 2


def test_a_stop_before_any_record_keeps_nothing(tmp_path, monkeypatch):
    def interrupted(*args, **options):
        raise _ensemble.EnsembleInterrupted(_ensemble.Ensemble((), {}), ())

    monkeypatch.setattr(module, "figure1", interrupted)
    with pytest.raises(Stopped, match="nothing had been recorded"):
        module.make_figure1(Settings(progress=False), tmp_path)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_stops_the_real_thing(tmp_path):
    """A run at the paper's size, interrupted by the signal that a terminal sends."""
    command = [sys.executable, "-m", "fastgrok", "reproduce", "das2026", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as job:
        assert job.stdout is not None
        job.stdout.readline()
        job.stdout.readline()  # "Figure 1: ...": training begins
        time.sleep(2.0)
        os.kill(job.pid, signal.SIGINT)
        _, error = job.communicate(timeout=60)
    assert job.returncode == 130
    assert re.search(r"stopped by Ctrl-C; kept the records of \d+ finished and", error), error
    assert "Traceback" not in error
    assert (tmp_path / "figure1-partial.csv").stat().st_size > 0


def test_info_shows_the_configuration(capsys):
    assert main(["info"]) == 0
    shown = capsys.readouterr().out
    for name, value in fastgrok.show_config().items():
        assert re.search(rf"^{re.escape(name)}\s+{re.escape(value)}$", shown, re.MULTILINE)


def test_python_m_is_the_command():
    command = [sys.executable, "-m", "fastgrok", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fastgrok.__version__


def test_starting_loads_only_what_every_command_needs():
    slow = {"matplotlib", "pandas", "scipy.integrate", "scipy.optimize", "scipy.stats", "xarray"}
    code = f"import sys, fastgrok.cli; print(*sorted({slow} & sys.modules.keys()))"
    assert python(code).stdout == "\n"


def test_help_lists_what_is_offered(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["reproduce", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for paper in papers.PAPERS.values():
        assert paper.citation in shown
        for item in paper.items:
            assert f"{item.name}: {item.title}" in shown


def test_the_readme_has_its_two_commands():
    """Word for word: whoever checks the project reads them there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\npip install '.[plot]' && fastgrok reproduce das2026 --quick\n" in text
    assert "\npip install '.[test]' && pytest\n" in text


COMMAND = """
import os, sys
from fastgrok.__main__ import main

assert "numpy" not in sys.modules  # whose BLAS reads the variables when it is loaded
try:
    status = main()
except SystemExit as stop:
    status = stop.code
print(status, os.environ.get("OPENBLAS_NUM_THREADS"), "numpy" in sys.modules)
"""


@pytest.mark.parametrize("own", ["", "3"])
def test_the_command_has_a_blas_of_one_thread_unless_told_otherwise(own):
    environment = {"OPENBLAS_NUM_THREADS": own} if own else {}
    inherited = own or os.environ.get("OPENBLAS_NUM_THREADS")
    child = python(COMMAND, "info", **environment)
    assert child.stdout.splitlines()[-1] == f"0 {inherited or 1} True", child.stderr
    # Not of wide data sets, which is all that is done of this before it is refused.
    child = python(COMMAND, "reproduce", "das2026", "--dim", "0", **environment)
    assert child.stdout == f"2 {inherited} True\n", child.stderr
