"""train_many: bad arguments name the problem, and whatever stops it keeps what was computed."""

import pickle
import warnings

import numpy as np
import pytest

import fastgrok as fg
from cases import problem, python
from fastgrok.descent import many
from runs import after_ctrl_c, assert_same_bits, polling_always, train_quietly

X, Y = problem(6, 2)
GOOD = {"X": X, "y": Y, "steps": 10, "lr": 0.1}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"lr": -1}, ValueError, r"problems\[1\]\['lr'\] must be greater than 0, got -1"),
        ({"steps": 2.5}, ValueError, r"problems\[1\]\['steps'\] must be integral, got 2.5"),
        ({"X": X[:, 0]}, ValueError, r"problems\[1\]\['X'\] must have 2 dimensions .* \(6,\)"),
        (
            {"X": np.full_like(X, np.inf)},
            ValueError,
            r"problems\[1\]\['X'\] must be finite, but .*\['X'\]\[0, 0\] =",
        ),
        ({"y": Y[1:]}, ValueError, r"problems\[1\]\['y'\] must have one label a row: 6 rows, 5"),
        ({"w0": [1.0]}, ValueError, r"problems\[1\]\['w0'\] must have length 2"),
        ({"b0": None}, TypeError, r"problems\[1\]\['b0'\] must be a real number, got None"),
        (
            {"loss": "perceptron"},
            ValueError,
            r"problems\[1\]\['loss'\] must be one of .*, got 'perceptron'",
        ),
        ({"reduction": 1}, TypeError, r"problems\[1\]\['reduction'\] must be one of .*, got 1"),
        ({"engine": "fast"}, ValueError, r"problems\[1\]\['engine'\] must be one of 'auto', "),
        ({"rtol": 2.0}, ValueError, r"problems\[1\]\['rtol'\] must be at least .*, got 2.0"),
        (
            {"record": [3, 2]},
            ValueError,
            r"\['record'\] must increase, but problems\[1\]\['record'\]\[",
        ),
        ({"record": 0}, ValueError, r"problems\[1\]\['record'\] must be at least 1, got 0"),
        (
            {"evals": 3},
            TypeError,
            r"problems\[1\]\['evals'\] must be a dict of name: \(X, y\), got 3",
        ),
        (
            {"evals": {"t": (X[:, :1], Y)}},
            ValueError,
            r"problems\[1\]\['evals'\]\['t'\] X must have 2 columns, got shape \(6, 1\)",
        ),
        ({"tie": "right"}, ValueError, r"problems\[1\]\['tie'\] must be one of"),
        ({"bias": 1}, TypeError, r"problems\[1\]\['bias'\] must be True or False, got 1"),
        ({"keep_weights": 1}, TypeError, r"problems\[1\]\['keep_weights'\] must be True or False"),
        ({"skip_rows": "no"}, ValueError, r"problems\[1\]\['skip_rows'\] must be one of 'auto'"),
        ({"watch_sharpness": 1}, TypeError, r"problems\[1\]\['watch_sharpness'\] must be True"),
        ({"threads": 2}, ValueError, r"problems\[1\]\['threads'\] must be left out.*, got 2"),
        (
            {"progress": True},
            ValueError,
            r"problems\[1\]\['progress'\] must be left out.*, got True",
        ),
        (
            {"checkpoint": "f"},
            ValueError,
            r"problems\[1\]\['checkpoint'\] must be left out.*, got 'f'",
        ),
        ({"eta": 0.1}, TypeError, r"problems\[1\] has 'eta', which is no argument of train"),
        ({3: 0.1}, TypeError, r"problems\[1\] has 3, which is no argument of train"),
    ],
)
def test_bad_arguments_name_the_problem(change, error, words):
    with pytest.raises(error, match=words) as caught:
        fg.train_many([GOOD, {**GOOD, **change}])
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("problems", "options", "words"),
    [
        (GOOD, {}, r"problems must be a list of dicts of train's arguments, got \{"),
        ("many", {}, "problems must be a list of dicts of train's arguments, got 'many'"),
        (3, {}, "problems must be a list of dicts of train's arguments, got 3"),
        (
            [GOOD, X],
            {},
            r"problems\[1\] must be a dict of train's arguments, got an array of shape",
        ),
        ([{"X": X, "y": Y, "lr": 1}], {}, r"problems\[0\] lacks 'steps'"),
        ([GOOD], {"threads": "all"}, "threads must be an integer, got 'all'"),
        ([GOOD], {"progress": 1}, "progress must be True or False, got 1"),
    ],
)
def test_bad_lists(problems, options, words):
    with pytest.raises(TypeError, match=words):
        fg.train_many(problems, **options)


def test_rows_used_before_must_still_fit():
    wide = problem(6, 3)
    evals = {"t": (wide[0], wide[1])}
    with pytest.raises(ValueError, match=r"problems\[1\]\['evals'\]\['t'\] X must have 2 columns"):
        fg.train_many([{**GOOD, "X": wide[0], "y": wide[1]}, {**GOOD, "evals": evals}])


