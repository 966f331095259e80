"""What may go together: engines, losses, penalties, optimizers and schedules.

A part says what it has, a use of it (a leap, a checkpoint, ...) what it needs. Errors, reasons in
reports, docs/combinations.md and the tests are made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastgrok._core import loss_needs
from fastgrok.descent.optimizers import OPTIMIZERS
from fastgrok.descent.schedules import SCHEDULES, Schedule, of_record
from fastgrok.linear.losses import LOSSES

TRAITS = {
    "convex": "convexity",
    "differentiable": "a continuous slope",
    "twice_differentiable": "a continuous second derivative",
    "bounded_curvature": "a curvature that is bounded over all margins",
    "stays_in_range": "a bounded curvature, or slopes that fall off like exp(-m)",
    "skippable": "slopes that vanish as margins grow",
    "exponential_tail": "slopes that fall off like exp(-m)",
    "memoryless": "steps that follow from w and b alone",
    "autonomous": "steps that do not depend on how many came before",
    "along_gradient": "steps along the gradient",
    "proportional": "steps in proportion to the gradient",
    "linear": "steps that are linear in the gradients so far",
    "keeps_proportions": "steps that keep the proportions between the entries of a gradient",
    "follows_gradient": "steps that a slowly changing gradient determines",
    "smooth": "rates that change smoothly in the end",
    "at_most_one": "factors of at most 1",
    "endless": "rates that add up without end",
    "ends_at_one": "factors that are 1 in the end",
    "absent": "a gradient of the loss alone",
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
    """
    A part of which no more than its traits need be known.

    Attributes
    ----------
    name : str
        As the argument has it.
    has : frozenset of str
        Its traits, whatever its parameters are.
    sometimes : dict
        Traits that hang on them, and where it has them.
    """

    name: str
    has: frozenset[str]
    sometimes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Besides:
    """
    What is needed besides where a part of one kind has a trait not.

    Attributes
    ----------
    kind, trait : str
        Of the part that has it not.
    needs : dict
        By kind of the other parts, the traits that one must have then.
    """

    kind: str
    trait: str
    needs: Mapping[str, tuple[str, ...]]


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
    besides : tuple of Besides
        What single parts need of the others.
    """

    title: str
    needs: Mapping[str, tuple[str, ...]]
    otherwise: str
    besides: tuple[Besides, ...] = ()


@dataclass(frozen=True)
class Lack:
    """A trait that a use needs, beside another part perhaps, and a part has not."""

    use: Use
    kind: str
    part: Part
    trait: str
    beside: str = ""

    def __str__(self) -> str:
        """Say what is missing where."""
        # Of the end of a function nothing is known.
        seen = self.trait in getattr(self.part, "sometimes", ())
        has_not = "need not have" if self.part.name == _FUNCTION and not seen else "has not"
        return (
            f"{self.use.title}{self.beside} need {TRAITS[self.trait]}, which {self.whose} {has_not}"
        )

    @property
    def whose(self) -> str:
        """The part, as an argument."""
        if self.kind == "penalty":
            return f"{self.part.name} > 0"
        part = self.part
        known = isinstance(part, Schedule) and part.name != _FUNCTION
        if known and self.trait in getattr(part, "sometimes", ()):
            return f"{self.kind}={part!r}"
        return f"{self.kind}={self.part.name!r}"


ENGINES = ("exact", "leap")
_FUNCTION = "callable"
_SQUARE = frozenset({"convex", "twice_differentiable"})
PARTS: Mapping[str, Mapping[str, Part]] = {
    "loss": LOSSES,
    "penalty": {
        "none": Plain("none", _SQUARE | {"absent"}),
        "weight_decay": Plain("weight_decay", _SQUARE),
    },
    "optimizer": OPTIMIZERS,
    "schedule": {
        name: Plain(name, kind.always, kind.sometimes) for name, kind in SCHEDULES.items()
    },
}
"""The values of every argument; "auto" is a choice between engines, not one of them."""
DEFAULTS = {"loss": "logistic", "penalty": "none", "optimizer": "gd", "schedule": "constant"}
"""What a record says nothing of."""

