"""Checkpoints that do not fit, are damaged, or are none: one clear error each."""

import io
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from cases import point, problem, python
from fastgrok import _core
from fastgrok.descent import checkpoints
from runs import StopAt, assert_same_bits, polling_always

X, Y = problem(12, 3)
TEST = problem(8, 3, seed=1)
OTHER = problem(8, 3, seed=2)
OPTIONS = {"steps": 100, "lr": 0.1, "record": 10, "evals": {"a": TEST, "b": OTHER}}


@pytest.fixture
def stopped(tmp_path):
    """The file of a run that was stopped on its way."""
    file = tmp_path / "run"
    with polling_always(), pytest.raises(fg.Interrupted):
        fg.train(X, Y, **OPTIONS, checkpoint=file, progress=StopAt(20))
    return file


def changed(array, at=0, factor=-1.0):
    out = array.copy()
    out.flat[at] *= factor
    return out


def assert_refused(file, message, rows=X, labels=Y, **options):
    before = file.read_bytes() if file.is_file() else None
    steps = []
    with polling_always(), pytest.raises(fg.CheckpointError, match=message) as error:
        fg.train(rows, labels, **OPTIONS | options, checkpoint=file, progress=steps.append)
    assert steps == []
    assert repr(str(file)) in str(error.value)
    assert (error.value.trajectory, error.value.step) == (None, None)
    assert before == (file.read_bytes() if file.is_file() else None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": np.nextafter(0.1, 1)}, r"lr was 0\.1, is 0\.10000000000000002"),
        ({"loss": "exponential"}, "loss was 'logistic', is 'exponential'"),
        ({"reduction": "sum"}, "reduction was 'mean', is 'sum'"),
        ({"bias": False}, "bias was True, is False"),
        ({"tie": "negative"}, "tie was 'wrong', is 'negative'"),
        ({"b0": 1.0}, r"b0 was 0\.0, is 1\.0"),
        ({"b0": -0.0}, r"b0 was 0\.0, is -0\.0"),
        ({"w0": [0.0, 0.0, 1e-300]}, "w0 holds other values"),
        ({"steps": 99}, "steps was 100, is 99"),
        ({"steps": 101, "lr": 0.2}, "lr was 0.1, is 0.2"),
        ({"record": 20}, r"record had shape \(11,\), has shape \(6,\)"),
        ({"record": [*range(5, 100, 10), 100]}, "record holds other values"),
        ({"keep_weights": True}, "keep_weights was False, is True"),
        ({"watch_sharpness": False}, "watch_sharpness was True, is False"),
        ({"evals": None}, r"evals was \['a', 'b'\], is \[\]; give"),
        ({"evals": {"b": OTHER, "a": TEST}}, r"evals was \['a', 'b'\], is \['b', 'a'\]; give"),
        ({"evals": {"a": TEST, "c": OTHER}}, r"evals was \['a', 'b'\], is \['a', 'c'\]; give"),
        ({"evals": {"a": TEST, "b": TEST}}, r"evals\['b'\] X holds other values"),
        ({"evals": {"a": TEST, "b": (OTHER[0], -OTHER[1])}}, r"evals\['b'\] y holds other"),
        (
            {"evals": {"a": TEST, "b": (OTHER[0][:4], OTHER[1][:4])}},
            r"evals\['b'\] X had shape \(8, 3\), has shape \(4, 3\)",
        ),
        ({"rows": changed(X, at=35, factor=1 + 1e-15)}, "X holds other values; give"),
        ({"rows": X.astype(np.float32)}, "X had dtype <f8, has dtype <f4"),
        ({"rows": X[::-1], "labels": Y[::-1]}, "X holds other values; y holds other values"),
        ({"labels": changed(Y, at=11)}, "y holds other values; give"),
        ({"rows": X[:-1], "labels": Y[:-1]}, r"X had shape \(12, 3\), has shape \(11, 3\)"),
        ({"lr": 0.2, "loss": "exponential"}, r"lr was 0\.1, is 0\.2; loss was 'logistic'"),
    ],
)
def test_another_run(stopped, options, message):
    assert_refused(stopped, f"is of another run: (.*; )?{message}", **options)
    fg.train(X, Y, **OPTIONS, checkpoint=stopped)  # its own run goes on
    assert_refused(stopped, message, **options)  # finished or not


