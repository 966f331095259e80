"""Both integrations of a leap for one reading of the rows: the same bits as one after the other."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from fastgrok._core import LeapingDescent, Problem
from fastgrok.descent import settings
from runs import StopAt, assert_same_bits, polling_always, train_quietly

NEVER = 2**62
KEPT = {"watch_sharpness": False, "keep_weights": True}


@pytest.fixture
def engines(monkeypatch):
    """All engines that leap from here on; they pair passes over rows of so many bytes."""
    made = []

    def paired_from(size):
        def make(*args, **options):
            made.append(LeapingDescent(*args, **options, paired_from=size))
            return made[-1]

        monkeypatch.setattr(settings, "LeapingDescent", make)
        return made

    return paired_from


def cube(rows, columns, dtype, seed=0):
    half = rows // 2
    return fg.datasets.margin_cube(
        (half, rows - half), columns, gamma=1e-3, seed=seed, dtype=dtype
    )  # fmt: skip


def both(engines, data, **options):
    """The run with passes made together, the one without, and how many pairs there were."""
    options = KEPT | options
    alone = engines(NEVER)
    expected = train_quietly(data.X, data.y, **options)
    assert [engine.passes_together for engine in alone] == [0]
    paired = engines(0)
    got = train_quietly(data.X, data.y, **options)
    assert_same_bits(got, expected)
    assert got.engine.leaps == expected.engine.leaps
    assert got.engine.reason == expected.engine.reason
    return got, expected, paired[-1].passes_together


CASES = {
    "mean": {"lr": 1e-2, "steps": 1e7},
    "loose": {"lr": 1e-2, "steps": 1e7, "rtol": 1e-6},
    "sum": {"lr": 1e-2, "steps": 1e5, "reduction": "sum"},
    "exponential": {"lr": 1e-3, "steps": 1e6, "loss": "exponential"},
    "far beyond float64": {"lr": 1e-2, "steps": 1e60},
    "momentum": {"lr": 1e-3, "steps": 1e6, "optimizer": "momentum"},
    "normalized": {"lr": 1e-4, "steps": 1e6, "optimizer": "normalized"},
    "no bias": {"lr": 1e-2, "steps": 1e6, "bias": False},
    "decay": {"lr": 1e-2, "steps": 1e9, "weight_decay": 1e-3},
    "squared": {"lr": 1e-3, "steps": 1e6, "loss": "squared", "weight_decay": 1e-2},
}


@pytest.mark.parametrize("name", CASES)
def test_passes_made_together_change_no_bit(name, engines):
    data = cube(67, 150, np.float32)
    run, _, together = both(engines, data, **CASES[name])
    assert run.engine.leaps
    assert together > 0


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rows", "columns"), [(40, 128), (403, 131), (1100, 143), (59, 1030)])
def test_any_shape_and_threads(rows, columns, dtype, threads, engines):
    """Rows that do not fill a strip, columns that do not fill a register, several chunks."""
    data = cube(rows, columns, dtype, seed=1)
    run, _, together = both(engines, data, lr=1e-2, steps=1e6, threads=threads)
    of_both = sum(leap.evaluations + leap.products for leap in run.engine.leaps)
    assert of_both / 8 < together < of_both / 2


@pytest.mark.parametrize("threads", [1, 2])
def test_where_rows_are_left_out(threads, engines):
    """Then each integration looks at rows of its own, and both at all of them now and then."""
    data = cube(2500, 160, np.float32)
    run, _, together = both(
        engines, data, lr=1e-2, steps=1e5, reduction="sum", threads=threads, rtol=1e-6
    )
    assert run.engine.leaps
    assert together > 0


@pytest.mark.parametrize(
    ("seed", "refused"),
    [(1, "is estimated at"), (24, "is estimated at"), (4, "was off by"), (6, "was not smooth")],
)
def test_leaps_that_are_refused_and_made_finer(seed, refused, engines):
    """Two columns of numbers, and zeros that make the rows wide."""
    rng = np.random.default_rng(seed)
    X = np.zeros((10, 140))
    X[:, :2] = rng.normal(size=(10, 2)) + np.array([100.0, 0.0])
    y = np.where(rng.random(10) < 0.5, -1.0, 1.0)
    lr = 40.0 / np.linalg.norm(np.column_stack([X, np.ones(10)]), 2) ** 2
    run, _, _ = both(engines, fg.Dataset(X, y), lr=lr, steps=100_000, rtol=3e-11)
    assert refused in " ".join([run.engine.reason, *(leap.ended for leap in run.engine.leaps)])


def test_rows_of_a_map_of_which_no_page_stays(engines, tmp_path, monkeypatch):
    monkeypatch.setattr("fastgrok.descent.sets.Problem", partial(Problem, kept=0))
    data = cube(1200, 150, np.float32)
    (tmp_path / "rows").write_bytes(data.X.tobytes())
    X = np.memmap(tmp_path / "rows", np.float32, "r", 0, data.X.shape)
    run, _, together = both(engines, fg.Dataset(X, data.y), lr=1e-2, steps=1e5, threads=2)
    assert together > 0
    monkeypatch.undo()
    assert_same_bits(run, fg.train(data.X, data.y, steps=1e5, lr=1e-2, **KEPT))


def test_small_sets_are_left_alone(engines):
    made = engines(2**26)
    data = cube(60, 150, np.float32)
    fg.train(data.X, data.y, steps=1e6, lr=1e-2)
    assert [engine.passes_together for engine in made] == [0]


def tasks(most):
    """How many threads there are, soon: one that has ended is listed a little longer."""
    count = len(os.listdir("/proc/self/task"))
    for _ in range(100):
        if count <= most:
            break
        time.sleep(0.01)
        count = len(os.listdir("/proc/self/task"))
    return count


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_that_is_stopped_keeps_its_records(threads, engines):
    """Wherever it is: in a pass of one integration or the other, in both, or between them."""
    engines(0)
    data = cube(70, 140, np.float32)
    train = partial(
        fg.train, data.X, data.y, steps=1e8, lr=1e-2, watch_sharpness=False, threads=threads
    )
    polls = []
    with polling_always():
        full = train(progress=polls.append)
    assert full.engine.leaps
    counted = Path("/proc/self/task").exists()
    before = len(os.listdir("/proc/self/task")) if counted else 0
    stops = np.unique(np.linspace(len(polls) // 3, len(polls), 40).astype(int))
    for poll in stops:
        with polling_always(), pytest.raises(fg.Interrupted) as caught:
            train(progress=StopAt(int(poll)))
        kept = caught.value.trajectory
        assert kept.steps.size <= full.steps.size
        np.testing.assert_array_equal(kept.steps, full.steps[: kept.steps.size])
        np.testing.assert_array_equal(kept.loss, full.loss[: kept.steps.size])
    if counted:  # no thread is left behind
        assert tasks(before) <= before


LEFT_IN_A_CHILD = """
import os
import numpy as np
import fastgrok as fg
from fastgrok._core import LeapingDescent
from fastgrok.descent import running, settings

settings.LeapingDescent = lambda *a, **options: LeapingDescent(*a, **options, paired_from=0)
running.POLL_SECONDS = 0.0
data = fg.datasets.margin_cube((35, 35), 140, gamma=1e-3, seed=0, dtype=np.float32)
polls, ended = 0, []

def progress(step):
    global polls
    polls += 1
    if polls % 500 == 0:
        child = os.fork()
        if child == 0:
            raise KeyboardInterrupt
        ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

try:
    fg.train(data.X, data.y, steps=1e8, lr=1e-2, threads=2, progress=progress)
except fg.Interrupted:
    os._exit(3)
print(set(ended))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_child_of_fork_may_leave_a_leap_without_the_thread():
    command = [sys.executable, "-W", "ignore", "-c", LEFT_IN_A_CHILD]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout == "{3}\n", done.stderr
