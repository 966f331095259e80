"""What a function of the caller's says of the records becomes columns of the run."""

import numpy as np
import pytest

import fastgrok as fg
from runs import StopAt, assert_same_bits, polling_always
from test_stop import planted


class Told:
    """Writes down what it was called with, and returns two numbers."""

    def __init__(self):
        self.calls = []

    def __call__(self, step, w, b):
        assert isinstance(step, int)
        assert isinstance(b, float)
        assert not w.flags.writeable
        self.calls.append((step, w, b))
        return {"first": w[0], "ratio": np.float32(b)}


@pytest.mark.parametrize("engine", ["exact", "auto"])
@pytest.mark.parametrize("optimizer", ["gd", "adam"])
def test_it_is_called_at_every_record_in_order(engine, optimizer):
    X, y, evals = planted(0)
    options = {"steps": 10**5, "lr": 0.02, "engine": engine, "optimizer": optimizer, "evals": evals}
    expected = fg.train(X, y, keep_weights=True, **options)
    told = Told()
    with polling_always():
        run = fg.train(X, y, on_record=told, **options)
    assert [step for step, _, _ in told.calls] == expected.steps.tolist()
    assert np.array_equal([w for _, w, _ in told.calls], expected.weights[:, :-1])
    assert np.array_equal([b for _, _, b in told.calls], expected.b)
    assert list(run.values) == ["first", "ratio"]
    assert np.array_equal(run.values["first"], expected.weights[:, 0])
    assert np.array_equal(run.values["ratio"], expected.b.astype(np.float32))
    assert run.values["first"].dtype == run.values["ratio"].dtype == np.float64
    assert not run.values["first"].flags.writeable
    assert np.array_equal(run.weights, expected.weights)


def total(step, w, b):
    return w.sum() + b


def test_columns_are_named_shown_and_saved(tmp_path):
    X, y, _ = planted(0)
    run = fg.train(X, y, steps=300, lr=0.1, on_record=total)
    assert list(run.values) == ["total"]
    assert list(fg.train(X, y, steps=3, lr=0.1, on_record=lambda step, w, b: b).values) == ["value"]
    assert f"values    total {run.values['total'][-1]:.4g}" in str(run)
    run.save(tmp_path / "run.npz")
    loaded = fg.Trajectory.load(tmp_path / "run.npz")
    assert_same_bits(loaded, run)
    assert fg.train(X, y, steps=3, lr=0.1).values == {}


def l1(step, w, b):
    return np.abs(w).sum()


def test_tables():
    X, y, _ = planted(0)
    run = fg.train(X, y, steps=300, lr=0.1, on_record=l1)
    expected = np.abs(run.weights[:, :-1]).sum(axis=1)
    assert np.array_equal(run.to_pandas()["l1"], expected)
    assert np.array_equal(run.to_xarray()["l1"], expected)
    assert run.to_xarray()["l1"].dims == ("step",)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (lambda step, w, b: "one", TypeError, "at step 0 'value' is 'one'"),
        (lambda step, w, b: None, TypeError, "at step 0 'value' is None"),
        (lambda step, w, b: w, TypeError, "at step 0 'value' is"),
        (lambda step, w, b: {1: b}, TypeError, "at step 0 a name is 1"),
        (lambda step, w, b: {"norm_w": b}, ValueError, "must not return 'norm_w'"),
        (lambda step, w, b: {"loss_train": b}, ValueError, "must not return 'loss_train'"),
        (
            lambda step, w, b: {"one": b} if step < 5 else {"other": b},
            ValueError,
            r"the same names at every record: first \['one'\], at step 5 \['other'\]",
        ),
        (lambda step, w, b: w.fill(0.0), ValueError, "read-only"),
        (lambda step, w, b: 1 / (step - 20), ZeroDivisionError, "division"),
    ],
)
def test_what_it_raises_ends_the_run_and_the_trajectory_is_kept(function, kind, message):
    X, y, _ = planted(0)
    for options in ({}, {"engine": "exact"}):
        with pytest.raises(kind, match=message) as error, polling_always():
            fg.train(
                X,
                y,
                steps=10**5,
                lr=0.1,
                record=1 if options else None,
                on_record=function,
                **options,
            )
        run = error.value.trajectory
        assert run.steps[0] == 0
        if options:
            assert run.steps[-1] < 10**5
        for column in run.values.values():
            called = np.isfinite(column)
            assert 0 < called.sum() < run.steps.size
            assert called[: called.sum()].all()


def test_no_function():
    X, y, _ = planted(0)
    with pytest.raises(TypeError, match="on_record must be a function of step, w and b"):
        fg.train(X, y, steps=10, lr=0.1, on_record=3)


def test_nan_is_a_number():
    X, y, _ = planted(0)
    run = fg.train(
        X, y, steps=10, lr=0.1, on_record=lambda step, w, b: b / step if step else np.nan
    )
    assert np.isnan(run.values["value"]).tolist() == [True] + 10 * [False]


def test_interrupted_and_diverged_runs_have_all_values():
    X, y, _ = planted(0)
    with pytest.raises(fg.DivergenceError) as diverged:
        fg.train(X, y, steps=5000, lr=3.0, loss="squared", engine="exact", on_record=l1)
    with pytest.raises(fg.Interrupted) as interrupted, polling_always():
        fg.train(X, y, steps=10**6, lr=0.1, engine="exact", on_record=l1, progress=StopAt(50))
    for error in (diverged, interrupted):
        run = error.value.trajectory
        assert np.array_equal(run.values["l1"], np.abs(run.weights[:, :-1]).sum(axis=1))
        assert run.steps.size > 1


@pytest.mark.parametrize("engine", ["exact", "auto"])
def test_the_columns_are_the_same_with_a_checkpoint(tmp_path, engine):
    X, y, _ = planted(0)
    options = {"steps": 20_000, "lr": 0.05, "engine": engine, "on_record": Told()}
    expected = fg.train(X, y, **options)
    for poll in (1, 30, 90):
        file = tmp_path / str(poll)
        with polling_always(), pytest.raises(fg.Interrupted):
            fg.train(X, y, checkpoint=file, progress=StopAt(poll), **options)
        assert_same_bits(fg.train(X, y, checkpoint=file, **options), expected)
        assert_same_bits(fg.train(X, y, checkpoint=file, **options), expected)


def test_runs_of_one_call():
    X, y, _ = planted(0)
    one = {"X": X, "y": y, "lr": 0.05, "steps": 5000}
    problems = [{**one, "on_record": l1}, one, {**one, "on_record": Told(), "optimizer": "adam"}]
    for run, problem in zip(fg.train_many(problems), problems, strict=True):
        assert_same_bits(run, fg.train(**problem))
    wrong = [one, {**one, "on_record": lambda step, w, b: 1 / (step - 3)}]
    with pytest.raises(ZeroDivisionError) as error:
        fg.train_many(wrong)
    runs = error.value.trajectories
    assert np.isfinite(runs[1].values["value"]).tolist() == [True] * 3 + [False] * (
        runs[1].steps.size - 3
    )
    assert runs[0].steps[-1] == 5000


def test_only_the_records_of_a_stopped_run():
    X, y, _ = planted(0)
    for engine in ("exact", "auto"):
        told = Told()
        run = fg.train(
            X, y, steps=10**6, lr=0.05, engine=engine, on_record=told, stop=fg.stop.norm_w(6.5)
        )
        assert [step for step, _, _ in told.calls] == run.steps.tolist()
        assert np.array_equal(run.values["first"], run.weights[:, 0])
