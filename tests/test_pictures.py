"""
Six pictures held against stored ones, ``pictures/*.png``.

To draw them anew, look at them, and commit them:

    pytest tests/test_pictures.py --mpl-generate-path=tests/pictures

They are without their letters, whose shapes are of the fonts and of FreeType: what they say
is for the tests of what draws them. What is left, and where the panels are, is the same in all
versions of matplotlib that the extra `test` allows, but for how edges are smoothed: `TOLERANCE`.
"""

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("pytest_mpl")

import matplotlib as mpl

import fastgrok as fg
from das2026_runs import UNPLANTED, ensemble, synthetic
from fastgrok import plots
from fastgrok.papers import das2026
from fastgrok.papers.das2026._setting import Variant
from fastgrok.questions.phases import Phases
from fastgrok.theory import edge

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.legend import Legend
from matplotlib.text import Text

# Root mean square over all pixels, of 255. Between versions 3.8 and 3.11 of matplotlib it is 0.5
# for the gaps that labels leave in contours, and else 0; a curve that is missing, moved by a
# hundredth, or of another colour makes 6 and more (`test_a_change_that_can_be_seen_is_noticed`).
TOLERANCE = 1.0

compared = pytest.mark.mpl_image_compare(
    baseline_dir="pictures", style=plots.style.SHEET, tolerance=TOLERANCE, deterministic=True,
    savefig_kwargs={"dpi": 80},
)  # fmt: skip


def without_letters(figure):
    """Hide all text, and take away legends, whose size is that of their text."""
    for legend in figure.findobj(Legend):
        legend.remove()
    for text in figure.findobj(Text):
        text.set(visible=False, in_layout=False)
    figure.draw_without_rendering()  # ticks that are made now have labels
    for artist in figure.findobj(Text):
        artist.set_visible(False)
    return figure


def separable_run():
    data = fg.datasets.margin_cube((60, 60), dim=2, gamma=0.01, seed=0)
    test = fg.datasets.margin_cube((60, 60), dim=2, gamma=0.01, seed=1)
    evals = {"test": (test.X, test.y)}
    return fg.train(data.X, data.y, steps=1e6, lr=0.05, evals=evals)


@compared
def test_a_run_at_a_glance():
    return without_letters(separable_run().plot().figure)


@compared
def test_phases_of_a_bias():
    data = fg.datasets.gaussian_noise(100, 40, sigma=5.0, seed=0)
    run = fg.train(data.X, data.y, steps=1e8, lr=0.01)
    ax = plots.bias_curve(run, limit=edge.stationary_point(data.X))
    plots.phase_shading(ax, Phases(t1=20, t2=3000, t3=1_000_000, peak=5000))
    return without_letters(ax.figure)


@compared
def test_losses_and_distance():
    with plots.styled():
        figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.6), layout="constrained")
        run = separable_run()
        plots.loss_curves(run, axes[0])
        plots.distance_curve(run, axes[1])
    return without_letters(figure)


def over_a_grid():
    lam, sigma = np.linspace(0.1, 0.7, 7), 2.0 ** np.arange(5)
    times = 10.0 ** (8.0 * lam[:, None] + np.log10(sigma))
    times[5:, :2] = np.inf
    times[6, 3:] = np.nan
    failed = np.zeros(times.shape, dtype=bool)
    failed[0, 4] = True
    times[0, 4] = np.nan
    return xr.Dataset(
        {
            "time": (("lam", "sigma"), times, {"units": "steps"}),
            "failed": (("lam", "sigma"), failed),
        },
        {"lam": lam, "sigma": sigma},
    )


@compared
def test_phase_diagram():
    return without_letters(plots.phase_diagram(over_a_grid(), x="sigma", y="lam").figure)


@compared
def test_bands_over_draws():
    steps = np.append(0.0, 10.0 ** np.arange(0, 6, 0.25))
    draws = np.arange(1, 6)[None, :, None] * np.array([1.0, 30.0])[:, None, None]
    accuracy = 0.5 + 0.5 * steps / (steps + 20.0 * draws)
    found = xr.Dataset(
        {"accuracy": (("lr", "seed", "step"), accuracy)}, {"lr": [0.1, 0.003], "step": steps}
    )
    return without_letters(plots.band(found, share=0.6).figure)


def figure_of_the_paper():
    steps = np.append(0, np.unique(np.geomspace(1, 1e7, 57).astype(int)))

    def right(delay, share):
        return 2000 - np.floor(2000 * share / (1.0 + steps / delay)).astype(int)

    def runs(variant, delay):
        for seed in range(3):
            late = delay * (seed + 1)
            counts = {
                "train": right(50.0 * (seed + 1), 0.4),
                "standard": right(late, 0.45),
                "concentrated": right(10.0 * late, 0.5),
            }
            yield synthetic(variant, seed, steps=steps, counts=counts)

    variants = [UNPLANTED, Variant("mean", (35, 350))]
    return das2026.draw_figure1(
        ensemble(*(run for k, variant in enumerate(variants) for run in runs(variant, 1e3 * 30**k)))
    )


@compared
def test_a_figure_of_a_paper():
    return without_letters(figure_of_the_paper()["mean"])


@pytest.mark.parametrize("change", ["moved", "missing", "colour"])
def test_a_change_that_can_be_seen_is_noticed(change):
    """By what pytest-mpl compares by."""

    def drawn(changed):
        with mpl.style.context(["default", plots.style.SHEET]):
            figure = separable_run().plot().figure
            line = figure.axes[0].lines[1]
            if changed and change == "moved":
                line.set_ydata(line.get_ydata() - 0.01)
            elif changed:
                line.set(**{"visible": False} if change == "missing" else {"color": "0.5"})
            figure.set_dpi(80)
            without_letters(figure).canvas.draw()
            return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(float)

    apart = np.sqrt(np.mean((drawn(False) - drawn(True)) ** 2))
    assert apart > 3.0 * TOLERANCE, apart
