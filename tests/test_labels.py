"""Labels and rows as people have them, in every function that takes any."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from cases import problem
from fastgrok.theory import bias, squared
from runs import assert_same_bits

X, Y = problem(14, 2)
X[:, 0] += 3.0 * Y  # separable
W = [1.0, -0.5]
TEXT = np.where(Y > 0, "well", "ill")
COLUMN = pd.Series(TEXT)

KINDS = {
    "numbers": (Y.astype(int), (-1, 1)),
    "a column": (Y[:, None], (-1, 1)),
    "a list of columns": (Y[:, None].tolist(), (-1, 1)),
    "zero and one": ((Y > 0).astype(np.uint8), (0, 1)),
    "wrapped": (2 * (Y > 0).astype(np.uint8) - 1, (-1, 1)),
    "zero and one in float": ((Y > 0)[:, None] * 1.0, (0, 1)),
    "long double": (Y.astype(np.longdouble), (-1, 1)),
    "bool": (Y > 0, (False, True)),
    "a list of bool": ((Y > 0).tolist(), (False, True)),
    "text": (TEXT, ("ill", "well")),
    "objects": (TEXT.astype(object)[:, None], ("ill", "well")),
    "a list of text": (TEXT.tolist(), ("ill", "well")),
    "StringDType": (TEXT.astype(np.dtypes.StringDType()), ("ill", "well")),
    "series": (COLUMN, ("ill", "well")),
    "string": (COLUMN.astype("string"), ("ill", "well")),
    "categorical": (COLUMN.astype("category"), ("ill", "well")),
    "categorical of more": (
        pd.Categorical(TEXT, categories=["well", "ill", "unknown"]),
        ("ill", "well"),
    ),
    "frame": (COLUMN.astype("category").to_frame("outcome"), ("ill", "well")),
    "frame of flags": (pd.DataFrame({"outcome": pd.array(Y > 0, dtype="boolean")}), (0, 1)),
    "nullable": (pd.Series(Y > 0, dtype="Int8"), (0, 1)),
    "arrow": (pyarrow.array(TEXT), ("ill", "well")),
    "arrow numbers": (pyarrow.array((Y > 0).astype(int)), (0, 1)),
    "arrow table": (pyarrow.table({"outcome": Y > 0}), (0, 1)),
}

CALLS = {
    "margins": lambda y: fg.margins(X, y, W),
    "accuracy": lambda y: fg.accuracy(X, y, W),
    "pgd": lambda y: fg.pgd(X, y, W, eps=0.3).X_adv,
    "adversarial_accuracy": lambda y: fg.adversarial_accuracy(X, y, W, eps=0.3),
    "Pgd": lambda y: fg.Pgd(X, y, eps=0.1).y,
    "max_margin": lambda y: fg.max_margin(X, y).w,
    "separability": lambda y: fg.separability(X, y).w,
    "separation": lambda y: fg.separation(X, y).coefficients,
    "regularized_limit": lambda y: fg.regularized_limit(X, y, 0.1).w,
    "stable_lr": lambda y: fg.stable_lr(X, y),
    "late_time": lambda y: bias.late_time(X, y, 0.1).w_tilde,
    "squared": lambda y: squared.state([3, 50], X, y, 0.1)[0],
    "Dataset": lambda y: fg.Dataset(X, y).y,
    "train": lambda y: fg.train(X, y, steps=20, lr=0.1).w,
    "train_many": lambda y: fg.train_many([{"X": X, "y": y, "steps": 20, "lr": 0.1}])[0].w,
    "evals": lambda y: fg.train(X, y, steps=20, lr=0.1, evals={"t": (X, y)}).losses["t"],
    "evals of signs": lambda y: fg.train(X, y, steps=9, lr=0.1, evals={"t": (X, Y)}).losses["t"],
    "evals of a Dataset": lambda y: fg.train(
        X, y, steps=9, lr=0.1, evals={"t": fg.Dataset(X, Y), "p": fg.Pgd(X, y, eps=0.1)}
    ).losses["p"],
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_every_kind_in_every_function(call, kind):
    labels, classes = KINDS[kind]
    np.testing.assert_array_equal(CALLS[call](labels), CALLS[call](Y))
    if call == "train":
        run = fg.train(X, labels, steps=5, lr=0.1)
        assert run.classes == classes
        assert_same_bits_but_classes(run, fg.train(X, Y, steps=5, lr=0.1))
        np.testing.assert_array_equal(run.data[1], Y)


def assert_same_bits_but_classes(run, expected):
    run.params.pop("classes", None)
    assert_same_bits(run, expected)


def test_classes_say_which_is_which_and_are_kept(tmp_path):
    file = tmp_path / "run"
    options = {"steps": 9, "lr": 0.1, "evals": {"t": (X, TEXT)}, "keep_weights": True}
    turned = fg.train(X, TEXT, classes=("well", "ill"), **options)
    assert turned.classes == ("well", "ill")
    np.testing.assert_array_equal(turned.w, -fg.train(X, TEXT, **options).w)
    np.testing.assert_array_equal(turned.losses["t"], turned.loss)
    turned.save(file)
    kept = fg.Trajectory.load(file)
    assert kept.classes == ("well", "ill")
    given = (X, TEXT, {"t": (X, TEXT)})
    assert kept.refine("t", *given) == turned.refine("t")
    np.testing.assert_array_equal(kept.at(7, X, TEXT)[0], turned.at(7)[0])
    best = fg.max_margin(X, -Y)
    assert kept.phases(best.support, X, TEXT, test="t") == turned.phases(best.support, test="t")
    assert kept.to_xarray().attrs["classes"] == turned.to_xarray().attrs["classes"]
    found = np.unique(5 - Y.astype(int))[::-1]
    fg.train(X, 5 - Y.astype(int), steps=9, lr=0.1, classes=found).save(file)
    assert fg.Trajectory.load(file).classes == (6, 4)
    numbers = fg.train(X, 5 - Y.astype(int), steps=9, lr=0.1, classes=(6, 4))
    assert numbers.classes == (6, 4)
    np.testing.assert_array_equal(numbers.w, fg.train(X, Y, steps=9, lr=0.1).w)


def test_one_class_is_the_papers_setting():
    ones = np.ones(14)
    expected = fg.train(X, ones, steps=9, lr=0.1)
    for one in (ones.astype(int), ones > 0, ones.astype(np.uint8)[:, None]):
        assert_same_bits_but_classes(fg.train(X, one, steps=9, lr=0.1), expected)
    zeros = fg.train(X, 0 * ones, steps=9, lr=0.1, evals={"t": (X, ones)})
    np.testing.assert_array_equal(zeros.w, -expected.w)
    assert zeros.classes == (0, 1)
    np.testing.assert_array_equal(expected.classes, (-1, 1))


@pytest.mark.parametrize(
    ("labels", "evals", "error", "words"),
    [
        (TEXT, np.where(Y > 0, "fine", "ill"), ValueError, "hold 'ill' and 'well' only, but"),
        (TEXT, 2 * Y, ValueError, r"labels -1 and \+1 only, .* use np.where\(y == 2.0, 1, -1\)"),
        (Y, TEXT, ValueError, "-1 and 1, or 0 and 1, as that of the training set, but y.0. is '"),
        (Y > 0, TEXT.tolist(), ValueError, "as that of the training set"),
        (Y, [None, *Y[1:]], ValueError, "lacks|real numbers"),
    ],
)
def test_evaluation_sets_have_the_classes_of_the_training_set(labels, evals, error, words):
    with pytest.raises((error, TypeError), match=r"^evals\['t'\] y .*" + words):
        fg.train(X, labels, steps=5, lr=0.1, evals={"t": (X, evals)})


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (pd.Series([None, *(Y[1:] > 0)], dtype="boolean"), "y lacks 1 of its 14 values: drop or"),
        (pd.Series([pd.NA, *Y[1:]], dtype="Int64"), "y lacks 1 of its 14 values: drop or"),
        (pd.DataFrame({"a": pd.array([pd.NA, *Y[1:]], dtype="Int64")}), "y lacks 1 of its 14"),
        (pd.Series([None, *TEXT[1:]]), r"row 0 is .* \(1 of 14 are no strings\): drop or fill"),
        (COLUMN.astype("category").where(Y > 0), r"row \d is nan \(\d of 14 are no strings\)"),
        (pyarrow.array([None, *TEXT[1:]]), "row 0 is None"),
        (np.longdouble(Y) * (1 + np.finfo(np.longdouble).eps), "float64 cannot hold"),
        (np.array([2**64 - 2] * 14, np.uint64), r"labels -1 and \+1 only"),
    ],
    ids=str,
)
@pytest.mark.parametrize("call", ["train", "margins", "max_margin", "pgd", "separation"])
def test_labels_that_are_missing_or_rounded(call, labels, words):
    if words.startswith("float64") and np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("long double is float64 here")
    with pytest.raises(ValueError, match=words):
        CALLS[call](labels)


class Tensor:
    """Stands for an array that others can only see through DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **how):
        return self.array.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class Elsewhere(Tensor):
    """One on a device of its own."""

    def __dlpack_device__(self):
        return (2, 0)  # CUDA

    def __dlpack__(self, **how):
        raise BufferError("not in the memory of this machine")


