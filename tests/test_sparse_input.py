"""Sparse rows of any format, left as they are, in little memory; and those that are refused."""

import functools
import sys
import types

import numpy as np
import pytest
import scipy.sparse

import fastgrok as fg
from cases import python
from fastgrok import _core
from fastgrok._checks import sparse
from runs import assert_same_bits
from sparse_cases import drawn, relative

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")


def in_disorder(X):
    """The same rows with their columns the wrong way round, entries in two parts, and zeros."""
    coo = X.tocoo()
    rows, columns = coo.coords
    order = np.argsort(rows, kind="stable")[::-1]
    order = order[np.argsort(rows[order], kind="stable")]
    begin = np.searchsorted(rows[order], np.arange(X.shape[0] + 1))
    parts = 0.25 * coo.data[order]
    values = np.column_stack([parts, 3.0 * parts, np.zeros(len(parts))]).ravel()
    return scipy.sparse.csr_array((values, np.repeat(columns[order], 3), 3 * begin), shape=X.shape)


def kept(X):
    return [np.array(X.data), np.array(X.indices), np.array(X.indptr)]


def variants():
    X, y = drawn(60, 25, 0.2, 4)
    X.data[:] = np.round(8.0 * X.data)  # of which parts and sums are exact
    X.eliminate_zeros()
    arrays = {name: X.asformat(name) for name in FORMATS}
    matrices = {f"{name}_matrix": scipy.sparse.csr_matrix(X).asformat(name) for name in FORMATS}
    wide = scipy.sparse.csr_array(X)
    wide.indices, wide.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    spare = scipy.sparse.csr_array(X)  # with room behind the last entry
    spare.indices = np.append(X.indices, np.full(9, 99, X.indices.dtype))
    spare.data = np.append(X.data, np.full(9, np.nan))
    integers = X.astype(np.int16)
    others = {
        "disorder": in_disorder(X), "int64 indices": wide, "room": spare, "integers": integers,
        "foreign": scipy.sparse.csr_array((X.data.astype(">f8"), X.indices, X.indptr), X.shape),
    }  # fmt: skip
    strided = scipy.sparse.csr_array(X)
    strided.data, strided.indices = np.repeat(X.data, 2)[::2], np.repeat(X.indices, 2)[::2]
    others["strided"] = strided
    return X, y, arrays | matrices | others


OTHERS = ("disorder", "int64 indices", "room", "integers", "foreign", "strided")


@pytest.mark.parametrize("name", [*FORMATS, *(f"{form}_matrix" for form in FORMATS), *OTHERS])
def test_every_format_gives_the_same_bits_and_stays_as_it_is(name):
    X, y, given_ = variants()
    other = given_[name]
    before = kept(other) if other.format == "csr" else other.copy()
    run = fg.train(other, y, steps=50, lr=0.1, record=10)
    expected = fg.train(X, y, steps=50, lr=0.1, record=10)
    assert relative(run.w, expected.w) < 1e-14
    if name not in ("bsr", "dia", "bsr_matrix", "dia_matrix", "disorder"):  # which hold zeros
        assert_same_bits(run, expected)
    if other.format == "csr":
        for now, then in zip(kept(other), before, strict=True):
            np.testing.assert_array_equal(now, then, strict=True)
    else:
        assert (other != before).nnz == 0


def test_compressed_rows_in_order_are_used_in_place():
    X, y = drawn(50, 20, 0.3, 5)
    for rows in (X, X.astype(np.float32), scipy.sparse.csr_matrix(X)):
        run = fg.train(rows, y, steps=2, lr=0.1)
        assert np.shares_memory(run.data[0].data, rows.data)
        assert np.shares_memory(run.data[0].indices, rows.indices)
        assert run.data[0].dtype == rows.dtype


def test_rows_without_entries():
    X = scipy.sparse.csr_array((7, 5))
    y = np.array([1.0, 1, 1, 1, 1, -1, -1])
    run = fg.train(X, y, steps=200, lr=1.0)
    whole = fg.train(X.toarray(), y, steps=200, lr=1.0)
    assert not run.w.any()
    assert run.bias_final == pytest.approx(whole.bias_final, rel=1e-12)
    assert fg.margins(X, y, np.ones(5), 2.0, normalized=False) == pytest.approx(2.0 * y)


def test_what_wants_dense_rows_makes_them_so_up_to_a_size():
    X, y = drawn(30, 12, 0.4, 17)
    assert fg.separability(X, y).verdict == fg.separability(X.toarray(), y).verdict
    words = r"X is needed as a dense array.* 7\.45 GiB .*\(100000, 10000\)"
    with pytest.raises(ValueError, match=words):
        fg.separability(scipy.sparse.csr_array((10**5, 10**4)), np.ones(10**5))
    attacked = {"attacked": fg.Pgd(X, y, eps=0.1, method="exact")}
    run = fg.train(X, y, steps=5, lr=0.1, evals=attacked)
    whole = fg.train(X.toarray(), y, steps=5, lr=0.1, evals=attacked)
    assert (run.accuracy["attacked"] == whole.accuracy["attacked"]).all()


def csr(data, indices, indptr, shape):
    """What scipy would refuse to make."""
    X = scipy.sparse.csr_array(shape)
    X.data, X.indices, X.indptr = np.array(data), np.array(indices), np.array(indptr)
    return X


