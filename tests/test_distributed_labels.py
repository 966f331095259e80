"""Labels of rows on a cluster may be what they may be elsewhere, and are refused likewise."""

import numpy as np
import pandas as pd
import pytest

import fastgrok as fg
from clusters import classes, in_blocks, same_bits, two_workers
from fastgrok import distributed

da = pytest.importorskip("dask.array")

N = 3001
EXACT = {"steps": 60, "lr": 0.5, "engine": "exact", "record": 20}
LABELS = {
    "0/1": lambda y: (y + 1) // 2,
    "bool": lambda y: y > 0,
    "strings": lambda y: np.where(y > 0, "yes", "no"),
    "objects": lambda y: np.where(y > 0, "yes", "no").astype(object),
    "column": lambda y: y[:, None],
    "uint8": lambda y: y.astype(np.int8).astype(np.uint8),  # -1 is 255
}
WRONG = {
    "1/2": (lambda y: np.where(y > 0, 1, 2), {}),
    "three": (lambda y: np.where(y > 0, 1, 2 * (np.arange(N) % 2)), {}),
    "one": (lambda y: np.full(N, 3), {}),
    "missing": (lambda y: np.where(np.arange(N) == 2700, np.nan, y), {}),
    "none": (lambda y: np.where(np.arange(N) == 2700, None, np.where(y > 0, "a", "b")), {}),
    "others": (lambda y: np.where(np.arange(N) == 2700, 7, y), {"classes": (-1, 1)}),
    "three names": (lambda y: np.where(y > 0, "a", np.array(["b", "c"])[np.arange(N) % 2]), {}),
}


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


def on_dask(y):
    return da.from_array(y, chunks=(700, *y.shape[1:]))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_may_be_what_they_may_be_here(client, kind):
    (X, y), (Z, t) = classes(N, 20), classes(900, 20, seed=1)
    named, other = LABELS[kind](y), LABELS[kind](t)
    here = fg.train(X, named, evals={"test": (Z, other)}, **EXACT)
    rows, test = in_blocks(X, (500, 1200)), in_blocks(Z, (100,))
    for labels, others in ((named, other), (on_dask(named), on_dask(other))):
        there = fg.train(rows, labels, executor=client, evals={"test": (test, others)}, **EXACT)
        same_bits(there, here)
        assert there.classes == here.classes
        data = distributed.scatter(rows, labels, client)
        assert data.y.classes == here.classes
        again = fg.train(data.X, data.y, evals={"test": (Z, other)}, **EXACT)
        same_bits(again, here)
        assert again.classes == here.classes


def test_lists_and_series_are_labels_too(client):
    X, y = classes(N, 20)
    here, rows = fg.train(X, y, **EXACT), in_blocks(X, (500,))
    for labels in (y.astype(int).tolist(), pd.Series(y), pd.DataFrame({"y": y})):
        same_bits(fg.train(rows, labels, executor=client, **EXACT), here)


def test_classes_say_which_is_which(client):
    X, y = classes(N, 20)
    named = np.where(y > 0, 1, 2)
    here = fg.train(X, named, classes=(2, 1), **EXACT)
    rows = in_blocks(X, (500,))
    for labels in (named, on_dask(named)):
        there = fg.train(rows, labels, classes=(2, 1), executor=client, **EXACT)
        same_bits(there, here)
        assert there.classes == (2, 1)
        data = distributed.scatter(rows, labels, client, classes=(2, 1))
        same_bits(fg.train(data.X, data.y, classes=(2, 1), **EXACT), here)
    with pytest.raises(ValueError, match=r"^classes must be \(2, 1\), as .* got \(1, 2\)"):
        fg.train(data.X, data.y, classes=(1, 2), **EXACT)
    with pytest.raises(ValueError, match=r"^evals\['t'\] y calls its classes \(2, 1\)"):
        fg.train(X, np.where(y > 0, "a", "b"), evals={"t": data}, **EXACT)


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_them_is_said_as_here(client, kind):
    X, y = classes(N, 20)
    make, options = WRONG[kind]
    wrong = make(y)
    with pytest.raises((TypeError, ValueError)) as here:
        fg.train(X, wrong, **EXACT, **options)
    for labels in (wrong, on_dask(wrong)):
        with pytest.raises(here.type) as there:
            fg.train(in_blocks(X, (500,)), labels, executor=client, **EXACT, **options)
        assert str(there.value) == str(here.value)


def test_a_worker_that_takes_over_knows_what_they_are_called(client):
    X, y = classes(N, 20)
    data = distributed.scatter(in_blocks(X, (500,)), on_dask(np.where(y > 0, "b", "a")), client)
    remote = data.X._remote
    remote._insist(remote._pieces[0], "digests")
    same_bits(fg.train(data.X, data.y, **EXACT), fg.train(X, np.where(y > 0, "b", "a"), **EXACT))


def test_targets_of_a_regression_are_no_labels(client):
    X, _ = classes(N, 20)
    with pytest.raises(ValueError, match=r"^y must hold the labels of two classes, but y\[0:700\]"):
        fg.train(in_blocks(X, (500,)), on_dask(X[:, 0]), executor=client, **EXACT)
