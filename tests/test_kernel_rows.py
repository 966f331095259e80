"""Rows of a kernel: against exact arithmetic, LAPACK's factor and descent on the coefficients."""

import copy
import pickle
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import lapack
from sklearn.metrics.pairwise import (
    laplacian_kernel,
    linear_kernel,
    polynomial_kernel,
    rbf_kernel,
    sigmoid_kernel,
)

import fastgrok as fg
import reference

KERNELS = {
    "linear": linear_kernel,
    "rbf, wide": lambda a, b=None: rbf_kernel(a, b, gamma=0.01),
    "rbf, narrow": lambda a, b=None: rbf_kernel(a, b, gamma=2.0),
    "polynomial": lambda a, b=None: polynomial_kernel(a, b, degree=3),
    "laplacian": lambda a, b=None: laplacian_kernel(a, b, gamma=0.3),
}
kernels = st.sampled_from(sorted(KERNELS)).map(KERNELS.__getitem__)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def points(draw, most=30):
    """Points in the plane or in space, often the same several times."""
    rng = np.random.default_rng(draw(seeds))
    n, d = draw(st.integers(1, most)), draw(st.integers(1, 4))
    X = rng.normal(size=(n, d))
    return X[rng.integers(n, size=n)] if draw(st.booleans()) else X


@st.composite
def whole_rows(draw):
    """Small integers, of any rank, as they are."""
    n, d, r = draw(st.integers(1, 12)), draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(seeds))
    X = rng.integers(-3, 4, size=(n, r)) @ rng.integers(-3, 4, size=(r, d))
    X[0, 0] += not X.any()
    return X


def exact_rank(rows):
    """Rank by elimination in fractions."""
    left = [[Fraction(int(value)) for value in row] for row in rows]
    rank = 0
    while left:
        row = left.pop()
        at = next((j for j, value in enumerate(row) if value), None)
        if at is not None:
            rank += 1
            left = [
                [a - b * one[at] / row[at] for a, b in zip(one, row, strict=True)] for one in left
            ]
    return rank


def worst(K, left, right):
    """Find max |K - left right^T| to 50 digits."""
    with mpmath.workdps(50):
        wrong = mpmath.matrix(K.tolist()) - mpmath.matrix(left.tolist()) * (
            mpmath.matrix(right.tolist()).T
        )
        return max(abs(value) for value in wrong)


def labels(n, seed=0):
    y = np.random.default_rng(seed).choice([-1.0, 1.0], n)
    y[0] = 1.0
    return y


def dual_descent(K, y, steps, lr, loss="logistic", bias=True):
    """Coefficients and bias of f = sum_i c_i k(x_i, .) + b, and f at the points, step by step."""
    c, b = np.zeros(len(y)), 0.0
    path = [(c, b)]
    for _ in range(steps):
        slopes = reference.loss_slope(y * (K @ c + b), loss) * y / len(y)
        c, b = c - lr * slopes, b - lr * slopes.sum() * bias
        path.append((c, b))
    return path


def stable(K):
    """Learning rate below every limit of stability of the mean of logistic losses."""
    return 4.0 * len(K) / float(np.linalg.eigvalsh(K + 1.0)[-1])


@given(whole_rows())
def test_the_gram_matrix_of_rows_has_their_rank(X):
    K = X @ X.T
    rows = fg.kernel_rows(K)
    assert rows.shape == (len(X), exact_rank(X))
    np.testing.assert_allclose(rows @ rows.T, K, rtol=0, atol=1e-13 * K.max())
    assert worst(K, rows, rows) <= rows.error <= 1e-12 * K.max()
    assert exact_rank(X[rows.pivots]) == len(rows.pivots) == rows.shape[1]


@given(points(12), kernels, st.sampled_from([1e-12, 1e-6, 1e-2]))
def test_the_error_bounds_every_entry(X, kernel, tol):
    K, T = kernel(X), np.concatenate([X[:2] + 0.1, X[:1] * 3.0, X[:3]])
    rows, test = fg.kernel_rows(K, kernel(T, X), tol=tol)
    assert worst(K, rows, rows) <= rows.error <= 2 * tol * K.diagonal().max()
    left = K.diagonal() - np.square(rows).sum(axis=1)
    assert left.max() <= rows.error
    assert worst(kernel(T, X), test, rows) <= test.error
    # By Cauchy-Schwarz in the kernel's space, where the pivots' own values are met.
    assert test.error**2 <= 2 * kernel(T, T).diagonal().max() * rows.error
    _, same = fg.kernel_rows(K, K, tol=tol)
    np.testing.assert_array_less(same.error, 1.5 * rows.error)


