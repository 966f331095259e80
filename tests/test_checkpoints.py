"""Runs that are stopped, killed and taken up again: the same bits as without."""

import os
import shutil
import tempfile
from itertools import count
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference
from cases import problem, python
from fastgrok import _core
from fastgrok.descent import checkpoints, running
from fastgrok.descent.checkpoints import Checkpoint
from fastgrok.linear.losses import LOSSES
from runs import StopAt, assert_same_bits, polling_always, train_quietly


def oscillating(d):
    """Return rows on which lr = 6 with the sum of the losses settles on a period of two."""
    X = np.zeros((2, d))
    X[:, 0] = 1.0
    start = np.zeros(d)
    start[0] = 0.1
    return X, np.array([1.0, -1.0]), {"lr": 6.0, "reduction": "sum", "bias": False, "w0": start}


@st.composite
def runs(draw):
    """Draw data and options of a run of a few hundred steps; few and many columns."""
    kind = draw(st.sampled_from(["smooth", "period-2"]))
    if kind == "period-2":
        X, y, options = oscillating(draw(st.sampled_from([1, 20])))
        evals = {}
    else:
        d = draw(st.sampled_from([2, 16, 17, 40]))
        X, y = problem(draw(st.sampled_from([5, 60])), d)
        X = X.astype(draw(st.sampled_from([np.float64, np.float32])))
        loss = draw(st.sampled_from(list(reference.LOSSES)))
        curvature = LOSSES[loss].largest_curvature
        options = {
            # As stable for every loss as for the logistic one, if its curvature has a bound.
            "lr": draw(st.sampled_from([0.05, 0.5])) * (0.25 / curvature if curvature < 9 else 1.0),
            "loss": loss,
            "bias": draw(st.booleans()),
        }
        evals = {name: problem(20, d, seed=1) for name in draw(st.sampled_from(["", "a", "ab"]))}
    options |= {
        "steps": 300,
        "record": draw(st.sampled_from([None, 1, 7, [150], [0, 299]])),
        "evals": evals,
        "keep_weights": draw(st.booleans()),
        "watch_sharpness": draw(st.booleans()),
    }
    return X, y, options


def until(poll, X, y, **options):
    """Train until a poll and return how that ended; None if the run was done before."""
    try:
        train_quietly(X, y, **options, progress=StopAt(poll))
    except fg.Interrupted as stopped:
        return stopped
    return None


THREADS = st.sampled_from([1, 2, 3])
POLLS = st.one_of(st.integers(1, 30), st.integers(1, 1500))


@settings(max_examples=60)
@given(runs(), st.lists(POLLS, min_size=1, max_size=4), st.data())
def test_stopped_and_taken_up_again(run, stops, data):
    X, y, options = run
    expected = train_quietly(X, y, **options)
    with tempfile.TemporaryDirectory() as folder, polling_always():
        file = Path(folder, "run")
        step = -1
        for stop in stops:
            stopped = until(stop, X, y, **options, checkpoint=file, threads=data.draw(THREADS))
            if stopped is not None:
                assert stopped.step >= step
                step = stopped.step
                assert f"holds the run up to step {step}" in str(stopped)
        resumed = train_quietly(X, y, **options, checkpoint=file, threads=data.draw(THREADS))
        assert_same_bits(resumed, expected)
        assert resumed.engine.exact_steps == 300
        assert os.listdir(folder) == ["run"]


@settings(max_examples=60)
@given(runs(), POLLS)
def test_every_file_on_the_way_leads_to_the_same_end(run, poll):
    X, y, options = run
    expected = train_quietly(X, y, **options)
    with tempfile.TemporaryDirectory() as folder, polling_always():
        file, copy = Path(folder, "run"), Path(folder, "copy")
        calls = 0

        def write_once(self, descent, leaping):
            nonlocal calls
            calls += 1
            if calls == poll:  # maybe in the middle of a record
                self.write(descent, leaping)
                shutil.copy(file, copy)
            return True

        with patch.object(Checkpoint, "write_if_due", write_once):
            train_quietly(X, y, **options, checkpoint=file)
        if copy.exists():
            assert_same_bits(train_quietly(X, y, **options, checkpoint=copy), expected)


def descent(X, y, *, steps, lr):
    return _core.Descent(
        _core.Problem(X, y, True),
        [],
        np.arange(steps + 1),
        loss="logistic",
        scale=1.0,
        lr=lr,
        w=np.zeros(X.shape[1]),
        b=0.0,
        tie_negative=False,
        keep_weights=True,
        watch_sharpness=True,
        threads=1,
    )


@pytest.mark.parametrize(
    ("data", "steps", "lr", "chosen"),
    [
        # Updates that turn by angles of all kinds from the start.
        pytest.param(problem(6, 3), 12, 3.0, slice(None), id="turning"),
        # A search for the sharpness at every step, more than it is granted.
        pytest.param(problem(300, 100), 60, 0.02, slice(None, None, 23), id="many searches"),
    ],
)
def test_every_state_of_the_core_leads_to_the_same_end(data, steps, lr, chosen):
    states = []
    run = descent(*data, steps=steps, lr=lr)

    def keep(_):
        states.append(run.state())
        return False

    assert run.run(keep, 0.0) == "done"
    expected = run.recorded()
    for state in states[chosen]:
        again = descent(*data, steps=steps, lr=lr)
        again.restore(state)
        assert again.run(lambda _: False) == "done"
        for name, values in again.recorded().items():
            assert values.tobytes() == expected[name].tobytes(), name


