"""The table of what goes together: every combination trained or refused, every trait measured."""

import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
import reference
from fastgrok._core import losses
from fastgrok.descent import table
from fastgrok.linear.losses import LOSSES, formula
from fastgrok.questions import limits

PAGE = Path(__file__).parents[1] / "docs" / "combinations.md"
COMBINATIONS = [
    dict(zip(("loss", "penalty", "optimizer", "schedule"), names, strict=True))
    for names in itertools.product(*(table.PARTS[kind] for kind in table.DEFAULTS))
]
ARGUMENTS = ("loss", "optimizer")
"""Kinds that `train` has an argument for; of the others there must be one part alone."""
X = np.array([[3.0, 1.0], [1.0, 2.0], [-2.0, 1.0], [-1.0, -1.5], [0.5, -1.0], [0.3, 0.4]])
Y = np.array([1.0, 1.0, -1.0, -1.0, -1.0, 1.0])


def given(parts):
    return {kind: parts[kind] for kind in ARGUMENTS}


def named(parts):
    return "-".join(parts.values())


def test_the_page_is_what_the_table_renders():
    assert PAGE.read_text(encoding="utf-8") == table.page()


def test_every_name_of_a_trait_is_known():
    for use in table.USES.values():
        for kind, traits in use.needs.items():
            assert set(traits) <= set(table.TRAITS)
            assert kind in table.PARTS
    for parts in table.PARTS.values():
        for name, part in parts.items():
            assert part.name == name
            assert part.has <= set(table.TRAITS)


def test_kinds_without_an_argument_have_one_part():
    for kind, name in table.DEFAULTS.items():
        assert kind in ARGUMENTS or list(table.PARTS[kind]) == [name]


# --- combinations -----------------------------------------------------------------------------


@pytest.mark.parametrize("parts", COMBINATIONS, ids=named)
@pytest.mark.parametrize("engine", ["auto", *table.ENGINES])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_every_combination_is_trained_or_refused(parts, engine, checkpointed, tmp_path):
    steps = 20_000 if engine == "leap" else 3000
    options = {"engine": engine, "lr": 1e-3, "steps": steps, "record": [steps], **given(parts)}
    if checkpointed:
        options["checkpoint"] = tmp_path / "run"
    leap = table.lack("leap", parts)
    resumed = table.lack("checkpoint", {"engine": engine}) if engine != "auto" else None
    missing = (resumed if checkpointed else None) or (leap if engine == "leap" else None)
    # What is known without the table, of losses as test_losses measures it.
    says = losses()[parts["loss"]]
    smooth = says["twice_differentiable"] and (
        says["exponential_tail"] or says["bounded_curvature"]
    )
    assert (missing is not None) == (
        engine == "leap" and (checkpointed or parts["optimizer"] == "adam" or not smooth)
    )
    if missing:
        with pytest.raises(ValueError, match=r"need .*, which .* has not$") as caught:
            fg.train(X, Y, **options)
        assert str(missing) in str(caught.value)
        return
    run = fg.train(X, Y, **options)
    assert np.isfinite(run.w).all()
    leaps = engine != "exact" and not checkpointed and leap is None
    assert run.engine.name == ("leap" if leaps else "exact")
    if engine == "auto" and checkpointed:
        assert run.engine.reason == "exact steps alone can go on from a checkpoint"
    elif engine == "auto" and not smooth:
        assert run.engine.reason == str(leap)
    elif engine == "auto" and leap:
        assert run.engine.reason == "the steps of Adam cannot be leaped"
    else:
        assert run.engine.reason == ""


