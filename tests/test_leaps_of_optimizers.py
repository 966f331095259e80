"""Leaps with weight decay, momentum and power laws, against exact steps and the optimum."""

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference_optimizers
from leaps import cube, difference
from runs import train_quietly

RTOL = 1e-8


def planted() -> tuple[Any, Any]:
    """A cube of which some rows lie within the margin, so that the classes touch."""
    data = fg.datasets.margin_cube((200, 200), dim=3, gamma=1e-2, support=(20, 20), seed=2)
    return data.X, data.y


def gaussian(ratio: float) -> tuple[Any, Any]:
    """Noise alone, ratio = columns / rows: separable beyond a half, hardly."""
    rows = 50
    data = fg.datasets.gaussian_noise(rows, round(ratio * rows), sigma=1.0, seed=5)
    return data.X, data.y


DATA = {"cube": planted(), "0.48": gaussian(0.48), "0.52": gaussian(0.52)}
KNOBS: dict[str, dict[str, Any]] = {
    **{f"decay {decay:g}": {"weight_decay": decay} for decay in (1e-8, 1e-6, 1e-4, 1e-3, 1e-2)},
    "decay of all": {"weight_decay": 1e-4, "decay_bias": True},
    **{
        f"{name} {beta}": {"optimizer": name, "optimizer_options": {"momentum": beta}}
        for name in ("momentum", "nesterov")
        for beta in (0.9, 0.99)
    },
    "momentum and decay": {"optimizer": "momentum", "weight_decay": 1e-5},
    "nesterov and decay": {"optimizer": "nesterov", "weight_decay": 1e-3, "decay_bias": True},
    "power 0.5": {"schedule": fg.schedules.power(0.5, 100.0)},
    "power 1": {"schedule": fg.schedules.power(1.0, 10.0)},
    "power and decay": {"schedule": fg.schedules.power(0.3, 50.0), "weight_decay": 1e-4},
}


def rate(X: Any, y: Any, how: dict[str, Any]) -> float:
    """A third of what is stable for plain descent; with momentum so much in its own time."""
    beta = how.get("optimizer_options", {"momentum": 0.9})["momentum"]
    share = 1.0 - beta if how.get("optimizer") in ("momentum", "nesterov") else 1.0
    return fg.stable_lr(X, y) / 3.0 * share


def both(X: Any, y: Any, steps: int, how: dict[str, Any], **more: Any) -> tuple[Any, Any]:
    record = sorted({*np.geomspace(100, steps, 12).astype(int).tolist(), steps})
    asked: dict[str, Any] = {
        "steps": steps, "lr": rate(X, y, how), "record": record, "keep_weights": True,
        "watch_sharpness": False, **how, **more,
    }  # fmt: skip
    return fg.train(X, y, engine="leap", **asked), fg.train(X, y, engine="exact", **asked)


def evidence(run: Any) -> float:
    return max(max(leap.error, leap.overlap_difference) for leap in run.engine.leaps)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("name", KNOBS)
def test_a_hundred_thousand_steps(data, name):
    leaped, exact = both(*DATA[data], 100_000, KNOBS[name])
    error = difference(leaped.weights, exact.weights).max()
    assert error <= RTOL
    assert error <= max(evidence(leaped), 1e-12)
    assert leaped.engine.exact_steps < 50_000
    assert evidence(leaped) <= RTOL
    np.testing.assert_allclose(leaped.loss, exact.loss, rtol=1e-6)


