"""Leaping runs where the motion deceives: within rtol of exact steps, refused, or said so."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import log_expit

import fastgrok as fg
from fastgrok.descent import running
from leaps import difference, small_problems
from reference import descend
from runs import train_quietly

RTOL = 1e-8


# Oscillations are meant.
pytestmark = pytest.mark.filterwarnings("ignore::fastgrok.StabilityWarning")


def as_far_as_it_goes(*rows, **settings):
    """The run, or what it recorded before it refused to go on."""
    try:
        return fg.train(*rows, engine="leap", keep_weights=True, rtol=1e-7, **settings)
    except fg.LeapError as error:
        return error.trajectory


FAR = [1e8, 1e14, 1e19, 1e22, 1e30, 1e43, 1e45, 1e60]


@pytest.mark.parametrize("start", [35.0, 50.0, 100.0, 130.0])
def test_large_margins_are_not_rest(start):
    # Steps this small are those of the gradient flow, here in log(k).
    X, y = np.array([[1.0, 0.1], [-1.0, 0.3], [1.2, -0.2]]), np.array([1.0, -1.0, 1.0])
    rows = y[:, None] * X
    run = as_far_as_it_goes(
        X, y, steps=1e60, lr=1.0, reduction="sum", bias=False, w0=[start, 0.0], record=FAR
    )

    def flow(s, w):
        return np.exp(np.minimum(s + log_expit(-(rows @ w)), 700.0)) @ rows

    far = solve_ivp(
        flow, (0.0, np.log(1e60)), [start, 0.0], method="Radau", t_eval=np.log(FAR),
        rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    assert not any(leap.converged for leap in run.engine.leaps)
    assert np.allclose(run.weights[:, :2], far.y.T[: run.steps.size], rtol=2e-7, atol=2e-5)
    assert run.steps[-1] < 1e60 or np.linalg.norm(run.w - [start, 0.0]) > 1.0


@pytest.mark.parametrize("columns", [1, 20])
@pytest.mark.parametrize(("start", "lr"), [(50.0, 1.0), (300.0, 0.1), (800.0, 1e100)])
def test_one_point_with_a_large_margin_in_closed_form(start, lr, columns):
    # e^m = e^start + lr k, but for terms of the size of log(k).
    x = np.eye(1, columns)
    record = [1e15, 1e21, 1e22, 1e23, 1e60, 1e129, 1e131, 1e132, 1e200, 1e250, 1e300]
    run = as_far_as_it_goes(
        x, [1.0], steps=1e300, lr=lr, bias=False, w0=start * x[0], record=record
    )
    with mpmath.workdps(400):
        expected = [float(mpmath.log(mpmath.exp(start) + mpmath.mpf(lr) * k)) for k in record]
    assert np.allclose(run.weights[:, 0], expected[: run.steps.size], rtol=1e-7, atol=0.0)


def test_a_point_that_stays_until_the_end_is_at_rest():
    run = fg.train(
        [[1.0]], [1.0], steps=1e300, lr=1.0, bias=False, w0=[800.0], record=[0], engine="leap"
    )
    assert run.engine.leaps[0].converged
    assert run.w[0] == pytest.approx(800.0, rel=1e-12)


def test_a_small_column_beside_one_at_rest():
    # The second margin is m with m + e^m = 1 + lr 1e-50 k (but for 1e-25, where it starts).
    X, y = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1e-25]]), np.ones(3)
    record = [1e20, 1e30, 1e40]
    run = fg.train(
        X, y, steps=1e40, lr=1.0, reduction="sum", bias=False, w0=[0.5, 1.0], record=record,
        engine="leap", keep_weights=True,
    )  # fmt: skip
    with mpmath.workdps(60):
        for k, w in zip(record, run.weights[:, 1], strict=True):
            right = 1 + mpmath.mpf(1e-25) + mpmath.mpf(k) * mpmath.mpf("1e-50")
            m = mpmath.findroot(lambda m, r=right: m + mpmath.exp(m) - r, (right - 1) / 2)
            assert w * 1e-25 == pytest.approx(float(m), rel=2e-8)
    assert np.abs(run.weights[:, 0]).max() < 1e-8


def test_collinear_columns_come_to_rest():
    """Of short numbers, whose differences are exact: rounded ones would be one more direction."""
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(60, 3)) * 2**20) / 2**20
    X = np.column_stack([X, X[:, 0], X[:, 1] - X[:, 2]])
    y = np.where(rng.random(60) < 0.5, -1.0, 1.0)
    run = fg.train(X, y, steps=1e100, lr=0.1, engine="leap")
    assert run.engine.leaps[-1].converged
    margins = y * (X @ run.w + run.bias_final)
    gradient = np.column_stack([X, np.ones(60)]).T @ (y / (1.0 + np.exp(margins))) / 60
    assert np.linalg.norm(gradient) <= 1e-8


def late_instability(record, **settings):
    """Two points that pull one way: later the curvature rises through 2 / lr, and falls again."""
    a = 1e-3
    X, y = np.array([[a, 1.0], [a, -1.1]]), np.ones(2)
    return fg.train(
        X, y, steps=record[-1], lr=6.0, reduction="sum", bias=False, w0=[-3.0 / a, 0.0],
        keep_weights=True, record=record, **settings,
    )  # fmt: skip


SPARSE = [100, 1000, 1_000_000]
OFTEN = [*SPARSE[:2], *range(10_000, 1_000_001, 10_000)]


@pytest.mark.parametrize("watch_sharpness", [True, False])
@pytest.mark.parametrize("record", [SPARSE, OFTEN], ids=["sparse", "often"])
@pytest.mark.parametrize("rtol", [1e-8, 1e-6, 1e-4, 1e-2])
def test_what_exact_steps_amplify_is_not_leaped(rtol, record, watch_sharpness):
    run = late_instability(record, rtol=rtol, watch_sharpness=watch_sharpness)
    exact = late_instability(record, engine="exact")
    assert exact.sharpness.max() > 2.0 or record is SPARSE
    assert difference(run.weights, exact.weights).max() <= rtol
    for leap in run.engine.leaps:
        assert leap.error <= rtol
        assert leap.pairs or leap.last < 250_000


ORBIT = [100, 1000, 3_000_000]


def late_doubling(record, slope, lr, **settings):
    """Two points between which w swings; later the orbit's period doubles, and w comes to rest."""
    a = 1e-3
    X, y = np.array([[a, 1.0], [a, -slope]]), np.ones(2)
    return fg.train(
        X, y, steps=ORBIT[-1], lr=lr, reduction="sum", bias=False, w0=[-3.9 / a, 0.1],
        keep_weights=True, record=record, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("record", [ORBIT, None], ids=["sparse", "often"])
@pytest.mark.parametrize("rtol", [1e-8, 1e-4])
@pytest.mark.parametrize(("slope", "lr"), [(0.5, 12.0), (0.7, 12.0)])
def test_an_orbit_is_not_leaped_where_it_is_unstable(slope, lr, rtol, record):
    run = late_doubling(record, slope, lr, rtol=rtol)
    exact = late_doubling(record, slope, lr, engine="exact")
    assert difference(run.weights, exact.weights).max() <= rtol
    orbits = [leap for leap in run.engine.leaps if leap.pairs]
    assert any("the orbit of period 2 is unstable" in leap.ended for leap in orbits)
    # Up to there it was leaped, and not spoilt by a stability that is asked for too much.
    assert record is not None or orbits[0].overlap_until < 1000
    assert record is not None or max(leap.last for leap in orbits) > 100_000


def test_an_error_too_large_is_met_by_a_finer_leap_from_the_same_iterates():
    run = late_doubling(None, 0.7, 12.0)
    exact = late_doubling(None, 0.7, 12.0, engine="exact")
    coarse, fine = run.engine.leaps[:2]
    assert coarse.ended.startswith("the error at step")
    assert fine.first == coarse.first
    assert fine.last > coarse.last
    assert 1e-3 * coarse.tolerance < fine.tolerance < 0.35 * coarse.tolerance  # as was needed
    assert fine.overlap_until == coarse.overlap_until == 2 * fine.first + 2
    assert fine.overlap_difference <= RTOL / 2
    later = [k for k, step in enumerate(run.steps) if run.engine.leap_at(step) is fine]
    assert later
    assert difference(run.weights[later], exact.weights[later]).max() <= RTOL


def test_records_beside_the_beginning_of_a_finer_leap_are_exact():
    record = [100, *range(200, 300), *np.geomspace(1e3, 3e6, 60).astype(int)]
    run, exact = late_doubling(record, 0.7, 12.0), late_doubling(record, 0.7, 12.0, engine="exact")
    coarse, fine = run.engine.leaps[:2]
    assert fine.first == coarse.first == 128
    for k, step in enumerate(run.steps[:101]):
        same = np.array_equal(run.weights[k], exact.weights[k])
        assert same == (step <= 258)
        assert (run.engine.leap_at(step) is None) == same


def test_a_leap_without_a_record_is_none():
    refused = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(10, 2)) + np.array([100.0, 0.0])
        y = np.where(rng.random(10) < 0.5, -1.0, 1.0)
        lr = 40.0 / np.linalg.norm(np.column_stack([X, np.ones(10)]), 2) ** 2
        options = {"steps": 2300, "lr": lr, "rtol": 3e-11, "record": [2300]}
        run = fg.train(X, y, **options)
        try:
            assert fg.train(X, y, engine="leap", **options).engine.name == run.engine.name == "leap"
        except fg.LeapError as error:
            refused += "the error at step 2.3e+03" in str(error)  # tried again, finer
            kept = error.trajectory
        else:
            continue
        assert kept.engine.leaps == run.engine.leaps == ()
        assert run.engine.name == "exact"
        assert run.engine.exact_steps == 2300
    assert refused


