"""The page on certificates: its programs run, and say no where they must."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastgrok as fg

PAGE = Path(__file__).parents[1] / "docs" / "certificates.md"


@pytest.fixture(scope="module")
def page():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), names)
    return names


def test_separators(page):
    X = [[2.0**60, 1.0], [-(2.0**60), 1.0]]
    found = fg.separability(X)
    assert page["separates"](X, [1, 1], False, found)
    assert not page["separates"](X, [1, -1], False, found)
    assert not page["touches"](X, [1, 1], False, found)


def test_weights(page):
    X, y = np.array([[1.0, 0.0], [0.0, 1.0], [-3.0, -1.0], [1.0, 1.0]]), np.ones(4)
    found = fg.separability(X)
    assert page["balances"](X, y, False, found)
    assert page["spans"](X, y, False, found)
    wrong = replace(found, weights=np.array([0.5, 0.5, 0.0, 0.0]))
    assert not page["balances"](X, y, False, wrong)


def test_more_weights_than_their_rows_need(page):
    """Rows that are nearly opposite: not every correction keeps the weights positive."""
    X = np.array([[999998, 999998], [1000000, 999998], [999999, 999998], [1000002, 1000001]])
    y = np.array([1, 1, 1, -1])
    found = fg.separability(X, y, bias=False)
    assert found.verdict == "interior"
    assert page["balances"](X, y, False, found)


def test_the_boundary(page):
    X, y = np.array([[1.0, 0.0], [-3.0, 0.0], [1.0, 2.0]]), np.ones(3)
    found = fg.separability(X)
    assert found.verdict == "boundary"
    assert page["balances"](X, y, False, found)
    assert page["touches"](X, y, False, found)
    assert not page["spans"](X, y, False, found)


@pytest.mark.parametrize("bias", ["none", "penalized", "free"])
def test_bounds_on_the_margin(page, bias):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(30, 4)) + 0.0
    y = np.where(X[:, 0] > 0, 1, -1)
    found = fg.max_margin(X, y, bias=bias)
    low, high = page["squared_bounds"](X, y, found)
    assert 0 < low <= high
    assert 0 <= found.gap - float(1 - low / high) <= 1e-13
    worse = replace(found, w=found.w + 0.1 * np.abs(found.w))
    low, high = page["squared_bounds"](X, y, worse)
    assert low <= high
    assert bias == "none" or low < high * (1 - 1e-6)


def test_bounds_on_the_margin_with_one_class_in_the_dual(page):
    X, y = np.array([[0.5], [-100.0]]), np.array([1, -1])
    found = fg.max_margin(X, y, bias="penalized")
    low, high = page["squared_bounds"](X, y, found)
    assert 0 <= float(1 - low / high) <= found.gap + 1e-16


def test_minima_with_weight_decay(page):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 2 * 2 - 1
    found = fg.regularized_limit(X, y, 0.01, decay_bias=True)
    assert page["plain_bound"](X, y, 0.01, found) < 1e-14
    wrong = replace(found, w=found.w + np.array([1e-9, 0.0, 0.0]))
    assert page["plain_bound"](X, y, 0.01, wrong) >= 1e-9


@pytest.mark.parametrize("bias", ["none", "penalized", "free"])
@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_bounds_on_margins_in_other_norms(page, bias, norm):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(30, 4))
    y = np.where(X[:, 0] > 0, 1, -1)
    found = fg.max_margin(X, y, bias=bias, norm=norm)
    low, high = page["bounds"](X, y, found)
    assert 0 < low <= high
    assert 0 <= found.gap - float(1 - (low / high) ** 2) <= 1e-13
    worse = replace(found, dual=found.dual + 0.1 * found.dual.max())
    low, high = page["bounds"](X, y, worse)
    assert low < high * (1 - 1e-6)
