"""Named evaluation sets: points with labels, or whole populations."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from numpy.typing import ArrayLike

from fastgrok._checks import frames
from fastgrok._checks._arguments import Data, data, show
from fastgrok._checks._words import plural
from fastgrok._checks.populations import Population


class Labelled(Protocol):
    """Anything with rows ``X`` and labels ``y``, such as a :class:`fastgrok.Dataset`."""

    @property
    def X(self) -> ArrayLike: ...
    @property
    def y(self) -> ArrayLike: ...


EvaluationSet = tuple[ArrayLike, ArrayLike] | Labelled | Population


def evaluation_sets(
    evals: Mapping[str, EvaluationSet] | None,
    columns: int,
    *,
    argument: str = "evals",
    read: Callable[..., Data] | None = None,
    features: frames.Features | None = None,
) -> dict[str, Data | Population]:
    """Named evaluation sets, each with the training set's columns, as `read` or `data` gives it.

    `features` are the names of these columns, as far as they have any.
    """
    if evals is None:
        return {}
    if not isinstance(evals, Mapping):
        raise TypeError(f"{argument} must be a dict of name: (X, y), got {show(evals)}")
    checked: dict[str, Data | Population] = {}
    read = partial(data, sparse_too=True) if read is None else read
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
            checked[name] = read(value[0], value[1], names=names, columns=columns)
        elif hasattr(value, "X") and hasattr(value, "y"):
            named = value if frames.features(value) else value.X
            frames.require_features(names[0], named, features)
            checked[name] = read(value.X, value.y, names=names, columns=columns)
        else:
            raise TypeError(f"{prefix}must be (X, y) or have .X and .y, got {show(value)}")
    return checked
