"""Full-batch training of a linear classifier: descent of several kinds, leaping or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from fastgrok._checks import F64, EvaluationSet
from fastgrok._checks.calls import helpful
from fastgrok.descent import checkpoints
from fastgrok.descent.checkpoints import Checkpoint
from fastgrok.descent.costs import warn_of_a_long_way
from fastgrok.descent.many import run_many
from fastgrok.descent.running import run, setting_out
from fastgrok.descent.sets import Sets
from fastgrok.descent.settings import check
from fastgrok.descent.stop import Condition
from fastgrok.descent.watching import watching
from fastgrok.trajectory import Trajectory

Stop = Condition | Callable[[int, F64, float], bool]


@helpful
def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    steps: float,
    lr: float | Literal["auto"],
    loss: str = "logistic",
    reduction: str = "mean",
    bias: bool = True,
    w0: ArrayLike | None = None,
    b0: float = 0.0,
    optimizer: str = "gd",
    optimizer_options: Mapping[str, float] | None = None,
    weight_decay: float = 0.0,
    decay_bias: bool = False,
    schedule: Callable[[int], float] | None = None,
    engine: str = "auto",
    record: int | ArrayLike | None = None,
    evals: Mapping[str, EvaluationSet] | None = None,
    keep_weights: bool = False,
    rtol: float = 1e-8,
    skip_rows: str | bool = "auto",
    tie: str = "wrong",
    watch_sharpness: bool = True,
    exact_limit: float | None = None,
    threads: int | None = None,
    executor: Any = None,
    progress: bool | Callable[[int], None] = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_interval: float = checkpoints.DEFAULT_INTERVAL,
    stop: Stop | Iterable[Stop] | None = None,
    on_record: Callable[[int, F64, float], Any] | None = None,
    sample_weight: ArrayLike | None = None,
    classes: Sequence[Any] | None = None,
) -> Trajectory:
    r"""
    Train a linear classifier by full-batch gradient descent.

    The loss is c sum_i s_i l(m_i) over the margins m_i = y_i (w . x_i + b), s_i = 1 or the
    `sample_weight`, and a step (w, b) <- (w, b) - lr * gradient, in float64, unless another
    `optimizer`, a `weight_decay` or a `schedule` is asked for.

    Parameters
    ----------
    X : array_like or sparse matrix of shape (n, d)
        Finite rows in any layout. Those of scipy.sparse stay sparse: CSR of float64 or float32 with
        sorted columns, none twice, is used in place, all else copied to that. float32 is kept and
        read as such, all else becomes float64; a C-contiguous array of either is used in place, and
        must not be changed meanwhile. A copy in another layout, of float64, is made of rows of up
        to 16 columns, and of others of up to 4 MiB that don't begin on a cache line.
        More columns in a read-only map of a file (``np.load(..., mmap_mode="r")``,
        ``Dataset.load(..., mmap=True)``) may be larger than memory: from 1 GiB on, passes give back
        the memory of the rows behind them, and hold a 64th of the file for each thread. The bits
        are those of rows in memory. A pass takes two to three times as long, or as the disk takes.
    y : array_like of shape (n,) or (n, 1)
        Labels of two classes: -1 and +1; 0 and 1, or False and True, of which the second is +1; or
        two strings (also of a categorical column), the second in order +1, unless `classes` says
        otherwise. ``Trajectory.classes`` has them. There may be one class alone, not of strings.
    steps : int or integral float
        Number of updates: any float64 such as 1e60, but at most 2**53 with ``engine="exact"``, with
        a checkpoint, and with what "leap" refuses (see `engine`).
    lr : float or "auto"
        Learning rate eta, greater than 0. "auto", for the logistic loss, the squared hinge or the
        squared loss and "gd", "momentum" or "nesterov": half of :func:`fastgrok.stable_lr`, which
        ``params["lr"]`` then holds.
    loss : {"logistic", "exponential", "squared_hinge", "hinge", "squared"}, default "logistic"
        l(m) = log(1 + exp(-m)), exp(-m), max(0, 1 - m)^2, max(0, 1 - m) or (1 - m)^2, which is
        (y - f)^2 of the logit f = w . x + b, without a factor 1/2 (``theory.squared`` has its
        descent in closed form). The hinge and its square have no slope from margin 1 on: descent
        stands still once no row is below, and is never leaped. Of the hinge, which bends at margin
        1 alone, l' is -1 below and taken for 0 at it; the recorded sharpness is 0 and says nothing
        of stability, and where rows cannot be separated by margin 1 descent at a constant rate
        goes to and fro about the minimum.
    reduction : {"mean", "sum"}, default "mean"
        c = 1/n (Beck et al. 2025) or 1 (Das et al. 2026, eq. 3). The sum with learning rate eta
        is the mean with n eta. With a `sample_weight` its sum takes the place of n.
    bias : bool, default True
        False: b stays at `b0`.
    w0 : array_like of shape (d,), optional
        Weights to start from, default 0.
    b0 : float, default 0.0
        Bias to start from.
    optimizer : {"gd", "momentum", "nesterov", "normalized", "sign", "adam", "adamw"}
        How a step is made of the gradient g, as PyTorch does where it has the same; default "gd".

        - "gd": w <- w - lr g.
        - "momentum": v <- momentum v + g, w <- w - lr v, without dampening; v = 0 at first.
        - "nesterov": the same v, and w <- w - lr (g + momentum v).
        - "normalized": w <- w - lr g / ||g||, the norm over w and b together; g = 0 moves nothing.
        - "sign": w <- w - lr sign(g), by entries; an entry of 0 stays. With both the margins grow
          in proportion to the steps: without `weight_decay` they go on where margins are so large
          that g is beyond the smallest numbers of float64.
        - "adam" (Kingma and Ba 2015): with g of step t, m <- beta1 m + (1 - beta1) g and
          v <- beta2 v + (1 - beta2) g^2 by entries, the step is
          -lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps). Every entry of w and b moves by
          about lr at first, however small its gradient: an entry whose gradient is zero but for
          rounding moves as well.
        - "adamw" (Loshchilov and Hutter 2019): Adam, and `weight_decay` apart from it.

        What goes with which loss, schedule and engine: ``docs/combinations.md``.
    optimizer_options : dict, optional
        For "momentum" and "nesterov": "momentum" (default 0.9) in [0, 1). For "adam" and "adamw":
        "beta1" (default 0.9) and "beta2" (0.999) in [0, 1), "eps" (1e-8). For these four "lr",
        which takes the place of the argument `lr` if given.
    weight_decay : float, default 0.0
        At least 0; g + weight_decay w takes the place of g, so that the loss plus
        weight_decay ||w||^2 / 2 is minimised. With "adamw" g stays, and w is first multiplied with
        1 - lr * weight_decay (and with the schedule's factor in lr). ``Trajectory.loss`` is that of
        the data alone.
    decay_bias : bool, default False
        Whether `weight_decay` acts on b too, if that is trained.
    schedule : callable, optional
        What lr is multiplied with, by the number of steps taken before:
        :func:`fastgrok.schedules.power`, :func:`~fastgrok.schedules.warmup`,
        :func:`~fastgrok.schedules.cosine`, or a function of your own. That is called once for each
        step, before the first, for at most 10^6 steps. Default: 1.
    engine : {"auto", "exact", "leap"}, default "auto"
        "exact" takes every step. "leap" takes exact steps until the motion is smooth, or goes
        round between smooth curves, 64 at most (plain descent), and from there on integrates the
        iterates in log(step), by backward differentiation formulas on the Euler-Maclaurin form of
        the descent: 10^7 steps are a matter of milliseconds, and 10^60 of little more. Exact steps
        go on beside the beginning of the leap and are compared with it; later ones are compared in
        spot checks; a second, coarser integration shows the error. ``Trajectory.engine.leaps`` has
        all of that. Where the motion cannot be leaped, exact steps go on and it is tried again,
        and "leap" ends in a LeapError if there is no leap in the end. A smooth leap ends where
        lr * lambda_max exceeds 2 (2 (1 + momentum), or Nesterov's (2 + 2 momentum) /
        (1 + 2 momentum)), and one over a cycle where that has become unstable, since exact
        steps make errors larger there. Where nothing but the estimated error ends it,
        it is made again from where it began, up to four times, with so much smaller errors at every
        step as it was off by; early in a run from twice as many exact steps. Every leap starts from
        exact iterates: behind the last one that ended, exact steps go over its whole length first.

        "auto" leaps likewise but takes exact steps to the end, if `exact_limit` allows them, where
        leaps fail or cost more than they save; ``Trajectory.engine.reason`` then says why. It does
        not try where fewer than 2256 steps are left out by the records, and with what "leap"
        refuses: the hinge and its square, "sign", "adam" and "adamw", functions as schedules, and
        any schedule beside "momentum" or "nesterov". A leap begins at four times the length of a
        warm-up or a cosine, so that one over the whole run is never leaped; and with momentum later
        than without, where the motion is slow beside the memory of 1 / (1 - momentum) steps. "auto"
        takes every step of runs that end before.
    record : int or array_like of int, optional
        Step numbers at which to record, step 0 being the start: every `record` steps from 0, or
        an increasing array. The last step is always recorded, whether named or not. Default:
        :func:`fastgrok.log_spaced`, 40 a decade.
    evals : dict, optional
        Sets to evaluate at every record, name: (X, y), with labels of the same `classes` or -1 and
        +1, or anything with ``.X`` and ``.y`` such as a Dataset, or under attack a
        :class:`fastgrok.Pgd`, all of the same number of columns; or a whole population in closed
        form, :class:`fastgrok.theory.edge.GaussianNoise`, :class:`fastgrok.theory.bias.Slab` or
        :class:`fastgrok.theory.mixture.GaussianMixture`. "train" is the training set's own name.
    keep_weights : bool, default False
        Keep (w, b) at every record. They are also kept where an evaluation set needs them
        (`Slab` and `GaussianMixture`).
    rtol : float, default 1e-8
        Error allowed to leaps at every record, 1e-11 to 1: ||w - w_exact|| <= rtol ||w_exact|| and
        |b - b_exact| <= rtol max(|b_exact|, 1). Of the squared loss, and with weight decay, where w
        may tend to 0, ||w_exact|| counts as at least 0.01 / max ||x_i||. Without effect on exact
        steps. Exact are steps without rounding errors: weights also move where the increments of
        single steps would be lost beside them, as far as float64 can tell the gradient from its own
        rounding errors. The bits at a leaped step depend, within `rtol`, on what else is recorded:
        a leap is judged at its records, and may end earlier or later, or be made again, with
        others.
    skip_rows : {"auto", True, False}, default "auto"
        Whether steps may pass over rows that cannot matter to them, which changes no bit of the
        result: rows whose margins are so large that all of them together are below 2**-60 of the
        largest entry of the loss's own gradient (what decays, or is remembered, is no yardstick;
        of the squared hinge, those beyond margin 1, which add 0) are left out of every step in any
        case, and lists of the others save looking at them. "auto" waits before it makes lists again
        where the last did not pay; True tries at every step, which mostly costs more than it saves.
        "sign", "adam" and "adamw" make small entries large: with them every row is looked at.
    tie : {"wrong", "negative"}, default "wrong"
        A logit of exactly 0 counts as wrong, or as class -1, as in the papers' codes.
    watch_sharpness : bool, default True
        Record lr, times the schedule's factor, times the largest eigenvalue of the loss's Hessian,
        without `weight_decay`, and warn where it exceeds 2, with lr * weight_decay added if there
        is no schedule; where the bias alone does not decay, where one of the two does. With
        other optimizers than "gd", whose steps are not lr times the gradient, 2 is no limit of
        stability, and there is no warning; `Trajectory.regime` tells of oscillations all the same.
    exact_limit : float, optional
        Where leaps are tried, how many steps may be taken one by one at most, before, between and
        after them. Default: 10^8, or as many as multiply with 10^13 entries of X (an hour or two)
        where these are fewer, and at least 10^4. More than 2**53 are never taken.
    threads : int, optional
        Default: the cores this process may use, at most OMP_NUM_THREADS or what OpenMP has been
        set to since, as by threadpoolctl. Small problems use one, and so does a child of fork,
        where OpenMP has no threads. The result is the same to the last bit for any number.
    executor : distributed.Client, optional
        Of a dask cluster whose workers hold the rows of dask arrays, `X` and any of `evals`, and
        give the same bits; :mod:`fastgrok.distributed` says how, and what is not to be had there.
    progress : bool or callable, default False
        True shows a progress bar. A function is called with the step number a few times a second;
        what it raises ends the run, a KeyboardInterrupt as Ctrl-C does. Where more than 10^6 exact
        steps begin since a leap was lost, they get a bar of their own: with True, and with False if
        the standard error is a terminal.
    checkpoint : str or path-like, optional
        A file to keep the state of the run in, written at the start, every `checkpoint_interval`
        seconds, at the end and when the run is stopped. If it exists, the run goes on from there,
        to the same bits as without a stop; a finished run is returned at once. What is kept of a
        leap is what it begins from, and it is made again. All that the bits depend on must be as it
        was: the data, and every argument but `threads`, `progress`, `skip_rows`, `exact_limit`,
        `checkpoint_interval` and `on_record`, of exact steps also `rtol` and `engine`, and whether
        the processor has fused multiply-add (``FASTGROK_SIMD=v2`` does without). With more `steps`
        than before the run is taken further, finished or not, to the bits of one that had them from
        the start, or, where that would have leaped earlier, to within `rtol`: it records what the
        shorter run has recorded, which is added to the default of `record`; a `schedule` must be
        one of fastgrok's. Populations may be other ones, though one that needs the weights counts
        as `keep_weights`. One run at a time should use a file; of two, each does all the work, and
        the file is whole at any time. A writer that is killed can leave a ``.fastgrok-*.tmp``
        beside it; the next call removes it.
    checkpoint_interval : float, default 30.0
        Seconds from the end of a write to the next, longer where a write takes more than a ninth
        of it. 0 writes whenever progress is reported, some ten times a second.
    stop : condition or function, or a list of these, optional
        What ends the run before `steps`: one of :func:`fastgrok.stop.accuracy`,
        :func:`~fastgrok.stop.loss`, :func:`~fastgrok.stop.norm_w`,
        :func:`~fastgrok.stop.alignment`, or a function of your own that is called with the step,
        the weights (shape (d,), read-only) and the bias and says True or False; the first of
        several. A condition is looked at at the records. Where one shows that it holds (and, with
        `kept`, that it was kept), the steps since the record before are looked at, all of them
        where they are exact; those of a leap, which is followed again for that, at ever closer
        steps. The first of them at which it holds is the last record of the run, and
        ``params["stopped"]`` names condition and step. What holds only between two records is not
        seen. The same end is found for any number of threads, and from a checkpoint, of which
        `stop` must be the same. Such a run costs up to twice its exact steps since the record
        before, and a few leaps more. A function of your own counts as `keep_weights`.
    on_record : callable, optional
        Called at every record in order with the step, the weights (shape (d,), a read-only copy)
        and the bias; it returns a number, or a dict of names to numbers, the same names every time:
        the columns ``Trajectory.values``. A single number is called like the function, or "value".
        It is called a few times a second for what has been recorded since, at the end, and again
        for all records of a checkpoint. What it raises ends the run. It counts as `keep_weights`.
    sample_weight : array_like of shape (n,), optional
        How often each row counts, at least 0: as if it were repeated so often, up to rounding. One
        of weight 0 is left out, but must be finite. The maximum margin that a run tends to does not
        depend on the others. ``Trajectory.counts`` add weights if all are whole, else out of 10^12.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.

    Returns
    -------
    Trajectory
        What was recorded, and the state at the last step.

    Raises
    ------
    ValueError, TypeError
        For arguments that make no sense, or not together; the message names the argument and shows
        its value. What a `schedule` of your own raises is not caught.
    DivergenceError
        If a weight becomes NaN or infinite, or with "adam" and "adamw" the square of a gradient; it
        holds the trajectory up to there.
    LeapError
        If the motion is not one that can be leaped, or not with the error allowed, and exact steps
        are more than `exact_limit` or not wanted; it says why and holds the trajectory up to there.
    Interrupted
        On Ctrl-C; a KeyboardInterrupt that holds the trajectory up to there, or None while the
        arguments are checked and the data prepared.
    CheckpointError
        If the checkpoint is of another run, is damaged, is no checkpoint, or cannot be read or
        written: before anything is computed if that is so from the start, otherwise with the
        trajectory up to there.

    Warns
    -----
    StabilityWarning
        Once a run of "gd", if the recorded lr * lambda_max exceeds 2, or does with weight decay
        (see `watch_sharpness`): the iterates can then oscillate instead of following the gradient
        flow, see ``Trajectory.regime``.
    LeapWarning
        Once a run, if more than 10^6 exact steps begin since a leap was lost, and why. At the
        start, with the time it takes, if ``engine="auto"`` cannot leap such a run at all, and it
        has more steps than `exact_limit`.

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
    arguments = locals()
    sets = Sets()
    keeper = None
    with setting_out():
        settings = check(arguments, sets)
        if settings.checkpoint is not None:
            keeper = Checkpoint(settings.checkpoint, settings.checkpoint_interval)
            before = keeper.recorded()
            if record is None and before is not None and not keeper.stopped:
                settings = settings.recording(before)
        ran = settings
        if keeper is not None and keeper.stopped and before is not None:
            ran = settings.ending(before.astype(settings.record.dtype))
        descent = ran.descent(sets, settings.threads)
        leaping = ran.leaping(descent)
        if keeper is None:
            warn_of_a_long_way(settings, sets)
        else:
            keeper.resume(settings.identity(), descent, leaping, settings.rtol, ran.record)
        watch = watching(settings, sets, settings.threads, keeper)
    return run(descent, settings, keeper, leaping, Trajectory, watch)


