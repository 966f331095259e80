"""Rows in a file that is mapped into memory: the same bits, and pages that do not stay."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from bits import compute
from cases import point, problem
from fastgrok import _core
from fastgrok.descent import many
from runs import assert_same_bits

ROWS, COLUMNS = 3000, 257
SIZE = ROWS * COLUMNS * 4
CHUNK = SIZE // 16  # at most; and what two threads have under way is two of them


def mapped(path, X, mode="r", offset=0):
    """Put an array into a file and map it."""
    path.write_bytes(bytes(offset) + X.tobytes())
    return np.memmap(path, X.dtype, mode, offset, X.shape)


def resident(path):
    """Bytes of a file that count as memory of this process."""
    sizes = []
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
            own = line.endswith(str(path))
        elif own and line.startswith("Rss:"):
            sizes.append(int(line.split()[1]) * 1024)
    return sum(sizes)


@pytest.fixture
def rows(tmp_path):
    X, _ = problem(ROWS, COLUMNS)
    X[:, 1] += 5.0  # one direction of much curvature, which is soon found
    X = X.astype(np.float32)
    y = np.where(X[:, 0] > 0.0, 1.0, -1.0)
    return X, y, mapped(tmp_path / "rows", X), tmp_path / "rows"


@pytest.fixture
def nothing_kept(monkeypatch):
    small = functools.partial(_core.Problem, kept=0)
    small.sparse = _core.Problem.sparse
    monkeypatch.setattr(_core, "Problem", small)
    monkeypatch.setattr("fastgrok._checks.sparse.Problem", small)


@pytest.mark.parametrize(
    ("shape", "offset"), [((31, 33), 0), ((8_300, 16), 64), ((4_200, 65), 8), ((300, 660), 4096)]
)
def test_mapped_rows_give_the_bits_of_rows_in_memory(shape, offset, tmp_path, nothing_kept):
    def stored(X):
        return mapped(tmp_path / X.dtype.name, X, offset=offset)

    expected = compute([shape], threads=2)
    found = compute([shape], threads=2, stored=stored)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        assert values.tobytes() == found[name].tobytes(), name


PASSES = {
    "margins": lambda core, w, b: core.margins(w, b, 2),
    "accurate margins": lambda core, w, b: core.accurate_margins(w, b, 2),
    "loss": lambda core, w, b: core.evaluate(w, b, "logistic", False, 2),
    "gradient": lambda core, w, b: core.gradient(w, b, "logistic", 2),
    "curvature": lambda core, w, b: core.curvature(w, b, "logistic", 2),
}


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_leaves_its_pages_behind(name, rows):
    _, y, X, path = rows
    w, b = point(COLUMNS)
    PASSES[name](_core.Problem(X, y, True), w, b)
    assert resident(path) > SIZE / 2  # what is small stays
    _core.leave(X)
    PASSES[name](_core.Problem(X, y, True, kept=SIZE - 1), w, b)
    assert resident(path) <= 2 * CHUNK


RUNS = {
    "leap": {"engine": "leap", "steps": 1e5, "lr": 0.02, "rtol": 1e-3},
    "all rows": {"engine": "exact", "steps": 20, "lr": 0.02, "loss": "squared"},
    "some rows": {"engine": "exact", "steps": 40, "lr": 1e-3, "w0": 300.0 * np.eye(COLUMNS)[0]},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_leaves_its_pages_behind(name, rows, nothing_kept):
    X, y, there, path = rows
    settings = {"record": [0, 10, 20], "skip_rows": name == "some rows", **RUNS[name]}
    evals = {"flipped": (there, -y), "attacked": fg.Pgd(there, y, eps=0.01)}
    run = fg.train(there, y, evals=evals, **settings)
    assert resident(path) <= 2 * CHUNK
    assert run.engine.name == settings["engine"]
    assert (run.engine.row_share < 0.5) == (name == "some rows")
    evals = {"flipped": (X, -y), "attacked": fg.Pgd(X, y, eps=0.01)}
    assert_same_bits(run, fg.train(X, y, evals=evals, **settings))


@pytest.mark.parametrize("count", [1, 3, 6])
def test_runs_together_leave_their_pages_behind(count, rows, nothing_kept, monkeypatch):
    X, y, there, path = rows
    monkeypatch.setattr(many, "LARGE", 0)
    how = {"y": y, "steps": 5, "engine": "exact", "skip_rows": False, "watch_sharpness": False}
    problems = [{**how, "lr": 0.01 * (k + 1)} for k in range(count)]
    runs = fg.train_many([{**one, "X": there} for one in problems], threads=2)
    assert resident(path) <= 2 * CHUNK
    for run, one in zip(runs, problems, strict=True):
        assert_same_bits(run, fg.train(X, **one, threads=1))


def test_checks_and_digests_leave_their_pages_behind(rows, nothing_kept, tmp_path):
    X, y, there, path = rows
    fg.stable_lr(there, y)
    assert resident(path) <= 2 * CHUNK
    fg.train(there, y, steps=5, lr=0.1, checkpoint=tmp_path / "run")
    assert resident(path) <= 2 * CHUNK
    # The digest is that of the same rows in memory.
    fg.train(X, y, steps=5, lr=0.1, checkpoint=tmp_path / "run")


def test_a_value_that_is_not_finite_is_found_in_a_map(tmp_path):
    X = np.ones((4000, 65))
    X[3456, 64] = np.nan
    with pytest.raises(ValueError, match=r"X\[3456, 64\] = nan"):
        fg.train(mapped(tmp_path / "rows", X), np.ones(4000), steps=1, lr=0.1)


def test_data_sets_from_a_file_are_maps_whose_pages_are_left(tmp_path):
    ds = fg.datasets.margin_cube((2000, 2000), 129, dtype=np.float32)
    ds.save(tmp_path / "set")
    there = fg.Dataset.load(tmp_path / "set", mmap=True)
    assert there.X.tobytes() == ds.X.tobytes()
    assert resident(tmp_path / "set") > ds.X.nbytes / 2
    _core.leave(there.X)
    assert resident(tmp_path / "set") < ds.X.nbytes / 16


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_maps_that_may_be_written_to_are_let_alone(mode, tmp_path):
    X, y = problem(500, 65)
    there = mapped(tmp_path / "rows", X, mode)
    there[...] = 2.0 * X  # with "c" it stands in no file
    core, plain = _core.Problem(there, y, True, kept=0), _core.Problem(2.0 * X, y, True)
    w, b = point(65)
    for _ in range(2):
        assert core.margins(w, b, 1).tobytes() == plain.margins(w, b, 1).tobytes()
    _core.leave(there)
    assert there.tobytes() == (2.0 * X).tobytes()


def test_memory_of_no_file_is_let_alone():
    X, y = problem(500, 65)
    kept = X.copy()
    X.flags.writeable = False
    _core.Problem(X, y, True, kept=0).margins(*point(65), 1)
    _core.leave(X)
    assert X.tobytes() == kept.tobytes()


def test_rows_whose_pages_are_left_are_not_copied_to_be_aligned(tmp_path):
    X, y = problem(500, 65)
    there = mapped(tmp_path / "rows", X, offset=8)
    core = _core.Problem(there, y, True, align=True, kept=0)
    w, b = point(65)
    expected = _core.Problem(X, y, True).margins(w, b, 1).tobytes()
    assert [core.margins(w, b, 1).tobytes() for _ in range(2)] == [expected] * 2
