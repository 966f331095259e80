"""Leaps that are recalled, against the same leaps recorded at these steps in the first place."""

import numpy as np
import pytest

import fastgrok as fg
from fastgrok.descent.again import FollowedLeaps
from fastgrok.questions import _rerun
from leaps import cube

SETTINGS = {"lr": 1e-2, "reduction": "sum", "watch_sharpness": False, "keep_weights": True}

# Oscillations are meant.
pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")


def noisy(offset):
    """Points of both classes that cannot be separated, far from the origin."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2)) + np.array([offset, 0.0])
    return X, np.where(rng.random(30) < 0.5, -1.0, 1.0)


def half_flat():
    """Points of which some can be separated and some cannot: coordinates are changed on the way."""
    rng = np.random.default_rng(3)
    X = np.vstack([rng.normal(size=(12, 4)) * [1, 1, 0, 0], rng.normal(size=(12, 4))])
    y = np.where(rng.random(24) < 0.5, -1.0, 1.0)
    X[12:, 3] = y[12:] * (1.0 + rng.random(12))
    return X, y


X, Y = cube((0, 0), 0)
CYCLE = cube((350, 350), 0)
CASES = {
    "smooth": (X, Y, SETTINGS | {"steps": 1e12}, (1e5, 1e11)),
    "no bias": (X, Y, SETTINGS | {"steps": 1e9, "bias": False}, (1e5, 1e8)),
    "momentum": (X, Y, SETTINGS | {"steps": 1e9, "optimizer": "momentum"}, (1e5, 1e8)),
    "cycle": (*CYCLE, SETTINGS | {"steps": 1e6}, (50_001, 900_000)),
    "at rest": (*noisy(1e2), {"steps": 1e30, "lr": 1e-4, "keep_weights": True}, (1e6, 1e29)),
    "turned": (*half_flat(), {"steps": 1e30, "lr": 0.1, "keep_weights": True}, (1e6, 1e29)),
}


@pytest.mark.parametrize("name", CASES)
def test_recalled_steps_have_the_bits_of_recorded_ones(name):
    rows, y, settings, (low, high) = CASES[name]
    settings = settings | {"X": rows, "y": y, "evals": {"attacked": fg.Pgd(rows, y, eps=1e-3)}}
    steps = np.unique(np.rint(np.geomspace(low, high, 40)))
    ends = steps[[0, -1]]
    kept = FollowedLeaps(ends, settings, 10**5, fg.Trajectory, [(ends[0] - 1, ends[1])])
    expected = FollowedLeaps(steps, settings, 10**5, fg.Trajectory).run
    assert kept.recalls(steps)
    got = kept.recall(steps)
    assert len(expected.engine.leaps) == len(kept.run.engine.leaps) == 1
    assert (expected.engine.leaps[0].period > 1) == (name == "cycle")
    assert expected.engine.leaps[0].converged == (name == "at rest")
    np.testing.assert_array_equal(got.steps, expected.steps)
    np.testing.assert_array_equal(got.weights, expected.weights)
    for of in ("train", "attacked"):
        np.testing.assert_array_equal(got.counts[of], expected.counts[of])
        np.testing.assert_array_equal(got.losses[of], expected.losses[of])


def test_only_what_was_kept_is_recalled():
    settings = SETTINGS | {"X": X, "y": Y, "steps": 1e12}
    kept = [(1e6, 2e6), (1e9, 2e9)]
    followed = FollowedLeaps(np.array([0.0, 1e10]), settings, 0, fg.Trajectory, kept)
    (leap,) = followed.run.engine.leaps
    for low, high in kept:
        assert followed.recalls(np.linspace(low, high, 9))
    for step in (0.0, 100.0, leap.overlap_until - 1.0, 1e4, 5e7, 1e10, 2e10):
        assert not followed.recalls(np.array([1.5e6, step]))
    with pytest.raises(ValueError, match="no leap was kept at step 5e"):
        followed.recall(np.array([5e7]))
    assert not FollowedLeaps(np.array([1e7]), settings, 0, fg.Trajectory).recalls(np.array([1e6]))


def test_the_leaps_of_a_run_are_followed_once(monkeypatch):
    """However many times its brackets are narrowed, and of both sets."""
    test = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=53)
    rows, y = cube((0, 0), 3)
    run = fg.train(rows, y, steps=1e30, evals={"near": test}, **SETTINGS)
    made = []

    def spied(*arguments):
        made.append(FollowedLeaps(*arguments))
        return made[-1]

    monkeypatch.setattr(_rerun, "FollowedLeaps", spied)
    times = run.refine("near")
    assert run.engine.leap_at(times.test) is not None
    assert run.engine.leap_at(times.sustained_train) is not None
    assert len(made) == 1
    at = np.array([times.test - 1, times.test], dtype=float)
    settings = SETTINGS | {"X": rows, "y": y, "steps": 1e30, "evals": {"near": test}, "rtol": 1e-10}
    counts = FollowedLeaps(at, settings, 0, fg.Trajectory).run.counts["near"]
    assert counts[0] < run.counts["near"].max() <= counts[1]
