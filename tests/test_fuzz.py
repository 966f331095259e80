"""The targets of tests/fuzz, a little of each, and what they have found."""

import sys
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from fastgrok import datasets, theory

FOLDER = str(Path(__file__).parent / "fuzz")
sys.path.append(FOLDER)
import calls  # noqa: E402
import changed_files  # noqa: E402
import machine  # noqa: E402
import worker  # noqa: E402

sys.path.remove(FOLDER)
TARGETS = {"calls": calls.calls, "files": changed_files.files, "steps": machine.steps,
           "machine": machine.machine}  # fmt: skip
X, y = [[1.0, 2.0], [-1.0, 0.5], [0.5, -2.0]], [1, -1, 1]


@pytest.fixture(scope="module", autouse=True)
def cleared():
    yield
    changed_files.close()


@pytest.mark.parametrize("target", TARGETS)
def test_some_inputs(target):
    assert set(TARGETS) == set(worker.MODULES)
    for number in range(10 if target == "machine" else 100):
        TARGETS[target](number)


def test_what_was_found():
    file = Path(FOLDER) / "corpus" / "calls.txt"
    for number in map(int, file.read_text().split()):
        calls.calls(number)


def test_a_target_can_fail(monkeypatch):
    monkeypatch.setattr(machine.reference, "total_loss", lambda *_: 1e9)
    with pytest.raises(calls.WrongError, match="loss"):
        machine.steps(1)
    monkeypatch.setattr(calls, "CALLS", [lambda r: (len, {"rows": 1})])
    with pytest.raises(calls.WrongError):
        calls.calls(1)


def test_one_number_is_no_pair_and_no_list():
    one = np.array(1.0)
    with pytest.raises(TypeError, match="support must be a pair"):
        datasets.margin_cube((5, 4), support=one)
    with pytest.raises(TypeError, match="bounds must be"):
        fg.pgd(X, y, [1.0, 1.0], bounds=one)
    with pytest.raises(ValueError, match=r"norm must be numpy\.inf, 2 or 1"):
        fg.pgd(X, y, [1.0, 1.0], norm=np.zeros((2, 2)))
    with pytest.raises(TypeError, match="problems must be a list"):
        fg.train_many(np.array("a"))
    with pytest.raises(ValueError, match="classes must be"):
        fg.train(X, y, steps=1, lr=0.1, classes=np.array("a"))
    with pytest.raises(TypeError, match="stop must be"):
        fg.train(X, y, steps=1, lr=0.1, stop=np.array("a"))


@pytest.mark.parametrize("make", [datasets.two_gaussians, datasets.gaussian_noise])
def test_more_rows_than_there_can_be(make):
    with pytest.raises(ValueError, match="n x dim must be at most"):
        make(6, 10**30)


def test_the_ends_of_float64_do_without_warnings():
    assert theory.two_point.accuracy_time(0.9, 1e-320, 1.0, 0.1) == 0.0
    assert theory.edge.separable_probability(9, 1e308) == 1.0
    with pytest.raises(ValueError, match="lr times t"):
        theory.bias.reduced_model([1.0, 9.0], (4, 3), 0.1, lr=1e308)
    with pytest.raises(ValueError, match="X and weight_decay times lr"):
        theory.squared.state(1.0, np.array(X) * 1e300, y, 1e200)
    w, _ = theory.squared.state(1e6, [[1e-3], [2e-3]], [1, -1], 1e-307, weight_decay=1e307)
    assert np.abs(w).max() <= 1e-100
