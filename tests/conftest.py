"""Settings of the whole test suite."""

import difflib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# The first example of a test pays for imports and warm-up: a deadline would measure those.
# Other examples in every run, also where the environment says that it is continuous integration.
hypothesis.settings.register_profile("fastgrok", deadline=None, max_examples=50, derandomize=False)
# With --hypothesis-profile=ci the same examples are drawn in every run.
hypothesis.settings.register_profile(
    "ci",
    parent=hypothesis.settings.get_profile("fastgrok"),
    derandomize=True,
    database=None,
)
hypothesis.settings.load_profile("fastgrok")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "write tests/printed/*.txt anew; read the difference before you commit it"
    parser.addoption("--rewrite-printed", action="store_true", help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Compare pictures with stored ones wherever there is pytest-mpl, without being asked."""
    if config.pluginmanager.hasplugin("pytest_mpl"):
        config.option.mpl = True


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    """Close what a test has drawn."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")


@pytest.fixture
def printed(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Hold a text against the one that is stored under a name."""
    rewrite = request.config.getoption("--rewrite-printed")

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "printed" / f"{name}.txt"
        found = f"{text}\n"
        if rewrite:
            path.write_text(found, encoding="utf-8")
        stored = path.read_text(encoding="utf-8")
        if found != stored:
            lines = difflib.unified_diff(
                stored.splitlines(), found.splitlines(), str(path), "now", lineterm=""
            )
            pytest.fail("\n".join(lines), pytrace=False)

    return compare
