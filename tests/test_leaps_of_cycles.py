"""Leaps over cycles of three steps and more that drift."""

import numpy as np
import pytest

import reference
from leaps import difference, drifting_cycle, iterates, leap, spaced
from runs import train_quietly

PERIODS = (3, 4, 7, 20)


def record(steps, period):
    """Steps with every place in a round among them."""
    spread = np.geomspace(100, steps, 25).astype(int)
    return np.unique(np.r_[spread, steps // 2 + np.arange(period), steps - np.arange(period + 1)])


def compare(period, cols, steps, start, **options):
    X, y, how = drifting_cycle(period, cols)
    how |= {"steps": steps, "record": record(steps, period), "keep_weights": True, **options}
    leaped = train_quietly(X, y, engine="leap", **how)
    exact = train_quietly(X, y, engine="exact", **how)
    (report,) = leaped.engine.leaps
    assert report.period == period
    assert not report.pairs
    assert leaped.engine.exact_steps <= start
    assert report.last == steps
    assert difference(leaped.weights, exact.weights).max() <= report.error <= 1e-8
    assert (exact.period[-period:] == period).all()
    np.testing.assert_array_equal(leaped.period, exact.period)
    np.testing.assert_array_equal(leaped.regime, exact.regime)
    search = 1e-6 if cols <= 16 else 3e-3
    np.testing.assert_allclose(leaped.sharpness, exact.sharpness, rtol=search)
    # Of two neighbours in a round: what comes before its first is, but for the drift, its last.
    np.testing.assert_allclose(leaped.sharpness_mean, exact.sharpness_mean, rtol=3e-3)
    assert np.abs(np.diff(exact.weights[-3:], axis=0)).max() > 0.01  # it goes round,
    apart = exact.weights[-1] - exact.weights[-1 - period]
    assert np.abs(apart).max() > 1e-8  # and drifts


@pytest.mark.parametrize(
    ("period", "cols"),
    [(3, 2), (3, 5), (3, 20), (4, 2), (4, 20), (7, 2), (7, 5), (7, 20), (20, 5), (20, 20)],
)
def test_all_places_of_a_round_are_those_of_exact_steps(period, cols):
    compare(period, cols, steps=100_000, start=70_000)


@pytest.mark.slow  # millions of exact steps beside the leaps
@pytest.mark.parametrize("cols", [2, 5, 20, 100, 300])
@pytest.mark.parametrize("period", PERIODS)
def test_to_a_million_steps(period, cols):
    compare(period, cols, steps=1_000_000, start=270_000)


@pytest.mark.parametrize("cols", [3, 20, 51])
@pytest.mark.parametrize("period", PERIODS)
def test_far_out_finer_leaps_agree(period, cols):
    X, y, how = drifting_cycle(period, cols)
    far = np.r_[10.0 ** np.arange(6, 13), 10**12 - np.arange(1, period)]
    how |= {"steps": 10**12, "record": np.unique(far).astype(int), "keep_weights": True}
    run, finer = train_quietly(X, y, **how), train_quietly(X, y, rtol=1e-10, **how)
    assert difference(run.weights, finer.weights).max() <= 1e-8
    assert (run.period == period).all()
    assert run.engine.leaps[-1].rounding <= run.engine.leaps[-1].error
    assert f"over cycles of {period} steps, " in str(run.engine)


@pytest.mark.parametrize("cols", [2, 20])
@pytest.mark.parametrize("period", [2, 3, 5])
def test_the_map_of_a_round_is_followed(period, cols):
    """Rounds of a smooth descent are as good as those of a cycle, and NumPy follows it."""
    rng = np.random.default_rng(cols)
    X, y = rng.normal(size=(30, cols)) + 1.0, np.ones(30)
    rounds, records = spaced(200), [300, 1000]
    steps = {k * period + more for k in [*rounds, *records] for more in (0, period)}
    at, _ = iterates(X, y, 0.01, steps, "logistic", True)
    updates = {k: at[(k + 1) * period] - at[k * period] for k in rounds}
    start = {k: at[k * period] for k in rounds}
    status, got = leap(X, y, 0.01, start, updates, rounds, period=period).run(
        np.array(records, float)
    )
    assert status == "arrived"
    for k, u in zip(records, got, strict=True):
        assert difference(u, at[k * period]) < 2e-9


def test_steps_between_records_are_on_the_cycle_too():
    X, y, how = drifting_cycle(3, 4)
    run = train_quietly(X, y, steps=10**9, keep_weights=True, **how)
    path, _ = reference.descend(X, y, 40_010, how["lr"], reduction="sum", bias=False)
    for step in range(40_000, 40_007):
        w, b = run.at(step, X, y)
        assert run.engine.leap_at(step) is not None
        assert np.linalg.norm(w - path[step]) <= 1e-8 * np.linalg.norm(path[step])
        assert b == 0.0


def test_places_in_a_round_are_told_beyond_the_steps_that_can_be_counted():
    X, y, how = drifting_cycle(3, 3)
    far = [2.0**54 + 4 * j for j in range(6)] + [1e30, 1e60]
    run = train_quietly(X, y, steps=1e60, record=far, keep_weights=True, **how)
    near, _ = reference.descend(X, y, 50_002, how["lr"], reduction="sum", bias=False)
    around = {step % 3: near[step, 0] for step in range(50_000, 50_003)}
    assert (run.period == 3).all()
    for step, w in zip(far, run.weights[:, 0], strict=True):
        assert w == pytest.approx(around[int(step) % 3], rel=1e-3)


def passing(lr, a=1e-3):
    """The points of a cycle beside a column of small entries that moves it, and so its period."""
    X = np.array([[a, 1.0], [a, 1.0], [a, 1.0], [a, -4.0]])
    return X, np.ones(4), {"lr": lr / 4, "reduction": "sum", "bias": False, "w0": [0.0, 0.1]}


@pytest.mark.parametrize("cols", [2, 20])
def test_a_cycle_is_not_leaped_where_it_is_unstable(cols):
    X, y, how = passing(8.0)
    X = np.column_stack([X, np.zeros((4, cols - 2))])
    how |= {"w0": np.r_[0.0, 0.1, np.zeros(cols - 2)], "keep_weights": True, "steps": 100_000}
    how["record"] = np.unique(np.r_[np.geomspace(600, 100_000, 60).astype(int)])
    run, exact = train_quietly(X, y, **how), train_quietly(X, y, engine="exact", **how)
    ended = [leap for leap in run.engine.leaps if "the orbit of period 4 is unstable" in leap.ended]
    assert len(ended) == 1
    assert 10_000 < ended[0].last < 50_000
    assert exact.period[-1] != 4
    assert difference(run.weights, exact.weights).max() <= 1e-8


def test_a_shorter_cycle_that_a_leap_comes_to_is_told():
    """Of six steps, approached from one of twelve: the leap goes on with rounds of twelve."""
    rng = np.random.default_rng([313, 5])
    n, d = int(rng.integers(10, 60)), int(rng.integers(5, 40))
    X = rng.normal(size=(n, d))
    y = np.sign(X @ rng.normal(size=d))
    y[rng.random(n) < 0.15] *= -1
    A = np.column_stack([X, np.ones(n)])
    lr = float(10 ** rng.uniform(0.3, 1.5) / np.linalg.eigvalsh(A.T @ A / 4)[-1]) * 2
    how = {"lr": lr, "reduction": "sum", "steps": 20_000, "record": [500, 10_000, 20_000]}
    how["keep_weights"] = True
    run, exact = train_quietly(X, y, **how), train_quietly(X, y, engine="exact", **how)
    assert run.engine.leaps[-1].period == 12
    assert run.period.tolist() == exact.period.tolist()
    assert run.period[-1] == 6
    assert difference(run.weights, exact.weights).max() <= 1e-8


def test_other_steps_than_plain_ones_go_round_one_by_one():
    X, y, how = drifting_cycle(3, 3)
    run = train_quietly(
        X, y, steps=3000, optimizer="momentum", optimizer_options={"momentum": 0.01}, **how
    )
    assert run.engine.leaps == ()
    assert run.engine.exact_steps == 3000
