"""The paper's setting, the numbers it states, and how large the reproduction is."""

from dataclasses import dataclass

SIGMA = 5.0
LEARNING_RATE = 0.01

#: Ratios d / N of the paper's learning curves, on either side of the transition.
BELOW, ABOVE = 0.48, 0.52

#: Accuracy on the population whose time is the grokking time.
ACCURACY = 0.95

#: Least-squares slope of sqrt(log(t_gen / t_train)) against |log(1 - 2 lambda)| in Figure 9.
SLOPE = 0.5**0.5

#: Ratios of the sweep, closer together around 1/2.
RATIOS = (
    0.1, 0.2, 0.3, 0.35, 0.4, 0.42, 0.44, 0.45, 0.46, 0.47,
    0.48, 0.49, 0.5, 0.51, 0.52, 0.54, 0.56, 0.6, 0.7, 0.8,
)  # fmt: skip
FEW_RATIOS = (0.2, 0.3, 0.4, 0.45, 0.48, 0.5, 0.52, 0.55, 0.6, 0.8)

#: Steps of a learning curve, and of a run of the sweep: the last is far enough that accuracies
#: have come close to their limits, which they approach like 1/log t.
CURVE_STEPS = 1e12
SWEEP_STEPS = 1e60

#: Steps to which the sweep at the paper's own size is shown, and farther ones for which runs on the
#: separable side of 1/2 that are this near to it go on, so that their weights separate the points.
WIDE_STEPS, LONGER_STEPS = 1e7, 1e20
WIDE_NEAR = 0.05
#: Points and draws of the smaller sets beside it.
BESIDE = 4000, 10


@dataclass(frozen=True)
class Size:
    """
    How much is computed at a scale.

    Attributes
    ----------
    curve_points, curve_seeds : int
        Points N and draws of the learning curves.
    sweep_points, sweep_seeds : int
        Points N and draws of the sweeps over lambda.
    ratios : tuple of float
        Values of lambda of the sweeps.
    dtype : str
        Of the points: float32 halves the memory of the largest.
    wide : tuple of (int, int)
        Points and draws of the sweeps over lambda to `WIDE_STEPS`; by default there are none.
    """

    curve_points: int
    curve_seeds: int
    sweep_points: int
    sweep_seeds: int
    ratios: tuple[float, ...]
    dtype: str = "float64"
    wide: tuple[tuple[int, int], ...] = ()


SIZES = {
    "quick": Size(400, 3, 200, 4, FEW_RATIOS),
    "default": Size(4000, 10, 1000, 10, RATIOS, "float32"),
    "full": Size(40_000, 1, 1000, 20, RATIOS, "float32", (BESIDE, (40_000, 1))),
}
