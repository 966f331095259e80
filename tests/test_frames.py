"""Data frames: columns of any type that are numbers, names in their order, one index."""

import decimal
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow
import pytest

import fastgrok as fg
from cases import problem

X, Y = problem(12, 3)
NAMES = ("age", "bmi", "dose")


def frame(values=X, **columns):
    return pd.DataFrame(values, columns=list(NAMES)).assign(**columns)


def rows_of(given):
    """The rows as the library reads them."""
    weights = np.eye(given.shape[1])
    ones = np.ones(len(given))
    return np.column_stack([fg.margins(given, ones, w, normalized=False) for w in weights])


SMALL = np.arange(12) % 5 - 2
FLAGS = SMALL > 0


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"bmi": FLAGS}, FLAGS),
        ({"bmi": pd.array(FLAGS, dtype="boolean")}, FLAGS),
        ({"bmi": pd.array(SMALL, dtype="Int8"), "dose": pd.array(X[:, 2], dtype="Float64")}, SMALL),
        ({"bmi": pd.array(SMALL, dtype="int64[pyarrow]")}, SMALL),
        ({"bmi": pd.array(SMALL / 4, dtype="double[pyarrow]")}, SMALL / 4),
        ({"bmi": pd.arrays.SparseArray(SMALL)}, SMALL),
        ({"bmi": SMALL.astype(object)}, SMALL),
        ({"bmi": [Fraction(int(k), 8) for k in SMALL]}, SMALL / 8),
        ({"bmi": [decimal.Decimal(int(k)) / 4 for k in SMALL]}, SMALL / 4),
        ({"bmi": SMALL.astype(np.float16)}, SMALL),
        ({"bmi": 2**60 + SMALL * 2**20, "dose": FLAGS}, 2.0**60 + SMALL * 2.0**20),
    ],
)
def test_columns_that_hold_numbers_are_used(columns, expected):
    read = rows_of(frame(**columns))
    np.testing.assert_array_equal(read[:, 0], X[:, 0])
    np.testing.assert_array_equal(read[:, 1], expected)
    last = np.asarray(columns.get("dose", X[:, 2]), dtype=np.float64)
    np.testing.assert_array_equal(read[:, 2], last)


def test_frames_of_one_type_are_read_in_place_or_as_float32():
    whole = frame()
    run = fg.train(whole, Y, steps=3, lr=0.1)
    assert np.shares_memory(run.data[0], whole.to_numpy()) == whole.to_numpy().flags.c_contiguous
    single = frame(X.astype(np.float32)).astype({"bmi": "Float32"})
    assert fg.train(single, Y, steps=3, lr=0.1).data[0].dtype == np.float32


@pytest.mark.parametrize(
    ("column", "error", "words"),
    [
        (list("abcabcabcabc"), TypeError, "its row 0 is 'a': drop it, or make numbers of it"),
        (pd.Categorical(SMALL), TypeError, "is categorical: make numbers of it"),
        (pd.date_range("2020-01-01", periods=12), TypeError, r"got dtype datetime64\[.s\]: drop"),
        (X[:, 1] + 1j, TypeError, "got dtype complex128: drop it"),
        (pd.array([None, *SMALL[1:]], dtype="Int64"), ValueError, "lacks 1 of its 12 values"),
        (
            pd.Series([None, math.nan, *SMALL[2:]], dtype=object),
            ValueError,
            "lacks 2 of its 12 values",
        ),
        (2**53 + 1 + SMALL * 0, ValueError, r"\[0\] is 9007199254740993, which float64 cannot"),
        (np.array([2**70 + 1] * 12, object), ValueError, "row 0, is 1180591620717411303425, which"),
        ([decimal.Decimal("0.1")] * 12, ValueError, "row 0, is 0.1, which float64 cannot hold"),
        ([*SMALL[:5].astype(object), "?", *SMALL[6:]], TypeError, r"its row 5 is '\?'"),
    ],
)
def test_other_columns_are_named_with_the_remedy(column, error, words):
    data = frame(dose=column)
    with pytest.raises(error, match="^X column 'dose'.*" + words):
        fg.train(data, Y, steps=3, lr=0.1)
    with pytest.raises(error, match=r"^evals\['t'\] X column 'dose'.*" + words):
        fg.train(frame(), Y, steps=3, lr=0.1, evals={"t": (data, Y)})


def test_batches_of_arrow():
    """Their arrays refuse to_numpy() where it has to copy: flags, decimals, text, gaps."""
    flags = pyarrow.array(SMALL > 0)
    dose = pyarrow.array(
        [decimal.Decimal(int(v)) / 4 for v in SMALL], type=pyarrow.decimal128(10, 2)
    )
    batch = pyarrow.record_batch({"flag": flags, "dose": dose, "bmi": pyarrow.array(SMALL)})
    np.testing.assert_array_equal(
        rows_of(batch), np.column_stack([SMALL > 0, SMALL / 4, SMALL]).astype(float)
    )
    names = pyarrow.record_batch({"name": pyarrow.array(["a"] * 12)})
    with pytest.raises(TypeError, match=r"column 'name' must hold real numbers, but its row 0"):
        fg.margins(names, Y, [1.0])
    gaps = pyarrow.record_batch({"flag": pyarrow.array([None] + [True] * 11)})
    with pytest.raises(ValueError, match="column 'flag' lacks 1 of its 12 values"):
        fg.margins(gaps, Y, [1.0])


