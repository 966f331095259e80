"""Files of earlier versions, read and taken up again; ``files/make.py`` says what they are."""

import contextlib
import hashlib
import io
import json
import shutil
from fractions import Fraction

import numpy as np
import pytest

import fastgrok as fg
from files import make
from leaps import difference, drifting_cycle
from runs import StopAt, assert_same_bits, polling_always, train_quietly

SAVED_FIELDS = {
    "steps", "b", "norm_w", "losses", "counts", "sizes", "sharpness", "sharpness_mean", "regime",
    "w", "bias_final", "weights", "engine", "params", "probabilities", "feature_names",
}  # fmt: skip
FMA = {"v3": True, "v4": True, "neon": True, "v2": False}  # what the bits of a step depend on
CALLS = {"exact-7.checkpoint": make.exact, "adam-7.checkpoint": make.adam}
STOPPED_AT = {"exact-7.checkpoint": 500, "adam-7.checkpoint": 270}
RUNS = {"exact-7.checkpoint": "exact-6", "adam-7.checkpoint": "adam"}  # whose bits last
REFUSED = {
    "exact.checkpoint": (make.exact, 5),
    "adam.checkpoint": (make.adam, 5),
    "exact-6.checkpoint": (make.exact, 6),
    "adam-6.checkpoint": (make.adam, 6),
}
FORMAT = b"fastgrok-checkpoint 7\n"
DIGEST = 32


def stored(name):
    """What the run or data set was, as text."""
    return json.loads((make.HERE / f"{name}.json").read_text())


def array(described):
    """The array of such a text."""
    dtype = np.dtype(described["dtype"])
    flat = np.array(described["values"], dtype=object).ravel()
    values = [float.fromhex(one) if dtype.kind == "f" else one for one in flat]
    return np.array(values, dtype).reshape(described["shape"])


def same_family():
    """Whether steps give the bits here that they gave where the files were made."""
    return FMA[fg.show_config()["simd"]] == FMA[stored("exact")["engine"]["simd"]]


def assert_holds(value, expected):
    """Every field that is known from then, to the last bit."""
    found = make.contents(value)
    if isinstance(expected.get("engine"), dict):  # a report may say more today
        engine, then = found["engine"], expected["engine"]
        found["engine"] = {name: engine[name] for name in then}
        known = then["leaps"][0].keys() if then["leaps"] else ()
        found["engine"]["leaps"] = [
            {name: leap[name] for name in known} for leap in engine["leaps"]
        ]
    assert {name: found[name] for name in expected} == expected


# ------------------------------------------------------------------------------------ trajectories


@pytest.mark.parametrize("name", ["leaped", "adam"])
def test_a_trajectory_holds_what_the_run_was(name):
    expected = stored(name)
    assert expected.keys() == SAVED_FIELDS
    run = fg.Trajectory.load(make.HERE / f"{name}.npz")
    assert_holds(run, expected)
    assert isinstance(run, fg.Trajectory)
    assert isinstance(run.engine, fg.EngineReport)
    assert run.data is None
    assert run.evals is None
    np.testing.assert_array_equal(run.steps, array(expected["steps"]), strict=True)
    np.testing.assert_array_equal(run.loss, array(expected["losses"]["train"]), strict=True)


def test_literal_numbers_of_the_run_that_leaped():
    run = fg.Trajectory.load(make.HERE / "leaped.npz")
    assert run.steps.tolist() == [0, 1, 10, 1e2, 1e3, 1e4, 1e6, 1e9, 1e15, 1e20]
    assert run.steps.dtype == np.float64
    assert list(run.losses) == ["train", "slab", "test", "attacked", "noise"]
    assert list(run.probabilities) == ["slab", "noise"]
    assert run.sizes == {"train": 40, "test": 60, "attacked": 60}
    assert run.counts["train"].tolist() == [0, 36, 38, *[40] * 7]
    assert run.counts["attacked"].tolist() == [0, 54, 54, 57, *[58] * 6]
    assert run.loss[0] == pytest.approx(np.log(2.0), rel=1e-15)
    first = 0.125 / 40 * (make.Y @ np.column_stack([make.X, np.ones(40)]))  # lr / 2 of the mean
    np.testing.assert_allclose(run.weights[1], first, rtol=1e-14)
    assert run.feature_names == ("left", "right")
    assert run.params["steps"] == 1e20
    (leap,) = run.engine.leaps
    assert isinstance(leap, fg.LeapReport)
    assert (leap.first, leap.last, leap.overlap_until, leap.ended) == (128.0, 1e20, 258.0, "")
    assert len(leap.checks) == 8
    times = run.grokking("test", eps=Fraction(1, 20))
    assert (times.train, times.test) == (10, 100)


