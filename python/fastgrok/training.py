"""Full-batch gradient descent on a linear classifier, every step taken."""

import contextlib
import math
import os
import warnings
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from fastgrok import _checks, _core, checkpoints
from fastgrok._checks import F64, Data, EvaluationSet
from fastgrok.attacks import Pgd
from fastgrok.checkpoints import Checkpoint
from fastgrok.errors import CheckpointError, DivergenceError, Interrupted
from fastgrok.margins import TIES
from fastgrok.trajectory import EngineReport, Trajectory

LOSSES = ("logistic", "exponential")
REDUCTIONS = ("mean", "sum")
ENGINES = ("auto", "exact", "leap")
MAX_PER_DECADE = 10**6
POLL_SECONDS = 0.1
REGIMES = np.array(["smooth", "period-2", "irregular"])


class StabilityWarning(UserWarning):
    """The learning rate is beyond 2 / lambda_max of the Hessian somewhere along the run."""


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
        as a Dataset, or under attack a :class:`fastgrok.Pgd`, all of the same number of columns.
        "train" is the training set's own name.
    keep_weights : bool, default False
        Keep (w, b) at every record.
    rtol : float, default 1e-8
        Relative error allowed to leaps, between 0 and 1; where every step is taken it is checked
        and otherwise without effect.
    skip_rows : {"auto", False}, default "auto"
        Both visit every row at every step. True is not available in this version.
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
        fused multiply-add (``FASTGROK_SIMD=v2`` does without). One run at a time may use a file.
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
    _check_engine(engine, rtol, skip_rows)
    records = log_spaced(last) if record is None else _checks.records(record, last)
    data = {"train": (rows, signs), **_checks.evaluation_sets(evals, dim)}
    keep_weights = _checks.flag("keep_weights", keep_weights)
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
    problems = {name: _core.Problem(*pair, bias) for name, pair in data.items()}
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
        threads=workers,
    )
    keeper = None
    if file is not None:
        settings = {**params, "keep_weights": keep_weights, "watch_sharpness": watch_sharpness}
        arrays: dict[str, NDArray[Any]] = {"w0": start_w, "record": records}
        for name, value in (evals or {}).items():
            if isinstance(value, Pgd):
                value._describe(f"evals[{name!r}] ", settings, arrays)
            else:
                settings[f"evals[{name!r}] method"] = "no attack"
        run = checkpoints.identity(data, arrays, settings)
        keeper = Checkpoint(file, interval, run)
        keeper.resume(descent, records.size)
    began = perf_counter() if keeper is None else keeper.began
    status = _run(descent, last, report, keeper)
    seconds = perf_counter() - began

    step = descent.step
    if status == "interrupted":
        params["interrupted"] = step
    elif status == "diverged":
        params["diverged_at"] = step + 1
    used = EngineReport(
        name="exact", exact_steps=step, simd=_core.simd(), threads=descent.threads, seconds=seconds
    )
    trajectory = _trajectory(descent.recorded(), data, params, used)
    if status != "done":
        raise _error(status, trajectory, step, keeper)
    _warn_if_unstable(trajectory, rate)
    return trajectory


def _error(
    status: str, trajectory: Trajectory, step: int, keeper: Checkpoint | None
) -> BaseException:
    params = trajectory.params
    after = f"after {step} of {params['steps']} steps"
    kept = "nothing had been recorded by then"
    if trajectory.steps.size:
        records = trajectory.steps
        kept = f".trajectory holds the {records.size} records up to {records[-1]}"
    if status == "unsaved" and keeper is not None:
        return CheckpointError(f"{keeper.state()} {after}; {kept}", trajectory, step)
    if keeper is not None:
        kept += f"; {keeper.state()}"
    if status == "interrupted":
        return Interrupted(f"interrupted {after}; {kept}", trajectory, step)
    settings = ", ".join(f"{name}={params[name]!r}" for name in ("lr", "loss", "reduction"))
    return DivergenceError(
        f"a weight became NaN or infinite at step {step + 1} of {params['steps']} with {settings}; "
        f"{kept}",
        trajectory,
        step + 1,
    )


