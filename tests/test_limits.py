"""Alignment with the maximum margin, and the limits that plots show."""

import math

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from fastgrok import plots
from fastgrok.questions import alignments, limits
from fastgrok.theory import bias, edge
from synthetic_runs import make_run

mpl.use("Agg")
import matplotlib.pyplot as plt

# Separable with a bias far from 0, and by the second column alone without one.
X = np.array([[3.0, 1.0], [4.0, 2.0], [5.0, 1.5], [1.0, -0.5], [0.5, -2.0], [1.5, -1.0]])
Y = np.array([1.0, 1, 1, -1, -1, -1])
SURROUNDING = np.array([[4.0, 0.0], [-5.0, 1.0], [0.0, 4.0], [2.0, -5.0]])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def cosine(u, v):
    return u @ v / (math.sqrt(u @ u) * math.sqrt(v @ v))


def late_run(**changes):
    return fg.train(X, Y, **{"steps": 1e30, "lr": 0.1, "engine": "leap", **changes})


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


def level(ax, label):
    (value,) = set(lines(ax)[label].get_ydata())
    return value


@pytest.mark.parametrize("with_bias", [True, False])
def test_descent_aligns_with_the_problem_that_it_solves(with_bias):
    run = late_run(bias=with_bias, keep_weights=True)
    found = run.alignment()
    kind = "penalized" if with_bias else "none"
    best = fg.max_margin(X, Y, bias=kind)
    np.testing.assert_array_equal(found, run.alignment(best))
    target = np.append(best.w, best.b)
    expected = [cosine(theta, target) for theta in run.weights[1:]]
    np.testing.assert_allclose(found[1:], expected, rtol=1e-14)
    assert math.isnan(found[0])
    # 1 - C / log^2 t: the direction is off by a constant over ||(w, b)||.
    at = np.searchsorted(run.steps, [1e15, 1e30])
    assert 1 - found[at[1]] == pytest.approx((1 - found[at[0]]) / 4, rel=0.2)
    assert not found.flags.writeable
    # Other problems have other solutions, which it does not tend to.
    for other in {"none", "penalized", "free"} - {kind}:
        assert run.alignment(fg.max_margin(X, Y, bias=other))[-1] < found[-1] - 1e-3


def test_without_a_penalty_the_cosine_is_that_of_w():
    run = late_run(keep_weights=True, steps=1e3)
    free = fg.max_margin(X, Y, bias="free")
    expected = [cosine(w, free.w) for w in run.weights[1:, :-1]]
    np.testing.assert_allclose(run.alignment(free)[1:], expected, rtol=1e-14)


@given(power=st.integers(-1000, 900), seed=st.integers(0, 100))
def test_alignment_of_weights_of_any_size(power, seed):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(4, 3))
    best = fg.max_margin(X, Y, bias="penalized")
    found = make_run(weights=np.ldexp(weights, power)).alignment(best)
    expected = [cosine(theta, np.append(best.w, best.b)) for theta in weights]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert np.all(np.abs(found) <= 1)


def test_alignment_after_loading(tmp_path):
    run = late_run(keep_weights=True, steps=100)
    run.save(tmp_path / "run")
    loaded = fg.Trajectory.load(tmp_path / "run")
    best = fg.max_margin(X, Y, bias="penalized")
    np.testing.assert_array_equal(loaded.alignment(best), run.alignment())
    with pytest.raises(ValueError, match=r"needs the solution, max_margin\(X, y, bias='penalized'"):
        loaded.alignment()


def test_alignment_refuses():
    best = fg.max_margin(X, Y)
    with pytest.raises(ValueError, match="alignment needs a run made with keep_weights=True"):
        late_run(steps=10).alignment(best)
    run = late_run(steps=10, keep_weights=True)
    with pytest.raises(TypeError, match=r"what max_margin returns, or one of .*got an array"):
        run.alignment(np.ones(2))
    with pytest.raises(ValueError, match="solution must have 2 weights, as the run, got 1"):
        run.alignment(fg.max_margin(X[:, 1:], Y))
    mixed = fg.train(SURROUNDING, [1, 1, 1, 1], steps=10, lr=0.1, bias=False, keep_weights=True)
    with pytest.raises(fg.NotSeparableError, match="in the interior"):
        mixed.alignment()


def test_alignment_curve():
    run = late_run(keep_weights=True)
    ax = plots.alignment_curve(run)
    assert ax.get_yscale() == "log"
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), run.steps[1:])
    np.testing.assert_array_equal(line.get_ydata(), 1 - run.alignment()[1:])
    ax.figure.canvas.draw()