def test_tables_of_arrow():
    flags = SMALL > 0
    table = pyarrow.table({"age": X[:, 0], "bmi": SMALL, "dose": flags})
    np.testing.assert_array_equal(rows_of(table), np.column_stack([X[:, 0], SMALL, flags]))
    run = fg.train(table, Y, steps=5, lr=0.1)
    assert run.feature_names == NAMES
    with pytest.raises(ValueError, match="column 0 is 'bmi' in place of 'age'"):
        fg.train(table, Y, steps=5, lr=0.1, evals={"t": (table.select(["bmi", "age", "dose"]), Y)})
    for column, words in (
        (2**53 + 1 + SMALL * 0, r"column 'bmi'\[0\] is 9007199254740993, which float64 cannot"),
        (pyarrow.array([None, *SMALL[1:].tolist()]), "column 'bmi' lacks 1 of its 12 values"),
    ):
        with pytest.raises(ValueError, match=words):
            fg.margins(table.set_column(1, "bmi", [column]), Y, [1.0, 1.0, 1.0])
    with pytest.raises(TypeError, match=r"column 'bmi' .*, but its row 0 is 'a'"):
        fg.margins(table.set_column(1, "bmi", [["a"] * 12]), Y, [1.0, 1.0, 1.0])


@pytest.mark.parametrize("dtype", ["Int64", "int8[pyarrow]", "Float64", object, np.int8])
def test_labels_in_a_series_of_any_type(dtype):
    labels = pd.Series(Y.astype(int)).astype(dtype)
    expected = fg.accuracy(X, Y, [1.0, 0.5, -1.0])
    assert fg.accuracy(frame(), labels, [1.0, 0.5, -1.0]) == expected
    with pytest.raises(ValueError, match=r"say classes=\(1(.0)?, 3(.0)?\), of which"):
        fg.accuracy(X, labels + 2, [1.0, 0.5, -1.0])


def test_columns_of_an_evaluation_set_are_those_of_the_training_set():
    data = frame()
    same = fg.train(data, Y, steps=9, lr=0.1, evals={"t": (data.copy(), Y), "a": (X, Y)})
    np.testing.assert_array_equal(same.accuracy["t"], same.accuracy["train"])
    turned = data[["age", "dose", "bmi"]]
    for given in ((turned, Y), fg.Pgd(turned, Y)):
        with pytest.raises(
            ValueError, match=r"^evals\['t'\] X has .* column 1 is 'dose' in place of 'bmi'"
        ):
            fg.train(data, Y, steps=9, lr=0.1, evals={"t": given})
    with pytest.raises(ValueError, match="has 'weight' in place of 'bmi'"):
        fg.train(data, Y, steps=9, lr=0.1, evals={"t": (data.rename(columns={"bmi": "weight"}), Y)})
    numbered = pd.DataFrame(X)
    fg.train(data, Y, steps=9, lr=0.1, evals={"t": (numbered, Y)})  # no names to compare
    fg.train(X, Y, steps=9, lr=0.1, evals={"t": (turned, Y)})
    mixed = frame().set_axis([0, 1, "2"], axis=1)
    with pytest.raises(ValueError, match="column 0 is '1' in place of '0'"):
        fg.train(mixed, Y, steps=9, lr=0.1, evals={"t": (mixed[[1, 0, "2"]], Y)})


def test_labels_have_the_index_of_their_rows():
    data = frame().set_axis(np.arange(12) * 2, axis=0)
    labels = pd.Series(Y, index=data.index)
    expected = fg.accuracy(X, Y, [1.0, 0.5, -1.0])
    assert fg.accuracy(data, labels, [1.0, 0.5, -1.0]) == expected
    assert fg.accuracy(data, labels.to_numpy(), [1.0, 0.5, -1.0]) == expected
    turned = labels.sample(frac=1.0, random_state=0)
    first = int(np.argmax(turned.index != data.index))
    words = (
        rf"(y|weight).* must have the index of .*X.*, but its row {first} is {turned.index[first]}"
    )
    calls = (
        lambda: fg.accuracy(data, turned, [1.0, 0.5, -1.0]),
        lambda: fg.adversarial_accuracy(data, turned, [1.0, 0.5, -1.0]),
        lambda: fg.train(data, turned, steps=3, lr=0.1),
        lambda: fg.max_margin(data, turned),
        lambda: fg.train_many([{"X": data, "y": turned, "steps": 3, "lr": 0.1}]),
        lambda: fg.train(data, labels, steps=3, lr=0.1, sample_weight=turned.abs()),
        lambda: fg.margins(data, labels, [1.0, 0.5, -1.0], sample_weight=turned.abs()),
        lambda: fg.accuracy(data, labels, [1.0, 0.5, -1.0], sample_weight=turned.abs()),
        lambda: fg.stable_lr(data, labels, sample_weight=turned.abs()),
        lambda: fg.separation(data, labels, weights=turned.abs()),
    )
    for call in calls:
        with pytest.raises(ValueError, match=words):
            call()


def test_names_reach_the_run_its_file_and_xarray(tmp_path):
    run = fg.train(frame(), pd.Series(Y), steps=9, lr=0.1, keep_weights=True)
    assert run.feature_names == NAMES
    run.save(tmp_path / "run")
    for one in (run, fg.Trajectory.load(tmp_path / "run")):
        w = one.to_xarray()["w"]
        assert w["feature"].to_numpy().tolist() == list(NAMES)
        np.testing.assert_array_equal(w.sel(feature="dose"), run.weights[:, 2])
    plain = fg.train(X, Y, steps=9, lr=0.1, keep_weights=True)
    assert plain.feature_names is None
    assert "feature" not in plain.to_xarray().coords
    plain.save(tmp_path / "plain")
    assert fg.Trajectory.load(tmp_path / "plain").feature_names is None


def test_pandas_is_not_imported_for_that():
    code = (
        "import sys, fastgrok as fg; fg.train([[1.0], [2.0]], [1, -1], steps=2, lr=0.1); "
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
