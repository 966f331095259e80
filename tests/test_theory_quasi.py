"""Late times of runs on data of which only some rows can be separated."""

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, nnls
from scipy.special import expit

import fastgrok as fg
from fastgrok import plots
from fastgrok.theory import bias

TABLE = pd.read_csv(Path(__file__).parent / "data" / "endometrial.csv")


def test_endometrial_to_1e20_steps():
    X, y = TABLE[["NV", "PI", "EH"]], 2 * TABLE["HG"] - 1
    times = np.array([1e8, 1e12, 1e16, 1e20])
    run = fg.train(X, y, steps=1e20, lr=0.01, record=times, keep_weights=True)
    found = bias.late_time(X, y, 0.01)
    np.testing.assert_array_equal(found.support, np.flatnonzero(TABLE["NV"]))
    assert [*found.w_hat, found.b_hat] == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-14)
    # The estimates that are finite, as published with these data.
    assert [*found.w_tilde[1:], found.b_tilde] == pytest.approx(
        [-0.0422, -2.9026, 4.3045], abs=5e-5
    )
    assert found.rates == pytest.approx([1.0])
    theta = run.weights[-4:]
    off = theta - np.column_stack(found.at(times))
    np.testing.assert_array_less(np.abs(off).max(axis=1), [1e-3, 1e-6, 1e-8, 1e-8])
    # The finite part is there as 1 / t.
    np.testing.assert_allclose(off[1, 1:], 1e-4 * off[0, 1:], rtol=0.05)


def partly_separated(rng, n=60, d=3, flags=2):
    """Numbers that overlap, flags that only one class has, and all of it mixed."""
    X = rng.normal(size=(n, d))
    y = np.where(X[:, 0] + rng.logistic(size=n) > 0.0, 1.0, -1.0)
    extra = np.zeros((n, flags))
    for k in range(flags):
        extra[rng.choice(np.flatnonzero(y == (-1) ** k), 4, replace=False), k] = rng.uniform(
            1, 2, 4
        )
    # Short numbers and a map of integers, so that the other rows stay in a subspace exactly.
    turn = np.eye(d + flags) + np.triu(rng.integers(-1, 2, size=(d + flags, d + flags)), 1)
    return np.round(8 * np.hstack([X, extra])) / 8 @ turn, y


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", ["logistic", "exponential"])
def test_runs_end_on_the_expansion(seed, loss):
    X, y = partly_separated(np.random.default_rng(seed))
    found = bias.late_time(X, y, 0.05, loss=loss)
    separated = fg.separation(X, y)
    assert separated.kind == "quasi-complete"
    np.testing.assert_array_equal(found.overlap, separated.overlap)
    # The finite part by another minimiser.
    inside = y[found.overlap, None] * np.column_stack([X, np.ones(len(X))])[found.overlap]
    losses = {"logistic": lambda m: np.logaddexp(0.0, -m), "exponential": lambda m: np.exp(-m)}
    best = minimize(lambda v: losses[loss](inside @ v).sum(), np.zeros(6), tol=1e-12)
    theta_tilde = np.append(found.w_tilde, found.b_tilde)
    np.testing.assert_allclose(inside @ theta_tilde, inside @ best.x, rtol=0, atol=1e-4)
    # The growing part leaves the overlap alone, and is a nonnegative combination of the rest.
    theta_hat = np.append(found.w_hat, found.b_hat)
    np.testing.assert_allclose(inside @ theta_hat, 0.0, atol=1e-12)
    rest = y[separated.rows, None] * np.column_stack([X, np.ones(len(X))])[separated.rows]
    assert (rest @ theta_hat).min() == pytest.approx(1.0)
    _, left = nnls(
        np.vstack([rest[np.isclose(rest @ theta_hat, 1.0)], inside, -inside]).T, theta_hat
    )
    assert left < 1e-10
    times = [1e20, 1e40, 1e160]
    run = fg.train(
        X, y, steps=1e160, lr=0.05, loss=loss, record=times, keep_weights=True, rtol=1e-10,
        watch_sharpness=False,
    )  # fmt: skip
    # Across the overlap and the support vectors the constant is another for each start.
    seen = np.vstack([inside, np.column_stack([X, np.ones(len(X))])[found.support]])
    left = run.weights[-3:] - np.column_stack(found.at(times))
    off = np.abs(seen @ left.T).max(axis=0)
    assert found.finite
    rate = min(found.rates[0], found.excess, 1.0)
    np.testing.assert_array_less(off, 1e-7 + 1e2 * np.array(times) ** -rate)


