"""Named evaluation sets: points with labels, or whole populations."""

from collections.abc import Callable, Mapping
from typing import Protocol

from numpy.typing import ArrayLike

from fastgrok._checks import frames
from fastgrok._checks._arguments import Data, Names, matrix, show
from fastgrok._checks._classes import SIGNS, Classes, labels_of, signs_of
from fastgrok._checks._words import plural
from fastgrok._checks.populations import Population


class Labelled(Protocol):
    """Anything with rows ``X`` and labels ``y``, such as a :class:`fastgrok.Dataset`."""

    @property
    def X(self) -> ArrayLike: ...
    @property
    def y(self) -> ArrayLike: ...


EvaluationSet = tuple[ArrayLike, ArrayLike] | Labelled | Population


def _read(X: ArrayLike, y: ArrayLike, *, names: Names, columns: int, classes: Classes) -> Data:
    rows = matrix(names[0], X, columns, sparse_too=True)
    frames.require_same_index(names, X, y)
    return rows, signs_of(names[1], y, rows.shape[0], classes)


def evaluation_sets(
    evals: Mapping[str, EvaluationSet] | None,
    columns: int,
    *,
    argument: str = "evals",
    read: Callable[..., Data] = _read,
    features: frames.Features | None = None,
    classes: Classes = SIGNS,
) -> dict[str, Data | Population]:
    """Named evaluation sets, each with the training set's columns, as `read` gives it.

    `features` are the names of these columns, as far as they have any, and `classes` what the
    training set's labels are called.
    """
    if evals is None:
        return {}
    if not isinstance(evals, Mapping):
        raise TypeError(f"{argument} must be a dict of name: (X, y), got {show(evals)}")
    checked: dict[str, Data | Population] = {}
    for name, value in evals.items():
        if not isinstance(name, str):
            raise TypeError(f"{argument} must have strings for names, got {show(name)}")
        if name in ("", "train"):
            raise ValueError(
                f"{argument} can't have the name {name!r}: 'train' is the training set's"
            )
        prefix = f"{argument}[{name!r}] "
        names = f"{prefix}X", f"{prefix}y"
        if isinstance(value, Population):
            value.check_columns(prefix, columns)
            checked[name] = value
        elif isinstance(value, tuple | list):
            if len(value) != 2:
                raise ValueError(
                    f"{prefix}must be a pair (X, y), got {plural(len(value), 'value')}"
                )
            frames.require_features(names[0], value[0], features)
            checked[name] = read(value[0], value[1], names=names, columns=columns, classes=classes)
        elif hasattr(value, "X") and hasattr(value, "y"):
            named = value if frames.features(value) else value.X
            frames.require_features(names[0], named, features)
            y, called = labels_of(value, classes)
            checked[name] = read(value.X, y, names=names, columns=columns, classes=called)
        else:
            raise TypeError(f"{prefix}must be (X, y) or have .X and .y, got {show(value)}")
    return checked
