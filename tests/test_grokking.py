"""Grokking times against a slow, literal reading of their definition."""

import math
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgrok.questions.grokking import at_level
from synthetic_runs import make_run


def slow_times(steps, counts, eps, include_start=False):
    """Min{t : k >= (1 - eps) K} and the sustained variant, in fractions and plain loops."""
    record = [(t, k) for t, k in zip(steps, counts, strict=True) if t > 0 or include_start]
    best = max((k for _, k in record), default=0)
    if best == 0:
        return None, None
    holds = [(t, Fraction(k) >= (1 - eps) * best) for t, k in record]
    first = next(t for t, ok in holds if ok)
    for i, (t, _) in enumerate(holds):
        if all(ok for _, ok in holds[i:]):
            return first, t
    return first, None


@st.composite
def curves(draw):
    gaps = draw(st.lists(st.integers(1, 50), min_size=0, max_size=12))
    start = draw(st.sampled_from([0, 0, 1, 7]))
    steps = np.cumsum([start, *gaps]).tolist() if draw(st.integers(0, 19)) else []
    size = draw(st.sampled_from([1, 3, 10, 1000, 10**6]))
    values = st.integers(0, size) if draw(st.booleans()) else st.sampled_from([0, size // 2, size])
    one = st.lists(values, min_size=len(steps), max_size=len(steps))
    return steps, draw(one), draw(one), size


TOLERANCES = st.sampled_from(["0", "0.001", "0.01", "0.1", "0.3", "0.5", "0.7", "0.999"])


@given(curves(), TOLERANCES, st.booleans())
def test_times_follow_the_definition(curve, eps, include_start):
    steps, train, test, size = curve
    run = make_run(steps, {"train": train, "t": test}, {"train": size, "t": size})
    times = run.grokking("t", float(eps), include_start=include_start, level=0)
    expected_train = slow_times(steps, train, Fraction(eps), include_start)
    expected_test = slow_times(steps, test, Fraction(eps), include_start)
    assert (times.train, times.sustained_train) == expected_train
    assert (times.test, times.sustained_test) == expected_test
    assert times.horizon == (steps[-1] if steps else None)
    if times.train is None or times.test is None:
        assert times.delay is None
        assert times.difference is None
    else:
        assert times.difference == times.test - times.train
        if times.train > 0:
            assert times.delay == times.test / times.train


@given(curves(), TOLERANCES)
def test_brackets_end_in_the_hit_and_hold_no_other_record(curve, eps):
    steps, train, test, size = curve
    run = make_run(steps, {"train": train, "t": test}, {"train": size, "t": size})
    times = run.grokking("t", float(eps))
    for time, bracket in ((times.train, times.train_bracket), (times.test, times.test_bracket)):
        if time is None:
            assert bracket is None
        else:
            low, high = bracket
            assert high == time
            assert low == max((t for t in steps if t < time), default=0)


def test_threshold_is_compared_exactly():
    # (1 - 0.1) * 10 is 9 exactly; the double nearest to 0.1 lies above it, 0.3's below.
    nine = make_run((1, 2), {"train": [9, 10], "t": [9, 10]})
    assert nine.grokking("t", 0.1).train == 1
    assert make_run((1, 2), {"train": [7, 10], "t": [7, 10]}).grokking("t", 0.3).train == 1
    # Counts that differ by one in 10**15 are still told apart.
    n = 10**15
    big = make_run((1, 2), {"train": [n - 1, n], "t": [n, n]}, {"train": n, "t": n})
    assert big.grokking("t").train == 2
    assert big.grokking("t", 1e-15).train == 1
    assert big.grokking("t", 9.9e-16).train == 2


@pytest.mark.parametrize(
    "eps",
    [0.1, np.float64(0.1), np.float32(0.1), np.float16(0.1), Fraction(1, 10), Decimal("0.1")],
    ids=lambda eps: type(eps).__name__,
)
def test_eps_is_the_decimal_that_was_written(eps):
    run = make_run((1, 2), {"train": [9, 10], "t": [8, 10]})
    times = run.grokking("t", eps)
    assert times.eps == Fraction(1, 10)
    assert (times.train, times.test) == (1, 2)


def test_a_plateau_counts_from_its_beginning_and_ties_go_to_the_first():
    run = make_run((0, 1, 2, 4, 8), {"train": [0, 5, 5, 5, 5], "t": [0, 3, 7, 7, 7]})
    times = run.grokking("t")
    assert (times.train, times.sustained_train) == (1, 1)
    assert (times.test, times.sustained_test) == (2, 2)
    assert (times.delay, times.difference) == (2.0, 1)
    assert (times.max_train, times.max_test, times.horizon) == (5, 7, 8)


def test_non_monotone_curves_have_different_first_and_sustained_times():
    run = make_run((1, 2, 3, 4, 5), {"train": [9, 2, 9, 9, 9], "t": [9, 1, 9, 9, 8]})
    times = run.grokking("t")
    assert (times.train, times.sustained_train) == (1, 3)
    assert (times.test, times.sustained_test) == (1, None)
    assert run.grokking("t", 0.12).sustained_test == 3


def test_the_test_set_may_come_first():
    times = make_run((5, 10), {"train": [1, 9], "t": [9, 9]}).grokking("t")
    assert (times.delay, times.difference) == (0.5, -5)


def test_the_start_takes_part_only_when_asked():
    run = make_run((0, 3, 9), {"train": [10, 4, 5], "t": [2, 5, 8]})
    times = run.grokking("t")
    assert (times.train, times.max_train, times.train_bracket) == (9, 5, (3, 9))
    times = run.grokking("t", include_start=True)
    assert (times.train, times.max_train, times.train_bracket) == (0, 10, (0, 0))
    assert (times.sustained_train, times.sustained_test) == (None, 9)
    assert times.delay == math.inf
    assert times.difference == 9
    both = make_run((0, 3), {"train": [10, 4], "t": [8, 5]}).grokking("t", include_start=True)
    assert math.isnan(both.delay)
    assert both.difference == 0


def test_never():
    wrong = make_run((0, 1, 2), {"train": [5, 5, 5], "t": [9, 0, 0]}).grokking("t")
    assert (wrong.train, wrong.test, wrong.sustained_test, wrong.delay) == (1, None, None, None)
    assert wrong.difference is None
    for steps in ((), (0,)):
        empty = make_run(steps, {"train": [5] * len(steps), "t": [5] * len(steps)})
        times = empty.grokking("t")
        assert times.train is times.test is times.sustained_train is times.delay is None
        assert times.train_bracket is None


def test_the_training_set_itself_can_be_asked_for():
    times = make_run((2, 4), {"train": [1, 3]}).grokking("train", level=0)
    assert (times.train, times.test, times.delay) == (4, 4, 1.0)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"test is 'nope'.*'train', 'standard'"):
        make_run().grokking("nope")


@pytest.mark.parametrize("eps", [-0.1, 1.0, 1, 2, np.nan, np.inf, Decimal("NaN"), 10**400])
def test_eps_out_of_range(eps):
    with pytest.raises(ValueError, match=r"eps must lie in \[0, 1\)"):
        make_run().grokking("standard", eps)


@pytest.mark.parametrize("eps", ["0.1", None, True, 0.1j, np.array([0.1])])
def test_eps_of_the_wrong_type(eps):
    with pytest.raises(TypeError, match="eps must be a real number"):
        make_run().grokking("standard", eps)


def test_a_test_set_that_is_never_generalised_to():
    """A curve that wavers about guessing has a best, reached by chance."""
    counts = {"train": [0, 60, 99, 100], "t": [0, 53, 50, 51]}
    run = make_run((0, 8, 20, 100), counts, {"train": 100, "t": 100})
    times = run.grokking("t")
    assert not times.generalizes
    assert (times.best_test, times.level) == (0.53, Fraction(3, 5))
    assert times.train == 100
    assert times.test is times.delay is times.difference is None
    assert times.sustained_test is times.test_bracket is None
    assert times.max_test == 53
    assert str(times) == (
        "training set: step 100; test set: never generalises, its best accuracy 0.53 is below 0.6"
    )
    taken = run.grokking("t", level=0)  # the definition as it stands
    assert (taken.test, taken.delay, taken.sustained_test) == (8, 0.08, None)
    assert "test set: step 8, but not to the end; 12.5 times as early" in str(taken)
    assert run.grokking("t", level=0.53).test == 8
    assert run.grokking("t", level=Fraction(54, 100)).test is None


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ([4, 4, 4, 4], [0, 0, 0, 4], "100 times as late"),
        ([0, 0, 4, 4], [0, 0, 0, 4], "5 times as late"),
        ([0, 0, 0, 4], [0, 0, 0, 4], "at the same step"),
        ([0, 0, 0, 4], [0, 0, 4, 4], "5 times as early"),
    ],
)
def test_delays_are_told_in_words(train, test, words):
    run = make_run((0, 1, 20, 100), {"train": train, "t": test}, {"train": 4, "t": 4})
    assert str(run.grokking("t")).endswith(f"; {words}")