@given(points(), kernels)
def test_against_the_factor_of_lapack(X, kernel):
    K = kernel(X)
    rows = fg.kernel_rows(K)
    factor, pivots, rank, _ = lapack.dpstrf(K, tol=1e-12 * K.diagonal().max(), lower=1)
    # Pivots within rounding errors of each other may be taken in either order.
    assert abs(rows.shape[1] - rank) <= max(0, sum(np.abs(factor.diagonal()[:rank]) < 1e-5))
    expected = np.empty((len(X), rank))
    expected[pivots - 1] = np.tril(factor)[:, :rank]
    np.testing.assert_allclose(
        rows @ rows.T, expected @ expected.T, rtol=0, atol=4e-12 * K.diagonal().max()
    )


@given(points(), kernels, st.integers(-900, 900))
def test_powers_of_two_change_the_scale_alone(X, kernel, power):
    K = kernel(X)
    rows = fg.kernel_rows(K)
    scaled = fg.kernel_rows(np.ldexp(K, power))
    np.testing.assert_array_equal(scaled.pivots, rows.pivots)
    np.testing.assert_allclose(
        np.ldexp(scaled, -(power // 2)), rows * np.sqrt(2.0) ** (power % 2), rtol=1e-15
    )
    np.testing.assert_allclose(scaled.error, np.ldexp(rows.error, power), rtol=1e-12)


@given(whole_rows(), seeds)
def test_the_order_of_the_points_is_of_no_account(X, seed):
    order = np.random.default_rng(seed).permutation(len(X))
    rows, permuted = fg.kernel_rows(X @ X.T), fg.kernel_rows((X @ X.T)[np.ix_(order, order)])
    assert rows.shape == permuted.shape
    np.testing.assert_allclose(
        permuted @ permuted.T, (rows @ rows.T)[np.ix_(order, order)], rtol=0, atol=1e-12 * X.size
    )
    sizes = np.sort((X @ X.T).diagonal())
    if len(X) > 1 and sizes[-1] > sizes[-2]:
        assert order[permuted.pivots[0]] == rows.pivots[0]


def test_a_tolerance_of_nothing_takes_no_rounding_errors_for_columns():
    X = np.random.default_rng(2).normal(size=(60, 3))
    rows = fg.kernel_rows(linear_kernel(X), tol=0.0)
    assert rows.shape == (60, 3)
    np.testing.assert_allclose(rows @ rows.T, X @ X.T, rtol=0, atol=rows.error)


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-290, 1e300])
def test_the_ends_of_float64(size):
    K = np.array([[3.0, 1.0], [1.0, 5.0]]) * size
    rows, test = fg.kernel_rows(K, K[::-1])
    assert worst(K, rows, rows) <= rows.error
    assert worst(K[::-1], test, rows) <= test.error < np.inf


def test_pivots_are_taken_in_the_order_of_what_is_left():
    rows = fg.kernel_rows(np.diag([1.0, 9.0, 0.0, 4.0]))
    np.testing.assert_array_equal(rows.pivots, [1, 3, 0])
    np.testing.assert_array_equal(rows, [[0, 0, 1], [3, 0, 0], [0, 0, 0], [0, 2, 0]])


def test_more_rows_than_a_block_of_the_factor():
    """LAPACK works in blocks of 64 columns, and what is left is measured in blocks of rows."""
    X = np.random.default_rng(1).normal(size=(2300, 3))
    K = rbf_kernel(X, gamma=0.1)
    rows, test = fg.kernel_rows(K, K[:2000])
    assert 128 < rows.shape[1] < 1000
    found = np.abs(K - rows @ rows.T).max()
    assert 0.1 * rows.error < found <= rows.error <= 1e-12
    np.testing.assert_allclose(test, rows[:2000], rtol=0, atol=1e-5)  # as far as pivots tell
    assert test.error < 1e-11


@pytest.mark.parametrize("engine", ["exact", "leap"])
@pytest.mark.parametrize("bias", [True, False])
def test_rows_of_the_linear_kernel_train_as_the_points_do(engine, bias):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 5))
    y = np.where(X @ rng.normal(size=5) + 0.3 > 0, 1.0, -1.0)
    rows = fg.kernel_rows(X @ X.T)
    assert rows.shape == (40, 3)
    asked = {
        "steps": 3000 if engine == "exact" else 10**7, "lr": stable(X @ X.T) / 4, "bias": bias,
        "engine": engine, "keep_weights": True, "rtol": 1e-11,
    }  # fmt: skip
    runs = [(data, fg.train(data, y, **asked)) for data in (X, rows)]
    (_, plain), (_, kernel) = runs
    ours, theirs = (data @ run.weights[:, :-1].T + run.b for data, run in runs)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-10 * max(1.0, np.abs(ours).max()))
    np.testing.assert_allclose(kernel.b, plain.b, rtol=0, atol=1e-10 * max(1, abs(plain.b[-1])))
    np.testing.assert_allclose(kernel.norm_w, plain.norm_w, rtol=1e-10)
    np.testing.assert_array_equal(kernel.accuracy["train"], plain.accuracy["train"])