def test_nothing_is_computed_before_all_arguments_are_checked():
    def never(step):
        raise AssertionError("a run was begun")

    with polling_always(), pytest.raises(ValueError, match=r"problems\[2\]"):
        fg.train_many([GOOD, GOOD, {**GOOD, "lr": 0}], progress=never)


# --- one run ends early -----------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("n", "d", "in_step"), [(40, 2, False), (8_100, 17, True)])
def test_divergence_of_one_lets_the_others_finish(n, d, in_step, threads, monkeypatch):
    if in_step:
        monkeypatch.setattr(many, "LARGE", 0)
    rows, labels = problem(n, d)
    runs = [(0.1, "logistic"), (30.0, "exponential"), (0.2, "logistic"), (1e3, "exponential")]
    problems = [
        {"X": rows, "y": labels, "steps": 30, "lr": lr, "loss": loss, "record": 1}
        for lr, loss in runs
    ]
    with pytest.raises(fg.DivergenceError, match=r"problems\[1\]: a weight became NaN") as caught:
        fg.train_many(problems, threads=threads)
    error = caught.value
    assert "holds all 4 runs, of which 2 came to their ends" in str(error)
    assert error.trajectory is error.trajectories[1]
    for one, run in zip(problems, error.trajectories, strict=True):
        if one["loss"] == "logistic":
            assert_same_bits(run, train_quietly(**one))
        else:
            with pytest.raises(fg.DivergenceError) as alone:
                train_quietly(**one)
            assert_same_bits(run, alone.value.trajectory)
    assert error.step == error.trajectory.params["diverged_at"]
    again = pickle.loads(pickle.dumps(error))
    assert again.step == error.step
    for run, copy in zip(error.trajectories, again.trajectories, strict=True):
        assert_same_bits(copy, run)


def test_one_warning_for_all():
    problems = [{**GOOD, "lr": lr, "record": 1} for lr in (0.1, 60.0, 0.1, 70.0)]
    words = r"^problems\[1\]: lr=60.0 exceeds 2 / lambda_max.*; likewise in 1 more of the problems$"
    with pytest.warns(fg.StabilityWarning, match=words) as caught:
        fg.train_many(problems)
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fg.train_many(problems[:1])
        with pytest.raises(fg.StabilityWarning, match="likewise in 1 more") as error:
            fg.train_many(problems)
    assert [run.params["lr"] for run in error.value.trajectories] == [0.1, 60.0, 0.1, 70.0]


def test_a_run_out_of_memory_lets_the_others_finish():
    code = """
import resource
import numpy as np
import fastgrok as fg
from cases import problem
X, y = problem(20, 10_000)
small = problem(20, 3)
one = {"X": X, "y": y, "steps": 6_000, "lr": 1e-3, "watch_sharpness": False}
problems = [
    {**one, "steps": 40},
    {**one, "record": 1, "keep_weights": True},
    {"X": small[0], "y": small[1], "steps": 40, "lr": 0.1},
]
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
expected = [fg.train(**problems[0]).w, fg.train(**problems[2]).w]
resource.setrlimit(resource.RLIMIT_AS, (used + 200 * 2**20, -1))
try:
    fg.train_many(problems, threads=1)
except MemoryError as error:
    runs = error.trajectories
    print(error.__notes__[0][:12], [run.params.get("interrupted") for run in runs])
    print(np.array_equal(runs[0].w, expected[0]), np.array_equal(runs[2].w, expected[1]))
    print(0 < runs[1].steps[-1] < 6_000, runs[1].weights.shape[0] == runs[1].steps.size)
"""
    child = python(code, OMP_NUM_THREADS="1")
    assert child.stdout == "problems[1]: [None, None, None]\nTrue True\nTrue True\n", child.stderr


# --- stopped from outside ---------------------------------------------------------------------


def endless(n, d):
    """Three runs over the same rows: one ends at once, the others in some thousand years."""
    rows, labels = problem(n, d)
    one = {"X": rows, "y": labels, "lr": 0.1, "watch_sharpness": False, "engine": "exact"}
    return [
        {**one, "steps": 5},
        {**one, "steps": 2**53, "record": [0, 10, 2**53]},
        {**one, "steps": 2**53, "record": [0, 20, 2**53], "lr": 0.2},
    ]


def raise_after(steps, error):
    def progress(done):
        if done > steps:
            raise error

    return progress


