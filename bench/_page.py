"""Tables on pages of the documents, which nothing else writes; most are in docs/benchmarks.md."""

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import fastgrok as fg

DOCS = Path(__file__).parents[1] / "docs"
PAGE, LEAPS = DOCS / "benchmarks.md", DOCS / "leaps.md"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def put(name: str, table: str) -> None:
    """Put a table on the page, and below it when, where and how it was made."""
    put_between(PAGE, name, f"{table}\n\n{made_by()}")


def put_between(page: Path, name: str, text: str) -> None:
    """Put a text between its two marks on a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = page.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def made_by() -> str:
    """The date, the machine and the command."""
    command = " ".join(["python", f"bench/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    config = fg.show_config()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{datetime.date.today():%Y-%m-%d}, {cores} cores of {processor()}, {config['simd']}, "
        f"fastgrok {config['fastgrok']}: `{command}`"
    )


def processor() -> str:
    """What the machine says that its processor is."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
