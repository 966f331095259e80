"""Paths, flags, names and single numbers of all public functions are checked, and named."""

import inspect
import os
from pathlib import Path

import pytest

import fastgrok as fg
from cases import problem
from fastgrok import distributed, papers
from fastgrok.datasets import Dataset
from fastgrok.papers import das2026
from fastgrok.papers._files import write_item
from fastgrok.papers._making import make
from fastgrok.theory import mixture, squared
from test_docstrings import HOUSE, public

X, Y = problem(12, 2)
ARGUMENTS = {"steps": 3, "lr": 0.1}
RUN = fg.train(X, Y, **ARGUMENTS, evals={"t": (X, Y)}, keep_weights=True)


ONE = [das2026.Variant("sum", (0, 0))]


def parameters():
    """Name every parameter of our public functions, with its annotation as it is written."""
    for name, value in public((*HOUSE, distributed, mixture, squared)):
        made = inspect.isclass(value) and value not in (fg.Pgd, Dataset)  # by us alone
        if not made and value.__module__ != "fastgrok.records.reports":
            for one in inspect.signature(value).parameters.values():
                yield f"{name.rsplit('.', 1)[-1]} {one.name}", str(one.annotation)


def having(part):
    return {name for name, annotation in parameters() if part in annotation}


# --- paths ------------------------------------------------------------------------------------

PATHS = {
    "Trajectory.load path": fg.Trajectory.load,
    "save path": RUN.save,
    "Dataset.load path": Dataset.load,
    "Dataset.save path": Dataset(X, Y).save,
    "train checkpoint": lambda v: fg.train(X, Y, **ARGUMENTS, checkpoint=v),
    "sweep store": lambda v: fg.sweep("two_point", {"lam": 0.3}, store=v, progress=False),
    "from_npy path": distributed.from_npy,
    "make folder": lambda v: make("a", papers.Settings(), v, pytest.fail, pytest.fail),
    "write_item folder": lambda v: write_item(
        "a", v, pictures={}, tables={}, verdicts=[], report="none"
    ),
    "write_overview folder": lambda v: papers.write_overview(
        papers.PAPERS["das2026"], [], v, size="none"
    ),
    "write_gallery folder": lambda v: papers.write_gallery([], v, size="none"),
}
NO_PATHS = (1.5, True, 1, b"run", ["run"], X)


def test_every_path_is_tried():
    assert having("PathLike") == {"save path", "sweep store", "train checkpoint", "from_npy path"}


@pytest.mark.parametrize("name", PATHS)
def test_what_is_no_path_is_refused(name):
    argument = name.split()[-1]
    for value in NO_PATHS if argument in ("checkpoint", "store") else (None, *NO_PATHS):
        with pytest.raises(TypeError) as caught:
            PATHS[name](value)
        shown = "an array of shape (12, 2)" if value is X else repr(value)
        told = f"{argument} must be a path (str or os.PathLike), got {shown}"
        assert str(caught.value).startswith(told)
    for value in ("", "a\0b"):
        with pytest.raises(ValueError, match=rf"^{argument} must be the path of a file, got '"):
            PATHS[name](value)


@pytest.mark.parametrize("load", [fg.Trajectory.load, Dataset.load])
def test_no_number_is_taken_for_an_open_file(load, tmp_path):
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    with pytest.raises(TypeError, match="path must be a path"):
        load(file)
    os.close(file)  # which nobody has closed
    assert Path(tmp_path / "file").read_bytes() == b""
