"""Adversarial attacks on linear classifiers: the worst case, PGD, and what autodiff makes of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgrok import _checks
from fastgrok._checks import F64, frames
from fastgrok._checks.calls import helpful
from fastgrok._checks.docstrings import described
from fastgrok._core import Attack as CoreAttack
from fastgrok._core import Problem
from fastgrok.linear._margins import TIES, power_of_two, scaled
from fastgrok.linear.attacks._settings import radii, require_inside
from fastgrok.linear.attacks._settings import settings as checked_settings

RandomState = int | np.random.Generator | None
Bounds = str | tuple[ArrayLike, ArrayLike] | None


@dataclass(frozen=True)
class Attack:
    """
    Attacked rows, and what has become of them.

    Parameters
    ----------
    X_adv : ndarray of shape (n, d), float64
        The attacked rows: inside the bounds exactly, inside the ball up to rounding. float64 for
        float32 rows too, so that their margins are not blurred.
    is_adv : ndarray of shape (n,), bool
        Whether the attacked row is misclassified, rows included that were so before.
    margin : ndarray of shape (n,), float64
        y (X_adv . w + b), unnormalised: ``margins(X_adv, y, w, b, normalized=False)``.
    """

    X_adv: F64 = field(repr=False)
    is_adv: NDArray[np.bool_]
    margin: F64

    def __str__(self) -> str:
        """Say how many rows are misclassified, and the margins' range."""
        if not self.margin.size:
            return "Attack: no rows"
        return (
            f"Attack: {self.is_adv.sum()} of {_checks.plural(len(self.is_adv), 'row')} "
            f"misclassified, margins {self.margin.min():.4g} to {self.margin.max():.4g}"
        )


