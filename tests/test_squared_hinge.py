"""Runs of the squared hinge: rows beyond margin 1 add nothing, and descent comes to an end."""

import numpy as np
import pytest
from scipy.optimize import minimize

import fastgrok as fg
import reference
from cases import problem, separable
from runs import assert_same_bits, polling_always, train_quietly

HINGE = "squared_hinge"


def test_a_long_step_beyond_all_margins_is_the_last():
    X, y = np.array([[1.0], [-2.0], [-3.0]]), np.array([1.0, -1.0, -1.0])
    run = train_quietly(
        X, y, steps=10, lr=0.25, loss=HINGE, reduction="sum", record=1, bias=False,
        keep_weights=True,
    )  # fmt: skip
    # From 0: lr 2 (1 + 2 + 3) = 3, where no margin is below 3.
    assert run.weights[:, 0].tolist() == [0.0] + [3.0] * 10
    assert run.loss.tolist() == [3.0] + [0.0] * 10
    # At step 0 each row has a third of the slopes; afterwards there are none, and that holds on.
    assert run.phases([0]).t1 is None
    assert run.phases([0, 1]).t1 == 1


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("d", [2, 20])
def test_descent_converges_to_the_optimum_where_data_are_not_separable(d, bias):
    X, y = problem(300, d)
    y[::5] *= -1.0
    run = fg.train(X, y, steps=20_000, lr="auto", loss=HINGE, reduction="sum", bias=bias)
    Z = np.column_stack([X, np.full(len(y), float(bias))])

    def value(u):
        short = np.maximum(0.0, 1.0 - y * (Z @ u))
        return short @ short, -2.0 * (short * y) @ Z

    best = minimize(value, np.zeros(d + 1), jac=True, method="BFGS", options={"gtol": 1e-11})
    # Newton's steps, whose rows do not change any more, end what a line search leaves.
    u = best.x
    for _ in range(5):
        below = y * (Z @ u) < 1.0
        u = u + np.linalg.lstsq(Z[below], y[below] - Z[below] @ u)[0]
    np.testing.assert_allclose([*run.w, run.bias_final], u, rtol=1e-8, atol=1e-8)
    assert run.loss[-1] == pytest.approx(value(u)[0], rel=1e-12)
    assert run.loss[-1] > 1.0


def test_what_an_exponential_tail_is_needed_for_is_refused():
    X, y = separable(50, 2)
    options = {"lr": 1e-3, "loss": HINGE}
    lacks = "leaps need a continuous second derivative, which loss='squared_hinge' has not"
    assert fg.train(X, y, steps=10_000, **options).engine.reason == lacks
    with pytest.raises(ValueError, match=lacks):
        fg.train(X, y, steps=10_000, engine="leap", **options)
    with pytest.raises(ValueError, match=r"none is leaped \(loss='squared_hinge'\), got 1e\+60"):
        fg.train(X, y, steps=1e60, **options)
    with pytest.raises(ValueError, match="limits of directions need slopes that fall off like"):
        fg.train(X, y, steps=10, **options).plot(limit="auto")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_stable_rate_is_that_of_curvature_2(reduction):
    X, y = problem(60, 5)
    Z = np.column_stack([X, np.ones(60)])
    top = 2.0 * np.linalg.norm(Z, 2) ** 2 * reference.scale(60, reduction)
    rate = fg.stable_lr(X, y, loss=HINGE, reduction=reduction)
    assert 2.0 / top * (1.0 - 2e-7) < rate <= 2.0 / top
    run = fg.train(X, y, steps=500, lr=0.999 * rate, loss=HINGE, reduction=reduction, record=1)
    assert run.sharpness[0] == pytest.approx(2 * 0.999, rel=1e-6)
    assert np.all(np.diff(run.loss) <= 1e-14 * run.loss[0])


def test_checkpoints_many_runs_and_refined_times(tmp_path):
    X, y = separable(200, 3)
    evals = {"test": problem(100, 3)}
    options = {"loss": HINGE, "steps": 3000, "lr": 2e-3, "evals": evals, "keep_weights": True}
    run = fg.train(X, y, **options)
    stopped = tmp_path / "run"

    def stop(step):
        raise KeyboardInterrupt

    with polling_always(), pytest.raises(fg.Interrupted):
        fg.train(X, y, checkpoint=stopped, checkpoint_interval=0.0, progress=stop,
                 **options | {"steps": 10**9})  # fmt: skip
    more = options | {"steps": 10**5}
    done = fg.train(X, y, checkpoint=tmp_path / "other", **more)
    assert_same_bits(done, fg.train(X, y, **more))
    assert_same_bits(fg.train(X, y, checkpoint=tmp_path / "other", **more), done)
    for again in fg.train_many([{"X": X, "y": y, **options}] * 2):
        assert_same_bits(again, run)
    level = float(run.accuracy["test"].max())
    hit = run.refine_hit("test", level)
    every = fg.train(X, y, **options | {"record": 1})
    assert hit.step == every.steps[np.argmax(every.accuracy["test"] >= level)]
