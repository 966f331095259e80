"""Leaps over more columns than are packed: records in one go, rows left out, preconditioners."""

import numpy as np
import pytest

import fastgrok as fg
from leaps import difference
from runs import StopAtStep, polling_always, train_quietly


def cube(rows, columns, dtype=np.float64, seed=0):
    half = rows // 2
    return fg.datasets.margin_cube(
        (half, rows - half), columns, gamma=1e-3, seed=seed, dtype=dtype
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("rows", "columns"), [(43, 17), (130, 31), (61, 600), (1100, 540), (2050, 40)]
)
def test_records_made_together_have_the_bits_of_single_ones(rows, columns, dtype):
    """A run of no steps from the recorded weights makes one record, of the same data."""
    data, others = cube(rows, columns, dtype), cube(37, columns, dtype, seed=1)
    X = data.X.copy()
    X[:3] = 0.0  # rows whose margins are those of the bias alone
    common = {
        "lr": 1e-3, "evals": {"others": others}, "tie": "negative", "watch_sharpness": False,
    }  # fmt: skip
    run = fg.train(X, data.y, steps=20_000, engine="leap", keep_weights=True, **common)
    leap = run.engine.leaps[-1]
    leaped = np.flatnonzero(run.steps > leap.overlap_until)
    assert leaped.size > 20
    for at in leaped[:: max(leaped.size // 11, 1)]:
        w, b = run.weights[at, :-1], run.weights[at, -1]
        one = fg.train(X, data.y, steps=1, w0=w, b0=b, record=[0, 1], **common)
        for name in ("train", "others"):
            assert run.losses[name][at] == one.losses[name][0]
            assert run.accuracy[name][at] == one.accuracy[name][0]


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_that_do_not_matter_are_left_out_of_leaps_without_harm(threads):
    """Steps visit few rows here; the leap is held against those that visit all."""
    data = cube(4000, 64, np.float32)
    common = {"lr": 1e-2, "reduction": "sum", "keep_weights": True, "watch_sharpness": False}
    exact = train_quietly(
        data.X, data.y, steps=6_000, engine="exact", skip_rows=False, threads=1, **common
    )
    run = train_quietly(data.X, data.y, steps=6_000, record=exact.steps, threads=threads, **common)
    assert run.engine.leaps
    assert run.engine.row_share < 0.5
    for got, expected in zip(run.weights[1:], exact.weights[1:], strict=True):
        assert difference(got, expected) <= 1e-8


@pytest.mark.parametrize("columns", [40, 150])
def test_leaps_that_take_many_products_are_right(columns):
    """Late few rows have most of the curvature, where a sample of them preconditions."""
    data = cube(1500, columns)
    common = {"lr": 1.0, "keep_weights": True, "watch_sharpness": False}
    exact = train_quietly(data.X, data.y, steps=20_000, engine="exact", **common)
    run = train_quietly(data.X, data.y, steps=20_000, record=exact.steps, **common)
    (leap,) = [leap for leap in run.engine.leaps if leap.last == 20_000]
    assert leap.products > 300
    for got, expected in zip(run.weights[1:], exact.weights[1:], strict=True):
        assert difference(got, expected) <= 1e-8


def test_the_time_of_a_leaping_run_is_accounted_for():
    data = cube(400, 100)
    run = fg.train(data.X, data.y, steps=1e6, lr=1e-2)
    assert run.engine.leaps
    assert set(run.engine.spent) == {
        "exact steps", "evaluations", "products", "second integration", "checks", "records",
    }  # fmt: skip
    assert all(seconds >= 0.0 for seconds in run.engine.spent.values())
    assert 0.0 < sum(run.engine.spent.values()) <= run.engine.seconds
    assert fg.train(data.X, data.y, steps=100, lr=1e-2).engine.spent == {}


def test_a_leap_over_wide_rows_that_is_stopped_keeps_its_records():
    data = cube(3000, 200)

    full = fg.train(data.X, data.y, steps=1e9, lr=1e-2, watch_sharpness=False)
    with polling_always(), pytest.raises(fg.Interrupted) as caught:
        fg.train(
            data.X, data.y, steps=1e9, lr=1e-2, watch_sharpness=False, progress=StopAtStep(1e5)
        )
    kept = caught.value.trajectory
    assert kept.steps[-1] > 1e4
    np.testing.assert_array_equal(kept.steps, full.steps[: kept.steps.size])
    np.testing.assert_array_equal(kept.loss, full.loss[: kept.steps.size])


@pytest.mark.parametrize("kind", ["cube", "noise"])
def test_leaps_of_thousands_of_columns_are_right(kind):
    """No sample preconditions there, but what the last solves have seen of the Hessian."""
    columns = 3000
    if kind == "cube":
        data = cube(60, columns, np.float32)
    else:
        data = fg.datasets.gaussian_noise(90, columns, sigma=0.3, seed=2, dtype=np.float32)
    common = {"lr": 1e-3, "keep_weights": True, "watch_sharpness": False}
    exact = train_quietly(data.X, data.y, steps=5_000, engine="exact", threads=1, **common)
    for rtol in (1e-8, 1e-6):
        run = fg.train(
            data.X, data.y, steps=5_000, engine="leap", rtol=rtol, record=exact.steps, **common
        )
        assert run.engine.leaps[-1].products > 0
        for step, got, expected in zip(run.steps, run.weights, exact.weights, strict=True):
            leap = run.engine.leap_at(step)
            error = difference(got, expected) if step > 0 else 0.0
            assert error <= (0.0 if leap is None else min(leap.error, rtol))


@pytest.mark.parametrize("columns", [10, 40])
def test_the_first_leap_is_tried_earlier_where_passes_are_dear(columns):
    data = cube(1000, columns)
    first = {
        rtol: fg.train(data.X, data.y, steps=1e6, lr=1e-2, rtol=rtol).engine.leaps[0].first
        for rtol in (1e-8, 1e-6)
    }
    assert first[1e-8] == 128
    assert first[1e-6] == (64 if columns > 16 else 128)


@pytest.mark.parametrize(("rtol", "first"), [(1e-8, 258), (1e-6, 130)])
def test_a_limit_of_exact_steps_before_the_first_leap_of_wide_rows(rtol, first):
    """The message says from where on there could be one, and it is there that it is."""
    data = cube(100, 40)
    asked = {"steps": 1e6, "lr": 1e-2, "rtol": rtol, "watch_sharpness": False}
    words = rf"at step {first} at the earliest, beyond exact_limit, which is {first - 1}; give"
    with pytest.raises(fg.LeapError, match=words):
        fg.train(data.X, data.y, **asked, exact_limit=first - 1)
    run = fg.train(data.X, data.y, **asked, exact_limit=first)
    assert run.engine.leaps[0].overlap_until == first


@pytest.mark.parametrize("rtol", [5e-7, 1e-6])
@pytest.mark.parametrize("seed", [2, 22])
def test_loose_tolerances_are_kept_where_large_starts_are_unlearned(seed, rtol):
    """Rows leave and enter one after the other; few, long steps would say too little of errors."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(10, 32))
    y = np.where(X @ rng.normal(size=32) > 0, 1, -1)
    w0 = rng.normal(size=32) * (100.0 if seed == 2 else 30.0)
    largest = np.linalg.norm(np.c_[X, np.ones(10)], 2) ** 2 / 4
    common = {
        "steps": 6000, "lr": 0.3 / largest, "reduction": "sum", "w0": w0, "b0": -8.0,
        "keep_weights": True, "watch_sharpness": False,
        "record": np.r_[np.arange(0, 3000, 2), 6000],
    }  # fmt: skip
    run = fg.train(X, y, rtol=rtol, **common)
    exact = fg.train(X, y, engine="exact", **common)
    assert run.engine.leaps[-1].last == 6000
    error_of_w = np.linalg.norm((run.weights - exact.weights)[:, :-1], axis=1) / exact.norm_w
    error_of_b = np.abs(run.b - exact.b) / np.maximum(np.abs(exact.b), 1.0)
    assert error_of_w.max() <= rtol
    assert error_of_b.max() <= rtol
