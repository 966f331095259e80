"""Every instruction set that this machine has, forced in turn."""

import functools
import itertools
import platform

import numpy as np
import pytest

from bits import SHAPES, STEPS, compute, functions
from cases import python
from fastgrok import _core

AVAILABLE = _core.simd_available()
WITH_FMA = [name for name in AVAILABLE if name != "v2"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the bits of an instruction set, computed in a process that is forced to use it."""

    @functools.cache
    def load(simd):
        path = tmp_path_factory.mktemp("bits") / f"{simd}.npz"
        child = python(
            "import runpy; runpy.run_path('bits.py', run_name='__main__')",
            str(path),
            FASTGROK_SIMD=simd,
        )
        assert child.returncode == 0, child.stderr
        return dict(np.load(path))

    return load


def test_what_is_available():
    known = {"x86_64": ["v2", "v3", "v4"], "aarch64": ["neon"]}[platform.machine()]
    assert AVAILABLE
    assert set(AVAILABLE) <= set(known)
    assert len(set(AVAILABLE)) == len(AVAILABLE)
    assert _core.simd() in AVAILABLE


@pytest.mark.parametrize("simd", AVAILABLE)
def test_the_forced_one_is_the_active_one(results, simd):
    assert str(results(simd)["simd"]) == simd


@pytest.mark.parametrize(("one", "other"), list(itertools.pairwise(WITH_FMA)))
def test_all_with_fma_give_the_same_bits(results, one, other):
    first, second = results(one), results(other)
    assert first.keys() == second.keys()
    for name in first.keys() - {"simd"}:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name, strict=True)


def test_a_child_process_gives_the_bits_of_this_one(results):
    here = functions() | compute(SHAPES, threads=1)
    there = results(_core.simd())
    assert here.keys() == there.keys() - {"simd"}
    for name, values in here.items():
        np.testing.assert_array_equal(there[name], values, err_msg=name, strict=True)


@pytest.mark.skipif(
    "v2" not in AVAILABLE or not WITH_FMA,
    reason="needs one instruction set without FMA and one with",
)
def test_without_fma_to_rounding(results):
    first, second = results("v2"), results(WITH_FMA[0])
    assert first.keys() == second.keys()
    for name in first.keys() - {"simd"}:
        a, b = first[name], second[name]
        if name.endswith(("correct", "accurate")):
            np.testing.assert_array_equal(a, b, err_msg=name)
        elif name.endswith(("exp", "softplus", "sigmoid")):
            np.testing.assert_allclose(a, b, rtol=1e-15, atol=1e-323, err_msg=name)
        elif name.endswith("curvature"):
            np.testing.assert_allclose(a, b, rtol=1e-12, err_msg=name)
        elif name.endswith("sharpness"):
            np.testing.assert_allclose(a, b, rtol=1e-3, err_msg=name)  # an iteration cut short
        elif name.endswith("points"):
            # Of starts that end equally well to rounding either may be kept: margins are flat.
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-7, err_msg=name)
        else:
            allowed = 1e-13 * (STEPS if name.endswith(("weights", "losses")) else 1)
            assert np.abs(a - b).max() <= allowed * np.abs(b).max(), name


@pytest.mark.parametrize("simd", AVAILABLE)
def test_the_variable_chooses(simd):
    child = python("from fastgrok import _core; print(_core.simd())", FASTGROK_SIMD=simd)
    assert child.stdout.split() == [simd], child.stderr


def test_an_empty_variable_chooses_nothing():
    child = python("from fastgrok import _core; print(_core.simd())", FASTGROK_SIMD="")
    assert child.stdout.split() == [max(AVAILABLE)], child.stderr


@pytest.mark.parametrize(
    "simd", [*({"v2", "v3", "v4", "neon"} - set(AVAILABLE)), "bogus", "V2", "v33"]
)
def test_what_is_unknown_or_unsupported_is_an_import_error(simd):
    child = python("import fastgrok", FASTGROK_SIMD=simd)
    assert child.returncode == 1
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    for word in ("FASTGROK_SIMD", simd, *AVAILABLE):
        assert word in last
