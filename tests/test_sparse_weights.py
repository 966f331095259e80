"""Sparse rows with weights: those of dense rows, and of rows that are repeated."""

import numpy as np
import pytest
import scipy.sparse

import fastgrok as fg
from fastgrok.linear.losses import LOSSES
from runs import train_quietly
from sparse_cases import drawn, relative
from weighted_rows import drawn as weights_of


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", LOSSES)
def test_steps_are_those_of_repeated_rows(loss, dtype):
    X, y = drawn(60, 33, 0.3, 4, dtype)
    times = weights_of(60)
    settings = {"steps": 50, "lr": 0.05, "loss": loss, "record": 5, "keep_weights": True}
    run = train_quietly(X, y, sample_weight=times, **settings)
    dense = train_quietly(X.toarray(), y, sample_weight=times, **settings)
    of_rows = np.repeat(np.arange(60), times)
    whole = train_quietly(X[of_rows], y[of_rows], **settings)
    for other in (dense, whole):
        assert relative(run.weights, other.weights) < 1e-12
        assert relative(run.loss, other.loss) < 1e-12
        assert (run.accuracy["train"] == other.accuracy["train"]).all()


def test_a_leap_over_weighted_sparse_rows():
    X, y = drawn(120, 20, 0.4, 5)
    times = weights_of(120)
    of_rows = np.repeat(np.arange(120), times)
    settings = {"steps": 1e7, "lr": 0.1, "engine": "leap"}
    run = fg.train(X, y, sample_weight=times, **settings)
    whole = fg.train(X[of_rows].toarray(), y[of_rows], **settings)
    assert run.engine.leaps
    np.testing.assert_allclose(run.w, whole.w, rtol=1e-7)


def test_any_number_of_threads_and_skipped_rows_give_the_same_bits():
    rng = np.random.default_rng(6)
    X = scipy.sparse.csr_array(scipy.sparse.random_array((20_000, 100), density=0.2, rng=rng))
    y = np.where(X @ np.ones(100) > 5.0, 1.0, -1.0)
    weights = rng.uniform(0.1, 3.0, 20_000)
    runs = [
        fg.train(
            X, y, sample_weight=weights, steps=60, lr=300.0, threads=threads, skip_rows=skip,
            watch_sharpness=False, engine="exact",
        )
        for threads, skip in ((1, False), (2, True), (3, False))
    ]  # fmt: skip
    for run in runs[1:]:
        assert run.w.tobytes() == runs[0].w.tobytes()
        assert run.loss.tobytes() == runs[0].loss.tobytes()


@pytest.mark.parametrize("columns", [50, 3000])
def test_a_rate_that_is_stable_is_that_of_repeated_rows(columns):
    X, y = drawn(3000 if columns > 2048 else 200, columns, 0.01, 7)
    X.data = np.abs(X.data)
    times = np.random.default_rng(8).integers(1, 4, len(y))
    of_rows = np.repeat(np.arange(len(y)), times)
    rate = fg.stable_lr(X, y, sample_weight=times)
    assert rate == pytest.approx(fg.stable_lr(X[of_rows], y[of_rows]), rel=1e-5)


def test_margins_and_accuracy_take_both():
    X, y = drawn(60, 10, 0.5, 9)
    times = weights_of(60)
    live = times > 0
    w = np.arange(10.0)
    assert (
        fg.margins(X, y, w, sample_weight=times).tobytes()
        == fg.margins(X[np.flatnonzero(live)], y[live], w).tobytes()
    )
    assert fg.accuracy(X, y, w, sample_weight=times) == pytest.approx(
        fg.accuracy(X.toarray(), y, w, sample_weight=times), abs=1e-15
    )


def test_questions_about_a_run_of_both(tmp_path):
    X, y = drawn(60, 10, 0.5, 9)
    times = weights_of(60)
    given = {"steps": 1e5, "lr": 0.1}
    run = fg.train(X, y, sample_weight=times, **given)
    dense = fg.train(X.toarray(), y, sample_weight=times, **given)
    np.testing.assert_allclose(run.at(777)[0], dense.at(777)[0], rtol=1e-7)
    run.save(tmp_path / "run")
    kept = fg.Trajectory.load(tmp_path / "run")
    live = np.flatnonzero(times)
    for rows, labels in ((X, y), (X[live], y[live]), (scipy.sparse.coo_array(X), y)):
        np.testing.assert_allclose(kept.at(777, rows, labels)[0], run.at(777)[0], rtol=1e-9)
    kinds = fg.train(X, y, sample_weight=times, weight_decay=0.01, **given)
    copies = np.repeat(np.arange(60), times)
    limit = fg.regularized_limit(X[copies].toarray(), y[copies], 0.01)
    assert kinds.plot(limit=limit).lines
