"""Docstrings have the sections of numpydoc, and describe every parameter."""

import ast
import inspect
import pydoc
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg
from fastgrok import datasets, geometry, linear, papers, plots, questions, records, sweeps, testing
from fastgrok._checks.docstrings import described
from fastgrok.papers import beck2025, das2026
from fastgrok.papers import open as questions_left
from fastgrok.testing import strategies
from fastgrok.theory import bias, edge, two_point

FILES = sorted(Path(fg.__file__).parent.rglob("*.py"))
HEADINGS = (
    "Parameters|Attributes|Returns|Yields|Raises|Warns|See Also|Notes|References|Examples|Methods"
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_heading_stands_alone(file):
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    for node in ast.walk(ast.parse(file.read_text())):
        lines = ((isinstance(node, documented) and ast.get_docstring(node)) or "").splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=False):
            place = f"{file}: {line}"
            assert not re.search(rf"\b({HEADINGS}) -{{3,}}", line), place
            if re.fullmatch(HEADINGS, line):
                assert following == "-" * len(line), place


HOUSE = (
    fg, fg.stop, linear, geometry, bias, edge, two_point, datasets, plots, questions, records,
    sweeps, testing, strategies,
)  # fmt: skip
PAPERS = (papers, das2026, beck2025, questions_left)


def public(modules):
    """Name every callable of ours that the modules offer, and the methods of the classes."""
    for module in modules:
        for name in set(module.__all__) - {"__version__"}:
            value = getattr(module, name)
            if callable(value) and value.__module__.startswith("fastgrok"):
                yield f"{value.__module__}.{name}", value
                for method, function in inspect.getmembers(value, inspect.isfunction):
                    ours = function.__module__.startswith("fastgrok")
                    if inspect.isclass(value) and not method.startswith("_") and ours:
                        yield f"{value.__module__}.{name}.{method}", function


def section(value, heading):
    """List the names that a section of a docstring describes, in order."""
    names, inside = [], False
    lines = inspect.cleandoc(value.__doc__).splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following and set(following) == {"-"}:
            inside = line == heading
        elif inside and line and not line.startswith(" ") and set(line) != {"-"}:
            assert following.startswith("    "), f"{line} is not described"
            names += [name.lstrip("*") for name in line.split(" : ")[0].split(", ")]
    return names


def arguments(value):
    if inspect.isclass(value) and issubclass(value, np.ndarray | Enum):
        return []  # made by views or from the members: its arguments are not ours
    return [name for name in inspect.signature(value).parameters if name != "self"]


def results(value):
    """Whether a class is one that only this package makes, whose fields are its attributes."""
    return inspect.isclass(value) and not section(value, "Parameters")


OURS = {
    name: value
    for name, value in sorted(public(HOUSE))
    # A record's fields are described where users meet them, at Trajectory; errors are raised by us.
    if value is not records.Record
    and not (inspect.isclass(value) and issubclass(value, BaseException))
}
REPORTED = {
    name: value
    for name, value in sorted(public(PAPERS))
    if not (inspect.isclass(value) and issubclass(value, BaseException))
}


@pytest.mark.parametrize("name", OURS | REPORTED)
def test_every_parameter_is_described_once_and_in_order(name):
    value = (OURS | REPORTED)[name]
    if results(value):
        listed = section(value, "Attributes")
        assert len(listed) == len(set(listed))
        assert not set(arguments(value)) - set(listed)
    else:
        assert section(value, "Parameters") == arguments(value)


@pytest.mark.parametrize("name", OURS)
def test_help_refers_to_no_other_function_for_what_a_parameter_is(name):
    assert not re.search(r"^ +(As (in|by)|See) `.*`\.$", OURS[name].__doc__, re.M)


def test_help_describes_what_an_attack_shares_with_others():
    for attack in (fg.pgd, fg.adversarial_accuracy, fg.Pgd):
        text = pydoc.plain(pydoc.render_doc(attack))
        assert (
            len(
                re.findall(
                    r"^[ |]*bounds : None, \"data\" or \(lo, hi\), default None$", text, re.M
                )
            )
            == 1
        )
        assert text.count("Length of a step, in the same norm.") == 1
    assert 'default "pgd"' in fg.pgd.__doc__
    assert 'default "pgd"' not in fg.adversarial_accuracy.__doc__


def source(a, b, c):
    """
    Do something.

    Parameters
    ----------
    a, b : int
        Two numbers,

        - or one.
    c : str, optional
        More.

    Returns
    -------
    d : int
        A result.
    """


def test_a_reference_stands_for_what_the_source_says():
    @described(source)
    def function(b, a, c, d):
        """
        Do another thing.

        Parameters
        ----------
        b, a
            See `source`.
        c : list, default []
            See `source`. But not
            too many.
        d
            See `nothing` about it.
        """

    assert (
        function.__doc__
        == """Do another thing.

Parameters
----------
b : int
    Two numbers,

    - or one.
a : int
    Two numbers,

    - or one.
c : list, default []
    More.
    But not
    too many.
d
    See `nothing` about it."""
    )


@pytest.mark.parametrize("entry", ["d\n    See `source`.", "a\n    See `sauce`."])
def test_a_reference_to_nothing_is_refused(entry):
    def function():
        pass

    function.__doc__ = f"Do.\n\nParameters\n----------\n{entry}\n"
    with pytest.raises(LookupError):
        described(source)(function)


def test_docstrings_may_be_left_out():
    code = "import fastgrok as fg; print(fg.Pgd.__doc__, fg.datasets.concentrated.__doc__)"
    said = subprocess.run(
        [sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout == "None None\n"
