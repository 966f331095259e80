"""The limits of runs with weight decay and with schedules, in plots and alignments."""

import math

import matplotlib as mpl
import numpy as np
import pytest

import fastgrok as fg
from fastgrok import plots
from fastgrok.theory import bias
from test_limits import X, Y, late_run, level, lines

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


DECAYED = {"weight_decay": 1e-3, "steps": 1e9}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"decay_bias": True, "loss": "exponential"},
        {"bias": False, "reduction": "sum", "lr": 0.01},
        {"optimizer": "momentum", "optimizer_options": {"momentum": 0.5}},
        {"schedule": fg.schedules.power(0.5, 10.0)},
    ],
)
def test_the_limit_of_a_run_with_decay_is_its_optimum(how):
    """It ends there: the lines are where the curves end."""
    rows, y = np.vstack([X, [[4.0, 1.5]]]), np.append(Y, -1.0)  # not separable
    evals = {"other": (X[:4] + 0.1, Y[:4])}
    asked = {"lr": 0.1, "engine": "leap", "evals": evals, **DECAYED, **how}
    run = fg.train(rows, y, **asked)
    shared = {k: how[k] for k in ("bias", "reduction", "loss", "decay_bias") if k in how}
    best = fg.regularized_limit(rows, y, 1e-3, **shared)
    for limit in (best, "auto"):
        ax = run.plot(limit=limit)
        for name in ("train", "other"):
            assert level(ax, f"{name}, limit") == run.accuracy[name][-1]
    assert level(ax, "train, limit") < 1.0
    distance = level(plots.distance_curve(run, limit=best), "limit") if best.b else 0.0
    assert distance == pytest.approx(run.distance[-1], rel=1e-7)
    assert level(plots.bias_curve(run, limit=best), "late b") == pytest.approx(run.bias_final)


def test_optima_that_do_not_fit(tmp_path):
    best = fg.regularized_limit(X, Y, 1e-3)
    with pytest.raises(ValueError, match="got a run without weight_decay"):
        late_run(steps=10).plot(limit=best)
    for changes, why in (
        ({"optimizer": "adam"}, "linear in the gradients so far, which optimizer='adam' has not"),
        ({"loss": "squared"}, "slopes that vanish as margins grow, which loss='squared' has not"),
        ({"schedule": fg.schedules.cosine(10)}, r"which schedule=cosine\(10, 0\) has not"),
        ({"schedule": fg.schedules.power(1.5)}, r"which schedule=power\(1.5, 1\) has not"),
    ):
        run = late_run(**DECAYED | changes | {"steps": 10, "engine": "auto", "lr": 0.01})
        for limit in (best, "auto"):
            with pytest.raises(ValueError, match=why):
                run.plot(limit=limit)
    run = late_run(**DECAYED)
    for other in (
        fg.regularized_limit(X, Y, 2e-3),
        fg.regularized_limit(1.1 * X, Y, 1e-3),
        fg.regularized_limit(X, Y, 1e-3, decay_bias=True),
        fg.regularized_limit(X, Y, 1e-3, bias=False),
    ):
        with pytest.raises(
            ValueError, match=r"must be regularized_limit of the run's .* got Limit"
        ):
            run.plot(limit=other)
    with pytest.raises(ValueError, match="limit must have 2 weights, as the run, got 1"):
        run.plot(limit=fg.regularized_limit(X[:, :1], Y, 1e-3))
    with pytest.raises(ValueError, match=r"need not tend there.* regularized_limit"):
        run.plot(limit=fg.max_margin(X, Y, bias="penalized"))
    # Of a run that was loaded neither is known: what it was trained on, and the accuracy there.
    run.save(tmp_path / "run")
    loaded = fg.Trajectory.load(tmp_path / "run").plot(limit=best)
    assert set(lines(loaded)) == {"train", "train: step 9"}


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_rates_that_fall_but_add_up_lead_to_the_margin(exponent):
    schedule = fg.schedules.power(exponent, 1e3)
    run = late_run(steps=1e60, schedule=schedule, keep_weights=True)
    found = run.alignment()
    assert found.note.startswith("plain descent tends to it")
    # As far as a constant rate has come where its steps add up to as much.
    k = 1e60 / 1e3
    time = 1e3 * (2.0 * math.sqrt(k) if exponent == 0.5 else math.log(k))
    alone = late_run(steps=round(time), keep_weights=True).alignment()
    assert found[-1] == pytest.approx(alone[-1], abs=1e-4)
    run.plot(limit="auto")
    late = bias.late_time(X, Y, 0.1)
    with pytest.raises(ValueError, match=r"1 in the end, which schedule=power\(.* has not"):
        plots.bias_curve(run, limit=late)
    ended = late_run(steps=1e6, schedule=fg.schedules.power(1.5), keep_weights=True)
    assert "add up without end, which schedule=power(1.5, 1) has not" in ended.alignment().note
    with pytest.raises(ValueError, match="add up without end"):
        ended.plot(limit="auto")


def test_a_cosine_that_ends_above_0_leads_to_the_margin():
    run = late_run(steps=1e30, schedule=fg.schedules.cosine(1000, 0.25), keep_weights=True)
    slow = late_run(steps=1e30, lr=0.025, keep_weights=True)
    assert run.alignment()[-1] == pytest.approx(slow.alignment()[-1], abs=1e-3)
    assert run.alignment().note.startswith("plain descent tends to it")
