"""Rows that cannot matter: what is skipped changes no bit, and is skipped for a proven reason."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrok as fg
from cases import python
from fastgrok import _core
from fastgrok.testing import assert_same_bits

TAILS = [name for name, says in _core.losses().items() if says["exponential_tail"]]


def descent(
    X, y, steps, *, loss="logistic", scale=1.0, lr=0.1, start=0.0, skip="auto", threads=1,
    check=False,
):  # fmt: skip
    """A run from w = (start, 0, ...), b = 0."""
    return _core.Descent(
        _core.Problem(X, y, True),
        [],
        np.asarray(steps, dtype=np.int64),
        loss=loss,
        scale=scale,
        lr=lr,
        w=start * np.eye(X.shape[1])[0],
        b=0.0,
        tie_negative=False,
        keep_weights=True,
        watch_sharpness=False,
        skip_rows=skip,
        check_skipped=check,
        threads=threads,
    )


def weights(run):
    assert run.run(lambda step: False, 10.0) == "done"
    return run.recorded()["weights"]


def separable(n, d, dtype=np.float64, seed=0):
    """Rows on both sides of a slab of width 2, many of them far from it."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-1, 3, size=(n, 1))
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    X[:, 0] += y
    return X.astype(dtype), y


@pytest.mark.parametrize("loss", TAILS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "d"), [(3000, 2), (1000, 5), (2000, 17), (400, 130)])
def test_skipping_changes_no_bit(n, d, dtype, loss):
    X, y = separable(n, d, dtype)
    steps = (1, 2, 10, 100, 1000, 3000)
    # A start that classifies all rows keeps the exponential loss from diverging.
    options = {"loss": loss, "lr": 1.0 if loss == "logistic" else 1e-4, "scale": 1.0 / n}
    options["start"] = 10.0
    plain = descent(X, y, steps, skip="never", **options)
    expected = weights(plain)
    assert 3000 * n <= plain.row_visits <= 3010 * n  # a few steps are taken twice
    for skip in ("auto", "always"):
        run = descent(X, y, steps, skip=skip, **options)
        assert_same_bits(weights(run), expected)
        assert run.row_visits < 0.9 * plain.row_visits


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("d", [2, 40])
def test_skipping_over_many_chunks_on_any_number_of_threads(d, threads):
    X, y = separable(2**17 // d + 5, d)
    options = {"lr": 1.0, "scale": 1.0 / len(y), "start": 3.0}
    expected = weights(descent(X, y, [1, 30, 150], skip="never", **options))
    run = descent(X, y, [1, 30, 150], threads=threads, **options)
    assert_same_bits(weights(run), expected)
    assert run.row_visits < 0.8 * 150 * len(y)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 400),
    d=st.sampled_from([1, 2, 3, 16, 17, 33]),
    seed=st.integers(0, 2**32 - 1),
    loss=st.sampled_from([name for name, says in _core.losses().items() if says["skippable"]]),
    lr=st.floats(1e-3, 30.0),
    spread=st.floats(0.0, 3.0),
    flipped=st.floats(0.0, 0.2),
    skip=st.sampled_from(["auto", "always"]),
)
def test_no_row_that_matters_is_left_out(n, d, seed, loss, lr, spread, flipped, skip):
    """The margins of all rows, looked at after every step, agree with what was skipped."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-spread, spread, size=(n, 1))
    y = np.where((X[:, 0] > 0) ^ (rng.random(n) < flipped), 1.0, -1.0)
    lr = lr if loss == "logistic" else lr / n
    steps = [1, 5, 50, 200]
    options = {"loss": loss, "lr": lr}
    checked = descent(X, y, steps, skip=skip, check=True, **options)
    status = checked.run(lambda step: False, 10.0)  # raises if a row was left out by mistake
    plain = descent(X, y, steps, skip="never", **options)
    assert plain.run(lambda step: False, 10.0) == status
    assert_same_bits(checked.recorded()["weights"], plain.recorded()["weights"])


@pytest.mark.parametrize("d", [2, 20])
def test_what_is_left_out_of_a_step_is_negligible(d):
    """At each step: the rows above the bound that the step's own gradient implies add nothing."""
    X, y = separable(500, d)
    run = weights(descent(X, y, range(400), lr=1.0, scale=1.0 / len(y)))
    Z = np.column_stack([X, np.ones(len(y))]) * y[:, None]
    for here, after in itertools.pairwise(run):
        du = after - here
        m = Z @ here
        slope = np.exp(-np.logaddexp(0.0, m)) / len(y)
        # More bits than the bound can have had: 60, the exponents rounded up, and 4 to spare.
        reach = np.linalg.norm(Z, axis=1).max()
        most = (60 + 4 + 4 + math.log2(reach / np.abs(du).max())) * math.log(2)
        kept = m <= most
        np.testing.assert_allclose(
            du, slope[kept] @ Z[kept], rtol=0, atol=1e-13 * np.abs(du).max() + 1e-15 * reach
        )


