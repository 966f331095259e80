"""Folders of finished cells: what is missing is computed, and nothing is ever half there."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
import sweep_cases as cases
from fastgrok._files import remove_old_leftovers
from fastgrok.sweeps import _identity as identity
from fastgrok.sweeps._store import Store
from fastgrok.sweeps._values import Outcome

TESTS = Path(__file__).parent


def swept(run, grid, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.SweepWarning)
        return fg.sweep(run, grid, progress=False, **options)


@pytest.fixture
def log(tmp_path, monkeypatch):
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv(cases.LOG, str(path))
    return lambda: sorted(float(line) for line in path.read_text(encoding="utf-8").split())


def test_a_second_call_computes_what_is_missing(tmp_path, log):
    store = tmp_path / "a" / "store"
    swept(cases.logged, {"x": [1.0, 4.0]}, store=store)
    assert log() == [1.0, 4.0]
    found = swept(cases.logged, {"x": [4.0, 9.0, 1.0]}, store=store)
    assert log() == [1.0, 4.0, 9.0]
    np.testing.assert_array_equal(found.root, [2.0, 3.0, 1.0])
    assert len(list(store.glob("*.json"))) == 3
    xr.testing.assert_identical(found, swept(cases.logged, {"x": [4.0, 9.0, 1.0]}))


def test_a_failed_cell_keeps_its_traceback_and_is_tried_again(tmp_path, log):
    for k in range(2):
        found = swept(cases.logged, {"x": [-1.0, 4.0]}, store=tmp_path / "store")
        assert found.failed.to_numpy().tolist() == [True, False]
        assert log() == [-1.0] * (k + 1) + [4.0]
        (kept,) = (tmp_path / "store").glob("*.failed.txt")
        text = kept.read_text(encoding="utf-8")
        assert text.endswith("RuntimeError: below 0\n")
        assert "'x': -1.0" in text
        assert "sweep_cases.logged" in text


def test_a_cell_that_succeeds_at_last_forgets_its_failure(tmp_path):
    store = Store(str(tmp_path))
    store.put("key", {"function": "f"}, Outcome(None, "Traceback"))
    assert store.get("key") is None
    store.put("key", {"function": "f"}, Outcome({"a": ((), np.array(1.5))}))
    assert [path.name for path in tmp_path.iterdir()] == ["key.json"]
    assert store.get("key").values["a"][1] == 1.5


ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.uint8, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


@given(st.dictionaries(st.text(max_size=3), ARRAYS, max_size=3))
def test_values_come_back_to_the_bit(tmp_path_factory, values):
    store = Store(str(tmp_path_factory.mktemp("store")))
    given = {name: (tuple(f"d{k}" for k in range(v.ndim)), v) for name, v in values.items()}
    store.put("key", {"arguments": {}}, Outcome(given))
    found = store.get("key").values
    assert set(found) == set(given)
    for name, (dims, array) in given.items():
        assert found[name][0] == dims
        assert found[name][1].dtype == array.dtype
        np.testing.assert_array_equal(found[name][1], array)
        np.testing.assert_array_equal(np.signbit(found[name][1]), np.signbit(array)) if (
            array.dtype.kind == "f" and not np.isnan(array).any()
        ) else None


@pytest.mark.parametrize("harm", ["cut", "change", "empty", "rename", "noise", "list"])
def test_a_damaged_cell_is_computed_again(tmp_path, log, harm):
    grid = {"x": [1.0, 4.0]}
    expected = swept(cases.logged, grid, store=tmp_path)
    first, second = sorted(tmp_path.glob("*.json"))
    text = first.read_text(encoding="utf-8")
    harmed = {
        "cut": text[:-20],
        "change": text.replace("1.0", "1.5").replace("2.0", "2.5"),
        "empty": "",
        "rename": second.read_text(encoding="utf-8"),
        "noise": "\udcff",
        "list": "[1]",
    }
    first.write_text(harmed[harm], encoding="utf-8", errors="surrogateescape")
    xr.testing.assert_identical(swept(cases.logged, grid, store=tmp_path), expected)
    assert len(log()) == 3
    assert json.loads(first.read_text(encoding="utf-8")) == json.loads(text)


def key_of(run, cell, version="1"):
    function = identity.Function(run, tuple(cell))
    return identity.key(identity.made_from(function, cell, version))


VALUES = st.one_of(st.integers(-3, 3), st.floats(-3, 3), st.booleans(), st.sampled_from("ab"))


@given(VALUES, VALUES)
def test_keys_differ_where_values_or_their_types_do(a, b):
    same = repr(a) == repr(b)
    assert (key_of(cases.plain, {"x": a}) == key_of(cases.plain, {"x": b})) == same


def test_keys_hang_on_function_defaults_and_version_but_not_on_who_says_them():
    key = key_of(cases.plain, {"x": 1})
    assert key == key_of(cases.plain, {"x": 1, "y": 2}) == key_of(cases.plain, {"y": 2, "x": 1})
    others = [
        key_of(cases.plain, {"x": 1, "y": 3}),
        key_of(cases.plain, {"x": 1}, "2"),
        key_of(cases.fails, {"x": 1}),
    ]
    assert len({key, *others}) == 4


@pytest.mark.parametrize("source", [True, False])
def test_keys_hang_on_what_the_function_does(tmp_path, monkeypatch, source):
    """By its source, or by what it was compiled to where there is none."""
    monkeypatch.syspath_prepend(str(tmp_path))
    keys = []
    for k, body in enumerate(("x + 1", "x + 1", "x + 2", "x - 1", "[x + 1 for x in [x]][0]")):
        text = f"def f(x):\n    return {{'y': {body}}}\n"
        names: dict[str, object] = {"__name__": "somewhere"}
        path = tmp_path / f"module{k}.py"
        if source:
            path.write_text(text, encoding="utf-8")
        exec(compile(text, str(path), "exec"), names)
        keys.append(key_of(names["f"], {"x": 1}))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_a_store_must_be_a_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("in the way", encoding="utf-8")
    for store in (path, path / "below"):
        with pytest.raises(NotADirectoryError, match=r"store must be a folder, but .*file"):
            swept(cases.plain, {"x": [1]}, store=store)
    assert path.read_text(encoding="utf-8") == "in the way"


def test_leftovers_are_removed_when_they_are_old_and_nobody_holds_them(tmp_path):
    old, new, other = (
        tmp_path / name for name in (".fastgrok-a-1.tmp", ".fastgrok-b-2.tmp", "c.tmp")
    )
    for path in (old, new, other):
        path.write_text("half", encoding="utf-8")
    for path in (old, other):
        os.utime(path, (time.time() - 3600.0,) * 2)
    remove_old_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".fastgrok-b-2.tmp", "c.tmp"]


GRID = {"x": list(range(12)), "y": list(range(5))}
PROGRAM = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import warnings
warnings.simplefilter("ignore")
import fastgrok as fg
import sweep_cases
print("begun", flush=True)
found = fg.sweep(sweep_cases.slow, {GRID!r}, store=sys.argv[1], progress=False)
print("done", flush=True)
"""