@pytest.mark.parametrize("name", ["decay 1e-06", "momentum 0.9", "nesterov 0.99", "power 0.5"])
def test_a_million_steps_of_small_data(name):
    X, y = fg.datasets.gaussian_noise(12, 3, sigma=1.0, seed=1).X, np.ones(12)
    leaped, exact = both(X, y, 1_000_000, KNOBS[name])
    error = difference(leaped.weights, exact.weights).max()
    assert error <= min(RTOL, max(evidence(leaped), 1e-12))
    assert leaped.engine.exact_steps < 50_000


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(5, 60), st.integers(1, 8)),
    kind=st.sampled_from(sorted(KNOBS)),
    bias=st.booleans(),
    noise=st.booleans(),
)
def test_random_problems(seed, shape, kind, bias, noise):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=shape) * 10.0 ** rng.uniform(-1.0, 1.0)
    teacher = X @ rng.normal(size=shape[1]) + rng.normal()
    y = rng.choice([-1.0, 1.0], size=shape[0]) if noise else np.where(teacher > 0, 1.0, -1.0)
    asked: dict[str, Any] = {
        "steps": 60_000, "lr": rate(X, y, KNOBS[kind]), "record": [20_000, 60_000], "bias": bias,
        "keep_weights": True, "watch_sharpness": False, **KNOBS[kind],
    }  # fmt: skip
    try:
        leaped = fg.train(X, y, engine="leap", **asked)
    except fg.LeapError:
        return
    exact = fg.train(X, y, engine="exact", **asked)
    error = difference(leaped.weights, exact.weights).max()
    assert error <= min(RTOL, max(evidence(leaped), 1e-12))


# --- rest -------------------------------------------------------------------------------------


def optimum(X: Any, y: Any, decay: float, decay_bias: bool) -> Any:
    """Where the gradient is 0, by Newton's method in 40 digits; logistic, mean, with bias."""
    n, d = X.shape
    rows = y[:, None] * np.column_stack([X, np.ones(n)])
    ridge = np.append(np.full(d, decay), decay * decay_bias)
    u = np.zeros(d + 1)
    with np.errstate(over="ignore"):
        for _ in range(200):  # damped, in float64
            p = 1.0 / (1.0 + np.exp(rows @ u))
            g = -(p @ rows) / n + ridge * u
            H = (rows.T * (p * (1.0 - p))) @ rows / n + np.diag(ridge)
            step = np.linalg.solve(H, g)
            u = u - step * min(1.0, 1.0 / np.abs(rows @ step).max(initial=1e-300))
    with mpmath.workdps(40):
        Z, r = mpmath.matrix(rows.tolist()), [mpmath.mpf(float(one)) for one in ridge]
        v = mpmath.matrix(u.tolist())
        for _ in range(4):
            m = Z * v
            p = [1 / (1 + mpmath.exp(one)) for one in m]
            G = mpmath.matrix([r[j] * v[j] for j in range(d + 1)])
            H = mpmath.diag(r)
            for i in range(n):
                for j in range(d + 1):
                    G[j] -= p[i] * Z[i, j] / n
                    for k in range(d + 1):
                        H[j, k] += p[i] * (1 - p[i]) * Z[i, j] * Z[i, k] / n
            v = v - mpmath.lu_solve(H, G)
        return np.array([float(one) for one in v])


@pytest.mark.parametrize("how", [
    {"weight_decay": 1e-2}, {"weight_decay": 1e-3, "decay_bias": True}, {"weight_decay": 1e-6},
    {"weight_decay": 1e-4, "optimizer": "momentum"},
    {"weight_decay": 1e-4, "optimizer": "nesterov", "decay_bias": True},
])  # fmt: skip
@pytest.mark.parametrize("horizon", [1e12, 1e60])
def test_rest_at_the_optimum(how, horizon):
    X, y = fg.datasets.gaussian_noise(20, 3, sigma=1.0, seed=1).X, np.ones(20)
    y[:6] = -1.0
    lr = rate(X, y, how)
    run = fg.train(X, y, steps=horizon, lr=lr, engine="leap", record=[horizon], **how)
    assert run.engine.leaps[-1].converged
    assert run.steps[-1] == horizon
    best = optimum(X, y, how["weight_decay"], how.get("decay_bias", False))
    assert difference(np.append(run.w, run.bias_final), best) <= RTOL


def test_separable_data_come_to_rest_too():
    X, y = np.array([[2.0, 1.0], [-1.0, 0.5], [0.5, -2.0]]), np.array([1.0, -1.0, 1.0])
    run = fg.train(X, y, steps=1e12, lr=0.5, weight_decay=1e-7, decay_bias=True, engine="leap")
    best = optimum(X, y, 1e-7, True)
    assert difference(np.append(run.w, run.bias_final), best) <= RTOL
    # Without decay they go on for ever.
    assert np.linalg.norm(fg.train(X, y, steps=1e12, lr=0.5).w) > 1.2 * np.linalg.norm(run.w)


