"""Full-batch gradient descent on a linear classifier, every step taken."""

import math
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks, _core, checkpoints
from fastgrok._checks import EvaluationSet
from fastgrok._populations import need_weights, points
from fastgrok._running import run
from fastgrok.attacks import Pgd
from fastgrok.checkpoints import Checkpoint
from fastgrok.margins import TIES
from fastgrok.trajectory import Trajectory

LOSSES = ("logistic", "exponential")
REDUCTIONS = ("mean", "sum")
ENGINES = ("auto", "exact", "leap")
MAX_PER_DECADE = 10**6


def log_spaced(steps: float, per_decade: int = 40) -> NDArray[Any]:
    """
    Logarithmically spaced step numbers, the default records of :func:`train`.

    Parameters
    ----------
    steps : int or integral float
        Last step number, at least 1; any float64, such as 1e60, is allowed.
    per_decade : int, default 40
        Numbers per factor of 10, at most 10**6, before rounding to integers and dropping repeated
        ones.

    Returns
    -------
    ndarray
        Strictly increasing integers from 0 that hold 1 and `steps`: int64 where `steps` is at
        most 2**53, beyond it float64.

    Raises
    ------
    ValueError
        If an argument is not integral or smaller than 1.
    TypeError
        If an argument is not a number.

    Examples
    --------
    >>> log_spaced(100, per_decade=3)
    array([  0,   1,   2,   5,  10,  22,  46, 100])
    """
    last = _checks.whole("steps", steps, maximum=int(np.finfo(np.float64).max))
    density = _checks.whole("per_decade", per_decade, maximum=MAX_PER_DECADE)
    exponents = np.arange(math.floor(math.log10(last) * density) + 1) / density
    numbers = np.concatenate(([0.0], np.rint(10.0**exponents)))
    numbers = np.append(numbers[numbers < last], float(last))
    return np.unique(numbers.astype(np.int64) if last <= _checks.MAX_EXACT_STEPS else numbers)


