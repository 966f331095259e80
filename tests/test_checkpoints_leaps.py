"""Runs that leap, stopped, killed, taken up again and taken further."""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
from cases import problem
from fastgrok.descent.checkpoints import Checkpoint
from runs import StopAt, assert_same_bits, polling_always, train_quietly


def cube(n=40, dim=2, seed=0):
    data = fg.datasets.margin_cube((n, n), dim=dim, gamma=1e-2, seed=seed)
    return data.X, data.y


# What each of them does: leaps at once; comes to rest; leaps with memory; is leaped as pairs; loses
# leaps and goes on; never leaps.
KINDS = {
    "cube": (*cube(), {"lr": 1e-2, "steps": 10**12}),
    "wide": (*problem(60, 20), {"lr": 0.1, "steps": 10**5}),
    "decay": (*cube(), {"lr": 0.1, "steps": 10**6, "weight_decay": 1e-3}),
    "momentum": (*cube(), {"lr": 1e-2, "steps": 10**6, "optimizer": "momentum"}),
    "pairs": (
        np.ones((2, 1)),
        np.array([1.0, -1.0]),
        {"lr": 6.0, "reduction": "sum", "bias": False, "w0": [0.1], "steps": 10**5},
    ),
    "lost": (
        np.array([[2.0, 1.0], [-1.9, 1.1], [0.3, -0.2]]),
        np.array([1.0, 1.0, -1.0]),
        {"lr": 7.0, "steps": 20_000, "engine": "auto"},
    ),
    "steps": (*problem(30, 3), {"lr": 0.1, "steps": 5000, "optimizer": "adam"}),
}


def options_of(kind):
    X, y, options = KINDS[kind]
    return X, y, {"keep_weights": True, "evals": {"same": (X, y)}, **options}


@settings(max_examples=60)
@given(st.sampled_from(list(KINDS)), st.integers(1, 400))
def test_every_file_on_the_way_leads_to_the_same_end(kind, poll):
    X, y, options = options_of(kind)
    expected = train_quietly(X, y, **options)
    with tempfile.TemporaryDirectory() as folder, polling_always():
        file, copy = Path(folder, "run"), Path(folder, "copy")
        calls = 0

        def write_once(self, descent, leaping):
            nonlocal calls
            calls += 1
            if calls == poll:
                self.write(descent, leaping)
                shutil.copy(file, copy)
            return True

        with patch.object(Checkpoint, "write_if_due", write_once):
            assert_same_bits(train_quietly(X, y, **options, checkpoint=file), expected)
        resumed = train_quietly(X, y, **options, checkpoint=file)  # finished: what the file holds
        assert_same_bits(resumed, expected)
        assert resumed.engine.leaps == expected.engine.leaps
        if copy.exists():
            resumed = train_quietly(X, y, **options, checkpoint=copy)
            assert_same_bits(resumed, expected)
            assert resumed.engine.leaps == expected.engine.leaps
            assert resumed.engine.exact_steps == expected.engine.exact_steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [1, 5, 40])
def test_stopped_by_ctrl_c(kind, stop, tmp_path):
    X, y, options = options_of(kind)
    expected = train_quietly(X, y, **options)
    file = tmp_path / "run"
    with polling_always():
        with contextlib.suppress(fg.Interrupted):
            train_quietly(X, y, **options, checkpoint=file, progress=StopAt(stop))
        assert_same_bits(train_quietly(X, y, **options, checkpoint=file), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.5, 0.013])
def test_taken_further(kind, share, tmp_path):
    """The records of the shorter run stay, and the bits are those of one run to the later end."""
    X, y, options = options_of(kind)
    short = int(options["steps"] * share)
    file = tmp_path / "run"
    before = train_quietly(X, y, **options | {"steps": short}, checkpoint=file)
    longer = train_quietly(X, y, **options, checkpoint=file)
    assert set(before.steps) <= set(longer.steps)
    at_once = train_quietly(X, y, **options | {"record": longer.steps})
    same = longer.engine.leaps == at_once.engine.leaps
    if same:
        assert_same_bits(longer, at_once)
    else:  # it leaps from later iterates: both are within rtol of all steps
        apart = np.linalg.norm(longer.weights - at_once.weights, axis=1)
        assert (apart <= 2e-8 * np.linalg.norm(at_once.weights, axis=1) + 1e-12).all()
    assert same or not before.engine.leaps
    # And again, now at once.
    assert_same_bits(train_quietly(X, y, **options, checkpoint=file), longer)


