"""Built-in experiments, each against what it stands for, computed by hand."""

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

import fastgrok as fg
from fastgrok.sweeps import EXPERIMENTS
from fastgrok.theory import bias, edge, two_point


def swept(run, grid, **options):
    return fg.sweep(run, grid, progress=False, **options)


def noise(lam, n, sigma, seed):
    return fg.datasets.gaussian_noise(n, round(lam * n), sigma=sigma, seed=seed)


GRID = {"lam": [0.2, 0.46, 0.7], "seed": [0, 1], "n": 60, "sigma": 4.0, "horizon": 1e6}


@pytest.fixture(scope="module")
def edges():
    return swept("edge", GRID)


def test_times_at_the_edge_lie_between_the_records_of_a_run_of_its_own(edges):
    assert not edges.failed.any()
    assert edges.time.dims == ("lam", "seed")
    for lam, seed in itertools.product(GRID["lam"], GRID["seed"]):
        data = noise(lam, 60, 4.0, seed)
        run = fg.train(data.X, data.y, steps=1e6, lr=0.01, evals={"all": edge.GaussianNoise(4.0)})
        cell = edges.sel(lam=lam, seed=seed)
        hit = run.first_hit("all", 0.95, sustained=True)
        found = fg.separability(data.X)
        if hit is not None:
            assert hit.bracket[0] * 0.999 <= cell.time <= hit.step * 1.001
            assert cell.decided
        elif found.separable and cell.limit_accuracy < 0.95:
            assert cell.time == np.inf
            assert cell.decided
        else:
            assert np.isnan(cell.time)
            assert not cell.decided
        assert float(cell.final_b) == pytest.approx(run.b[-1], rel=1e-4)
        assert float(cell.final_norm_w) == pytest.approx(run.norm_w[-1], rel=1e-4)
        expected = ndtr(-run.b[-1] / (4.0 * run.norm_w[-1]))
        assert float(cell.final_accuracy) == pytest.approx(expected, rel=1e-4)


def test_where_descent_tends_to(edges):
    """A margin from SciPy's solver, and a stationary point at which the gradient vanishes."""
    for lam, seed in itertools.product(GRID["lam"], GRID["seed"]):
        X = noise(lam, 60, 4.0, seed).X
        cell = edges.sel(lam=lam, seed=seed)
        if cell.margin > 0.0:
            assert cell.rest == np.inf
            assert float(cell.limit_accuracy) == pytest.approx(ndtr(1.0 / (4.0 * cell.margin)))
        else:
            S = edge.stationary_point(X).S
            weights = np.exp(X @ S)
            assert np.abs(weights @ X).max() < 1e-8 * weights.sum() * 4.0
            assert float(cell.rest) == pytest.approx(np.linalg.norm(S), rel=1e-6)
            assert cell.limit_accuracy == 1.0
    assert (edges.margin.sel(lam=0.7) > 0.0).all()
    assert (edges.margin.sel(lam=0.2) == 0.0).all()


def test_a_horizon_leaves_cells_undecided_and_geometry_decides_some():
    grid = {"lam": [0.3, 0.7], "seed": [0, 1], "n": 60, "sigma": 4.0, "horizon": 100}
    short = swept("edge", grid)
    assert np.isnan(short.time.sel(lam=0.3)).all()
    assert (short.time.sel(lam=0.7) == np.inf).all()
    np.testing.assert_array_equal(short.decided, [[False, False], [True, True]])
    without = swept("edge", grid | {"geometry": False})
    assert "margin" not in without
    assert np.isnan(without.time).all()
    assert not without.decided.any()


def test_limits_are_the_same_cells_and_shown_otherwise(edges, tmp_path):
    swept("edge", GRID, store=tmp_path)
    files = {path.stat().st_ino for path in tmp_path.iterdir()}
    limits = swept("limits", GRID, store=tmp_path)
    assert {path.stat().st_ino for path in tmp_path.iterdir()} == files
    for name in edges.data_vars:
        np.testing.assert_array_equal(limits[name], edges[name])
    assert limits.attrs["value"] == "final_accuracy"