def test_two_that_are_right_from_the_start_have_no_delay_but_words():
    run = make_run((0, 1), {"train": [4, 4], "t": [4, 4]}, {"train": 4, "t": 4})
    times = run.grokking("t", include_start=True)
    assert math.isnan(times.delay)
    assert str(times).endswith("; at the same step")


@pytest.mark.parametrize("level", [0.6, Decimal("0.6"), Fraction(3, 5)])
def test_the_level_is_met_exactly(level):
    run = make_run((1, 2), {"train": [5, 5], "t": [2, 3]}, {"train": 5, "t": 5})
    assert run.grokking("t", level=level).test == 2
    assert run.grokking("t", level=level).generalizes
    assert run.grokking("t", eps=0.5, level=1).test is None


def test_a_time_that_is_taken_away_is_none_of_several():
    run = make_run((1, 2, 3), {"train": [5, 9, 10], "t": [3, 4, 5]}, {"train": 10, "t": 10})
    names = ("train", "sustained_train", "test", "sustained_test")
    times = replace(run.grokking("t", level=0), several=names)
    assert at_level(times, run, "t", 0.5).several == names
    assert at_level(times, run, "t", 0.6).several == names[:2]


@pytest.mark.parametrize("level", [-0.1, 1.1, math.nan, math.inf])
def test_levels_are_shares(level):
    with pytest.raises(ValueError, match=r"level must lie in \[0, 1\]"):
        make_run().grokking("standard", level=level)


def test_a_level_is_a_number():
    with pytest.raises(TypeError, match="level must be a real number, got str"):
        make_run().grokking("standard", level="high")
