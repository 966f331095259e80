"""Arguments of attacks that make no sense: one clear error each."""

import numpy as np
import pandas as pd
import pytest

import fastgrok as fg
from cases import problem

X, Y = problem(6, 2)
W = np.array([1.0, -2.0])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": X[:, :1]}, ValueError, "w must have length 1, got length 2"),
        ({"y": Y[:3]}, ValueError, "y must have one label a row: 6 rows, 3 labels"),
        ({"w": [1.0, np.nan]}, ValueError, r"w must be finite"),
        ({"b": np.inf}, ValueError, "b must be finite, got inf"),
        ({"norm": 3}, ValueError, "norm must be numpy.inf, 2 or 1, got 3"),
        ({"norm": "inf"}, ValueError, "norm must be numpy.inf, 2 or 1, got 'inf'"),
        ({"norm": True}, ValueError, "norm must be numpy.inf, 2 or 1, got True"),
        ({"norm": [2, 2]}, ValueError, r"norm must be numpy.inf, 2 or 1, got \[2, 2\]"),
        ({"eps": -0.1}, ValueError, r"eps must not be negative, got eps = -0.1"),
        ({"eps": np.nan}, ValueError, "eps must be finite, got nan"),
        ({"eps": [0.1] * 5 + [-1]}, ValueError, r"eps must not be negative, got eps\[5\] = -1"),
        ({"eps": [0.1] * 5}, ValueError, r"\(n, 1\) = \(6, 1\) by row .* got shape \(5,\)$"),
        ({"eps": [0.1] * 2}, ValueError, r"got shape \(2,\): pass eps\[None, :\] by column$"),
        ({"eps": pd.Series([0.1] * 2)}, ValueError, r": pass eps\.to_numpy\(\)\[None, :\] by col"),
        ({"eps": np.ones((6, 2))}, ValueError, r"\(1, d\) = \(1, 2\) by column, got shape \(6, 2"),
        ({"eps": np.ones((1, 2)), "norm": 2}, ValueError, "eps by column needs norm=numpy.inf"),
        ({"eps": np.ones((1, 2)), "norm": 1}, ValueError, "eps by column needs norm=numpy.inf"),
        (
            {"X": X[:2], "y": Y[:2], "eps": [0.1, 0.2]},
            ValueError,
            r"as many rows as columns .*; pass eps\[:, None\] or eps\[None, :\]$",
        ),
        ({"eps": "1"}, TypeError, "eps must be a real number, got '1'"),
        ({"step_size": 0}, ValueError, "step_size must be greater than 0, got 0"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 2.5}, ValueError, "steps must be integral, got 2.5"),
        ({"random_start": 1}, TypeError, "random_start must be True or False, got 1"),
        ({"restarts": 0}, ValueError, "restarts must be at least 1, got 0"),
        ({"method": "fgsm"}, ValueError, "method must be one of 'exact', .*, got 'fgsm'"),
        ({"method": "exact", "random_start": True}, ValueError, "'exact' has no use for random"),
        ({"method": "exact", "restarts": 2}, ValueError, "no use for .*restarts=2"),
        ({"random_state": "now"}, TypeError, "random_state must be an integer, got 'now'"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0, got -1"),
        ({"bounds": "box"}, ValueError, r"bounds must be None, 'data' or \(lo, hi\), got 'box'"),
        ({"bounds": 3.0}, TypeError, r"bounds must be None, 'data' or \(lo, hi\), got 3.0"),
        ({"bounds": (1, 2, 3)}, ValueError, r"bounds must be a pair \(lo, hi\), got 3 values"),
        ({"bounds": (9, -9)}, ValueError, "lo <= hi, but in column 0 lo = 9.0 and hi = -9.0"),
        ({"bounds": ([-9, 9], [9, 8])}, ValueError, "in column 1 lo = 9.0 and hi = 8.0"),
        ({"bounds": (np.nan, 9)}, ValueError, r"bounds\[0\] must not be NaN"),
        ({"bounds": (-9, [9] * 3)}, ValueError, r"bounds\[1\] must be .* 2 columns, .* \(3,\)"),
        ({"bounds": (-9, "a")}, TypeError, r"bounds\[1\] must hold real numbers"),
        ({"tie": "loss"}, ValueError, "tie must be one of 'wrong', 'negative', got 'loss'"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        (
            {"w": [1e39, 0], "method": "autodiff32"},
            ValueError,
            r"'autodiff32' needs w and b within float32, got 1e\+39",
        ),
    ],
)
def test_errors(change, error, words):
    arguments = {"X": X, "y": Y, "w": W, "method": "pgd"} | change
    with pytest.raises(error, match=words):
        fg.pgd(**arguments)
    with pytest.raises(error, match=words):
        fg.adversarial_accuracy(**arguments)
    if not change.keys() & {"w", "b", "tie", "threads"} and "w must" not in words:
        del arguments["w"]
        with pytest.raises(error, match=words):
            fg.Pgd(**arguments)


