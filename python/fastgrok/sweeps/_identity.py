"""What a function is called, what it is made of, and the keys of its cells."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, MethodType
from typing import Any

from fastgrok import _checks
from fastgrok._checks import calls

_PLAIN = (bool, int, float, str, type(None))


class Function:
    """
    A function that a sweep can call by the names of its arguments.

    Attributes
    ----------
    run : callable
        The function.
    name : str
        Module and qualified name.
    code : str
        Digest of its source, or of what it was compiled to where there is no source.
    """

    def __init__(self, run: Any, names: tuple[str, ...]) -> None:
        self.run = run
        self.name = _qualified(run)
        self.code = _code(run)
        self._signature = _signature(run, self.name, names)

    def arguments(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        """Return all arguments of a call, the defaults among them."""
        bound = self._signature.bind(**cell)
        bound.apply_defaults()
        named = dict(bound.arguments)
        for parameter in self._signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                named |= named.pop(parameter.name)
        return named


def made_from(function: Function, cell: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Say what the result of a cell depends on, in plain words and numbers."""
    arguments = function.arguments(cell)
    return {
        "function": function.name,
        "code": function.code,
        "version": version,
        "arguments": {name: _plain(arguments[name]) for name in sorted(arguments)},
    }


def key(description: Mapping[str, Any]) -> str:
    """Return the key of a cell with this description."""
    text = json.dumps(description, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    return value if isinstance(value, _PLAIN) else repr(value)


def _qualified(run: object) -> str:
    if not callable(run):
        raise TypeError(
            f"run must be a function, or the name of an experiment, got {_checks.show(run)}"
        )
    if isinstance(run, partial):
        fixed = ", ".join(
            f"{name!r}: {_checks.show(value)}" for name, value in run.keywords.items()
        )
        raise TypeError(
            f"run must be a top-level function, got a partial of {_title(run.func)}: give that, "
            f"and what it fixes as single values in the grid{fixed and f', {{{fixed}}}'}"
        )
    name = getattr(run, "__qualname__", None)
    if name is None or isinstance(run, type | MethodType):
        raise TypeError(
            f"run must be a top-level function, got {_checks.show(run)}: write one that calls it"
        )
    if "<" in name:
        kind = "a lambda" if name.endswith("<lambda>") else f"{name}, defined in another function"
        raise ValueError(
            "run must be a top-level function, which other processes can import and a store can "
            f"tell apart, got {kind}: define it by def at the top of a module or script"
        )
    return f"{getattr(run, '__module__', None) or '__main__'}.{name}"


def _title(run: object) -> str:
    return str(getattr(run, "__qualname__", _checks.show(run)))


def _code(run: Callable[..., Any]) -> str:
    inner = inspect.unwrap(run)
    try:
        text = inspect.getsource(inner)
    except (OSError, TypeError):
        code = getattr(inner, "__code__", None)
        if code is None:
            raise TypeError(
                f"run must be a function written in Python, got {_checks.show(run)}"
            ) from None
        text = _compiled(code)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _compiled(code: CodeType) -> str:
    """Write what a function does, wherever it stands."""
    constants = [
        _compiled(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts
    ]
    return repr((code.co_code, code.co_names, code.co_varnames, constants))


def _signature(run: Callable[..., Any], name: str, names: tuple[str, ...]) -> inspect.Signature:
    try:
        signature = inspect.signature(run)
    except ValueError:
        raise TypeError(f"run must be a function with a signature, got {name}") from None
    parameters = signature.parameters.values()
    known = [
        one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters)
    for wrong in names:
        if wrong not in known and not open_ended:
            hint = calls.suggestion(wrong, known) or f"; it has {', '.join(known) or 'none'}"
            raise TypeError(f"grid names {wrong!r}, which is no argument of {name}{hint}")
    for one in parameters:
        needed = one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if needed and one.name not in names:
            raise TypeError(f"grid lacks {one.name!r}, which {name} needs")
    return signature
