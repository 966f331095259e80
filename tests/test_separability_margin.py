"""The margin of a separator, against fractions."""

from fractions import Fraction

import numpy as np
import pytest

import fastgrok as fg
from geometry_cases import dot, extended

LEAST = float(np.nextafter(0.0, 1.0))


@pytest.mark.parametrize(
    "X",
    [
        [[1.0, LEAST], [-1.0, LEAST]],
        [[1.0, LEAST], [-1.0, LEAST], [1e300, -1e-300]],
        [[1.0, 1e-300], [-1.0, 1e-300], [1e300, -1e-300]],
        [[LEAST, 0.0], [0.0, LEAST]],
        [[1e-320, 2e-320], [1e-322, -5e-324]],
        [[1e300, 1e-300], [-1e300, 1e-300]],
        [[1e308, 1e308], [-1e308, 1e308]],
    ],
)
def test_it_is_positive_where_the_verdict_is_separable(X):
    found = fg.separability(X)
    assert found.separable
    vector = found.separator or [Fraction(v) for v in found.w.tolist()]
    least = min(dot(row, vector) for row in extended(X, np.ones(len(X)), False))
    margin = Fraction(found.margin)
    assert margin > 0
    # Up to the spacing of the least floats.
    wanted = least**2 / dot(vector, vector)
    slack = Fraction(1, 10**12) * margin + Fraction(LEAST)
    assert max(margin - slack, 0) ** 2 <= wanted <= (margin + slack) ** 2
