"""Dense products, factors and triangular systems: exactly, where nothing has to be rounded."""

import numpy as np
import pytest
from scipy.linalg import qr

from cases import python
from fastgrok import _core
from fastgrok.geometry import products

# Around the sizes of registers, tiles, small triangles and of what is packed at once.
SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 48, 130]
SHAPES = [
    *((n, SIZES[(5 * i + 3) % 12], SIZES[(7 * i + 1) % 12]) for i, n in enumerate(SIZES)),
    *((40, 600, 30), (30, 20, 1000), (13, 0, 3), (0, 4, 2)),
]


def integers(*shape, seed=0):
    """Entries whose products and sums are exact."""
    return np.random.default_rng(seed).integers(-9, 10, size=shape)


def layouts(A):
    wide = np.zeros((2 * A.shape[0], 3 * A.shape[1]))
    wide[::2, ::3] = A
    return [np.array(A, dtype=float), np.asfortranarray(A, dtype=float), wide[::2, ::3]]


def triangle(n, seed=0):
    """Unit triangles have integer inverses; powers of two on the diagonal divide exactly."""
    return np.tril(integers(n, n, seed=seed) % 2, -1) + np.diag(2 ** (np.arange(n) % 3))


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_products(n, k, m):
    A, B = integers(n, k), integers(k, m, seed=1)
    expected = A @ B  # NumPy's integers, no BLAS
    for a in layouts(A):
        for b in layouts(B):
            np.testing.assert_array_equal(_core.product(a, b), expected)
    v = integers(k, seed=2)
    for a in layouts(A)[:2]:
        np.testing.assert_array_equal(_core.times(a, v.astype(float)), A @ v)


@pytest.mark.parametrize(("n", "k", "_"), SHAPES)
def test_products_of_rows(n, k, _):
    A, start = integers(n, k), integers(n, n, seed=3)
    for rows in layouts(A):
        for sign in (1, -1):
            out = start.astype(float)
            _core.add_gram(out, rows, float(sign))
            np.testing.assert_array_equal(np.tril(out), np.tril(start + sign * (A @ A.T)))


@pytest.mark.parametrize("n", [*SIZES, 0])
def test_cholesky_factors(n):
    L = triangle(n)
    matrix = (L @ L.T).astype(float)
    matrix[np.triu_indices(n, 1)] = np.nan  # not looked at
    assert _core.cholesky(matrix)
    np.testing.assert_array_equal(np.tril(matrix), L)


