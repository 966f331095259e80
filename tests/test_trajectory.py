"""A run's arrays, tables, files and text."""

import copy
import io
import json
import os
import pickle
import stat

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastgrok.descent.errors import DivergenceError, Interrupted
from fastgrok.errors import FastgrokError
from fastgrok.records.reports import EngineReport
from fastgrok.trajectory import Trajectory
from synthetic_runs import make_run

ARRAYS = ("steps", "b", "norm_w", "sharpness", "sharpness_mean", "regime", "w")


def with_weights(**changes):
    weights = np.random.default_rng(1).normal(size=(4, 3))
    weights[0] = [np.nan, -0.0, 5e-324]
    return make_run(weights=weights, **changes)


def assert_same_run(again, run):
    for name in ARRAYS:
        assert_same_bits(getattr(again, name), getattr(run, name))
    assert list(again.losses) == list(run.losses)
    for name in run.losses:
        assert_same_bits(again.losses[name], run.losses[name])
        assert_same_bits(again.counts[name], run.counts[name])
    if run.weights is None:
        assert again.weights is None
    else:
        assert_same_bits(again.weights, run.weights)
    assert again.sizes == run.sizes
    assert np.float64(again.bias_final).tobytes() == np.float64(run.bias_final).tobytes()
    assert isinstance(again.bias_final, float)
    assert again.engine == run.engine
    assert again.params == run.params


def assert_same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()
    assert not a.flags.writeable


# ------------------------------------------------------------------------------------ arrays


def test_arrays_cannot_be_written_to():
    run = with_weights()
    arrays = [getattr(run, name) for name in ARRAYS]
    arrays += [run.weights, run.loss, run.distance, *run.counts.values(), *run.accuracy.values()]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        run.b = run.steps


def test_caller_keeps_a_writeable_array():
    b = np.zeros(4)
    run = make_run(b=b)
    b[0] = 1.0
    assert not run.b.flags.writeable


def test_accuracy_and_loss():
    run = make_run((1, 2), {"train": [1, 3], "t": [2, 4]}, {"train": 4, "t": 5})
    assert run.accuracy["train"].tolist() == [0.25, 0.75]
    assert run.accuracy["t"].tolist() == [0.4, 0.8]
    assert run.loss is run.losses["train"]


def test_distance_at_zero_weights():
    norm_w = np.array([0.0, 0.0, 2.0, 5e-324])
    run = make_run(b=np.array([0.0, -1.0, -3.0, 1e300]), norm_w=norm_w)
    np.testing.assert_array_equal(run.distance, [np.nan, np.inf, 1.5, np.inf])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("b", np.zeros(3), r"b has shape \(3,\), expected \(4,\)"),
        ("weights", np.zeros((4, 2)), r"weights has shape \(4, 2\), expected \(4, 3\)"),
        ("w", np.zeros((1, 2)), r"w has shape"),
        ("losses", {"train": np.zeros(4)}, "the same names"),
        ("sizes", {"standard": 10, "train": 10}, "'train' first"),
        ("losses", {"train": np.zeros(4), "standard": np.zeros(2)}, r"losses\['standard'\]"),
    ],
)
def test_fields_that_do_not_fit_together(field, value, message):
    with pytest.raises(ValueError, match=message):
        make_run(**{field: value})


def test_a_run_can_be_pickled_and_copied():
    run = with_weights()
    assert copy.copy(run).steps is run.steps
    again = pickle.loads(pickle.dumps(run))
    assert again.weights.tobytes() == run.weights.tobytes()
    assert again.params == run.params


# -------------------------------------------------------------------------------------- text


def test_text_says_what_matters():
    run = make_run(
        (0, 5, 2000), {"train": [0, 9, 10], "far": [0, 0, 1999]}, {"train": 10, "far": 2000}
    )
    text = str(run)
    assert repr(run) == text
    for part in (
        "10 x 2",
        "logistic loss (mean)",
        "lr 0.01",
        "2,000 steps, 3 records",
        "exact, 2,000 steps one by one, v3, 1 thread, 0.25 s",
        "train 10/10 = 1",
        "far 1999/2000 = 0.9995",
        "b 0.125",
        "irregular at the end",
    ):
        assert part in text
    assert len(text.splitlines()) == 5


