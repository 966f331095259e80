"""Grokking times where leaps ended before the run did, or began inside a bracket."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import fastgrok as fg
from leaps import cube
from runs import train_quietly

TOLERANCES = (0.0, 0.01, 0.03, Fraction(1, 10), 0.3)
TIMES = ("train", "test", "sustained_train", "sustained_test")


def noisy_run(seed, steps=9000, engine="exact", rows=60, far=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    y = np.where(X[:, 0] + rng.normal(size=rows) > 0.3, 1.0, -1.0)
    X_test = rng.normal(size=(400, 3))
    y_test = np.where(X_test[:, 0] + 0.3 * rng.normal(size=400) > 0.3, 1.0, -1.0)
    return fg.train(
        X, y, steps=steps, lr=0.02, w0=far * rng.normal(size=3), b0=far * float(rng.normal()),
        engine=engine, evals={"test": (X_test, y_test)}, keep_weights=True,
    )  # fmt: skip


def as_if_leaped(run, until, error, rng):
    """The exact run, as if its records from 258 to `until` came from leaps that were lost there."""
    leaped = (run.steps > 258) & (run.steps <= until)
    weights = run.weights.copy()
    weights[leaped] *= 1.0 + error * rng.uniform(-1.0, 1.0, size=(leaped.sum(), 1))
    counts = {name: hits.copy() for name, hits in run.counts.items()}
    losses = {name: loss.copy() for name, loss in run.losses.items()}
    for record in np.flatnonzero(leaped):
        w, b = weights[record, :-1], weights[record, -1]
        for name, (X, y) in {"train": run.data, **run.evals}.items():
            counts[name][record] = (fg.margins(X, y, w, b, normalized=False) > 0.0).sum()
    middle = float(run.steps[np.flatnonzero(leaped)[leaped.sum() // 2]])
    whole = fg.LeapReport(
        first=128.0, last=float(until), pairs=False, converged=False, tolerance=1e-10, accepted=9,
        rejected=0, of_order=(0, 9, 0, 0, 0, 0, 0), evaluations=20, products=0, overlap_until=258.0,
        overlap_difference=error / 4, error=error, checks=(), ended="the error was too large",
    )  # fmt: skip
    leaps = (dataclasses.replace(whole, last=middle), whole)
    engine = dataclasses.replace(run.engine, name="leap", leaps=leaps, rtol=error)
    return dataclasses.replace(run, weights=weights, counts=counts, losses=losses, engine=engine)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("until", [600, 3000, 8999])
def test_exact_steps_that_went_over_a_lost_leap_are_taken_again(seed, until):
    """Crossings before, in and behind the leap; what the leap was wrong by shows nowhere."""
    run = noisy_run(seed)
    at = int(run.steps[run.steps <= until][-1])
    for error in (1e-9, 1e-2):
        leaped = as_if_leaped(run, at, error, np.random.default_rng(seed))
        for eps in TOLERANCES:
            expected, got = run.refine("test", eps=eps), leaped.refine("test", eps=eps)
            moved = [
                getattr(run.grokking("test", eps), name)
                != getattr(leaped.grokking("test", eps), name)
                for name in (*TIMES, "max_train", "max_test")
            ]
            if error == 1e-9 or not any(moved):
                assert got == expected, eps
            for name in ("train", "test"):
                low, high = getattr(got, f"{name}_bracket")
                assert high - low == 1


def test_a_record_that_an_error_moved_across_the_threshold_is_put_right():
    run = noisy_run(3)
    coarse = run.grokking("test")
    record = int(np.flatnonzero(run.steps == coarse.test)[0])
    assert run.steps[record] > 258
    leaped = as_if_leaped(run, run.steps[-2], 1e-9, np.random.default_rng(0))
    hits = leaped.counts["test"].copy()
    hits[record] -= 1  # which it would have been counted as, by an error
    hits[record + 3] = coarse.max_test
    moved = dataclasses.replace(leaped, counts={**leaped.counts, "test": hits})
    assert moved.grokking("test").test > coarse.test
    assert moved.refine("test") == run.refine("test")


def test_other_data_are_refused_where_exact_steps_are_taken_again():
    run = noisy_run(0)
    leaped = as_if_leaped(run, 3000, 1e-9, np.random.default_rng(0))
    weights = leaped.weights.copy()
    beyond = int(np.flatnonzero(run.steps > 3000)[0])
    weights[beyond] = np.nextafter(weights[beyond], 10.0)
    wrong = dataclasses.replace(leaped, weights=weights)
    eps = next(e for e in np.arange(0.0, 0.5, 0.005) if 258 < run.grokking("test", e).test < 3000)
    with pytest.raises(ValueError, match="own data are not what the run recorded as 'train'"):
        wrong.refine("test", eps=eps)


@pytest.mark.parametrize("seed", range(20))
def test_few_rows_far_from_their_minimum(seed):
    """Rows become active all of a sudden, and leaps are lost: the times are those of all steps."""
    run, exact = (
        noisy_run(seed, steps=4000, rows=20, far=3.0, engine=engine) for engine in ("auto", "exact")
    )
    for eps in TOLERANCES:
        got, expected = run.refine("test", eps=eps), exact.refine("test", eps=eps)
        assert [getattr(got, name) for name in TIMES] == [getattr(expected, name) for name in TIMES]


# ------------------------------------------------------------- brackets that a leap begins inside


CUBE = {"lr": 1e-2, "reduction": "sum", "watch_sharpness": False}


def crossings(counts, need, bracket):
    """How often a curve crosses its threshold in a bracket, and where first and last."""
    low, high = bracket
    reached = counts[low : high + 1] >= need
    changes = np.flatnonzero(np.diff(reached.astype(int)))
    misses = np.flatnonzero(~reached)
    return changes.size, low + int(np.argmax(reached)), low + int(misses[-1]) + 1


@pytest.mark.parametrize("seed", range(5))
def test_few_records(seed):
    """The first bracket begins with oscillations, step by step, and ends in a leap.

    Of the times inside leaps those are named that are not the only crossing of their bracket.
    """
    X, y = cube(seed=seed)
    test = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=seed + 50)
    options = {"steps": 60_000, "evals": {"test": test}, **CUBE}
    record = [0, 3000, 20_000, 60_000]
    every = train_quietly(X, y, engine="exact", record=1, **options).counts["test"]
    run = train_quietly(X, y, record=record, keep_weights=True, **options)
    (leap,) = run.engine.leaps
    assert leap.overlap_until < 3000
    for eps in TOLERANCES:
        coarse, times = run.grokking("test", eps), run.refine("test", eps=eps)
        need = -int(-(1 - times.eps) * coarse.max_test // 1)
        number, first, _ = crossings(every, need, coarse.test_bracket)
        assert abs(times.test - first) <= 1 or "test" in times.several
        if number > 1 and first > leap.overlap_until:
            assert "test" in times.several
        if first <= leap.overlap_until:
            assert times.test == first
            assert "test" not in times.several
        if times.sustained_test is not None:
            end = record.index(coarse.sustained_test)
            *_, last = crossings(every, need, (record[end - 1], record[end]))
            assert abs(times.sustained_test - last) <= 1 or "sustained_test" in times.several


@pytest.mark.parametrize("alternating", [True, False])
def test_crossings_that_may_be_several_are_named(alternating):
    """The hyperplane turns and passes points, that become right, or right and wrong in turn."""
    X, y = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, -1.0])
    angles = np.deg2rad(np.linspace(2.0, 80.0, 40))
    side = np.where(np.arange(40) % 2 == 0, 1.0, -1.0) if alternating else np.full(40, -1.0)
    test = np.column_stack([-np.sin(angles), np.cos(angles)]), side
    options = {"steps": 200_000, "lr": 1e-3, "w0": [0.0, 3.0], "evals": {"test": test}}
    every = fg.train(X, y, record=1, engine="exact", **options).counts["test"]
    best = int(every.max())
    assert best == (21 if alternating else every[-1])
    low = 1000 + int(np.argmax(every[1000:] < best))
    high = int(np.flatnonzero(every == best)[-1])
    run = fg.train(X, y, record=[0, low], keep_weights=True, **options | {"steps": high})
    assert run.engine.leap_at(high) is not None
    assert run.engine.leaps[-1].overlap_until < low
    times = run.refine("test", level=0)
    number, first, last = crossings(every, best, (low, high))
    if alternating:
        assert number > 10
        assert times.several == ("test", "sustained_test")
        assert every[times.test - 1] < best == every[times.test]
    else:
        assert number == 1
        assert times.several == ()
        assert times.test == times.sustained_test == first == last
    assert run.grokking("test", level=0).several == ()


def test_orbits_of_period_two_are_named():
    X, y = cube((350, 350))
    test = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=50)
    options = {"steps": 60_001, "evals": {"test": test}, "keep_weights": True, **CUBE}
    record = [0, 20_000, 40_000, 60_001]
    run = train_quietly(X, y, record=record, **options)
    assert run.engine.leaps[-1].pairs
    times = run.refine("test", level=0)
    assert run.engine.leap_at(times.test) is not None
    assert "test" in times.several
