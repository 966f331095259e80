"""Numbers that float64 cannot hold are refused wherever they enter; those that it can are used."""

import fractions
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from cases import problem
from fastgrok import _checks

BIG = 2**53
X, Y = problem(6, 2)
LONG_IS_LONGER = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant
longer = pytest.mark.skipif(not LONG_IS_LONGER, reason="long double is float64 here")


def is_held(value):
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


@given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 63), st.booleans()), min_size=1),
    st.sampled_from((np.int64, np.uint64)),
)
def test_integers_are_held_exactly_or_refused(drawn, dtype):
    values = [(-1) ** sign * (number >> shift << shift) for number, shift, sign in drawn]
    info = np.iinfo(dtype)
    values = [min(max(value, info.min), info.max) for value in values]
    array = np.array(values, dtype)
    if all(is_held(value) for value in values):
        got = _checks.vector("v", array)
        assert [fractions.Fraction(float(one)) for one in got] == values
        return
    first = next(i for i, value in enumerate(values) if not is_held(value))
    with pytest.raises(ValueError, match=rf"^v\[{first}\] is {values[first]}, which float64"):
        _checks.vector("v", array)


ODD = np.array([[BIG, 1], [BIG + 1, 2]] * 3)
CALLS = {
    "train X": lambda v: fg.train(v(ODD), Y, steps=1, lr=0.1),
    "train evals": lambda v: fg.train(X, Y, steps=1, lr=0.1, evals={"t": (v(ODD), Y)}),
    "train w0": lambda v: fg.train(X, Y, steps=1, lr=0.1, w0=v(ODD[1])),
    "train b0": lambda v: fg.train(X, Y, steps=1, lr=0.1, b0=v(ODD)[1, 0]),
    "margins X": lambda v: fg.margins(v(ODD), Y, [1.0, 1.0]),
    "margins w": lambda v: fg.margins(X, Y, v(ODD)[1]),
    "accuracy": lambda v: fg.accuracy(v(ODD), Y, [1.0, 1.0]),
    "distance": lambda v: fg.hyperplane_distance([1.0], v(ODD)[1, 0]),
    "pgd X": lambda v: fg.pgd(v(ODD), Y, [1.0, 1.0]),
    "pgd eps": lambda v: fg.pgd(X, Y, [1.0, 1.0], eps=v(ODD)[:, 0]),
    "pgd bounds": lambda v: fg.pgd(X, Y, [1.0, 1.0], bounds=(-(v(ODD)[1]), 9.0)),
    "adversarial_accuracy": lambda v: fg.adversarial_accuracy(v(ODD), Y, [1.0, 1.0]),
    "Pgd": lambda v: fg.Pgd(v(ODD), Y),
    "max_margin": lambda v: fg.max_margin(v(ODD), Y),
    "regularized_limit": lambda v: fg.regularized_limit(v(ODD), Y, 0.1),
    "late_time": lambda v: fg.theory.bias.late_time(v(ODD), Y, 0.1),
    "label_fraction": lambda v: fg.theory.edge.label_fraction_accuracy(v(ODD)[1], 0.0, 1.0, 0.5),
    "limit_accuracy": lambda v: fg.theory.edge.limit_accuracy(v(ODD)[:, 0], 1.0),
}


@pytest.mark.parametrize("name", CALLS)
def test_integers_beyond_float64_are_refused_wherever_they_enter(name):
    for dtype in (np.int64, np.uint64):
        if name == "pgd bounds" and dtype is np.uint64:
            continue  # there is no minus
        with pytest.raises(ValueError, match=r"-?9007199254740993, which float64 cannot hold"):
            CALLS[name](lambda array, dtype=dtype: array.astype(dtype))


@longer
@pytest.mark.parametrize("name", CALLS)
def test_long_doubles_beyond_float64_are_refused_wherever_they_enter(name):
    with pytest.raises(ValueError, match="which float64 cannot hold"):
        CALLS[name](lambda array: array.astype(np.longdouble))


