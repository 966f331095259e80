"""Runs on sparse rows are those on dense ones, and the same for any threads."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
import reference
from fastgrok._checks import sparse
from fastgrok.descent import _sparse_eigenvalues
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.linear.losses import LOSSES
from runs import assert_same_bits, train_quietly
from sparse_cases import drawn, relative

CLOSE = 1e-12


@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(0.0, 1.0), st.integers(0, 999),
    st.sampled_from((np.float64, np.float32)), st.booleans(),
    st.sampled_from(("mean", "sum")),
)  # fmt: skip
def test_steps_are_those_of_a_loop_over_products(n, d, density, seed, dtype, bias, reduction):
    X, y = drawn(n, d, density, seed, dtype)
    lr, steps = 0.1 / (1.0 if reduction == "mean" else n), 30
    c, w, b = reference.scale(n, reduction), np.zeros(d), 0.0
    wide = X.astype(np.float64)
    for _ in range(steps):
        slope = -c * y / (1.0 + np.exp(y * (wide @ w + b)))
        w, b = w - lr * (wide.T @ slope), b - lr * bias * slope.sum()
    run = train_quietly(X, y, steps=steps, lr=lr, bias=bias, reduction=reduction)
    # Slopes that cancel leave rounding alone: errors are a share of what a step adds up.
    expected = np.append(w, b)
    size = max(float(np.linalg.norm(expected)), lr * c * n)
    assert np.linalg.norm(np.append(run.w, run.bias_final) - expected) < CLOSE * size
    m = y * (wide @ w + b)
    assert run.losses["train"][-1] == pytest.approx(c * np.log1p(np.exp(-m)).sum(), rel=CLOSE)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_loss_and_optimizer_as_of_dense_rows(loss, optimizer):
    X, y = drawn(90, 33, 0.3, 1)
    settings = {
        "steps": 40, "lr": 0.02, "loss": loss, "optimizer": optimizer, "keep_weights": True,
        "weight_decay": 0.01, "decay_bias": True, "schedule": fg.schedules.power(0.5, 8.0),
        "record": 4,
    }  # fmt: skip
    if optimizer in ("sign", "adam", "adamw"):  # a column of zeros has no side to go to
        X = X[:, np.flatnonzero(abs(X).sum(axis=0))]
    run = train_quietly(X, y, **settings)
    whole = train_quietly(X.toarray(), y, **settings)
    assert relative(run.weights, whole.weights) < CLOSE
    assert relative(run.loss, whole.loss) < CLOSE
    assert (run.accuracy["train"] == whole.accuracy["train"]).all()
    np.testing.assert_allclose(run.sharpness, whole.sharpness, rtol=1e-6, atol=1e-12)
    assert (run.regime == whole.regime).all()


def test_rows_that_are_skipped_change_no_bit():
    X, _ = drawn(1000, 30, 0.3, 2)
    y = np.where(X @ np.ones(30) > 0.0, 1.0, -1.0)
    settings = {"steps": 1000, "lr": 300.0, "watch_sharpness": False, "record": 100}
    run = fg.train(X, y, skip_rows=True, engine="exact", **settings)
    assert run.engine.row_share < 0.9
    assert_same_bits(run, fg.train(X, y, skip_rows=False, engine="exact", **settings))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_any_number_of_threads_gives_the_same_bits(dtype):
    rng = np.random.default_rng(3)
    X = scipy.sparse.random_array((20_000, 200), density=0.2, rng=rng, dtype=np.float64)
    y = np.where(rng.random(20_000) < 0.5, 1.0, -1.0)
    X = scipy.sparse.csr_array(X.astype(dtype))
    assert sparse.problem(X, y, True).chunks > 8
    runs = [
        fg.train(X, y, steps=20, lr=0.1, record=5, evals={"same": (X, y)}, threads=threads)
        for threads in (1, 2, 3, 50)
    ]
    for run in runs[1:]:
        assert_same_bits(run, runs[0])
    m = [fg.margins(X, y, runs[0].w, 0.3, threads=threads) for threads in (1, 3)]
    assert (m[0] == m[1]).all()


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.0, 1.0), st.integers(0, 999),
       st.sampled_from((np.float64, np.float32)))  # fmt: skip
def test_passes_against_dense_products(n, d, density, seed, dtype):
    X, y = drawn(n, d, density, seed, dtype)
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=d), float(rng.normal())
    core, whole = sparse.problem(X, y, True), X.toarray()
    scale = np.abs(whole).sum(axis=1).max() * np.abs(w).max() + abs(b) + 1.0
    exact = y * (whole.astype(np.longdouble) @ w.astype(np.longdouble) + b)
    assert np.abs(core.margins(w, b, 1) - exact).max() < 1e-14 * scale
    accurate = core.accurate_margins(w, b, 1)
    assert (np.abs(accurate - exact) <= 2.3e-16 * np.abs(exact) + 1e-18 * scale).all()
    for loss in ("logistic", "squared_hinge"):
        g, g_b = core.gradient(w, b, loss, 1)
        expected, expected_b = reference.gradient(whole, y, w, b, loss)
        limit = 1e-14 * (1.0 + reference.gradient_scale(whole, y, w, b, loss))
        assert np.abs(g - expected).max() <= limit
        assert abs(g_b - expected_b) <= limit
        curvature = reference.curvature(whole, y, w, b, loss)
        assert core.curvature(w, b, loss, 1) == pytest.approx(curvature, rel=1e-8, abs=1e-14)
    squares, columns = core.sizes(1)
    np.testing.assert_allclose(squares, (whole.astype(np.float64) ** 2).sum(axis=1), rtol=1e-13)
    np.testing.assert_array_equal(columns, np.abs(whole).max(axis=0))


def test_margins_and_accuracy():
    X, y = drawn(80, 30, 0.2, 6)
    w = np.random.default_rng(6).normal(size=30)
    for normalized in (True, False):
        got = fg.margins(X.tocsc(), y, w, 0.1, normalized=normalized)
        np.testing.assert_allclose(
            got, fg.margins(X.toarray(), y, w, 0.1, normalized=normalized), atol=1e-14
        )
    # An empty row lies on a hyperplane through the origin.
    for tie in ("wrong", "negative"):
        assert fg.accuracy(X, y, w, tie=tie) == fg.accuracy(X.toarray(), y, w, tie=tie)


@pytest.mark.parametrize("columns", [1, 7, 16, 17, 30])
def test_evaluation_sets_may_be_sparse_or_not(columns):
    X, y = drawn(90, columns, 0.6, 7)
    T, t = drawn(50, columns, 0.6, 8)
    settings = {"steps": 300, "lr": 0.5, "watch_sharpness": False}
    sets = {"sparse": (T.tocoo(), t), "dense": (T.toarray(), t)}
    run = fg.train(X, y, evals=sets, **settings)
    whole = fg.train(X.toarray(), y, evals=sets, **settings)
    for name in sets:
        for one in (run, whole):
            assert (one.accuracy[name] == whole.accuracy["dense"]).all()
            np.testing.assert_allclose(one.losses[name], whole.losses["dense"], rtol=1e-12)


@pytest.mark.parametrize("loss", ["logistic", "squared"])
def test_leaps_are_those_of_dense_rows(loss):
    X, y = drawn(120, 40, 0.2, 9)
    settings = {"steps": 1e9, "lr": 0.02, "loss": loss, "engine": "leap", "rtol": 1e-8}
    run = fg.train(X, y, **settings)
    whole = fg.train(X.toarray(), y, **settings)
    assert run.engine.name == "leap"
    assert relative(run.w, whole.w) < 4e-8
    np.testing.assert_allclose(run.loss, whole.loss, rtol=1e-6)


def test_leaps_of_so_many_columns_that_solves_keep_fewer_directions():
    """Columns without entries change nothing, but take their share of what is kept."""
    rng = np.random.default_rng(17)
    some, d = rng.normal(size=(30, 50)), 100_000
    y = np.where(some[:, 0] + 0.5 * rng.normal(size=30) > 0.0, 1.0, -1.0)
    columns = np.sort(rng.choice(d, 50, replace=False))
    X = scipy.sparse.csr_array(
        (some.ravel(), np.tile(columns, 30), np.arange(0, 1501, 50)), shape=(30, d)
    )
    settings = {"steps": 1e5, "lr": 0.1, "engine": "leap", "rtol": 1e-6, "record": [1e5],
                "watch_sharpness": False}  # fmt: skip
    run, alone = fg.train(X, y, **settings), fg.train(some, y, **settings)
    assert relative(run.w[columns], alone.w) < 2e-6
    assert not np.delete(run.w, columns).any()


def test_many_runs_over_the_same_rows():
    X, y = drawn(400, 30, 0.3, 10)
    rates = (0.1, 0.2, 0.4)
    settings = {"steps": 200, "engine": "exact", "watch_sharpness": False}
    runs = fg.train_many([{"X": X, "y": y, "lr": lr, **settings} for lr in rates], threads=2)
    for lr, run in zip(rates, runs, strict=True):
        assert_same_bits(run, fg.train(X, y, lr=lr, **settings))


def test_many_runs_that_read_large_rows_together(monkeypatch):
    monkeypatch.setattr("fastgrok.descent.many.LARGE", 0)
    test_many_runs_over_the_same_rows()


def test_times_are_refined_on_sparse_rows():
    X, y = drawn(60, 40, 0.4, 11)
    settings = {"lr": 0.5, "keep_weights": True, "steps": 2000, "evals": {"test": (X[::2], y[::2])}}
    run = fg.train(X, y, engine="exact", **settings)
    whole = fg.train(X.toarray(), y, engine="exact", **settings)
    found, expected = run.refine_hit("test", 0.9), whole.refine_hit("test", 0.9)
    assert (found.step, found.bracket) == (expected.step, expected.bracket)


def test_checkpoints_know_the_rows(tmp_path):
    X, y = drawn(60, 30, 0.3, 12)
    settings = {"lr": 0.1, "record": 10, "checkpoint": tmp_path / "run"}
    fg.train(X, y, steps=50, **settings)
    longer = fg.train(X.tocsc(), y, steps=90, **settings)
    assert_same_bits(longer, fg.train(X, y, steps=90, lr=0.1, record=10))
    other = X.copy()
    other.data[3] += 1.0
    with pytest.raises(fg.CheckpointError, match="X holds other values"):
        fg.train(other, y, steps=90, **settings)
    moved = X.copy()
    moved.indices[-1] = (moved.indices[-1] + 1) % 30
    with pytest.raises(fg.CheckpointError, match="X holds other values"):
        fg.train(moved, y, steps=90, **settings)
    with pytest.raises(fg.CheckpointError, match="X had dtype sparse <f8, has dtype <f8"):
        fg.train(X.toarray(), y, steps=90, **settings)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("magnitudes", [True, False])
def test_a_rate_that_is_stable(shape, bias, magnitudes, monkeypatch):
    X, y = drawn(*shape, 0.3, 13)
    X.data[:] = 1e3 * np.abs(X.data)
    if magnitudes:
        monkeypatch.setattr(_sparse_eigenvalues, "_MOST_GRAM", 0)
    expected = fg.stable_lr(X.toarray(), y, bias=bias)
    got = fg.stable_lr(X, y, bias=bias)
    assert expected * (1.0 - 2e-5) < got <= expected * (1.0 + 2e-7)
    run = fg.train(X, y, steps=10, lr="auto", bias=bias)
    assert run.params["lr"] == 0.5 * got
    assert run.sharpness.max() <= 1.0 + 1e-6


def test_a_rate_of_magnitudes_is_low_where_signs_differ(monkeypatch):
    X, y = drawn(60, 20, 0.3, 14)
    monkeypatch.setattr(_sparse_eigenvalues, "_MOST_GRAM", 0)
    assert fg.stable_lr(X, y) <= fg.stable_lr(X.toarray(), y)
    assert fg.stable_lr(X, y) == pytest.approx(fg.stable_lr(abs(X).toarray(), y), rel=2e-5)


@pytest.mark.parametrize("bias", ["none", "penalized", "free"])
def test_maximum_margins(bias):
    rng = np.random.default_rng(15)
    X = scipy.sparse.random_array((900, 60), density=0.1, rng=rng, data_sampler=rng.normal)
    side = X @ rng.normal(size=60) + 0.05
    X = X.tocsr()[np.abs(side) > 0.3]
    y = np.where(side[np.abs(side) > 0.3] > 0.0, 1.0, -1.0)
    got, expected = fg.max_margin(X, y, bias=bias), fg.max_margin(X.toarray(), y, bias=bias)
    assert got.gap <= 1e-10
    assert got.margin == pytest.approx(expected.margin, rel=1e-9)
    assert relative(got.w, expected.w) < 1e-8
    assert set(got.support) == set(expected.support)


@pytest.mark.parametrize("bias", ["none", "penalized", "free"])
def test_rows_that_would_fill_the_memory_are_refused(bias, monkeypatch):
    """A working set of so many rows as there are columns has tables of about 1.3 MB."""
    rng = np.random.default_rng(17)
    X = scipy.sparse.random_array((300, 230), density=0.05, rng=rng, data_sampler=rng.normal)
    y = np.where(X @ rng.normal(size=230) + 0.01 > 0.0, 1.0, -1.0)
    expected = fg.max_margin(X.toarray(), y, bias=bias)
    monkeypatch.setattr(sparse, "MOST_DENSE", 8 * 230 * 231 * 3)
    assert fg.max_margin(X, y, bias=bias).margin == pytest.approx(expected.margin, rel=1e-9)
    monkeypatch.setattr(sparse, "MOST_DENSE", 8 * 50 * (231 + 2 * 50))
    words = r"X has more than 50 rows near the largest margin.* shape \(300, 230\) .*toarray\(\)"
    with pytest.raises(ValueError, match=words):
        fg.max_margin(X, y, bias=bias)


def test_margins_of_rows_that_cannot_be_separated():
    X, y = drawn(200, 5, 0.5, 16)
    with pytest.raises(fg.NotSeparableError):
        fg.max_margin(X, y)
