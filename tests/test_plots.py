"""What the plots show."""

import matplotlib as mpl
import numpy as np
import pytest

import fastgrok as fg
from fastgrok import plots
from fastgrok.plots import palette
from fastgrok.questions.phases import Phases
from runs import train_quietly
from synthetic_runs import make_run

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def run():
    return make_run(
        (0, 1, 10, 1000),
        {"train": [0, 5, 10, 10], "standard": [0, 1, 2, 9]},
        b=np.array([0.0, 0.5, -0.25, 0.125]),
    )


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def check_step_axis(ax, last):
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == (1.0, last)
    assert ax.get_xlabel() == "step"
    ax.figure.canvas.draw()


def check_curve(line, run, values):
    np.testing.assert_array_equal(line.get_xdata(), run.steps[1:])
    np.testing.assert_array_equal(line.get_ydata(), values[1:])


def test_accuracy_curves(run):
    ax = plots.accuracy_curves(run)
    check_step_axis(ax, 1000)
    assert ax.get_ylabel() == "accuracy"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["train", "standard"]
    for name, line in lines(ax).items():
        check_curve(line, run, run.accuracy[name])


def test_given_axes_are_used_and_shared(run):
    _, ax = plt.subplots()
    assert plots.accuracy_curves(run, ax) is ax
    assert plots.accuracy_curves(make_run((0, 1, 2), {"train": [0, 1, 2]}), ax) is ax
    assert len(ax.lines) == 3
    check_step_axis(ax, 1000)
    assert plt.get_fignums() == [ax.figure.number]


def test_error_curves_show_the_last_wrong_point_and_none():
    run = make_run(
        (0, 1, 10, 1000),
        {"train": [0, 500, 1999, 2000], "standard": [0, 1000, 1000, 1900]},
        sizes={"train": 2000, "standard": 2000},
    )
    ax = plots.error_curves(run)
    check_step_axis(ax, 1000)
    np.testing.assert_array_equal(lines(ax)["train"].get_ydata(), [0.75, 1 / 2000, 0.0])
    bottom, top = ax.get_ylim()
    place = ax.transScale.transform([(1, y) for y in (bottom, 0.0, 1 / 2000, 0.01, 0.75, top)])
    heights = np.diff(place[:, 1]) / np.ptp(place[:, 1])
    assert (heights > 0.01).all()  # each can be told from the next
    assert heights[1] > 0.05  # one wrong point from none
    assert ax.get_ylabel() == "share wrong"
    # Ticks do not stand on one another: none between 0 and the last point.
    assert sorted(ax.get_yticks())[:2] == [0.0, 0.001]
    # Other runs on the same axes count, too.
    plots.error_curves(make_run((0, 1, 2), {"train": [0, 9, 9]}), ax)
    assert ax.get_ylim() == pytest.approx((bottom, top))


def test_error_curves_of_a_population_end_where_its_accuracy_is_known():
    right = 1.0 - np.array([0.5, 1e-9, 1e-15, 1e-16])
    losses = {"train": right, "all": right}
    run = make_run(counts={"train": [0, 9, 9, 10]}, probabilities={"all": right}, losses=losses)
    ax = plots.error_curves(run)
    assert ax.get_ylim()[0] == pytest.approx(-0.2e-12)
    ax.figure.canvas.draw()


@pytest.mark.parametrize("counts", [[0, 0, 0, 0], [10, 10, 10, 10], [0, 9, 9, 9]])
def test_error_curves_of_next_to_no_errors(counts):
    ax = plots.error_curves(make_run(counts={"train": counts}))
    ax.figure.canvas.draw()
    assert ax.get_ylim()[1] > max(1.0 - min(counts[1:]) / 10, 0.0)


def marks(ax):
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    return {line.get_label(): list(line.get_xdata()) for line in dotted}


def test_grokking_marks_stand_at_the_times(run):
    ax = plots.grokking_marks(run, plots.accuracy_curves(run))
    assert run.grokking("standard").train == 10
    assert run.grokking("standard").test == 1000
    assert marks(ax) == {"train: step 10": [10, 10], "standard: step 1000": [1000, 1000]}
    colors = {label.split(":")[0]: line.get_color() for label, line in lines(ax).items()}
    assert [lines(ax)[name].get_color() for name in colors] == list(colors.values())
    check_step_axis(ax, 1000)
    assert ax.get_ylim()[1] < 1.2  # they fill the axes, and have no part in their range
    early = plots.grokking_marks(run, plots.accuracy_curves(run), eps=0.5)
    assert list(marks(early)) == ["train: step 1", "standard: step 1000"]


def test_grokking_marks_of_sets_that_never_generalise():
    run = make_run((0, 1, 100_000), {"train": [0, 5, 10], "standard": [0, 5, 5]})
    ax = plots.grokking_marks(run)
    assert marks(ax) == {"train: step $10^{5}$": [100_000, 100_000], "standard: never": []}
    check_step_axis(ax, 100_000)
    with pytest.raises(ValueError, match=r"eps must lie in \[0, 1\), got 1"):
        plots.grokking_marks(run, eps=1)


