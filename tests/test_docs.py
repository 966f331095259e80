"""What the documentation says its examples print is what they print."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


class _Blocks(doctest.DocTestParser):
    """Takes fences away, which would count as output."""

    def get_examples(self, string: str, name: str = "<string>") -> list[doctest.Example]:
        return super().get_examples(string.replace("```", "\n"), name)


@pytest.mark.parametrize(("page", "at_least"), [("findings.md", 10), ("leaps.md", 8)])
def test_examples_print_what_they_say(page: str, at_least: int) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = _Blocks().get_examples(text, page)
    assert len(examples) > at_least
    test = doctest.DocTest(examples, {}, page, str(DOCS / page), 0, text)
    failed: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=failed.append)
    assert result.failed == 0, "".join(failed)
