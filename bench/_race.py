"""What the races here share: turns and their medians, peers that may be missing, sizes, tables."""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

Turn = Callable[[], float]
TRIAL = 0.05  # seconds


class Side(Protocol):
    """What takes part in a race."""

    def take(self, count: int) -> tuple[Any, float]:
        """Do it `count` times: what came of it, and the seconds that it took."""


AnySide = TypeVar("AnySide", bound=Side)


def take_turns(
    sides: Mapping[str, Turn],
    turns: int,
    *,
    pause: float = 0.0,
    at_most: Mapping[str, int] | None = None,
) -> dict[str, list[float]]:
    """What the sides return, called one after another in every round.

    A side named in `at_most` sits out once it has had so many turns. Before each turn is a pause
    of so many seconds, for threads that spin for a while before they go to sleep.
    """
    values: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(turns):
        for name, take in sides.items():
            if turn < (at_most or {}).get(name, turns):
                time.sleep(pause)
                values[name].append(take())
    return values


def medians(values: Mapping[str, Iterable[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in values.items()}


def count_for(take: Callable[[int], float], seconds: float) -> int:
    """As many repetitions as take about `seconds`, where `take` does some and returns theirs."""
    count = 1
    while (elapsed := take(count)) < 0.2 * seconds:
        count *= 4
    return max(1, round(count * seconds / elapsed))


def fastest(sides: Iterable[AnySide]) -> AnySide:
    """The one that was fastest in a short trial."""

    def least(side: AnySide) -> float:
        def seconds(count: int) -> float:
            return side.take(count)[1]

        seconds(1)  # may compile
        count = count_for(seconds, TRIAL)
        return min(seconds(count) / count for _ in range(5))

    return min(sides, key=least)


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def installed(packages: Iterable[str]) -> list[str]:
    """Those that are; of every other one a line says that it is skipped."""
    found = []
    for package in packages:
        if is_installed(package):
            found.append(package)
        else:
            print(f"{package} is not installed: skipped (pip install '.[bench]')", flush=True)
    return found


def sizes(text: str) -> tuple[int, ...]:
    """Numbers from 40000x2000, for argparse."""
    try:
        return tuple(int(size) for size in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 40000x2000") from None


def threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"


def show(row: Mapping[str, Any]) -> str:
    """Name and value of everything in a row, in a line."""

    def text(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in row.items())


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns side by side, the first one flush left, the others flush right."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
