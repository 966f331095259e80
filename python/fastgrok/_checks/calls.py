"""What concerns the calls of public functions: keywords that they lack, warnings about a call."""

import difflib
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# What others call our arguments; of several names that one which the function has is meant.
_NAMES = {
    "lr": ("learning_rate", "eta", "eta0", "rate", "alpha", "stepsize"),
    "steps": ("epochs", "iterations", "n_iter", "max_iter", "n_steps", "num_steps", "iters"),
    "bias": ("fit_intercept", "intercept", "use_bias"),
    "b0": ("bias0", "b_init", "intercept_init"),
    "w0": ("w_init", "init", "coef_init", "weights"),
    "evals": ("eval_set", "eval_sets", "test", "tests", "validation", "validation_data"),
    "record": ("records", "log_every", "every", "save_at"),
    "threads": ("n_jobs", "num_threads", "n_threads", "workers", "nthreads"),
    "weights": ("sample_weight", "sample_weights", "case_weights"),
    "seed": ("random_state", "rng"),
    "random_state": ("seed", "rng"),
    "eps": ("epsilon", "radius"),
    "step_size": ("alpha", "eps_step", "abs_stepsize", "lr"),
    "restarts": ("num_random_init", "n_restarts"),
    "bounds": ("clip_values", "clip", "box"),
    "norm": ("ord", "p"),
    "progress": ("verbose", "verbosity"),
    "optimizer": ("solver", "optim"),
    "optimizer_options": ("momentum", "nesterov", "betas", "beta1", "beta2"),
    "momentum": ("beta", "mu"),
    "beta1": ("betas",),
    "weight_decay": ("wd", "l2", "decay", "lam"),
    "schedule": ("scheduler", "lr_scheduler", "lr_schedule"),
    "loss": ("criterion", "objective"),
    "dim": ("d", "n_features", "features"),
    "n": ("n_samples", "samples", "size"),
}


def suggestion(wrong: object, known: Iterable[str]) -> str:
    """Which of the known names is meant, as the end of a message; nothing if that is not clear."""
    names = {name: name for name in known}
    for ours, theirs in _NAMES.items():
        if ours in names:
            names = dict.fromkeys(theirs, ours) | names
    close = difflib.get_close_matches(str(wrong).lower(), names, n=1, cutoff=0.75)
    return f" (did you mean {names[close[0]]}?)" if close else ""


def helpful(function: Callable[P, R]) -> Callable[P, R]:
    """Name the keyword that was meant, where a call lacks its name or has one of no argument."""
    parameters = inspect.signature(function).parameters
    names = tuple(parameters)
    named = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    placed = names[: len(names) - len(named)]
    title = function.__qualname__.removesuffix(".__init__")

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in parameters:
                known = ", ".join(one for one in names if one != "self")
                hint = suggestion(name, names) or f"; it has {known}"
                raise TypeError(f"{title}() has no argument {name!r}{hint}")
        if named and len(args) > len(placed):
            raise TypeError(
                f"{title}() takes {len(placed) - ('self' in placed)} arguments without their names "
                f"({', '.join(name for name in placed if name != 'self')}): write the others with "
                f"theirs, as {named[0]}=..."
            )
        return function(*args, **kwargs)

    return call


def warn(message: str, category: type[Warning]) -> None:
    """Warn as of the line, outside of this package, that called into it."""
    level, frame = 1, sys._getframe(0)
    package = __name__.split(".", maxsplit=1)[0]
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == package:
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, category, stacklevel=level)
