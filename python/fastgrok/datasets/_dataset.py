"""The data set: rows, labels, how they were made; saved to one file and loaded from it."""

from __future__ import annotations

import json
import os
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._files import write_atomically

_FORMAT = "fastgrok-dataset"
_VERSION = 1
_PAGE = 64  # X begins at a multiple of this many bytes, so that a mapped X is aligned
_PIECE = 1 << 24
_LOCAL_HEADER = 30  # bytes of a zip member's header before its name
_ZIP64 = 20  # bytes that zipfile adds to the header of a member that may be large
_NO_ROWS = np.empty(0, dtype=np.int64)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """
    Labelled points and how they were made.

    The arrays are read-only views. ``fastgrok.train(ds.X, ds.y, ...)`` trains on a data set, and a
    data set can be an evaluation set as it is.

    Parameters
    ----------
    X : (n, d) array of float64 or float32
        The points, C-contiguous, at least one row and one column.
    y : (n,) array
        Labels of two classes, as `fastgrok.train` has them; float64 -1 and +1 afterwards.
    w_true : (d,) array of float64, optional
        Unit normal of the hyperplane through the origin that defines the labels; None where the
        labels aren't defined by one.
    gamma : float, optional
        Effective margin: every point is at least ``gamma / 2`` on its own side of that hyperplane.
        With planted support vectors that is an equality for them, an inequality for all others.
        Without, `gamma` is the margin that was asked for, a lower bound: the points of a finite
        sample are farther. None where there is no such margin.
    support : (s,) array of int64, optional
        Rows of the planted support vectors, increasing; empty by default.
    params : dict, optional
        How the set was made: names and JSON values (numbers, strings, lists, True, False, None).
    flipped : (k,) array of int64, optional
        Rows whose labels were flipped (:func:`fastgrok.datasets.flip_labels`), increasing; empty by
        default.
    class_names : sequence of two labels, optional
        Where `y` is -1 and +1: what these stand for. Of other labels it is not looked at.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.

    Attributes
    ----------
    X, y, w_true, gamma, support, params, flipped
        As above.
    class_names : tuple
        What the labels were called, the class of -1 first: a run has them for the classes of its
        own.

    Raises
    ------
    TypeError, ValueError
        If an array has the wrong dtype, shape, layout or values. Only :func:`fastgrok.train` and
        the other functions that use X look whether its values are finite.
    """

    X: NDArray[Any]
    y: NDArray[np.float64]
    w_true: NDArray[np.float64] | None = None
    gamma: float | None = None
    support: NDArray[np.int64] = field(default_factory=lambda: _NO_ROWS)
    params: dict[str, Any] = field(default_factory=dict)
    flipped: NDArray[np.int64] = field(default_factory=lambda: _NO_ROWS)
    class_names: tuple[Any, Any] | None = None
    classes: InitVar[Sequence[Any] | None] = None

    def __post_init__(self, classes: Sequence[Any] | None) -> None:
        X = self.X
        if not isinstance(X, np.ndarray) or X.dtype not in (np.float64, np.float32):
            raise TypeError(
                f"X must be an array of float64 or float32, got {_checks.show(X)} "
                f"({type(X).__name__})"
            )
        if X.ndim != 2 or X.size == 0 or not X.flags.c_contiguous:
            raise ValueError(
                "X must be C-contiguous with 2 dimensions and at least one row and one column, "
                f"got shape {X.shape} and strides {X.strides}"
            )
        rows, dim = X.shape
        set_field = object.__setattr__
        set_field(self, "X", _read_only(X))
        signs, called = _checks.two_classes("y", self.y, rows, classes)
        if self.class_names is not None and called == _checks.SIGNS and classes is None:
            called = _checks.given_classes("class_names", self.class_names)
        set_field(self, "y", _read_only(signs))
        set_field(self, "class_names", called)
        if self.w_true is not None:
            set_field(self, "w_true", _read_only(_checks.vector("w_true", self.w_true, dim)))
        if self.gamma is not None:
            set_field(self, "gamma", _checks.real("gamma", self.gamma, positive=True))
        for name in ("support", "flipped"):
            set_field(self, name, _read_only(_row_numbers(name, getattr(self, name), rows)))
        if not isinstance(self.params, dict):
            raise TypeError(f"params must be a dict, got {_checks.show(self.params)}")

    def __repr__(self) -> str:
        positive = int(np.count_nonzero(self.y > 0))
        negative = self.y.size - positive
        parts = [f"{self.X.shape} {self.X.dtype}", f"{positive} of +1 and {negative} of -1"]
        if "recipe" in self.params:
            parts.insert(0, str(self.params["recipe"]))
        if self.gamma is not None:
            parts.append(f"gamma={self.gamma:g}")
        if self.support.size:
            parts.append(f"{self.support.size} planted")
        if self.flipped.size:
            parts.append(f"{self.flipped.size} flipped")
        return f"Dataset({', '.join(parts)})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Save to one file, which replaces any other of that name once it is complete.

        The file is an uncompressed ``.npz`` archive: ``numpy.load`` opens it as well. Nothing in
        it is pickled. Its members are ``X`` (first, and aligned, so that it can be mapped), ``y``,
        ``support``, ``w_true`` where there is one, ``flipped`` where there are any, and
        ``meta.json``. The same data set gives the same bytes.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file, used as it is: no suffix is added.

        Raises
        ------
        OSError
            If the file can't be written.
        TypeError
            If `path` is no path, or `params` or `class_names` holds something that JSON can't.
        """
        target = _checks.path("path", path)
        arrays = {"y": self.y, "support": self.support}
        if self.w_true is not None:
            arrays["w_true"] = self.w_true
        if self.flipped.size:
            arrays["flipped"] = self.flipped
        meta = {
            "format": _FORMAT,
            "version": _VERSION,
            "members": [f"{name}.npy" for name in ("X", *arrays)] + ["meta.json"],
            "gamma": self.gamma,
            "params": self.params,
        }
        if self.class_names != _checks.SIGNS:
            meta["class_names"] = self.class_names
        try:
            text = json.dumps(meta, indent=1)
        except (TypeError, ValueError) as error:
            raise TypeError(f"params and class_names must hold JSON values: {error}") from error

        def write(file: IO[bytes]) -> None:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                _write_aligned(archive, "X.npy", self.X)
                for name, array in arrays.items():
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo("meta.json"), text)

        write_atomically(target, write)

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: bool = False) -> Dataset:
        """
        Load what :meth:`save` wrote.

        Parameters
        ----------
        path : str or os.PathLike
            Name of the file.
        mmap : bool, default False
            Map X into memory instead of reading it: rows are read when they are used, and X may
            be larger than the memory (see :func:`fastgrok.train`). Damage inside a mapped X is not
            noticed, whereas reading compares all of it with the file's checksums.

        Returns
        -------
        Dataset
            Equal to the one saved, to the last bit.

        Raises
        ------
        OSError
            If the file can't be opened.
        ValueError
            If it is damaged, or not a data set, or in a newer format than this version reads.
        TypeError
            If `path` is no path, or `mmap` no bool.
        """
        name, mapped = _checks.path("path", path), _checks.flag("mmap", mmap)
        with open(name, "rb") as file:
            try:
                return cls(**_read(file, name, mapped))
            except MemoryError:
                raise
            except Exception as error:  # what a damaged archive raises is anyone's guess
                raise ValueError(f"{name!r} is not an intact fastgrok data set: {error}") from error


def _row_numbers(name: str, value: Any, rows: int) -> NDArray[np.int64]:
    """Row numbers, increasing."""
    array = _checks.array_of(name, value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold row numbers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}")
    out = np.ascontiguousarray(array, dtype=np.int64)
    if out.size and (out[0] < 0 or out[-1] >= rows or np.any(out[1:] <= out[:-1])):
        raise ValueError(f"{name} must increase and lie in 0..{rows - 1}, got {_checks.show(out)}")
    return out


_ELSEWHERE = (
    ". Dataset.load reads only what Dataset.save wrote: read other files with np.load or pandas, "
    "and give the arrays to fg.Dataset(X, y) or fg.train(X, y)"
)


def _write_aligned(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """Add an array as the archive's first member, with its data at a multiple of `_PAGE`."""
    info = zipfile.ZipInfo(name)
    header = _LOCAL_HEADER + len(name) + _ZIP64
    padding = -(header + 4) % _PAGE
    # A private extra field of the zip format: 2 bytes of name, 2 bytes of length, then padding.
    info.extra = struct.pack("<2sH", b"fg", padding) + bytes(padding)
    with archive.open(info, "w", force_zip64=True) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def _read(file: IO[bytes], path: str, mmap: bool) -> dict[str, Any]:
    """Return the fields of the data set in an open file."""
    if not zipfile.is_zipfile(file):
        raise ValueError(f"it is not a zip file{_ELSEWHERE}")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if "meta.json" not in names:
            raise ValueError(f"its members are {_checks.show(names)}{_ELSEWHERE}")
        meta = json.loads(archive.read("meta.json"))
        if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
            raise ValueError("its meta.json is not a data set's")
        if meta["version"] != _VERSION:
            raise ValueError(
                f"its format has version {meta['version']!r}, this fastgrok reads {_VERSION}"
            )
        # A zip's directory has no checksum of its own: a changed name would hide an array.
        if sorted(names) != sorted(meta["members"]):
            raise ValueError(f"its members are {_checks.show(names)}")
        fields: dict[str, Any] = {key: meta.get(key) for key in ("gamma", "params", "class_names")}
        for name in ("y", "support", "w_true", "flipped"):
            if f"{name}.npy" in names:
                fields[name] = _read_array(archive, f"{name}.npy")
        if "y" in fields:  # signs, whatever they were called
            _checks.labels("y", fields["y"], fields["y"].size)
        fields["X"] = _map_array(archive, file, path) if mmap else _read_array(archive, "X.npy")
        return fields


