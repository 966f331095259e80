"""Adam against a plain NumPy Adam: values, threads, checkpoints, errors."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import fastgrok as fg
import reference
from runs import StopAt, assert_same_bits, polling_always

F64 = NDArray[np.float64]


def plain_adam(
    X: F64,
    y: F64,
    steps: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    *,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    w0: F64 | None = None,
    b0: float = 0.0,
) -> F64:
    """Parameters after 0, 1, ..., `steps` steps, by the formulas of Kingma and Ba."""
    z = y[:, None] * np.column_stack([X, np.full(len(X), float(bias))])
    scale = 1.0 / len(y) if reduction == "mean" else 1.0
    theta = np.append(np.zeros(X.shape[1]) if w0 is None else w0, b0)
    offset = 0.0 if bias else b0
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    out = [theta]
    for t in range(1, steps + 1):
        m = z @ theta + y * offset
        g = scale * (reference.loss_slope(m, loss) @ z)
        first = beta1 * first + (1.0 - beta1) * g
        second = beta2 * second + (1.0 - beta2) * g**2
        theta = theta - lr * (first / (1.0 - beta1**t)) / (np.sqrt(second / (1.0 - beta2**t)) + eps)
        out.append(theta)
    return np.array(out)


def random_data(seed: int, rows: int, dim: int) -> tuple[F64, F64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, dim)), np.where(rng.random(rows) < 0.5, -1.0, 1.0)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(2, 60),
    dim=st.sampled_from([1, 2, 3, 15, 16, 17, 33]),
    lr=st.sampled_from([1e-3, 1e-2, 0.1]),
    betas=st.tuples(st.sampled_from([0.0, 0.8, 0.9]), st.sampled_from([0.9, 0.999])),
    loss=st.sampled_from(list(reference.LOSSES)),
    reduction=st.sampled_from(["mean", "sum"]),
    bias=st.booleans(),
)
def test_agrees_with_numpy(
    seed: int,
    rows: int,
    dim: int,
    lr: float,
    betas: tuple[float, float],
    loss: str,
    reduction: str,
    bias: bool,
) -> None:
    X, y = random_data(seed, rows, dim)
    start: dict[str, Any] = {"w0": np.linspace(-0.5, 0.5, dim), "b0": 0.25}
    common: dict[str, Any] = {"loss": loss, "reduction": reduction, "bias": bias, **start}
    # A large eps keeps rounding from being blown up where a gradient is nearly zero.
    options = {"beta1": betas[0], "beta2": betas[1], "eps": 1e-3}
    run = fg.train(
        X, y, steps=20, lr=lr, optimizer="adam", optimizer_options=options, record=1,
        keep_weights=True, **common,
    )  # fmt: skip
    assert run.weights is not None
    expected = plain_adam(X, y, 20, lr, betas[0], betas[1], 1e-3, **common)
    np.testing.assert_allclose(run.weights, expected, rtol=1e-8, atol=1e-8)


def test_first_step_is_the_learning_rate() -> None:
    X, y = random_data(3, 50, 20)
    run = fg.train(X, y, steps=1, lr=0.01, optimizer="adam")
    np.testing.assert_allclose(np.abs(run.w), 0.01, rtol=1e-3)
    assert abs(run.bias_final) == pytest.approx(0.01, rel=1e-3)


def test_default_options_and_lr_among_them() -> None:
    X, y = random_data(4, 50, 5)
    run = fg.train(X, y, steps=20, lr=0.01, optimizer="adam")
    expected = plain_adam(X, y, 20, 0.01, 0.9, 0.999, 1e-8)[-1]
    np.testing.assert_allclose(run.w, expected[:-1], rtol=1e-7)
    other = fg.train(
        X, y, steps=20, lr=5.0, optimizer="adam",
        optimizer_options={"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    )  # fmt: skip
    assert_same_bits(other, run)
    assert {"optimizer": "adam", "lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}.items() <= (
        run.params.items()
    )
    assert "Adam" in str(run)


@pytest.mark.parametrize("shape", [(20_000, 5), (4000, 160)])
def test_bits_do_not_depend_on_threads_skipping_or_company(shape: tuple[int, int]) -> None:
    X, y = random_data(5, *shape)
    problem: dict[str, Any] = {"X": X, "y": y, "steps": 12, "lr": 0.05, "optimizer": "adam"}
    alone = fg.train(**problem, threads=1)
    divided = fg.train(**problem, threads=3)
    assert divided.engine.threads > 1
    assert_same_bits(divided, alone)
    assert_same_bits(fg.train(**problem, skip_rows=True), alone)
    plain = {**problem, "optimizer": "gd"}
    together = fg.train_many([problem, plain, problem], threads=2)
    assert_same_bits(together[0], alone)
    assert_same_bits(together[2], alone)
    assert_same_bits(together[1], fg.train(**plain, threads=1))


def test_rows_far_from_the_hyperplane_count() -> None:
    # One row alone drives the second weight; its gradient is 2^-80 of the first's, which plain
    # descent may leave out and Adam may not.
    X = np.array([[1.0, 0.0], [60.0, 1.0]])
    y = np.ones(2)
    run = fg.train(
        X, y, steps=1, lr=1e-3, w0=[1.0, 0.0], bias=False, optimizer="adam",
        optimizer_options={"eps": 1e-300},
    )  # fmt: skip
    np.testing.assert_allclose(run.w, [1.001, 0.001], rtol=1e-12)


def test_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path: Path) -> None:
    X, y = random_data(6, 400, 20)
    options: dict[str, Any] = {
        "steps": 3000, "lr": 0.01, "optimizer": "adam",
        "optimizer_options": {"beta1": 0.8, "beta2": 0.9},
    }  # fmt: skip
    whole = fg.train(X, y, **options)
    file = tmp_path / "adam.checkpoint"
    with polling_always(), pytest.raises(fg.Interrupted) as stop:
        fg.train(X, y, **options, progress=StopAt(200), checkpoint=file, checkpoint_interval=0.0)
    assert 0 < stop.value.step < 3000
    assert_same_bits(fg.train(X, y, **options, checkpoint=file), whole)


def test_checkpoint_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    X, y = random_data(7, 50, 3)
    file = tmp_path / "run.checkpoint"
    fg.train(X, y, steps=10, lr=0.1, checkpoint=file)
    with pytest.raises(fg.CheckpointError, match=r"optimizer was 'gd', is 'adam'"):
        fg.train(X, y, steps=10, lr=0.1, optimizer="adam", checkpoint=file)
    other = tmp_path / "adam.checkpoint"
    fg.train(X, y, steps=10, lr=0.1, optimizer="adam", checkpoint=other)
    with pytest.raises(fg.CheckpointError, match=r"beta1 was 0\.9, is 0\.8"):
        fg.train(
            X, y, steps=10, lr=0.1, optimizer="adam", optimizer_options={"beta1": 0.8},
            checkpoint=other,
        )  # fmt: skip


def test_divergence_is_told() -> None:
    X, y = random_data(8, 50, 3)
    with pytest.raises(fg.DivergenceError):
        fg.train(X, y, steps=10, lr=1e308, loss="exponential", optimizer="adam")


@pytest.mark.parametrize("start", [-250.0, -350.0])
def test_gradients_whose_squares_overflow_are_told(start: float) -> None:
    # Their running mean would stay infinite, and every step be 0.
    with pytest.raises(
        fg.DivergenceError, match="a weight or a squared gradient became NaN or infinite at step 1"
    ) as caught:
        fg.train(
            [[1.0], [2.0]], [1.0, 1.0], steps=100, lr=0.01, loss="exponential", w0=[start],
            optimizer="adam",
        )  # fmt: skip
    assert caught.value.step == 1
    assert caught.value.trajectory.steps.tolist() == [0]


def test_gradients_whose_squares_are_just_finite_are_followed() -> None:
    X, y, w0 = np.array([[1.0], [2.0]]), np.ones(2), np.array([-170.0])
    run = fg.train(X, y, steps=20, lr=0.01, loss="exponential", w0=w0, optimizer="adam")
    expected = plain_adam(X, y, 20, 0.01, 0.9, 0.999, 1e-8, loss="exponential", w0=w0)
    np.testing.assert_allclose(run.w, expected[-1, :-1], rtol=1e-12)
    assert run.w[0] > -170.0 + 0.1


def test_no_warning_of_a_limit_that_is_not_its_own() -> None:
    X, y = random_data(9, 50, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = fg.train(X, y, steps=10, lr=100.0, optimizer="adam")
    assert run.sharpness[0] > 2.0


def test_saved_and_loaded(tmp_path: Path) -> None:
    X, y = random_data(10, 30, 2)
    run = fg.train(X, y, steps=10, lr=0.1, optimizer="adam")
    run.save(tmp_path / "run.npz")
    assert fg.Trajectory.load(tmp_path / "run.npz").params == run.params


def test_refine_is_refused() -> None:
    X, y = random_data(11, 30, 2)
    run = fg.train(X, y, steps=100, lr=0.1, optimizer="adam", keep_weights=True)
    with pytest.raises(ValueError, match="from w and b alone"):
        run.refine("train", X, y, None)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"optimizer": "sgd"}, ValueError, "optimizer must be one of .*, got 'sgd'"),
        ({"optimizer": 3}, TypeError, "optimizer must be one of"),
        ({"optimizer_options": {"beta1": 0.9}}, ValueError, "left out with optimizer='gd'"),
        ({"optimizer": "adam", "optimizer_options": 1}, TypeError, "must be a dict or None"),
        (
            {"optimizer": "adam", "optimizer_options": {"beta3": 0.9}},
            ValueError,
            "may hold lr, beta1, beta2 and eps, got 'beta3'",
        ),
        (
            {"optimizer": "adam", "optimizer_options": {"beta1": 1.0}},
            ValueError,
            r"optimizer_options\['beta1'\] must lie in \[0, 1\), got 1.0",
        ),
        (
            {"optimizer": "adam", "optimizer_options": {"beta2": -0.1}},
            ValueError,
            r"\['beta2'\] must lie in \[0, 1\)",
        ),
        (
            {"optimizer": "adam", "optimizer_options": {"eps": 0.0}},
            ValueError,
            r"\['eps'\] must be greater than 0",
        ),
        (
            {"optimizer": "adam", "optimizer_options": {"lr": "x"}},
            TypeError,
            r"\['lr'\] must be a real number",
        ),
        ({"optimizer": "adam", "engine": "leap"}, ValueError, "with optimizer='adam'"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    X, y = random_data(12, 20, 2)
    with pytest.raises(error, match=message):
        fg.train(X, y, **{"steps": 10, "lr": 0.1, **changes})
