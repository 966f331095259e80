"""Bad arguments give one clear message; divergence and Ctrl-C keep what was recorded."""

import math
import pickle
import re
from fractions import Fraction

import numpy as np
import pytest

import fastgrok as fg
import reference
from cases import problem
from runs import after_ctrl_c

X, Y = problem(6, 2)
LOSSES = ", ".join(map(repr, reference.LOSSES))


def with_value(value, place=(3, 1)):
    changed = X.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        # X
        ({"X": with_value(math.nan)}, ValueError, r"1 of its 12 values .* X\[3, 1\] = nan"),
        ({"X": with_value(-math.inf)}, ValueError, r"X\[3, 1\] = -inf"),
        ({"X": X[:0]}, ValueError, r"at least one row and one column, got shape \(0, 2\)"),
        ({"X": X[:, :0]}, ValueError, r"at least one row and one column, got shape \(6, 0\)"),
        ({"X": []}, ValueError, r"X must have 2 dimensions .*, got shape \(0,\)"),
        ({"X": X[:, 0]}, ValueError, r"X must have 2 dimensions .*, got shape \(6,\)"),
        ({"X": X[None]}, ValueError, r"X must have 2 dimensions .*, got shape \(1, 6, 2\)"),
        ({"X": 1.0}, ValueError, r"X must have 2 dimensions .*, got shape \(\)"),
        ({"X": X.astype(complex)}, TypeError, "X must hold real numbers, got dtype complex128"),
        (
            {"X": X.astype(object) + 1j},
            TypeError,
            r"real numbers, but its entry \[0, 0\]",
        ),
        ({"X": X.astype(str)}, TypeError, "X must hold real numbers, got dtype <U32"),
        ({"X": X.astype("M8[s]")}, TypeError, r"got dtype datetime64\[s\]"),
        ({"X": None}, TypeError, r"X must hold real numbers, got None \(NoneType\): pass an array"),
        ({"X": {"a": [1]}}, TypeError, r"got \{'a': \[1\]\} \(dict\): pass an array, a list or"),
        ({"X": [[1.0, 2.0], [3.0]]}, ValueError, "X is not a rectangular array of numbers"),
        ({"X": np.ma.masked_less(X, 0)}, TypeError, "X must be a plain array, got a masked array"),
        ({"X": np.full((6, 2), np.longdouble("1e400"))}, ValueError, "X must be finite"),
        # y
        ({"y": Y[:-1]}, ValueError, "y must have one label a row: 6 rows, 5 labels"),
        ({"y": np.stack([Y, Y], 1)}, ValueError, r"y must have 1 dimension, got shape \(6, 2\)"),
        ({"y": [1, -1, 1, 0, 2, 1]}, ValueError, r"of two classes, got 4: -1, 0, 1, 2$"),
        ({"y": Y + 3.0}, ValueError, r"y\[0\] = 2.* say classes=\(2.0, 4.0\), of which"),
        ({"y": [1, 0, 1, math.nan, 0, 1]}, ValueError, r"y lacks 1 of .* y\[3\] = nan: drop"),
        ({"y": [1, -1, 1, 1 + 2**-50, -1, 1]}, ValueError, r"got 3: -1\.0, 1\.0, 1\.0000"),
        ({"y": np.array([1, 254] * 3, np.uint8)}, ValueError, r"y\[1\] = 254"),
        ({"y": np.array([1, 255, 0] * 2, np.uint8)}, ValueError, r"got 3: 0, 1, 255$"),
        (
            {"y": ["a"] * 6},
            ValueError,
            "two classes, got 1: 'a': name both by classes=",
        ),
        ({"y": list("abcabc")}, ValueError, "two classes, got 3: 'a', 'b', 'c'$"),
        ({"y": ["a", None, "b"] * 2}, ValueError, r"its row 1 is None \(2 of 6 are no strings"),
        ({"y": np.ma.masked_less(Y, 0)}, TypeError, "y must be a plain array, got a masked array"),
        ({"y": Y + 1j}, TypeError, "y must hold real numbers, got dtype complex128"),
        ({"classes": ("a", "b")}, ValueError, "y must hold 'a' and 'b' only, but y"),
        ({"classes": "ab"}, ValueError, "classes must be the label of the first class and that"),
        # sample_weight
        ({"sample_weight": Y}, ValueError, r"sample_weight must not be negative, but"),
        ({"sample_weight": np.zeros(6)}, ValueError, "sample_weight must not all be zero"),
        ({"sample_weight": np.ones(5)}, ValueError, "sample_weight must have length 6, got"),
        ({"sample_weight": np.ones((6, 2))}, ValueError, "sample_weight must have 1 dimension"),
        ({"sample_weight": [1, 1, 1, math.nan, 1, 1]}, ValueError, "sample_weight must be finite"),
        ({"sample_weight": [1, 1, 1, math.inf, 1, 1]}, ValueError, "sample_weight must be finite"),
        ({"sample_weight": [1e308] * 6}, ValueError, "sample_weight must have a sum that float64"),
        ({"sample_weight": [5e-324] * 6}, ValueError, "sample_weight must have a sum that float64"),
        ({"sample_weight": list("abcdef")}, TypeError, "sample_weight must hold real numbers"),
        ({"sample_weight": [2**53 + 1] * 6}, ValueError, "which float64 cannot hold"),
        # steps
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": -5}, ValueError, "steps must be at least 1, got -5"),
        ({"steps": 2.5}, ValueError, "steps must be integral, got 2.5"),
        ({"steps": math.nan}, ValueError, "steps must be finite, got nan"),
        ({"steps": math.inf}, ValueError, "steps must be finite, got inf"),
        (
            {"steps": 1e60, "engine": "exact"},
            ValueError,
            "steps must be at most 9007199254740992 where none is leaped .*, got 1e\\+60",
        ),
        (
            {"steps": 2**53 + 1, "engine": "exact"},
            ValueError,
            r"steps must be at most 9007199254740992 where none is leaped \(engine='exact'\)",
        ),
        (
            {"steps": 1e60, "optimizer": "adam"},
            ValueError,
            r"where none is leaped \(optimizer='adam'\)",
        ),
        ({"steps": "10"}, TypeError, "steps must be an integer, got '10'"),
        ({"steps": True}, TypeError, "steps must be an integer, got True"),
        ({"steps": None}, TypeError, "steps must be an integer, got None"),
        ({"steps": np.array([3])}, TypeError, r"steps must be an integer, got an array of shape"),
        # lr
        ({"lr": 0.0}, ValueError, r"lr must be greater than 0, got 0\.0"),
        ({"lr": -0.1}, ValueError, r"lr must be greater than 0, got -0\.1"),
        ({"lr": math.nan}, ValueError, "lr must be finite, got nan"),
        ({"lr": math.inf}, ValueError, "lr must be finite, got inf"),
        ({"lr": 10**400}, ValueError, "lr must be finite"),
        ({"lr": "0.1"}, TypeError, "lr must be a real number or 'auto', got '0.1'"),
        ({"lr": 1j}, TypeError, "lr must be a real number, got 1j"),
        # start
        ({"w0": [0.0]}, ValueError, "w0 must have length 2, got length 1"),
        ({"w0": np.zeros((2, 1))}, ValueError, r"w0 must have 1 dimension, got shape \(2, 1\)"),
        ({"w0": [0.0, math.inf]}, ValueError, r"w0\[1\] = inf"),
        ({"b0": math.nan}, ValueError, "b0 must be finite, got nan"),
        ({"b0": None}, TypeError, "b0 must be a real number, got None"),
        # names and flags
        ({"loss": "perceptron"}, ValueError, f"loss must be one of {LOSSES}, got 'perceptron'"),
        ({"loss": None}, TypeError, f"loss must be one of {LOSSES}, got None"),
        ({"reduction": "none"}, ValueError, "reduction must be one of 'mean', 'sum', got 'none'"),
        ({"engine": "fast"}, ValueError, "engine must be one of 'auto', 'exact', 'leap', got"),
        ({"tie": "right"}, ValueError, "tie must be one of 'wrong', 'negative', got 'right'"),
        ({"bias": 1}, TypeError, "bias must be True or False, got 1"),
        ({"keep_weights": None}, TypeError, "keep_weights must be True or False, got None"),
        ({"watch_sharpness": 0}, TypeError, "watch_sharpness must be True or False, got 0"),
        ({"progress": "yes"}, TypeError, "progress must be True or False, got 'yes'"),
        ({"skip_rows": "always"}, ValueError, "skip_rows must be one of 'auto', got 'always'"),
        ({"skip_rows": 3}, TypeError, "skip_rows must be True or False, got 3"),
        ({"rtol": 0.0}, ValueError, r"rtol must be at least 1e-11 and below 1, got 0\.0"),
        ({"rtol": 1.0}, ValueError, r"rtol must be at least 1e-11 and below 1, got 1\.0"),
        ({"rtol": "tight"}, TypeError, "rtol must be a real number"),
        # threads
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"threads": 1.5}, ValueError, r"threads must be integral, got 1\.5"),
        ({"threads": 10**9}, ValueError, "threads must be at most 65536"),
        ({"threads": "all"}, TypeError, "threads must be an integer, got 'all'"),
        # record
        ({"record": 0}, ValueError, "record must be at least 1, got 0"),
        ({"record": 10**400}, ValueError, "record must be less than 1e308, got 1000"),
        ({"record": 0.5}, ValueError, r"record must be integral, got 0\.5"),
        ({"record": "log"}, TypeError, "record must be an integer, got 'log'"),
        ({"record": False}, TypeError, "record must be an integer, got False"),
        ({"record": []}, ValueError, r"1-dimensional array of step numbers, got shape \(0,\)"),
        ({"record": [[1]]}, ValueError, r"1-dimensional array of step numbers, got shape \(1, 1"),
        ({"record": [1, 3, 2]}, ValueError, r"increase, but record\[2\] = 2 comes after 3"),
        ({"record": [1, 1]}, ValueError, r"increase, but record\[1\] = 1 comes after 1"),
        ({"record": [-1, 1]}, ValueError, r"lie in 0\.\.10, but record\[0\] = -1"),
        ({"record": [1, 11]}, ValueError, r"lie in 0\.\.10, but record\[1\] = 11"),
        ({"record": [1.0, 1.5]}, ValueError, r"= 1\.5; np.unique\(np.rint\(record\)\) is$"),
        ({"record": np.geomspace(1, 10, 4)}, ValueError, r"record\[1\] = 2\.15.*np\.rint"),
        ({"record": [1.0, math.nan]}, ValueError, r"be integral, but record\[1\] = nan"),
        ({"record": [1.0, math.inf]}, ValueError, r"be integral, but record\[1\] = inf"),
        ({"record": [True, False]}, TypeError, "record must hold step numbers, got dtype bool"),
        ({"record": 1, "steps": 10**12}, ValueError, "asks for 1000000000000 records"),
        # evals
        ({"evals": [(X, Y)]}, TypeError, "evals must be a dict of name"),
        ({"evals": {"train": (X, Y)}}, ValueError, "evals can't have the name 'train'"),
        ({"evals": {"": (X, Y)}}, ValueError, "evals can't have the name ''"),
        ({"evals": {1: (X, Y)}}, TypeError, "evals must have strings for names, got 1"),
        ({"evals": {"t": (X,)}}, ValueError, r"evals\['t'\] must be a pair \(X, y\), got 1"),
        ({"evals": {"t": X}}, TypeError, r"evals\['t'\] must be \(X, y\) or have \.X and \.y, got"),
        (
            {"evals": {"t": (X[:, :1], Y)}},
            ValueError,
            r"evals\['t'\] X must have 2 columns, got shape \(6, 1\)",
        ),
        ({"evals": {"t": (X, Y[:2])}}, ValueError, r"evals\['t'\] y must have one label a row"),
        (
            {"evals": {"t": (X, ["a", "b"] * 3)}},
            ValueError,
            r"^evals\['t'\] y must hold -1 and 1, or 0 and 1, as that of the training set, but",
        ),
        ({"evals": {"t": (with_value(math.nan), Y)}}, ValueError, r"evals\['t'\] X must be finite"),
    ],
)
def test_bad_arguments(change, error, words):
    good = {"X": X, "y": Y, "steps": 10, "lr": 0.1}
    with pytest.raises(error, match=words) as caught:
        fg.train(**{**good, **change})
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("steps", "per_decade", "error", "words"),
    [
        (0, 40, ValueError, "steps must be at least 1, got 0"),
        (math.inf, 40, ValueError, "steps must be finite, got inf"),
        (10, 0, ValueError, "per_decade must be at least 1, got 0"),
        (10, 1.5, ValueError, r"per_decade must be integral, got 1\.5"),
        ("10", 40, TypeError, "steps must be an integer, got '10'"),
    ],
)
def test_bad_arguments_of_log_spaced(steps, per_decade, error, words):
    with pytest.raises(error, match=words):
        fg.log_spaced(steps, per_decade)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.longdouble])
