"""train_many gives the bits of train, whatever runs beside it, and shares what can be shared."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference
from cases import SEVERAL_CHUNKS, problem
from fastgrok.descent import many
from runs import assert_same_bits, polling_always, train_quietly


def many_quietly(problems, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.StabilityWarning)
        return fg.train_many(problems, **options)


def assert_as_alone(problems, *threads, **options):
    """Compare with runs of train, for each number of threads."""
    expected = [train_quietly(**one, threads=1) for one in problems]
    for count in threads or (2,):
        runs = many_quietly(problems, threads=count, **options)
        for run, straight in zip(runs, expected, strict=True):
            assert_same_bits(run, straight)
            assert run.engine.row_share == straight.engine.row_share
    return runs


@pytest.fixture
def in_step(monkeypatch):
    """Let runs over the same rows go in step however small these are."""
    monkeypatch.setattr(many, "LARGE", 0)


def variations(X, y, seed=0, steps=12):
    """Runs over the same rows that differ in everything that may differ."""
    rng = np.random.default_rng(seed)
    n, d = X.shape
    start = rng.normal(size=d) / d
    test = problem(40, d, seed=9)
    differ = [
        {"y": y},
        {"y": -y, "steps": steps + 5, "lr": 0.3, "record": 4, "keep_weights": True},
        {"y": rng.choice([-1, 1], size=n), "steps": 3, "w0": start, "b0": 0.5},
        {"y": y, "lr": 0.1 / n, "reduction": "sum", "bias": False, "record": [5]},
        {"y": y, "lr": 0.01, "loss": "exponential", "skip_rows": False},
        {"y": y, "steps": steps - 1, "evals": {"t": test}, "tie": "negative"},
        {"y": y, "steps": 1, "lr": 1e-3, "watch_sharpness": True, "skip_rows": True},
    ]
    return [{"X": X, "steps": steps, "lr": 0.1, "watch_sharpness": False} | one for one in differ]


@pytest.mark.usefixtures("in_step")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [*SEVERAL_CHUNKS, (30, 3), (30, 40)])
def test_runs_over_the_same_rows(n, d, dtype):
    X, y = problem(n, d)
    assert_as_alone(variations(X.astype(dtype), y), 1, 2, 3, 8)


@pytest.mark.usefixtures("in_step")
@pytest.mark.parametrize("n", [30, 4_000])
@pytest.mark.parametrize("d", [1, 16, 17])
def test_other_labels_and_no_bias_over_the_same_rows(n, d):
    """In any order, since what comes first is what the others are made from."""
    X, y = problem(n, d)
    ways = [(y, True), (-y, False), (-y, True), (y, False), (-y, True)]
    for first in range(len(ways)):
        assert_as_alone(
            [
                {"X": X, "y": labels, "bias": bias, "steps": 3 + k, "lr": 0.1, "b0": 0.5}
                for k, (labels, bias) in enumerate(ways[first:] + ways[:first])
            ]
        )


def test_small_runs():
    problems = []
    for seed, (n, d) in enumerate([(1, 1), (30, 2), (65, 16), (40, 17), (100, 33)]):
        X, y = problem(n, d, seed)
        problems += variations(X, y, seed, steps=40)
        problems += variations(X.astype(np.float32), y, seed, steps=60)
    assert_as_alone(problems, 1, 2, 3)


def test_large_and_small_runs_together():
    large, small = problem(4_200, 65), problem(30, 3)
    alone = problem(8_100, 17)
    problems = [
        {"X": small[0], "y": small[1], "steps": 2000, "lr": 0.1},
        *variations(*large),
        {"X": alone[0], "y": alone[1], "steps": 10, "lr": 0.1},
        *variations(*small),
    ]
    assert_as_alone(problems[::-1], 1, 2, 3)


def test_populations_are_evaluated_as_alone():
    X, y = problem(60, 3)
    evals = {"noise": fg.theory.edge.GaussianNoise(2.0), "sample": problem(40, 3, 5)}
    assert_as_alone([{"X": X, "y": y, "steps": 30, "lr": lr, "evals": evals} for lr in (0.1, 1.0)])


POOL = [
    problem(n, d, seed) for seed, (n, d) in enumerate([(5, 1), (70, 3), (8_100, 17), (200, 20)])
]


@st.composite
def any_problem(draw):
    X, y = POOL[draw(st.integers(0, len(POOL) - 1))]
    X = X.astype(draw(st.sampled_from([np.float32, np.float64]))) if draw(st.booleans()) else X
    steps = draw(st.integers(1, 30))
    out = {
        "X": X[:] if draw(st.booleans()) else X,
        "y": draw(st.sampled_from([1, -1])) * y,
        "steps": steps,
        "lr": draw(st.floats(1e-4, 5.0)),
        "loss": draw(st.sampled_from(list(reference.LOSSES))),
        "reduction": draw(st.sampled_from(["mean", "sum"])),
        "bias": draw(st.booleans()),
        "b0": draw(st.floats(-2.0, 2.0)),
        "record": draw(st.one_of(st.none(), st.integers(1, 40), st.just([steps]))),
        "keep_weights": draw(st.booleans()),
        "watch_sharpness": draw(st.booleans()),
        "skip_rows": draw(st.sampled_from(["auto", True, False])),
    }
    if draw(st.booleans()):
        out["evals"] = {"same": (X, y), "other": (X[:3], y[:3])}
    return out


@settings(max_examples=25)
@given(
    problems=st.lists(any_problem(), min_size=1, max_size=6),
    threads=st.integers(1, 3),
    large=st.sampled_from([0, many.LARGE]),
)
def test_any_list(problems, threads, large):
    expected, first = [], None
    for i, one in enumerate(problems):
        try:
            expected.append(train_quietly(**one))
        except fg.DivergenceError as error:
            expected.append(error.trajectory)
            first = i if first is None else first
    with patch.object(many, "LARGE", large):
        if first is None:
            runs = many_quietly(problems, threads=threads)
        else:
            words = rf"problems\[{first}\]: a weight became NaN"
            with pytest.raises(fg.DivergenceError, match=words) as caught:
                many_quietly(problems, threads=threads)
            runs = caught.value.trajectories
            assert caught.value.trajectory is runs[first]
    for run, straight in zip(runs, expected, strict=True):
        assert_same_bits(run, straight)


@pytest.mark.usefixtures("in_step")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("n", "d"), [(70, 33), (301, 40), (1003, 170)])
def test_any_number_of_runs_share_a_pass(n, d, dtype):
    # Groups of four, and what is left of them, in runs whose labels and weights take turns.
    X, y = problem(n, d)
    X = np.asarray(X, dtype=dtype)
    weight = 1.0 + np.arange(n) % 5
    others = ({}, {"loss": "exponential"}, {"loss": "squared_hinge"}, {"bias": False})
    beside = (
        {"y": y},
        {"y": y.copy()},
        {"y": -y},
        {"y": y, "sample_weight": weight},
        {"y": y, "sample_weight": weight[::-1]},
    )
    problems = [
        {
            "X": X, "steps": 9, "lr": 1e-3 * (k + 1), "engine": "exact", "skip_rows": False,
            **others[k % 4], **beside[k // 3 % 5],
        }
        for k in range(23)
    ]  # fmt: skip
    for count in (2, 3, 23):
        assert_as_alone(problems[:count], 1, 3)


def separable(n, d, seed=0):
    """Rows on both sides of a slab, many of them far from it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-1, 3, size=(n, 1))
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    X[:, 0] += y
    return X, y


