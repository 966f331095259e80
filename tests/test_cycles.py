"""Cycles of a descent: of which period they are, and what follows where their bits recur."""

import mpmath
import numpy as np
import pytest

import fastgrok as fg
import reference
from cases import problem
from leaps import cube, difference
from runs import assert_same_bits, train_quietly

# Points on a line, all of one class, without a bias: the mean loss is least in between, and steps
# too long for it lead from side to side. Points, learning rate, period.
ON_A_LINE = [((2, 1, -5), 3.0, 3), ((1, 1, 1, -4), 8.0, 4), ((1, 2, -4), 24.0, 7),
             ((1, 1, 1, -4), 10.0, 20)]  # fmt: skip


def line(points):
    X = np.array(points, float)[:, None]
    return X, np.ones(len(X))


def on_a_line(points, lr, **options):
    X, y = line(points)
    return train_quietly(X, y, lr=lr, bias=False, keep_weights=True, **options)


def once(w, points, lr):
    """A step in the precision of mpmath, and its derivative."""
    sigma = [1 / (1 + mpmath.exp(x * w)) for x in points]
    n = len(points)
    moved = w + mpmath.mpf(lr) / n * sum(x * s for x, s in zip(points, sigma, strict=True))
    bend = sum(x * x * s * (1 - s) for x, s in zip(points, sigma, strict=True))
    return moved, 1 - mpmath.mpf(lr) / n * bend


@pytest.mark.parametrize("engine", ["exact", "auto"])
@pytest.mark.parametrize(("points", "lr", "period"), ON_A_LINE)
def test_periods(points, lr, period, engine):
    last = 20_000
    run = on_a_line(
        points, lr, steps=last, engine=engine, record=np.arange(last - 2 * period + 1, last + 1)
    )
    assert run.period.tolist() == [period] * 2 * period
    assert set(run.regime) == {f"period-{period}"}
    seen = run.weights[:, 0]
    assert len(np.unique(np.round(seen, 9))) == period
    with mpmath.workdps(40):
        # There is such a cycle, it draws in what is near it, and the run is on it.
        w = mpmath.mpf(seen[0])
        for _ in range(60 * period):
            w, _ = once(w, points, lr)
        slope, start = mpmath.mpf(1), w
        for i in range(period):
            assert abs(w - seen[i]) < 1e-12 * abs(w)
            w, of_step = once(w, points, lr)
            slope *= of_step
        assert abs(slope) < 1
        assert abs(w - start) < 1e-12


def test_chaos_is_no_cycle():
    points = (1, 1, 1, -4)
    run = on_a_line(points, 16.0, steps=300_000, record=97)
    assert not run.period[run.steps > 64].any()
    assert run.engine.closed is None
    assert run.engine.exact_steps == 300_000
    # Two orbits that begin next to each other part.
    w, slope = mpmath.mpf(1), mpmath.mpf(1)
    for _ in range(1000):
        w, of_step = once(w, points, 16.0)
        slope *= of_step
    assert mpmath.log(abs(slope)) / 1000 > 0.1


def test_a_cycle_that_drifts_evenly_is_settled():
    """Each round moves as far as the one before, but for rounding errors."""
    rng = np.random.default_rng(0)
    X = np.zeros((8, 6))
    X[:3, 0], X[3:, 1:], X[3:, 0] = (2, 1, -5), np.eye(5), 0.1 * rng.normal(size=5)
    w0 = np.r_[0.0, np.full(5, 20.0)] + 0.3 * rng.normal(size=6)
    options = {"lr": 1.0, "reduction": "sum", "bias": False, "w0": w0, "engine": "exact"}
    run = train_quietly(X, np.ones(8), steps=3000, record=1, keep_weights=True, **options)
    moves = run.weights[1003:, 1:6] - run.weights[1000:-3, 1:6]
    assert (moves > 0.0).all()
    assert np.ptp(moves, axis=0).max() < 1e-4 * moves.max()
    assert (run.period[1000:] == 3).all()


def test_chaos_that_always_turns_back_is_no_orbit_of_period_two():
    X, y = line((1, 1, 1, -4))
    path = reference.descend(X, y, 20_000, 11.0, bias=False)[0][-1000:, 0]
    moves = np.diff(path)
    assert (moves[1:] * moves[:-1] < 0).all()
    assert np.ptp(path[::2]) > 0.1 * np.ptp(path)
    run = on_a_line((1, 1, 1, -4), 11.0, steps=20_000, record=[5000, 20_000])
    assert run.regime.tolist() == ["irregular"] * 2
    assert run.period.tolist() == [0, 0]