def test_the_run_that_leaped_leaps_to_the_same():
    then, now = fg.Trajectory.load(make.HERE / "leaped.npz"), make.leaped()
    assert then.params == now.params
    for name in ("steps", "regime"):
        np.testing.assert_array_equal(getattr(now, name), getattr(then, name), strict=True)
    for name, counts in then.counts.items():
        np.testing.assert_array_equal(now.counts[name], counts, strict=True)
    assert difference(now.weights, then.weights).max() <= 2 * now.engine.rtol
    # The logarithm of a point's loss moves by no more than its margin, and an attack's radius or a
    # population's spread stretch that by less than the rows are long.
    reach = np.linalg.norm(make.X, axis=1).max() + 4.0
    moved = 2 * now.engine.rtol * (reach * then.norm_w + np.maximum(np.abs(then.b), 1.0))
    for name, losses in then.losses.items():
        assert np.all(np.abs(now.losses[name] / losses - 1.0) <= 1e-12 + moved), name
    for name in ("sharpness", "sharpness_mean"):
        assert np.all(np.abs(getattr(now, name) / getattr(then, name) - 1.0) <= 1e-12 + moved)
    for name, shares in then.probabilities.items():
        np.testing.assert_allclose(now.probabilities[name], shares, atol=1e-7, err_msg=name)


def assert_same_run(now, name, same_bits=None):
    """The bits of then where they are to be had, else to rounding."""
    expected = stored(name)
    found = make.contents(now)
    ours, theirs = found.pop("engine"), expected.pop("engine")
    for part in ("name", "exact_steps", "leaps"):  # not how long it took
        assert ours[part] == theirs[part]
    if same_family() if same_bits is None else same_bits:
        assert {part: found[part] for part in expected} == expected  # of the parts of then
    else:
        assert found["counts"] == expected["counts"]
        assert found["params"] == expected["params"]
        np.testing.assert_allclose(now.w, array(expected["w"]), rtol=1e-11)
        np.testing.assert_allclose(now.loss, array(expected["losses"]["train"]), rtol=1e-11)


@pytest.mark.parametrize("name", CALLS)
def test_runs_of_then_give_the_same_bits_again(name):
    assert_same_run(CALLS[name](), RUNS[name])


def test_a_run_of_other_bits_is_the_same_to_rounding():
    """Version 6 computes the slope of the logistic loss in another way."""
    assert_same_run(make.exact(), "exact", same_bits=False)


# ----------------------------------------------------------------------------------------- dataset


@pytest.mark.parametrize("mmap", [False, True])
def test_a_data_set_holds_what_was_saved(mmap):
    made = make.dataset()
    found = fg.Dataset.load(make.HERE / "dataset.npz", mmap=mmap)
    assert_holds(found, stored("dataset"))
    assert_holds(made, stored("dataset"))
    assert found.X.dtype == np.float32
    np.testing.assert_array_equal(found.X, made.X, strict=True)
    assert found.X[:2].tolist() == [[0.25, 0.25], [-0.25, -0.25]]
    assert found.w_true.tolist() == [0.6, 0.8]
    assert found.support.tolist() == [0, 1]
    assert found.gamma == 0.7
    assert found.params == {"recipe": "by hand", "sizes": [4, 4], "noise": None}


@pytest.mark.parametrize("mmap", [False, True])
def test_flipped_labels_are_read(mmap):
    found = fg.Dataset.load(make.HERE / "flipped.npz", mmap=mmap)
    expected = stored("flipped")
    assert_holds(found, expected)
    _, clean = make.points(8, 2, skip=4000)
    assert found.flipped.size
    np.testing.assert_array_equal(np.flatnonzero(found.y != clean), found.flipped)
    made = make.contents(make.flipped())
    assert made["flipped"] == expected["flipped"]  # on every platform, by every NumPy
    assert made["y"] == expected["y"]


def test_the_same_data_set_gives_the_same_bytes(tmp_path):
    make.dataset().save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (make.HERE / "dataset.npz").read_bytes()


# ------------------------------------------------------------------------------------- checkpoints

