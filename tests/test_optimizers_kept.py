"""Checkpoints of every optimizer, decay and schedule; arguments that make no sense; printing."""

import json
import signal
from typing import Any

import numpy as np
import pytest

import fastgrok as fg
from cases import problem, python
from fastgrok.descent.optimizers import OPTIMIZERS
from runs import StopAtStep, assert_same_bits, polling_always, train_quietly

KILLED = """
import json, os, signal, sys
import fastgrok as fg
from cases import problem
from fastgrok.descent import running

running.POLL_SECONDS = 0.0
options = json.loads(sys.argv[2])
if options.pop("falls"):
    options["schedule"] = fg.schedules.power(0.5, 100.0)

def die(step):
    if step > 400:
        os.kill(os.getpid(), signal.SIGKILL)

fg.train(
    *problem(40, 20), **options, checkpoint=sys.argv[1], checkpoint_interval=0, progress=die
)
"""


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_killed_and_taken_up_again(name, tmp_path):
    options: dict[str, Any] = {
        "steps": 3000, "lr": 0.02, "optimizer": name, "weight_decay": 1e-3, "record": 50,
        "keep_weights": True, "engine": "exact",
    }  # fmt: skip
    file = tmp_path / "run"
    falls = name in ("gd", "momentum", "adam")
    done = python(KILLED, str(file), json.dumps(options | {"falls": falls}))
    assert done.returncode == -signal.SIGKILL, done.stderr
    if falls:
        options["schedule"] = fg.schedules.power(0.5, 100.0)
    X, y = problem(40, 20)
    steps: list[int] = []
    with polling_always():
        run = fg.train(X, y, **options, checkpoint=file, progress=steps.append)
    assert steps[0] > 300  # not from the start
    assert_same_bits(run, fg.train(X, y, **options))


@pytest.mark.parametrize("schedule", ["warmup", "cosine", "callable"])
def test_schedules_go_on_where_they_were(schedule, tmp_path):
    asked = {
        "warmup": fg.schedules.warmup(1000),
        "cosine": fg.schedules.cosine(1000),
        "callable": lambda k: 1.0 / (1 + k % 3),
    }
    X, y = problem(40, 20)
    options = {"steps": 1200, "lr": 0.1, "schedule": asked[schedule], "record": 20}
    file = tmp_path / "run"
    with polling_always(), pytest.raises(fg.Interrupted) as stopped:
        fg.train(
            X, y, **options, checkpoint=file, checkpoint_interval=0, progress=StopAtStep(300)
        )  # fmt: skip
    assert 300 < stopped.value.step < 1000
    assert_same_bits(fg.train(X, y, **options, checkpoint=file), fg.train(X, y, **options))


@pytest.mark.parametrize(
    ("then", "now", "message"),
    [
        ({"weight_decay": 0.1}, {"weight_decay": 0.2}, r"weight_decay was 0\.1, is 0\.2"),
        ({}, {"weight_decay": 0.2}, r"weight_decay was unknown, is 0\.2"),
        ({"weight_decay": 0.1}, {}, r"weight_decay was 0\.1, is unknown"),
        (
            {"weight_decay": 0.1},
            {"weight_decay": 0.1, "decay_bias": True},
            "decay_bias was False, is True",
        ),
        ({}, {"optimizer": "momentum"}, "optimizer was 'gd', is 'momentum'"),
        (
            {"optimizer": "momentum"},
            {"optimizer": "momentum", "optimizer_options": {"momentum": 0.5}},
            r"momentum was 0\.9, is 0\.5",
        ),
        (
            {"schedule": fg.schedules.power(0.5)},
            {"schedule": fg.schedules.power(0.5, 2.0)},
            r"schedule_length was 1\.0, is 2\.0",
        ),
        (
            {"schedule": fg.schedules.warmup(4)},
            {"schedule": fg.schedules.cosine(4)},
            "schedule was 'warmup', is 'cosine'",
        ),
        (
            {"schedule": lambda k: 1.0 / (k + 1)},
            {"schedule": lambda k: 1.0 / (k + 2)},
            "schedule holds other values",
        ),
    ],
)
def test_checkpoints_of_another_run_are_refused(then, now, message, tmp_path):
    X, y = problem(10, 2)
    file = tmp_path / "run"
    fg.train(X, y, steps=20, lr=0.1, checkpoint=file, **then)
    with pytest.raises(fg.CheckpointError, match=message):
        fg.train(X, y, steps=20, lr=0.1, checkpoint=file, **now)
    again = fg.train(X, y, steps=20, lr=0.1, checkpoint=file, **then)
    assert again.steps[-1] == 20