def test_taken_further_from_where_it_was_stopped(tmp_path):
    X, y, options = options_of("wide")
    options |= {"engine": "exact"}
    file = tmp_path / "run"
    with polling_always(), pytest.raises(fg.Interrupted):
        fg.train(X, y, **options, checkpoint=file, progress=StopAt(700))
    longer = fg.train(X, y, **options | {"steps": 123_456}, checkpoint=file)
    assert_same_bits(longer, fg.train(X, y, **options | {"steps": 123_456, "record": longer.steps}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rtol": 1e-6}, "rtol was 1e-08, is 1e-06"),
        ({"engine": "exact"}, "holds records that were leaped, and exact steps cannot go on"),
        ({"steps": 2e5, "record": [0, 7, 2e5]}, "has a record of step 1, which record lacks"),
        ({"steps": 2e5, "lr": 0.2}, "lr was 0.1, is 0.2; give"),
        ({"steps": 50_000}, "steps was 100000, is 50000"),
    ],
)
def test_other_runs(change, message, tmp_path):
    X, y, options = options_of("wide")
    file = tmp_path / "run"
    run = fg.train(X, y, **options, checkpoint=file)
    assert run.engine.leaps
    content = file.read_bytes()
    with pytest.raises(fg.CheckpointError, match=message):
        fg.train(X, y, **options | change, checkpoint=file)
    assert file.read_bytes() == content


def test_exact_steps_go_on_with_leaps(tmp_path):
    X, y, options = options_of("wide")
    file = tmp_path / "run"
    with polling_always(), pytest.raises(fg.Interrupted) as stopped:
        fg.train(X, y, **options | {"engine": "exact"}, checkpoint=file, progress=StopAt(700))
    run = fg.train(X, y, **options, checkpoint=file)
    assert run.engine.leaps[0].first > stopped.value.step > 0
    every = fg.train(X, y, **options, engine="exact")
    apart = np.linalg.norm(run.weights - every.weights, axis=1)
    assert (apart <= 1e-8 * np.linalg.norm(every.weights, axis=1)).all()


LIFE = """
import sys
import fastgrok as fg
from test_checkpoints_leaps import cube

X, y = cube(1500, 40)
print("ready", flush=True)
fg.train(X, y, steps=10**9, lr=0.1, keep_weights=True, checkpoint=sys.argv[1],
         checkpoint_interval=0, evals={"same": (X, y)}).save(sys.argv[2])
print("done", flush=True)
"""


def test_killed_at_ten_moments_of_a_leap(tmp_path):
    X, y = cube(1500, 40)
    options = {"steps": 10**9, "lr": 0.1, "keep_weights": True}
    start = time.monotonic()
    expected = fg.train(X, y, **options, evals={"same": (X, y)})
    whole = time.monotonic() - start
    assert expected.engine.leaps
    file, ends = tmp_path / "run", tmp_path / "ends.npz"
    kills = 0
    for moment in np.tile(np.linspace(0.05, 0.95, 10), 4):
        if kills == 10:
            break
        child = subprocess.Popen(
            [sys.executable, "-c", LIFE, str(file), str(ends)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
        )  # fmt: skip
        assert child.stdout.readline() == "ready\n"
        time.sleep(moment * whole)
        child.send_signal(signal.SIGKILL)
        killed = child.wait() == -signal.SIGKILL
        kills += killed
        if not killed:  # it had come to its end
            file.unlink()
        child.stdout.close()
    assert kills == 10
    resumed = fg.train(X, y, **options, evals={"same": (X, y)}, checkpoint=file)
    assert_same_bits(resumed, expected)
    assert resumed.engine.leaps == expected.engine.leaps
