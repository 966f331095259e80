"""Separation of data as people have them: frames, labels of any two names, sparse rows, weights."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse

import fastgrok as fg
from fastgrok.geometry.recession import _separation

X = np.array([[1, 3], [2, 0], [3, -1], [3, 4], [3, 1], [4, 0], [5, 2], [6, 7]])
Y = np.array([-1, -1, -1, -1, 1, 1, 1, 1])
RIGHT = (["+inf", "finite", "-inf"], [0, 1, 5, 6, 7])


def answer(X, y, **options):
    found = fg.separation(X, y, **options)
    return found.coefficients, found.rows.tolist()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (Y, (-1, 1)),
        (Y.astype(float), (-1, 1)),
        ((Y > 0).astype(int), (0, 1)),
        ((Y > 0).astype(np.uint8), (0, 1)),
        ((Y > 0) * 1.0, (0, 1)),
        (Y > 0, (False, True)),
        ((Y > 0)[:, None], (False, True)),
        ((Y > 0).tolist(), (False, True)),
        (np.where(Y > 0, "well", "ill"), ("ill", "well")),
        (np.where(Y > 0, "well", "ill").tolist(), ("ill", "well")),
        (pd.Series(np.where(Y > 0, "well", "ill")), ("ill", "well")),
        (pd.Series(np.where(Y > 0, "well", "ill"), dtype="category"), ("ill", "well")),
        (pd.Series(Y > 0, dtype="boolean"), (0, 1)),
        (pd.DataFrame({"sick": Y > 0}), (False, True)),
    ],
)
def test_labels_of_two_classes(labels, classes):
    assert answer(X, labels) == RIGHT
    assert fg.separation(X, labels).classes == classes


def test_classes_say_which_is_which():
    labels = np.where(Y > 0, "ill", "well")
    assert answer(X, labels) == (["-inf", "finite", "+inf"], RIGHT[1])
    assert answer(X, labels, classes=("well", "ill")) == RIGHT
    assert answer(X, 5 - Y, classes=(6, 4)) == RIGHT


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b", "c", "a", "a", "a", "a", "a"], "two classes, got 3: 'a', 'b', 'c'"),
        (["a"] * 8, "two classes, got 1: 'a'"),
        (["a", None, *"ababab"], "its row 1 is None"),
        (["a", np.nan, *"ababab"], "its row 1 is nan"),
        ([1, 2] * 4, "labels -1 and"),
        ([0, 1, 2, 0, 1, 1, 1, 1], "two classes, got 3: 0, 1, 2"),
        (np.ones((8, 2)), r"1 dimension, got shape \(8, 2\)"),
        ([0, 1], "2 labels"),
    ],
)
def test_labels_of_no_two_classes_are_refused(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fg.separation(X, np.array(labels, dtype=object) if None in labels else labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("a",)}, "classes must be the label"),
        ({"classes": 5}, "classes must be the label of the first class .* got 5"),
        ({"classes": {-1, 1}}, "classes must be the label"),
        ({"classes": (0, 1)}, "y must hold 0 and 1 only, but"),
        ({"model": "probit"}, "model must be one of 'logistic', 'poisson', got 'probit'"),
        ({"weights": -np.ones(8)}, "weights must not be negative, but"),
        ({"weights": np.ones(7)}, "weights must have length 8"),
        ({"names": ["a"]}, "names must be 2 strings"),
        ({"names": []}, "names must be 2 strings, one a column, got \\[\\]"),
        ({"names": "ab"}, "names must be 2 strings, one a column, got 'ab'"),
        ({"names": 5}, "names must be 2 strings, one a column, got 5"),
        ({"names": [1, 2]}, "names must be 2 strings"),
        ({"model": "poisson", "classes": (0, 1)}, "classes are of model='logistic' alone"),
        ({"weights": np.zeros(8)}, "weights must not all be zero"),
        ({"sample_weight": -np.ones(8)}, "sample_weight must not be negative, but"),
        ({"sample_weight": np.ones(8), "weights": np.ones(8)}, "only one may be given"),
    ],
)
def test_other_arguments_that_make_no_sense(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fg.separation(X, Y, **options)


@pytest.mark.parametrize("as_given", [np.array, pd.Index, tuple, iter])
def test_names_of_columns(as_given):
    found = fg.separation(X, Y, names=as_given(["dose", "age"]))
    assert found.names == ["dose", "age", "(intercept)"]
    assert found.certificate("dose").verdict == "+inf"


@pytest.mark.parametrize("as_given", [np.array, pd.Series, lambda y: np.array(y)[:, None], list,
                                      lambda y: pd.DataFrame({"count": y})])  # fmt: skip
def test_counts_of_many_types(as_given):
    """x1 = 0 wherever something is counted: it grows without bound, downwards."""
    rows = [[2, 1], [3, 2], [4, 0], [5, 0], [4, 0]]
    found = fg.separation(rows, as_given([0, 0, 3, 1, 0]), model="poisson")
    assert (found.kind, found.classes) == ("quasi-complete", None)
    assert found.rows.tolist() == [0, 1]
    assert found.coefficients == ["finite", "-inf", "finite"]


def test_counts_must_not_be_negative():
    with pytest.raises(ValueError, match="y must not be negative"):
        fg.separation(X, Y, model="poisson")


@pytest.mark.parametrize(
    "given",
    [
        X.astype(np.float32),
        X.astype(np.int8),
        X.tolist(),
        pd.DataFrame(X),
        pd.DataFrame({"a": X[:, 0], "b": pd.array(X[:, 1], dtype="Int64")}),
        pd.DataFrame({"a": X[:, 0], "b": pd.array(X[:, 1], dtype="int64[pyarrow]")}),
        pyarrow.table({"a": X[:, 0], "b": X[:, 1]}),
        scipy.sparse.csr_array(X),
        scipy.sparse.csc_matrix(X),
        scipy.sparse.coo_array(X.astype(float)),
    ],
    ids=lambda given: f"{type(given).__module__}.{type(given).__name__}",
)
def test_rows_of_many_types(given):
    assert answer(given, Y) == RIGHT


def test_flags_beside_numbers_and_their_names():
    frame = pd.DataFrame({"age": [31.5, 42, 57, 63, 44, 50], "sex": list("mffmff")})
    found = fg.separation(pd.get_dummies(frame), ["no", "yes", "no", "no", "yes", "no"])
    assert found.names == ["age", "sex_f", "sex_m", "(intercept)"]
    assert found.aliased == [2]
    assert found.determined == [True, False, False, False]
    text = str(found)
    assert "sex_m        aliased    a combination of columns before it, left out" in text
    assert found.coefficients[2] == "finite"
    assert list(found.to_pandas()["aliased"]) == [False, False, True, False]
    assert "rank 3 of 4 columns; aliased: sex_m" in text
    assert "<th>sex_f</th><td>+inf</td>" in found._repr_html_()
    assert found.certificate("sex_f").verdict == "+inf"
    with pytest.raises(ValueError, match="one of the names, got 'sex'"):
        found.certificate("sex")
    with pytest.raises(TypeError, match="'sex'"):
        fg.separation(frame, [0, 1, 0, 0, 1, 0])


@pytest.mark.parametrize(
    ("columns", "begin"), [([0, 10**6], [0, 1, 2]), ([0, -1], [0, 1, 2]), ([0, 1], [0, 2, 1])]
)
def test_sparse_rows_out_of_range_are_refused(columns, begin):
    rows = scipy.sparse.csr_array((2, 2))
    rows.data, rows.indices, rows.indptr = np.ones(2), np.array(columns), np.array(begin)
    with pytest.raises(ValueError, match="X is no sparse matrix: its indptr or its indices"):
        fg.separation(rows, [1, -1])


def test_integers_that_float64_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="float64 cannot hold"):
        fg.separation(np.array([[2**53 + 1], [2**53]]), [0, 1])


def test_sparse_rows_that_are_too_many_or_none_are_refused():
    with pytest.raises(ValueError, match=r"X is needed as a dense array.* \(100000, 10000\)"):
        fg.separation(scipy.sparse.csr_array((10**5, 10**4)), np.ones(10**5))
    # Made dense as it is, this would write outside of the array.
    wrong = scipy.sparse.csr_array(X.astype(float))
    wrong.indices[3] = 2
    with pytest.raises(ValueError, match="X is no sparse matrix: its indptr or its indices are"):
        fg.separation(wrong, Y)


@pytest.mark.parametrize(
    "names", [["a", "b"], ("a", "b"), np.array(["a", "b"]), pd.Index(["a", "b"]), iter("ab")]
)
def test_names_in_any_sequence(names):
    found = fg.separation(pd.DataFrame(X, columns=["c", "d"]), Y, names=names)
    assert found.names == ["a", "b", "(intercept)"]
    assert all(type(name) is str for name in found.names)


def test_an_answer_without_proof_can_be_shown(monkeypatch):
    """No set is known that is left undecided in a moment, so that nothing is proved by force."""
    monkeypatch.setattr(_separation, "_evidence", lambda *_: None)
    found = fg.separation(pd.DataFrame(X, columns=["a", "b"]), Y, weights=Y > 0)
    assert (found.kind, found.separated) == ("undecided", False)
    assert found.overlap.tolist() == [4, 5, 6, 7]
    table = found.to_pandas()
    assert table.index.tolist() == ["a", "b", "(intercept)"]
    assert table["coefficient"].tolist() == ["undecided"] * 3
    assert not table[["aliased", "determined"]].to_numpy().any()
    assert "undecided: nothing was proved" in str(found)
    with pytest.raises(ValueError, match="nothing is proved of these rows"):
        found.certificate("a")