def test_saved_and_loaded(tmp_path):
    X, y = problem(20, 2)
    for number, how in enumerate(KNOBS):
        run = train_quietly(X, y, steps=10, lr=0.1, **how)
        run.save(tmp_path / f"{number}.npz")
        again = fg.Trajectory.load(tmp_path / f"{number}.npz")
        assert again.params == run.params
        assert repr(again) == repr(run)


KNOBS: tuple[dict[str, Any], ...] = (
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decay_bias": True, "optimizer": "adamw"},
    {"optimizer": "nesterov", "optimizer_options": {"momentum": 0.5}},
    {"optimizer": "sign", "schedule": fg.schedules.power(0.5, 10.0)},
    {"optimizer": "normalized", "schedule": lambda k: 1.0 / (k + 1)},
)


# --- refined times ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", [
    {"weight_decay": 1e-3},
    {"weight_decay": 1e-3, "decay_bias": True},
    {"optimizer": "sign", "lr": 1e-3},
    {"optimizer": "normalized", "lr": 1e-3, "weight_decay": 1e-3},
])  # fmt: skip
def test_times_are_refined_with_the_same_steps(how):
    # Beside a separating weight there is one to be unlearned: the accuracies only grow.
    def points(n, seed):
        rng = np.random.default_rng(seed)
        y = rng.choice([-1.0, 1.0], size=n)
        return np.column_stack([y * rng.uniform(0.5, 1.0, n), rng.normal(size=n)]), y

    (X, y), test = points(50, 3), points(300, 4)
    options = {
        "steps": 3000, "lr": 0.05, "evals": {"test": test}, "keep_weights": True,
        "w0": [0.0, 1.0], "bias": False, **how,
    }  # fmt: skip
    coarse = train_quietly(X, y, **options, record=100, engine="exact")
    every = train_quietly(X, y, **options, record=1, engine="exact")
    assert (np.diff(every.counts["test"]) >= 0).all()
    found, known = coarse.refine("test"), every.grokking("test")
    assert (found.train, found.test) == (known.train, known.test)
    assert found.test > 50


# --- arguments --------------------------------------------------------------------------------

