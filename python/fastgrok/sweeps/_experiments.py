"""The built-in experiments, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastgrok.sweeps import _cube, _gaussians, _two_point
from fastgrok.sweeps._grid import Cell

_STEPS = {"units": "steps"}
_COMMON: dict[str, dict[str, str]] = {
    "lam": {"long_name": "dimensions per point, lambda"},
    "sigma": {"long_name": "standard deviation of the points, sigma"},
    "n": {"long_name": "points"},
    "seed": {"long_name": "draw of the data"},
    "lr": {"long_name": "learning rate"},
    "accuracy": {"long_name": "accuracy asked for"},
    "horizon": {"long_name": "steps taken", **_STEPS},
    "time": {"long_name": "grokking time", **_STEPS},
    "decided": {"long_name": "whether the grokking time is known: a number, or inf for never"},
    "final_accuracy": {"long_name": "accuracy at the horizon"},
    "limit_accuracy": {"long_name": "accuracy in the limit of infinite time"},
    "final_norm_w": {"long_name": "||w|| at the horizon"},
    "final_b": {"long_name": "b at the horizon"},
    "margin": {"long_name": "margin of the points from the origin; 0 if not separable"},
    "rest": {"long_name": "||S_infinity||"},
}


@dataclass(frozen=True)
class Experiment:
    """
    A function that `sweep` knows by name.

    Attributes
    ----------
    run : callable
        Takes the arguments of a cell by name, and returns a dict.
    title : str
        What is asked.
    value : str
        The variable that a phase diagram of it shows.
    together : tuple of str
        Arguments in which cells may differ that are computed in one call.
    several : callable, optional
        Takes a list of cells that are alike but for those, and returns a dict for each.
    most : int
        Cells of a call at most.
    shared : tuple of str
        Arguments that must be the same in all cells, whose arrays would not fit together else.
    attrs : dict of str to dict
        Attributes of arguments and variables.
    """

    run: Callable[..., dict[str, Any]]
    title: str
    value: str
    together: tuple[str, ...] = ()
    several: Callable[[list[Cell]], Sequence[dict[str, Any]]] | None = None
    most: int = 1
    shared: tuple[str, ...] = ()
    attrs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def many(self, cells: list[Cell]) -> Sequence[dict[str, Any]]:
        """
        Compute cells that are alike but for the arguments in `together`.

        Parameters
        ----------
        cells : list of dict
            Their arguments; defaults may be left out.
        """
        if self.several is None:
            return [self.run(**cell) for cell in cells]
        return self.several(cells)

    def tasks(self, cells: Sequence[Cell], wanted: Sequence[int]) -> Iterator[list[int]]:
        """
        Divide cells into those that are computed in one call.

        The calls are those of all cells, whatever is known already: last bits may depend on what is
        computed together.

        Parameters
        ----------
        cells : sequence of dict
            Arguments of all cells.
        wanted : sequence of int
            Which of them are to be computed; calls without any are left out.
        """
        missing = set(wanted)
        groups: dict[Any, list[int]] = {}
        for i in range(len(cells)):
            alike = tuple((k, v) for k, v in cells[i].items() if k not in self.together)
            groups.setdefault(alike if self.several else i, []).append(i)
        for group in groups.values():
            for start in range(0, len(group), self.most):
                task = group[start : start + self.most]
                if not missing.isdisjoint(task):
                    yield task

    def attributes(self, name: str) -> dict[str, str]:
        """
        Return the attributes of an argument or a variable.

        Parameters
        ----------
        name : str
            Its name.
        """
        return {**_COMMON.get(name, {}), **self.attrs.get(name, {})}


#: What `sweep` knows by name.
EXPERIMENTS: dict[str, Experiment] = {
    "edge": Experiment(
        _gaussians.edge,
        "grokking time of Gaussian points of one label (Beck et al. 2025)",
        "time",
    ),
    "limits": Experiment(
        _gaussians.edge,
        "final accuracy and ||S_infinity|| of Gaussian points of one label (Beck et al. 2025)",
        "final_accuracy",
    ),
    "curves": Experiment(
        _gaussians.curves,
        "learning curves of Gaussian points of one label (Beck et al. 2025)",
        "test_accuracy",
        shared=("horizon", "per_decade"),
        attrs={
            "step": {"long_name": "step"},
            "train_accuracy": {"long_name": "training accuracy"},
            "test_accuracy": {"long_name": "accuracy on the population"},
            "loss": {"long_name": "training loss"},
            "test_loss": {"long_name": "loss on the population"},
        },
    ),
    "rates": Experiment(
        _gaussians.rates,
        "grokking time across the limit of stability",
        "time",
        attrs={
            "factor": {"long_name": "learning rate by the largest that is surely stable"},
            "lr": {"long_name": "learning rate"},
            "travel": {"long_name": "grokking time x learning rate"},
            "final_loss": {"long_name": "training loss at the horizon"},
        },
    ),
    "cube": Experiment(
        _cube.cube,
        "grokking time by imbalance of the support vectors and width of the test set (Das et al. "
        "2026)",
        "time",
        together=("alpha", "eps"),
        several=_cube.cubes,
        most=64,
        attrs={
            "imbalance": {"long_name": "imbalance of the support vectors"},
            "alpha": {"long_name": "outer end of the test set, in units of gamma"},
            "support": {"long_name": "support vectors"},
            "gamma": {"long_name": "margin, gamma"},
            "eps": {"long_name": "accuracy that may be missing"},
            "classes": {"long_name": "points of each class"},
            "predicted": {"long_name": "grokking time by Theorem 4.6, corrected", **_STEPS},
            "final_distance": {"long_name": "|b| / ||w|| at the horizon, in units of gamma / 2"},
        },
    ),
    "two_point": Experiment(
        _two_point.two_point,
        "grokking time of the two-point model (Beck et al. 2025)",
        "time",
        together=("lam", "sigma", "lr", "accuracy"),
        several=_two_point.two_points,
        most=4096,
        attrs={
            "sigma": {"long_name": "scale of the points, sigma"},
            "lam": {"long_name": "lambda"},
            "log10_time": {"long_name": "decimal logarithm of the grokking time"},
            "rest": {"long_name": "S_infinity"},
        },
    ),
}
