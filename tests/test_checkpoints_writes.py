"""Writes of checkpoints that fail, are interrupted or are killed: nothing is lost."""

import errno
import os
import signal
import subprocess
import sys
from unittest.mock import patch

import numpy as np
import pytest

import fastgrok as fg
from cases import TESTS, problem, python
from fastgrok._files import remove_leftovers, write_atomically
from runs import StopAt, assert_same_bits, polling_always


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
from fastgrok.descent import running

resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
os.fsync = lambda _: None
X, y = problem(50, 20)
running.POLL_SECONDS = 0.0
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
from fastgrok.descent import running

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
running.POLL_SECONDS = 0.0
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


# --- two writers ------------------------------------------------------------------------------


def test_another_run_does_not_remove_what_is_being_written(tmp_path):
    """What `train` does first with a file, while somebody else writes it."""
    file = tmp_path / "run"

    def write(target):
        remove_leftovers(file)
        assert len(os.listdir(tmp_path)) == 1
        target.write(b"whole")
        remove_leftovers(file)

    write_atomically(file, write)
    assert file.read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["run"]


TWO = """
import sys
import fastgrok as fg
from cases import problem
from fastgrok.descent import running

running.POLL_SECONDS = 0.0
X, y = problem(30, 20)
print("started", flush=True)
sys.stdin.readline()
run = fg.train(X, y, steps=200, lr=0.1, record=1, checkpoint=sys.argv[1], checkpoint_interval=0)
print(run.w.tobytes().hex())
"""


def test_two_processes_with_one_file(tmp_path):
    """Each does all the work, or goes on with that of the other; both end with the same bits."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", TWO, str(tmp_path / "run")],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout.readline() == "started\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    X, y = problem(30, 20)
    expected = fg.train(X, y, steps=200, lr=0.1, record=1).w.tobytes().hex()
    for child in children:
        out, err = child.communicate(timeout=300)
        assert out == f"{expected}\n", err
    assert os.listdir(tmp_path) == ["run"]


def test_a_temporary_file_that_somebody_removed(tmp_path):
    X, y = problem(30, 20)

    def remove(_):
        for path in tmp_path.glob("*.tmp"):
            path.unlink()

    with (
        patch.object(os, "fsync", remove),
        pytest.raises(fg.CheckpointError, match="cannot be written: somebody removed the temp"),
    ):
        fg.train(X, y, steps=500, lr=0.1, checkpoint=tmp_path / "run")


# --- no memory -----------------------------------------------------------------------------

NO_MEMORY = """
import resource
import sys
import numpy as np
import fastgrok as fg
from runs import assert_same_bits, polling_always

rng = np.random.default_rng(0)
X = rng.normal(size=(100_000, 20))
options = {"steps": 100, "lr": 0.1, "record": 1, "threads": 1, "watch_sharpness": False}
expected = fg.train(X, np.sign(X[:, 0]), **options)

def limit(step):
    if step == 3:
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 100_000, -1))

options["checkpoint"] = sys.argv[1]
try:
    with polling_always():
        fg.train(X, np.sign(X[:, 0]), **options, progress=limit)
except MemoryError as error:
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    print("no memory", error.trajectory.steps.size)
assert_same_bits(fg.train(X, np.sign(X[:, 0]), **options), expected)
"""


def test_records_without_memory_leave_a_file_to_go_on_from(tmp_path):
    done = python(NO_MEMORY, str(tmp_path / "run"))
    assert done.stdout.startswith("no memory"), done.stderr
    assert done.returncode == 0, done.stderr
