"""What is offered to the tests of others: a differing bit is found, and kinds are what they say."""

import dataclasses
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import fastgrok as fg
import fastgrok_pytest
from cases import problem
from fastgrok.testing import assert_same_bits, explain_difference, strategies
from geometry_cases import assert_certificate, extended, rank
from synthetic_runs import make_run

RUN = make_run(weights=np.arange(12.0).reshape(4, 3))


def changed(**fields):
    return dataclasses.replace(RUN, **fields)


def with_entry(array, at, value):
    array = array.copy()
    array[at] = value
    return array


# -------------------------------------------------------------------------------------------- bits


def test_the_same_run_again_has_the_same_bits():
    X, y = problem(30, 3)
    settings = {"steps": 2000, "lr": 0.1, "evals": {"same": (X, y)}, "keep_weights": True}
    run = fg.train(X, y, **settings)
    other = fg.train(X, y, **settings, threads=2)
    assert run.engine.seconds != other.engine.seconds
    assert_same_bits(run, other)
    assert_same_bits([run, {"a": run.w}], [other, {"a": other.w.copy()}])
    assert explain_difference(run, other) == ""


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(fg.Trajectory)])
def test_a_change_of_any_field_is_found_but_of_what_is_not_compared(field):
    other = {
        "losses": {"train": RUN.loss + 1.0, "standard": RUN.losses["standard"]},
        "counts": {"train": RUN.counts["train"] + 1, "standard": RUN.counts["standard"]},
        "sizes": {"train": 10, "standard": 11},
        "regime": with_entry(RUN.regime, 0, "rough"),
        "engine": dataclasses.replace(RUN.engine, exact_steps=7),
        "params": {**RUN.params, "lr": 0.02},
        "data": (np.zeros((1, 2)), np.ones(1)),
        "evals": {"standard": (np.zeros((1, 2)), np.ones(1))},
        "feature_names": ("a", "b"),
        "start": np.zeros(3),
        "bias_final": 0.25,
        "sample_weight": np.ones(RUN.sizes["train"]),
        "values": {"new": np.ones(4)},
        "probabilities": {"new": np.ones(4)},
    }
    changes = {field: other[field] if field in other else getattr(RUN, field) + 1}
    if field == "probabilities":
        changes["losses"] = {**RUN.losses, "new": np.ones(4)}
    said = explain_difference(changed(**changes), RUN)
    if field in ("engine", "data", "evals"):
        assert said == ""
    else:
        assert field in said
        with pytest.raises(AssertionError) as error:
            assert_same_bits(changed(**changes), RUN)
        assert str(error.value) == said


def test_the_first_record_and_step_are_named_with_what_they_are_apart():
    b = RUN.b.copy()
    b[2] = np.nextafter(np.nextafter(b[2], 9.0), 9.0)
    b[3] += 1.0
    loss = with_entry(RUN.loss, 3, 2.0 * RUN.loss[3])
    said = explain_difference(
        changed(b=b, losses={"train": loss, "standard": RUN.losses["standard"]}), RUN
    ).splitlines()
    assert said[0] == "the runs differ first at record 2 of 4, step 10:"
    share = (b[2] - RUN.b[2]) / max(abs(b[2]), abs(RUN.b[2]))
    assert said[1] == (
        f"  b: got {float(b[2])!r}, expected {float(RUN.b[2])!r}, {abs(share):.2g} of it, "
        "2 units in the last place; 2 of 4 records differ"
    )
    assert said[2] == (
        f"  losses['train']: got {float(loss[3])!r}, expected {float(RUN.loss[3])!r}, 0.5 of it; "
        "1 of 4 records differ (from step 100 on)"
    )
    assert len(said) == 3


def test_records_of_other_steps_are_named_first():
    longer = make_run((0, 1, 10, 50, 100))
    said = explain_difference(make_run((0, 1, 10, 100)), longer).splitlines()
    assert said[0] == (
        "the runs were recorded at different steps: 4 records to step 100, expected 5 to 100; "
        "record 3 is of step 100, expected 50"
    )
    assert len(said) <= 9


def test_weights_of_a_record_say_which():
    said = explain_difference(changed(weights=with_entry(RUN.weights, (1, 2), -5.0)), RUN)
    assert "weights: got -5.0, expected 5.0 at [1, 2], 2 of it" in said


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        (np.array([0.0, 0.0]), np.array([0.0, -0.0]), "at [1], zeros of different signs; 1 of 2"),
        (np.array([np.nan]), np.array([-np.nan]), "NaN of other bits"),
        (np.array([1.0]), np.array([np.inf]), "got 1.0, expected inf at [0]; 1 of 1"),
        (np.float32([1.0]), np.float32([1.0 + 2.0**-23]), "1.2e-07 of it, 1 unit in the last"),
        (np.array([5e-324]), np.array([-5e-324]), "2 of it, 2 units in the last place"),
        (np.array([1.0]), np.array([1.0], dtype=np.float32), "float64 of shape (1,), expected flo"),
        (np.array([1.0]), np.array([[1.0]]), "shape (1,), expected float64 of shape (1, 1)"),
        (np.array([3]), np.array([5]), "got 3, expected 5 at [0], 2 apart; 1 of 1 entries"),
        (1.0, 1.0 + 2.0**-52, "2.2e-16 of it, 1 unit in the last place"),
        (1.0, 1, "got 1.0, expected 1"),
        (np.float64(1.0), np.float64(2.0), "got 1.0, expected 2.0"),
        ([1.0], [1.0, 2.0], "length: got 1, expected 2"),
        ({"a": 1}, {"b": 1}, "['a']: got 1, expected None"),
        (
            fg.Dataset(np.eye(1), [1]),
            fg.Dataset(np.eye(1), [-1]),
            "y: got 1.0, expected -1.0 at [0]",
        ),
    ],
)
def test_what_is_said_of_other_things(got, expected, words):
    assert words in explain_difference(got, expected)
    assert explain_difference(got, got) == ""


