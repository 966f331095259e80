"""What a run is: all that its bits depend on, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import Data, sparse
from fastgrok._core import chunk_rows, simd
from fastgrok._files import DIGEST, digest, digests
from fastgrok.distributed import Rows


def identity(
    data: dict[str, Data], arrays: dict[str, NDArray[Any]], settings: dict[str, Any]
) -> dict[str, Any]:
    """
    Describe all that the bits of a run depend on, in plain JSON.

    Parameters
    ----------
    data : dict
        The training set and then the evaluation sets, by name.
    arrays : dict
        The other arrays, by the names that a message should give them.
    settings : dict
        Numbers, strings and booleans.
    """
    names = list(data)
    described = {"evals": names[1:], **settings, "simd": _simd_family(simd())}
    for name, value in arrays.items():
        described[name] = _describe(value)
    for name in names:
        prefix = "" if name == "train" else f"evals[{name!r}] "
        for part, value in _describe_set(data[name]).items():
            described[prefix + part] = value
    return described


def _describe_set(data: Data) -> dict[str, Any]:
    X: Any
    X, y = data
    if sparse.is_sparse(X):
        parts = X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)
        rows = _description(X.shape, f"sparse {X.dtype.str}", digest(parts))
        return {"X": rows, "y": _describe(y)}
    # Chunk by chunk, as workers of a cluster have them.
    if isinstance(X, Rows):
        of_rows, of_labels = X._digests()
    else:
        edges = chunk_rows(*X.shape)
        of_rows, of_labels = digests(X, edges), digests(y, edges)
    return {
        "X": _description(X.shape, X.dtype.str, _digest_of(of_rows)),
        "y": _description(y.shape, "<f8", _digest_of(of_labels)),
    }


def _digest_of(parts: Iterable[bytes]) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=DIGEST).digest()


def _describe(array: NDArray[Any]) -> dict[str, Any]:
    return _description(array.shape, array.dtype.str, digest([array]))


def _description(shape: tuple[int, ...], dtype: str, found: bytes) -> dict[str, Any]:
    return {"shape": list(shape), "dtype": dtype, "digest": found.hex()}


def _simd_family(name: str) -> str:
    """Instruction sets that give the same bits share a family."""
    return "v2" if name == "v2" else "v3, v4 or neon"


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words how two identities differ; nothing if they do not."""
    found = []
    for name in [*now, *(name for name in then if name not in now)]:
        if name not in then or name not in now:
            if name.startswith("evals["):
                continue  # the names of the sets differ, which is said already
            found.append(f"{name} was {then.get(name, 'unknown')}, is {now.get(name, 'unknown')}")
        elif json.dumps(then[name]) != json.dumps(now[name]):  # as text, to tell 0.0 from -0.0
            found.append(_difference(name, then[name], now[name]))
    return found


def _difference(name: str, then: Any, now: Any) -> str:
    if not (isinstance(then, dict) and isinstance(now, dict)):
        return f"{name} was {then!r}, is {now!r}"
    shapes = [tuple(value.get("shape", ())) for value in (then, now)]
    dtypes = [value.get("dtype") for value in (then, now)]
    if shapes[0] != shapes[1]:
        return f"{name} had shape {shapes[0]}, has shape {shapes[1]}"
    if dtypes[0] != dtypes[1]:
        return f"{name} had dtype {dtypes[0]}, has dtype {dtypes[1]}"
    return f"{name} holds other values"
