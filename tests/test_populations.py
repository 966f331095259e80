"""Populations as evaluation sets of a run."""

import math

import numpy as np
import pytest

import fastgrok as fg
from cases import problem
from fastgrok.theory.bias import Slab, concentrated_accuracy
from fastgrok.theory.edge import GaussianNoise, population_accuracy, population_loss
from runs import StopAt, assert_same_bits, polling_always, train_quietly

OPTIONS = {"steps": 3000, "lr": 0.05}


@pytest.fixture(scope="module")
def cube():
    return fg.datasets.margin_cube((200, 200), dim=2, gamma=1e-2, seed=0)


def run_on(cube, **options):
    return fg.train(cube.X, cube.y, **{**OPTIONS, **options})


@pytest.mark.parametrize(("loss", "reduction"), [("logistic", "mean"), ("exponential", "sum")])
def test_gaussian_noise_against_its_formulas_and_samples(loss, reduction):
    data = fg.datasets.gaussian_noise(200, 90, sigma=2.0, seed=1)
    fresh = fg.datasets.gaussian_noise(20_000, 90, sigma=2.0, seed=2)
    rate = 0.02 if reduction == "mean" else 1e-4
    run = fg.train(
        data.X, data.y, steps=3000, lr=rate, loss=loss, reduction=reduction,
        evals={"population": GaussianNoise(2.0), "sample": fresh},
    )  # fmt: skip
    expected = population_accuracy(run.norm_w, run.b, 2.0)
    np.testing.assert_array_equal(run.accuracy["population"], expected)
    np.testing.assert_array_equal(
        run.losses["population"], population_loss(run.norm_w, run.b, 2.0, loss)
    )
    later = run.steps > 0
    slack = 5 * 0.5 / math.sqrt(20_000)
    difference = run.accuracy["population"] - run.accuracy["sample"]
    assert np.abs(difference[later]).max() < slack
    per_point = run.losses["sample"] / (1 if reduction == "mean" else 20_000)
    steady = run.norm_w < 0.5  # beyond, a mean of exponentials is that of a few points
    np.testing.assert_allclose(run.losses["population"][steady], per_point[steady], rtol=0.05)
    assert run.accuracy["population"][0] == 0.0
    assert np.ptp(run.accuracy["population"][later]) > 0.1


def test_slab_against_samples_and_the_aligned_formula(cube):
    fresh = fg.datasets.concentrated((20_000, 20_000), dim=2, gamma=1e-2, seed=3)
    run = run_on(cube, evals={"slab": Slab(1e-2), "sample": fresh})
    assert run.weights.shape == (run.steps.size, 3)
    later = run.steps > 0
    difference = run.accuracy["slab"] - run.accuracy["sample"]
    assert np.abs(difference[later]).max() < 5 * 0.5 / math.sqrt(40_000)
    np.testing.assert_allclose(run.losses["slab"], run.losses["sample"], rtol=0.02)
    w = np.outer(np.geomspace(1, 1e4, 5), np.ones(2))
    b = np.linspace(-0.2, 0.05, 5) * w[:, 0]
    norm = np.linalg.norm(w, axis=1)
    accuracy, _ = Slab(1e-2).curves(norm, b, w, "logistic", "wrong")
    expected = concentrated_accuracy(np.abs(b) / norm, 1e-2, dim=2)
    np.testing.assert_allclose(accuracy, expected, atol=1e-12)


def test_order_of_names_and_no_change_to_the_rest(cube):
    tests = {"slab": Slab(1e-2), "again": (cube.X, cube.y), "noise": GaussianNoise(1.0)}
    run = run_on(cube, evals=tests)
    assert list(run.losses) == list(run.accuracy) == ["train", "slab", "again", "noise"]
    assert list(run.counts) == list(run.sizes) == ["train", "again"]
    assert list(run.probabilities) == ["slab", "noise"]
    plain = run_on(cube, evals={"again": (cube.X, cube.y)})
    for name in ("train", "again"):
        np.testing.assert_array_equal(run.losses[name], plain.losses[name])
        np.testing.assert_array_equal(run.counts[name], plain.counts[name])
    np.testing.assert_array_equal(run.w, plain.w)
    assert "slab 0." in repr(run)
    with pytest.raises(ValueError, match="read-only"):
        run.probabilities["slab"][0] = 1.0


