"""First hits against plain loops over fractions, and against runs that recorded every step."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from fastgrok.theory.edge import GaussianNoise
from leaps import cube
from synthetic_runs import make_run


def slow_hit(steps, counts, size, accuracy, sustained):
    holds = [Fraction(k, size) >= Fraction(accuracy) for k in counts]
    for record in range(len(steps)):
        if all(holds[record:]) if sustained else holds[record]:
            return steps[record], (steps[record - 1] if record else 0, steps[record])
    return None


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=12),
    st.sampled_from(["0.05", "0.1", "0.35", "0.7", "0.95", "1"]),
    st.booleans(),
    st.integers(0, 3),
)
def test_hits_are_those_of_a_plain_loop(counts, accuracy, sustained, start):
    steps = (start + 7 * np.arange(len(counts))).tolist()
    run = make_run(steps, {"train": [0] * len(counts), "t": counts}, {"train": 5, "t": 20})
    hit = run.first_hit("t", float(accuracy), sustained=sustained)
    expected = slow_hit(steps, counts, 20, accuracy, sustained)
    assert (None if hit is None else (hit.step, hit.bracket)) == expected


def test_levels_are_compared_as_they_are_written():
    """0.7 in binary is less than 7/10, and 0.7 * 10 is more than 7."""
    run = make_run((1, 2, 3), {"train": [6, 7, 10]}, {"train": 10})
    for accuracy in (0.7, Decimal("0.7"), Fraction(7, 10), np.float32(0.7)):
        assert run.first_hit("train", accuracy) == fg.Hit(2, (1, 2))
    assert run.first_hit("train", 0.7000001).step == 3


def test_never_is_none():
    run = make_run((0, 5, 9), {"train": [3, 9, 8]}, {"train": 10})
    assert run.first_hit("train", 0.95) is None
    assert run.first_hit("train", 0.9) == fg.Hit(5, (0, 5))
    assert run.first_hit("train", 0.9, sustained=True) is None
    assert run.first_hit("train", 0.3) == fg.Hit(0, (0, 0))


def test_a_population_has_hits():
    data = fg.datasets.gaussian_noise(200, 40, seed=1)
    evals = {"all": GaussianNoise(1.0)}
    run = fg.train(data.X, data.y, steps=1e6, lr=0.1, evals=evals, keep_weights=True)
    hit = run.first_hit("all", 0.9)
    curve = run.accuracy["all"]
    at = np.searchsorted(run.steps, hit.step)
    assert curve[at] >= 0.9 > curve[at - 1]
    low, high = hit.bracket
    assert (low, high) == (run.steps[at - 1], hit.step)
    exact = run.refine_hit("all", 0.9, evals=evals)
    assert low < exact.step <= high


SETTINGS = {"steps": 20_000, "lr": 1e-2, "reduction": "sum", "watch_sharpness": False}


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
@pytest.mark.parametrize("sustained", [False, True])
@pytest.mark.parametrize("accuracy", [0.6, 0.8])
@pytest.mark.parametrize("engine", ["exact", "auto"])
def test_refined_hits_are_those_of_every_step(engine, accuracy, sustained):
    """0.6 is reached by exact steps, 0.8 inside a leap, if there is one."""
    X, y = cube((0, 0), 0)
    near = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=50)
    evals = {"near": near}
    run = fg.train(X, y, engine=engine, evals=evals, keep_weights=True, **SETTINGS)
    every = fg.train(X, y, engine="exact", evals=evals, record=1, **SETTINGS)
    hit = run.refine_hit("near", accuracy, X, y, evals, sustained=sustained)
    coarse = run.first_hit("near", accuracy, sustained=sustained)
    leaped = run.engine.leap_at(coarse.step) is not None
    assert leaped == (engine == "auto" and accuracy == 0.8)
    truth = every.first_hit("near", accuracy, sustained=sustained)
    assert hit.step == truth.step
    assert coarse.bracket[0] < hit.step <= coarse.bracket[1]
    assert hit.bracket == (coarse.bracket if leaped and sustained else truth.bracket)


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
def test_the_training_data_are_the_run_s_own(tmp_path):
    X, y = cube((0, 0), 0)
    run = fg.train(X, y, keep_weights=True, **SETTINGS)
    hit = run.refine_hit("train", 0.9)
    assert hit == run.refine_hit("train", 0.9, X, y)
    run.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="does not hold its training data"):
        fg.Trajectory.load(tmp_path / "run.npz").refine_hit("train", 0.9)


def test_arguments_are_checked():
    run = make_run()
    with pytest.raises(ValueError, match="name is 'nope', but this run recorded only 'train'"):
        run.first_hit("nope", 0.5)
    for accuracy in (95, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"accuracy must lie in \(0, 1\]"):
            run.first_hit("train", accuracy)
    with pytest.raises(ValueError, match="accuracy must be above 0"):
        run.first_hit("train", 0)
    with pytest.raises(TypeError, match="accuracy must be a real number, got bool"):
        run.first_hit("train", True)


@pytest.mark.parametrize("sustained", [False, True])
def test_a_start_that_is_not_recorded_may_be_the_hit(sustained):
    """The first record, step 1, does not tell."""
    X, y = np.array([[1.0, 2.0], [-1.0, 0.25]]), np.array([1, -1])
    options = {"steps": 50, "lr": 0.1, "w0": [1.0, 0.0], "keep_weights": True}
    whole = fg.train(X, y, **options)
    assert whole.refine_hit("train", 1.0, sustained=sustained) == fg.Hit(0, (0, 0))
    late = fg.train(X, y, record=[1, 50], **options)
    with pytest.raises(ValueError, match=r"before the first record \(step 1\).*record step 0 too"):
        late.refine_hit("train", 1.0, sustained=sustained)
    with pytest.raises(ValueError, match="record step 0 too"):
        late.refine("train", include_start=True)
    assert late.refine("train").train == 1  # of which the start is no part
