"""What each loss says of itself, against its formula differentiated by mpmath."""

import math

import mpmath
import numpy as np
import pytest

from fastgrok import _core

FORMULAS = {
    "logistic": lambda m: mpmath.log1p(mpmath.exp(-m)),
    "exponential": lambda m: mpmath.exp(-m),
}
MARGINS = [k / 8 for k in range(-160, 161)]


def derivatives(loss, order):
    with mpmath.workdps(40):
        return [mpmath.diff(FORMULAS[loss], m, order) for m in MARGINS]


@pytest.fixture(params=_core.losses())
def loss(request):
    return request.param


def test_every_loss_has_its_formula():
    assert list(_core.losses()) == list(FORMULAS)


def test_its_passes_are_its_formula(loss):
    """A single row with label 1: value, slope and curvature at its margin."""
    row = _core.Problem(np.ones((1, 1)), np.ones(1), False)
    one = np.array([1.0])
    with mpmath.workdps(40):
        for m in MARGINS[1::7]:
            value, slope, curvature = (mpmath.diff(FORMULAS[loss], m, n) for n in range(3))
            w = m * one
            assert row.evaluate(w, 0.0, loss, False, 1)[0] == pytest.approx(float(value), rel=1e-14)
            got = row.gradient(w, 0.0, loss, 1)[0][0]
            assert got == pytest.approx(float(slope), rel=1e-14)
            got = row.curvature(w, 0.0, loss, 1)
            assert got == pytest.approx(float(curvature), rel=1e-13)


def test_its_bounds_hold_and_are_reached(loss):
    says = _core.losses()[loss]
    slopes = [abs(x) for x in derivatives(loss, 1)]
    curvatures = derivatives(loss, 2)
    assert says["convex"] == all(x >= 0 for x in curvatures)
    assert max(slopes) <= says["lipschitz"]
    if math.isinf(says["lipschitz"]):
        assert abs(mpmath.diff(FORMULAS[loss], -1e7)) > 1e6
    else:
        assert float(max(slopes)) == pytest.approx(says["lipschitz"], rel=1e-6)
    if math.isinf(says["most_curvature"]):
        assert max(curvatures) > 1e6
    else:
        for most in (max(curvatures), curvatures[MARGINS.index(0.0)]):
            assert float(most) == pytest.approx(says["most_curvature"], rel=1e-12)


def test_its_tail(loss):
    """Far out the slope is e^-m, or else it is no reason to call it a tail of exponentials."""
    with mpmath.workdps(40):
        far = 58 * mpmath.log(2)
        ratio = -mpmath.diff(FORMULAS[loss], far) * mpmath.exp(far)
        is_one = abs(ratio - 1) < mpmath.mpf(2) ** -57
    assert _core.losses()[loss]["exponential_tail"] == is_one


def test_engines_need_properties_that_are_known(loss):
    needs = _core.loss_needs()
    assert set(needs) == {"leaping", "skipping"}
    for names in needs.values():
        assert names
        assert all(type(_core.losses()[loss][name]) is bool for name in names)


def test_an_unknown_loss_is_refused_with_the_names_of_all():
    row = _core.Problem(np.ones((1, 1)), np.ones(1), False)
    names = ", ".join(f"'{name}'" for name in FORMULAS)
    with pytest.raises(ValueError, match=f"loss must be one of {names}, not 'Logistic'"):
        row.evaluate(np.zeros(1), 0.0, "Logistic", False, 1)
