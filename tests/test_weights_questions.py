"""What is asked of a run whose rows have weights: as of one with repeated rows."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import fastgrok as fg
from cases import problem
from fastgrok.theory import bias as theory
from test_labels import Tensor
from weighted_rows import drawn, repeated


@pytest.mark.parametrize("engine", ["exact", "auto"])
def test_questions_about_a_weighted_run(engine, tmp_path):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 2))
    y = np.where(X @ [1.0, 0.3] + 0.1 > 0, 1.0, -1.0)
    X += 0.2 * y[:, None]
    test = (rng.normal(size=(300, 2)), np.ones(300))
    times = drawn(80)
    Xr, yr = repeated(times, X, y)
    given = {
        "steps": 60_000, "lr": 0.05, "evals": {"t": test}, "keep_weights": True, "engine": engine,
        "b0": 3.0,
    }  # fmt: skip
    run = fg.train(X, y, sample_weight=times, **given)
    expected = fg.train(Xr, yr, **given)
    assert run.refine("t") == expected.refine("t")
    np.testing.assert_allclose(run.at(777)[0], expected.at(777)[0], rtol=1e-7)
    live = np.flatnonzero(times)
    best = fg.max_margin(X[live], y[live])
    np.testing.assert_allclose(run.alignment(), expected.alignment(), rtol=1e-7)
    np.testing.assert_allclose(run.alignment(best), run.alignment(), rtol=1e-9)
    copies = np.repeat(np.arange(len(live)), times[live])
    own = run.phases(best.support, test="t")
    theirs = expected.phases(np.flatnonzero(np.isin(copies, best.support)), test="t")
    assert own == theirs
    run.save(tmp_path / "run")
    kept = fg.Trajectory.load(tmp_path / "run")
    for given_rows in ((X, y), (X[live], y[live])):
        assert kept.refine("t", *given_rows, {"t": test}) == run.refine("t")
        assert kept.phases(best.support, *given_rows, test="t") == own
    with pytest.raises(ValueError, match=r"not the data|not what the run recorded"):
        kept.phases(best.support, X[live][::-1], y[live], test="t")


def test_rows_given_again_may_be_of_any_kind(tmp_path):
    """As in train, where some have no weight, too."""
    X, y = problem(40, 20)
    X = np.round(X)
    times = drawn(40)
    run = fg.train(X, y, steps=2000, lr=0.05, sample_weight=times, evals={"t": (X, y)})
    run.save(tmp_path / "run")
    kept = fg.Trajectory.load(tmp_path / "run")
    expected = run.at(777)[0]
    frame = pd.DataFrame(X.astype(int)).convert_dtypes()
    assert str(frame.dtypes[0]) == "Int64"
    for rows, labels in ((frame, pd.Series(y)), (Tensor(X), Tensor(y)), (X.tolist(), y[:, None])):
        np.testing.assert_array_equal(kept.at(777, rows, labels)[0], expected)
    everywhere = fg.train(X, y, steps=2000, lr=0.05, evals={"t": (X, y)}, keep_weights=True)
    everywhere.save(tmp_path / "everywhere")
    kept = fg.Trajectory.load(tmp_path / "everywhere")
    given = (Tensor(X), Tensor(y))
    assert kept.refine("t", *given, {"t": given}) == everywhere.refine("t")
    with pytest.raises(ValueError, match="y must have one label a row: 40 rows, 39 labels"):
        kept.at(777, X, y[1:])
    with pytest.raises(ValueError, match=r"shapes \(39, 20\) and \(39,\), but the run"):
        kept.at(777, X[1:], y[1:])
    wrong = scipy.sparse.csr_array(X)
    wrong.indices[3] = 77
    with pytest.raises(ValueError, match="X is no sparse matrix"):
        kept.at(777, wrong, y)


def test_limits_that_depend_on_weights_are_those_of_repeated_rows():
    X, y = problem(40, 2)
    times = drawn(40)
    Xr, yr = repeated(times, X, y)
    given = {"steps": 1e6, "lr": 0.05, "weight_decay": 0.01}
    run = fg.train(X, y, sample_weight=times, **given)
    limit = fg.regularized_limit(Xr, yr, 0.01)
    np.testing.assert_allclose(run.w, limit.w, rtol=1e-7)
    ax = run.plot(limit=limit)
    assert ax.lines
    with pytest.raises(ValueError, match="limit must be regularized_limit of the run's"):
        run.plot(limit=fg.regularized_limit(X, y, 0.01))
    odd = fg.train(X, y, sample_weight=times + 0.5, **given)
    with pytest.raises(ValueError, match="weights are whole numbers"):
        odd.plot(limit=limit)


def test_late_time_of_weighted_rows_is_that_of_repeated_ones():
    X = np.array([[2.0, 0.3], [1.5, -0.2], [0.0, 0.5], [0.0, 0.6], [0.0, 1.0], [0.0, 1.2]])
    y = np.array([1.0, 1.0, -1.0, 1.0, 1.0, -1.0])
    times = np.array([1, 2, 3, 1, 2, 4])
    Xr, yr = repeated(times, X, y)
    run = fg.train(X, y, steps=1e18, lr=0.05, sample_weight=times, keep_weights=True)
    late = theory.late_time(Xr, yr, lr=0.05)
    assert late.overlap.size
    w, b = late.at(1e18)
    np.testing.assert_allclose(np.append(run.w, run.bias_final), np.append(w, b), rtol=1e-5)
    own = run.alignment()
    np.testing.assert_allclose(own.limit.w_tilde, late.w_tilde, rtol=1e-9)
    assert own[-1] > 0.99


def test_a_limit_of_rows_that_nothing_separates_says_so_whatever_the_weights():
    X, y = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, -1.0], [0.0, 0.25]]), [1, 1, 1, 1]
    X, y = np.vstack([X, X]), [*y, -1, -1, -1, -1]
    for weights in (None, np.full(8, 0.5), np.full(8, 2)):
        run = fg.train(X, y, steps=20, lr=0.1, sample_weight=weights)
        with pytest.raises(fg.geometry.NotSeparableError) as caught:
            run.plot(limit="auto")
        assert caught.value.__context__ is None
