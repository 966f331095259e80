"""The slope of the logistic loss that passes over the data compute, against mpmath."""

import functools
import math

import mpmath
import numpy as np
import pytest

from cases import python
from fastgrok import _core
from test_kernels import EPS, error_in_ulps

SLOPE_ULPS = 2.6  # some 2.45 are the most that hundreds of millions of arguments show


@functools.cache
def weights_of_slopes():
    """Weights whose multiples of log2(e) lie over the whole range and crowd where k changes."""
    rng = np.random.default_rng(11)
    halves = rng.integers(-1020, 1021, 300) + 0.5
    parts = [
        rng.uniform(-1020.0, 1020.0, 300),
        rng.uniform(-60.0, 60.0, 600),
        rng.uniform(-1.0, 1.0, 300),
        halves * (1 + EPS * rng.integers(-2, 3, 300)),
        [0.0, -0.0, 5e-324, -0.5, 0.5, 1e-9, -1e-9, 1005.5, 1022.9, 1023.0, -1e300],
    ]
    return np.concatenate(parts) * math.log(2.0)


def slopes_of_passes(weights):
    """-l' of one row of one column, 1, which is what a pass sums up."""
    core = _core.Problem(np.ones((1, 1)), np.ones(1), False)
    return [-core.gradient(np.array([w]), 0.0, "logistic", 1)[0][0] for w in weights]


@pytest.mark.parametrize("simd", _core.simd_available())
def test_slopes_of_passes_on_every_instruction_set(simd):
    code = (
        "from test_slopes import slopes_of_passes, weights_of_slopes\n"
        "print(*map(float.hex, slopes_of_passes(weights_of_slopes())))"
    )
    child = python(code, FASTGROK_SIMD=simd)
    assert child.returncode == 0, child.stderr
    slopes = [float.fromhex(text) for text in child.stdout.split()]
    assert len(slopes) == len(weights_of_slopes())
    for w, slope in zip(weights_of_slopes(), slopes, strict=True):
        t = w * 1.4426950408889634  # in bits, as the pass has it
        if t > 1023.0:
            assert slope == 0.0
            continue
        with mpmath.workdps(60):
            exact = 1 / (1 + mpmath.mpf(2) ** mpmath.mpf(t))
        assert error_in_ulps(slope, exact) <= SLOPE_ULPS, t
        assert slope <= 1.0
