"""The questions that one asks of a run: methods of `Record`, in a file of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok._checks.docstrings import described
from fastgrok.questions.alignments import Alignment, alignment
from fastgrok.questions.at import weights_at
from fastgrok.questions.grokking import LEVEL, GrokkingTimes, at_level, grokking_times
from fastgrok.questions.hits import Hit, first_hit, refined_hit
from fastgrok.questions.phases import Phases, find_phases
from fastgrok.questions.refine import refined_times
from fastgrok.records import Record
from fastgrok.records.frozen import frozen

if TYPE_CHECKING:
    from fastgrok.geometry import MaxMargin
    from fastgrok.theory.bias import LateTime


@dataclass(frozen=True, eq=False, repr=False)  # anew: else only fields are guarded
class Questions(Record):
    """A record that answers: when a run got where, and how far it came."""

    def grokking(
        self,
        test: str,
        eps: float | Fraction | Decimal = 0.0,
        *,
        include_start: bool = False,
        level: float | Fraction | Decimal = LEVEL,
    ) -> GrokkingTimes:
        """Read the grokking times off the record.

        With k_j of n points right at record t_j and K = max_j k_j, the time is
        min{t_j : k_j >= (1 - eps) K}, compared in exact rational arithmetic and never
        interpolated; the sustained time is the first t_j from which this holds to the end.
        Both are found for the training set and for `test`, each with its own K.

        Parameters
        ----------
        test : str
            Name of an evaluation set of the run (``"train"`` is allowed: its delay is 1).
        eps : float, Fraction or Decimal, default 0.0
            Tolerance in [0, 1), read as the decimal that was written: 0.1 is 1/10.
        include_start : bool, default False
            Whether the record at step 0 takes part, both in the maximum and as a possible hit.
        level : float, Fraction or Decimal, default 0.6
            Best test accuracy from which on the model counts as one that generalises, in [0, 1].
            Where it stays below, there is no test time: the best of a curve that only wavers
            about guessing means nothing. State a higher one where one class is much larger, a
            lower one, or 0, for attacked points. 0 is the definition of the paper.

        Returns
        -------
        GrokkingTimes
            Times in steps, None where the accuracy never gets there: nothing recorded after
            the start, no point ever right (K = 0), or no test accuracy of `level`. Else a first
            hit always exists; a sustained time need not. ``print`` says it in words.

        Raises
        ------
        ValueError
            If the run has no such data set or `eps` is outside [0, 1).
        TypeError
            If `test` is not a name, `eps` not a real number, or `include_start` not a bool.

        Notes
        -----
        The definition is Das et al. (2026), arXiv 2602.08302, Definition 3.4, with two
        differences. Its maximum is over infinite time; here it is over the record, so that the
        times depend on the horizon: a longer run may reach a higher maximum and then have
        later times. And a time is known only to within the spacing of the records, reported
        as ``train_bracket`` and ``test_bracket``: the condition failed, or was not looked at,
        at lo, and held at hi. A crossing that begins and ends between two records is not seen.
        `refine` makes the times exact to the step.

        The accuracy of a population is a number with rounding errors: it is rounded to a multiple
        of 1e-12 and then treated as a count out of 10^12 points, so that with ``eps=0`` the time
        is the first at which it lies within 1e-12 of its maximum.

        Examples
        --------
        >>> import fastgrok as fg
        >>> data = fg.datasets.margin_cube((100, 100), gamma=0.1)
        >>> test = fg.datasets.concentrated((500, 500), gamma=0.1, seed=1)
        >>> run = fg.train(data.X, data.y, steps=1e9, lr=0.1, evals={"concentrated": test})
        >>> print(run.grokking("concentrated", eps=0.001))
        training set: step 1884; test set: step 33496544; 1.778e+04 times as late
        """
        return at_level(grokking_times(self, test, eps, include_start), self, test, level)

    def first_hit(
        self, name: str, accuracy: float | Fraction | Decimal, *, sustained: bool = False
    ) -> Hit | None:
        """Say when an accuracy first reached a level, or from when on it kept it.

        Parameters
        ----------
        name : str
            A data set of the run: ``"train"`` or an evaluation set.
        accuracy : float, Fraction or Decimal
            The level, a share of the points in (0, 1], read as the decimal that was written and
            compared in exact counts: 0.95 of 20 points is 19 of them.
        sustained : bool, default False
            Ask for the first record from which the level is kept to the end of the run.

        Returns
        -------
        Hit or None
            The step and its bracket: the record before, where the level was not reached, and the
            hit. None if the level is never reached, or not kept to the end. The start takes part.

        Raises
        ------
        ValueError
            If the run has no such data set or `accuracy` is outside (0, 1].
        TypeError
            If `name` is not a name, `accuracy` not a real number, or `sustained` not a bool.

        Notes
        -----
        In contrast to `grokking` the level does not depend on how far the run went.
        """
        return first_hit(self, name, accuracy, sustained)

    @described(grokking)
    def refine(
        self,
        test: str,
        X: NDArray[Any] | None = None,
        y: NDArray[Any] | None = None,
        evals: Mapping[str, Any] | None = None,
        eps: float | Fraction | Decimal = 0.0,
        *,
        include_start: bool = False,
        progress: bool | Callable[[int], None] = False,
        level: float | Fraction | Decimal = LEVEL,
    ) -> GrokkingTimes:
        """Find the grokking times exact to the step, by running or leaping their brackets again.

        Each time that `grokking` reports lies between two records. If exact steps led there, that
        stretch is run again from the stored weights, which gives the same bits, looking at the
        accuracy after every step. So are records of a leap that exact steps went over later. Other
        leaps are followed once more from the start, with an error of at most 1e-10 if that is
        possible, and looked up at ever narrower sections of the bracket.

        Parameters
        ----------
        test : str
            Name of an evaluation set of the run, or ``"train"``.
        X : ndarray, shape (n, d), optional
            The training data of the run. Default: ``data``; needed after `load`.
        y : ndarray, shape (n,), optional
            Their labels, called as in training.
        evals : mapping of str to (X, y), Dataset, Pgd or population, optional
            Must hold `test`; other entries are not used. Default: ``evals``; needed after `load`
            unless `test` is ``"train"``.
        eps, include_start
            See `grokking`.
        progress : bool or callable, default False
            True shows a progress bar. A function is called a few times a second, and at the end,
            with the number of steps that are no longer in question; what it raises ends the search.
        level
            See `grokking`.

        Returns
        -------
        GrokkingTimes
            As from `grokking`, with every bracket one step wide; inside a leap as wide as its error
            implies: at the lower end surely fewer points were right than needed, at the upper end
            surely enough. That error is `rtol`, or ten times what the leap's own evidence shows
            where that is smaller. Up to about 10^7 steps the bracket is mostly a single step, too;
            later a step moves the weights by less than they are known. ``several`` names the times
            that may be one of several crossings.

        Raises
        ------
        ValueError
            If the run was made without ``keep_weights=True``, with steps that remember others, or
            with a `schedule`; if data are needed, or are not those of the run (shapes, or what the
            first two records and the last hold, which must come out bit for bit, or the curves of a
            population to 1e-9), also because an array has changed since; if a crossing lies before
            the first record, or inside a leap and step 0 was not recorded; or as in `grokking`.
        TypeError
            If `evals` is no mapping, `progress` neither a bool nor callable, or as in `grokking`.
        LeapError
            If a leap cannot be followed again.

        Notes
        -----
        Only the brackets are run again. An accuracy that crosses the threshold and comes back
        entirely between two other records is not seen, nor does it count towards the maximum,
        which stays the record's. For oscillating runs the records must be dense enough. In a leap
        64 steps at a time are looked at, evenly spaced; of several crossings back and forth between
        two of these one is found. ``several`` tells of them, from the points that change sides
        between one step and the next that is looked at, unless a point does so twice in between.
        What exact steps led to before a leap is looked at step by step. Attacks other than the
        worst case are taken for continuous.
        """
        times = refined_times(self, test, X, y, evals, eps, include_start, progress)
        return at_level(times, self, test, level)

    @described(first_hit, refine)
    def refine_hit(
        self,
        name: str,
        accuracy: float | Fraction | Decimal,
        X: NDArray[Any] | None = None,
        y: NDArray[Any] | None = None,
        evals: Mapping[str, Any] | None = None,
        *,
        sustained: bool = False,
        progress: bool | Callable[[int], None] = False,
    ) -> Hit | None:
        """Find what `first_hit` reports exact to the step, as `refine` does for grokking times.

        Parameters
        ----------
        name, accuracy
            See `first_hit`.
        X, y
            See `refine`.
        evals : mapping of str to (X, y), Dataset, Pgd or population, optional
            Must hold `name`; other entries are not used. Default: ``evals``; needed after `load`
            unless `name` is ``"train"``.
        sustained
            See `first_hit`.
        progress
            See `refine`.

        Returns
        -------
        Hit or None
            As from `first_hit`, with a bracket as narrow as `refine` makes it; of a sustained hit
            inside a leap the bracket remains that of the records.

        Raises
        ------
        ValueError, TypeError
            As `first_hit` and `refine`.
        """
        return refined_hit(self, name, accuracy, X, y, evals, sustained, progress)

    def at(
        self,
        step: ArrayLike,
        X: NDArray[Any] | None = None,
        y: NDArray[Any] | None = None,
        *,
        progress: bool | Callable[[int], None] = False,
    ) -> tuple[NDArray[np.float64], Any]:
        """Give the weights and the intercept at any step up to the last record.

        Where the run kept them, at the start and at the last record, they are what it holds. Other
        steps are followed again: those of a leap by its dense output, exact ones from the nearest
        record before that holds weights, or from the start where a step remembers others.

        Parameters
        ----------
        step : int, integral float or array_like of shape (k,)
            The step, or several in any order.
        X : ndarray, shape (n, d), optional
            The training data of the run. Default: ``data``; needed after `load` unless the run has
            the weights of all these steps.
        y : ndarray, shape (n,), optional
            Their labels, called as in training.
        progress
            As of `fastgrok.train`, for what is followed again.

        Returns
        -------
        w : ndarray of float64, shape (d,) or (k, d)
            The weights.
        b : float, or ndarray of float64, shape (k,)
            The intercept.

        Raises
        ------
        ValueError
            If a step is not whole, below 0 or beyond the last record; if data are needed, or are
            not those of the run; if the run had a function as `schedule`.
        TypeError
            If `step` is neither a number nor a 1-dimensional array of numbers.
        LeapError
            If a leap cannot be followed again.

        Notes
        -----
        At exact steps it is the state of the run to the last bit, and of a leap likewise up to
        where it ended before the run did, else within the run's `rtol`.
        """
        return weights_at(self, step, X, y, progress)

    def phases(
        self,
        support: ArrayLike,
        X: NDArray[Any] | None = None,
        y: NDArray[Any] | None = None,
        test: str | None = None,
    ) -> Phases:
        """Divide the run into the three phases of Das et al. (2026), arXiv 2602.08302.

        In phase 1 all the data drive the descent; from ``t1`` on the support vectors do: their
        share in sum_i abs(l'(m_i)) is at least one half. Up to ``t2`` the hyperplane then moves
        away from the origin, and after it, in phase 3, back. The step 0 takes no part.

        Parameters
        ----------
        support : array_like of int
            Row indices of the support vectors (`Dataset.support`), not counting rows of weight 0.
        X : ndarray, shape (n, d), optional
            The training data; needed after `load`, which does not bring them back.
        y : ndarray, shape (n,), optional
            Their labels, called as in training.
        test : str, optional
            Evaluation set whose accuracy defines ``t3``. Default: ``"concentrated"`` if the
            run has one, else its only evaluation set, else ``t3`` is None.

        Returns
        -------
        Phases
            ``t1``, ``t2``, ``t3`` and ``peak`` in steps, and whether phase 2 is empty.

        Raises
        ------
        ValueError
            If the run was made without ``keep_weights=True``, if the training data are needed
            or are not those of the run, or if `support` or `test` is not valid.
        TypeError
            If `support` does not hold integers.
        """
        return find_phases(self, support, X, y, test)

    def alignment(
        self, solution: MaxMargin | LateTime | Literal["l2", "linf", "l1"] | None = None
    ) -> Alignment:
        """
        Cosine of the angle between the weights and a maximum-margin solution, at every record.

        On separable data it tends to 1, like 1 - C / log^2 t, for the solution of the problem that
        descent solves: full-batch descent on (w, b) tends to the direction of the solution with
        *penalised* bias, because a bias that is learned is the weight of one more column of ones
        (Soudry et al. 2018, JMLR 19), and descent on w alone to that through the origin. The
        cosine is that of (w, b) for a penalised solution and that of w for the others, which a run
        with bias is not bound to reach.

        The norm of the margin belongs to the optimizer: l_2 for plain descent. Adam with eps > 0
        is plain descent with a rate of lr / eps once its gradients are small beside eps, and tends
        to l_2 in the end (Wang et al. 2022). Before, with rates that are small or fall, it tends to
        l_inf (Zhang et al. 2024), which it leaves again like 1 / log t. With a rate that stays, it
        needs lr times the margin in l_inf to be small beside 1 - beta2: else the mean square
        forgets too slowly, and the steps are those of descent with coordinates scaled by old
        gradients, which tends to neither. AdamW with decay bounds its weights by 1 / weight_decay,
        and comes to rest near l_inf (Xie and Li 2024). What is returned says against which margin
        it is, and what theory has to say of that.

        Parameters
        ----------
        solution : MaxMargin, "l2", "linf" or "l1", optional
            What `fastgrok.max_margin` returns, or the norm in which to find it for the training
            data, with ``bias="penalized"``, or ``bias="none"`` for a run without bias. Default:
            that in the norm of the optimizer, l_inf for AdamW where all that is trained decays. A
            solution is needed after `load`. Where only some rows can be separated, from a run of
            gradient descent with bias, it is the growing part of `theory.bias.late_time`, which may
            be given, too.

        Returns
        -------
        Alignment, an ndarray of float64, shape (R,)
            In [-1, 1]; NaN where the weights are 0, as they are at the start. Its `limit` is the
            solution, and its `note` says what theory has; both are shown where it is printed.

        Raises
        ------
        ValueError
            If the run was made without ``keep_weights=True``, if the solution is needed, or if it
            has another number of weights.
        TypeError
            If `solution` is neither a `MaxMargin` nor the name of a norm.
        NotSeparableError
            If it is to be found and no row can be separated, or with other norms not all of them.

        References
        ----------
        Soudry, Hoffer, Nacson, Gunasekar, Srebro (2018), JMLR 19; Wang, Meng, Zhang, Sun, Chen, Ma,
        Liu (2022), "Does momentum change the implicit regularization on separable data?", NeurIPS;
        Zhang, Zou, Cao (2024), "The implicit bias of Adam on separable data", NeurIPS; Xie, Li
        (2024), "Implicit bias of AdamW: l_inf norm constrained optimization", ICML.
        """
        cosine: Alignment = frozen(alignment(self, solution))
        return cosine