@longer
def test_long_doubles_that_float64_holds_are_used():
    rows = X.astype(np.longdouble)
    np.testing.assert_array_equal(fg.margins(rows, Y, [1.0, 2.0]), fg.margins(X, Y, [1.0, 2.0]))
    with pytest.raises(ValueError, match=r"X\[0, 0\] is 1e-4930, which float64 cannot hold"):
        fg.margins(rows * 0 + np.longdouble("1e-4930"), Y, [1.0, 2.0])


def test_the_first_is_named_far_down():
    rows = np.zeros((200_000, 2), np.int64)
    rows[150_000, 1] = BIG + 3
    with pytest.raises(ValueError, match=r"X\[150000, 1\] is 9007199254740995"):
        fg.accuracy(rows, np.ones(len(rows)), [1.0, 1.0])


def test_step_numbers_beyond_float64():
    with pytest.raises(ValueError, match=r"record\[1\] is 9007199254740993, which float64 cannot"):
        fg.train(X, Y, steps=1e60, lr=0.1, record=[1, BIG + 1])
    run = fg.train(X, Y, steps=9, lr=0.1, record=np.array([1, 5], np.uint64))
    assert run.steps.tolist() == [1, 5, 9]


class Refusing:
    """Stands for a tensor of others: its own conversion fails."""

    ndim = 1

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("detach"), TypeError("bfloat16"), ValueError("no")])
def test_what_conversions_raise_names_the_argument(error):
    one = Refusing(error)
    good = {"X": X, "y": Y, "steps": 5, "lr": 0.1}
    words = f"cannot be made an array: its Refusing raises {type(error).__name__}: {error.args[0]}"
    for name in ("X", "y", "w0", "lr", "b0", "steps", "record", "threads"):
        with pytest.raises(TypeError, match=f"^{name} {words}"):
            fg.train(**{**good, name: one})
    with pytest.raises(TypeError, match=rf"^evals\['t'\] X {words}"):
        fg.train(**good, evals={"t": (one, Y)})
    for call in (lambda: fg.pgd(X, Y, [1, 1], eps=one), lambda: fg.Pgd(X, Y, eps=one)):
        with pytest.raises(TypeError, match=f"^eps {words}"):
            call()
    with pytest.raises(TypeError, match=rf"^bounds\[0\] {words}"):
        fg.pgd(X, Y, [1, 1], bounds=(one, 1.0))
    with pytest.raises(TypeError, match=rf"^w {words}"):
        fg.margins(X, Y, one)


