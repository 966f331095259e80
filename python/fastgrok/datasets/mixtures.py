"""The laws of Gaussian points with labels that :func:`gaussian_mixture` draws from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks import F64

LABELS = ("classes", "teacher", "logistic")
_LARGEST = 1e30  # of a coordinate: well inside the range of float32
_FORMS = "'isotropic', ('power', a), ('spiked', k, s) or an array of eigenvalues"


@dataclass(frozen=True, eq=False)
class MixtureLaw:
    """
    A law of labelled Gaussian points, in any number of dimensions that its arrays allow.

    Attributes
    ----------
    mu : float or (d,) array
        The vector m, or its first coordinate where all others are 0.
    spectrum : "isotropic", ("power", a), ("spiked", k, s) or (d,) array
        Variances of the coordinates.
    labels : {"classes", "teacher", "logistic"}
        What m is: see :func:`fastgrok.datasets.gaussian_mixture`.
    """

    mu: float | F64
    spectrum: str | tuple[Any, ...] | F64
    labels: str

    @classmethod
    def checked(cls, mu: object, spectrum: object, labels: object) -> MixtureLaw:
        """Check the arguments as far as that goes without a number of dimensions."""
        kind = _checks.choice("labels", labels, LABELS)
        return cls(_mean(mu), _spectrum(spectrum), kind)

    def problem(self, dim: int) -> str | None:
        """Say why there is no such law in `dim` dimensions, if there is none."""
        for name, value in (("mu", self.mu), ("spectrum", self.spectrum)):
            if isinstance(value, np.ndarray) and value.size != dim:
                return f"{name} must have length {dim}, got length {value.size}"
        if isinstance(self.spectrum, tuple) and self.spectrum[0] == "spiked":
            spikes = self.spectrum[1]
            if spikes > dim:
                return f"spectrum must have at most {dim} spikes, got {spikes}"
        if self.labels == "teacher" and not np.any(self.mean(dim) * self.variances(dim)):
            return "mu must have a coordinate where neither it nor spectrum is 0: it is the teacher"
        return None

    def mean(self, dim: int) -> F64:
        """Return the vector m, of shape (dim,)."""
        if isinstance(self.mu, np.ndarray):
            return self.mu
        out = np.zeros(dim)
        out[0] = self.mu
        return out

    def variances(self, dim: int) -> F64:
        """Variances of the coordinates, of shape (dim,)."""
        if isinstance(self.spectrum, np.ndarray):
            return self.spectrum
        out = np.ones(dim)
        if isinstance(self.spectrum, tuple):
            name, *numbers = self.spectrum
            if name == "spiked":
                out[: numbers[0]] = numbers[1]
            else:
                with np.errstate(under="ignore"):
                    out = np.arange(1.0, dim + 1.0) ** -numbers[0]
                    out *= dim / math.fsum(out)
        return out

    def params(self) -> dict[str, Any]:
        """Return the arguments as JSON values."""
        spectrum = self.spectrum
        return {
            "mu": self.mu.tolist() if isinstance(self.mu, np.ndarray) else self.mu,
            "spectrum": spectrum.tolist()
            if isinstance(spectrum, np.ndarray)
            else list(spectrum)
            if isinstance(spectrum, tuple)
            else spectrum,
            "labels": self.labels,
        }


def _mean(value: Any) -> float | F64:
    if _is_scalar(value):
        mu: float | F64 = _checks.real("mu", value)
    else:
        mu = _frozen(_checks.vector("mu", value))
    if np.max(np.abs(mu)) > _LARGEST:
        raise ValueError(
            f"mu must be at most {_LARGEST:g} in absolute value, got {_checks.show(value)}"
        )
    return mu


def _spectrum(value: Any) -> str | tuple[Any, ...] | F64:
    if isinstance(value, str):
        if value != "isotropic":
            raise ValueError(f"spectrum must be {_FORMS}, got {value!r}")
        return value
    if isinstance(value, tuple | list) and value and isinstance(value[0], str):
        name, *numbers = value
        if name == "power" and len(numbers) == 1:
            exponent = _checks.real("spectrum[1]", numbers[0])
            if exponent < 0.0:
                raise ValueError(f"spectrum[1] must be at least 0, got {exponent!r}")
            return name, exponent
        if name == "spiked" and len(numbers) == 2:
            spike = _checks.real("spectrum[2]", numbers[1])
            _require_variances(np.array([spike]), "spectrum[2]")
            return name, _checks.whole("spectrum[1]", numbers[0], minimum=0), spike
        raise ValueError(f"spectrum must be {_FORMS}, got {_checks.show(value)}")
    if _is_scalar(value):
        raise TypeError(f"spectrum must be {_FORMS}, got {_checks.show(value)}")
    return _frozen(_require_variances(_checks.vector("spectrum", value), "spectrum"))


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, tuple | list) and getattr(value, "ndim", 0) == 0


def _require_variances(values: F64, name: str) -> F64:
    """Refuse variances whose roots, in float32, would underflow or overflow."""
    good = (values == 0.0) | ((values >= _LARGEST**-2) & (values <= _LARGEST**2))
    if not good.all():
        raise ValueError(
            f"{name} must be 0 or lie in {_LARGEST**-2:g}..{_LARGEST**2:g}, "
            f"got {float(values[np.argmin(good)])!r}"
        )
    return values


def _frozen(array: NDArray[np.float64]) -> F64:
    out = array.copy()
    out.flags.writeable = False
    return out
