"""The sharpness of data so large that not every record has a search of its own."""

import numpy as np
import pytest

import fastgrok as fg
import reference
from runs import assert_same_bits, polling_always

N, DIM = 3000, 400
STEPS = 20_000
RECORD = np.unique(np.geomspace(1, STEPS, 60).astype(int))


def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, DIM)) / np.sqrt(DIM)
    return X, np.where(X[:, 0] + 0.5 * rng.normal(size=N) > 0.0, 1.0, -1.0)


@pytest.mark.parametrize("lr", [0.5, 7.5])
def test_against_the_eigenvalues(lr):
    X, y = data()
    run = fg.train(X, y, steps=STEPS, lr=lr, record=RECORD,
                   keep_weights=True)  # fmt: skip
    expected = np.array(
        [lr / N * reference.curvature(X, y, u[:-1], u[-1], "logistic", True) for u in run.weights]
    )
    assert (run.sharpness <= expected * (1.0 + 1e-9)).all()
    assert (run.sharpness >= 0.95 * expected).all()
    assert np.median(run.sharpness / expected) > 0.99


@pytest.mark.parametrize("engine", ["exact", "leap"])
def test_records_do_not_depend_on_which_are_made_together(engine, tmp_path):
    X, y = data()
    options = {"steps": 3000 if engine == "exact" else 10**6, "lr": 0.5, "engine": engine}
    together = fg.train(X, y, **options)
    with polling_always():  # a file at every poll takes the records so far
        alone = fg.train(X, y, **options, checkpoint=tmp_path / "run", checkpoint_interval=0)
    assert_same_bits(alone, together)
    steps = together.steps
    some = fg.train(X, y, **options, record=steps[: steps.size // 2])  # and the last
    np.testing.assert_array_equal(some.sharpness[:-1], together.sharpness[: some.steps.size - 1])