WIDE = np.zeros((2, 20))
WIDE[:, 0] = 1.0
LONG_WAY = {
    "period 3": (*line((2, 1, -5)), {"lr": 3.0, "bias": False}),
    "period 20": (*line((1, 1, 1, -4)), {"lr": 10.0, "bias": False}),
    "20 columns": (WIDE, np.array([1.0, -1.0]), {"lr": 5.0, "reduction": "sum", "b0": 0.1}),
    "at rest": (*problem(30, 3), {"lr": 1.0}),
    "momentum": (*problem(30, 3), {"lr": 0.5, "optimizer": "momentum"}),
    "decay": (*problem(12, 3), {"lr": 9.0, "weight_decay": 0.1}),
    "float32": (*(a.astype(np.float32) for a in line((1, 2, -4))), {"lr": 24.0, "bias": False}),
}


@pytest.mark.parametrize("name", LONG_WAY)
def test_what_is_closed_has_the_bits_of_all_steps(name):
    """Where every step is recorded, every step is taken."""
    X, y, options = LONG_WAY[name]
    options = {**options, "steps": 30_000, "engine": "exact", "keep_weights": True}
    options["evals"] = {"other": (X, -y)}
    every = train_quietly(X, y, **options, record=1)
    record = np.unique(np.r_[0, np.geomspace(1, 30_000, 60).astype(int), 29_998:30_001])
    closed = train_quietly(X, y, **options, record=record)
    since, length = closed.engine.closed
    assert closed.engine.exact_steps < 30_000
    assert closed.engine.row_share == 1.0
    np.testing.assert_array_equal(every.weights[since:-length], every.weights[since + length :])
    for field in ("b", "norm_w", "weights", "regime", "period"):
        np.testing.assert_array_equal(getattr(closed, field), getattr(every, field)[record])
    for name in ("train", "other"):
        np.testing.assert_array_equal(closed.losses[name], every.losses[name][record])
        np.testing.assert_array_equal(closed.counts[name], every.counts[name][record])
    np.testing.assert_allclose(closed.sharpness, every.sharpness[record], rtol=1e-3)
    assert f"closed at step {since:,}: the bits recur" in repr(closed)


@pytest.mark.parametrize(("points", "lr", "period"), ON_A_LINE)
def test_any_number_of_steps(points, lr, period):
    far = [2**53 - 1, 2**53, 2**53 + 2, 2**53 + 4, 1e17, 1e20, 1e60 / 7, 1e60]
    run = on_a_line(points, lr, steps=1e60, record=[20_000, 10**7, *far])
    every = on_a_line(points, lr, steps=20_000, engine="exact", record=1)
    since, length = run.engine.closed
    assert length % period == 0
    assert run.engine.exact_steps < 10**5
    assert run.engine.leaps == ()
    assert run.engine.reason == ""
    assert (run.period == period).all()
    for step, w in zip(run.steps, run.weights, strict=True):
        assert w[0] == every.weights[since + (int(step) - since) % length, 0]


def test_exact_steps_as_many_as_can_be_counted():
    run = on_a_line((2, 1, -5), 3.0, steps=2**53, engine="exact", record=[2**53 - 1, 2**53])
    assert run.steps[-1] == 2**53
    assert run.period.tolist() == [3, 3]
    assert run.engine.exact_steps < 10**5


def test_many_runs_at_once():
    X, y = line((2, 1, -5))
    alone = {"X": X, "y": y, "lr": 3.0, "bias": False, "steps": 10**12, "engine": "exact"}
    other = {**alone, "lr": 0.1, "steps": 3000}
    with pytest.warns(fg.StabilityWarning):
        runs = fg.train_many([alone, other])
    for run, one in zip(runs, [alone, other], strict=True):
        assert_same_bits(run, train_quietly(**one))


@pytest.mark.parametrize("options", [{"schedule": fg.schedules.power(1e-9)}, {"optimizer": "adam"}])
def test_steps_that_depend_on_their_number_close_no_cycle(options):
    run = on_a_line((1, 1, 1, -1), 1.0, steps=3000, engine="exact", **options)
    assert run.engine.closed is None


