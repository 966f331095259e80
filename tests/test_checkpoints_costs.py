"""The warning that a checkpoint keeps a run from leaps: when, and what it says."""

import re
import warnings
from unittest.mock import patch

import pytest

import fastgrok as fg
from cases import problem
from fastgrok.descent import costs
from runs import StopAt, assert_same_bits, polling_always

X, Y = problem(200, 80)
LONG = {"steps": 10**8, "lr": 0.01}


def warned(file, rows=X, labels=Y, polls=1, **options):
    """Say what a run warns of, that is stopped soon."""
    with warnings.catch_warnings(record=True) as caught, polling_always():
        warnings.simplefilter("always")
        with pytest.raises(fg.Interrupted):
            fg.train(rows, labels, **LONG | options, checkpoint=file, progress=StopAt(polls))
    assert all(one.category is fg.CheckpointWarning for one in caught)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def test_both_costs(tmp_path):
    with patch.object(costs, "_seconds_of_a_step", lambda *_: 2e-3):
        (text,) = warned(tmp_path / "run")
    assert "each of the 100,000,000 steps is taken, which lasts up to 2 days (0.002 s" in text
    assert f"about {costs.LEAPED_LIKE * 2e-3:.2g} s (as long as some" in text
    assert "engine='exact'" in text


def test_a_step_is_measured(tmp_path):
    """To some orders of magnitude: no more than that is sure on a busy machine."""
    (text,) = warned(tmp_path / "run")
    seconds = float(re.search(r"\(([-.e0-9]+) s a step, as measured", text)[1])
    assert 1e-8 < seconds < 1.0


def test_what_is_left_counts(tmp_path):
    file = tmp_path / "run"
    (text,) = warned(file, polls=20)
    assert "each of the 100,000,000 steps" in text
    (text,) = warned(file)
    left = int(re.search("each of the ([0-9,]+) steps", text)[1].replace(",", ""))
    assert 99_000_000 < left < 100_000_000  # it went on from there


@pytest.mark.parametrize(
    "options",
    [
        {"engine": "exact"},
        {"optimizer": "adam"},
        {"steps": 10_000},  # a leap costs about as much
        {"rows": X[:, :2], "steps": 10**5},  # a matter of milliseconds
        {"steps": 10**6, "record": 1},  # nothing to leap over
    ],
)
def test_where_there_is_nothing_to_gain(tmp_path, options):
    assert warned(tmp_path / "run", **options) == []


def test_no_checkpoint_no_warning():
    fg.train(X, Y, **LONG)  # warnings are errors


def test_a_warned_run_is_the_same_and_once_finished_silent(tmp_path):
    rows, labels = problem(30, 3)
    options = {"steps": 30_000, "lr": 0.1}
    with patch.object(costs, "_FEW_ENTRIES", 0.0):
        with pytest.warns(fg.CheckpointWarning, match="30,000 steps"):
            run = fg.train(rows, labels, **options, checkpoint=tmp_path / "run")
        assert_same_bits(run, fg.train(rows, labels, **options, engine="exact"))
        assert_same_bits(run, fg.train(rows, labels, **options, checkpoint=tmp_path / "run"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00123, "0.0012 s"),
        (119.0, "1.2e+02 s"),
        (120.0, "2 minutes"),
        (7199.0, "120 minutes"),
        (7200.0, "2 hours"),
        (172800.0, "2 days"),
        (1e15, "11,574,074,074 days"),
    ],
)
def test_durations(seconds, text):
    assert costs._duration(seconds) == text


def test_a_run_that_cannot_leap_says_how_long_more_steps_than_affordable_take():
    def stop(step):
        raise KeyboardInterrupt

    options = {"steps": 1e9, "lr": 0.1, "optimizer": "adam", "progress": stop}
    words = r"Adam cannot be leaped: each of the 1,000,000,000 steps"
    with pytest.warns(fg.LeapWarning, match=words), pytest.raises(fg.Interrupted):
        fg.train(X, Y, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fg.train(X, Y, steps=1e4, lr=0.1, optimizer="adam")
        with pytest.raises(fg.Interrupted):
            fg.train(X, Y, engine="exact", **options)