def test_what_does_not_matter_may_differ(stopped):
    options = {**OPTIONS, "w0": np.zeros(3), "record": np.arange(0, 101, 10.0), "steps": 100.0}
    options |= {"threads": 3, "progress": lambda _: None, "engine": "exact", "rtol": 0.5}
    run = fg.train(
        np.asfortranarray(X), Y.astype(int), **options, checkpoint=stopped, checkpoint_interval=0.5
    )
    assert_same_bits(run, fg.train(X, Y, **OPTIONS))


CHILD = """
import sys
import fastgrok as fg
from test_checkpoints_refused import OPTIONS, X, Y
try:
    fg.train(X, Y, **OPTIONS, checkpoint=sys.argv[1]).save(sys.argv[2])
except fg.CheckpointError as error:
    print(error)
"""


@pytest.mark.parametrize("simd", _core.simd_available())
def test_instruction_sets_that_share_bits_share_checkpoints(stopped, tmp_path, simd):
    if simd == "neon":
        pytest.skip("there is only one")
    done = python(CHILD, str(stopped), str(tmp_path / "end"), FASTGROK_SIMD=simd)
    assert done.returncode == 0, done.stderr
    if (simd == "v2") == (_core.simd() == "v2"):
        assert_same_bits(fg.Trajectory.load(tmp_path / "end"), fg.train(X, Y, **OPTIONS))
    else:
        assert re.search("is of another run: simd was '.*', is '.*'; give", done.stdout)


# --- damaged and foreign files ----------------------------------------------------------------


REFUSALS = r"is damaged: its checksum|is not a fastgrok checkpoint|has format version"


def test_every_truncation(stopped):
    whole = stopped.read_bytes()
    for size in reversed(range(len(whole))):
        os.truncate(stopped, size)
        with pytest.raises(fg.CheckpointError, match=REFUSALS):
            fg.train(X, Y, **OPTIONS, checkpoint=stopped)
    stopped.write_bytes(whole[:-1])
    assert_refused(stopped, "is damaged: its checksum is wrong")
    stopped.write_bytes(whole + b"\0")
    assert_refused(stopped, "is damaged: its checksum is wrong")


def test_a_flip_in_every_byte(stopped):
    whole = stopped.read_bytes()
    flips = np.random.default_rng(0).integers(1, 256, len(whole), dtype=np.uint8)
    with open(stopped, "r+b", buffering=0) as file:
        for at, flip in enumerate(flips):
            os.pwrite(file.fileno(), bytes([whole[at] ^ int(flip)]), at)
            with pytest.raises(fg.CheckpointError, match=REFUSALS):
                fg.train(X, Y, **OPTIONS, checkpoint=stopped)
            os.pwrite(file.fileno(), whole[at : at + 1], at)
    assert_same_bits(fg.train(X, Y, **OPTIONS, checkpoint=stopped), fg.train(X, Y, **OPTIONS))


def test_a_later_version(stopped):
    content = stopped.read_bytes()
    stopped.write_bytes(content.replace(b"checkpoint 7\n", b"checkpoint 77\n", 1))
    assert_refused(stopped, "has format version '77'; this fastgrok reads version '7'")


def npz():
    file = io.BytesIO()
    np.savez(file, X=X)
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"fastgrok-checkpoint", b"notes\n", bytes(100), b"x" * 10**6, npz()]
)
def test_foreign_files(tmp_path, content):
    file = tmp_path / "notes"
    file.write_bytes(content)
    assert_refused(file, "is not a fastgrok checkpoint|format version ''")


def test_a_saved_trajectory_is_no_checkpoint(tmp_path):
    fg.train(X, Y, **OPTIONS).save(tmp_path / "run.npz")
    assert_refused(tmp_path / "run.npz", "is not a fastgrok checkpoint")


