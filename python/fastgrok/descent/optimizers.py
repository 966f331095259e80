"""How a step is made of the gradient: optimizers, weight decay and schedules of the rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fastgrok import _checks
from fastgrok._checks.calls import suggestion
from fastgrok.descent import schedules
from fastgrok.descent.schedules import CONSTANT, Schedule


@dataclass(frozen=True)
class Step:
    """
    A kind of step, as the table of what goes together has it.

    Attributes
    ----------
    name, title : str
        As the argument `optimizer` has it, and as one says it.
    has : frozenset of str
        Its traits.
    overflows : str
        What becomes NaN or infinite where a run with it diverges.
    options : dict of str to float
        What `optimizer_options` may hold besides lr, with its defaults.
    limit : {"l2", "linf", "l1"} or None
        Norm of the maximum margin whose direction (w, b) tends to on separable data, with a loss
        that falls off like exp(-m) and nothing besides. None if theory knows of none.
    theory : str
        What is known of that, and by whom.
    ball, theory_of_ball : str
        Norm of the ball of radius 1 / weight_decay in which the loss is least where steps with
        decay end, if theory knows of one, and who says so.
    """

    name: str
    title: str
    has: frozenset[str]
    overflows: str = "a weight"
    options: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    limit: str | None = None
    theory: str = ""
    ball: str = ""
    theory_of_ball: str = ""


_MOMENTUM = MappingProxyType({"momentum": 0.9})
_ADAM = MappingProxyType({"beta1": 0.9, "beta2": 0.999, "eps": 1e-8})
_OF_MOMENTUM = frozenset({"autonomous", "keeps_proportions", "follows_gradient", "linear"})
_SQUARES = "a weight or a squared gradient"

OPTIMIZERS = {
    step.name: step
    for step in (
        Step(
            name="gd",
            title="plain descent",
            has=_OF_MOMENTUM | {"memoryless", "along_gradient", "proportional"},
            limit="l2",
            theory="plain descent tends to it (Soudry et al. 2018, and with falling rates Ji and "
            "Telgarsky 2019)",
        ),
        Step(
            name="momentum",
            title="momentum",
            has=_OF_MOMENTUM,
            options=_MOMENTUM,
            limit="l2",
            theory="momentum tends to it as plain descent does (Wang et al. 2022, of a constant "
            "rate)",
        ),
        Step(
            name="nesterov",
            title="Nesterov's momentum",
            has=_OF_MOMENTUM,
            options=_MOMENTUM,
            theory="it is proved of momentum (Wang et al. 2022), not of Nesterov's",
        ),
        Step(
            name="normalized",
            title="normalized descent",
            has=frozenset(
                {
                    "memoryless",
                    "autonomous",
                    "along_gradient",
                    "keeps_proportions",
                    "follows_gradient",
                }
            ),
            limit="l2",
            theory="steepest descent tends to that of its norm (Gunasekar et al. 2018)",
        ),
        Step(
            name="sign",
            title="sign descent",
            has=frozenset({"memoryless", "autonomous"}),
            limit="linf",
            theory="steepest descent tends to that of its norm (Gunasekar et al. 2018), if its "
            "steps become small",
        ),
        # Its running means start at 0, which is made up for by the number of the step.
        Step(
            name="adam",
            title="Adam",
            has=frozenset(),
            overflows=_SQUARES,
            options=_ADAM,
            limit="l2",
            theory="Adam tends to it once its gradients are small beside eps (Wang et al. 2022), "
            "and towards that in linf before, if lr is small or falls (Zhang et al. 2024)",
        ),
        Step(
            name="adamw",
            title="AdamW",
            has=frozenset(),
            overflows=_SQUARES,
            options=_ADAM,
            limit="l2",
            theory="without decay it is Adam, which tends to it once its gradients are small "
            "beside eps (Wang et al. 2022)",
            ball="linf",
            theory_of_ball="where AdamW with decay comes to rest the loss is the least with all "
            "|w_j| <= 1 / weight_decay (Xie and Li 2024), as long as its gradients are large "
            "beside eps; the less decay, the nearer that is to this direction",
        ),
    )
}


@dataclass(frozen=True)
class Optimizer:
    """
    The checked arguments by which steps are made.

    Attributes
    ----------
    lr : float
        Learning rate.
    name : str
        One of OPTIMIZERS.
    options : dict of str to float
        All that the optimizer takes.
    weight_decay : float
        At least 0.
    decay_bias : bool
        Whether the bias decays too.
    schedule : Schedule
        What `lr` is multiplied with.
    """

    lr: float
    name: str = "gd"
    options: Mapping[str, float] = field(default_factory=dict)
    weight_decay: float = 0.0
    decay_bias: bool = False
    schedule: Schedule = CONSTANT

    def params(self) -> dict[str, Any]:
        """Return the settings that a trajectory shows, and that the bits depend on."""
        decay = {"weight_decay": self.weight_decay, "decay_bias": self.decay_bias}
        return {
            "lr": self.lr,
            "optimizer": self.name,
            **self.options,
            **(decay if self.weight_decay > 0.0 else {}),
            **self.schedule.params(),
        }

    @property
    def parts(self) -> dict[str, str | Schedule]:
        """What the table of what goes together is to be asked with."""
        return {
            "optimizer": self.name,
            "penalty": "weight_decay" if self.weight_decay > 0.0 else "none",
            "schedule": self.schedule,
        }

    def for_core(self) -> dict[str, Any] | None:
        """Return what the core is to know of steps; None is plain descent."""
        asked: dict[str, Any] = {"kind": "adam" if self.name == "adamw" else self.name}
        asked |= self.options
        if self.weight_decay > 0.0:
            asked |= {
                "weight_decay": self.weight_decay,
                "decay_bias": self.decay_bias,
                "decoupled": self.name == "adamw",
            }
        if self.schedule is not CONSTANT:
            asked["schedule"] = self.schedule.for_core()
        return None if asked == {"kind": "gd"} else asked


def check(
    given: Mapping[str, Any], lr: object, steps: int, name: Callable[[str], str]
) -> Optimizer:
    """
    Check the arguments of `train` by which steps are made.

    Parameters
    ----------
    given : dict
        Arguments of `train`, by name.
    lr : float
        The learning rate, in place of "auto".
    steps : int
        How many steps a schedule may be asked for.
    name : callable
        What a message is to call an argument.

    Raises
    ------
    ValueError, TypeError
        For arguments that make no sense.
    """
    chosen = OPTIMIZERS[_checks.choice(name("optimizer"), given["optimizer"], OPTIMIZERS)]
    rate, options = _options(chosen, given["optimizer_options"], lr, name)
    decay = _checks.real(name("weight_decay"), given["weight_decay"])
    if decay < 0.0:
        raise ValueError(f"{name('weight_decay')} must not be negative, got {decay:g}")
    schedule = schedules.check(name("schedule"), given["schedule"])
    if not isinstance(schedule, Schedule):
        schedule = schedules.tabulate(name("schedule"), schedule, steps)
    return Optimizer(
        rate,
        chosen.name,
        options,
        decay,
        _checks.flag(name("decay_bias"), given["decay_bias"]),
        schedule,
    )


def _options(
    step: Step, options: object, lr: object, name: Callable[[str], str]
) -> tuple[float, dict[str, float]]:
    rate = _checks.real(name("lr"), lr, positive=True)
    given = {} if options is None else options
    me = name("optimizer_options")
    if not isinstance(given, Mapping):
        raise TypeError(f"{me} must be a dict or None, got {_checks.show(options)}")
    if given and not step.options:
        takers = [repr(o.name) for o in OPTIMIZERS.values() if set(given) <= {*o.options}]
        hint = f": they belong to {' or '.join(takers)}" if takers else ""
        raise ValueError(
            f"{me} must be left out with optimizer={step.name!r}, got {dict(given)!r}{hint}"
        )
    known = ("lr", *step.options)
    values = dict(step.options)
    for key, value in given.items():
        if key not in known:
            listed = f"{', '.join(known[:-1])} and {known[-1]}"
            raise ValueError(
                f"{me} may hold {listed}, got {_checks.show(key)} with optimizer={step.name!r}"
                f"{suggestion(key, known)}"
            )
        what = f"{me}[{key!r}]"
        values[key] = _checks.real(what, value, positive=key in ("lr", "eps"))
        if key not in ("lr", "eps") and not 0.0 <= values[key] < 1.0:
            raise ValueError(f"{what} must lie in [0, 1), got {_checks.show(value)}")
    return values.pop("lr", rate), values