def test_a_run_at_a_glance(run):
    ax = run.plot()
    figure = ax.figure
    above, below = figure.axes
    assert ax is above
    assert (above.get_ylabel(), below.get_ylabel()) == ("accuracy", "share wrong")
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "step")
    assert above.get_shared_x_axes().joined(above, below)
    for name in run.accuracy:
        check_curve(lines(above)[name], run, run.accuracy[name])
        check_curve(lines(below)[name], run, (10 - run.counts[name]) / 10)
    assert marks(above) == marks(below) != {}
    texts = [[text.get_text() for text in one.get_legend().get_texts()] for one in figure.axes]
    assert texts == [["train", "standard"], list(marks(below))]
    assert below.get_legend().get_title().get_text() == "grokking times"
    tight = run.plot(eps=0.1).figure.axes[1].get_legend().get_title().get_text()
    assert tight == r"grokking times, $\epsilon$ = 0.1"
    figure.canvas.draw()
    # On axes that are given there is one panel.
    _, given = plt.subplots()
    assert run.plot(given) is given
    assert marks(given) == marks(above)
    check_step_axis(given, 1000)


def test_a_limit_that_does_not_fit_leaves_no_figure(run):
    with pytest.raises(TypeError, match="limit must come from"):
        run.plot(limit="best")
    assert plt.get_fignums() == []


def test_new_figures_have_the_style_and_nothing_else_does(run):
    before = dict(mpl.rcParams)
    for draw in (
        plots.accuracy_curves,
        plots.error_curves,
        plots.grokking_marks,
        fg.Trajectory.plot,
    ):
        ax = draw(run)
        assert ax.lines[0].get_color() == palette.BLUE
        assert not ax.spines["top"].get_visible()
        assert dict(mpl.rcParams) == before
    _, given = plt.subplots()
    plots.accuracy_curves(run, given)
    assert given.lines[0].get_color() == before["axes.prop_cycle"].by_key()["color"][0]
    assert given.spines["top"].get_visible()
    with plots.styled():
        assert mpl.rcParams["pdf.fonttype"] == 42
        colors = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        assert [mpl.colors.to_hex(color) for color in colors] == list(palette.PALETTE)
        assert mpl.rcParams["image.cmap"] == palette.MAP
    with mpl.style.context("fastgrok.plots.fastgrok"):  # as the documentation says
        assert mpl.rcParams["legend.frameon"] is False


def test_loss_curves(run):
    ax = plots.loss_curves(run)
    check_step_axis(ax, 1000)
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "logistic loss (mean)"
    for name, line in lines(ax).items():
        check_curve(line, run, run.losses[name])


def test_bias_curve(run):
    ax = plots.bias_curve(run)
    check_step_axis(ax, 1000)
    check_curve(lines(ax)["b"], run, run.b)
    assert ax.get_yscale() == "linear"


def test_distance_curve(run):
    ax = plots.distance_curve(run)
    check_step_axis(ax, 1000)
    check_curve(lines(ax)["|b|/||w||"], run, run.distance)
    assert ax.get_yscale() == "log"


def test_distance_of_a_run_without_bias():
    ax = plots.distance_curve(make_run(b=np.zeros(4)))
    check_step_axis(ax, 100)
    assert ax.get_yscale() == "linear"


def test_sharpness_curve(run):
    ax = plots.sharpness_curve(run)
    check_step_axis(ax, 1000)
    curves = lines(ax)
    check_curve(curves["at the iterate"], run, run.sharpness)
    check_curve(curves["at the mean of two iterates"], run, run.sharpness_mean)
    assert set(curves["limit of stability"].get_ydata()) == {2.0}


@pytest.mark.parametrize(
    ("how", "limit"),
    [
        ({"optimizer": "momentum", "momentum": 0.9, "lr": 0.25}, 3.8),
        ({"optimizer": "nesterov", "momentum": 0.9, "lr": 0.25}, 3.8 / 2.8),
        ({"weight_decay": 2.0, "lr": 0.25, "decay_bias": True}, 1.5),
        ({"optimizer": "momentum", "momentum": 0.5, "weight_decay": 2.0, "lr": 0.25}, 2.5),
    ],
)
def test_the_limit_of_stability_is_that_of_the_steps(how, limit):
    line = lines(plots.sharpness_curve(make_run(params=how)))["limit of stability"]
    assert line.get_ydata() == pytest.approx(limit, rel=1e-14)


