"""The adversary of the paper: PGD on the standard test set, under every way to carry it out."""

from dataclasses import dataclass
from typing import Any

from fastgrok.datasets import Dataset
from fastgrok.linear import Pgd
from fastgrok.papers.das2026._setting import HALF_WIDTH

#: Radius in the maximum norm, size and number of the steps.
EPS = 1.0
STEP_SIZE = 0.25
STEPS = 20


@dataclass(frozen=True)
class Adversary:
    """A way to carry out the attack; `options` are those of `fastgrok.Pgd`."""

    label: str
    options: dict[str, Any]


#: By the name of the evaluation set. The paper starts from the input or from a random point.
ADVERSARIES = {
    "adversarial_exact": Adversary("worst case", {"method": "exact"}),
    "adversarial_pgd": Adversary("PGD, true sign of the gradient", {"method": "pgd"}),
    "adversarial_autodiff32": Adversary("PGD, autodiff in float32", {"method": "autodiff32"}),
    "adversarial_autodiff64": Adversary("PGD, autodiff in float64", {"method": "autodiff64"}),
    "adversarial_random32": Adversary(
        "PGD, autodiff in float32, random start",
        {"method": "autodiff32", "random_start": True},
    ),
}


def attacked(test: Dataset, seed: int) -> dict[str, Pgd]:
    """Make the evaluation sets: a test set under every adversary, random starts from `seed`."""
    sets = {}
    for name, adversary in ADVERSARIES.items():
        options = dict(adversary.options)
        if options.get("random_start"):
            options["random_state"] = seed
        sets[name] = Pgd(
            test.X,
            test.y,
            eps=EPS,
            step_size=STEP_SIZE,
            steps=STEPS,
            bounds=(-HALF_WIDTH, HALF_WIDTH),
            **options,
        )
    return sets