@pytest.mark.parametrize("n", [*SIZES, 0])
@pytest.mark.parametrize("width", [0, 1, 5, 40])
@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6])
def test_factors_of_sums(n, width, scale):
    rng = np.random.default_rng(n + width)
    before = np.tril(rng.normal(size=(n, n))) / np.sqrt(n + 1) + 2.0 * np.eye(n)
    columns = scale * rng.normal(size=(width, n))
    columns[: width // 2, : n // 2] = 0.0  # as of rows that leave late
    found = before + np.triu(np.full((n, n), np.nan), 1)  # not looked at
    _core.add_to_factor(found, columns)
    expected = before @ before.T + columns.T @ columns
    L = np.tril(found)
    largest = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(L @ L.T, expected, rtol=0, atol=1e-13 * max(n, 1) * largest)
    assert np.all(np.diag(L) > 0.0)
    if scale <= 1.0:
        np.testing.assert_allclose(L, np.linalg.cholesky(expected), rtol=1e-10, atol=1e-12)
    if scale < 1e-100:
        np.testing.assert_array_equal(L, before)


@pytest.mark.parametrize("n", SIZES)
def test_what_has_no_cholesky_factor(n):
    L = triangle(n)
    for at in {0, n // 2, n - 1}:
        for value in (0.0, np.nan, np.inf, -1.0):
            matrix = (L @ L.T).astype(float)
            matrix[at, at] = value
            assert not _core.cholesky(matrix)


@pytest.mark.parametrize("n", [*SIZES, 0])
@pytest.mark.parametrize("columns", [None, 1, 5, 70])
@pytest.mark.parametrize("transposed", [False, True])
def test_triangular_systems(n, columns, transposed):
    L = np.eye(n, dtype=int) * 2 + np.eye(n, k=-1, dtype=int) - np.eye(n, k=-3, dtype=int)
    x = integers(*((n,) if columns is None else (n, columns)), seed=4)
    right = (L.T if transposed else L) @ x
    factor = L + np.triu(np.full((n, n), np.nan), 1)
    found = _core.solve_triangular(factor, right.astype(float), transposed)
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize(
    ("n", "d"), [(1, 1), (1, 9), (5, 5), (17, 40), (33, 33), (70, 100), (0, 3)]
)
def test_orthonormal_rows(n, d):
    rows = np.random.default_rng(n).normal(size=(n, d))
    if n > 4:
        rows[1], rows[3] = 0.0, 3.0 * rows[2]  # dependent rows have zeros on the diagonal
    for scale in (1.0, 1e-200, 1e200):
        L, Q = _core.orthonormal_rows(scale * rows)
        np.testing.assert_allclose(L @ Q, scale * rows, rtol=0, atol=1e-14 * d * scale)
        np.testing.assert_allclose(Q @ Q.T, np.eye(n), rtol=0, atol=1e-14)
        assert not np.triu(L, 1).any()
        alone, none = _core.orthonormal_rows(scale * rows, basis=False)
        np.testing.assert_array_equal(alone, L)
        assert none.shape == (0, d)
        if n > 4:
            assert abs(L[1, 1]) == 0.0
            assert abs(L[3, 3]) < 1e-14 * d * scale


@pytest.mark.parametrize(
    ("n", "d"), [(1, 1), (9, 1), (1, 9), (5, 5), (17, 40), (90, 33), (300, 70)]
)
def test_rows_by_their_distances(n, d):
    rows = np.random.default_rng(n).normal(size=(n, d)) * np.logspace(0, -9, n)[:, None]
    if n > 4:
        rows[1], rows[3] = 0.0, 3.0 * rows[2]
    for scale in (1.0, 1e-200, 1e200):
        distance, order = _core.order_by_distance(scale * rows)
        R, pivots = qr((scale * rows).T, mode="r", pivoting=True)
        wanted = np.abs(np.diag(R))
        np.testing.assert_allclose(distance, wanted, rtol=1e-6, atol=1e-14 * scale)
        clear = np.count_nonzero(wanted > 1e-12 * scale)
        np.testing.assert_array_equal(order[:clear], pivots[:clear])
        assert sorted(order) == list(range(n))


def test_large_ones_go_to_the_blas_to_the_same_results(monkeypatch):
    rng = np.random.default_rng(5)
    A, B, v = rng.normal(size=(30, 40)), rng.normal(size=(40, 20)), rng.normal(size=40)
    S = A @ A.T + np.eye(30)

    def results():
        return [
            products.times(A, v),
            products.times(np.asfortranarray(A), v),
            products.product(A, B),
            products.product(A, A.T),
            np.tril(products.gram(A)),
            np.tril(products.gram(A[:, :-1])),
            np.tril(products.add_gram(S.copy(), A, -1.0)),
            np.tril(products.cholesky(S.copy())),
            products.solve_cholesky(products.cholesky(S.copy()), A),
            np.abs(products.orthonormal_rows(A)[0]),
            np.abs(products.row_triangle(A)),
            *products.pivoted_rows(A),
        ]

    ours = results()
    monkeypatch.setattr(products, "_MANY_ENTRIES", 0)
    monkeypatch.setattr(products, "_MANY_TERMS", 0)
    for one, other in zip(ours, results(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        products.cholesky(-S)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: _core.product(np.ones((2, 3)), np.ones((2, 3))), "inner sizes"),
        (lambda: _core.times(np.ones((2, 3)), np.ones(2)), "sizes must agree"),
        (lambda: _core.times(np.ones((4, 6))[::2, ::2], np.ones(3)), "contiguous"),
        (lambda: _core.add_gram(np.ones((2, 2)), np.ones((3, 2)), 1.0), "sizes must agree"),
        (lambda: _core.cholesky(np.ones((2, 3))), "square"),
        (lambda: _core.solve_triangular(np.ones((2, 2)), np.ones(3)), "sizes must agree"),
        (lambda: _core.orthonormal_rows(np.ones((3, 2))), "at most as many rows"),
    ],
)
def test_sizes_are_checked(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_child_forked_during_a_solve_can_solve():
    code = """
import os, signal, threading, warnings
import numpy as np
import fastgrok as fg
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 30))
y = np.where(X @ rng.normal(size=30) > 0, 1, -1)
expected = fg.max_margin(X, y).w
stop = threading.Event()
def solve():
    while not stop.is_set():
        fg.max_margin(X, y)
worker = threading.Thread(target=solve)
worker.start()
warnings.simplefilter("ignore", DeprecationWarning)
endings = []
for _ in range(5):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        os._exit(0 if np.array_equal(fg.max_margin(X, y).w, expected) else 1)
    endings.append(os.waitpid(pid, 0)[1])
stop.set()
worker.join()
print(endings)
"""
    child = python(code)
    assert child.stdout == "[0, 0, 0, 0, 0]\n", child.stderr
