"""Runs with engine="leap", against exact steps."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

import fastgrok as fg
from leaps import cube, difference, small_problems
from reference import descend

RTOL = 1e-8


# Oscillations are meant.
pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")


def both(X, y, **settings):
    leaped = fg.train(X, y, engine="leap", keep_weights=True, **settings)
    settings.pop("rtol", None)
    return leaped, fg.train(X, y, engine="exact", keep_weights=True, **settings)


def assert_speaks_for_itself(leaped, steps, rtol=RTOL):
    report = leaped.engine
    assert report.name == "leap"
    assert report.leaps
    assert report.leaps[-1].last == steps
    assert report.leaps[-1].ended == ""
    for leap in report.leaps:
        assert leap.overlap_until >= 2 * leap.first
        assert leap.overlap_difference <= rtol
        assert leap.error <= rtol
        assert sum(leap.of_order) == leap.accepted


def test_the_cube_of_das_et_al():
    X, y = cube()
    leaped, exact = both(X, y, steps=200_000, lr=1e-2, reduction="sum", threads=1)
    assert_speaks_for_itself(leaped, 200_000)
    assert np.array_equal(leaped.steps, exact.steps)
    assert difference(leaped.weights, exact.weights).max() <= RTOL
    assert leaped.engine.exact_steps < 10_000
    assert np.allclose(leaped.loss, exact.loss, rtol=1e-6)
    assert np.array_equal(leaped.counts["train"], exact.counts["train"])
    beyond = leaped.steps > leaped.engine.leaps[0].overlap_until
    assert np.allclose(leaped.sharpness[beyond], exact.sharpness[beyond], rtol=1e-5)


@pytest.mark.parametrize("dim", [70, 130])
def test_many_columns(dim):
    data = fg.datasets.gaussian_noise(140, dim, sigma=5.0, seed=1)
    leaped, exact = both(data.X, data.y, steps=40_000, lr=1e-2, rtol=1e-9, threads=1)
    assert_speaks_for_itself(leaped, 40_000, 1e-9)
    assert leaped.engine.leaps[0].products > 0
    assert difference(leaped.weights, exact.weights).max() <= 1e-9


def test_how_few_passes_a_wide_cube_takes():
    data = fg.datasets.margin_cube((1000, 1000), 256, gamma=1e-3, seed=0, dtype=np.float32)
    run = fg.train(data.X, data.y, steps=1e7, lr=1e-2, engine="leap", keep_weights=True)
    assert_speaks_for_itself(run, 1e7)
    (leap,) = run.engine.leaps
    checked = sum(check[1] for check in leap.checks)
    assert run.engine.exact_steps + leap.evaluations + leap.products + checked <= 1500
    assert len(leap.checks) >= 3
    near = run.steps <= 10_000
    exact = fg.train(
        data.X, data.y, steps=10_000, lr=1e-2, engine="exact", keep_weights=True,
        record=run.steps[near],
    )  # fmt: skip
    size = np.linalg.norm(exact.weights[1:, :-1], axis=1)
    w = np.linalg.norm((run.weights[near] - exact.weights)[1:, :-1], axis=1)
    assert (w <= RTOL * size).all()
    assert (np.abs(run.b[near] - exact.b) <= RTOL * np.maximum(np.abs(exact.b), 1.0)).all()


def test_an_orbit_of_period_two_even_and_odd():
    X, y = cube((350, 350))
    steps = [*range(59_990, 60_001), *range(99_990, 100_001)]
    leaped, exact = both(X, y, steps=100_000, lr=1e-2, reduction="sum", record=steps, threads=1)
    assert_speaks_for_itself(leaped, 100_000)
    assert leaped.engine.leaps[-1].pairs
    assert difference(leaped.weights, exact.weights).max() <= RTOL
    assert (leaped.regime == "period-2").all()
    # The orbit does swing: its iterates are two curves.
    assert np.abs(np.diff(leaped.norm_w[:11])).min() > 1e-6 * leaped.norm_w[0]


def test_irregular_motion_is_refused_and_nothing_is_lost():
    X, y = cube((350, 35))
    with pytest.raises(fg.LeapError, match=r"irregularly|not smooth|off by") as caught:
        fg.train(X, y, steps=30_000, lr=1e-2, reduction="sum", engine="leap", threads=1)
    kept = caught.value.trajectory
    exact = fg.train(X, y, steps=30_000, lr=1e-2, reduction="sum", engine="exact", threads=1)
    count = kept.steps.size
    assert 0 < count < exact.steps.size
    assert np.array_equal(kept.steps, exact.steps[:count])
    assert np.array_equal(kept.b, exact.b[:count])
    assert caught.value.step == kept.engine.exact_steps >= kept.steps[-1]


def test_too_few_exact_steps():
    X, y = cube((350, 35))
    with pytest.raises(fg.LeapError, match=r"no leap after \d+ of 1e\+20 steps") as caught:
        fg.train(
            X, y, steps=1e20, lr=1e-2, reduction="sum", engine="leap", exact_limit=2000, threads=1
        )
    assert caught.value.step <= 2002


def test_far_horizons():
    X, y = cube()
    far = fg.train(X, y, steps=1e300, lr=1e-2, reduction="sum", engine="leap", threads=1)
    near = fg.train(X, y, steps=1e6, lr=1e-2, reduction="sum", engine="leap", threads=1)
    assert far.steps.dtype == np.float64
    assert near.steps.dtype == np.int64
    assert far.steps[-1] == 1e300
    assert np.all(np.diff(far.norm_w[far.steps > 1e4]) > 0.0)
    assert np.all(np.diff(far.loss[far.steps > 1e4]) < 0.0)
    assert np.isfinite(far.b).all()
    assert np.isfinite(far.norm_w).all()
    # ||w|| grows by log(k) over the margin of the data.
    late = far.steps > 1e200
    growth = np.polyfit(np.log(far.steps[late]), far.norm_w[late], 1)[0]
    margin = (y * (X @ far.w + far.bias_final)).min() / far.norm_w[-1]
    assert growth * margin == pytest.approx(1.0, rel=0.01)
    common = near.steps < 1e5
    assert np.allclose(far.b[: common.sum()], near.b[common], rtol=1e-7)


def test_data_that_cannot_be_separated_come_to_rest():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = np.where(rng.random(100) < 0.5, -1, 1)
    run = fg.train(X, y, steps=1e100, lr=0.5, engine="leap")
    assert run.engine.leaps[-1].converged
    margins = y * (X @ run.w + run.bias_final)
    gradient = np.column_stack([X, np.ones(100)]).T @ (y / (1.0 + np.exp(margins))) / 100
    assert np.linalg.norm(gradient) <= 1e-8


def test_short_runs_are_exact():
    X, y = cube()
    leaped, exact = both(X, y, steps=1000, lr=1e-2, reduction="sum")
    assert not leaped.engine.leaps
    assert np.array_equal(leaped.weights, exact.weights)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bits_for_any_number_of_threads(threads):
    data = fg.datasets.gaussian_noise(400, 150, sigma=5.0, seed=1)
    runs = [
        fg.train(data.X, data.y, steps=10_000, lr=1e-2, engine="leap", threads=n)
        for n in (1, threads)
    ]
    assert runs[0].engine.leaps
    assert np.array_equal(runs[0].w, runs[1].w)
    assert np.array_equal(runs[0].loss, runs[1].loss)


def test_saved_and_printed(tmp_path):
    X, y = cube()
    run = fg.train(X, y, steps=1e30, lr=1e-2, reduction="sum", engine="leap")
    run.save(tmp_path / "run.npz")
    again = fg.Trajectory.load(tmp_path / "run.npz")
    assert again.engine == run.engine
    assert np.array_equal(again.steps, run.steps)
    assert again.steps.dtype == np.float64
    assert "leap" in repr(run)
    assert "1e+30 steps" in repr(run)
    assert run.to_pandas().shape[0] == run.steps.size
    run.grokking("train")


def test_progress_and_what_stops_a_run():
    X, y = cube()

    def stop(step):
        if step > 0:
            raise KeyboardInterrupt

    data = fg.datasets.gaussian_noise(2000, 300, sigma=5.0, seed=1)
    with pytest.raises(fg.Interrupted) as caught:
        fg.train(data.X, data.y, steps=1e8, lr=1e-2, engine="leap", progress=stop)
    assert caught.value.trajectory.steps.size > 0
    fg.train(X, y, steps=1e40, lr=1e-2, reduction="sum", engine="leap", progress=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rtol": 1e-13}, "rtol must be at least 1e-11"),
        ({"rtol": 1.0}, "rtol must be"),
        ({"exact_limit": 0.0}, "exact_limit must be"),
        ({"steps": np.inf}, "steps must be"),
    ],
)
def test_bad_arguments(wrong, message):
    X, y = cube()
    with pytest.raises(ValueError, match=message):
        fg.train(X, y, **{"steps": 10, "lr": 1e-2, "engine": "leap", **wrong})


@given(problem=small_problems())
@settings(max_examples=25, deadline=None)
def test_small_problems(problem):
    """Within rtol of a plain NumPy loop, or refused; never silently wrong."""
    try:
        run = fg.train(**problem, steps=10_000, engine="leap", keep_weights=True)
    except (fg.LeapError, fg.DivergenceError):
        return
    exact = np.column_stack(descend(**problem, steps=10_000))[run.steps]
    assume(np.isfinite(exact).all())
    assert difference(run.weights, exact).max() <= RTOL
