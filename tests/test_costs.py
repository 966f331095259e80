"""The warning of more exact steps than are affordable: when, and what it says."""

import warnings

import pytest

import fastgrok as fg
from cases import problem
from fastgrok.descent import costs

X, Y = problem(200, 80)


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
