"""Which margin an alignment is measured against, and what theory has to say of it."""

import numpy as np
import pytest
from scipy.optimize import minimize

import fastgrok as fg
from fastgrok import plots
from fastgrok.descent import table
from fastgrok.descent.optimizers import OPTIMIZERS

#: Two clouds whose directions of l_2, l_inf and l_1 differ.
RNG = np.random.default_rng(0)
Y = np.where(np.arange(30) % 2, 1.0, -1.0)
X = 0.5 * RNG.normal(size=(30, 5)) + np.multiply.outer(Y, [2.0, 1.0, 0.5, 0.25, 0.1])


def run(**changes):
    settings = {"steps": 100, "lr": 0.1, "keep_weights": True, "engine": "exact", **changes}
    return fg.train(X, Y, **settings)


def cosines(weights, found):
    target = np.append(found.w, found.b)
    return weights @ target / np.linalg.norm(weights, axis=1) / np.linalg.norm(target)


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_against_every_norm(norm, optimizer):
    trained = run(optimizer=optimizer)
    found = trained.alignment(norm)
    best = fg.max_margin(X, Y, norm=norm)
    np.testing.assert_allclose(found[1:], cosines(trained.weights[1:], best), rtol=1e-13)
    np.testing.assert_array_equal(found, trained.alignment(best))
    assert found.limit.norm == norm
    assert f"norm='{norm}'" in repr(found)
    limit = OPTIMIZERS[optimizer].limit
    assert ("not the limit" in found.note) == (limit is not None and norm != limit)


def test_without_a_word_it_is_the_norm_of_the_optimizer():
    for name, step in OPTIMIZERS.items():
        found = run(optimizer=name).alignment()
        assert found.limit.norm == (step.limit or "l2")
        assert found.note == (step.theory if step.limit else f"theory has no limit of {step.title}")
    assert OPTIMIZERS["gd"].limit == "l2"


def test_where_theory_has_no_limit(monkeypatch):
    trained = run()
    free = trained.alignment(fg.max_margin(X, Y, bias="free"))
    assert free.note == "not the limit of a run with a bias, which is that for 'penalized'"
    without = run(bias=False)
    assert without.alignment().limit.bias == "none"
    assert "run without a bias" in without.alignment(fg.max_margin(X, Y)).note

    heavy = table.Plain("heavy", frozenset({"convex"}))
    monkeypatch.setitem(table.PARTS["loss"], "logistic", heavy)
    assert trained.alignment().note == (
        "theory has no such limit, for limits of maximum margin need slopes that fall off like "
        "exp(-m), which loss='heavy' has not"
    )


def test_adamw_ends_where_the_loss_is_least_in_a_box():
    """Which a method for bounded variables finds as well; its direction is near that in l_inf."""
    decayed = {"optimizer": "adamw", "weight_decay": 0.2, "lr": 1e-3, "bias": False}
    trained = run(steps=100_000, optimizer_options={"eps": 1e-12}, **decayed)
    found = trained.alignment()
    assert found.limit.norm == "linf"
    assert "|w_j| <= 1 / weight_decay (Xie and Li 2024)" in found.note
    assert "theory has no such limit" in trained.alignment("l2").note
    least = minimize(
        lambda w: np.logaddexp(0.0, -Y * (X @ w)).mean() * 1e3,
        np.zeros(5),
        bounds=[(-5.0, 5.0)] * 5,
        method="L-BFGS-B",
        options={"ftol": 1e-14, "gtol": 1e-10},
    )
    np.testing.assert_allclose(trained.w, least.x, rtol=2e-2)
    assert found[-1] > trained.alignment("l2")[-1]


def test_a_bias_that_does_not_decay_is_not_in_the_box():
    decayed = {"optimizer": "adamw", "weight_decay": 0.2}
    for bias_too, norm in ((False, "l2"), (True, "linf")):
        assert run(**decayed, decay_bias=bias_too).alignment().limit.norm == norm
    falling = run(**decayed, decay_bias=True, schedule=fg.schedules.power(2.0)).alignment()
    assert falling.limit.norm == "l2"


def test_one_of_several_solutions_is_told():
    rows = np.column_stack([X, np.zeros(len(X))])
    trained = fg.train(rows, Y, steps=10, lr=0.1, keep_weights=True)
    assert trained.alignment("linf").note.endswith("; one of several solutions")
    assert "several" not in trained.alignment().note


def test_it_is_an_array_like_any_other():
    found = run().alignment()
    assert isinstance(found, np.ndarray)
    assert not found.flags.writeable
    assert found[-5:].limit is found.limit
    rest = 1.0 - found
    assert type(rest) is np.ndarray
    assert isinstance(found[-1], float)
    assert isinstance(np.nanmax(found), float)
    assert "plain descent" in str(found)
    assert "plain descent" not in str(rest)


def test_arguments_that_are_refused(tmp_path):
    trained = run()
    with pytest.raises(ValueError, match="solution must be one of 'l2', 'linf', 'l1', got 'max'"):
        trained.alignment("max")
    with pytest.raises(TypeError, match="max_margin returns, or one of 'l2', 'linf', 'l1', got 3"):
        trained.alignment(3)
    trained.save(tmp_path / "run")
    loaded = fg.Trajectory.load(tmp_path / "run")
    with pytest.raises(ValueError, match=r"max_margin\(X, y, bias='penalized', norm='linf'\)"):
        loaded.alignment("linf")
    best = fg.max_margin(X, Y, norm="linf")
    assert loaded.alignment(best).limit is best
    with pytest.raises(ValueError, match="the margin in norm='l2', got one for norm='linf'"):
        trained.plot(limit=best)


def test_the_curve_says_its_norm():
    ax = plots.alignment_curve(run(), "linf")
    assert "linf" in ax.get_ylabel()
    assert "linf" not in plots.alignment_curve(run()).get_ylabel()


def test_adam_turns_from_one_margin_to_the_other():
    """Until its gradients fall below eps it nears l_inf, from then on l_2."""
    trained = run(
        steps=200_000, lr=1e-3, bias=False, optimizer="adam", optimizer_options={"eps": 1e-4}
    )
    Z = Y[:, None] * X
    with np.errstate(over="ignore"):
        slopes = 1.0 / (1.0 + np.exp(Z @ trained.weights[:, :-1].T))
    largest = np.abs(Z.T @ slopes / len(X)).max(axis=0)
    turn = int(np.argmax(largest < 1e-4))
    to_linf, to_l2 = trained.alignment("linf"), trained.alignment("l2")
    before, late = np.searchsorted(trained.steps, [0.1 * trained.steps[turn], 2e5])
    top = int(np.nanargmax(to_linf))
    assert 0.5 < trained.steps[top] / trained.steps[turn] < 3.0
    assert to_linf[before] < to_linf[turn] > to_linf[late] + 0.01
    assert to_linf[turn] > to_l2[turn]
    assert to_l2[late] > to_linf[late]
    assert np.all(np.diff(to_l2[turn:]) > 0.0)


def test_adam_without_eps_ends_at_the_margin_in_linf():
    trained = run(
        steps=100_000, lr=1e-4, bias=False, optimizer="adam", optimizer_options={"eps": 1e-200}
    )
    assert trained.alignment("linf")[-1] > 0.99 > trained.alignment("l2")[-1] + 0.05
    slow = run(
        steps=100_000, lr=1e-2, bias=False, optimizer="adam", optimizer_options={"eps": 1e-200}
    )
    # The rate is not small beside 1 - beta2: it goes elsewhere.
    assert slow.alignment("linf")[-1] < trained.alignment("linf")[-1] - 0.01
