"""Leaps of the squared loss against its closed form and against every step."""

import numpy as np
import pytest

import fastgrok as fg
from cases import problem
from fastgrok.theory import squared

RECORD = [10**5, 10**7, 10**9, 10**12]


def apart(run, w, b, X):
    """Errors at the records as leaps measure them."""
    size = np.maximum(np.linalg.norm(w, axis=-1), 1e-2 / np.linalg.norm(X, axis=1).max())
    of_w = np.linalg.norm(run.weights[:, :-1] - w, axis=1) / size
    return np.maximum(of_w, np.abs(run.weights[:, -1] - b) / np.maximum(np.abs(b), 1.0))


@pytest.mark.parametrize("options", [{}, {"weight_decay": 1e-7}, {"weight_decay": 1e-3}], ids=str)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n", "d"), [(80, 2), (60, 12), (12, 16), (90, 40), (30, 60)])
def test_records_are_those_of_the_closed_form(n, d, bias, options):
    X, y = problem(n, d)
    X *= 10.0 ** np.linspace(0.0, -2.0, d)  # directions up to 10^4 times slower than others
    rng = np.random.default_rng(d)
    options = options | {"lr": 0.4 * fg.stable_lr(X, y, loss="squared", bias=bias), "bias": bias}
    options |= {"w0": rng.normal(size=d), "b0": 0.5}
    run = fg.train(
        X, y, steps=RECORD[-1], record=RECORD, loss="squared", engine="leap", keep_weights=True,
        watch_sharpness=False, **options,
    )  # fmt: skip
    error = apart(run, *squared.state(run.steps, X, y, **options), X)
    claimed = max(leap.error for leap in run.engine.leaps)
    assert error.max() <= min(claimed, 1e-8)
    assert run.engine.leaps[0].first <= 8192
    assert run.engine.leaps[-1].last == RECORD[-1]


@pytest.mark.parametrize("steps", [1e60, 1e300])
def test_there_is_no_horizon(steps):
    X, y = problem(60, 5)
    run = fg.train(X, y, steps=steps, lr="auto", loss="squared", engine="leap", record=[steps])
    best = np.linalg.lstsq(np.column_stack([X, np.ones(60)]), y)[0]
    np.testing.assert_allclose([*run.w, run.bias_final], best, rtol=1e-8)


@pytest.mark.parametrize("d", [3, 30])
def test_weights_that_tend_to_0_are_measured_against_margins(d):
    """Of constant labels the bias alone is the solution."""
    X, _ = problem(200, d)
    y = -np.ones(200)
    lr = 0.3 * fg.stable_lr(X, y, loss="squared")
    run = fg.train(
        X, y, steps=RECORD[-1], record=RECORD, lr=lr, loss="squared", engine="leap",
        keep_weights=True, w0=np.ones(d),
    )  # fmt: skip
    assert apart(run, *squared.state(run.steps, X, y, lr, w0=np.ones(d)), X).max() < 1e-8
    assert run.bias_final == pytest.approx(-1.0, abs=1e-10)
    assert run.norm_w[-1] < 1e-10


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_leaps_that_begin_at_rest(optimizer):
    """
    By the time that the first steps are forgotten all directions have come to rest.

    What rounding leaves of the gradient, times so many steps, is no motion.
    """
    data = fg.datasets.gaussian_noise(200, 96, sigma=5.0, seed=0)
    X, y = data.X, data.y
    run = fg.train(
        X, y, steps=1e12, lr=fg.stable_lr(X, y, loss="squared") / 3.0, loss="squared",
        engine="leap", record=[10**5, 10**12], optimizer=optimizer, keep_weights=True,
        optimizer_options={"momentum": 0.99},
    )  # fmt: skip
    assert run.engine.leaps[-1].converged
    assert run.engine.exact_steps <= 54 * 2.0 / (1.0 - 0.99)
    best = np.linalg.lstsq(np.column_stack([X, np.ones(200)]), y)[0]
    assert apart(run, best[:-1], best[-1], X).max() <= 1e-8


@pytest.mark.parametrize("d", [4, 24])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "momentum"},
        {"optimizer": "nesterov", "weight_decay": 1e-5},
        {"schedule": fg.schedules.power(0.5, 100.0)},
        {"schedule": fg.schedules.power(0.8, 10.0), "weight_decay": 1e-4},
    ],
    ids=["momentum", "nesterov-decay", "power", "power-decay"],
)
def test_other_steps_are_leaped_as_well(d, options):
    X, y = problem(60, d)
    X *= 10.0 ** np.linspace(0.0, -1.5, d)
    options = options | {"steps": 100_000, "loss": "squared", "keep_weights": True}
    options |= {"lr": 0.2 * fg.stable_lr(X, y, loss="squared"), "record": [30_000, 100_000]}
    every = fg.train(X, y, engine="exact", **options)
    run = fg.train(X, y, engine="leap", **options)
    error = apart(run, every.weights[:, :-1], every.weights[:, -1], X).max()
    assert error <= min(1e-8, max(leap.error for leap in run.engine.leaps))


@pytest.mark.parametrize("d", [3, 30])
def test_directions_that_swing_decay_before_a_leap(d):
    X, y = problem(100, d)
    lr = 0.99 * fg.stable_lr(X, y, loss="squared")
    options = {"lr": lr, "loss": "squared", "engine": "leap", "keep_weights": True}
    run = fg.train(X, y, steps=10**9, record=[10, 11, 10**5, 10**9], **options)
    assert apart(run, *squared.state(run.steps, X, y, lr), X).max() < 1e-8
    assert run.regime[0] != "smooth"


def test_what_diverges_is_not_leaped():
    X, y = problem(100, 3)
    lr = 1.01 * fg.stable_lr(X, y, loss="squared")
    for engine in ("auto", "leap"):
        with pytest.raises(fg.DivergenceError):
            fg.train(X, y, steps=10**9, lr=lr, loss="squared", engine=engine)
