"""The sharpness of data so large that not every record has a search of its own."""

import numpy as np
import pytest

import fastgrok as fg
import reference
from runs import assert_same_bits, polling_always, train_quietly

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


def test_directions_that_turn_are_found_anew():
    """Beyond the stable rate the rows that bend change from record to record."""
    cube = fg.datasets.margin_cube((2500, 2500), dim=500, gamma=1e-3, seed=0)
    with pytest.warns(fg.StabilityWarning, match="lr=0.001 exceeds"):
        run = fg.train(cube.X, cube.y, steps=5000, lr=1e-3, reduction="sum", engine="exact",
                       record=np.unique(np.geomspace(1, 5000, 40).astype(int)),
                       keep_weights=True)  # fmt: skip
    expected = np.array(
        [1e-3 * reference.curvature(cube.X, cube.y, u[:-1], u[-1], "logistic")
         for u in run.weights]
    )  # fmt: skip
    assert (run.sharpness <= expected * (1.0 + 1e-9)).all()
    assert (run.sharpness >= 0.85 * expected).all()


@pytest.mark.parametrize(
    ("engine", "rows", "lr"),
    [("exact", N, 0.5), ("leap", N, 0.5), ("exact", 700, 20.0), ("leap", 700, 0.5)],
)
def test_records_do_not_depend_on_which_are_made_together(engine, rows, lr, tmp_path):
    """Of 700 rows the first searches, at iterates and at means of two, go on to their end."""
    X, y = (array[:rows] for array in data())
    options = {"steps": 3000 if engine == "exact" else 10**6, "lr": lr, "engine": engine}
    together = train_quietly(X, y, **options)
    with polling_always():  # a file at every poll takes the records so far
        alone = train_quietly(X, y, **options, checkpoint=tmp_path / "run", checkpoint_interval=0)
    assert_same_bits(alone, together)
    assert (together.sharpness_mean != together.sharpness).any() == (lr == 20.0)
    steps = together.steps
    some = train_quietly(X, y, **options, record=steps[: steps.size // 2])  # and the last
    np.testing.assert_array_equal(some.sharpness[:-1], together.sharpness[: some.steps.size - 1])


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_where_nothing_bends_it_is_zero(loss):
    """The hinge nowhere, its square nowhere once all rows are beyond margin 1."""
    X, _ = data()
    w0 = 0.0 if loss == "hinge" else 1e3
    run = fg.train(np.abs(X), np.ones(N), steps=1000, lr=1e-3, loss=loss, record=2,
                   w0=np.full(DIM, w0), engine="exact")  # fmt: skip
    np.testing.assert_array_equal(run.sharpness, np.zeros(501))


def test_curvatures_beyond_float64_are_nan():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20)) * 1e160
    run = fg.train(X, np.where(X[:, 0] > 0.0, 1, -1), steps=10, lr=1e-320, record=1)
    assert np.isnan(run.sharpness).all()
