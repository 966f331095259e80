"""The learning rate that is surely stable, against eigenvalues computed otherwise."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrok as fg
from cases import problem


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
    assert fg.stable_lr([[1e-300]], [1], bias=False) == np.finfo(np.float64).max
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
