"""What the benchmarks write into docs/benchmarks.md, from rows made up."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCH = str(ROOT / "bench")
sys.path.append(BENCH)
import _page  # noqa: E402
import attacks  # noqa: E402
import geometry  # noqa: E402
import steps  # noqa: E402

# Here is another module of that name.
spec = importlib.util.spec_from_file_location("bench_leaps", f"{BENCH}/leaps.py")
assert spec is not None
assert spec.loader is not None
leaps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(leaps)
sys.path.remove(BENCH)


def test_every_table_of_the_page_has_marks_and_says_how_it_was_made():
    text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    blocks = re.findall(r"<!-- (\w+): begin -->\n(.*?)\n<!-- \1: end -->", text, re.DOTALL)
    assert [name for name, _ in blocks] == ["leaps", "steps", "margins", "attacks"]
    outside = re.sub(r"<!-- (\w+): begin -->\n.*?<!-- \1: end -->", "", text, flags=re.DOTALL)
    assert not re.search(r"^\|", outside, re.MULTILINE)
    for _, block in blocks:
        assert re.fullmatch(
            r"(\|.*\|\n)+\n20\d\d-\d\d-\d\d, .*: `python bench/\w+\.py.*`", block
        ), block


@pytest.fixture
def page(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    path.write_text("Before.\n<!-- one: begin -->\nold\n<!-- one: end -->\nAfter.\n", "utf-8")
    monkeypatch.setattr(_page, "PAGE", path)
    monkeypatch.setattr(sys, "argv", ["somewhere/leaps.py", "--turns", "3", "--write"])
    return path


def test_a_table_is_put_between_its_marks(page):
    for table in ("| new |", "| newer |"):
        _page.put("one", table)
        text = page.read_text("utf-8")
        assert text.startswith(f"Before.\n<!-- one: begin -->\n{table}\n\n20")
        assert text.endswith(
            "`python bench/leaps.py --turns 3 --write`\n<!-- one: end -->\nAfter.\n"
        )
    with pytest.raises(ValueError, match="not enough values"):
        _page.put("two", "| new |")


def test_times_far_ahead():
    def row(way, steps, seconds, extrapolated=False, error=None):
        return {"way": way, "steps": steps, "seconds": seconds, "extrapolated": extrapolated,
                "error": error}  # fmt: skip

    rows = [
        row("fastgrok auto", 1e5, 0.0294, error=1.2e-9), row("fastgrok auto", 1e12, 0.0761),
        row("fastgrok exact", 1e5, 0.294, error=0.0), row("fastgrok exact", 1e12, 5.6e5, True),
        row("numpy", 1e5, 4.4, error=0.0), row("numpy", 1e12, 4.4e7, True),
        row("scipy LSODA", 1e5, 440.0, error=4e-6), row("scipy LSODA", 1e12, None),
        row("scipy Radau", 1e5, 1.0),
    ]  # fmt: skip
    assert leaps.page(rows).splitlines() == [
        "| way | 10^5 | 10^12 | error at 10^5 |",
        "| --- | --- | --- | --- |",
        "| fastgrok, leaping (the default) | 0.029 | 0.076 | 1e-09 |",
        "| fastgrok, every step | 0.29 | ~6.5 days |  |",
        "| NumPy, every step | 4.4 | ~1.4 years |  |",
        "| SciPy, gradient flow by LSODA | 440 |  | 4e-06 |",
    ]


def test_races_of_steps_and_attacks():
    sides = [{"side": name, "us": us} for name, us in (("fastgrok", 3.8), ("numpy", 31.0))]
    best = {"side": "numba", "us": 7.6, "ratio": 2.0}
    race = {
        "rows": 2000,
        "columns": 2,
        "dtype": "float64",
        "threads": 1,
        "sides": sides,
        "limit_us": 1.94,
    }
    races = [race | {"best": best}, race | {"best": None}, race | {"dtype": "float32"}]
    assert steps.page(races).splitlines()[2:] == [
        "| 2000 x 2 | 1 | 3.8 us | 31 us | 7.6 us, numba | 2 | 1.94 us |",
        "| 2000 x 2 | 1 | 3.8 us | 31 us |  |  | 1.94 us |",
    ]
    row = {"rows": 10, "columns": 2, "side": "foolbox", "seconds": 0.183, "times_exact": 102.0,
           "times_pgd": 9.5}  # fmt: skip
    assert attacks.page([row]).splitlines()[2:] == ["| 10 x 2 | foolbox | 183 | 102 | 9.5 |"]
    assert geometry.table([{"size": "cube", "bias": "free", "fastgrok": 0.001}]).endswith(
        "| cube | free | 1 |  | none |  |"
    )
