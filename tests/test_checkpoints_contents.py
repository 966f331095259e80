"""Files with a right checksum over contents that are none of a checkpoint: a CheckpointError."""

import hashlib
import io
import json
import pathlib

import numpy as np
import pytest

import fastgrok as fg
from cases import problem
from fastgrok.descent import checkpoints

X, Y = problem(12, 3)
OPTIONS = {"steps": 100, "lr": 0.1}
START = len(checkpoints.FORMAT + b" " + checkpoints.VERSION + b"\n")


@pytest.fixture
def parts(tmp_path):
    """The header of a finished run and its arrays."""
    file = tmp_path / "whole"
    fg.train(X, Y, **OPTIONS, checkpoint=file)
    with open(file, "rb") as content:
        content.seek(START + 32)
        header = json.loads(np.load(content).tobytes())
        return header, {name: np.load(content) for name in header["arrays"]}


def npy(*arrays, **options):
    file = io.BytesIO()
    for array in arrays:
        np.save(file, array, **options)
    return file.getvalue()


def text(header):
    return np.frombuffer(json.dumps(header).encode(), np.uint8)


def with_checksum(body):
    digest = hashlib.blake2b(body, digest_size=32).digest()
    return checkpoints.FORMAT + b" " + checkpoints.VERSION + b"\n" + digest + body


def assert_damaged(file, body, message=""):
    content = with_checksum(body)
    file.write_bytes(content)
    with pytest.raises(fg.CheckpointError, match=f"is damaged: {message}") as error:
        fg.train(X, Y, **OPTIONS, checkpoint=file)
    assert repr(str(file)) in str(error.value)
    assert (error.value.trajectory, error.value.step) == (None, None)
    assert file.read_bytes() == content


def test_the_same_contents_are_accepted(parts, tmp_path):
    header, state = parts
    (tmp_path / "again").write_bytes(with_checksum(npy(text(header), *state.values())))
    run = fg.train(X, Y, **OPTIONS, checkpoint=tmp_path / "again")
    np.testing.assert_array_equal(run.w, fg.train(X, Y, **OPTIONS).w)


class Trap:
    """A pickle that leaves a file behind when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def npz():
    file = io.BytesIO()
    np.savez(file, X=X)
    return file.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x93NUMPY",
        bytes(1000),
        npz(),
        npy(np.frombuffer(b"{}", np.uint8)),
        npy(np.frombuffer(b"[1]", np.uint8)),
        npy(np.frombuffer(b"no JSON", np.uint8)),
        npy(np.frombuffer(b"\xff\xfe", np.uint8)),
        npy(np.frombuffer(b"[" * 10**5, np.uint8)),
        npy(np.zeros(3)),
        npy(np.float64(0.0)),
    ],
)
def test_no_header(tmp_path, body):
    assert_damaged(tmp_path / "file", body)


def test_pickles_are_not_read(parts, tmp_path):
    header, state = parts
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    assert_damaged(tmp_path / "file", npy(trap, allow_pickle=True))
    for name in state:
        body = npy(text(header), *{**state, name: trap}.values(), allow_pickle=True)
        assert_damaged(tmp_path / "file", body)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": "3"}, "its header lacks 'seconds'"),
        ({"seconds": None}, "its header lacks 'seconds'"),
        ({"seconds": -1.0}, r"it took -1\.0 seconds"),
        ({"seconds": float("nan")}, "it took nan seconds"),
        ({"seconds": float("inf")}, "it took inf seconds"),
        ({"run": []}, "its header lacks 'run'"),
        ({"arrays": {"u": 1}}, "its header lacks 'arrays'"),
        ({"arrays": [["u"]]}, "unhashable"),
        ({"arrays": [1, 2, 3]}, ""),
        ({"arrays": ["u"]}, "the state's .* is missing"),
        ({"arrays": []}, "the state's .* is missing"),
    ],
)
def test_headers(parts, tmp_path, change, message):
    header, state = parts
    assert_damaged(tmp_path / "file", npy(text(header | change), *state.values()), message)
    for name in change:
        left = {key: value for key, value in header.items() if key != name}
        body = npy(text(left), *state.values())
        assert_damaged(tmp_path / "file", body, f"its header lacks '{name}'")


def test_odd_identities(parts, tmp_path):
    """Of another run, or nothing that describes one; what is missing is told."""
    header, state = parts
    for odd in (None, 3, {"shape": 3}, {"shape": [3, 3], "dtype": 5}, [[]]):
        changed = {**header, "run": {**header["run"], "X": odd, "steps": odd}}
        file = tmp_path / "file"
        file.write_bytes(with_checksum(npy(text(changed), *state.values())))
        with pytest.raises(fg.CheckpointError, match=r"is of another run: |is damaged: "):
            fg.train(X, Y, **OPTIONS, checkpoint=file)


def test_arrays_that_end_early(parts, tmp_path):
    header, state = parts
    whole = npy(text(header), *state.values())
    for size in range(0, len(whole), 7):
        assert_damaged(tmp_path / "file", whole[:size])


def test_an_array_larger_than_the_memory(parts, tmp_path):
    header, state = parts
    large = npy(state["u"]).replace(b"(4,), }" + 16 * b" ", b"(1000000000000000000,)}")
    assert b"(1000000000000000000,)" in large
    body = npy(text({**header, "arrays": ["u"]})) + large
    file = tmp_path / "file"
    file.write_bytes(with_checksum(body))
    with pytest.raises(fg.CheckpointError, match=r"cannot be read: |is damaged: "):
        fg.train(X, Y, **OPTIONS, checkpoint=file)