def test_no_file(tmp_path):
    assert_refused(tmp_path, "is not a file")
    assert_refused(Path("/dev/null"), "is not a file")
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "is not a file")
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_file_that_may_not_be_read(stopped):
    stopped.chmod(0)
    if os.access(stopped, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(fg.CheckpointError, match="cannot be read: Permission denied"):
        fg.train(X, Y, **OPTIONS, checkpoint=stopped)


def assert_unwritable(file, message):
    steps = []
    with polling_always(), pytest.raises(fg.CheckpointError, match=message) as error:
        fg.train(X, Y, **OPTIONS, checkpoint=file, progress=steps.append)
    assert steps == []
    return error.value


def test_places_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "run")
    for file, why in (
        (tmp_path / "missing" / "run", "its folder does not exist"),
        (tmp_path / "link", "its folder does not exist"),
        (tmp_path / "file" / "run", "Not a directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        error = assert_unwritable(file, f"cannot be written: {why}; stopped after 0 of 100 steps")
        assert error.step == 0
        assert error.trajectory.steps.size == 0
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_a_folder_that_may_not_be_written(stopped):
    stopped.parent.chmod(0o500)
    try:
        if os.access(stopped.parent, os.W_OK):
            pytest.skip("this user may write everywhere")
        error = assert_unwritable(stopped, "cannot be written: Permission denied; stopped after")
        assert error.trajectory.steps[-1] <= error.step
    finally:
        stopped.parent.chmod(0o700)


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"checkpoint": 3}, TypeError, "checkpoint must be a path .*, got 3"),
        ({"checkpoint": True}, TypeError, "checkpoint must be a path .*, got True"),
        ({"checkpoint": b"run"}, TypeError, "checkpoint must be a path .*, got b'run'"),
        ({"checkpoint": ""}, ValueError, "checkpoint must be the path of a file, got ''"),
        ({"checkpoint": "a\0b"}, ValueError, r"checkpoint must be the path .*, got 'a\\x00b'"),
        ({"checkpoint_interval": -1}, ValueError, r"checkpoint_interval must .*, got -1\.0"),
        ({"checkpoint_interval": np.nan}, ValueError, "checkpoint_interval must be finite"),
        ({"checkpoint_interval": "1"}, TypeError, "checkpoint_interval must be a real number"),
    ],
)
def test_arguments(options, error, message):
    with pytest.raises(error, match=message):
        fg.train(X, Y, **OPTIONS, **options)


def test_the_error_crosses_processes():
    run = fg.train(X, Y, **OPTIONS)
    for error in (fg.CheckpointError("no"), fg.CheckpointError("full", run, 3)):
        again = pickle.loads(pickle.dumps(error))
        assert isinstance(again, fg.FastgrokError)
        assert (str(again), again.step) == (str(error), error.step)
        assert (again.trajectory is None) == (error.trajectory is None)


# --- the core checks what it is given ---------------------------------------------------------


def descent(*, keep_weights=True):
    w, b = point(3)
    return _core.Descent(
        _core.Problem(X, Y, True),
        [_core.Problem(*TEST, True)],
        np.array([0, 5, 50], dtype=np.int64),
        loss="logistic",
        scale=1.0,
        lr=0.1,
        w=w,
        b=b,
        tie_negative=False,
        keep_weights=keep_weights,
        watch_sharpness=True,
        threads=1,
    )


def paused():
    run = descent()
    while run.recorded()["steps"].size < 2:
        assert run.run(lambda _: True, 0.0) == "paused"
    return run


def test_a_state_goes_in_as_it_came_out():
    state = paused().state()
    other = descent()
    other.restore(state)
    again = other.state()
    assert state.keys() == again.keys()
    for name, value in state.items():
        assert (value.dtype, value.tobytes()) == (again[name].dtype, again[name].tobytes())


@pytest.mark.parametrize("name", sorted(paused().state()))
def test_a_state_that_cannot_be(name):
    state = paused().state()
    value = state[name]
    run = descent()
    before = {key: part.tobytes() for key, part in run.state().items()}
    wrong = [np.append(value, value[-1:]), value.astype(np.int16), value.tolist(), None]
    if value.size > 1 or (value.size == 1 and not name.startswith("top_direction")):
        wrong.append(value[:-1])
    if name in ("step", "turns", "steps"):
        wrong += [value + value.dtype.type(100), np.full_like(value, -1 % 2**63)]
    if name == "regime":
        wrong += [np.full_like(value, 65), np.full_like(value, -1)]
    if value.size == 0:  # of no use to this run
        wrong[0] = np.zeros(1)
    for bad in wrong:
        with pytest.raises(ValueError, match="state"):
            run.restore({**state, name: bad})
    assert before == {key: part.tobytes() for key, part in run.state().items()}
    del state[name]
    if name in ("largest", "cycles"):  # files of earlier versions have it not
        return run.restore(state)
    with pytest.raises(ValueError, match=f"the state's {name} is missing"):
        run.restore(state)
    assert before == {key: part.tobytes() for key, part in run.state().items()}


def test_a_whole_file_with_an_impossible_state_is_damaged(stopped, monkeypatch):
    write = checkpoints._write
    monkeypatch.setattr(
        checkpoints,
        "_write",
        lambda file, header, state: write(file, header, {**state, "u": np.zeros(7)}),
    )
    with polling_always(), pytest.raises(fg.Interrupted):
        fg.train(X, Y, **OPTIONS, checkpoint=stopped, progress=StopAt(2))
    monkeypatch.undo()
    assert_refused(stopped, "is damaged: not a state of this run: u, update and last_parameters")
