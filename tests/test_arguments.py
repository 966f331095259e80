"""Paths, flags, names and single numbers of all public functions are checked, and named."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from cases import problem
from fastgrok import datasets, distributed, papers
from fastgrok.datasets import Dataset
from fastgrok.papers import das2026
from fastgrok.papers._files import write_item
from fastgrok.papers._making import make
from fastgrok.testing import strategies
from fastgrok.theory import mixture, squared, two_point
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
    found = having("PathLike")
    assert found == {"save path", "sweep store", "train checkpoint", "from_npy path"}
    tried = {(name.split()[0].split(".")[-1], name.split()[-1]) for name in PATHS}
    assert {tuple(name.split()) for name in found} <= tried


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


# --- flags ------------------------------------------------------------------------------------


def train(**flag):
    return fg.train(X, Y, **ARGUMENTS, **flag)


FLAGS = {
    "accuracy_time log": lambda v: two_point.accuracy_time(0.9, 0.3, 1.0, 0.1, log=v),
    "adversarial_accuracy random_start": lambda v: fg.adversarial_accuracy(
        X, Y, X[0], random_start=v
    ),
    "at progress": lambda v: RUN.at(2, progress=v),
    "boundary_sets bias": lambda v: strategies.boundary_sets(bias=v),
    "concentrated progress": lambda v: datasets.concentrated((5, 5), 2, progress=v),
    "first_hit sustained": lambda v: RUN.first_hit("t", 0.1, sustained=v),
    "gaussian_mixture progress": lambda v: datasets.gaussian_mixture(5, 2, mu=1.0, progress=v),
    "gaussian_noise progress": lambda v: datasets.gaussian_noise(5, 2, progress=v),
    "grokking include_start": lambda v: RUN.grokking("t", include_start=v),
    "interior_sets bias": lambda v: strategies.interior_sets(bias=v),
    "load mmap": lambda v: Dataset.load("none", mmap=v),
    "margin_cube progress": lambda v: datasets.margin_cube((5, 5), progress=v),
    "margins normalized": lambda v: fg.margins(X, Y, X[0], normalized=v),
    "Pgd random_start": lambda v: fg.Pgd(X, Y, random_start=v),
    "pgd random_start": lambda v: fg.pgd(X, Y, X[0], random_start=v),
    "refine include_start": lambda v: RUN.refine("t", include_start=v),
    "refine progress": lambda v: RUN.refine("t", progress=v),
    "refine_hit progress": lambda v: RUN.refine_hit("t", 0.1, progress=v),
    "refine_hit sustained": lambda v: RUN.refine_hit("t", 0.1, sustained=v),
    "regularized_limit bias": lambda v: fg.regularized_limit(X, Y, 0.1, bias=v),
    "regularized_limit decay_bias": lambda v: fg.regularized_limit(X, Y, 0.1, decay_bias=v),
    "separability bias": lambda v: fg.separability(X, Y, bias=v),
    "separable_probability log": lambda v: fg.theory.edge.separable_probability(9, 3, log=v),
    "separable_sets bias": lambda v: strategies.separable_sets(bias=v),
    "separable_sets both_classes": lambda v: strategies.separable_sets(both_classes=v),
    "separation bias": lambda v: fg.separation(X, Y, bias=v),
    "stable_lr bias": lambda v: fg.stable_lr(X, Y, bias=v),
    "state bias": lambda v: squared.state([1.0], X, Y, 0.01, bias=v),
    "state decay_bias": lambda v: squared.state([1.0], X, Y, 0.01, decay_bias=v),
    "state log": lambda v: two_point.state(1.0, 0.3, 1.0, 0.1, log=v),
    "sweep progress": lambda v: fg.sweep("two_point", {"lam": 0.3}, progress=v),
    "train bias": lambda v: train(bias=v),
    "train decay_bias": lambda v: train(decay_bias=v, weight_decay=0.1),
    "train keep_weights": lambda v: train(keep_weights=v),
    "train progress": lambda v: train(progress=v),
    "train watch_sharpness": lambda v: train(watch_sharpness=v),
    "theory_runs progress": lambda v: das2026.theory_runs(steps=9, seeds=[0], progress=v),
    "train_ensemble adversarial": lambda v: das2026.train_ensemble(ONE, steps=9, adversarial=v),
    "train_ensemble progress": lambda v: das2026.train_ensemble(ONE, steps=9, progress=v),
    "train_many progress": lambda v: fg.train_many(
        [{"X": X, "y": Y, **ARGUMENTS}], progress=v
    ),
    "train_wide progress": lambda v: das2026.train_wide(
        n=(2, 2), dim=2, supports=[(0, 0)], steps=9, progress=v
    ),
    "two_gaussians progress": lambda v: datasets.two_gaussians(4, 2, progress=v),
}  # fmt: skip
#: Have other values beside True and False, or are of checked arguments.
MORE = {"decide bias", "max_margin bias", "phase_diagram contours", "train skip_rows"}


def test_every_flag_is_tried():
    assert having("bool") - MORE <= set(FLAGS)


@pytest.mark.parametrize("value", ["no", np.nan, 0, []])
@pytest.mark.parametrize("name", FLAGS)
def test_what_is_neither_true_nor_false_is_refused(name, value):
    argument = name.split()[-1]
    with pytest.raises(TypeError) as caught:
        FLAGS[name](value)
    assert str(caught.value).startswith(f"{argument} must be True or False, got {value!r}")


# --- names of evaluation sets -----------------------------------------------------------------


@pytest.mark.parametrize("value", [["t"], {}, 1, ("t",), np.array(["t"])])
@pytest.mark.parametrize(
    ("argument", "ask"),
    [
        ("name", lambda v: RUN.first_hit(v, 0.5)),
        ("name", lambda v: RUN.refine_hit(v, 0.5)),
        ("test", RUN.grokking),
        ("test", RUN.refine),
        ("test", lambda v: RUN.phases([0], test=v)),
    ],
)
def test_what_is_no_name_of_a_set_is_refused(argument, ask, value):
    with pytest.raises(TypeError) as caught:
        ask(value)
    shown = value if isinstance(value, list | dict | int | tuple) else "an array of shape (1,)"
    assert str(caught.value).startswith(f"{argument} must be one of 'train', 't', got {shown}")


# --- masked numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.ma.masked, np.ma.array(1.0), np.ma.array(1.0, mask=True)])
@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda v: train(b0=v), "b0 must be a real number"),
        (lambda v: train(weight_decay=v), "weight_decay must be a real number"),
        (lambda v: train(checkpoint_interval=v), "checkpoint_interval must be a real number"),
        (lambda v: train(threads=v), "threads must be an integer"),
        (lambda v: fg.train(X, Y, steps=v, lr=0.1), "steps must be an integer"),
        (lambda v: fg.train(X, Y, steps=3, lr=v), "lr must be a real number"),
        (lambda v: train(record=v), "record must be a plain array"),
        (lambda v: fg.hyperplane_distance(X[0], v), "b must be a real number"),
        (datasets.two_points, "lam must be a real number"),
        (lambda v: two_point.stationary_point(v, 1.0), "lam must be a plain array"),
        (RUN.at, "step must be a plain array"),
    ],
)
def test_masked_numbers_are_refused(call, told, value):
    with pytest.raises(TypeError, match=rf"^{told}, got a masked array: (drop or )?fill it first"):
        call(value)


def test_masked_row_numbers_and_texts_are_refused():
    rows = np.ma.array([0, 1], mask=[False, True])
    names = np.ma.array(np.where(Y > 0, "a", "b"), mask=Y > 0)
    calls = {
        "support": lambda: RUN.phases(rows),
        "y": lambda: fg.train(X, names, **ARGUMENTS),
        "flipped": lambda: Dataset(X, Y, flipped=rows),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"^{name} must be a plain array, got a masked array"):
            call()