def test_limits_of_accuracies():
    """A run that goes on long enough ends on its limits."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 2)) * 3.0
    labels = np.where(points[:, 1] > 0.3, 1.0, -1.0)
    evals = {
        "plain": (points, labels),
        "attacked": fg.Pgd(points, labels, eps=0.25),
        "population": edge.GaussianNoise(2.0),
    }
    run = late_run(evals=evals, steps=1e100)
    late = bias.late_time(X, Y, 0.1)
    for limit in (fg.max_margin(X, Y, bias="penalized"), late):
        ax = run.plot(limit=limit, evals=evals)
        assert level(ax, "train, limit") == 1.0
        assert level(ax, "plain, limit") == fg.accuracy(points, labels, late.w_hat, late.b_hat)
        attacked = fg.adversarial_accuracy(points, labels, late.w_hat, late.b_hat, eps=0.25)
        assert level(ax, "attacked, limit") == attacked
        reach = -late.b_hat / (2.0 * np.linalg.norm(late.w_hat))
        population = 0.5 * math.erfc(-reach / math.sqrt(2))
        assert level(ax, "population, limit") == pytest.approx(population, rel=1e-12)
        for name in evals:
            assert level(ax, f"{name}, limit") == pytest.approx(run.accuracy[name][-1], abs=4e-3)
        assert 0.5 < level(ax, "attacked, limit") < level(ax, "plain, limit") < 1
        ax.figure.canvas.draw()
    # Those of the run, or only those asked for.
    own, given = (plots.accuracy_curves(run, limit=late, evals=asked) for asked in (None, evals))
    assert set(lines(own)) == {*run.losses, *(f"{name}, limit" for name in run.losses)}
    for name in evals:
        assert level(own, f"{name}, limit") == level(given, f"{name}, limit")
    plain = {"plain": evals["plain"]}
    for asked in (plain, {}):
        drawn = {*run.losses, *(f"{name}, limit" for name in ("train", *asked))}
        assert set(lines(plots.accuracy_curves(run, limit=late, evals=asked))) == drawn
    assert set(lines(plots.accuracy_curves(run))) == set(run.losses)


def test_limits_of_the_distance_and_the_bias():
    """Three support vectors, which span (w, b), so that nothing depends on the history."""
    rows = np.random.default_rng(2).normal(size=(40, 2))
    y = np.where(rows[:, 0] + 0.4 > 0, 1.0, -1.0)
    rows[:, 0] += 0.3 * y
    run = fg.train(rows, y, steps=1e100, lr=0.1, engine="leap")
    late = bias.late_time(rows, y, 0.1)
    assert len(late.support) == 3
    ax = plots.distance_curve(run, limit=late)
    assert level(ax, "limit") == pytest.approx(abs(late.b_hat) / np.linalg.norm(late.w_hat))
    assert level(ax, "limit") == pytest.approx(run.distance[-1], rel=0.05)
    ax.figure.canvas.draw()
    ax = plots.bias_curve(run, limit=late)
    line = lines(ax)["late b"].get_ydata()
    np.testing.assert_allclose(line, late.b_hat * np.log(run.steps[1:]) + late.b_tilde, rtol=1e-12)
    assert line[-1] == pytest.approx(run.b[-1], rel=1e-6)
    ax.figure.canvas.draw()


def test_a_bias_that_has_a_limit():
    """Planted support vectors: b_hat = 0 up to rounding, and b tends to log(n_+ / n_-) / 2."""
    data = fg.datasets.margin_cube((60, 40), dim=2, gamma=1.0, support=(20, 6), seed=3)
    run = fg.train(data.X, data.y, steps=100, lr=0.01)
    late = bias.late_time(data.X, data.y, 0.01)
    ax = plots.bias_curve(run, limit=late)
    np.testing.assert_allclose(lines(ax)["late b"].get_ydata(), 0.5 * math.log(20 / 6), rtol=1e-9)
    # Nothing that a logarithmic axis could show.
    ax = plots.distance_curve(run, limit=late)
    assert "limit: 0" in lines(ax)
    assert ax.get_ylim()[0] > 1e-6
    ax.figure.canvas.draw()


def test_a_bias_that_grows_with_the_steps_has_no_late_line():
    """Normalized steps tend to the same direction, but b grows like their number, not its log."""
    run = late_run(steps=3000, optimizer="normalized", engine="exact")
    late = bias.late_time(X, Y, run.params["lr"])
    assert abs(run.bias_final) > 5.0 * abs(late.b_hat * math.log(3000) + late.b_tilde)
    with pytest.raises(ValueError, match=r"need steps in proportion .*optimizer='normalized'"):
        plots.bias_curve(run, limit=late)
    ax = plots.distance_curve(run, limit=late)
    assert level(ax, "limit") == pytest.approx(run.distance[-1], rel=0.05)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_points_that_surround_the_origin(sign, reduction):
    still = edge.stationary_point(SURROUNDING)
    tests = {"opposite": (SURROUNDING, [sign, sign, sign, -sign])}
    run = fg.train(
        -sign * SURROUNDING, np.full(4, sign), steps=1e12, lr=0.1, reduction=reduction,
        engine="leap", evals=tests,
    )  # fmt: skip
    ax = plots.bias_curve(run, limit=still)
    line = lines(ax)["late b"].get_ydata()
    assert line[-1] == pytest.approx(run.b[-1], abs=1e-6)
    assert np.sign(line[-1]) == sign
    ax = run.plot(limit=still, evals=tests)
    assert level(ax, "train, limit") == 1.0
    assert level(ax, "opposite, limit") == 0.75 == run.accuracy["opposite"][-1]
    ax = plots.distance_curve(run, limit=still)
    assert "limit: inf" in lines(ax)
    ax.figure.canvas.draw()
    # The maximum margin of such points with a penalised bias is a bias alone.
    best = fg.max_margin(-sign * SURROUNDING, np.full(4, sign), bias="penalized")
    assert "limit: inf" in lines(plots.distance_curve(run, limit=best))


def test_limits_that_do_not_fit():
    run = late_run(steps=10, evals={"other": (X, Y)})
    penalized = fg.max_margin(X, Y, bias="penalized")
    for kind in ("none", "free"):
        with pytest.raises(ValueError, match=f"run with a bias, .*'penalized', got .*'{kind}'"):
            run.plot(limit=fg.max_margin(X, Y, bias=kind))
    with pytest.raises(ValueError, match="run with no bias"):
        plots.distance_curve(late_run(steps=10, bias=False), limit=penalized)
    with pytest.raises(TypeError, match=r"limit must come from max_margin, .*got 'best'"):
        run.plot(limit="best")
    with pytest.raises(ValueError, match="limit must have 2 weights, as the run, got 1"):
        run.plot(limit=fg.max_margin(X[:, 1:], Y, bias="penalized"))
    with pytest.raises(TypeError, match="gives only the direction"):
        plots.bias_curve(run, limit=penalized)
    rows, y = [[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]], [1, 1, -1]
    with pytest.raises(ValueError, match="limit must be finite"):
        plots.bias_curve(fg.train(rows, y, steps=10, lr=0.1), limit=bias.late_time(rows, y, 0.1))
    with pytest.raises(ValueError, match=r"evals\['new'\] is no evaluation set of the run"):
        run.plot(limit=penalized, evals={"new": (X, Y)})
    with pytest.raises(ValueError, match=r"evals\['other'\] X must have 2 columns"):
        run.plot(limit=penalized, evals={"other": (X[:, 1:], Y)})
    autodiff = {"other": fg.Pgd(X, Y, method="autodiff32")}
    with pytest.raises(ValueError, match=r"evals\['other'\] has no limit"):
        run.plot(limit=penalized, evals=autodiff)
    # Of which none was asked for.
    own = plots.accuracy_curves(late_run(steps=10, evals=autodiff), limit=penalized)
    assert set(lines(own)) == {"train", "other", "train, limit"}
    with pytest.raises(ValueError, match=r"evals .* needs limit, got \['other'\]"):
        run.plot(evals={"other": (X, Y)})


def test_limits_of_other_runs(tmp_path):
    run = late_run(steps=10)
    late, best = bias.late_time(X, Y, 0.1), fg.max_margin(X, Y, bias="penalized")
    run.plot(limit=late)
    for other in (bias.late_time(X, Y, 0.2), bias.late_time(X, Y, 0.1, "sum")):
        with pytest.raises(ValueError, match=r"run's lr and reduction, 0\.1 and 'mean'"):
            run.plot(limit=other)
    # The same rate of a row.
    late_run(steps=10, lr=0.1 / 6, reduction="sum").plot(limit=late)
    fewer = fg.max_margin(X[:-1], Y[:-1], bias="penalized")
    with pytest.raises(ValueError, match="limit must be of the run's 6 rows, got one of 5"):
        plots.distance_curve(run, limit=fewer)
    still = edge.stationary_point(SURROUNDING)
    others = [fg.max_margin(-X, Y, bias="penalized"), bias.late_time(1.1 * X, Y, 0.1), still]
    for other in others:
        with pytest.raises(ValueError, match=r"limit must be that of the run's training data"):
            run.plot(limit=other)
    around = fg.train(SURROUNDING * 1.1, [-1] * 4, steps=10, lr=0.1)
    with pytest.raises(ValueError, match=r"limit must be that of the run's training data"):
        around.plot(limit=still)
    adam = late_run(steps=10, engine="exact", optimizer="adam")
    with pytest.raises(ValueError, match="got a run with optimizer='adam'"):
        adam.plot(limit=best)
    with pytest.raises(ValueError, match="got a run with optimizer='adam'"):
        adam.plot(limit="auto")
    # A run that was loaded has no data to hold it against.
    run.save(tmp_path / "run")
    loaded = fg.Trajectory.load(tmp_path / "run")
    loaded.plot(limit=best)
    loaded.plot(limit=others[0])
    with pytest.raises(ValueError, match="got one of 5"):
        loaded.plot(limit=fewer)


def test_the_run_sets_the_range_of_its_bias():
    rows = np.random.default_rng(2).normal(size=(40, 2))
    y = np.where(rows[:, 0] + 0.4 > 0, 1.0, -1.0)
    rows[:, 0] += 0.3 * y
    run = fg.train(rows, y, steps=20, lr=0.1)
    late = bias.late_time(rows, y, 0.1)
    ax = plots.bias_curve(run, limit=late)
    line = lines(ax)["late b"].get_ydata()
    assert np.ptp(line) > 2 * np.ptp(run.b)
    ax.figure.canvas.draw()
    assert ax.get_ylim() == plots.bias_curve(run).get_ylim()
    assert "late b" in [text.get_text() for text in ax.get_legend().get_texts()]
    # A second run on the same axes widens it.
    longer = fg.train(rows, y, steps=200, lr=0.1)
    plots.bias_curve(longer, ax)
    ax.figure.canvas.draw()
    assert ax.get_ylim()[1] >= longer.b.max()


@pytest.mark.parametrize("seed", [4, 0], ids=["separable", "interior"])
def test_the_limit_is_found(seed, tmp_path):
    """Of points of one label, whichever side of separability the draw is on."""
    data = fg.datasets.gaussian_noise(100, 48, sigma=5.0, seed=seed)
    evals = {"all": edge.GaussianNoise(5.0)}
    run = fg.train(data.X, data.y, steps=1000, lr=0.01, evals=evals)
    found = fg.separability(data.X)
    assert found.separable == (seed == 4)
    margin = fg.max_margin(data.X, data.y, bias="none").margin if found.separable else 0.0
    drawn = {line.get_label(): line for line in run.plot(limit="auto", evals=evals).lines}
    limit = drawn["all, limit"].get_ydata()[0]
    assert limit == pytest.approx(float(edge.limit_accuracy(margin, 5.0)), abs=1e-9)
    run.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="limit='auto' needs the training data"):
        fg.Trajectory.load(tmp_path / "run.npz").plot(limit="auto")


def test_no_limit_is_found_of_points_that_are_not_separable():
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([1.0, -1.0, 1.0])
    run = fg.train(X, y, steps=10, lr=0.1)
    with pytest.raises(fg.NotSeparableError, match="leave it out: the rows are not separable"):
        run.plot(limit="auto")


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_limit_that_was_found_is_not_found_again_to_be_checked(weight_decay, monkeypatch):
    run = fg.train(X, Y, steps=300, lr=0.1, weight_decay=weight_decay)
    owner, name = (limits, "regularized_limit") if weight_decay else (alignments, "max_margin")
    solve, found = getattr(owner, name), []
    monkeypatch.setattr(owner, name, lambda *a, **k: found.append(solve(*a, **k)) or found[-1])
    drawn = {line.get_label(): line for line in run.plot(limit="auto").lines}
    assert len(found) == 1
    expected = fg.accuracy(X, Y, found[0].w, found[0].b) if weight_decay else 1.0
    assert drawn["train, limit"].get_ydata()[0] == expected
