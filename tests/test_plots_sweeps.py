"""Phase diagrams and bands: what is drawn where, and what is not known."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from fastgrok import plots
from fastgrok.plots import _draws

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.collections import PolyCollection, QuadMesh

NAN, INF = np.nan, np.inf
FAILED = "failed"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def dataset(values, dims=("lam", "sigma"), coords=None, units="steps", failed=None, **attrs):
    values = np.array(values, dtype=np.float64)
    coords = coords or {}
    cells = [dim for dim in dims if dim != "step"]
    shape = [size for dim, size in zip(dims, values.shape, strict=True) if dim != "step"]
    broken = np.zeros(shape, dtype=bool) if failed is None else np.array(failed, dtype=bool)
    return xr.Dataset(
        {"time": (dims, values, {"units": units, **attrs}), FAILED: (cells, broken)}, coords
    )


def meshes(ax):
    return [one for one in ax.collections if isinstance(one, QuadMesh)]


def hatched(ax):
    return {
        one.get_hatch(): len(one.get_paths())
        for one in ax.collections
        if isinstance(one, PolyCollection) and one.get_hatch()
    }


def legend(ax):
    found = ax.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def test_each_value_is_where_its_coordinates_are():
    values = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    found = dataset(values, coords={"lam": [0.1, 0.3], "sigma": [1.0, 2.0, 4.0]})
    ax = plots.phase_diagram(found)
    (mesh,) = meshes(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lam", "sigma")
    np.testing.assert_array_equal(mesh.get_array(), np.transpose(values))
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [0.1, 0.2, 0.3], atol=1e-12)
    assert ax.get_yscale() == "log"  # in which these are evenly spaced
    np.testing.assert_allclose(corners[:, 0, 1], 2.0 ** np.array([0.0, 0.5, 1.5, 2.0]))
    assert mesh.cmap.name == "cividis"
    assert legend(ax) == []
    turned = plots.phase_diagram(found, x="sigma")
    np.testing.assert_array_equal(meshes(turned)[0].get_array(), values)
    assert (turned.get_xlabel(), turned.get_ylabel()) == ("sigma", "lam")


def test_what_is_no_number_is_marked_and_told_apart():
    values = [[1.0, NAN, NAN], [INF, INF, 6.0]]
    ax = plots.phase_diagram(dataset(values, failed=[[0, 0, 1], [0, 0, 0]]))
    assert legend(ax) == ["never", "undecided", "failed"]
    assert hatched(ax) == {"////": 1, "xxxx": 1}
    solid = meshes(ax)[1]
    np.testing.assert_array_equal(solid.get_array().mask, ~np.isposinf(np.transpose(values)))
    ax.figure.canvas.draw()


def test_nothing_known_is_drawn_all_the_same():
    ax = plots.phase_diagram(dataset([[NAN, NAN], [NAN, NAN]]))
    assert legend(ax) == ["undecided"]
    assert not meshes(ax)
    ax.figure.canvas.draw()


def test_contours_lie_at_decades():
    steps = 10.0 ** np.array([[0.0, 1.5, 3.0], [0.5, 2.0, 3.5], [1.0, 2.5, 4.0]])
    for contours, expected in (
        (True, [1, 10, 100, 1000, 1e4]),
        ([50.0, 5.0], [5, 50]),
        (False, None),
    ):
        ax = plots.phase_diagram(dataset(steps), contours=contours)
        drawn = [one for one in ax.collections if type(one).__name__ == "QuadContourSet"]
        assert len(drawn) == (expected is not None)
        if drawn:
            np.testing.assert_allclose(drawn[0].levels, expected)
    levels = plots.phase_diagram(dataset(steps / 1e6, units="")).collections[1].levels
    np.testing.assert_allclose(np.log10(levels) % 1.0, 0.0, atol=1e-12)


def test_limits_are_those_of_the_colours():
    ax = plots.phase_diagram(dataset([[1.0, 2.0], [3.0, 4.0]]), limits=(2.0, 3.0))
    assert (meshes(ax)[0].norm.vmin, meshes(ax)[0].norm.vmax) == (2.0, 3.0)
    with pytest.raises(ValueError, match=r"limits must be two values in order, got \(3, 2\)"):
        plots.phase_diagram(dataset([[1.0, 2.0], [3.0, 4.0]]), limits=(3, 2))


def test_texts_are_places_of_an_axis():
    found = dataset([[1.0, 2.0], [3.0, 4.0]], dims=("loss", "lam"), coords={"loss": ["exp", "log"]})
    ax = plots.phase_diagram(found)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["exp", "log"]
    ax.figure.canvas.draw()


TIMES = st.sampled_from([1.0, 2.0, 3.0, INF, NAN, FAILED])


@given(st.lists(TIMES, min_size=1, max_size=6), st.booleans())
def test_a_median_is_known_if_it_is_the_same_whatever_is_unknown(draws, timed):
    """By trying all that the unknown ones might be: for times, later than what is known."""
    failed = [draw == FAILED for draw in draws]
    values = [NAN if draw == FAILED else draw for draw in draws]
    found = dataset(
        np.reshape(values, (1, 1, -1)), dims=("lam", "sigma", "seed"),
        units="steps" if timed else "", failed=np.reshape(failed, (1, 1, -1)),
    )  # fmt: skip
    known = _draws.median(found, found.time, ("lam", "sigma"))
    there = [value for value, lost in zip(values, failed, strict=True) if not lost]
    assert bool(known.failed[0, 0]) == (not there)
    if not there:
        assert np.isnan(known.values[0, 0])
        return
    guesses = [100.0, 200.0, INF] if timed else [-INF, 1.5, 2.5, 100.0, INF]
    options = [[v] if not np.isnan(v) else guesses for v in there]
    medians = {sorted(one)[len(one) // 2] for one in itertools.product(*options)}
    assert bool(known.undecided[0, 0]) == (len(medians) > 1)
    if len(medians) == 1:
        assert known.values[0, 0] == medians.pop()


def test_draws_are_the_dimensions_that_are_not_shown():
    times = np.array([[[5.0, 1.0, 9.0], [2.0, 2.0, 8.0]], [[3.0, NAN, NAN], [1.0, INF, INF]]])
    found = dataset(times, dims=("lam", "sigma", "seed"))
    ax = plots.phase_diagram(found)
    array = meshes(ax)[0].get_array()
    assert array[0, 0] == 5.0
    assert array[1, 0] == 2.0
    assert legend(ax) == ["never", "undecided"]


def test_bands_hold_all_draws_and_lines_are_medians():
    curves = np.array([[[1.0, 2.0, 3.0], [4.0, 1.0, 2.0], [2.0, 9.0, 1.0]], np.ones((3, 3))])
    found = dataset(
        curves, dims=("lam", "seed", "step"), coords={"lam": [0.1, 0.2], "step": [0, 1, 10]},
        units="",
    )  # fmt: skip
    ax = plots.band(found)
    assert [line.get_label() for line in ax.lines] == ["lam = 0.1", "lam = 0.2"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0, 1, 10])
    corners = ax.collections[0].get_paths()[0].vertices
    for step, low, high in ((0, 1.0, 4.0), (1, 1.0, 9.0), (10, 1.0, 3.0)):
        at = corners[corners[:, 0] == step, 1]
        assert (at.min(), at.max()) == (low, high)
    half = plots.band(found, share=0.5)
    corners = half.collections[0].get_paths()[0].vertices
    at = corners[corners[:, 0] == 1, 1]
    assert (at.min(), at.max()) == (1.5, 5.5)


def test_bands_leave_failures_out_and_end_where_something_is_unknown():
    curves = np.array([[1.0, 2.0, 3.0], [NAN] * 3, [3.0, 4.0, NAN]])
    found = dataset(curves, dims=("seed", "step"), failed=[False, True, False])
    ax = plots.band(found)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2.0, 3.0, NAN])
    assert ax.get_legend() is None
    everything = dataset(curves, dims=("seed", "step"), failed=[True, True, True])
    assert not plots.band(everything).lines


def test_curves_of_which_nothing_is_known_stand_in_the_legend():
    curves = np.array([[[1.0, 2.0]], [[NAN, NAN]], [[3.0, 4.0]]])
    found = dataset(curves, dims=("lam", "seed", "step"), failed=[[False], [True], [False]])
    found = found.assign_coords(lam=[0.1, 0.2, 0.3])
    ax = plots.band(found)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "lam = 0.1", "lam = 0.2 (failed)", "lam = 0.3"
    ]  # fmt: skip
    found["failed"][:] = False
    texts = plots.band(found).get_legend().get_texts()
    assert texts[1].get_text() == "lam = 0.2 (undecided)"


def test_units_are_not_said_twice():
    found = dataset([[1.0, 2.0]], dims=("seed", "step"), coords={"step": [0, 1]})
    found.step.attrs |= {"long_name": "step", "units": "steps"}
    assert plots.band(found).get_xlabel() == "step"


def test_axes_given_are_used():
    _, ax = plt.subplots()
    assert plots.phase_diagram(dataset([[1.0, 2.0], [3.0, 4.0]]), ax=ax) is ax
    _, ax = plt.subplots()
    assert plots.band(dataset([[1.0, 2.0]], dims=("seed", "step")), ax=ax) is ax


@pytest.mark.parametrize(
    ("draw", "error", "said"),
    [
        (lambda d: plots.phase_diagram(3), TypeError, "dataset must be an xarray.Dataset"),
        (lambda d: plots.phase_diagram(d, "timer"), ValueError, "value must be one of 'time', got"),
        (lambda d: plots.phase_diagram(d, x="seed"), ValueError, "x must be a dimension of 'time'"),
        (lambda d: plots.phase_diagram(d, x="lam", y="lam"), ValueError, "must have two dimensio"),
        (lambda d: plots.phase_diagram(d.isel(lam=0)), ValueError, "must have two dimensions"),
        (lambda d: plots.phase_diagram(d, ax=3), TypeError, "ax must be matplotlib axes"),
        (lambda d: plots.phase_diagram(d, value_of=3), TypeError, "no argument 'value_of'"),
        (plots.band, ValueError, "over must be a .* got 'seed': give the dimension of the draws"),
        (lambda d: plots.phase_diagram(d, limits=3), TypeError, "limits must be two values in ord"),
        (lambda d: plots.phase_diagram(d, limits=(1,)), ValueError, "limits must be two values"),
        (lambda d: plots.phase_diagram(d, limits=(2, 1)), ValueError, "limits must be two values"),
        (lambda d: plots.phase_diagram(d, limits="ab"), TypeError, "limits must be .* got 'ab'"),
        (
            lambda d: plots.phase_diagram(1e3 ** d[["time"]], limits=(0, 1)),
            ValueError,
            "greater th",
        ),
        (lambda d: plots.phase_diagram(d, contours=5), TypeError, "contours must be True, False"),
        (lambda d: plots.phase_diagram(d, contours="all"), TypeError, "contours must be True, Fa"),
        (lambda d: plots.phase_diagram(d, contours=[1, None]), TypeError, "contours must be True"),
        (lambda d: plots.band(d, over="lam", x="lam"), ValueError, "must be different dimensions"),
        (lambda d: plots.band(d, over="lam", share=2), ValueError, "share must be at most 1"),
        (lambda d: plots.band(d.isel(lam=0), over="sigma"), ValueError, "a dimension besides"),
    ],
)
def test_what_makes_no_sense_is_said(draw, error, said):
    with pytest.raises(error, match=said):
        draw(dataset([[1.0, 2.0], [3.0, 4.0]]))


def test_which_value_is_said_if_there_are_several():
    found = dataset([[1.0, 2.0], [3.0, 4.0]])
    found["other"] = found.time * 2
    found["kept"] = found.time > 2
    with pytest.raises(ValueError, match="value must be given: the data set has time, other, kept"):
        plots.phase_diagram(found)
    with pytest.raises(ValueError, match="value must be one of 'time', 'other', 'kept', got"):
        plots.phase_diagram(found, "timer")
    assert meshes(plots.phase_diagram(found, "kept"))[0].get_array().tolist() == [[0, 1], [0, 1]]
    found.attrs["value"] = "other"
    assert meshes(plots.phase_diagram(found))[0].get_array()[1, 1] == 8.0


def test_few_values_of_a_logarithmic_axis_are_its_ticks():
    coords = {"lam": 10.0 ** np.arange(-2, 7), "sigma": [30, 60, 120]}
    ax = plots.phase_diagram(dataset(np.arange(27.0).reshape(9, 3), coords=coords))
    ax.figure.draw_without_rendering()
    assert ax.get_yscale() == ax.get_xscale() == "log"
    ax_of = {ax.get_xlabel(): ax.xaxis, ax.get_ylabel(): ax.yaxis}
    few, many = ax_of["sigma"], ax_of["lam"]
    assert few.get_majorticklocs().tolist() == [30, 60, 120]
    assert [one.get_text() for one in few.get_majorticklabels()] == ["30", "60", "120"]
    assert not few.get_minorticklocs().size
    assert many.get_minorticklocs().size


def test_a_grid_in_any_order_is_the_same_picture():
    values = [[1.0, 20.0, 300.0], [4.0, 50.0, 600.0]]
    coords = {"lam": [0.1, 0.3], "sigma": [1.0, 2.0, 4.0]}
    found = dataset(values, failed=[[0, 0, 1], [0, 0, 0]], coords=coords)
    mixed = found.isel({dim: [*range(1, size), 0] for dim, size in found.sizes.items()})
    pictures = []
    for one in (found, mixed):
        ax = plots.phase_diagram(one)
        (mesh,) = meshes(ax)
        pictures.append((mesh.get_coordinates(), np.ma.filled(mesh.get_array(), NAN)))
    for first, second in zip(*pictures, strict=True):
        np.testing.assert_array_equal(first, second)