def test_all_that_is_not_finite_is_counted_over_many_blocks(dtype):
    big = np.zeros((50_000, 3), dtype=dtype)
    big[40_000, 2] = math.nan
    big[40_001:40_005, 0] = math.inf
    with pytest.raises(ValueError, match=r"5 of its 150000 .* X\[40000, 2\] = nan"):
        fg.train(big, np.ones(50_000), steps=1, lr=0.1)


def test_numbers_of_many_types_are_accepted():
    expected = fg.train(X, Y, steps=8, lr=0.5)
    for steps in (8.0, np.int8(8), np.float32(8), np.array(8), Fraction(8)):
        for lr in (np.float32(0.5), Fraction(1, 2), np.array(0.5)):
            np.testing.assert_array_equal(fg.train(X, Y, steps=steps, lr=lr).w, expected.w)


# --- divergence -------------------------------------------------------------------------------


def first_step_not_finite(rows, labels, lr, steps=100):
    with np.errstate(all="ignore"):
        path_w, path_b = reference.descend(rows, labels, steps, lr, loss="exponential")
    finite = np.isfinite(path_w).all(axis=1) & np.isfinite(path_b)
    assert not finite[-1]
    return int(np.argmin(finite))


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("keep_weights", [True, False])
def test_divergence_says_when_and_keeps_the_records(d, keep_weights):
    rows, labels = problem(40, d)
    step = first_step_not_finite(rows, labels, 3.0)
    options = {"lr": 3.0, "loss": "exponential", "keep_weights": keep_weights}
    with pytest.raises(fg.DivergenceError, match=rf"at step {step} of 100 with lr=3\.0") as caught:
        fg.train(rows, labels, steps=100, record=1, **options)
    error = caught.value
    assert isinstance(error, fg.FastgrokError)
    assert error.step == step
    run = error.trajectory
    np.testing.assert_array_equal(run.steps, np.arange(step))
    assert run.params["diverged_at"] == step
    assert np.isfinite(run.w).all()
    assert np.isfinite(run.norm_w).all()
    assert run.bias_final == run.b[-1]
    assert math.hypot(*run.w) == pytest.approx(run.norm_w[-1], rel=1e-14)
    again = pickle.loads(pickle.dumps(error))
    assert again.step == step
    np.testing.assert_array_equal(again.trajectory.w, run.w)


