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
from fastgrok.theory.bias import late_time

PAGE = Path(__file__).parents[1] / "docs" / "combinations.md"
KINDS = tuple(table.DEFAULTS)
SCHEDULES = {
    "constant": None,
    "power": fg.schedules.power(0.5, 3.0),
    "warmup": fg.schedules.warmup(8),
    "cosine": fg.schedules.cosine(8),
    "callable": lambda k: 2.0 if k < 5 else 0.5 + 0.05 * (k > 150),
}


def one_or_two_changed():
    """All combinations of which at most two parts are not as by default."""
    every = itertools.product(*(table.PARTS[kind] for kind in KINDS))
    plain = tuple(table.DEFAULTS.values())
    return [
        dict(zip(KINDS, names, strict=True))
        for names in every
        if sum(a != b for a, b in zip(names, plain, strict=True)) <= 2
    ]


COMBINATIONS = one_or_two_changed()
X = np.array([[3.0, 1.0], [1.0, 2.0], [-2.0, 1.0], [-1.0, -1.5], [0.5, -1.0], [0.3, 0.4]])
Y = np.array([1.0, 1.0, -1.0, -1.0, -1.0, 1.0])


def given(parts):
    """Return the arguments of `train` that stand for the parts."""
    return {
        "loss": parts["loss"],
        "optimizer": parts["optimizer"],
        "weight_decay": 1e-3 if parts["penalty"] == "weight_decay" else 0.0,
        "schedule": SCHEDULES[parts["schedule"]],
    }


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


def test_every_part_has_its_argument():
    assert set(SCHEDULES) == set(table.PARTS["schedule"])
    for parts in COMBINATIONS:
        params = fg.train(X, Y, steps=3, lr=1e-3, **given(parts)).params
        assert params["loss"] == parts["loss"]
        assert params["optimizer"] == parts["optimizer"]
        assert ("weight_decay" in params) == (parts["penalty"] == "weight_decay")
        assert params.get("schedule", "constant") == parts["schedule"]


# --- combinations -----------------------------------------------------------------------------


@pytest.mark.parametrize("parts", COMBINATIONS, ids=named)
@pytest.mark.parametrize("engine", ["auto", *table.ENGINES])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_every_combination_is_trained_or_refused(parts, engine, checkpointed, tmp_path):
    steps = 20_000
    # Steps of a given size are smooth until there is an optimum.
    lr = 1e-5 if parts["optimizer"] == "normalized" else 1e-3
    options = {"engine": engine, "lr": lr, "steps": steps, "record": [steps], **given(parts)}
    if checkpointed:
        options["checkpoint"] = tmp_path / "run"
    leap = table.lack("leap", parts)
    missing = leap if engine == "leap" else None
    # What is known without the table, of losses as test_losses measures it.
    says = losses()[parts["loss"]]
    smooth = says["twice_differentiable"] and (
        says["exponential_tail"] or says["bounded_curvature"]
    )
    followed = {"gd", "normalized"}
    if parts["schedule"] == "constant":
        followed |= {"momentum", "nesterov"}
    slow = parts["schedule"] != "callable" and parts["optimizer"] in followed
    assert (missing is not None) == (engine == "leap" and not (smooth and slow))
    if missing:
        with pytest.raises(
            ValueError, match=r"need .*, which .* (has not|need not have)$"
        ) as caught:
            fg.train(X, Y, **options)
        assert str(missing) in str(caught.value)
        return
    run = fg.train(X, Y, **options)
    assert np.isfinite(run.w).all()
    leaps = engine != "exact" and leap is None
    assert run.engine.name == ("leap" if leaps else "exact")
    if engine == "auto" and not smooth:
        assert run.engine.reason == str(leap)
    elif engine == "auto" and leap:
        assert run.engine.reason == table.unable(leap)
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
        with pytest.raises(ValueError, match=r"need steps .* (has not|need not have)") as caught:
            run.refine("train", rows, labels, None)
        assert str(missing) in str(caught.value)
    else:
        assert run.refine("train", rows, labels, None).train == 1

    trained = fg.train(X, Y, steps=10, lr=1e-3, **given(parts))
    best = fg.max_margin(X, Y, bias="penalized")
    if missing := table.lack("direction", trained.params):
        with pytest.raises(ValueError, match="need not tend there") as caught:
            limits.hyperplane(best, trained)
        assert str(missing) in str(caught.value)
    else:
        assert limits.hyperplane(best, trained)[1] == best.b

    late = late_time(X, Y, 1e-3)
    if missing := table.lack("late_bias", trained.params):
        with pytest.raises(ValueError, match=r"need not tend there|grows otherwise") as caught:
            limits.bias_line(late, trained, np.array([1e3]))
        assert str(table.lack("direction", trained.params) or missing) in str(caught.value)
    else:
        expected = late.b_tilde + late.b_hat * np.log(1e3)
        assert limits.bias_line(late, trained, np.array([1e3])) == pytest.approx(expected)

    if missing := table.lack("stable_lr", parts):
        with pytest.raises(ValueError, match=r"has not") as caught:
            fg.train(X, Y, steps=10, lr="auto", **given(parts))
        assert table.TRAITS[missing.trait] in str(caught.value)
    else:
        rate = fg.train(X, Y, steps=10, lr="auto", **given(parts)).params["lr"]
        asked = {key: value for key, value in given(parts).items() if key != "schedule"}
        assert rate == 0.5 * fg.stable_lr(X, Y, **asked)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fg.train(X, Y, steps=1, lr=40.0, **given(parts))
    warned = any(issubclass(one.category, fg.StabilityWarning) for one in told)
    assert warned == (table.lack("sharpness_limit", parts) is None)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_a_pair_that_cannot_be_leaped_is_told_of(name):
    how = {"optimizer": name, "schedule": fg.schedules.power(0.5), "lr": 1e-3, "steps": 5000}
    with pytest.raises(
        ValueError, match=rf"must be 'auto' or 'exact' with optimizer='{name}'"
    ) as e:
        fg.train(X, Y, engine="leap", **how)
    assert str(e.value).endswith(
        "leaps with schedule='power' need steps that follow from w and b alone, which "
        f"optimizer='{name}' has not"
    )
    run = fg.train(X, Y, **how)
    title = table.PARTS["optimizer"][name].title
    assert run.engine.reason == (f"the steps of {title} with schedule='power' cannot be leaped")
    assert np.array_equal(run.w, fg.train(X, Y, engine="exact", **how).w)


