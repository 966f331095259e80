"""The answer to a question that has none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64, sparse
from fastgrok.errors import FastgrokError
from fastgrok.geometry._separability import Separability, decide
from fastgrok.geometry._solution import MODELS

_SMALLEST = -500
"""Exponent of 2 below which the squares of the weights leave float64."""


class NotSeparableError(FastgrokError):
    """No hyperplane has every row strictly on its label's side.

    Parameters
    ----------
    message : str
        What was asked for.
    certificate : Separability
        The proof.

    Attributes
    ----------
    certificate : Separability
        The proof: convex weights that give the origin.
    """

    certificate: Separability

    def __init__(self, message: str, certificate: Separability) -> None:
        super().__init__(message)
        self.certificate = certificate

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with all arguments, so that the error crosses process boundaries."""
        return type(self), (str(self), self.certificate)


def refuse_if_not_separable(X: NDArray[Any], y: F64, kind: str, threads: int) -> bool:
    """
    Raise NotSeparableError if there is proof that no hyperplane separates these rows.

    Else whether one is proved to.
    """
    certificate = decide(X, y, kind != "none", threads)
    if certificate.verdict in ("boundary", "interior"):
        where = "in the interior" if certificate.verdict == "interior" else "on the boundary"
        raise NotSeparableError(
            f"the rows are not separable {MODELS[kind]}: the origin is {where} of the "
            "convex hull of "
            f"{'y_i x_i' if kind == 'none' else 'y_i (x_i, 1)'}",
            certificate,
        )
    return certificate.separable


def none_found(X: NDArray[Any], kind: str, separable: bool | None) -> Exception:
    """Why no margin was found: the dual coefficients are of the size of 1 / |X|^2."""
    if np.frexp(sparse.largest(X))[1] < _SMALLEST:
        return ValueError("X is too small for weights in float64: multiply it by some number")
    return FastgrokError(
        f"the rows {'are' if separable else 'may be'} separable {MODELS[kind]}, "
        "but no margin was found in float64, for the rows are too long for it, or the units of "
        "the columns too different"
    )
