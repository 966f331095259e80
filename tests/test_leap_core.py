"""The leaping integrator against exact descent, an ODE solver and closed forms."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from scipy.special import expit

import fastgrok as fg
from cases import problem, python
from fastgrok import _core
from leaps import difference, iterates, leap, spaced


def separable(n, d, seed=0):
    """Gaussian rows labelled by a hyperplane through the origin, and 0.3 away from it."""
    rng = np.random.default_rng([seed, n, d])
    X, w = rng.normal(size=(n, d)), np.full(d, 1 / math.sqrt(d))
    y = np.where(X @ w > 0, 1.0, -1.0)
    return X + 0.3 * np.outer(y, w), y


def stable(X, share=1.0):
    """The rate times `share` at which the largest curvature of the logistic loss is 1."""
    rows = np.column_stack([X, np.ones(len(X))])
    return share * 4.0 / np.linalg.eigvalsh(rows.T @ rows)[-1]


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(30, 1), (40, 2), (50, 5), (40, 16), (60, 17), (40, 33)])
def test_follows_exact_descent(shape, bias, loss):
    X, y = separable(*shape)
    rate = stable(X, 0.5)
    start, records = spaced(400), [500, 1000, 3000, 7001]
    at, updates = iterates(X, y, rate, [*start, *records], loss, bias)
    run = leap(X, y, rate, at, updates, start, loss=loss, bias=bias)
    status, got = run.run(np.array(records, dtype=float))
    assert status == "arrived"
    assert run.now == records[-1]
    for k, u in zip(records, got, strict=True):
        assert difference(u, at[k]) < 2e-9
    statistics = run.statistics()
    assert statistics["evaluations"] < 200
    assert sum(statistics["of_order"]) == statistics["accepted"]
    assert difference(got[-1], at[records[-1]]) < statistics["step_error"] < 1e-7
    assert statistics["model_error"] < 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_either_precision(dtype):
    X, y = separable(40, 20)
    X = X.astype(dtype)
    rate, start = stable(X), spaced(400)
    at, updates = iterates(X, y, rate, [*start, 3000], "logistic", True)
    status, got = leap(X, y, rate, at, updates, start).run(np.array([3000.0]))
    assert status == "arrived"
    assert difference(got[0], at[3000]) < 2e-9


def test_follows_the_paper_sized_cube():
    data = fg.datasets.margin_cube(n=(1000, 1000), dim=2, gamma=1e-3, seed=0)
    start, records = spaced(1000), [2000, 10_000, 100_000]
    steps = sorted({*start, *(k + 1 for k in start), *records})
    run = fg.train(
        data.X, data.y, steps=records[-1], lr=1e-2, reduction="sum", record=steps,
        keep_weights=True, watch_sharpness=False,
    )  # fmt: skip
    at = dict(zip(run.steps.tolist(), run.weights, strict=True))
    updates = {k: at[k + 1] - at[k] for k in start}
    leaped = leap(data.X, data.y, 1e-2, at, updates, start, tolerance=1e-9)
    status, got = leaped.run(np.array(records, dtype=float))
    assert status == "arrived"
    for k, u in zip(records, got, strict=True):
        assert difference(u, at[k]) < 1e-8
    assert leaped.statistics()["evaluations"] < 150


def test_period_two_orbit():
    data = fg.datasets.margin_cube(n=(1000, 1000), dim=2, gamma=1e-3, support=(350, 350), seed=0)
    start, records = spaced(2500, 1.01), [4000, 20_000]  # in pairs of steps
    steps = sorted({*(2 * k for k in [*start, *records]), *(2 * k + 2 for k in start), 39_999})
    with pytest.warns(fg.StabilityWarning):
        run = fg.train(
            data.X, data.y, steps=40_000, lr=1e-2, reduction="sum", record=steps, keep_weights=True,
            engine="exact",
        )  # fmt: skip
    exact = dict(zip(run.steps.tolist(), run.weights, strict=True))
    assert np.linalg.norm(exact[40_000] - exact[39_999]) > 1.0
    at = {k: exact[2 * k] for k in [*start, *records]}
    updates = {k: exact[2 * k + 2] - exact[2 * k] for k in start}
    leaped = leap(data.X, data.y, 1e-2, at, updates, start, tolerance=1e-9, period=2)
    status, got = leaped.run(np.array(records, dtype=float))
    assert status == "arrived"
    for k, u in zip(records, got, strict=True):
        assert difference(u, at[k]) < 2e-8


def test_agrees_with_an_ode_solver_far_out():
    X, y = separable(20, 2, seed=3)
    rate, start = stable(X), spaced(1000)
    at, updates = iterates(X, y, rate, start, "logistic", True)
    rows = y[:, None] * np.column_stack([X, np.ones(len(y))])

    def modified(s, u):
        """Descent to second order in the rate, by s = log k."""
        m = rows @ u
        minus_gradient = expit(-m) @ rows
        product = (expit(m) * expit(-m) * (rows @ minus_gradient)) @ rows
        return math.exp(s) * rate * (minus_gradient + 0.5 * rate * product)

    solved = solve_ivp(
        modified, (math.log(1000), math.log(1e8)), at[1000], method="Radau", rtol=1e-10, atol=1e-10
    )
    status, got = leap(X, y, rate, at, updates, start).run(np.array([1e8]))
    assert status == "arrived"
    assert difference(got[0], solved.y[:, -1]) < 2e-7


@pytest.mark.parametrize("loss", ["logistic", "exponential"])
@pytest.mark.parametrize("columns", [1, 20])
def test_one_point_in_closed_form_to_the_end(columns, loss):
    # Without bias a lone row z has u = m z / |z|^2 with m_{k+1} = m_k - rate |z|^2 l'(m_k), hence
    # e^m = c k + O(log k), c = rate |z|^2.
    z = np.zeros((1, columns))
    z[0, 0] = 2.0
    rate, start = 0.1, spaced(300)
    y = np.ones(1)
    at, updates = iterates(z, y, rate, start, loss, False)
    run = leap(z, y, rate, at, updates, start, loss=loss, bias=False)
    records = np.array([1e20, 1e60, 1e150, 1e299, 1e300])
    status, got = run.run(records)
    assert status == "arrived"
    np.testing.assert_allclose(2.0 * got[:, 0], np.log(0.4) + np.log(records), rtol=1e-9)
    np.testing.assert_array_equal(got[:, 1:], 0.0)


@pytest.mark.parametrize("shape", [(40, 2), (30, 20)])
def test_far_horizons_are_finite_and_monotone(shape):
    X, y = separable(*shape)
    rate, start = stable(X), spaced(400)
    at, updates = iterates(X, y, rate, start, "logistic", True)
    records = 10.0 ** np.arange(3, 301)
    run = leap(X, y, rate, at, updates, start, tolerance=1e-9)
    status, got = run.run(records)
    assert status == "arrived"
    assert np.isfinite(got).all()
    smallest = (y[:, None] * (got[:, :-1] @ X.T + got[:, -1:]).T).min(axis=0)
    assert (np.diff(smallest) > 0).all()
    # The smallest margin grows like log k.
    np.testing.assert_allclose(np.diff(smallest)[100:], math.log(10), rtol=1e-3)
    assert run.statistics()["evaluations"] < 500


@pytest.mark.parametrize("shape", [(60, 3), (80, 20)])
def test_notices_convergence(shape):
    X, y = problem(*shape, seed=4)
    rng = np.random.default_rng(5)
    y = rng.choice([-1.0, 1.0], len(y))
    rate, start = stable(X), spaced(300)
    at, updates = iterates(X, y, rate, start, "logistic", True)
    run = leap(X, y, rate, at, updates, start)
    status, got = run.run(np.array([1e5, 1e12, 1e300]))
    assert status == "converged"
    assert run.now < 1e5
    rows = y[:, None] * np.column_stack([X, np.ones(len(y))])
    best = minimize(
        lambda u: np.logaddexp(0, -rows @ u).sum(),
        at[300],
        jac=lambda u: -expit(-(rows @ u)) @ rows,
        hess=lambda u: (rows.T * (expit(rows @ u) * expit(-(rows @ u)))) @ rows,
        method="trust-exact",
        options={"gtol": 1e-12},
    )
    for u in got:
        assert difference(u, best.x) < 1e-9
    assert run.step(1e300) == "converged"


@given(st.integers(0, 2**32 - 1))
@example(327676)  # cannot be leaped from step 200
@example(70280)  # 83 times the tolerance
@settings(max_examples=25)
def test_small_problems(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(2, 41)), int(rng.integers(1, 7))
    X = rng.normal(size=(n, d)) * 10 ** rng.uniform(-1, 1) + rng.normal(size=d)
    kind = rng.integers(4)
    if kind == 0:
        X[1::2] = X[: 2 * (n // 2) : 2]
    elif kind == 1:
        X[:] = np.outer(rng.normal(size=n), X[0])
    elif kind == 2:
        X[0] = 0.0
    y = rng.choice([-1.0, 1.0], n) if rng.integers(2) else np.where(X[:, 0] > 0, 1.0, -1.0)
    loss = ("logistic", "exponential")[rng.integers(2)]
    bias = bool(rng.integers(2))
    rate = stable(X, 10 ** rng.uniform(-2, 0) * (1.0 if loss == "logistic" else 0.25))
    for start, records in ((spaced(200), [300, 3000]), (spaced(800), [3000])):
        at, updates = iterates(X, y, rate, [*start, *records], loss, bias)
        assume(all(np.isfinite(u).all() for u in at.values()))
        run = leap(X, y, rate, at, updates, start, loss=loss, bias=bias, tolerance=1e-9)
        status, got = run.run(np.array(records, dtype=float))
        if status != "failed":
            break
    else:  # not only from too early a start, but only where updates turn back and forth
        turns = [updates[a] @ updates[b] for a, b in itertools.pairwise(start)]
        assert min(turns) < 0
    for k, u in zip(records, got, strict=False):
        # Of a single integration, of which nothing is promised but that it follows the tolerance.
        assert difference(u, at[k]) < 1e-7


def test_an_oscillation_is_refused():
    X, y = separable(30, 2)
    X = X + 3.0
    rate, start = stable(X, 6.0), spaced(200)
    y[:15] = -y[:15]
    at, updates = iterates(X, y, rate, start, "logistic", True)
    assert (
        updates[start[-1]] @ updates[start[-2]] < 0
        or updates[start[-1]] @ (at[start[-1]] - at[start[-2]]) < 0
    )
    status, got = leap(X, y, rate, at, updates, start).run(np.array([1e4]))
    assert status == "failed"
    assert got.shape == (0, 3)


def test_dense_output_inside_a_step():
    X, y = separable(40, 2)
    rate, start = stable(X), spaced(400)
    at, updates = iterates(X, y, rate, [*start, *range(400, 2000)], "logistic", True)
    run = leap(X, y, rate, at, updates, start, tolerance=1e-9)
    seen = 0
    while run.now < 1999:
        assert run.step(1999.0) == ("moving" if run.now < 1999 else "arrived")
        for k in range(math.ceil(run.before), math.floor(run.now) + 1):
            assert difference(run.at(k), at[k]) < 1e-8
            seen += 1
    assert seen >= 1599


@pytest.mark.parametrize("shape", [(8_300, 16), (8_100, 17), (70_000, 2)])
def test_any_number_of_threads_gives_the_same_bits(shape):
    X, y = separable(*shape)
    rate, start = stable(X), spaced(60, 1.04, 12)
    at, updates = iterates(X, y, rate, start, "logistic", True)
    results = []
    for threads in (1, 2, 3):
        run = leap(X, y, rate, at, updates, start, tolerance=1e-6, threads=threads)
        results.append(run.run(np.array([100.0, 1e4, 1e45])))
    for status, got in results:
        assert status == results[0][0] == "arrived"
        np.testing.assert_array_equal(got, results[0][1])


@pytest.mark.skipif(len(_core.simd_available()) < 2, reason="needs two instruction sets")
def test_instruction_sets_agree():
    code = """
