"""Minima with weight decay against 400 digits, scikit-learn and the ends of descent."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import fastgrok as fg

DIGITS = 400
LOSSES = ("logistic", "exponential")
BIASES = ({"bias": False}, {"decay_bias": True}, {"decay_bias": False})


def slopes(loss, m, room):
    """-l' and l'' of a margin; on a kink's other side too, within some room."""
    if loss == "squared_hinge":
        return (2 * (1 - m), 2) if m < 1 + room else (0, 0)
    e = mpmath.exp(-m)
    return (e, e) if loss == "exponential" else (e / (1 + e), e / (1 + e) ** 2)


def exact_minimum(X, y, decay, start, loss, reduction="mean", bias=True, decay_bias=False):
    """Newton's method from nearby, with so many digits that no condition number matters."""
    with mpmath.workdps(DIGITS):
        rows = [[mpmath.mpf(float(v)) * int(s) for v in x] for x, s in zip(X, y, strict=True)]
        if bias:
            rows = [[*row, mpmath.mpf(int(s))] for row, s in zip(rows, y, strict=True)]
        D = len(rows[0])
        c = mpmath.mpf(1) / len(rows) if reduction == "mean" else mpmath.mpf(1)
        penalty = [mpmath.mpf(decay)] * D
        if bias and not decay_bias:
            penalty[-1] = mpmath.mpf(0)
        u = mpmath.matrix([mpmath.mpf(float(v)) for v in start[:D]])
        for step_number in range(12):
            gradient = mpmath.matrix([p * v for p, v in zip(penalty, u, strict=True)])
            H = mpmath.diag(penalty)
            for row in rows:
                m = mpmath.fsum(z * v for z, v in zip(row, u, strict=True))
                slope, curve = slopes(loss, m, 0 if step_number else 1e-6)
                for i in range(D):
                    gradient[i] -= c * slope * row[i]
                    for j in range(D):
                        H[i, j] += c * curve * row[i] * row[j]
            step = mpmath.lu_solve(H, gradient)
            u = u - step
            # A minimum at the origin is never reached in relative terms.
            if mpmath.norm(step) <= mpmath.mpf(10) ** -32 * mpmath.norm(u) + mpmath.mpf(10) ** -300:
                return u
        raise AssertionError("no convergence")


def true_distance(limit, X, y, decay, loss, **how):
    start = np.append(limit.w, limit.b)
    u = exact_minimum(X, y, decay, start, loss, **how)
    with mpmath.workdps(DIGITS):
        return float(mpmath.norm(mpmath.matrix(start[: len(u)].tolist()) - u))


@st.composite
def problems(draw):
    n, d = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, d))
    if draw(st.booleans()):
        X = np.round(X)  # duplicates, zeros, dependent columns
    X *= 10.0 ** draw(st.integers(-3, 3))
    if draw(st.booleans()):
        X = X.astype(np.float32)
    how = dict(draw(st.sampled_from(BIASES)), reduction=draw(st.sampled_from(["mean", "sum"])))
    y = rng.choice([-1.0, 1.0], n)
    if draw(st.booleans()):
        y = np.where(X[:, 0] > 0, 1.0, -1.0)  # often separable
    return X, y, 10.0 ** draw(st.floats(-12, 6)), draw(st.sampled_from(LOSSES)), how


@given(problems())
def test_the_minimum_is_within_the_distance(problem):
    X, y, decay, loss, how = problem
    assume(how.get("decay_bias", True) or len(set(y)) == 2)
    limit = fg.regularized_limit(X, y, decay, loss=loss, **how)
    off = true_distance(limit, X, y, decay, loss, **how)
    assert off <= limit.distance


@pytest.mark.parametrize("how", BIASES)
@pytest.mark.parametrize("decay", [1e-10, 1e-5, 1e-2, 1.0, 1e6])
def test_a_loss_with_a_kink(how, decay):
    rng = np.random.default_rng(11)
    for n, d in ((20, 3), (6, 9), (60, 2)):
        X = rng.normal(size=(n, d))
        for y in (np.where(X[:, 0] > 0, 1, -1), rng.permutation(n) % 2 * 2 - 1):
            limit = fg.regularized_limit(X, y, decay, loss="squared_hinge", **how)
            size = np.hypot(np.linalg.norm(limit.w), limit.b)
            off = true_distance(limit, X, y, decay, "squared_hinge", **how)
            assert off <= limit.distance <= 1e-11 * size / min(decay, 1.0) ** 0.5 + 1e-14


