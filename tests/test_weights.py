"""Weights of rows: a row of weight k is k rows, and one of weight 0 is none."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference
from cases import LENGTHS, SEVERAL_CHUNKS, point, problem, separable
from fastgrok import _core
from runs import StopAt, assert_same_bits, polling_always, train_quietly
from weighted_rows import drawn, repeated

DTYPES = st.sampled_from([np.float64, np.float32])


def apart(run, expected):
    """Error of the last (w, b), of ||w|| and of max(|b|, 1)."""
    w = np.linalg.norm(run.w - expected.w) / np.linalg.norm(expected.w)
    return max(w, abs(run.bias_final - expected.bias_final) / max(abs(expected.bias_final), 1.0))


def assert_same_run(run, expected, rtol):
    assert apart(run, expected) <= rtol
    np.testing.assert_allclose(run.loss, expected.loss, rtol=rtol * 10 + 1e-13)
    np.testing.assert_allclose(run.b, expected.b, rtol=rtol * 10, atol=rtol * 10)
    np.testing.assert_array_equal(run.counts["train"], expected.counts["train"])
    np.testing.assert_array_equal(run.accuracy["train"], expected.accuracy["train"])
    assert run.sizes["train"] == expected.sizes["train"]


@pytest.mark.parametrize("loss", reference.LOSSES)
@pytest.mark.parametrize("shape", [*itertools.product((1, 17, 65), LENGTHS)])
def test_passes_of_weighted_rows(shape, loss):
    X, y = problem(*shape)
    w, b = point(shape[1])
    q = np.random.default_rng(1).uniform(0.0, 3.0, shape[0])
    weighted = _core.Problem(X, y, True).weighted(q)
    m = reference.margins(X, y, w, b)
    np.testing.assert_allclose(weighted.margins(w, b, 1), m, rtol=1e-12, atol=1e-14)
    total, right = weighted.evaluate(w, b, loss, False, 1)
    np.testing.assert_allclose(total, q @ reference.loss_value(m, loss), rtol=1e-13)
    np.testing.assert_allclose(right, q[m > 0].sum(), rtol=1e-14)
    g, g_b = weighted.gradient(w, b, loss, 1)
    slope = q * reference.loss_slope(m, loss) * y
    size = 3e-15 * 3.0 * reference.gradient_scale(X, y, w, b, loss)
    np.testing.assert_allclose(g, X.T @ slope, rtol=0, atol=size)
    np.testing.assert_allclose(g_b, slope.sum(), rtol=0, atol=size)
    if loss != "hinge":
        Z = np.column_stack([X, np.ones(len(y))])
        H = Z.T @ ((q * reference.loss_curvature(m, loss))[:, None] * Z)
        largest = np.linalg.eigvalsh(H)[-1]
        np.testing.assert_allclose(weighted.curvature(w, b, loss, 1), largest, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [*SEVERAL_CHUNKS[:4], (33, 5), (40, 30)])
def test_weights_of_one_change_no_bit(shape, dtype):
    X, y = problem(*shape)
    X = X.astype(dtype)
    options = {"steps": 40, "lr": 0.1, "record": 1}
    run = fg.train(X, y, sample_weight=np.ones(shape[0]), threads=2, **options)
    plain = fg.train(X, y, threads=1, **options)
    for name in ("w", "b", "norm_w", "sharpness", "sharpness_mean", "loss"):
        np.testing.assert_array_equal(getattr(run, name), getattr(plain, name))
    np.testing.assert_array_equal(run.counts["train"], plain.counts["train"])


@given(
    st.integers(2, 40), st.integers(1, 20), st.integers(0, 99), DTYPES,
    st.sampled_from(sorted(reference.LOSSES)), st.sampled_from(["mean", "sum"]), st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_exact_steps_are_those_of_repeated_rows(n, d, seed, dtype, loss, reduction, bias):
    X, y = problem(n, d, seed)
    X, times = X.astype(dtype), drawn(n, seed=seed)
    Xr, yr = repeated(times, X, y)
    lr = 0.5 * reference.stable_rate(Xr, yr, loss, reduction)
    options = {"loss": loss, "reduction": reduction, "bias": bias}
    run = fg.train(X, y, steps=60, lr=lr, sample_weight=times, record=1, **options)
    w, b = reference.descend(Xr, yr, 60, lr, **options)
    np.testing.assert_allclose(run.w, w[-1], rtol=1e-9, atol=1e-9 * np.abs(w).max())
    np.testing.assert_allclose(run.b, b, rtol=1e-9, atol=1e-9)
    expected = fg.train(Xr, yr, steps=60, lr=lr, record=1, **options)
    assert_same_run(run, expected, 1e-11)
    np.testing.assert_allclose(run.sharpness, expected.sharpness, rtol=3e-2)


@pytest.mark.parametrize("d", [3, 20])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "momentum"},
        {"optimizer": "nesterov", "weight_decay": 1e-2},
        {"optimizer": "normalized"},
        {"optimizer": "adam"},
        {"optimizer": "adamw", "weight_decay": 0.1, "decay_bias": True},
        {"schedule": fg.schedules.power(0.5)},
        {"reduction": "sum", "lr": 1e-4, "tie": "negative"},
    ],
    ids=str,
)
def test_every_optimizer(d, options):
    X, y = problem(40, d)
    if options.get("optimizer") == "normalized":  # elsewhere it turns about an optimum
        X[:, 0] += 3.0 * y
    times = drawn(40)
    given = {"steps": 400, "lr": 1e-2, **options}
    run = train_quietly(X, y, sample_weight=times, **given)
    assert_same_run(run, train_quietly(*repeated(times, X, y), **given), 1e-11)


def test_the_sign_of_the_gradient():
    X, y = problem(40, 3)
    times = drawn(40)
    given = {"steps": 50, "lr": 1e-2, "optimizer": "sign"}
    run = train_quietly(X, y, sample_weight=times, **given)
    assert_same_run(run, train_quietly(*repeated(times, X, y), **given), 1e-12)


LEAPS = [
    {"lr": 0.05},
    {"lr": 0.05, "loss": "exponential", "reduction": "sum", "scale": 1e-2},
    {"lr": 0.05, "weight_decay": 1e-3},
    {"lr": 0.02, "optimizer": "momentum"},
    {"lr": 0.02, "loss": "squared"},
    {"lr": 0.02, "optimizer": "normalized", "schedule": fg.schedules.power(0.5)},
]


@pytest.mark.parametrize("d", [2, 7, 25])
@pytest.mark.parametrize("apart_by", [0.0, 1.0])
@pytest.mark.parametrize("options", LEAPS, ids=str)
def test_leaps_are_those_of_repeated_rows(d, apart_by, options):
    X, y = problem(50, d)
    X[:, 0] += apart_by * 3.0 * y
    times = drawn(50, most=9)
    options = dict(options)
    if options.get("optimizer") == "normalized" and not apart_by:
        options["steps"] = 5000  # that turns about an optimum
    options["lr"] *= options.pop("scale", 1.0)
    far = {"steps": 1e9, "rtol": 1e-9, **options}
    run = train_quietly(X, y, sample_weight=times, **far)
    expected = train_quietly(*repeated(times, X, y), **far)
    assert run.engine.name == expected.engine.name
    if "steps" not in options:
        assert run.engine.name == "leap"
    assert apart(run, expected) <= 3e-9
    np.testing.assert_allclose(run.loss, expected.loss, rtol=1e-5)
    np.testing.assert_array_equal(run.counts["train"], expected.counts["train"])


@pytest.mark.parametrize("d", [2, 30])
def test_leaps_of_any_weights_are_exact_steps_to_their_rtol(d):
    X, y = problem(60, d)
    q = np.random.default_rng(2).lognormal(0.0, 3.0, 60)
    options = {"steps": 60_000, "lr": 0.05, "sample_weight": q}
    leap = fg.train(X, y, engine="leap", rtol=1e-9, **options)
    exact = fg.train(X, y, engine="exact", **options)
    assert leap.engine.leaps
    assert leap.engine.exact_steps < 30_000
    assert apart(leap, exact) <= 1e-9
    m = reference.margins(X, y, exact.w, exact.bias_final)
    loss = q @ reference.loss_value(m, "logistic") / q.sum()
    np.testing.assert_allclose(exact.loss[-1], loss, rtol=1e-12)
    share = q[m > 0].sum() / q.sum()
    np.testing.assert_allclose(exact.accuracy["train"][-1], share, rtol=0, atol=1e-12)


def test_cycles_are_leaped_too():
    X, y = problem(30, 2)
    times = drawn(30)
    Xr, yr = repeated(times, X, y)
    rates = np.linspace(1.05, 1.6, 8) * fg.stable_lr(Xr, yr)
    cycled = 0
    for lr in rates:
        options = {"steps": 1e7, "lr": lr}
        run, expected = train_quietly(X, y, sample_weight=times, **options), None
        expected = train_quietly(Xr, yr, **options)
        assert run.regime[-1] == expected.regime[-1]
        if "period" in run.regime[-1] or run.regime[-1] == "smooth":
            assert apart(run, expected) <= 1e-6
            cycled += 1
    assert cycled


@pytest.mark.parametrize("d", [2, 16, 17, 60])
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_skipping_rows_changes_no_bit(d, loss):
    X, y = separable(700, d)
    q = np.random.default_rng(d).lognormal(0.0, 4.0, 700)
    options = {"steps": 4000, "lr": 0.02 / np.abs(X).max() ** 2, "loss": loss, "sample_weight": q}
    skipping = fg.train(X, y, skip_rows=True, **options)
    assert_same_bits(skipping, fg.train(X, y, skip_rows=False, **options))


def test_skipped_rows_are_checked_by_their_weights():
    X, y = separable(400, 3)
    q = np.random.default_rng(0).lognormal(0.0, 4.0, 400)
    rows = _core.Problem(X, y, True).weighted(q)
    descent = _core.Descent(
        rows, [], np.array([3000.0]), loss="logistic", scale=1.0 / q.sum(), lr=0.05,
        w=np.array([50.0, 0.0, 0.0]), b=0.0, tie_negative=False, keep_weights=True,
        watch_sharpness=False, skip_rows="always", check_skipped=True, threads=1,
    )  # fmt: skip
    assert descent.run(lambda step: False, 10.0) == "done"
    assert descent.row_visits < 3000 * 400


@given(st.integers(3, 30), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=30)
def test_rows_of_no_weight_are_left_out_to_the_last_bit(n, d, seed):
    X, y = problem(n, d, seed)
    q = np.random.default_rng(seed).uniform(0.5, 2.0, n) * (drawn(n, seed=seed) > 0)
    live = q > 0
    given = {"steps": 30, "lr": 0.1, "evals": {"all": (X, y)}, "keep_weights": True}
    run = fg.train(X, y, sample_weight=q, **given)
    alone = fg.train(X[live], y[live], sample_weight=q[live], **given)
    for name in ("w", "loss", "weights", "sharpness"):
        np.testing.assert_array_equal(getattr(run, name), getattr(alone, name))
    assert run.params["rows"] == live.sum()
    np.testing.assert_array_equal(run.sample_weight, q)
    np.testing.assert_array_equal(run.data[0], X[live])
    w = np.arange(1.0, d + 1)
    np.testing.assert_array_equal(
        fg.margins(X, y, w, 0.5, sample_weight=q), fg.margins(X[live], y[live], w, 0.5)
    )
    assert fg.accuracy(X, y, w, sample_weight=live) == fg.accuracy(X[live], y[live], w)


@given(st.integers(2, 60), st.integers(0, 99), st.sampled_from(["wrong", "negative"]))
def test_accuracy(n, seed, tie):
    X, y = problem(n, 2, seed)
    X = np.round(X)
    times = drawn(n, seed=seed)
    w = [1.0, -1.0]
    expected = fg.accuracy(*repeated(times, X, y), w, tie=tie)
    assert fg.accuracy(X, y, w, tie=tie, sample_weight=times) == pytest.approx(expected, abs=1e-15)
    q = np.random.default_rng(seed).random(n)
    right = X @ w * y > 0
    sure = right if tie == "wrong" else right | ((X @ w == 0) & (y < 0))
    share = fg.accuracy(X, y, w, tie=tie, sample_weight=q)
    assert share == pytest.approx(q[sure].sum() / q.sum(), abs=1e-14)
    assert fg.accuracy(X, np.where(X @ w > 0, 1, -1), w, tie="negative", sample_weight=q) == 1.0


@given(
    st.integers(3, 14),
    st.integers(1, 3),
    st.integers(0, 999),
    st.sampled_from(["logistic", "poisson"]),
)
@settings(max_examples=60)
def test_separation_is_that_of_repeated_rows(n, d, seed, model):
    rng = np.random.default_rng(seed)
    X, y = rng.integers(-1, 2, (n, d)), rng.integers(0, 2, n)
    y[:2] = 0, 1
    times = drawn(n, seed=seed)
    times[:2] = 1
    found = fg.separation(X, y, weights=times, model=model)
    same = fg.separation(X, y, sample_weight=times * 0.3, model=model)
    copies = np.repeat(np.arange(n), times)
    every = fg.separation(*repeated(times, X, y), model=model)
    assert found.kind == same.kind == every.kind
    assert found.coefficients == same.coefficients == every.coefficients
    assert found.rows.tolist() == same.rows.tolist() == sorted({*copies[every.rows].tolist()})
    assert found.overlap.tolist() == sorted({*copies[every.overlap].tolist()})
    assert found.direction == same.direction


@pytest.mark.parametrize(("n", "d"), [(40, 3), (5, 30), (600, 700)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_stable_lr(n, d, reduction):
    X, y = problem(n, d)
    times = drawn(n)
    found = fg.stable_lr(X, y, reduction=reduction, sample_weight=times)
    Xr, yr = repeated(times, X, y)
    np.testing.assert_allclose(found, fg.stable_lr(Xr, yr, reduction=reduction), rtol=1e-6)
    Z = np.column_stack([Xr, np.ones(len(yr))])
    largest = np.linalg.svd(Z, compute_uv=False)[0] ** 2 * reference.scale(len(yr), reduction)
    assert found <= 8.0 / largest
    run = fg.train(X, y, steps=5, lr="auto", sample_weight=times, reduction=reduction)
    assert run.params["lr"] == 0.5 * found


def test_shares_are_recorded_and_kept(tmp_path):
    X, y = problem(30, 2)
    q = np.random.default_rng(0).random(30)
    run = fg.train(X, y, steps=99, lr=0.1, sample_weight=q, evals={"t": (X, y)})
    assert (run.sizes["train"], run.sizes["t"]) == (10**12, 30)
    m = reference.margins(X, y, run.w, run.bias_final)
    assert run.accuracy["train"][-1] == pytest.approx(q[m > 0].sum() / q.sum(), abs=1e-12)
    assert "30 x 2 (weighing" in str(run)
    assert "/1000000000000" not in str(run)
    separated = fg.train(X, y, steps=3, lr=0.1, w0=X.T @ y, sample_weight=q)
    assert separated.params["total_weight"] == pytest.approx(q.sum(), rel=1e-14)
    run.save(tmp_path / "run")
    kept = fg.Trajectory.load(tmp_path / "run")
    assert_same_bits(kept, run)
    np.testing.assert_array_equal(kept.sample_weight, q)
    right = np.where(X[:, 0] > 0, 1, -1)
    sure = fg.train(X, right, steps=9, lr=0.1, w0=[9.0, 0.0], sample_weight=q)
    assert sure.accuracy["train"].tolist() == [1.0] * sure.steps.size


def test_a_checkpoint_knows_the_weights(tmp_path):
    X, y = problem(40, 3)
    q = np.random.default_rng(0).random(40)
    given = {"steps": 3000, "lr": 0.1, "record": 100, "engine": "exact"}
    file = tmp_path / "run"
    with polling_always(), pytest.raises(KeyboardInterrupt):
        fg.train(X, y, sample_weight=q, checkpoint=file, progress=StopAt(3), **given)
    with pytest.raises(fg.CheckpointError, match="sample_weight"):
        fg.train(X, y, sample_weight=q[::-1], checkpoint=file, **given)
    with pytest.raises(fg.CheckpointError, match=r"sample_weight|total_weight"):
        fg.train(X, y, checkpoint=file, **given)
    run = fg.train(X, y, sample_weight=q, checkpoint=file, **given)
    assert_same_bits(run, fg.train(X, y, sample_weight=q, **given))
    assert_same_bits(fg.train(X, y, sample_weight=q, checkpoint=file, **given), run)
    more = {**given, "steps": 4000}
    assert_same_bits(
        fg.train(X, y, sample_weight=q, checkpoint=file, **more),
        fg.train(X, y, sample_weight=q, **more),
    )


@pytest.mark.parametrize("shape", [(60, 3), (4000, 200)])
def test_many_runs_with_weights_of_their_own(shape):
    X, y = problem(*shape)
    rng = np.random.default_rng(0)
    some = [None, np.ones(shape[0]), rng.random(shape[0]), rng.integers(0, 3, shape[0])]
    problems = [
        {"X": X, "y": y, "steps": 30, "lr": lr, "sample_weight": q, "record": 7}
        for q in some
        for lr in (0.01, 0.1)
    ]
    for run, one in zip(fg.train_many(problems, threads=2), problems, strict=True):
        assert_same_bits(run, fg.train(**one))
    with pytest.raises(ValueError, match=r"^problems\[0\]\['sample_weight'\] must have length"):
        fg.train_many([{**problems[0], "sample_weight": [1.0]}])


def test_what_ends_a_run_counts_weights():
    X, y = problem(200, 3)
    times = drawn(200)
    given = {"steps": 5000, "lr": 0.01, "stop": fg.stop.accuracy("train", 0.8), "record": 500}
    run = fg.train(X, y, sample_weight=times, **given)
    expected = fg.train(*repeated(times, X, y), **given)
    assert run.steps.tolist() == expected.steps.tolist()
    assert run.params["stopped"] == expected.params["stopped"]
