"""The answer to a question that has none."""

from __future__ import annotations

from typing import Any

from fastgrok.errors import FastgrokError
from fastgrok.geometry._separability import Separability


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