def test_tie_at_the_start(cube):
    tests = {"slab": Slab(1e-2), "noise": GaussianNoise(1.0)}
    run = run_on(cube, steps=3, tie="negative", evals=tests)
    assert run.accuracy["slab"][0] == 0.5
    assert run.accuracy["noise"][0] == 1.0


def test_grokking_times_of_a_population(cube):
    tests = {"slab": Slab(1e-2)}
    run = run_on(cube, steps=20_000, evals=tests, keep_weights=True)
    accuracy = run.accuracy["slab"]
    for eps in (0.0, 0.01):
        times = run.grokking("slab", eps=eps)
        reached = accuracy[1:] >= (1 - eps) * accuracy[1:].max() - 1e-12
        assert times.test == run.steps[1:][np.argmax(reached)]
        assert times.max_test == round(accuracy[1:].max() * 1e12)
    exact = run.refine("slab", cube.X, cube.y, tests, eps=0.01)
    every = run_on(cube, steps=int(exact.test) + 1, record=1, evals=tests)
    at = every.accuracy["slab"] >= 0.99 * accuracy[1:].max()
    assert exact.test == np.argmax(at)
    assert exact.test_bracket == (exact.test - 1, exact.test)
    with pytest.raises(ValueError, match=r"evals\['slab'\] is not what the run recorded"):
        run.refine("slab", cube.X, cube.y, {"slab": Slab(1.1e-2)}, eps=0.01)
    with pytest.raises(ValueError, match=r"evals\['slab'\] is not what the run recorded"):
        run.refine("slab", cube.X, cube.y, {"slab": (cube.X, cube.y)}, eps=0.01)


def test_phases_take_a_population_for_the_test():
    data = fg.datasets.margin_cube((200, 200), dim=2, gamma=1e-2, support=(20, 10), seed=0)
    evals = {"concentrated": Slab(1e-2)}
    run = fg.train(data.X, data.y, **OPTIONS, evals=evals, keep_weights=True)
    assert run.phases(data.support).t3 == run.grokking("concentrated").test


def test_a_saved_run_comes_back(cube, tmp_path):
    run = run_on(cube, evals={"noise": GaussianNoise(1.0), "again": (cube.X, cube.y)})
    run.save(tmp_path / "run.npz")
    loaded = fg.Trajectory.load(tmp_path / "run.npz")
    assert_same_bits(loaded, run)
    assert list(loaded.losses) == list(run.losses)


def test_tables(cube):
    run = run_on(cube, evals={"noise": GaussianNoise(1.0), "again": (cube.X, cube.y)})
    frame = run.to_pandas()
    np.testing.assert_array_equal(frame["accuracy_noise"], run.accuracy["noise"])
    assert "correct_again" in frame
    assert "correct_noise" not in frame
    table = run.to_xarray()
    assert list(table["dataset"].values) == ["train", "noise", "again"]
    noise = table.sel(dataset="noise")
    np.testing.assert_array_equal(noise["accuracy"], run.accuracy["noise"])
    assert np.isnan(noise["size"])
    assert np.isnan(noise["correct"]).all()
    np.testing.assert_array_equal(table.sel(dataset="again")["correct"], run.counts["again"])
    assert run_on(cube, steps=5).to_xarray()["correct"].dtype == np.int64


def test_a_stopped_run_has_them_too(cube, tmp_path):
    tests = {"slab": Slab(1e-2), "noise": GaussianNoise(1.0)}
    file = tmp_path / "run.checkpoint"
    whole = run_on(cube, steps=10**5, evals=tests, engine="exact")
    with polling_always(), pytest.raises(fg.Interrupted) as stopped:
        run_on(cube, steps=10**5, evals=tests, engine="exact", progress=StopAt(20), checkpoint=file)
    records = stopped.value.trajectory.steps.size
    assert 0 < records < whole.steps.size
    np.testing.assert_allclose(
        stopped.value.trajectory.accuracy["slab"], whole.accuracy["slab"][:records], rtol=1e-12
    )
    again = run_on(cube, steps=10**5, evals=tests, engine="exact", checkpoint=file)
    assert_same_bits(again, whole)


