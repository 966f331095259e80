"""Sparse rows: the runs of dense ones, in any format, for any threads, in little memory."""

import functools

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
import reference
from cases import python
from fastgrok import _core
from fastgrok._checks import sparse
from fastgrok.descent import _sparse_eigenvalues
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.linear.losses import LOSSES
from runs import assert_same_bits, train_quietly

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
CLOSE = 1e-12


def drawn(n, d, density, seed, dtype=np.float64):
    """Sparse rows, of which some and some columns are empty, and labels of both classes."""
    rng = np.random.default_rng([n, d, seed])
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < density)
    X[rng.random(n) < 0.1] = 0.0
    X[:, rng.random(d) < 0.1] = 0.0
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    y[0] = -y[-1] if n > 1 else y[0]
    return scipy.sparse.csr_array(X.astype(dtype)), y


def relative(got, expected):
    """Largest difference, as a share of the largest of what is expected."""
    return np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-300)


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
    assert relative(np.append(run.w, run.bias_final), np.append(w, b)) < CLOSE
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


def in_disorder(X):
    """The same rows with their columns the wrong way round, entries in two parts, and zeros."""
    coo = X.tocoo()
    rows, columns = coo.coords
    order = np.argsort(rows, kind="stable")[::-1]
    order = order[np.argsort(rows[order], kind="stable")]
    begin = np.searchsorted(rows[order], np.arange(X.shape[0] + 1))
    parts = 0.25 * coo.data[order]
    values = np.column_stack([parts, 3.0 * parts, np.zeros(len(parts))]).ravel()
    return scipy.sparse.csr_array((values, np.repeat(columns[order], 3), 3 * begin), shape=X.shape)


def kept(X):
    return [np.array(X.data), np.array(X.indices), np.array(X.indptr)]


def variants():
    X, y = drawn(60, 25, 0.2, 4)
    X.data[:] = np.round(8.0 * X.data)  # of which parts and sums are exact
    X.eliminate_zeros()
    arrays = {name: X.asformat(name) for name in FORMATS}
    matrices = {f"{name}_matrix": scipy.sparse.csr_matrix(X).asformat(name) for name in FORMATS}
    wide = scipy.sparse.csr_array(X)
    wide.indices, wide.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    spare = scipy.sparse.csr_array(X)  # with room behind the last entry
    spare.indices = np.append(X.indices, np.full(9, 99, X.indices.dtype))
    spare.data = np.append(X.data, np.full(9, np.nan))
    integers = X.astype(np.int16)
    others = {
        "disorder": in_disorder(X), "int64 indices": wide, "room": spare, "integers": integers,
        "foreign": scipy.sparse.csr_array((X.data.astype(">f8"), X.indices, X.indptr), X.shape),
    }  # fmt: skip
    strided = scipy.sparse.csr_array(X)
    strided.data, strided.indices = np.repeat(X.data, 2)[::2], np.repeat(X.indices, 2)[::2]
    others["strided"] = strided
    return X, y, arrays | matrices | others


OTHERS = ("disorder", "int64 indices", "room", "integers", "foreign", "strided")


@pytest.mark.parametrize("name", [*FORMATS, *(f"{form}_matrix" for form in FORMATS), *OTHERS])
def test_every_format_gives_the_same_bits_and_stays_as_it_is(name):
    X, y, given_ = variants()
    other = given_[name]
    before = kept(other) if other.format == "csr" else other.copy()
    run = fg.train(other, y, steps=50, lr=0.1, record=10)
    expected = fg.train(X, y, steps=50, lr=0.1, record=10)
    assert relative(run.w, expected.w) < 1e-14
    if name not in ("bsr", "dia", "bsr_matrix", "dia_matrix", "disorder"):  # which hold zeros
        assert_same_bits(run, expected)
    if other.format == "csr":
        for now, then in zip(kept(other), before, strict=True):
            np.testing.assert_array_equal(now, then, strict=True)
    else:
        assert (other != before).nnz == 0


def test_compressed_rows_in_order_are_used_in_place():
    X, y = drawn(50, 20, 0.3, 5)
    for rows in (X, X.astype(np.float32), scipy.sparse.csr_matrix(X)):
        run = fg.train(rows, y, steps=2, lr=0.1)
        assert np.shares_memory(run.data[0].data, rows.data)
        assert np.shares_memory(run.data[0].indices, rows.indices)
        assert run.data[0].dtype == rows.dtype


def test_rows_without_entries():
    X = scipy.sparse.csr_array((7, 5))
    y = np.array([1.0, 1, 1, 1, 1, -1, -1])
    run = fg.train(X, y, steps=200, lr=1.0)
    whole = fg.train(X.toarray(), y, steps=200, lr=1.0)
    assert not run.w.any()
    assert run.bias_final == pytest.approx(whole.bias_final, rel=CLOSE)
    assert fg.margins(X, y, np.ones(5), 2.0, normalized=False) == pytest.approx(2.0 * y)


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


def test_margins_of_rows_that_cannot_be_separated():
    X, y = drawn(200, 5, 0.5, 16)
    with pytest.raises(fg.NotSeparableError):
        fg.max_margin(X, y)


