"""Refining with what a run still has: its data, its evaluation sets, and what is told meanwhile."""

import dataclasses
import pickle

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.questions import _meter, _rerun
from fastgrok.theory.bias import Slab
from leaps import cube
from runs import assert_same_bits
from test_refine import make_data

pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")


def sets_of_all_kinds(X, y):
    test = fg.datasets.concentrated((300, 300), dim=2, gamma=1e-3, alpha=10, seed=7)
    return {
        "pair": (test.X, test.y),
        "dataset": test,
        "attacked": fg.Pgd(test.X, test.y, norm=2, eps=5e-4, random_start=True, method="pgd"),
        "slab": Slab(1e-3, 10.0),
    }


def test_all_kinds_of_sets_are_taken_from_the_run():
    X, y = cube()
    evals = sets_of_all_kinds(X, y)
    settings = {"lr": 1e-2, "reduction": "sum", "watch_sharpness": False, "keep_weights": True}
    run = fg.train(X, y, steps=300_000, evals=evals, **settings)
    for name in ("train", *evals):
        given = None if name == "train" else evals
        assert run.refine(name, eps=0.05) == run.refine(name, X, y, given, 0.05), name
        assert run.refine(name, X, y, eps=0.05) == run.refine(name, evals=given, eps=0.05), name


def test_arrays_are_kept_and_not_copied():
    X, y, evals = make_data(0)
    run = fg.train(X, y, steps=50, lr=0.1, evals=evals, keep_weights=True)
    assert list(run.evals) == list(evals)
    for kept, given in ((run.data, (X, y)), (run.evals["near"], evals["near"])):
        for ours, theirs in zip(kept, given, strict=True):
            assert np.shares_memory(ours, theirs)
    for array in (X, evals["near"][0]):
        array[0, 0] = array[0, 0]  # still its owner's to write to
    assert fg.train(X, y, steps=50, lr=0.1).evals == {}
    del evals["near"]
    assert "near" in run.evals


def test_runs_of_one_call_keep_theirs():
    X, y, evals = make_data(1)
    one = {"X": X, "y": y, "steps": 300, "lr": 0.2, "keep_weights": True, "engine": "exact"}
    runs = fg.train_many([{**one, "evals": evals}, {**one, "evals": {"near": (X, y)}}])
    times = [run.refine("near", eps=0.05) for run in runs]
    assert times[0] == runs[0].refine("near", X, y, evals, 0.05)
    assert (times[1].test, times[1].max_test) == (times[1].train, times[1].max_train)


def test_a_pickled_run_keeps_them_and_a_saved_one_does_not(tmp_path):
    X, y = cube()
    evals = sets_of_all_kinds(X, y)
    run = fg.train(X, y, steps=2000, lr=1e-2, reduction="sum", evals=evals, keep_weights=True)
    again = pickle.loads(pickle.dumps(run))
    assert_same_bits(again, run)
    for name in evals:
        assert again.refine(name, eps=0.1) == run.refine(name, eps=0.1)
    run.save(tmp_path / "run.npz")
    loaded = fg.Trajectory.load(tmp_path / "run.npz")
    assert loaded.data is None
    assert loaded.evals is None
    with pytest.raises(ValueError, match=r"does not hold its training data .*: give X and y"):
        loaded.refine("pair")
    with pytest.raises(ValueError, match=r"evaluation sets .*: give evals=\{'pair': \(X, y\)\}"):
        loaded.refine("pair", X, y)
    assert loaded.refine("train", X, y) == run.refine("train")
    assert loaded.refine("pair", X, y, evals) == run.refine("pair")


def test_half_of_the_data_is_refused():
    X, y, evals = make_data(0)
    run = fg.train(X, y, steps=50, lr=0.1, evals=evals, keep_weights=True)
    for given in ({"X": X}, {"y": y}):
        with pytest.raises(ValueError, match="X and y must be given together"):
            run.refine("near", **given)


@pytest.mark.parametrize("engine", ["auto", "exact"])
def test_a_changed_array_is_noticed(engine):
    X, y, evals = make_data(0)
    run = fg.train(X, y, steps=5000, lr=0.2, engine=engine, evals=evals, keep_weights=True)
    expected = run.refine("near", eps=0.05)
    for array, where in (
        (X, r"the run's own data are not .*'train' \(has an array changed"),
        (y, r"the run's own data are not"),
        (evals["near"][0], r"the run's own evals\['near'\] is not .*'near' \(has an array changed"),
        (evals["near"][1], r"the run's own evals\['near'\] is not"),
    ):
        kept = array.copy()
        array[5] *= -1.0
        with pytest.raises(ValueError, match=where):
            run.refine("near", eps=0.05)
        array[:] = kept
        assert run.refine("near", eps=0.05) == expected


