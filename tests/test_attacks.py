"""The worst case and PGD, held against literal loops and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
import reference_attacks as reference
from attack_cases import METHODS, NORMS, assert_inside, attacks, box_of, iterations, losses, radii
from cases import LENGTHS, layouts, point, problem


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


@pytest.mark.parametrize("step_size", [1e-18, 0.01, 0.1, 0.5, 30.0])
@pytest.mark.parametrize("steps", [1, 6, 20, 200])
def test_what_a_random_start_leaves_across_w_shrinks_to_the_last_step(step_size, steps):
    """Also where the part along w has reached the radius already."""
    for seed in range(10):
        X, y = problem(1, 2, seed=seed)
        w, b = point(2, seed=seed)
        ball = {"norm": 2, "eps": 0.1, "step_size": step_size, "steps": steps}
        got = fg.pgd(X, y, w, b, random_start=True, random_state=seed, **ball)
        expected = reference.attack(X, y, w, b, method="pgd", random_state=seed, restarts=1, **ball)
        np.testing.assert_allclose(got.X_adv, expected, rtol=0, atol=1e-15 * (1 + np.abs(X).max()))


@given(attacks(), iterations(), st.sampled_from(METHODS))
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
    radius = radii(X, ball["eps"])
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
    ball |= {"norm": 2, "eps": radii(X, ball["eps"])[:, :1]}
    rows = X.astype(np.float64)
    radius = ball["eps"][:, 0]
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


@given(attacks(most_columns=17))
def test_exact_in_the_l_1_ball_is_the_linear_program(case):
    X, y, w, b, ball = case
    ball |= {"norm": 1, "eps": radii(X, ball["eps"])[:, :1]}
    rows = X.astype(np.float64)
    low, high = box_of(X, ball["bounds"]) or (-np.inf, np.inf)
    worst = [
        reference.worst_in_l_1(x, label, w, b, e, low, high)
        for x, label, e in zip(rows[:6], y, ball["eps"][:, 0], strict=False)
    ]
    got = fg.pgd(X, y, w, b, method="exact", **ball)
    np.testing.assert_allclose(got.margin[:6], worst, rtol=1e-9, atol=1e-9 * (1 + np.abs(w).sum()))
    assert_inside(got.X_adv, X, **ball)


def test_the_l_1_ball_spends_all_on_the_heaviest_column_that_has_room():
    X, w = np.zeros((2, 4)), np.array([1.0, -3.0, 2.0, 0.0])
    free = fg.pgd(X, [1, -1], w, norm=1, eps=[[2.0], [0.5]], method="exact")
    np.testing.assert_array_equal(free.X_adv, [[0, 2, 0, 0], [0, -0.5, 0, 0]])
    np.testing.assert_array_equal(free.margin, [-6.0, -1.5])
    boxed = fg.pgd(X, [1, -1], w, norm=1, eps=2.0, bounds=(-1.0, 0.75), method="exact")
    np.testing.assert_array_equal(boxed.X_adv, [[-0.25, 0.75, -1, 0], [0.25, -1, 0.75, 0]])
    whole = fg.pgd(X, [1, 1], w, norm=1, eps=9.0, bounds=(-1.0, 0.75), method="exact")
    np.testing.assert_array_equal(whole.X_adv, [[-1, 0.75, -1, 0]] * 2)


def test_random_starts_are_uniform_in_the_l_1_ball():
    # Of points uniform in the ball the l_1 norm is at most r with probability r^d, and |x_j| is
    # more than t with probability (1 - t)^d.
    d, n = 3, 20_000
    attack = fg.pgd(
        np.zeros((n, d)), np.ones(n), np.zeros(d), norm=1, eps=1.0, random_start=True,
        random_state=1, steps=1,
    )  # fmt: skip
    size = np.abs(attack.X_adv).sum(axis=1)
    for r in (0.3, 0.7, 0.9):
        assert abs((size <= r).mean() - r**d) < 5 * np.sqrt(r**d * (1 - r**d) / n)
        share = (1 - r) ** d
        for j in range(d):
            more = (attack.X_adv[:, j] > r).mean()
            assert abs(more - share / 2) < 5 * np.sqrt(share / 2 / n) + 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_eps_by_row_and_by_column(method):
    rng = np.random.default_rng(4)
    X, y = problem(7, 7)
    w, b = point(7)
    each = rng.uniform(0.1, 0.5, 7)
    settings = {"method": method, "step_size": 0.05}
    by_row = fg.pgd(X, y, w, b, eps=each[:, None], **settings)
    by_column = fg.pgd(X, y, w, b, eps=each[None, :], **settings)
    for i in range(7):
        one = fg.pgd(X[i : i + 1], y[i : i + 1], w, b, eps=each[i], **settings)
        np.testing.assert_array_equal(by_row.X_adv[i], one.X_adv[0])
    if not method.startswith("autodiff"):  # of which the gradient depends on all columns
        for j in range(7):
            one = fg.pgd(X, y, w, b, eps=each[j], **settings)
            np.testing.assert_array_equal(by_column.X_adv[:, j], one.X_adv[:, j])
    for eps, attack in ((each[:, None], by_row), (each[None, :], by_column)):
        accuracy = fg.adversarial_accuracy(X, y, w, b, eps=eps, **settings)
        assert accuracy == (~attack.is_adv).mean()
        run = fg.train(X, y, steps=2, lr=0.1, evals={"a": fg.Pgd(X, y, eps=eps, **settings)})
        again = fg.pgd(X, y, run.w, run.bias_final, eps=eps, **settings)
        assert run.accuracy["a"][-1] == (~again.is_adv).mean()
    np.testing.assert_array_equal(
        fg.pgd(X[:5], y[:5], w, b, eps=each[:5], **settings).X_adv,
        fg.pgd(X[:5], y[:5], w, b, eps=each[:5, None], **settings).X_adv,
    )


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


@pytest.mark.parametrize("method", METHODS)
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
            got = losses(rows, y, w, b, "exponential", eps=eps[:, None], bounds="data")
            np.testing.assert_allclose(got, [np.exp(-worst).sum()], rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_moves_without_weights(norm):
    X, y = problem(40, 3)
    for method in METHODS:
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
