"""Saving and loading data sets: exact, mappable, and suspicious of damage."""

import io
import json
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastgrok import Dataset, datasets

SETS = {
    "cube": lambda: datasets.margin_cube((6, 5), 3, support=(2, 3)),
    "single": lambda: datasets.margin_cube((6, 5), 3, dtype=np.float32),
    "noise": lambda: datasets.gaussian_noise(7, 1, label_fraction=0.5),
    "points": lambda: datasets.two_points(0.25),
    "own": lambda: Dataset(np.ones((1, 1)), [1.0], params={"x": [1, {"y": None}], "ä": "ö"}),
}
MAPPED = pytest.mark.parametrize("mmap", [False, True])


def assert_same(a, b):
    assert a.X.dtype == b.X.dtype
    assert a.X.shape == b.X.shape
    assert a.X.tobytes() == b.X.tobytes()
    assert a.y.tobytes() == b.y.tobytes()
    assert a.support.tolist() == b.support.tolist()
    assert (a.w_true is None) == (b.w_true is None)
    if a.w_true is not None:
        assert a.w_true.tobytes() == b.w_true.tobytes()
    assert a.gamma == b.gamma
    assert a.params == b.params


@MAPPED
@pytest.mark.parametrize("name", SETS)
def test_round_trip(tmp_path, name, mmap):
    ds = SETS[name]()
    ds.save(tmp_path / "set")
    assert_same(ds, Dataset.load(tmp_path / "set", mmap=mmap))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@MAPPED
def test_round_trip_in_several_pieces(tmp_path, mmap):
    X = np.random.default_rng(0).random((5, 700_001))
    ds = Dataset(X, np.ones(5))
    ds.save(tmp_path / "set.npz")
    assert_same(ds, Dataset.load(tmp_path / "set.npz", mmap=mmap))


def test_mapped_rows_are_aligned_and_not_read(tmp_path):
    path = str(tmp_path / "set.npz")
    ds = datasets.margin_cube((50, 50), 7)
    ds.save(path)
    loaded = Dataset.load(path, mmap=True)
    assert loaded.X.ctypes.data % 64 == 0
    assert type(loaded.X) is np.ndarray
    assert loaded.X.flags.c_contiguous
    assert not loaded.X.flags.writeable
    before = loaded.X[0, 0]
    with open(path, "r+b") as file:  # a change of the file shows: it is the file that is seen
        start = file.read().index(ds.X.tobytes())
        file.seek(start)
        file.write(np.float64(-before).tobytes())
    assert loaded.X[0, 0] == -before
    with pytest.raises(ValueError, match="not an intact fastgrok data set"):
        Dataset.load(path)


def test_same_set_same_bytes(tmp_path):
    for name in ("a", "b"):
        SETS["cube"]().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_saving_replaces_even_the_file_that_is_mapped(tmp_path):
    path = tmp_path / "set"
    first, second = SETS["cube"](), datasets.margin_cube((6, 5), 3, seed=1)
    first.save(path)
    mapped = Dataset.load(path, mmap=True)
    second.save(path)
    mapped.save(tmp_path / "copy")
    assert_same(first, Dataset.load(tmp_path / "copy"))
    assert_same(second, Dataset.load(path))


def test_numpy_opens_the_file(tmp_path):
    ds = SETS["cube"]()
    ds.save(tmp_path / "set.npz")
    with np.load(tmp_path / "set.npz", allow_pickle=False) as archive:
        assert archive["X"].tobytes() == ds.X.tobytes()
        assert archive["y"].tobytes() == ds.y.tobytes()
        assert archive["support"].tolist() == ds.support.tolist()
        assert json.loads(archive["meta.json"])["version"] == 1


def saved():
    """Bytes of a saved set."""
    with tempfile.TemporaryDirectory() as folder:
        SETS["cube"]().save(f"{folder}/set")
        return Path(folder, "set").read_bytes()


def load_bytes(data, *, mmap=False):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "candidate")
        path.write_bytes(data)
        return Dataset.load(path, mmap=mmap)


@pytest.mark.parametrize("mmap", [False, True])
def test_of_other_files_it_is_said_what_to_do(tmp_path, mmap):
    np.savez(tmp_path / "mine.npz", X=np.eye(2), y=np.array([-1, 1]))
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    for name in ("mine.npz", "mine.csv"):
        with pytest.raises(ValueError, match=r"intact fastgrok.*np\.load or pandas.*fg\.Dataset\("):
            Dataset.load(tmp_path / name, mmap=mmap)


