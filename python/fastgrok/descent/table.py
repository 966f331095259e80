"""What may go together: engines, losses, penalties, optimizers and schedules.

A part says what it has, a use of it (a leap, a checkpoint, ...) what it needs. Errors, reasons in
reports, docs/combinations.md and the tests are made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fastgrok._core import loss_needs
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.descent.schedules import SCHEDULES
from fastgrok.linear.losses import LOSSES

TRAITS = {
    "convex": "convexity",
    "differentiable": "a continuous slope",
    "twice_differentiable": "a continuous second derivative",
    "bounded_curvature": "a curvature that is bounded over all margins",
    "stays_in_range": "a bounded curvature, or slopes that fall off like exp(-m)",
    "skippable": "slopes that vanish as margins grow",
    "exponential_tail": "slopes that fall off like exp(-m)",
    "memoryless": "steps without memory (of more than w and b)",
    "autonomous": "steps that do not depend on how many came before",
    "along_gradient": "steps along the gradient",
    "proportional": "steps in proportion to the gradient",
    "keeps_proportions": "steps that keep the proportions between the entries of a gradient",
    "follows_gradient": "steps that a slowly changing gradient determines",
    "smooth": "rates that change smoothly",
    "every_step": "every iterate",
}
"""What a message calls a trait."""


class Part(Protocol):
    """A value of an argument, and its traits."""

    @property
    def name(self) -> str:
        """As the argument has it."""

    @property
    def has(self) -> frozenset[str]:
        """Its traits."""


@dataclass(frozen=True)
class Plain:
    """A part of which no more than its traits need be known."""

    name: str
    has: frozenset[str]


@dataclass(frozen=True)
class Use:
    """
    What is made of parts.

    Attributes
    ----------
    title : str
        Subject of "need", in the plural.
    needs : dict
        By kind of part, the traits that one must have.
    otherwise : str
        What becomes of it where one has them not.
    """

    title: str
    needs: Mapping[str, tuple[str, ...]]
    otherwise: str


@dataclass(frozen=True)
class Lack:
    """A trait that a use needs and a part has not."""

    use: Use
    kind: str
    part: Part
    trait: str

    def __str__(self) -> str:
        """Say what is missing where."""
        return f"{self.use.title} need {TRAITS[self.trait]}, which {self.whose} has not"

    @property
    def whose(self) -> str:
        """The part, as an argument."""
        return f"{self.kind}={self.part.name!r}"


ENGINES: Mapping[str, Part] = {
    part.name: part
    for part in (Plain("exact", frozenset({"every_step"})), Plain("leap", frozenset()))
}
PARTS: Mapping[str, Mapping[str, Part]] = {
    "engine": ENGINES,
    "loss": LOSSES,
    "penalty": {
        name: Plain(name, frozenset({"convex", "twice_differentiable"}))
        for name in ("none", "weight_decay")
    },
    "optimizer": OPTIMIZERS,
    "schedule": {name: Plain(name, kind.has) for name, kind in SCHEDULES.items()},
}
"""The values of every argument; "auto" is a choice between engines, not one of them."""
DEFAULTS = {"loss": "logistic", "penalty": "none", "optimizer": "gd", "schedule": "constant"}
"""What a record says nothing of."""

_OF_LOSS = {engine: tuple(traits) for engine, traits in loss_needs().items()}
"""What the engines of the core declare."""
USES = {
    "exact": Use("exact steps", {}, "refused"),
    "leap": Use(
        "leaps",
        {
            "loss": _OF_LOSS["leaping"],
            "penalty": ("convex", "twice_differentiable"),
            "optimizer": ("follows_gradient", "autonomous"),
            "schedule": ("smooth",),
        },
        "engine='leap' is refused, 'auto' takes exact steps",
    ),
    "checkpoint": Use("checkpoints", {"engine": ("every_step",)}, "refused"),
    "skip_rows": Use(
        "skipped rows",
        {"loss": _OF_LOSS["skipping"], "optimizer": ("keeps_proportions",)},
        "no row is skipped",
    ),
    "refine": Use(
        "refined times",
        {"optimizer": ("memoryless", "autonomous"), "schedule": ("autonomous",)},
        "refused",
    ),
    "stable_lr": Use(
        "rates that are stable everywhere",
        {"optimizer": ("proportional",), "loss": ("convex", "bounded_curvature")},
        "lr='auto' is refused",
    ),
    "sharpness_limit": Use(
        "limits of sharpness",
        {"loss": ("differentiable",), "optimizer": ("proportional",)},
        "no warning, no line at 2",
    ),
    "direction": Use(
        "limits of directions",
        {"loss": ("convex", "exponential_tail"), "optimizer": ("along_gradient",)},
        "refused",
    ),
}


def lack(use: str, parts: Mapping[str, Any]) -> Lack | None:
    """
    Return what a use misses, or None if it goes.

    Parameters
    ----------
    use : str
        One of USES.
    parts : dict
        Names of parts by kind; such as a record's `params`. Kinds left out are as by default, and
        those without a default are not asked.
    """
    asked = USES[use]
    for kind, traits in asked.needs.items():
        name = parts.get(kind, DEFAULTS.get(kind))
        if name is None:
            continue
        part = PARTS[kind][name]
        for trait in traits:
            if trait not in part.has:
                return Lack(asked, kind, part, trait)
    return None


def goes_with(use: str, kind: str) -> tuple[str, ...]:
    """Return the parts of a kind that have what a use needs of it."""
    return tuple(name for name in PARTS[kind] if lack(use, {kind: name}) is None)


def unable(missing: Lack) -> str:
    """Say why a run did not leap although it might have chosen to."""
    if missing.kind == "optimizer":
        return f"the steps of {OPTIMIZERS[missing.part.name].title} cannot be leaped"
    return str(missing)


def page() -> str:
    """Render docs/combinations.md."""
    lines = [
        "# What goes together",
        "",
        "Made from the table that `fastgrok.train` checks its arguments by "
        "(`fastgrok/descent/table.py`); a test holds both together.",
        "",
        "## What each part has",
        "",
        *_heading("part", "has"),
    ]
    for kind, parts in PARTS.items():
        for part in parts.values():
            traits = "; ".join(phrase for trait, phrase in TRAITS.items() if trait in part.has)
            lines.append(_row(f"{kind} `{part.name}`", traits or "nothing that others need"))
    lines += ["", "The losses of a margin m are:", ""]
    lines += [f"- `{loss.name}`: {loss.formula}" for loss in LOSSES.values()]
    lines += ["", "## What each use needs", "", *_heading("use", "needs", "otherwise")]
    for use in USES.values():
        needs = "; ".join(
            f"of the {kind}: {', '.join(TRAITS[trait] for trait in traits)}"
            for kind, traits in use.needs.items()
        )
        lines.append(_row(use.title, needs or "nothing", use.otherwise if needs else "-"))
    lines += ["", "## What goes, and what is missing", ""]
    pairs = [(loss, optimizer) for loss in LOSSES for optimizer in OPTIMIZERS]
    lines += _heading("", *(f"`{loss}`, `{optimizer}`" for loss, optimizer in pairs))
    for name, use in USES.items():
        if "engine" in use.needs:
            engines = " or ".join(f"`{engine}`" for engine in goes_with(name, "engine"))
            cells = [f"with engine {engines}" for _ in pairs]
        else:
            found = [lack(name, {"loss": loss, "optimizer": how}) for loss, how in pairs]
            cells = ["yes" if one is None else f"no: {TRAITS[one.trait]}" for one in found]
        lines.append(_row(use.title, *cells))
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _heading(*cells: str) -> list[str]:
    return [_row(*cells), "|" + " --- |" * len(cells)]
