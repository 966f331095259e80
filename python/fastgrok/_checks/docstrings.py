"""Docstrings that share descriptions of parameters or attributes, written once; help has all."""

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_SECTION = re.compile(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=\n\n\S|\Z)", re.M | re.S)
_ENTRY = re.compile(r"^(\S.*)\n((?:\n*    .*)+)", re.M)
_SEE = re.compile(r"^(\S.*)\n    See `(\w+)`\.(?: (.*))?$", re.M)


def _parameters(docstring: str) -> dict[str, tuple[str, str]]:
    """Read what a docstring says of each parameter or attribute: its type and its description."""
    section = _SECTION.search(inspect.cleandoc(docstring))
    entries = _ENTRY.findall(section[1]) if section else []
    split = ((*head.partition(" : ")[::2], body) for head, body in entries)
    return {name: (kind, body) for names, kind, body in split for name in names.split(", ")}


def described(*sources: Callable[..., Any]) -> Callable[[T], T]:
    """
    Fill in what the docstring of a function or a class takes from those of the sources.

    The entry ``X, y`` with the description ``See `pgd`.`` stands for what `pgd` says of X and of y.
    An entry of one name may have a type of its own, and more to say after the reference.
    """
    known = {one.__name__: one.__doc__ for one in sources}

    def complete(target: T) -> T:
        if target.__doc__ is not None:  # python -OO leaves none
            target.__doc__ = _SEE.sub(entries, inspect.cleandoc(target.__doc__))
        return target

    def entries(see: re.Match[str]) -> str:
        names, _, kind = see[1].partition(" : ")
        said = _parameters(known[see[2]] or "")
        full = [f"{name} : {kind or said[name][0]}\n{said[name][1]}" for name in names.split(", ")]
        if see[3]:  # behind a list a line would belong to its last point
            full += ["", f"    {see[3]}"] if "\n    - " in f"\n{full[-1]}" else [f"    {see[3]}"]
        return "\n".join(full)

    return complete