ROWS = csr([1.0, 2.0], [0, 1], [0, 1, 2], (2, 2))


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (csr([1.0, 2.0], [0, 5], [0, 1, 2], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, 2.0], [0, -1], [0, 1, 2], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, 2.0], [0, 1], [0, 2, 1], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, 2.0], [0, 1], [0, 1, 3], (2, 2)), ValueError, "indptr or its indices are out"),
        (csr([1.0, np.nan], [0, 1], [0, 1, 2], (2, 2)), ValueError, r"is X\[1, 1\] = nan"),
        (csr([1.0, np.inf], [0, 1], [0, 1, 2], (2, 2)), ValueError, r"is X\[1, 1\] = inf"),
        (ROWS.astype(complex), TypeError, "X must hold real numbers, got dtype complex128"),
        (scipy.sparse.csr_array((0, 2)), ValueError, r"at least one row .* \(0, 2\)"),
        (scipy.sparse.csr_array((2, 2**31)), ValueError, "at most 2147483647 columns"),
        (scipy.sparse.coo_array(np.ones(2)), ValueError, r"2 dimensions .* \(2,\)"),
        (csr([2**53 + 1, 2], [0, 1], [0, 1, 2], (2, 2)), ValueError, "float64 cannot hold"),
        (scipy.sparse.csr_array((3, 2)), ValueError, "y must have one label a row: 3 rows, 2"),
    ],
)
def test_errors_name_the_rows(X, error, words):
    for ask in (
        functools.partial(fg.train, steps=1, lr=0.1),
        functools.partial(fg.margins, w=np.ones(2)),
    ):
        with pytest.raises(error, match=words):
            ask(X, [1, -1])


def test_errors_of_other_arguments():
    sets = {"test": (scipy.sparse.csr_array((2, 3)), [1, -1])}
    with pytest.raises(ValueError, match=r"evals\['test'\] X must have 2 columns, got .*\(2, 3\)"):
        fg.train(ROWS, [1, -1], steps=1, lr=0.1, evals=sets)
    with pytest.raises(TypeError, match="y must be a dense array, got csr_array"):
        fg.train(ROWS, scipy.sparse.csr_array(np.ones((2, 1))), steps=1, lr=0.1)


def test_the_core_refuses_what_is_out_of_order():
    y, values = np.array([1.0, -1.0]), np.ones(2)
    for columns, begin in (
        ([1, 0], [0, 2, 2]), ([1, 1], [0, 2, 2]), ([0, 2], [0, 1, 2]), ([-1, 1], [0, 1, 2]),
        ([0, 1], [0, 1, 1]), ([0, 1], [1, 1, 2]), ([0, 1], [0, 3, 2]),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="columns in order"):
            _core.Problem.sparse(
                values, np.array(columns, np.int32), np.array(begin, np.int64), 2, y, True
            )
    X, y = drawn(20, 5, 0.5, 18)
    with pytest.raises(ValueError, match="attacks need dense rows"):
        fg.Pgd(X.toarray(), y)._evaluator(sparse.problem(X, y, True)).evaluate(
            np.ones(5), 0.0, "logistic", False, 1
        )


MEMORY = """
import re, sys
from pathlib import Path
import numpy as np, scipy.sparse, fastgrok as fg

def status(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def rows(n, d, k):
    rng = np.random.default_rng(0)
    columns = (np.sort(rng.integers(0, d // k, (n, k), dtype=np.int32), axis=1)
               + np.arange(0, d, d // k, dtype=np.int32)[:k]).astype(np.int32)
    begin = np.arange(0, n * k + 1, k, dtype=np.int32)
    X = scipy.sparse.csr_array((rng.standard_normal(n * k), columns.ravel(), begin), shape=(n, d))
    return X, np.where(rng.random(n) < 0.5, 1.0, -1.0)

fg.train(*rows(100, 40, 4), steps=300, lr=0.1, threads=2)
X, y = rows(100_000, 10_000, 20)
size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = status("VmRSS")
fg.train(X, y, steps=20, lr=0.1, threads=2)
print(1.0 + (status("VmHWM") - before) / size)
"""


def test_a_run_takes_less_than_three_times_the_memory_of_its_rows():
    done = python(MEMORY)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3.0


def test_rows_are_dense_while_another_thread_imports_what_tells_sparse_ones(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", types.ModuleType("scipy.sparse"))
    assert not sparse.is_sparse(np.eye(2))
    monkeypatch.delitem(sys.modules, "scipy.sparse")
    assert not sparse.is_sparse(np.eye(2))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64])
def test_entries_that_stand_twice_are_summed_without_wrapping(dtype):
    most = min(np.iinfo(dtype).max, 2**52)
    data, rows, columns = np.array([most, most, 1], dtype), [0, 0, 1], [0, 0, 1]
    for make in (scipy.sparse.coo_array, scipy.sparse.coo_matrix):
        X = make((data, (rows, columns)), shape=(2, 2))
        found = fg.margins(X, [1, -1], [1.0, 1.0], normalized=False)
        np.testing.assert_array_equal(found, [2.0 * float(most), -1.0])
    twice = scipy.sparse.csr_array((data, [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    found = fg.margins(twice, [1, -1], [1.0, 1.0], normalized=False)
    np.testing.assert_array_equal(found, [2.0 * float(most), -1.0])


def test_sums_beyond_int64_are_refused():
    X = scipy.sparse.coo_array(([2**62, 2**62, 1], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    with pytest.raises(ValueError, match="X holds entries of dtype int64 more than once"):
        fg.margins(X, [1, -1], [1.0, 1.0])
    once = scipy.sparse.coo_array(([2**62, 2**62, 1], ([0, 0, 1], [0, 1, 1])), shape=(2, 2))
    found = fg.margins(once, [1, -1], [1.0, 1.0], normalized=False)
    np.testing.assert_array_equal(found, [2.0**63, -1.0])
