"""What the hinge and its square have in common: rows beyond margin 1 add nothing."""

import numpy as np
import pytest

import fastgrok as fg
import reference
from cases import separable
from runs import assert_same_bits

pytestmark = pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])


def rate(loss, n, reduction):
    """The hinge has no rate that is stable everywhere."""
    small = 1e-2 / (n if reduction == "sum" else 1)
    return {"hinge": small, "squared_hinge": "auto"}[loss]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [(400, 2), (300, 17), (200, 100)])
def test_every_step_is_that_of_numpy_whatever_is_skipped(loss, n, d, dtype, reduction):
    X, y = separable(n, d, dtype=dtype)
    options = {"loss": loss, "reduction": reduction, "steps": 500, "record": 1}
    options |= {"lr": rate(loss, n, reduction), "keep_weights": True}
    run = fg.train(X, y, skip_rows=True, **options)
    every = fg.train(X, y, skip_rows=False, **options)
    assert_same_bits(run, every)
    assert run.engine.row_share < 1.0 == every.engine.row_share
    path = reference.descend(
        X.astype(np.float64), y, 500, run.params["lr"], loss=loss, reduction=reduction
    )
    expected = np.column_stack(path)
    error = np.linalg.norm(run.weights - expected, axis=1)
    assert np.all(error <= 1e-12 * np.linalg.norm(expected, axis=1))


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam", "sign"])
@pytest.mark.parametrize("d", [2, 40])
def test_at_rest_nothing_is_left_and_nothing_moves(loss, d, optimizer):
    X, y = separable(200, d)
    w0 = 3.0 * np.eye(d)[0]  # margins of 3 and more
    run = fg.train(
        X, y, steps=3000, lr=0.1, loss=loss, w0=w0, b0=0.5, evals={"test": (X, -y)},
        keep_weights=True, optimizer=optimizer,
    )  # fmt: skip
    np.testing.assert_array_equal(run.weights, np.tile([*w0, 0.5], (run.steps.size, 1)))
    assert not run.loss.any()
    assert not run.sharpness.any()
    assert run.losses["test"][0] == run.losses["test"][-1] > 0.0
    assert set(run.regime) == {"smooth"}
    assert run.phases([0, 1]).t1 is None