def test_leaps_start_from_exact_iterates():
    # Behind a leap that ended early the records have the bits of exact steps.
    run, exact = late_instability(OFTEN, rtol=1e-4), late_instability(OFTEN, engine="exact")
    first = run.engine.leaps[0]
    assert first.ended
    after = [
        k for k, step in enumerate(run.steps) if step > first.last and not run.engine.leap_at(step)
    ]
    assert after
    assert np.array_equal(run.weights[after], exact.weights[after])


def test_auto_finishes_what_leap_refuses():
    X, y = np.array([[1.0], [1.0], [1.0], [-4.0]]), np.ones(4)  # chaos at 16
    options = {"lr": 16.0, "bias": False}
    for steps in (3000, 100_000):
        with pytest.raises(fg.LeapError):
            train_quietly(X, y, steps=steps, **options, engine="leap")
        run = train_quietly(X, y, steps=steps, **options)
        exact = train_quietly(X, y, steps=steps, **options, engine="exact")
        assert np.array_equal(run.w, exact.w)
        assert run.engine.exact_steps == steps
        assert run.engine.reason


def test_a_leap_that_is_stopped_keeps_its_evidence(monkeypatch):
    monkeypatch.setattr(running, "POLL_SECONDS", 0.0)
    data = fg.datasets.margin_cube((300, 300), dim=2, gamma=1e-3, seed=0)

    def stop(step):
        if step > 1e6:
            raise KeyboardInterrupt

    with pytest.raises(fg.Interrupted) as caught:
        fg.train(data.X, data.y, steps=1e12, lr=1e-2, engine="leap", progress=stop)
    kept = caught.value.trajectory
    assert kept.steps[-1] > 1e6
    (leap,) = kept.engine.leaps
    assert leap.last == kept.steps[-1]
    assert leap.ended == "it was stopped"
    assert leap.accepted > 0
    assert leap.evaluations > 0
    assert leap.error <= RTOL