def test_the_limit_of_stability_follows_a_schedule_that_multiplies_the_decay():
    how = {"weight_decay": 2.0, "lr": 0.25, "decay_bias": True}
    schedule = {"schedule": "power", "schedule_exponent": 1.0, "schedule_length": 10.0}
    line = lines(plots.sharpness_curve(make_run(params=how | schedule)))["limit of stability"]
    k = line.get_xdata()
    np.testing.assert_allclose(line.get_ydata(), 2.0 - 0.5 / (1.0 + k / 10.0))
    unknown = make_run(params=how | {"schedule": "callable"})
    assert np.isnan(lines(plots.sharpness_curve(unknown))["limit of stability"].get_ydata()).all()


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov"])
def test_descent_leaves_its_optimum_where_the_line_is_crossed(optimizer):
    """One row and the squared loss: lr l'' x^2 is the sharpness, and w decays."""
    decay, curvature = 0.5, 2.0 * 1.7**2
    how = {"loss": "squared", "bias": False, "weight_decay": decay, "w0": [1.0]}
    how |= {"optimizer": optimizer, "steps": 400, "engine": "exact"}
    if optimizer != "gd":
        how["optimizer_options"] = {"momentum": 0.6}
    for off, ends in ((0.98, True), (1.02, False)):
        beta = 0.0 if optimizer == "gd" else 0.6
        limit = 2.0 * (1.0 + beta) / (1.0 + 2.0 * beta if optimizer == "nesterov" else 1.0)
        lr = off * limit / (curvature + decay)
        run = train_quietly([[1.7]], [1], lr=lr, record=1, keep_weights=True, **how)
        line = lines(plots.sharpness_curve(run))["limit of stability"].get_ydata()
        assert bool(run.sharpness[-1] < line[-1]) == ends
        best = curvature / 1.7 / (curvature + decay)
        off_by = np.abs(run.weights[:, 0] - best)
        assert bool(off_by[-1] < 1e-2 * off_by[0]) == ends


def test_sharpness_curve_of_adam_has_no_limit_of_stability():
    curves = lines(plots.sharpness_curve(make_run(params={"optimizer": "adam"})))
    assert set(curves) == {"at the iterate", "at the mean of two iterates"}


CURVES = (
    plots.accuracy_curves,
    plots.loss_curves,
    plots.bias_curve,
    plots.distance_curve,
    plots.error_curves,
    plots.grokking_marks,
    plots.sharpness_curve,
)


@pytest.mark.parametrize("draw", CURVES)
@pytest.mark.parametrize("steps", [(), (0,), (0, 1)])
def test_runs_of_next_to_nothing(draw, steps):
    nan = np.full(len(steps), np.nan)
    run = make_run(steps, sharpness=nan, sharpness_mean=nan)
    check_step_axis(draw(run), 10.0)
    check_step_axis(run.plot().figure.axes[1], 10.0)


def spans(ax):
    return {
        patch.get_label(): (patch.get_x(), patch.get_x() + patch.get_width())
        for patch in ax.patches
    }


def test_phase_shading(run):
    ax = plots.bias_curve(run)
    assert plots.phase_shading(ax, Phases(t1=10, t2=100, t3=500, peak=100)) is ax
    assert spans(ax) == {"phase 1": (1, 10), "phase 2": (10, 100), "phase 3": (100, 1000)}
    assert set(lines(ax)["best test accuracy"].get_xdata()) == {500}
    check_step_axis(ax, 1000)


def test_phase_shading_without_some_phases(run):
    ax = plots.phase_shading(run.plot(), Phases(t1=10, t2=10, t3=None, peak=10))
    assert spans(ax) == {"phase 1": (1, 10), "phase 3": (10, 1000)}
    ax = plots.phase_shading(run.plot(), Phases(t1=1, t2=1000, t3=None, peak=1))
    assert spans(ax) == {"phase 2": (1, 1000)}
    ax = plots.phase_shading(run.plot(), Phases(t1=None, t2=None, t3=7, peak=3))
    assert spans(ax) == {}
    assert set(lines(ax)["best test accuracy"].get_xdata()) == {7}


@pytest.mark.parametrize("steps", [1e280, 1e305])
@pytest.mark.filterwarnings("error")
def test_steps_up_to_the_end_of_float64(steps, tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 4))
    run = fg.train(X, np.where(X[:, 0] > 0.1, 1, -1), steps=steps, lr=0.1)
    for axes in (run.plot(), plots.distance_curve(run), plots.bias_curve(run)):
        axes.figure.savefig(tmp_path / "run.png")
        assert axes.get_xlim()[1] == steps


@pytest.mark.parametrize("draw", [*CURVES, plots.alignment_curve])
@pytest.mark.parametrize("wrong", [None, [0.5, 1.0], "run"])
def test_what_is_no_run_is_named(draw, wrong):
    with pytest.raises(TypeError, match="run must be a Trajectory"):
        draw(wrong)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'run'"):
        draw()
    assert not plt.get_fignums()


def test_phases_need_axes_and_phases(run):
    with pytest.raises(TypeError, match="ax must be matplotlib axes"):
        plots.phase_shading(None, None)
    ax = plots.accuracy_curves(run)
    with pytest.raises(TypeError, match="ax must be matplotlib axes"):
        plots.phase_shading(run, ax)
    with pytest.raises(TypeError, match=r"phases must be what Trajectory\.phases returns"):
        plots.phase_shading(ax, None)