ROWS = {
    "train": lambda x: fg.train(x, Y, steps=20, lr=0.1).w,
    "evals": lambda x: fg.train(X, Y, steps=20, lr=0.1, evals={"t": (x, Y)}).losses["t"],
    "margins": lambda x: fg.margins(x, Y, W),
    "accuracy": lambda x: fg.accuracy(x, Y, W),
    "pgd": lambda x: fg.pgd(x, Y, W, eps=0.3).X_adv,
    "adversarial_accuracy": lambda x: fg.adversarial_accuracy(x, Y, W, eps=0.3),
    "max_margin": lambda x: fg.max_margin(x, Y).w,
    "separability": lambda x: fg.separability(x, Y).w,
    "separation": lambda x: fg.separation(x, Y).coefficients,
    "regularized_limit": lambda x: fg.regularized_limit(x, Y, 0.1).w,
    "stable_lr": lambda x: fg.stable_lr(x, Y),
}


@pytest.mark.parametrize("call", ROWS)
def test_rows_and_labels_through_dlpack(call):
    np.testing.assert_array_equal(ROWS[call](Tensor(X)), ROWS[call](X))
    if call in CALLS:
        labels = Tensor(Y.astype(np.int64))
        np.testing.assert_array_equal(CALLS[call](labels), CALLS[call](Y))
        with pytest.raises(TypeError, match=r"^y cannot be made an array: its Elsewhere raises"):
            CALLS[call](Elsewhere(Y))
    with pytest.raises(TypeError, match=r"X cannot be made an array: its Elsewhere raises Buf"):
        ROWS[call](Elsewhere(X))


