"""What each loss says of itself, against its formula differentiated by mpmath."""

import math

import mpmath
import numpy as np
import pytest

from fastgrok import _core
from fastgrok.linear import losses
from reference import LOSSES, slope_exactly

MARGINS = [k / 8 for k in range(-160, 161)]
SEAMS = [mpmath.mpf(m) for m in (-3, -1, 0, 1, 3)]
"""Where the pieces of losses meet."""


def derivatives(loss, order):
    with mpmath.workdps(40):
        return [mpmath.diff(LOSSES[loss].formula, m, order) for m in MARGINS]


@pytest.fixture(params=_core.losses())
def loss(request):
    return request.param


def test_every_loss_has_its_formula():
    assert list(_core.losses()) == list(losses.LOSSES) == list(LOSSES)


def test_its_passes_are_its_formula(loss):
    """A single row with label 1: value, slope and curvature at its margin."""
    row = _core.Problem(np.ones((1, 1)), np.ones(1), False)
    one = np.array([1.0])
    with mpmath.workdps(40):
        for m in MARGINS[1::7]:
            value, slope, curvature = (mpmath.diff(LOSSES[loss].formula, m, n) for n in range(3))
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
        assert abs(mpmath.diff(LOSSES[loss].formula, -1e7)) > 1e6
    else:
        assert float(max(slopes)) == pytest.approx(says["lipschitz"], rel=1e-6)
    if math.isinf(says["most_curvature"]):
        assert max(curvatures) > 1e6
    else:
        for most in (max(curvatures), curvatures[MARGINS.index(0.0)]):
            assert float(most) == pytest.approx(says["most_curvature"], rel=1e-12)


def test_what_stays_in_range(loss):
    says = _core.losses()[loss]
    bounded = math.isfinite(says["most_curvature"])
    assert says["bounded_curvature"] == bounded
    assert says["stays_in_range"] == (bounded or says["exponential_tail"])


def slope_log(loss, m):
    """log|l'(m)| with 50 digits, by a derivative that is taken numerically; -inf of none."""
    with mpmath.workdps(200):
        return mpmath.log(abs(slope_exactly(mpmath.mpf(m), loss)))


def test_its_values_and_slopes_in_python(loss):
    says, m = losses.LOSSES[loss], np.array([-30.0, -2.5, -1e-3, 0.0, 0.7, 12.0, 300.0])
    with mpmath.workdps(200):
        expected = [float(LOSSES[loss].formula(mpmath.mpf(x))) for x in m]
    np.testing.assert_allclose(says.value(m), expected, rtol=1e-14)
    slopes = [float(slope_log(loss, x)) for x in m]
    np.testing.assert_allclose(says.log_slope(m), slopes, rtol=1e-12, atol=1e-12)


def jump(loss, order):
    """Return the largest jump of a derivative at the margins where pieces meet."""
    with mpmath.workdps(80):
        l, h = LOSSES[loss].formula, mpmath.mpf(10) ** -20  # noqa: E741

        def side(m, s):
            if order == 1:
                return (l(m + s) - l(m)) / s
            return (l(m + 2 * s) - 2 * l(m + s) + l(m)) / s**2

        return max(abs(side(m, h) - side(m, -h)) for m in SEAMS)


def test_its_derivatives_are_continuous_or_are_not(loss):
    says = _core.losses()[loss]
    assert says["differentiable"] == (jump(loss, 1) < 1e-15)
    assert says["twice_differentiable"] == (max(jump(loss, 1), jump(loss, 2)) < 1e-15)


def test_its_tail(loss):
    says = _core.losses()[loss]
    # A row whose slope is 2^-100 of another's moves nothing.
    near, far = slope_log(loss, 20), slope_log(loss, 120)
    nothing_left = far == -mpmath.inf
    assert says["skippable"] == (nothing_left or far - near < -100 * math.log(2))
    # Far out the slope is e^-m to the last bit, or else the tail is not one of exponentials.
    with mpmath.workdps(60):
        far = 58 * mpmath.log(2)
        ratio = mpmath.exp(slope_log(loss, far) + far)
        assert says["exponential_tail"] == (abs(ratio - 1) < mpmath.mpf(2) ** -57)


def test_engines_need_properties_that_are_known(loss):
    needs = _core.loss_needs()
    assert set(needs) == {"leaping", "skipping"}
    for names in needs.values():
        assert names
        assert all(type(_core.losses()[loss][name]) is bool for name in names)


def test_an_unknown_loss_is_refused_with_the_names_of_all():
    row = _core.Problem(np.ones((1, 1)), np.ones(1), False)
    names = ", ".join(f"'{name}'" for name in LOSSES)
    with pytest.raises(ValueError, match=f"loss must be one of {names}, not 'Logistic'"):
        row.evaluate(np.zeros(1), 0.0, "Logistic", False, 1)