def test_a_part_that_lacks_a_trait_is_named(monkeypatch):
    kinked = table.Plain("kinked", frozenset({"convex"}))
    monkeypatch.setitem(table.PARTS, "loss", {**LOSSES, "kinked": kinked})
    missing = table.lack("leap", {"loss": "kinked"})
    assert str(missing) == (
        "leaps need a continuous second derivative, which loss='kinked' has not"
    )
    assert table.unable(missing) == str(missing)
    assert table.lack("exact", {"loss": "kinked"}) is None
    able = [name for name in table.PARTS["loss"] if table.lack("leap", {"loss": name}) is None]
    assert able == ["logistic", "exponential", "squared"]


def test_records_that_name_no_optimizer_are_of_plain_descent():
    assert table.lack("refine", {"loss": "logistic"}) is None


def test_a_closed_form_for_another_loss_is_refused(monkeypatch):
    with pytest.raises(
        ValueError, match=r"this law has no formula for loss='hinge', only for 'a', 'b'"
    ):
        formula({"a": 1, "b": 2}, "hinge", "this law")

    monkeypatch.setattr(fg.theory.edge.GaussianNoise, "losses", ("exponential",))
    tests = {"noise": fg.theory.edge.GaussianNoise(1.0)}
    with pytest.raises(ValueError, match=r"evals\['noise'\] has no formula for loss='logistic'"):
        fg.train(X, Y, steps=3, lr=0.1, evals=tests)
    assert fg.train(X, Y, steps=3, lr=0.1, evals=tests, loss="exponential").losses["noise"].all()


def test_parts_are_known_from_the_settings_of_a_record():
    run = fg.train(X, Y, steps=3, lr=1e-3, weight_decay=0.5)
    assert str(table.lack("direction", run.params)) == (
        "limits of directions need a gradient of the loss alone, which weight_decay > 0 has not"
    )
    assert table.lack("direction", fg.train(X, Y, steps=3, lr=1e-3).params) is None


# --- steps and schedules ----------------------------------------------------------------------

OPTIMIZERS = table.PARTS["optimizer"]
STARTS = (np.zeros(3), np.array([0.5, -1.0, 0.3]), np.array([-0.7, 0.2, -0.4]))


def path(start, steps, lr=0.25, **options):
    run = fg.train(
        X, Y, steps=steps, lr=lr, w0=start[:-1], b0=start[-1], record=1, keep_weights=True,
        engine="exact", **options,
    )  # fmt: skip
    return run.weights


def steps_and_gradients(name, count, start, lr=0.25):
    """Steps from a start, (count, 3), and minus the gradients where they were taken."""
    states = path(start, count, lr, optimizer=name)
    gradients = []
    for state in states[:-1]:
        w, b = reference.gradient(X, Y, state[:-1], float(state[-1]), "logistic")
        gradients.append(-np.append(w, b) / len(Y))
    return np.diff(states, axis=0), np.array(gradients)