def test_rows_outside_the_bounds():
    rows = np.array([[0.0, 1.0], [0.5, -1.5], [0.0, 2.0]])
    y = [1, 1, -1]
    words = r"X\[1, 1\] = -1.5 is below the lower bound -1.0 by 0.5"
    with pytest.raises(ValueError, match=words):
        fg.pgd(rows, y, W, bounds=(-1, 3))
    words = r"X\[2, 1\] = 2.0 is above the upper bound 1.0 by 1"
    with pytest.raises(ValueError, match=words):
        fg.adversarial_accuracy(rows, y, W, bounds=([-1, -2], [1, 1]))
    with pytest.raises(ValueError, match=words):
        fg.Pgd(rows, y, bounds=(-np.inf, [0.5, 1]))
    fg.pgd(rows, y, W, bounds=([0, -2], [0.5, 2]))  # only column by column inside


SHAPES = [(1, 1), (3, 2), (17, 4), (33, 7), (5, 17), (18, 31), (16, 64), (40, 21)]
METHODS = ("exact", "pgd", "autodiff32", "autodiff64")


def failure(call):
    with pytest.raises(ValueError, match="X must") as error:
        call()
    return str(error.value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_entry_is_looked_at(shape, dtype):
    """Rows are checked in the pass that attacks them; the messages are those of any other check."""
    rows, y = problem(*shape)
    rows = np.clip(rows, -2.0, 2.0).astype(dtype)
    box = (-2.0, 2.0)
    rng = np.random.default_rng(0)
    w = rng.normal(size=shape[1])
    w[rng.random(shape[1]) < 0.5] = 0.0  # no weight, but looked at all the same
    over, below = np.nextafter(dtype(2.0), dtype(9.0)), np.nextafter(dtype(-2.0), dtype(-9.0))
    ends = np.arange(rows.size)
    for at in {0, rows.size - 1, shape[1] - 1, *rng.choice(ends, min(9, rows.size), replace=False)}:
        for k, value in enumerate((np.nan, np.inf, -np.inf, over, below)):
            wrong = rows.copy()
            wrong.flat[at] = value
            method = METHODS[(at + k) % 4]
            norm = (np.inf, 2)[at % 2]

            def accuracy(bounds, *, rows=wrong, norm=norm, method=method):
                return fg.adversarial_accuracy(
                    rows, y, w, norm=norm, method=method, bounds=bounds, eps=0.1
                )

            expected = failure(lambda rows=wrong: fg.pgd(rows, y, w, bounds=box))
            assert failure(lambda: accuracy(box)) == expected
            if np.isfinite(value):
                accuracy(None)
                accuracy("data")
            else:
                assert failure(lambda: accuracy(None)) == expected
                assert failure(lambda: accuracy("data")) == expected


def test_rows_on_the_bounds_are_inside():
    rows = np.array([[-1.0, 2.0, 0.0], [3.0, -2.0, -0.0]])
    bounds = (rows.min(axis=0), [3.0, 2.0, -0.0])
    for d in (3, 30):
        wide = np.tile(rows, d // 3)
        sides = tuple(np.tile(side, d // 3) for side in bounds)
        assert fg.adversarial_accuracy(wide, [1, -1], np.ones(d), bounds=sides, eps=0.0) == 0.5
        fg.adversarial_accuracy(wide, [1, -1], np.ones(d), bounds=(-np.inf, sides[1]))


def test_margins_that_overflow_are_no_error():
    for d in (2, 20):
        rows = np.full((4, d), 1e308) * [[1], [-1], [1], [-1]]
        for bounds in (None, (-1e308, np.inf)):
            accuracy = fg.adversarial_accuracy(
                rows, [1, -1, -1, -1], np.full(d, 1e300), bounds=bounds, eps=1.0
            )
            assert accuracy == 0.75


def test_grid_errors():
    for grid, words in (
        ([0.1, -0.2], r"eps_grid must not be negative, got eps_grid\[1\] = -0.2"),
        ([], "eps_grid must not be empty"),
        (0.5, r"eps_grid must have 1 dimension, got shape \(\)"),
        ([0.1, np.nan], "eps_grid must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            fg.adversarial_accuracy(X, Y, W, eps_grid=grid)
    with pytest.raises(ValueError, match=r"leave eps out, got an array of shape \(6,\)"):
        fg.adversarial_accuracy(X, Y, W, eps=np.ones(6), eps_grid=[0.1])