def _array_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of an .npy member of `size` bytes, which it must fill exactly."""
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"an array has .npy version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.kind not in "fi" or not dtype.isnative or (fortran and len(shape) > 1):
        raise ValueError(f"an array has dtype {dtype} and Fortran order {fortran}")
    count = 1
    for extent in shape:
        count *= int(extent)
    if min(shape, default=0) < 0 or file.tell() + count * dtype.itemsize != size:
        raise ValueError(f"an array of shape {shape} and dtype {dtype} doesn't fill its member")
    return shape, dtype


def _read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read an array in pieces; the archive's checksum is compared at the end."""
    with archive.open(name) as file:
        shape, dtype = _array_header(file, archive.getinfo(name).file_size)
        out = np.empty(shape, dtype)
        raw = out.reshape(-1).view(np.uint8)
        for start in range(0, raw.size, _PIECE):
            piece = file.read(min(_PIECE, raw.size - start))
            raw[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
    return out


def _map_array(archive: zipfile.ZipFile, file: IO[bytes], path: str) -> NDArray[Any]:
    """Map X where it lies in the file."""
    info = archive.getinfo("X.npy")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise ValueError("X is compressed and can't be mapped")
    with archive.open(info) as member:
        shape, dtype = _array_header(member, info.file_size)
        skip = member.tell()
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER:
        raise ValueError("the file ends inside the header of X")
    lengths = struct.unpack("<HH", header[26:30])
    start = info.header_offset + _LOCAL_HEADER + sum(lengths) + skip
    if start % dtype.itemsize:
        raise ValueError("X is not aligned and can't be mapped")
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape, order="C")
