"""Signatures are shown as they are written, and misspelt keywords say which was meant."""

import inspect
import pydoc

import pytest

import fastgrok as fg
from cases import problem
from fastgrok import plots
from fastgrok.descent import settings
from fastgrok.testing import strategies
from fastgrok.theory import bias, edge, mixture, squared, two_point

MODULES = (
    fg, fg.datasets, fg.distributed, fg.stop, plots, bias, edge, mixture, squared, two_point,
    strategies,
)  # fmt: skip
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in getattr(module, "__all__", dir(module))
    if not name.startswith("_") and callable(getattr(module, name))
}
OURS = {name: value for name, value in PUBLIC.items() if value.__module__.startswith("fastgrok")}


def signatures():
    for name, value in OURS.items():
        if not (inspect.isclass(value) and issubclass(value, BaseException)):
            yield name, value
        if inspect.isclass(value):
            for method, function in inspect.getmembers(value, inspect.isfunction):
                if not method.startswith("_") and function.__module__.startswith("fastgrok"):
                    yield f"{name}.{method}", function


SIGNATURES = dict(signatures())


@pytest.mark.parametrize("name", SIGNATURES)
def test_annotations_are_shown_as_they_are_written(name):
    parameters = inspect.signature(SIGNATURES[name]).parameters.values()
    for parameter in parameters:
        # A union such as NumPy's ArrayLike, written out, takes some 900.
        assert len(str(parameter)) < 90, str(parameter)
    assert len(str(inspect.signature(SIGNATURES[name]))) < 200 + 50 * len(parameters)


def test_help_begins_with_a_short_signature():
    text = pydoc.plain(pydoc.render_doc(fg.train))
    line = next(one for one in text.splitlines() if one.startswith("train("))
    assert "X: 'ArrayLike', y: 'ArrayLike', *, steps: 'float', lr:" in line
    assert len(line) < 1200
    assert "Union" not in text.split("Parameters")[0]


X, Y = problem(12, 2)
CALLS = {
    "train": lambda **k: fg.train(X, Y, steps=3, lr=0.1, **k),
    "train_many": lambda **k: fg.train_many([], **k),
    "pgd": lambda **k: fg.pgd(X, Y, [1.0, 1.0], **k),
    "Pgd": lambda **k: fg.Pgd(X, Y, **k),
    "adversarial_accuracy": lambda **k: fg.adversarial_accuracy(X, Y, [1.0, 1.0], **k),
    "margin_cube": fg.datasets.margin_cube,
    "max_margin": lambda **k: fg.max_margin(X, Y, **k),
    "regularized_limit": lambda **k: fg.regularized_limit(X, Y, 0.1, **k),
    "separability": lambda **k: fg.separability(X, Y, **k),
    "stable_lr": lambda **k: fg.stable_lr(X, Y, **k),
    "accuracy": lambda **k: fg.accuracy(X, Y, [1.0, 1.0], **k),
    "log_spaced": lambda **k: fg.log_spaced(9, **k),
    "sweep": lambda **k: fg.sweep("edge", {"lam": [0.3]}, **k),
}


@pytest.mark.parametrize(
    ("function", "wrong", "meant"),
    [
        ("train", "learning_rate", "lr"),
        ("train", "eta", "lr"),
        ("train", "Lr", "lr"),
        ("train", "epochs", "steps"),
        ("train", "max_iters", "steps"),
        ("train", "fit_intercept", "bias"),
        ("train", "n_jobs", "threads"),
        ("train", "eval", "evals"),
        ("train", "keep_weight", "keep_weights"),
        ("train_many", "thread", "threads"),
        ("pgd", "epsilon", "eps"),
        ("pgd", "seed", "random_state"),
        ("Pgd", "stepsize", "step_size"),
        ("adversarial_accuracy", "epsgrid", "eps_grid"),
        ("margin_cube", "random_state", "seed"),
        ("margin_cube", "n_samples", "n"),
        ("max_margin", "fit_intercept", "bias"),
        ("regularized_limit", "decay_biases", "decay_bias"),
        ("separability", "intercept", "bias"),
        ("stable_lr", "reductions", "reduction"),
        ("train", "momentum", "optimizer_options"),
        ("train", "scheduler", "schedule"),
        ("train", "wd", "weight_decay"),
        ("accuracy", "n_jobs", "threads"),
        ("log_spaced", "perdecade", "per_decade"),
        ("sweep", "verbose", "progress"),
    ],
)
def test_a_misspelt_keyword_says_which_was_meant(function, wrong, meant):
    with pytest.raises(TypeError, match=rf"^{function}\(\) has no argument '{wrong}'") as error:
        CALLS[function](**{wrong: 1})
    assert str(error.value).endswith(f"(did you mean {meant}?)")


def test_arguments_without_a_name_that_need_one():
    with pytest.raises(TypeError, match=r"^train\(\) takes 2 .*\(X, y\): .* as steps=\.\.\.$"):
        fg.train(X, Y, 100, 0.1)
    with pytest.raises(TypeError, match=r"^Pgd\(\) takes 2 .*\(X, y\): write"):
        fg.Pgd(X, Y, 0.1)


def test_arrays_in_a_wrong_argument_show_their_shapes():
    shapes = r"got \(array of shape \(12, 2\), array of shape \(12,\)\)"
    with pytest.raises(TypeError, match=shapes):
        fg.datasets.flip_labels((X, Y), 0.1)


def test_a_keyword_of_nothing_lists_those_there_are():
    with pytest.raises(
        TypeError, match=r"it has X, y, w, b, tie, sample_weight, classes, threads$"
    ):
        fg.accuracy(X, Y, [1.0, 1.0], zzz=1)
    with pytest.raises(TypeError, match=r"which is no argument of train \(did you mean lr\?\)$"):
        fg.train_many([{"X": X, "y": Y, "steps": 3, "learning_rate": 0.1}])
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'lr'"):
        fg.train(X, Y, steps=3)


def test_warnings_point_at_the_line_that_called():
    with pytest.warns(fg.StabilityWarning) as caught:
        fg.train(X, Y, steps=3, lr=1e3, reduction="sum")
    with pytest.warns(fg.StabilityWarning) as also:
        fg.train_many([{"X": X, "y": Y, "steps": 3, "lr": 1e3, "reduction": "sum"}])
    line = inspect.currentframe().f_lineno
    assert [(one.filename, one.lineno) for one in (*caught, *also)] == [
        (__file__, line - 3),
        (__file__, line - 1),
    ]


def test_the_defaults_that_all_runs_share_are_those_that_train_shows():
    shown = inspect.signature(fg.train).parameters.values()
    assert [one.name for one in shown if one.default is one.empty] == [*settings.REQUIRED]
    assert {
        one.name: one.default for one in shown if one.default is not one.empty
    } == settings.DEFAULTS
