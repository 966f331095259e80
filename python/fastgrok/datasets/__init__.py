"""
Data sets: those of the papers, and those of the models beside them.

Das et al. (2026), arXiv 2602.08302: points uniform on the cube [-a, a]^d, labelled by the side of
the hyperplane through the origin with unit normal w_true = (1, ..., 1)/sqrt(d), at least gamma/2
away from it (:func:`margin_cube`), or between gamma/2 and alpha gamma (:func:`concentrated`).

Beck et al. (2025), arXiv 2410.04489: Gaussian points of constant label (:func:`gaussian_noise`),
the two Gaussians they come from (:func:`two_gaussians`), two points on a line
(:func:`two_points`).

Gaussian points of any mean and spectrum, as two classes or labelled by a teacher or a logistic
model (:func:`gaussian_mixture`); label noise on any set (:func:`flip_labels`).

The same seed and the same NumPy give the same bits, for any number of threads. Where classes
are drawn apart, rows of class +1 come first; within a class, planted support vectors come first.

Coordinates of the cube's points are multiples of a power of two, ``params["lattice_step"]``: for
half_width = 5, 2^-49 at d = 2 and 2^-40 at d = 1024 in float64, 2^-21 in float32. It is chosen so
that float64 sums of a point's coordinates have no rounding error, in any order. What is said about
margins so holds exactly for the stored numbers, float32 ones too.
"""

from fastgrok.datasets._cube_recipes import concentrated, margin_cube
from fastgrok.datasets._dataset import Dataset
from fastgrok.datasets._flips import flip_labels
from fastgrok.datasets._gaussian_recipes import gaussian_noise, two_gaussians, two_points
from fastgrok.datasets._mixture_recipe import gaussian_mixture

__all__ = [
    "Dataset",
    "concentrated",
    "flip_labels",
    "gaussian_mixture",
    "gaussian_noise",
    "margin_cube",
    "two_gaussians",
    "two_points",
]
