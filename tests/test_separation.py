"""Separation: kind, rows and coefficients against rational programs, and each proof in fractions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from geometry_cases import small_sets
from separation_cases import assert_proved, truth


def assert_right(X, y, bias, model="logistic"):
    found = fg.separation(X, y, bias=bias, model=model)
    kind, rows, coefficients = truth(X, y, bias, model)
    assert found.kind == kind
    assert found.rows.tolist() == rows
    assert found.coefficients == coefficients
    assert_proved(X, y, bias, found, model)


@given(data=small_sets(9, divisors=(1, 7, 2**40)), bias=st.booleans())
def test_small_sets(data, bias):
    assert_right(*data, bias)


@given(data=small_sets(9), bias=st.booleans(), counts=st.lists(st.integers(0, 2), min_size=9))
def test_small_poisson_sets(data, bias, counts):
    X, _ = data
    assert_right(X, counts[: len(X)], bias, "poisson")
