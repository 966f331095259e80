"""The page that holds what was measured: docs/benchmarks.md, whose tables nothing else writes."""

import datetime
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import fastgrok as fg

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def put(name: str, table: str) -> None:
    """Put a table between its marks on the page, and below it when, where and how it was made."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    text = f"{begin}\n{table}\n\n{made_by()}\n{end}"
    PAGE.write_text(f"{before}{text}{after}", encoding="utf-8")


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