def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    steps: float,
    lr: float,
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    w0: ArrayLike | None = None,
    b0: float = 0.0,
    engine: str = "auto",
    record: int | ArrayLike | None = None,
    evals: Mapping[str, EvaluationSet] | None = None,
    keep_weights: bool = False,
    rtol: float = 1e-8,
    skip_rows: str | bool = "auto",
    tie: str = "wrong",
    watch_sharpness: bool = True,
    threads: int | None = None,
    progress: bool | Callable[[int], None] = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_interval: float = checkpoints.DEFAULT_INTERVAL,
) -> Trajectory:
    r"""
    Train a linear classifier by full-batch gradient descent with a constant learning rate.

    The loss is c sum_i l(m_i) over the margins m_i = y_i (w . x_i + b), and each step is
    (w, b) <- (w, b) - lr * gradient, in float64.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows in any layout. float32 is kept and read as such, all else becomes float64; a
        C-contiguous array of either is used in place, without a copy.
    y : array_like of shape (n,)
        Labels -1 and +1.
    steps : int or integral float
        Number of updates, 1 to 2**53.
    lr : float
        Learning rate eta, greater than 0.
    loss : {"logistic", "exponential"}, default "logistic"
        l(m) = log(1 + exp(-m)) or exp(-m).
    reduction : {"mean", "sum"}, default "mean"
        c = 1/n (Beck et al. 2025) or 1 (Das et al. 2026, eq. 3). The sum with learning rate eta
        is the mean with n eta.
    bias : bool, default True
        False: b stays at `b0`.
    w0 : array_like of shape (d,), optional
        Weights to start from, default 0.
    b0 : float, default 0.0
        Bias to start from.
    engine : {"auto", "exact", "leap"}, default "auto"
        "auto" and "exact" take every step. "leap" is not available in this version.
    record : int or array_like of int, optional
        Step numbers at which to record, step 0 being the start: every `record` steps from 0, or
        an increasing array. The last step is always recorded, whether named or not. Default:
        :func:`log_spaced`, 40 a decade.
    evals : dict, optional
        Sets to evaluate at every record, name: (X, y), or anything with ``.X`` and ``.y`` such
        as a Dataset, or under attack a :class:`fastgrok.Pgd`, all of the same number of columns;
        or a whole population in closed form, :class:`fastgrok.theory.edge.GaussianNoise` or
        :class:`fastgrok.theory.bias.Slab`. "train" is the training set's own name.
    keep_weights : bool, default False
        Keep (w, b) at every record. They are also kept where an evaluation set needs them
        (:class:`fastgrok.theory.bias.Slab`).
    rtol : float, default 1e-8
        Relative error allowed to leaps, between 0 and 1; where every step is taken it is checked
        and otherwise without effect.
    skip_rows : {"auto", True, False}, default "auto"
        Whether steps may pass over rows that cannot matter to them, which changes no bit of the
        result: rows whose margins are so large that all of them together are below 2**-60 of the
        largest entry of the gradient are left out of every step in any case, and lists of the
        others save looking at them. "auto" waits before it makes lists again where the last did
        not pay; True tries at every step, which mostly costs more than it saves.
    tie : {"wrong", "negative"}, default "wrong"
        A logit of exactly 0 counts as wrong, or as class -1, as in the papers' codes.
    watch_sharpness : bool, default True
        Record lr times the largest eigenvalue of the loss's Hessian, and warn where it exceeds 2.
    threads : int, optional
        Default: the cores this process may use, at most OMP_NUM_THREADS. Small problems use one.
        The result is the same to the last bit for any number.
    progress : bool or callable, default False
        True shows a progress bar. A function is called with the step number a few times a second;
        what it raises ends the run, a KeyboardInterrupt as Ctrl-C does.
    checkpoint : str or path-like, optional
        A file to keep the state of the run in, written at the start, every `checkpoint_interval`
        seconds, at the end and when the run is stopped. If it exists, the run goes on from there,
        to the same bits as without a stop; a finished run is returned at once. All that the bits
        depend on must be as it was: the data, and every argument but `threads`, `progress`,
        `rtol`, `skip_rows`, `engine` and `checkpoint_interval`, and whether the processor has
        fused multiply-add (``FASTGROK_SIMD=v2`` does without). Populations may be other ones,
        though one that needs the weights counts as `keep_weights`. One run at a time may use a
        file.
        A writer that is killed can leave a ``.fastgrok-*.tmp`` beside it; the next call removes it.
    checkpoint_interval : float, default 30.0
        Seconds from the end of a write to the next, longer where a write takes more than a ninth
        of it. 0 writes whenever progress is reported, some ten times a second.

    Returns
    -------
    Trajectory
        What was recorded, and the state at the last step.

    Raises
    ------
    ValueError, TypeError
        For arguments that make no sense; the message names the argument and shows its value.
    DivergenceError
        If a weight becomes NaN or infinite; it holds the trajectory up to there.
    Interrupted
        On Ctrl-C; a KeyboardInterrupt that holds the trajectory up to there.
    CheckpointError
        If the checkpoint is of another run, is damaged, is no checkpoint, or cannot be read or
        written: before anything is computed if that is so from the start, otherwise with the
        trajectory up to there.

    Warns
    -----
    StabilityWarning
        Once a run, if the recorded lr * lambda_max exceeds 2: the iterates can then oscillate
        instead of following the gradient flow, see ``Trajectory.regime``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 2))
    >>> y = np.where(X.sum(axis=1) > 0, 1, -1)
    >>> run = train(X, y, steps=1000, lr=0.1)
    >>> int(run.steps[-1]), bool(run.loss[-1] < run.loss[0])
    (1000, True)
    """
    rows, signs = _checks.data(X, y)
    count, dim = rows.shape
    last = _checks.whole("steps", steps, maximum=_checks.MAX_EXACT_STEPS)
    rate = _checks.real("lr", lr, positive=True)
    _checks.choice("loss", loss, LOSSES)
    _checks.choice("reduction", reduction, REDUCTIONS)
    bias = _checks.flag("bias", bias)
    start_w = np.zeros(dim) if w0 is None else _checks.vector("w0", w0, dim)
    start_b = _checks.real("b0", b0)
    _check_engine(engine, rtol)
    skip = _skip(skip_rows)
    records = log_spaced(last) if record is None else _checks.records(record, last)
    data = {"train": (rows, signs), **_checks.evaluation_sets(evals, dim)}
    keep_weights = _checks.flag("keep_weights", keep_weights) or need_weights(data)
    _checks.choice("tie", tie, TIES)
    watch_sharpness = _checks.flag("watch_sharpness", watch_sharpness)
    workers = _checks.threads(threads)
    report = progress if callable(progress) else _checks.flag("progress", progress)

    file = None if checkpoint is None else _checks.path("checkpoint", checkpoint)
    interval = _checks.real("checkpoint_interval", checkpoint_interval)
    if interval < 0.0:
        raise ValueError(f"checkpoint_interval must not be negative, got {interval}")

    params: dict[str, Any] = {
        "steps": last,
        "lr": rate,
        "loss": loss,
        "reduction": reduction,
        "bias": bias,
        "b0": start_b,
        "tie": tie,
        "rows": count,
        "dim": dim,
    }
    problems = {name: _core.Problem(*pair, bias) for name, pair in points(data).items()}
    descent = _core.Descent(
        problems.pop("train"),
        [_evaluator(problem, (evals or {})[name]) for name, problem in problems.items()],
        records,
        loss=loss,
        scale=1.0 if reduction == "sum" else 1.0 / count,
        lr=rate,
        w=start_w,
        b=start_b,
        tie_negative=tie == "negative",
        keep_weights=keep_weights,
        watch_sharpness=watch_sharpness,
        skip_rows=skip,
        threads=workers,
    )

    keeper = None
    if file is not None:
        settings = {**params, "keep_weights": keep_weights, "watch_sharpness": watch_sharpness}
        arrays: dict[str, NDArray[Any]] = {"w0": start_w, "record": records}
        for name in problems:
            value = (evals or {})[name]
            if isinstance(value, Pgd):
                value._describe(f"evals[{name!r}] ", settings, arrays)
            else:
                settings[f"evals[{name!r}] method"] = "no attack"
        identity = checkpoints.identity(points(data), arrays, settings)
        keeper = Checkpoint(file, interval, identity)
        keeper.resume(descent, records.size)
    return run(descent, data, params, report, keeper)


def _check_engine(engine: object, rtol: object) -> None:
    if _checks.choice("engine", engine, ENGINES) == "leap":
        raise ValueError("engine='leap' is not available in this version; use 'auto' or 'exact'")
    if not 0.0 < _checks.real("rtol", rtol) < 1.0:
        raise ValueError(f"rtol must lie between 0 and 1, got {_checks.show(rtol)}")


def _skip(skip_rows: object) -> str:
    if isinstance(skip_rows, str):
        return _checks.choice("skip_rows", skip_rows, ("auto",))
    return "always" if _checks.flag("skip_rows", skip_rows) else "never"


def _evaluator(problem: _core.Problem, value: EvaluationSet) -> _core.Problem | _core.Attack:
    return value._evaluator(problem) if isinstance(value, Pgd) else problem
