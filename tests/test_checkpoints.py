"""Runs that are stopped, killed and taken up again: the same bits as without."""

import errno
import os
import shutil
import signal
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
from cases import problem, python
from fastgrok import _storage
from fastgrok.checkpoints import Checkpoint
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
        options = {
            "lr": draw(st.sampled_from([0.05, 0.5])),
            "loss": draw(st.sampled_from(["logistic", "exponential"])),
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

        def write_once(self, descent):
            nonlocal calls
            calls += 1
            if calls == poll:  # maybe in the middle of a record
                self.write(descent)
                shutil.copy(file, copy)
            return True

        with patch.object(Checkpoint, "write_if_due", write_once):
            train_quietly(X, y, **options, checkpoint=file)
        if copy.exists():
            assert_same_bits(train_quietly(X, y, **options, checkpoint=copy), expected)


# The workers are forked from a process that has started no thread, so that a life costs no import.
KILLED = """
import os, random, signal, sys, time
import fastgrok as fg
from cases import problem

file, ends = sys.argv[1:]
X, y = problem(200, 20)

def live():
    run = fg.train(X, y, steps=60_000, lr=0.1, record=20, keep_weights=True, evals={"same": (X, y)},
                   threads=random.choice([1, 2]), checkpoint=file, checkpoint_interval=0)
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
        X, y, steps=60_000, lr=0.1, record=20, keep_weights=True, evals={"same": (X, y)}
    )
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
    with polling_always(), patch.object(_storage, "write_atomically") as write:
        again = fg.train(X, y, steps=1000, lr=0.1, checkpoint=file, progress=calls.append)
    write.assert_not_called()
    assert calls == []
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert_same_bits(again, first)
    assert again.data is not None
    np.testing.assert_array_equal(again.data[0], X)


def test_seconds_add_up(tmp_path):
    X, y = problem(50, 3)
    options = {"steps": 10**6, "lr": 0.1, "checkpoint": tmp_path / "run"}
    with polling_always():
        with pytest.raises(fg.Interrupted) as stopped:
            fg.train(X, y, **options, progress=StopAt(12))
        spent = stopped.value.trajectory.engine.seconds
        with pytest.raises(fg.Interrupted) as again:
            fg.train(X, y, **options, progress=StopAt(1))
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


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_a_write(tmp_path, times):
    X, y = problem(30, 20)
    options = {"steps": 500, "lr": 0.1, "record": 1}
    file = tmp_path / "run"
    calls = 0

    def fsync(_):
        nonlocal calls
        calls += 1
        if 200 <= calls < 200 + times:
            raise KeyboardInterrupt

    with (
        polling_always(),
        patch.object(os, "fsync", fsync),
        pytest.raises(fg.Interrupted) as stopped,
    ):
        fg.train(X, y, **options, checkpoint=file, checkpoint_interval=0)
    assert stopped.value.trajectory.steps.size > 0
    assert os.listdir(tmp_path) == ["run"]
    assert_same_bits(fg.train(X, y, **options, checkpoint=file), fg.train(X, y, **options))


# --- writes that fail -------------------------------------------------------------------------


class FullDisk:
    """An fsync that finds no space from its `call`-th call on."""

    def __init__(self, call):
        self.left = call

    def __call__(self, _):
        self.left -= 1
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", [3, 8, 101])
def test_a_full_disk_loses_nothing(tmp_path, call):
    X, y = problem(30, 20)
    options = {"steps": 500, "lr": 0.1, "record": 1, "keep_weights": True}
    expected = fg.train(X, y, **options)
    file = tmp_path / "run"
    with (
        polling_always(),
        patch.object(os, "fsync", FullDisk(call)),
        pytest.raises(fg.CheckpointError, match=r"cannot be written: No space left") as error,
    ):
        fg.train(X, y, **options, checkpoint=file, checkpoint_interval=0)
    kept = error.value.trajectory
    assert kept.steps[-1] <= error.value.step < 500
    np.testing.assert_array_equal(kept.weights, expected.weights[: kept.steps.size])
    assert os.listdir(tmp_path) == ["run"]  # the write before, whole
    assert_same_bits(fg.train(X, y, **options, checkpoint=file), expected)


def test_a_full_disk_at_the_end(tmp_path):
    X, y = problem(30, 2)
    options = {"steps": 500, "lr": 0.1}
    with (
        patch.object(os, "fsync", FullDisk(3)),
        pytest.raises(fg.CheckpointError, match="after 500 of 500 steps") as error,
    ):
        fg.train(X, y, **options, checkpoint=tmp_path / "run")
    assert error.value.step == 500
    assert_same_bits(error.value.trajectory, fg.train(X, y, **options))


def test_a_full_disk_does_not_hide_how_a_run_ended(tmp_path):
    X, y = problem(30, 2)
    file = tmp_path / "run"
    with (
        polling_always(),
        patch.object(os, "fsync", FullDisk(3)),
        pytest.raises(fg.Interrupted, match="No space left"),
    ):
        fg.train(X, y, steps=500, lr=0.1, checkpoint=file, progress=StopAt(3))
    file.unlink()
    options = {"steps": 10**4, "lr": 1e308, "reduction": "sum", "loss": "exponential"}
    with (
        patch.object(os, "fsync", FullDisk(3)),
        pytest.raises(fg.DivergenceError, match="No space left"),
    ):
        fg.train(X, y, **options, checkpoint=file)


FULL = """
import os, resource, sys
import fastgrok as fg
from cases import problem

resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
os.fsync = lambda _: None
X, y = problem(50, 20)
fg.training.POLL_SECONDS = 0.0
try:
    fg.train(X, y, steps=3000, lr=0.1, record=1, keep_weights=True, checkpoint=sys.argv[1],
             checkpoint_interval=0)
except fg.CheckpointError as error:
    print(error.step, error.trajectory.steps.size, error)
"""


def test_a_file_that_may_not_grow(tmp_path):
    file = tmp_path / "run"
    done = python(FULL, str(file))
    assert "cannot be written: File too large" in done.stdout, done.stderr
    step, records = map(int, done.stdout.split()[:2])
    assert 100 < records <= step + 1
    assert os.listdir(tmp_path) == ["run"]
    X, y = problem(50, 20)
    options = {"steps": 3000, "lr": 0.1, "record": 1, "keep_weights": True}
    steps = []
    with polling_always():
        run = fg.train(X, y, **options, checkpoint=file, progress=steps.append)
    assert steps[0] > 100
    assert_same_bits(run, fg.train(X, y, **options))


# --- what a killed writer leaves --------------------------------------------------------------

KILLED_WRITER = """
import os, signal, sys
import fastgrok as fg
from cases import problem

fsync = os.fsync
calls = 0
def die(descriptor):
    global calls
    calls += 1
    if calls == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = die
X, y = problem(30, 20)
fg.training.POLL_SECONDS = 0.0
fg.train(X, y, steps=500, lr=0.1, record=1, checkpoint=sys.argv[1], checkpoint_interval=0)
"""


def test_what_a_killed_writer_leaves_is_harmless_and_goes(tmp_path):
    file = tmp_path / "run[1]*"
    done = python(KILLED_WRITER, str(file))
    assert done.returncode == -signal.SIGKILL
    left = [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    assert len(left) == 1
    assert left[0].stat().st_size > 0
    others = tmp_path / ".fastgrok-0123456789abcdef-0123456789abcdef.tmp"
    others.touch()
    X, y = problem(30, 20)
    run = fg.train(X, y, steps=500, lr=0.1, record=1, checkpoint=file)
    assert_same_bits(run, fg.train(X, y, steps=500, lr=0.1, record=1))
    assert sorted(tmp_path.iterdir()) == sorted([file, others])


def test_links_and_long_names(tmp_path):
    X, y = problem(10, 2)
    target, link = tmp_path / ("x" * 255), tmp_path / "link"
    link.symlink_to(target)
    run = fg.train(X, y, steps=10, lr=0.1, checkpoint=link)
    assert link.is_symlink()
    assert target.is_file()
    assert_same_bits(fg.train(X, y, steps=10, lr=0.1, checkpoint=str(target)), run)
