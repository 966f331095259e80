"""The worst case and PGD, held against literal loops and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

import fastgrok as fg
import reference_attacks as reference
from cases import LENGTHS, layouts, point, problem
from fastgrok import _core

NORMS = (np.inf, 2)
COLUMNS = st.sampled_from((1, 2, 3, 8, 15, 16, 17, 33, 40))


@st.composite
def attacks(draw, most_columns=40, dtypes=(np.float64, np.float32)):
    """Rows, a hyperplane (some weights may be 0) and what an adversary may do."""
    n, d = draw(st.integers(1, 35)), draw(COLUMNS.filter(lambda d: d <= most_columns))
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    X, y = problem(n, d, seed)
    X = X.astype(draw(st.sampled_from(dtypes)))
    w, b = point(d, seed)
    w[rng.random(d) < draw(st.sampled_from((0.0, 0.0, 0.3, 1.0)))] = 0.0
    w *= draw(st.sampled_from((1e-3, 1.0, 30.0)))
    eps = draw(st.sampled_from((0.0, 0.1, 0.7, 3.0)))
    if draw(st.booleans()):
        eps = eps * rng.random(n)
    bounds = draw(st.sampled_from((None, "data", "numbers", "arrays", "half")))
    if bounds == "numbers":
        bounds = (float(X.min()) - 0.3, float(X.max()))
    elif bounds == "arrays":
        bounds = (X.min(axis=0) - 0.2 * rng.random(d), X.max(axis=0) + 0.2 * rng.random(d))
    elif bounds == "half":
        bounds = (-np.inf, X.max(axis=0))
    return X, y, w, b, {"norm": draw(st.sampled_from(NORMS)), "eps": eps, "bounds": bounds}


@st.composite
def iterations(draw):
    restarts = draw(st.sampled_from((0, 0, 1, 3)))
    return {
        "step_size": draw(st.sampled_from((0.25, 0.1, 0.03))),
        "steps": draw(st.sampled_from((1, 2, 7, 20))),
        "restarts": max(restarts, 1),
        "random_start": restarts > 0,
        "random_state": draw(st.integers(0, 2**64)),
    }


def box_of(X, bounds):
    if bounds == "data":
        return X.min(), X.max()
    return bounds


def assert_inside(X_adv, X, norm, eps, bounds):
    radius = np.broadcast_to(eps, len(X))
    away = np.linalg.norm(X_adv - X, ord=norm, axis=1)
    assert (away <= radius + 1e-14 * (1 + np.abs(X).max())).all()
    if bounds is not None:
        low, high = box_of(X, bounds)
        assert (X_adv >= low).all()
        assert (X_adv <= high).all()


def losses(X, y, w, b, loss="logistic", **settings):
    """Sum of the losses at the attacked rows, by the way that stores nothing."""
    attack = fg.Pgd(X, y, **settings)._evaluator(_core.Problem(np.ascontiguousarray(X), y, True))
    return attack.evaluate(w, b, loss, False, 1)[0]


@given(attacks(), iterations())
def test_pgd_is_the_literal_loop(case, iteration):
    X, y, w, b, ball = case
    got = fg.pgd(X, y, w, b, method="pgd", **ball, **iteration)
    expected = reference.attack(
        X, y, w, b, method="pgd", norm=ball["norm"], eps=ball["eps"],
        bounds=box_of(X, ball["bounds"]), step_size=iteration["step_size"],
        steps=iteration["steps"], random_state=iteration["random_state"],
        restarts=iteration["restarts"] if iteration["random_start"] else 0,
    )  # fmt: skip
    scale = 1.0 + np.abs(X).max()
    # Of restarts that are equally good to rounding, either may be kept.
    np.testing.assert_allclose(
        got.margin, y * (expected @ w + b), rtol=1e-11, atol=1e-12 * scale * np.abs(w).sum()
    )
    if iteration["restarts"] == 1:
        np.testing.assert_allclose(got.X_adv, expected, rtol=0, atol=1e-13 * scale)
    assert_inside(got.X_adv, X, **ball)


@given(attacks(), iterations(), st.sampled_from(["exact", "pgd", "autodiff32", "autodiff64"]))
def test_the_accuracy_is_that_of_the_attacked_rows(case, iteration, method):
    X, y, w, b, ball = case
    if method == "exact":
        iteration = {}
    got = fg.pgd(X, y, w, b, method=method, **ball, **iteration)
    np.testing.assert_array_equal(
        got.margin, fg.margins(got.X_adv, y, w, b, normalized=False), strict=True
    )
    np.testing.assert_array_equal(got.is_adv, got.margin <= 0.0, strict=True)
    accuracy = fg.adversarial_accuracy(X, y, w, b, method=method, **ball, **iteration)
    assert isinstance(accuracy, float)
    close = np.abs(got.margin) <= 1e-12 * (1 + np.abs(X).max()) * np.abs(w).sum()
    correct = ~got.is_adv
    assert (correct & ~close).sum() <= round(accuracy * len(y)) <= (correct | close).sum()
    for loss, values in (
        ("logistic", np.logaddexp(0.0, -got.margin)),
        ("exponential", np.exp(-got.margin)),
    ):
        total = losses(X, y, w, b, loss, method=method, **ball, **iteration)
        np.testing.assert_allclose(total, [values.sum()], rtol=1e-10)


@given(attacks(most_columns=8))
def test_exact_is_the_worst_corner(case):
    X, y, w, b, ball = case
    ball["norm"] = np.inf
    low, high = box_of(X, ball["bounds"]) or (-np.inf, np.inf)
    rows = X.astype(np.float64)
    radius = np.broadcast_to(ball["eps"], len(X))
    worst = [
        reference.worst_corner(x, label, w, b, e, low, high)
        for x, label, e in zip(rows, y, radius, strict=True)
    ]
    got = fg.pgd(X, y, w, b, method="exact", **ball)
    np.testing.assert_allclose(got.margin, worst, rtol=1e-12, atol=1e-12 * (1 + np.abs(w).sum()))
    assert_inside(got.X_adv, X, **ball)
    total = losses(X, y, w, b, "exponential", **ball)
    np.testing.assert_allclose(total, [np.exp(np.negative(worst)).sum()], rtol=1e-10)


@given(attacks())
def test_exact_in_the_euclidean_ball(case):
    X, y, w, b, ball = case
    ball["norm"] = 2
    rows = X.astype(np.float64)
    radius = np.broadcast_to(ball["eps"], len(X))
    if ball["bounds"] is None:
        worst = y * (rows @ w + b) - radius * np.linalg.norm(w)
    else:
        low, high = (np.broadcast_to(side, X.shape[1]) for side in box_of(X, ball["bounds"]))
        worst = [
            reference.worst_in_ball_and_box(x, label, w, b, e, low, high)
            for x, label, e in zip(rows, y, radius, strict=True)
        ]
    got = fg.pgd(X, y, w, b, method="exact", **ball)
    np.testing.assert_allclose(got.margin, worst, rtol=1e-11, atol=1e-11 * (1 + np.abs(w).sum()))
    assert_inside(got.X_adv, X, **ball)


@given(attacks(), iterations(), st.sampled_from(["pgd", "autodiff64"]))
def test_nothing_beats_exact(case, iteration, method):
    X, y, w, b, ball = case
    worst = fg.pgd(X, y, w, b, method="exact", **ball).margin
    other = fg.pgd(X, y, w, b, method=method, **ball, **iteration).margin
    assert (other >= worst - 1e-12 * (1 + np.abs(X).max()) * (np.abs(w).sum() + abs(b))).all()


def test_exact_with_weights_of_every_size():
    # The heavy columns hit the box first; what is left to move is far below their rounding.
    w = np.array([1.0, 1e-150, -1e-160, 1e-170, 0.0])
    X = np.zeros((1, 5))
    got = fg.pgd(X, [1], w, norm=2, eps=1.0, bounds=(-0.6, 0.6), method="exact").X_adv[0]
    left = np.sqrt(1.0 - 2 * 0.6**2)
    np.testing.assert_allclose(got, [-0.6, -0.6, left, -1e-10 * left, 0.0], rtol=1e-14)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bounds", [None, (-5.0, 5.0), "data"])
@pytest.mark.parametrize("d", [2, 40])
@pytest.mark.parametrize("method", ["exact", "pgd"])
def test_the_accuracy_does_not_depend_on_the_size_of_w(norm, bounds, d, method):
    X = np.random.default_rng(3).uniform(-5.0, 5.0, (2001, d))
    w, _ = point(d)
    w /= np.linalg.norm(w)
    y = np.where(X @ w > 0, 1.0, -1.0)
    for b in (0.0, 0.1):
        settings = {"norm": norm, "bounds": bounds, "eps": 0.3, "method": method}
        expected = fg.adversarial_accuracy(X, y, w, b, **settings)
        assert 0.1 < expected < 0.99
        for factor in (1e2, 1e4, 1e8, 1e-300, 1e200):
            got = fg.adversarial_accuracy(X, y, factor * w, factor * b, **settings)
            assert got == expected
            attack = fg.pgd(X, y, factor * w, factor * b, **settings)
            assert (~attack.is_adv).mean() == expected


def test_no_attack_is_the_plain_accuracy():
    for n, d in ((300, 2), (300, 30)):
        X, y = problem(n, d)
        w, b = point(d)
        for norm in NORMS:
            for bounds in (None, "data"):
                for method in ("exact", "pgd", "autodiff64"):
                    settings = {"norm": norm, "bounds": bounds, "method": method, "eps": 0.0}
                    assert fg.adversarial_accuracy(X, y, w, b, **settings) == fg.accuracy(
                        X, y, w, b
                    )
                    np.testing.assert_array_equal(fg.pgd(X, y, w, b, **settings).X_adv, X)


@pytest.mark.parametrize("method", ["exact", "pgd", "autodiff32", "autodiff64"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bounds", [None, "data"])
@pytest.mark.parametrize("d", [3, 20])
def test_a_grid_is_one_radius_after_the_other(method, norm, bounds, d):
    X, y = problem(77, d)
    w, _ = point(d)
    b = 0.1
    grid = np.array([0.0, 0.05, 0.3, 0.3, 0.01, 1.0])
    settings = {"norm": norm, "bounds": bounds, "method": method}
    if method != "exact":
        settings |= {"random_start": True, "random_state": 5, "restarts": 2}
    got = fg.adversarial_accuracy(X, y, w, b, eps_grid=grid, **settings)
    one_by_one = [fg.adversarial_accuracy(X, y, w, b, eps=e, **settings) for e in grid]
    np.testing.assert_array_equal(got, one_by_one, strict=True)
    assert len(set(got)) > 2


def test_every_number_of_rows_and_columns():
    # Around the widths of vectors and blocks, by row and by column.
    for n, d in [
        *((n, 5) for n in LENGTHS),
        *((n, 21) for n in LENGTHS),
        *((9, d) for d in LENGTHS),
    ]:
        X, y = problem(n, d)
        w, b = point(d)
        eps = np.random.default_rng(n).uniform(0.0, 1.0, n)
        for dtype in (np.float64, np.float32):
            rows = X.astype(dtype)
            low, high = rows.min(), rows.max()
            m = y * (rows.astype(np.float64) @ w + b)
            ends = np.where(y[:, None] * w > 0, low, high)
            room = np.minimum(eps[:, None], np.abs(rows.astype(np.float64) - ends))
            worst = m - (np.abs(w) * room).sum(axis=1)
            got = losses(rows, y, w, b, "exponential", eps=eps, bounds="data")
            np.testing.assert_allclose(got, [np.exp(-worst).sum()], rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_moves_without_weights(norm):
    X, y = problem(40, 3)
    for method in ("exact", "pgd", "autodiff32", "autodiff64"):
        for bounds in (None, "data"):
            settings = {"norm": norm, "method": method, "bounds": bounds}
            got = fg.pgd(X, y, np.zeros(3), 0.5, **settings)
            rows = X.astype(np.float32).astype(float) if method == "autodiff32" else X
            if bounds == "data":
                rows = np.clip(rows, X.min(), X.max())
            np.testing.assert_array_equal(got.X_adv, rows)
            np.testing.assert_array_equal(got.margin, 0.5 * y)
            accuracy = fg.adversarial_accuracy(X, y, np.zeros(3), 0.5, **settings)
            assert accuracy == (y > 0).mean()


def test_ties():
    X, y, w = [[1.0], [-1.0], [1.0], [-3.0]], [1, -1, -1, -1], [1.0]
    for method in ("exact", "pgd"):
        settings = {"method": method, "eps": 1.0}  # margins 0, 0, -2 and 2
        assert fg.adversarial_accuracy(X, y, w, **settings) == 0.25
        assert fg.adversarial_accuracy(X, y, w, **settings, tie="negative") == 0.5
        assert fg.pgd(X, y, w, **settings).is_adv.tolist() == [True, True, True, False]
        negative = fg.pgd(X, y, w, **settings, tie="negative")
        assert negative.is_adv.tolist() == [True, False, True, False]


def test_layouts_and_precision():
    X, y = problem(50, 19)
    w, b = point(19)
    expected = fg.pgd(X, y, w, b, eps=0.2, bounds="data")
    for value in layouts(X).values():
        got = fg.pgd(value, y, w, b, eps=0.2, bounds="data")
        np.testing.assert_array_equal(got.X_adv, expected.X_adv, strict=True)
    single = fg.pgd(X.astype(np.float32), y, w, b, eps=0.2, bounds="data")
    wide = fg.pgd(X.astype(np.float32).astype(float), y, w, b, eps=0.2, bounds="data")
    np.testing.assert_array_equal(single.X_adv, wide.X_adv, strict=True)


def test_random_starts():
    X, y = problem(30, 4)
    w, b = point(4)
    settings = {"random_start": True, "steps": 1, "step_size": 1e-3, "eps": 0.5}

    def attacked(state, **more):
        return fg.pgd(X, y, w, b, **settings, random_state=state, **more).X_adv

    np.testing.assert_array_equal(attacked(7), attacked(7))
    assert (attacked(7) != attacked(8)).any()
    assert (attacked(None) != attacked(None)).any()
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    first = attacked(one)
    np.testing.assert_array_equal(first, attacked(two))
    assert (first != attacked(one)).any()  # a generator moves on
    # More restarts never do worse.
    margins = [fg.pgd(X, y, w, b, **settings, random_state=7, restarts=k).margin for k in (1, 2, 9)]
    assert (margins[0] >= margins[1]).all()
    assert (margins[1] >= margins[2]).all()
    assert (margins[0] > margins[2]).any()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("d", [1, 2, 5, 20])
def test_random_starts_are_uniform_in_the_ball(norm, d):
    n = 2000
    X, y, w = np.zeros((n, d)), np.ones(n), np.zeros(d)
    settings = {"norm": norm, "eps": 2.0, "random_start": True, "random_state": 11}
    delta = fg.pgd(X, y, w, **settings).X_adv / 2.0  # w = 0: the starts themselves
    radius = np.linalg.norm(delta, ord=norm, axis=1)
    assert radius.max() <= 1.0
    assert kstest(radius**d, "uniform").pvalue > 1e-3
    assert abs(delta.mean()) < 4.0 / np.sqrt(n * d)
    if norm == 2 and d > 1:  # no direction is preferred
        squares = (delta / radius[:, None]) ** 2
        np.testing.assert_allclose(squares.mean(axis=0), 1.0 / d, rtol=0.15)


def test_the_random_numbers_are_splitmix64():
    # The first outputs for seed 0, from the authors' program.
    assert [reference.splitmix64(0, k) for k in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


@pytest.mark.parametrize("method", ["exact", "pgd", "autodiff32", "autodiff64"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("d", [2, 18])
def test_as_an_evaluation_set_of_a_run(method, norm, d):
    X, y = problem(60, d)
    settings = {"norm": norm, "method": method, "eps": 0.1}
    sets = {
        "free": settings,
        "boxed": settings | {"bounds": "data"},
        "by row": settings | {"eps": np.linspace(0.0, 0.3, 60)},
    }
    if method != "exact":
        random = {"random_start": True, "random_state": 3, "steps": 3, "step_size": 0.01}
        sets["random"] = settings | random | {"restarts": 2}
    for loss, reduction in (("logistic", "mean"), ("exponential", "sum")):
        run = fg.train(
            X, y, steps=200, lr=0.5 / d if reduction == "mean" else 1e-3, loss=loss,
            reduction=reduction, keep_weights=True, record=50, tie="negative",
            evals={"plain": (X, y)} | {name: fg.Pgd(X, y, **s) for name, s in sets.items()},
        )  # fmt: skip
        np.testing.assert_array_equal(run.counts["plain"], run.counts["train"])
        for k, (*w, b) in enumerate(run.weights):
            for name, s in sets.items():
                expected = fg.adversarial_accuracy(X, y, w, b, **s, tie="negative")
                assert run.accuracy[name][k] == expected
                m = fg.pgd(X, y, w, b, **s).margin
                values = np.logaddexp(0.0, -m) if loss == "logistic" else np.exp(-m)
                total = values.mean() if reduction == "mean" else values.sum()
                np.testing.assert_allclose(run.losses[name][k], total, rtol=1e-10)


def test_an_evaluation_set_keeps_its_data_alive():
    def make():
        X, y = problem(50, 20)
        return fg.Pgd(X.copy(), y.copy(), eps=0.1)

    X, y = problem(50, 20)
    run = fg.train(X, y, steps=5, lr=0.1, evals={"attacked": make()})
    expected = fg.adversarial_accuracy(X, y, run.w, run.bias_final, eps=0.1)
    assert run.accuracy["attacked"][-1] == expected
    assert repr(make()) == "Pgd(50 rows, 20 columns: exact, l_inf ball, eps 0.1)"


X, Y = problem(6, 2)
W = np.array([1.0, -2.0])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": X[:, :1]}, ValueError, "w must have length 1, got length 2"),
        ({"y": Y[:3]}, ValueError, "y must have one label a row: 6 rows, 3 labels"),
        ({"w": [1.0, np.nan]}, ValueError, r"w must be finite"),
        ({"b": np.inf}, ValueError, "b must be finite, got inf"),
        ({"norm": 1}, ValueError, "norm must be numpy.inf or 2, got 1"),
        ({"norm": "inf"}, ValueError, "norm must be numpy.inf or 2, got 'inf'"),
        ({"norm": True}, ValueError, "norm must be numpy.inf or 2, got True"),
        ({"norm": [2, 2]}, ValueError, r"norm must be numpy.inf or 2, got \[2, 2\]"),
        ({"eps": -0.1}, ValueError, r"eps must not be negative, got eps = -0.1"),
        ({"eps": np.nan}, ValueError, "eps must be finite, got nan"),
        ({"eps": [0.1] * 5 + [-1]}, ValueError, r"eps must not be negative, got eps\[5\] = -1"),
        ({"eps": [0.1] * 5}, ValueError, "eps must have length 6, got length 5"),
        ({"eps": np.ones((6, 1))}, ValueError, r"eps must have 1 dimension, got shape \(6, 1\)"),
        ({"eps": "1"}, TypeError, "eps must be a real number, got '1'"),
        ({"step_size": 0}, ValueError, "step_size must be greater than 0, got 0"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 2.5}, ValueError, "steps must be integral, got 2.5"),
        ({"random_start": 1}, TypeError, "random_start must be True or False, got 1"),
        ({"restarts": 0}, ValueError, "restarts must be at least 1, got 0"),
        ({"method": "fgsm"}, ValueError, "method must be one of 'exact', .*, got 'fgsm'"),
        ({"method": "exact", "random_start": True}, ValueError, "'exact' has no use for random"),
        ({"method": "exact", "restarts": 2}, ValueError, "no use for .*restarts=2"),
        ({"random_state": "now"}, TypeError, "random_state must be an integer, got 'now'"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0, got -1"),
        ({"bounds": "box"}, ValueError, r"bounds must be None, 'data' or \(lo, hi\), got 'box'"),
        ({"bounds": 3.0}, TypeError, r"bounds must be None, 'data' or \(lo, hi\), got 3.0"),
        ({"bounds": (1, 2, 3)}, ValueError, r"bounds must be a pair \(lo, hi\), got 3 values"),
        ({"bounds": (9, -9)}, ValueError, "lo <= hi, but in column 0 lo = 9.0 and hi = -9.0"),
        ({"bounds": ([-9, 9], [9, 8])}, ValueError, "in column 1 lo = 9.0 and hi = 8.0"),
        ({"bounds": (np.nan, 9)}, ValueError, r"bounds\[0\] must not be NaN"),
        ({"bounds": (-9, [9] * 3)}, ValueError, r"bounds\[1\] must be .* 2 columns, .* \(3,\)"),
        ({"bounds": (-9, "a")}, TypeError, r"bounds\[1\] must hold real numbers"),
        ({"tie": "loss"}, ValueError, "tie must be one of 'wrong', 'negative', got 'loss'"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        (
            {"w": [1e39, 0], "method": "autodiff32"},
            ValueError,
            r"'autodiff32' needs w and b within float32, got 1e\+39",
        ),
    ],
)
def test_errors(change, error, words):
    arguments = {"X": X, "y": Y, "w": W, "method": "pgd"} | change
    with pytest.raises(error, match=words):
        fg.pgd(**arguments)
    with pytest.raises(error, match=words):
        fg.adversarial_accuracy(**arguments)
    if not change.keys() & {"w", "b", "tie", "threads"} and "w must" not in words:
        del arguments["w"]
        with pytest.raises(error, match=words):
            fg.Pgd(**arguments)


def test_rows_outside_the_bounds():
    rows = np.array([[0.0, 1.0], [0.5, -1.5], [0.0, 2.0]])
    y = [1, 1, -1]
    words = r"X\[1, 1\] = -1.5 is below the lower bound -1.0 by 0.5"
    with pytest.raises(ValueError, match=words):
        fg.pgd(rows, y, W, bounds=(-1, 3))
    words = r"X\[2, 1\] = 2.0 is above the upper bound 1.0 by 1"
    with pytest.raises(ValueError, match=words):
        fg.adversarial_accuracy(rows, y, W, bounds=([-1, -2], [1, 1]))
    with pytest.raises(ValueError, match=words):
        fg.Pgd(rows, y, bounds=(-np.inf, [0.5, 1]))
    fg.pgd(rows, y, W, bounds=([0, -2], [0.5, 2]))  # only column by column inside


def test_grid_errors():
    for grid, words in (
        ([0.1, -0.2], r"eps_grid must not be negative, got eps_grid\[1\] = -0.2"),
        ([], "eps_grid must not be empty"),
        (0.5, r"eps_grid must have 1 dimension, got shape \(\)"),
        ([0.1, np.nan], "eps_grid must be finite"),
    ):
        with pytest.raises(ValueError, match=words):
            fg.adversarial_accuracy(X, Y, W, eps_grid=grid)
    with pytest.raises(ValueError, match=r"leave eps out, got an array of shape \(6,\)"):
        fg.adversarial_accuracy(X, Y, W, eps=np.ones(6), eps_grid=[0.1])


def test_an_evaluation_set_needs_the_columns_of_the_run():
    words = r"evals\['attacked'\] X must have 2 columns, got shape \(6, 3\)"
    with pytest.raises(ValueError, match=words):
        fg.train(X, Y, steps=1, lr=0.1, evals={"attacked": fg.Pgd(np.ones((6, 3)), Y)})