@helpful
def pgd(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    b: float = 0.0,
    *,
    norm: float = np.inf,
    eps: ArrayLike = 1.0,
    step_size: float = 0.25,
    steps: int = 20,
    random_start: bool = False,
    restarts: int = 1,
    bounds: Bounds = None,
    method: str = "pgd",
    random_state: RandomState = None,
    tie: str = "wrong",
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> Attack:
    """
    Attack every row, so as to lower its margin y (x . w + b) inside a ball around it.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Finite rows; float32 is read as it is, all else as float64.
    y : array_like of shape (n,)
        Labels of two classes, as `fastgrok.train` has them.
    w : array_like of shape (d,)
        Weights. Of zeros, no row moves (apart from a random start).
    b : float, default 0.0
        Bias.
    norm : {numpy.inf, 2, 1}, default numpy.inf
        Norm of the ball.
    eps : float or array_like of shape (n, 1), (n,) or (1, d), default 1.0
        Radius of the ball, at least 0, in the units of `X`; (n, 1) holds one for each row, and so
        does (n,) unless n = d; (1, d) one for each column, with norm inf alone.
    step_size : float, default 0.25
        Length of a step, in the same norm.
    steps : int, default 20
        Number of steps. "exact" takes none and ignores both.
    random_start : bool, default False
        Start from a point drawn uniformly from the ball, then clipped to the bounds, instead of
        from the row itself. Not for "exact".
    restarts : int, default 1
        Random starts to try; of each row the attack with the lowest margin is kept. Without
        `random_start` all would be the same, and one is made.
    bounds : None, "data" or (lo, hi), default None
        Attacked rows are clipped to the box lo <= x <= hi; each side is a number, possibly
        infinite, or an array of shape (d,). "data": the smallest and the largest entry of `X`.
        The rows themselves must lie inside.
    method : {"pgd", "exact", "autodiff32", "autodiff64"}, default "pgd"
        - "exact": the worst point of the ball, and of the box if there are bounds.
        - "pgd": steps along the true sign of the gradient, -y sign(w) (norm inf) or -y w / ||w||
          (norms 2 and 1), projected on the ball and clipped to the box after each. The gradient
          never vanishes, however confident the classifier is.
        - "autodiff32", "autodiff64": the same iteration, but with the gradient of the
          cross-entropy as automatic differentiation computes it in float32 or float64 at the
          point reached. It is exactly 0 where the sigmoid saturates, so that confident rows are
          not moved at all and seem robust (gradient masking). The attack follows foolbox's
          LinfPGD, L2PGD and L1PGD on the logits (0, x . w + b), step by step; whether it
          succeeded is decided in float64.
    random_state : int, numpy.random.Generator or None, default None
        Seed of the random starts. They are read from the SplitMix64 sequence of that seed by
        restart, row and column, so that they depend neither on threads nor on the method.
    tie : {"wrong", "negative"}, default "wrong"
        A logit of exactly 0 counts as wrong, or as class -1.
    classes : sequence of two labels, optional
        What the labels are called, the class of -1 first. Default: as `y` says.
    threads : int, optional
        Default, and in a child of fork, as `fastgrok.train` says. The result is the same to the
        last bit for any number.

    Returns
    -------
    Attack
        Attacked rows, whether they are misclassified, and their margins.

    Raises
    ------
    ValueError
        For wrong shapes and values, and rows outside the bounds.
    TypeError
        For arguments of the wrong type.

    Notes
    -----
    With norm inf the iteration is one clip of x(0) - y k a sign(w) to the ball and the box, k being
    the number of steps and a their size: k a is one product here, where a loop adds k times.

    With norm 1 a step goes along the gradient divided by its l_1 norm, and what leaves the ball is
    scaled back, as in foolbox. That is not the worst case even without bounds: "exact" puts the
    whole radius on the column with the largest weight, and what the bounds leave of it on the next.

    Examples
    --------
    >>> attack = pgd([[2.0, 1.0], [0.5, 0.0]], [1, 1], [1.0, -1.0], eps=0.25)
    >>> attack.X_adv
    array([[1.75, 1.25],
           [0.25, 0.25]])
    >>> attack.is_adv
    array([False,  True])
    """
    rows, signs = _checks.data(X, y, classes=classes)
    settings = checked_settings(
        rows, norm, eps, step_size, steps, random_start, restarts, bounds, method, random_state
    )
    require_inside(rows, settings.box)
    weights, bias = _hyperplane(X, rows, w, b, settings.method)
    negative = _checks.choice("tie", tie, TIES) == "negative"
    count = _checks.threads(threads)
    attacked = settings.of(Problem(rows, signs, True)).points(weights, bias, count)
    # Decided with (w, b) scaled, which keeps the products in range and changes no sign.
    exponent = power_of_two(np.abs(weights).max(), abs(bias))
    margin = Problem(attacked, signs, True).margins(*scaled(weights, bias, exponent), count)
    correct = margin > 0.0
    if negative:
        correct |= (margin == 0.0) & (signs < 0.0)
    with np.errstate(over="ignore", under="ignore"):
        return Attack(X_adv=attacked, is_adv=~correct, margin=np.ldexp(margin, exponent))


@described(pgd)
@helpful
def adversarial_accuracy(
    X: ArrayLike,
    y: ArrayLike,
    w: ArrayLike,
    b: float = 0.0,
    *,
    norm: float = np.inf,
    eps: ArrayLike = 1.0,
    step_size: float = 0.25,
    steps: int = 20,
    random_start: bool = False,
    restarts: int = 1,
    bounds: Bounds = None,
    method: str = "exact",
    random_state: RandomState = None,
    eps_grid: ArrayLike | None = None,
    tie: str = "wrong",
    classes: Sequence[Any] | None = None,
    threads: int | None = None,
) -> float | F64:
    """
    Fraction of the rows that are classified correctly after the attack.

    Nothing as large as `X` is stored. Where the attack has a closed form (norm inf without a random
    start; norm 2, and the worst case of norm 1, without bounds) it costs little more than the
    margins: one pass over the rows, whatever the number of steps and radii.

    Parameters
    ----------
    X, y, w, b, norm, eps, step_size, steps, random_start, restarts, bounds
        See `pgd`.
    method : {"exact", "pgd", "autodiff32", "autodiff64"}, default "exact"
        See `pgd`. The accuracy under "exact" is one that no attack inside the ball can lower.
    random_state
        See `pgd`.
    eps_grid : array_like of shape (k,), optional
        Radii to be tried one by one on all rows, in one pass; `eps` is then without effect, and
        must not be an array.
    tie, classes, threads
        See `pgd`.

    Returns
    -------
    float, or ndarray of shape (k,) with `eps_grid`
        In [0, 1], exact counts divided by n.

    Raises
    ------
    ValueError
        For wrong shapes and values, and rows outside the bounds.
    TypeError
        For arguments of the wrong type.

    Examples
    --------
    >>> X, y, w = [[2.0, 1.0], [0.5, 0.0]], [1, 1], [1.0, -1.0]
    >>> adversarial_accuracy(X, y, w, eps=0.25)
    0.5
    >>> adversarial_accuracy(X, y, w, eps_grid=[0.0, 0.25, 0.5])
    array([1. , 0.5, 0. ])
    """
    rows, signs = _checks.unread_data(X, y, classes)
    settings = checked_settings(
        rows, norm, eps, step_size, steps, random_start, restarts, bounds, method, random_state
    )
    if eps_grid is not None:
        if settings.radius_by_row or settings.radius_by_column:
            raise ValueError(
                "eps_grid holds radii for all rows alike: leave eps out, "
                f"got {_checks.show(np.asarray(eps))}"
            )
        settings = settings._replace(radii=radii("eps_grid", eps_grid, None))
    weights, bias = _hyperplane(X, rows, w, b, settings.method)
    negative = _checks.choice("tie", tie, TIES) == "negative"
    attack = settings.of(Problem(rows, signs, True))
    _, correct, sound = attack.evaluate(
        weights, bias, "logistic", negative, _checks.threads(threads)
    )
    if not sound:  # or a margin has overflowed: then nothing is wrong with the rows
        _checks.finite("X", rows, frames.place(X))
        require_inside(rows, settings.box)
    fraction = correct / len(rows)
    return float(fraction[0]) if eps_grid is None else fraction


@described(adversarial_accuracy)
class Pgd:
    """
    A data set under attack, to be evaluated in :func:`fastgrok.train`.

    ``train(..., evals={"attacked": Pgd(X, y, eps=0.5)})`` records at every record the accuracy, and
    the loss at the attacked rows, when an adversary who knows the weights of that moment attacks
    the rows. Nothing as large as `X` is stored. A random start is the same at every record, and
    `tie` is that of the run.

    Parameters
    ----------
    X, y, norm, eps, step_size, steps, random_start, restarts, bounds, method, random_state, classes
        See `adversarial_accuracy`.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        The rows.
    y : ndarray of shape (n,), float64
        Their labels, as -1 and +1.
    class_names : tuple
        What the labels were called, the class of -1 first: a run has them for the classes of its
        own.
    feature_names : tuple of str, or None
        Names of the columns, where `X` is a data frame that has them.

    Raises
    ------
    ValueError
        For wrong shapes and values, and rows outside the bounds.
    TypeError
        For arguments of the wrong type.

    Examples
    --------
    >>> import fastgrok as fg
    >>> data = fg.datasets.margin_cube((100, 100), dim=2, seed=0)
    >>> tests = {"attacked": Pgd(data.X, data.y, eps=1.0)}
    >>> run = fg.train(data.X, data.y, steps=100, lr=0.1, evals=tests)
    >>> bool(run.accuracy["attacked"][-1] <= run.accuracy["train"][-1])
    True
    """

    @helpful
    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        norm: float = np.inf,
        eps: ArrayLike = 1.0,
        step_size: float = 0.25,
        steps: int = 20,
        random_start: bool = False,
        restarts: int = 1,
        bounds: Bounds = None,
        method: str = "exact",
        random_state: RandomState = None,
        classes: Sequence[Any] | None = None,
    ) -> None:
        (self.X, self.y), self.class_names = _checks.called_data(X, y, classes)
        self.feature_names = frames.features(X)
        self._settings = checked_settings(
            self.X, norm, eps, step_size, steps, random_start, restarts, bounds, method,
            random_state,
        )  # fmt: skip
        require_inside(self.X, self._settings.box)

    def __repr__(self) -> str:
        """Say what is attacked and how."""
        s = self._settings
        along = "by row" if s.radius_by_row else "by column"
        one = not (s.radius_by_row or s.radius_by_column)
        radius = float(s.radii[0]) if one else along
        box = "" if s.box is None else ", with bounds"
        return (
            f"Pgd({_checks.plural(len(self.X), 'row')}, "
            f"{_checks.plural(self.X.shape[1], 'column')}: {s.method}, {s.ball} ball, "
            f"eps {radius}{box})"
        )

    def _with(self, signs: F64) -> Pgd:
        """Return the same attack on rows with these labels."""
        if np.array_equal(self.y, signs):
            return self
        out = copy.copy(self)
        out.y, out.class_names = signs, _checks.SIGNS
        return out

    def _evaluator(self, problem: Problem) -> CoreAttack:
        return self._settings.of(problem)

    def _describe(
        self, prefix: str, settings: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> None:
        """Add all that the bits of the attack depend on to the identity of a run."""
        for name, value in self._settings._asdict().items():
            if name == "radii":
                arrays[prefix + name] = value
            elif name == "seed":  # drawn afresh if it was not given, and only random starts ask
                settings[prefix + "random_state"] = value if self._settings.random_start else None
            elif name == "box":
                settings[prefix + "bounds"] = value is not None
                for side, ends in zip(("lowest", "highest"), value or (), strict=False):
                    arrays[prefix + side] = ends
            else:
                settings[prefix + name] = value


def _hyperplane(
    X: ArrayLike, rows: NDArray[Any], w: ArrayLike, b: object, method: str
) -> tuple[F64, float]:
    weights = _checks.coefficients("w", w, rows.shape[1], X)
    bias = _checks.real("b", b)
    largest = max(float(np.abs(weights).max()), abs(bias))
    if method == "autodiff32" and largest > float(np.finfo(np.float32).max):
        raise ValueError(f"method='autodiff32' needs w and b within float32, got {largest}")
    return weights, bias
