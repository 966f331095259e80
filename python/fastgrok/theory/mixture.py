r"""
Gaussian points as two classes, or labelled by a teacher or a logistic model, with label noise.

The laws that :func:`fastgrok.datasets.gaussian_mixture` and `flip_labels` draw from, as evaluation
sets in closed form.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from fastgrok import _checks
from fastgrok._checks.docstrings import described
from fastgrok._checks.populations import Population, flip_probability
from fastgrok.datasets import Dataset
from fastgrok.datasets.mixtures import MixtureLaw
from fastgrok.theory._arguments import F64
from fastgrok.theory._mixture_law import LOSSES, mean_loss, right_share
from fastgrok.theory._population_loss import gaussian_loss

__all__ = ["GaussianMixture"]


class _Seen(NamedTuple):
    """
    What the logits of a population are made of.

    Attributes
    ----------
    along, across, spread : ndarray of shape (R,)
        Sigma^{1/2} w along Sigma^{1/2} m, the norm of its rest, and that of all of it.
    shift : ndarray of shape (R,)
        w . m.
    gain : float
        Standard deviation of m . x, infinite for a teacher.
    """

    along: F64
    across: F64
    spread: F64
    shift: F64
    gain: float


_SIGNS = np.array([[1.0], [-1.0]])


class GaussianMixture(Population):
    r"""
    The population of `gaussian_mixture`, as an evaluation set of `fastgrok.train`.

    With m the vector `mu`, Sigma = diag(`spectrum`) and z ~ N(0, I_d):

    - "classes": x = y m + Sigma^{1/2} z, both classes equally frequent;
    - "teacher": x = Sigma^{1/2} z, y = sign(m . x);
    - "logistic": x = Sigma^{1/2} z, y = +1 with probability 1 / (1 + exp(-m . x));

    and every label is then flipped with probability `flip`.

    Parameters
    ----------
    mu : float or (d,) array_like
        The vector m; a number stands for (mu, 0, ..., 0).
    spectrum : "isotropic", ("power", a), ("spiked", k, s) or (d,) array_like
        Variances of the coordinates, as :func:`fastgrok.datasets.gaussian_mixture` has them.
    labels : {"classes", "teacher", "logistic"}, default "classes"
        Where labels come from, as above.
    flip : float, default 0.0
        Probability of a flipped label, in [0, 1].

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; from `train`, if there is no such law in as many columns.

    See Also
    --------
    of : The same from a data set.

    Notes
    -----
    Let s = ||Sigma^{1/2} w||, and rho the correlation of w . x with m . x where x has one mean. The
    accuracy A without flips, with them A + flip (1 - 2 A), is to about 1e-15

    - "classes": the mean over y of Phi((w . m + y b) / s);
    - "teacher": 1/2 + 2 T(b / s, rho / sqrt(1 - rho^2)), T being Owen's function
      (``scipy.special.owens_t``): 1 - arccos(rho) / pi without a bias;
    - "logistic": an integral over m . x, by Gauss's rule on panels.

    Expected losses have relative errors of about 1e-12, for w of any length, as far as rho is
    known: from the rounding of w, that of a student who is nearly the teacher, its logits at the
    teacher's boundary being of the order of 1, has one of about 1e-16 s. Those of "classes" are
    those of a Gaussian margin
    (:func:`fastgrok.theory.edge.population_loss`). The exponential loss of a teacher's labels is
    2 cosh(b) e^{s^2/2} Phi(-rho s), infinite where it is beyond float64; their squared loss is
    1 + b^2 + s^2 - 2 (1 - 2 flip) sqrt(2/pi) rho s. The others are integrals over one variable, on
    panels that shrink towards the places where the integrand bends; a record takes about a
    millisecond.

    Examples
    --------
    >>> import fastgrok as fg
    >>> clean = fg.datasets.gaussian_mixture(300, 20, mu=1.0, labels="teacher")
    >>> noisy = fg.datasets.flip_labels(clean, 0.1)
    >>> tests = {"clean": GaussianMixture.of(clean), "noisy": GaussianMixture.of(noisy)}
    >>> run = fg.train(noisy.X, noisy.y, steps=1000, lr=0.1, evals=tests)
    >>> run.accuracy["clean"][-1].round(2), run.accuracy["noisy"][-1].round(2)
    (np.float64(0.89), np.float64(0.81))
    """

    losses: ClassVar[tuple[str, ...]] = LOSSES
    needs_weights: ClassVar[bool] = True

    def __init__(
        self,
        mu: ArrayLike,
        spectrum: Any = "isotropic",
        labels: Literal["classes", "teacher", "logistic"] = "classes",
        *,
        flip: float = 0.0,
    ) -> None:
        self._law = MixtureLaw.checked(mu, spectrum, labels)
        self.flip = flip_probability(flip)

    @classmethod
    def of(cls, data: Dataset) -> GaussianMixture:
        """
        Return the law that a data set was drawn from, flipped labels included.

        Parameters
        ----------
        data : Dataset
            Made by :func:`fastgrok.datasets.gaussian_mixture`, and then by
            :func:`fastgrok.datasets.flip_labels` any number of times.

        Returns
        -------
        GaussianMixture
            For clean tests of a run on noisy labels, that of the set before the flips.

        Raises
        ------
        TypeError, ValueError
            If `data` is no such data set.
        """
        if not isinstance(data, Dataset):
            raise TypeError(f"data must be a Dataset, got {_checks.show(data)}")
        params = data.params
        if params.get("recipe") != "gaussian_mixture":
            raise ValueError(
                "data must be made by gaussian_mixture, got the recipe "
                f"{_checks.show(params.get('recipe'))}"
            )
        drawn: dict[int, list[float]] = {}
        for one in params.get("flips", []):
            drawn.setdefault(one["seed"], []).append(one["probability"])
        kept = 1.0
        for same in drawn.values():
            same.sort(reverse=True)  # of one seed, rows flipped an even number of times are not
            kept *= 1.0 - 2.0 * (sum(same[::2]) - sum(same[1::2]))
        return cls(params["mu"], params["spectrum"], params["labels"], flip=0.5 - 0.5 * kept)

    def __repr__(self) -> str:
        """Say which population."""
        law = ", ".join(f"{name}={_checks.show(v)}" for name, v in self._law.params().items())
        return f"GaussianMixture({law}, flip={self.flip!r})"

    def check_columns(self, prefix: str, columns: int) -> None:
        """Refuse arrays of another length, more spikes than columns, and a teacher that is 0."""
        if (problem := self._law.problem(columns)) is not None:
            raise ValueError(f"{prefix}has no law in {columns} columns: {problem}")

    def accuracies(self, norm_w: F64, b: F64, weights: F64 | None, tie: str) -> F64:
        """Accuracy at every record, as `curves` has it."""
        assert weights is not None
        return self._accuracies(self._project(weights), b, tie)

    @described(Population.curves)
    def curves(
        self, norm_w: F64, b: F64, weights: F64 | None, loss: str, tie: str
    ) -> tuple[F64, F64]:
        """
        Accuracy and loss at every record.

        Parameters
        ----------
        norm_w, b, weights, loss, tie
            See `curves`.
        """
        assert weights is not None
        seen = self._project(weights)
        accuracy = self._accuracies(seen, b, tie)
        if self._law.labels == "classes":
            logits = -(_SIGNS * b + seen.shift)
            # A share of 0 has no part in the mean, not even of an infinite loss.
            means = sum(
                share * gaussian_loss(sign * logits, seen.spread, loss)
                for share, sign in ((1.0 - self.flip, 1.0), (self.flip, -1.0))
                if share > 0.0
            )
            return accuracy, np.mean(means, axis=0)
        found = [
            mean_loss(*record, seen.gain, self.flip, loss)
            for record in zip(seen.along.tolist(), seen.across.tolist(), b.tolist(), strict=True)
        ]
        return accuracy, np.array(found, dtype=np.float64)

    def _project(self, weights: F64) -> _Seen:
        mean = self._law.mean(weights.shape[1])
        deviations = np.sqrt(self._law.variances(weights.shape[1]))
        direction = deviations * mean
        gain = float(np.linalg.norm(direction))
        if gain > 0.0:
            direction /= gain
        exponents = np.frexp(np.abs(weights).max(axis=1))[1]  # squares might overflow
        scaled = np.ldexp(weights, -exponents[:, None])
        stretched = scaled * deviations
        along = stretched @ direction
        across = np.linalg.norm(stretched - along[:, None] * direction, axis=1)
        with np.errstate(over="ignore", under="ignore"):
            return _Seen(
                np.ldexp(along, exponents),
                np.ldexp(across, exponents),
                np.ldexp(np.linalg.norm(stretched, axis=1), exponents),
                np.ldexp(scaled @ mean, exponents),
                np.inf if self._law.labels == "teacher" else gain,
            )

    def _accuracies(self, seen: _Seen, b: F64, tie: str) -> F64:
        sure = seen.spread > 0.0
        if self._law.labels == "classes":
            margins = seen.shift + _SIGNS * b
            with np.errstate(all="ignore"):
                right = np.where(sure, ndtr(margins / seen.spread), margins > 0.0)
            undecided = ~sure & (margins == 0.0)
        else:
            records = zip(seen.along.tolist(), seen.across.tolist(), b.tolist(), strict=True)
            # Where w sees no point, one half of them is right.
            right = np.array(
                [right_share(*r, seen.gain) if sure[i] else 0.5 for i, r in enumerate(records)]
            ) * np.ones((2, 1))
            undecided = ~sure & (b == 0.0) & np.ones((2, 1), dtype=bool)
        share = right + self.flip * (1.0 - 2.0 * right)
        negative = np.where(_SIGNS > 0.0, self.flip, 1.0 - self.flip)
        share = np.where(undecided, negative if tie == "negative" else 0.0, share)
        return np.asarray(share.mean(axis=0))