from leaps import iterates, leap, spaced
from test_leap_core import separable, stable
import numpy as np
for shape in ((45, 2), (45, 9), (45, 19)):
    X, y = separable(*shape)
    rate, start = stable(X), spaced(300)
    at, updates = iterates(X, y, rate, start, "logistic", True)
    status, got = leap(X, y, rate, at, updates, start).run(np.array([500.0, 1e6, 1e100]))
    print(got.tobytes().hex())
"""
    outputs = {}
    for simd in _core.simd_available():
        child = python(code, FASTGROK_SIMD=simd)
        assert child.returncode == 0, child.stderr
        outputs[simd] = child.stdout.split()
    with_fma = [output for simd, output in outputs.items() if simd != "v2"]
    assert all(output == with_fma[0] for output in with_fma)
    for output in outputs.values():
        assert len(output) == 3
        for got, expected in zip(output, with_fma[0], strict=True):
            np.testing.assert_allclose(
                np.frombuffer(bytes.fromhex(got)),
                np.frombuffer(bytes.fromhex(expected)),
                rtol=1e-7,
                atol=1e-7,
            )


def test_what_is_refused():
    X, y = separable(20, 2)
    rate, start = stable(X), spaced(200)
    at, updates = iterates(X, y, rate, start, "logistic", True)
    with pytest.raises(ValueError, match="at least 8"):
        leap(X, y, rate, at, updates, start[:7])
    with pytest.raises(ValueError, match="follow each other"):
        leap(X, y, rate, at, updates, start[::-1])
    with pytest.raises(ValueError, match="tolerance"):
        leap(X, y, rate, at, updates, start, tolerance=0.0)
    with pytest.raises(ValueError, match="orders of 1 to 6"):
        leap(X, y, rate, at, updates, start, most_order=7)
    wide, labels = separable(20, 17)
    at, updates = iterates(wide, labels, rate, start, "logistic", True)
    run = leap(wide, labels, rate, at, updates, start)
    assert run.step(202.0) == "failed"  # nearer than a step spans