def test_what_wants_dense_rows_makes_them_so_up_to_a_size():
    X, y = drawn(30, 12, 0.4, 17)
    assert fg.separability(X, y).verdict == fg.separability(X.toarray(), y).verdict
    words = r"X is needed as a dense array.* 7\.45 GiB .*\(100000, 10000\)"
    with pytest.raises(ValueError, match=words):
        fg.separability(scipy.sparse.csr_array((10**5, 10**4)), np.ones(10**5))
    attacked = {"attacked": fg.Pgd(X, y, eps=0.1, method="exact")}
    run = fg.train(X, y, steps=5, lr=0.1, evals=attacked)
    whole = fg.train(X.toarray(), y, steps=5, lr=0.1, evals=attacked)
    assert (run.accuracy["attacked"] == whole.accuracy["attacked"]).all()


def csr(data, indices, indptr, shape):
    """What scipy would refuse to make."""
    X = scipy.sparse.csr_array(shape)
    X.data, X.indices, X.indptr = np.array(data), np.array(indices), np.array(indptr)
    return X


ROWS = csr([1.0, 2.0], [0, 1], [0, 1, 2], (2, 2))


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (csr([1.0, 2.0], [0, 5], [0, 1, 2], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, 2.0], [0, -1], [0, 1, 2], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, 2.0], [0, 1], [0, 2, 1], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, 2.0], [0, 1], [0, 1, 3], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, np.nan], [0, 1], [0, 1, 2], (2, 2)), ValueError, r"is X\[1, 1\] = nan"),
        (csr([1.0, np.inf], [0, 1], [0, 1, 2], (2, 2)), ValueError, r"is X\[1, 1\] = inf"),
        (ROWS.astype(complex), TypeError, "X must hold real numbers, got dtype complex128"),
        (scipy.sparse.csr_array((0, 2)), ValueError, r"at least one row .* \(0, 2\)"),
        (scipy.sparse.csr_array((2, 2**31)), ValueError, "at most 2147483647 columns"),
        (scipy.sparse.coo_array(np.ones(2)), ValueError, r"2 dimensions .* \(2,\)"),
        (csr([2**53 + 1, 2], [0, 1], [0, 1, 2], (2, 2)), ValueError, "float64 cannot hold"),
        (scipy.sparse.csr_array((3, 2)), ValueError, "y must have one label a row: 3 rows, 2"),
    ],
)
def test_errors_name_the_rows(X, error, words):
    for ask in (
        functools.partial(fg.train, steps=1, lr=0.1),
        functools.partial(fg.margins, w=np.ones(2)),
    ):
        with pytest.raises(error, match=words):
            ask(X, [1, -1])


def test_errors_of_other_arguments():
    sets = {"test": (scipy.sparse.csr_array((2, 3)), [1, -1])}
    with pytest.raises(ValueError, match=r"evals\['test'\] X must have 2 columns, got .*\(2, 3\)"):
        fg.train(ROWS, [1, -1], steps=1, lr=0.1, evals=sets)
    with pytest.raises(TypeError, match="y must be a dense array, got csr_array"):
        fg.train(ROWS, scipy.sparse.csr_array(np.ones((2, 1))), steps=1, lr=0.1)


def test_the_core_refuses_what_is_out_of_order():
    y, values = np.array([1.0, -1.0]), np.ones(2)
    for columns, begin in (
        ([1, 0], [0, 2, 2]), ([1, 1], [0, 2, 2]), ([0, 2], [0, 1, 2]), ([-1, 1], [0, 1, 2]),
        ([0, 1], [0, 1, 1]), ([0, 1], [1, 1, 2]), ([0, 1], [0, 3, 2]),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="columns in order"):
            _core.Problem.sparse(
                values, np.array(columns, np.int32), np.array(begin, np.int64), 2, y, True
            )
    X, y = drawn(20, 5, 0.5, 18)
    with pytest.raises(ValueError, match="attacks need dense rows"):
        fg.Pgd(X.toarray(), y)._evaluator(sparse.problem(X, y, True)).evaluate(
            np.ones(5), 0.0, "logistic", False, 1
        )


MEMORY = """
import re, sys
from pathlib import Path
import numpy as np, scipy.sparse, fastgrok as fg

def status(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def rows(n, d, k):
    rng = np.random.default_rng(0)
    columns = (np.sort(rng.integers(0, d // k, (n, k), dtype=np.int32), axis=1)
               + np.arange(0, d, d // k, dtype=np.int32)[:k]).astype(np.int32)
    begin = np.arange(0, n * k + 1, k, dtype=np.int32)
    X = scipy.sparse.csr_array((rng.standard_normal(n * k), columns.ravel(), begin), shape=(n, d))
    return X, np.where(rng.random(n) < 0.5, 1.0, -1.0)

fg.train(*rows(100, 40, 4), steps=300, lr=0.1, threads=2)
X, y = rows(100_000, 10_000, 20)
size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = status("VmRSS")
fg.train(X, y, steps=20, lr=0.1, threads=2)
print(1.0 + (status("VmHWM") - before) / size)
"""


def test_a_run_takes_less_than_three_times_the_memory_of_its_rows():
    done = python(MEMORY)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3.0