# The workers are forked from a process that has started no thread, so that a life costs no import.
KILLED = """
import os, random, signal, sys, time
import fastgrok as fg
from cases import problem

file, ends = sys.argv[1:]
X, y = problem(200, 20)

def live():
    run = fg.train(X, y, steps=60_000, lr=0.1, record=20, keep_weights=True, evals={"same": (X, y)},
                   engine="exact", threads=random.choice([1, 2]), checkpoint=file,
                   checkpoint_interval=0)
    run.save(ends)
    os._exit(0)

def temporary():
    return {name for name in os.listdir(os.path.dirname(file)) if name.endswith(".tmp")}

def ended(child, moment, until_write):
    # Whether the child has come to its end before the moment, or before its first write after it.
    before = temporary()
    while time.monotonic() < moment or (until_write and temporary() <= before):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, status
            return True
    return False

kills = writing = finished = 0
while True:
    before = temporary()
    child = os.fork()
    if child == 0:
        live()
    life = random.uniform(0.0, 0.5) if kills < 20 else 1e3
    if ended(child, time.monotonic() + life, kills % 2 == 1):
        finished += 1
        if kills == 20:
            break
        os.remove(file)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
        writing += not temporary() <= before
print(kills, writing, finished)
"""


def test_killed_at_twenty_moments(tmp_path):
    X, y = problem(200, 20)
    expected = fg.train(
        X, y, steps=60_000, lr=0.1, record=20, keep_weights=True, evals={"same": (X, y)},
        engine="exact",
    )  # fmt: skip
    folder = tmp_path / "kept"
    folder.mkdir()
    ends = tmp_path / "end.npz"
    done = python(KILLED, str(folder / "run"), str(ends))
    assert done.returncode == 0, done.stderr
    kills, writing, finished = map(int, done.stdout.split())
    assert (kills, finished >= 1) == (20, True)
    assert writing >= 1  # some of them in the middle of a write
    assert_same_bits(fg.Trajectory.load(ends), expected)
    assert os.listdir(folder) == ["run"]


def test_a_finished_run_is_returned_at_once(tmp_path):
    X, y = problem(50, 3)
    file = tmp_path / "run"
    first = fg.train(X, y, steps=1000, lr=0.1, checkpoint=file)
    before = file.read_bytes(), file.stat().st_mtime_ns
    calls = []
    with polling_always(), patch.object(checkpoints, "write_atomically") as write:
        again = fg.train(X, y, steps=1000, lr=0.1, checkpoint=file, progress=calls.append)
    write.assert_not_called()
    assert calls == []
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert_same_bits(again, first)
    assert again.data is not None
    np.testing.assert_array_equal(again.data[0], X)


def test_seconds_add_up(tmp_path, monkeypatch):
    X, y = problem(50, 3)
    options = {"steps": 10**6, "lr": 0.1, "checkpoint": tmp_path / "run"}
    # A second passes from one look at the clock to the next, however busy the machine is: the file
    # knows no more of the first run than until it was written.
    clock = count(1.0)
    for module in (running, checkpoints):
        monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    with polling_always():
        with pytest.raises(fg.Interrupted) as stopped:
            fg.train(X, y, **options, progress=StopAt(12))
        spent = stopped.value.trajectory.engine.seconds
        with pytest.raises(fg.Interrupted) as again:
            fg.train(X, y, **options, progress=StopAt(5))
    assert again.value.trajectory.engine.seconds > spent > 0.0
    assert again.value.step >= stopped.value.step


def test_only_as_often_as_asked(tmp_path):
    X, y = problem(50, 3)
    file = tmp_path / "run"
    versions = []

    def look(step):
        versions.append(file.stat().st_ino)

    with polling_always(), patch.object(os, "fsync"):
        options = {"steps": 200, "lr": 0.1, "record": 1, "checkpoint": file, "progress": look}
        fg.train(X, y, **options, checkpoint_interval=3600.0)
        assert len(set(versions)) == 1
        file.unlink()
        with patch.object(Checkpoint, "write", autospec=True) as write:
            fg.train(X, y, **{**options, "progress": False}, checkpoint_interval=0.0)
    assert write.call_count > 200


def test_a_run_that_diverges_diverges_again(tmp_path):
    X, y = problem(30, 2)
    file = tmp_path / "run"
    options = {"steps": 10**4, "lr": 1e308, "reduction": "sum", "loss": "exponential"}
    errors = []
    for _ in range(2):
        with pytest.raises(fg.DivergenceError, match="holds the run up to step") as error:
            fg.train(X, y, **options, checkpoint=file)
        errors.append(error.value)
    assert errors[0].step == errors[1].step
    assert_same_bits(errors[1].trajectory, errors[0].trajectory)


def test_what_progress_raises_loses_nothing(tmp_path):
    X, y = problem(30, 20)
    options = {"steps": 500, "lr": 0.1, "record": 1}

    def fail(step):
        if step > 200:
            raise LookupError(step)

    with polling_always(), pytest.raises(LookupError, match="201"):
        fg.train(X, y, **options, checkpoint=tmp_path / "run", progress=fail)
    steps = []
    with polling_always():
        run = fg.train(X, y, **options, checkpoint=tmp_path / "run", progress=steps.append)
    assert steps[0] >= 201
    assert_same_bits(run, fg.train(X, y, **options))