def combined(name, k):
    """
    Fit step k, from every start, as one combination of the gradients up to there.

    The coefficients, the gradients' own last, and what is left of the step.
    """
    found = [steps_and_gradients(name, k + 1, start) for start in STARTS]
    columns = np.concatenate([gradients.T for _, gradients in found])
    steps = np.concatenate([steps[-1] for steps, _ in found])
    factors = np.linalg.lstsq(columns, steps, rcond=None)[0]
    return factors, np.linalg.norm(columns @ factors - steps) / np.linalg.norm(steps)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_linear_steps_and_proportional_ones(name):
    has = OPTIMIZERS[name].has
    fits = [combined(name, k) for k in range(4)]
    assert (max(left for _, left in fits) < 1e-10) == ("linear" in has)
    if "linear" not in has:
        assert "proportional" not in has
        return
    factors = [factors for factors, _ in fits]
    of_earlier = max(np.abs(row[:-1]).max(initial=0.0) for row in factors)
    assert (of_earlier < 1e-10) == ("memoryless" in has)
    by_age = [[row[-1 - age] for row in factors if len(row) > age] for age in range(3)]
    assert (max(np.ptp(same) for same in by_age) < 1e-10) == ("autonomous" in has)
    assert (of_earlier < 1e-10 and np.ptp(by_age[0]) < 1e-10) == ("proportional" in has)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_memory_and_clock(name):
    # Taken up from w and b alone, a run goes on as before if its steps know no more.
    whole = path(np.zeros(3), 12, optimizer=name)
    again = path(whole[5], 7, optimizer=name)
    same = {"memoryless", "autonomous"} <= OPTIMIZERS[name].has
    assert np.array_equal(again, whole[5:]) == same


def cosines(steps, gradients):
    sizes = np.linalg.norm(steps, axis=1) * np.linalg.norm(gradients, axis=1)
    return (steps * gradients).sum(axis=1) / sizes


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_along_the_gradient(name):
    along = cosines(*steps_and_gradients(name, 8, np.zeros(3)))
    assert (along.min() > 1.0 - 1e-12) == ("along_gradient" in OPTIMIZERS[name].has)
    # The first step is one of a single gradient.
    first = [cosines(*steps_and_gradients(name, 1, start))[0] for start in STARTS]
    assert (min(first) > 1.0 - 1e-12) == ("keeps_proportions" in OPTIMIZERS[name].has)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_a_slowly_changing_gradient_determines(name):
    # The margins grow and the gradient falls slowly: a step is the same multiple of it in every
    # entry, as far as it changes within a few steps.
    late = [2000, 4000, 5999]
    steps, gradients = steps_and_gradients(name, 6000, np.zeros(3), lr=0.02)
    ratios = steps[late] / gradients[late]
    alike = ratios.max(axis=1) / ratios.min(axis=1) - 1.0
    followed = bool(alike.max() < 0.02) and bool(ratios.min() > 0.0)
    assert followed == ("follows_gradient" in OPTIMIZERS[name].has)


@pytest.mark.parametrize(
    ("schedule", "endless", "ends_at_one"),
    [
        (fg.schedules.warmup(8), True, True),
        (fg.schedules.power(0.0), True, True),
        (fg.schedules.power(0.5, 3.0), True, False),
        (fg.schedules.power(1.0), True, False),
        (fg.schedules.power(1.25, 3.0), False, False),
        (fg.schedules.cosine(8), False, False),
        (fg.schedules.cosine(8, 0.1), True, False),
        (fg.schedules.cosine(8, 1.0), True, True),
    ],
    ids=str,
)
def test_traits_that_hang_on_parameters(schedule, endless, ends_at_one):
    """By how much the rates of ever longer stretches add, and by what they end at."""
    assert ("endless" in schedule.has, "ends_at_one" in schedule.has) == (endless, ends_at_one)
    # Of (1/k)^a the sums over doublings of k are as 2^(1 - a), as long as that does not fall off.
    sums = [2.0**j * schedule(1.5 * 2.0**j) for j in (80, 160)]
    assert (sums[1] > 0.5 * sums[0] > 0.0) == endless
    assert (schedule(1e30) == 1.0) == ends_at_one
    # A record says as much.
    run = fg.train(X, Y, steps=3, lr=1e-3, schedule=schedule)
    for use in ("direction", "margin", "optimum"):
        assert (table.lack(use, run.params) is None) == endless
    assert (table.lack("late_bias", run.params) is None) == ends_at_one
    assert type(schedule).name == run.params["schedule"]


def test_functions_are_asked_for_what_they_show():
    for most, known in ((1.0, True), (1.5, False)):
        how = {"steps": 3, "schedule": lambda k, most=most: most if k == 1 else 0.5}
        if known:
            fg.train(X, Y, lr="auto", **how)
            continue
        with pytest.raises(ValueError, match=r"of at most 1, which schedule='callable' has not"):
            fg.train(X, Y, lr="auto", **how)


@pytest.mark.parametrize("name", table.PARTS["schedule"])
def test_schedules(name):
    has = table.PARTS["schedule"][name].has
    asked = {"schedule": SCHEDULES[name]}
    whole = path(np.zeros(3), 200, **asked)
    assert np.array_equal(path(whole[7], 5, **asked), whole[7:13]) == ("autonomous" in has)

    # What a run multiplies its rate with, by the size of its steps.
    signs = np.diff(path(np.zeros(3), 200, optimizer="sign", **asked), axis=0)
    factors = np.abs(signs).max(axis=1) / 0.25
    assert (factors.max() <= 1.0 + 1e-12) == ("at_most_one" in has)
    assert (factors[-1] > 0.999) == ("ends_at_one" in has)
    s, late = np.log1p(np.arange(50.0, 200.0)), factors[50:]
    fit = np.polynomial.Chebyshev.fit(s, late, 16)
    assert (np.abs(fit(s) - late).max() < 1e-7) == ("smooth" in has)