@pytest.mark.parametrize("parts", COMBINATIONS, ids=named)
def test_uses_of_a_run_go_or_are_refused(parts):
    # Every other row is so far away that it does not matter.
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 3))
    labels = np.where(rows[:, 0] > 0.0, 1.0, -1.0)
    rows[:, 0] += labels
    rows[::2] *= 1000.0
    run = fg.train(
        rows, labels, steps=100, lr=1e-7, w0=[10.0, 0.0, 0.0], skip_rows=True, engine="exact",
        keep_weights=True, **given(parts),
    )  # fmt: skip
    assert (run.engine.row_share < 1.0) == (table.lack("skip_rows", parts) is None)

    if missing := table.lack("refine", parts):
        with pytest.raises(ValueError, match=r"steps without memory .* has not") as caught:
            run.refine("train", rows, labels, None)
        assert str(missing) in str(caught.value)
    else:
        assert run.refine("train", rows, labels, None).train == 1

    trained = fg.train(X, Y, steps=10, lr=1e-3, **given(parts))
    best = fg.max_margin(X, Y, bias="penalized")
    if missing := table.lack("direction", parts):
        with pytest.raises(ValueError, match="tends elsewhere") as caught:
            limits.hyperplane(best, trained)
        assert str(missing) in str(caught.value)
    else:
        assert limits.hyperplane(best, trained)[1] == best.b

    if missing := table.lack("stable_lr", parts):
        with pytest.raises(ValueError, match=r"need .* has not") as caught:
            fg.train(X, Y, steps=10, lr="auto", **given(parts))
        assert str(missing) in str(caught.value)
    else:
        rate = fg.train(X, Y, steps=10, lr="auto", **given(parts)).params["lr"]
        assert rate == 0.5 * fg.stable_lr(X, Y, loss=parts["loss"])

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fg.train(X, Y, steps=1, lr=20.0, **given(parts))
    warned = any(issubclass(one.category, fg.StabilityWarning) for one in told)
    assert warned == (table.lack("sharpness_limit", parts) is None)


def test_a_part_that_lacks_a_trait_is_named(monkeypatch):
    kinked = table.Plain("kinked", frozenset({"convex"}))
    monkeypatch.setitem(table.PARTS, "loss", {**LOSSES, "kinked": kinked})
    missing = table.lack("leap", {"loss": "kinked"})
    assert str(missing) == (
        "leaps need a continuous second derivative, which loss='kinked' has not"
    )
    assert table.unable(missing) == str(missing)
    assert table.lack("exact", {"loss": "kinked"}) is None
    assert table.goes_with("leap", "loss") == ("logistic", "exponential", "squared")
    assert "kinked" not in table.goes_with("leap", "loss")


def test_records_that_name_no_optimizer_are_of_plain_descent():
    assert table.lack("refine", {"loss": "logistic"}) is None


def test_a_closed_form_for_another_loss_is_refused(monkeypatch):
    with pytest.raises(
        ValueError, match=r"this law has no formula for loss='hinge', only for 'a' and 'b'"
    ):
        formula({"a": 1, "b": 2}, "hinge", "this law")

    monkeypatch.setattr(fg.theory.edge.GaussianNoise, "losses", ("exponential",))
    tests = {"noise": fg.theory.edge.GaussianNoise(1.0)}
    with pytest.raises(ValueError, match=r"evals\['noise'\] has no formula for loss='logistic'"):
        fg.train(X, Y, steps=3, lr=0.1, evals=tests)
    assert fg.train(X, Y, steps=3, lr=0.1, evals=tests, loss="exponential").losses["noise"].all()


# --- steps ------------------------------------------------------------------------------------


def path(optimizer, start, steps, lr=0.25):
    run = fg.train(
        X, Y, steps=steps, lr=lr, w0=start[:-1], b0=start[-1], record=1, keep_weights=True,
        engine="exact", optimizer=optimizer,
    )  # fmt: skip
    return run.weights


@pytest.mark.parametrize("name", table.PARTS["optimizer"])
def test_memory_and_clock(name):
    # Taken up from w and b alone, a run goes on as before if its steps know no more.
    whole = path(name, np.zeros(3), 12)
    again = path(name, whole[5], 7)
    same = {"memoryless", "autonomous"} <= table.PARTS["optimizer"][name].has
    assert np.array_equal(again, whole[5:]) == same


@pytest.mark.parametrize("name", table.PARTS["optimizer"])
def test_along_the_gradient(name):
    states = path(name, np.zeros(3), 8)
    cosines = []
    for before, after in itertools.pairwise(states):
        w, b = reference.gradient(X, Y, before[:-1], float(before[-1]), "logistic")
        down, step = -np.append(w, b), after - before
        cosines.append(down @ step / np.linalg.norm(down) / np.linalg.norm(step))
    along = "along_gradient" in table.PARTS["optimizer"][name].has
    assert (min(cosines) > 1.0 - 1e-12) == along
