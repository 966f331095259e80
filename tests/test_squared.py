"""Runs of the squared loss, (1 - m)^2 = (y - f)^2: every row counts, its slope has either sign."""

import numpy as np
import pytest

import fastgrok as fg
import reference
from cases import problem
from runs import assert_same_bits, train_quietly

OPTIONS = {"loss": "squared"}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [(400, 2), (90, 16), (300, 17), (200, 100), (20, 180)])
def test_every_step_is_that_of_numpy(n, d, dtype, reduction):
    X, y = problem(n, d)
    X = X.astype(dtype)
    options = {"reduction": reduction, "steps": 500, "lr": "auto", "record": 1}
    run = fg.train(X, y, skip_rows=True, keep_weights=True, **options, **OPTIONS)
    assert run.engine.row_share == 1.0  # no row is far enough away
    path = reference.descend(
        X.astype(np.float64), y, 500, run.params["lr"], reduction=reduction, **OPTIONS
    )
    expected = np.column_stack(path)
    error = np.linalg.norm(run.weights - expected, axis=1)
    assert np.all(error <= 1e-12 * np.linalg.norm(expected, axis=1))


def test_margins_beyond_1_are_drawn_back():
    # 2 (1 - 3 w) 3 is the slope by w: from w = 1, where the margin is 3, to 1 - 12 / 48.
    run = fg.train(
        [[3.0]], [1], steps=1, lr=1 / 48, w0=[1.0], bias=False, record=1, keep_weights=True,
        reduction="sum", **OPTIONS,
    )  # fmt: skip
    assert run.weights[:, 0].tolist() == [1.0, 0.75]
    assert run.loss.tolist() == [4.0, 1.25**2]
    assert run.sharpness.tolist() == [18 / 48, 18 / 48]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n", "d"), [(300, 3), (300, 20)])
def test_descent_tends_to_least_squares(n, d, bias):
    X, y = problem(n, d)
    run = fg.train(X, y, steps=20_000, lr="auto", bias=bias, engine="exact", **OPTIONS)
    Z = np.column_stack([X, np.ones(n)]) if bias else X
    best, sum_of_squares = np.linalg.lstsq(Z, y)[:2]
    np.testing.assert_allclose(run.w, best[:d], rtol=1e-10, atol=1e-12)
    assert run.loss[-1] == pytest.approx(sum_of_squares[0] / n, rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_stable_rate_is_that_of_curvature_2(reduction):
    X, y = problem(60, 5)
    Z = np.column_stack([X, np.ones(60)])
    top = 2.0 * np.linalg.norm(Z, 2) ** 2 * reference.scale(60, reduction)
    rate = fg.stable_lr(X, y, reduction=reduction, **OPTIONS)
    assert 2.0 / top * (1.0 - 2e-7) < rate <= 2.0 / top
    run = fg.train(X, y, steps=500, lr=0.999 * rate, reduction=reduction, record=1, **OPTIONS)
    np.testing.assert_allclose(run.sharpness, 2 * 0.999, rtol=1e-6)
    assert np.all(np.diff(run.loss) <= 1e-14 * run.loss[0])


def test_beyond_the_stable_rate_descent_diverges():
    X, y = problem(60, 5)
    rate = 1.05 * fg.stable_lr(X, y, **OPTIONS)
    with pytest.raises(fg.DivergenceError):
        fg.train(X, y, steps=10**6, lr=rate, **OPTIONS)


def test_questions_of_a_run(tmp_path):
    X, y = problem(200, 3)
    evals = {"test": problem(100, 3, seed=5)}
    options = {"steps": 3000, "lr": 2e-3, "evals": evals, "keep_weights": True, **OPTIONS}
    run = fg.train(X, y, **options)
    more = options | {"steps": 10**5, "engine": "exact"}
    whole = fg.train(X, y, **more)
    assert_same_bits(fg.train(X, y, checkpoint=tmp_path / "run", **more), whole)
    assert_same_bits(fg.train(X, y, checkpoint=tmp_path / "run", **more), whole)
    for again in fg.train_many([{"X": X, "y": y, **options}] * 2):
        assert_same_bits(again, run)
    level = float(run.accuracy["test"].max())
    hit = run.refine_hit("test", level)
    every = fg.train(X, y, **options | {"record": 1})
    assert hit.step == every.steps[np.argmax(every.accuracy["test"] >= level)]
    with pytest.raises(ValueError, match="limits of directions need slopes that fall off like"):
        run.plot(limit="auto")


def test_weights_of_rows_are_the_sizes_of_their_slopes():
    X, y = np.array([[1.0], [3.0]]), np.array([1.0, 1.0])
    run = train_quietly(
        X, y, steps=4, lr=2.0**-5, reduction="sum", bias=False, record=1, keep_weights=True,
        **OPTIONS,
    )  # fmt: skip
    w, shares = 0.0, []
    for _ in range(5):
        assert run.weights[len(shares), 0] == w
        slopes = np.abs(1.0 - X[:, 0] * w)
        shares.append(slopes[1] / slopes.sum())
        w += 2.0**-4 * float((1.0 - X[:, 0] * w) @ X[:, 0])
    # Half at the start; then the large row, fitted soon, has a smaller share.
    assert shares[0] == 0.5 > max(shares[1:])
    assert run.phases([1]).t1 is None
    assert run.phases([0]).t1 == 1
    with pytest.raises(ValueError, match="not the data of this run"):
        run.phases([0], 1.01 * X, y)


@pytest.mark.parametrize("d", [1, 20])
def test_at_rest_near_weights_of_0_nothing_turns(d):
    """Of labels that the rows tell nothing of what is left of a step is rounding alone."""
    rng = np.random.default_rng(d)
    rows = rng.normal(size=(50, d))
    X, y = np.vstack([rows, rows]), np.repeat([1.0, -1.0], 50)
    lr = 0.85 * fg.stable_lr(X, y, bias=False, **OPTIONS)
    run = fg.train(
        X, y, steps=20_000, lr=lr, bias=False, w0=np.full(d, 1e-3), record=[100, 20_000],
        engine="exact", **OPTIONS,
    )  # fmt: skip
    assert run.regime[-1] == "smooth"
    assert run.norm_w[-1] < 1e-15
