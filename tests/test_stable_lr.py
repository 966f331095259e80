"""The learning rate that is surely stable, against eigenvalues computed otherwise."""

import math
import signal

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from cases import problem
from fastgrok.descent import _eigenvalues, stable
from runs import train_quietly


def with_ones(X, bias):
    rows = X.astype(np.float64)
    return np.column_stack([rows, np.ones(len(X))]) if bias else rows


def norm_squared(Z):
    """Largest eigenvalue of Z' Z with 40 digits."""
    with mpmath.workdps(40):
        gram = mpmath.matrix(Z.tolist())
        gram = gram.T * gram if Z.shape[1] <= len(Z) else gram * gram.T
        return max(mpmath.eigsy(gram, eigvals_only=True))


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(0, 999), st.booleans(),
    st.sampled_from(("mean", "sum")), st.sampled_from((1e-150, 1e-3, 1.0, 1e4, 1e120)),
    st.sampled_from((np.float64, np.float32)),
)  # fmt: skip
def test_it_is_two_over_the_bound_of_the_hessian(n, d, seed, bias, reduction, size, dtype):
    X, y = problem(n, d, seed)
    X = (X * (size if dtype is np.float64 else min(max(size, 1e-3), 1e4))).astype(dtype)
    got = fg.stable_lr(X, y, bias=bias, reduction=reduction)
    with mpmath.workdps(40):
        largest = norm_squared(with_ones(X, bias)) / 4 / (n if reduction == "mean" else 1)
        product = mpmath.mpf(got) * largest
        assert product <= 2  # rigorous, and hardly below
        assert product > 2 * (1 - mpmath.mpf(2) ** -22)


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
@pytest.mark.parametrize("bias", [True, False])
def test_many_columns_and_many_rows(shape, bias):
    X, y = problem(*shape)
    top = np.linalg.svd(with_ones(X, bias), compute_uv=False)[0] ** 2
    expected = 8.0 * shape[0] / top
    got = fg.stable_lr(X, y, bias=bias)
    assert expected * (1 - 2e-7) < got <= expected
    assert got * 2**30 / 2.0 ** math.frexp(got)[1] % 2**6 == 0  # 24 bits: the same for any threads


