"""What a run returns: its record, to be asked, drawn, made into tables and saved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from fastgrok import plots
from fastgrok._checks import EvaluationSet
from fastgrok._checks.docstrings import described
from fastgrok.plots.overview import overview
from fastgrok.questions.asked import Questions
from fastgrok.records import file, printing, tables

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

    from fastgrok.questions.limits import Limit


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Questions):
    """A run of gradient descent, as it was recorded at R steps.

    `fastgrok.train` makes these. All arrays are read-only. "Value at step t" means after t
    updates; step 0 is the start. The data sets are ``"train"`` and the evaluation sets by name.

    Attributes
    ----------
    steps : ndarray of int64, or of float64 if the last is beyond 2**53, shape (R,)
        The recorded steps, increasing.
    b : ndarray of float64, shape (R,)
        The intercept.
    norm_w : ndarray of float64, shape (R,)
        Euclidean norm of the weights.
    losses : dict of str to ndarray of float64, shape (R,)
        Loss on every data set, reduced (mean or sum) as in training; on a population, the
        expected loss of a point.
    counts : dict of str to ndarray of int64, shape (R,)
        Number of correctly classified points of every data set that is not a population. Of a
        training set with a `sample_weight` the sum of their weights, if all weights are whole, else
        out of 10^12.
    sizes : dict of str to int
        Number of points of every data set that is not a population, likewise.
    sharpness : ndarray of float64, shape (R,)
        lr * lambda_max(Hessian of the loss) at the recorded weights; gradient descent is
        stable where it is below 2. Never above the true value. Computed to rounding for at most
        16 columns, and for some thousand entries in fewer than 40 rows or columns, else to about
        1e-3 (1e-2 of a loss without a continuous second derivative), and a few percent where
        another eigenvalue has just become the largest. On large data (beyond some 10^6 entries),
        where that would take more than a tenth of the run, to a few percent between searches at
        step 0, 1, 4, 13, ...; where it is beyond 2, so that the Hessian changes from record to
        record, it may be told a third too low there. NaN if it was not watched.
    sharpness_mean : ndarray of float64, shape (R,)
        The same at the mean of the last two iterates, from which an oscillation cannot hide, where
        the last two updates point against each other (in a leap, of two neighbouring ones); equal
        to `sharpness` elsewhere.
    regime : ndarray of str, shape (R,)
        How the last (up to) 64 updates turned: ``"smooth"`` if none points against the one before
        it, ``"period-2"`` if each nearly reverses the one before it (cosine below -0.9),
        ``"irregular"`` otherwise. ``"period-2"`` to ``"period-64"`` where iterates that turn have
        settled on such a cycle: over the last 256, those a period apart differed by at most a
        thousandth of the cycle's extent (in two fixed directions), and later by no more than
        before. Updates that reverse each other but lead no orbit of period 2, neither to one nor
        away from one, are ``"irregular"``. ``"smooth"`` where there were fewer than two updates,
        and at a fixed point reached from side to side: where the swing is below 1e-9 of the
        parameters, in a leap below its error, by which a leap also tells a cycle from one whose
        period is a part of its own. `period` has the number.
    w : ndarray of float64, shape (d,)
        The weights at the last recorded step.
    bias_final : float
        The intercept at the last recorded step.
    weights : ndarray of float64, shape (R, d + 1), or None
        The weights at every record, the intercept in the last column; None unless the run was
        made with ``keep_weights=True``.
    engine : EngineReport
        How the run was computed.
    params : dict
        The settings of the run: steps, lr, optimizer (and its options), loss, reduction,
        bias, tie, rows, dim, where there is decay weight_decay and decay_bias, where there is one
        the schedule, total_weight of rows that have weights (those of weight 0 are no rows),
        classes unless they are -1 and +1, and interrupted, diverged_at or stopped (which condition
        of `stop`, and at which step) if the run ended before its time.
    data : tuple of (X, y), or None
        The training data, the labels as -1 and +1, without rows of weight 0, so that `phases` and
        `refine` need not be given them. Not saved.
    probabilities : dict of str to ndarray of float64, shape (R,)
        Probability that a point of a population is classified correctly, of every population
        among the evaluation sets.
    evals : dict of str to (X, y), Pgd or population, or None
        The evaluation sets, so that `refine` need not be given them. Not saved. These and `data`
        are what training read: your own arrays, where those had not to be converted.
    feature_names : tuple of str, or None
        Names of the columns, of a run on a data frame that has them.
    start : ndarray of float64, shape (d + 1,), or None
        The weights that the run began with, the intercept last; None of files of before.
    values : dict of str to ndarray of float64, shape (R,)
        What the function `on_record` of `fastgrok.train` returned at every record, by name; NaN at
        records that it was not called for because it had failed.
    sample_weight : ndarray of float64, shape (n,), or None
        That of `fastgrok.train`, with what is 0 in it.
    """

    @described(plots.accuracy_curves, plots.grokking_marks)
    def plot(
        self,
        ax: Axes | None = None,
        *,
        limit: Limit | Literal["auto"] | None = None,
        evals: Mapping[str, EvaluationSet] | None = None,
        eps: float | Fraction | Decimal = 0.0,
    ) -> Axes:
        """Draw the run: its accuracies, the last errors below them, and the grokking times.

        On axes that are given the accuracies and the times alone.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. Default: a new figure of two panels, `plots.accuracy_curves` above
            `plots.error_curves`, both with `plots.grokking_marks`.
        limit, evals
            See `accuracy_curves`.
        eps
            See `grokking_marks`.

        Returns
        -------
        matplotlib.axes.Axes
            The axes with the accuracies; ``.figure`` has both panels. `fastgrok.plots` has more
            curves.

        Raises
        ------
        ValueError, TypeError, NotSeparableError
            As `plots.accuracy_curves` and `plots.grokking_marks`.
        """
        return overview(self, ax, limit, evals, eps)

    def to_pandas(self) -> pd.DataFrame:
        """Give the record as a table.

        Returns
        -------
        pandas.DataFrame
            Index ``step``; for every data set the columns ``loss_<name>``, ``accuracy_<name>`` and,
            but for populations, ``correct_<name>``; then ``b``, ``norm_w``, ``distance``,
            ``sharpness``, ``sharpness_mean``, ``regime`` and ``period``, and those of ``values``.
        """
        return tables.to_pandas(self)

    def to_xarray(self) -> xr.Dataset:
        """Give the record as a labelled data set.

        Returns
        -------
        xarray.Dataset
            ``loss``, ``accuracy`` and ``correct`` with dimensions (step, dataset), ``size``
            (dataset), the last two NaN for populations, and ``b``, ``norm_w``, ``distance``,
            ``sharpness``, ``sharpness_mean``, ``regime``, ``period`` and the names of ``values``
            (step); with stored weights also ``w`` (step, feature), and as the coordinate
            ``feature`` the names of the columns, where they have any. The attributes are ``params``
            in the types that files have: True and False as 1 and 0, integers beyond 32 bits as
            float. ``to_netcdf`` (with any engine) and ``to_zarr`` write it.
        """
        return tables.to_xarray(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to a file, atomically: there is never half a file.

        Parameters
        ----------
        path : str or path-like
            The file, used exactly as given; the format is NumPy's ``.npz``, without pickle.
            An existing file is replaced.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError
            If `path` is no path, or ``params`` holds what JSON cannot express.
        """
        file.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read a run that `save` wrote; all comes back to the last bit but the data sets.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        Trajectory
            The run, with ``data`` and ``evals`` None.

        Raises
        ------
        OSError
            If the file cannot be opened.
        ValueError
            If the file is damaged, is not a saved run, or is of an unknown version.
        TypeError
            If `path` is no path.
        """
        return cls(**file.load(path))

    def __repr__(self) -> str:
        """Summarise the run in a few lines."""
        return printing.summary(self)