FLAGS = X[:, 1] > 0
COUNTS = np.arange(14) % 4


def frame(column):
    return pd.DataFrame({"dose": X[:, 0], "flag": column})


@pytest.mark.parametrize("call", ROWS)
@pytest.mark.parametrize(
    "column",
    [
        FLAGS,
        pd.array(FLAGS, dtype="boolean"),
        pd.array(COUNTS, dtype="Int64"),
        pd.array(COUNTS / 4, dtype="Float64"),
        pd.array(COUNTS / 4, dtype="double[pyarrow]"),
        pd.array(FLAGS, dtype="bool[pyarrow]"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_frames_mean_the_same_in_every_function(call, column):
    plain = np.column_stack([X[:, 0], np.asarray(column, dtype=float)])
    np.testing.assert_array_equal(ROWS[call](frame(column)), ROWS[call](plain))
    table = pyarrow.table({"dose": X[:, 0], "flag": np.asarray(column, dtype=float)})
    np.testing.assert_array_equal(ROWS[call](table), ROWS[call](plain))


@pytest.mark.parametrize("call", ROWS)
@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.array([pd.NA, *FLAGS[1:]], dtype="boolean"), "lacks 1 of its 14 values"),
        (pd.array([pd.NA, *COUNTS[1:]], dtype="Int64"), "lacks 1 of its 14 values"),
        (pd.array([pd.NA, *X[1:, 1]], dtype="Float64"), "lacks 1 of its 14 values"),
        (pd.array([None, *COUNTS[1:]], dtype="int64[pyarrow]"), "lacks 1 of its 14 values"),
        (pd.Categorical(COUNTS), r"is categorical: make numbers of it first \(pandas.get_dummies"),
        (TEXT, "must hold real numbers, but its row 0 is '"),
    ],
    ids=str,
)
def test_columns_that_cannot_be_used_are_named_in_every_function(call, column, words):
    with pytest.raises((TypeError, ValueError), match=f"X column 'flag' {words}"):
        ROWS[call](frame(column))


@given(st.lists(st.sampled_from([-1, 1]), min_size=1, max_size=30))
def test_zero_and_one_are_minus_one_and_one(signs):
    y = np.array(signs)
    rows = np.arange(1.0, len(y) + 1)[:, None]
    expected = fg.margins(rows, y, [1.0])
    for labels in (y > 0, (y + 1) // 2, ((y + 1) // 2).astype(float)):
        alone = not (y < 0).any()
        found = fg.margins(rows, labels, [1.0])
        np.testing.assert_array_equal(found, expected)
        assert not alone or (found > 0).all()
