"""Examples in docstrings print what they say they print."""

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

import fastgrok as fg
from test_docstrings import FILES, HOUSE, PAPERS, public

PACKAGE = Path(fg.__file__).parent
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef


def found() -> dict[str, doctest.DocTest]:
    """List the examples of every docstring, with the names that its module has."""
    tests = {}
    for file in FILES:
        parts = ("fastgrok", *file.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            text = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
            if text and ">>>" in text:
                title = f"{name}.{getattr(node, 'name', '')}"
                names = dict(vars(import_module(name)))
                parser = doctest.DocTestParser()
                assert title not in tests
                tests[title] = parser.get_doctest(text, names, title, str(file), 0)
    return tests


EXAMPLES = found()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_print_what_they_say(name: str) -> None:
    test = EXAMPLES[name]
    assert not any(doctest.SKIP in example.options for example in test.examples)
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    assert runner.run(test, out=said.append).failed == 0, "".join(said)


def test_no_example_of_a_public_name_is_overlooked() -> None:
    """Also not one that a decorator wrote into the docstring."""
    run = {example.source for test in EXAMPLES.values() for example in test.examples}
    shown = {
        example.source
        for _, value in public((*HOUSE, *PAPERS))
        for example in doctest.DocTestParser().get_examples(value.__doc__ or "")
    }
    assert len(shown) > 80
    assert shown <= run
