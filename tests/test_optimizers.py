"""Every optimizer, weight decay and schedule against plain loops and PyTorch's own."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
import reference_optimizers
from cases import SEVERAL_CHUNKS, problem
from fastgrok.descent.optimizers import OPTIMIZERS
from runs import assert_same_bits, train_quietly

SCHEDULES: dict[str, Any] = {
    "constant": None,
    "power": fg.schedules.power(0.7, 20.0),
    "warmup": fg.schedules.warmup(100),
    "cosine": fg.schedules.cosine(800, 0.1),
    "callable": lambda k: 1.0 / (1.0 + 0.01 * (k % 7)),
}
FORMULAS: dict[str, Any] = {
    "constant": None,
    "power": lambda k: (1.0 + k / 20.0) ** -0.7,
    "warmup": lambda k: min(1.0, (k + 1.0) / 100.0),
    "cosine": lambda k: 0.1 + 0.45 * (1.0 + math.cos(math.pi * min(k, 800) / 800.0)),
    "callable": SCHEDULES["callable"],
}
"""The same, written out."""
# What keeps rounding from being blown up where a gradient is nearly 0.
SOFT = {"beta1": 0.8, "beta2": 0.95, "eps": 0.1}


def far_apart(path: Any, exact: Any) -> float:
    """Of the whole path, against the largest parameter so far."""
    size = np.maximum.accumulate(np.abs(exact).max(axis=1))
    error = np.abs(path - exact).max(axis=1) / np.maximum(size, 1e-300)
    return float(error[1:].max())


def path_of(X: Any, y: Any, steps: int, lr: float, **how: Any) -> Any:
    how["optimizer_options"] = how.pop("options", None)
    run = train_quietly(
        X, y, steps=steps, lr=lr, record=1, keep_weights=True, engine="exact", **how
    )
    return run.weights


# --- against plain loops ----------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(2, 40), st.sampled_from([1, 2, 3, 16, 17, 33])),
    optimizer=st.sampled_from(["gd", "momentum", "nesterov", "adam", "adamw"]),
    momentum=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    weight_decay=st.sampled_from([0.0, 1e-6, 1e-2, 1.0]),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    share=st.floats(0.01, 0.9),
    loss=st.sampled_from(["logistic", "exponential"]),
    reduction=st.sampled_from(["mean", "sum"]),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_a_thousand_steps(
    seed, shape, optimizer, momentum, weight_decay, schedule, share, loss, reduction, flags
):
    X, y = problem(*shape, seed)
    scale = 1.0 if reduction == "sum" else 1.0 / shape[0]
    rows = np.column_stack([X, np.ones(len(X))])
    # From 0 on the exponential loss falls, and with it its curvature's bound.
    curvature = 0.25 if loss == "logistic" else shape[0] * 1.0
    largest = scale * curvature * np.linalg.norm(rows, 2) ** 2 + weight_decay
    limit = {
        "momentum": 2.0 * (1.0 + momentum),
        "nesterov": (2 + 2 * momentum) / (1 + 2 * momentum),
    }
    lr = share * limit.get(optimizer, 2.0) / largest
    options = None if optimizer == "gd" else {"momentum": momentum}
    if optimizer.startswith("adam"):
        lr, options = share * 0.1, SOFT
        if loss == "exponential" or weight_decay > 0.1:
            lr *= 0.01
    how = {
        "optimizer": optimizer, "options": options, "weight_decay": weight_decay, "loss": loss,
        "schedule": SCHEDULES[schedule], "reduction": reduction, "decay_bias": flags[0],
        "bias": flags[1], "b0": 0.125,
    }  # fmt: skip
    exact = reference_optimizers.descend(X, y, 1000, lr, **how | {"schedule": FORMULAS[schedule]})
    assert far_apart(path_of(X, y, 1000, lr, **how), exact) <= 1e-12


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    optimizer=st.sampled_from(["sign", "normalized"]),
    decay=st.sampled_from([(0.0, False), (1e-4, False), (1e-4, True)]),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    loss=st.sampled_from(["logistic", "exponential"]),
)
def test_steps_of_a_length_that_is_given(seed, optimizer, decay, schedule, loss):
    # All rows push every entry the same way for ever: no sign turns.
    X = 0.5 + np.abs(problem(20, 5, seed)[0])
    how = {
        "optimizer": optimizer, "weight_decay": decay[0], "decay_bias": decay[1], "loss": loss,
        "schedule": SCHEDULES[schedule],
    }  # fmt: skip
    exact = reference_optimizers.descend(
        X, np.ones(20), 1000, 1e-3, **how | {"schedule": FORMULAS[schedule]}
    )
    assert far_apart(path_of(X, np.ones(20), 1000, 1e-3, **how), exact) <= 1e-12


def test_a_gradient_of_zero_moves_nothing():
    X, y = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, 1.0])
    for name in ("sign", "normalized", "momentum"):
        # The rows cancel in the first column, and the second has none.
        run = fg.train(X, y, steps=5, lr=0.1, optimizer=name, bias=False)
        assert not run.w.any()


# --- against PyTorch --------------------------------------------------------------------------

TORCH = {
    "gd": ("SGD", {}, {}),
    "momentum": ("SGD", {"momentum": 0.8}, {"momentum": 0.8}),
    "nesterov": ("SGD", {"momentum": 0.8, "nesterov": True}, {"momentum": 0.8}),
    "adam": ("Adam", {"betas": (0.8, 0.95), "eps": 0.1}, SOFT),
    "adamw": ("AdamW", {"betas": (0.8, 0.95), "eps": 0.1}, SOFT),
}


@pytest.mark.parametrize("weight_decay", [0.0, 0.05])
@pytest.mark.parametrize("decay_bias", [False, True])
@pytest.mark.parametrize("name", TORCH)
def test_pytorch(name, weight_decay, decay_bias):
    torch = pytest.importorskip("torch")
    X, y = problem(30, 6)
    kind, theirs, ours = TORCH[name]
    w = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    groups = [
        {"params": [w], "weight_decay": weight_decay},
        {"params": [b], "weight_decay": weight_decay * decay_bias},
    ]
    stepper = getattr(torch.optim, kind)(groups, lr=0.1, weight_decay=0.0, **theirs)
    rows, signs = torch.tensor(X), torch.tensor(y)
    path = []
    for _ in range(300):
        stepper.zero_grad()
        torch.nn.functional.softplus(-signs * (rows @ w + b), threshold=1e9).mean().backward()
        stepper.step()
        path.append(np.append(w.detach().numpy(), b.item()))
    found = path_of(
        X, y, 300, 0.1, optimizer=name, options=ours, weight_decay=weight_decay,
        decay_bias=decay_bias,
    )  # fmt: skip
    assert far_apart(found[1:], np.array(path)) <= 1e-11


@pytest.mark.parametrize("name", ["LinearLR", "CosineAnnealingLR"])
def test_schedules_of_pytorch(name):
    torch = pytest.importorskip("torch")
    w = torch.zeros(1, requires_grad=True)
    stepper = torch.optim.SGD([w], lr=1.0)
    if name == "LinearLR":
        ours = fg.schedules.warmup(10)
        theirs = torch.optim.lr_scheduler.LinearLR(stepper, start_factor=0.1, total_iters=9)
    else:
        ours = fg.schedules.cosine(10, 0.25)
        theirs = torch.optim.lr_scheduler.CosineAnnealingLR(stepper, T_max=10, eta_min=0.25)
    for k in range(10):
        assert ours(k) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
        stepper.step()
        theirs.step()


# --- same bits --------------------------------------------------------------------------------


def knobs(name: str) -> dict[str, Any]:
    return {
        "optimizer": name, "lr": 0.02, "weight_decay": 1e-3, "decay_bias": name == "nesterov",
        "schedule": SCHEDULES["warmup"] if name == "adam" else None,
    }  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shape", [SEVERAL_CHUNKS[0], SEVERAL_CHUNKS[3]])
def test_any_number_of_threads(name, shape):
    X, y = problem(*shape)
    asked = {"X": X, "y": y, "steps": 8, **knobs(name)}
    alone = train_quietly(**asked, threads=1)
    for threads in (2, 3, 8):
        assert_same_bits(train_quietly(**asked, threads=threads), alone)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dim", [3, 20])
def test_skipped_rows_change_no_bit(name, dim):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, dim))
    y = np.where(X[:, 0] > 0.0, 1.0, -1.0)
    X[:, 0] += y
    X[::2] *= 1000.0
    w0 = np.zeros(dim)
    w0[0] = 10.0
    asked = {"X": X, "y": y, "steps": 300, "w0": w0, **knobs(name), "lr": 1e-4}
    plain = train_quietly(**asked, skip_rows=False)
    assert plain.engine.row_share == 1.0
    for skip in (True, "auto"):
        run = train_quietly(**asked, skip_rows=skip)
        assert_same_bits(run, plain)
        assert (run.engine.row_share < 1.0) == ("keeps_proportions" in OPTIMIZERS[name].has)


def test_rows_are_left_out_for_the_loss_alone():
    """At rest the decay is as large as the gradient, and opposite: no row may be lost for that."""
    X = np.array([[1.0, 0.0], [-0.4, 0.0], [20.0, 1.0]])
    y = np.ones(3)
    how = {"weight_decay": 0.01, "bias": False, "lr": 0.05, "steps": 40_000}
    run = fg.train(X, y, **how, engine="exact", skip_rows=True)
    exact = reference_optimizers.descend(X, y, 40_000, 0.05, weight_decay=0.01, bias=False)[-1]
    np.testing.assert_allclose(run.w, exact[:-1].astype(float), rtol=1e-11)


@pytest.mark.parametrize("shape", [(60, 4), (4000, 160)])
def test_many_at_once(shape):
    X, y = problem(*shape)
    asked = [{"X": X, "y": y, "steps": 6, **knobs(name)} for name in OPTIMIZERS]
    asked += [
        {"X": X, "y": y, "steps": 9, "lr": 0.1, "schedule": how} for how in SCHEDULES.values()
    ]
    for one, run in zip(asked, fg.train_many(asked, threads=2), strict=True):
        assert_same_bits(run, train_quietly(**one, threads=1))


# --- schedules --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
def test_steps_are_multiplied_with_the_schedule(name):
    schedule = FORMULAS[name] or (lambda k: 1.0)
    # Every step of the only weight is the rate itself.
    run = fg.train(
        np.ones((1, 1)), np.ones(1), steps=1000, lr=2.0**-20, optimizer="sign", bias=False,
        schedule=SCHEDULES[name], record=1, keep_weights=True, loss="exponential",
    )  # fmt: skip
    factors = np.diff(run.weights[:, 0]) * 2.0**20
    expected = [schedule(k) for k in range(1000)]
    np.testing.assert_allclose(factors, expected, rtol=0.0, atol=1e-12)


def test_values_of_schedules():
    with_floor = fg.schedules.cosine(6, 0.5)
    for k in range(12):
        assert fg.schedules.power(1.5, 3.0)(k) == pytest.approx((1.0 + k / 3.0) ** -1.5, rel=1e-15)
        assert fg.schedules.warmup(5)(k) == min(1.0, (k + 1) / 5)
        wave = 0.5 * (1.0 + math.cos(math.pi * min(k, 6) / 6))
        assert with_floor(k) == pytest.approx(0.5 + 0.5 * wave, rel=1e-14)
    for schedule in (fg.schedules.power(0.5, 10.0), fg.schedules.warmup(5), with_floor):
        assert eval(f"fg.schedules.{schedule!r}") == schedule
    for k, error, message in (("1", TypeError, "^k must be a real number, got '1'"),
                              (-1, ValueError, "^k must not be negative, got -1")):  # fmt: skip
        with pytest.raises(error, match=message):
            with_floor(k)


def test_a_function_is_asked_once_a_step():
    asked = []

    def schedule(k):
        asked.append(k)
        return 0.5

    X, y = problem(10, 2)
    run = fg.train(X, y, steps=50, lr=0.2, schedule=schedule)
    assert asked == list(range(50))
    np.testing.assert_allclose(run.w, fg.train(X, y, steps=50, lr=0.1).w, rtol=1e-14)


# --- divergence -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [
    {"optimizer": "momentum"}, {"optimizer": "nesterov"}, {"weight_decay": 3.0},
    {"optimizer": "adamw", "weight_decay": 1e3}, {"schedule": lambda k: 2.0 ** min(k, 900)},
])  # fmt: skip
def test_divergence_keeps_its_records(how):
    X, y = problem(30, 3)
    asked = {"steps": 5000, "lr": 4.0, "loss": "exponential", "record": 1, **how}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(fg.DivergenceError, match="became NaN or infinite at step") as caught:
            fg.train(X, y, **asked, engine="exact")
        step = caught.value.step
        run = caught.value.trajectory
        assert run.steps.tolist() == list(range(step))
        again = fg.train(X, y, **{**asked, "steps": step - 1}, engine="exact") if step > 1 else None
    assert again is None or np.array_equal(again.w, run.w)