# These are read for as long as their steps give the same bits. Who changes the bits raises the
# version, and then a checkpoint of version 7 must be refused by that name instead, as those before
# are.


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkpoint_of_other_bits_is_refused(tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copy(make.HERE / name, copy)
    call, version = REFUSED[name]
    with pytest.raises(fg.CheckpointError, match=rf"version '{version}'.*version '7'"):
        call(checkpoint=copy)
    assert copy.read_bytes() == (make.HERE / name).read_bytes()


def read_checkpoint(content):
    """Header and arrays of a file, by NumPy alone."""
    assert content.startswith(FORMAT)
    body = content[len(FORMAT) + DIGEST :]
    digest = hashlib.blake2b(body, digest_size=DIGEST).digest()
    assert content[len(FORMAT) : len(FORMAT) + DIGEST] == digest
    file = io.BytesIO(body)
    header = json.loads(np.load(file).tobytes())
    return header, {name: np.load(file) for name in header["arrays"]}


def written(header, state):
    """The file that holds these."""
    file = io.BytesIO()
    for part in (np.frombuffer(json.dumps(header).encode(), np.uint8), *state.values()):
        np.save(file, part)
    return FORMAT + hashlib.blake2b(file.getvalue(), digest_size=DIGEST).digest() + file.getvalue()


@pytest.mark.parametrize("name", CALLS)
def test_a_checkpoint_is_resumed_by_its_call(tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copy(make.HERE / name, copy)
    if not same_family():
        with pytest.raises(fg.CheckpointError, match=r"is of another run: simd was '.*', is '.*'"):
            CALLS[name](checkpoint=copy)
        assert copy.read_bytes() == (make.HERE / name).read_bytes()
        return
    resumed = CALLS[name](checkpoint=copy)
    assert_same_run(resumed, RUNS[name])
    assert_same_bits(resumed, CALLS[name]())


@pytest.mark.parametrize("name", CALLS)
def test_a_resumed_run_goes_on_from_what_the_file_holds(tmp_path, name):
    """The records of the file are in the run, and its parameters decide the end."""
    if not same_family():
        pytest.skip("the file is of another family of instruction sets")
    header, state = read_checkpoint((make.HERE / name).read_bytes())
    copy = tmp_path / "copy"
    copy.write_bytes(written(header, state))
    assert copy.read_bytes() == (make.HERE / name).read_bytes()
    expected = CALLS[name](checkpoint=copy)
    reached = int(np.searchsorted(expected.steps, STOPPED_AT[name]))
    assert 2 < reached < expected.steps.size - 1

    copy.write_bytes(written(header, {**state, "norm_w": state["norm_w"] + 1.0}))
    resumed = CALLS[name](checkpoint=copy)
    added = np.arange(expected.steps.size) < reached
    np.testing.assert_array_equal(resumed.norm_w, expected.norm_w + added)
    np.testing.assert_array_equal(resumed.w, expected.w)

    copy.write_bytes(written(header, {**state, "u": 1.125 * state["u"]}))
    resumed = CALLS[name](checkpoint=copy)
    np.testing.assert_array_equal(resumed.loss[:reached], expected.loss[:reached])
    assert np.all(resumed.loss[reached:] != expected.loss[reached:])


@pytest.mark.parametrize("name", CALLS)
def test_a_checkpoint_of_then_is_not_of_another_run(tmp_path, name):
    shutil.copy(make.HERE / name, tmp_path / "copy")
    with pytest.raises(fg.CheckpointError, match=r"is of another run: .*steps was \d+, is 40"):
        fg.train(make.X, make.Y, steps=40, lr=0.5, checkpoint=tmp_path / "copy")


def orbit(**options):
    X, y, how = drifting_cycle(4, 3)
    how["lr"] *= 0.75  # too short for four steps
    return train_quietly(X, y, steps=100_000, keep_weights=True, threads=1, **how, **options)


def of_before(content):
    """The checkpoint as it was when orbits of period 2 were all that leaps went round."""
    header, state = read_checkpoint(content)
    for leap in header["leaping"]["leaps"]:
        assert leap["pairs"] == (leap.pop("period") == 2)
    for name in ("leaping_starts", "leaping_later"):
        *state[name], period = state[name]
        assert period in (0, 2)
        state[name] = np.array(state[name])
        state[f"{name}_updates_of_two"] = state.pop(f"{name}_updates_of_rounds")
    header["arrays"] = list(state)
    return written(header, state)


@pytest.mark.parametrize("stop", [None, 300, 450, 600, 750])
def test_what_leaps_of_then_start_from_is_read(tmp_path, stop):
    file, expected = tmp_path / "run", orbit()
    assert expected.engine.leaps[-1].pairs
    with polling_always(), contextlib.suppress(fg.Interrupted):
        orbit(checkpoint=file, progress=False if stop is None else StopAt(stop))
    header, _ = read_checkpoint(file.read_bytes())
    assert (stop is None) == bool(header["leaping"]["leaps"])
    file.write_bytes(of_before(file.read_bytes()))
    resumed = orbit(checkpoint=file)
    assert_same_bits(resumed, expected)
    assert resumed.engine.leaps == expected.engine.leaps
