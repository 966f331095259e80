"""Files with flipped, cut, swapped and repeated bytes.

They must be refused by an error that names the file, or hold what they held.
"""

import functools
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from calls import INSIDE, WrongError
from drawn import Draw

import fastgrok as fg
from fastgrok._files import read_csv
from fastgrok.testing import assert_same_bits

FOLDER = Path(tempfile.mkdtemp(prefix="fastgrok-fuzz-"))
ARGUMENTS: dict[str, dict[str, Any]] = {
    "exact": {"steps": 40, "engine": "exact"},
    "leaped": {"steps": 1e6, "engine": "auto", "rtol": 1e-6},
    "adam": {"steps": 40, "optimizer": "adam", "keep_weights": True},
}
CSV = Path(__file__).parent / "corpus" / "table.csv"


def _data() -> tuple[Any, Any]:
    r = np.random.default_rng(0)
    X = r.normal(size=(9, 2))
    return X, np.where(X[:, 0] > 0.1, 1.0, -1.0)


def _train(how: str, path: Path) -> fg.Trajectory:
    X, y = _data()
    return fg.train(X, y, lr=0.1, threads=1, checkpoint=path, **ARGUMENTS[how])


@functools.cache
def _made() -> dict[str, tuple[bytes, Any]]:
    """Files by name, and what they hold."""
    X, y = _data()
    found: dict[str, tuple[bytes, Any]] = {}
    for how in ARGUMENTS:
        path = FOLDER / how
        run = _train(how, path)
        found[f"checkpoint {how}"] = (path.read_bytes(), run)
        run.save(FOLDER / "run.npz")
        found[f"run {how}"] = ((FOLDER / "run.npz").read_bytes(), run)
    data = fg.Dataset(X, y)
    data.save(FOLDER / "data.npz")
    found["dataset"] = ((FOLDER / "data.npz").read_bytes(), data)
    found["csv"] = (CSV.read_bytes(), None)
    return found


def changed(r: Draw, data: bytes) -> bytes:
    """Some of its bytes flipped, cut, swapped, repeated or put in."""
    new = bytearray(data)
    for _ in range(r.one_of(1, 1, 1, 2, 5)):
        at, size = r.randrange(len(new) or 1), r.one_of(1, 1, 2, 8, 64, 1000)
        how = r.randrange(7)
        if not new:
            break
        if how == 0:
            new[at] ^= 1 << r.randrange(8)
        elif how == 1:
            new[at] = r.one_of(0, 255, 127, 128, 10, 44, 34, r.randrange(256))
        elif how == 2:
            del new[at:]
        elif how == 3:
            del new[at : at + size]
        elif how == 4:
            other = r.randrange(len(new))
            size = min(size, abs(other - at))
            new[at : at + size], new[other : other + size] = (
                new[other : other + size], new[at : at + size])  # fmt: skip
        elif how == 5:
            new[at:at] = new[at : at + size]
        else:
            new[at:at] = r.randbytes(size)
    return bytes(new)


def _opened(name: str, path: Path) -> Any:
    if name.startswith("checkpoint"):
        return _train(name.split()[1], path)
    if name.startswith("run"):
        return fg.Trajectory.load(path)
    if name == "dataset":
        return fg.Dataset.load(path)
    return read_csv(path, "y")


def files(number: int) -> None:
    """Read one file."""
    r = Draw(number)
    made = _made()
    name = r.choice(sorted(made))
    data, held = made[name]
    new = changed(r, data)
    path = FOLDER / "changed"
    path.write_bytes(new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = _opened(name, path)
            if held is not None:
                _same(found, held, len(new))
        except WrongError:
            raise
        except (ValueError, fg.CheckpointError) as error:
            message = str(error)
            if path.name not in message or INSIDE.search(message):
                raise WrongError(f"{name}: {type(error).__name__}: {message}") from error
        except Exception as error:
            raise WrongError(f"{name}: {type(error).__name__}: {error}") from error


def _same(found: Any, held: Any, size: int) -> None:
    try:
        assert_same_bits(found, held)
    except AssertionError as error:
        raise WrongError(f"read without an error ({size} bytes), but: {error}") from error


def close() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