class Scalar:
    """Stands for a number of an array library of its own."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value)


def test_scalars_of_other_libraries_are_numbers():
    expected = fg.train(X, Y, steps=5, lr=0.25, b0=1.0)
    run = fg.train(X, Y, steps=Scalar(5), lr=Scalar(np.float32(0.25)), b0=Scalar(1))
    np.testing.assert_array_equal(run.w, expected.w)
    for wrong in (Scalar(True), Scalar("0.1"), Scalar([0.1])):
        with pytest.raises(TypeError, match=r"^lr must be a real number"):
            fg.train(X, Y, steps=5, lr=wrong)


def test_unsigned_labels_after_two_y_minus_one():
    for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
        zero_one = (Y > 0).astype(dtype)
        assert fg.accuracy(X, 2 * zero_one - 1, [1.0, 2.0]) == fg.accuracy(X, Y, [1.0, 2.0])
        assert fg.accuracy(X, zero_one, [1.0, 2.0]) == fg.accuracy(X, Y, [1.0, 2.0])


def test_objects_are_the_numbers_they_are():
    rows = [[3, 0.5], [Fraction(1, 4), np.float32(2)], [Decimal("-1.5"), True], [2**60, 1]]
    signs = [1, -1, 1, 1]
    plain = np.array([[3, 0.5], [0.25, 2], [-1.5, 1], [2.0**60, 1]])
    for table in (np.array(rows, dtype=object), rows):
        np.testing.assert_array_equal(
            fg.margins(table, signs, [1, 2]), fg.margins(plain, signs, [1, 2])
        )
    with pytest.raises(ValueError, match=r"X\[0, 1\] is 0\.1, which float64 cannot hold"):
        fg.margins(np.array([[1, Decimal("0.1")]], dtype=object), [1], [1, 2])
    with pytest.raises(ValueError, match=r"X\[1, 0\] is 36893488147419103233, which float"):
        fg.margins([[1], [2**65 + 1]], [1, -1], [1])
    with pytest.raises(ValueError, match="rounded to 36893488147419103232; subtract"):
        fg.margins([[1], [2**65 + 1]], [1, -1], [1])
    with pytest.raises(ValueError, match="X lacks 1 of its 2 values"):
        fg.margins([[1.0], [None]], [1, -1], [1])


def test_weights_with_an_index_are_those_of_the_columns():
    X = pd.DataFrame({"age": [1.0, 2.0], "dose": [3.0, -1.0]})
    w = pd.Series({"age": 1.0, "dose": 10.0})
    expected = fg.margins(X.to_numpy(), [1, -1], [1.0, 10.0])
    np.testing.assert_array_equal(fg.margins(X, [1, -1], w), expected)
    np.testing.assert_array_equal(fg.margins(X, [1, -1], pd.Series([1.0, 10.0])), expected)
    np.testing.assert_array_equal(fg.margins(X.to_numpy(), [1, -1], w[::-1][::-1]), expected)
    other = w[["dose", "age"]]
    for call in (
        lambda w: fg.margins(X, [1, -1], w),
        lambda w: fg.accuracy(X, [1, -1], w),
        lambda w: fg.pgd(X, [1, -1], w),
        lambda w: fg.adversarial_accuracy(X, [1, -1], w),
        lambda w: fg.train(X, [1, -1], steps=2, lr=0.1, w0=w),
    ):
        call(w)
        with pytest.raises(ValueError, match=r"^w0? must have the columns of X .* 'dose' in"):
            call(other)


@pytest.mark.parametrize("dtype", [np.int64, object, "Int64", "int64[pyarrow]", np.uint64])
def test_long_integers_beside_other_columns(dtype):
    if "pyarrow" in str(dtype):
        pytest.importorskip("pyarrow")
    # In units of a thousandth of a second, the classes lie 3 apart beyond what float64 holds.
    times = 1_700_000_000_000_000_001 + 3 * np.arange(8)
    X = pd.DataFrame({"time": pd.Series(times).astype(dtype), "x": np.arange(8) % 3 / 2})
    found = fg.separability(X, np.arange(8) >= 4)
    assert found.verdict == "separable"
    u = found.separator or [Fraction(v) for v in [*found.w.tolist(), found.b]]
    for i, t in enumerate(times.tolist()):
        side = u[0] * t + u[1] * Fraction(X["x"][i]) + u[2]
        assert side * (1 if i >= 4 else -1) > 0
    mixed = fg.separability(X, [0, 1] * 4)
    assert mixed.verdict == "interior"
    X.loc[5, "x"] = np.nan
    with pytest.raises(ValueError, match=r"X column 'x'\[5\] = nan"):
        fg.separability(X, np.arange(8) >= 4)


def test_weights_of_rows_in_a_column():
    X, y, s = np.array([[1.0], [2.0], [-1.0]]), [1, -1, 1], np.array([3, 1, 1])
    assert fg.accuracy(X, y, [1.0], sample_weight=s[:, None]) == 0.6
    assert fg.accuracy(X, y, [1.0], sample_weight=pd.DataFrame({"n": s})) == 0.6


def test_a_missing_number_of_a_frame_is_named_by_its_column():
    X = pd.DataFrame({"age": [1.0, 2.0], "dose": [3.0, np.nan]})
    for call in (fg.margins, fg.adversarial_accuracy):
        with pytest.raises(ValueError, match=r"the first is X\[1, 'dose'\] = nan"):
            call(X, [1, -1], [1.0, 1.0])