@helpful
def train_many(
    problems: Iterable[Mapping[str, Any]],
    *,
    threads: int | None = None,
    progress: bool | Callable[[int], None] = False,
) -> list[Trajectory]:
    """
    Train many linear classifiers, each as :func:`fastgrok.train` would, to the same bits.

    Runs over the same rows take their steps together, so that the rows are read from memory once a
    step for all of them: problems whose `X` is the same array, or shows the same memory, of more
    than 1 MiB; up to four with the same labels and weights share all loads of a dense row. Starts,
    learning rates, losses, reductions, records and, beyond 16 columns, labels may differ (up to 16
    columns the labels and the rows are stored together). Other runs are taken one by each thread,
    the longest first, unless they are large and few: these get all threads, one after the other.

    Parameters
    ----------
    problems : iterable of dict
        The arguments of :func:`fastgrok.train` by name, a dict for each run. `threads`, `executor`,
        `progress` and `checkpoint` are not for single runs and must be left out. Runs with `stop`
        are taken one after the other, by all threads; `on_record` is called when all runs are over.
    threads : int, optional
        For all runs together. Default, and in a child of fork, as `fastgrok.train` says. The
        results are the same to the last bit for any number.
    progress : bool or callable, default False
        True shows one progress bar for all runs. A function is called, a few times a second, with
        the number of steps that all runs together have behind them; what it raises ends them all,
        a KeyboardInterrupt as Ctrl-C does.

    Returns
    -------
    list of Trajectory
        In the order of `problems`. Of each, ``engine.seconds`` runs from when the run, or the group
        that shares its rows, was taken up to the end of the run.

    Raises
    ------
    ValueError, TypeError
        For arguments that make no sense, before anything is computed; the message names problem
        and argument, such as ``problems[3]['lr']``, and shows the value.
    DivergenceError, LeapError
        If a weight of a run becomes NaN or infinite, or if a run can neither leap nor take exact
        steps to its end (as `fastgrok.train` says), after all other runs have come to their ends.
        `trajectories` holds them all. Of several, the first in the list is told of.
    Interrupted
        On Ctrl-C; `trajectories` holds all runs as far as each had come, and none while the
        arguments are checked and the data prepared.

    Warns
    -----
    StabilityWarning
        Once for all runs, if the recorded lr * lambda_max of one exceeds 2.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 2))
    >>> y = np.where(X.sum(axis=1) > 0, 1, -1)
    >>> rates = [0.01, 0.1, 1.0]
    >>> runs = train_many([{"X": X, "y": y, "steps": 1000, "lr": lr} for lr in rates])
    >>> bool(runs[0].loss[-1] > runs[1].loss[-1] > runs[2].loss[-1])
    True
    """
    return run_many(problems, threads, progress, Trajectory)