@pytest.mark.parametrize("shape", [(1500, 700), (700, 1500), (513, 530)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("spread", [0.0, 3.0])  # with it one direction is by far the longest
def test_bounds_that_are_found_by_iterations(shape, bias, spread):
    X, y = problem(*shape)
    X = X + spread * np.sin(np.arange(shape[1]))
    top = np.linalg.svd(with_ones(X, bias), compute_uv=False)[0] ** 2
    expected = 8.0 * shape[0] / top
    assert expected * (1 - 2e-7) < fg.stable_lr(X, y, bias=bias) <= expected


@pytest.mark.parametrize("found", [0.0, 0.5, 1.0 - 1e-6])
def test_what_iterations_miss_is_made_up_for(found, monkeypatch):
    """A number is not believed to lie above all eigenvalues before that is proved."""
    X, y = problem(600, 560)
    top = np.linalg.svd(X, compute_uv=False)[0] ** 2
    monkeypatch.setattr(
        _eigenvalues, "_from_below", lambda gram: found * np.linalg.eigvalsh(gram)[-1]
    )
    got = fg.stable_lr(X, y, bias=False)
    assert 0.1 * 8.0 * 600 / top < got <= 8.0 * 600 / top


def test_ctrl_c_ends_the_search(monkeypatch):
    """It comes while a piece is added, and no other one follows."""
    X, y = problem(2000, 1500)
    added = []

    def interrupted(gram, z, sign=1.0):
        added.append(z.shape)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(stable, "add_products", interrupted)
    with pytest.raises(fg.Interrupted, match="before anything had begun"):
        fg.train(X, y, steps=10, lr="auto")
    assert len(added) == 1
    assert np.prod(added[0]) < 2**23


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("bias", [True, False])
def test_descent_is_stable_below_it_and_smooth_below_half(reduction, bias):
    X, y = problem(60, 5)
    limit = fg.stable_lr(X, y, reduction=reduction, bias=bias)
    settings = {"steps": 2000, "reduction": reduction, "bias": bias, "engine": "exact"}
    run = fg.train(X, y, lr=0.999 * limit, record=1, **settings)
    assert (np.diff(run.loss) <= 1e-14 * run.loss[0]).all()
    assert run.loss[9] < run.loss[1] < run.loss[0]
    assert (run.sharpness < 2.0).all()
    # From 0, where l'' is 1/4, the bound is reached.
    assert run.sharpness[0] == pytest.approx(2 * 0.999, rel=1e-6)
    words = "is stable there, half of that smooth, and lr='auto' is everywhere"
    with pytest.warns(fg.StabilityWarning, match=words) as caught:
        fg.train(X, y, lr=1.5 * limit, **settings)
    shown = float(str(caught[0].message).split("lr below ")[1].split()[0])
    assert 0.99 * limit < shown < (1 + 1e-6) * limit
    # (I - H / L) g, with a mean Hessian H <= L, does not point against g.
    half = fg.train(X, y, lr="auto", record=1, **settings | {"steps": 300})
    assert (half.regime == "smooth").all()


def test_auto_takes_half_of_it():
    X, y = problem(50, 4)
    for settings in ({}, {"reduction": "sum"}, {"bias": False}):
        run = fg.train(X, y, steps=100, lr="auto", **settings)
        assert run.params["lr"] == 0.5 * fg.stable_lr(X, y, **settings)
        again = fg.train(X, y, steps=100, lr=run.params["lr"], **settings)
        np.testing.assert_array_equal(run.w, again.w)
    several = fg.train_many([{"X": X, "y": y, "steps": 10, "lr": "auto"}] * 2)
    assert several[1].params["lr"] == 0.5 * fg.stable_lr(X, y)


def test_auto_goes_on_from_its_checkpoint(tmp_path):
    X, y = problem(50, 4)
    for threads in (1, 2):
        run = fg.train(X, y, steps=50, lr="auto", checkpoint=tmp_path / "run", threads=threads)
        assert run.steps[-1] == 50


@pytest.mark.parametrize("scale", [1e-150, 1e-80, 1e60, 1e80, 1e120, 1e150])
@pytest.mark.parametrize("repeated", [1, 200])
def test_rows_of_any_size(scale, repeated):
    """Warnings are errors here: none says that what is stable everywhere is not."""
    X, y = problem(8, 3)
    X, y = np.repeat(X * scale, repeated, axis=0), np.repeat(y, repeated)
    for lr in (fg.stable_lr(X, y, bias=False), "auto"):
        run = fg.train(X, y, steps=20, lr=lr, bias=False, engine="exact")
        assert (run.sharpness <= 2.0).all()


@pytest.mark.parametrize(("scale", "repeated"), [(1e154, 1), (1e152, 20_000)])
def test_rows_whose_curvatures_leave_float64(scale, repeated):
    X, y = problem(8, 3)
    with pytest.raises(ValueError, match="X must be smaller, or no lr in float64 is stable"):
        fg.stable_lr(np.repeat(X * scale, repeated, axis=0), np.repeat(y, repeated))


def test_edges():
    X, y = problem(6, 2)
    assert fg.stable_lr(0 * X, y, bias=False) == math.inf
    assert fg.stable_lr(0 * X, y) == 8.0 * (1 - 2**-24)  # z is 1
    largest = np.finfo(np.float64).max
    assert fg.stable_lr([[1e-300]], [1], bias=False) == largest
    # Beyond float64, but not infinite: something moves, or decays.
    near = pytest.approx(largest, rel=1e-6)
    assert fg.stable_lr([[1e-300]], [1], bias=False, optimizer="momentum") == near
    assert fg.stable_lr([[0.0]], [1], bias=False, weight_decay=1e-320) == near
    with pytest.raises(ValueError, match="X must be smaller, or no lr in float64 is stable"):
        fg.stable_lr([[1e300]], [1])
    for call in (
        lambda: fg.stable_lr(X, y, loss="exponential"),
        lambda: fg.train(X, y, steps=3, lr="auto", loss="exponential"),
    ):
        with pytest.raises(ValueError, match="loss='exponential' has not a curvature"):
            call()
    with pytest.raises(ValueError, match="lr must be a number with optimizer='adam', got 'auto'"):
        fg.train(X, y, steps=3, lr="auto", optimizer="adam")
    with pytest.raises(ValueError, match="lr must be a number where all rows are 0"):
        fg.train(0 * X, y, steps=3, lr="auto", bias=False)
    with pytest.raises(ValueError, match=r"problems\[0\]\['lr'\] must be a number with"):
        fg.train_many([{"X": X, "y": y, "steps": 3, "lr": "auto", "optimizer": "adam"}])
    with pytest.raises(TypeError, match="lr must be a real number or 'auto', got 'best'"):
        fg.train(X, y, steps=3, lr="best")


# --- momentum and weight decay ----------------------------------------------------------------


def spectral_radius(optimizer, beta, lr, curvatures):
    """Of the linearised map of (u, v), one pair of entries for each curvature."""
    radii = []
    for h in curvatures:
        if optimizer == "gd":
            one = np.array([[1.0 - lr * h]])
        else:  # v' = beta v + h u; u' = u - lr v', or u - lr (h u + beta v')
            v = np.array([beta, h])
            ahead = v if optimizer == "momentum" else beta * v + np.array([0.0, h])
            one = np.array([v, np.array([0.0, 1.0]) - lr * ahead])
        radii.append(np.abs(np.linalg.eigvals(one)).max())
    return max(radii)


STEPS = [("gd", 0.0), ("momentum", 0.0), ("momentum", 0.9), ("momentum", 0.99), ("nesterov", 0.5),
         ("nesterov", 0.9)]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "beta"), STEPS)