def test_rows_near_a_kink_and_on_it():
    """With one row on either side 2 (1 - m) is the decay times w: with little, m is almost 1."""
    X, y = [[1.0], [-1.0], [3.0]], [1, -1, 1]
    for decay in 10.0 ** np.arange(-14, 0):
        limit = fg.regularized_limit(X, y, decay, loss="squared_hinge", reduction="sum", bias=False)
        exact = 4 / (4 + mpmath.mpf(decay))
        assert abs(limit.w[0] - exact) <= limit.distance
        assert limit.distance < 1e-15 / min(decay, 1.0) ** 0.5
    # The first row is on it exactly: w = 1 with b = 0.
    limit = fg.regularized_limit(
        [[1.0], [0.5]], [1, 1], 0.5, loss="squared_hinge", reduction="sum", bias=False
    )
    assert abs(limit.w[0] - 1.0) <= limit.distance < 1e-14


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("how", BIASES)
@pytest.mark.parametrize("decay", [1e-12, 1e-10, 1e-4, 1.0, 1e6])
def test_the_distance_is_near_rounding(loss, how, decay):
    rng = np.random.default_rng(3)
    for n, d in ((20, 3), (6, 9)):
        X = rng.normal(size=(n, d))
        for y in (np.where(X[:, 0] > 0, 1, -1), rng.permutation(n) % 2 * 2 - 1):
            limit = fg.regularized_limit(X, y, decay, loss=loss, **how)
            size = np.hypot(np.linalg.norm(limit.w), limit.b)
            assert limit.distance <= 1e-12 * size + 1e-14
            assert true_distance(limit, X, y, decay, loss, **how) <= limit.distance


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("how", BIASES)
@pytest.mark.parametrize("scale", [1e-150, 1e-60, 1e-8, 1e8, 1e60, 1e120])
def test_rows_of_any_size(loss, how, scale):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(12, 2)) * scale
    y = np.where(X[:, 0] + 0.4 * scale * rng.normal(size=12) > 0, 1, -1)
    for decay in (1e-6, 1.0):
        limit = fg.regularized_limit(X, y, decay, loss=loss, **how)
        size = np.hypot(np.linalg.norm(limit.w), limit.b)
        off = true_distance(limit, X, y, decay, loss, **how)
        assert off <= limit.distance <= 1e-11 * size + (1e-14 if how.get("bias", True) else 0.0)


def test_columns_of_different_units_and_repeated_rows():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(8, 3)) * [1.0, 1e-4, 1e5]
    X, y = np.vstack([X, X[:3]]), np.array([1, -1, 1, -1, 1, -1, 1, 1, 1, -1, -1])
    for how in BIASES:
        limit = fg.regularized_limit(X, y, 1e-8, **how)
        assert true_distance(limit, X, y, 1e-8, "logistic", **how) <= limit.distance
        assert limit.distance <= 1e-11 * np.linalg.norm(limit.w)


def test_tiny_decay_gives_large_margins_near_the_largest():
    data = fg.datasets.margin_cube((30, 30), 3, gamma=0.4, seed=1)
    best = fg.max_margin(data.X, data.y)
    ends = [fg.regularized_limit(data.X, data.y, wd, decay_bias=True) for wd in (1e-6, 1e-10)]
    cosines = [
        (end.w @ best.w + end.b * best.b)
        / np.hypot(np.linalg.norm(end.w), end.b)
        / np.hypot(np.linalg.norm(best.w), best.b)
        for end in ends
    ]
    assert 0.9 < cosines[0] < cosines[1] < 1.0
    # Margins grow like log(1 / weight_decay).
    least = [(data.y * (data.X @ end.w + end.b)).min() for end in ends]
    assert 0.7 * np.log(1e4) < least[1] - least[0] < np.log(1e4)


@pytest.mark.parametrize("bias", [True, False])
def test_against_scikit_learn(bias):
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(6)
    X = rng.normal(size=(80, 4))
    y = np.where(X[:, 0] + rng.normal(size=80) > 0, 1, -1)
    for decay in (1e-3, 0.1):
        peer = linear.LogisticRegression(
            C=1.0 / (80 * decay), fit_intercept=bias, solver="newton-cholesky", tol=1e-12
        ).fit(X, y)
        limit = fg.regularized_limit(X, y, decay, bias=bias)
        np.testing.assert_allclose(limit.w, peer.coef_[0], rtol=1e-9)
        assert abs(limit.b - float(np.ravel(peer.intercept_)[0])) < 1e-9


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("decay_bias", [False, True])
def test_descent_ends_there(optimizer, loss, decay_bias):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(30, 3))
    for y in (np.where(X[:, 0] > 0.2, 1, -1), rng.permutation(30) % 2 * 2 - 1):
        limit = fg.regularized_limit(X, y, 1e-3, loss=loss, decay_bias=decay_bias)
        run = fg.train(
            X, y, steps=1e12, lr=0.05, loss=loss, optimizer=optimizer, weight_decay=1e-3,
            decay_bias=decay_bias, engine="leap",
        )  # fmt: skip
        off = np.hypot(np.linalg.norm(run.w - limit.w), run.bias_final - limit.b)
        size = max(1.0, np.linalg.norm(limit.w))
        assert off <= limit.distance + 1e-8 * size


