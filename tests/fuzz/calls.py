"""Public functions with arbitrary arrays and arguments.

Every call is right but for one or two of its arguments. It may succeed, or end in an error that
names an argument and nothing of the inside.
"""

import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from drawn import Draw

import fastgrok as fg
from fastgrok import datasets, schedules, stop, theory

Call = tuple[Callable[..., Any], dict[str, Any]]
ALLOWED = (ValueError, TypeError, fg.FastgrokError, fg.NotSeparableError, OverflowError)
INSIDE = re.compile(
    r"_core\b|pybind|0x[0-9a-f]{6}|ufunc|has no attribute|not subscriptable|unsupported operand"
    r"|incompatible function arguments|'NoneType'|could not be broadcast|cannot be safely cast"
    r"|truth value|\bself\b|must be real number, not|unsized object|object of type"
    r"|Maximum allowed|not supported between"
)


class WrongError(AssertionError):
    """What should not have been."""


def _data(r: Draw) -> dict[str, Any]:
    n, d = r.randint(1, 12), r.one_of(1, 2, 3, 5, 17)
    return {"X": r.array(n, d), "y": np.array([r.one_of(-1.0, 1.0) for _ in range(n)])}


def _weights(r: Draw, X: Any) -> dict[str, Any]:
    return {"w": r.array(X.shape[1]), "b": r.gauss(0.0, 1.0)}


def _train(r: Draw) -> Call:
    data = _data(r)
    n, d = data["X"].shape
    choices: dict[str, Any] = {
        "steps": r.one_of(0, 1, 5, 200, 3000), "lr": r.one_of(0.1, 0.01, "auto"),
        "loss": r.one_of("logistic", "exponential", "squared", "hinge", "squared_hinge"),
        "reduction": r.one_of("mean", "sum"), "bias": r.one_of(True, False), "w0": r.array(d),
        "b0": r.gauss(0.0, 1.0), "weight_decay": r.one_of(0.0, 0.01), "decay_bias": False,
        "optimizer": r.one_of("gd", "momentum", "adam", "sign", "normalized"),
        "engine": r.one_of("auto", "exact"),
        "record": r.one_of(None, 7, np.array([0, 3, 5])), "keep_weights": r.one_of(True, False),
        "rtol": r.one_of(1e-8, 1e-6), "skip_rows": "auto", "tie": "wrong", "watch_sharpness": True,
        "threads": 1, "sample_weight": np.ones(n), "exact_limit": 1e5, "progress": False,
        "evals": {"test": (data["X"], data["y"])}, "optimizer_options": None, "schedule": None,
        "stop": stop.norm_w(3.0), "checkpoint_interval": 30.0, "on_record": None, "classes": None,
    }  # fmt: skip
    chosen = {name: value for name, value in choices.items()
              if name in ("steps", "lr", "threads") or r.randrange(5) == 0}  # fmt: skip
    chosen["exact_limit"] = 1e5
    return fg.train, data | chosen


def _of_rows(
    function: Callable[..., Any], needs: dict[str, Any] | None = None, **others: Any
) -> Any:
    def make(r: Draw) -> Call:
        chosen = {name: draw(r) for name, draw in others.items() if r.randrange(2)}
        return function, _data(r) | (needs or {}) | chosen

    return make


def _of_weights(function: Callable[..., Any], **others: Callable[[Draw], Any]) -> Any:
    def make(r: Draw) -> Call:
        data = _data(r)
        chosen = {name: draw(r) for name, draw in others.items() if r.randrange(2)}
        return function, data | _weights(r, data["X"]) | chosen

    return make


def _of_numbers(function: Callable[..., Any], **right: Any) -> Any:
    return lambda r: (function, dict(right))


def _kernel(r: Draw) -> Call:
    X = r.array(r.randint(1, 6), 3)
    return fg.kernel_rows, {"K": X @ X.T, "K_test": r.array(2, 3) @ X.T, "tol": 1e-10}