def overlapping(n, far=()):
    """One column of numbers that overlap, some far on their own side, and a flag of one class."""
    rng = np.random.default_rng(n)
    x = np.round(rng.normal(size=n), 2)
    y = np.where(x + rng.logistic(size=n) > 0.0, 1.0, -1.0)
    flag = np.zeros(n)
    flag[np.flatnonzero(y > 0)[:4]] = 1.0
    x, y = np.append(x, np.abs(far)), np.append(y, np.sign(far))
    x[n:] *= y[n:]
    return np.column_stack([x, np.append(flag, np.zeros(len(far)))]), y


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("far", [60.0, 1e3, 1e5])
def test_rows_far_on_their_side_do_not_matter(far, loss):
    """Their slopes and curvatures are below the least positive number."""
    X, y = overlapping(50)
    found = bias.late_time(*overlapping(50, [far, -far]), 0.1, loss=loss, reduction="sum")
    expected = bias.late_time(X, y, 0.1, loss=loss, reduction="sum")
    theta, known = ([*late.w_tilde, late.b_tilde] for late in (found, expected))
    np.testing.assert_allclose(theta, known, rtol=1e-7 if far == 60.0 else 1e-9)
    np.testing.assert_array_equal(found.w_hat, expected.w_hat)


def test_many_rows_take_memory_in_proportion():
    X, y = overlapping(3000)
    tracemalloc.start()
    found = bias.late_time(X, y, 0.1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.5 * 8 * 3000**2
    z = y[:, None] * np.column_stack([X, np.ones(3000)])
    margins = z[found.overlap] @ [*found.w_tilde, found.b_tilde]
    assert np.abs(expit(-margins) @ z[found.overlap]).max() < 1e-9


def test_what_cannot_be_separated_at_all_is_still_refused():
    with pytest.raises(fg.NotSeparableError, match="not separable"):
        bias.late_time([[0.0], [1.0], [2.0]], [1, -1, 1], 0.1)
    with pytest.raises(ValueError, match="loss must be one of"):
        bias.late_time([[0.0], [1.0]], [1, -1], 0.1, loss="hinge")


def test_alignment_and_limits_of_a_run():
    X, y = TABLE[["NV", "PI", "EH"]], 2 * TABLE["HG"] - 1
    other = fg.datasets.gaussian_noise(40, 3, seed=1)
    run = fg.train(
        X, y, steps=1e20, lr=0.01, record=[1e4, 1e20], keep_weights=True,
        evals={"other": (other.X, other.y)},
    )  # fmt: skip
    late = bias.late_time(X, y, 0.01)
    found = run.alignment()
    theta = run.weights
    np.testing.assert_allclose(
        found[-2:], theta[-2:, 0] / np.linalg.norm(theta[-2:], axis=1), rtol=1e-12
    )
    assert "growing part of late_time: of the rows that can be separated" in repr(found)
    np.testing.assert_array_equal(np.asarray(run.alignment(late)), np.asarray(found))
    with pytest.raises(fg.NotSeparableError):
        run.alignment("linf")
    with pytest.raises(ValueError, match="solution must have 3 weights, as the run, got 1"):
        run.alignment(bias.late_time([[0.0], [0.0], [1.0]], [1, -1, 1], 0.1))
    # On which side rows end: by NV, and where that is 0 by the rest of the model.
    rest = X.to_numpy() @ late.w_tilde + late.b_tilde
    side = np.where(X["NV"] > 0, 1.0, np.sign(rest))
    logits = np.where(other.X[:, 0] != 0.0, other.X[:, 0], other.X @ late.w_tilde + late.b_tilde)
    for limit in ("auto", late):
        ax = plots.accuracy_curves(run, limit=limit)
        ends = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
        assert ends["train, limit"] == np.mean(side == y)
        assert ends["other, limit"] == np.mean(np.sign(logits) == other.y)
    with pytest.raises(ValueError, match="got one of other data"):
        run.plot(limit=bias.late_time(X, -y, 0.01))