@given(points(), kernels, st.booleans(), seeds)
def test_descent_on_the_coefficients(X, kernel, bias, seed):
    K, y = kernel(X), labels(len(X), seed)
    T = np.random.default_rng(seed).normal(size=(7, X.shape[1]))
    rows, test = fg.kernel_rows(K, kernel(T, X))
    lr = stable(K) / 2
    run = fg.train(
        rows, y, steps=1000, lr=lr, bias=bias, engine="exact", record=50, keep_weights=True
    )
    path = dual_descent(K, y, 1000, lr, bias=bias)
    for step, w, b in zip(run.steps, run.weights[:, :-1], run.b, strict=True):
        c, expected = path[step]
        values, total = K @ c + expected, np.abs(c).sum()
        # Ten digits, or what is proved: each inner product is off by the error, times its c_i.
        size = max(1.0, np.abs(values).max())
        most = max(1e-10 * size, rows.error * total)
        np.testing.assert_allclose(rows @ w + b, values, rtol=0, atol=most)
        np.testing.assert_allclose(b, expected, rtol=0, atol=most)
        np.testing.assert_allclose(
            test @ w + b, kernel(T, X) @ c + expected, rtol=0, atol=most + test.error * total
        )
        np.testing.assert_allclose(w @ w, c @ K @ c, rtol=0, atol=most * max(size, total))


def test_predictions_are_those_of_the_coefficients():
    """A kernel with all of its columns leaves nothing to chance: ten digits."""
    rng = np.random.default_rng(8)
    X, T = rng.normal(size=(60, 2)), rng.normal(size=(500, 2))
    y = np.where(X.prod(axis=1) > 0, 1.0, -1.0)
    K, K_test = rbf_kernel(X, gamma=1.0), rbf_kernel(T, X, gamma=1.0)
    rows, test = fg.kernel_rows(K, K_test)
    run = fg.train(rows, y, steps=1000, lr=5.0, engine="exact", keep_weights=True)
    c, b = dual_descent(K, y, 1000, 5.0)[-1]
    np.testing.assert_allclose(test @ run.weights[-1, :-1] + run.b[-1], K_test @ c + b, atol=1e-10)
    assert np.ptp(K_test @ c) > 1.0


def test_the_maximum_margin_of_a_kernel():
    """XOR has none in the plane; with x x' as a third column it is known."""
    X = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    y = np.array([1.0, 1.0, -1.0, -1.0])
    rows = fg.kernel_rows(linear_kernel(X) ** 2)  # columns x1^2, x2^2, sqrt(2) x1 x2
    assert fg.separability(X, y).verdict != "separable"
    found = fg.max_margin(rows, y, bias="free")
    np.testing.assert_allclose(found.margin, np.sqrt(2.0), rtol=1e-12)


def test_what_is_made_of_rows_is_a_plain_array():
    rows = fg.kernel_rows(np.diag([4.0, 1.0]))
    assert isinstance(rows, fg.KernelRows)
    assert isinstance(rows, np.ndarray)
    assert rows.flags.c_contiguous
    for value in (rows[:1], rows[rows > 0], rows + 1, rows @ rows.T, rows.sum(axis=0), -rows):
        assert type(value) is np.ndarray
    assert type(np.asarray(rows)) is np.ndarray
    assert np.shares_memory(np.asarray(rows), rows)
    assert type(rows[0, 0]) is type(rows.sum()) is type(rows.max()) is np.float64
    for again in (pickle.loads(pickle.dumps(rows)), copy.copy(rows), copy.deepcopy(rows)):
        assert isinstance(again, fg.KernelRows)
        np.testing.assert_array_equal(again, rows)
        np.testing.assert_array_equal(again.pivots, [0, 1])
        assert again.error == rows.error


def test_it_leaves_its_arguments_alone():
    K, K_test = np.array([[4.0, 1.0], [1.0, 2.0]]), np.array([[0.5, 1.0]])
    before = K.copy(), K_test.copy()
    fg.kernel_rows(K, K_test)
    np.testing.assert_array_equal(K, before[0])
    np.testing.assert_array_equal(K_test, before[1])


@given(points(), st.sampled_from(["C", "F", "float32", "list"]))
def test_layouts_and_dtypes(X, kind):
    K = (linear_kernel(X) + 0.5 * np.eye(len(X))).astype(np.float32).astype(float)
    made = {
        "C": K.copy(), "F": np.asfortranarray(K), "float32": K.astype(np.float32),
        "list": K.tolist(),
    }[kind]  # fmt: skip
    rows, expected = fg.kernel_rows(made), fg.kernel_rows(K)
    np.testing.assert_array_equal(rows, expected)
    assert rows.dtype == np.float64


