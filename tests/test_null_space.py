"""Directions that are exactly orthogonal to rows, against ranks in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastgrok.geometry import _null_space
from fastgrok.geometry._null_space import exact_null_space
from geometry_cases import rank


@given(
    st.integers(1, 12), st.integers(1, 7), st.integers(0, 7), st.integers(0, 10**6),
    st.sampled_from((0, 30, 300)), st.sampled_from((1, 3, 4096)),
)  # fmt: skip
def test_all_directions_are_found(n, dim, inner, seed, exponents, at_once):
    """Of whole rows of any rank, each in a unit of its own, zeros and repeated ones among them."""
    rng = np.random.default_rng(seed)
    inner = min(inner, dim)
    rows = rng.integers(-9, 10, size=(n, inner)) @ rng.integers(-3, 4, size=(inner, dim)) * 1.0
    rows[rng.random(n) < 0.2] = 0.0
    rows = np.ldexp(rows, rng.integers(-exponents, exponents + 1, size=(n, 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_null_space, "_AT_ONCE", at_once)
        found = exact_null_space(rows).basis
    assert len(found) == dim - rank([[Fraction(x) for x in row] for row in rows.tolist()])
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-14)
    sizes = np.abs(rows).max(axis=1, keepdims=True)
    np.testing.assert_allclose(
        (rows / np.where(sizes > 0.0, sizes, 1.0)) @ found.T, 0.0, atol=1e-14
    )


def test_what_is_not_exact_is_not_taken_for_it():
    """A row that misses the direction by the last bit of one entry."""
    rows = np.array([[1.0, 1.0, 0.0], [3.0, 3.0, 1.0], [1.0, 1.0 + 2.0**-52, 0.0]])
    assert exact_null_space(rows[:2]).basis.shape == (1, 3)
    assert exact_null_space(rows).basis.shape == (0, 3)


def test_no_rows_leave_everything():
    np.testing.assert_array_equal(exact_null_space(np.zeros((2, 3))).basis, np.eye(3))
