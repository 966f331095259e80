"""train_many between runs that are short, before the first and after the last: it listens there."""

import pickle

import numpy as np
import pytest

import fastgrok as fg
from cases import problem, python
from fastgrok.descent import many, running, settings
from runs import assert_same_bits

X, Y = problem(6, 2)
ONE = {"X": X, "y": Y, "steps": 3, "lr": 0.1, "watch_sharpness": False}


@pytest.mark.parametrize("by_team", [False, True])
@pytest.mark.parametrize("how", [{"steps": 5000, "engine": "exact"}, {"steps": 10**6}])
def test_progress_between_short_runs(how, by_team, monkeypatch):
    """Asked for as often as time has passed, however short the runs are and however busy it is."""
    pause = 0.02
    monkeypatch.setattr(running, "POLL_SECONDS", pause)
    if by_team:
        monkeypatch.setattr(
            many, "_plan", lambda all_, *_: many._Plan([[i] for i in range(len(all_))], [])
        )
    seen = []
    runs = fg.train_many([ONE | how] * 500, threads=1, progress=seen.append)
    assert seen == sorted(seen)
    assert all(0 < steps <= 500 * how["steps"] for steps in seen)
    seconds = np.array([run.engine.seconds for run in runs])
    assert len(seen) >= seconds.sum() / (pause + seconds.max()) - 1


CTRL_C = """
import os, signal, sys, threading
import fastgrok as fg
from cases import problem

X, y = problem(30, 2)
problems = [{"X": X, "y": y, "steps": 1e6, "lr": 1e-3 + 1e-5 * k} for k in range(2000)]
begun = threading.Event()

def press():
    begun.wait()
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
try:
    fg.train_many(
        problems, threads=int(sys.argv[1]), progress=lambda steps: steps > 1e7 and begun.set()
    )
except fg.Interrupted as stop:
    done = [run for run in stop.trajectories if "interrupted" not in run.params]
    print(len(stop.trajectories), 0 < len(done) < 2000, {int(run.steps[-1]) for run in done})
    print(stop)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_between_runs_that_leap(threads):
    child = python(CTRL_C, str(threads))
    kept, message = child.stdout.splitlines()
    assert kept == "2000 True {1000000}", child.stderr
    assert message.endswith("of 2000 runs came to their ends; .trajectories holds what each had")


class Pressing:
    """Rows whose reader presses Ctrl-C."""

    def __array__(self, *_, **__):
        raise KeyboardInterrupt


def press(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("where", ["checks", "problem", "descent", "leaping"])
def test_ctrl_c_before_anything_has_begun(where, monkeypatch):
    problems = [ONE, {**ONE, "X": Pressing()} if where == "checks" else ONE]
    if where != "checks":
        monkeypatch.setattr(settings.Settings, where, press)
    for call in (lambda: fg.train_many(problems), lambda: fg.train(**problems[1])):
        with pytest.raises(
            fg.Interrupted, match=r"^interrupted before anything had begun$"
        ) as stop:
            call()
        again = pickle.loads(pickle.dumps(stop.value))
        for error in (stop.value, again):
            assert (error.trajectory, error.step, error.trajectories) == (None, None, [])


def test_ctrl_c_when_all_runs_have_ended(monkeypatch):
    """Once, while the trajectories are made."""
    make, calls = many.in_any_case, []

    def pressed(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make(*arguments, **options)

    monkeypatch.setattr(many, "in_any_case", pressed)
    with pytest.raises(fg.Interrupted, match="3 of 3 runs came to their ends") as stop:
        fg.train_many([ONE] * 3)
    for run in stop.value.trajectories:
        assert_same_bits(run, fg.train(**ONE))
    assert np.isfinite(stop.value.trajectory.b).all()


def test_a_run_that_has_recorded_nothing_can_be_shown_and_kept(tmp_path):
    def stop(steps):
        raise KeyboardInterrupt

    long = {"X": X, "y": Y, "steps": 10**9, "lr": 0.1, "engine": "exact", "keep_weights": True}
    with pytest.raises(fg.Interrupted) as stopped:
        fg.train_many([long] * 3, threads=1, progress=stop)
    run = stopped.value.trajectories[-1]
    assert run.steps.size == 0
    assert "0 of 1,000,000,000 steps (interrupted), 0 records" in repr(run)
    assert run.first_hit("train", 1.0) is None
    times = run.grokking("train")
    assert (times.train, times.horizon) == (None, None)
    assert str(times) == "no records, and so no times"
    with pytest.raises(ValueError, match="this run has no records"):
        run.at(0)
    run.save(tmp_path / "run.npz")
    assert_same_bits(fg.Trajectory.load(tmp_path / "run.npz"), run)
    assert run.to_pandas().empty
    assert run.to_xarray().sizes["step"] == 0
    assert run.plot().get_lines()[0].get_xdata().size == 0