def test_text_of_a_run_that_ended_early():
    params = make_run().params
    run = make_run(params=params | {"steps": 10**7, "interrupted": 0})
    assert "100 of 10,000,000 steps (interrupted)" in str(run)
    run = make_run(params=params | {"steps": 200, "diverged_at": 123})
    assert "100 of 200 steps (diverged at step 123)" in str(run)
    assert "0 of 7 steps" in str(make_run((), params=params | {"steps": 7}))
    smooth = make_run(regime=np.array(["smooth"] * 4))
    assert "smooth throughout" in str(smooth)


# -------------------------------------------------------------------------------------- tables


def test_to_pandas():
    run = with_weights()
    table = run.to_pandas()
    assert isinstance(table, pd.DataFrame)
    assert table.index.name == "step"
    assert table.index.tolist() == [0, 1, 10, 100]
    assert list(table.columns) == [
        *("loss_train", "accuracy_train", "correct_train"),
        *("loss_standard", "accuracy_standard", "correct_standard"),
        *("b", "norm_w", "distance", "sharpness", "sharpness_mean", "regime", "period"),
    ]
    assert table["correct_train"].tolist() == [0, 1, 2, 3]
    assert table.loc[100, "accuracy_train"] == 0.3
    np.testing.assert_array_equal(table["distance"], run.distance)
    assert table["regime"].tolist() == list(run.regime)
    assert table["period"].tolist() == [0, 2, 0, 0]


def test_to_xarray():
    run = with_weights()
    data = run.to_xarray()
    assert isinstance(data, xr.Dataset)
    assert data.sizes == {"step": 4, "dataset": 2, "feature": 2}
    assert data.attrs == run.params
    assert data["accuracy"].sel(step=100, dataset="train") == 0.3
    assert data["size"].sel(dataset="standard") == 10
    np.testing.assert_array_equal(data["loss"].sel(dataset="standard"), run.losses["standard"])
    np.testing.assert_array_equal(data["correct"].sel(dataset="train"), run.counts["train"])
    np.testing.assert_array_equal(data["w"], run.weights[:, :-1])
    np.testing.assert_array_equal(data["b"], run.b)
    assert "w" not in make_run().to_xarray()


def test_tables_of_a_run_without_records():
    run = make_run((), w=np.zeros(2))
    assert len(run.to_pandas()) == 0
    assert run.to_xarray().sizes["step"] == 0


@pytest.mark.parametrize(
    ("missing", "method", "extra"),
    [
        ("pandas", "to_pandas", "data"),
        ("xarray", "to_xarray", "data"),
        ("matplotlib.figure", "plot", "plot"),
    ],
)
def test_a_missing_optional_package_names_its_extra(monkeypatch, missing, method, extra):
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    with pytest.raises(ImportError, match=rf"pip install 'fastgrok\[{extra}\]'"):
        getattr(make_run(), method)()


# -------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["run.npz", "run", "run.data", "läuft.npz"])
@pytest.mark.parametrize("as_text", [True, False])
def test_round_trip_is_exact(tmp_path, name, as_text):
    run = with_weights(
        losses={"train": np.array([np.inf, 1e-320, -0.0, 0.1]), "standard": np.full(4, np.nan)},
        bias_final=-0.0,
    )
    path = tmp_path / name
    run.save(str(path) if as_text else path)
    assert os.listdir(tmp_path) == [name]
    again = Trajectory.load(str(path) if as_text else path)
    assert_same_run(again, run)
    assert again.data is None


def test_round_trip_without_weights_or_records(tmp_path):
    for run in (make_run(), make_run(()), make_run(counts={"train": [0, 1, 2, 3]})):
        run.save(tmp_path / "run")
        assert_same_run(Trajectory.load(tmp_path / "run"), run)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 9), max_size=3), st.floats())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_of_any_names_and_numbers(tmp_path, sets, b):
    counts = {"train": [1, 2, 3, 4]} | {name: [k] * 4 for name, k in sets.items()}
    run = make_run(counts=counts, bias_final=b)
    run.save(tmp_path / "run.npz")
    assert_same_run(Trajectory.load(tmp_path / "run.npz"), run)


def test_save_replaces_the_file_with_ordinary_permissions(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"something else")
    (tmp_path / "ordinary").touch()
    make_run().save(path)
    assert_same_run(Trajectory.load(path), make_run())
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("run.npz", "ordinary")]
    assert modes[0] == modes[1]


