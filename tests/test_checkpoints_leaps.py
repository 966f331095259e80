"""Runs that leap, stopped, killed, taken up again and taken further."""

import contextlib
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
from fastgrok.descent.checkpoints import Checkpoint
from leaps import drifting_cycle
from runs import StopAt, assert_same_bits, polling_always, train_quietly


def cube(n=40, dim=2, seed=0):
    data = fg.datasets.margin_cube((n, n), dim=dim, gamma=1e-2, seed=seed)
    return data.X, data.y


def planted():
    data = fg.datasets.margin_cube((60, 60), dim=40, gamma=1e-3, support=(20, 20), seed=0)
    return data.X, data.y


def drifting(period, cols, steps):
    X, y, options = drifting_cycle(period, cols)
    return X, y, options | {"steps": steps}


# What each of them does: leaps at once; comes to rest; leaps with memory; closes a cycle before any
# leap; is leaped over cycles; closes cycles; loses leaps and goes on; never leaps.
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
    "wide pairs": (
        *planted(),
        {"lr": 1e-2, "reduction": "sum", "steps": 10**5},
    ),
    "drifting cycle": drifting(3, 3, 10**7),
    "wide drifting cycle": drifting(7, 20, 10**5),
    "cycle": (
        np.array([[2.0], [1.0], [-5.0]]),
        np.ones(3),
        {"lr": 3.0, "bias": False, "steps": 10**20},
    ),
    "wide cycle": (
        np.eye(2, 20)[[0, 0]],
        np.array([1.0, -1.0]),
        {"lr": 6.0, "reduction": "sum", "b0": 0.1, "steps": 10**17},
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
import os, signal, sys
import fastgrok as fg
from runs import polling_always
from test_checkpoints_leaps import leaping_long

file, left = sys.argv[1], int(sys.argv[2])

def kill(step):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

with polling_always():
    leaping_long(checkpoint=file, checkpoint_interval=0, progress=kill)
"""


def leaping_long(**options):
    X, y = cube(200, 20)
    return fg.train(
        X, y, steps=10**9, lr=0.1, keep_weights=True, evals={"same": (X, y)}, **options
    )  # fmt: skip


def test_killed_at_ten_moments_of_a_leap(tmp_path):
    moments = []
    with polling_always():
        kept = {"checkpoint": tmp_path / "whole", "checkpoint_interval": 0}  # records wait less
        expected = leaping_long(progress=moments.append, **kept)
    assert_same_bits(expected, leaping_long())
    assert expected.engine.leaps
    leaped = next(n for n, step in enumerate(moments) if step > expected.engine.exact_steps)
    file = tmp_path / "run"
    for moment in np.linspace(leaped // 2, len(moments) - 2, 10, dtype=int):
        ended = python(LIFE, str(file), str(moment))
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        copy = tmp_path / f"killed at {moment}"
        file.replace(copy)
        again = python(LIFE, str(copy), "1")  # and as soon as it had gone on
        assert again.returncode == -signal.SIGKILL, again.stderr
        resumed = leaping_long(checkpoint=copy)
        assert_same_bits(resumed, expected)
        assert resumed.engine.leaps == expected.engine.leaps