def test_curves_are_those_of_training():
    found = swept("curves", {"lam": [0.3, 0.6], "seed": [0, 1], "n": 40, "horizon": 1e5})
    assert found.test_accuracy.dims == ("lam", "seed", "step")
    data = noise(0.6, 40, 5.0, 1)
    run = fg.train(
        data.X, data.y, steps=1e5, lr=0.01, record=found.step.to_numpy(),
        evals={"all": edge.GaussianNoise(5.0)},
    )  # fmt: skip
    cell = found.sel(lam=0.6, seed=1)
    np.testing.assert_allclose(cell.train_accuracy, run.accuracy["train"], atol=0.026)
    np.testing.assert_allclose(cell.test_accuracy, run.accuracy["all"], rtol=1e-4)
    np.testing.assert_allclose(cell.loss, run.loss, rtol=1e-3)
    np.testing.assert_allclose(cell.test_loss, run.losses["all"], rtol=1e-3)


def test_rates_agree_below_the_limit_of_stability():
    grid = {"factor": [0.2, 0.5, 1.0, 40.0], "n": 60, "lam": 0.2, "horizon": 3000}
    found = swept("rates", grid)
    data = noise(0.2, 60, 5.0, 0)
    np.testing.assert_allclose(found.lr, found.factor * fg.stable_lr(data.X, data.y), rtol=1e-12)
    travel = found.travel.to_numpy()
    np.testing.assert_allclose(travel[:3], travel[0], rtol=0.05)
    assert not abs(travel[3] / travel[0] - 1.0) < 0.5
    np.testing.assert_allclose(travel, found.time * found.lr)


CUBE = {
    "imbalance": [-0.6, 0.0, 0.6], "alpha": [2.0, 20.0], "eps": [0.0, 0.1], "classes": 100,
    "support": 100, "gamma": 0.01, "horizon": 1e12,
}  # fmt: skip


def test_the_cube_is_one_run_for_all_its_test_sets(monkeypatch):
    from fastgrok.sweeps import _cube  # noqa: PLC0415

    runs = []
    real = _cube.run_to
    monkeypatch.setattr(_cube, "run_to", lambda *a, **k: runs.append(real(*a, **k)) or runs[-1])
    found = swept("cube", CUBE)
    assert len(runs) == 3
    assert not found.failed.any()
    assert found.decided.all()
    for index in itertools.product(range(3), range(2), range(2)):
        cell = found.isel(dict(zip(("imbalance", "alpha", "eps"), index, strict=True)))
        alone = EXPERIMENTS["cube"].run(
            **{name: found[name].to_numpy()[i].item() for (name, i) in
               zip(("imbalance", "alpha", "eps"), index, strict=True)},
            **{k: v for k, v in CUBE.items() if not isinstance(v, list)},
        )  # fmt: skip
        for name, value in alone.items():
            np.testing.assert_array_equal(cell[name], value)


def test_times_on_the_cube_follow_the_corrected_theorem():
    """Which is about perfect accuracy late in a run, where support vectors alone matter."""
    found = swept("cube", CUBE).sel(imbalance=[-0.6, 0.6])
    for plus, k in ((20, 0), (80, 1)):
        for alpha, eps in itertools.product(CUBE["alpha"], CUBE["eps"]):
            cell = found.isel(imbalance=k).sel(alpha=alpha, eps=eps)
            expected = bias.grokking_time((plus, 100 - plus), 0.01, eps, alpha, 0.01 / 200)
            assert float(cell.predicted) == pytest.approx(float(expected), rel=1e-12)
            if eps == 0.0:
                assert float(cell.time) == pytest.approx(float(expected), rel=0.2)
    assert (found.time.sel(eps=0.0) > found.time.sel(eps=0.1)).all()