def _many(r: Draw) -> Call:
    problems = [_data(r) | {"steps": 20, "lr": 0.1} for _ in range(r.randint(1, 3))]
    return fg.train_many, {"problems": problems, "threads": 1}


BIAS = {"bias": lambda r: r.one_of(True, False)}
LOSS = {"loss": lambda r: r.one_of("logistic", "squared", "hinge")}
EPS = {"eps": lambda r: 0.1, "norm": lambda r: r.one_of(1, 2, np.inf), "steps": lambda r: 3,
       "bounds": lambda r: (-9.0, 9.0), "method": lambda r: "exact", "random_state": lambda r: 0,
       "restarts": lambda r: 1, "step_size": lambda r: 0.2}  # fmt: skip
CALLS: list[Callable[[Draw], Call]] = [
    _train, _train, _train, _kernel, _many,
    _of_rows(fg.max_margin, bias=lambda r: r.one_of("penalized", "free", "none"),
             tol=lambda r: 1e-9, norm=lambda r: r.one_of("l1", "l2", "linf"), threads=lambda r: 1),
    _of_rows(fg.separability, threads=lambda r: 1, **BIAS),
    _of_rows(fg.separation, threads=lambda r: 1, model=lambda r: "logistic", **BIAS),
    _of_rows(fg.stable_lr, optimizer=lambda r: "gd", weight_decay=lambda r: 0.1, **BIAS, **LOSS),
    _of_rows(fg.regularized_limit, {"weight_decay": 0.01}, **BIAS),
    _of_rows(theory.bias.late_time, {"lr": 1.0}, reduction=lambda r: "sum", threads=lambda r: 1),
    _of_rows(theory.squared.state, {"t": np.array([1.0, 10.0]), "lr": 1e-3}, **BIAS,
             weight_decay=lambda r: 0.1),
    _of_rows(datasets.Dataset),
    _of_weights(fg.accuracy, tie=lambda r: "wrong", threads=lambda r: 1),
    _of_weights(fg.margins, normalized=lambda r: True, threads=lambda r: 1),
    _of_weights(fg.pgd, **EPS | {"method": lambda r: "pgd"}),
    _of_weights(fg.adversarial_accuracy, **EPS),
    _of_numbers(fg.hyperplane_distance, w=np.array([1.0, 2.0]), b=0.5),
    _of_numbers(fg.log_spaced, steps=1000, per_decade=7),
    _of_numbers(datasets.margin_cube, n=(5, 4), dim=2, gamma=1e-3, support=(1, 1), seed=0),
    _of_numbers(datasets.concentrated, n=(5, 4), dim=2, gamma=1e-3, alpha=9.0, seed=0),
    _of_numbers(datasets.gaussian_mixture, n=6, dim=2, mu=0.3, spectrum="isotropic", seed=0),
    _of_numbers(datasets.gaussian_noise, n=6, dim=2, sigma=1.0, label_fraction=0.5, seed=0),
    _of_numbers(datasets.two_gaussians, n=6, dim=3, mu=0.2, sigma_a=0.1, sigma_b=1.0, seed=0),
    _of_numbers(datasets.two_points, lam=0.3, sigma=1.0),
    _of_numbers(stop.accuracy, name="train", level=0.5, kept=2),
    _of_numbers(stop.loss, name="train", below=0.5, kept=2),
    _of_numbers(stop.norm_w, above=3.0, kept=1),
    _of_numbers(stop.alignment, above=0.5, kept=1),
    _of_numbers(schedules.cosine, steps=9, floor=0.1),
    _of_numbers(schedules.power, a=0.5, k0=1.0), _of_numbers(schedules.warmup, steps=9),
    _of_numbers(theory.bias.Slab, gamma=0.1, alpha=9.0, half_width=5.0, flip=0.1),
    _of_numbers(theory.bias.bias_curve, t=10.0, a_plus=0.3, a_minus=0.2, lr=0.1, b0=0.0, t0=1.0),
    _of_numbers(theory.bias.concentrated_accuracy, distance=0.3, gamma=0.1, alpha=9.0, share=0.5),
    _of_numbers(theory.bias.grokking_time, support=(3, 1), gamma=0.1, eps=0.0, alpha=9.0, lr=1.0),
    _of_numbers(theory.bias.paper_grokking_time, delta=0.3, eps=0.1, alpha=9.0),
    _of_numbers(theory.bias.reduced_model, t=np.array([1.0, 9.0]), n=(4, 3), gamma=0.1, lr=0.1),
    _of_numbers(theory.bias.standard_accuracy, distance=0.3, gamma=0.1, dim=2, share=0.5),
    _of_numbers(theory.edge.label_fraction_accuracy, w=np.array([1.0]), b=0.1, sigma=1.0, r=0.5),
    _of_numbers(theory.edge.large_n_margin, lam=0.6, sigma=1.0),
    _of_numbers(theory.edge.large_n_stationary, lam=0.4),
    _of_numbers(theory.edge.limit_accuracy, margin=0.5, sigma=1.0),
    _of_numbers(theory.edge.population_accuracy, norm_w=1.0, b=0.2, sigma=1.0),
    _of_numbers(theory.edge.population_loss, norm_w=1.0, b=0.2, sigma=1.0, loss="logistic"),
    _of_numbers(theory.edge.separable_probability, n=9, dim=4, log=False),
    lambda r: (theory.edge.stationary_point, {"X": r.array(6, 2)}),
    _of_numbers(theory.edge.GaussianNoise, sigma=1.0, flip=0.1),
    _of_numbers(theory.two_point.accuracy_time, accuracy=0.9, lam=0.6, sigma=1.0, lr=0.1),
    _of_numbers(theory.two_point.limit_log_ratio, lam=0.6),
    _of_numbers(theory.two_point.loss_times, eps=0.1, lam=0.6, sigma=1.0, lr=0.1),
    _of_numbers(theory.two_point.state, t=9.0, lam=0.6, sigma=1.0, lr=0.1),
    _of_numbers(theory.two_point.stationary_point, lam=0.4, sigma=1.0),
    _of_numbers(theory.mixture.GaussianMixture, mu=0.3, spectrum="isotropic", labels="classes"),
]  # fmt: skip


