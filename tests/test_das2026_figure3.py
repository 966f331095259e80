"""Figure 3 of Das et al. (2026): the data."""

import csv

import numpy as np
import pytest

import fastgrok as fg
from das2026_runs import find
from fastgrok.papers import Outcome, das2026
from fastgrok.papers.das2026 import _figure3_draws

ASSUMPTION = "The data meet Assumption 3.1"


@pytest.fixture(scope="module")
def small():
    return das2026.figure3(seeds=[0, 1], supports=[(0, 0), (10, 4)], n=(60, 40))


def test_these_are_the_data_that_the_runs_are_trained_on(small):
    variant = small.variants[1]
    run = das2026.train_ensemble([variant], steps=1, seeds=[1]).runs[0]
    np.testing.assert_array_equal(small.of(variant)[1].training.X, run.trajectory.data[0])


def test_coordinates_are_a_rotation(small):
    data = small.draws[0].training
    u, v = _figure3_draws.coordinates(data)
    np.testing.assert_allclose(np.hypot(u, v), np.linalg.norm(data.X, axis=1))
    np.testing.assert_allclose(u, data.X @ data.w_true, atol=1e-12)


def test_verdicts_on_the_laws_of_the_paper(small):
    verdicts = das2026.judge_figure3(small)
    assert find(verdicts, "The training data keep a distance").outcome is Outcome.AGREES
    assert find(verdicts, "The concentrated set lies within").outcome is Outcome.AGREES
    # Without planting no point lies on the margin.
    assert find(verdicts, ASSUMPTION).outcome is Outcome.OPEN
    outcomes = {f.reading: f.outcome for f in find(verdicts, ASSUMPTION).findings}
    assert set(outcomes.values()) == {Outcome.DIFFERS, Outcome.AGREES}
    numbers = find(verdicts, ASSUMPTION).findings[1].numbers
    assert numbers == "points at gamma / 2: 10 of class +1 and 4 of class -1"


def changed(change):
    """One draw of planted data, with its rows changed."""
    draw = das2026.figure3(seeds=[0], supports=[(6, 6)], n=(20, 20)).draws[0]
    sets = {}
    for name in ("training", "concentrated"):
        data = getattr(draw, name)
        X = np.array(data.X)
        change(name, X, data)
        sets[name] = fg.Dataset(X, data.y, data.w_true, data.gamma, data.support, data.params)
    draw = _figure3_draws.DataDraw(draw.variant, 0, **sets)
    return das2026.judge_figure3(_figure3_draws.DataDraws((draw,), 1e-3, 10.0, "antipodal"))


def test_a_point_inside_the_margin_is_seen():
    def change(name, X, data):
        if name == "training":
            X[0] = 1e-4 * data.y[0]

    found = changed(change)
    assert find(found, "The training data keep a distance").outcome is Outcome.DIFFERS


def test_a_point_beyond_the_slab_is_seen():
    def change(name, X, data):
        if name == "concentrated":
            X[0] += 0.1 * data.y[0]

    assert find(changed(change), "The concentrated set lies").outcome is Outcome.DIFFERS


def test_support_vectors_that_do_not_face_each_other_break_the_assumption():
    """All of one class far along the hyperplane, all of the other far the other way."""

    def change(name, X, data):
        if name == "training":
            for row in data.support:
                along = 3.0 * data.y[row] + 0.01 * row
                X[row] = data.y[row] * data.gamma / 2 * data.w_true + [-along, along]

    assert find(changed(change), ASSUMPTION).outcome is Outcome.DIFFERS


def test_everything_is_written(small, tmp_path):
    output = das2026.write_figure3(small, tmp_path)
    names = {"figure3.png", "figure3.svg", "figure3-points.csv", "figure3.npz", "figure3.md"}
    assert {path.name for path in output.files} == {p.name for p in tmp_path.iterdir()} == names
    with (tmp_path / "figure3-points.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 100  # two choices of support vectors, two sets, the first draw
    planted = [row for row in rows if row["planted"] == "True"]
    assert len(planted) == 14
    assert [abs(float(row["u"])) for row in planted] == pytest.approx([5e-4] * 14, rel=1e-9)
    with np.load(tmp_path / "figure3.npz") as arrays:
        assert arrays["x1"].tolist() == [float(row["x1"]) for row in rows]


def test_the_picture_shows_the_margin(small):
    picture = das2026.draw_figure3(small)
    assert len(picture.axes) == 3 * 3
    low, high = picture.axes[-1].get_ylim()
    assert low < -0.5
    assert 0.5 < high < 2.0  # in units of gamma


def test_marks_of_the_legend_are_seen_though_those_of_points_are_tiny(small):
    picture = das2026.draw_figure3(small)
    picture.canvas.draw()
    (legend,) = picture.legends
    marks = dict(zip([t.get_text() for t in legend.texts], legend.legend_handles, strict=True))
    scale = 72.0 / picture.dpi  # points for each pixel
    for name in ("class +1", "class $-1$"):
        assert marks[name].get_sizes()[0] ** 0.5 >= 4.0
    assert marks["planted support vector"].get_markersize() >= 4.0
    # That of the text is its height in points.
    heights = [t.get_window_extent().height * scale for t in legend.texts]
    assert 0.5 * min(heights) < marks["class +1"].get_sizes()[0] ** 0.5 < max(heights)
    # The points themselves stay as small as they were.
    assert max(one.get_sizes().max() for one in picture.axes[0].collections) < 4.0


@pytest.mark.parametrize("bad", [{"seeds": []}, {"supports": []}, {"seeds": [-1]}])
def test_bad_settings(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        das2026.figure3(**bad)