@pytest.mark.parametrize("weight_decay", [0.0, 1e-3, 2.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_linearised_map_is_stable_up_to_it(optimizer, beta, weight_decay, reduction):
    X, y = problem(30, 4)
    how = {"reduction": reduction, "optimizer": optimizer, "weight_decay": weight_decay}
    if optimizer != "gd":
        how["optimizer_options"] = {"momentum": beta}
    limit = fg.stable_lr(X, y, **how)
    scale = 1.0 / 30 if reduction == "mean" else 1.0
    Z = with_ones(X, True)
    curvatures = np.linalg.eigvalsh(scale / 4.0 * Z.T @ Z) + weight_decay
    assert spectral_radius(optimizer, beta, limit, curvatures) <= 1.0 + 1e-9
    assert spectral_radius(optimizer, beta, limit * (1.0 + 1e-5), curvatures) > 1.0 + 1e-7
    assert spectral_radius(optimizer, beta, 0.99 * limit, curvatures) < 1.0


@pytest.mark.parametrize(("optimizer", "beta"), STEPS)
def test_runs_are_stable_below_it_and_not_above(optimizer, beta):
    # One row and its opposite label: at 0, where descent must end, the curvature is the bound.
    X, y = np.array([[1.0, 2.0], [1.0, 2.0], [-2.0, 1.0], [-2.0, 1.0]]), np.array([1, -1, 1, -1.0])
    how = {"optimizer": optimizer, "weight_decay": 0.1, "bias": False}
    if optimizer != "gd":
        how["optimizer_options"] = {"momentum": beta}
    limit = fg.stable_lr(X, y, **how)
    run = {"steps": 8000, "w0": [1e-3, 2e-3], "engine": "exact", "record": [8000]}
    below, above = (
        np.linalg.norm(train_quietly(X, y, lr=share * limit, **run, **how).w)
        for share in (0.9, 1.05)
    )
    assert below < 1e-12
    assert above > 1e-2


def test_decay_alone_is_a_limit():
    X, y = np.zeros((3, 2)), np.ones(3)
    assert fg.stable_lr(X, y, bias=False, weight_decay=0.25) == 8.0 * (1 - 2**-24)
    assert fg.stable_lr(1e-300 + X, y, bias=False, weight_decay=0.25) == 8.0 * (1 - 2**-24)
    assert fg.stable_lr(X, y, bias=False, optimizer="momentum") == math.inf
    assert fg.train(X, y, steps=5, lr="auto", bias=False, weight_decay=0.25).params["lr"] < 4.0


@pytest.mark.parametrize("weight_decay", [0.0, 5e-324, 1e-310])
@pytest.mark.parametrize("optimizer", ["gd", "momentum", "nesterov"])
def test_what_hardly_curves_has_a_limit_in_float64(optimizer, weight_decay):
    how = {"bias": False, "optimizer": optimizer, "weight_decay": weight_decay}
    limit = fg.stable_lr([[1e-200, 2e-200]], [1], **how)
    assert 1.79e308 < limit <= np.finfo(np.float64).max
    run = fg.train([[1e-200, 2e-200]], [1], steps=3, lr="auto", **how)
    assert run.params["lr"] == 0.5 * limit
    nothing = fg.stable_lr(np.zeros((3, 2)), np.ones(3), **how)
    assert nothing == (limit if weight_decay > 0.0 else math.inf)


def test_descent_with_decay_falls_below_it():
    X, y = problem(40, 3)
    how = {"weight_decay": 0.3, "decay_bias": True}
    lr = 0.999 * fg.stable_lr(X, y, weight_decay=0.3)
    run = fg.train(X, y, steps=200, lr=lr, record=1, keep_weights=True, engine="exact", **how)
    minimised = run.loss + 0.15 * (run.weights**2).sum(axis=1)
    assert (np.diff(minimised) <= 1e-15).all()
    half = fg.train(X, y, steps=200, lr="auto", record=1, engine="exact", **how)
    assert half.params["lr"] == 0.5 * fg.stable_lr(X, y, weight_decay=0.3)
    assert (half.regime == "smooth").all()


@pytest.mark.parametrize("optimizer", ["normalized", "sign", "adam", "adamw"])
def test_steps_without_such_a_limit_are_refused(optimizer):
    X, y = problem(6, 2)
    needs = rf"need steps that are linear .*, which optimizer='{optimizer}' has not"
    with pytest.raises(ValueError, match=f"has no learning rate that is stable: .* {needs}"):
        fg.stable_lr(X, y, optimizer=optimizer)
    with pytest.raises(ValueError, match=f"lr must be a number with .* got 'auto': .* {needs}"):
        fg.train(X, y, steps=3, lr="auto", optimizer=optimizer)


def test_arguments_of_momentum_and_decay():
    X, y = problem(6, 2)
    for how, message in (
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"optimizer_options": {"momentum": 0.5}}, "must be left out with optimizer='gd'"),
        ({"optimizer": "momentum", "optimizer_options": {"momentum": 1.0}}, "must lie in"),
        ({"optimizer": "sgd"}, "optimizer must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            fg.stable_lr(X, y, **how)
    needs = r"with schedule='callable', got 'auto': .* need factors of at most 1"
    with pytest.raises(ValueError, match=needs):
        fg.train(X, y, steps=3, lr="auto", schedule=lambda k: 2.0)
    chosen = fg.train(
        X, y, steps=3, lr="auto", optimizer="momentum", optimizer_options={"lr": 0.01}
    )  # fmt: skip
    assert chosen.params["lr"] == 0.01


def test_the_warning_counts_the_decay():
    X, y = problem(30, 3)
    limit = fg.stable_lr(X, y, weight_decay=0.2)
    lr = 1.5 * fg.stable_lr(X, y)
    with pytest.warns(fg.StabilityWarning, match="is stable there") as caught:
        fg.train(X, y, steps=10, lr=lr, weight_decay=0.2, engine="exact")
    shown = float(str(caught[0].message).split("lr below ")[1].split()[0])
    assert 0.99 * limit < shown < (1 + 1e-6) * limit