_OF_LOSS = {engine: tuple(traits) for engine, traits in loss_needs().items()}
"""What the engines of the core declare."""
USES = {
    "exact": Use("exact steps", {}, ""),
    "leap": Use(
        "leaps",
        {
            "loss": _OF_LOSS["leaping"],
            "penalty": ("convex", "twice_differentiable"),
            "optimizer": ("follows_gradient", "autonomous"),
            "schedule": ("smooth",),
        },
        "engine='leap' is refused, 'auto' takes exact steps",
        (Besides("schedule", "autonomous", {"optimizer": ("memoryless",)}),),
    ),
    "skip_rows": Use(
        "skipped rows",
        {"loss": _OF_LOSS["skipping"], "optimizer": ("keeps_proportions",)},
        "no row is skipped",
    ),
    "refine": Use(
        "refine and refine_hit",
        {"optimizer": ("memoryless", "autonomous"), "schedule": ("autonomous",)},
        "refused",
    ),
    "stable_lr": Use(
        "rates that are stable everywhere",
        {
            "optimizer": ("linear",),
            "schedule": ("at_most_one",),
            "loss": ("convex", "bounded_curvature"),
        },
        "lr='auto' is refused",
    ),
    "sharpness_limit": Use(
        "limits of sharpness",
        {"loss": ("differentiable",), "optimizer": ("proportional",)},
        "no warning",
    ),
    "stability": Use(
        "lines of the limit of stability",
        {"loss": ("differentiable",), "optimizer": ("linear",)},
        "not drawn",
    ),
    "optimum": Use(
        "lines of the optimum with decay",
        {
            "loss": ("convex", "differentiable", "skippable"),
            "optimizer": ("linear",),
            "schedule": ("endless",),
        },
        "refused",
    ),
    "margin": Use(
        "limits of maximum margin",
        {
            "loss": ("convex", "exponential_tail"),
            "penalty": ("absent",),
            "schedule": ("endless",),
        },
        "the alignment says that there is no such limit",
    ),
    "direction": Use(
        "limits of directions",
        {
            "loss": ("convex", "exponential_tail"),
            "penalty": ("absent",),
            "optimizer": ("along_gradient",),
            "schedule": ("endless",),
        },
        "refused",
    ),
    "late_bias": Use(
        "lines of the late bias",
        {
            "loss": ("convex", "exponential_tail"),
            "penalty": ("absent",),
            "optimizer": ("proportional",),
            "schedule": ("ends_at_one",),
        },
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
        Names of parts by kind, or a `Schedule` itself; or a record's `params`, which tell of the
        penalty by its "weight_decay" and of the schedule's parameters. Kinds left out are as by
        default, and those without a default are not asked. Of a name alone only the traits count
        that it has with any parameters.
    """
    asked = USES[use]
    penalty = {"penalty": "weight_decay"} if parts.get("weight_decay") else {}
    names = {**DEFAULTS, **penalty, **parts}
    if isinstance(names["schedule"], str):
        names["schedule"] = of_record(names) or names["schedule"]
    found: dict[str, Part] = {
        kind: PARTS[kind][name] if isinstance(name, str) else name
        for kind, name in names.items()
        if kind in PARTS
    }
    if missing := _lack(asked, asked.needs, found, ""):
        return missing
    for extra in asked.besides:
        part = found[extra.kind]
        if extra.trait not in part.has:
            beside = f" with {extra.kind}={part.name!r}"
            if missing := _lack(asked, extra.needs, found, beside):
                return missing
    return None


def _lack(
    use: Use, needs: Mapping[str, tuple[str, ...]], found: Mapping[str, Part], beside: str
) -> Lack | None:
    for kind, traits in needs.items():
        for trait in traits:
            if kind in found and trait not in found[kind].has:
                return Lack(use, kind, found[kind], trait, beside)
    return None


def unable(missing: Lack) -> str:
    """Say why a run did not leap although it might have chosen to."""
    if missing.kind == "optimizer":
        steps = f"the steps of {OPTIMIZERS[missing.part.name].title}{missing.beside}"
        return f"{steps} cannot be leaped"
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
            where = getattr(part, "sometimes", {})
            traits = "; ".join(
                phrase if trait in part.has else f"{phrase}, where {where[trait]}"
                for trait, phrase in TRAITS.items()
                if trait in part.has or trait in where
            )
            lines.append(_row(f"{kind} `{part.name}`", traits or "-"))
    lines += ["", "The losses of a margin m are:", ""]
    lines += [f"- `{loss.name}`: {loss.formula}" for loss in LOSSES.values()]
    lines += ["", "## What each use needs", "", *_heading("use", "needs", "otherwise")]
    for use in USES.values():
        needs = [_needs(use.needs)] if use.needs else []
        needs += [
            f"beside a {extra.kind} without {TRAITS[extra.trait]}, {_needs(extra.needs)}"
            for extra in use.besides
        ]
        lines.append(_row(use.title, "; ".join(needs) or "nothing", use.otherwise or "-"))
    lines += [
        "",
        "## What goes, and what is missing",
        "",
        "Each part by itself, the others as by default; what goes by itself goes together, but for "
        "what a use needs besides (above). Leaps begin at four times the length of a warm-up or "
        "cosine: a run that ends with it is never leaped.",
    ]
    for kind, parts in PARTS.items():
        asking = {name: use for name, use in USES.items() if kind in _kinds(use)}
        lines += ["", *_heading(kind, *(use.title for use in asking.values()))]
        for name in parts:
            found = [lack(use, {kind: name}) for use in asking]
            cells = [_cell(one) for one in found]
            lines.append(_row(f"`{name}`", *cells))
    free = [use.title for use in USES.values() if not _kinds(use)]
    lines += ["", f"Checkpoints and {' and '.join(free)} go with all."]
    return "\n".join(lines) + "\n"


def _cell(missing: Lack | None) -> str:
    if missing is None:
        return "yes"
    where = getattr(missing.part, "sometimes", {}).get(missing.trait)
    return f"lacks {TRAITS[missing.trait]}" + (f", unless {where}" if where else "")


def _kinds(use: Use) -> set[str]:
    return {*use.needs, *(kind for extra in use.besides for kind in extra.needs)}


def _needs(needs: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(
        f"of the {kind}: {', '.join(TRAITS[trait] for trait in traits)}"
        for kind, traits in needs.items()
    )


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _heading(*cells: str) -> list[str]:
    return [_row(*cells), "|" + " --- |" * len(cells)]
