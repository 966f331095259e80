"""Runs with engine="auto": they leap where that is possible and take exact steps elsewhere."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastgrok as fg
from cases import problem as drawn
from fastgrok.descent.allowed import exact_limit
from fastgrok.descent.endings import lost_for
from fastgrok.theory.bias import Slab
from fastgrok.theory.edge import GaussianNoise
from leaps import cube, difference
from runs import StopAt, assert_same_bits, polling_always, train_quietly

RTOL = 1e-8
STEPS = 50_000


def noise(n=400, d=150, seed=1):
    data = fg.datasets.gaussian_noise(n, d, sigma=5.0, seed=seed)
    return data.X, data.y


CUBE = {"lr": 1e-2, "reduction": "sum", "threads": 1}


def sets_of(X, y):
    test = fg.datasets.concentrated((200, 200), dim=2, gamma=1e-3, seed=5)
    return {
        "concentrated": test,
        "attacked": fg.Pgd(X[::20], y[::20], eps=0.5, bounds="data"),
        "masked": fg.Pgd(X[::20], y[::20], eps=0.5, bounds="data", method="autodiff32"),
        "slab": Slab(1e-3, 10.0),
        "noise": GaussianNoise(5.0),
    }


@pytest.mark.parametrize("tie", ["wrong", "negative"])
def test_it_leaps_with_all_that_a_run_can_record(tie):
    X, y = cube()
    options = {"steps": STEPS, "tie": tie, "keep_weights": True, "evals": sets_of(X, y), **CUBE}
    run = train_quietly(X, y, **options)
    exact = train_quietly(X, y, engine="exact", **options)
    assert run.engine.name == "leap"
    assert run.engine.leaps[-1].last == STEPS
    assert run.engine.rtol == RTOL
    assert run.engine.reason == ""
    assert exact.engine.name == "exact"
    assert exact.engine.rtol is None
    assert difference(run.weights, exact.weights).max() <= RTOL
    np.testing.assert_array_equal(run.steps, exact.steps)
    np.testing.assert_array_equal(run.regime, exact.regime)
    for name in exact.losses:
        np.testing.assert_allclose(run.losses[name], exact.losses[name], rtol=1e-6, err_msg=name)
    for name, counts in exact.counts.items():
        assert np.abs(run.counts[name] - counts).max() <= 1, name
        assert (run.counts[name] != counts).mean() < 0.05, name
    for name, accuracy in exact.probabilities.items():
        np.testing.assert_allclose(run.probabilities[name], accuracy, rtol=1e-6)
    late = run.steps > run.engine.leaps[-1].overlap_until
    np.testing.assert_allclose(run.sharpness[late], exact.sharpness[late], rtol=1e-5)
    for leap in run.engine.leaps:
        beside = (run.steps <= leap.overlap_until).sum()
        np.testing.assert_array_equal(run.weights[:beside], exact.weights[:beside])


@pytest.mark.parametrize("skip_rows", [True, False])
def test_rows_are_skipped_to_the_same_bits(skip_rows):
    X, y = cube()
    usual = train_quietly(X, y, steps=STEPS, **CUBE)
    assert_same_bits(train_quietly(X, y, steps=STEPS, skip_rows=skip_rows, **CUBE), usual)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bits_for_any_number_of_threads(threads):
    X, y = noise(9000, 20)
    runs = [fg.train(X, y, steps=2600, lr=1e-2, threads=n) for n in (1, threads)]
    assert runs[0].engine.leaps
    assert_same_bits(runs[1], runs[0])
    leaps = [[leap.__dict__ for leap in run.engine.leaps] for run in runs]
    assert leaps[0] == leaps[1]


def test_irregular_motion_gets_exact_steps_and_is_told():
    X, y = cube((350, 35))
    run = train_quietly(X, y, steps=20_000, **CUBE)
    exact = train_quietly(X, y, steps=20_000, engine="exact", **CUBE)
    assert_same_bits(run, exact)
    assert run.engine.name == "exact"
    assert run.engine.exact_steps == 20_000
    assert run.engine.reason.startswith(("the updates turned", "the motion was", "the leap from"))
    assert f"no leap: {run.engine.reason}" in repr(run)
    assert exact.engine.reason == ""


def test_an_orbit_of_many_columns_is_leaped():
    X = np.diag(np.linspace(1.0, 2.0, 17))
    X = np.vstack([X, X])
    y = np.repeat([1.0, -1.0], 17)  # one quadratic after the other: no separator, an orbit at 4.6
    options = {"lr": 8.8, "reduction": "sum", "w0": np.full(17, 0.1), "bias": False}
    run = train_quietly(X, y, steps=3000, keep_weights=True, **options)
    exact = train_quietly(X, y, steps=3000, keep_weights=True, engine="exact", **options)
    assert run.engine.leaps[-1].pairs
    assert (run.regime[run.steps > 100] == "period-2").all()
    assert difference(run.weights[1:], exact.weights[1:]).max() <= 1e-8


def test_an_orbit_in_more_than_16_columns_is_told_like_one_in_fewer():
    X, y = cube((350, 350))
    X = np.column_stack([X, np.zeros((len(X), 15))])
    run = train_quietly(X, y, steps=20_000, **CUBE)
    assert (run.regime[run.steps > 1000] == "period-2").all()
    (leap,) = run.engine.leaps
    assert leap.pairs
    assert leap.products > 0
    assert run.engine.exact_steps < 20_000
    assert run.engine.reason == ""
    assert "over cycles of 2 steps" in repr(run)


def test_more_exact_steps_than_are_allowed():
    X, y = cube((350, 35))
    settings = {"steps": 1e12, "exact_limit": 5000, **CUBE}
    with pytest.raises(fg.LeapError, match=r"no leap after \d+ of 1000000000000 steps: .*") as end:
        train_quietly(X, y, **settings)
    assert "exact_limit" in str(end.value)
    kept = end.value.trajectory
    exact = train_quietly(X, y, steps=20_000, engine="exact", record=kept.steps, **CUBE)
    np.testing.assert_array_equal(kept.b, exact.b[: kept.steps.size])
    assert end.value.step == kept.engine.exact_steps <= 5000
    assert kept.engine.reason


def test_an_error_that_is_not_allowed_is_told_with_the_way_out():
    """An orbit of period 2, which changes no coordinates where rounding errors matter."""
    rng = np.random.default_rng(3)
    pairs = np.round(rng.normal(size=(40, 3)) * 2**12) / 2**12
    rows = np.zeros((81, 4))
    rows[:40, :3], rows[40:80, :3], rows[80, 3] = pairs, -pairs, 1.0
    turned = rows @ (np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2)
    settings = {"steps": 1e9, "reduction": "sum", "bias": False, "exact_limit": 20_000}
    with pytest.raises(fg.LeapError, match="a larger rtol may allow the leap, and with engine"):
        train_quietly(turned, np.ones(81), lr=0.125, **settings)
    assert train_quietly(turned, np.ones(81), lr=0.125, rtol=1e-5, **settings).steps[-1] == 1e9
    with pytest.raises(fg.LeapError) as end:  # where the motion is at fault it would not help
        train_quietly(*cube((350, 35)), **CUBE | {"steps": 1e12, "exact_limit": 5000})
    assert "rtol" not in str(end.value)


def test_how_many_exact_steps_are_affordable_by_default():
    assert exact_limit("", None, np.empty((2000, 2))) == 1e8
    assert exact_limit("", None, np.broadcast_to(0.0, (10**4, 999))) == 1e6
    assert exact_limit("", None, np.broadcast_to(0.0, (10**8, 999))) == 1e4
    assert exact_limit("", 7.0, np.empty((2000, 2))) == 7.0
    assert exact_limit("", 1e300, np.empty((2000, 2))) == 2.0**53


@pytest.mark.parametrize("settings", [{"steps": 2000}, {"steps": 9000, "record": 1}])
def test_where_there_is_little_to_leap_over_it_is_exact(settings):
    X, y = noise(60, 20)
    run = fg.train(X, y, lr=1e-2, **settings)
    assert_same_bits(run, fg.train(X, y, lr=1e-2, engine="exact", **settings))
    assert (run.engine.name, run.engine.reason) == ("exact", "")


def test_far_horizons_by_default():
    run = train_quietly(*cube(), steps=1e60, **CUBE)
    assert run.steps[-1] == 1e60
    assert np.isfinite(run.norm_w).all()


def test_divergence():
    X = np.array([[1e154, 1.0], [-3.0, -1e154], [0.5, -0.5]])
    y = np.array([1.0, 1.0, -1.0])
    kept = []
    for engine in ("auto", "exact"):
        with pytest.raises(fg.DivergenceError) as caught:
            fg.train(X, y, steps=50_000, lr=1e155, engine=engine, watch_sharpness=False)
        kept.append((str(caught.value), caught.value.step, caught.value.trajectory.steps.tolist()))
    assert kept[0] == kept[1]


def test_progress_and_ctrl_c():
    X, y = noise(300, 150)
    options = {"steps": 10**6, "lr": 1e-2, "keep_weights": True, "threads": 1}
    whole = fg.train(X, y, **options)
    assert whole.engine.leaps
    seen = []
    with polling_always():
        again = fg.train(X, y, progress=seen.append, **options)
        assert_same_bits(again, whole)
        assert seen == sorted(seen)
        assert all(type(step) is int for step in seen)
        # Stopped while exact steps are taken, beside the beginning of the leap, and in the leap.
        for poll in (200, len(seen) // 3, len(seen) - 5):
            with pytest.raises(fg.Interrupted) as caught:
                fg.train(X, y, progress=StopAt(poll), **options)
            kept = caught.value.trajectory
            records = kept.steps.size
            assert 0 < records < whole.steps.size
            np.testing.assert_array_equal(kept.weights, whole.weights[:records])
            assert caught.value.step == kept.params["interrupted"] >= kept.steps[-1]


def test_what_progress_raises_comes_out_with_the_records():
    class EnoughError(Exception):
        pass

    def tell(step):
        if step > 2000:
            raise EnoughError

    X, y = noise(300, 150)
    with polling_always(), pytest.raises(EnoughError) as caught:
        fg.train(X, y, steps=10**6, lr=1e-2, progress=tell, threads=1)
    assert caught.value.trajectory.steps[-1] >= 1000


# --- train_many -------------------------------------------------------------------------------


def some_problems():
    X, y = cube()
    Z, z = noise(120, 60)
    one = {"X": Z, "y": z, "lr": 1e-2, "watch_sharpness": False}
    return [
        {"X": X, "y": y, "steps": STEPS, **CUBE_ALONE, "evals": sets_of(X, y)},
        {**one, "steps": 20_000},
        {**one, "steps": 1e40, "rtol": 1e-6},
        {**one, "steps": 3000, "engine": "exact"},
        {**one, "steps": 300},
        {**one, "steps": 10_000, "engine": "leap", "keep_weights": True},
        {"X": cube((350, 35))[0], "y": y, "steps": 9000, **CUBE_ALONE},
    ]


CUBE_ALONE = {"lr": 1e-2, "reduction": "sum"}


@pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_train_many_gives_the_same(threads):
    runs = fg.train_many(some_problems(), threads=threads)
    for run, problem in zip(runs, some_problems(), strict=True):
        alone = fg.train(**{"threads": 1} | problem)
        assert_same_bits(run, alone)
        assert run.engine.leaps == alone.engine.leaps
        assert run.engine.reason == alone.engine.reason
        assert run.engine.exact_steps == alone.engine.exact_steps


def test_large_problems_of_train_many_leap_by_the_whole_team():
    X, y = noise(9000, 20)
    problems = [{"X": X, "y": y, "steps": 2600, "lr": lr} for lr in (1e-2, 2e-2)]
    for run, problem in zip(fg.train_many(problems, threads=2), problems, strict=True):
        assert run.engine.leaps
        assert_same_bits(run, fg.train(**problem, threads=1))


def test_a_leap_that_fails_keeps_none_of_the_others():
    problems = some_problems()
    problems[6] |= {"engine": "leap"}
    with pytest.raises(fg.LeapError) as caught:
        fg.train_many(problems, threads=2)
    assert str(caught.value).startswith("problems[6]: no leap: ")
    assert "of which 6 came to their ends" in str(caught.value)
    assert caught.value.trajectory is caught.value.trajectories[6]
    assert caught.value.trajectories[0].steps[-1] == STEPS


@pytest.mark.parametrize("threads", [1, 2])
def test_train_many_stopped(threads):
    X, y = noise(300, 150)
    problems = [{"X": X, "y": y, "steps": 10**6, "lr": lr} for lr in (1e-2, 1.1e-2, 1.2e-2)]
    with polling_always(), pytest.raises(fg.Interrupted) as caught:
        fg.train_many(problems, threads=threads, progress=StopAt(40))
    runs = caught.value.trajectories
    assert len(runs) == 3
    assert any("interrupted" in run.params for run in runs)
    for run, problem in zip(runs, problems, strict=True):
        whole = fg.train(**problem, threads=1)
        np.testing.assert_array_equal(run.loss, whole.loss[: run.steps.size])


@pytest.mark.parametrize(
    ("how", "first"),
    [
        ({}, 258),
        ({"schedule": fg.schedules.warmup(5000)}, 20_082),
        ({"schedule": fg.schedules.cosine(5000, 0.5)}, 20_082),
        ({"optimizer": "nesterov", "optimizer_options": {"momentum": 0.9}}, 600),
        ({"optimizer": "nesterov", "optimizer_options": {"momentum": 0.99}}, 6268),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "leap"])
def test_a_leap_that_begins_beyond_the_limit_of_exact_steps(how, first, engine):
    """The message says from where on there could be one, and it is there that it is."""
    X, y = drawn(60, 4)
    asked = {"steps": 10**6, "lr": 0.01, "loss": "squared", "engine": engine, **how}
    words = rf"at step {first} at the earliest, beyond exact_limit, which is {first - 1}; give"
    with pytest.raises(fg.LeapError, match=words) as caught:
        fg.train(X, y, **asked, exact_limit=first - 1)
    assert caught.value.trajectory.engine.exact_steps == 0
    assert "engine='auto'" not in str(caught.value)
    run = fg.train(X, y, **asked, exact_limit=first)
    assert run.engine.leaps[0].overlap_until == first
    # No limit ends what exact steps lead to the end of.
    short = asked | {"steps": first - 2, "engine": "auto"}
    every = fg.train(X, y, **short | {"engine": "exact"})
    assert_same_bits(train_quietly(X, y, **short, exact_limit=first - 2), every)


def test_momentum_leaps_as_soon_as_that_pays():
    """Or the reason is told."""
    X, y = drawn(40, 5)
    how = {"lr": 0.05, "optimizer": "momentum", "optimizer_options": {"momentum": 0.99}}
    long = fg.train(X, y, **how, steps=6268 + 1998, engine="leap")
    assert long.engine.leaps[0].overlap_until == 6268
    short = fg.train(X, y, **how, steps=6268 + 1997)
    assert not short.engine.leaps
    assert "a leap begins at step 6,268 at the earliest" in short.engine.reason


def test_many_steps_of_much_momentum_are_all_taken():
    X, y = drawn(30, 2)
    how = {"optimizer": "momentum", "optimizer_options": {"momentum": 0.9999}, "steps": 20_000}
    words = r"at step 6\d\d,\d+ at the earliest with momentum=0.9999"
    with pytest.warns(fg.LeapWarning, match=words):
        run = fg.train(X, y, lr=1e-4, **how, exact_limit=500)
    assert_same_bits(run, fg.train(X, y, lr=1e-4, **how, engine="exact"))


def test_what_an_earlier_leap_ended_by_says_what_to_do(monkeypatch):
    """Exact steps may be off by rounding where a later try is compared with them."""
    off = "the leap from step 3e+07 was off by 4e-08 at step 4e+07"
    rounding = "at step 4e+06 rounding errors may amount to 7e-11"
    for ended, larger in ((rounding, True), ("the motion was not smooth at step 8", False)):
        leaps = (SimpleNamespace(ended=ended),)
        run = SimpleNamespace(engine=SimpleNamespace(reason=off, leaps=leaps))
        assert ("a larger rtol may allow the leap" in lost_for(run)) == larger


@pytest.mark.parametrize(
    "schedule", [fg.schedules.cosine(20_000), fg.schedules.warmup(5000)], ids=str
)
def test_schedules_that_last_too_long_for_a_leap(schedule):
    """No limit on exact steps ends a run that never had a leap before it."""
    X, y = noise(60, 4)
    asked = {"steps": 20_000, "lr": 0.01, "schedule": schedule}
    exact = train_quietly(X, y, **asked, engine="exact")
    with pytest.warns(fg.LeapWarning, match=r"a leap begins at step [28]0,082 at the earliest"):
        run = fg.train(X, y, **asked, exact_limit=500)
    assert_same_bits(run, exact)
    assert f"with schedule={schedule}, and the last step is 20,000" in run.engine.reason
    short = fg.train(X, y, **asked | {"steps": 1000})
    assert short.engine.reason == ""
    longer = train_quietly(X, y, **asked | {"steps": 200_000})
    assert longer.engine.name == "leap"
    with pytest.raises(ValueError, match=r"at most 9007\d+ where none is leaped \(schedule=cos"):
        fg.train(X, y, steps=1e60, lr=0.01, schedule=fg.schedules.cosine(10**60))