def test_a_checkpoint_does_not_depend_on_populations(cube, tmp_path):
    file = tmp_path / "run.checkpoint"
    run_on(cube, evals={"noise": GaussianNoise(1.0)}, checkpoint=file)
    other = run_on(cube, evals={"other": GaussianNoise(3.0)}, checkpoint=file)
    expected = population_accuracy(other.norm_w, other.b, 3.0)
    np.testing.assert_array_equal(other.accuracy["other"], expected)
    with pytest.raises(fg.CheckpointError, match="keep_weights was False, is True"):
        run_on(cube, evals={"slab": Slab(1e-2)}, checkpoint=file)


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("record", [1, [100]])
def test_a_diverged_run_has_them_too(columns, record):
    X, y = problem(40, columns)
    tests = {"noise": GaussianNoise(1.0), "slab": Slab(1e-2)}
    with pytest.raises(fg.DivergenceError) as stopped:
        train_quietly(
            X, y, steps=100, lr=30.0, loss="exponential", record=record, evals=tests, b0=-1.0
        )
    run = stopped.value.trajectory
    assert (run.steps.size > 0) == (record == 1)
    for name in tests:
        assert run.accuracy[name].shape == run.losses[name].shape == run.steps.shape
        assert np.all((run.accuracy[name] >= 0.0) & (run.accuracy[name] <= 1.0))


def test_names_are_checked(cube):
    with pytest.raises(ValueError, match="evals can't have the name 'train'"):
        run_on(cube, evals={"train": GaussianNoise(1.0)})
    with pytest.raises(TypeError, match="evals must have strings for names, got 3"):
        run_on(cube, evals={3: GaussianNoise(1.0)})
    with pytest.raises(ValueError, match="test is 'slab', but this run recorded only 'train'"):
        run_on(cube, steps=5, evals={"noise": GaussianNoise(1.0)}).grokking("slab")


def test_no_population_has_the_name_of_points(cube):
    run = run_on(cube, steps=5, evals={"noise": GaussianNoise(1.0)})
    fields = {name: getattr(run, name) for name in run.__dataclass_fields__}
    with pytest.raises(ValueError, match="must have the same names"):
        fg.Trajectory(**{**fields, "probabilities": {"train": run.probabilities["noise"]}})
    with pytest.raises(ValueError, match=r"probabilities\['noise'\] has shape"):
        fg.Trajectory(**{**fields, "probabilities": {"noise": np.zeros(3)}})


class Failing(GaussianNoise):
    def curves(self, *args):
        raise ArithmeticError("no curves")


def test_a_population_that_fails_does_not_lose_the_run(cube):
    plain = run_on(cube)
    evals = {"bad": Failing(1.0)}
    with pytest.raises(ArithmeticError, match="no curves") as caught:
        run_on(cube, evals=evals)
    assert_same_bits(caught.value.trajectory, plain)
    with pytest.raises(fg.Interrupted) as stopped, polling_always():
        run_on(cube, evals=evals, steps=10**5, progress=StopAt(20))
    assert stopped.value.trajectory.steps.size
    assert "no curves" in stopped.value.__notes__[0]

    problem = {"X": cube.X, "y": cube.y, **OPTIONS}
    with pytest.raises(ArithmeticError, match="no curves") as caught:
        fg.train_many([problem, {**problem, "evals": evals}, problem])
    assert len(caught.value.trajectories) == 3
    for run in caught.value.trajectories:
        assert_same_bits(run, plain)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_slabs_do_not_care_for_the_scale_of_the_weights(columns):
    slab, rng = Slab(1e-3), np.random.default_rng(0)
    weights = rng.normal(size=(50, columns)) + 3.0
    b = rng.normal(size=50) * 1e-2
    plain = slab.curves(np.zeros(50), b, weights, "logistic", "wrong")[0]
    for scale in (2.0**-600, 2.0**530, 2.0**1000):
        found = slab.curves(np.zeros(50), scale * b, scale * weights, "logistic", "wrong")[0]
        np.testing.assert_allclose(found, plain, rtol=1e-12)