@pytest.mark.parametrize("factor", [-0.5, -0.9, -0.999, -0.99999])
@pytest.mark.parametrize("engine", ["auto", "exact"])
def test_a_fixed_point_reached_from_side_to_side_is_smooth(factor, engine):
    # Three points at 1 and one at -1: w = log 3, where the mean curvature is 3/16.
    lr = (1.0 - factor) * 16.0 / 3.0
    steps = 10**7 if engine == "exact" else 1e12
    run = on_a_line((1, 1, 1, -1), lr, steps=steps, engine=engine)
    assert run.w[0] == pytest.approx(np.log(3.0), rel=1e-8)
    assert run.regime[-1] == "smooth"
    assert run.period[-1] == 0
    assert "period-2" in run.regime


def test_a_period_is_kept_in_files_and_tables(tmp_path):
    run = on_a_line((2, 1, -5), 3.0, steps=1000, record=500)
    run.save(tmp_path / "run.npz")
    again = fg.Trajectory.load(tmp_path / "run.npz")
    assert again.period.tolist() == run.period.tolist() == [0, 3, 3]
    assert again.engine == run.engine
    assert again.engine.closed is not None
    assert run.to_pandas()["period"].tolist() == [0, 3, 3]
    assert run.to_xarray()["period"].values.tolist() == [0, 3, 3]
    assert not run.period.flags.writeable


@pytest.mark.parametrize("cols", [1, 20])
def test_no_leap_stays_on_an_orbit_that_steps_leave(cols):
    points, lr = (1, 1, 1, -4), 7.5
    with mpmath.workdps(30):
        w = mpmath.findroot(lambda w: once(once(w, points, lr)[0], points, lr)[0] - w, 0.85)
        (other, of_one), (_, of_other) = (
            once(w, points, lr),
            once(once(w, points, lr)[0], points, lr),
        )
        assert abs(other - w) > 1
        assert of_one * of_other < -1.05
    X = np.zeros((4, cols))
    X[:, 0] = points
    options = {"lr": lr, "bias": False, "w0": np.eye(cols)[0] * (float(w) + 1e-11)}
    options |= {"steps": 10**6, "record": [128, 300, 3000, 10**4, 10**6]}
    run = train_quietly(X, np.ones(4), **options)
    assert run.period.tolist() == [2, 2, 4, 4, 4]
    assert_same_bits(run, train_quietly(X, np.ones(4), engine="exact", **options))


def planted(n, dim, support):
    data = fg.datasets.margin_cube((n, n), dim, gamma=1e-3, support=support, seed=0)
    return data.X, data.y


def compare_pairs(X, y, steps):
    record = [r for r in (1000, 3001, 10_000, 10_001, 99_999) if r < steps] + [steps - 1, steps]
    options = {"steps": steps, "lr": 1e-2, "reduction": "sum", "keep_weights": True}
    options["record"] = record
    leaped = train_quietly(X, y, engine="leap", **options)
    exact = train_quietly(X, y, engine="exact", **options)
    assert leaped.engine.leaps[-1].pairs
    assert leaped.engine.exact_steps < steps / 4
    apart = difference(leaped.weights, exact.weights)
    assert apart.max() <= leaped.engine.leaps[-1].error <= 1e-8
    assert (leaped.regime == "period-2").all()
    assert (leaped.period == 2).all()
    assert np.abs(np.diff(leaped.norm_w[-2:])) > 1e-6 * leaped.norm_w[-1]


@pytest.mark.parametrize(("n", "dim", "support"), [(200, 256, (70, 70)), (100, 40, (30, 30))])
def test_orbits_of_period_two_in_many_columns(n, dim, support):
    compare_pairs(*planted(n, dim, support), steps=20_000)


@pytest.mark.slow  # a million exact steps beside the leap
def test_an_orbit_of_period_two_in_256_columns_to_a_million_steps():
    compare_pairs(*planted(200, 256, (70, 70)), steps=10**6)


def test_columns_of_zeros_change_nothing_about_an_orbit():
    X, y = cube((350, 350))
    compare_pairs(np.column_stack([X, np.zeros((len(X), 15))]), y, steps=40_000)
