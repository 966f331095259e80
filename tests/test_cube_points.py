"""The core's part in drawing points of a cube, against Python's integers."""

import numpy as np
import pytest

from fastgrok._core import keep_between, keep_beyond, turn_signs

REACH, STEP = 40, 0.25
HALF = REACH // 2


def whole(rng, rows, cols):
    x = np.rint(rng.uniform(-REACH, REACH, size=(rows, cols)))
    x[rng.random(x.shape) < 0.1] *= 0.0  # zeros of both signs
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cols", [1, 2, 15, 16, 17, 35])
@pytest.mark.parametrize("side", [-1, 1])
def test_points_beyond_a_hyperplane(cols, side, dtype):
    x = whole(np.random.default_rng(cols), 300, cols)
    low = 3 * cols
    expected = []
    for row in x.tolist():
        total = sum(map(int, row))
        if abs(total) >= low:
            sign = side if total > 0 else -side
            expected.append([value * sign * STEP for value in row])
    assert 20 < len(expected) < 300
    for room in (400, len(expected), 11):
        out = np.full((room, cols), 7.0, dtype)
        kept = keep_beyond(x, low, side, STEP, out)
        assert kept == min(room, len(expected))
        np.testing.assert_array_equal(out[:kept], np.array(expected[:kept], dtype))
        assert np.all(out[kept:] == 7.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [0, 1, 2, 9, 40])
def test_points_between_two_hyperplanes(n, dtype):
    """Turning the signs in excess gives the sum that was chosen; the odds are those of the law."""
    rng = np.random.default_rng(n)
    x, rows = whole(rng, 2000, n), 2000
    sums = rng.integers(-9, 9, size=rows, endpoint=True)
    chances = rng.random(rows)
    odds = rng.random(n + 5) * np.r_[0.0, 0.0, np.full(n + 1, 0.5), 0.0, 0.0]  # of -2..n+2
    law = odds[:-1], odds[:-1] + odds[1:]
    out, excess = np.full((rows, n + 1), 7.0, dtype), np.full(rows, -99)
    kept = keep_between(x, (sums, chances), law, HALF, STEP, out, excess)
    points = iter(zip(out[:kept].tolist(), excess[:kept].tolist(), strict=True))
    for row, total, u in zip(x, sums.tolist(), chances, strict=True):
        positive = n - int(np.count_nonzero(np.signbit(row)))
        # With k positive signs the sum of the others is `at_zero` + 2 HALF k, and the last one is
        # what is missing: two k leave it in the cube, or one of them at its very end.
        at_zero = int(row.sum()) - 2 * HALF * positive
        fitting = [
            k for k in range(-n - 3, 2 * n + 4) if -REACH < total - at_zero - 2 * HALF * k <= REACH
        ]
        assert len(fitting) == 2
        first, second = (odds[k + 2] if 0 <= k <= n else 0.0 for k in fitting)
        if u >= first + second:
            continue
        k = fitting[0] if u < first else fitting[1]
        point, left = next(points)
        assert left == positive - k
        assert point[:-1] == [float(value) * STEP for value in row]
        assert point[-1] == (total - at_zero - 2 * HALF * k) * STEP
    assert next(points, None) is None
    assert kept > 20
    few = np.empty((5, n + 1), dtype)
    assert keep_between(x, (sums, chances), law, HALF, STEP, few, np.empty(5, np.int64)) == 5
    np.testing.assert_array_equal(few, out[:5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cols", [2, 3, 9, 50])
def test_signs_are_turned_in_the_order_of_picks(cols, dtype):
    rng = np.random.default_rng(cols)
    x = (whole(rng, 200, cols) * STEP).astype(dtype)
    rows = rng.permutation(200)[:150]
    excess, drawn = rng.integers(-3, 3, size=150, endpoint=True), rng.random((150, 11))
    drawn[:, 0] = np.nextafter(1.0, 0.0)
    expected, left = x.copy(), excess.copy()
    for i, row in enumerate(rows):
        picks = [int(u * (cols - 1)) for u in drawn[i]]
        for k, j in enumerate(picks):
            negative = bool(np.signbit(expected[row, j]))
            if left[i] != 0 and negative == (left[i] < 0) and j not in picks[k + 1 :]:
                expected[row, j] += -np.sign(left[i]) * REACH * STEP
                left[i] -= np.sign(left[i])
    assert np.any(left != 0) or cols > 3
    turn_signs(x, REACH * STEP, rows, excess, drawn)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(excess, left)


def test_what_does_not_fit_is_refused():
    x, out = np.zeros((4, 3)), np.zeros((4, 3))
    with pytest.raises(ValueError, match="as many columns as the points"):
        keep_beyond(x, 1.0, 1.0, STEP, np.zeros((4, 2)))
    for wrong in (out.T[:, :3], out.astype(np.int64), np.zeros((4, 6))[:, ::2]):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            keep_beyond(x, 1.0, 1.0, STEP, wrong)
    rows, excess = np.array([0, 3]), np.array([1, 1])
    for number in (-1, 4):
        with pytest.raises(ValueError, match="rows must be rows of x"):
            turn_signs(x, 1.0, np.array([0, number]), excess, np.zeros((2, 1)))
    for u in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="drawn must lie in"):
            turn_signs(x, 1.0, rows, excess, np.full((2, 1), u))
    with pytest.raises(ValueError, match="at least two columns"):
        turn_signs(np.zeros((4, 1)), 1.0, rows, excess, np.zeros((2, 1)))
    with pytest.raises(ValueError, match="excess must have an entry a row"):
        turn_signs(x, 1.0, rows, np.array([1]), np.zeros((2, 1)))
    chosen = np.zeros(4, np.int64), np.zeros(4)
    with pytest.raises(ValueError, match="law must have entries"):
        keep_between(x, chosen, (np.zeros(6),) * 2, 1, STEP, np.zeros((4, 4)), chosen[0])