def test_equal_nans_are_equal():
    assert_same_bits(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))
    assert_same_bits(float("nan"), float("nan"))


def test_many_differences_are_counted():
    said = explain_difference([0.0] * 30, [1.0] * 30).splitlines()
    assert len(said) == 9
    assert said[-1] == "and 22 more"


# ------------------------------------------------------------------------------------------ pytest

FAILING = """
import fastgrok as fg
from fastgrok.testing import assert_same_bits

def make(lr):
    return fg.train([[1.0, 2.0], [-1.0, 0.5]], [1, -1], steps=8, lr=lr)

def test_equal():
    assert make(0.1) == make(0.25)

def test_bits():
    assert_same_bits(make(0.1), make(0.25))

def test_others():
    assert {"a": 1} == {"a": 2}
"""


def test_pytest_explains_two_runs(tmp_path):
    (tmp_path / "test_it.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-p", "fastgrok_pytest", "-p", "no:cacheprovider"]
    # Where CI is set the summary shows all of a message once more.
    others = ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")
    own = {name: value for name, value in os.environ.items() if name not in others}
    said = subprocess.run(
        [*command, "-q", "test_it.py"], cwd=tmp_path, env=own, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert said.returncode == 1, said.stderr
    assert "3 failed" in said.stdout
    assert said.stdout.count("the runs differ first at record 0 of 9, step 0:") == 2
    assert "E         sharpness: got 0." in said.stdout
    assert "params['lr']: got 0.1, expected 0.25" in said.stdout
    assert "{'a': 1} != {'a': 2}" in said.stdout.replace("assert {'a': 1} == ", "")
    assert "_bits.py" not in said.stdout  # the failure is the test's


def test_the_plug_in_leaves_all_else_to_others():
    hook = fastgrok_pytest.pytest_assertrepr_compare
    assert hook("==", RUN, 1) is None
    assert hook("!=", RUN, RUN) is None
    assert "same to the last bit" in hook("==", RUN, changed())[1]


def test_the_plug_in_is_registered_and_imports_nothing_of_the_package():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {"fastgrok_pytest": "fastgrok_pytest"}
    program = "import sys, fastgrok_pytest; print({'fastgrok', 'numpy'} & {*sys.modules})"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "set()\n"


# -------------------------------------------------------------------------------------- strategies

STRATEGIES = {
    "separable": strategies.separable_sets,
    "boundary": strategies.boundary_sets,
    "interior": strategies.interior_sets,
}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("verdict", STRATEGIES)
@given(data=st.data())
def test_sets_are_of_their_kind(verdict, bias, data):
    X, y = data.draw(STRATEGIES[verdict](bias=bias))
    n, d = X.shape
    assert 1 <= n <= 10
    assert 1 <= d <= 4
    assert X.dtype == y.dtype == np.float64
    assert y.shape == (n,)
    assert set(y) <= {-1.0, 1.0}
    found = fg.separability(X, y, bias=bias)
    assert found.verdict == verdict
    assert_certificate(X, y, bias, found)


@pytest.mark.parametrize("bias", [True, False])
@given(data=st.data())
def test_both_classes(bias, data):
    X, y = data.draw(strategies.separable_sets(bias=bias, both_classes=True, max_rows=4))
    assert set(y) == {-1.0, 1.0}
    assert fg.separability(X, y, bias=bias).separable


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("verdict", STRATEGIES)
def test_sets_of_a_kind_are_many(verdict, bias):
    """The smallest and the largest are drawn, and those that a careless strategy leaves out."""
    sets = STRATEGIES[verdict](bias=bias)
    least = {"separable": 1, "boundary": 2 + bias, "interior": 1 + bias}[verdict]
    wanted = [
        lambda one: len(one[0]) == least,
        lambda one: one[0].shape == (10, 4),
        lambda one: one[0].shape == (7, 4) and rank(extended(*one, bias)) == 4 + bias,
        lambda one: (one[0] % 1.0).any(),
        lambda one: len(set(map(tuple, one[0].tolist()))) < len(one[0]) or len(one[0]) < 2,
        lambda one: len(set(one[1])) == 2,
    ]
    if verdict == "separable" or not bias:
        wanted.append(lambda one: len(set(one[1])) == 1)
    unshrunk = settings(phases=[Phase.generate], max_examples=5000, database=None)
    for condition in wanted:
        assert condition(find(sets, condition, settings=unshrunk))


def test_integers_if_no_other_units_are_wanted():
    @given(strategies.boundary_sets(powers=0))
    def check(one):
        assert not (one[0] % 1.0).any()

    check()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: strategies.boundary_sets(max_rows=2), ValueError, "max_rows must be at least 3"),
        (lambda: strategies.interior_sets(bias=1), TypeError, "bias must be True or False, got 1"),
        (lambda: strategies.separable_sets(max_columns=0), ValueError, "max_columns must be at"),
        (lambda: strategies.separable_sets(powers=500), ValueError, "powers must be at most 400"),
        (lambda: strategies.separable_sets(rows=5), TypeError, "separable_sets.. has no argument"),
    ],
)
def test_settings_that_make_no_sense(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_without_hypothesis_the_strategies_say_what_to_install():
    program = """
import sys
sys.modules["hypothesis"] = None
import fastgrok.testing
fastgrok.testing.assert_same_bits(1.0, 1.0)
try:
    import fastgrok.testing.strategies
except ImportError as error:
    print(error)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout == (
        "fastgrok.testing.strategies needs hypothesis: pip install 'fastgrok[testing]'\n"
    )