def calls(number: int) -> None:
    """Make one call."""
    r = Draw(number)
    function, right = r.one_of(*CALLS)(r)
    given = dict(right)
    for _ in range(r.one_of(0, 1, 1, 1, 2)):
        name = r.choice(sorted(given))
        given[name] = r.disturbed(right[name])
    if not _affordable(given):
        return
    called = f"{getattr(function, '__name__', function)}({_shown(given)})"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # ours, and said in the documentation
        try:
            function(**given)
        except ALLOWED as error:
            _judge(function, given, error, called)
        except Exception as error:
            raise WrongError(f"{type(error).__name__}: {error}: {called}") from error


def _affordable(given: dict[str, Any]) -> bool:
    """Whether what is asked for is small: large sizes are right, and take their time."""
    sizes = ("n", "dim", "steps", "restarts", "record", "per_decade", "t", "threads", "kept")
    for name in sizes:
        value = given.get(name)
        if isinstance(value, int | float | np.number) and not isinstance(value, bool):
            if value > 1e5 and value < 1e29:
                return False
            if value >= 1e29 and name == "steps" and given.get("engine") == "exact":
                return False
    return True


def _shown(given: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items())[:2000]


def _judge(function: Any, given: dict[str, Any], error: Exception, called: str) -> None:
    message = str(error)
    if isinstance(error, fg.FastgrokError | fg.NotSeparableError):
        return
    if INSIDE.search(message):
        raise WrongError(f"a message from inside: {type(error).__name__}: {message}: {called}")
    names = {*given, *inspect.signature(function).parameters} - {"k"}
    if not any(re.search(rf"\b{re.escape(name)}\b", message) for name in names):
        raise WrongError(f"no argument is named: {type(error).__name__}: {message}: {called}")
