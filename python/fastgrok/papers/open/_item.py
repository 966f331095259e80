"""How figures are made here, by their sizes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fastgrok.papers._catalogue import Item, Output, Settings
from fastgrok.papers._making import make
from fastgrok.papers.open._training import Trainer

T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """
    How much is computed at a scale.

    Attributes
    ----------
    seeds : int
        Draws of the data.
    figures : dict of str to dict
        Arguments of each figure's function, by the name of the figure.
    """

    seeds: int
    figures: Mapping[str, Mapping[str, Any]]


_QUICK: dict[str, dict[str, Any]] = {
    "decay": {"n": 200, "classes": 1000, "decays": (0.0, 1e-8, 1e-6, 1e-4, 1e-2)},
    "momentum": {"n": 400},
    "adam": {"steps": 1e5},
    "noise": {"n": 400},
    "losses": {"n": 200, "ratios": (0.3, 0.4, 0.5, 0.6, 0.8), "steps": 1e5},
    "kernel": {"n": 300, "gaps": (0.1, 0.03, 0.01, 0.005, 0.002)},
}

#: The default scale is that of the figures' own defaults.
SIZES = {"quick": Size(3, _QUICK), "default": Size(5, {}), "full": Size(20, {})}


def item(title: str, train: Callable[..., T], write: Callable[[T, Path], Output]) -> Item:
    """
    Return the figure that the command offers by the name of the function that trains for it.

    Parameters
    ----------
    title : str
        What it is about.
    train : callable
        Takes a trainer, `seeds` and what its size says.
    write : callable
        Draws and judges what that returns, and writes the files into a folder.
    """
    name: str = train.__name__

    def trained(given: Settings) -> T:
        size = SIZES[given.scale]
        trainer = Trainer(given.engine, given.threads, given.progress, given.cache)
        seeds = range(size.seeds if given.seeds is None else given.seeds)
        return train(trainer, seeds=seeds, **size.figures.get(name, {}))

    def made(settings: Settings, folder: Path) -> Output:
        return make(name, settings, folder, trained, write)

    return Item("figure", name, title, made)