def test_divergence_before_anything_is_recorded():
    rows, labels = problem(40, 2)
    evals = {"same": (rows, labels)}
    options = {"lr": 3.0, "loss": "exponential", "record": [100], "evals": evals}
    with pytest.raises(fg.DivergenceError, match="nothing had been recorded") as caught:
        fg.train(rows, labels, steps=100, w0=[0.5, 0.0], b0=-1.0, **options)
    run = caught.value.trajectory
    assert run.steps.size == run.losses["same"].size == 0
    assert run.w.tolist() == [0.5, 0.0]
    assert run.bias_final == -1.0


# --- Ctrl-C -----------------------------------------------------------------------------------

LONG_RUN = """
import sys
import numpy as np
import fastgrok as fg
rng = np.random.default_rng(0)
n, d = int(sys.argv[1]), int(sys.argv[2])
X, y = rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], size=n)
def started(step):
    if step > 1:  # with the record of step 1 complete
        print("started", flush=True)
try:
    fg.train(
        X, y, steps=2**53, lr=1e-12, engine="exact", threads=int(sys.argv[3]), progress=started
    )
except fg.Interrupted as stop:
    assert isinstance(stop, KeyboardInterrupt)
    run = stop.trajectory
    assert run.params["interrupted"] == stop.step >= run.steps[-1]
    np.testing.assert_allclose(np.linalg.norm(run.w), run.norm_w[-1], rtol=1e-14)
    assert run.bias_final == run.b[-1]
    print("kept", run.steps.size, "stopped", stop.step, str(stop), flush=True)
"""