NO_KERNEL = [
    ([[1.0, 0.0], [0.0, -0.5]], r"K\[1, 1\] = -0\.5"),
    ([[0.0, 1.0], [1.0, 0.0]], r"K\[0, 1\] = 1\.0 is larger than every diagonal entry"),
    ([[1.0, -2.0], [-2.0, 1.0]], r"K\[0, 1\] = -2\.0 is larger"),
    ([[4.0, 2.0], [2.0, 0.5]], r"K\[1, 1\] = 0\.5 is off by 0\.125 times .* what 1 pivots"),
    # Nothing is left on the diagonal, and yet something beside it.
    ([[1.0, 1.0, 1.0], [1.0, 1.0, 0.9], [1.0, 0.9, 1.0]], r"K\[1, 2\] = 0\.9 is off by 0\.1 "),
    (np.zeros((2, 2)), "K must not be zero everywhere"),
]


@pytest.mark.parametrize(("K", "said"), NO_KERNEL)
def test_no_kernel(K, said):
    with pytest.raises(ValueError, match=said):
        fg.kernel_rows(K)


@given(seeds, st.integers(2, 20), st.floats(1e-9, 0.5))
def test_a_negative_eigenvalue_is_found(seed, n, size):
    """K less a pivot's worth of it is no kernel, wherever it shows."""
    L = np.random.default_rng(seed).normal(size=(n, n))
    K = L @ L.T
    values, vectors = np.linalg.eigh(K)
    wrong = K - (values[0] + size * K.diagonal().max()) * np.outer(vectors[:, 0], vectors[:, 0])
    with pytest.raises(ValueError, match="K must be positive semidefinite"):
        fg.kernel_rows((wrong + wrong.T) / 2, tol=size * 1e-3 / n)


def test_the_sigmoid_is_no_kernel():
    X = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(ValueError, match="take a kernel that is one, or add a multiple of"):
        fg.kernel_rows(sigmoid_kernel(X))


def test_a_kernel_with_rounding_errors_says_which_tolerance_takes_it():
    X = np.random.default_rng(0).normal(size=(300, 5))
    K = rbf_kernel(X, gamma=1e-3)
    with pytest.raises(ValueError, match="if that is the rounding of K, pass tol=") as error:
        fg.kernel_rows(K.astype(np.float32))
    tol = float(str(error.value).rsplit("tol=", 1)[1])
    assert 1e-7 < tol < 1e-4
    rows = fg.kernel_rows(K.astype(np.float32), tol=tol)
    assert np.abs(K - rows @ rows.T).max() <= rows.error + 2.0**-24 <= 10 * tol


def test_rounding_is_not_asymmetry():
    X = np.random.default_rng(0).normal(size=(20, 5))
    K = linear_kernel(X)
    K[3, 4] *= 1.0 + 2.0**-50
    rows = fg.kernel_rows(K)
    assert worst(K, rows, rows) <= rows.error
    K[3, 4] += 0.5
    with pytest.raises(ValueError, match=r"K must be symmetric, but K\[3, 4\] = .* K\[4, 3\] = "):
        fg.kernel_rows(K)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"K": np.eye(3)[:2]}, r"K must be square, \(n, n\), got shape \(2, 3\)"),
        ({"K": np.ones(3)}, "K must have 2 dimensions"),
        ({"K": [[1.0, np.nan], [np.nan, 1.0]]}, r"K must be finite, .* K\[0, 1\] = nan"),
        ({"K": np.eye(3), "K_test": np.ones((3, 2))}, "K_test must have 3 columns"),
        ({"K": np.eye(2), "K_test": [[np.inf, 0.0]]}, "K_test must be finite"),
        ({"K": np.eye(2) * 1e-300, "K_test": [[1e300, 0.0]]}, "K_test must be of the same kernel"),
        ({"K": np.eye(2), "tol": -1e-9}, r"tol must be in \[0, 1\), got -1e-09"),
        ({"K": np.eye(2), "tol": 1.0}, r"tol must be in \[0, 1\), got 1.0"),
        ({"K": np.eye(2), "tol": np.nan}, "tol must be finite"),
    ],
)
def test_wrong_values(arguments, said):
    with pytest.raises(ValueError, match=said):
        fg.kernel_rows(**arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"K": [["a"]]}, "K must hold real numbers"),
        ({"K": np.eye(2), "tol": "small"}, "tol must be a real number"),
        ({"K": np.eye(2), "kernel": "rbf"}, r"kernel_rows\(\) has no argument 'kernel'"),
    ],
)
def test_wrong_types(arguments, said):
    with pytest.raises(TypeError, match=said):
        fg.kernel_rows(**arguments)
