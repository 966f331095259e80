"""Units of columns, for linear programs whose numbers are to be near 1."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastgrok._checks import F64

Exponents: TypeAlias = NDArray[np.intc]

FAR = 1000
"""Powers of two beyond which a scale is as good as any other."""
_ALIKE = 3
"""Powers of two by which units may differ and be taken for the same."""
_MOST = 2.0**8
"""Largest coordinate of those solutions that are asked for where another has left a gap."""


def column_units(Z: F64) -> Iterator[tuple[Exponents, float]]:
    """
    Exponents of 2 that make columns about 1, then the shortest rows, and how large u may be.

    HiGHS takes entries of 1e-9 beside 1 for nothing. Columns may be made about 1 as they are, for
    which long rows count most, or in rows that are made so before, which lets a row with entries in
    short columns only decide for all. The middle of both comes first. Where it leaves a gap, large
    products may have cancelled that need not: other solutions, of u that are not large, come next.
    """
    units = np.zeros(Z.shape[1], dtype=np.intc)
    some = Z.any(axis=0)
    if not some.any():
        yield units, np.inf
        return
    Z = Z[Z.any(axis=1)][:, some]
    sizes = np.where(Z != 0.0, np.frexp(Z)[1], -4 * FAR)
    by_rows, alone = (sizes - sizes.max(axis=1, keepdims=True)).max(axis=0), sizes.max(axis=0)
    middle = (by_rows + alone) // 2
    ways = [(middle, np.inf), (middle, _MOST)]
    if np.ptp(by_rows - alone) > _ALIKE:
        ways += [(by_rows, _MOST), (alone, _MOST)]
    for columns, most in ways:
        units[some] = columns + (sizes - columns).max(axis=1).min()
        if np.isfinite(np.ldexp(Z, -units[some])).all():
            yield units.copy(), most