def test_a_bias_that_does_not_decay_beside_weights_that_do():
    """One class alone: the bias grows like log k for ever, and the weights go back to 0."""
    X, y = np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]]), np.ones(3)
    leaped, exact = both(X, y, 100_000, {"weight_decay": 1e-2})
    assert difference(leaped.weights, exact.weights).max() <= RTOL
    assert leaped.bias_final > 5.0


def test_weights_that_decay_to_nothing_beside_a_bias():
    """
    Of one class with many columns the weights are slaved to a bias that goes on for ever.

    They end far below what moves any margin; the leap must get there nevertheless.
    """
    data = fg.datasets.gaussian_noise(200, 96, sigma=5.0, seed=0)
    X, y, decay = data.X, data.y, 1e-2
    asked: dict[str, Any] = {
        "lr": 1e-2, "weight_decay": decay, "keep_weights": True, "watch_sharpness": False,
    }  # fmt: skip
    exact = fg.train(X, y, steps=50_000, record=[50_000], engine="exact", **asked)
    run = fg.train(X, y, steps=1e12, record=[50_000, 10**9, 10**12], engine="leap", **asked)
    assert difference(run.weights[0], exact.weights[0]) <= RTOL
    assert evidence(run) <= RTOL
    p = 1.0 / (1.0 + np.exp(y * (X @ run.w + run.bias_final)))
    at_rest = (p * y) @ X / len(y) / decay
    least = 1e-2 / np.linalg.norm(X, axis=1).max()
    assert np.linalg.norm(run.w - at_rest) <= RTOL * least
    # b' = lr e^-|b| where all margins are large, so that |b| tends to log(lr k).
    assert abs(run.bias_final) == pytest.approx(np.log(1e-2 * 1e12), rel=1e-6)


@pytest.mark.parametrize("decay_bias", [False, True])
def test_turned_coordinates(decay_bias):
    """
    Rows that differ along a few directions alone are leaped in coordinates of their own.

    Decay acts on the weights as they were given, whatever the coordinates.
    """
    rng = np.random.default_rng(3)
    X = rng.normal(size=(10, 3)) @ np.linalg.qr(rng.normal(size=(12, 3)))[0].T
    y = np.where(X @ rng.normal(size=12) > 0, 1.0, -1.0)
    w0 = rng.normal(size=12)
    how = {"weight_decay": 1e-3, "decay_bias": decay_bias}
    leaped, exact = both(X, y, 60_000, how, w0=w0, b0=1.5)
    assert difference(leaped.weights, exact.weights).max() <= min(RTOL, evidence(leaped))
    fixed, exact = both(X, y, 60_000, how, w0=w0, b0=1.5, bias=False)
    assert (fixed.b == 1.5).all()
    assert difference(fixed.weights, exact.weights).max() <= min(RTOL, evidence(fixed))


def test_decay_of_what_no_row_sees():
    """The weight of a column of zeros decays by 1 - lr wd a step, and by nothing else."""
    X, y = np.array([[1.0, 0.0], [-2.0, 0.0], [0.5, 0.0]]), np.ones(3)
    run = fg.train(
        X, y, steps=60_000, lr=0.1, weight_decay=1e-4, w0=[0.0, 1.0], engine="leap",
        record=[60_000],
    )  # fmt: skip
    assert run.w[1] == pytest.approx((1.0 - 0.1 * 1e-4) ** 60_000, rel=1e-7)


def test_momentum_overtakes_as_the_theory_says():
    """Late, momentum beta is plain descent with rate lr / (1 - beta)."""
    X, y = DATA["cube"]
    plain = fg.train(X, y, steps=1e8, lr=0.1, engine="leap", record=[10**8])
    swift = fg.train(X, y, steps=1e8, lr=0.01, engine="leap", record=[10**8], optimizer="momentum")
    np.testing.assert_allclose(swift.w, plain.w, rtol=1e-4)


def test_against_a_loop_in_long_double():
    X, y = fg.datasets.gaussian_noise(8, 2, sigma=1.0, seed=3).X, np.ones(8)
    how = {"optimizer": "nesterov", "weight_decay": 1e-3}
    lr = rate(X, y, how)
    run = fg.train(X, y, steps=20_000, lr=lr, engine="leap", record=[20_000], **how)
    exact = reference_optimizers.descend(X, y, 20_000, lr, **how)[-1].astype(float)
    assert difference(np.append(run.w, run.bias_final), exact) <= RTOL