@pytest.mark.parametrize(("n", "d", "threads"), [(20, 2, 1), (9_000, 20, 2)])
def test_ctrl_c_keeps_the_records(n, d, threads):
    out = after_ctrl_c(LONG_RUN, n, d, threads)
    kept = re.search(r"kept (\d+) stopped (\d+) interrupted after (\d+) of 9007199254740992", out)
    assert kept, out
    assert int(kept[1]) > 1
    assert kept[2] == kept[3]


def test_a_callback_can_interrupt():
    def stop(step):
        raise KeyboardInterrupt

    with pytest.raises(fg.Interrupted, match=r"interrupted after \d+ of") as caught:
        fg.train(X, Y, steps=2**53, lr=1e-3, record=[10, 50], engine="exact", progress=stop)
    run = caught.value.trajectory
    assert run.steps.tolist() == [10, 50]
    straight = fg.train(X, Y, steps=50, lr=1e-3)
    np.testing.assert_array_equal(run.w, straight.w)
    assert run.bias_final == straight.bias_final
    assert caught.value.step > 50


def test_an_error_in_a_callback_comes_out():
    def fail(step):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine") as caught:
        fg.train(X, Y, steps=2**53, lr=1e-3, record=[10, 50], engine="exact", progress=fail)
    assert caught.value.trajectory.steps.tolist() == [10, 50]
    assert caught.value.__notes__ == [
        ".trajectory holds the 2 records up to 50 of the run that this stopped"
    ]


def test_masked_arrays_are_refused_beside_the_array_they_mask():
    X, y = problem(5, 3)[:2]
    masked = np.ma.masked_array(X, mask=X > 0.0)
    with pytest.raises(TypeError, match="masked array"):
        fg.train(X, y, steps=2, lr=0.1, evals={"m": (masked, y)})