def count_kept(problems, runs):
    """How many had come to their ends; what there is of the others is right."""
    done = 0
    for one, run in zip(problems, runs, strict=True):
        if "interrupted" not in run.params:
            assert_same_bits(run, fg.train(**one))
            done += 1
        elif run.steps.size:
            last = int(run.steps[-1])
            straight = fg.train(**{**one, "steps": 20, "record": 1, "keep_weights": True})
            np.testing.assert_array_equal(run.w, straight.weights[last, :-1])
            np.testing.assert_array_equal(run.loss, straight.loss[run.steps])
            assert run.params["interrupted"] == run.engine.exact_steps >= last
    return done


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("n", "d", "in_step"), [(6, 2, False), (8_100, 17, True)])
def test_a_callback_can_interrupt(n, d, in_step, threads, monkeypatch):
    if in_step:
        monkeypatch.setattr(many, "LARGE", 0)
    problems = endless(n, d)
    with pytest.raises(fg.Interrupted) as caught:
        fg.train_many(problems, threads=threads, progress=raise_after(100, KeyboardInterrupt()))
    error = caught.value
    assert isinstance(error, KeyboardInterrupt)
    done = count_kept(problems, error.trajectories)
    assert f"{done} of 3 runs came to their ends; .trajectories holds what each had" in str(error)
    if in_step:  # what is short has ended
        assert done == 1
        assert [run.steps.tolist() for run in error.trajectories[1:]] == [[0, 10], [0, 20]]
    first = 1 if done else 0
    assert error.trajectory is error.trajectories[first]
    assert error.step == error.trajectory.params["interrupted"]
    again = pickle.loads(pickle.dumps(error))
    assert [run.steps.size for run in again.trajectories] == [
        run.steps.size for run in error.trajectories
    ]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("n", "d", "in_step"), [(6, 2, False), (8_100, 17, True)])
def test_an_error_in_a_callback_comes_out(n, d, in_step, threads, monkeypatch):
    if in_step:
        monkeypatch.setattr(many, "LARGE", 0)
    problems = endless(n, d)
    with pytest.raises(LookupError, match="mine") as caught:
        fg.train_many(problems, threads=threads, progress=raise_after(100, LookupError("mine")))
    done = count_kept(problems, caught.value.trajectories)
    assert caught.value.__notes__ == [
        f"{done} of 3 runs came to their ends; .trajectories holds what each had"
    ]


CTRL_C = """
import sys
import fastgrok as fg
from cases import problem
from fastgrok.descent import many
from test_train_many_errors import GOOD

many.LARGE = 1 << 20
started = []
def tell(steps):
    if steps > 1000 and not started:
        started.append(steps)
        print("started", flush=True)

X, y = problem(int(sys.argv[1]), int(sys.argv[2]))
one = {"X": X, "y": y, "steps": 2**53, "lr": 1e-12, "record": [1, 2**53], "watch_sharpness": False,
       "engine": "exact"}
problems = [{**one, "lr": lr} for lr in (1e-12, 1e-11, 1e-10)] + [GOOD]
try:
    fg.train_many(problems, threads=int(sys.argv[3]), progress=tell)
except fg.Interrupted as stop:
    print(stop, [run.steps.size for run in stop.trajectories])
"""


@pytest.mark.parametrize(("n", "d", "threads"), [(20, 2, 1), (20, 2, 2), (1_400, 100, 2)])
def test_ctrl_c_keeps_all_records(n, d, threads):
    out = after_ctrl_c(CTRL_C, n, d, threads)
    assert "of 4 runs came to their ends; .trajectories holds what each had" in out


ENDLESS_ATTACK = """
import signal
import fastgrok as fg
from test_attacks_interrupt import ENDLESS
from test_train_many_errors import GOOD, X, Y

signal.signal(signal.SIGALRM, signal.default_int_handler)
attacked = {**GOOD, "evals": {"attacked": fg.Pgd(X, Y, **ENDLESS[0])}}
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    fg.train_many([attacked, attacked, GOOD], threads=2)
except fg.Interrupted as stop:
    print(stop)
    print([run.steps.size for run in stop.trajectories][:2])
"""


def test_ctrl_c_stops_attacks_in_every_thread():
    child = python(ENDLESS_ATTACK)
    lines = child.stdout.splitlines()
    assert "of 3 runs came to their ends" in lines[0], child.stderr
    assert lines[1] == "[1, 1]"  # the attack cannot move a row before the weights have


def test_a_child_of_fork():
    code = """
import os, warnings
import fastgrok as fg
from runs import bits
from test_train_many_errors import GOOD
from cases import problem
X, y = problem(8_100, 17)
problems = [GOOD, {**GOOD, "X": X, "y": y}, {**GOOD, "X": X, "y": -y}]
parent = [bits(run) for run in fg.train_many(problems, threads=2)]
warnings.simplefilter("ignore", DeprecationWarning)
pid = os.fork()
if pid == 0:
    same = [bits(run) for run in fg.train_many(problems, threads=2)] == parent
    os._exit(0 if same else 1)
print(os.waitpid(pid, 0)[1])
"""
    child = python(code)
    assert child.stdout == "0\n", child.stderr
