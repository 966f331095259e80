"""Docstrings have the sections of numpydoc."""

import ast
import re
from pathlib import Path

import pytest

import fastgrok as fg

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
