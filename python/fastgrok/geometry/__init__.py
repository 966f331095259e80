"""Maximum margins, linear separability and rows of a kernel, each with a certificate."""

from fastgrok.geometry._errors import NotSeparableError
from fastgrok.geometry._exact import exact_rank
from fastgrok.geometry._kernel_rows import KernelRows, kernel_rows
from fastgrok.geometry._least_norm import least_with_margins
from fastgrok.geometry._max_margin import NORMS, max_margin
from fastgrok.geometry._null_space import exact_null_space
from fastgrok.geometry._regularized import Limit, regularized_limit
from fastgrok.geometry._separability import Separability, decide, separability
from fastgrok.geometry._solution import MaxMargin
from fastgrok.geometry.recession import Separation, separation

__all__ = [
    "NORMS",
    "KernelRows",
    "Limit",
    "MaxMargin",
    "NotSeparableError",
    "Separability",
    "Separation",
    "decide",
    "exact_null_space",
    "exact_rank",
    "kernel_rows",
    "least_with_margins",
    "max_margin",
    "regularized_limit",
    "separability",
    "separation",
]
