"""What keeps the house in order: who may import what of whom, and how large a file may be."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastgrok as fg
from fastgrok import training

ROOT = Path(__file__).parent.parent
PACKAGE = Path(training.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
TOP = {"__init__", "__main__", "cli", "errors", "sklearn", "training", "trajectory"}
LONGEST = 400


def of_ours(path):
    """Modules of the package that a module imports, at its top, in functions or for types."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides where it points"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastgrok"):
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith("fastgrok"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_has_an_underscore_stays_inside_its_package(path):
    inside = ("fastgrok", *path.relative_to(PACKAGE).parts[:-1])
    for name in of_ours(path):
        parts = name.split(".")
        for i, part in enumerate(parts):
            if i > 1 and part.startswith("_") and (PACKAGE / Path(*parts[1:i])).is_dir():
                assert inside[:i] == tuple(parts[:i]), name


def test_the_top_level_has_the_modules_that_it_must_have():
    assert {path.stem for path in PACKAGE.glob("*.py")} == TOP


def test_no_include_goes_up():
    sources = [path for path in (ROOT / "cpp").rglob("*") if path.suffix in (".cpp", ".hpp")]
    assert not [path for path in sources if '#include "../' in path.read_text()]


def test_files_are_short():
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not in a clone, whose files git would name")
    for name in listed.stdout.split():
        if re.search(r"\.(py|pyi|[ch]pp|txt|toml|md)$", name) and name != "CHANGELOG.md":
            assert len((ROOT / name).read_text().splitlines()) <= LONGEST, name


def test_the_public_names_are_found_and_listed():
    assert dir(fg) == sorted(fg.__all__)
    assert all(hasattr(fg, name) for name in fg.__all__)
    with pytest.raises(AttributeError, match="'fastgrok' has no attribute 'trian'"):
        fg.trian  # noqa: B018


def test_editors_and_type_checkers_are_told_the_public_names_and_where_they_are():
    """Those that are imported for them alone, as themselves, are those that are imported late."""
    (told,) = (
        node
        for node in ast.parse((PACKAGE / "__init__.py").read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    *imports, version = told.body
    assert ast.unparse(version) == "__version__: str"
    names = {name.asname: (line.module, name.name) for line in imports for name in line.names}
    assert sorted(names) == sorted({*fg.__all__, "plots"} - {"__version__"})
    for public, (module, name) in names.items():
        assert public == name
        assert getattr(fg, name) is getattr(importlib.import_module(module), name)
        assert fg._WHERE.get(name, "") == module.removeprefix("fastgrok").removeprefix(".")


@pytest.mark.parametrize(
    "name", ["datasets", "distributed", "errors", "plots", "sweeps", "theory", "training"]
)
def test_packages_are_there_when_they_are_asked_for(name):
    program = f"import fastgrok; print(fastgrok.{name}.__name__)"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout == f"fastgrok.{name}\n"


def test_a_run_takes_no_other_attributes():
    run = fg.train([[1.0], [-1.0]], [1, -1], steps=2, lr=0.1)
    for name in ("notes", "grokking", "save", "loss", "engine", "w"):
        with pytest.raises(AttributeError):
            setattr(run, name, None)
    with pytest.raises(AttributeError):
        del run.notes


def test_without_its_extension_the_package_says_what_to_do(tmp_path):
    without = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "fastgrok", ignore=without)
    said = subprocess.run(
        [sys.executable, "-c", "import sys; sys.path[:0] = '.'; import fastgrok; fastgrok.train"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 1
    assert "ImportError: fastgrok has no compiled extension" in said.stderr


def test_threads_may_ask_for_public_names_at_once():
    program = """
from concurrent.futures import ThreadPoolExecutor
import fastgrok as fg
X, y = [[1.0], [-1.0]], [1, -1]
jobs = [
    lambda: fg.datasets.two_points(0.3),
    lambda: fg.train(X, y, steps=9, lr=0.1),
    lambda: fg.max_margin(X, y),
    lambda: fg.theory.edge.limit_accuracy(1.0, 1.0),
]
with ThreadPoolExecutor(4) as pool:
    print(len([job.result() for job in [pool.submit(job) for job in jobs]]))
"""
    for _ in range(4):
        shown = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert (shown.stdout, shown.stderr) == ("4\n", "")


@pytest.mark.parametrize("seconds", [0.002, 0.05, 0.15, 0.25])
def test_a_fork_while_another_thread_imports_leaves_both_free(seconds):
    program = """
import os, signal, threading, time
signal.alarm(60)
import fastgrok as fg
X, y = [[1.0, 2.0], [-1.0, 0.5]], [1, -1]
worker = threading.Thread(target=lambda: fg.max_margin(X, y))
worker.start()
time.sleep(SECONDS)
child = os.fork()
if child == 0:
    signal.alarm(60)
    fg.max_margin(X, y)
    os._exit(0)
print(os.waitpid(child, 0)[1])
worker.join()
"""
    command = [sys.executable, "-c", program.replace("SECONDS", str(seconds))]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == "0\n", shown.stderr