# --- times inside leaps -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", [{"weight_decay": 1e-6}, {"weight_decay": 1e-5, "decay_bias": True}]
)
def test_times_are_refined_inside_a_leap(how):
    X, y = cube((0, 0), 1)
    test = fg.datasets.concentrated((1000, 1000), dim=2, gamma=1e-3, alpha=10, seed=51)
    asked: dict[str, Any] = {
        "steps": 600_000, "lr": 1e-2, "reduction": "sum", "watch_sharpness": False,
        "evals": {"test": test}, "keep_weights": True, **how,
    }  # fmt: skip
    leaped, exact = (fg.train(X, y, engine=engine, **asked) for engine in ("leap", "exact"))
    got, expected = leaped.refine("test", eps=0.0), exact.refine("test", eps=0.0)
    assert got.test == expected.test
    assert leaped.engine.leap_at(float(got.test)) is not None
    assert got.train == expected.train


# --- where a leap begins -----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
@pytest.mark.parametrize("beta", [0.9, 0.99])
def test_leaps_begin_when_the_first_steps_are_forgotten(beta, optimizer, loss):
    """What is left of them falls by a factor e in 2 / (1 - beta) steps at the latest."""
    X, y = cube()
    lr = min(1e-2, fg.stable_lr(X, y, loss=loss) / 3.0)
    how: dict[str, Any] = {
        "steps": 50_000, "lr": lr, "loss": loss, "record": [50_000],
        "optimizer": optimizer, "optimizer_options": {"momentum": beta},
    }  # fmt: skip
    run, exact = (fg.train(X, y, engine=engine, **how) for engine in ("leap", "exact"))
    assert run.engine.exact_steps <= 48 * 2.0 / (1.0 - beta)
    (leap,) = run.engine.leaps
    assert leap.overlap_until <= 1.13 * leap.first + 2
    assert difference(np.append(run.w, run.bias_final), np.append(exact.w, exact.bias_final)) <= (
        leap.error
    )


# --- what ends a leap, or begins none ----------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov"])
def test_rates_that_are_not_stable_are_not_leaped_over(optimizer):
    X, y = fg.datasets.gaussian_noise(30, 3, sigma=1.0, seed=4).X, np.ones(30)
    y[:12] = -1.0
    lr = 1.3 * fg.stable_lr(X, y, optimizer=optimizer, weight_decay=0.01)
    how = {"optimizer": optimizer, "weight_decay": 0.01, "lr": lr, "steps": 20_000}
    auto = train_quietly(X, y, **how, record=[20_000])
    exact = train_quietly(X, y, **how, record=[20_000], engine="exact")
    got, right = np.append(auto.w, auto.bias_final), np.append(exact.w, exact.bias_final)
    assert difference(got, right) <= RTOL


@pytest.mark.parametrize("decay", [0.0, 1e-3])
@pytest.mark.parametrize(
    "schedule",
    [
        fg.schedules.warmup(50),
        fg.schedules.warmup(3000),
        fg.schedules.cosine(2000, 0.1),
        fg.schedules.cosine(2000),
        fg.schedules.cosine(7),
    ],
    ids=str,
)
def test_leaps_begin_behind_the_last_kink(schedule, decay):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = np.where(X[:, 0] > -0.3, 1.0, -1.0)
    options = {
        "steps": 100_000, "lr": 0.3, "record": [10_000, 100_000], "keep_weights": True,
        "schedule": schedule, "weight_decay": decay,
    }  # fmt: skip
    leaped, exact = (fg.train(X, y, engine=engine, **options) for engine in ("leap", "exact"))
    first, error = leaped.engine.leaps[0].first, max(leap.error for leap in leaped.engine.leaps)
    assert schedule(first - 10 * 4) == schedule(1e6)
    assert leaped.engine.exact_steps < 20_000
    for found, expected in zip(leaped.weights, exact.weights, strict=True):
        off = np.abs(found - expected)
        assert np.linalg.norm(off[:-1]) <= error * np.linalg.norm(expected[:-1])
        assert off[-1] <= error * max(abs(expected[-1]), 1.0)
    assert error <= 1e-8