def test_times_on_the_cube_are_those_of_a_run():
    found = swept("cube", CUBE | {"imbalance": [0.6], "alpha": [3.0]})
    data = fg.datasets.margin_cube((100, 100), 2, gamma=0.01, support=(80, 20), seed=0)
    tests = {"slab": bias.Slab(0.01, 3.0)}
    run = fg.train(data.X, data.y, steps=1e12, lr=0.01, evals=tests, keep_weights=True)
    for eps in CUBE["eps"]:
        below = np.flatnonzero(run.accuracy["slab"] < 1.0 - eps - 1e-12)[-1]
        low, high = run.steps[below : below + 2]
        assert low * 0.999 <= float(found.time.sel(eps=eps).squeeze()) <= high * 1.001
    assert float(found.final_accuracy[0, 0, 0]) == pytest.approx(run.accuracy["slab"][-1], abs=1e-6)
    assert float(found.final_distance[0, 0, 0]) == pytest.approx(200 * run.distance[-1], rel=1e-3)


def test_the_two_point_model_is_that_of_the_theory():
    grid = {"lam": np.linspace(0.05, 0.7, 9), "sigma": [0.5, 2.0, 10.0], "accuracy": [0.9, 0.99]}
    found = swept("two_point", grid | {"lr": 0.01})
    for lam, sigma, accuracy in itertools.product(grid["lam"], grid["sigma"], grid["accuracy"]):
        cell = found.sel(lam=lam, sigma=sigma, accuracy=accuracy)
        expected = float(two_point.accuracy_time(accuracy, lam, sigma, 0.01))
        np.testing.assert_allclose(cell.time, expected, rtol=1e-9)
        if 0.0 < expected < np.inf:
            assert float(cell.log10_time) == pytest.approx(np.log10(expected), abs=1e-9)
            S, b = two_point.state(expected, lam, sigma, 0.01)
            assert ndtr(-b / (sigma * S)) == pytest.approx(accuracy, abs=1e-6)
    assert found.decided.all()
    one = EXPERIMENTS["two_point"].run(lam=float(grid["lam"][2]), sigma=2.0, lr=0.01, accuracy=0.9)
    for name, value in one.items():
        again = found[name].isel(lam=2, sigma=1, accuracy=0)
        np.testing.assert_allclose(again, value, rtol=1e-12)


def test_what_is_computed_together_is_so_again_when_cells_are_missing(tmp_path):
    """Last bits of the two-point model depend on it; a resumed sweep has the same."""
    grid = {"lam": np.linspace(0.05, 0.55, 30), "sigma": [0.5, 2.0, 10.0]}
    expected = swept("two_point", grid, store=tmp_path)
    for k, path in enumerate(sorted(tmp_path.iterdir())):
        if k % 7:
            path.unlink()
    xr.testing.assert_identical(swept("two_point", grid, store=tmp_path), expected)
    assert len(list(tmp_path.iterdir())) == 90


@pytest.mark.parametrize(
    ("run", "bad", "said"),
    [
        ("edge", {"lam": [-0.1, 0.3], "n": 20, "horizon": 100}, "lam must be greater than 0"),
        ("two_point", {"lam": [-0.1, 0.3]}, "lam must"),
        ("cube", {"imbalance": [-1.0, 0.2], "horizon": 100, "classes": 20, "support": 4}, "imbal"),
        ("edge", {"lam": [0.0, 0.3], "n": 20, "horizon": 100}, "lam must"),
    ],
)
def test_cells_that_make_no_sense_fail_alone(run, bad, said):
    """Also where many are computed in one go."""
    with pytest.warns(fg.SweepWarning, match=said):
        found = swept(run, bad)
    assert found.failed.to_numpy().tolist() == [True, False]


def test_variables_have_names_in_words():
    found = swept("two_point", {"lam": [0.1, 0.2]})
    assert found.time.attrs == {"long_name": "grokking time", "units": "steps"}
    assert found.lam.attrs["long_name"] == "lambda"
    assert found.attrs["value"] == "time"


@pytest.mark.parametrize(("name", "values"), [("horizon", [1e3, 1e4]), ("per_decade", [5, 10])])
def test_curves_share_their_steps(name, values):
    with pytest.raises(ValueError, match=rf"^grid\['{name}'\] must be a single value for 'curves'"):
        fg.sweep("curves", {"lam": [0.3, 0.6], name: values}, progress=False)
    found = fg.sweep("curves", {"lam": 0.3, "n": 20, "horizon": 1e3, name: values[:1]})
    assert not found.failed.any()