MOMENTUM = {"optimizer": "momentum"}
BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"weight_decay": -1e-3}, ValueError, "^weight_decay must not be negative, got -0.001$"),
    ({"weight_decay": np.nan}, ValueError, "^weight_decay must be finite, got nan$"),
    ({"weight_decay": np.inf}, ValueError, "^weight_decay must be finite, got inf$"),
    ({"weight_decay": "0.1"}, TypeError, "^weight_decay must be a real number, got '0.1'"),
    ({"weight_decay": None}, TypeError, "^weight_decay must be a real number, got None"),
    ({"decay_bias": 1}, TypeError, "^decay_bias must be True or False, got 1"),
    ({"optimizer": "Momentum"}, ValueError, "optimizer must be one of 'gd', 'momentum', "),
    (
        {**MOMENTUM, "optimizer_options": {"momentum": 1.0}},
        ValueError,
        r"^optimizer_options\['momentum'\] must lie in \[0, 1\), got 1.0$",
    ),
    (
        {**MOMENTUM, "optimizer_options": {"momentum": -0.1}},
        ValueError,
        r"^optimizer_options\['momentum'\] must lie in \[0, 1\), got -0.1$",
    ),
    (
        {**MOMENTUM, "optimizer_options": {"momentum": "much"}},
        TypeError,
        r"^optimizer_options\['momentum'\] must be a real number, got 'much'",
    ),
    (
        {**MOMENTUM, "optimizer_options": {"beta1": 0.9}},
        ValueError,
        "^optimizer_options may hold lr and momentum, got 'beta1' with optimizer='momentum' "
        r"\(did you mean momentum\?\)$",
    ),
    ({**MOMENTUM, "optimizer_options": 0.9}, TypeError, "^optimizer_options must be a dict or"),
    (
        {"optimizer": "sign", "optimizer_options": {"momentum": 0.9}},
        ValueError,
        "^optimizer_options must be left out with optimizer='sign', got",
    ),
    ({"schedule": 0.5}, TypeError, "^schedule must be one of fastgrok.schedules, a function of"),
    (
        {"schedule": fg.schedules.warmup},
        TypeError,
        r"^schedule must be what fastgrok\.schedules\.warmup returns, .*: call it with",
    ),
    (
        {"optimizer_options": {"beta1": 0.8}},
        ValueError,
        "^optimizer_options must be left out with optimizer='gd', .*belong to 'adam' or 'adamw'$",
    ),
    ({"schedule": "cosine"}, TypeError, "^schedule must be one of .* got 'cosine'$"),
    ({"schedule": lambda k: np.nan}, ValueError, r"^schedule\(0\) must be finite, got nan$"),
    ({"schedule": lambda k: 1.0 - k}, ValueError, r"^schedule\(2\) must not be negative, got -1"),
    ({"schedule": lambda k: "1"}, TypeError, r"^schedule\(0\) must be a real number, got '1'"),
    (
        {"schedule": lambda k: 1.0, "steps": 10**6 + 1},
        ValueError,
        "^steps must be at most 1,000,000 with schedule a function, .* got 1,000,001",
    ),
    (
        {"schedule": lambda k: 1.0, "engine": "leap"},
        ValueError,
        "leaps need rates that change smoothly in the end, which schedule='callable' need not have",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "error", "message"), BAD)
def test_bad_arguments(changes, error, message):
    X, y = problem(10, 2)
    with pytest.raises(error, match=message):
        fg.train(X, y, **{"steps": 10, "lr": 0.1, **changes})


def test_what_a_schedule_raises_comes_out():
    def broken(k):
        raise KeyError("no such step")

    X, y = problem(10, 2)
    with pytest.raises(KeyError, match="no such step"):
        fg.train(X, y, steps=10, lr=0.1, schedule=broken)


def test_of_many_the_problem_is_named():
    X, y = problem(10, 2)
    one = {"X": X, "y": y, "steps": 10, "lr": 0.1}
    with pytest.raises(ValueError, match=r"^problems\[1\]\['weight_decay'\] must not be negative"):
        fg.train_many([one, one | {"weight_decay": -1.0}])
    with pytest.raises(ValueError, match=r"^problems\[1\]\['schedule'\]\(0\) must not be negative"):
        fg.train_many([one, one | {"schedule": lambda k: -1.0}])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fg.schedules.power(-0.5), "^a must be at least 0, got -0.5"),
        (lambda: fg.schedules.power(0.5, 0.0), "^k0 must be greater than 0, got 0.0"),
        (lambda: fg.schedules.warmup(0), "^steps must be"),
        (lambda: fg.schedules.cosine(2.5), "^steps must be"),
        (lambda: fg.schedules.cosine(5, 1.5), r"^floor must lie in \[0, 1\], got 1.5"),
    ],
)
def test_bad_schedules(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_old_params_say_nothing_of_what_was_not_there():
    X, y = problem(10, 2)
    params = fg.train(X, y, steps=10, lr=0.1).params
    assert not {"weight_decay", "decay_bias", "momentum", "schedule"} & set(params)
    assert fg.train(X, y, steps=10, lr=0.1, decay_bias=True).params == params