def _check_engine(engine: object, rtol: object, skip_rows: object) -> None:
    if _checks.choice("engine", engine, ENGINES) == "leap":
        raise ValueError("engine='leap' is not available in this version; use 'auto' or 'exact'")
    if not 0.0 < _checks.real("rtol", rtol) < 1.0:
        raise ValueError(f"rtol must lie between 0 and 1, got {_checks.show(rtol)}")
    if isinstance(skip_rows, str):
        _checks.choice("skip_rows", skip_rows, ("auto",))
    elif _checks.flag("skip_rows", skip_rows):
        raise ValueError("skip_rows=True is not available in this version; use 'auto' or False")


def _evaluator(problem: _core.Problem, value: EvaluationSet) -> _core.Problem | _core.Attack:
    return value._evaluator(problem) if isinstance(value, Pgd) else problem


def _run(
    descent: _core.Descent,
    last: int,
    progress: bool | Callable[[int], None],
    keeper: Checkpoint | None,
) -> str:
    """Run to the end: "done", or else "diverged", "interrupted" or "unsaved"."""
    if keeper is not None and keeper.failure is not None:
        return "unsaved"
    report = progress if callable(progress) else None
    try:
        if progress is True:  # tqdm would start a thread, disabled or not
            with tqdm(total=last, initial=descent.step, unit="step", unit_scale=True) as bar:
                status = _descend(descent, lambda step: bar.update(step - bar.n), keeper)
                bar.update(descent.step - bar.n)
        else:
            status = _descend(descent, report, keeper)
        if keeper is not None and status != "paused" and not keeper.finished:
            keeper.write(descent)
    except KeyboardInterrupt:
        status = "interrupted"
        with contextlib.suppress(KeyboardInterrupt):  # who asks twice does not wait for the disk
            if keeper is not None:
                keeper.write(descent)
    except BaseException:
        if keeper is not None:
            keeper.write(descent)
        raise
    unsaved = keeper is not None and keeper.failure is not None
    return "unsaved" if unsaved and status in ("done", "paused") else status


def _descend(
    descent: _core.Descent, report: Callable[[int], object] | None, keeper: Checkpoint | None
) -> str:
    def poll(step: int) -> bool:
        if report is not None:
            report(step)
        return keeper is not None and not keeper.write_if_due(descent)

    return descent.run(poll, POLL_SECONDS)


def _trajectory(
    kept: dict[str, NDArray[Any]],
    data: dict[str, Data],
    params: dict[str, Any],
    engine: EngineReport,
) -> Trajectory:
    losses: dict[str, F64] = {}
    counts: dict[str, NDArray[np.int64]] = {}
    sizes: dict[str, int] = {}
    for column, (name, (rows, _)) in enumerate(data.items()):
        sizes[name] = rows.shape[0]
        counts[name] = kept["correct"][:, column].copy()
        losses[name] = kept["loss_sum"][:, column].copy()
        if params["reduction"] == "mean":
            losses[name] /= sizes[name]
    return Trajectory(
        steps=kept["steps"],
        b=kept["b"],
        norm_w=kept["norm_w"],
        losses=losses,
        counts=counts,
        sizes=sizes,
        sharpness=kept["sharpness"],
        sharpness_mean=kept["sharpness_mean"],
        regime=REGIMES[kept["regime"]],
        w=kept["w_last"],
        bias_final=float(kept["b"][-1]) if kept["b"].size else params["b0"],
        weights=kept.get("weights"),
        engine=engine,
        params=params,
        data=data["train"],
    )


def _warn_if_unstable(trajectory: Trajectory, lr: float) -> None:
    sharpness = np.fmax(trajectory.sharpness, trajectory.sharpness_mean)  # NaN: not watched
    beyond = np.flatnonzero(sharpness > 2.0)
    if beyond.size:
        worst = beyond[np.argmax(sharpness[beyond])]
        warnings.warn(
            f"lr={lr!r} exceeds 2 / lambda_max: lr * lambda_max is {sharpness[worst]:.3g} at step "
            f"{trajectory.steps[worst]}, and the iterates can oscillate instead of following the "
            "gradient flow (see Trajectory.regime)",
            StabilityWarning,
            stacklevel=3,
        )