def start(store):
    job = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(store)], stdout=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "begun\n"
    return job


def test_killed_at_any_moment_and_resumed_it_is_the_same(tmp_path):
    """At moments that are drawn, other ones in every run."""
    expected = swept(cases.slow, GRID)
    done = 60 - int(expected.failed.sum())
    assert 0 < done < 60
    store, seen = tmp_path / "store", 0
    draw = random.Random()
    for k in range(4):
        with start(store) as job:
            while k > 0 and len(list(store.glob("*.json"))) <= seen and job.poll() is None:
                time.sleep(0.005)  # the first one is killed as it begins, others at work
            time.sleep(draw.uniform(0.0, 0.15))
            job.send_signal(signal.SIGKILL)
        kept = len(list(store.glob("*.json"))) if store.exists() else 0
        assert kept > seen or kept == done or k == 0
        seen = kept
    xr.testing.assert_identical(swept(cases.slow, GRID, store=store), expected)
    xr.testing.assert_identical(swept(cases.slow, GRID, store=store), expected)
    assert len(list(store.glob("*.json"))) == done
    assert len(list(store.glob("*.failed.txt"))) == 60 - done


def test_two_at_once_on_one_folder(tmp_path):
    jobs = [start(tmp_path) for _ in range(2)]
    for job in jobs:
        with job:
            assert job.stdout is not None
            assert job.stdout.read() == "done\n"
        assert job.returncode == 0
    expected = swept(cases.slow, GRID)
    done = 60 - int(expected.failed.sum())
    assert len(list(tmp_path.iterdir())) == 60
    assert len(list(tmp_path.glob("*.json"))) == done
    xr.testing.assert_identical(swept(cases.slow, GRID, store=tmp_path), expected)