@pytest.mark.usefixtures("in_step")
@pytest.mark.parametrize("d", [2, 40])
def test_runs_that_skip_rows_beside_others(d):
    X, y = separable(2**17 // d + 5, d)
    first = np.eye(d)[0]
    problems = [
        {
            "X": X,
            "y": y,
            "steps": steps,
            "lr": lr,
            "w0": start * first,
            "skip_rows": skip,
            "watch_sharpness": False,
        }
        for steps, lr, start, skip in [
            (150, 1.0, 3.0, "auto"),
            (120, 1.0, 3.0, True),
            (150, 1.0, 3.0, False),
            (80, 1e-3, 0.0, "auto"),
            (150, 0.5, 10.0, "auto"),
        ]
    ]
    shares = [run.engine.row_share for run in assert_as_alone(problems, 1, 3)]
    assert max(shares[0], shares[1], shares[4]) < 0.9
    assert min(shares[2], shares[3]) > 0.99


def test_the_same_memory_under_other_names():
    X, y = problem(4_200, 65)
    turned = np.asfortranarray(X)
    problems = [
        {"X": rows, "y": labels, "steps": 5, "lr": 0.1}
        for rows, labels in [(X, y), (X[:], list(y)), (turned, y), (turned.T.T, -y), (X[1:], y[1:])]
    ]
    runs = assert_as_alone(problems)
    rows = [run.data[0] for run in runs]
    assert rows[0] is rows[1] is X
    assert rows[2] is rows[3]  # copied into rows once
    assert np.shares_memory(rows[4], X)
    assert runs[0].data[1] is runs[1].data[1]


def test_evaluation_sets_are_shared_and_attacked():
    X, y = problem(60, 5)
    test, signs = problem(50, 5, seed=1)
    evals = {"plain": (test, signs), "same": fg.Dataset(test, signs), "pgd": fg.Pgd(test, signs)}
    runs = assert_as_alone(
        [{"X": X, "y": y, "steps": 9, "lr": lr, "evals": evals} for lr in (1, 2)]
    )
    assert list(runs[1].losses) == ["train", "plain", "same", "pgd"]


@pytest.mark.usefixtures("in_step")
def test_polls_change_no_bit():
    problems = [*variations(*problem(4_200, 65)), *variations(*problem(30, 2))]
    with polling_always():
        assert_as_alone(problems, 3, progress=lambda steps: None)


def test_who_takes_a_run():
    """What would keep one thread busy alone in the end gets the team, if it has several chunks."""
    large, small = problem(8_100, 17), problem(20, 2)

    def ask(data, steps=3):
        how = {"steps": steps, "lr": 0.1, "engine": "exact"}
        return {"X": data[0].copy(), "y": data[1], **how}

    def threads(problems):
        return [run.engine.threads for run in many_quietly(problems, threads=2)]

    def own(count):  # rows of its own for each
        return [ask(large) for _ in range(count)]

    assert threads(own(1)) == [2]
    assert threads([ask(large), ask(small)]) == [2, 1]
    assert threads(own(2)) == [1, 1]
    assert threads(own(3)) == [2, 1, 1]
    assert threads(own(8)) == [1] * 8
    assert threads([ask(large, 50), *own(4)]) == [2, 1, 1, 1, 1]
    assert threads([ask(small, 10_000), *own(3)]) == [1, 1, 1, 1]
    assert threads([ask(small)] * 3) == [1, 1, 1]


@pytest.mark.usefixtures("in_step")
def test_groups_are_taken_whole():
    X, y = problem(8_100, 17)
    ask = {"y": y, "steps": 2, "lr": 0.1, "watch_sharpness": False}
    copies = [X, X.copy(), X.copy()]
    for count, expected in ((1, [2]), (2, [1, 1]), (3, [2, 1, 1])):
        runs = fg.train_many([{**ask, "X": rows} for rows in copies[:count]] * 2, threads=2)
        assert [run.engine.threads for run in runs] == expected * 2


@pytest.mark.usefixtures("in_step")
def test_from_several_threads_of_python_at_once():
    problems = [*variations(*problem(8_100, 17)), *variations(*problem(30, 2))]
    expected = [train_quietly(**one) for one in problems]
    gate = threading.Barrier(3)

    def work(_):
        gate.wait()
        return fg.train_many(problems, threads=2)

    with ThreadPoolExecutor(3) as pool:
        for runs in pool.map(work, range(3)):
            for run, straight in zip(runs, expected, strict=True):
                assert_same_bits(run, straight)


def test_nothing_to_do():
    assert fg.train_many([]) == []
    X, y = problem(5, 2)
    (run,) = fg.train_many({"X": X, "y": y, "steps": k, "lr": 0.1} for k in [7])
    assert run.steps[-1] == 7


def test_progress_counts_all_steps(capsys):
    X, y = problem(30, 3)
    problems = [{"X": X, "y": y, "steps": steps, "lr": 0.1} for steps in (1000, 500, 3)]
    seen = []
    with polling_always():
        fg.train_many(problems, threads=1, progress=seen.append)
    assert seen == sorted(seen)
    assert 500 < seen[-1] <= 1503
    fg.train_many(problems, progress=True)
    assert "1.50k/1.50k" in capsys.readouterr().err


def test_settings_of_each_run_are_its_own():
    X, y = problem(20, 3)
    runs = fg.train_many([{"X": X, "y": y, "steps": k, "lr": 0.1 * k} for k in (2, 5)])
    assert [(run.params["steps"], run.params["lr"]) for run in runs] == [(2, 0.2), (5, 0.5)]
    assert all(run.engine.exact_steps == k for run, k in zip(runs, (2, 5), strict=True))
    assert all(run.engine.seconds > 0.0 for run in runs)
