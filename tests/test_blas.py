"""The routines that are called without the lock of the interpreter, beside SciPy's functions."""

import numpy as np
import pytest
from numpy.linalg import LinAlgError
from scipy.linalg import blas as scipy_blas
from scipy.linalg import lapack, solve_triangular, svdvals

from fastgrok.geometry import blas

RNG = np.random.default_rng(0)
A = RNG.normal(size=(70, 90))
GRAM = A @ A.T + np.eye(70)


def same(one, other):
    return one.shape == other.shape and one.tobytes("F") == other.tobytes("F")


def test_products():
    B = RNG.normal(size=(90, 30))
    assert same(blas.dgemm(A, B), scipy_blas.dgemm(1.0, A, B))
    assert same(blas.dgemm(B.T, A.T), scipy_blas.dgemm(1.0, B.T, A.T))
    sums = np.asfortranarray(RNG.normal(size=(70, 70)))
    wanted = scipy_blas.dsyrk(-1.0, A, beta=1.0, c=sums.copy("F"), overwrite_c=1)
    assert same(blas.dsyrk(-1.0, A, sums), wanted)


def test_cholesky():
    factor = GRAM.copy("F")
    assert blas.dpotrf(factor)
    assert same(factor, lapack.dpotrf(GRAM.copy("F"), overwrite_a=1, clean=0)[0])
    assert not blas.dpotrf(-GRAM.copy("F"))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("right", [A, A[:, 0].copy(), A.copy("F")])
def test_triangles(order, transposed, right):
    L = np.array(np.linalg.cholesky(GRAM), order=order)
    wanted = solve_triangular(L, right, trans="T" if transposed else "N", lower=True)
    assert same(blas.solve_lower(L, right, transposed), wanted)


def test_a_triangle_that_is_singular():
    with pytest.raises(LinAlgError, match="0 in row 2"):
        blas.solve_lower(np.diag([1.0, 0.0, 1.0]), np.ones(3), False)


def test_cholesky_with_pivots():
    low = A[:, :20] @ A[:, :20].T
    factor = low.copy("F")
    order, rank = blas.dpstrf(factor, 1e-9)
    wanted, pivots, wanted_rank, _ = lapack.dpstrf(low.copy("F"), tol=1e-9, lower=1)
    assert rank == wanted_rank == 20
    assert np.array_equal(order, pivots - 1)
    assert same(np.tril(factor), np.tril(wanted))


@pytest.mark.parametrize("matrix", [A, A.T, A.copy("F"), A[:1]])
def test_singular_values(matrix):
    assert same(blas.singular_values(matrix), svdvals(matrix))
