"""Label noise."""

from __future__ import annotations

import dataclasses

import numpy as np

from fastgrok import _checks
from fastgrok._checks.calls import helpful
from fastgrok.datasets._dataset import Dataset

# A child of the seed that no recipe draws from: flips must not depend on the points, whose recipe
# may have had the same seed.
_CHILD = 2**32 - 1


@helpful
def flip_labels(data: Dataset, probability: float, *, seed: int = 0) -> Dataset:
    """
    Flip every label with the same probability, independently.

    Parameters
    ----------
    data : Dataset
        Any data set; ``Dataset(X, y)`` makes one of arrays.
    probability : float
        In [0, 1].
    seed : int, default 0
        At least 0. The i-th row's fate depends on `probability`, `seed` and i alone; rows flipped
        with a probability are flipped with every larger one.

    Returns
    -------
    Dataset
        Of the same X, not copied. ``flipped`` has the rows whose labels are no longer the original
        ones, ``params["flips"]`` all that was done: a list of probability, seed and the NumPy that
        drew. ``w_true`` stays, being the normal of the hyperplane that the original labels come
        from. Where any label is flipped ``gamma`` is None and ``support`` empty: no margin is left.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.

    Notes
    -----
    The same call on its result undoes it.

    Examples
    --------
    >>> import fastgrok as fg
    >>> clean = fg.datasets.gaussian_mixture(1000, 20, mu=1.0)
    >>> noisy = fg.datasets.flip_labels(clean, 0.1)
    >>> noisy
    Dataset(gaussian_mixture, (1000, 20) float64, 509 of +1 and 491 of -1, 111 flipped)
    >>> bool((noisy.y[noisy.flipped] == -clean.y[noisy.flipped]).all())
    True
    """
    if not isinstance(data, Dataset):
        raise TypeError(
            f"data must be a Dataset, got {_checks.show(data)}: make one with Dataset(X, y)"
        )
    chance = _checks.real("probability", probability)
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"probability must lie in [0, 1], got {_checks.show(probability)}")
    number = _checks.whole("seed", seed, minimum=0)
    stream = np.random.SeedSequence(number, spawn_key=(_CHILD,))
    drawn = np.random.Generator(np.random.SFC64(stream)).random(len(data.y))
    rows = np.flatnonzero(drawn < chance)
    y = data.y.copy()
    y[rows] *= -1.0
    flip = {"probability": chance, "seed": number, "numpy": np.__version__}
    changed: dict[str, object] = {"gamma": None, "support": data.support[:0]} if rows.size else {}
    return dataclasses.replace(
        data,
        y=y,
        flipped=np.setxor1d(data.flipped, rows),
        params={**data.params, "flips": [*data.params.get("flips", []), flip]},
        **changed,  # type: ignore[arg-type]
    )
