"""What the command offers: papers, their figures and tables, and the settings of a reproduction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from fastgrok.papers._report import Verdict

Scale = Literal["quick", "default", "full"]

#: What pictures can be written as; those that a page can show before those that it links to.
FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Settings:
    """How a figure or table is to be made.

    Attributes
    ----------
    scale : {"quick", "default", "full"}
        Within a minute, by fewer draws of the data; the paper's size; that with more draws.
    engine : str
        Passed on to `fastgrok.train`.
    threads : int
        Training runs under way at the same time.
    seeds : int, optional
        Number of draws of the data; None leaves it to the scale.
    progress : bool
        Show a progress bar on standard error.
    formats : tuple of {"png", "svg", "pdf"}
        What every picture is written as.
    cache : dict
        Finished runs by what they are made from. A figure or table looks here before it trains, so
        that a command that makes several of them trains what they have in common once.
    """

    scale: Scale = "default"
    engine: str = "auto"
    threads: int = 1
    seeds: int | None = None
    progress: bool = True
    formats: tuple[str, ...] = ("png", "svg")
    cache: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Output:
    """
    What making an item left behind: the files written and the verdicts reached.

    Attributes
    ----------
    files : tuple of Path
        What was written.
    verdicts : tuple of Verdict
        What was judged.
    seconds : float
        How long it took; NaN if nobody looked.
    """

    files: tuple[Path, ...]
    verdicts: tuple[Verdict, ...]
    seconds: float = float("nan")

    def pictures(self) -> dict[str, dict[str, Path]]:
        """Return the files of each picture by their formats, such as ``"png"``."""
        found: dict[str, dict[str, Path]] = {}
        for path in self.files:
            kind = path.suffix[1:]
            if kind in FORMATS:
                found.setdefault(path.stem, {})[kind] = path
        return found


class Stopped(KeyboardInterrupt):
    """Ctrl-C while an item was being made; the message says what was kept and where."""


@dataclass(frozen=True)
class Item:
    """
    One figure or table of a paper.

    Attributes
    ----------
    kind : {"figure", "table"}
        What it is.
    number : int or str
        The paper's, or a name for what the paper does not have.
    title : str
        What it shows, for the command's list.
    make : callable
        What makes it, of `Settings` and the folder for its files; returns an `Output`.
    """

    kind: Literal["figure", "table"]
    number: int | str
    title: str
    make: Callable[[Settings, Path], Output]

    @property
    def name(self) -> str:
        """Such as ``"figure 1"``."""
        return f"{self.kind} {self.number}"


@dataclass(frozen=True)
class Paper:
    """
    A paper and those of its figures and tables that can be reproduced.

    Attributes
    ----------
    key : str
        Its name for the command.
    citation : str
        Authors, year and where it is found.
    items : tuple of Item
        In the order of making.
    reading : str
        What a claim may depend on, in words.
    dims : mapping of int to tuple of Item
        Those that are made for another number of columns of the data, by that number.
    """

    key: str
    citation: str
    items: tuple[Item, ...]
    reading: str = "reading of the paper"
    dims: Mapping[int, tuple[Item, ...]] = field(default_factory=dict)

    def at(self, dim: int) -> "Paper":
        """
        Return the paper with the items for so many columns of the data.

        Parameters
        ----------
        dim : int
            One of `dims`.

        Raises
        ------
        KeyError
            If there are none; the message lists what there is.
        """
        if dim not in self.dims:
            offered = " or ".join(map(str, self.dims))
            hint = f"offered: --dim {offered}" if offered else "leave --dim out"
            raise KeyError(f"{self.key} has nothing at --dim {dim} here; {hint}")
        citation = f"{self.citation}, d = {dim}"
        return replace(self, citation=citation, items=self.dims[dim], dims={})

    def find(self, kind: str, number: int | str) -> Item:
        """
        Return the item of that kind and number.

        Parameters
        ----------
        kind : {"figure", "table"}
            What is looked for.
        number : int or str
            As the item has it.

        Raises
        ------
        KeyError
            If it is not offered; the message lists what is.
        """
        for item in self.items:
            if (item.kind, str(item.number)) == (kind, str(number)):
                return item
        offered = ", ".join(item.name for item in self.items)
        raise KeyError(f"{self.key} has no {kind} {number} here; offered: {offered}")