def load_or_refuse(data, *, mmap):
    """What is loaded, or None where the file is refused in the one way that is promised."""
    try:
        return load_bytes(data, mmap=mmap)
    except ValueError as error:
        if "is not an intact fastgrok data set" not in str(error):
            raise
        return None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damage_is_noticed_or_harmless(data):
    ds = SETS["cube"]()
    damaged = bytearray(saved())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(damaged[: data.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))])
    loaded = load_or_refuse(damaged, mmap=False)
    if loaded is not None:
        assert_same(ds, loaded)
    mapped = load_or_refuse(damaged, mmap=True)
    if mapped is not None:  # values inside a mapped X are not checked, its extent is
        assert mapped.X.size == ds.X.size
        assert mapped.X.tobytes() is not None


def rewritten(change, compression=zipfile.ZIP_STORED):
    """A saved set whose members are passed through `change`, a function of a dict."""
    with zipfile.ZipFile(io.BytesIO(saved())) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def npy(array, **how):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **how)
    return out.getvalue()


def change_meta(**values):
    def change(members):
        members["meta.json"] = json.dumps(json.loads(members["meta.json"]) | values).encode()

    return change


def change_member(name, content):
    return lambda members: members.update({name: content})


def archive_of(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@MAPPED
@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("not a zip file", lambda: b""),
        ("not a zip file", lambda: b"X,y\n1,2\n"),
        ("not a zip file", lambda: pickle.dumps({"X": 1})),
        ("not a zip file", lambda: npy(np.ones((2, 2)))),
        ("its members are", lambda: archive_of(X=np.ones((2, 2)), y=np.ones(2))),
        ("not a data set's", lambda: rewritten(change_meta(format="fastgrok-trajectory"))),
        ("not a data set's", lambda: rewritten(change_member("meta.json", b"[1]"))),
        ("version 2, this fastgrok reads 1", lambda: rewritten(change_meta(version=2))),
        ("gamma must be a real number", lambda: rewritten(change_meta(gamma="wide"))),
        ("params must be a dict", lambda: rewritten(change_meta(params=3))),
        ("its members are", lambda: rewritten(lambda members: members.pop("y.npy"))),
        ("one label a row", lambda: rewritten(change_member("y.npy", npy(np.ones(3))))),
        ("labels", lambda: rewritten(change_member("y.npy", npy(np.zeros(11))))),
        ("2 dimensions", lambda: rewritten(change_member("X.npy", npy(np.ones(11))))),
        ("int64", lambda: rewritten(change_member("X.npy", npy(np.ones((11, 3), int))))),
        ("dtype >f8", lambda: rewritten(change_member("X.npy", npy(np.ones((11, 3), ">f8"))))),
        (
            "Fortran order True",
            lambda: rewritten(change_member("X.npy", npy(np.asfortranarray(np.ones((11, 3)))))),
        ),
        (
            "dtype object",
            lambda: rewritten(change_member("y.npy", npy(np.array([1, "x"], dtype=object)))),
        ),
        (
            "doesn't fill its member",
            lambda: rewritten(change_member("X.npy", npy(np.ones((11, 3)))[:-8])),
        ),
        (
            "doesn't fill its member",
            lambda: rewritten(change_member("X.npy", npy(np.ones((11, 3))) + b"12345678")),
        ),
        (
            "npy version",
            lambda: rewritten(change_member("y.npy", npy(np.ones(11), version=(2, 0)))),
        ),
        ("", lambda: saved()[:-1]),
    ],
)
def test_foreign_files_are_refused(message, make, mmap):
    with pytest.raises(
        ValueError, match=rf"candidate' is not an intact.*({message}|X is not aligned)"
    ):
        load_bytes(make(), mmap=mmap)


def test_compressed_files_can_be_read_but_not_mapped():
    data = rewritten(lambda members: None, zipfile.ZIP_DEFLATED)
    assert_same(SETS["cube"](), load_bytes(data))
    with pytest.raises(ValueError, match="X is compressed and can't be mapped"):
        load_bytes(data, mmap=True)


def test_unaligned_files_can_be_read_but_not_mapped():
    data = rewritten(lambda members: None)
    assert_same(SETS["cube"](), load_bytes(data))
    with pytest.raises(ValueError, match="X is not aligned and can't be mapped"):
        load_bytes(data, mmap=True)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileNotFoundError):
        Dataset.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        Dataset.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        SETS["own"]().save(tmp_path / "none" / "set")
    with pytest.raises(TypeError, match="mmap must be True or False"):
        Dataset.load(tmp_path, mmap="r")


def test_params_that_json_cannot_hold(tmp_path):
    ds = Dataset(np.ones((1, 1)), [1.0], params={"x": np.ones(2)})
    with pytest.raises(TypeError, match="params and class_names must hold JSON values"):
        ds.save(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []
