"""Sweeps: what the cells are called with, what comes back, and what makes no sense."""

import itertools
import sys
import warnings
from concurrent.futures import Executor, ThreadPoolExecutor
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
import sweep_cases as cases
from fastgrok.sweeps import EXPERIMENTS


def swept(run, grid, **options):
    return fg.sweep(run, grid, progress=False, **options)


def quietly(run, grid, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fg.SweepWarning)
        return swept(run, grid, **options)


@given(
    st.lists(st.integers(-9, 9), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(-9, 9), min_size=1, max_size=3, unique=True),
    st.floats(-9, 9),
)
def test_every_cell_is_what_a_loop_gives(xs, ys, z):
    found = swept(cases.plain, {"x": xs, "y": ys, "z": z})
    assert found["sum"].dims == found["product"].dims == ("x", "y")
    np.testing.assert_array_equal(found.x, xs)
    np.testing.assert_array_equal(found.y, ys)
    assert found.z.dims == ()
    assert not found.failed.any()
    for (i, x), (j, y) in itertools.product(enumerate(xs), enumerate(ys)):
        assert found["sum"].to_numpy()[i, j] == x + y
        assert found["product"].to_numpy()[i, j] == x * y * z


def test_defaults_hold_for_what_the_grid_does_not_name():
    found = swept(cases.plain, {"x": [1, 2]})
    assert found["sum"].to_numpy().tolist() == [3, 4]
    assert found["sum"].dtype == np.int64
    assert found.attrs["run"] == "sweep_cases.plain"
    assert found.attrs["fastgrok"] == fg.__version__


def test_arguments_are_of_the_types_of_the_grid():
    seen = swept(cases.flag, {"x": np.array([1, 2, 4], dtype=np.int8)})
    assert seen.even.dtype == bool
    assert seen.even.to_numpy().tolist() == [False, True, True]
    assert seen["count"].dtype == np.int32
    assert seen.single.dtype == np.float32
    assert np.isnan(seen.none).all()


def test_arrays_have_dimensions_and_coordinates():
    found = swept(cases.arrays, {"x": [1.0, 2.0], "k": range(3)})
    assert found.powers.dims == ("x", "k", "p")
    assert found.table.dims == ("x", "k", "table_0", "table_1")
    assert found.p.dims == ("p",)
    assert "p" in found.coords
    assert found.powers.sel(x=2.0, k=1, p=2) == 4.0
    np.testing.assert_array_equal(found.table.sel(x=2.0, k=2), np.full((2, 3), 4.0))


def test_one_cell_has_no_dimensions():
    one = fg.sweep("two_point", {"lam": 0.3, "sigma": 5.0}, progress=False)
    axis = fg.sweep("two_point", {"lam": [0.3, 0.4], "sigma": 5.0}, progress=False)
    assert one["time"].dims == ()
    assert float(one["time"]) == float(axis["time"][0])


def test_texts_and_booleans_are_values():
    found = quietly(cases.returned, {"x": [True, False], "what": ["fine", "number"]})
    assert found.what.to_numpy().tolist() == ["fine", "number"]
    np.testing.assert_array_equal(found.failed, [[False, True], [False, True]])


def test_failed_cells_are_nan_and_say_why():
    with pytest.warns(fg.SweepWarning, match=r"2 of 5 cells .* at x=3: ValueError: no 3 \(see"):
        found = swept(cases.fails, {"x": [1, 2, 3, 4, 6]})
    np.testing.assert_array_equal(found.value, [1, 2, np.nan, 4, np.nan])
    np.testing.assert_array_equal(found.failed, [False, False, True, False, True])
    assert found.traceback.to_numpy()[0] == ""
    assert "in fails\n" in str(found.traceback.to_numpy()[2])
    assert str(found.traceback.to_numpy()[4]).endswith("ValueError: no 6\n")


def test_all_cells_may_fail():
    with pytest.warns(fg.SweepWarning, match="1 of 1 cell failed and is NaN; the first, at x=3:"):
        found = swept(cases.fails, {"x": 3})
    assert set(found.data_vars) == {"failed", "traceback"}
    assert bool(found.failed)


def test_the_warning_points_at_the_caller():
    with pytest.warns(fg.SweepWarning) as caught:
        swept(cases.fails, {"x": [3]})
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("run", "said"), [(cases.shapes, "shape"), (cases.names, r"\['b'\]")])
def test_cells_that_do_not_fit_the_first_failed(run, said):
    with pytest.warns(fg.SweepWarning, match=said):
        found = swept(run, {"x": [1, 2, 3]})
    assert found.failed.to_numpy().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("number", "TypeError: run must return a dict of names to numbers or arrays, but .* 3.0"),
        ("text", "TypeError: run must return numbers or arrays of numbers, but 'a' is 'text'"),
        ("object", "TypeError: run must return numbers"),
        ("argument", "ValueError: run returned 'x', which is an argument"),
        ("own", "ValueError: run returned 'failed', which the sweep has itself"),
        ("key", "TypeError: run must return a dict with texts as keys, not 3"),
        ("dims", r"ValueError: run returned 'a' of shape \(2, 2\) with the dimensions \('b',\)"),
        ("taken", r"ValueError: run returned 'a' with dimensions \('x',\)"),
    ],
)
def test_what_cannot_be_kept_is_a_failure(what, said):
    with pytest.warns(fg.SweepWarning, match=said):
        swept(cases.returned, {"x": [1], "what": what})


class Callable:
    def __call__(self, x):
        return {"x": x}

    def method(self, x):
        return {"x": x}


def nested():
    return lambda x: {"y": x}


@pytest.mark.parametrize(
    ("run", "grid", "options", "error", "said"),
    [
        (cases.plain, [1, 2], {}, TypeError, r"grid must be a dict .* got \[1, 2\]"),
        (cases.plain, {}, {}, ValueError, "grid must name at least one argument"),
        (cases.plain, {3: [1]}, {}, TypeError, "grid must have names of arguments as keys, got 3"),
        (cases.plain, {"x": []}, {}, ValueError, r"grid\['x'\] must have at least one value"),
        (cases.plain, {"x": [1, 2, 1]}, {}, ValueError, r"grid\['x'\] has the value 1 more than"),
        (cases.plain, {"x": [[1, 2]]}, {}, ValueError, r"grid\['x'\] must have 1 dimension"),
        (cases.plain, {"x": [1, "a"]}, {}, TypeError, r"grid\['x'\] must hold values of one kind"),
        (cases.plain, {"x": None}, {}, TypeError, r"grid\['x'\] must be a list .* got None"),
        (cases.plain, {"x": {1, 2}}, {}, TypeError, r"grid\['x'\] must be a list"),
        (cases.plain, {"x": [1j]}, {}, TypeError, r"grid\['x'\] must hold .* got dtype complex"),
        (cases.plain, {"x": [1], "yy": 1}, {}, TypeError, "'yy', .* no argument of sweep_cases.pl"),
        (cases.plain, {"y": [1]}, {}, TypeError, "grid lacks 'x', which sweep_cases.plain needs"),
        ("edgy", {"lam": [0.1]}, {}, ValueError, "run must be one of 'edge', 'limits', .* 'edgy'"),
        ("edge", {"lambd": [0.1]}, {}, TypeError, "grid names 'lambd'"),
        (7, {"x": [1]}, {}, TypeError, "run must be a function, or the name of an experiment"),
        (nested(), {"x": [1]}, {}, ValueError, "run must be a top-level function"),
        (Callable(), {"x": [1]}, {}, TypeError, "run must be a top-level function"),
        (Callable().method, {"x": [1]}, {}, TypeError, "run must be a top-level function"),
        (Callable, {"x": [1]}, {}, TypeError, "run must be a top-level function"),
        (max, {"x": [1]}, {}, TypeError, "run must be a function"),
        (cases.plain, {"x": [1]}, {"progress": 1}, TypeError, "progress must be True or False"),
        (cases.plain, {"x": [1]}, {"executor": 4}, TypeError, "executor must be None, a concurr"),
        (cases.plain, {"x": [1]}, {"store": 4}, TypeError, "store must be a path"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(run, grid, options, error, said):
    with pytest.raises(error, match=said):
        fg.sweep(run, grid, **{"progress": False, **options})


def test_a_misspelt_option_says_which_was_meant():
    with pytest.raises(TypeError, match=r"sweep\(\) has no argument 'executer' \(did you mean ex"):
        fg.sweep(cases.plain, {"x": [1]}, executer=None)


def test_without_xarray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"pip install 'fastgrok\[data\]'"):
        swept(cases.plain, {"x": [1]})


def test_the_bar_shows_what_is_done_and_failed(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fg.sweep(cases.fails, {"x": range(1, 7)})
    shown = capsys.readouterr().err
    assert "6/6" in shown
    assert "4 done, 2 failed" in shown
    assert "cell/s" in shown


def test_a_result_can_be_written_to_a_file(tmp_path):
    found = quietly(cases.fails, {"x": [1, 2, 3], "y": 0})
    found.to_netcdf(tmp_path / "found.nc")
    with xr.open_dataset(tmp_path / "found.nc") as again:
        xr.testing.assert_equal(found, again)


class InLine(Executor):
    """Computes at once, and counts."""

    def __init__(self):
        self.calls = 0
        self.pool = ThreadPoolExecutor(1)

    def submit(self, fn, /, *args, **kwargs):
        self.calls += 1
        future = self.pool.submit(fn, *args, **kwargs)
        future.exception()
        return future


def test_any_executor_will_do():
    executor = InLine()
    grid = {"x": range(5), "y": range(1, 3)}
    found = quietly(cases.fails, grid, executor=executor)
    assert executor.calls == 10
    xr.testing.assert_identical(found, quietly(cases.fails, grid))


def test_experiments_say_what_they_are():
    for name, experiment in EXPERIMENTS.items():
        assert experiment.title
        assert f'"{name}"' in fg.sweep.__doc__
        assert experiment.run.__doc__


def test_functions_that_are_none_are_told_what_to_be():
    said = {
        "got a lambda: define it by def": lambda x: x,
        r"got a partial of plain: give that, .* in the grid, \{'z': 3\}": partial(cases.plain, z=3),
        "write one that calls it": Fraction(1).limit_denominator,
    }
    for match, run in said.items():
        with pytest.raises((TypeError, ValueError), match=match):
            fg.sweep(run, {"x": [1, 2]}, progress=False)


def test_what_arrays_with_labels_say_of_themselves_is_kept():
    values = xr.DataArray([1.0, 2.0], dims="place", name="length", attrs={"units": "m"})
    single = xr.DataArray(3, attrs={"long_name": "times"})
    found = swept(cases.plain, {"x": values, "y": single})
    assert found["sum"].dims == ("x",)
    assert found.x.attrs == {"long_name": "length", "units": "m"}
    assert found.y.attrs == {"long_name": "times"}
    lam = xr.DataArray([0.3, 0.4], dims="lam", attrs={"long_name": "a ratio"})
    assert swept("two_point", {"lam": lam}).lam.attrs["long_name"] == "a ratio"
