"""Rows of which no cache holds all: other strips, asked for in advance, and the same sums."""

import functools

import numpy as np
import pytest

from cases import point, python
from fastgrok import _core
from reference import gradient, gradient_scale

BEYOND_CACHES = 1 << 24
# Columns that are few, enough for strips in turns, as far apart as caches repeat, and so many that
# three strips are too much; rows and columns that leave rests of all loops.
FAR = [
    (np.float64, 100),
    (np.float64, 203),
    (np.float64, 1024),
    (np.float32, 333),
    (np.float32, 1024),
    (np.float32, 12_005),
]


@functools.cache
def far_rows(dtype, cols):
    rows = BEYOND_CACHES // (cols * np.dtype(dtype).itemsize) + 13
    random = np.random.default_rng(cols)
    X = random.normal(size=(rows, cols)).astype(dtype)
    return X, np.sign(random.normal(size=rows))


@pytest.mark.parametrize(("dtype", "cols"), FAR)
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_the_gradient_of_far_rows(dtype, cols, loss):
    X, y = far_rows(dtype, cols)
    w, b = point(cols)
    g, g_b = _core.Problem(X, y, True).gradient(w, b, loss, 2)
    right, right_b = gradient(X, y, w, b, loss)
    scale = gradient_scale(X, y, w, b, loss)
    np.testing.assert_allclose(g, right, rtol=0, atol=1e-14 * scale)
    np.testing.assert_allclose(g_b, right_b, rtol=0, atol=1e-14 * scale)


BITS = """
import hashlib
from test_far_rows import FAR, far_rows
from cases import point
from fastgrok import _core
for dtype, cols in FAR:
    w, b = point(cols)
    g, g_b = _core.Problem(*far_rows(dtype, cols), True).gradient(w, b, "logistic", 1)
    print(hashlib.sha256(g.tobytes()).hexdigest(), g_b.hex())
"""


def test_far_rows_have_the_same_bits_on_all_with_fma():
    sets = [name for name in _core.simd_available() if name != "v2"] or ["v2"]
    children = [python(BITS, FASTGROK_SIMD=name) for name in sets]
    assert all(child.returncode == 0 for child in children), [c.stderr for c in children]
    assert len({child.stdout for child in children}) == 1
    assert len(children[0].stdout.splitlines()) == len(FAR)