def test_a_step_whose_bound_was_too_low_is_taken_again():
    """The first step leads to margins of 189 and 10986, and so to a gradient of e^-189."""
    X = np.array([[1.0], [60.0]])
    run = descent(X, np.ones(2), [1, 2], lr=6.0)
    np.testing.assert_array_equal(weights(run)[0], [183.0, 6.0])
    np.testing.assert_allclose(run.state()["update"], 6.0 * math.exp(-189.0), rtol=1e-12)
    assert run.row_visits == 3 * len(X)


def test_updates_that_the_parameters_round_up():
    """Each update is 0.55 of a last place of w[0], so w[0] moves by nearly twice as much."""
    size, far = 1e4, 1.35e8
    bits = np.linspace(200.0, 260.0, 200) / np.log2(np.e)
    rows = [(1e-4, 0.0, 0.0)] * 40
    rows += [(-far, far / 10 + m / (10 * size), 1.0) for m in bits]
    lr = 0.55 * np.spacing(size) / (40 * 1e-4 / (1 + math.e))
    options = {"steps": 400_000, "lr": lr, "w0": [size, 10 * size, 0.0], "bias": False}
    options |= {"reduction": "sum", "watch_sharpness": False, "threads": 1, "engine": "exact"}
    runs = [fg.train(rows, np.ones(240), skip_rows=s, **options) for s in (False, "auto", True)]
    assert runs[0].w[0] - size > 1.9 * 0.55 * np.spacing(size) * 400_000 * 0.9
    for run in runs[1:]:
        assert run.engine.row_share < 0.9
        assert_same_bits(run.w, runs[0].w)


def test_rows_of_the_same_reach_are_not_listed_again_and_again():
    """A quantile of the reach keeps all of them; the levels below would each hold a copy."""
    X = np.vstack([np.tile([50.0, 0.0], (4000, 1)), np.random.default_rng(0).normal(size=(96, 2))])
    y = np.where(X[:, 0] + 0.3 * X[:, 1] > 0, 1.0, -1.0)
    run = descent(X, y, [3000], scale=1.0 / len(y), lr=1.0)
    plain = descent(X, y, [3000], scale=1.0 / len(y), lr=1.0, skip="never")
    assert_same_bits(weights(run), weights(plain))
    assert run.row_visits <= plain.row_visits


def test_lists_last_through_oscillations():
    """Steps of the cube's transient are long, but go to and fro: few lead out of a list's reach."""
    data = fg.datasets.margin_cube(n=(2000, 2000), dim=64, seed=0)
    options = {"lr": 1e-2, "threads": 1}
    plain = descent(data.X, data.y, range(0, 301, 20), skip="never", **options)
    expected = weights(plain)
    apart = np.linalg.norm(np.diff(expected[5:], axis=0), axis=1)
    updates = descent(data.X, data.y, (200, 201), skip="never", **options)
    one = np.linalg.norm(np.diff(weights(updates), axis=0))
    assert (apart < 4.0 * one).all()  # 20 steps lead no farther than a few
    run = descent(data.X, data.y, range(0, 301, 20), skip="always", check=True, **options)
    assert_same_bits(weights(run), expected)
    assert run.row_visits < 0.8 * plain.row_visits


@pytest.mark.parametrize("size", [1e-200, 1e150, 1e200])
def test_rows_whose_norm_leaves_the_range(size):
    X = size * np.random.default_rng(0).normal(size=(100, 3))
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    runs = [
        weights(descent(X, y, [1, 20], lr=1e-3 / size, skip=skip)) for skip in ("never", "always")
    ]
    assert_same_bits(*runs)


def test_a_paused_run_goes_on_with_the_same_bits():
    X, y = separable(2000, 2)
    options = {"lr": 1.0, "scale": 1.0 / 2000}
    expected = weights(descent(X, y, [500, 5000], **options))
    first = descent(X, y, [500, 5000], **options)
    assert first.run(lambda step: step > 700, 0.0) == "paused"
    second = descent(X, y, [500, 5000], **options)
    second.restore(first.state())
    assert_same_bits(weights(second), expected)


def test_train_passes_the_choice_on():
    X, y = separable(3000, 2)
    options = {"steps": 2000, "lr": 10.0, "watch_sharpness": False, "threads": 1}
    runs = [fg.train(X, y, skip_rows=skip, **options) for skip in (False, "auto", True)]
    assert runs[0].engine.row_share == 1.0
    for run in runs[1:]:
        assert run.engine.row_share < 0.9
        assert_same_bits(run.w, runs[0].w)
        assert run.bias_final == runs[0].bias_final


def test_without_memory_for_lists_a_run_goes_on_without_them():
    code = """
import resource
import numpy as np
from test_active_rows import descent, separable
X, y = separable(200_000, 2)
options = {"lr": 1.0, "scale": 1.0 / len(y), "start": 10.0}
runs = [descent(X, y, [60], skip=skip, **options) for skip in ("never", "always", "always")]
for run in runs[:2]:
    run.run(lambda step: False, 10.0)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 3_000_000, -1))
status = runs[2].run(lambda step: False, 10.0)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print(status, *(np.array_equal(run.w, runs[0].w) for run in runs[1:]))
print(runs[0].row_visits == runs[2].row_visits > runs[1].row_visits)
"""
    child = python(code)
    assert child.stdout == "done True True\nTrue\n", child.stderr