def in_another_order(X, y, steps, lr, **options):
    return descend(X[::-1], y[::-1], steps, lr, **options)


def test_small_problems_from_afar():
    """Within rtol of a plain NumPy loop, or irregular; never silently wrong; and most leap."""
    outcomes = []

    @given(
        problem=small_problems(starts=(0.0, 1.0, 10.0, 60.0)),
        engine=st.sampled_from(["auto", "leap"]),
    )
    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    def check(problem, engine):
        def path(walk, steps):
            with np.errstate(all="ignore"):
                return np.column_stack(walk(**problem, steps=int(steps[-1])))[steps]

        try:
            run = fg.train(**problem, steps=10_000, engine=engine, keep_weights=True)
        except fg.DivergenceError as error:
            outcomes.append("diverged")
            run = error.trajectory
        except fg.LeapError as error:
            assert engine == "leap"
            outcomes.append("refused")
            run = error.trajectory
        else:
            outcomes.append("leaped" if run.engine.leaps else "exact")
        if not run.steps.size:
            return
        exact = path(descend, run.steps)
        error = difference(run.weights, exact)
        if (error <= RTOL).all():
            return
        # Rounding errors alone may lead elsewhere, but not where all was smooth so far.
        other = path(in_another_order, run.steps)
        chaos = np.maximum.accumulate(difference(other, exact))
        assert (error <= np.maximum(RTOL, 1e3 * chaos)).all()
        assert (run.regime[: int(np.argmax(error > RTOL)) + 1] != "smooth").any()

    check()
    assert outcomes.count("leaped") >= 0.3 * len(outcomes)