def test_steps_stay_there():
    """One exact step of descent from the minimum moves by rounding."""
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(40, 60)), rng.permutation(40) % 2 * 2 - 1
    limit = fg.regularized_limit(X, y, 0.01, reduction="sum", decay_bias=True)
    run = fg.train(
        X, y, steps=100, lr=0.01, reduction="sum", weight_decay=0.01, decay_bias=True,
        w0=limit.w, b0=limit.b, engine="exact",
    )  # fmt: skip
    np.testing.assert_allclose(run.w, limit.w, rtol=0, atol=1e-13)
    assert abs(run.bias_final - limit.b) < 1e-13


@pytest.mark.parametrize(("n", "d"), [(200, 5000), (20000, 50)])
def test_large_problems_are_solved_to_the_last_digits(n, d):
    rng = np.random.default_rng(9)
    X = rng.normal(size=(n, d)).astype(np.float32)
    y = np.where(X[:, 0] + rng.normal(size=n) > 0, 1, -1)
    for loss in LOSSES:
        limit = fg.regularized_limit(X, y, 1e-6, loss=loss)
        assert limit.distance <= 1e-12 * np.linalg.norm(limit.w)
        # The gradient, written down plainly.
        m = y * (X.astype(float) @ limit.w + limit.b)
        slope = np.exp(-m) if loss == "exponential" else 1.0 / (1.0 + np.exp(m))
        left = (slope * y) @ X.astype(float) / n - 1e-6 * limit.w
        assert np.linalg.norm(left) < 1e-13
        assert abs(np.mean(slope * y)) < 1e-14


def test_a_minimum_at_the_origin():
    X, y = [[100.0], [100.0], [-200.0]], [1, -1, 1]
    X.append([200.0])
    y.append(1)
    for how in ({"bias": False}, {"reduction": "sum", "bias": False}):
        limit = fg.regularized_limit(X, y, 1e3, **how)
        assert abs(limit.w[0]) <= limit.distance < 1e-15


def test_no_bias_is_zero_and_one_class_needs_decay():
    X = [[1.0, 2.0], [0.5, -1.0]]
    assert fg.regularized_limit(X, [1, 1], 0.1, bias=False).b == 0.0
    decayed = fg.regularized_limit(X, [1, 1], 0.1, decay_bias=True)
    assert true_distance(decayed, X, [1, 1], 0.1, "logistic", decay_bias=True) <= decayed.distance
    with pytest.raises(
        ValueError, match=r"labels of both classes, but all 2 are -1: .* no minimum"
    ):
        fg.regularized_limit(X, [-1, -1], 0.1)
    with pytest.raises(ValueError, match=r"is 0 for w = 0 and every bias from \+1 on"):
        fg.regularized_limit(X, [1, 1], 0.1, loss="squared_hinge")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"weight_decay": 0.0}, ValueError, "weight_decay must be greater than 0, got 0.0"),
        ({"weight_decay": 0}, ValueError, "got 0: without decay max_margin has"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay must be greater than 0, got -1.0"),
        ({"weight_decay": "a"}, TypeError, "weight_decay must be a real number"),
        ({"weight_decay": 1e-300}, ValueError, "weight_decay must be at least .* got 1e-300"),
        ({"loss": "perceptron"}, ValueError, "loss must be one of"),
        ({"loss": "hinge"}, ValueError, "has no formula for loss='hinge', only for"),
        ({"reduction": "none"}, ValueError, "reduction must be one of"),
        ({"decay_bias": 1}, TypeError, "decay_bias must be True or False"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    arguments = {"weight_decay": 0.1, **arguments}
    with pytest.raises(error, match=message):
        fg.regularized_limit([[1.0], [-2.0]], [1, -1], **arguments)


def test_too_little_decay_for_the_rows_is_refused():
    with pytest.raises(ValueError, match=r"at least .*e\+\d+ beside rows as long as 2.0e\+150"):
        fg.regularized_limit([[1e150], [-2e150]], [1, -1], 1e-12)


def test_it_prints_what_is_known():
    text = repr(fg.regularized_limit([[1.0], [-2.0]], [1, -1], 0.1))
    assert text.startswith("Limit(||w||=1.")
    assert "distance=" in text


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("decay", [1e-12, 1e-6])
def test_long_rows_in_more_dimensions_than_rows(loss, decay):
    """The smallest curvature is some 1e-22 of the largest where the steps begin."""
    rng = np.random.default_rng(10)
    for n, d in ((1, 4), (3, 5)):
        X, y = 1e5 * rng.normal(size=(n, d)), np.arange(n) % 2 * 2 - 1
        for how in BIASES[: 2 if n == 1 else 3]:
            limit = fg.regularized_limit(X, y, decay, loss=loss, **how)
            off = true_distance(limit, X, y, decay, loss, **how)
            assert off <= limit.distance <= 1e-11 * np.hypot(np.linalg.norm(limit.w), limit.b)