def test_a_row_that_no_longer_matters_at_the_end_is_noticed_too():
    """Its loss at the last record is lost in the sum; at the first it is not."""
    X = np.array([[1.0, 0.0], [-1.0, 0.1], [400.0, 300.0]])
    y = np.array([1.0, -1.0, 1.0])
    run = fg.train(X, y, steps=3000, lr=0.1, engine="exact", keep_weights=True)
    run.refine("train")
    loss = run.losses["train"].copy()
    X[2] = [399.0, 301.0]
    other = fg.train(X, y, steps=1, lr=0.1, w0=run.w, b0=run.bias_final)
    assert other.losses["train"][0] == loss[-1]
    with pytest.raises(ValueError, match="the run's own data are not what the run recorded"):
        run.refine("train")


# ------------------------------------------------------------------------------------ progress


class Told(list):
    def __call__(self, step):
        assert isinstance(step, int)
        self.append(step)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(_meter, "SECONDS", 0.0)
    monkeypatch.setattr("fastgrok.descent.running.POLL_SECONDS", 0.0)


@pytest.mark.usefixtures("at_once")
def test_progress_counts_the_steps_of_the_brackets():
    X, y, evals = make_data(0)
    run = fg.train(X, y, steps=100_000, lr=0.1, record=[0, 40_000, 90_000, 100_000],
                   engine="exact", evals=evals, keep_weights=True)  # fmt: skip
    told = Told()
    assert run.refine("near", progress=told) == run.refine("near")
    coarse = run.grokking("near")
    ends = {coarse.train, coarse.test, coarse.sustained_train, coarse.sustained_test} - {None}
    before = dict(zip(run.steps[1:].tolist(), run.steps[:-1].tolist(), strict=True))
    assert told[-1] == sum(end - before[end] for end in ends)
    assert len(told) > 10
    assert told == sorted(told)


@pytest.mark.usefixtures("at_once")
def test_progress_inside_leaps():
    X, y = cube()
    evals = {"near": fg.datasets.concentrated((300, 300), dim=2, gamma=1e-3, alpha=10, seed=7)}
    run = fg.train(X, y, steps=1e30, lr=1e-2, reduction="sum", evals=evals, keep_weights=True)
    told = Told()
    assert run.refine("near", progress=told) == run.refine("near")
    assert told == sorted(told)
    low, high = run.grokking("near").test_bracket
    assert told[-1] >= high - low
    told.clear()
    assert run.refine_hit("near", 0.6, progress=told) == run.refine_hit("near", 0.6)
    assert told == sorted(told)
    low, high = run.first_hit("near", 0.6).bracket
    assert told[-1] >= high - low


def test_a_bar_comes_to_its_end(capsys):
    X, y, evals = make_data(0)
    run = fg.train(X, y, steps=2000, lr=0.1, record=500, evals=evals, keep_weights=True)
    run.refine("near", progress=True)
    assert "100%" in capsys.readouterr().err
    run.refine("near")
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="progress must be True or False"):
        run.refine("near", progress="yes")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt()])
def test_what_progress_raises_ends_the_search(error):
    X, y, evals = make_data(0)
    run = fg.train(X, y, steps=100_000, lr=0.1, record=[0, 100_000], engine="exact",
                   evals=evals, keep_weights=True)  # fmt: skip

    def stop(step):
        raise error

    with pytest.raises(type(error)) as caught:
        run.refine("near", progress=stop)
    if isinstance(error, KeyboardInterrupt):
        assert isinstance(caught.value.trajectory, fg.Trajectory)


def test_a_leap_that_cannot_be_followed_is_told_as_such(monkeypatch):
    X, y = cube()
    evals = {"near": fg.datasets.concentrated((300, 300), dim=2, gamma=1e-3, alpha=10, seed=7)}
    run = fg.train(X, y, steps=1e9, lr=1e-2, reduction="sum", evals=evals, keep_weights=True)
    expected = run.refine("near")
    follow, failing = _rerun.FollowedLeaps, set()

    def fails(record, arguments, *rest):
        failing.add(arguments["rtol"])
        if len(failing) <= failures:
            raise fg.LeapError("no leap", run, 0)
        return follow(record, arguments, *rest)

    monkeypatch.setattr(_rerun, "FollowedLeaps", fails)
    for allowed, last in ((1, 1e-8), (2, 1e-7)):
        failures = allowed
        failing.clear()
        times = run.refine("near")
        assert max(failing) == pytest.approx(last)
        low, high = times.test_bracket
        assert low < expected.test <= high
    failures = 3
    failing.clear()
    with pytest.raises(fg.LeapError, match="no leap"):
        run.refine("near")


def test_a_leap_that_was_off_by_more_than_it_told():
    X, y = cube()
    evals = {"near": fg.datasets.concentrated((300, 300), dim=2, gamma=1e-3, alpha=10, seed=7)}
    run = fg.train(X, y, steps=600_000, lr=1e-2, reduction="sum", evals=evals, keep_weights=True)
    record = int(np.flatnonzero(run.steps == run.grokking("near", 0.05).test)[0])
    assert run.engine.leap_at(run.steps[record]) is not None
    weights = run.weights.copy()
    weights[record] *= 1.0 + 1e-6
    wrong = dataclasses.replace(run, weights=weights)
    message = r"own data are not what .* or its leap was off by more than it told: .*rtol=1e-08"
    with pytest.raises(ValueError, match=message):
        wrong.refine("near", eps=0.05)
