"""How a step is made of the gradient: plain descent or Adam."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastgrok import _checks


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
    limit : {"l2", "linf", "l1"} or None
        Norm of the maximum margin whose direction (w, b) tends to on separable data, with a loss
        that falls off like exp(-m) and nothing besides. None if theory knows of none.
    theory : str
        What is known of that, and by whom.
    """

    name: str
    title: str
    has: frozenset[str]
    overflows: str
    limit: str | None = None
    theory: str = ""


OPTIMIZERS = {
    step.name: step
    for step in (
        Step(
            name="gd",
            title="plain descent",
            has=frozenset({"memoryless", "autonomous", "along_gradient"}),
            overflows="a weight",
            limit="l2",
            theory="plain descent tends to it (Soudry et al. 2018)",
        ),
        # Its running means start at 0, which is made up for by the number of the step.
        Step(
            name="adam",
            title="Adam",
            has=frozenset(),
            overflows="a weight or a squared gradient",
            limit="l2",
            theory="Adam tends to it once its gradients are small beside eps (Wang et al. 2022), "
            "and towards that in linf before, if lr is small or falls (Zhang et al. 2024)",
        ),
    )
}


@dataclass(frozen=True)
class Adam:
    """
    Settings of Adam besides the learning rate; the defaults are those of Kingma and Ba (2015).

    Attributes
    ----------
    beta1, beta2 : float
        Shares that the running means of the gradient and of its squares keep at a step, in [0, 1).
    eps : float
        Added to the root of the mean square, greater than 0.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8


@dataclass(frozen=True)
class Optimizer:
    """
    The checked arguments `optimizer`, `optimizer_options` and `lr`.

    Attributes
    ----------
    lr : float
        Learning rate.
    adam : Adam or None
        None is plain descent.
    """

    lr: float
    adam: Adam | None = None

    @property
    def name(self) -> str:
        """The argument `optimizer`."""
        return "gd" if self.adam is None else "adam"

    def params(self) -> dict[str, Any]:
        """Return the settings that a trajectory shows, and that the bits depend on."""
        options = {} if self.adam is None else asdict(self.adam)
        return {"lr": self.lr, "optimizer": self.name, **options}

    def for_core(self) -> tuple[float, float, float] | None:
        """Return what the core is to know of Adam."""
        return None if self.adam is None else (self.adam.beta1, self.adam.beta2, self.adam.eps)


def check(kind: object, options: object, lr: object, name: Callable[[str], str]) -> Optimizer:
    """
    Check the arguments; `name` is what a message is to call one.

    Raises
    ------
    ValueError, TypeError
        For arguments that make no sense.
    """
    chosen = _checks.choice(name("optimizer"), kind, OPTIMIZERS)
    rate = _checks.real(name("lr"), lr, positive=True)
    given = {} if options is None else options
    me = name("optimizer_options")
    if not isinstance(given, Mapping):
        raise TypeError(f"{me} must be a dict or None, got {_checks.show(options)}")
    if chosen == "gd":
        if given:
            raise ValueError(f"{me} must be left out with optimizer='gd', got {dict(given)!r}")
        return Optimizer(rate)
    for key in given:
        if key not in ("lr", "beta1", "beta2", "eps"):
            raise ValueError(f"{me} may hold lr, beta1, beta2 and eps, got {_checks.show(key)}")
    values: dict[str, float] = {}
    for key, value in given.items():
        what = f"{me}[{key!r}]"
        values[key] = _checks.real(what, value, positive=key in ("lr", "eps"))
        if key in ("beta1", "beta2") and not 0.0 <= values[key] < 1.0:
            raise ValueError(f"{what} must lie in [0, 1), got {_checks.show(value)}")
    rate = values.pop("lr", rate)
    return Optimizer(rate, Adam(**values))