def test_save_through_a_link_keeps_the_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target.npz")
    make_run().save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert_same_run(Trajectory.load(tmp_path / "target.npz"), make_run())


def test_a_failed_save_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    make_run().save(path)
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        make_run((1, 2)).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.npz"]


def test_params_must_be_plain(tmp_path):
    run = make_run(params=make_run().params | {"x": np.zeros(2)})
    with pytest.raises(TypeError, match="params must hold plain numbers"):
        run.save(tmp_path / "run.npz")
    assert os.listdir(tmp_path) == []


def test_missing_file_and_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        Trajectory.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError):
        make_run().save(tmp_path / "no" / "run.npz")


def rewritten(path, change):
    """Write the file again with its header and arrays changed, checksums right."""
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(arrays["header"].tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    with open(path, "wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, a: h.update(version=2), "version 2; this fastgrok reads version 1"),
        (lambda h, a: h.pop("version"), "version None"),
        (lambda h, a: h.update(format="fastgrok-dataset"), "not a saved trajectory"),
        (lambda h, a: h.pop("engine"), "not a complete trajectory"),
        (lambda h, a: h["engine"].update(more=1), "not a complete trajectory"),
        (lambda h, a: h.update(sizes=[1]), "not a complete trajectory"),
        (lambda h, a: h["sizes"].update(more=1), "not a complete trajectory"),
        (lambda h, a: a.pop("b"), "not a complete trajectory"),
        (lambda h, a: a.update(b=a["b"][:-1]), "b has shape"),
        (lambda h, a: a.update(weights=np.zeros((4, 7))), "its arrays are"),
        (
            lambda h, a: (h["arrays"].append("weights"), a.update(weights=np.zeros((4, 7)))),
            "weights has shape",
        ),
        (lambda h, a: a.update(b=a["b"].astype(np.float32)), "b has dtype float32"),
        (lambda h, a: a.update(bias_final=np.zeros(2)), "not a complete trajectory"),
    ],
)
def test_files_of_another_version_or_with_wrong_content(tmp_path, change, message):
    path = tmp_path / "run.npz"
    make_run().save(path)
    rewritten(path, change)
    with pytest.raises(ValueError, match=message):
        Trajectory.load(path)


def foreign_files():
    plain, array, objects = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.savez(plain, a=np.zeros(3))
    np.save(array, np.zeros(3))
    np.savez(objects, header=np.array([{}], dtype=object))
    return {
        "empty": b"",
        "text": b"hello",
        "npz": plain.getvalue(),
        "npy": array.getvalue(),
        "pickle in npz": objects.getvalue(),
        "pickle": pickle.dumps(1),
    }


@pytest.mark.parametrize("content", foreign_files().values(), ids=foreign_files().keys())
def test_foreign_files(tmp_path, content):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign.npz.*is not a saved trajectory"):
        Trajectory.load(path)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_noticed(tmp_path, data):
    path = tmp_path / "run.npz"
    run = make_run((1, 2), {"train": [1, 2]})
    run.save(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        again = Trajectory.load(path)
    except ValueError:
        with pytest.raises(ValueError, match=r"run\.npz"):
            Trajectory.load(path)
    else:
        assert_same_run(again, run)  # a byte that carries nothing, such as a time stamp


# -------------------------------------------------------------------------------------- errors


def test_errors_carry_the_run_across_processes():
    run = make_run()
    for kind in (DivergenceError, Interrupted):
        error = pickle.loads(pickle.dumps(kind("stopped at step 7", run, 7)))
        assert str(error) == "stopped at step 7"
        assert error.step == 7
        assert error.trajectory.steps.tolist() == run.steps.tolist()
    assert issubclass(DivergenceError, FastgrokError)
    assert issubclass(FastgrokError, RuntimeError)
    assert issubclass(Interrupted, KeyboardInterrupt)


def test_engine_report_in_a_line():
    assert str(EngineReport("exact", 1000, "v4", 2, 1.5)) == (
        "exact, 1,000 steps one by one, v4, 2 threads, 1.5 s"
    )
    assert str(EngineReport("exact", 1000, "v4", 1, 1.5, row_share=0.123)) == (
        "exact, 1,000 steps one by one over 12 % of the rows, v4, 1 thread, 1.5 s"
    )
