"""A run as an xarray data set is written by every engine and read back equal."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import fastgrok as fg
from cases import problem
from synthetic_runs import make_run

X, Y = problem(30, 3)


def runs():
    tests = {"tést": (X[:9], Y[:9]), "population": fg.theory.edge.GaussianNoise(1.0)}
    frame = pd.DataFrame(X, columns=["äge", "bmi", "dose of A"])
    settings = {"lr": 0.1, "evals": tests, "keep_weights": True}
    yield "short", fg.train(frame, Y, steps=100, **settings)
    yield "beyond 32 bits", fg.train(X, Y, steps=10**11, **settings)
    yield "beyond 53 bits", fg.train(X, Y, steps=1e60, **settings)
    yield "adam", fg.train(X, Y, steps=20, lr=0.1, bias=False, optimizer="adam")
    yield "nothing recorded", make_run(steps=(), counts={"train": ()})
    odd = {"none": None, "list": [1, 2], "deep": {"a": True}, "yes": True, "tiny": 1e-300}
    run = make_run()
    yield "settings of every kind", make_run(params=run.params | odd)


RUNS = dict(runs())


def written(path, data, engine):
    if engine == "zarr":
        data.to_zarr(path)
    else:
        data.to_netcdf(path, engine=engine)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf", "scipy", "zarr"])
def test_written_and_read_back(name, engine, tmp_path):
    run = RUNS[name]
    data = run.to_xarray()
    with warnings.catch_warnings():
        # Of the packages' own, about one another's versions and formats; ours stay errors.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", module="fastgrok")
        written(tmp_path / "run", data, engine)
        with xr.open_dataset(tmp_path / "run", engine=engine) as opened:
            again = opened.load()
    xr.testing.assert_equal(again, data)
    assert set(again.attrs) == set(data.attrs) == set(run.params)
    for key, value in run.params.items():
        if value is None or isinstance(value, list | dict):
            continue
        # As float where it is beyond 32 bits, which is all that the steps of leaps are.
        assert again.attrs[key] == (float(value) if key == "steps" else value), key
    if run.steps.size:
        np.testing.assert_array_equal(again["step"], run.steps)
        np.testing.assert_array_equal(again["regime"], run.regime)
        np.testing.assert_array_equal(again["accuracy"].sel(dataset="train"), run.accuracy["train"])


def test_attributes_are_the_settings():
    run = RUNS["settings of every kind"]
    attributes = run.to_xarray().attrs
    assert attributes["none"] == "null"
    assert attributes["list"] == "[1, 2]"
    assert attributes["deep"] == '{"a": true}'
    assert attributes["yes"] == 1
    assert not isinstance(attributes["yes"], bool)
    assert attributes["tiny"] == 1e-300
    assert isinstance(RUNS["beyond 53 bits"].to_xarray().attrs["steps"], float)


def test_a_name_that_there_is_not_lists_those_that_there_are():
    run = RUNS["short"]
    for by_name in (run.accuracy, run.losses, run.counts):
        with pytest.raises(KeyError, match="no 'test': there are 'train', 'tést'"):
            by_name["test"]
    assert "test" not in run.accuracy
    assert run.accuracy.get("test") is None
